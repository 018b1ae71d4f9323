"""Random changes of many plans at once: the moves of local search as array operations.

They are the kinds of :class:`offload.heuristics.changes.Changes`, which changes one plan after
another in Python and knows further kinds (modes, codecs, copies).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, IntArray
from offload.compression import fastest_codecs
from offload.heuristics.decisions import Decisions
from offload.tables import Tables

__all__ = ["Variation"]

_NEAR = 0.6  # chance that a task goes to the node of a neighbour
_JOINED = 0.5  # chance that a neighbour goes with it, where a cluster moves
_STEPS = 3  # edges that a cluster reaches at most
_DENSE = 1_500  # tasks up to which neighbours are kept as a matrix
_KINDS = np.array([0.4, 0.25, 0.25, 0.1])  # shares: a task, a cluster, an order, a whole node


class Variation:
    """Draws changes of nodes and orders.

    Parameters
    ----------
    tables
        The cost model of an instance without divisible tasks.
    unit : int[T]
        Tasks of one unit share their node.
    dice
        Source of all draws.
    """

    def __init__(self, tables: Tables, unit: NDArray[np.int64], dice: np.random.Generator) -> None:
        self.tables, self.unit, self.dice = tables, unit, dice
        common = np.ones((tables.tasks, tables.nodes), bool)
        np.logical_and.at(common, unit, tables.allowed_table)
        self.may_run: BoolArray = common[unit]  # by all tasks of the unit
        self.choices = self.may_run.sum(axis=1)
        # The nodes that a task may take, first in its row.
        self.places = np.argsort(~self.may_run, axis=1, kind="stable")
        ends = np.concatenate([
            np.stack([tables.edge_src, tables.edge_dst], 1),
            np.stack([tables.edge_dst, tables.edge_src], 1),
        ])  # fmt: skip
        ends = ends[np.argsort(ends[:, 0], kind="stable")]
        self.beside = ends[:, 1]
        self.first = np.searchsorted(ends[:, 0], np.arange(tables.tasks + 1))
        self.joined: NDArray[np.float32] | None = None  # as numbers, so that products count
        if tables.tasks <= _DENSE:
            self.joined = np.zeros((tables.tasks, tables.tasks), np.float32)
            self.joined[ends[:, 0], ends[:, 1]] = 1.0

    def change(self, made: Decisions) -> None:
        """Change each of several plans (arrays with a leading axis) once, in place."""
        count = len(made.nodes)
        kind = np.searchsorted(_KINDS.cumsum()[:-1], self.dice.random(count), side="right")
        task = self.dice.integers(self.tables.tasks, size=count)
        before = made.nodes.copy()
        self._move(made, np.flatnonzero(kind == 0), task, reach=0)
        self._move(made, np.flatnonzero(kind == 1), task, reach=_STEPS)
        self._reorder(made, np.flatnonzero(kind == 2), task)
        self._empty(made, np.flatnonzero(kind == 3), task)
        self.settle(made, before)

    def settle(self, made: Decisions, before: IntArray) -> None:
        """Tasks that moved run in the fastest mode; their items take the codec that is fastest."""
        moved = made.nodes != before
        made.modes[moved] = self.tables.fastest_mode[made.nodes[moved]]
        if made.codecs is not None:
            tables = self.tables
            plan, edge = np.nonzero(moved[:, tables.edge_src] | moved[:, tables.edge_dst])
            made.codecs[plan, edge] = fastest_codecs(
                tables, tables.edge_item[edge], made.nodes[plan, tables.edge_src[edge]],
                made.nodes[plan, tables.edge_dst[edge]],
            )  # fmt: skip

    def _targets(self, nodes: IntArray, task: NDArray[np.int64]) -> NDArray[np.int64]:
        """A node for a task of each plan: that of a neighbour, or any that it may take."""
        dice, count = self.dice, len(task)
        any_node: NDArray[np.int64] = self.places[
            task, dice.integers(np.maximum(self.choices[task], 1))
        ]
        degree = self.first[task + 1] - self.first[task]
        if not len(self.beside):
            return any_node
        at = self.first[task] + dice.integers(np.maximum(degree, 1))
        near = nodes[np.arange(count), self.beside[np.minimum(at, len(self.beside) - 1)]]
        fine = (degree > 0) & self.may_run[task, near] & (near != nodes[np.arange(count), task])
        return np.where(fine & (dice.random(count) < _NEAR), near, any_node)

    def _move(
        self, made: Decisions, rows: NDArray[np.int64], tasks: NDArray[np.int64], reach: int
    ) -> None:
        """A task, and with ``reach`` some of those around it, to another node."""
        if not len(rows):
            return
        nodes, task = made.nodes[rows], tasks[rows]
        to = self._targets(nodes, task)
        chosen = np.zeros(nodes.shape, bool)
        chosen[np.arange(len(rows)), task] = True
        if self.joined is not None:
            for _ in range(reach):
                near = (chosen.astype(np.float32) @ self.joined) > 0
                chosen |= near & (self.dice.random(nodes.shape) < _JOINED)
        self._put(made, rows, chosen, to)

    def _empty(self, made: Decisions, rows: NDArray[np.int64], tasks: NDArray[np.int64]) -> None:
        """All tasks of the node of a task to another one, where they may run there."""
        if not len(rows):
            return
        nodes, task = made.nodes[rows], tasks[rows]
        here = nodes[np.arange(len(rows)), task]
        to = self.dice.integers(self.tables.nodes, size=len(rows))
        self._put(made, rows, nodes == here[:, None], to)

    def _put(
        self, made: Decisions, rows: NDArray[np.int64], chosen: BoolArray, to: NDArray[np.int64]
    ) -> None:
        """Chosen tasks (bool[R, T]) and those of their units to a node, where they may run."""
        if (self.unit != np.arange(len(self.unit))).any():
            owners = np.zeros(chosen.shape, bool)
            row, task = np.nonzero(chosen)
            owners[row, self.unit[task]] = True
            chosen = owners[:, self.unit]
        chosen = chosen & self.may_run[:, to].T
        made.nodes[rows] = np.where(chosen, to[:, None], made.nodes[rows])

    def _reorder(self, made: Decisions, rows: NDArray[np.int64], tasks: NDArray[np.int64]) -> None:
        """A task elsewhere between those that it waits for and those that wait for it."""
        if not len(rows) or self.tables.tasks < 2:
            return
        tables, order, task = self.tables, made.order[rows].astype(np.int64), tasks[rows]
        count = np.arange(len(rows))
        rank = np.empty(order.shape, np.int64)
        np.put_along_axis(rank, order, np.arange(order.shape[1])[None, :], axis=1)
        low = np.zeros(len(rows), np.int64)
        high = np.full(len(rows), tables.tasks - 1)
        owner, edge = tables.incoming.gather(task)
        np.maximum.at(low, owner, rank[owner, tables.edge_src[edge]] + 1)
        owner, edge = tables.outgoing.gather(task)
        np.minimum.at(high, owner, rank[owner, tables.edge_dst[edge]] - 1)
        new = self.dice.integers(low, high + 1)
        old = rank[count, task]
        key = 2 * rank
        key[count, task] = 2 * new + np.sign(new - old)
        made.order[rows] = np.argsort(key, axis=1).astype(made.order.dtype)
