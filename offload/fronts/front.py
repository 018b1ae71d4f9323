"""A front: efficient plans of one instance, what is proved about them, and their pictures."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from offload.arrays import BoolArray, FloatArray
from offload.errors import OffloadError
from offload.fronts.dominance import hypervolume, knee
from offload.fronts.region import Records, upper_corners
from offload.plan import Plan
from offload.problem import METRICS, Problem
from offload.units import count, metric, percent

if TYPE_CHECKING:
    import os

    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Front"]

_BEYOND = 0.1  # share of the front's width by which the usual reference point lies beyond it


class Front:
    """Plans of which none is better than another in all metrics, by rising first metric.

    Parameters
    ----------
    problem
        The instance.
    metrics
        Names of the two or three metrics that are minimized.
    plans
        Checked plans, none dominated by another.
    records
        What is proved about plans of the instance within ``limits``.
    limits
        Upper bounds that all plans keep.
    gap
        Relative: up to which a plan counts as efficient, and two plans as one.
    facts
        How it was made: method, seconds, seed, stopped, versions.

    Attributes
    ----------
    values : float64[P, M]
        The metrics of each plan, measured from its own times; seconds, joules, ... as in
        ``offload.METRICS``.
    gaps : float64[P]
        The share at most by which some metric could be better without another being worse; 0 for
        a plan that is proved efficient, 1 where nothing is known.
    proved : bool[P]
        Whether the gap of each plan is at most ``gap``.
    complete : bool
        Whether it is proved that no efficient plan is missing, up to ``gap``: each plan of the
        instance is then, in all metrics, no better than a plan of the front less that share.
    """

    def __init__(
        self,
        problem: Problem,
        metrics: Sequence[str],
        plans: Sequence[Plan],
        records: Records,
        limits: Mapping[str, float] | None = None,
        gap: float = 1e-4,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.problem, self.metrics = problem, tuple(metrics)
        values = np.array([[p.metrics[m] for m in self.metrics] for p in plans], float)
        values = values.reshape(len(plans), len(self.metrics))
        order = np.lexsort(values.T[::-1])
        self.plans = tuple(plans[row] for row in order.tolist())
        self.values: FloatArray = values[order]
        self.records, self.limits, self.gap = records, dict(limits or {}), gap
        self.facts = dict(facts or {})

    def __len__(self) -> int:
        return len(self.plans)

    def __repr__(self) -> str:
        return f"<Front of {self.problem.name!r}: {self.summary()}>"

    def summary(self) -> str:
        """Metrics, plans and proofs in a line."""
        what = " against ".join(self.metrics)
        proved = f"{int(self.proved.sum())} proved efficient"
        whole = ", none missing" if self.complete else ""
        return f"{what}, {count(len(self), 'plan')}, {proved}{whole}"

    @cached_property
    def gaps(self) -> FloatArray:
        """Largest possible relative gain in one metric without loss in another; float64[P]."""
        found: FloatArray = self.records.gaps(self.values).max(axis=1, initial=0.0)
        return found

    @property
    def proved(self) -> BoolArray:
        """Which plans are proved efficient; bool[P]."""
        return self.gaps <= self.gap

    @cached_property
    def complete(self) -> bool:
        """Whether no efficient plan is missing, up to ``gap``."""
        corners = upper_corners(self.values)
        return all(self.records.lower_corners(corner, self.gap) is None for corner in corners)

    @cached_property
    def lower_bounds(self) -> FloatArray:
        """A lower bound set: every plan's metrics are nowhere below those of some row; [C, M]."""
        return self.records.bound_set()

    @property
    def knee(self) -> int | None:
        """The plan that gives most for least: row of ``values``; ``None`` below three plans.

        The one farthest below the plane through the best of each metric (Das 1999).
        """
        return knee(self.values)

    def hypervolume(self, reference: Mapping[str, float] | Sequence[float] | None = None) -> float:
        """Volume that the plans dominate (Zitzler, Thiele 1999), in the product of the units.

        Parameters
        ----------
        reference
            Where the volume ends: a value for each metric. By default all axes are scaled to the
            front, from 0 to 1, and the reference is 1.1 in each; the volume then has no unit.

        Returns
        -------
        float
            0 without plans.
        """
        if not len(self):
            return 0.0
        if reference is None:
            low = self.values.min(axis=0)
            width = self.values.max(axis=0) - low
            scaled = (self.values - low) / np.where(width > 0, width, 1.0)
            return hypervolume(scaled, np.full(len(self.metrics), 1 + _BEYOND))
        return hypervolume(self.values, self._reference(reference))

    def _reference(self, reference: Mapping[str, float] | Sequence[float]) -> FloatArray:
        if isinstance(reference, Mapping):
            missing = [name for name in self.metrics if name not in reference]
            if missing:
                raise OffloadError(f"reference: has no value for {missing[0]!r}; give one")
            reference = [reference[name] for name in self.metrics]
        found = np.asarray(reference, float)
        if found.shape != (len(self.metrics),):
            expected = f"a value for each of {', '.join(self.metrics)}"
            raise OffloadError(f"reference: must be {expected}, got {reference!r}")
        return found

    def to_frame(self) -> pd.DataFrame:
        """A row a plan: all eight metrics, gap, proved, and whether it is the knee."""
        import pandas as pd

        rows = [[plan.metrics[name] for name in METRICS] for plan in self.plans]
        table = pd.DataFrame(rows, columns=list(METRICS), dtype=float)
        # The metrics of the front stand first.
        table = table[[*self.metrics, *(m for m in METRICS if m not in self.metrics)]]
        table["gap"] = self.gaps
        table["proved"] = self.proved
        table["knee"] = [row == self.knee for row in range(len(self))]
        return table

    def best(self, metric: str, **limits: float) -> Plan | None:
        """The plan that is best in a metric among those within limits; ``None`` if none is.

        ``front.best("energy", latency=0.5)`` is the least energy for half a second.
        """
        for name in (metric, *limits):
            if name not in METRICS:
                raise OffloadError(f"metric: must be one of {', '.join(METRICS)}, got {name!r}")
        within = [
            plan
            for plan in self.plans
            if all(plan.metrics[name] <= limit for name, limit in limits.items())
        ]
        return min(within, key=lambda plan: plan.metrics[metric], default=None)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an ``offload-front/1`` file, whole or not at all; gzip if it ends in ``.gz``."""
        from offload.fronts.files import save_front

        save_front(self, path)

    def plot_front(self, ax: Axes | None = None) -> Axes:
        """Draw the plans and the bounds; see :func:`offload.plot.front`."""
        from offload.plot import front

        return front(self, ax)

    def report(self, path: str | os.PathLike[str]) -> None:
        """Write the front as an HTML page; see :func:`offload.reporting.front_page`."""
        from offload.files import write_bytes
        from offload.reporting import front_page

        write_bytes(path, front_page(self).encode())

    def _repr_html_(self) -> str:
        head = f"<p><b>Front of {html.escape(self.problem.name)}</b>: {self.summary()}</p>"
        table = self.to_frame()[[*self.metrics, "gap", "proved", "knee"]]
        shown = {name: _writer(name) for name in self.metrics} | {"gap": percent}
        return head + table.to_html(border=0, max_rows=40, formatters=shown)


def _writer(name: str) -> Any:
    return lambda value: metric(name, value)
