"""Method `milp`: a mixed-integer program through PuLP, solved by HiGHS (or CBC) to a proof.

Two models: assignment under capacity (`milp_assignment`) where nothing that counts depends on
times, and big-M scheduling (`milp_scheduling`) for everything else; both with shares of divisible
tasks (`milp_splitting`) where there are such.

The solver decides in floating point with a tolerance. So its placements and orders are re-timed
exactly, and count only if the checker accepts them; and its bound is lowered by what the tolerance
may hide. Where the solver is done and a re-timed plan breaks a rule, or is worse than the solver
believes, by a rounding, that one combination of 0-1 decisions is forbidden (its exact plan is
known) and the solver goes on. The models are relaxed in a plan's favour, so that "infeasible" is
a proof.

A start matters: it bounds the horizon, and with it every big-M. Work (`work_limit`) is
branch-and-bound nodes, all runs together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import pulp

from formulations.milp_assignment import AssignmentModel, suffices
from formulations.milp_engine import Control, Outcome, run, solver_of, versions
from formulations.milp_parts import SplitCase, undivided
from formulations.milp_scheduling import SchedulingModel
from formulations.milp_splitting import SplitAssignment, SplitScheduling
from formulations.milp_terms import FAVOUR, Case
from formulations.symmetry import anchored
from offload.bounds import lower_bound
from offload.errors import OffloadError, Unsupported
from offload.features import Goal, features_used
from offload.plan import Plan
from offload.problem import Problem
from offload.registry import Answer, Request, Stopped, find

__all__ = ["program", "solve"]

REBUILDS = 3  # models made anew where a far better plan leaves room for finer scales
ROUNDS = 50  # combinations forbidden by rounding before the method gives up on the proof
NEAR = 1e-3  # relative gain for which a search near the best plan goes on
NEAR_TIME = 0.1  # of the time left, for each of its runs
NEAR_NODES = 200  # of branch-and-bound, likewise
MOST = 400_000  # rows and columns of a model: a larger one takes minutes to build, to no avail


class _Built(Protocol):
    """What the search needs of a model."""

    problem: pulp.LpProblem
    unit: float
    most: float

    @property
    def margin(self) -> float: ...
    def start_from(self, plan: Plan) -> None: ...
    def plan(self) -> Plan: ...
    def decisions(self) -> list[pulp.LpVariable]: ...
    def forbid(self, chosen: list[pulp.LpVariable]) -> None: ...


def solve(request: Request) -> Answer:
    """Place and schedule by mixed-integer programming; see the module's text.

    Raises
    ------
    SolverUnavailable
        If neither HiGHS nor CBC loads, or not the one that ``options["solver"]`` names.
    OffloadError
        If ``options["solver"]`` is neither "highs" nor "cbc".
    """
    if request.problem.tables.divisible.any():
        if request.start is None:
            request = replace(request, start=undivided(request))
    elif (fewer := anchored(request)) is not None:
        return fewer.answer(_solved(fewer.request))
    return _solved(request)


def _solved(request: Request) -> Answer:
    search = _Search(request, solver_of(request.options.get("solver")))
    case, kind = _model_of(request.problem, request.goal, request.go_on)
    if (why := search.stopped()) or search.proved:
        return search.answer(why)
    if (size := kind.size_of(case)) > MOST:
        reason = f"the model has about {size} rows and columns, and above {MOST} none is built"
        return search.answer("work", reason)
    for _ in range(REBUILDS):
        if (why := search.stopped()) or search.proved:
            return search.answer(why)
        try:
            model = kind(case, search.value)
            if model.infeasible:
                return search.exhausted(FAVOUR * search.value)
            model.build()
        except Stopped:
            return search.answer(search.stopped())
        if isinstance(model, SplitScheduling):
            search.improve(model)
        answer = search.prove(model)
        if answer.stopped or answer.infeasible or not search.value < model.most / 2:
            break
    return answer


def _model_of(
    problem: Problem, goal: Goal, go_on: Callable[[], None] = lambda: None
) -> tuple[Case, Any]:
    """The numbers of an instance, and the class of its model."""
    if problem.tables.divisible.any():
        case: Case = SplitCase(problem, goal, go_on)
        return case, SplitAssignment if suffices(case) else SplitScheduling
    case = Case(problem, goal, go_on)
    return case, AssignmentModel if suffices(case) else SchedulingModel


def program(problem: Problem, goal: Goal, plan: Plan | None) -> tuple[pulp.LpProblem, float]:
    """The program of an instance as it is first solved, and the unit of its objective.

    Parameters
    ----------
    plan
        Its objective bounds the times of the model: solutions worse than it are left out. Without
        one there is no such bound where nothing that counts depends on times. If there are
        divisible tasks, one that splits none is made.

    Raises
    ------
    Unsupported
        For features that the method `milp` does not honour.
    OffloadError
        If the model would be too large, or there is no plan to bound its times.
    """
    entry = find("milp")
    missing = [name for name in features_used(problem, goal) if name not in entry.honours]
    if missing:
        raise Unsupported("milp", missing, "no program is written of it")
    case, kind = _model_of(problem, goal)
    if (size := kind.size_of(case)) > MOST:
        raise OffloadError(
            f"the program has about {size} rows and columns; above {MOST} none is built"
        )
    if plan is None and isinstance(case, SplitCase):
        plan = undivided(Request(problem, goal))
    if plan is None and not suffices(case):
        raise OffloadError("no plan was found to bound the times of the program; give one")
    most = math.inf if plan is None else plan.objective(goal.minimize)
    model = kind(case, most)
    if model.infeasible:
        raise OffloadError("no plan is better than the one given: there is no program to write")
    model.build()
    return model.problem, model.unit


class _Search:
    """The best plan and bound so far, and how they get better."""

    def __init__(self, request: Request, solver: str) -> None:
        self.request, self.solver = request, solver
        self.minimize = request.goal.minimize
        self.best: Plan | None = None
        self.value = math.inf
        self.bound = lower_bound(request.problem, self.minimize)
        self.nodes = request.work_limit
        if request.start is not None:
            self.take(request.start)

    def stopped(self) -> str | None:
        """Why to stop now, if so."""
        return self.request.stopped

    # -- plans and bounds ------------------------------------------------------------------------

    def take(self, plan: Plan) -> bool:
        """Keep a plan if it is the best so far and holds; whether it holds as far as is known."""
        value = plan.objective(self.minimize)
        if not math.isfinite(value):
            return False
        if value >= self.value:
            return True  # whether it holds does not matter any more
        if not self.request.keeps(plan):
            return False
        self.best, self.value = plan, value
        self.request.report(plan, None)
        return True

    def raise_bound(self, bound: float) -> None:
        """Keep a bound if it is the best so far; no bound is above a plan."""
        bound = min(bound, self.value)
        if bound > self.bound:
            self.bound = bound
            self.request.report(None, bound)

    @property
    def proved(self) -> bool:
        """Whether the gap is closed as far as was asked for."""
        return self.best is not None and self.value - self.bound <= self.request.gap * self.value

    # -- answers ---------------------------------------------------------------------------------

    def answer(self, stopped: str | None, reason: str | None = None) -> Answer:
        """What is known when the method ends."""
        least = min(self.bound, self.value)
        bound = least if math.isfinite(least) else None
        return Answer(
            self.best, bound, stopped=stopped, reason=reason, versions=versions(self.solver)
        )

    def exhausted(self, margin: float) -> Answer:
        """No plan is left that could be better than the best, but for a margin."""
        if self.best is not None:
            self.raise_bound(self.value - margin)
            return self.answer(None)
        reason = "no placement and order of the tasks keeps every rule, deadline and limit"
        return Answer(infeasible=True, reason=reason, versions=versions(self.solver))

    # -- search ----------------------------------------------------------------------------------

    def improve(self, model: SplitScheduling) -> None:
        """Split tasks within the order of the best plan, then move others too, while it helps.

        No heuristic splits tasks, and the whole program is slow to find what most of that gains.
        """
        for moving in (False, True):
            before = math.inf
            while self.best is not None and self.value < before * (1 - NEAR):
                if self.proved or self.stopped():
                    return
                before = self.value
                with model.near(self.best, moving=moving):
                    model.start_from(self.best)
                    self._run(model, 0.0, warm=True, near=True)

    # -- proof -----------------------------------------------------------------------------------

    def prove(self, model: _Built) -> Answer:
        """Run the solver until the proof stands, forbidding what only rounding makes good."""
        margin = model.margin
        warm = self.best is not None
        if self.best is not None:
            model.start_from(self.best)
        for _ in range(ROUNDS):
            outcome = self._run(model, margin, warm)
            if outcome.proof == "infeasible":
                return self.exhausted(margin)
            if outcome.bound is not None:
                self.raise_bound(outcome.bound * model.unit - margin)
            holds = outcome.found and self.take(model.plan())
            if outcome.proof is None or outcome.bound is None:
                return self.answer(outcome.stopped, outcome.note or None)
            # The bound may be for plans at most this much better than the best.
            unexplained = self.value - outcome.bound * model.unit
            if holds and unexplained <= max(self.request.gap * self.value, margin):
                return self.answer(None)
            model.forbid(model.decisions())
            warm = False
        return self.answer("work", f"{ROUNDS} solutions held within tolerance but not exactly")

    def _run(self, model: _Built, margin: float, warm: bool, near: bool = False) -> Outcome:
        """Run the solver; ``near``: for plans alone, in a part of the time and of the work."""
        request = self.request
        # Half of the gap, at most 5e-5, is left to the margin and to exact re-timing.
        gap = max(request.gap / 2, request.gap - 5e-5)
        control = Control(
            stopped=lambda: request.stopped, seconds=request.seconds_left, gap=gap,
            threads=request.threads, seed=request.seed, warm=warm,
            nodes=None if self.nodes is None else int(self.nodes),
            on_solution=lambda: self.take(model.plan()),
            on_bound=lambda bound: self.raise_bound(bound * model.unit - margin),
        )  # fmt: skip
        if near:
            control.seconds *= NEAR_TIME
            control.nodes = NEAR_NODES if control.nodes is None else min(NEAR_NODES, control.nodes)
            control.gap, control.on_bound = max(gap, NEAR), lambda bound: None
        outcome = run(model.problem, control, self.solver)
        if self.nodes is not None:
            self.nodes = max(self.nodes - outcome.nodes, 0)
        return outcome
