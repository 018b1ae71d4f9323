"""Method `cpsat`: the constraint model on ever finer time grids, until the proof holds in reals.

Each round solves the relaxation of the problem on a grid (all roundings in the plan's favour), so
the solver's bound holds for the real problem, and "infeasible" is a proof. Each solution's places
and orders are re-timed exactly, and count only if the checker accepts them. If a re-timed solution
breaks a deadline or limit by a rounding, the restriction (roundings against the plan) is solved as
well. The grid is the data's own where it has one, else as fine as the asked gap needs.
"""

from __future__ import annotations

from math import isfinite

import numpy as np
import ortools

from formulations.cpsat_model import build
from formulations.cpsat_plans import hint
from formulations.cpsat_run import Best, Run
from formulations.cpsat_targets import Targets
from formulations.grid import Grid
from formulations.pooling import pooled, spread
from formulations.symmetry import anchored
from offload.bounding.delays import is_shop
from offload.bounding.durations import all_durations
from offload.bounding.ticks import own_tick, roundings
from offload.bounds import lower_bound, metric_bounds
from offload.registry import Answer, Request, Stopped

__all__ = ["solve"]

_FINEST = 1e12  # ticks of the horizon beyond which integers overflow
_REFINE = 50.0
_ROUNDS = 5
_SLOT_WORK = 0.5  # deterministic time for one question, where answers shall not vary
_SLOT_SECONDS = 0.3, 3.0  # else it is this at least and at most,
_SLOT_SHARE = 0.02  # and a share of the time left
_SLOT_TASK = 0.01  # seconds for each task at least: the solver's presolve takes its time
_SHOP = 8.0  # times a slot for minimizing first where questions say little more
_LONGER = 3.0  # times the last turn
_NEARLY = 2.0  # times the last one for minimizing where little is left to gain
_QUESTIONS = 3  # that a turn has time for, if none is answered
_WIDE, _BEGIN = 0.1, 0.25  # gap above which the first question is about a share of it
_STEPPED = 0.005  # gap up to which the bound is worth raising step by step
_NEAR = 0.05  # gap from which on the proof itself is asked for


def solve(request: Request) -> Answer:
    """Place and schedule with CP-SAT; see the module's text."""
    pool = pooled(request)
    if pool is None and (fewer := anchored(request)) is not None:
        return fewer.answer(_Search(fewer.request).answer())
    answer = _Search(pool or request).answer()
    if pool is not None and answer.plan is not None:
        answer.plan = spread(request.problem, answer.plan)
    return answer


class _Search:
    """Runs on ever finer grids, by turns with an objective and as questions."""

    def __init__(self, request: Request) -> None:
        self.request = request
        known = lower_bound(request.problem, request.goal.minimize)
        self.best = Best(request, bound=max(known, request.bound))
        if request.start is not None:
            self.best.plan = request.start
            self.best.value = request.start.objective(request.goal.minimize)
        self.stopped: str | None = None
        self.loose = False  # whether it is proved that the first bound is not attained
        # Where answers shall not vary, no clock decides what is asked next.
        self.deterministic = request.threads == 1 or request.work_limit is not None
        seconds = float(np.clip(_SLOT_SHARE * request.seconds_left, *_SLOT_SECONDS))
        seconds = max(seconds, _SLOT_TASK * request.problem.tables.tasks)
        self.slot = _SLOT_WORK if self.deterministic else seconds

    def answer(self) -> Answer:
        """Search until a proof or a stop."""
        best = self.best
        try:
            grids = _grids(self.request)
        except Stopped:
            grids, self.stopped = [], self.request.stopped
        for grid in grids:
            self._search(grid)
            if not self._ended and best.rejected:
                self._minimize(Grid(grid.tick, relax=False), np.inf)
            if self._ended:
                break
        versions = {"ortools": ortools.__version__}
        if best.infeasible and best.plan is None:
            reason = "CP-SAT proved that no plan exists"
            return Answer(infeasible=True, versions=versions, reason=reason)
        bound = best.bound if isfinite(best.bound) else None
        return Answer(best.plan, bound, stopped=self.stopped, versions=versions)

    @property
    def _ended(self) -> bool:
        return self.stopped is not None or self.best.infeasible or self.best.proved

    def _search(self, grid: Grid) -> None:
        """Minimize and ask by turns, each longer than the last, until this grid has no more to say.

        First of all, whether the bound is attained. Minimizing gets more time only where it gets
        on, where the gap is small, and in shops, of which questions say little.
        """
        minimizing = asking = self.slot
        if is_shop(self.request.problem.tables):
            minimizing *= _SHOP
        if self.best.plan is not None:
            self._attain(grid, self.slot)
        while not self._ended:
            known = self.best.value, self.best.bound
            if self._minimize(grid, minimizing):
                return
            if known != (self.best.value, self.best.bound):
                minimizing *= _LONGER
            elif self.best.gap <= _WIDE:
                minimizing *= _NEARLY
            if not self._ended and self.best.plan is not None:
                self._attain(grid, asking)
                if self._ask(grid, asking):
                    return
                asking *= _LONGER

    def _minimize(self, grid: Grid, slot: float) -> bool:
        """Minimize on a grid for a while; whether the grid's own optimum is proved."""
        run = self._run(grid, self.best.value, slot, question=False)
        if run is None and not self.stopped and grid.relax:
            self.best.exhausted()
        return run is None or run.answered

    def _attain(self, grid: Grid, slot: float) -> None:
        """Ask whether some plan is as good as the bound, and a little worse if none is."""
        best, left = self.best, slot
        while not self._ended and left > 0 and (best.gap <= _STEPPED or not self.loose):
            target = max(best.bound, 0.0) * (1 + self.request.gap / 2)
            run = self._run(grid, target, left, question=True, tight=True)
            if self.stopped or not (run is None or run.infeasible):
                return
            best.raise_bound(target * (1 - 1e-8) if run is None else run.model.refuted(target))
            left -= 0.0 if run is None else run.spent
            self.loose = True

    def _ask(self, grid: Grid, slot: float) -> bool:
        """Ask for plans up to some values; whether the grid takes the plan known for one."""
        best = self.best
        targets = Targets(slot, 1.0 if best.gap <= _WIDE else _BEGIN)
        budget = _QUESTIONS * slot
        while not (self._ended or targets.exhausted) and budget > 0:
            target = targets.value(max(best.bound, 0.0), best.value * (1 - self.request.gap / 2))
            known = best.value
            run = self._run(grid, target, slot, question=True)
            if self.stopped:
                return True
            budget -= 0.0 if run is None else run.spent
            if run is None:
                best.raise_bound(target * (1 - 1e-8))
                targets.answered(0.0)
            elif run.infeasible:
                best.raise_bound(run.model.refuted(target))
                targets.answered(run.spent)
            elif not run.answered:
                if best.gap <= _NEAR:
                    return False  # nothing but the whole proof is worth a question
                targets.unanswered()
            elif best.value < known:
                targets.answered(run.spent)
            else:
                return True
        return False

    def _run(
        self, grid: Grid, ceiling: float, slot: float, *, question: bool, tight: bool = False
    ) -> Run | None:
        """Run the model of plans up to a value; ``None`` if stopped or refuted while built."""
        request, best = self.request, self.best
        best.rejected = False
        self.stopped = request.stopped
        if self.stopped:
            return None
        try:
            model = build(request, grid, ceiling)
        except Stopped:
            self.stopped = request.stopped
            return None
        if model is None:
            return None
        if best.plan is not None and not question:
            hint(model, best.plan)
        run = Run(model, best, question=question, tight=tight)
        run.run(slot, deterministic=self.deterministic)
        self.stopped = run.stopped
        return run


def _grids(request: Request) -> list[Grid]:
    """Time grids, coarse to fine; one alone where the data has its own."""
    problem, tables = request.problem, request.problem.tables
    request.go_on()
    own = own_tick(tables)
    if own is not None and "horizon" not in request.options:
        return [Grid(own[0], error=own[1])]
    request.go_on()
    known = metric_bounds(problem)
    request.go_on()
    values = all_durations(tables)
    longest = float(values[np.isfinite(values)].max(initial=0.0))
    horizon = max(known["latency"], longest, 1e-300)
    # A path loses less than a tick by each rounding.
    wanted = 4 * roundings(tables) / max(request.gap, 1e-9)
    most = float(request.options.get("horizon", _FINEST))
    ticks = min(max(wanted, 1e4), most, _FINEST)
    grids = [Grid(horizon / ticks)]
    while len(grids) < _ROUNDS and ticks * _REFINE <= min(most, _FINEST):
        ticks *= _REFINE
        grids.append(Grid(horizon / ticks))
    return grids
