"""The best cut against bandwidth, beside all on the device and all in the cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offload.arrays import FloatArray
from offload.plot.style import LINES, axes_of, objective_axis, plain

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["bandwidth"]

_NAMES = 8  # cuts that are named, at most
_LONGEST = 24  # characters of a name, at most
_CHARACTER = 0.011  # width of a character, of the picture's
_WIDE = 20.0  # ratio of values from which the axis is logarithmic


def bandwidth(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the objectives of a sweep over bandwidths, and name the cuts where they change.

    Parameters
    ----------
    table
        As :func:`offload.sweep_bandwidth` makes it.
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
    ax = axes_of(ax, 7.0, 4.4)
    table = table.sort_values("bandwidth", kind="stable")
    columns = ["objective", "device_only", "cloud_only"]
    values = table[columns].astype(float)
    size, name = objective_axis(table.attrs.get("minimize"), float(values.max().max()))
    x = table["bandwidth"].to_numpy() / 1e6
    device, cloud = table.attrs.get("device", "device"), table.attrs.get("cloud", "cloud")
    styles = (
        ("device_only", f"all on {device}", LINES[1], "--", 1.4, None),
        ("cloud_only", f"all on {cloud}", LINES[2], "-.", 1.4, None),
        ("objective", "best plan", LINES[0], "-", 2.2, "o"),
    )
    for column, label, shade, dashes, width, marker in styles:
        y = values[column].to_numpy() / size
        if values[column].isna().all():
            continue
        ax.plot(
            x, y, label=label, color=shade, linestyle=dashes, linewidth=width, marker=marker,
            markersize=4,
        )  # fmt: skip
    ax.set_xscale("log")
    positive = values[values > 0]
    if float(positive.max().max()) > _WIDE * float(positive.min().min()):
        ax.set_yscale("log")
    ax.margins(x=0.04, y=0.16)
    most = _name_cuts(ax, table, x, values["objective"].to_numpy() / size)
    left, right = ax.get_xlim()  # room for names, which stand left of their points
    ax.set_xlim(left / (right / left) ** (_CHARACTER * most), right)
    ax.set_xlabel("bandwidth between tiers (MB/s)")
    ax.set_ylabel(name)
    plain(ax)
    ax.grid(alpha=0.3)
    if ax.get_lines():
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, frameon=False, fontsize=8)
    return ax


def _name_cuts(ax: Axes, table: pd.DataFrame, x: FloatArray, y: FloatArray) -> int:
    """Name the last task on the device, where it is another than before; the longest name."""
    named, before, longest = 0, object(), 0
    for cut, at, value in zip(table["cut"], x.tolist(), y.tolist(), strict=True):
        if cut == before or value != value or named == _NAMES:
            continue
        before, named = cut, named + 1
        text = "nothing" if cut is None or cut != cut else str(cut)
        text = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
        longest = max(longest, len(text))
        ax.annotate(
            text, (at, value), xytext=(-3, -7), textcoords="offset points", ha="right", va="top",
            fontsize=7.5, bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none",
                                "alpha": 0.8},
        )  # fmt: skip
    return longest
