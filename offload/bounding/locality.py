"""Starts of tasks whose inputs cannot all come from afar, nor all be made on the spot.

Of the ancestors of task j on node l, those that run elsewhere deliver no sooner than some moment
R_i; those that run on l share its slots, and take J(A) for a set A of them. As one or the other
holds of each,

    start_jl >= min over A of max(J(A), max_{i not in A} R_i),

and the best A holds all ancestors whose R_i is above some moment.

Source: the lower bound of Papadimitriou, Yannakakis 1990, section 3, as Jung, Kirousis, Spirakis
1993 sharpen it, without duplication, on nodes of different speeds; J as in Carlier 1982, (1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray
from offload.bounding.delays import edge_delays
from offload.bounding.paths import Layer, ends
from offload.bounding.windows import Windows

__all__ = ["Local"]

_CELLS = 6_000_000  # distances kept
_MOST = 16  # ancestors of a task that are looked at
_CHUNK = 1_000_000  # cells worked on together


class Local:
    """Lift of heads (or tails, with descendants in place of ancestors) by the module's bound.

    A divisible task runs in many places: it is neither ancestor nor bounded here.

    Parameters
    ----------
    windows
        With each node a group of its own.
    back
        From the end of the plan.

    Attributes
    ----------
    kin : int64[T, A]
        The ancestors of each task that are kept, those first that bear most; -1 fills up.
    lag : float64[T, A, K, K]
        From the finish of an ancestor to the start of the task, by the node of the task and that
        of the ancestor.
    """

    def __init__(self, windows: Windows, *, back: bool) -> None:
        tables = windows.tables
        self.windows, self.back = windows, back
        self.giver, self.taker = ends(tables, back)
        self.most = self.keeps(windows)
        self.kin = np.full((tables.tasks, self.most), -1, np.int64)
        self.lag = np.zeros((tables.tasks, self.most, tables.nodes, tables.nodes))
        self.start = np.zeros(windows.times.shape)
        self.fine = np.isfinite(windows.times)
        slots = np.maximum(tables.node_slots, 1)
        self.work = windows.times * tables.task_slots[:, None] / slots[None, :]
        self.split = tables.divisible

    @staticmethod
    def keeps(windows: Windows) -> int:
        """Ancestors of each task that there is room for; 0 where nodes are not told apart."""
        tables = windows.tables
        cells = max(1, tables.tasks * tables.nodes**2)
        return min(_MOST, _CELLS // cells, tables.tasks) if windows.exact else 0

    def note(self, tasks: NDArray[np.int64], start: FloatArray) -> None:
        """Takes the heads of tasks that are final."""
        self.start[tasks] = start

    def bound(self, layer: Layer) -> FloatArray:
        """Least start of each task of a layer on each node; float64[tasks, K]."""
        result = np.zeros((len(layer.tasks), self.windows.tables.nodes))
        row = np.repeat(np.arange(len(layer.tasks)), np.diff(layer.first, append=len(layer.edges)))
        edges = layer.edges
        whole = ~(self.split[self.giver[edges]] | self.split[self.taker[edges]])
        edges, row = edges[whole], row[whole]
        if not len(edges):
            return result
        row, kin, lag = self._ancestors(edges, row)
        arrival = self._arrivals(kin, lag)
        row, place, pick = self._choose(row, arrival)
        kin, lag, arrival = kin[pick], lag[pick], arrival[pick]
        tasks = layer.tasks[row]
        self.kin[tasks, place], self.lag[tasks, place] = kin, lag
        count, nodes = len(layer.tasks), self.windows.tables.nodes
        shape = count, self.most, nodes
        remote, begin = np.full(shape, -np.inf), np.full(shape, -np.inf)
        work, rest = np.zeros(shape), np.zeros(shape)
        remote[row, place], begin[row, place] = arrival, self.start[kin]
        work[row, place] = np.where(self.fine[kin], self.work[kin], 0.0)
        rest[row, place] = np.einsum("nll->nl", lag)
        step = max(1, _CHUNK // (self.most**2 * nodes))
        for first in range(0, count, step):
            some = slice(first, first + step)
            result[some] = _least_start(remote[some], begin[some], work[some], rest[some])
        return result

    def _ancestors(
        self, edges: NDArray[np.integer], row: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
        """Pairs of a task and an ancestor over edges: (row, ancestor, distances [N, K, K])."""
        tables, giver = self.windows.tables, self.giver[edges].astype(np.int64)
        delay = edge_delays(tables, edges, self.windows.delays, self.windows.tie)
        if not self.back:
            delay = delay.transpose(0, 2, 1)  # by the node of the task, then that of the giver
        delay = np.where(self.fine[giver][:, None, :], delay, np.inf)
        edge, slot = np.nonzero(self.kin[giver] >= 0)
        further = np.empty((len(edge), tables.nodes, tables.nodes))
        step = max(1, _CHUNK // tables.nodes**3)
        through = delay + np.where(self.fine, self.windows.least, 0.0)[giver][:, None, :]
        for first in range(0, len(edge), step):
            some = slice(first, first + step)
            e, m = edge[some], giver[edge[some]]
            chain = through[e][:, :, :, None] + self.lag[m, slot[some]][:, None, :, :]
            further[some] = chain.min(axis=2)
        kin = np.concatenate([giver, self.kin[giver[edge], slot]])
        row = np.concatenate([row, row[edge]])
        lag = np.concatenate([delay, further])
        key = row * tables.tasks + kin
        order = np.argsort(key, kind="stable")
        first_of = np.flatnonzero(np.diff(key[order], prepend=-1))
        lag = np.maximum.reduceat(lag[order], first_of, axis=0)
        return row[order[first_of]], kin[order[first_of]], lag

    def _arrivals(self, kin: NDArray[np.int64], lag: FloatArray) -> FloatArray:
        """When ancestors deliver to each node from another one at the soonest; float64[N, K]."""
        done = np.where(self.fine, self.start + self.windows.least, np.inf)[kin]
        arrival = lag + done[:, None, :]
        every = np.arange(arrival.shape[1])
        arrival[:, every, every] = np.inf
        soonest: FloatArray = arrival.min(axis=2)
        return soonest

    def _choose(
        self, row: NDArray[np.int64], arrival: FloatArray
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The ancestors that deliver last, as far as there is room: (row, place, position)."""
        weight = np.minimum(arrival, 1e300 / arrival.shape[1]).sum(axis=1)
        order = np.lexsort((-weight, row))
        ordered = row[order]
        begin = np.flatnonzero(np.diff(ordered, prepend=-1))
        length = np.diff(begin, append=len(ordered))
        place = np.arange(len(ordered)) - np.repeat(begin, length)
        kept = place < self.most
        return ordered[kept], place[kept], order[kept]


def _least_start(
    remote: FloatArray, begin: FloatArray, work: FloatArray, rest: FloatArray
) -> FloatArray:
    """The bound for N tasks on K nodes; all float64[N, A, K], ``remote`` -inf where none is.

    Ancestors in falling order of ``remote``: the first of them run on the spot, the others not.
    """
    order = np.argsort(-remote, axis=1, kind="stable")
    remote, begin, work, rest = (
        np.take_along_axis(table, order, axis=1) for table in (remote, begin, work, rest)
    )
    # A window from each ancestor's head (axis 1) over the first so many ancestors (axis 2).
    known = remote > -np.inf
    inside = (begin[:, None] >= begin[:, :, None]) & known[:, None] & known[:, :, None]
    done = np.cumsum(np.where(inside, work[:, None], 0.0), axis=2)
    after = np.minimum.accumulate(np.where(inside, rest[:, None], np.inf), axis=2)
    some = np.logical_or.accumulate(inside, axis=2)
    with np.errstate(invalid="ignore"):
        taken = np.where(some, begin[:, :, None] + done + after, -np.inf).max(axis=1)
    spot = np.maximum.accumulate(taken, axis=1)
    last = np.concatenate([remote[:, 1:], np.full_like(remote[:, :1], -np.inf)], axis=1)
    best: FloatArray = np.minimum(np.maximum(spot, last).min(axis=1), remote[:, 0])
    return np.maximum(best, 0.0)
