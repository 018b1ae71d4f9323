"""Exact times for a solver's order: the longest path over its own orders, never a decoding.

Solvers answer in rounded numbers. What they decided is where each task runs, what moves how, and
what waits for what on nodes and links; from that the times follow exactly, in float64.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray
from offload.plan import Plan
from offload.problem import Problem
from offload.tables import Lists, Tables, TransferParts
from offload.transfers import EDGE, Required, durations, required_transfers

__all__ = ["Holds", "retime"]

Holds = Mapping[tuple[int, int, int], tuple[float, float]]
"""From a transfer's kind, ref and destination to when it begins and ceases to hold its links."""


def retime(
    problem: Problem,
    nodes: NDArray[np.integer],
    start: NDArray[np.number],
    finish: NDArray[np.number],
    modes: NDArray[np.integer] | None = None,
    slack: float = 0.0,
    codecs: NDArray[np.integer] | None = None,
    copies: BoolArray | None = None,
    holds: Holds | None = None,
) -> Plan:
    """The earliest exact times under a schedule's own orders.

    Parameters
    ----------
    problem
        An instance without divisible tasks.
    nodes, modes : int[T]
        Where each task runs, and how (default mode without ``modes``).
    start, finish : [T]
        The schedule, in any unit: task j waits for task i of its node if i finishes by the start
        of j (within ``slack``, in the same unit).
    codecs : int[E], optional
        Codec of each edge, -1 for none; the same for all readers of an item on one node.
    copies : bool[D, K], optional
        Placed copies of data.
    holds
        When each transfer holds links that have channels, in the same unit: it waits for those
        that cease to hold one of its links by then. Needed for all that hold one for any time.

    Returns
    -------
    Plan
        Not checked. As the tasks that the schedule overlaps pairwise share a moment, whatever
        runs together in the plan ran together in the schedule, so capacities carry over; and so
        do those of links.
    """
    tables = problem.tables
    placed = np.asarray(nodes, np.int32)
    modes = np.zeros(tables.tasks, np.int32) if modes is None else np.asarray(modes, np.int32)
    required = required_transfers(
        tables, placed[None, :], None if codecs is None else np.asarray(codecs)[None, :],
        None if copies is None else (copies | tables.home)[None],
    )  # fmt: skip
    length = tables.execution(np.arange(tables.tasks), placed, modes)
    run = _Run(tables, placed, length, required, holds or {})
    begin, end = run.times(start, finish, slack)
    rows = required.rows._replace(start=run.sent, finish=run.sent + run.parts.total)
    required = required._replace(rows=rows)
    return Plan.assemble(problem, placed, begin, end, required, modes=modes, copies=copies)


class _Run:
    """One schedule: its tasks, and its transfers, of which those that hold links wait in turn."""

    def __init__(
        self,
        tables: Tables,
        placed: NDArray[np.int32],
        length: FloatArray,
        required: Required,
        holds: Holds,
    ) -> None:
        self.tables, self.placed, self.length = tables, placed, length
        rows, members = required
        self.parts: TransferParts = durations(tables, rows)
        self.arrivals = _arrivals_by_task(tables, rows.kind, members)
        self.sender = np.full(len(rows.kind), -1, np.int32)
        edges = rows.kind == EDGE
        self.sender[edges] = tables.item_src[rows.ref[edges]]
        self.sent = np.zeros(len(rows.kind))
        self.arrived = np.zeros(len(rows.kind))
        self.links = _links(tables, required, self.parts)
        names = zip(rows.kind.tolist(), rows.ref.tolist(), rows.dst.tolist(), strict=True)
        self.transfer = dict(enumerate(self.links, tables.tasks))  # by the number of its event
        self.hold = {x: holds[name] for x, name in enumerate(names) if x in self.links}

    def times(
        self, start: NDArray[np.number], finish: NDArray[np.number], slack: float
    ) -> tuple[FloatArray, FloatArray]:
        """Start and finish of each task; those of transfers are kept."""
        tables, placed, length = self.tables, self.placed, self.length
        begin, self.end = np.zeros(tables.tasks), np.zeros(tables.tasks)
        order = self._order(start)
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        on_node = [np.flatnonzero((placed == k) & (length > 0)) for k in range(tables.nodes)]
        before: dict[int, list[int]] = {}
        for event in order:
            if event >= tables.tasks:
                self._send(event, before, slack)
                continue
            j, ready = event, self._ready(event)
            if length[j] > 0:  # an interval of length 0 holds nothing
                beside = on_node[placed[j]]
                beside = beside[rank[beside] < rank[j]]
                if tables.node_slots[placed[j]] > 1:
                    apart = (finish[beside] <= start[j] + slack) | (finish[j] <= start[beside])
                    beside = beside[apart]
                ready = max(ready, float(self.end[beside].max(initial=0.0)))
            begin[j], self.end[j] = ready, ready + length[j]
        return begin, self.end

    def _ready(self, j: int) -> float:
        """When the inputs of a task are there."""
        tables = self.tables
        ready = float(tables.release[j])
        for x in self.arrivals.of(j).tolist():
            if x not in self.links:
                self._depart(x, self._given(x))
            ready = max(ready, float(self.arrived[x]))
        senders = tables.edge_src[tables.incoming.of(j)]
        local = senders[self.placed[senders] == self.placed[j]]
        return max(ready, float(self.end[local].max(initial=0.0)))

    def _given(self, x: int) -> float:
        """When a transfer may start."""
        return float(self.end[self.sender[x]]) if self.sender[x] >= 0 else 0.0

    def _depart(self, x: int, moment: float) -> None:
        self.sent[x], self.arrived[x] = moment, moment + self.parts.total[x]

    def _send(self, event: int, before: dict[int, list[int]], slack: float) -> None:
        """Start a transfer once all that its links carry before it is over."""
        x = self.transfer[event]
        given, channels = self._given(x), self.tables.routes.resource_channels
        wish = given + self.parts.encode[x]
        free = wish
        begin, end = self.hold[x]
        for q in self.links[x]:
            for other in before.get(q, ()):
                first, last = self.hold[other]
                if channels[q] == 1 or last <= begin + slack or end <= first:
                    over = self.sent[other] + self.parts.encode[other] + self.parts.serialise[other]
                    free = max(free, float(over))
            before.setdefault(q, []).append(x)
        self._depart(x, given if free == wish else given + (free - wish))

    def _order(self, start: NDArray[np.number]) -> list[int]:
        """Tasks, and numbered after them the transfers that hold links, in an order they allow.

        By start, or by the begin of the hold; ties by topological position (a transfer goes by its
        source), tasks first.
        """
        tables, tasks = self.tables, self.tables.tasks
        place = np.empty(tasks + 1, np.int64)
        place[tables.topological] = np.arange(tasks)
        place[-1] = -1  # of transfers without a source
        key = {i: (start[i], int(place[i]), i) for i in range(tasks)}
        after: dict[int, list[int]] = {i: [] for i in range(tasks)}
        for e in range(tables.edges):
            after[int(tables.edge_src[e])].append(int(tables.edge_dst[e]))
        number = {}
        for event, x in self.transfer.items():
            number[x] = event
            key[event] = (self.hold[x][0], int(place[self.sender[x]]), event)
            after[event] = []
            if self.sender[x] >= 0:
                after[int(self.sender[x])].append(event)
        for j in range(tasks if number else 0):
            for x in self.arrivals.of(j).tolist():
                if x in number:
                    after[number[x]].append(j)
        waiting = dict.fromkeys(key, 0)
        for events in after.values():
            for event in events:
                waiting[event] += 1
        heap = [key[event] for event, count in waiting.items() if not count]
        heapq.heapify(heap)
        order = []
        while heap:
            event = heapq.heappop(heap)[2]
            order.append(event)
            for other in after[event]:
                waiting[other] -= 1
                if not waiting[other]:
                    heapq.heappush(heap, key[other])
        return order


def _links(tables: Tables, required: Required, parts: TransferParts) -> dict[int, list[int]]:
    """The channel sets that each transfer holds, for those that hold any for some time."""
    rows, routes = required.rows, tables.routes
    row, arc = routes.expand(rows.src, rows.dst)
    resource = routes.arc_resource[arc]
    found: dict[int, list[int]] = {}
    for x, q in zip(row.tolist(), resource.tolist(), strict=True):
        if q >= 0 and parts.serialise[x] > 0 and q not in found.setdefault(x, []):
            found[x].append(q)
    return {x: sets for x, sets in found.items() if sets}


def _arrivals_by_task(tables: Tables, kind: NDArray[np.int8], members: Lists) -> Lists:
    """For each task, the transfers that it waits for."""
    owner = np.repeat(np.arange(len(kind)), members.lengths)
    waiter = members.values.copy()
    edges = kind[owner] == EDGE
    waiter[edges] = tables.edge_dst[waiter[edges]]
    by_task = Lists.group(waiter, tables.tasks)
    return Lists(by_task.start, owner[by_task.values].astype(np.int32))
