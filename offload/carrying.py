"""Plans carried over to a changed instance: the same decisions, at their times there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

import numpy as np

from offload.arrays import IntArray
from offload.checker import check
from offload.heuristics.decisions import decide
from offload.plan import Plan
from offload.problem import Problem
from offload.retiming import Holds, retime
from offload.tables import TOLERANCE

__all__ = ["carried", "moved", "retimed", "same_placement"]


def carried(
    plan: Plan,
    problem: Problem,
    minimize: Mapping[str, float] | None = None,
    limits: Mapping[str, float] | None = None,
) -> Plan | None:
    """The better of a plan's decisions re-timed by its own orders and decoded anew.

    Parameters
    ----------
    plan
        A plan of an instance with the same nodes, tasks, edges, data and codecs, in this order.
    problem
        The instance to carry it over to: numbers and limits may be others.
    minimize, limits
        By what it is judged; what the instance says by default.

    Returns
    -------
    Plan or None
        Checked; ``None`` where the decisions do not hold there, or the plan splits tasks.
    """
    tables = problem.tables
    if tables.divisible.any() or plan.problem.tables.divisible.any() or not tables.tasks:
        return None
    best: Plan | None = None
    value = np.inf
    for made in _versions(plan, problem):
        objective = made.objective(minimize)
        if objective < value and not check(problem, made, limits=limits):
            best, value = made, objective
    return best


def _versions(plan: Plan, problem: Problem) -> Iterator[Plan]:
    """The plan under a changed instance, re-timed and decoded."""
    with suppress(KeyError):  # it moves what it did not move before
        yield retimed(plan, problem)
    found = decide(plan).evaluate(problem)
    if np.isfinite(found.finish).all():
        yield found.plan()


def retimed(plan: Plan, problem: Problem | None = None) -> Plan:
    """A plan's own orders at their earliest times, in its own or a changed instance; not checked.

    Raises
    ------
    KeyError
        If the changed instance makes the plan move what it did not move before.
    """
    problem = plan.problem if problem is None else problem
    parts, rows = plan.parts, plan.transfers
    known = decide(plan)
    by_task = np.argsort(parts.task)
    near = TOLERANCE * plan.metrics["latency"]
    return retime(
        problem, plan.nodes, parts.start[by_task], parts.finish[by_task], known.modes, near,
        known.codecs, known.copies, _holds(plan) if len(rows.kind) else None,
    )  # fmt: skip


def _holds(plan: Plan) -> Holds:
    """When each transfer of a plan holds its links."""
    rows = plan.transfers
    times = plan.problem.tables.transfer(rows.size, rows.src, rows.dst, rows.codec)
    begin = rows.start + times.encode
    names = zip(rows.kind.tolist(), rows.ref.tolist(), rows.dst.tolist(), strict=True)
    ends = zip(begin.tolist(), (begin + times.serialise).tolist(), strict=True)
    return dict(zip(names, ends, strict=True))


def same_placement(one: Plan, other: Plan) -> bool:
    """Whether two plans run each task, or each part of it, on the same nodes."""
    return bool(np.array_equal(_places(one), _places(other)))


def moved(one: Plan, other: Plan) -> int:
    """How many tasks run on other nodes in one plan than in the other."""
    different = set(map(tuple, _places(one).tolist())) ^ set(map(tuple, _places(other).tolist()))
    return len({task for task, _ in different})


def _places(plan: Plan) -> IntArray:
    """Pairs of task and node, each once, in order; int32[N, 2]."""
    pairs = np.stack([plan.parts.task, plan.parts.node], axis=1)
    return np.unique(pairs.reshape(-1, 2), axis=0).astype(np.int32)
