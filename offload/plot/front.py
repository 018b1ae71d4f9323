"""A Pareto front: plans, what they attain, and the bounds that no plan is below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from offload.arrays import BoolArray, FloatArray
from offload.plot.labels import Labels
from offload.plot.style import (
    DASHES,
    FILLS,
    GREY,
    LINES,
    SMALL,
    axes_of,
    legend,
    metric_axis,
    plain,
    points,
)
from offload.units import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FrontLike", "front", "sight", "stairs"]

_WIDE = 20.0  # ratio of values from which an axis is logarithmic
_FAR = 3.0  # of the range of values: bounds that lie further below are out of sight
_MARGIN = 0.08  # of the range of values, on each side
_GAPS = 30  # plans whose gaps are written beside them, at most


class FrontLike(Protocol):
    """What a front has, of P plans and M metrics."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the two or three metrics."""

    @property
    def values(self) -> FloatArray:
        """float64[P, M], sorted by the first metric."""

    @property
    def proved(self) -> BoolArray:
        """bool[P]: whether a plan is proved to be on the front."""

    @property
    def gaps(self) -> FloatArray:
        """float64[P]; NaN where unknown."""

    @property
    def lower_bounds(self) -> FloatArray:
        """float64[C, M]: each plan's values are at least those of one of these rows."""

    @property
    def knee(self) -> int | None:
        """The plan at the knee, if there is one."""


def front(front: FrontLike, ax: Axes | None = None) -> Axes:
    """Draw the plans of a Pareto front.

    Plans that are proved to be on the front are discs, others are squares, with their gaps where
    those are known. For two metrics, the solid stairs are what the plans attain, the dashed ones
    what no plan is below; between them, in grey, it is not known whether there is a better plan. A
    third metric is a colour.

    Parameters
    ----------
    front
        As :func:`offload.pareto` makes it.
    ax
        Where to draw; a new figure's by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    OffloadError
        If matplotlib is not installed.
    """
    ax = axes_of(ax, 6.4 if len(front.metrics) == 2 else 7.2, 4.6)
    values = np.asarray(front.values, float).reshape(-1, len(front.metrics))
    bounds = np.asarray(front.lower_bounds, float).reshape(-1, len(front.metrics))
    scales = [
        metric_axis(name, float(column[np.isfinite(column)].max(initial=0.0)))
        for name, column in zip(front.metrics, values.T, strict=True)
    ]
    sizes = np.array([size for size, _ in scales])
    values, bounds = values / sizes, bounds / sizes
    flat = len(front.metrics) == 2
    _axes(ax, values[:, :2], bounds[:, :2] if flat else bounds[:0, :2])
    ax.set_xlabel(scales[0][1])
    ax.set_ylabel(scales[1][1])
    plain(ax)
    proved = np.asarray(front.proved, bool)
    handles = _plans(ax, values, proved, None if flat else scales[2][1])
    if front.knee is not None:
        handles.append(_knee(ax, values[front.knee]))
    handles += _stairs(ax, values, bounds) if flat else []
    gaps = np.asarray(front.gaps, float)
    _gaps(ax, values, np.where(proved | (gaps >= 1), np.nan, gaps))  # of 1 nothing is known
    ax.grid(alpha=0.3)
    legend(ax, handles)
    return ax


def _axes(ax: Axes, values: FloatArray, bounds: FloatArray) -> None:
    """Ranges that hold all plans and the bounds near them; logarithmic where values range far."""
    sides: Any = ((ax.set_xscale, ax.set_xlim), (ax.set_yscale, ax.set_ylim))
    for number, (scale, limit) in enumerate(sides):
        kind, low, high = sight(values[:, number], bounds[:, number])
        if high > low:
            scale(kind)
            limit(low, high)


def sight(own: FloatArray, least: FloatArray) -> tuple[str, float, float]:
    """The kind and the ends of an axis of values and bounds; both ends are 0 without any."""
    if len(own) and np.ptp(own):
        least = least[least > own.min() - _FAR * np.ptp(own)]
    both = np.concatenate([own, least])
    both = both[np.isfinite(both)]
    if not len(both):
        return "linear", 0.0, 0.0
    low, high = float(both.min()), float(both.max())
    if len(own) and low > 0 and own.max() > _WIDE * own.min():
        margin = (high / low) ** _MARGIN
        return "log", low / margin, high * margin
    margin = _MARGIN * (high - low) or 0.05 * abs(high) or 1.0
    return "linear", low - margin, high + margin


def _stairs(ax: Axes, values: FloatArray, bounds: FloatArray) -> list[Any]:
    """What is attained, what cannot be, and the area between."""
    from matplotlib.patches import Patch

    right, top = ax.get_xlim()[1], ax.get_ylim()[1]
    handles: list[Any] = []
    upper, lower = (stairs(rows, right, top) for rows in (values, bounds))
    if len(upper) and len(lower):
        ax.fill(
            *np.concatenate([lower, upper[::-1]]).T, facecolor="#DDDDDD", edgecolor="none",
            zorder=0.5,
        )  # fmt: skip
        between = Patch(facecolor="#DDDDDD", label="open")
    for corners, colour, dash, label in (
        (upper, LINES[0], DASHES[0], "attained"), (lower, "black", DASHES[1], "lower bound"),
    ):  # fmt: skip
        if len(corners):
            handles += ax.plot(
                *corners.T, linewidth=1.2, label=label, zorder=1, color=colour, linestyle=dash
            )
    return [*handles, between] if len(handles) == 2 else handles


def stairs(rows: FloatArray, right: float, top: float) -> FloatArray:
    """The border of all that is at least one of some points in both values; [n, 2]."""
    rows = rows[np.isfinite(rows).all(1)]
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    if not len(rows):
        return np.zeros((0, 2))
    best = np.minimum.accumulate(rows[:, 1])
    rows = rows[np.concatenate([[True], rows[1:, 1] < best[:-1]])]
    x, y = rows.T
    corners = np.stack([np.repeat(x, 2), np.concatenate([[max(top, y[0])], np.repeat(y, 2)[:-1]])])
    end = [[max(right, x[-1])], [y[-1]]]
    return np.concatenate([corners, end], 1).T


def _plans(ax: Axes, values: FloatArray, proved: BoolArray, third: str | None) -> list[Any]:
    """Markers; with a third metric its colours, and a bar that explains them."""
    from matplotlib.lines import Line2D

    handles: list[Any] = []
    look: dict[str, Any] = {"zorder": 3, "s": 42}
    shades: Any = [FILLS[5]] * len(values)
    if third is not None and len(values):
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        # Even in lightness, for grey and the colour-blind.
        mapped = ScalarMappable(Normalize(values[:, 2].min(), values[:, 2].max()), "cividis_r")
        ax.figure.colorbar(mapped, ax=ax, label=third)
        shades = mapped.to_rgba(values[:, 2])
    for chosen, filled, label in ((proved, True, "plan, proved"), (~proved, False, "plan")):
        if not chosen.any():
            continue
        own = np.array(shades)[chosen]
        marker = "o" if filled else "s"
        edge: Any
        face: Any
        edge, face = ("black", own) if filled else (own, "white")
        if third is not None and not filled:
            edge, face = "black", own
        ax.scatter(
            *values[chosen, :2].T, marker=marker, facecolors=face, edgecolors=edge,
            linewidths=0.8 if filled or third is not None else 1.6, **look,
        )  # fmt: skip
        hollow = not filled and third is None
        handles.append(
            Line2D(
                [], [], linestyle="", marker=marker, label=label,
                markeredgecolor=FILLS[5] if hollow else "black",
                markerfacecolor="white" if hollow else (FILLS[5] if third is None else GREY),
            )
        )  # fmt: skip
    return handles


def _knee(ax: Axes, value: FloatArray) -> Any:
    from matplotlib.lines import Line2D

    look: dict[str, Any] = {
        "linestyle": "", "marker": "o", "markerfacecolor": "none", "markeredgecolor": LINES[5],
        "markeredgewidth": 1.8,
    }  # fmt: skip
    ax.plot(*value[:2], markersize=14, zorder=4, **look)
    return Line2D([], [], markersize=10, label="knee", **look)


def _gaps(ax: Axes, values: FloatArray, gaps: FloatArray) -> None:
    """The gap of each plan that is not proved, where few are and there is room."""
    known = np.flatnonzero(np.isfinite(gaps))
    if not 0 < len(known) <= _GAPS:
        return
    width, height = points(ax, ["000"])
    room = Labels(width, height)
    place = ax.transLimits.transform(ax.transScale.transform(values[:, :2])) * (width, height)
    for x, y in place.tolist():
        room.take(x, y, 9, 9)
    for i in known.tolist():
        text = percent(float(f"{gaps[i]:.2g}"))
        x, y = place[i].tolist()
        away = 6 + room.width(text, SMALL - 1) / 2
        for right, up in ((away, 6), (-away, -6), (away, -6), (-away, 6)):
            if room.fits(text, SMALL - 1, x + right, y + up):
                ax.annotate(
                    text, (values[i, 0], values[i, 1]), xytext=(right, up), ha="center",
                    va="center", textcoords="offset points", fontsize=SMALL - 1,
                )  # fmt: skip
                break
