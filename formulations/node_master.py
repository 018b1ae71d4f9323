"""The linear program of `node_columns`: places, pairs of places, and the columns found so far."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from offload.arrays import FloatArray, IntArray

__all__ = ["Master"]


class Master:
    """The program; prices are one number a row.

    Parameters
    ----------
    cost : float64[T, K]
        Infinite where a task cannot run.
    pair : float64[E, K, K]
        Infinite where an edge cannot lead.
    src, dst : int32[E]
        Ends of edges.
    limits
        Rows ``sum_i use_i x_ik <= most``, as (k, use float64[T], most).
    """

    def __init__(
        self,
        cost: FloatArray,
        pair: FloatArray,
        src: IntArray,
        dst: IntArray,
        limits: Sequence[tuple[int, FloatArray, float]] = (),
    ) -> None:
        self.tasks, self.nodes = cost.shape
        self.edges = len(src)
        self.src, self.dst = src, dst
        task, node = np.nonzero(np.isfinite(cost))
        place = np.full(cost.shape, -1)
        place[task, node] = np.arange(len(task))
        fine = np.isfinite(pair) & (place[src][:, :, None] >= 0) & (place[dst][:, None, :] >= 0)
        edge, k, l = np.nonzero(fine)
        self.cost = np.concatenate([cost[task, node], pair[edge, k, l]])
        same = np.flatnonzero(k == l)
        # Rows: tasks, pairs by their first and their last end, limits, ties to columns, nodes.
        pairs = self.tasks + self.edges * self.nodes
        first_limit = pairs + self.edges * self.nodes
        self.first_tie = first_limit + len(limits)
        self.place_row = np.where(place >= 0, self.first_tie + place, -1)
        self.pair_row = np.full((self.edges, self.nodes), -1)
        self.pair_row[edge[same], k[same]] = self.first_tie + len(task) + np.arange(len(same))
        self.first_node = self.first_tie + len(task) + len(same)
        self.ties = self.first_node - self.first_tie
        x, y = np.arange(len(task)), len(task) + np.arange(len(edge))
        rows = [task, self.first_tie + x, self.tasks + edge * self.nodes + k,
                pairs + edge * self.nodes + l, self.pair_row[edge[same], k[same]]]  # fmt: skip
        columns, entries = [x, x, y, y, y[same]], [np.ones(len(r)) for r in rows]
        for ends, base in ((src, self.tasks), (dst, pairs)):
            e, at = np.nonzero(place[ends] >= 0)
            rows.append(base + e * self.nodes + at)
            columns.append(place[ends][e, at])
            entries.append(-np.ones(len(e)))
        for n, (where, use, _) in enumerate(limits):
            there = np.flatnonzero(place[:, where] >= 0)
            rows.append(np.full(len(there), first_limit + n))
            columns.append(place[there, where])
            entries.append(use[there])
        size = self.first_node + self.nodes, len(self.cost)
        triplet = np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns))
        self.matrix = sparse.csc_matrix(triplet, shape=size)
        self.low = np.zeros(size[0])
        self.high = np.zeros(size[0])
        self.low[: self.tasks] = self.high[: self.tasks] = 1.0
        self.low[first_limit : self.first_tie] = -np.inf
        self.high[first_limit : self.first_tie] = [most for _, _, most in limits]
        self.low[self.first_tie + len(task) : self.first_node] = -np.inf
        self.low[self.first_node :] = -np.inf
        self.high[self.first_node :] = 1.0
        self._known: set[tuple[int, tuple[int, ...]]] = set()
        self._highs = self._engine()

    def _engine(self) -> Any:
        highspy: Any = importlib.import_module("highspy")
        highs = highspy.Highs()
        highs.setOptionValue("output_flag", False)
        highs.setOptionValue("threads", 1)
        matrix, count = self.matrix, len(self.cost)
        colwise, minimize = 1, 1
        highs.passModel(
            count, len(self.low), matrix.nnz, colwise, minimize, 0.0, self.cost, np.zeros(count),
            np.ones(count), self.low, self.high, matrix.indptr.astype(np.int32),
            matrix.indices.astype(np.int32), matrix.data.astype(float), np.zeros(count, np.int32),
        )  # fmt: skip
        return highs

    def relaxed(self, seconds: float) -> FloatArray | None:
        """Prices of the program without columns: its ties are free at first; ``None`` out of time.

        From then on the ties bind, but for what slack in the box costs.
        """
        rows = np.arange(self.first_tie, self.first_node, dtype=np.int32)
        free = np.full(self.ties, np.inf)
        self._highs.changeRowsBounds(self.ties, rows, -free, free)
        prices = self._prices(seconds)
        if prices is None:
            return None
        self._highs.changeRowsBounds(self.ties, rows, self.low[rows], self.high[rows])
        self._slack = self._highs.getNumCol()
        entry = np.tile([1.0, -1.0], self.ties)
        start = np.arange(2 * self.ties, dtype=np.int32)
        none = np.zeros(2 * self.ties)
        self._highs.addCols(
            2 * self.ties,
            none,
            none,
            none + np.inf,
            2 * self.ties,
            start,
            np.repeat(rows, 2),
            entry,
        )
        return prices

    def box(self, center: FloatArray, width: float) -> None:
        """Prices of ties stay within ``width`` of a center: slack costs what that permits."""
        at = center[self.first_tie : self.first_node]
        cost = np.empty(2 * self.ties)
        cost[0::2], cost[1::2] = at + width, width - at
        columns = np.arange(self._slack, self._slack + 2 * self.ties, dtype=np.int32)
        self._highs.changeColsCost(2 * self.ties, columns, cost)

    def solve(self, seconds: float) -> tuple[FloatArray, float] | None:
        """Prices, and the value of the program with slack in the box; ``None`` out of time."""
        prices = self._prices(seconds)
        if prices is None:
            return None
        values = np.array(self._highs.getSolution().col_value, float)
        self.boxed = bool(values[self._slack : self._slack + 2 * self.ties].sum() > 1e-6)
        return prices, float(self._highs.getInfo().objective_function_value)

    def _prices(self, seconds: float) -> FloatArray | None:
        if np.isfinite(seconds):
            self._highs.setOptionValue("time_limit", self._highs.getRunTime() + seconds)
        self._highs.run()
        solution = self._highs.getSolution()
        if not solution.dual_valid or len(solution.row_dual) == 0:
            return None
        prices = np.array(solution.row_dual, float)
        # A price on the wrong side, by a rounding, would let a row give what it does not.
        prices = np.where(np.isneginf(self.low), np.minimum(prices, 0.0), prices)
        prices[self.first_node :] = 0.0  # the best set of each node stands for these
        return prices

    def add(self, k: int, chosen: Sequence[int]) -> bool:
        """A set of tasks for a node; false if it is known."""
        key = k, tuple(chosen)
        if key in self._known:
            return False
        self._known.add(key)
        inside = np.zeros(self.tasks, bool)
        inside[list(chosen)] = True
        pairs = self.pair_row[inside[self.src] & inside[self.dst], k]
        rows = np.concatenate([self.place_row[list(chosen), k], pairs[pairs >= 0]])
        index = np.append(rows, self.first_node + k).astype(np.int32)
        entry = np.append(-np.ones(len(rows)), 1.0)
        self._highs.addCol(0.0, 0.0, np.inf, len(index), index, entry)
        return True

    def prices_of(self, prices: FloatArray, k: int) -> tuple[FloatArray, FloatArray]:
        """Prices of tasks and of edges inside a set on node k; float64[T], float64[E]."""
        padded = np.append(prices, 0.0)
        return padded[self.place_row[:, k]], padded[self.pair_row[:, k]]

    def value_at(self, prices: FloatArray) -> float:
        """The least value of places and pairs at these prices, each within [0, 1].

        The part of a Lagrangian bound that columns have no part in: rows at their better side, and
        each variable at the side that its reduced cost prefers.
        """
        right = np.where(prices > 0, self.low, self.high)
        reduced = self.cost - self.matrix.T @ prices
        return float(prices @ np.where(prices != 0, right, 0.0) + np.minimum(reduced, 0.0).sum())
