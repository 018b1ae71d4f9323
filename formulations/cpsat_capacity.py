"""Slots and memory of nodes in the constraint model.

Parameters
    p_ikm execution time, s_i slots, S_k capacity, m_i working memory, r_ik resident, M_k memory.
Constraints
    slots    cumulative over k of intervals (start_i, p_ikm, s_i) present if z_ikm <= S_k
    memory   cumulative over k of (start_i, p_ikm, m_i) <= M_k - sum_i r_ik x_ik
             sum_i r_ik x_ik + m_j x_jk <= M_k                       for each j

Source: Laborie, Rogerie, Shaw, Vilim 2018 ("IBM ILOG CP optimizer for scheduling").
"""

from __future__ import annotations

from math import floor, isfinite
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from ortools.sat.python import cp_model

from formulations.cpsat_terms import FINE, weighted, whole
from offload.tables import TOLERANCE

if TYPE_CHECKING:
    from formulations.cpsat_model import Model

__all__ = ["capacity", "most_units"]


class _Run(NamedTuple):
    """A task that may run on a node in one of its modes."""

    task: int
    span: cp_model.IntervalVar


def capacity(model: Model) -> None:
    """Slots and working memory of each node at all times; residents for the whole plan."""
    for k in range(model.tables.nodes):
        model.request.go_on()
        tasks = [i for i in range(model.tables.tasks) if (i, k) in model.x]
        if tasks:
            runs = _runs(model, k, tasks)
            _slots(model, k, runs)
            _memory(model, k, tasks, runs)


def _runs(model: Model, k: int, tasks: list[int]) -> list[_Run]:
    """Intervals of all tasks that may run on a node.

    What takes no time holds nothing, but the solver lets nothing run across it: left out.
    """
    made = []
    for i in tasks:
        for m in model.modes(i, k):
            if not model.lasting[i, k, m] > 0:
                continue
            span = model.cp.new_optional_fixed_size_interval_var(
                model.start[i], int(model.steps[i, k, m]), model.z[i, k, m], f"run{i},{k},{m}"
            )
            made.append(_Run(i, span))
    return made


def _slots(model: Model, k: int, runs: list[_Run]) -> None:
    """The slots of what runs at one time are no more than the node has."""
    slots = int(model.tables.node_slots[k])
    demand = [int(model.tables.task_slots[run.task]) for run in runs]
    needs = {run.task: need for run, need in zip(runs, demand, strict=True)}
    if slots == 1:
        model.cp.add_no_overlap([run.span for run in runs])
    elif slots < sum(needs.values()):
        model.cp.add_cumulative([run.span for run in runs], demand, slots)


def _memory(model: Model, k: int, tasks: list[int], runs: list[_Run]) -> None:
    """What is resident on the node and what runs there fits its memory."""
    tables = model.tables
    available = float(tables.memory_capacity[k])
    node = np.full(len(tasks), k)
    resident, memory = tables.resident_of(tasks, node), tables.memory_of(tasks, node)
    # What takes no time holds no working memory.
    memory = np.where(model.real_times[tasks, k] > 0, memory, 0.0)
    if not isfinite(available) or resident.sum() + memory.sum() <= available:
        return
    sizes = [float(size) for size in (*resident, *memory) if size > 0]
    unit, most = most_units(available, sizes)
    held = [min(whole(float(r) / unit, True), most + 1) for r in resident]
    used = [min(whole(float(m) / unit, True), most + 1) for m in memory]
    total = weighted([model.x[i, k] for i in tasks], held)
    model.cp.add(total <= most)
    for i, m in zip(tasks, used, strict=True):
        if m:
            # No implication: of several over one sum, the presolve of CP-SAT 9.15 loses plans.
            model.cp.add(total + m * model.x[i, k] <= most)
    if any(used) and tables.node_slots[k] > 1:
        room = model.cp.new_int_var(0, most, f"room{k}")
        model.cp.add(room == most - total)
        need = dict(zip(tasks, used, strict=True))
        model.cp.add_cumulative([r.span for r in runs], [need[r.task] for r in runs], room)


def most_units(available: float, sizes: list[float]) -> tuple[float, int]:
    """Bytes a unit of capacity, and how many there are: with the checker's tolerance, not more."""
    unit = available / FINE if available > 0 else min(sizes)
    return unit, floor(available / unit * (1 + TOLERANCE / 2))
