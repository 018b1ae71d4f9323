"""Slots and memory of nodes over time, a row a node, against what the nodes have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from offload.arrays import FloatArray
from offload.occupancy import Steps, memory_over_time, slots_over_time
from offload.plot.style import (
    FILLS,
    SMALL,
    axes_of,
    colours,
    in_unit,
    legend,
    points,
    row_limit,
    span_of,
    tiers_of,
    time_axis,
)
from offload.units import number, quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from offload.plan import Plan

__all__ = ["load", "memory"]

_ROWS = 40  # nodes, at most
_LEAST = 11.0  # points of a row, at least
_UNIT = 0.42  # inches of a figure for a row
_FULL = 0.8  # of a row's height, what a node has
_RESIDENT, _RUNNING = FILLS[5], FILLS[2]


class _Row(NamedTuple):
    """A node: its name, what it has (infinite: no limit), and what is in use."""

    name: str
    capacity: float
    steps: Steps
    shade: str


def load(plan: Plan, ax: Axes | None = None, rows: int | None = None) -> Axes:
    """Draw the occupied slots of each node over time; a full row is all that the node has.

    Parameters
    ----------
    ax
        Where to draw; a new figure's by default.
    rows
        Nodes, at most; by default 40, or as many as the given axes have room for. Those that are
        busy longest are drawn, and a note below says how many there are.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    OffloadError
        If matplotlib is not installed, or ``rows`` is below 1.
    """
    span_of(plan)
    nodes, used = plan.problem.network.nodes, slots_over_time(plan)
    shade = colours([node.tier for node in nodes])
    busy = plan.measured.node_load[0]
    chosen = _chosen(np.array([steps.peak for steps in used]), busy, ax, rows)
    drawn = [
        _Row(
            f"{nodes[k].id}  {number(used[k].peak)} / {nodes[k].slots}", float(nodes[k].slots),
            used[k], shade[nodes[k].tier],
        )
        for k in chosen
    ]  # fmt: skip
    note = _note(len(drawn), sum(steps.peak > 0 for steps in used), "run something")
    ax = _draw(plan, ax, drawn, "most in use /\nslots of the node", note)
    tiers = tiers_of([node.tier for node in nodes])
    found = {nodes[k].tier for k in chosen}
    _finish(ax, [(shade[tier], tier) for tier in tiers if tier in found], drawn, "slots")
    return ax


def memory(plan: Plan, ax: Axes | None = None, rows: int | None = None) -> Axes:
    """Draw the bytes in use on each node over time: what is resident, and above it the running.

    A full row is the node's memory, or, where that is unlimited, the most in use.

    Parameters
    ----------
    ax
        Where to draw; a new figure's by default.
    rows
        Nodes, at most; by default 40, or as many as the given axes have room for. Those with the
        largest share of their memory in use are drawn, and a note below says how many there are.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    OffloadError
        If matplotlib is not installed, or ``rows`` is below 1.
    """
    span_of(plan)
    nodes, used = plan.problem.network.nodes, memory_over_time(plan)
    peak = np.array([steps.peak for steps in used])
    capacity = plan.problem.tables.memory_capacity
    share = np.divide(peak, capacity, out=np.zeros(len(peak)), where=capacity > 0)
    chosen = _chosen(peak, share, ax, rows)
    drawn = []
    for k in chosen:
        limit = "unlimited" if np.isinf(capacity[k]) else quantity(float(capacity[k]), "B", 3)
        name = f"{nodes[k].id}  {quantity(float(peak[k]), 'B', 3)} / {limit}"
        drawn.append(_Row(name, float(capacity[k]), used[k], _RUNNING))
    note = _note(len(drawn), int((peak > 0).sum()), "use memory")
    ax = _draw(plan, ax, drawn, "most in use /\nmemory of the node", note)
    kinds = [(_RUNNING, "running")] if any(row.steps.peak > row.steps.base for row in drawn) else []
    kinds += [(_RESIDENT, "resident")] if any(row.steps.base > 0 for row in drawn) else []
    _finish(ax, kinds, drawn, "memory")
    return ax


def _chosen(peak: FloatArray, order: FloatArray, ax: Axes | None, rows: int | None) -> list[int]:
    """Nodes that are drawn, in the order of the file."""
    most = row_limit(rows, ax, _ROWS, _LEAST)
    used = np.flatnonzero(peak > 0)
    best = used[np.lexsort((used, -peak[used], -order[used]))[:most]]
    return sorted(best.tolist())


def _draw(plan: Plan, ax: Axes | None, rows: Sequence[_Row], what: str, note: str) -> Axes:
    """Each row's steps, from its base line at a whole number upwards."""
    from matplotlib.collections import LineCollection, PolyCollection

    ax = axes_of(ax, 9.0, 1.2 + _UNIT * max(len(rows), 2))
    end = span_of(plan)
    size, unit = in_unit(end)
    shapes: list[Any] = []
    shades, limits = [], []
    for at, row in enumerate(rows):
        whole = max(row.capacity, row.steps.peak) if np.isfinite(row.capacity) else row.steps.peak
        scale = _FULL / whole
        edge = np.append(row.steps.time, end) / size
        if row.steps.peak > row.steps.base:
            shapes.append(_outline(edge, row.steps.level * scale, at))
            shades.append(row.shade)
        if row.steps.base > 0:
            shapes.append(_outline(edge[[0, -1]], np.array([row.steps.base * scale]), at))
            shades.append(_RESIDENT)
        if np.isfinite(row.capacity):
            high = at - row.capacity * scale
            limits.append([(0.0, high), (end / size, high)])
    few = sum(len(shape) for shape in shapes) <= 4000
    ax.add_collection(
        PolyCollection(
            shapes, facecolors=shades, edgecolors="black" if few else "face", linewidths=0.4
        ),
        autolim=False,
    )
    ax.add_collection(
        LineCollection(limits, colors="black", linewidths=0.8, linestyles="--"), autolim=False
    )
    ax.add_collection(
        LineCollection(
            [[(0.0, at), (end / size, at)] for at in range(len(rows))], colors="#BBBBBB",
            linewidths=0.6,
        ),
        autolim=False,
    )  # fmt: skip
    ax.set_xlim(0, max(end / size, 1e-12) * 1.01)
    ax.set_ylim(max(len(rows), 1) - 0.7, -1.1)
    names = [row.name for row in rows]
    pitch = points(ax, names)[1] / max(len(rows), 1)
    ax.set_yticks(
        [at - _FULL / 2 for at in range(len(rows))], names,
        fontsize=min(SMALL, max(5.0, 0.85 * pitch)), parse_math=False,
    )  # fmt: skip
    ax.set_ylabel(what, fontsize=SMALL)
    time_axis(ax, unit, note)
    return ax


def _outline(edge: FloatArray, level: FloatArray, at: int) -> FloatArray:
    """Corners of steps over a base line; up is towards lower numbers."""
    x = np.concatenate([edge[:1], np.repeat(edge, 2)[1:-1], edge[-1:]])
    y = at - np.concatenate([[0.0], np.repeat(level, 2), [0.0]])
    return np.stack([x, y], 1)


def _finish(ax: Axes, kinds: Sequence[tuple[str, str]], rows: Sequence[_Row], what: str) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Patch(facecolor=shade, edgecolor="black", label=label) for shade, label in kinds
    ]
    if any(np.isfinite(row.capacity) for row in rows):
        label = f"{what} of the node"
        handles.append(Line2D([], [], color="black", linewidth=0.8, linestyle="--", label=label))
    legend(ax, handles)


def _note(drawn: int, count: int, verb: str) -> str:
    """How many nodes of how many are drawn, if not all."""
    if not count:
        return f"no nodes {verb}"
    return f"{drawn} of {count} nodes that {verb}" if drawn < count else ""
