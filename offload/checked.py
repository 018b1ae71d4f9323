"""Arguments of formulas: one clear error for a number that is out of range."""

from __future__ import annotations

import math
from typing import Any

from offload.errors import OffloadError, shorten

__all__ = ["above_zero", "not_negative", "whole"]


def above_zero(**values: float) -> None:
    """Refuse numbers that are not finite and above 0; they are named by their keywords."""
    for name, value in values.items():
        if not _finite(value) or not value > 0:
            raise OffloadError(f"{name}: must be > 0 and finite, got {shorten(value)}")


def not_negative(**values: float) -> None:
    """Refuse numbers that are not finite and at least 0; they are named by their keywords."""
    for name, value in values.items():
        if not _finite(value) or not value >= 0:
            raise OffloadError(f"{name}: must be >= 0 and finite, got {shorten(value)}")


def whole(name: str, value: int, power_of_two: bool = False) -> int:
    """A whole number from 1 on, a power of 2 if that is asked for."""
    if isinstance(value, bool) or value != value or int(value) != value or value < 1:
        raise OffloadError(f"{name}: must be a whole number, 1 or more, got {shorten(value)}")
    count = int(value)
    if power_of_two and count & (count - 1):
        below = 1 << (count.bit_length() - 1)
        raise OffloadError(
            f"{name}: must be a power of 2, got {count}; take {below} or {2 * below}"
        )
    return count


def _finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except (TypeError, ValueError, OverflowError):
        return False
