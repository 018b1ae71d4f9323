"""Exact times for a solver's order: the longest path over its own orders, never a decoding.

Solvers answer in rounded numbers. What they decided is where each task runs and what waits for
what; from that the times follow exactly, in float64.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from offload.plan import Plan
from offload.problem import Problem
from offload.tables import Lists, Tables
from offload.transfers import EDGE, durations, required_transfers, timed_without_contention

__all__ = ["retime"]


def retime(
    problem: Problem,
    nodes: NDArray[np.integer],
    start: NDArray[np.number],
    finish: NDArray[np.number],
    modes: NDArray[np.integer] | None = None,
    slack: float = 0.0,
) -> Plan:
    """The earliest exact times under a schedule's own orders.

    Parameters
    ----------
    problem
        An instance without link contention or divisible tasks.
    nodes, modes : int[T]
        Where each task runs, and how (default mode without ``modes``).
    start, finish : [T]
        The schedule, in any unit: task j waits for task i of its node if i finishes by the start
        of j (within ``slack``, in the same unit).

    Returns
    -------
    Plan
        Not checked. As the tasks that the schedule overlaps pairwise share a moment, whatever
        runs together in the plan ran together in the schedule, so capacities carry over.
    """
    tables = problem.tables
    placed = np.asarray(nodes, np.int32)
    modes = np.zeros(tables.tasks, np.int32) if modes is None else np.asarray(modes, np.int32)
    length = tables.execution(np.arange(tables.tasks), placed, modes)
    required = required_transfers(tables, placed[None, :])
    rows, members = required
    delay = durations(tables, rows).total
    arrivals = _arrivals_by_task(tables, rows.kind, members)
    order = _order(tables, start)
    rank = np.empty(tables.tasks, np.int64)
    rank[order] = np.arange(tables.tasks)
    begin, end = np.zeros(tables.tasks), np.zeros(tables.tasks)
    sent_by = np.full(len(rows.kind), -1, np.int32)
    sent_by[rows.kind == EDGE] = tables.item_src[rows.ref[rows.kind == EDGE]]
    on_node = [np.flatnonzero(placed == k) for k in range(tables.nodes)]
    for j in order.tolist():
        ready = tables.release[j]
        for x in arrivals.of(j).tolist():
            sender = sent_by[x]
            ready = max(ready, delay[x] + (end[sender] if sender >= 0 else 0.0))
        senders = tables.edge_src[tables.incoming.of(j)]
        local = senders[placed[senders] == placed[j]]
        ready = max(ready, end[local].max(initial=0.0))
        if length[j] > 0:  # an interval of length 0 holds nothing
            beside = on_node[placed[j]]
            before = beside[(rank[beside] < rank[j]) & (length[beside] > 0)]
            if tables.node_slots[placed[j]] > 1:
                before = before[finish[before] <= start[j] + slack]
            ready = max(ready, end[before].max(initial=0.0))
        begin[j], end[j] = ready, ready + length[j]
    timed = timed_without_contention(tables, rows, end[None, :], delay)
    return Plan.assemble(problem, placed, begin, end, required._replace(rows=timed), modes=modes)


def _arrivals_by_task(tables: Tables, kind: NDArray[np.int8], members: Lists) -> Lists:
    """For each task, the transfers that it waits for."""
    owner = np.repeat(np.arange(len(kind)), members.lengths)
    waiter = members.values.copy()
    edges = kind[owner] == EDGE
    waiter[edges] = tables.edge_dst[waiter[edges]]
    by_task = Lists.group(waiter, tables.tasks)
    return Lists(by_task.start, owner[by_task.values].astype(np.int32))


def _order(tables: Tables, start: NDArray[np.number]) -> NDArray[np.int64]:
    """A topological order by start; ties by topological position."""
    place = np.empty(tables.tasks, np.int64)
    place[tables.topological] = np.arange(tables.tasks)
    waiting = tables.incoming.lengths.tolist()
    outgoing = tables.outgoing
    heap = [(start[i], int(place[i]), i) for i in range(tables.tasks) if not waiting[i]]
    heapq.heapify(heap)
    order = []
    while heap:
        i = heapq.heappop(heap)[2]
        order.append(i)
        for e in outgoing.of(i).tolist():
            j = int(tables.edge_dst[e])
            waiting[j] -= 1
            if not waiting[j]:
                heapq.heappush(heap, (start[j], int(place[j]), j))
    return np.array(order, np.int64)
