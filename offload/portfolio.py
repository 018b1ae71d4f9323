"""The method `auto`: heuristics at once, then an exact method with the best of them as a start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from offload import registry
from offload.errors import SolverUnavailable
from offload.features import features_used
from offload.plan import Plan
from offload.registry import Answer, Request
from offload.transfers import required_transfers

__all__ = ["auto", "empty"]

_QUICK = ("heft", "peft", "cpop", "by-intensity", "local", "cloud", "least-loaded")
_LARGE = 5_000  # tasks above which one list scheduler has to do
_EXACT = 200_000  # pairs of places over all edges up to which an exact model is worth building
_MOST = 500  # tasks above which exact search improves nothing in a minute


def empty(request: Request) -> Answer:
    """The plan of an instance without tasks."""
    tables = request.problem.tables
    none = np.zeros((1, 0), np.int32)
    nothing = np.zeros(0)
    plan = Plan.assemble(
        request.problem, none[0], nothing, nothing, required_transfers(tables, none)
    )
    return Answer(plan, bound=plan.objective(request.goal.minimize))


def quick(request: Request) -> Plan | None:
    """The best plan of the fast heuristics that honour the instance; ``None`` if none holds."""
    used = set(features_used(request.problem, request.goal))
    best, best_value = request.start, float("inf")
    if best is not None:
        best_value = best.objective(request.goal.minimize)
    names = _QUICK[:1] if request.problem.tables.tasks > _LARGE else _QUICK
    for name in names:
        entry = registry.entries()[name]
        if request.stopped or not used <= entry.honours:
            continue
        plan = entry.load()(replace(request, start=None, options={})).plan
        if plan is None:
            continue
        value = plan.objective(request.goal.minimize)
        if value < best_value and request.keeps(plan):
            best, best_value = plan, value
            request.report(plan, None)
    return best


def auto(request: Request) -> Answer:
    """The fast heuristics, then a proof by an exact method where the instance is small enough."""
    tables = request.problem.tables
    best = quick(request)
    answer = Answer(best, stopped=request.stopped)
    exact = registry.entries()["cpsat"]
    honoured = set(features_used(request.problem, request.goal)) <= exact.honours
    large = tables.tasks > _MOST or tables.edges * tables.nodes**2 > _EXACT
    if request.stopped or large or not honoured:
        return answer
    try:
        proof = exact.load()(replace(request, start=best, options={}))
    except SolverUnavailable:
        return answer
    proof.plan = proof.plan or best
    return proof
