"""Plans re-timed by their own orders."""

from __future__ import annotations

import numpy as np

from offload import Plan
from offload.retiming import retime
from offload.transfers import EDGE

__all__ = ["again"]


def again(plan: Plan, stretch: float = 1.0, later: float = 0.0) -> Plan:
    """A plan's own orders, re-timed; its starts may be stretched and shifted before."""
    tables, rows, nodes = plan.problem.tables, plan.transfers, plan.nodes
    parts = tables.transfer(rows.size, rows.src, rows.dst, rows.codec)
    codecs = np.full(tables.edges, -1)
    for x in np.flatnonzero(rows.kind == EDGE).tolist():
        edges = tables.item_edges.of(int(rows.ref[x]))
        codecs[edges[nodes[tables.edge_dst[edges]] == rows.dst[x]]] = rows.codec[x]
    copies = np.zeros((len(plan.problem.data), tables.nodes), bool)
    copies[plan.copies.data, plan.copies.node] = True
    begin = stretch * (rows.start + parts.encode) + later
    names = zip(rows.kind.tolist(), rows.ref.tolist(), rows.dst.tolist(), strict=True)
    ends = zip(begin.tolist(), (begin + parts.serialise).tolist(), strict=True)
    by_task = np.argsort(plan.parts.task)
    start, finish = plan.parts.start[by_task], plan.parts.finish[by_task]
    end = stretch * start + later + (finish - start)
    return retime(
        plan.problem, nodes, stretch * start + later, end, plan.parts.mode[by_task], 1e-9, codecs,
        copies, dict(zip(names, ends, strict=True)),
    )  # fmt: skip
