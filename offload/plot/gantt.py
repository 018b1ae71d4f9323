"""Gantt chart of a plan: tasks on their nodes, transfers on the links that they hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from offload.arrays import FloatArray
from offload.plot.bars import Bars, Chart, Row, chart
from offload.plot.style import (
    GREY,
    SMALL,
    axes_of,
    colours,
    in_unit,
    ink,
    legend,
    points,
    row_limit,
    span_of,
    text_width,
    tiers_of,
    time_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from offload.plan import Plan

__all__ = ["gantt"]

_ROWS = 30  # of nodes, and of links, at most
_ROOM = 15.0  # points for a row of a node and one of a link, at least
_UNIT = 0.34  # inches of a figure for a row of a node
_LABELS = 200  # at most: those in the widest bars
_OUTLINED = 1500  # bars that are outlined, at most; more would be black
_LEAST = 5.0  # points, of the smallest text


def gantt(
    plan: Plan, ax: Axes | None = None, transfers: bool = True, rows: int | None = None
) -> Axes:
    """Draw what runs where and when, coloured by tier, and when transfers hold which link.

    Parameters
    ----------
    ax
        Where to draw; a new figure's by default (``.figure.savefig(...)``).
    transfers
        Draw a row for each direction of a link that is used (one for both of a half-duplex link).
        A transfer holds every link of its route while its bytes pass, and is drawn on each; coding
        before and after, and latency, hold nothing and are gaps.
    rows
        Rows of nodes, and of links, at most; by default 30, or as many as the given axes have
        room for. The busiest are drawn, and a note below says how many there are.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    OffloadError
        If matplotlib is not installed, or ``rows`` is below 1.
    """
    span = span_of(plan)
    drawn = chart(plan, row_limit(rows, ax, _ROWS, _ROOM), transfers)
    top, height = _heights(drawn.rows)
    total = float(top[-1] + height[-1]) if len(top) else 1.0
    ax = axes_of(ax, 10.0, 1.2 + _UNIT * max(total, 2.0))
    size, unit = in_unit(span)
    end = max(span / size, 1e-12)
    names = [row.name for row in drawn.rows]
    across, up = points(ax, names)
    ax.set_xlim(0, end * 1.01)
    ax.set_ylim(total + 0.1, -0.1)
    across, up = across / (end * 1.01), up / (total + 0.2)  # points a unit of the axes
    tiers = [node.tier for node in plan.problem.network.nodes]
    colour = colours(tiers)
    shade = [colour[tiers[drawn.rows[r].position]] for r in drawn.tasks.row.tolist()]
    place = _Place(ax, top, height, [row.lanes for row in drawn.rows], size)
    tables, parts = plan.problem.tables, plan.parts.task
    place.bars(drawn.tasks, shade)
    place.bars(drawn.holds, [GREY] * len(drawn.holds.row))
    count = len(shade) + len(drawn.holds.row)
    if count <= 10 * _OUTLINED:
        place.labels(drawn.tasks, shade, lambda i: tables.task_ids[int(parts[i])], across, up)
        place.labels(drawn.holds, [GREY] * count, plan.transfer_name, across, up)
    for boundary in top[1:]:
        ax.axhline(boundary, color="#DDDDDD", linewidth=0.5, zorder=0)
    ax.set_yticks(top + height / 2, names, parse_math=False)
    for row, tick in zip(drawn.rows, ax.get_yticklabels(), strict=True):
        high = up * (1.0 if row.kind == "node" else 0.56)
        tick.set_fontsize(min(SMALL, max(_LEAST, 0.9 * high)))
    time_axis(ax, unit, _note(drawn))
    used = {tiers[row.position] for row in drawn.rows if row.kind == "node"}
    _legend(ax, {tier: colour[tier] for tier in tiers_of(tiers) if tier in used}, drawn)
    return ax


def _heights(rows: Sequence[Row]) -> tuple[FloatArray, FloatArray]:
    """Upper end and height of each row; a node with one bar at a time has height 1."""
    node = np.array([row.kind == "node" for row in rows], bool)
    lanes = np.array([row.lanes for row in rows], float)
    height = np.where(
        node, np.clip(0.4 + 0.6 * lanes, 1.0, 4.0), np.clip(0.26 + 0.3 * lanes, 0.56, 1.2)
    )
    apart = np.where(~node & (np.arange(len(rows)) == node.sum()), 0.25, 0.0)
    return np.cumsum(height + apart) - height, height


class _Place:
    """Where bars go: each row's height is shared by its lanes."""

    def __init__(
        self, ax: Axes, top: FloatArray, height: FloatArray, lanes: list[int], size: float
    ) -> None:
        self.ax, self.size = ax, size
        self.lane = 0.84 * height / np.maximum(lanes, 1)
        self.first = top + 0.08 * height

    def box(self, bars: Bars) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Left, right, upper and lower ends."""
        upper = self.first[bars.row] + bars.lane * self.lane[bars.row]
        return bars.begin / self.size, bars.end / self.size, upper, upper + self.lane[bars.row]

    def bars(self, bars: Bars, shade: Sequence[str]) -> None:
        """Draw rectangles."""
        from matplotlib.collections import PolyCollection

        if not len(shade):
            return
        left, right, upper, lower = self.box(bars)
        x, y = np.stack([left, left, right, right], 1), np.stack([upper, lower, lower, upper], 1)
        corners: Any = np.stack([x, y], 2)  # an array is taken at once, a list bar by bar
        few = len(shade) <= _OUTLINED
        self.ax.add_collection(
            PolyCollection(
                corners, facecolors=shade, edgecolors="black" if few else "face",
                linewidths=0.4 if few else 0.2,
            ),
            autolim=False,
        )  # fmt: skip

    def labels(
        self, bars: Bars, shade: Sequence[str], name: Callable[[int], str], across: float, up: float
    ) -> None:
        """Names in those bars that hold them; ``across`` and ``up``: points a unit."""
        left, right, upper, lower = self.box(bars)
        wide, high = (right - left) * across, (lower - upper) * up
        fits = np.flatnonzero((wide > 2 * _LEAST) & (high > 1.2 * _LEAST))
        for i in fits[np.argsort(-wide[fits], kind="stable")][:_LABELS].tolist():
            text, size = name(int(bars.source[i])), min(7.0, 0.8 * float(high[i]))
            if text_width(text, size) + 4 < wide[i]:
                self.ax.text(
                    (left[i] + right[i]) / 2, (upper[i] + lower[i]) / 2, text, ha="center",
                    va="center_baseline", fontsize=size, color=ink(shade[i]), clip_on=True,
                    parse_math=False,
                )  # fmt: skip


def _note(drawn: Chart) -> str:
    """How many rows of how many are drawn, if not all."""
    shown = {kind: sum(row.kind == kind for row in drawn.rows) for kind in ("node", "link")}
    left_out = [
        f"{shown[kind]} of {count} {what}"
        for kind, count, what in (
            ("node", drawn.nodes, "nodes"),
            ("link", drawn.links, "rows of links"),
        )
        if shown[kind] < count and (kind == "node" or shown[kind])
    ]
    return f"the busiest {', '.join(left_out)}" if left_out else ""


def _legend(ax: Axes, tiers: dict[str, str], drawn: Chart) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=colour, edgecolor="black", label=tier) for tier, colour in tiers.items()
    ]
    if len(drawn.holds.row):
        handles.append(Patch(facecolor=GREY, edgecolor="black", label="transfer on a link"))
    legend(ax, handles)
