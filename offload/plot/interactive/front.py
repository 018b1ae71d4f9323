"""A front of two or three metrics: its plans, what is proved of them, and where none can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from offload.arrays import BoolArray, FloatArray
from offload.errors import OffloadError
from offload.plot.interactive.figures import EDGE, GREY, figure, label, metric_axis, plotly
from offload.units import metric, percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from offload.plan import Plan

__all__ = ["Front", "front"]

_PROVED, _OPEN, _KNEE = "#0072B2", "#E69F00", "#D55E00"


class Front(Protocol):
    """What is drawn of a front of P plans over M metrics."""

    @property
    def metrics(self) -> Sequence[str]:
        """Names of the metrics."""

    @property
    def values(self) -> FloatArray:
        """Metrics of each plan; float64[P, M]."""

    @property
    def proved(self) -> BoolArray:
        """Whether a plan is proved to be on the front; bool[P]."""

    @property
    def gaps(self) -> FloatArray:
        """Relative gap of each plan; float64[P]."""

    @property
    def lower_bounds(self) -> FloatArray:
        """Every plan's metrics are at least those of one of these rows; float64[C, M]."""

    @property
    def knee(self) -> int | None:
        """The plan of the best trade-off."""

    @property
    def plans(self) -> Sequence[Plan]:
        """The plans."""


def front(front: Front) -> Any:
    """Draw a front: two metrics as a plane, three as a space that can be turned.

    Below and left of the line (in space: of the small points) there is proved to be no plan.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    OffloadError
        If plotly is not installed, or the front has neither two nor three metrics.
    """
    plotly()
    count = len(front.metrics)
    if count not in (2, 3):
        raise OffloadError(f"front: needs two or three metrics to be drawn, got {count}")
    largest = np.abs(front.values).max(axis=0, initial=0.0, where=np.isfinite(front.values))
    axes = [metric_axis(name, float(top)) for name, top in zip(front.metrics, largest, strict=True)]
    factors = np.array([factor for factor, _ in axes])
    titles = [{"title": {"text": title}} for _, title in axes]
    traces = [*_bound_traces(front, factors), *_plan_traces(front, factors)]
    if count == 2:
        return figure(traces, height=460, xaxis=titles[0], yaxis=titles[1] | {"automargin": True})
    names = ("xaxis", "yaxis", "zaxis")
    return figure(traces, height=560, scene=dict(zip(names, titles, strict=True)))


def _plan_traces(front: Front, factors: FloatArray) -> list[Any]:
    proved = np.asarray(front.proved, bool)
    knee = np.zeros(len(proved), bool)
    if front.knee is not None:
        knee[front.knee] = True
    told = _texts(front)
    groups = (
        ("proved", proved & ~knee, _PROVED, "circle"),
        ("not proved", ~proved & ~knee, _OPEN, "diamond-open"),
        ("knee", knee, _KNEE, "square"),
    )
    size = 11 if len(front.metrics) == 2 else 6
    return [
        _scatter(
            front.values[own] / factors, name=name, mode="markers",
            marker={"color": colour, "symbol": symbol, "size": size,
                    "line": {"color": EDGE if symbol != "diamond-open" else colour, "width": 1}},
            customdata=[told[p] for p in np.flatnonzero(own)],
            hovertemplate="%{customdata}<extra></extra>",
        )
        for name, own, colour, symbol in groups if own.any()
    ]  # fmt: skip


def _texts(front: Front) -> list[str]:
    told = []
    for p, row in enumerate(front.values.tolist()):
        lines = [f"<b>plan {p}</b>" + (", the knee" if p == front.knee else "")]
        lines += [f"{name} {metric(name, value)}"
                  for name, value in zip(front.metrics, row, strict=True)]  # fmt: skip
        gap = float(front.gaps[p])
        known = f", gap {percent(gap)}" if np.isfinite(gap) and not front.proved[p] else ""
        lines.append(("proved" if front.proved[p] else "not proved") + known)
        method = front.plans[p].result.get("method") if p < len(front.plans) else None
        lines += [f"by {label(str(method))}"] if method else []
        told.append("<br>".join(lines))
    return told


def _bound_traces(front: Front, factors: FloatArray) -> list[Any]:
    rows = np.asarray(front.lower_bounds, float).reshape(-1, len(front.metrics)) / factors
    rows = _least(rows[np.isfinite(rows).all(axis=1)])
    if not len(rows):
        return []
    name = "lower bounds"
    if rows.shape[1] == 3:
        marker = {"color": GREY, "size": 3, "symbol": "cross"}
        return [_scatter(rows, name=name, mode="markers", marker=marker, hoverinfo="skip")]
    values = front.values / factors
    top = np.maximum(values.max(axis=0, initial=0.0), rows.max(axis=0)) * 1.05
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    # From the top down to the first bound, step by step along the others, and out to the right.
    x = np.concatenate([[rows[0, 0]], np.repeat(rows[:, 0], 2)[1:], [top[0]]])
    y = np.concatenate([[top[1]], np.repeat(rows[:, 1], 2)])
    line = {"color": GREY, "width": 1.5, "dash": "dash"}
    return [_scatter(np.stack([x, y], 1), name=name, mode="lines", line=line, hoverinfo="skip")]


def _least(rows: FloatArray) -> FloatArray:
    """Those rows that no other is at most as large as in all metrics, each once."""
    rows = np.unique(rows, axis=0)
    below = np.asarray((rows[:, None, :] <= rows[None, :, :]).all(axis=2))
    least: FloatArray = rows[below.sum(axis=0) == 1]  # each is below itself
    return least


def _scatter(points: FloatArray, **more: Any) -> Any:
    go = plotly()
    if points.shape[1] == 2:
        return go.Scatter(x=points[:, 0], y=points[:, 1], **more)
    return go.Scatter3d(x=points[:, 0], y=points[:, 1], z=points[:, 2], **more)
