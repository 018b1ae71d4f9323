"""A schedule under construction: tasks are inserted one by one, after all they wait for."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np

from offload.arrays import BoolArray, FloatArray
from offload.heuristics.decisions import plan_at
from offload.heuristics.deliveries import Deliveries
from offload.heuristics.machines import Queues, WithGaps
from offload.heuristics.placer import Placer, Stuck
from offload.heuristics.timeline import Timeline
from offload.plan import Plan
from offload.tables import Tables

__all__ = ["Schedule", "with_retries"]


class Schedule:
    """List scheduling over slots, memory, links and placement rules.

    Tasks run in their node's fastest mode; items travel with the codec that arrives first.

    Parameters
    ----------
    tables
        The cost model.
    reserved
        Nodes promised to tasks beforehand.
    copies : bool[D, K], optional
        Placed copies of data.
    insertion
        Whether a task may start before one that was placed on its node earlier.

    Attributes
    ----------
    start, finish : float64[T]
        Times of the tasks placed so far, in seconds.
    placer, machines, deliveries
        What may go where, when slots are free, and when inputs arrive.
    """

    def __init__(
        self,
        tables: Tables,
        reserved: dict[int, int] | None = None,
        copies: BoolArray | None = None,
        insertion: bool = True,
    ) -> None:
        self.tables, self.copies = tables, copies
        self.start, self.finish = np.zeros(tables.tasks), np.zeros(tables.tasks)
        self.holders = tables.home if copies is None else tables.home | copies
        self.placer = Placer(tables, reserved, self.holders)
        self.machines: WithGaps | Queues = WithGaps(tables) if insertion else Queues(tables)
        self.deliveries = Deliveries(tables, self.holders, self.placer.node, self.finish)
        # Working memory: what runs at the same time must fit, which slots alone do not tell.
        self.stores: list[Timeline] = []
        if self.placer.bounded and (tables.memory > 0).any():
            self.stores = [Timeline(int(slots)) for slots in tables.node_slots]
        self._searched = self.deliveries.contended or bool(self.stores)
        self._times: tuple[int, FloatArray] = (-1, self.start)

    # -- where a task could go -------------------------------------------------------------------

    def times(self, task: int) -> FloatArray:
        """Execution times of a task, infinite where it cannot run; float64[K], not to change."""
        if self._times[0] != task:
            self._times = task, self.tables.row(task)
        return self._times[1]

    def _ready(self, task: int) -> FloatArray:
        """When a task could start if slots, memory and links were free; infinite where barred."""
        ready = self.deliveries.ready(task)
        if not self.placer.open:
            ready[~self.placer.candidates(task)] = inf
        return ready

    def finish_times(self, task: int) -> tuple[FloatArray, FloatArray]:
        """Earliest start and finish of a task on each node, infinite where it may not go; [K].

        Raises
        ------
        Stuck
            If no node is left for it.
        """
        ready, length = self._ready(task), self.times(task)
        if self._searched:
            start = np.full(len(ready), inf)
            for k in np.flatnonzero(np.isfinite(ready + length)).tolist():
                start[k] = self._fit(task, k, float(ready[k]))
        else:
            start = self.machines.starts(task, ready, length)
        finish = start + length
        if not finish.min() < inf:
            raise Stuck(task)
        return np.where(finish < inf, start, inf), finish

    def soonest(self, task: int, cost: FloatArray | None = None) -> tuple[int, float]:
        """The node where a task finishes first, and its start there.

        Parameters
        ----------
        cost : float64[K], optional
            The node of least finish plus this is taken instead.

        Returns
        -------
        int, float
            Of equally good nodes the first; the earliest start in seconds.

        Raises
        ------
        Stuck
            If no node is left for it.
        """
        ready, length = self._ready(task), self.times(task)
        if self._searched:
            node, start, least = self._soonest_of_all(task, ready, length, cost)
        else:
            node, start, least = self.machines.soonest(task, ready, length, cost)
        if not least < inf:
            raise Stuck(task)
        return node, start

    def _soonest_of_all(
        self, task: int, ready: FloatArray, length: FloatArray, cost: FloatArray | None
    ) -> tuple[int, float, float]:
        """The same where each node takes a search: the most promising nodes first."""
        bound = ready + length if cost is None else ready + length + cost
        node, start, least = 0, inf, inf
        for k in bound.argsort(kind="stable").tolist():
            if bound[k] > least or bound[k] == inf:
                break
            begin = self._fit(task, k, float(ready[k]))
            value = begin + float(length[k])
            value = value if cost is None else value + float(cost[k])
            if value < least or (value == least < inf and k < node):
                node, start, least = k, begin, value
        return node, start, least

    def _fit(self, task: int, node: int, ready: float) -> float:
        """Earliest start on a node, from a readiness there that does not count contention."""
        if self.deliveries.contended:
            ready = self.deliveries.at(task, node)
        length = float(self.times(task)[node])
        if not self.stores:
            return self.machines.start_on(task, node, ready, length)
        if isinstance(self.machines, Queues):
            ready = max(ready, float(self.machines.last[node]))
        # What will be resident once the task is here bounds the memory of all that runs here.
        room, store = self.placer.room_after(task, node), self.stores[node]
        if store.peak_bytes() > room:
            return inf
        memory = self.placer.memory_on(task, node)
        return store.earliest(ready, length, self.machines.units[task], memory, room)

    # -- placing ---------------------------------------------------------------------------------

    def place(self, task: int, node: int, start: float) -> None:
        """Put a task on a node at a time that :meth:`finish_times` or :meth:`soonest` gave."""
        if self.deliveries.contended:
            self.deliveries.book(task, node)
        finish = start + float(self.times(task)[node])
        if self.stores:
            memory = self.placer.memory_on(task, node)
            self.stores[node].add(start, finish, self.machines.units[task], memory)
        self.machines.take(task, node, start, finish)
        self.start[task], self.finish[task] = start, finish
        self.placer.place(task, node)

    def plan(self) -> Plan:
        """The finished schedule."""
        nodes, start, finish = self.placer.node, self.start, self.finish
        moved = self.deliveries.moved if self.deliveries.contended else None
        return plan_at(self.tables, nodes, start, finish, self.copies, moved)


def with_retries(
    tables: Tables, run: Callable[[dict[int, int]], Plan], most: int = 50
) -> Plan | None:
    """Run a constructive method; where a task finds no node, promise it one and start again.

    Parameters
    ----------
    run
        Builds a plan, given nodes promised to some tasks; raises :class:`Stuck`.
    most
        Attempts.

    Returns
    -------
    Plan or None
        ``None`` if it is stuck to the end.
    """
    reserved: dict[int, int] = {}
    for _ in range(most):
        try:
            return run(dict(reserved))
        except Stuck as signal:
            if not _promise(tables, reserved, signal.task):
                return None
    return None


def _promise(tables: Tables, reserved: dict[int, int], task: int) -> bool:
    """Set aside a node for a task: the one with most memory left, then the fastest."""
    if task in reserved:
        return False
    placer = Placer(tables, reserved)
    fine = placer.left(task)
    if placer.bounded:
        fine = fine & (placer.held + placer.resident(task) + placer.memory(task) <= placer.room)
    options = np.flatnonzero(fine)
    if not len(options):
        return False
    spare = (placer.room - placer.held)[options]
    length = tables.row(task)[options]
    reserved[task] = int(options[np.lexsort((options, length, -spare))[0]])
    return True
