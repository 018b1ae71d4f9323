"""A resource over time: what is in use when, and the gaps into which work can still go."""

from __future__ import annotations

from bisect import bisect_right
from math import inf

__all__ = ["ROUNDING", "Gaps", "Timeline"]

_CHUNK = 64  # gaps that are searched one by one
ROUNDING = 4.5e-16  # more than a sum's rounding, relative


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

    def add(
        self, start: float, finish: float, units: int = 1, memory: float = 0.0
    ) -> tuple[int, int]:
        """Take units and memory from ``start`` to ``finish``; the steps that this covers."""
        if finish <= start:
            return 0, 0
        first, last = self._cut(start), self._cut(finish)
        for step in range(first, last):
            self.units[step] += units
            self.bytes[step] += memory
        return first, last

    def remove(self, start: float, finish: float) -> None:
        """Give back the one unit that was added last, over the same time."""
        if finish <= start:
            return
        first, last = self._cut(start), self._cut(finish)
        times, units = self.times, self.units
        for step in range(first, last):
            units[step] -= 1
        for step in (last, first):
            if step and units[step] == units[step - 1] and self.bytes[step] == self.bytes[step - 1]:
                del times[step], units[step], self.bytes[step]

    def full(self, units: int) -> list[tuple[float, float]]:
        """Maximal intervals in which fewer units than that are free."""
        return self._runs(0, len(self.times), self.capacity - units, inf)

    def filled(self, steps: tuple[int, int], added: int, units: int) -> list[tuple[float, float]]:
        """Maximal intervals where adding some units left fewer than ``units`` free, if not before.

        Parameters
        ----------
        steps
            What :meth:`add` returned.
        added
            The units that it added.
        """
        most = self.capacity - units
        return self._runs(*steps, most, most + added)

    def _runs(self, first: int, last: int, above: int, to: float) -> list[tuple[float, float]]:
        """Maximal intervals among some steps with more than ``above`` and at most ``to`` units."""
        times, used = self.times, self.units
        found: list[tuple[float, float]] = []
        since = None
        for step in range(first, last):
            if above < used[step] <= to:
                since = times[step] if since is None else since
            elif since is not None:
                found.append((since, times[step]))
                since = None
        if since is not None:  # the last step of all is empty: this one has an end
            found.append((since, times[last]))
        return found

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


class Gaps:
    """The intervals in which work of one size can run on a resource; the last one has no end.

    Kept in chunks with the length of the longest gap of each, so that finding the first gap that
    is long enough skips whole chunks.

    Attributes
    ----------
    tail
        When the last gap begins.
    """

    __slots__ = ("_begins", "_ends", "_firsts", "_longest", "tail")

    def __init__(self) -> None:
        self.tail = 0.0
        self._begins: list[list[float]] = []
        self._ends: list[list[float]] = []
        self._firsts: list[float] = []  # where each chunk begins
        self._longest: list[float] = []  # at least the length of each chunk's longest gap

    def copy(self) -> Gaps:
        """An independent copy."""
        made = Gaps()
        made.tail = self.tail
        made._begins = [chunk[:] for chunk in self._begins]
        made._ends = [chunk[:] for chunk in self._ends]
        made._firsts, made._longest = self._firsts[:], self._longest[:]
        return made

    def earliest(self, ready: float, length: float) -> float:
        """The first moment from ``ready`` on at which work of some length > 0 fits."""
        if ready >= self.tail:
            return ready
        chunk = max(bisect_right(self._firsts, ready) - 1, 0)
        for at in range(chunk, len(self._firsts)):
            if length > self._longest[at]:
                continue
            begins, ends = self._begins[at], self._ends[at]
            first = bisect_right(ends, ready)
            for gap in range(first, len(ends)):
                start = begins[gap] if begins[gap] > ready else ready
                if start + length <= ends[gap]:
                    return start
            if not first:
                self._measure(at)
        return self.tail

    def last_end(self, length: float) -> float:
        """When the last gap of at least some length before the tail ends; -inf without one."""
        for at in range(len(self._firsts) - 1, -1, -1):
            if self._longest[at] >= length:
                begins, ends = self._begins[at], self._ends[at]
                for gap in range(len(ends) - 1, -1, -1):
                    if ends[gap] - begins[gap] + ROUNDING * ends[gap] >= length:
                        return ends[gap]
        return -inf

    def take(self, start: float, finish: float) -> None:
        """Occupy an interval that lies in one gap."""
        if start >= self.tail:
            if start > self.tail:
                self._append(self.tail, start)
            self.tail = finish
            return
        at = bisect_right(self._firsts, start) - 1
        begins, ends = self._begins[at], self._ends[at]
        gap = bisect_right(begins, start) - 1
        before, after = begins[gap] < start, finish < ends[gap]
        if before and after:
            begins.insert(gap + 1, finish)
            ends.insert(gap, start)
            if len(begins) > 2 * _CHUNK:
                self._split(at)
        elif before:
            ends[gap] = start
        elif after:
            begins[gap] = finish
            self._firsts[at] = begins[0]
        else:
            del begins[gap], ends[gap]
            if begins:
                self._firsts[at] = begins[0]
            else:
                for lists in (self._begins, self._ends, self._firsts, self._longest):
                    del lists[at]

    def _append(self, begin: float, end: float) -> None:
        if not self._begins or len(self._begins[-1]) >= _CHUNK:
            self._begins.append([])
            self._ends.append([])
            self._firsts.append(begin)
            self._longest.append(0.0)
        self._begins[-1].append(begin)
        self._ends[-1].append(end)
        self._longest[-1] = max(self._longest[-1], end - begin + ROUNDING * end)

    def _split(self, at: int) -> None:
        for lists in (self._begins, self._ends):
            lists.insert(at + 1, lists[at][_CHUNK:])
            del lists[at][_CHUNK:]
        self._firsts.insert(at + 1, self._begins[at + 1][0])
        self._longest.insert(at + 1, 0.0)
        self._measure(at)
        self._measure(at + 1)

    def _measure(self, at: int) -> None:
        begins, ends = self._begins[at], self._ends[at]
        self._longest[at] = max(e - b for b, e in zip(begins, ends, strict=True))
        self._longest[at] += ROUNDING * ends[-1]
