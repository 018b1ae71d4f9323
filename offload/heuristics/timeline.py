"""A resource over time, with gaps into which later work can still be inserted."""

from __future__ import annotations

from bisect import bisect_right
from math import inf

__all__ = ["Timeline"]


class Timeline:
    """What is in use from each moment on: slot-units (or channels) and bytes of memory.

    Parameters
    ----------
    capacity
        Units that may be in use at the same time.
    """

    __slots__ = ("bytes", "capacity", "times", "units")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.times = [0.0]
        self.units = [0]
        self.bytes = [0.0]

    def copy(self) -> Timeline:
        """An independent copy."""
        made = Timeline(self.capacity)
        made.times, made.units, made.bytes = self.times[:], self.units[:], self.bytes[:]
        return made

    def earliest(
        self, ready: float, length: float, units: int = 1, memory: float = 0.0, room: float = inf
    ) -> float:
        """The first moment from ``ready`` on at which a piece of work fits for its whole length."""
        if length <= 0 or ready == inf:  # an interval of length 0 holds nothing
            return ready
        if units > self.capacity or memory > room:
            return inf
        times, used, held = self.times, self.units, self.bytes
        most, last = self.capacity - units, len(times) - 1
        space = room - memory
        step = bisect_right(times, ready) - 1
        start = ready
        while True:
            if used[step] > most or held[step] > space:
                if step == last:
                    return inf
                step += 1
                start = times[step]
            elif step == last or times[step + 1] >= start + length:
                return start
            else:
                step += 1

    def add(self, start: float, finish: float, units: int = 1, memory: float = 0.0) -> None:
        """Take units and memory from ``start`` to ``finish``."""
        if finish <= start:
            return
        first, last = self._cut(start), self._cut(finish)
        for step in range(first, last):
            self.units[step] += units
            self.bytes[step] += memory

    def peak_bytes(self) -> float:
        """The most memory in use at any time."""
        return max(self.bytes)

    def _cut(self, time: float) -> int:
        """The step that begins at a time; made if there is none."""
        step = bisect_right(self.times, time) - 1
        if self.times[step] == time:
            return step
        self.times.insert(step + 1, time)
        self.units.insert(step + 1, self.units[step])
        self.bytes.insert(step + 1, self.bytes[step])
        return step + 1
