"""A population of plans that spreads along the front: NSGA-II over the vectorized evaluator.

Deb, Pratap, Agarwal, Meyarivan 2002, A fast and elitist multiobjective genetic algorithm: binary
tournaments by rank and crowding, constrained domination, the best of parents and offspring survive.
A child has the beginning of one parent's order and the rest in the other's, so that every order is
topological, and random changes of local search instead of bit flips. Efficient plans that were ever
decoded are kept beside the population.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray, IntArray
from offload.compression import fastest_codecs
from offload.evaluator import evaluate_unchecked
from offload.features import Goal
from offload.fronts.dominance import covered, crowding, efficient, least_crowded, ranks
from offload.fronts.variation import Variation
from offload.heuristics.changes import Changes
from offload.heuristics.decisions import Decisions
from offload.heuristics.merit import merits
from offload.problem import Problem

__all__ = ["KEPT", "Population"]

_SIZE = 120  # plans in the population,
_CELLS = 300_000  # fewer if these times tasks are more than so many, but
_LEAST = 12
KEPT = 400  # efficient plans that are kept at most
_CROSSED = 0.7  # share of children that have two parents
_SPECIAL = 0.3  # share of generations with changes of modes, codecs and copies, if there are any
_AGAIN = 0.4  # chance of each further change of a child


class Population:
    """The search; :meth:`step` makes a generation.

    Parameters
    ----------
    problem
        An instance without divisible tasks.
    metrics
        What is minimized.
    limits
        Upper bounds by metric.
    starts
        Plans to start from, at least one; they need not hold.
    seed
        Of all draws.

    Attributes
    ----------
    work : int
        Plans decoded so far.
    """

    def __init__(
        self, problem: Problem, metrics: Sequence[str], limits: Mapping[str, float],
        starts: Sequence[Decisions], seed: int = 0,
    ) -> None:  # fmt: skip
        self.problem, self.tables = problem, problem.tables
        self.metrics = tuple(metrics)
        self.goal = Goal(dict.fromkeys(self.metrics, 1.0), dict(limits))
        self.dice = np.random.default_rng(seed)
        self.changes = Changes(problem, random.Random(seed))
        self.unit = np.array(self.changes.unit, np.int64)
        self.work = 0
        self.size = max(_LEAST, min(_SIZE, _CELLS // max(1, self.tables.tasks)))
        self.variation = Variation(self.tables, self.unit, self.dice)
        members = _stacked([self._complete(decisions) for decisions in starts])
        values, over = self._timed(members)
        self._archive: tuple[Decisions, FloatArray] = (_rows(members, slice(0)), values[:0])
        self._keep(members, values, over)
        self._members, self._values, self._over = members, values, over
        fresh = self.changes.mutate(_rows(members, self.dice.integers(len(values), size=self.size)))
        self._select(fresh, *self._timed(fresh))

    def _complete(self, decisions: Decisions) -> Decisions:
        """With arrays for all that any plan of the instance may decide."""
        tables = self.tables
        if decisions.copies is None and self.changes.copies:
            none = np.zeros((len(tables.data_ids), tables.nodes), bool)
            decisions = decisions._replace(copies=none)
        return decisions

    def step(self) -> None:
        """A generation: children, their times, and who survives."""
        children = self._children(self.size)
        self._select(children, *self._timed(children))

    @property
    def values(self) -> FloatArray:
        """Metrics of the efficient plans that hold; float64[P, M], by rising first metric."""
        return self._archive[1]

    @property
    def found(self) -> list[Decisions]:
        """The plans of ``values``."""
        members, values = self._archive
        return [members.one(row) for row in range(len(values))]

    # -- a generation ----------------------------------------------------------------------------

    def _timed(self, made: Decisions) -> tuple[FloatArray, FloatArray]:
        """Metrics (float64[B, M]) and what is broken (float64[B])."""
        found = evaluate_unchecked(
            self.problem, made.nodes, made.order, made.modes, made.codecs, made.copies,
            self.goal.limits,
        )  # fmt: skip
        self.work += len(found)
        over, _ = merits(self.goal, found)
        with np.errstate(invalid="ignore"):
            values = np.stack([found.metrics[metric] for metric in self.metrics], axis=1)
        return np.where(np.isfinite(values), values, np.inf), over

    def _select(self, fresh: Decisions, values: FloatArray, over: FloatArray) -> None:
        """The best of the population and of fresh plans survive."""
        self._keep(fresh, values, over)
        both = _joined(self._members, fresh)
        all_values = np.concatenate([self._values, values])
        all_over = np.concatenate([self._over, over])
        # Of plans with the same metrics one is enough.
        _, single = np.unique(np.column_stack([all_values, all_over]), axis=0, return_index=True)
        single.sort()
        rank = ranks(all_values[single], all_over[single])
        with np.errstate(invalid="ignore"):
            wide = crowding(all_values[single], rank)
        order = single[np.lexsort((np.arange(len(single)), -wide, rank))][: self.size]
        self._members = _rows(both, order)
        self._values, self._over = all_values[order], all_over[order]

    def _keep(self, made: Decisions, values: FloatArray, over: FloatArray) -> None:
        """Put efficient plans into the archive, thinned where they are most crowded."""
        good = np.flatnonzero(over == 0)
        if not len(good):
            return
        good = good[efficient(values[good])]
        kept, known = self._archive
        if len(known):
            good = good[~covered(values[good], known)]
            if not len(good):
                return
        both = _joined(kept, _rows(made, good))
        all_values = np.concatenate([known, values[good]])
        rows = np.flatnonzero(efficient(all_values))
        rows = rows[least_crowded(all_values[rows], KEPT)]
        rows = rows[np.lexsort(all_values[rows].T[::-1])]
        self._archive = (_rows(both, rows), all_values[rows])

    def _children(self, count: int) -> Decisions:
        """Offspring of parents drawn by tournaments; the members are sorted, the best first."""
        size = len(self._values)
        first, second = (self.dice.integers(size, size=(2, count)).min(axis=0) for _ in range(2))
        made = _rows(self._members, first)
        crossed = np.flatnonzero(self.dice.random(count) < _CROSSED)
        self._cross(made, crossed, _rows(self._members, second[crossed]))
        self._vary(made)
        again = np.flatnonzero(self.dice.random(count) < _AGAIN)
        if len(again):
            part = _rows(made, again)
            self._vary(part)
            _put(made, again, part)
        return made

    def _vary(self, made: Decisions) -> None:
        """Change each plan once; where more than nodes and orders is decided, some by that."""
        rare = self.changes.special and self.dice.random() < _SPECIAL
        if rare:
            self.changes.mutate(made)
        else:
            self.variation.change(made)

    def _cross(self, made: Decisions, rows: NDArray[np.int64], other: Decisions) -> None:
        """Rows get the tasks of another parent after a place in the order, or of some units."""
        if not len(rows):
            return
        tables, tasks = self.tables, self.tables.tasks
        count = len(rows)
        rank, other_rank = _ranks(made.order[rows]), _ranks(other.order)
        cut = self.dice.integers(1, tasks + 1, size=(count, 1))
        taken = rank >= cut  # the rest comes in the other's order
        scattered = self.dice.random((count, tasks)) < self.dice.random((count, 1))
        # All that one of them has on a node: groups are what is inherited (Falkenauer 1996).
        node = self.dice.integers(tables.nodes, size=(count, 1))
        grouped = (other.nodes == node) | (made.nodes[rows] == node)
        kind = self.dice.integers(3, size=(count, 1))
        replaced = np.where(kind == 0, taken, np.where(kind == 1, scattered, grouped))
        replaced = replaced[:, self.unit]
        nodes = np.where(replaced, other.nodes, made.nodes[rows])
        modes = np.where(replaced, other.modes, made.modes[rows])
        key = np.where(taken, tasks + other_rank, rank)
        made.order[rows] = np.argsort(key, axis=1).astype(made.order.dtype)
        if made.codecs is not None and other.codecs is not None:
            src, dst = replaced[:, tables.edge_src], replaced[:, tables.edge_dst]
            codecs = np.where(dst, other.codecs, made.codecs[rows])
            plan, edge = np.nonzero(src != dst)
            codecs[plan, edge] = fastest_codecs(
                tables, tables.edge_item[edge],
                nodes[plan, tables.edge_src[edge]], nodes[plan, tables.edge_dst[edge]],
            )  # fmt: skip
            made.codecs[rows] = codecs
        if made.copies is not None and other.copies is not None:
            swap: BoolArray = self.dice.random((count, len(tables.data_ids), 1)) < 0.5
            made.copies[rows] = np.where(swap, other.copies, made.copies[rows])
        made.nodes[rows], made.modes[rows] = nodes, modes


def _ranks(order: IntArray) -> NDArray[np.int64]:
    """Place of each task in each order; int64[B, T]."""
    rank = np.empty(order.shape, np.int64)
    np.put_along_axis(rank, order.astype(np.int64), np.arange(order.shape[1])[None, :], axis=1)
    return rank


def _rows(made: Decisions, rows: NDArray[np.integer] | slice) -> Decisions:
    """Copies of the decisions of some plans."""
    return Decisions(
        made.nodes[rows].copy(), made.order[rows].copy(), made.modes[rows].copy(),
        None if made.codecs is None else made.codecs[rows].copy(),
        None if made.copies is None else made.copies[rows].copy(),
    )  # fmt: skip


def _put(made: Decisions, rows: NDArray[np.integer], part: Decisions) -> None:
    """Replace the decisions of some plans."""
    made.nodes[rows], made.order[rows], made.modes[rows] = part.nodes, part.order, part.modes
    if made.codecs is not None and part.codecs is not None:
        made.codecs[rows] = part.codecs
    if made.copies is not None and part.copies is not None:
        made.copies[rows] = part.copies


def _joined(*parts: Decisions) -> Decisions:
    """Decisions of several sets of plans, one after another."""
    codecs = [part.codecs for part in parts if part.codecs is not None]
    copies = [part.copies for part in parts if part.copies is not None]
    return Decisions(
        np.concatenate([part.nodes for part in parts]),
        np.concatenate([part.order for part in parts]),
        np.concatenate([part.modes for part in parts]),
        np.concatenate(codecs) if codecs else None,
        np.concatenate(copies) if copies else None,
    )


def _stacked(made: Sequence[Decisions]) -> Decisions:
    """Decisions of single plans as arrays with a leading axis."""
    return _joined(*(decisions.repeated(1) for decisions in made))
