"""Gantt chart of a plan: tasks on their nodes, transfers on the links that they hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from offload.critical import waits
from offload.plot.bars import Bars, Chart, chart
from offload.plot.interactive.figures import EDGE, GREY, figure, label, plotly
from offload.plot.style import colours, in_unit, tiers_of
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


def gantt(plan: Plan, nodes: int = 100, links: int = 40, bars: int = 15_000) -> Any:
    """Draw what runs where and when, coloured by tier, and what each link carries.

    Tooltips say of a task its node, mode, times, execution and what it waited for; of a transfer
    where it goes, how much it carries and its four parts. A click on a tier hides or shows it.

    Parameters
    ----------
    nodes, links
        Rows at most: those that are busy longest. What is left out is counted beside the axis.
    bars
        Bars of tasks at most, and of transfers: the longest.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    OffloadError
        If plotly is not installed.
    """
    plotly()
    made = chart(plan, nodes, links)
    missing = _left_out(made, bars)
    made = made._replace(tasks=_longest(made.tasks, bars), transfers=_longest(made.transfers, bars))
    latency = plan.metrics["latency"]
    size, unit = in_unit(latency) if np.isfinite(latency) else (1.0, "s")
    outline = 0.6 if len(made.tasks.of) + len(made.transfers.of) <= _OUTLINED else 0.0
    traces = [
        *_task_traces(plan, made, size, outline),
        *_transfer_traces(plan, made, size, outline),
    ]
    end = max([latency if np.isfinite(latency) else 0.0, *made.tasks.finish.tolist()]) / size
    tall = _LANE * max(made.height, 2.0)
    on_top = tall > _SCREEN
    return figure(
        traces,
        height=_MARGIN + tall,
        margin={"l": 10, "r": 12, "t": 76 if on_top else 34, "b": 14 if on_top else 46},
        barmode="overlay",
        xaxis={
            "title": {
                "text": f"time ({unit})" + (f"; not shown: {missing}" if missing else ""),
                "standoff": 8,
            },
            "range": [0, max(end, 1e-12) * 1.01], "zeroline": False,
            # Of a chart that is scrolled the top is seen first.
            "side": "top" if on_top else "bottom",
        },
        yaxis={
            "range": [max(made.height, 2.0), 0], "fixedrange": True, "showgrid": False,
            "zeroline": False, "automargin": True, "tickmode": "array",
            "tickfont": {"size": 11},
            "tickvals": [row.top + row.height / 2 for row in made.rows],
            "ticktext": [label(row.name, _NAME) for row in made.rows],
        },
        shapes=_rules(made),
        uniformtext={"minsize": 8, "mode": "hide"},
    )  # fmt: skip


def _task_traces(plan: Plan, made: Chart, size: float, outline: float) -> list[Any]:
    """A trace a tier."""
    tiers = [node.tier for node in plan.problem.network.nodes]
    colour, bars, parts = colours(tiers), made.tasks, plan.parts
    tier_of = np.array([tiers[k] for k in parts.node[bars.of].tolist()], object)
    told, names = _task_texts(plan, bars), plan.problem.tables.task_ids
    labelled = len(bars.of) <= _LABELLED
    traces = []
    for tier in tiers_of(tiers):
        own = np.flatnonzero(tier_of == tier)
        if not len(own):
            continue
        inside = [label(names[i]) for i in parts.task[bars.of[own]].tolist()] if labelled else None
        traces.append(_trace(
            bars, own, size, tier or "(no tier)", colour[tier], outline, [told[i] for i in own],
            "<b>%{customdata[0]}</b><br>on %{customdata[1]}<br>%{customdata[2]} to %{customdata[3]}"
            "<br>execution %{customdata[4]}%{customdata[5]}<extra></extra>", inside,
        ))  # fmt: skip
    return traces


def _task_texts(plan: Plan, bars: Bars) -> list[list[str]]:
    """Of each bar: task, node and mode, start, finish, execution, what it waited for."""
    tables, parts, steps = plan.problem.tables, plan.parts, waits(plan)
    execution = plan.measured.execution
    nodes = [label(name) for name in tables.node_ids]
    told = []
    for p in bars.of.tolist():
        k, m, i = int(parts.node[p]), int(parts.mode[p]), int(parts.task[p])
        mode = f", mode {label(tables.mode_ids[k][m])}" if len(tables.mode_ids[k]) > 1 else ""
        part = f" ({quantity(float(parts.fraction[p]), '')} of it)" if parts.fraction[p] < 1 else ""
        reason = steps[p].reason if steps else ""
        told.append([
            label(tables.task_ids[i]) + part, nodes[k] + mode,
            quantity(float(parts.start[p]), "s"), quantity(float(parts.finish[p]), "s"),
            quantity(float(execution[p]), "s"), f"<br>{label(reason)}" if reason else "",
        ])  # fmt: skip
    return told


def _transfer_traces(plan: Plan, made: Chart, size: float, outline: float) -> list[Any]:
    bars, rows, tables = made.transfers, plan.transfers, plan.problem.tables
    if not len(bars.of):
        return []
    times = tables.transfer(rows.size, rows.src, rows.dst, rows.codec)
    sent = rows.size / tables.codec_ratio[rows.codec]
    known: dict[int, list[str]] = {}
    for x in np.unique(bars.of).tolist():
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
        bars, np.arange(len(bars.of)), size, "transfer", GREY, outline,
        [known[x] for x in bars.of.tolist()],
        "<b>%{customdata[0]}</b><br>%{customdata[1]}, %{customdata[2]}<br>%{customdata[3]} to "
        "%{customdata[4]}<br>%{customdata[5]}<extra></extra>", None,
    )]  # fmt: skip


def _trace(
    bars: Bars, own: Any, size: float, name: str, colour: str, outline: float,
    told: Sequence[Sequence[str]], template: str, inside: Sequence[str] | None,
) -> Any:  # fmt: skip
    go = plotly()
    return go.Bar(
        orientation="h", name=label(name), base=bars.start[own] / size,
        x=(bars.finish - bars.start)[own] / size, y=bars.middle[own],
        width=bars.height[own] * _FILLED, customdata=told, hovertemplate=template,
        marker={"color": colour, "line": {"color": EDGE, "width": outline}},
        text=inside, textposition="none" if inside is None else "inside",
        insidetextanchor="middle", textfont={"color": "black", "size": 11}, textangle=0,
    )  # fmt: skip


def _rules(made: Chart) -> list[dict[str, Any]]:
    """A line between rows, and a heavier one between nodes and links."""
    shapes = []
    for before, row in zip(made.rows, made.rows[1:], strict=False):
        heavy = before.node >= 0 > row.node
        shapes.append({
            "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": row.top, "y1": row.top,
            "layer": "below",
            "line": {"color": "#888888" if heavy else "#EEEEEE", "width": 1.2 if heavy else 0.8},
        })  # fmt: skip
    return shapes


def _longest(bars: Bars, most: int) -> Bars:
    if len(bars.of) <= most:
        return bars
    kept = np.sort(np.argsort(bars.start - bars.finish, kind="stable")[:most])
    return bars.take(kept)


def _left_out(made: Chart, most: int) -> str:
    found = (
        (made.hidden_nodes, "less busy node"), (made.hidden_links, "less busy link"),
        (len(made.tasks.of) - most, "shorter task"),
        (len(made.transfers.of) - most, "shorter transfer"),
    )  # fmt: skip
    return ", ".join(count(hidden, what) for hidden, what in found if hidden > 0)
