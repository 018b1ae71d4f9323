"""Performance profiles: how often each method comes within a factor of the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offload.plot.style import LINES, axes_of

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
_DASHES = ("-", "--", "-.", ":")


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
            linestyle=_DASHES[number // len(LINES) % len(_DASHES)],
        )  # fmt: skip
    across, up = _TITLES[measure]
    if end > _WIDE:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(lambda value, position: f"{value:g}")
        ax.xaxis.set_minor_formatter("")
    ax.set_xlim(1, end)
    ax.set_ylim(0, 1.02)
    ax.set_xlabel(across)
    ax.set_ylabel(up)
    ax.grid(alpha=0.3)
    if len(table):
        ax.legend(loc="best", fontsize=8)
    return ax
