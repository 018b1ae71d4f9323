"""Where the time of a plan's critical path goes: nodes, links, releases, and waits for them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from offload.arrays import FloatArray
from offload.critical import critical_segments
from offload.event_graph import EventGraph
from offload.plan import Plan

__all__ = ["PathShares", "path_shares"]


class PathShares(NamedTuple):
    """Seconds of the critical path by what they are spent on."""

    speed: FloatArray  # [K]
    bandwidth: FloatArray  # [L]
    latency: FloatArray  # [L]
    release: FloatArray  # [T]
    waited: dict[str, FloatArray]  # for "slots" and "memory" [K], for "channel" [L]


def path_shares(plan: Plan) -> PathShares:
    """Where the critical path's time goes."""
    tables, problem = plan.problem.tables, plan.problem
    graph = EventGraph(plan)
    links = len(problem.network.links)
    made = PathShares(
        np.zeros(tables.nodes), np.zeros(links), np.zeros(links), np.zeros(tables.tasks),
        {"slots": np.zeros(tables.nodes), "memory": np.zeros(tables.nodes),
         "channel": np.zeros(links)},
    )  # fmt: skip
    ready = graph.least.copy()
    np.maximum.at(ready, graph.dst[: graph.inputs],
                  (graph.start[graph.src] + graph.lag)[: graph.inputs])  # fmt: skip
    for piece in critical_segments(graph):
        event = piece.event
        if piece.kind == "wait":
            if piece.cause == "release":
                made.release[plan.parts.task[event]] += piece.end - piece.begin
            continue
        late = max(0.0, float(graph.start[event] - ready[event]))
        if event < graph.parts:
            k = int(plan.parts.node[event])
            made.speed[k] += piece.end - piece.begin
            if piece.cause in ("slots", "memory"):
                made.waited[piece.cause][k] += late
            continue
        _share_transfer(graph, event - graph.parts, piece.begin, piece.end, made)
        if piece.cause == "channel":
            shared = [
                q for q, held in graph.on_link.items()
                if event in held.event and piece.after in held.event
            ]  # fmt: skip
            for q in shared[:1]:
                made.waited["channel"][tables.routes.resource_link[q]] += late
    return made


def _share_transfer(graph: EventGraph, x: int, begin: float, end: float, made: PathShares) -> None:
    """The four parts of a transfer between two moments."""
    plan, routes = graph.plan, graph.plan.problem.tables.routes
    rows = plan.transfers
    src, dst = rows.src[x : x + 1], rows.dst[x : x + 1]
    arcs = routes.expand(src, dst)[1]
    edges = [float(rows.start[x])]
    for part in graph.times:
        edges.append(edges[-1] + float(part[x]))
    inside = np.diff(np.clip(edges, begin, end))
    made.speed[src] += inside[0]
    made.speed[dst] += inside[3]
    slowest = arcs[routes.arc_bandwidth[arcs] <= routes.bandwidth[src[0], dst[0]]]
    made.bandwidth[routes.arc_link[slowest]] += inside[1]
    total = routes.arc_latency[arcs].sum()
    if total > 0:
        np.add.at(made.latency, routes.arc_link[arcs], inside[2] * routes.arc_latency[arcs] / total)
