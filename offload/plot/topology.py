"""The network, from devices to the cloud; with a plan, what runs where and what moves over it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from offload.arrays import FloatArray
from offload.plot.style import axes_of, colours, tiers_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from offload.plan import Plan
    from offload.problem import Problem

__all__ = ["topology"]

_NAMED = 60  # nodes that carry their names, at most
_THICK = 6.0  # points, of the link with most bytes


def topology(problem: Problem, plan: Plan | None = None, ax: Axes | None = None) -> Axes:
    """Draw nodes by tier and the links between them.

    Parameters
    ----------
    plan
        Nodes then say how many tasks they run, idle ones are white, and links are as thick as the
        bytes that they carry.
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
    nodes = problem.network.nodes
    tiers = tiers_of([node.tier for node in nodes])
    place = _places([tiers.index(node.tier) for node in nodes], len(tiers))
    most = max((sum(node.tier == tier for node in nodes) for tier in tiers), default=1)
    ax = axes_of(ax, 3.0 + 2.6 * len(tiers), min(20.0, 1.5 + 0.45 * max(most, 5)))
    _links(ax, problem, plan, place)
    colour = colours([node.tier for node in nodes])
    count = np.zeros(len(nodes), np.int64)
    if plan is not None:
        count = np.bincount(plan.parts.node, minlength=len(nodes))
    used = count > 0 if plan is not None else np.ones(len(nodes), bool)
    for tier in tiers:
        own = np.array([node.tier == tier for node in nodes])
        for shown, face in ((own & used, colour[tier]), (own & ~used, "white")):
            if shown.any():
                x, y = place[shown].T
                ax.scatter(
                    x, y, s=160 if len(nodes) <= _NAMED else 25, facecolor=face, zorder=3,
                    edgecolors="black" if face != "white" else colour[tier],
                    linewidths=0.6 if face != "white" else 1.5,
                )  # fmt: skip
    if len(nodes) <= _NAMED:
        for node, at, tasks in zip(nodes, place, count.tolist(), strict=True):
            text = node.id if not tasks else f"{node.id} ({tasks})"
            ax.annotate(
                text, at, xytext=(0, 9), textcoords="offset points", ha="center", va="bottom",
                fontsize=8, zorder=4,
                bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8},
            )  # fmt: skip
    ax.set_xlim(-0.5, len(tiers) - 0.5)
    ax.set_ylim(-0.08, 1.12)
    ax.set_xticks(range(len(tiers)), tiers)
    ax.set_yticks([])
    ax.tick_params(length=0)
    for side in ("top", "right", "left", "bottom"):
        ax.spines[side].set_visible(False)
    return ax


def _places(column: Sequence[int], columns: int) -> FloatArray:
    """Where nodes are drawn: a column a tier, spread over its height; float64[K, 2]."""
    place = np.zeros((len(column), 2))
    for number in range(columns):
        own = [k for k, c in enumerate(column) if c == number]
        for rank, k in enumerate(own):
            # Neighbours in a column are a little apart sideways, so that links along it show.
            shift = 0.12 * (rank % 2) if len(own) > 2 else 0.0
            place[k] = number + shift, 1 - (rank + 0.5) / len(own)
    return place


def _links(ax: Axes, problem: Problem, plan: Plan | None, place: FloatArray) -> None:
    from matplotlib.collections import LineCollection

    index = {node.id: k for k, node in enumerate(problem.network.nodes)}
    ends = [(index[link.src], index[link.dst]) for link in problem.network.links]
    if not ends:
        return
    moved = np.zeros(len(ends)) if plan is None else _bytes(plan)
    lines = [(place[k], place[l]) for k, l in ends]
    thin = 0.8 if len(ends) <= 200 else 0.2
    ax.add_collection(LineCollection(lines, colors="#BBBBBB", linewidths=thin, zorder=1))
    busy = np.flatnonzero(moved)
    if len(busy):
        width = 1.0 + (_THICK - 1.0) * np.sqrt(moved[busy] / moved.max())
        ax.add_collection(
            LineCollection([lines[i] for i in busy], colors="#777777", linewidths=width, zorder=2)
        )


def _bytes(plan: Plan) -> FloatArray:
    """Bytes that each link carries, both ways; float64[L]."""
    tables, rows = plan.problem.tables, plan.transfers
    row, arc = tables.routes.expand(rows.src, rows.dst)
    size = rows.size / tables.codec_ratio[rows.codec]
    link = tables.routes.arc_link[arc]
    return np.bincount(link, size[row], minlength=len(plan.problem.network.links)).astype(float)
