"""HEFT, CPOP and PEFT: rank the tasks, then give each in turn the node that suits it best.

All three insert a task into the earliest gap of a node that is long enough, keep every placement
rule, and choose the first of equally good nodes.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np

from offload.arrays import FloatArray
from offload.errors import OffloadError
from offload.heuristics.schedule import Schedule, with_retries
from offload.plan import Plan
from offload.registry import Answer, Request
from offload.tables import Tables

__all__ = [
    "cpop",
    "downward_ranks",
    "heft",
    "mean_delays",
    "optimistic_costs",
    "peft",
    "upward_ranks",
]

Chooser = Callable[[Schedule, int, FloatArray, FloatArray], int]

AVERAGES = ("pairs", "saga")


def mean_times(tables: Tables) -> FloatArray:
    """Execution time of each task averaged over the nodes that can run it; float64[T].

    Topcuoglu et al. 2002, equation 5 (there over all processors).
    """
    times = tables.execution(np.arange(tables.tasks)[:, None], np.arange(tables.nodes)[None, :])
    fine = np.isfinite(times)
    total: FloatArray = np.where(fine, times, 0.0).sum(axis=1)
    result: FloatArray = total / np.maximum(fine.sum(axis=1), 1)
    return result


def mean_delays(tables: Tables, average: str = "pairs") -> FloatArray:
    """Delay of each edge averaged over pairs of nodes that can run tasks; float64[E].

    Parameters
    ----------
    average
        "pairs": over ordered pairs of distinct nodes with a permitted route, as in Topcuoglu et
        al. 2002, equation 6. "saga": over unordered pairs and each node's pair with itself at
        delay 0, as the SAGA framework does.
    """
    if average not in AVERAGES:
        raise OffloadError(
            f"options.average: must be one of {', '.join(AVERAGES)}, got {average!r}"
        )
    hosts = np.flatnonzero(tables.node_slots > 0)
    src, dst = (pair.ravel() for pair in np.meshgrid(hosts, hosts, indexing="ij"))
    src, dst = src[src != dst], dst[src != dst]
    result = np.zeros(tables.edges)
    for rule in np.unique(tables.item_rule):
        # The delay is affine in the bytes: two averages give that of every edge.
        fixed = tables.transfer(0.0, src, dst, -1, rule).total
        slope = tables.transfer(1.0, src, dst, -1, rule).serialise
        open_ = np.isfinite(fixed)
        count = max(int(open_.sum()), 1)
        if average == "saga":
            count += 2 * len(hosts)
        chosen = np.flatnonzero(tables.item_rule[tables.edge_item] == rule)
        size = tables.item_bytes[tables.edge_item[chosen]]
        result[chosen] = (fixed[open_].sum() + size * slope[open_].sum()) / count
    return result


def upward_ranks(tables: Tables, average: str = "pairs") -> FloatArray:
    """rank_u(i) = w_i + max over successors j of (c_ij + rank_u(j)); float64[T].

    Topcuoglu, Hariri, Wu 2002, equation 7.
    """
    weight, delay = mean_times(tables), mean_delays(tables, average)
    rank = weight.copy()
    for i in tables.topological[::-1].tolist():
        edges = tables.outgoing.of(i)
        if len(edges):
            rank[i] += (delay[edges] + rank[tables.edge_dst[edges]]).max()
    return rank


def downward_ranks(tables: Tables, average: str = "pairs") -> FloatArray:
    """rank_d(i) = max over predecessors j of (rank_d(j) + w_j + c_ji); float64[T].

    Topcuoglu, Hariri, Wu 2002, equation 9.
    """
    weight, delay = mean_times(tables), mean_delays(tables, average)
    rank = np.zeros(tables.tasks)
    for i in tables.topological.tolist():
        edges = tables.incoming.of(i)
        if len(edges):
            before = tables.edge_src[edges]
            rank[i] = (rank[before] + weight[before] + delay[edges]).max()
    return rank


def optimistic_costs(tables: Tables, average: str = "pairs") -> FloatArray:
    """Optimistic cost table OCT(i, k) of PEFT; float64[T, K], infinite where a task cannot run.

    Arabnejad, Barbosa 2014, equation 3.
    """
    times = tables.execution(np.arange(tables.tasks)[:, None], np.arange(tables.nodes)[None, :])
    delay = mean_delays(tables, average)
    cost = np.zeros((tables.tasks, tables.nodes))
    for i in tables.topological[::-1].tolist():
        for e in tables.outgoing.of(i).tolist():
            j = tables.edge_dst[e]
            onward = cost[j] + times[j]
            best = np.minimum(onward, onward.min() + delay[e])
            np.maximum(cost[i], best, out=cost[i])
    return np.where(np.isfinite(times), cost, np.inf)


def _by_rank(tables: Tables, rank: FloatArray) -> list[int]:
    """Tasks by falling rank; ties in topological order, which keeps the order topological."""
    place = np.empty(tables.tasks, np.int64)
    place[tables.topological] = np.arange(tables.tasks)
    order: list[int] = np.lexsort((place, -rank)).tolist()
    return order


def _when_ready(tables: Tables, priority: FloatArray) -> list[int]:
    """Tasks by falling priority among those whose predecessors are done; ties by position."""
    waiting = tables.incoming.lengths.tolist()
    level = priority.tolist()
    heap = [(-level[i], i) for i in range(tables.tasks) if not waiting[i]]
    heapq.heapify(heap)
    order = []
    while heap:
        i = heapq.heappop(heap)[1]
        order.append(i)
        for j in tables.edge_dst[tables.outgoing.of(i)].tolist():
            waiting[j] -= 1
            if not waiting[j]:
                heapq.heappush(heap, (-level[j], j))
    return order


def _earliest_finish(schedule: Schedule, task: int, start: FloatArray, finish: FloatArray) -> int:
    return int(finish.argmin())


def _run(request: Request, order: list[int], choose: Chooser = _earliest_finish) -> Answer:
    tables = request.problem.tables

    def attempt(reserved: dict[int, int]) -> Plan:
        schedule = Schedule(tables, reserved)
        for task in order:
            start, finish = schedule.finish_times(task)
            node = choose(schedule, task, start, finish)
            schedule.place(task, node, float(start[node]))
        return schedule.plan()

    plan = with_retries(tables, attempt)
    if plan is None:
        return Answer(reason="some task finds no node under the placement rules")
    return Answer(plan)


def heft(request: Request) -> Answer:
    """Heterogeneous earliest finish time: by upward rank, to the node where it finishes first.

    Topcuoglu, Hariri, Wu 2002, section 4.1.
    """
    tables = request.problem.tables
    ranks = upward_ranks(tables, str(request.options.get("average", "pairs")))
    return _run(request, _by_rank(tables, ranks))


def cpop(request: Request) -> Answer:
    """Critical path on a processor: the critical path's tasks share the node that suits them best.

    Topcuoglu, Hariri, Wu 2002, section 4.2.
    """
    tables = request.problem.tables
    average = str(request.options.get("average", "pairs"))
    priority = upward_ranks(tables, average) + downward_ranks(tables, average)
    path = _critical_path(tables, priority)
    times = tables.execution(np.array(path, int)[:, None], np.arange(tables.nodes)[None, :])
    total = times.sum(axis=0)
    best = int(total.argmin()) if len(path) and np.isfinite(total).any() else -1
    critical = set(path)

    def choose(schedule: Schedule, task: int, start: FloatArray, finish: FloatArray) -> int:
        if task in critical and best >= 0 and np.isfinite(finish[best]):
            return best
        return int(finish.argmin())

    return _run(request, _when_ready(tables, priority), choose)


def _critical_path(tables: Tables, priority: FloatArray) -> list[int]:
    """From the entry task of highest priority along successors of the same priority."""
    entries = np.flatnonzero(tables.incoming.lengths == 0)
    if not len(entries):
        return []
    at = int(entries[priority[entries].argmax()])
    length, path = priority[at], [at]
    while len(edges := tables.outgoing.of(at)):
        after = tables.edge_dst[edges]
        at = int(after[priority[after].argmax()])
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
    cost = optimistic_costs(tables, str(request.options.get("average", "pairs")))
    fine = np.isfinite(cost)
    rank = np.where(fine, cost, 0.0).sum(axis=1) / np.maximum(fine.sum(axis=1), 1)

    def choose(schedule: Schedule, task: int, start: FloatArray, finish: FloatArray) -> int:
        return int((finish + cost[task]).argmin())

    return _run(request, _when_ready(tables, rank), choose)
