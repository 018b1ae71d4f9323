"""The method `auto`: heuristics at once, then local search, then an exact method with the best."""

from __future__ import annotations

import time
from dataclasses import replace
from math import inf

import numpy as np

from offload import registry
from offload.errors import SolverUnavailable
from offload.features import features_used
from offload.heuristics.additive_costs import additive
from offload.heuristics.best_of import constructive, run_all
from offload.plan import Plan
from offload.registry import Answer, Entry, Request
from offload.transfers import required_transfers

__all__ = ["auto", "empty", "quick"]

_QUICK = ("heft", "mct", "peft", "cpop", "by-intensity", "local", "cloud", "least-loaded")
_LARGE = 5_000  # tasks above which two of them have to do
_AT_ONCE = 0.25  # of the time, at most, where the goal is a sum: one of them, then local search
_DRAWS = 200  # of that, for each task
_MENDED = 2  # of them: whose plans are repaired if they break limits or deadlines
_MENDING = 0.25  # of the time, at most, if there is a plan already
_EXACT = 200_000  # pairs of places over all edges up to which an exact model is worth building
_PROVED = 30  # tasks up to which an exact method is left to itself
_HINTED = 150  # tasks up to which it follows local search; above, nothing follows that
_SHARE = 0.25  # of the time for local search before an exact method
_PATIENCE = 60.0  # seconds of it at most before an exact method, or without any limit


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
    return _quick(request, _quick_names(request)).plan


def _quick_names(request: Request) -> list[str]:
    if _sums(request):
        return list(_QUICK[:1])
    names = list(_QUICK[:2] if request.problem.tables.tasks > _LARGE else _QUICK)
    if set(request.goal.minimize) != {"latency"} or request.goal.limits:
        names.insert(1, "greedy")  # after the fastest, so that there is a plan to fall back on
    return names


def _sums(request: Request) -> bool:
    """Whether local search soon finds better plans than any heuristic, wherever it starts."""
    return additive(request.problem.tables, request.goal)


def _quick(request: Request, names: list[str]) -> Answer:
    if not _sums(request):
        return _constructed(request, names)
    soon = replace(request, deadline=time.monotonic() + _AT_ONCE * request.seconds_left)
    answer = _constructed(soon, names)
    if _done(soon, answer):
        return answer
    work = min(_DRAWS * request.problem.tables.tasks, request.work_limit or inf)
    options = {"search": "additive"}
    search = registry.find("anneal").load()
    found = search(replace(soon, start=answer.plan, work_limit=work, options=options))
    found.reason = answer.reason or found.reason
    return found


def _constructed(request: Request, names: list[str]) -> Answer:
    """The best of some heuristics: first as they are, then two of them mended.

    Mending takes longer than all of them together: where there is a plan, a part of the time.
    """
    used = set(features_used(request.problem, request.goal))
    chosen = [e for name in names if used <= (e := registry.entries()[name]).honours]
    made = run_all(replace(request, work_limit=0.0), chosen)
    mended = replace(request, start=made.plan)
    if made.plan is not None:
        if not (set(request.goal.minimize) - {"latency"} or request.goal.limits):
            return made
        mended.deadline = time.monotonic() + _MENDING * request.seconds_left
    answer = run_all(mended, chosen[:_MENDED])
    answer.reason = answer.reason if answer.plan is None else None
    return answer


def auto(request: Request) -> Answer:
    """The fast heuristics, local search, and a proof where the instance is small enough.

    Up to 30 tasks an exact method goes on from the best plan at once; up to 150 local search takes
    a quarter of the time before that; above, or where the exact method does not honour the
    instance, all heuristics and then local search take the rest, or local search alone where the
    goal is a sum over tasks and transfers.
    """
    names = _quick_names(request)
    answer = _quick(request, names)
    exact = _exact(request)
    tasks = request.problem.tables.tasks
    if _done(request, answer):
        return answer
    if exact is None and _sums(request):
        answer = _searched(request, answer, 1.0 if answer.plan is not None else 1 - _SHARE)
        if answer.plan is not None:
            return answer
    if exact is None:
        rest = [entry for entry in constructive(request) if entry.name not in names]
        asked = replace(request, start=answer.plan)
        if answer.plan is not None:
            asked.work_limit = 0.0
        others = run_all(asked, rest)
        if others.plan is not None:
            answer = others
        return _searched(request, answer, 1.0)
    if _PROVED < tasks <= _HINTED:
        answer = _searched(request, answer, _SHARE)
        if _done(request, answer):
            return answer
    try:
        proof = exact.load()(replace(request, start=answer.plan, options={}))
    except SolverUnavailable:
        return _searched(request, answer, 1.0)
    proof.plan = proof.plan or answer.plan
    return proof


def _done(request: Request, answer: Answer) -> bool:
    """Whether there is nothing left to do: no time, or a plan as good as its bound."""
    if request.stopped:
        return True
    if answer.plan is None:
        return False
    return answer.plan.objective(request.goal.minimize) * (1 - request.gap) <= request.bound


def _exact(request: Request) -> Entry | None:
    """The exact method, if it honours the instance and is likely to improve on heuristics."""
    tables = request.problem.tables
    if tables.divisible.any():  # no heuristic splits tasks, so this one is asked whatever the size
        entry = registry.entries()["milp"]
        return entry if set(features_used(request.problem, request.goal)) <= entry.honours else None
    entry = registry.entries()["cpsat"]
    honoured = set(features_used(request.problem, request.goal)) <= entry.honours
    small = tables.tasks <= _HINTED and tables.edges * tables.nodes**2 <= _EXACT
    return entry if honoured and small else None


def _searched(request: Request, answer: Answer, share: float) -> Answer:
    """What local search makes of a plan in a share of the time that is left."""
    entry = registry.entries().get("anneal")
    if entry is None or _done(request, answer):
        return answer
    if not set(features_used(request.problem, request.goal)) <= entry.honours:
        return answer
    deadline = request.deadline
    if share < 1 or (deadline == inf and request.work_limit is None):
        deadline = time.monotonic() + min(share * request.seconds_left, _PATIENCE)
    found = entry.load()(replace(request, deadline=deadline, start=answer.plan, options={}))
    if found.plan is None:
        found.plan = answer.plan
        found.reason = answer.reason or found.reason
    return found
