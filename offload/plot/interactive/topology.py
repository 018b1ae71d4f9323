"""The network of a plan: what runs where, and what moves over which link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from offload.arrays import IntArray
from offload.critical import memory_peaks
from offload.plot.arrangement import Arrangement, arranged
from offload.plot.interactive.figures import EDGE, GREY, figure, label, plotly
from offload.plot.style import colours
from offload.units import count, number, percent, quantity

if TYPE_CHECKING:
    import pandas as pd

    from offload.plan import Plan
    from offload.problem import Link

__all__ = ["topology"]

_NAMED = 60  # nodes that carry their names, at most
_LISTED = 8  # tasks that a tooltip names
_WIDTHS = (1.5, 2.5, 4.0, 6.0)  # pixels of links that carry something, by share of the most
_ROW, _DENSE = 46.0, 26.0  # pixels a node of the fullest column, with names and without
_SMALL, _LARGE = 12.0, 30.0  # pixels across a node that works least, and most
_HOVERED = 3000  # links up to which idle ones have tooltips too


def topology(plan: Plan) -> Any:
    """Draw nodes by tier, as large as they are busy, and links as wide as the bytes they carry.

    Tooltips say of a node what it runs, its load, memory, energy and cost; of a link what it
    carries in each direction. Idle nodes are white.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    OffloadError
        If plotly is not installed.
    """
    plotly()
    where = arranged(plan.problem)
    breakdown = plan.breakdown()
    nodes = plan.problem.network.nodes
    row = _ROW if len(nodes) <= _NAMED else _DENSE
    height = min(max(320.0, 110 + row * where.longest), 1400.0)
    traces = [*_link_traces(plan, where, breakdown.links), *_node_traces(plan, where, breakdown)]
    hidden = {"showgrid": False, "zeroline": False, "showline": False, "ticks": ""}
    return figure(
        traces if nodes else [],
        height=height,
        margin={"l": 10, "r": 10, "t": 60, "b": 10},
        xaxis=hidden | {
            "range": [-0.4, where.width + 0.4], "side": "top", "tickmode": "array",
            "tickvals": where.middle, "ticktext": [label(t or "(no tier)") for t in where.tiers],
        },
        yaxis=hidden | {"range": [1.06, -0.08], "showticklabels": False},
        showlegend=False,
        annotations=_names(plan, where, breakdown.nodes["tasks"].tolist()),
    )  # fmt: skip


def _node_traces(plan: Plan, where: Arrangement, breakdown: Any) -> list[Any]:
    go = plotly()
    nodes, frame = plan.problem.network.nodes, breakdown.nodes
    colour = colours([node.tier for node in nodes])
    busy = frame["busy"].to_numpy()
    most = float(busy[np.isfinite(busy)].max(initial=0.0))
    share = np.clip(np.nan_to_num(busy / most if most > 0 else busy * 0), 0, 1)
    tasks = frame["tasks"].to_numpy()
    shrink = 1.0 if len(nodes) <= _NAMED else 0.6
    size = np.where(tasks > 0, _SMALL + (_LARGE - _SMALL) * np.sqrt(share), _SMALL) * shrink
    face = [colour[node.tier] if tasks[k] else "white" for k, node in enumerate(nodes)]
    rim = [EDGE if tasks[k] else colour[node.tier] for k, node in enumerate(nodes)]
    return [go.Scatter(
        x=where.place[:, 0], y=where.place[:, 1], name="nodes",
        mode="markers",
        marker={
            "size": size, "color": face, "opacity": 1.0,
            "line": {"color": rim, "width": [0.8 if tasks[k] else 2 for k in range(len(nodes))]},
        },
        customdata=_node_texts(plan, frame), hovertemplate="%{customdata}<extra></extra>",
    )]  # fmt: skip


def _names(plan: Plan, where: Arrangement, tasks: Sequence[int]) -> list[dict[str, Any]]:
    """Names over nodes, and how many tasks they run; on white, as links may pass there."""
    nodes = plan.problem.network.nodes
    return [
        {
            "x": x, "y": y, "yshift": 16 if tasks[k] else 12, "yanchor": "bottom",
            "text": label(node.id, 24) + (f" ({tasks[k]})" if tasks[k] else ""),
            "showarrow": False, "font": {"size": 11}, "bgcolor": "rgba(255,255,255,0.8)",
            "borderpad": 0,
        }
        for k, (node, (x, y)) in enumerate(zip(nodes, where.place.tolist(), strict=True))
    ] if len(nodes) <= _NAMED else []  # fmt: skip


def _node_texts(plan: Plan, frame: pd.DataFrame) -> list[str]:
    tables, parts = plan.problem.tables, plan.parts
    peaks = memory_peaks(plan).tolist()
    told = []
    rows = frame.to_dict("records")
    order = np.argsort(parts.node, kind="stable")
    first = np.searchsorted(parts.node[order], np.arange(tables.nodes + 1))
    for k, (node, row) in enumerate(zip(plan.problem.network.nodes, rows, strict=True)):
        lines = [
            f"<b>{label(node.id)}</b>",
            label(", ".join(t for t in (node.tier, node.kind) if t)),
        ]
        own = parts.task[order[first[k] : first[k + 1]]].tolist()
        names = ", ".join(label(tables.task_ids[i], 30) for i in own[:_LISTED])
        more = f", and {len(own) - _LISTED} more" if len(own) > _LISTED else ""
        lines.append(f"{count(len(own), 'task')}: {names}{more}" if own else "idle")
        if own:
            share = percent(row["utilisation"])
            lines.append(f"busy {quantity(row['busy'], 's')}, {share} of its slots' time")
        memory = tables.memory_capacity[k]
        if peaks[k] > 0:
            limit = f" of {quantity(memory, 'B')}" if np.isfinite(memory) else ""
            lines.append(f"memory at most {quantity(peaks[k], 'B')}{limit}")
        energy = row["energy"] + row["codec_energy"] + row["idle_energy"]
        if energy > 0:
            lines.append(f"energy {quantity(energy, 'J')}")
        if row["cost"] > 0:
            lines.append(f"cost {number(row['cost'])}")
        told.append("<br>".join(line for line in lines if line))
    return told


def _link_traces(plan: Plan, where: Arrangement, frame: pd.DataFrame) -> list[Any]:
    """A trace a width, and one of unseen points in the middle of links, which carry tooltips."""
    go = plotly()
    links, routes = plan.problem.network.links, plan.problem.tables.routes
    if not links:
        return []
    moved = np.bincount(routes.arc_link, frame["bytes"].to_numpy(), minlength=len(links))
    most = moved.max(initial=0.0)
    group = np.zeros(len(links), int)
    if most > 0:
        group = np.ceil(np.sqrt(moved / most) * len(_WIDTHS)).astype(int)
    ends = _ends(plan)
    start, stop = where.place[ends[:, 0]], where.place[ends[:, 1]]
    traces = []
    for number_of_group in range(len(_WIDTHS) + 1):
        own = np.flatnonzero(group == number_of_group)
        if not len(own):
            continue
        gap = np.full(len(own), np.nan)
        x, y = (np.stack([start[own, c], stop[own, c], gap], 1).ravel() for c in (0, 1))
        idle = number_of_group == 0
        traces.append(go.Scatter(
            x=x, y=y, mode="lines", hoverinfo="skip", name="links",
            line={"color": "#C8C8C8" if idle else GREY,
                  "width": 0.8 if idle else _WIDTHS[number_of_group - 1]},
        ))  # fmt: skip
    told = np.flatnonzero((group > 0) | (len(links) <= _HOVERED))
    middle = (start + stop)[told] / 2
    texts = _link_texts(plan, frame)
    traces.append(go.Scatter(
        x=middle[:, 0], y=middle[:, 1], mode="markers", name="traffic",
        marker={"size": 14, "color": GREY, "opacity": 0}, customdata=[texts[j] for j in told],
        hovertemplate="%{customdata}<extra></extra>",
    ))  # fmt: skip
    return traces


def _ends(plan: Plan) -> IntArray:
    """Nodes of each link; int32[L, 2]."""
    index = {name: k for k, name in enumerate(plan.problem.tables.node_ids)}
    links = plan.problem.network.links
    return np.array([(index[link.src], index[link.dst]) for link in links], np.int32)


def _link_texts(plan: Plan, frame: pd.DataFrame) -> list[str]:
    links, routes = plan.problem.network.links, plan.problem.tables.routes
    told = [[_link_head(link)] for link in links]
    latency = plan.metrics["latency"]
    for arc, row in enumerate(frame.to_dict("records")):
        lines = told[int(routes.arc_link[arc])]
        way = label(f"{row['from']} → {row['to']}", 60)
        if not row["transfers"]:
            lines.append(f"{way}: nothing")
            continue
        held = f", held {quantity(row['held'], 's')}" if row["held"] > 0 else ""
        if held and 0 < latency < np.inf:
            held += f" ({percent(row['held'] / latency)} of the latency)"
        what = f"{count(row['transfers'], 'transfer')}, {quantity(row['bytes'], 'B')}"
        lines.append(f"{way}: {what}{held}")
    return ["<br>".join(lines) for lines in told]


def _link_head(link: Link) -> str:
    sign = {"full": "⇄", "half": "⇄", "simplex": "→"}[link.duplex]
    speed = "no limit" if link.bandwidth is None else quantity(link.bandwidth, "B/s")
    shared = "" if link.channels is None else f", {count(link.channels, 'channel')}"
    return (
        f"<b>{label(f'{link.src} {sign} {link.dst}')}</b><br>{speed}, "
        f"{quantity(link.latency, 's')}, {link.duplex} duplex{shared}"
    ).replace("simplex duplex", "simplex")
