"""Method `cpsat`: the constraint model on ever finer time grids, until the proof holds in reals.

Each round solves the relaxation of the problem on a grid (all roundings in the plan's favour), so
the solver's bound holds for the real problem, and "infeasible" is a proof. Each solution's places
and orders are re-timed exactly, and count only if the checker accepts them. If a re-timed solution
breaks a deadline or limit by a rounding, the restriction (roundings against the plan) is solved as
well. The grid is the data's own where it has one, else as fine as the asked gap needs.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from math import inf, isfinite

import numpy as np
import ortools
from ortools.sat.python import cp_model

from formulations.cpsat_model import Model, Stopped, build
from formulations.cpsat_plans import hint, plan_of
from formulations.durations import all_durations, roundings
from formulations.grid import Grid, natural_tick
from offload.bounds import lower_bound, metric_bounds
from offload.plan import Plan
from offload.registry import Answer, Request

__all__ = ["solve"]

_WORKERS = 4  # CP-SAT's portfolio needs several workers, also on few cores; 8 cost 1.5x the CPU
_MOST_TICKS = 1e9  # on the data's own grid
_FINEST = 1e12  # ticks of the horizon beyond which integers overflow
_REFINE = 50.0
_ROUNDS = 5
_POLL = 0.05  # seconds between looks at the cancel event


@dataclass
class _State:
    """The best of all rounds."""

    plan: Plan | None = None
    value: float = inf
    bound: float = -inf
    infeasible: bool = False
    work: float = 0.0
    rejected: bool = False  # whether some solution broke a rule once it was re-timed

    def gap(self) -> float:
        """Relative gap between plan and bound."""
        if self.plan is None or self.bound == -inf:
            return inf
        return 0.0 if self.value == 0 else max(0.0, (self.value - self.bound) / self.value)


def solve(request: Request) -> Answer:
    """Place and schedule with CP-SAT; see the module's text."""
    state = _State(bound=lower_bound(request.problem, request.goal.minimize))
    if request.start is not None:
        state.plan, state.value = request.start, request.start.objective(request.goal.minimize)
    stopped: str | None = None
    for grid in _grids(request):
        stopped = _round(request, grid, state)
        if stopped or state.infeasible or state.gap() <= request.gap:
            break
        if state.rejected:
            stopped = _round(request, Grid(grid.tick, relax=False), state)
            if stopped or state.gap() <= request.gap:
                break
    versions = {"ortools": ortools.__version__}
    bound = state.bound if isfinite(state.bound) else None
    if state.infeasible and state.plan is None:
        return Answer(
            infeasible=True, versions=versions, reason="CP-SAT proved that no plan exists"
        )
    return Answer(state.plan, bound, stopped=stopped, versions=versions)


def _grids(request: Request) -> list[Grid]:
    """Time grids, coarse to fine; one alone where the data has its own."""
    problem, tables = request.problem, request.problem.tables
    known = metric_bounds(problem)
    values = all_durations(tables)
    finite = values[np.isfinite(values)]
    horizon = max(known["latency"], float(finite.max(initial=0.0)), 1e-300)
    own = natural_tick(finite, _MOST_TICKS)
    if own is not None and "horizon" not in request.options:
        return [Grid(own[0], error=own[1])]
    # A path loses less than a tick by each rounding.
    wanted = 4 * roundings(tables) / max(request.gap, 1e-9)
    most = float(request.options.get("horizon", _FINEST))
    ticks = min(max(wanted, 1e4), most, _FINEST)
    grids = [Grid(horizon / ticks)]
    while len(grids) < _ROUNDS and ticks * _REFINE <= min(most, _FINEST):
        ticks *= _REFINE
        grids.append(Grid(horizon / ticks))
    return grids


def _round(request: Request, grid: Grid, state: _State) -> str | None:
    """Solve on one grid; returns why it stopped early, if it did."""
    if request.stopped:
        return request.stopped
    state.rejected = False
    try:
        model = build(request, grid, state.value)
    except Stopped:
        return request.stopped
    if model is None:
        if grid.relax:
            _exhausted(state)
        return None
    if state.plan is not None:
        hint(model, state.plan)
    watch = _Watch(request, model, state)
    status = watch.run()
    if status == cp_model.MODEL_INVALID:
        raise RuntimeError(f"CP-SAT refuses the model: {model.cp.validate()}")
    if grid.relax:
        if status == cp_model.INFEASIBLE:
            _exhausted(state)
        elif status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            watch.take_bound(watch.solver.best_objective_bound)
    if status in (cp_model.OPTIMAL, cp_model.INFEASIBLE) or state.gap() <= request.gap:
        return None
    return watch.why or request.stopped or ("work" if request.work_limit is not None else "time")


def _exhausted(state: _State) -> None:
    """No plan at all, or none below the one that is known."""
    if state.plan is None:
        state.infeasible = True
    else:
        state.bound = max(state.bound, state.value * (1 - 1e-8))


class _Watch(cp_model.CpSolverSolutionCallback):
    """Runs the solver; re-times each solution, passes on bounds, and stops when told."""

    def __init__(self, request: Request, model: Model, state: _State) -> None:
        super().__init__()
        self.request, self.model, self.state = request, model, state
        self.solver = cp_model.CpSolver()
        self.why: str | None = None

    def run(self) -> object:
        """Solve until a proof, a limit or a cancel."""
        request, parameters = self.request, self.solver.parameters
        parameters.num_workers = request.threads or _WORKERS
        # Its own handler would abort the process when another thread is interrupted.
        parameters.catch_sigint_signal = False
        parameters.random_seed = request.seed % 2**31
        parameters.relative_gap_limit = request.gap / 4
        # This stage of the presolve has lost optimal plans (CP-SAT 9.15); it saves no time here.
        parameters.presolve_inclusion_work_limit = 0
        if isfinite(request.seconds_left):
            parameters.max_time_in_seconds = request.seconds_left
        if request.work_limit is not None:
            left = max(0.0, request.work_limit - self.state.work)
            parameters.max_deterministic_time = left
        if self.model.grid.relax:
            self.solver.best_bound_callback = self.take_bound
        done = threading.Event()
        guard = threading.Thread(target=self._guard, args=(done,), daemon=True)
        guard.start()
        try:
            status = self.solver.solve(self.model.cp, self)
        finally:
            done.set()
            guard.join()
        self.state.work += self.solver.response_proto.deterministic_time
        return status

    def _guard(self, done: threading.Event) -> None:
        while not done.wait(_POLL):
            if self.request.stopped:
                self.why = self.request.stopped
                self.solver.stop_search()

    def on_solution_callback(self) -> None:
        """Re-time a solution exactly; keep it if the checker does."""
        plan = plan_of(self.model, self.value)
        value = plan.objective(self.request.goal.minimize)
        if value < self.state.value:
            if self.request.keeps(plan):
                self.state.plan, self.state.value = plan, value
                self.request.report(plan, None)
            else:
                self.state.rejected = True
        self._stop_if_proved()

    def take_bound(self, steps: float) -> None:
        """A bound of the integer objective as one of the real problem."""
        goals, grid = self.model.goals, self.model.grid
        bound = steps * goals.unit + goals.objective.constant
        # Float noise around whole ticks may have rounded up.
        bound -= goals.objective.slope * grid.error * roundings(self.model.tables)
        if not float(steps).is_integer() or grid.error or len(goals.objective.terms) > 1:
            bound -= 1e-12 * abs(bound)
        if bound > self.state.bound:
            self.state.bound = bound
            self.request.report(None, bound)
        self._stop_if_proved()

    def _stop_if_proved(self) -> None:
        if self.state.gap() <= self.request.gap:
            self.solver.stop_search()
