"""Gantt chart of a plan: tasks on their nodes, transfers on rows of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray
from offload.plot.style import axes_of, colours, in_unit, tiers_of

Positions = NDArray[np.integer]

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from offload.plan import Plan

__all__ = ["gantt"]

_ROW, _LINK = 0.8, 0.35  # heights of bars
_LABELLED = 150  # bars of tasks that carry their names, at most
_ROWS = 40  # rows of transfers, at most: those of most bytes
_CHARACTER = 0.6  # width of a character over its height


def gantt(plan: Plan, ax: Axes | None = None, transfers: bool = True) -> Axes:
    """Draw what runs where and when, coloured by tier, and what moves between nodes.

    Parameters
    ----------
    ax
        Where to draw; a new figure's by default (``.figure.savefig(...)``).
    transfers
        Draw a row for each pair of nodes between which something moves; the 40 of most bytes.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    OffloadError
        If matplotlib is not installed.
    """
    tables, parts = plan.problem.tables, plan.parts
    span = plan.metrics["latency"]
    size, unit = in_unit(span)
    lane, rows = _lanes(parts.node, parts.start, parts.finish, tables.nodes)
    names = [tables.node_ids[k] if first else "" for k, first in rows]
    pairs = _pairs(plan) if transfers else []
    height = len(rows) + _LINK * 1.6 * len(pairs)
    ax = axes_of(ax, 10.0, min(40.0, 1.2 + 0.34 * max(height, 2)))
    tiers = [node.tier for node in plan.problem.network.nodes]
    colour = colours(tiers)
    shade = [colour[tiers[k]] for k in parts.node.tolist()]
    _bars(ax, parts.start / size, parts.finish / size, lane.astype(float), _ROW, shade)
    ticks = [float(row) for row in range(len(rows))]
    base = len(rows) - 0.5
    for number, (src, dst, chosen) in enumerate(pairs):
        row = base + _LINK * 1.6 * (number + 0.6)
        moved = plan.transfers
        _bars(
            ax, moved.start[chosen] / size, moved.finish[chosen] / size,
            np.full(len(chosen), row), _LINK, ["#777777"] * len(chosen),
        )  # fmt: skip
        ticks.append(row)
        names.append(f"{tables.node_ids[src]} → {tables.node_ids[dst]}")
    ax.set_xlim(0, max(span / size, 1e-12) * 1.01)
    ax.set_ylim(base + _LINK * 1.6 * len(pairs) + 0.3, -0.6)
    ax.set_yticks(ticks, names, fontsize=8 if len(ticks) <= 60 else 5)
    ax.set_xlabel(f"time ({unit})")
    if len(parts.task) <= _LABELLED:
        _label(ax, plan, lane, size)
    used = [tier for tier in tiers_of(tiers) if tier in {tiers[k] for k in parts.node.tolist()}]
    _legend(ax, [(tier, colour[tier]) for tier in used], bool(pairs))
    return ax


def _lanes(
    node: Positions, start: FloatArray, finish: FloatArray, nodes: int
) -> tuple[Positions, list[tuple[int, bool]]]:
    """A row for each bar, so that none overlap; of each row its node, and if it is its first."""
    lane = np.zeros(len(start), np.int64)
    rows: list[tuple[int, bool]] = []
    for k in range(nodes):
        own = np.flatnonzero(np.asarray(node) == k)
        ends: list[float] = []
        first = len(rows)
        for i in own[np.lexsort((finish[own], start[own]))].tolist():
            free = next((n for n, end in enumerate(ends) if end <= start[i] * (1 + 1e-12)), None)
            if free is None:
                free = len(ends)
                ends.append(0.0)
                rows.append((k, free == 0))
            ends[free] = float(finish[i])
            lane[i] = first + free
    return lane, rows


def _pairs(plan: Plan) -> list[tuple[int, int, Positions]]:
    """Pairs of nodes and the rows of their transfers: those of most bytes, in order of nodes."""
    moved = plan.transfers
    nodes = plan.problem.tables.nodes
    key = moved.src.astype(np.int64) * nodes + moved.dst
    found, inverse = np.unique(key, return_inverse=True)
    total = np.bincount(inverse, moved.size, minlength=len(found))
    kept = np.sort(np.argsort(-total, kind="stable")[:_ROWS])
    return [
        (int(found[i] // nodes), int(found[i] % nodes), np.flatnonzero(inverse == i))
        for i in kept.tolist()
    ]


def _bars(
    ax: Axes, begin: FloatArray, end: FloatArray, row: FloatArray, height: float,
    shade: Sequence[str],
) -> None:  # fmt: skip
    from matplotlib.collections import PolyCollection

    low, high = row - height / 2, row + height / 2
    corners = np.stack([
        np.stack([begin, low], 1), np.stack([begin, high], 1),
        np.stack([end, high], 1), np.stack([end, low], 1),
    ], 1)  # fmt: skip
    ax.add_collection(
        PolyCollection(list(corners), facecolors=shade, edgecolors="black", linewidths=0.4)
    )


def _label(ax: Axes, plan: Plan, lane: Positions, size: float) -> None:
    """Names of tasks in those bars that are wide enough."""
    width = ax.bbox.width / ax.figure.dpi * 72 * 0.8  # about the final width, in points
    points = width / max(plan.metrics["latency"] / size, 1e-12)
    fontsize = 7.0
    parts = plan.parts
    for i, name in enumerate(plan.problem.tables.task_ids[t] for t in parts.task.tolist()):
        begin, end = parts.start[i] / size, parts.finish[i] / size
        if (end - begin) * points > len(name) * fontsize * _CHARACTER:
            ax.text(
                (begin + end) / 2, lane[i], name, ha="center", va="center", fontsize=fontsize,
                clip_on=True,
            )  # fmt: skip


def _legend(ax: Axes, tiers: Sequence[tuple[str, str]], moved: bool) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=colour, edgecolor="black", label=tier) for tier, colour in tiers]
    if moved:
        handles.append(Patch(facecolor="#777777", edgecolor="black", label="transfer"))
    ax.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(handles) or 1,
        frameon=False, fontsize=8,
    )  # fmt: skip
