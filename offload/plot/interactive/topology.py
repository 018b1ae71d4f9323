"""The network of a plan: what runs where, and what moves over which link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray
from offload.plot.interactive.figures import EDGE, figure, label, plotly
from offload.plot.places import Places, circle, columns
from offload.plot.style import GREY, colours, tiers_of
from offload.resources import memory_peaks
from offload.units import count, number, percent, quantity

if TYPE_CHECKING:
    import pandas as pd

    from offload.plan import Plan
    from offload.problem import Link

__all__ = ["topology"]

_NAMED = 60  # nodes that carry their names, at most
_LISTED = 8  # tasks that a tooltip names
_WIDTHS = (1.5, 2.5, 4.0, 6.0)  # pixels of links that carry something, by share of the most
_ROW, _DENSE = 46.0, 26.0  # pixels of a row, with names and without
_LOW, _HIGH = 320.0, 1600.0  # pixels of the picture, at least and at most
_SMALL, _LARGE = 12.0, 28.0  # pixels across a node that works least, and most
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
    breakdown = plan.breakdown()
    nodes = plan.problem.network.nodes
    tiers = tiers_of([node.tier for node in nodes])
    tier = np.array([tiers.index(node.tier) for node in nodes], np.int64)
    src, dst = _ends(plan).T
    where = columns(tier, src, dst) if len(tiers) > 1 else circle(len(nodes), src, dst)
    rows, across = (float(axis.max(initial=0.0)) for axis in (where.y, where.x))
    row = _ROW if len(nodes) <= _NAMED else _DENSE
    height = min(max(_LOW, 130 + row * rows), _HIGH)
    hidden = {"showgrid": False, "zeroline": False, "showline": False, "ticks": ""}
    middle = [(x.min() + x.max()) / 2 for x in (where.x[tier == t] for t in range(len(tiers)))]
    return figure(
        [*_link_traces(plan, where, breakdown.links), *_node_traces(plan, where, breakdown.nodes)],
        height=height,
        margin={"l": 10, "r": 10, "t": 60, "b": 10},
        xaxis=hidden | {
            "range": [-0.3 * across - 0.2, 1.3 * across + 0.2], "side": "top",
            "tickmode": "array", "tickvals": middle,
            "ticktext": [label(name or "(no tier)") for name in tiers],
        },
        yaxis=hidden | {"range": [rows + 0.9, -0.9], "showticklabels": False},
        annotations=_names(plan, where, breakdown.nodes["tasks"].tolist()),
        showlegend=False,
    )  # fmt: skip


def _node_traces(plan: Plan, where: Places, frame: pd.DataFrame) -> list[Any]:
    go = plotly()
    nodes = plan.problem.network.nodes
    colour = colours([node.tier for node in nodes])
    busy = frame["busy"].to_numpy()
    most = float(busy[np.isfinite(busy)].max(initial=0.0))
    share = np.clip(np.nan_to_num(busy / most if most > 0 else busy * 0), 0, 1)
    tasks = frame["tasks"].to_numpy()
    shrink = 1.0 if len(nodes) <= _NAMED else 0.6
    size = np.where(tasks > 0, _SMALL + (_LARGE - _SMALL) * np.sqrt(share), _SMALL) * shrink
    face = [colour[node.tier] if tasks[k] else "white" for k, node in enumerate(nodes)]
    return [go.Scatter(
        x=where.x, y=where.y, name="nodes", mode="markers",
        marker={"size": size, "color": face, "opacity": 1.0, "line": {"color": EDGE, "width": 0.8}},
        customdata=_node_texts(plan, frame), hovertemplate="%{customdata}<extra></extra>",
    )]  # fmt: skip


def _names(plan: Plan, where: Places, tasks: Sequence[int]) -> list[dict[str, Any]]:
    """Names beside nodes, and how many tasks they run; on white, as links may pass there."""
    nodes = plan.problem.network.nodes
    if len(nodes) > _NAMED:
        return []
    anchors = ("right", "center", "left")
    places = zip(where.x.tolist(), where.y.tolist(), where.side.tolist(), strict=True)
    return [
        {
            "x": x, "y": y, "xshift": 16 * side, "yshift": 0 if side else 14,
            "xanchor": anchors[side + 1], "yanchor": "middle" if side else "bottom",
            "text": label(node.id, 24) + (f" ({tasks[k]})" if tasks[k] else ""),
            "showarrow": False, "font": {"size": 11}, "bgcolor": "rgba(255,255,255,0.8)",
            "borderpad": 0,
        }
        for k, (node, (x, y, side)) in enumerate(zip(nodes, places, strict=True))
    ]  # fmt: skip


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


def _link_traces(plan: Plan, where: Places, frame: pd.DataFrame) -> list[Any]:
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
    gap = np.full((1, 2), np.nan)
    traces = []
    for number_of_group in np.unique(group).tolist():
        own = np.flatnonzero(group == number_of_group).tolist()
        x, y = np.concatenate([piece for j in own for piece in (where.paths[j], gap)]).T
        idle = number_of_group == 0
        traces.append(go.Scatter(
            x=x, y=y, mode="lines", hoverinfo="skip", name="links",
            line={"color": "#C8C8C8" if idle else GREY,
                  "width": 0.8 if idle else _WIDTHS[number_of_group - 1]},
        ))  # fmt: skip
    told = np.flatnonzero((group > 0) | (len(links) <= _HOVERED)).tolist()
    middle = np.array([_middle(where.paths[j]) for j in told]).reshape(-1, 2)
    texts = _link_texts(plan, frame)
    traces.append(go.Scatter(
        x=middle[:, 0], y=middle[:, 1], mode="markers", name="traffic",
        marker={"size": 14, "color": GREY, "opacity": 0}, customdata=[texts[j] for j in told],
        hovertemplate="%{customdata}<extra></extra>",
    ))  # fmt: skip
    return traces


def _middle(path: FloatArray) -> FloatArray:
    """The point half way along a path."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    return np.array([np.interp(length[-1] / 2, length, axis) for axis in path.T])


def _ends(plan: Plan) -> NDArray[np.int64]:
    """Nodes of each link; int64[L, 2]."""
    index = {name: k for k, name in enumerate(plan.problem.tables.node_ids)}
    links = plan.problem.network.links
    pairs = [(index[link.src], index[link.dst]) for link in links]
    return np.array(pairs, np.int64).reshape(-1, 2)


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
    sign = {"full": "↔", "half": "↔", "simplex": "→"}[link.duplex]
    speed = "no limit" if link.bandwidth is None else quantity(link.bandwidth, "B/s")
    shared = "" if link.channels is None else f", {count(link.channels, 'channel')}"
    return (
        f"<b>{label(f'{link.src} {sign} {link.dst}')}</b><br>{speed}, "
        f"{quantity(link.latency, 's')}, {link.duplex} duplex{shared}"
    ).replace("simplex duplex", "simplex")
