"""HEFT, CPOP and PEFT: rank the tasks, then give each in turn the node that suits it best.

All three insert a task into the earliest gap of a node that is long enough, keep every placement
rule, and choose the first of equally good nodes.
"""

from __future__ import annotations

import numpy as np

from offload.arrays import FloatArray
from offload.heuristics.building import built
from offload.heuristics.ranks import (
    OptimisticCosts,
    by_falling,
    downward_ranks,
    neighbours,
    upward_ranks,
    when_ready,
)  # fmt: skip
from offload.heuristics.schedule import Schedule
from offload.registry import Answer, Request
from offload.tables import Tables

__all__ = ["average_of", "cpop", "heft", "in_order", "peft"]


def average_of(request: Request) -> str:
    """How delays are averaged (:func:`offload.heuristics.ranks.mean_delays`)."""
    return str(request.options.get("average", "pairs"))


def in_order(request: Request, order: list[int]) -> Answer:
    """Tasks in a topological order, each to the node where it finishes first, gaps filled."""

    def fill(schedule: Schedule) -> None:
        for task in order:
            request.go_on()
            schedule.place(task, *schedule.soonest(task))

    return built(request, fill, insertion=True)


def heft(request: Request) -> Answer:
    """Heterogeneous earliest finish time: by upward rank, to the node where it finishes first.

    Topcuoglu, Hariri, Wu 2002, section 4.1.
    """
    tables = request.problem.tables
    return in_order(request, by_falling(tables, upward_ranks(tables, average_of(request))))


def cpop(request: Request) -> Answer:
    """Critical path on a processor: the critical path's tasks share the node that suits them best.

    Topcuoglu, Hariri, Wu 2002, section 4.2.
    """
    tables, average = request.problem.tables, average_of(request)
    priority = upward_ranks(tables, average) + downward_ranks(tables, average)
    critical = set(path := _critical_path(tables, priority))
    total = np.zeros(tables.nodes)
    for task in path:
        total += tables.row(task)
    best = int(total.argmin()) if len(path) and np.isfinite(total).any() else -1

    def fill(schedule: Schedule) -> None:
        for task in when_ready(tables, priority):
            request.go_on()
            if task in critical and best >= 0:
                start, finish = schedule.finish_times(task)
                node = best if np.isfinite(finish[best]) else int(finish.argmin())
                schedule.place(task, node, float(start[node]))
            else:
                schedule.place(task, *schedule.soonest(task))

    return built(request, fill, insertion=True)


def _critical_path(tables: Tables, priority: FloatArray) -> list[int]:
    """From the entry task of highest priority along successors of the same priority."""
    entries = np.flatnonzero(tables.incoming.lengths == 0)
    if not len(entries):
        return []
    first, after = neighbours(tables.outgoing, tables.edge_dst)
    at = int(entries[priority[entries].argmax()])
    length, path = priority[at], [at]
    while first[at] < first[at + 1]:
        at = max(after[first[at] : first[at + 1]], key=priority.__getitem__)
        if abs(priority[at] - length) > 1e-9 * length:
            break
        path.append(at)
    return path


def peft(request: Request) -> Answer:
    """Predict earliest finish time: looks ahead through the optimistic cost table.

    Arabnejad, Barbosa 2014, section 4: the ready task of highest mean OCT goes to the node of
    least finish + OCT.
    """
    tables = request.problem.tables
    costs = OptimisticCosts(tables, average_of(request))
    order = when_ready(tables, costs.means())

    def fill(schedule: Schedule) -> None:
        for task in order:
            request.go_on()
            schedule.place(task, *schedule.soonest(task, costs.row(task)))

    return built(request, fill, insertion=True)
