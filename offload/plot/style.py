"""What all pictures share: colours that the colour-blind can tell apart, units, axes, legends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from offload.errors import OffloadError
from offload.meters import in_notebook
from offload.tiers import tiers_of
from offload.units import METRIC_UNITS, prefixed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from offload.plan import Plan

__all__ = [
    "DASHES", "FILLS", "GREY", "LINES", "MARKERS", "SMALL", "axes_of", "bare", "colours", "in_unit",
    "ink", "legend", "metric_axis", "objective_axis", "plain", "points", "row_limit", "span_of",
    "text_width", "tiers_of", "time_axis",
]  # fmt: skip

# Areas. Tol 2021, "Colour schemes" (SRON/EPS/TN/09-002), medium contrast: told apart by the
# colour-blind, and in grey by lightness, which falls from one to the next.
FILLS = ("#EECC66", "#EE99AA", "#6699CC", "#997700", "#994455", "#004488")
# Of so many tiers, those whose lightness is furthest apart: devices are light, the cloud is dark.
_SPREAD = {1: (2,), 2: (0, 2), 3: (0, 2, 5), 4: (0, 2, 4, 5), 5: (0, 1, 2, 4, 5)}
GREY = "#777777"  # links, and what moves over them

# Lines: Okabe, Ito 2008, "Color universal design". Neighbours differ in their dashes too.
LINES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
DASHES: tuple[Literal["-", "--", "-.", ":"], ...] = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

SMALL = 8.0  # points, of the text of legends and names
_INNER = 0.773  # of a figure, matplotlib's share of the axes before a layout makes room
_NUMBER = "00000.00"  # as wide as numbers beside an axis and its name
_BESIDE, _ABOVE = 16.0, 62.0  # points, beside names of rows, and of legend and names below


def axes_of(ax: Axes | None, width: float, height: float) -> Axes:
    """The given axes, or those of a new figure of so many inches.

    Raises
    ------
    OffloadError
        If matplotlib is not installed.
    """
    if ax is not None:
        return ax
    try:
        from matplotlib.figure import Figure
    except ImportError:
        fix = "pip install 'offload[plot]'"
        raise OffloadError(f"pictures need matplotlib, which is not installed; {fix}") from None
    if in_notebook():
        from matplotlib import pyplot

        # The kernel shows pyplot's figures under the cell, and closes them.
        return pyplot.subplots(figsize=(width, height), layout="constrained")[1]
    # No window and no global state: a figure that the caller shows or saves.
    return Figure(figsize=(width, height), layout="constrained").subplots()


# -- colours -------------------------------------------------------------------------------------


def colours(tiers: Sequence[str]) -> dict[str, str]:
    """A colour for each tier, the same in every picture of an instance; darker towards the cloud.

    From seven tiers on colours come up again.
    """
    order = tiers_of(tiers)
    chosen = _SPREAD.get(len(order), tuple(range(len(FILLS))))
    return {tier: FILLS[chosen[i % len(chosen)]] for i, tier in enumerate(order)}


def ink(colour: str) -> str:
    """The colour of a text that stands on another: black or white."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(colour)
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "black"


# -- units ---------------------------------------------------------------------------------------


def in_unit(seconds: float) -> tuple[float, str]:
    """The unit in which a time is drawn: how many seconds it has, and its name."""
    return prefixed(seconds, "s")


def metric_axis(metric: str, most: float) -> tuple[float, str]:
    """For values up to ``most``: the unit's size in SI units, and the name of the axis."""
    unit = METRIC_UNITS.get(metric, "")
    size, unit = prefixed(most, unit) if unit else _power(most)
    return size, f"{metric} ({unit})" if unit else metric


def objective_axis(minimize: Mapping[str, float] | None, most: float) -> tuple[float, str]:
    """The same for an objective: a metric's, where it is that metric alone, else without unit."""
    weighted = {name: weight for name, weight in (minimize or {}).items() if weight > 0}
    if list(weighted.values()) == [1.0]:
        return metric_axis(next(iter(weighted)), most)
    size, unit = _power(most)
    return size, f"objective ({unit})" if unit else "objective"


def _power(most: float) -> tuple[float, str]:
    """For values without a unit: a power of 1000, where they are far from 1."""
    if most <= 0 or 1e-2 <= most < 1e5:
        return 1.0, ""
    power = 3 * math.floor(math.log10(most) / 3)
    return 10.0**power, f"1e{power}"


def plain(ax: Axes) -> None:
    """Whole numbers on the axes: neither powers on logarithmic ones nor offsets on others."""
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            low, high = sorted(axis.get_view_interval())
            axis.set_major_formatter(lambda value, position: f"{value:g}")
            if high > 10 * low:  # else there may be no power of ten to name
                axis.set_minor_formatter(NullFormatter())
            else:
                axis.set_minor_formatter(lambda value, position: f"{value:g}")
        else:
            formatter = ScalarFormatter(useOffset=False)
            formatter.set_scientific(False)
            axis.set_major_formatter(formatter)


def span_of(plan: Plan) -> float:
    """The last finish of a plan, in seconds.

    Raises
    ------
    OffloadError
        If it is not finite, so that there is no picture.
    """
    span = plan.metrics["latency"]
    if not math.isfinite(span):
        raise OffloadError(
            f"plan: its latency is {span}, and times that are not finite cannot be drawn; "
            "offload check names them"
        )
    return span


# -- room and text -------------------------------------------------------------------------------


def points(ax: Axes, names: Sequence[str] = (), size: float = SMALL) -> tuple[float, float]:
    """Width and height of axes in points, about as they will be beside the names of their rows."""
    box = ax.get_window_extent()
    width, height = (side / ax.figure.dpi * 72 for side in (box.width, box.height))
    if getattr(ax.figure, "get_layout_engine", lambda: None)() is None:
        return width, height
    longest = max((text_width(name, size) for name in names), default=0.0)
    room = width / _INNER - longest - _BESIDE, height / _INNER - _ABOVE
    return max(room[0], 0.3 * width), max(room[1], 0.3 * height)


def row_limit(rows: int | None, ax: Axes | None, most: int, room: float) -> int:
    """How many rows are drawn: those asked for, or up to ``most`` that have so many points each."""
    if rows is not None:
        if rows < 1:
            raise OffloadError(f"rows: must be >= 1, got {rows}")
        return rows
    return most if ax is None else max(3, min(most, int(points(ax)[1] / room)))


@lru_cache(maxsize=4096)
def text_width(text: str, size: float) -> float:
    """Width of a text in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size), False)
    return float(width)


def legend(ax: Axes, handles: Sequence[Any]) -> None:
    """A legend above the axes, of as many columns as fit their width; a title stands above it."""
    if not handles:
        return
    wide = [text_width(str(handle.get_label()), SMALL) + 5 * SMALL for handle in handles]
    names = [label.get_text() for label in ax.get_yticklabels()]
    room = points(ax, [*names, _NUMBER])[0] if len(ax.get_yticks()) else points(ax)[0]
    columns = max(1, len(wide) if sum(wide) <= room else int(room // max(wide)))
    made = ax.legend(
        handles=list(handles), loc="lower left", bbox_to_anchor=(0.0, 1.0), frameon=False,
        ncols=columns, fontsize=SMALL, borderaxespad=0.3,
    )  # fmt: skip
    for text in made.get_texts():
        text.set_parse_math(False)  # a name may have dollars
    _lift_title(ax, 2 + 1.6 * SMALL * -(-len(handles) // columns))


def _lift_title(ax: Axes, height: float) -> None:
    """Have a title so many points higher, whenever it is set.

    Titles avoid axes within axes, and those alone: some that show nothing stand there.
    """
    from matplotlib.transforms import ScaledTranslation

    up = ScaledTranslation(0, height / 72, ax.figure.dpi_scale_trans)
    ax.inset_axes((0, 1, 1, 1e-6), transform=ax.transAxes + up).set_axis_off()


def time_axis(ax: Axes, unit: str, note: str = "") -> None:
    """Name the axis of times, and below it write what a reader has to know."""
    if note:
        ax.set_xlabel(f"time ({unit})\n{note}", fontsize=SMALL)
    else:
        ax.set_xlabel(f"time ({unit})")


def bare(ax: Axes) -> None:
    """Take away ticks and frame, where places mean nothing."""
    ax.tick_params(length=0)
    ax.set_yticks([])
    for side in ("top", "right", "left", "bottom"):
        ax.spines[side].set_visible(False)
