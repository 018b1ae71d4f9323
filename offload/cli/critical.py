"""Why a plan takes as long as it does: the chain of tasks and waits that ends with its last finish."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from offload.plan import Plan
from offload.transfers import EDGE

__all__ = ["Step", "critical_chain", "memory_peaks"]

_EQUAL = 1e-9  # relative to the latency: times this near are one


class Step(NamedTuple):
    """A part of a task on the chain, and what it waited for."""

    part: int
    cause: str  # "start", "release", "transfer", "task", "node" or "idle"
    what: str  # the transfer or task that it waited for
    wait: float  # seconds between the previous step's finish and this start
    queued: float  # of them, seconds in which the transfer waited for its links


def critical_chain(plan: Plan) -> list[Step]:
    """The steps from the plan's start to its last finish, each the reason for the next.

    From the part that finishes last, walk back: to the sender of the transfer that arrived last,
    to a predecessor on the same node, or to the part that held the node's slots or memory. The
    chain ends at a part that waited for nothing but time 0, its release or its data.
    """
    parts = plan.parts
    if not len(parts.task) or not np.isfinite(parts.finish).all():
        return []
    part: int | None = int(np.argmax(parts.finish))
    steps: list[Step] = []
    seen: set[int] = set()
    while part is not None and part not in seen:
        seen.add(part)
        step, part = _cause(plan, part)
        steps.append(step)
    return steps[::-1]


def _cause(plan: Plan, part: int) -> tuple[Step, int | None]:
    """What a part waited for, and the part behind it."""
    tables, parts = plan.problem.tables, plan.parts
    near = _EQUAL * plan.metrics["latency"]
    start, ready = float(parts.start[part]), float(plan.ready[part])
    if start <= near:
        return Step(part, "start", "", 0.0, 0.0), None
    if start > ready + near:
        before = _held_by(plan, part, near)
        if before is None:
            return Step(part, "idle", "", start - ready, 0.0), None
        name = tables.task_ids[int(parts.task[before])]
        return Step(part, "node", name, start - float(parts.finish[before]), 0.0), before
    arrived = _last_arrival(plan, part)
    if arrived is not None and plan.transfers.finish[arrived] >= ready - near:
        return _after_transfer(plan, part, arrived)
    local = _local_sender(plan, part, near)
    if local is not None:
        name = tables.task_ids[int(parts.task[local])]
        return Step(part, "task", name, start - float(parts.finish[local]), 0.0), local
    return Step(part, "release", "", start, 0.0), None


def _held_by(plan: Plan, part: int, near: float) -> int | None:
    """The part on the same node that finished last by this one's start."""
    parts = plan.parts
    on = np.flatnonzero((parts.node == parts.node[part]) & (parts.finish > parts.start))
    on = on[(parts.finish[on] <= parts.start[part] + near) & (on != part)]
    return int(on[np.argmax(parts.finish[on])]) if len(on) else None


def _last_arrival(plan: Plan, part: int) -> int | None:
    """The transfer that a part waited for and that arrived last."""
    rows, parts = plan.transfers, plan.parts
    mine = np.flatnonzero(rows.dst == parts.node[part])
    mine = mine[[parts.task[part] in plan.waiting.of(int(x)) for x in mine]] if len(mine) else mine
    return int(mine[np.argmax(rows.finish[mine])]) if len(mine) else None


def _after_transfer(plan: Plan, part: int, row: int) -> tuple[Step, int | None]:
    rows, parts = plan.transfers, plan.parts
    what = plan.transfer_name(row)
    begun, start = float(rows.start[row]), float(parts.start[part])
    if rows.kind[row] != EDGE:
        return Step(part, "transfer", what, start, begun), None
    sender = plan.problem.tables.item_src[rows.ref[row]]
    behind = np.flatnonzero((parts.task == sender) & (parts.node == rows.src[row]))
    if not len(behind):
        return Step(part, "transfer", what, start - begun, 0.0), None
    done = float(parts.finish[behind[0]])
    return Step(part, "transfer", what, start - done, max(0.0, begun - done)), int(behind[0])


def _local_sender(plan: Plan, part: int, near: float) -> int | None:
    """The predecessor on the same node that finished last, where it set the start."""
    tables, parts = plan.problem.tables, plan.parts
    edges = tables.incoming.of(int(parts.task[part]))
    senders = np.isin(parts.task, tables.edge_src[edges]) & (parts.node == parts.node[part])
    local = np.flatnonzero(senders & (parts.finish >= plan.ready[part] - near))
    return int(local[np.argmax(parts.finish[local])]) if len(local) else None


def memory_peaks(plan: Plan) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Most bytes in use on each node at any time, resident and running; float64[K]."""
    tables, parts = plan.problem.tables, plan.parts
    near = _EQUAL * plan.metrics["latency"]
    resident = parts.fraction * tables.resident_of(parts.task, parts.node)
    running = parts.fraction * tables.memory_of(parts.task, parts.node)
    peaks = np.bincount(parts.node, resident, minlength=tables.nodes)
    for k in np.unique(parts.node[running > 0]).tolist():
        on = np.flatnonzero((parts.node == k) & (parts.finish - parts.start > 2 * near))
        # Intervals that only touch do not overlap: each is shortened by the tolerance.
        time = np.concatenate([parts.start[on] + near, parts.finish[on] - near])
        change = np.concatenate([running[on], -running[on]])
        order = np.lexsort((change, time))
        peaks[k] += np.cumsum(change[order]).max(initial=0.0)
    return peaks
