"""Loads of the stages of a plan, and of its busiest links, beside the period that they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from offload.plot.style import GREY, SMALL, axes_of, colours, in_unit, ink, legend, row_limit
from offload.stage_table import link_loads
from offload.stage_table import stages as stage_table
from offload.tiers import tiers_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from offload.plan import Plan

__all__ = ["stages"]

_LINKS = 5  # that are drawn, at most
_ROWS = 40  # stages, at most: those of most load
_LEAST = 11.0  # points of a row, at least
_NAME = 28  # characters of a name, at most
_INSIDE = 0.35  # of the width: bars that long carry their text inside


def stages(plan: Plan, ax: Axes | None = None) -> Axes:
    """Draw the load of each stage as a bar, coloured by tier, and the period as a line.

    Parameters
    ----------
    plan
        Any plan; :func:`offload.stages` says what its stages are. Links with channels follow, the
        busiest five.
    ax
        Where to draw; a new figure's by default (``.figure.savefig(...)``).

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    OffloadError
        If matplotlib is not installed.
    """
    table, links = stage_table(plan), link_loads(plan).head(_LINKS)
    whole, most = len(table), max(1, row_limit(None, ax, _ROWS, _LEAST) - len(links))
    if whole > most:
        kept = table["seconds"].nlargest(most).index
        table = table.loc[sorted(kept)]
    period = plan.metrics["period"]
    size, unit = in_unit(period)
    count = len(table) + len(links)
    ax = axes_of(ax, 8.0, min(16.0, 1.3 + 0.36 * max(count, 2)))
    colour = colours([node.tier for node in plan.problem.network.nodes])
    rows = [
        (f"{row['stage']}  {_short(row['node'])}", row["seconds"], colour[row["tier"]], _span(row))
        for row in table.to_dict("records")
    ] + [
        (f"{_short(row['from'])} → {_short(row['to'])}", row["seconds"], GREY, "link")
        for row in links.to_dict("records")
    ]
    end = max(period / size, 1e-12)
    for at, (_, seconds, shade, text) in enumerate(rows):
        length = seconds / size
        ax.barh(at, length, height=0.72, color=shade, edgecolor="black", linewidth=0.4)
        inside = length > _INSIDE * end
        ax.text(
            0.01 * end if inside else length + 0.01 * end, at, text, va="center", fontsize=7.5,
            color=ink(shade) if inside else "black", clip_on=True, parse_math=False,
        )  # fmt: skip
    ax.axvline(end, color="black", linewidth=1.0, linestyle="--")
    ax.set_xlim(0, end * 1.04)
    ax.set_ylim(count - 0.4, -0.6)
    ax.set_yticks(range(count), [name for name, *_ in rows], fontsize=SMALL, parse_math=False)
    note = f"\nthe busiest {len(table)} of {whole} stages" if len(table) < whole else ""
    ax.set_xlabel(f"load for each input ({unit}); the dashed line is the period{note}")
    used = [t for t in tiers_of([n.tier for n in plan.problem.network.nodes])
            if t in set(table["tier"])]  # fmt: skip
    _legend(ax, {tier: colour[tier] for tier in used}, bool(len(links)))
    return ax


def _short(name: str, most: int = _NAME) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _span(row: Mapping[Any, Any]) -> str:
    """Which tasks a stage has, in words."""
    first, last, tasks = _short(str(row["first"])), _short(str(row["last"])), row["tasks"]
    return first if tasks == 1 else f"{first} … {last} ({tasks})"


def _legend(ax: Axes, shades: dict[str, str], linked: bool) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=shade, edgecolor="black", label=t) for t, shade in shades.items()]
    if linked:
        handles.append(Patch(facecolor=GREY, edgecolor="black", label="link"))
    legend(ax, handles)
