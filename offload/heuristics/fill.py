"""Method `fill`: nodes filled one after another, as a baseline for pipelines.

Nodes are taken in the order of the file, tasks in topological order (groups "together" as one). A
node takes tasks until the next would lift its load above some seconds, or does not fit its memory;
then the next node goes on. The least seconds at which all tasks find room are looked for by
bisection. Each node so has one stretch of the order: stages are contiguous, unless a group
"together" itself is not.

The load is that of the metric `period`, execution alone (docs/format.md, section 4); what moves
counts when the plans met on the way are compared by the goal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray, IntArray
from offload.evaluator import evaluate
from offload.heuristics.building import finish
from offload.heuristics.decisions import codecs_of
from offload.heuristics.merit import merits
from offload.heuristics.placements import Placements
from offload.plan import Plan
from offload.registry import Answer, Request, Stopped
from offload.tables import TOLERANCE, Lists, Tables

__all__ = ["fill"]

_STEPS = 40  # of the bisection
_NEAR = 1e-6  # relative width at which it ends


def fill(request: Request) -> Answer:
    """The best by the goal of all ways to fill the nodes that the bisection meets."""
    try:
        plan = _filled(request)
    except Stopped as stop:
        return Answer(stopped=str(stop))
    return finish(request, plan)


def _filled(request: Request) -> Plan | None:
    tables = request.problem.tables
    stretches = _Stretches(tables)
    found: dict[bytes, IntArray] = {}
    low, high = 0.0, stretches.most
    for _ in range(_STEPS):
        request.go_on()
        share = high if not found else (low + high) / 2
        nodes = stretches.fill(share)
        if nodes is None:
            if not found:
                return None  # not even with as much time as there is
            low = share
        else:
            found[nodes.tobytes()] = nodes
            high = share
        if high - low <= _NEAR * high:
            break
    rows = np.array(list(found.values()), np.int32)
    made = evaluate(
        request.problem, rows, tables.topological, tables.fastest_mode[rows],
        codecs_of(tables, rows), limits=request.goal.limits,
    )  # fmt: skip
    over, value = merits(request.goal, made)
    best = int(np.lexsort((value, over))[0])
    return made.plan(best) if np.isfinite(over[best]) and np.isfinite(value[best]) else None


class _Stretches:
    """Units of tasks in order, and what each takes of each node."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        placements = Placements(tables)
        place = np.empty(tables.tasks, np.int64)
        place[tables.topological] = np.arange(tables.tasks)
        names, unit = np.unique(placements.unit, return_inverse=True)
        first = np.full(len(names), tables.tasks, np.int64)
        np.minimum.at(first, unit, place)
        order = np.argsort(first)
        rank = np.empty(len(names), np.int64)
        rank[order] = np.arange(len(names))
        self.unit: NDArray[np.int64] = rank[unit]
        members = Lists.group(self.unit, len(names))
        self.allowed = placements.allowed[members.values[members.start[:-1]]].tolist()
        every, node = np.arange(tables.tasks)[:, None], np.arange(tables.nodes)[None, :]
        time = tables.execution(every, node, tables.fastest_mode[node])
        occupied = np.where(np.isfinite(time), time, 0.0) * tables.task_slots[:, None]
        load = occupied / np.maximum(tables.node_slots, 1)
        self.load = self._sums(load, len(names)).tolist()
        self.resident = self._sums(tables.resident_of(every, node), len(names)).tolist()
        working = np.zeros((len(names), tables.nodes))
        np.maximum.at(working, self.unit, tables.memory_of(every, node) + np.zeros(load.shape))
        self.working = working.tolist()
        self.room = (tables.memory_capacity * (1 + TOLERANCE)).tolist()
        self.most = float(np.array(self.load).sum(axis=0).max(initial=0.0)) * 2

    def _sums(self, of_tasks: FloatArray, units: int) -> FloatArray:
        total = np.zeros((units, self.tables.nodes))
        np.add.at(total, self.unit, of_tasks + np.zeros(total.shape[1]))
        return total

    def fill(self, share: float) -> IntArray | None:
        """Nodes of all tasks where none has a load above so many seconds; ``None`` if none fit."""
        k, load, held, peak = 0, 0.0, 0.0, 0.0
        nodes = len(self.room)
        chosen = []
        for u, may in enumerate(self.allowed):
            while k < nodes:
                most = max(peak, self.working[u][k])
                if (
                    may[k]
                    and load + self.load[u][k] <= share
                    and held + self.resident[u][k] + most <= self.room[k]
                ):
                    break
                k, load, held, peak = k + 1, 0.0, 0.0, 0.0
            if k == nodes:
                return None
            load, held = load + self.load[u][k], held + self.resident[u][k]
            peak = max(peak, self.working[u][k])
            chosen.append(k)
        found: IntArray = np.array(chosen, np.int32)[self.unit]
        return found
