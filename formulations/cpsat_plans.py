"""Between plans and the constraint model: hints from a plan, and a plan from a solution."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from ortools.sat.python import cp_model

from offload.arrays import BoolArray
from offload.plan import Plan
from offload.retiming import retime
from offload.tables import Tables
from offload.transfers import EDGE, READ, required_transfers

if TYPE_CHECKING:
    from formulations.cpsat_model import Model

__all__ = ["hint", "plan_of"]


def hint(model: Model, plan: Plan) -> None:
    """Start the search from a plan: its decisions, and its times on the grid."""
    tables, nodes = model.tables, plan.nodes
    modes = np.zeros_like(nodes)
    modes[plan.parts.task] = plan.parts.mode
    if any((i, int(nodes[i])) not in model.x for i in range(tables.tasks)):
        return
    known: dict[int, tuple[cp_model.IntVar, int]] = {}

    def note(variable: cp_model.IntVar, value: int) -> None:
        known[variable.index] = variable, value

    def ticks(seconds: float) -> int:
        return int(np.floor(seconds / model.grid.tick + 1e-9))

    for (i, k, m), z in model.z.items():
        note(z, int(nodes[i] == k and modes[i] == m))
    for (i, k), x in model.x.items():
        note(x, int(nodes[i] == k))
    for i, start, finish in zip(*(c.tolist() for c in _times(plan)), strict=True):
        note(model.start[i], ticks(start))
        if i in model.goals.late:
            note(model.goals.late[i], ticks(max(0.0, finish - tables.due[i])))
    for e, here in model.together.items():
        note(here, int(nodes[tables.edge_src[e]] == nodes[tables.edge_dst[e]]))
    note(model.makespan, ticks(plan.metrics["latency"]))
    _note_transfers(model, plan, note, ticks)
    for variable, value in known.values():
        model.cp.add_hint(variable, value)


def _times(plan: Plan) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    return plan.parts.task, plan.parts.start, plan.parts.finish


def _note_transfers(
    model: Model,
    plan: Plan,
    note: Callable[[cp_model.IntVar, int], None],
    ticks: Callable[[float], int],
) -> None:
    rows, nodes = plan.transfers, plan.nodes
    parts = model.tables.transfer(rows.size, rows.src, rows.dst, rows.codec)
    columns = rows.kind, rows.ref, rows.dst, rows.src, rows.codec, rows.start + parts.encode
    sent = {
        (kind, ref, l): rest
        for kind, ref, l, *rest in zip(*(c.tolist() for c in columns), strict=True)
    }
    for item, made in model.messages.made.items():
        here = {int(nodes[j]) for j in model.messages.readers(item)}
        for way, y in made.items():
            if way.src == way.dst:
                on = way.src == nodes[model.tables.item_src[item]] and way.dst in here
            else:
                on = sent.get((EDGE, item, way.dst), [])[:2] == [way.src, way.codec]
            note(y, int(on))
    placed = set(zip(plan.copies.data.tolist(), plan.copies.node.tolist(), strict=True))
    for where, copy in model.data.copy.items():
        note(copy, int(where in placed))
    for (d, k, l), f in model.data.fetch.items():
        note(f, int((READ, d, l) in sent and sent[READ, d, l][0] == k))
    for hold in model.links.holds:
        note(hold.begin, 0)  # what is not sent may be anywhere
    for hold in model.links.holds:
        if (hold.kind, hold.ref, hold.dst) in sent:
            note(hold.begin, ticks(sent[hold.kind, hold.ref, hold.dst][2]))


def plan_of(model: Model, value: Callable[[cp_model.IntVar], int]) -> Plan:
    """The plan that a solution's decisions and orders lead to, in exact times; not checked."""
    tables = model.tables
    place = {i: (k, m) for (i, k, m), z in model.z.items() if value(z)}
    nodes, modes = np.array([place[i] for i in range(tables.tasks)], np.int32).reshape(-1, 2).T
    start = np.array([value(variable) for variable in model.start], np.int64)
    finish = start + model.steps[np.arange(tables.tasks), nodes, modes]
    copies = np.zeros((len(tables.data_ids), tables.nodes), bool)
    for where, copy in model.data.copy.items():
        copies[where] = bool(value(copy))
    holds = {}
    for hold in model.links.holds:
        if value(hold.there):
            begin = value(hold.begin)
            holds[hold.kind, hold.ref, hold.dst] = begin, begin + hold.ticks
    return retime(
        model.problem, nodes, start, finish, modes, codecs=_codecs(model, nodes, value),
        copies=_used(tables, nodes, copies), holds=holds,
    )  # fmt: skip


def _codecs(
    model: Model, nodes: NDArray[np.int32], value: Callable[[cp_model.IntVar], int]
) -> NDArray[np.int32]:
    """The codec of each edge between nodes; int32[E]."""
    tables = model.tables
    chosen = np.full(tables.edges, -1, np.int32)
    if not len(tables.codec_ids):
        return chosen
    for item in range(tables.items):
        k = int(nodes[tables.item_src[item]])
        made = model.messages.made.get(item)
        on = {w.dst: w.codec for w, y in made.items() if w.src == k and value(y)} if made else {}
        for e in tables.item_edges.of(item).tolist():
            l = int(nodes[tables.edge_dst[e]])
            if k != l:
                chosen[e] = on[l] if made else model.messages.codec(item, k, l)
    return chosen


def _used(tables: Tables, nodes: NDArray[np.int32], copies: BoolArray) -> BoolArray:
    """Those copies that some task reads, on its node or from another."""
    if not copies.any():
        return copies
    used = np.zeros_like(copies)
    used[tables.reads.values, np.repeat(nodes, tables.reads.lengths)] = True
    rows = required_transfers(tables, nodes[None, :], holders=(copies | tables.home)[None]).rows
    fetched = rows.kind == READ
    used[rows.ref[fetched], rows.src[fetched]] = True
    result: BoolArray = used & copies
    return result
