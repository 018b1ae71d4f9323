"""Tiers in their order, from the devices to the cloud."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["tiers_of"]

_TIERS = ("device", "edge", "fog", "cloud")


def tiers_of(names: Sequence[str]) -> list[str]:
    """Tiers from the device to the cloud; others where they first come up, in between."""
    found = list(dict.fromkeys(names))
    known = [tier for tier in _TIERS if tier in found]
    other = [tier for tier in found if tier not in _TIERS]
    last = known[-1:] if known[-1:] == ["cloud"] else []
    return [*known[: len(known) - len(last)], *other, *last]
