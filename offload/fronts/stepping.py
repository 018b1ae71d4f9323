"""The exact front: limited minimizations, one after another, until no efficient plan is missing.

Augmented epsilon constraint (Mavrotas 2009; Haimes, Lasdon, Wismer 1971): the first metric is
minimized with all others limited; then, with the first no worse, the sum of the others, so that the
plan is efficient and not only weakly so. Lexicographic instead of Mavrotas' weighted slack: no
constant has to be chosen that rounding could swallow. Where to set the limits is told by the region
that plans leave open (`region.py`): the largest part first, halved until it is narrow, so that the
front is covered evenly whenever the time ends.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import numpy as np

from offload.arrays import FloatArray
from offload.fronts.pool import Pool
from offload.fronts.region import upper_corners
from offload.plan import Plan, Result
from offload.solver import solve

__all__ = ["Stepping"]

_WIDTHS = 16  # parts of the front's width down to which what is open is halved
_NEAR = 4e-9  # relative: the checker's tolerance, some times over
_LEAST = 0.25  # seconds for a solve at least
_USUAL = 20  # points for which the time is shared out where as many as there are are asked for
_SHARE = 0.5  # of the time left for one solve, at most
_FEW = 3  # points that are always expected to come
_THIN = 1e-6  # width of a part that is counted at least


class Stepping:
    """The search for all efficient plans, or for so many of them.

    Parameters
    ----------
    pool
        What is known; plans and proofs go there.
    options
        Arguments of :func:`offload.solve` for each minimization (method, threads, seed, ...).

    Attributes
    ----------
    points : list of float64[M]
        The plans found, each by two minimizations, whether or not proved.
    """

    def __init__(self, pool: Pool, **options: Any) -> None:
        self.pool, self.options = pool, options
        self.points: list[FloatArray] = []
        self.tried: dict[tuple[float, ...], int] = {}  # corners, and how often in vain
        self.left: set[tuple[float, ...]] = set()  # corners about which no more can be known
        self.size = len(pool.metrics)

    def run(self, points: int | None) -> None:
        """Search until no efficient plan is missing, there are so many, or the time is up."""
        pool = self.pool
        for m in range(self.size):
            if pool.stopped or pool.infeasible:
                return
            pool.tell(f"the least {pool.metrics[m]}")
            self._step(m, np.full(self.size, inf), points)
        while not pool.stopped and (points is None or len(self._efficient()) < points):
            part = self._widest()
            if part is None:
                return
            corner, least = part
            limits = self._limits(corner, least, points)
            pool.tell(self._words(limits))
            self._step(0, limits, points, corner)

    def _efficient(self) -> FloatArray:
        """The points found, without those that some plan dominates."""
        values = np.array(self.points).reshape(-1, self.size)
        known = self.pool.values
        # A plan replaces all that it dominates, so that each point that stays is still there.
        stays = (known[None] == values[:, None]).all(axis=2).any(axis=1)
        return np.unique(values[stays], axis=0)

    def _widest(self) -> tuple[FloatArray, FloatArray] | None:
        """The corner of the largest part where plans may be missing, and the least values there."""
        pool = self.pool
        points = self._efficient()
        top = pool.values.max(axis=0)
        widths = pool.ranges()
        best: tuple[float, FloatArray, FloatArray] | None = None
        for corner in upper_corners(points):
            least = pool.records.lower_corners(corner, pool.gap)
            if least is None or tuple(corner.tolist()) in self.left:
                continue
            sides = np.maximum((np.minimum(corner, top) - least) / widths, _THIN)
            size = float(sides.prod()) * 4.0 ** -self.tried.get(tuple(corner.tolist()), 0)
            if best is None or size > best[0]:
                best = size, corner, least
        return None if best is None else best[1:]

    def _limits(self, corner: FloatArray, least: FloatArray, points: int | None) -> FloatArray:
        """Limits of all metrics but the first: just below the corner, halfway where it is wide.

        One of them at most is halved, so that what is proved then raises the least value there.
        """
        near = max(self.pool.gap, _NEAR)
        limits = np.where(np.isfinite(corner), corner * (1 - near), inf)
        limits[0] = inf
        if not self.tried.get(tuple(corner.tolist()), 0):
            parts = _WIDTHS if points is None else max(points, 2)
            span = np.minimum(corner, self.pool.values.max(axis=0)) - least
            sides = span / self.pool.ranges()
            j = 1 + int(sides[1:].argmax())
            if sides[j] > 1 / parts:
                limits[j] = min(limits[j], least[j] + span[j] / 2)
        return limits

    def _step(
        self, first: int, limits: FloatArray, points: int | None, corner: FloatArray | None = None
    ) -> None:
        """Minimize a metric within limits, then the others with that one no worse."""
        pool = self.pool
        weights = np.zeros(self.size)
        weights[first] = 1.0
        result = self._solve(weights, limits, points, corner)
        if result.status not in ("optimal", "infeasible") and corner is not None:
            self._failed(tuple(corner.tolist()), result)
        if result.plan is None:
            pool.infeasible |= result.status == "infeasible" and not np.isfinite(limits).any()
            return
        value = pool.value_of(result.plan)
        if any((point <= value).all() for point in self._efficient()):
            return  # nothing new within these limits
        within = limits.copy()
        within[first] = value[first]
        rest = np.where(np.arange(self.size) == first, 0.0, 1 / pool.ranges())
        if self.size == 2:
            rest /= rest.max()
        second = self._solve(rest, within, points, corner, result.plan)
        plan = second.plan or result.plan
        # Some plan found before may be as good: it then stands for this one.
        value = pool.value_of(plan)
        same = (pool.values <= value).all(axis=1)
        self.points.append(pool.values[same][0] if same.any() else value)

    def _failed(self, corner: tuple[float, ...], result: Result) -> None:
        """Next time with twice the time; no more where the method itself gave up."""
        self.tried[corner] = self.tried.get(corner, 0) + 1
        if result.stopped in (None, "work"):
            self.left.add(corner)

    def _solve(
        self, weights: FloatArray, limits: FloatArray, points: int | None,
        corner: FloatArray | None, start: Plan | None = None,
    ) -> Result:  # fmt: skip
        pool = self.pool
        bounds = dict(pool.limits)
        for name, limit in zip(pool.metrics, limits.tolist(), strict=True):
            if limit < inf:
                bounds[name] = min(limit, bounds.get(name, inf))
        minimize = {
            name: weight
            for name, weight in zip(pool.metrics, weights.tolist(), strict=True)
            if weight > 0
        }
        begin = pool.best(weights, limits)
        if start is None or (begin is not None and self._beats(begin, start, weights)):
            start = begin
        result = solve(
            pool.problem, minimize=minimize, limits=bounds, gap=pool.gap, start=start,
            time_limit=self._seconds(points, corner), cancel=pool.cancel, explain=0,
            on_progress=self._alive(), **self.options,
        )  # fmt: skip
        bound = inf if result.status == "infeasible" else result.bound
        if bound is not None:
            pool.prove(weights, limits, bound)
        pool.take(result.plan)
        return result

    def _beats(self, plan: Plan, other: Plan, weights: FloatArray) -> bool:
        value = self.pool.value_of
        return float(value(plan) @ weights) < float(value(other) @ weights)

    def _alive(self) -> Callable[[object], None]:
        return lambda report: self.pool.tell()

    def _seconds(self, points: int | None, corner: FloatArray | None) -> float | None:
        """Seconds for one solve: twice its share of what is left, as most end sooner."""
        left = self.pool.seconds_left
        if left == inf:
            return None
        expected = max((points or _USUAL) - len(self.points), _FEW)
        again = 2.0 ** self.tried.get(tuple(corner.tolist()), 0) if corner is not None else 1.0
        return min(left, max(_LEAST, min(left / expected * again, left * _SHARE)))

    def _words(self, limits: FloatArray) -> str:
        from offload.units import metric

        pairs = zip(self.pool.metrics, limits.tolist(), strict=True)
        within = [f"{name} <= {metric(name, limit, 4)}" for name, limit in pairs if limit < inf]
        return f"the least {self.pool.metrics[0]} with {', '.join(within)}"
