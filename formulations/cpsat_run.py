"""One run of CP-SAT on one model: solutions are re-timed and checked, bounds passed on."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from math import inf, isfinite

from ortools.sat.python import cp_model

from formulations.cpsat_model import Model
from formulations.cpsat_plans import plan_of
from offload.bounds import lifted
from offload.plan import Plan
from offload.registry import Request

__all__ = ["Best", "Run"]

_WORKERS = 4  # CP-SAT's portfolio needs several workers, also on few cores; 8 cost 1.5x the CPU
# A question about few tasks is answered by those that prove: one without a linear relaxation at
# first (less CPU than the whole portfolio), then one with much of it too; more where threads are
# given. About many tasks the portfolio knows sooner.
_PROVERS = ("no_lp", "max_lp", "quick_restart_no_lp", "default_lp", "pseudo_costs", "quick_restart")
# Where loads leave no room, the linear relaxation says which of them fit together.
_TIGHT = ("max_lp", "no_lp", *_PROVERS[2:])
_ALONE = 3.0  # seconds of a slot from which on there are two
_FEW = 60  # tasks
_POLL = 0.05  # seconds between looks at the cancel event


@dataclass
class Best:
    """The best plan and bound of all runs of a solve.

    Attributes
    ----------
    value, bound
        The plan's objective, and a true lower bound of the problem.
    infeasible
        Whether it is proved that there is no plan.
    work
        Deterministic time of all runs.
    rejected
        Whether a solution of the last run broke a rule once it was re-timed.
    """

    request: Request
    plan: Plan | None = None
    value: float = inf
    bound: float = -inf
    infeasible: bool = False
    work: float = 0.0
    rejected: bool = False

    @property
    def proved(self) -> bool:
        """Whether the gap is closed as far as was asked for."""
        return self.gap <= self.request.gap

    @property
    def gap(self) -> float:
        """Relative gap between plan and bound; infinite without one of them."""
        if self.plan is None or self.bound == -inf:
            return inf
        return 0.0 if self.value == 0 else max(0.0, (self.value - self.bound) / self.value)

    def take(self, plan: Plan) -> None:
        """Keep a plan if it is better and holds."""
        value = plan.objective(self.request.goal.minimize)
        if not value < self.value:
            return
        if self.request.keeps(plan):
            self.plan, self.value = plan, value
            self.request.report(plan, None)
        else:
            self.rejected = True

    def raise_bound(self, bound: float) -> None:
        """Keep a bound if it is higher."""
        bound = lifted(self.request.problem, self.request.goal.minimize, bound)
        if bound > self.bound:
            self.bound = bound
            self.request.report(None, bound)

    def exhausted(self) -> None:
        """No plan at all, or none below the one that is known."""
        if self.plan is None:
            self.infeasible = True
        else:
            self.raise_bound(self.value * (1 - 1e-8))


class Run(cp_model.CpSolverSolutionCallback):
    """A run of the solver.

    Parameters
    ----------
    question
        Whether any plan up to the model's ceiling will do, instead of the best.
    tight
        Whether that ceiling is about the bound.

    Attributes
    ----------
    answered
        Whether the run ended by itself: with a proof, or with a plan where any would do.
    spent
        Time that it took: seconds, or deterministic time where the slot is in that.
    stopped
        Why the whole solve has to stop, if so.
    """

    def __init__(self, model: Model, best: Best, *, question: bool, tight: bool = False) -> None:
        super().__init__()
        self.request, self.model, self.best = model.request, model, best
        self.question, self.tight = question, tight
        self.solver = cp_model.CpSolver()
        self.infeasible = self.answered = False
        self.spent = 0.0
        self.stopped: str | None = None

    def run(self, slot: float = inf, *, deterministic: bool = False) -> None:
        """Solve until an answer, a limit, a cancel, or the end of the slot."""
        if self.question:
            self.model.cp.clear_objective()  # type: ignore[no-untyped-call]
        self._set_parameters(slot, deterministic)
        done = threading.Event()
        guard = threading.Thread(target=self._guard, args=(done,), daemon=True)
        guard.start()
        try:
            status = self.solver.solve(self.model.cp, self)
        finally:
            done.set()
            guard.join()
        work = self.solver.response_proto.deterministic_time
        self.best.work += work
        self.spent = work if deterministic else self.solver.wall_time
        self._conclude(status)

    def _set_parameters(self, slot: float, deterministic: bool) -> None:
        request, parameters = self.request, self.solver.parameters
        parameters.num_workers = request.threads or _WORKERS
        few = self.model.tables.tasks <= _FEW or request.threads == 1 or self.tight
        if self.question and few and (request.threads or 0) <= len(_PROVERS):
            alone = self.tight or slot < _ALONE
            parameters.num_workers = request.threads or (1 if alone else 2)
            provers = _TIGHT if self.tight else _PROVERS
            parameters.subsolvers.extend(provers[: parameters.num_workers])
        # Its own handler would abort the process when another thread is interrupted.
        parameters.catch_sigint_signal = False
        parameters.random_seed = request.seed % 2**31
        parameters.relative_gap_limit = request.gap / 4
        parameters.stop_after_first_solution = self.question
        # This stage of the presolve has lost optimal plans (CP-SAT 9.15); it saves no time here.
        parameters.presolve_inclusion_work_limit = 0
        seconds = min(request.seconds_left, inf if deterministic else slot)
        if isfinite(seconds):
            parameters.max_time_in_seconds = seconds
        work = inf if request.work_limit is None else max(0.0, request.work_limit - self.best.work)
        work = min(work, slot if deterministic else inf)
        if isfinite(work):
            parameters.max_deterministic_time = work
        if self.model.grid.relax and not self.question:
            self.solver.best_bound_callback = self.take_bound

    def _conclude(self, status: object) -> None:
        if status == cp_model.MODEL_INVALID:
            raise RuntimeError(f"CP-SAT refuses the model: {self.model.cp.validate()}")
        best, request = self.best, self.request
        self.infeasible = status == cp_model.INFEASIBLE
        found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
        self.answered = self.infeasible or status == cp_model.OPTIMAL or (found and self.question)
        if self.model.grid.relax and not self.question:
            if self.infeasible:
                best.exhausted()
            elif found:
                self.take_bound(self.solver.best_objective_bound)
        if not self.answered and not best.proved:
            spent = request.work_limit is not None and best.work >= request.work_limit * (1 - 1e-9)
            self.stopped = request.stopped or ("work" if spent else None)

    def _guard(self, done: threading.Event) -> None:
        while not done.wait(_POLL):
            if self.request.stopped:
                self.solver.stop_search()

    def on_solution_callback(self) -> None:
        """Re-time a solution exactly; keep it if the checker does."""
        self.best.take(plan_of(self.model, self.value))
        self._stop_if_proved()

    def take_bound(self, steps: float) -> None:
        """A bound of the integer objective as one of the real problem."""
        goals = self.model.goals
        bound = steps * goals.unit + goals.objective.constant
        exact = float(steps).is_integer() and len(goals.objective.terms) <= 1
        self.best.raise_bound(self.model.in_reals(bound, exact=exact))
        self._stop_if_proved()

    def _stop_if_proved(self) -> None:
        if self.best.proved:
            self.solver.stop_search()
