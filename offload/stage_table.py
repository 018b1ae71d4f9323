"""The stages of a plan: what each used node runs, holds, takes in and sends on, and its load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from offload.arrays import FloatArray
from offload.transfers import EDGE

if TYPE_CHECKING:
    import pandas as pd

    from offload.plan import Plan

__all__ = ["link_loads", "stages"]


def stages(plan: Plan) -> pd.DataFrame:
    """The stages of a plan: a row for each node that runs tasks, in the order of the pipeline.

    Parameters
    ----------
    plan
        Any plan; stages are ordered by the first of their tasks in topological order.

    Returns
    -------
    DataFrame
        Columns stage (from 1), node, tier, tasks (how many), first and last (ids, in topological
        order), work (operations; undefined where the instance gives times instead), memory
        (resident bytes), bytes_in and bytes_out (compressed bytes of items that come from and go
        to other nodes, each item once), seconds (load of the node for one input of a stream, as
        the metric `period` has it), share (of the period, that of links included), start and
        finish (seconds).
        ``attrs["period"]`` is the period.
    """
    import pandas as pd

    problem, tables, parts = plan.problem, plan.problem.tables, plan.parts
    place = np.empty(tables.tasks, np.int64)
    place[tables.topological] = np.arange(tables.tasks)
    load, period = plan.measured.node_load[0], plan.metrics["period"]
    came, went = _bytes(plan)
    resident = tables.resident_of(parts.task, parts.node) * parts.fraction
    work = np.where(np.isinf(tables.work), np.nan, tables.work)[parts.task] * parts.fraction
    found = []
    for k in np.unique(parts.node).tolist():
        rows = np.flatnonzero(parts.node == k)
        rows = rows[np.argsort(place[parts.task[rows]], kind="stable")]
        first, last = int(parts.task[rows[0]]), int(parts.task[rows[-1]])
        found.append((int(place[first]), k, {
            "stage": 0, "node": tables.node_ids[k], "tier": problem.network.nodes[k].tier,
            "tasks": len(rows), "first": tables.task_ids[first], "last": tables.task_ids[last],
            "work": float(work[rows].sum()), "memory": float(resident[rows].sum()),
            "bytes_in": float(came[k]), "bytes_out": float(went[k]), "seconds": float(load[k]),
            "share": float(load[k] / period) if period > 0 else 0.0,
            "start": float(parts.start[rows].min()), "finish": float(parts.finish[rows].max()),
        }))  # fmt: skip
    found.sort(key=lambda entry: entry[:2])
    columns = [
        "stage", "node", "tier", "tasks", "first", "last", "work", "memory", "bytes_in",
        "bytes_out", "seconds", "share", "start", "finish",
    ]  # fmt: skip
    table = pd.DataFrame([row for _, _, row in found], columns=columns)
    table["stage"] = np.arange(1, len(table) + 1)
    table.attrs["period"] = period
    return table


def link_loads(plan: Plan) -> pd.DataFrame:
    """Loads of links with channels, as the metric `period` has them, the largest first.

    Returns
    -------
    DataFrame
        Columns from, to, duplex, channels, seconds, share (of the period); links that carry nothing
        are left out. A link in full duplex has a row for each way.
    """
    import pandas as pd

    tables, routes = plan.problem.tables, plan.problem.tables.routes
    load, period = plan.measured.link_load[0], plan.metrics["period"]
    rows = []
    for r in np.lexsort((np.arange(len(load)), -load)).tolist():
        if load[r] > 0:
            arc = int(np.flatnonzero(routes.arc_resource == r)[0])
            link = plan.problem.network.links[int(routes.arc_link[arc])]
            rows.append({
                "from": tables.node_ids[int(routes.arc_src[arc])],
                "to": tables.node_ids[int(routes.arc_dst[arc])],
                "duplex": link.duplex, "channels": int(routes.resource_channels[r]),
                "seconds": float(load[r]), "share": float(load[r] / period),
            })  # fmt: skip
    return pd.DataFrame(rows, columns=["from", "to", "duplex", "channels", "seconds", "share"])


def _bytes(plan: Plan) -> tuple[FloatArray, FloatArray]:
    """Bytes of items that each node receives and sends, each item once; float64[K] each."""
    tables, rows = plan.problem.tables, plan.transfers
    came, went = np.zeros(tables.nodes), np.zeros(tables.nodes)
    chosen = np.flatnonzero(rows.kind == EDGE)
    size = (rows.size / tables.codec_ratio[rows.codec])[chosen]
    item, src = rows.ref[chosen].astype(np.int64), rows.src[chosen]
    np.add.at(came, rows.dst[chosen], size)
    # An item that goes to several nodes counts once where it leaves, with the most of its bytes.
    largest = np.lexsort((-size, src, item))
    keys = np.stack([item, src])[:, largest]
    new = np.ones(len(largest), bool)
    new[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    once = largest[new]
    np.add.at(went, src[once], size[once])
    return came, went
