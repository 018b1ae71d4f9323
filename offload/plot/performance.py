"""Performance profiles: how often each method comes within a factor of the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offload.plot.style import DASHES, LINES, MARKERS, SMALL, axes_of, plain

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["profiles"]

_TITLES = {
    "objective": ("objective / best of all methods", "share of results"),
    "seconds": ("time to a proof / fastest method", "share proved optimal"),
}
_LEAST = 1.1  # where the axis ends at least
_WIDE = 10.0  # from where on it is logarithmic
_COLUMN = 20  # names in a column of the legend, at most
_MARKS = 6  # on a line, about; they tell lines apart in grey
_INSIDE = 6  # methods up to which the legend stands among the lines


def profiles(table: pd.DataFrame, ax: Axes | None = None, measure: str = "objective") -> Axes:
    """Draw performance profiles (Dolan, Moré 2002), a step function a method.

    Parameters
    ----------
    table
        As ``Batch.profiles(measure)`` makes it: columns method, ratio, share.
    ax
        Where to draw; a new figure's by default.
    measure
        What the ratios are of, for the axes' names.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    OffloadError
        If matplotlib is not installed.
    """
    ax = axes_of(ax, 6.0, 4.2)
    end = max(_LEAST, float(table["ratio"].max()) ** 1.05 if len(table) else _LEAST)
    for number, (name, steps) in enumerate(table.groupby("method", sort=False)):
        ax.step(
            [*steps["ratio"], end], [*steps["share"], steps["share"].iloc[-1]], where="post",
            label=str(name), color=LINES[number % len(LINES)],
            linestyle=DASHES[number % len(DASHES)], marker=MARKERS[number % len(MARKERS)],
            markersize=4, markevery=max(1, len(steps) // _MARKS),
        )  # fmt: skip
    across, up = _TITLES[measure]
    if end > _WIDE:
        ax.set_xscale("log")
    ax.set_xlim(1, end)
    ax.set_ylim(0, 1.02)
    ax.set_xlabel(across)
    ax.set_ylabel(up)
    ax.grid(alpha=0.3)
    plain(ax)
    lines = len(ax.get_lines())
    if 0 < lines <= _INSIDE:
        ax.legend(loc="lower right", fontsize=SMALL)
    elif lines:  # beside the lines, which would not leave room
        ax.legend(
            loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=SMALL, frameon=False,
            ncols=-(-lines // _COLUMN),
        )  # fmt: skip
    return ax
