"""What holds a plan up: the tasks behind a late one, and each task's share of a metric."""

from __future__ import annotations

import numpy as np

from offload.arrays import FloatArray
from offload.metrics import transfer_energy, transfer_price, transfer_traffic
from offload.plan import Plan
from offload.tables import TOLERANCE
from offload.transfers import EDGE

__all__ = ["chain", "task_costs"]

_LONG = 400  # tasks of a chain at most


def chain(plan: Plan, end: int) -> list[int]:
    """Tasks that a task waited for, one behind the other, itself first.

    Each is the reason for the start of the one before: the sender of what arrived last, a
    predecessor on the same node, or the task that held the node. Of a plan without split tasks.
    """
    tables, parts, nodes = plan.problem.tables, plan.parts, plan.nodes
    start, finish = np.zeros(tables.tasks), np.zeros(tables.tasks)
    start[parts.task], finish[parts.task] = parts.start, parts.finish
    arrival = np.zeros(tables.edges)
    rows = plan.transfers
    sent = np.flatnonzero(rows.kind == EDGE)
    when = np.full((tables.items, tables.nodes), -np.inf) if len(sent) else np.zeros((0, 0))
    if len(sent):
        when[rows.ref[sent], rows.dst[sent]] = rows.finish[sent]
    found, at = [end], end
    near = TOLERANCE * float(finish.max(initial=0.0))
    while len(found) < _LONG:
        edges = tables.incoming.of(at)
        senders = tables.edge_src[edges]
        local = nodes[senders] == nodes[at]
        arrival = finish[senders].copy()
        if not local.all():
            arrival[~local] = when[tables.edge_item[edges[~local]], nodes[at]]
        beside = np.flatnonzero((nodes == nodes[at]) & (finish > start))
        beside = beside[(finish[beside] <= start[at] + near) & (beside != at)]
        last = arrival.max(initial=-np.inf)
        held = finish[beside].max(initial=-np.inf)
        if max(last, held) < start[at] - near or max(last, held) <= 0:
            break
        at = int(senders[arrival.argmax()] if last >= held else beside[finish[beside].argmax()])
        if at in found:
            break
        found.append(at)
    return found


def task_costs(plan: Plan, metric: str) -> FloatArray:
    """Each task's part in energy, cost, risk, traffic or period, transfers at both ends; [T].

    For the period: what the most loaded node or link runs and carries.
    """
    tables, measured, rows = plan.problem.tables, plan.measured, plan.transfers
    task, node = plan.parts.task, plan.parts.node
    own = np.zeros(len(task))
    sent = np.zeros(len(rows.plan))
    if metric == "energy":
        own = plan.energy_of_parts
        sent = transfer_energy(tables, rows.size, rows.src, rows.dst, rows.codec)
    elif metric == "cost":
        own = measured.occupied * tables.node_price[node]
        sent = transfer_price(tables, rows.size, rows.src, rows.dst, rows.codec)
    elif metric == "risk":
        own = measured.execution * tables.failure_rate[node]
    elif metric == "traffic":
        sent = transfer_traffic(tables, rows.size, rows.src, rows.dst, rows.codec)
    elif metric == "period":
        own, sent = _most_loaded(plan)
    share = np.zeros(tables.tasks)
    np.add.at(share, task, own)
    row, reader = plan.waiting.gather(np.arange(len(rows.plan)))
    np.add.at(share, reader, sent[row])
    edges = np.flatnonzero(rows.kind == EDGE)
    np.add.at(share, tables.item_src[rows.ref[edges]], sent[edges])
    return share


def _most_loaded(plan: Plan) -> tuple[FloatArray, FloatArray]:
    """Seconds of each part, and of each transfer, on the node or link of largest load."""
    tables, measured, rows = plan.problem.tables, plan.measured, plan.transfers
    nodes, links = measured.node_load[0], measured.link_load[0]
    own, sent = np.zeros(len(plan.parts.task)), np.zeros(len(rows.plan))
    if nodes.max(initial=0.0) >= links.max(initial=0.0):
        worst = int(nodes.argmax()) if len(nodes) else -1
        own = np.where(plan.parts.node == worst, measured.occupied, 0.0)
        if len(nodes) and tables.serial_io[worst]:
            touches = (rows.src == worst) | (rows.dst == worst)
            sent = np.where(touches, measured.serialise, 0.0)
    else:
        row, arc = tables.routes.expand(rows.src, rows.dst)
        on = row[tables.routes.arc_resource[arc] == int(links.argmax())]
        sent[on] = measured.serialise[on]
    return own, sent
