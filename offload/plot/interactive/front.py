"""A front of two or three metrics: its plans, what is proved of them, and where none can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from offload.arrays import FloatArray
from offload.plot.front import sight, stairs
from offload.plot.interactive.figures import figure, label, plotly
from offload.plot.style import FILLS, GREY, LINES, metric_axis
from offload.units import metric, percent

if TYPE_CHECKING:
    from offload.fronts.front import Front

__all__ = ["front"]


def front(front: Front) -> Any:
    """Draw a front: two metrics as a plane, three as a space that can be turned.

    Plans that are proved to be on the front are discs, others are hollow squares; the knee has a
    ring. Of two metrics the solid stairs are what the plans attain and the dashed ones what no
    plan is below; of three, small crosses are lower bounds.

    Parameters
    ----------
    front
        As :func:`offload.pareto` makes it.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    OffloadError
        If plotly is not installed.
    """
    plotly()
    count = len(front.metrics)
    values = np.asarray(front.values, float).reshape(-1, count)
    bounds = np.asarray(front.lower_bounds, float).reshape(-1, count)
    known = np.where(np.isfinite(values), values, 0.0)
    scales = [
        metric_axis(name, float(top))
        for name, top in zip(front.metrics, known.max(axis=0, initial=0.0), strict=True)
    ]
    sizes = np.array([size for size, _ in scales])
    values, bounds = values / sizes, bounds[np.isfinite(bounds).all(axis=1)] / sizes
    axes: list[dict[str, Any]] = [{"title": {"text": title}} for _, title in scales]
    for number, axis in enumerate(axes):
        kind, *ends = sight(values[:, number], bounds[:, number])
        if ends[1] > ends[0]:
            axis |= {"type": kind, "range": np.log10(ends) if kind == "log" else ends}
    plans = _plan_traces(front, values)
    if count == 2:
        border = _border_traces(values, bounds)
        return figure(
            [*border, *plans], height=460, xaxis=axes[0], yaxis=axes[1] | {"automargin": True}
        )
    space = dict(zip(("xaxis", "yaxis", "zaxis"), axes, strict=True))
    return figure([*_bound_points(bounds), *plans], height=560, scene=space)


def _plan_traces(front: Front, values: FloatArray) -> list[Any]:
    proved = np.asarray(front.proved, bool)
    told = _texts(front)
    flat = values.shape[1] == 2
    size = 11 if flat else 6
    looks: tuple[tuple[str, Any, dict[str, Any]], ...] = (
        ("plan, proved", proved, {"color": FILLS[5], "symbol": "circle", "size": size}),
        ("plan", ~proved, {"color": FILLS[5], "symbol": "square-open", "size": size}),
    )
    traces = [
        _scatter(
            values[own], name=name, mode="markers", marker=look,
            customdata=[told[p] for p in np.flatnonzero(own)],
            hovertemplate="%{customdata}<extra></extra>",
        )
        for name, own, look in looks if own.any()
    ]  # fmt: skip
    if front.knee is not None:
        ring = {"color": LINES[5], "symbol": "circle-open", "size": 2 * size, "line": {"width": 2}}
        own = values[front.knee : front.knee + 1]
        traces.append(_scatter(own, name="knee", mode="markers", marker=ring, hoverinfo="skip"))
    return traces


def _texts(front: Front) -> list[str]:
    told = []
    for p, row in enumerate(front.values.tolist()):
        lines = [f"<b>plan {p}</b>" + (", the knee" if p == front.knee else "")]
        lines += [f"{name} {metric(name, value)}"
                  for name, value in zip(front.metrics, row, strict=True)]  # fmt: skip
        gap = float(front.gaps[p])
        known = f", gap {percent(gap)}" if gap < 1 and not front.proved[p] else ""
        lines.append(("proved" if front.proved[p] else "not proved") + known)
        method = front.plans[p].result.get("method")
        lines += [f"by {label(str(method))}"] if method else []
        told.append("<br>".join(lines))
    return told


def _border_traces(values: FloatArray, bounds: FloatArray) -> list[Any]:
    """What is attained and what cannot be, out to a little beyond all plans."""
    both = np.concatenate([values, bounds])
    if not len(both):
        return []
    right, top = 1.05 * both.max(axis=0)
    kinds = (
        ("attained", values, {"color": LINES[0], "width": 1.5}),
        ("lower bound", bounds, {"color": "black", "width": 1.5, "dash": "dash"}),
    )
    return [
        _scatter(stairs(rows, right, top), name=name, mode="lines", line=line, hoverinfo="skip")
        for name, rows, line in kinds
        if len(rows)
    ]


def _bound_points(bounds: FloatArray) -> list[Any]:
    if not len(bounds):
        return []
    look = {"color": GREY, "size": 3, "symbol": "cross"}
    return [_scatter(bounds, name="lower bound", mode="markers", marker=look, hoverinfo="skip")]


def _scatter(points: FloatArray, **more: Any) -> Any:
    go = plotly()
    if points.shape[1] == 2:
        return go.Scatter(x=points[:, 0], y=points[:, 1], **more)
    return go.Scatter3d(x=points[:, 0], y=points[:, 1], z=points[:, 2], **more)
