"""Gantt chart of a plan: tasks on their nodes, transfers on the links that they hold."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from offload.arrays import FloatArray
from offload.critical import reasons
from offload.plot.bars import Bars, Chart, Row, chart
from offload.plot.interactive.figures import EDGE, figure, label, plotly
from offload.plot.style import GREY, colours, in_unit, tiers_of
from offload.units import count, quantity

if TYPE_CHECKING:
    from offload.plan import Plan

__all__ = ["gantt"]

_LANE = 22.0  # pixels of a row of height 1
_MARGIN = 90  # pixels above and below the rows
_SCREEN = 600  # pixels that are seen at once
_LABELLED = 300  # bars of tasks that carry their names, at most
_OUTLINED = 2000  # bars that have an outline: of many narrow ones nothing else would show
_FILLED = 0.86  # of a lane's height
_NAME = 28  # characters of a row's name, at most


def gantt(plan: Plan, rows: int = 100, bars: int = 15_000) -> Any:
    """Draw what runs where and when, coloured by tier, and when transfers hold which link.

    Tooltips say of a task its node, mode, times, execution and what it waited for; of a transfer
    where it goes, how much it carries and its four parts. A click on a tier hides or shows it.

    Parameters
    ----------
    rows
        Rows of nodes, and of links, at most: those that are busy longest.
    bars
        Bars of tasks, and of transfers, at most: the longest. What is left out is said beside the
        axis.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    OffloadError
        If plotly is not installed.
    """
    plotly()
    made = chart(plan, rows)
    missing = _left_out(made, bars)
    place = _Place(made.rows)
    latency = plan.metrics["latency"]
    size, unit = in_unit(latency) if np.isfinite(latency) else (1.0, "s")
    tasks, holds = _drawn(made.tasks, bars), _drawn(made.holds, bars)
    outline = 0.6 if len(tasks.row) + len(holds.row) <= _OUTLINED else 0.0
    traces = _task_traces(plan, tasks, place, size, outline)
    traces += _transfer_traces(plan, holds, place, size, outline)
    end = max([latency if np.isfinite(latency) else 0.0, *tasks.end.tolist()]) / size
    tall = _LANE * max(place.total, 2.0)
    on_top = tall > _SCREEN
    return figure(
        traces,
        height=_MARGIN + tall,
        margin={"l": 10, "r": 12, "t": 76 if on_top else 34, "b": 14 if on_top else 46},
        barmode="overlay",
        xaxis={
            "title": {"text": f"time ({unit})" + missing, "standoff": 8},
            "range": [0, max(end, 1e-12) * 1.01], "zeroline": False,
            # Of a chart that is scrolled the top is seen first.
            "side": "top" if on_top else "bottom",
        },
        yaxis={
            "range": [max(place.total, 2.0), 0], "fixedrange": True, "showgrid": False,
            "zeroline": False, "automargin": True, "tickmode": "array", "tickfont": {"size": 11},
            "tickvals": (place.top + place.height / 2).tolist(),
            "ticktext": [label(row.name, _NAME) for row in made.rows],
        },
        shapes=_rules(made.rows, place),
        uniformtext={"minsize": 8, "mode": "hide"},
    )  # fmt: skip


class _Place:
    """Where rows are, from the top down; a row of height 1 is a node with one task at a time."""

    def __init__(self, rows: Sequence[Row]) -> None:
        lanes = np.array([row.lanes for row in rows], float)
        node = np.array([row.kind == "node" for row in rows], bool)
        self.height = np.where(node, np.clip(lanes, 1.0, 6.0), np.clip(0.4 * lanes, 0.7, 1.6))
        self.top = np.cumsum(self.height) - self.height
        self.lane = self.height / np.maximum(lanes, 1)
        self.total = float(self.height.sum())

    def middle(self, bars: Bars) -> FloatArray:
        """The middles of bars."""
        middle: FloatArray = self.top[bars.row] + self.lane[bars.row] * (bars.lane + 0.5)
        return middle


def _drawn(bars: Bars, most: int) -> Bars:
    """The longest bars, of those with times that are finite."""
    kept = np.flatnonzero(np.isfinite(bars.begin) & np.isfinite(bars.end))
    length = bars.end[kept] - bars.begin[kept]
    return bars.take(np.sort(kept[np.argsort(-length, kind="stable")[:most]]))


def _task_traces(plan: Plan, bars: Bars, place: _Place, size: float, outline: float) -> list[Any]:
    """A trace a tier."""
    tiers = [node.tier for node in plan.problem.network.nodes]
    colour, parts = colours(tiers), plan.parts
    tier_of = np.array([tiers[k] for k in parts.node[bars.source].tolist()], object)
    told, names = _task_texts(plan, bars), plan.problem.tables.task_ids
    labelled = len(bars.source) <= _LABELLED
    traces = []
    for tier in tiers_of(tiers):
        own = np.flatnonzero(tier_of == tier)
        if not len(own):
            continue
        here = parts.task[bars.source[own]].tolist()
        inside = [label(names[i]) for i in here] if labelled else None
        traces.append(_trace(
            bars.take(own), place, size, tier or "(no tier)", colour[tier], outline,
            [told[i] for i in own],
            "<b>%{customdata[0]}</b><br>on %{customdata[1]}<br>%{customdata[2]} to %{customdata[3]}"
            "<br>execution %{customdata[4]}%{customdata[5]}<extra></extra>", inside,
        ))  # fmt: skip
    return traces


def _task_texts(plan: Plan, bars: Bars) -> list[list[str]]:
    """Of each bar: task, node and mode, start, finish, execution, what it waited for."""
    tables, parts, why = plan.problem.tables, plan.parts, reasons(plan)
    execution = plan.measured.execution
    nodes = [label(name) for name in tables.node_ids]
    told = []
    for p in bars.source.tolist():
        k, m, i = int(parts.node[p]), int(parts.mode[p]), int(parts.task[p])
        mode = f", mode {label(tables.mode_ids[k][m])}" if len(tables.mode_ids[k]) > 1 else ""
        part = f" ({quantity(float(parts.fraction[p]), '')} of it)" if parts.fraction[p] < 1 else ""
        reason = why[p] if why else ""
        told.append([
            label(tables.task_ids[i]) + part, nodes[k] + mode,
            quantity(float(parts.start[p]), "s"), quantity(float(parts.finish[p]), "s"),
            quantity(float(execution[p]), "s"),
            f"<br>waited for: {label(reason)}" if reason else "",
        ])  # fmt: skip
    return told


def _transfer_traces(
    plan: Plan, bars: Bars, place: _Place, size: float, outline: float
) -> list[Any]:
    rows, tables = plan.transfers, plan.problem.tables
    if not len(bars.source):
        return []
    times = tables.transfer(rows.size, rows.src, rows.dst, rows.codec)
    sent = rows.size / tables.codec_ratio[rows.codec]
    known: dict[int, list[str]] = {}
    for x in np.unique(bars.source).tolist():
        ends = tables.node_ids[rows.src[x]], tables.node_ids[rows.dst[x]]
        codec = rows.codec[x]
        named = zip(("encode", "serialise", "latency", "decode"), times, strict=True)
        shown = [(name, float(values[x])) for name, values in named]
        known[x] = [
            label(plan.transfer_name(x)), label(" → ".join(ends)),
            quantity(float(sent[x]), "B")
            + (f" ({label(tables.codec_ids[codec])})" if codec >= 0 else ""),
            quantity(float(rows.start[x]), "s"), quantity(float(rows.finish[x]), "s"),
            ", ".join(f"{name} {quantity(value, 's')}" for name, value in shown if value > 0),
        ]  # fmt: skip
    return [_trace(
        bars, place, size, "transfer on a link", GREY, outline,
        [known[x] for x in bars.source.tolist()],
        "<b>%{customdata[0]}</b><br>%{customdata[1]}, %{customdata[2]}<br>%{customdata[3]} to "
        "%{customdata[4]}<br>%{customdata[5]}<extra></extra>", None,
    )]  # fmt: skip


def _trace(
    bars: Bars, place: _Place, size: float, name: str, colour: str, outline: float,
    told: Sequence[Sequence[str]], template: str, inside: Sequence[str] | None,
) -> Any:  # fmt: skip
    go = plotly()
    return go.Bar(
        orientation="h", name=label(name), base=bars.begin / size,
        x=(bars.end - bars.begin) / size, y=place.middle(bars),
        width=place.lane[bars.row] * _FILLED, customdata=told, hovertemplate=template,
        marker={"color": colour, "line": {"color": EDGE, "width": outline}},
        text=inside, textposition="none" if inside is None else "inside",
        insidetextanchor="middle", textfont={"size": 11}, textangle=0,
    )  # fmt: skip


def _rules(rows: Sequence[Row], place: _Place) -> list[dict[str, Any]]:
    """A line between rows, and a heavier one between nodes and links."""
    shapes = []
    for number, (before, row) in enumerate(pairwise(rows)):
        heavy = before.kind != row.kind
        y = float(place.top[number + 1])
        shapes.append({
            "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "layer": "below",
            "line": {"color": "#888888" if heavy else "#EEEEEE", "width": 1.2 if heavy else 0.8},
        })  # fmt: skip
    return shapes


def _left_out(made: Chart, bars: int) -> str:
    shown = [sum(row.kind == kind for row in made.rows) for kind in ("node", "link")]
    found = (
        (made.nodes - shown[0], "less busy node"), (made.links - shown[1], "less busy link"),
        (len(made.tasks.row) - bars, "shorter task"),
        (len(made.holds.row) - bars, "shorter transfer"),
    )  # fmt: skip
    told = ", ".join(count(hidden, what) for hidden, what in found if hidden > 0)
    return f"; not shown: {told}" if told else ""
