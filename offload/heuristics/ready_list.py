"""ETF, DLS and MCP: list schedulers that weigh tasks against each other, not only nodes.

ETF and DLS look at all pairs of a ready task and a node and take the best pair; MCP fixes an order
by the latest possible starts. None of them but MCP fills gaps, as in the papers.
"""

from __future__ import annotations

import heapq

import numpy as np

from offload.arrays import FloatArray
from offload.heuristics.building import built
from offload.heuristics.ranks import upward_ranks
from offload.heuristics.ready_tasks import ReadyTasks
from offload.heuristics.schedule import Schedule
from offload.registry import Answer, Request
from offload.tables import Tables

__all__ = ["dls", "etf", "latest_start_order", "mcp", "median_times", "static_levels"]

_CELLS = 4_000_000  # task and node pairs whose execution times are held at once
_DEEP = 64  # descendants by which MCP tells tasks of equal latest start apart


def median_times(tables: Tables) -> FloatArray:
    """Median execution time of each task over the nodes with slots; float64[T].

    Where the median is infinite, the largest finite time stands for it. Sih, Lee 1993, section IV.
    """
    hosts = np.flatnonzero(tables.node_slots > 0)
    result = np.zeros(tables.tasks)
    step = max(1, _CELLS // max(len(hosts), 1))
    for first in range(0, tables.tasks, step):
        task = np.arange(first, min(first + step, tables.tasks))
        times = tables.execution(task[:, None], hosts, tables.fastest_mode[hosts])
        times.sort(axis=1)
        largest = np.where(np.isfinite(times), times, 0.0).max(axis=1)
        low, high = times[:, (len(hosts) - 1) // 2], times[:, len(hosts) // 2]
        result[task] = np.where(np.isfinite(high), (low + high) / 2, largest)
    return result


def static_levels(tables: Tables, times: FloatArray) -> FloatArray:
    """Longest path from each task to the end, its own time included, delays left out; float64[T].

    SL(i) = E*(i) + max over successors j of SL(j): Sih, Lee 1993, section III.
    """
    level: list[float] = times.tolist()
    for i in tables.topological[::-1].tolist():
        after = tables.edge_dst[tables.outgoing.of(i)]
        if len(after):
            level[i] += max(level[j] for j in after.tolist())
    return np.array(level)


def etf(request: Request) -> Answer:
    """Earliest task first: of all ready tasks on all nodes, the pair that can start earliest.

    Equal starts: the task of higher static level, then the one listed first; of equal nodes the
    one where it finishes first. Hwang, Chow, Anger, Lee 1989, section 4 (static levels break ties,
    as there).
    """
    tables = request.problem.tables
    level = static_levels(tables, median_times(tables))

    def fill(schedule: Schedule) -> None:
        ready = ReadyTasks(schedule, starts=True)
        while len(ready):
            request.go_on()
            soonest = ready.best == ready.best.min()
            row = ready.first(np.where(soonest, -level[ready.tasks], np.inf))
            if (found := ready.confirm(row)) is not None:
                start, finish = found
                node = int(np.where(start == start.min(), finish, np.inf).argmin())
                ready.place(row, node, float(start[node]))

    return built(request, fill)


def dls(request: Request) -> Answer:
    """Dynamic level scheduling: of all ready tasks on all nodes, the pair of highest dynamic level.

    DL(i, k) = SL(i) - max(DA(i, k), TF(k)) + (E*(i) - E(i, k)) with the static level SL, the data
    arrival DA, the time TF at which the node is free, and the median time E*: Sih, Lee 1993,
    equations 1 and 4. As the start plus E(i, k) is the finish, that is the pair of largest
    SL(i) + E*(i) - finish(i, k).
    """
    tables = request.problem.tables
    median = median_times(tables)
    level = static_levels(tables, median) + median

    def fill(schedule: Schedule) -> None:
        ready = ReadyTasks(schedule)
        while len(ready):
            request.go_on()
            row = ready.first(ready.best - level[ready.tasks])
            if (found := ready.confirm(row)) is not None:
                start, finish = found
                node = int(finish.argmin())
                ready.place(row, node, float(start[node]))

    return built(request, fill)


def mcp(request: Request) -> Answer:
    """Modified critical path: by latest possible start, to the node where each finishes earliest.

    Fills gaps. On the paper's identical processors, that is the node where a task starts earliest.
    Wu, Gajski 1990, section 3.
    """
    tables = request.problem.tables
    order = latest_start_order(tables, upward_ranks(tables))

    def fill(schedule: Schedule) -> None:
        for task in order:
            request.go_on()
            start, finish = schedule.finish_times(task)
            node = int(finish.argmin())
            schedule.place(task, node, float(start[node]))

    return built(request, fill, insertion=True)


def latest_start_order(tables: Tables, rank: FloatArray) -> list[int]:
    """Tasks by rising latest start, ties by the latest starts of their descendants.

    The latest start of a task is the length of the critical path less its upward rank (mean times
    and delays). Tasks of equal latest start are ordered by the rising list of their descendants'
    latest starts, of which the first 64 are compared; then topologically. Wu, Gajski 1990,
    section 3, steps 1 and 2.
    """
    start = rank.max(initial=0.0) - rank
    latest: list[float] = start.tolist()
    place = np.empty(tables.tasks, np.int64)
    place[tables.topological] = np.arange(tables.tasks)
    order: list[int] = np.lexsort((place, start)).tolist()
    first = 0
    while first < len(order):
        end = first + 1
        while end < len(order) and latest[order[end]] == latest[order[first]]:
            end += 1
        if end - first > 1:
            keys = {i: (_descendants(tables, latest, i), int(place[i])) for i in order[first:end]}
            order[first:end] = sorted(order[first:end], key=keys.__getitem__)
        first = end
    return order


def _descendants(tables: Tables, latest: list[float], task: int) -> list[float]:
    """Latest starts of a task and its descendants, rising; infinite at the end of a full list."""
    found: list[float] = []
    heap, seen = [(latest[task], task)], {task}
    while heap and len(found) < _DEEP:
        # No task's latest start is before that of a predecessor: the heap yields them in order.
        moment, i = heapq.heappop(heap)
        found.append(moment)
        for j in tables.edge_dst[tables.outgoing.of(i)].tolist():
            if j not in seen:
                seen.add(j)
                heapq.heappush(heap, (latest[j], j))
    return found if heap else [*found, np.inf]
