"""Plans found so far on the way to a front, and who is told of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from offload.arrays import FloatArray
from offload.checker import check
from offload.fronts.dominance import covered, efficient, spread
from offload.fronts.front import Front
from offload.fronts.region import Records
from offload.plan import Plan
from offload.problem import Problem
from offload.units import count

__all__ = ["FrontProgress", "Pool", "front_news", "front_text"]

_log = logging.getLogger("offload")

_EVERY = 0.5  # seconds between two reports at least


@dataclass(frozen=True)
class FrontProgress:
    """A sign of life of a running search for a front.

    Attributes
    ----------
    seconds
        Since the search began.
    points
        Plans of which none is better than another in all metrics.
    proved
        How many of them are proved efficient.
    doing
        What is being looked for, in words.
    """

    seconds: float
    points: int
    proved: int
    doing: str


def front_text(last: FrontProgress | None, seconds: float) -> str:
    """A line of progress: how many plans, how many of them proved, what is looked for."""
    parts = [f"{seconds:6.1f} s"]
    if last is None:
        return "  ".join([*parts, "working"])
    return "  ".join([*parts, f"{count(last.points, 'plan')}, {last.proved} proved", last.doing])


def front_news(report: FrontProgress) -> tuple[int, int]:
    """What of a report is worth a line of its own."""
    return report.points, report.proved


class Pool:
    """What a search for a front knows: plans, proofs, how much time is left.

    Parameters
    ----------
    problem, metrics, limits, gap
        As in :class:`offload.fronts.front.Front`.
    deadline
        ``time.monotonic()`` at which to stop; infinite without a limit.
    """

    def __init__(
        self, problem: Problem, metrics: Sequence[str], limits: Mapping[str, float], gap: float,
        deadline: float, cancel: threading.Event | None,
        on_progress: Callable[[FrontProgress], object] | None,
    ) -> None:  # fmt: skip
        self.problem, self.metrics, self.limits = problem, tuple(metrics), dict(limits)
        self.gap, self.deadline, self.cancel = gap, deadline, cancel
        self.records = Records(len(self.metrics))
        self.plans: list[Plan] = []
        self.values: FloatArray = np.zeros((0, len(self.metrics)))
        self.infeasible = False  # whether it is proved that there is no plan at all
        self._tell, self._begun, self._told = on_progress, time.monotonic(), -np.inf
        self.doing = "first plans"

    @property
    def stopped(self) -> str | None:
        """ "cancelled" or "time" once the search has to stop, else ``None``."""
        if self.cancel is not None and self.cancel.is_set():
            return "cancelled"
        return "time" if time.monotonic() >= self.deadline else None

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, self.deadline - time.monotonic())

    def value_of(self, plan: Plan) -> FloatArray:
        """The metrics of a plan; float64[M]."""
        return np.array([plan.metrics[metric] for metric in self.metrics])

    def take(self, plan: Plan | None) -> bool:
        """Keep a plan that holds and that none of the others dominates."""
        if plan is None:
            return False
        value = self.value_of(plan)
        if not np.isfinite(value).all() or covered(value[None], self.values).any():
            return False
        if check(self.problem, plan, limits=self.limits):
            return False
        self._reconcile(value)
        kept = np.flatnonzero(~np.all(self.values >= value, axis=1))
        self.plans = [self.plans[row] for row in kept.tolist()]
        self.plans.append(plan)
        self.values = np.concatenate([self.values[kept], value[None]])
        self.tell()
        return True

    def prove(self, weights: FloatArray, limits: FloatArray, bound: float) -> None:
        """Take a proof, unless some plan contradicts it."""
        self.records.add(weights, limits, bound)
        for value in self.values:
            self._reconcile(value)

    def _reconcile(self, value: FloatArray) -> None:
        if self.records.contradicted(value):
            _log.error("a proof says that there is no plan of %s: it is dropped", value.tolist())

    def tell(self, doing: str | None = None) -> None:
        """Tell the caller how far the search is, now and then."""
        fresh, self.doing = doing is not None and doing != self.doing, doing or self.doing
        seconds = time.monotonic() - self._begun
        if self._tell is None or (not fresh and seconds - self._told < _EVERY):
            return
        self._told = seconds
        gaps = self.records.gaps(self.values).max(axis=1, initial=0.0)
        proved = int((gaps <= self.gap).sum())
        self._tell(FrontProgress(seconds, len(self.plans), proved, self.doing))

    def best(self, weights: FloatArray, limits: FloatArray) -> Plan | None:
        """The plan of least weighted sum within limits (float64[M] each)."""
        inside = np.flatnonzero((self.values <= limits).all(axis=1))
        if not len(inside):
            return None
        return self.plans[int(inside[(self.values[inside] @ weights).argmin()])]

    def ranges(self) -> FloatArray:
        """Width of the front so far in each metric, 1 where it has none; float64[M]."""
        if not len(self.values):
            return np.ones(len(self.metrics))
        width = np.ptp(self.values[efficient(self.values)], axis=0)
        size = self.values.max(axis=0)
        return np.where(width > 0, width, np.where(size > 0, size, 1.0))

    def front(self, points: int | None, facts: Mapping[str, object]) -> Front:
        """The front of what is known, thinned to so many plans; those proved efficient stay."""
        order = np.lexsort(self.values.T[::-1])
        gaps = self.records.gaps(self.values).max(axis=1, initial=0.0)
        # A plan that some other one beats up to the gap is the same point.
        rows: list[int] = []
        for row in order[np.argsort(gaps[order] > self.gap, kind="stable")].tolist():
            near = self.values[rows] <= self.values[row] * (1 + self.gap)
            if not near.all(axis=1).any():
                rows.append(row)
        rows.sort(key=lambda row: int(np.flatnonzero(order == row)[0]))
        if points is not None and len(rows) > points:
            proved = np.flatnonzero(gaps[rows] <= self.gap)
            rows = [rows[i] for i in spread(self.values[rows], points, proved).tolist()]
        plans = [self.plans[row] for row in rows]
        return Front(self.problem, self.metrics, plans, self.records, self.limits, self.gap, facts)
