"""Loads of nodes in the constraint model: what follows from slots and times, said at once.

Parameters (integers on a time grid)
    p_ik execution time in the fastest mode, s_i slots, S_k capacity; est_ik and tail_ik heads and
    tails; V the latest that the plan may end; A_j, D_j ancestors and descendants.
Constraints
    whole        sum_i s_i p_ik x_ik <= S_k (C - min_i est_ik - min_i tail_ik)
    before       S_k (start_j - first) >= sum_{i in A_j} s_i p_ik x_ik
    behind       S_k (C - last - start_j - p_j) >= sum_{i in D_j} s_i p_ik x_ik
    sums         sum_i p_ik x_ik <= max R_k                          where S_k = 1

R_k are the sums of the sets of tasks that fit a node of one slot. In the order of falling heads h,
R <- R + {r + p_i : r in R, h_i + r + p_i <= V - min tail}, for all tasks of larger heads run after
h_i. The same holds for tails, and R_k is what both allow. Where tasks hardly fit the nodes, its
largest sum is some ticks below the room, which no linear relaxation sees. (R_k as the domain of the
load costs the solver far more than it brings.)

Source: load over ancestors as in the machine capacity bound of Fernandez, Bussell 1973; sums as in
the dynamic program of Lawler, Moore 1969 for one machine with dates.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from ortools.sat.python import cp_model

from formulations.cpsat_terms import weighted
from formulations.symmetry import reachability
from offload.bounding.delays import is_shop

if TYPE_CHECKING:
    from formulations.cpsat_model import Model

__all__ = ["loads"]

_CUTS = range(25, 301)  # tasks for which load cuts over ancestors and descendants pay
_TICKS = 100_000  # of the horizon up to which sums are enumerated


def loads(model: Model) -> None:
    """What runs on a node fits between the plan's ends; so do ancestors and descendants."""
    tables = model.tables
    work = model.times * tables.task_slots[:, None]
    for k in range(tables.nodes):
        model.request.go_on()
        here = [i for i in range(tables.tasks) if (i, k) in model.x]
        if here:
            _whole(model, work, here, k)
    if tables.tasks in _CUTS and not is_shop(tables):
        _around(model, work)


def _whole(model: Model, work: NDArray[np.int64], here: list[int], k: int) -> None:
    """The load of a node, between the first head and the last tail there."""
    first, last = int(model.early[here, k].min()), int(model.late[here, k].min())
    slots = max(1, int(model.tables.node_slots[k]))
    # A plan that leaves the node empty need not last as long as these two.
    ends = min(first + last, model.grid.length(model.bounds["latency"]))
    load = _work(model, work, here, k)
    model.cp.add(load <= slots * (model.makespan - ends))
    if slots == 1 and model.horizon <= _TICKS:
        sums = _sums(model.early[here, k], work[here, k], model.horizon - last)
        sums &= _sums(model.late[here, k], work[here, k], model.horizon - first)
        most = sums.bit_length() - 1
        if most < model.horizon - ends:
            model.cp.add(load <= most)


def _sums(head: NDArray[np.int64], work: NDArray[np.int64], end: int) -> int:
    """Sums of tasks that fit between their heads and an end, as the bits of a number."""
    found = 1
    for i in np.argsort(-head, kind="stable").tolist():
        room = end - int(head[i])
        if room >= 0:
            found |= (found << int(work[i])) & ((1 << (room + 1)) - 1)
    return found


def _around(model: Model, work: NDArray[np.int64]) -> None:
    """The load of a task's ancestors before it, of its descendants behind it."""
    tables = model.tables
    slots = np.maximum(tables.node_slots, 1)
    reach = reachability(tables)
    for j in range(tables.tasks):
        model.request.go_on()
        for k in range(tables.nodes):
            before = [i for i in np.flatnonzero(reach[:, j]).tolist() if (i, k) in model.x]
            after = [i for i in np.flatnonzero(reach[j]).tolist() if (i, k) in model.x]
            if len(before) > 1:
                # Not above the task's own head: it may have no ancestor here at all.
                own = min(int(model.early[j, l]) for l in model.nodes_of[j])
                first = min(own, *(int(model.early[i, k]) for i in before))
                span = int(slots[k]) * (model.start[j] - first)
                model.cp.add(span >= _work(model, work, before, k))
            if len(after) > 1:
                own = min(int(model.late[j, l]) for l in model.nodes_of[j])
                last = min(own, *(int(model.late[i, k]) for i in after))
                done = model.start[j] + model.length[j]
                span = int(slots[k]) * (model.makespan - last - done)
                model.cp.add(span >= _work(model, work, after, k))


def _work(
    model: Model, work: NDArray[np.int64], tasks: Iterable[int], k: int
) -> cp_model.LinearExpr:
    here = list(tasks)
    return weighted([model.x[i, k] for i in here], [int(work[i, k]) for i in here])
