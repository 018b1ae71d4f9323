"""The network, from devices to the cloud; with a plan, what runs where and what moves over it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from offload.arrays import FloatArray
from offload.plot.labels import Labels
from offload.plot.places import Places, circle, columns
from offload.plot.style import (
    GREY,
    SMALL,
    axes_of,
    bare,
    colours,
    legend,
    points,
    text_width,
    tiers_of,
)
from offload.units import count, quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from offload.plan import Plan
    from offload.problem import Problem

__all__ = ["topology"]

_THICK = 6.0  # points, of the link with most bytes
_PITCH = 23.0  # points between nodes of a column
_BETWEEN = 110.0  # points between columns, at least
_HIGH = 1150.0  # points, of a new figure's axes at most
_TEXT = 7.5  # points
_FEW = 4  # nodes of a column whose texts may stand on different sides
_LABELS = 30  # links that carry bytes, up to which they say how many


_Forms = tuple[str, ...]  # texts of one meaning, shorter and shorter


def topology(problem: Problem, plan: Plan | None = None, ax: Axes | None = None) -> Axes:
    """Draw nodes by tier and the links between them; a network of one tier as a circle.

    Parameters
    ----------
    plan
        Nodes then say how many tasks they run, and which share of their slots is busy until the
        last finish; idle ones are white. Links are as wide as the bytes that they carry both ways,
        and say how many that are, where there is room.
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
    nodes, links = problem.network.nodes, problem.network.links
    index = {node.id: k for k, node in enumerate(nodes)}
    src = np.array([index[link.src] for link in links], np.int64)
    dst = np.array([index[link.dst] for link in links], np.int64)
    tiers = tiers_of([node.tier for node in nodes])
    tier = np.array([tiers.index(node.tier) for node in nodes], np.int64)
    texts, idle, moved = _loads(problem, plan)
    places = columns(tier, src, dst) if len(tiers) > 1 else circle(len(nodes), src, dst)
    canvas = _Canvas(ax, places, texts)
    canvas.tiers(tiers, tier)
    shade = colours(tiers)
    faces = ["white" if off else shade[node.tier] for node, off in zip(nodes, idle, strict=True)]
    relay = np.array([node.slots == 0 for node in nodes], bool)
    canvas.nodes(faces, relay)
    handles = canvas.links(moved)
    legend(canvas.ax, [*_kinds(idle & ~relay, relay), *handles])
    return canvas.ax


def _loads(problem: Problem, plan: Plan | None) -> tuple[list[_Forms], Any, FloatArray]:
    """The texts of each node, whether it is idle, and the bytes that each link carries."""
    texts: list[_Forms] = [(node.id,) * 3 for node in problem.network.nodes]
    moved = np.zeros(len(problem.network.links))
    idle = np.array([node.slots == 0 for node in problem.network.nodes], bool)
    if plan is None:
        return texts, idle, moved
    table = plan.breakdown()
    for k, (many, busy) in enumerate(
        zip(table.nodes["tasks"].tolist(), table.nodes["utilisation"], strict=True)
    ):
        idle[k] = not many
        if many:
            share = f"{100 * busy:.0f} %" if busy >= 0.01 else "<1 %"
            name = texts[k][-1]
            long = f"{name}: {count(many, 'task')}, {share} busy"
            texts[k] = long, f"{name} ({many})", name
    np.add.at(moved, problem.tables.routes.arc_link, table.links["bytes"].to_numpy())
    return texts, idle, moved


def _kinds(idle: Any, relay: Any) -> list[Any]:
    """Entries of the legend for nodes that run nothing."""
    from matplotlib.lines import Line2D

    look: dict[str, Any] = {
        "linestyle": "", "markerfacecolor": "white", "markeredgecolor": "black",
    }  # fmt: skip
    kinds = ((idle, "o", 7, "idle"), (relay, "s", 4.5, "relay"))
    return [
        Line2D([], [], marker=marker, markersize=size, label=label, **look)
        for chosen, marker, size, label in kinds
        if chosen.any()
    ]


class _Canvas:
    """Axes in points, and what is taken on them."""

    def __init__(self, ax: Axes | None, places: Places, texts: Sequence[_Forms]) -> None:
        self.texts = list(texts)
        left, inner, right = _margins(places.side, self.texts)
        if ax is not None and left + right > 0.5 * points(ax)[0]:
            self.texts = [forms[1:] for forms in texts]
            left, inner, right = _margins(places.side, self.texts)
        self.rows, self.columns = places.y.max(initial=0.0), places.x.max(initial=0.0)
        if ax is None:
            # Texts above nodes of columns that are next to each other must not meet.
            across = max(_BETWEEN, 1.5 * (inner + 8)) * max(self.columns, 1.0)
            width = max(left + right + across, 300.0)
            height = min(_PITCH * (self.rows + 2.0), _HIGH)
            self.ax = axes_of(None, width / 72 + 0.25, max(height, 125.0) / 72 + 0.86)
        else:
            self.ax = ax
        width, height = points(self.ax)
        self.labels = Labels(width, height)
        self.pitch = (height - 2.2 * _PITCH) / max(self.rows, 1e-9) if self.rows else 0.0
        step = max(width - left - right, 10.0) / max(self.columns, 1e-9) if self.columns else 0.0
        self.scale = np.array([step, self.pitch])
        self.origin = np.array([left if self.columns else width / 2, 1.4 * _PITCH])
        if not self.rows:
            self.origin[1] = height / 2
        self.at = np.stack([places.x, places.y], 1) * self.scale + self.origin
        self.side = places.side
        self.paths = [path * self.scale + self.origin for path in places.paths]
        self.lines = np.concatenate([np.zeros((0, 2)), *map(_sampled, self.paths)])
        # The nearest two nodes of a column.
        apart = [np.diff(np.sort(places.y[places.x == x])) for x in np.unique(places.x)]
        near = min((float(gaps.min()) for gaps in apart if len(gaps)), default=2.0) * self.pitch
        self.size = float(np.clip(0.7 * near, 2.0, 11.0)) if self.rows else 11.0
        bare(self.ax)
        self.ax.set_xlim(0, width)
        self.ax.set_ylim(height, 0)

    def tiers(self, names: Sequence[str], tier: Any) -> None:
        """Names of tiers below their columns, lines between them."""
        ticks = []
        for number in range(len(names)):
            x = self.at[tier == number, 0]
            ticks.append(float(x.min() + x.max()) / 2)
            if number:
                edge = (self.at[tier == number - 1, 0].max() + x.min()) / 2
                self.ax.axvline(edge, color="#CCCCCC", linewidth=0.8, linestyle=":", zorder=0)
        self.ax.set_xticks(ticks, list(names), parse_math=False)

    def nodes(self, faces: Sequence[str], relay: Any) -> None:
        """Markers, and texts where there is room for them."""
        for marker, chosen, size in (("o", ~relay, self.size), ("s", relay, 0.6 * self.size)):
            if chosen.any():
                x, y = self.at[chosen].T
                self.ax.scatter(
                    x, y, s=size**2, marker=marker, zorder=3, edgecolors="black",
                    facecolor=[face for face, own in zip(faces, chosen, strict=True) if own],
                    linewidths=min(0.8, 0.1 * size),
                )  # fmt: skip
        for x, y in self.at.tolist():
            self.labels.take(x, y, self.size, self.size)
        away = self.size / 2 + 3
        up = away + 0.6 * _TEXT
        for forms, (x, y), side in zip(
            self.texts, self.at.tolist(), self.side.tolist(), strict=True
        ):
            for shown in forms:
                wide = text_width(shown, _TEXT)
                shifts = [(side * (away + 2), 0.0)] if side else self._calmer(x, y, up, wide)
                if any(self._text(shown, x, y, _TEXT, shift, side) for shift in shifts):
                    break

    def _calmer(self, x: float, y: float, up: float, width: float) -> list[tuple[float, float]]:
        """Shifts to above and below a node, that to where fewer lines pass first.

        Nodes of a long column have their texts on the same side.
        """
        own = self.at[np.abs(self.at[:, 0] - x) < 1e-9, 1]
        heights = own if len(own) > _FEW else np.array([y])
        line = self.lines[np.abs(self.lines[:, 0] - x) < width / 2, 1]
        above, below = (
            int((np.abs(line[:, None] - (heights + shift)) < 0.7 * _TEXT).sum())
            for shift in (-up, up)
        )
        return [(0.0, -up), (0.0, up)] if above <= below else [(0.0, up), (0.0, -up)]

    def links(self, moved: FloatArray) -> list[Any]:
        """Lines, as wide as their bytes; entries of the legend that say how wide that is."""
        from matplotlib.collections import LineCollection
        from matplotlib.lines import Line2D

        lines = self.paths
        if not lines:
            return []
        thin = 0.8 if len(lines) <= 200 else 0.3
        self.ax.add_collection(
            LineCollection(lines, colors="#BBBBBB", linewidths=thin, zorder=1), autolim=False
        )
        busy = np.flatnonzero(moved)
        if not len(busy):
            return []
        most = float(moved.max())

        thick = float(np.clip(10 * _THICK / len(busy), 2.0, _THICK))

        def width(size: Any) -> Any:
            return 0.8 + (thick - 0.8) * np.sqrt(size / most)

        self.ax.add_collection(
            LineCollection(
                [lines[i] for i in busy], colors=GREY, linewidths=width(moved[busy]), zorder=2,
                capstyle="round",
            ),
            autolim=False,
        )  # fmt: skip
        for i in busy[np.argsort(-moved[busy], kind="stable")].tolist():
            if len(busy) > _LABELS:
                break
            self._amount(quantity(float(moved[i]), "B", 3), lines[i])
        shown = [most] + [most / 10] * bool(moved[busy].min() < most / 3)
        return [
            Line2D([], [], color=GREY, linewidth=width(size), label=quantity(size, "B", 2))
            for size in shown
        ]

    def _amount(self, text: str, line: FloatArray) -> None:
        """A text on a line, where it meets no other."""
        for x, y in _along(line, np.array([0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8])).tolist():
            if self._text(text, x, y, SMALL - 1):
                return

    def _text(
        self, text: str, x: float, y: float, size: float,
        shift: tuple[float, float] = (0.0, 0.0), side: int = 0,
    ) -> bool:  # fmt: skip
        """Write a text beside a point where there is room for it, and say whether there was.

        ``side`` is where of the point it begins (right, 1) or ends (left, -1); 0 is its middle.
        """
        middle = x + shift[0] + side * text_width(text, size) / 2
        if not self.labels.fits(text, size, middle, y + shift[1]):
            return False
        self.ax.annotate(
            text, (x, y), xytext=(shift[0], -shift[1]), textcoords="offset points",
            ha=("center", "left", "right")[side], va="center", fontsize=size, zorder=4,
            parse_math=False,
            bbox={"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.85},
        )  # fmt: skip
        return True


def _margins(side: Any, texts: Sequence[Sequence[str]]) -> tuple[float, float, float]:
    """Room on the left of the nodes, the widest text above one, and room on the right; points."""
    wide = np.array([text_width(forms[0], _TEXT) for forms in texts])
    left, inner, right = (float(wide[side == at].max(initial=0.0)) for at in (-1, 0, 1))
    return max(left + 14, inner / 2 + 4, 30.0), inner, max(right + 14, inner / 2 + 4, 30.0)


def _along(line: FloatArray, shares: FloatArray) -> FloatArray:
    """Points at shares of the length of a line."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    return np.stack([np.interp(shares * length[-1], length, axis) for axis in line.T], 1)


def _sampled(line: FloatArray) -> FloatArray:
    return _along(line, np.linspace(0.0, 1.0, 60))
