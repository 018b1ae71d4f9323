"""What is proved about a front, and where plans may still be.

A *record* is a proof: no plan with all metrics f <= E has w . f below L. Proofs of limited
minimizations (epsilon constraints) are records, and so are lower bounds (E infinite).

A *corner* of the region that points leave open is a local upper bound u: no point has f < u in all
metrics, and any plan that no point dominates has f < u for some corner (Klamroth, Lacour,
Vanderpooten 2015, On the representation of the search region in multi-objective optimization).
"""

from __future__ import annotations

import numpy as np

from offload.arrays import BoolArray, FloatArray

__all__ = ["Records", "upper_corners"]

_MOST = 4_000  # corners kept at most
_ROUNDING = 1e-7  # relative: by which a bound may lie above a plan by rounding alone


class Records:
    """Proofs about the metrics of all plans.

    Parameters
    ----------
    metrics
        M, how many metrics there are.

    Attributes
    ----------
    weights : float64[R, M]
        w of each record.
    limits : float64[R, M]
        E of each record; infinite where the metric is not limited.
    bounds : float64[R]
        L of each record; infinite where no plan keeps the limits.
    """

    def __init__(self, metrics: int) -> None:
        self.weights = np.zeros((0, metrics))
        self.limits = np.zeros((0, metrics))
        self.bounds = np.zeros(0)

    def add(self, weights: FloatArray, limits: FloatArray, bound: float) -> None:
        """Take a proof; those that it makes superfluous go."""
        same = (self.weights == weights).all(axis=1)
        if (same & (self.limits >= limits).all(axis=1) & (self.bounds >= bound)).any():
            return
        self._keep(~(same & (self.limits <= limits).all(axis=1) & (self.bounds <= bound)))
        self.weights = np.concatenate([self.weights, weights[None]])
        self.limits = np.concatenate([self.limits, limits[None]])
        self.bounds = np.append(self.bounds, bound)

    def contradicted(self, values: FloatArray) -> int:
        """Drop what a plan that holds (float64[M]) shows to be false; how many records that were.

        A bound of a solver or a relaxation is a claim; a checked plan is a fact.
        """
        inside = (values <= self.limits).all(axis=1)
        reached = self.weights @ values
        false = inside & (reached < self.bounds - _ROUNDING * np.abs(reached))
        self._keep(~false)
        return int(false.sum())

    def _keep(self, rows: BoolArray) -> None:
        self.weights, self.limits = self.weights[rows], self.limits[rows]
        self.bounds = self.bounds[rows]

    @property
    def ideal(self) -> FloatArray:
        """A lower bound of each metric over all plans; float64[M]."""
        least = np.zeros(self.weights.shape[1])
        free = np.isinf(self.limits).all(axis=1)
        for m in range(len(least)):
            alone = free & (self.weights[:, m] > 0) & (np.delete(self.weights, m, 1) == 0).all(1)
            found = self.bounds[alone] / self.weights[alone, m]
            least[m] = max(found.max(initial=0.0), 0.0)
        return least

    def gaps(self, values: FloatArray) -> FloatArray:
        """By which share at most a plan that is nowhere worse can be better, for each metric.

        Parameters
        ----------
        values : float64[P, M]
            Of plans.

        Returns
        -------
        float64[P, M]
            From 0 (no plan that is nowhere worse is better) to 1 (nothing is known).
        """
        least = np.broadcast_to(self.ideal, values.shape).copy()
        for weights, limits, bound in zip(self.weights, self.limits, self.bounds, strict=True):
            if not np.isfinite(bound):
                continue  # where a plan is there, it keeps limits that are out of reach elsewhere
            inside = (values <= limits).all(axis=1)
            spare = values[inside] @ weights - bound
            for m in np.flatnonzero(weights).tolist():
                least[inside, m] = np.maximum(
                    least[inside, m], values[inside, m] - spare / weights[m]
                )
        some = values > 0
        return np.clip(
            np.divide(values - least, values, out=np.zeros(values.shape), where=some), 0, 1
        )

    def lower_corners(self, corner: FloatArray, gap: float) -> FloatArray | None:
        """The least that each metric has in plans below a corner; ``None`` if there are none.

        Parameters
        ----------
        corner : float64[M]
            A local upper bound.
        gap
            Relative: what is nearer counts as reached.
        """
        least = self.ideal
        if (least >= corner * (1 - gap)).any():
            return None
        for _ in range(2):  # what one record says may make another one say more
            for weights, limits, bound in zip(self.weights, self.limits, self.bounds, strict=True):
                reached = np.where(weights > 0, corner, 0.0) * (1 - gap)
                if np.isfinite(bound) and not (weights @ reached <= bound):
                    continue
                beyond = np.flatnonzero(limits < corner * (1 - 1.01 * gap))
                if not len(beyond):
                    return None
                if len(beyond) == 1:  # the only way around the record
                    least[beyond[0]] = max(least[beyond[0]], limits[beyond[0]])
            if (least >= corner * (1 - gap)).any():
                return None
        return least

    def bound_set(self) -> FloatArray:
        """Rows of which at least one is nowhere above a plan's metrics, for every plan.

        A lower bound set (Ehrgott, Gandibleux 2007, Bound sets for biobjective combinatorial
        optimization problems). Records that weigh several metrics are not used.

        Returns
        -------
        float64[C, M]
        """
        corners = self.ideal[None]
        single = (self.weights > 0).sum(axis=1) == 1
        rows = zip(self.weights[single], self.limits[single], self.bounds[single], strict=True)
        for weights, limits, bound in rows:
            k = int(np.flatnonzero(weights)[0])
            shut = limits.copy()
            shut[k] = min(limits[k], bound / weights[k]) if np.isfinite(bound) else limits[k]
            corners = _pushed(corners, shut)
            if len(corners) > _MOST:
                break
        order = np.lexsort(corners.T[::-1])
        return corners[order]


def _pushed(corners: FloatArray, shut: FloatArray) -> FloatArray:
    """Lower corners once nothing can be below ``shut`` in all metrics."""
    inside = (corners < shut).all(axis=1)
    if not inside.any():
        return corners
    made = [corners[~inside]]
    for m in np.flatnonzero(np.isfinite(shut)).tolist():
        part = corners[inside].copy()
        part[:, m] = shut[m]
        made.append(part)
    return _minimal(np.concatenate(made))


def _minimal(corners: FloatArray) -> FloatArray:
    """Corners that no other is below; of equal ones the first."""
    below: BoolArray = np.all(corners[None] <= corners[:, None], axis=2)
    equal = below & below.T
    redundant = (below & ~equal).any(axis=1) | np.tril(equal, -1).any(axis=1)
    return corners[~redundant]


def upper_corners(points: FloatArray) -> FloatArray:
    """The local upper bounds of a set of points (float64[P, M]); float64[U, M]."""
    corners = np.full((1, points.shape[1]), np.inf)
    for point in points:
        inside: BoolArray = (point < corners).all(axis=1)
        if not inside.any():
            continue
        made = [corners[~inside]]
        for m in range(len(point)):
            part = corners[inside].copy()
            part[:, m] = point[m]
            made.append(part)
        corners = -_minimal(-np.concatenate(made))
        if len(corners) > _MOST:
            break
    return corners
