"""Prices of tasks, and the sets that suit each node best at them: knapsacks, all nodes at once.

With a price u_i for the rule that task i has one place, what is left is a knapsack problem a node:

    L(u) = sum_i u_i - sum_k max { sum_i (u_i - a_ik) z_i :  sum_i r_ik z_i <= M_k }

is a bound for any prices. Two tables by dynamic programming, over the tasks before each one and
over those behind it, tell besides what the best set is worth with a task in it, or without it; so
L_ik(u), the bound if task i runs on node k, costs about three times L(u) for all pairs together.

Sources: Fisher, Jaikumar, Van Wassenhove 1986, "A multiplier adjustment method for the generalized
assignment problem"; Posta, Ferland, Michelon 2012, "An exact method with variable fixing for
solving the generalized assignment problem".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray

__all__ = ["Knapsacks", "Sets", "Sharing"]

WholeArray = NDArray[np.int64]

_ROUNDING = 1e-12  # of all prices, that a bound is lowered by: more than sums of floats may err


class Sharing(NamedTuple):
    """Tasks to share out among nodes with room, in whole units of it."""

    cost: FloatArray  # [K, T]
    size: WholeArray  # [K, T]
    room: WholeArray  # [K]


class Sets(NamedTuple):
    """The sets that are best at some prices."""

    bound: float
    missing: FloatArray  # [F] 1 less the number of nodes whose set holds a free task
    inside: BoolArray  # [Q, K] whether a candidate is in its node's set
    profit: FloatArray  # [Q, K]
    table: FloatArray  # [Q + 1, K, R] best profits of the first candidates, by the room they take


class Knapsacks:
    """One knapsack a node, over the tasks that may still run there.

    Parameters
    ----------
    sharing
        The problem.
    open : bool[K, T]
        Where each task may still run. A task with one place left takes its room there.

    Attributes
    ----------
    free : int64[F]
        Tasks with several places.
    open : bool[K, F]
        Of those, where there is room for them beside what is settled.
    settled : float
        Cost of the others.
    full : bool
        Whether no plan is left.
    room : int64[K]
        What is left of each node's.
    task, size, cost, valid : int64, int64, float64, bool, all [Q, K]
        The candidates of each node, one a step: a free task, its size and cost, and whether it is
        one.
    """

    def __init__(self, sharing: Sharing, open: BoolArray) -> None:
        count = open.sum(axis=0)
        alone = np.flatnonzero(count == 1)
        self.free: WholeArray = np.flatnonzero(count > 1)
        place = open[:, alone].argmax(axis=0)
        self.settled = float(sharing.cost[place, alone].sum())
        taken = np.bincount(place, sharing.size[place, alone], len(sharing.room))
        room = sharing.room - taken.astype(np.int64)
        size = sharing.size[:, self.free]
        self.open: BoolArray = open[:, self.free] & (size <= room[:, None])
        self.full = bool((count == 0).any() or (room < 0).any() or not self.open.any(axis=0).all())
        if not self.full:
            self._lay_out(sharing.cost[:, self.free], size, room)

    def _lay_out(self, cost: FloatArray, size: WholeArray, room: WholeArray) -> None:
        """Candidates of each node side by side, so that a step takes one of each."""
        nodes = len(room)
        self._steps = most = int(self.open.sum(axis=1).max(initial=0))
        order = np.argsort(~self.open, axis=1, kind="stable")[:, :most]
        at = (np.arange(nodes)[:, None], order)
        self.task = np.ascontiguousarray(order.T)
        self.valid = np.ascontiguousarray(self.open[at].T)
        self.cost = np.where(self.valid, cost[at].T, np.inf)
        self.size = np.where(self.valid, size[at].T, 0)
        # Column 0 is for what does not fit, column 1 + r for room r.
        width = int(room.max(initial=0)) + 2
        self._row = np.arange(nodes, dtype=np.int64) * width
        self._end = self._row + room + 1
        self._column = np.arange(width, dtype=np.int64)
        self.room = room
        before = self._column[None, None, :] - self.size[:, :, None]
        self._before = np.where(before >= 1, before, 0) + self._row[:, None]
        self._table = np.empty((most + 1, nodes, width))
        self._table[0] = 0.0
        self._table[0, :, 0] = -np.inf

    def best(self, prices: FloatArray) -> Sets:
        """The bound at some prices (float64[F]), and the sets behind it."""
        profit = prices[self.task] - self.cost
        table, shifted = self._table, np.empty_like(self._table[0])
        rows = [layer.ravel() for layer in table]
        flat = shifted.ravel()
        for q in range(self._steps):
            rows[q].take(self._before[q].ravel(), out=flat, mode="clip")
            shifted += profit[q, :, None]
            np.maximum(table[q], shifted, out=table[q + 1])
        at = self._end.copy()
        bound = self.settled + float(prices.sum()) - float(rows[-1].take(at).sum())
        bound -= _ROUNDING * (self.settled + float(np.abs(prices).sum()))
        inside = np.empty(self.task.shape, bool)
        for q in range(self._steps - 1, -1, -1):
            chosen = np.greater(rows[q + 1].take(at), rows[q].take(at), out=inside[q])
            at -= chosen * self.size[q]
        held = np.bincount(self.task[inside], minlength=len(self.free))
        missing = np.subtract(1.0, held, dtype=np.float64)
        return Sets(bound, missing, inside, profit, table)

    def places(self, sets: Sets) -> BoolArray:
        """Which free tasks each node's set holds. bool[K, F]"""
        held = np.zeros(self.open.shape, bool)
        step, node = np.nonzero(sets.inside)
        held[node, self.task[step, node]] = True
        return held

    def by_place(self, sets: Sets) -> FloatArray:
        """L_ik: the bound with each free task on each node; infinite where it may not run.

        ``sets`` are those of the last call of :meth:`best`. float64[K, F]
        """
        ahead, shifted = np.zeros_like(sets.table[0]), np.empty_like(sets.table[0])
        ahead[:, 0] = -np.inf
        rest = (self.room + 2)[:, None] - self._column[None, :]
        rest[:, 0] = 0
        base = self._row[:, None]
        apart = (np.where(rest >= 1, rest, 0) + base).ravel()
        without, inside = np.empty(self.task.shape), np.empty(self.task.shape)
        for q in range(self._steps - 1, -1, -1):
            left = rest - self.size[q, :, None]
            beside = (np.where(left >= 1, left, 0) + base).ravel()
            flat = ahead.ravel()
            layer = sets.table[q]
            without[q] = (layer + flat.take(apart).reshape(layer.shape)).max(axis=1)
            inside[q] = (layer + flat.take(beside).reshape(layer.shape)).max(axis=1)
            flat.take(self._before[q].ravel(), out=shifted.ravel(), mode="clip")
            shifted += sets.profit[q, :, None]
            np.maximum(ahead, shifted, out=ahead)
        best = sets.table[-1].ravel().take(self._end)
        with_it = best - (inside + sets.profit)
        barred = np.where(self.valid, best - without, 0.0)
        count = len(self.free)
        all_barred = np.bincount(self.task.ravel(), barred.ravel(), count)
        value = sets.bound + with_it + all_barred[self.task] - barred
        by_place = np.full((len(self.room), count), np.inf)
        step, node = np.nonzero(self.valid)
        by_place[node, self.task[step, node]] = value[step, node]
        return by_place
