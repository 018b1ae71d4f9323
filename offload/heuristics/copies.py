"""Where to put copies of data before the plan starts, for methods that build one plan at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray
from offload.heuristics.merit import rank
from offload.plan import Plan
from offload.registry import Request
from offload.tables import TOLERANCE, Tables
from offload.transfers import READ, Copies

__all__ = ["may_copy", "pick_copies", "with_copies"]

ROUNDS = 3  # plans built from what the one before still fetches


def with_copies(request: Request, build: Callable[[BoolArray | None], Plan | None]) -> Plan | None:
    """The best plan of a constructive method, without copies and with copies where they help.

    First built without any. Then what that plan fetches is copied to where it is fetched, the most
    waiting per byte first, and the plan is built again, for as long as that makes it better. Once
    more it is built with copies at all places that have room for them, which frees the method to
    choose any of those. Copies that nobody uses are dropped again.

    Parameters
    ----------
    request
        Its goal says which plan is better; its clock ends the search.
    build
        Makes a plan, given copies as bool[D, K] or ``None``; ``None`` if it finds none.

    Returns
    -------
    Plan or None
        The plan that keeps deadlines and limits and has the least objective.
    """
    best = build(None)
    tables = request.problem.tables
    allowed = may_copy(tables)
    if not allowed.any():
        return best
    for _ in range(ROUNDS):
        if best is None or request.stopped:
            break
        have = _placed(tables, best)
        copies = pick_copies(tables, _waiting(tables, best), allowed, have)
        if (copies == have).all():
            break
        better = _better(request, best, build(copies))
        if better is best:
            break
        best = better
    if not request.stopped:
        everywhere = pick_copies(tables, _demand(tables), allowed)
        best = _better(request, best, build(everywhere))
    return best


def may_copy(tables: Tables) -> BoolArray:
    """Where a copy of each data item that is read would be allowed by itself; bool[D, K].

    docs/format.md, section 2, Reads, and section 3, Storage.
    """
    allowed: BoolArray = tables.copy_allowed & ~tables.home
    allowed &= (tables.max_copies > 0)[:, None]
    read = np.zeros(len(tables.data_ids), bool)
    read[tables.reads.values] = True
    allowed &= read[:, None]
    allowed &= tables.data_bytes[:, None] <= tables.storage_capacity * (1 + TOLERANCE)
    data, node = np.nonzero(allowed)
    allowed[data, node] = tables.fetch(data, node, tables.home[data]) >= 0
    return allowed


def pick_copies(
    tables: Tables, worth: FloatArray, allowed: BoolArray, have: BoolArray | None = None
) -> BoolArray:
    """Copies by falling worth per byte, as many as storage and ``max_copies`` allow; bool[D, K].

    Parameters
    ----------
    worth : float64[D, K]
        What a copy would be good for; none is placed where this is 0.
    allowed : bool[D, K]
        Where copies may be.
    have : bool[D, K], optional
        Copies that are kept in any case.
    """
    copies = np.zeros_like(allowed) if have is None else have.copy()
    data, node = np.nonzero(allowed & (worth > 0) & ~copies)
    size = tables.data_bytes
    with np.errstate(divide="ignore"):
        score = worth[data, node] / size[data]
    left = tables.storage_capacity * (1 + TOLERANCE) - size @ copies
    more = tables.max_copies - copies.sum(axis=1)
    for at in np.lexsort((node, data, -score)).tolist():
        d, k = data[at], node[at]
        if more[d] >= 1 and size[d] <= left[k]:
            copies[d, k] = True
            more[d] -= 1
            left[k] -= size[d]
    return copies


def _waiting(tables: Tables, plan: Plan) -> FloatArray:
    """Seconds that tasks of a plan wait for each fetch, over all its readers; float64[D, K]."""
    rows = plan.transfers
    reads = np.flatnonzero(rows.kind == READ)
    delay = tables.transfer(rows.size[reads], rows.src[reads], rows.dst[reads]).total
    found = np.zeros(tables.home.shape)
    found[rows.ref[reads], rows.dst[reads]] = delay * plan.waiting.lengths[reads]
    return found


def _demand(tables: Tables) -> FloatArray:
    """Seconds that readers would wait for each data item on each node; float64[D, K]."""
    data, node = (index.ravel() for index in np.indices(tables.home.shape))
    source = tables.fetch(data, node, tables.home[data])
    delay = tables.transfer(tables.data_bytes[data], np.maximum(source, 0), node).total
    delay = np.where(source >= 0, delay, 0.0)
    readers = np.bincount(tables.reads.values, minlength=len(tables.data_ids))
    result: FloatArray = delay.reshape(tables.home.shape) * readers[:, None]
    return result


def _placed(tables: Tables, plan: Plan) -> BoolArray:
    copies = np.zeros(tables.home.shape, bool)
    copies[plan.copies.data, plan.copies.node] = True
    return copies


def _better(request: Request, best: Plan | None, plan: Plan | None) -> Plan | None:
    if plan is None:
        return best
    plan = without_unused(plan)
    if best is None or rank(request.goal, plan) < rank(request.goal, best):
        return plan
    return best


def without_unused(plan: Plan) -> Plan:
    """The plan without those copies that no task reads and that nothing is fetched from."""
    tables, rows = plan.problem.tables, plan.transfers
    used = np.zeros(tables.home.shape, bool)
    reader = np.repeat(np.arange(tables.tasks), tables.reads.lengths)
    used[tables.reads.values, plan.nodes[reader]] = True
    reads = np.flatnonzero(rows.kind == READ)
    used[rows.ref[reads], rows.src[reads]] = True
    keep: NDArray[np.intp] = np.flatnonzero(used[plan.copies.data, plan.copies.node])
    if len(keep) == len(plan.copies.data):
        return plan
    copies = Copies(*(column[keep] for column in plan.copies))
    return Plan(plan.problem, plan.parts, rows, plan.waiting, copies)
