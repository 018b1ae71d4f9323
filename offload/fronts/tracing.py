"""Plans between the ends of a front, by local search over sequences at ever other weights.

Each turn goes on from a plan beside a gap of the front so far, at the weights for which the two
plans beside the gap are worth the same (Aneja, Nair 1979, Bicriteria transportation problem); all
plans on the way that no other one dominates are kept, so that gaps where no weighted sum is least
are filled too.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from offload.arrays import BoolArray, FloatArray, IntArray
from offload.features import Goal
from offload.fronts.dominance import covered, efficient, least_crowded
from offload.fronts.population import KEPT
from offload.heuristics.decisions import Decisions
from offload.heuristics.sequence_search import SequenceSearch
from offload.problem import Problem

__all__ = ["Tracing"]

_STEPS = 150  # moves of single tasks in a turn
_BETWEEN = 20  # of them between clusters
_HEATS = (0.005, 0.002)  # first temperature of a turn over its worth
_ENDS = 0.15  # share of turns that go on from the least of one metric
_STEEP = 50.0  # weights are at most so unlike, once metrics are scaled to the front
_SAME = 1e-9  # relative


class _Schedule(NamedTuple):
    nodes: IntArray
    order: IntArray


class Tracing(SequenceSearch):
    """The search; :meth:`turn` makes a turn.

    Parameters are those of :class:`.Population`; :func:`.sequences.applies` must hold for all
    metrics and limits together.

    Attributes
    ----------
    values : float64[P, M]
        Metrics of the plans found so far that none dominates.
    """

    def __init__(
        self, problem: Problem, metrics: Sequence[str], limits: Mapping[str, float],
        starts: Sequence[Decisions], seed: int = 0,
    ) -> None:  # fmt: skip
        self.names = tuple(metrics)
        self.values: FloatArray = np.zeros((0, len(self.names)))
        self._schedules: list[_Schedule] = []
        goal = Goal(dict.fromkeys(self.names, 1.0), dict(limits))
        super().__init__(problem.tables, starts[0], goal, seed)
        for start in starts[1:]:
            self._load(start.nodes, start.order)

    @property
    def found(self) -> list[Decisions]:
        """The plans of ``values``."""
        mode, copies = self.tables.fastest_mode, self.state.copies
        return [Decisions(n, order, mode[n], None, copies) for n, order in self._schedules]

    def turn(self, stop: Callable[[], bool]) -> None:
        """Search at other weights from one of the plans found so far."""
        if not self._schedules:
            self.round(stop, lambda: 0.0)  # until one holds
            return
        row, weights = self._direction()
        self.worth.weigh(dict(zip(self.names, weights.tolist(), strict=True)))
        self._load(*self._schedules[row])
        self._improve(_STEPS, self.rng.choice(_HEATS), _BETWEEN, stop, lambda: 0.0)

    def _direction(self) -> tuple[int, FloatArray]:
        """A plan to go on from, and weights."""
        values, rng = self.values, self.rng
        width = np.ptp(values, axis=0)
        width = np.where(width > 0, width, np.maximum(np.abs(values).max(axis=0), 1e-12))
        metrics = len(self.names)
        if len(values) == 1 or rng.random() < _ENDS:
            m = rng.randrange(metrics)
            weights = np.full(metrics, 1 / _STEEP)
            weights[m] = 1.0
            return int(values[:, m].argmin()), weights / width
        if metrics == 2:
            order = np.argsort(values[:, 0], kind="stable")
            step = np.abs(np.diff(values[order] / width, axis=0))
            gap = _drawn(rng, np.sqrt(step.prod(axis=1)))
            step = np.maximum(step[gap], step[gap].max() / _STEEP)
            return int(order[gap + rng.randrange(2)]), 1 / (step * width)
        weights = np.array([rng.expovariate(1.0) for _ in range(metrics)])
        weights = np.maximum(weights, weights.max() / _STEEP) / width
        return int((values @ weights).argmin()), weights

    # -- what is found on the way ----------------------------------------------------------------

    def _keep(self) -> None:
        super()._keep()
        state, worth = self.state, self.worth
        if state.holds and worth.holds(state.length):
            values = worth.metrics_of(self.names, state.length, worth.sums)
            row = np.array(values)
            if not (self.values <= row * (1 + _SAME)).all(axis=1).any():
                order = np.array(state.order, np.int32)
                self._take(row[None], [_Schedule(state.nodes.copy(), order)])

    def _seen(
        self, nodes: IntArray, order: IntArray, length: FloatArray, sums: list[FloatArray],
        fits: BoolArray,
    ) -> None:  # fmt: skip
        values = np.stack(self.worth.metrics_of(self.names, length, sums), axis=1)
        fits = fits & self.worth.keep(length, sums)
        fresh = np.flatnonzero(fits & ~covered(values * (1 + _SAME), self.values))
        if len(fresh):
            fresh = fresh[efficient(values[fresh])]
            taken = [_Schedule(nodes[b].copy(), order.copy()) for b in fresh.tolist()]
            self._take(values[fresh], taken)

    def _take(self, values: FloatArray, schedules: list[_Schedule]) -> None:
        """Keep plans that none dominates, without those that they dominate."""
        rows = np.flatnonzero(~covered(self.values, values)).tolist()
        all_values = np.concatenate([self.values[rows], values])
        all_schedules = [self._schedules[row] for row in rows] + schedules
        rows = least_crowded(all_values, KEPT).tolist()
        self.values, self._schedules = all_values[rows], [all_schedules[row] for row in rows]


def _drawn(rng: random.Random, weights: FloatArray) -> int:
    """A position, drawn by weights; the last if all are 0."""
    sums = np.cumsum(weights)
    return min(int(np.searchsorted(sums, rng.random() * sums[-1], "right")), len(weights) - 1)
