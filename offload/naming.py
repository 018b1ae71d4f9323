"""Entries of tables, looked up by the names that users give them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from offload.errors import OffloadError
from offload.typechecks import close

__all__ = ["one_named"]


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Entry = TypeVar("Entry", bound=_Named)


def one_named(what: str, name: str, entries: Iterable[Entry]) -> Entry:
    """The entry of a table that has this name.

    Raises
    ------
    OffloadError
        If there is none; lists the names and suggests the nearest.
    """
    known = {entry.name: entry for entry in entries}
    if name not in known:
        fix = close(name, known, "name one of them")
        raise OffloadError(f"{what}: must be one of {', '.join(known)}, got {name!r}; {fix}")
    return known[name]
