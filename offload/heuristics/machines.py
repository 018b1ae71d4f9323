"""When slots are free, for all nodes at once: with gaps to fill, or in order of starts."""

from __future__ import annotations

from bisect import insort
from math import frexp, inf, ldexp
from typing import NamedTuple

import numpy as np

from offload.arrays import FloatArray
from offload.heuristics.timeline import ROUNDING, Gaps, Timeline
from offload.tables import Tables

__all__ = ["Queues", "WithGaps"]

_LEVELS = 64  # powers of two by which gaps are told apart


class Queues:
    """Slots that are taken in order of starts: nothing starts before what was placed there last."""

    def __init__(self, tables: Tables) -> None:
        self.units: list[int] = tables.task_slots.tolist()
        self.capacity: list[int] = tables.node_slots.tolist()
        self.last = np.zeros(tables.nodes)  # the latest start on each node
        self._running: list[list[tuple[float, int]]] = [[] for _ in self.capacity]
        self._from: dict[int, FloatArray] = {}

    def take(self, task: int, node: int, start: float, finish: float) -> None:
        """Occupy a node's slots with a task; starts on one node never fall."""
        units = self.units[task]
        self.last[node] = max(self.last[node], start)
        line = [row for row in self._running[node] if row[0] > start]
        if finish > start:
            insort(line, (finish, units))
        self._running[node] = line
        for size, moments in self._from.items():
            moments[node] = self._moment(node, size)

    def since(self, units: int) -> FloatArray:
        """From when on each node has so many slots free, whatever was placed; float64[K]."""
        if units not in self._from:
            nodes = range(len(self.capacity))
            self._from[units] = np.array([self._moment(node, units) for node in nodes])
        return self._from[units]

    def _moment(self, node: int, units: int) -> float:
        free = self.capacity[node] - sum(size for _, size in self._running[node])
        moment = float(self.last[node])
        for finish, size in self._running[node]:
            if free >= units:
                break
            free, moment = free + size, finish
        return moment if free >= units else inf

    def starts(self, task: int, ready: FloatArray, length: FloatArray) -> FloatArray:
        """Earliest start of a task on each node from its readiness there; float64[K]."""
        moment = np.where(length > 0, self.since(self.units[task]), self.last)
        return np.maximum(moment, ready, out=moment)

    def start_on(self, task: int, node: int, ready: float, length: float) -> float:
        """Earliest start of a task on one node."""
        moment = self.since(self.units[task])[node] if length > 0 else self.last[node]
        return max(ready, float(moment))

    def soonest(
        self, task: int, ready: FloatArray, length: FloatArray, cost: FloatArray | None
    ) -> tuple[int, float, float]:
        """The first node of least finish plus cost, the start there, and that sum."""
        start = self.starts(task, ready, length)
        key = start + length if cost is None else start + length + cost
        node = int(key.argmin())
        return node, float(start[node]), float(key[node])


class _Free(NamedTuple):
    """What is free for tasks of one size."""

    gaps: list[Gaps | None]  # None where the node has too few slots
    tail: FloatArray  # when the last gap of each node begins; float64[K]
    # When the last gap before the tail that is at least 2**level long ends, if not earlier; a row
    # for each level from the lowest on, float64[levels, K].
    ends: FloatArray


class _Saved(NamedTuple):
    """All that is known of a node's slots at some moment."""

    node: int
    line: Timeline | None
    free: dict[int, tuple[Gaps | None, float, FloatArray]]  # by size: gaps, tail and ends


class WithGaps:
    """Slots that a task may also take before tasks that were placed earlier."""

    def __init__(self, tables: Tables) -> None:
        self.units: list[int] = tables.task_slots.tolist()
        self.capacity: list[int] = tables.node_slots.tolist()
        # A single slot is in use outside its gaps: no need to count units.
        self.lines = [Timeline(slots) if slots > 1 else None for slots in self.capacity]
        self._load_levels(tables)
        self._free: dict[int, _Free] = {}

    def _load_levels(self, tables: Tables) -> None:
        """Level of each task: the exponent of its least time above 0, counted from the lowest."""
        time = tables.time
        self._instant = bool((time <= 0).any())
        least = time.min(axis=1, initial=inf)
        if self._instant:
            least = np.where(time > 0, time, inf).min(axis=1, initial=inf)
        level = np.frexp(least)[1] - 1
        level[~np.isfinite(least)] = 0
        highest = int(np.frexp(time[np.isfinite(time)].max(initial=1.0))[1])
        self._lowest = max(int(level.min(initial=0)), highest - _LEVELS)
        self._levels = max(highest - self._lowest, 1)
        self._level: list[int] = np.clip(level - self._lowest, 0, self._levels - 1).tolist()

    def _of(self, units: int) -> _Free:
        if (known := self._free.get(units)) is not None:
            return known
        count = len(self.capacity)
        free = _Free([None] * count, np.full(count, inf), np.full((self._levels, count), -inf))
        for node in range(count):
            self._measure(free, node, units)
        self._free[units] = free
        return free

    def _measure(self, free: _Free, node: int, units: int) -> None:
        """Find the gaps of a node of several slots; one of a single slot has been empty so far."""
        if units > self.capacity[node]:
            return
        free.gaps[node], free.tail[node], free.ends[:, node] = Gaps(), 0.0, -inf
        line = self.lines[node]
        for begin, end in line.full(units) if line is not None else ():
            self._fill(free, node, begin, end)

    def _fill(self, free: _Free, node: int, start: float, finish: float) -> None:
        """Take an interval out of a node's gaps."""
        gaps = free.gaps[node]
        if gaps is None:
            return
        tail = gaps.tail
        gaps.take(start, finish)
        if start >= tail:
            free.tail[node] = finish
            if start > tail:
                level = self._reaches(start - tail + ROUNDING * start)
                free.ends[: level + 1, node] = start

    def _reaches(self, length: float) -> int:
        """The highest level of tasks that a gap of some length may take; -1 for none."""
        return min(frexp(length)[1] - 1 - self._lowest, self._levels - 1)

    def take(self, task: int, node: int, start: float, finish: float) -> None:
        """Occupy a node's slots with a task."""
        if finish <= start:
            return
        line, units = self.lines[node], self.units[task]
        self._of(units)
        if line is None:
            for free in self._free.values():
                self._fill(free, node, start, finish)
            return
        steps = line.add(start, finish, units)
        for size, free in self._free.items():
            for begin, end in line.filled(steps, units, size):
                self._fill(free, node, begin, end)

    def save(self, node: int) -> _Saved:
        """The state of a node, for :meth:`restore`."""
        line, known = self.lines[node], {}
        for size, free in self._free.items():
            gaps = free.gaps[node]
            copy = None if gaps is None else gaps.copy()
            known[size] = copy, float(free.tail[node]), free.ends[:, node].copy()
        return _Saved(node, None if line is None else line.copy(), known)

    def restore(self, saved: _Saved) -> None:
        """Forget what a node took since."""
        node = saved.node
        self.lines[node] = saved.line
        for size, free in self._free.items():
            if size in saved.free:
                free.gaps[node], free.tail[node], free.ends[:, node] = saved.free[size]
            else:
                self._measure(free, node, size)

    def starts(self, task: int, ready: FloatArray, length: FloatArray) -> FloatArray:
        """Earliest start of a task on each node from its readiness there; float64[K]."""
        free, level = self._of(self.units[task]), self._level[task]
        start = np.maximum(ready, free.tail)
        if self._instant:  # an interval of length 0 holds nothing
            start = np.where(length > 0, start, ready)
        inside = (ready + length <= free.ends[level]) & (start > ready)
        for node in inside.nonzero()[0].tolist():
            start[node] = self._search(free, node, float(ready[node]), float(length[node]))
        return start

    def start_on(self, task: int, node: int, ready: float, length: float) -> float:
        """Earliest start of a task on one node."""
        gaps = self._of(self.units[task]).gaps[node]
        if length <= 0:
            return ready
        return inf if gaps is None else gaps.earliest(ready, length)

    def soonest(
        self, task: int, ready: FloatArray, length: FloatArray, cost: FloatArray | None
    ) -> tuple[int, float, float]:
        """The first node of least finish plus cost, the start there, and that sum.

        Gaps are searched only where one that may be long enough could beat the best tail.
        """
        free, level = self._of(self.units[task]), self._level[task]
        start = np.maximum(ready, free.tail)
        if self._instant:
            start = np.where(length > 0, start, ready)
        key = start + length
        bound = done = ready + length
        if cost is not None:
            key += cost
            bound = done + cost
        node = int(key.argmin())
        at, least = float(start[node]), float(key[node])
        rows = ((bound <= least) & (done <= free.ends[level])).nonzero()[0]
        if len(rows) > 1:
            rows = rows[bound[rows].argsort(kind="stable")]
        for k in rows.tolist():
            if bound[k] > least or (bound[k] == least and k > node):
                break
            span = float(length[k])
            begin = self._search(free, k, float(ready[k]), span)
            value = begin + span if cost is None else begin + span + float(cost[k])
            if value < least or (value == least and k < node):
                node, at, least = k, begin, value
        return node, at, least

    def _search(self, free: _Free, node: int, ready: float, length: float) -> float:
        """The first gap that is long enough."""
        gaps = free.gaps[node]
        if gaps is None or length <= 0:
            return ready
        level = max(frexp(length)[1] - 1 - self._lowest, 0)
        if ready + length > free.ends[level, node]:
            return max(ready, gaps.tail)
        start = gaps.earliest(ready, length)
        if start == gaps.tail:  # in vain: where does the last gap of this level end?
            free.ends[level, node] = gaps.last_end(ldexp(1.0, level + self._lowest))
        return start
