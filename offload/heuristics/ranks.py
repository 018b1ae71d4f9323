"""Priorities of tasks: mean times and delays, upward and downward ranks, optimistic costs."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray, IntArray
from offload.errors import OffloadError
from offload.tables import Lists, Tables

__all__ = [
    "OptimisticCosts", "by_falling", "downward_ranks", "mean_delays", "mean_times", "neighbours",
    "times_by_block", "upward_ranks", "when_ready",
]  # fmt: skip

AVERAGES = ("pairs", "saga")
_CELLS = 1_000_000  # task and node pairs whose execution times are held at once


def times_by_block(
    tables: Tables, nodes: NDArray[np.integer] | None = None
) -> Iterator[tuple[NDArray[np.int64], FloatArray]]:
    """Tasks (int64[N]) and their times in the nodes' fastest modes (float64[N, K]), a block each.

    Parameters
    ----------
    nodes
        Those of interest; all by default.
    """
    nodes = np.arange(tables.nodes) if nodes is None else nodes
    modes = tables.fastest_mode[nodes]
    step = max(1, _CELLS // max(len(nodes), 1))
    for first in range(0, tables.tasks, step):
        task = np.arange(first, min(first + step, tables.tasks))
        yield task, tables.execution(task[:, None], nodes, modes)


def neighbours(lists: Lists, ends: IntArray) -> tuple[list[int], list[int]]:
    """One end of each task's edges as plain lists: where each task's begin, and all of them.

    Parameters
    ----------
    lists
        ``tables.outgoing`` or ``tables.incoming``.
    ends : int32[E]
        The end of each edge that is wanted.
    """
    return lists.start.tolist(), ends[lists.values].tolist()


def mean_times(tables: Tables) -> FloatArray:
    """Execution time of each task averaged over the nodes that can run it; float64[T].

    Topcuoglu et al. 2002, equation 5 (there over all processors).
    """
    result = np.zeros(tables.tasks)
    for task, times in times_by_block(tables):
        fine = np.isfinite(times)
        times[~fine] = 0.0
        result[task] = times.sum(axis=1) / np.maximum(fine.sum(axis=1), 1)
    return result


def mean_delays(tables: Tables, average: str = "pairs") -> FloatArray:
    """Delay of each edge averaged over pairs of nodes that can run tasks; float64[E].

    Where an edge offers codecs, the least of the averages with and without them.

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
    owner = np.repeat(np.arange(tables.items), tables.item_codecs.lengths)
    result = np.zeros(tables.edges)
    for rule in np.unique(tables.item_rule):
        fixed = tables.transfer(0.0, src, dst, -1, rule).total
        open_ = np.isfinite(fixed)
        count = max(int(open_.sum()), 1)
        if average == "saga":
            count += 2 * len(hosts)
        ruled = tables.item_rule == rule
        for codec in range(-1, len(tables.codec_ids)):
            offered = ruled
            if codec >= 0:
                offered = np.zeros(tables.items, bool)
                offered[owner[tables.item_codecs.values == codec]] = True
                offered &= ruled
            chosen = np.flatnonzero(offered[tables.edge_item])
            if not len(chosen):
                continue
            # The delay is affine in the bytes: two averages give that of every edge.
            parts = tables.transfer(1.0, src, dst, codec, rule)
            slope = parts.encode + parts.serialise + parts.decode
            size = tables.item_bytes[tables.edge_item[chosen]]
            mean = (fixed[open_].sum() + size * slope[open_].sum()) / count
            result[chosen] = mean if codec < 0 else np.minimum(result[chosen], mean)
    return result


def upward_ranks(tables: Tables, average: str = "pairs") -> FloatArray:
    """rank_u(i) = w_i + max over successors j of (c_ij + rank_u(j)); float64[T].

    Topcuoglu, Hariri, Wu 2002, equation 7.
    """
    rank: list[float] = mean_times(tables).tolist()
    first, after = neighbours(tables.outgoing, tables.edge_dst)
    delay: list[float] = mean_delays(tables, average)[tables.outgoing.values].tolist()
    for i in tables.topological[::-1].tolist():
        most = 0.0
        for at in range(first[i], first[i + 1]):
            value = delay[at] + rank[after[at]]
            if value > most:
                most = value
        rank[i] += most
    return np.array(rank)


def downward_ranks(tables: Tables, average: str = "pairs") -> FloatArray:
    """rank_d(i) = max over predecessors j of (rank_d(j) + w_j + c_ji); float64[T].

    Topcuoglu, Hariri, Wu 2002, equation 9.
    """
    weight: list[float] = mean_times(tables).tolist()
    first, before = neighbours(tables.incoming, tables.edge_src)
    delay: list[float] = mean_delays(tables, average)[tables.incoming.values].tolist()
    rank = [0.0] * tables.tasks
    for i in tables.topological.tolist():
        for at in range(first[i], first[i + 1]):
            j = before[at]
            value = rank[j] + weight[j] + delay[at]
            if value > rank[i]:
                rank[i] = value
    return np.array(rank)


class OptimisticCosts:
    """Optimistic cost table OCT(i, k) of PEFT, a column for nodes that no task tells apart.

    Parameters
    ----------
    tables
        The cost model.
    average
        As in :func:`mean_delays`.

    Notes
    -----
    Arabnejad, Barbosa 2014, equation 3. Nodes with the same times for all tasks have the same
    costs, so that memory grows with the kinds of nodes, not with their number.
    """

    def __init__(self, tables: Tables, average: str = "pairs") -> None:
        self.tables = tables
        mask = tables._open[1]
        column = tables.column[np.arange(tables.nodes), tables.fastest_mode].tolist()
        known: dict[tuple[int, bytes], int] = {}
        keys = [(column[k], mask[:, k].tobytes()) for k in range(tables.nodes)]
        self._kind = np.array([known.setdefault(key, len(known)) for key in keys], np.int64)
        _, nodes = np.unique(self._kind, return_index=True)
        self._cost = np.zeros((tables.tasks, len(nodes)))
        delay: list[float] = mean_delays(tables, average)[tables.outgoing.values].tolist()
        first, after = neighbours(tables.outgoing, tables.edge_dst)
        least = [0.0] * tables.tasks
        for i in tables.topological[::-1].tolist():
            cost = self._cost[i]
            for at in range(first[i], first[i + 1]):
                j = after[at]
                onward = self._cost[j] + tables.row(j)[nodes]
                np.minimum(onward, least[j] + delay[at], out=onward)
                np.maximum(cost, onward, out=cost)
            least[i] = float((cost + tables.row(i)[nodes]).min())

    def row(self, task: int) -> FloatArray:
        """OCT of a task on each node, whether or not it can run there; float64[K]."""
        result: FloatArray = self._cost[task].take(self._kind)
        return result

    def means(self) -> FloatArray:
        """Mean of each task over the nodes that can run it: rank_oct, equation 4; float64[T]."""
        result = np.zeros(self.tables.tasks)
        for task, times in times_by_block(self.tables):
            fine = np.isfinite(times)
            cost = np.where(fine, self._cost[task][:, self._kind], 0.0)
            result[task] = cost.sum(axis=1) / np.maximum(fine.sum(axis=1), 1)
        return result


def by_falling(tables: Tables, rank: FloatArray) -> list[int]:
    """Tasks by falling rank; ties in topological order, which keeps the order topological."""
    place = np.empty(tables.tasks, np.int64)
    place[tables.topological] = np.arange(tables.tasks)
    order: list[int] = np.lexsort((place, -rank)).tolist()
    return order


def when_ready(tables: Tables, priority: FloatArray) -> list[int]:
    """Tasks by falling priority among those whose predecessors are done; ties by position."""
    waiting: list[int] = tables.incoming.lengths.tolist()
    first, after = neighbours(tables.outgoing, tables.edge_dst)
    level: list[float] = (-priority).tolist()
    heap = [(level[i], i) for i in range(tables.tasks) if not waiting[i]]
    heapq.heapify(heap)
    order = []
    while heap:
        i = heapq.heappop(heap)[1]
        order.append(i)
        for at in range(first[i], first[i + 1]):
            j = after[at]
            waiting[j] -= 1
            if not waiting[j]:
                heapq.heappush(heap, (level[j], j))
    return order
