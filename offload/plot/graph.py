"""The task graph from left to right; with a plan coloured by node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray
from offload.errors import OffloadError
from offload.plan import Plan
from offload.plot.layout import Layered, layered
from offload.plot.style import (
    DASHES,
    FILLS,
    MARKERS,
    SMALL,
    axes_of,
    bare,
    colours,
    ink,
    legend,
    points,
    text_width,
    tiers_of,
)
from offload.problem import Problem
from offload.tables import Lists

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["graph"]

_NAMED = 60  # tasks that carry their names, at most
_NODES = 24  # nodes that are told apart, at most; more are coloured by tier
_GAP = 26.0  # points between the boxes of two layers
_SIZES = (7.5, 6.5, 5.5)  # points, of names: the first that fits
_WIDE, _HIGH = 20.0, 14.0  # inches of a figure, at most
_CROWD = 300  # edges from which on those that stay are pale
_PLAIN = "#EEEEEE"  # without a plan, and parts on several nodes


def graph(
    plan: Plan | Problem, ax: Axes | None = None, by: Literal["node", "tier"] | None = None
) -> Axes:
    """Draw tasks by their depth, and the edges between them.

    Up to 60 tasks are boxes with their names and, of a plan, their nodes, where those fit; more
    are markers, a colour and a shape for each node. Edges between tasks on different nodes are
    solid, others dashed and pale.

    Parameters
    ----------
    plan
        A plan, or a problem for the graph alone.
    ax
        Where to draw; a new figure's by default.
    by
        What colours and shapes mean: the node, or its tier. By default the node, where no more
        than 24 run something.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    OffloadError
        If matplotlib is not installed, or ``by`` is something else.
    """
    if by not in (None, "node", "tier"):
        raise OffloadError(f"by: must be 'node', 'tier' or None, got {by!r}")
    problem = plan if isinstance(plan, Problem) else plan.problem
    resolved = problem.resolved
    depth = _depths(problem)
    laid = layered(depth, resolved.edge_src, resolved.edge_dst)
    styles = _styles(problem, None if isinstance(plan, Problem) else plan, by)
    high = laid.height.max(initial=0.0) + 1
    names = [styles.names[i] for i in range(len(depth))]
    if ax is not None:
        width, height = points(ax)
        size = next(
            (size for size in _SIZES if _box_width(depth, names, size)[1] <= width
             and high * size * styles.lines * 1.7 <= height), 0.0,
        )  # fmt: skip
    else:
        size = _SIZES[0] if _box_width(depth, names, _SIZES[0])[1] <= 72 * _WIDE else 0.0
    if size and len(depth) <= _NAMED:
        return _boxes(ax, depth, laid, styles, names, size)
    return _markers(ax, depth, laid, styles)


def _depths(problem: Problem) -> NDArray[np.int64]:
    """Edges on the longest path to each task; int64[T]."""
    resolved = problem.resolved
    depth = [0] * len(resolved.order)
    out = Lists.group(resolved.edge_src, len(depth))
    start, target = out.start.tolist(), resolved.edge_dst[out.values].tolist()
    for i in resolved.order.tolist():
        for j in target[start[i] : start[i + 1]]:
            depth[j] = max(depth[j], depth[i] + 1)
    return np.array(depth, np.int64)


# -- what things look like -----------------------------------------------------------------------


@dataclass(frozen=True)
class _Styles:
    """The look of each task and edge."""

    names: list[str]
    lines: int
    group: NDArray[np.int64]  # of each task; -1 is plain
    labels: list[str]  # of the groups, with the number of their tasks
    shades: list[str]  # of the groups
    moves: BoolArray | None  # of each edge, with a plan


def _styles(problem: Problem, plan: Plan | None, by: str | None) -> _Styles:
    tasks = [task.id for task in problem.graph.tasks]
    if plan is None:
        return _Styles(tasks, 1, np.full(len(tasks), -1), [], [], None)
    nodes, parts = problem.network.nodes, plan.parts
    places = Lists.group(parts.task, len(tasks))
    on = [sorted({int(parts.node[row]) for row in places.of(i)}) for i in range(len(tasks))]
    where = [
        " + ".join(nodes[k].id for k in own) if len(own) <= 2 else f"{len(own)} nodes" for own in on
    ]
    used = sorted({k for own in on for k in own})
    group = np.array([own[0] if len(own) == 1 else -1 for own in on], np.int64)
    if by == "tier" or (by is None and len(used) > _NODES):
        order = tiers_of([node.tier for node in nodes])
        shade = colours(order)
        kind = [order.index(node.tier) for node in nodes]
        labels, shades = list(order), [shade[tier] for tier in order]
    else:
        kind = [used.index(k) if k in used else -1 for k in range(len(nodes))]
        labels = [nodes[k].id for k in used]
        shades = [FILLS[(2 * i + i // 3) % len(FILLS)] for i in range(len(used))]
    group = np.where(group >= 0, np.array([*kind, -1])[group], -1)
    edges = zip(problem.resolved.edge_src.tolist(), problem.resolved.edge_dst.tolist(), strict=True)
    moves = np.array([on[i] != on[j] or len(on[i]) > 1 for i, j in edges], bool)
    count = np.bincount(group[group >= 0], minlength=len(labels)).tolist()
    labels = [f"{label} ({n})" for label, n in zip(labels, count, strict=True)]
    names = [f"{task}\n{place}" for task, place in zip(tasks, where, strict=True)]
    return _Styles(names, 2, group, labels, shades, moves)


# -- drawing -------------------------------------------------------------------------------------


def _box_width(
    depth: NDArray[np.int64], names: Sequence[str], size: float
) -> tuple[FloatArray, float]:
    """The width of the widest box of each layer, and of all with the gaps between, in points."""
    width = np.zeros(int(depth.max(initial=-1)) + 1)
    for layer, name in zip(depth.tolist(), names, strict=True):
        longest = max(text_width(line, size) for line in name.split("\n"))
        width[layer] = max(width[layer], longest + 0.8 * size)
    return width, float(width.sum() + _GAP * len(width))


def _boxes(
    ax: Axes | None, depth: NDArray[np.int64], laid: Layered, styles: _Styles,
    names: Sequence[str], size: float,
) -> Axes:  # fmt: skip
    """Names in boxes, with room in proportion to their lengths."""
    width, total = _box_width(depth, names, size)
    high = laid.height.max(initial=0.0) + 1
    ax = axes_of(ax, max(5.0, total / 72 + 0.6), 1.0 + high * size * styles.lines * 2.1 / 72)
    centre = np.cumsum(width + _GAP) - width / 2 - _GAP / 2
    # Edges begin and end behind their boxes, and are level along those of a layer.
    paths = []
    for path in laid.paths:
        layer = path[:, 0].astype(int)
        ends = np.stack([centre[layer] - width[layer] / 2, centre[layer] + width[layer] / 2], 1)
        x = np.concatenate([centre[layer[:1]], ends.ravel()[1:-1], centre[layer[-1:]]])
        paths.append(np.stack([x, np.repeat(path[:, 1], 2)], 1))
    handles = _edges(ax, paths, styles, 1.1)
    for i, name in enumerate(names):
        fill = styles.shades[styles.group[i]] if styles.group[i] >= 0 else _PLAIN
        ax.text(
            centre[depth[i]], laid.height[i], name, ha="center", va="center", fontsize=size,
            color=ink(fill), parse_math=False, zorder=3, linespacing=1.1,
            bbox={"boxstyle": "round,pad=0.3", "fc": fill, "ec": "black", "lw": 0.6},
        )  # fmt: skip
    ax.set_xlim(0, max(total, 1.0))
    return _finish(ax, laid, centre, handles)


def _markers(ax: Axes | None, depth: NDArray[np.int64], laid: Layered, styles: _Styles) -> Axes:
    """Tasks as markers of a colour and a shape."""
    from matplotlib.lines import Line2D

    high = laid.height.max(initial=0.0) + 1
    layers = int(depth.max(initial=0)) + 1
    ax = axes_of(ax, float(np.clip(0.5 * layers, 9, 14)), float(np.clip(0.13 * high + 2, 4, _HIGH)))
    across, up = points(ax)
    side = float(np.clip(0.8 * min(up / high, 0.4 * across / layers), 1.5, 9.0))
    thin = float(np.clip(300 / max(len(laid.paths), 1), 0.25, 1.0))
    lines = _edges(ax, laid.paths, styles, thin)
    handles = []
    for group in range(-1, len(styles.labels)):
        own = np.flatnonzero(styles.group == group)
        if not len(own):
            continue
        look: dict[str, Any] = {
            "marker": MARKERS[group % len(MARKERS)] if group >= 0 else "o",
            "markerfacecolor": styles.shades[group] if group >= 0 else _PLAIN,
            "markeredgecolor": "black", "markeredgewidth": min(0.6, 0.1 * side), "linestyle": "",
        }  # fmt: skip
        ax.plot(depth[own], laid.height[own], markersize=side, zorder=3, **look)
        if styles.moves is not None:
            label = styles.labels[group] if group >= 0 else f"several nodes ({len(own)})"
            handles.append(Line2D([], [], markersize=6, label=label, **look))
    ax.set_xlim(-0.5, layers - 0.5)
    return _finish(ax, laid, np.arange(float(layers)), handles + lines)


def _edges(ax: Axes, paths: Sequence[FloatArray], styles: _Styles, width: float) -> list[Any]:
    """Draw edges, those that move above those that stay; handles for the legend."""
    from matplotlib.collections import LineCollection
    from matplotlib.lines import Line2D

    many = len(paths) > _CROWD  # dashes would be noise
    stay = ("#C4C4C4", DASHES[0]) if many else ("#999999", DASHES[1])
    every = np.ones(len(paths), bool)
    moves = every if styles.moves is None else styles.moves
    handles = []
    for label, (colour, dash), chosen in (
        ("stays on its node", stay, ~moves), ("moves", ("#333333", DASHES[0]), moves),
    ):  # fmt: skip
        lines = [paths[i] for i in np.flatnonzero(chosen).tolist()]
        if lines:
            collection = LineCollection(
                lines, colors=colour, linestyles=dash, linewidths=width, zorder=1
            )
            ax.add_collection(collection, autolim=False)
            handles.append(Line2D([], [], color=colour, linestyle=dash, label=label))
    return handles if styles.moves is not None else []


def _finish(ax: Axes, laid: Layered, ticks: FloatArray, handles: Sequence[Any]) -> Axes:
    bare(ax)
    ax.set_ylim(laid.height.max(initial=0.0) + 0.7, -0.7)
    step = max(1, -(-len(ticks) // 30))
    depths = [str(depth) for depth in range(0, len(ticks), step)]
    ax.set_xticks(ticks[::step], depths, fontsize=SMALL)
    ax.set_xlabel("depth (edges on the longest path to a task)", fontsize=SMALL)
    legend(ax, handles)
    return ax
