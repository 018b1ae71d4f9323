"""A pause of the garbage collector, for work that makes millions of objects and no garbage."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["collector_paused"]

_lock = threading.Lock()
_inside = 0  # pauses under way, in all threads
_was_on = False


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the collector, which would walk all new objects again and again.

    Pauses of several threads may overlap: the last one to end restores what was before the first.
    """
    global _inside, _was_on
    with _lock:
        if not _inside:
            _was_on = gc.isenabled()
            gc.disable()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside and _was_on:
                gc.enable()
