"""The methods `auto` and `exact`: heuristics, local search, bounds and an exact method in turn.

Each goes on from the best plan and the best bound of those before it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from math import inf

import numpy as np

from offload import registry
from offload.bounding.chains import cut_is_exact
from offload.bounding.spending import SPENT
from offload.bounds import relative_gap
from offload.errors import SolverUnavailable
from offload.features import Goal, features_used
from offload.heuristics.additive_costs import additive
from offload.heuristics.best_of import constructive, run_all
from offload.heuristics.sequences import applies
from offload.plan import Plan
from offload.registry import Answer, Entry, Request
from offload.transfers import required_transfers

__all__ = ["auto", "empty", "exact", "first", "quick"]

_QUICK = ("heft", "mct", "peft", "cpop", "by-intensity", "local", "cloud", "least-loaded")
_FIRST = ("heft", "local")
_LARGE = 5_000  # tasks above which two of them have to do
_AT_ONCE = 0.25  # of the time, at most, where the goal is a sum: one of them, then local search
_DRAWS = 200  # plans for each task that local search times where no clock may end it
_ROUNDS = 60  # of the bounds by columns, likewise
_TURNS = 8  # from plans that ignore the limits to ones that keep them
_APPROACHING = 0.2  # of the time for them
_MENDED = 2  # of them: whose plans are repaired if they break limits or deadlines
_MENDING = 0.25  # of the time, at most, if there is a plan already
_EXACT = 200_000  # pairs of places over all edges up to which an exact model is worth building
_ASSIGNED = 20_000  # places of tasks up to which an assignment program is solved at once
_HINTED = 150  # tasks up to which an exact method follows local search in `auto`
_SHARE = 0.25  # of the time for local search
_STAGING = 0.6  # of it for stages, where the period alone counts, and for the cut of two nodes
_PROVING = 0.1  # of the time for it at most where proofs are asked for
_SMALL = 30  # tasks up to which an exact method soon does better
_TINY = 16  # tasks up to which it comes before anything else, for a share of the time, and
_SOON = 0.1
_MOMENT = 2.0  # seconds of it at most
_AT_MOST = 1.25e-6  # seconds of it, times tasks ** 4, at most, where the fastest search applies
_PATIENCE = 60.0  # seconds of it at most before an exact method, or without any limit,
_PATIENCE_TASK = 0.5  # and for each task, so that what is small is soon handed on
_TRYING = 0.05  # of the time where heuristics found no plan: for a search, for an exact method, or
_TRIED = 5  # so much work where no clock may end it
_RESCUING = 0.3  # of the time for a plan that keeps the limits, where heuristics found none
_SHARING = 0.9  # of the time for tasks that share out nodes with room, without transfers
_NEAR = 0.05  # of a plan above the bound: where local search got no nearer, tasks hardly fit, and
_FILLING = 0.6  # time is left for a mixed-integer program
_PRICES = 20_000  # looked at there where no clock may end it
_BOUNDING = 0.6  # of the time for bounds on sums over tasks and transfers


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

    Mending takes longer than all of them together: where there is a plan, a part of the time. Where
    there is none, a short search for one that keeps the limits soon has what mending has not.
    """
    used = set(features_used(request.problem, request.goal))
    chosen = [e for name in names if used <= (e := registry.entries()[name]).honours]
    made = run_all(replace(request, work_limit=0.0), chosen)
    if made.plan is None and not request.stopped:
        made.plan = _rescued(request, _TRYING, _DRAWS / 5)
    mended = replace(request, start=made.plan)
    if made.plan is not None:
        if not (set(request.goal.minimize) - {"latency"} or request.goal.limits):
            return made
        mended.deadline = time.monotonic() + _MENDING * request.seconds_left
    answer = run_all(mended, chosen[:_MENDED])
    answer.reason = answer.reason if answer.plan is None else None
    return answer


def first(request: Request) -> None:
    """Report the plan of the fastest good heuristic, before anything else is looked at.

    Where it keeps no limit, the one that moves least.
    """
    for entry in _fastest(request):
        made = run_all(replace(request, work_limit=0.0), [entry])
        if made.plan is not None or request.stopped:
            return


def auto(request: Request) -> Answer:
    """Heuristics, local search, and a proof where the instance is small enough.

    Up to 150 tasks an exact method follows local search; so it does, and sooner, up to 20,000
    places of tasks where nothing is transferred and the goal is a sum: an assignment problem.
    Above, or where none honours the instance, all heuristics and then local search take the time,
    or local search alone where the goal is a sum over tasks and transfers. Where the period alone
    counts, stages take the place of the heuristics; where a cut between two nodes is exact, that.
    """
    tables = request.problem.tables
    found = _engines(request)
    small = tables.tasks <= _HINTED and tables.edges * tables.nodes**2 <= _EXACT
    assigned = not tables.edges and _sums(request) and tables.tasks * tables.nodes <= _ASSIGNED
    small = small or assigned or bool(tables.divisible.any())  # which no heuristic splits
    if (begun := _staged(request)) is not None:
        request, answer = begun
        if _done(request, answer):
            return answer
        if not (found and small):
            return _searched(request, answer, 1.0)
        request, answer = _sooner(request, found)
        return _proved(request, _searched(request, answer, _SHARE), found)
    if not (found and small):
        return _without_proof(request)
    request, answer = _sooner(request, found)
    if _done(request, answer):
        return answer
    answer = _begun(request, found[0])
    if tables.tasks > _SMALL and not _sums(request):
        answer = _tried(request, answer, found[0])
        request = replace(request, bound=max(request.bound, answer.bound or request.bound))
    share = _PROVING if assigned else _SHARE
    return _proved(request, _searched(request, answer, share), found)


def exact(request: Request) -> Answer:
    """Every bound and proof there is, after a short local search.

    Where the goal is a sum over tasks and transfers, bounds by sets of tasks for nodes and a
    mixed-integer program; constraint programming elsewhere.
    """
    engines = _engines(request)
    request, answer = _staged(request) or (request, Answer(request.start, stopped=request.stopped))
    if not _done(request, answer):
        request, answer = _sooner(request, engines)
    if not _done(request, answer) and request.start is None:
        answer = _begun(request, engines[0] if engines else None)
    return _proved(request, _searched(request, answer, _PROVING), engines)


def _sooner(request: Request, engines: list[Entry]) -> tuple[Request, Answer]:
    """What an exact method makes of a tiny instance in a moment: as a rule, the proof.

    The request goes on from its plan and bound.
    """
    tables = request.problem.tables
    if not engines or tables.tasks > _TINY or request.stopped:
        return request, Answer(request.start, stopped=request.stopped)
    asked = _for_a_while(request, _SOON, _TRIED, _MOMENT)
    if asked.start is None:
        asked.start = run_all(replace(asked, work_limit=0.0), _fastest(request)).plan
    found = _run(engines[0], asked)
    plan, bound = found.plan or request.start, found.bound
    found = replace(found, plan=plan, stopped=request.stopped)
    bound = max(request.bound, -inf if bound is None else bound)
    return replace(request, start=plan, bound=bound), found


def _fastest(request: Request) -> list[Entry]:
    """The heuristics that are tried first of all, where they honour the instance."""
    used = set(features_used(request.problem, request.goal))
    known = (registry.entries()[name] for name in _FIRST)
    return [entry for entry in known if used <= entry.honours]


def _staged(request: Request) -> tuple[Request, Answer] | None:
    """The request with what a method makes of it that is exact for such a goal, if a plan.

    Stages where the period alone is minimized, a minimum cut where two nodes run tasks.
    """
    periods = set(request.goal.minimize) == {"period"}
    entry = registry.entries().get("stages" if periods else "min-cut")
    if entry is None or not (periods or cut_is_exact(request.problem, request.goal)):
        return None
    if not set(features_used(request.problem, request.goal)) <= entry.honours:
        return None
    work = _DRAWS * request.problem.tables.tasks
    found = _run(entry, _for_a_while(request, _STAGING, work))
    if found.plan is None:
        return None
    bound = max(request.bound, -inf if found.bound is None else found.bound)
    return replace(request, start=found.plan, bound=bound), replace(found, stopped=request.stopped)


def _begun(request: Request, engine: Entry | None = None) -> Answer:
    """The best plan of the fast heuristics.

    Where none keeps the limits, an exact method has a little time to find that no plan does; then
    come searches for one.
    """
    answer = _quick(request, _quick_names(request))
    start = request.start
    if start is not None and _beats(request, start, answer.plan):
        answer.plan = start
    if answer.plan is None and engine is not None and not request.stopped:
        tried = _run(engine, _for_a_while(request, _TRYING, _TRIED))
        if tried.infeasible:
            return tried
        answer.plan = tried.plan
    if answer.plan is None and not request.stopped:
        answer.plan = _rescued(request, _RESCUING, _DRAWS)
    small = engine is not None and request.problem.tables.tasks <= _SMALL
    return answer if small and answer.plan is not None else _approached(request, answer)


def _tried(request: Request, answer: Answer, engine: Entry) -> Answer:
    """What an exact method soon makes of a plan: often one that attains the bound."""
    if _done(request, answer) or answer.plan is None:
        return answer
    asked = replace(request, start=answer.plan)
    tried = _run(engine, _for_a_while(asked, _TRYING, _TRIED))
    return replace(tried, stopped=request.stopped) if tried.plan is not None else answer


def _without_proof(request: Request) -> Answer:
    """What heuristics and local search find."""
    answer = _begun(request)
    if _done(request, answer):
        return answer
    if _sums(request):
        answer = _searched(request, answer, 1.0 if answer.plan is not None else 1 - _PROVING)
        if answer.plan is not None:
            return answer
    names = _quick_names(request)
    rest = [entry for entry in constructive(request) if entry.name not in names]
    asked = replace(request, start=answer.plan)
    if answer.plan is not None:
        asked.work_limit = 0.0
    others = run_all(asked, rest)
    return _searched(request, others if others.plan is not None else answer, 1.0)


def _proved(request: Request, answer: Answer, engines: list[Entry]) -> Answer:
    """What bounds and then exact methods make of a plan."""
    if _done(request, answer):
        return answer
    answer = _by_sets(request, answer)
    bound = max(request.bound, -inf if answer.bound is None else answer.bound)
    for entry in engines:
        if _done(request, answer, bound):
            answer = replace(answer, stopped=request.stopped)  # not what ended a part of it
            break
        proof = _run(entry, replace(request, start=answer.plan, bound=bound))
        if proof.infeasible:
            return proof
        if proof.plan is not None:
            answer = replace(proof, bound=max(bound, proof.bound or bound))
        if proof.stopped or proof.plan is not None:
            break
    return answer


def _by_sets(request: Request, answer: Answer) -> Answer:
    """What the bounds by sets of tasks for nodes make of a plan, where the goal is a sum."""
    edges = request.problem.tables.edges
    entry = registry.entries().get("node-columns" if edges else "knapsacks")
    used = set(features_used(request.problem, request.goal))
    if not set(request.goal.minimize) & set(SPENT) or entry is None or not used <= entry.honours:
        return answer
    if edges and answer.plan is None:
        return answer
    share, work = (_BOUNDING, _ROUNDS) if edges else (_SHARING, _PRICES)
    if not edges and (answer.plan is None or not _near(request, answer.plan)):
        share = _FILLING
    found = _run(entry, _for_a_while(replace(request, start=answer.plan), share, work))
    bounds = [bound for bound in (answer.bound, found.bound) if bound is not None]
    bound = max(bounds, default=None)
    return replace(answer, plan=found.plan, bound=bound, infeasible=found.infeasible)


def _near(request: Request, plan: Plan) -> bool:
    return relative_gap(plan.objective(request.goal.minimize), request.bound) <= _NEAR


def _run(entry: Entry, request: Request) -> Answer:
    """A method with its own options; nothing where it is not installed."""
    try:
        return entry.load()(replace(request, options={}))
    except SolverUnavailable:
        return Answer(request.start)


def _engines(request: Request) -> list[Entry]:
    """The exact methods that honour the instance, the likeliest to prove it first."""
    used = set(features_used(request.problem, request.goal))
    names = ("milp", "cpsat") if _sums(request) else ("cpsat", "milp")
    known = registry.entries()
    ours = [known[name] for name in names if name in known]
    others = [e for e in known.values() if e.kind == "exact" and e.name not in (*names, "exact")]
    return [entry for entry in (*ours, *others) if used <= entry.honours]


def _done(request: Request, answer: Answer, bound: float = -inf) -> bool:
    """Whether there is nothing left to do: no time, no plan at all, or one as good as its bound."""
    if request.stopped or answer.infeasible:
        return True
    if answer.plan is None:
        return False
    value = answer.plan.objective(request.goal.minimize)
    return value * (1 - request.gap) <= max(bound, request.bound)


def _searched(request: Request, answer: Answer, share: float) -> Answer:
    """What local search makes of a plan in a share of the time that is left."""
    entry = registry.entries().get("anneal")
    if entry is None or _done(request, answer):
        return answer
    if not set(features_used(request.problem, request.goal)) <= entry.honours:
        return answer
    asked = replace(request, start=answer.plan, options={})
    if share < 1 or (request.deadline == inf and request.work_limit is None):
        tasks = request.problem.tables.tasks
        alone = request.goal.metrics == {"latency"}
        soon = share < 1 and alone and applies(request.problem.tables, request.goal)
        most = _AT_MOST * tasks**4 if soon else inf
        asked = _for_a_while(asked, share, _DRAWS * tasks, most)
    found = entry.load()(asked)
    if found.plan is None:
        found.plan = answer.plan
        found.reason = answer.reason or found.reason
    return found


def _for_a_while(request: Request, share: float, work: float, most: float = inf) -> Request:
    """A request for a part of the time; of work instead where no clock may change the answer."""
    if request.threads == 1:
        return replace(request, work_limit=min(work, request.work_limit or inf))
    patience = min(_PATIENCE, 1.0 + _PATIENCE_TASK * request.problem.tables.tasks)
    seconds = min(share * request.seconds_left, most, patience)
    return replace(request, deadline=min(request.deadline, time.monotonic() + seconds))


def _approached(request: Request, answer: Answer) -> Answer:
    """Plans as good as can be without the limits, changed for the limits' sake until they hold.

    A search that may never break a limit stays near the plan that it starts from. By turns with
    other seeds; the best plan that holds is kept.
    """
    goal, entry = request.goal, registry.entries().get("anneal")
    weights = _limited(goal)
    if entry is None or not weights or set(weights) <= set(goal.minimize) or _done(request, answer):
        return answer
    if not set(features_used(request.problem, goal)) <= entry.honours:
        return answer
    search, work = entry.load(), _DRAWS * request.problem.tables.tasks
    for turn in range(_TURNS):
        share = _APPROACHING / (_TURNS - turn) / 2
        own = replace(
            request, bound=-inf, options={}, seed=request.seed + turn,
            report=lambda plan, bound: None,
        )  # fmt: skip
        free = _for_a_while(replace(own, goal=Goal(goal.minimize, {}), start=None), share, work)
        free.start = run_all(replace(free, work_limit=0.0), [registry.entries()[_QUICK[0]]]).plan
        begun = search(free).plan
        if begun is None or request.stopped:
            break
        # A bound that every plan within the limits meets ends the search at the first of them.
        enough = sum(weight * goal.limits[metric] for metric, weight in weights.items())
        bent = replace(own, goal=Goal(weights, {}), start=begun, bound=enough, gap=0.0)
        plan = search(_for_a_while(bent, share, work)).plan
        if plan is not None and _beats(request, plan, answer.plan):
            answer = replace(answer, plan=plan)
            request.report(plan, None)
    return answer


def _limited(goal: Goal) -> dict[str, float]:
    """Weights under which each limited metric counts the same at its limit."""
    limits = {metric: limit for metric, limit in goal.limits.items() if limit > 0}
    if len(limits) == 1:
        return dict.fromkeys(limits, 1.0)
    return {metric: 1 / limit for metric, limit in limits.items()}


def _beats(request: Request, plan: Plan, other: Plan | None) -> bool:
    weights = request.goal.minimize
    if other is not None and plan.objective(weights) >= other.objective(weights):
        return False
    return request.keeps(plan)


class _Either(threading.Event):
    """Set when it is set, or the caller's event is."""

    def __init__(self, other: threading.Event | None) -> None:
        super().__init__()
        self.other = other

    def is_set(self) -> bool:
        """Whether one of the two is."""
        return super().is_set() or (self.other is not None and self.other.is_set())


def _rescued(request: Request, share: float, draws: float) -> Plan | None:
    """A plan that keeps the limits, by searches for little of what they limit and nothing else.

    In a share of the time; so many plans for each task where no clock may end it.
    """
    goal, entry = request.goal, registry.entries()["anneal"]
    weights = _limited(goal)
    if not weights or not set(features_used(request.problem, goal)) <= entry.honours:
        return None
    found: list[Plan] = []
    enough = _Either(request.cancel)

    def hear(plan: Plan | None, bound: float | None) -> None:
        if plan is not None and not found and request.keeps(plan):
            found.append(plan)
            request.report(plan, None)
            enough.set()

    asked = replace(
        request, goal=Goal(weights, {}), start=None, bound=-inf, options={}, report=hear,
        cancel=enough,
    )  # fmt: skip
    asked = _for_a_while(asked, share, draws * request.problem.tables.tasks)
    asked.start = run_all(replace(asked, work_limit=0.0), [registry.entries()[_QUICK[0]]]).plan
    if not found and asked.start is not None:
        entry.load()(asked)
    return found[0] if found else None
