"""How a solve converged: objective and bound over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from offload.errors import OffloadError
from offload.plot.style import (
    DASHES,
    LINES,
    SMALL,
    axes_of,
    in_unit,
    legend,
    objective_axis,
    plain,
    points,
    text_width,
)
from offload.units import percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from offload.plan import Progress

__all__ = ["convergence"]

_WIDE = 20.0  # ratio of values from which the axis of values is logarithmic
_LONG = 50.0  # ratio of times from which the axis of times is


def convergence(
    history: Sequence[Progress] | pd.DataFrame,
    ax: Axes | None = None,
    minimize: Mapping[str, float] | None = None,
) -> Axes:
    """Draw objective and bound of a solve as steps over time, with the gap between them in grey.

    Parameters
    ----------
    history
        Reports as ``offload.solve(..., on_progress=history.append)`` collects them, or a table with
        columns seconds, objective, bound, and perhaps method. Methods are named where they change.
    ax
        Where to draw; a new figure's by default.
    minimize
        What was minimized, as in ``result.minimize``: a single metric gives the axis its unit.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    OffloadError
        If matplotlib is not installed, or the table lacks a column.
    """
    seconds, objective, bound, methods = _columns(history)
    ax = axes_of(ax, 7.0, 4.2)
    known = np.concatenate([objective, bound])
    known = known[np.isfinite(known)]
    size, name = objective_axis(minimize, float(np.abs(known).max(initial=0.0)))
    end = float(seconds.max(initial=0.0))
    unit, unit_name = in_unit(end)
    time = seconds / unit
    handles: list[Any] = []
    both = np.isfinite(objective) & np.isfinite(bound)
    if both.any():
        area = ax.fill_between(
            time, bound / size, objective / size, where=both, step="post", color="#DDDDDD",
            linewidth=0,
        )  # fmt: skip
        last = int(np.flatnonzero(both)[-1])
        value = float(objective[last])
        gap = (value - float(bound[last])) / value if value else 0.0
        area.set_label(f"gap, {percent(max(gap, 0.0))} at the end")
        handles.append(area)
    for values, colour, dash, label in (
        (objective, LINES[0], DASHES[0], "objective of the best plan"),
        (bound, LINES[5], DASHES[1], "bound"),
    ):
        if np.isfinite(values).any():
            handles += ax.step(
                time,
                values / size,
                where="post",
                linewidth=1.8,
                label=label,
                color=colour,
                linestyle=dash,
            )
    if (known > 0).all() and len(known) and known.max() > _WIDE * known.min():
        ax.set_yscale("log")
    ax.margins(x=0.02, y=0.08)
    first = float(time[time > 0].min(initial=np.inf))
    if np.isfinite(first) and time.max() > _LONG * first:
        ax.set_xscale("log")
    ax.set_xlabel(f"time ({unit_name})")
    ax.set_ylabel(name)
    plain(ax)
    ax.grid(alpha=0.3)
    legend(ax, handles)
    _name(ax, time, methods)
    return ax


def _columns(history: Any) -> tuple[Any, Any, Any, list[str]]:
    """Times, objectives, bounds (NaN where unknown) and methods, by time."""
    if hasattr(history, "columns"):
        missing = {"seconds", "objective", "bound"} - set(history.columns)
        if missing:
            raise OffloadError(
                f"history: has no column {sorted(missing)[0]!r}; it needs seconds, objective, bound"
            )
        columns = [history[name].astype(float) for name in ("seconds", "objective", "bound")]
        methods = history["method"].tolist() if "method" in history.columns else [""] * len(history)
    else:
        rows = [(h.seconds, h.objective, h.bound) for h in history]
        columns = list(np.array(rows, float).reshape(-1, 3).T)
        methods = [report.method for report in history]
    seconds, objective, bound = (np.asarray(column, float) for column in columns)
    order = np.argsort(seconds, kind="stable")
    order = np.append(order, order[-1:])  # the last report lasts a little, so that it can be seen
    seconds = seconds[order]
    seconds[-1:] *= 1.05
    return seconds, objective[order], bound[order], [str(methods[i]) for i in order]


def _name(ax: Axes, time: Any, methods: Sequence[str]) -> None:
    """Name methods where they change, along the upper border, where names fit."""
    if len(set(methods)) < 2:
        return
    width, _ = points(ax, ["0.000"])
    low, high = ax.get_ylim()
    log = ax.get_yscale() == "log"
    top = high * (high / low) ** 0.12 if log else high + 0.12 * (high - low)
    changes = [
        i for i, name in enumerate(methods) if name and name != (methods[i - 1] if i else "")
    ]
    edge = [(time[i], low if log else high) for i in changes]
    left = ax.transLimits.transform(ax.transScale.transform(edge))[:, 0] * width
    for i, x, end in zip(changes, left.tolist(), [*left[1:].tolist(), width], strict=True):
        if text_width(methods[i], SMALL - 1) + 6 < end - x:
            ax.axvline(time[i], color="#999999", linewidth=0.7, linestyle=":", zorder=0)
            ax.annotate(
                methods[i], (time[i], 1.0), xycoords=ax.get_xaxis_transform(), xytext=(3, -3),
                textcoords="offset points", ha="left", va="top", fontsize=SMALL - 1,
            )  # fmt: skip
            ax.set_ylim(low, top)
