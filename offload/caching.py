"""What is derived from a problem's tables alone, made once for each problem."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from offload.tables import Tables

__all__ = ["once"]

Made = TypeVar("Made")


def once(make: Callable[[Tables], Made]) -> Callable[[Tables], Made]:
    """A function of tables that keeps its result with them."""
    name = f"{make.__module__}.{make.__qualname__}"

    @wraps(make)
    def kept(tables: Tables) -> Made:
        store = tables.__dict__
        if name not in store:
            # Of two threads that get here together, one gives way: both see the same object.
            store.setdefault(name, make(tables))
        made: Made = store[name]
        return made

    return kept
