"""The method `anneal`: local search on whatever an instance uses, for as long as there is time."""

from __future__ import annotations

import time
from dataclasses import replace
from math import inf

import numpy as np

from offload.arrays import IntArray
from offload.errors import OffloadError
from offload.features import Goal
from offload.heuristics.additive_costs import additive
from offload.heuristics.additive_search import AdditiveSearch
from offload.heuristics.annealing import Annealing
from offload.heuristics.copies import may_copy
from offload.heuristics.decisions import Decisions, codecs_of, decide, topological_order
from offload.heuristics.placements import Placements
from offload.heuristics.pricing import ADDITIVE
from offload.heuristics.ranks import upward_ranks
from offload.heuristics.sequence_search import SequenceSearch
from offload.heuristics.sequences import applies
from offload.heuristics.units import Units
from offload.plan import Plan
from offload.registry import Answer, Request
from offload.tables import Tables

__all__ = ["anneal"]

_DEFAULT_WORK = 200_000  # plans timed where neither clock nor work is limited
_ROUNDS = 7  # shares of the first, second and third round: 1, 2 and 4 of these
_CUTS = 17  # places at which the order of tasks is cut between two nodes, at most
_CELLS = 5_000_000  # tasks and edges of all these placements together, at most
_STARTS = 4  # of them that are improved
_GATHERING = 0.05  # of the time for the least of sums, where they count with latency
_EVERY = 1.0  # seconds between reports of better plans, at least
_FEW = 200  # tasks up to which decoding follows the search for sums, if it can do more
_COARSE = 0.6  # share of the latter
_SEARCHES = ("auto", "sequences", "additive", "decoding")


class _Budget:
    """What may be spent, in work if that is limited, else in seconds; and when to stop."""

    def __init__(self, request: Request) -> None:
        self.request, self.work = request, 0
        self.most = request.work_limit
        self.begun = time.monotonic()
        if self.most is None and request.deadline == inf:
            self.most = _DEFAULT_WORK
        self.best = inf

    def share(self) -> float:
        """The share that is spent."""
        if self.most is not None:
            return self.work / self.most if self.most else 1.0
        seconds = time.monotonic() - self.begun
        return seconds / max(self.request.deadline - self.begun, 1e-9)

    def proved(self) -> bool:
        """Whether the bound that is known beforehand proves the best plan."""
        bound = self.request.bound
        return self.best < inf and self.best - bound <= self.request.gap * abs(self.best)

    def stop(self) -> bool:
        """Whether to stop at once."""
        spent = self.most is not None and self.work >= self.most
        return spent or self.request.stopped is not None or self.proved()

    @property
    def stopped(self) -> str | None:
        """Why the search stopped, if not for a proof."""
        if self.proved():
            return None
        return self.request.stopped or "work"


def anneal(request: Request) -> Answer:
    """Local search: the best plan that can be found in the time, or with the work, there is.

    Where latency counts, alone or with sums over tasks and transfers, and nodes run one task at a
    time, a heat-bath tabu search over the sequences of tasks on nodes (Mastrolilli, Gambardella
    2000, section 4). Where the goal is a sum over tasks and transfers, a heat bath over placements
    (Geman, Geman 1984). Else, and for any objective and limits, annealing over the evaluator's
    decoding (Kirkpatrick, Gelatt, Vecchi 1983). ``work_limit`` bounds the number of plans timed, or
    valued; under it the answer depends on the seed alone. Option ``search`` forces one of the
    three.
    """
    kind = request.options.get("search", "auto")
    if kind not in _SEARCHES:
        raise OffloadError(f"options.search: must be one of {', '.join(_SEARCHES)}, got {kind!r}")
    tables, goal = request.problem.tables, request.goal
    if kind == "sequences" and not applies(tables, goal):
        raise OffloadError(
            "options.search: 'sequences' is for latency (and sums with it, without modes and "
            "codecs), on nodes of one slot, without contended links, groups, deadlines or working "
            "memory; use 'decoding'"
        )
    if kind == "additive" and not additive(tables, goal):
        raise OffloadError(
            "options.search: 'additive' is for energy without idle power, cost, risk and traffic, "
            "without deadlines, divisible tasks and contiguous groups; use 'decoding'"
        )
    budget = _Budget(request)
    if request.start is not None:
        budget.best = request.start.objective(goal.minimize)
    if not tables.tasks or budget.stop():
        return Answer(request.start, stopped=budget.stopped)
    decisions = _at_first(tables) if request.start is None else decide(request.start)
    if kind == "sequences" or (kind == "auto" and applies(tables, goal)):
        plan = _by_sequences(request, decisions, budget)
    else:
        plan, sums = None, kind != "decoding" and additive(tables, goal)
        more = not sums or (kind == "auto" and _coarse(tables, goal))
        if sums:
            plan = _by_sums(request, decisions, budget, _COARSE if more else 1.0)
            decisions = decisions if plan is None else decide(plan)
        if more and not budget.stop():
            search = Annealing(request.problem, goal, decisions, request.seed)
            plan = _by_rounds(request, search, budget) or plan
    if plan is None and request.start is None:
        return Answer(stopped=budget.stopped, reason="no plan that holds was found in the time")
    return Answer(plan or request.start, stopped=budget.stopped)


def _at_first(tables: Tables) -> Decisions:
    """Each task where it runs fastest, in the order of the graph: a start where there is none."""
    rows = (tables.row(i) for i in range(tables.tasks))
    nodes = np.array([int(row.argmin()) for row in rows], np.int32)
    codecs = codecs_of(tables, nodes[None, :])
    packed = None if codecs is None else codecs[0]
    return Decisions(nodes, tables.topological, tables.fastest_mode[nodes], packed, None)


def _by_sequences(request: Request, decisions: Decisions, budget: _Budget) -> Plan | None:
    problem = request.problem
    tables = problem.tables
    search = SequenceSearch(tables, decisions, request.goal, request.seed)
    order = topological_order(problem, -upward_ranks(tables))
    count = _CELLS // (tables.nodes**2 * (tables.tasks + tables.edges + 1))
    if count > 1:
        search.add_best(_cut_in_two(tables, order, min(count, _CUTS)), order, _STARTS)
    if search.worth.metrics and (least := _least_sums(request, decisions, budget)) is not None:
        search.add(least.nodes, least.order)
    gathered = budget.work
    told, known, plan = time.monotonic(), inf, None

    def tell() -> None:
        """Turn the best schedule into a plan, and report it."""
        nonlocal told, known, plan
        if search.best is None or search.best.value >= known:
            return
        best = search.best
        search.state.load(best.nodes, best.order)
        known = best.value
        plan = search.state.plan()
        request.report(plan, None)
        told = time.monotonic()

    def stop() -> bool:
        budget.work = gathered + search.work
        if search.best is not None:
            budget.best = min(budget.best, search.best.value)
        return budget.stop()

    while not stop():
        search.round(stop, budget.share)
        if time.monotonic() - told >= _EVERY:
            tell()
    tell()
    return plan


def _least_sums(request: Request, decisions: Decisions, budget: _Budget) -> Decisions | None:
    """Where tasks run for the least of what counts or is limited besides times, found soon.

    Tasks that exchange much are together there: moves that spread them are found one by one, those
    that gather them are not.
    """
    goal = request.goal
    minimize = {m: weight for m, weight in goal.minimize.items() if m in ADDITIVE and weight > 0}
    limits = {m: limit for m, limit in goal.limits.items() if m in ADDITIVE}
    minimize = minimize or {m: 1 / limit if limit > 0 else 1.0 for m, limit in limits.items()}
    sums = Goal(minimize, limits)
    if not additive(request.problem.tables, sums):
        return None
    own = replace(
        request, goal=sums, start=None, bound=-inf, report=lambda plan, bound: None, options={}
    )
    if budget.most is not None:
        own.work_limit = _GATHERING * budget.most
    if request.deadline < inf:
        own.deadline = time.monotonic() + _GATHERING * request.seconds_left
    soon = _Budget(own)
    plan = _by_sums(own, decisions, soon, 1.0)
    budget.work += soon.work
    return None if plan is None else decide(plan)


def _cut_in_two(tables: Tables, order: IntArray, count: int) -> IntArray:
    """Placements that put the first tasks of an order on one node and the rest on another.

    For all pairs of nodes and ``count`` places of the cut; tasks that cannot be on theirs go to
    the other, or where they can. int32[B, T].
    """
    tasks, nodes = tables.tasks, tables.nodes
    fine = np.isfinite(tables.execution(np.arange(tasks)[:, None], np.arange(nodes)))
    first = fine.argmax(axis=1)
    rank = np.empty(tasks, np.int64)
    rank[order] = np.arange(tasks)
    task, cuts = np.arange(tasks), np.unique(np.linspace(0, tasks, count).astype(int))
    rows = []
    for k in range(nodes):
        for l in range(nodes):
            for cut in cuts.tolist() if k != l else [0]:
                wish = np.where(rank < cut, k, l)
                other = np.where(fine[:, l], l, first)
                rows.append(np.where(fine[task, wish], wish, other))
    return np.array(rows, np.int32)


def _coarse(tables: Tables, goal: Goal) -> bool:
    """Whether decoding has changes that bear on sums and that the search for sums has not.

    Copies of data, and modes and codecs other than those of least price under limits. Decoding
    makes too few of them to matter where tasks are many.
    """
    chosen = tables.modes > 1 or len(tables.item_codecs.values) > 0
    more = (bool(goal.limits) and chosen) or bool(may_copy(tables).any())
    return more and tables.tasks <= _FEW


def _by_sums(request: Request, decisions: Decisions, budget: _Budget, until: float) -> Plan | None:
    """Search where the goal is a sum, up to a share of all that may be spent.

    It places no copies of data; those of the start stay only if its tasks could not be where they
    are without them.
    """
    tables = request.problem.tables
    placements = Placements(tables)
    if decisions.copies is not None:
        if placements.allowed[np.arange(tables.tasks), decisions.nodes].all():
            decisions = decisions._replace(copies=None)
        else:
            placements = Placements(tables, decisions.copies)
    units = Units(placements)
    if not units.allowed.any(axis=1).all():
        return None  # some task can be nowhere
    search = AdditiveSearch(request.problem, request.goal, decisions, units, request.seed)
    return _by_rounds(request, search, budget, until)


def _by_rounds(
    request: Request, search: Annealing | AdditiveSearch, budget: _Budget, until: float = 1.0
) -> Plan | None:
    told, known, before = time.monotonic(), inf, budget.work

    def stop() -> bool:
        nonlocal told, known
        budget.work = before + search.work
        budget.best = min(budget.best, search.best)
        if search.best < known and time.monotonic() - told >= _EVERY:
            request.report(search.plan, None)
            told, known = time.monotonic(), search.best
        return budget.stop()

    begun = budget.share()
    for part in (1, 3, _ROUNDS):
        search.round(stop, budget.share, begun + (until - begun) * part / _ROUNDS)
    return search.plan
