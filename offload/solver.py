"""solve(): picks the method, keeps the time, and lets only checked plans out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from math import inf
from typing import TYPE_CHECKING, Any

from offload import portfolio, registry
from offload.bounds import lower_bound, refuted, relative_gap, relative_gaps
from offload.checker import check
from offload.errors import Issue, OffloadError, PlanError, SolverUnavailable, Unsupported
from offload.features import Goal, features_used, goal_of
from offload.meters import telling
from offload.plan import Plan, Progress, Result, Violation
from offload.problem import METRICS, Problem
from offload.registry import Answer, Entry, Request
from offload.wording import goal_text, news, solve_text

if TYPE_CHECKING:
    import pandas as pd

    from offload.conflicts.requirements import Conflict

__all__ = ["EXPLAIN", "GAP", "check_arguments", "compare", "solve", "telling_solve"]

GAP = 1e-4  # "optimal" means a proof to this relative gap, unless the caller asks for another
EXPLAIN = 5.0  # seconds for finding out why there is no plan

_log = logging.getLogger("offload")


class _Judge:
    """Everything a method reports passes here: only checked plans and the best bound stay."""

    def __init__(
        self, problem: Problem, goal: Goal, method: str, began: float,
        on_progress: Callable[[Progress], object] | None,
    ) -> None:  # fmt: skip
        self.problem, self.goal, self.method, self.began = problem, goal, method, began
        self.plan: Plan | None = None
        self.objective = inf
        self.bound = -inf
        self.rejected: list[Violation] = []
        self._tell = on_progress
        self._lock = threading.Lock()

    def report(self, plan: Plan | None, bound: float | None) -> None:
        """Take a plan (if it is better and holds) or a bound (if it is higher)."""
        with self._lock:
            news = self._take_plan(plan) if plan is not None else False
            if bound is not None and bound > self.bound:
                self.bound, news = bound, True
        if news:
            self.tell()

    def _take_plan(self, plan: Plan) -> bool:
        value = plan.objective(self.goal.minimize)
        if self.plan is not None and not value < self.objective:
            return False
        found = check(self.problem, plan, limits=self.goal.limits)
        if found:
            self.rejected = found
            return False
        self.plan, self.objective = plan, value
        return True

    def tell(self) -> None:
        """Tell the caller how far the solve is."""
        if self._tell is not None:
            objective = self.objective if self.plan is not None else None
            bound = self.bound if self.bound > -inf else None
            seconds = time.monotonic() - self.began
            self._tell(Progress(seconds, objective, bound, self.method))


def solve(
    problem: Problem,
    method: str = "auto",
    minimize: str | Mapping[str, float] | None = None,
    limits: Mapping[str, float] | None = None,
    time_limit: float | None = 60.0,
    work_limit: float | None = None,
    gap: float | None = None,
    threads: int | None = None,
    seed: int = 0,
    start: Plan | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    cancel: threading.Event | None = None,
    options: Mapping[str, Any] | None = None,
    explain: float = EXPLAIN,
    progress: bool = False,
) -> Result:
    """Find a plan, and prove how good it is as far as the method and the limits allow.

    Parameters
    ----------
    problem
        The instance.
    method
        A name from :func:`offload.methods`, or "auto": good heuristics first, then an exact
        method with what they found.
    minimize, limits
        Weights and upper bounds by metric; ``None`` means what the instance says.
    time_limit
        Wall seconds; ``None`` for none.
    work_limit
        Bound on deterministic work, in the method's own unit (CP-SAT's deterministic time, the
        nodes of a branch-and-bound tree).
    gap
        Relative gap between objective and bound at which to stop; "optimal" then means that gap
        if it is smaller than 1e-4. A wider one stops earlier, with ``stopped="gap"``.
    threads
        Solver threads; ``None`` lets the method choose.
    seed
        Any integer >= 0. With ``threads=1`` the answer is reproducible unless the clock ends it.
    start
        A plan to start from; it must hold.
    on_progress
        Called with a :class:`Progress` whenever a better plan or bound is found, from the
        thread that found it.
    cancel
        Set it from another thread to stop; the best plan so far is returned.
    options
        The method's own options; see :func:`offload.methods`.
    explain
        Wall seconds at most, within the time limit, for finding out which requirements conflict
        where it is proved that there is no plan; 0 for not at all. See ``Result.conflict``.
    progress
        Whether to show a line of progress: live in a terminal and under the cell of a notebook,
        now and then in a log.

    Returns
    -------
    Result
        ``plan`` is ``None`` where there is none: that is a status, never an exception.

    Raises
    ------
    Unsupported
        If the method does not honour something that the instance uses; names it.
    InstanceError
        For unknown metrics or numbers out of range in ``minimize`` or ``limits``.
    PlanError
        If ``start`` does not hold.
    SolverUnavailable
        If the method's solver is not installed.
    """
    began = time.monotonic()
    goal = goal_of(problem, minimize, limits)
    check_arguments(time_limit, work_limit, gap, threads, seed, explain)
    chosen = dict(options or {})
    entry = None if method == "auto" else registry.find(method)
    if entry is not None:
        _refuse(problem, goal, entry, chosen)
    elif chosen:
        raise OffloadError(f"options: 'auto' has none, got {sorted(chosen)}; name a method")
    else:
        _refuse_all(problem, goal)
    target = GAP if gap is None else gap
    with telling_solve(on_progress, goal, progress) as tell:
        judge = _Judge(problem, goal, method, began, tell)
        if start is not None:
            _take_start(judge, start)
        request = Request(
            problem, goal, began + (inf if time_limit is None else time_limit), work_limit, target,
            threads, seed, judge.plan, chosen, cancel, judge.bound, judge.report,
        )  # fmt: skip
        return _search(judge, request, entry, method, explain)


def telling_solve(
    on_progress: Callable[[Progress], object] | None, goal: Goal, show: bool
) -> AbstractContextManager[Callable[[Progress], object] | None]:
    """Who is told of solves under a goal: a callback, and where ``show`` whoever is looking."""
    describe = solve_text(goal_text(goal.minimize)) if show else None
    return telling(on_progress, describe, news=news)


def _search(
    judge: _Judge, request: Request, entry: Entry | None, method: str, explain: float
) -> Result:
    problem, goal = request.problem, request.goal
    begins = entry is None or (entry.helped and entry.kind in ("exact", "search", "bound"))
    if begins and request.start is None and problem.graph.tasks:
        portfolio.first(request)  # bounds take longer than a first plan
    judge.report(None, lower_bound(problem, goal.minimize, goal.limits))
    request.bound = judge.bound
    if judge.bound == inf:
        answer = Answer(infeasible=True, reason=refuted(problem, goal.limits))
    elif not problem.graph.tasks and judge.plan is None:
        answer = portfolio.empty(request)
    elif entry is None:
        answer = portfolio.auto(request)
    else:
        answer = _run(entry, request, begins=begins and not entry.chooses)
    judge.report(answer.plan, answer.bound)
    conflict = None
    if judge.plan is None and answer.infeasible and explain > 0:
        conflict = _conflict(request, explain)
    return _result(judge, answer, request, method, conflict)


def _run(entry: Entry, request: Request, *, begins: bool) -> Answer:
    """What a method answers; one that ``begins`` with a plan is given one."""
    run = entry.load()
    if begins and request.start is None:
        request.start = portfolio.quick(request)  # what is known prunes the search
    if begins and request.stopped:
        return Answer(request.start, stopped=request.stopped)
    return run(request)


def _conflict(request: Request, seconds: float) -> Conflict | None:
    from offload.conflicts.explaining import explain

    deadline = min(request.deadline, time.monotonic() + seconds)
    return explain(
        request.problem, request.goal, deadline, threads=request.threads, seed=request.seed,
        cancel=request.cancel,
    )  # fmt: skip


def _result(
    judge: _Judge, answer: Answer, request: Request, method: str, conflict: Conflict | None
) -> Result:
    plan, objective, bound, target = judge.plan, None, None, request.gap
    gap, stopped, reason = None, answer.stopped, answer.reason
    if plan is not None:
        objective, reason = judge.objective, None
        bound = _bound_below(judge.bound, objective)
        if bound is not None:
            gap = relative_gap(objective, bound)
        proved = gap is not None and gap <= min(target, GAP)
        status = "optimal" if proved else "feasible"
        if proved:
            stopped = None
        elif gap is not None and gap <= target:
            stopped = "gap"
    elif answer.infeasible:
        status, stopped = "infeasible", None
    else:
        status, bound = "unknown", judge.bound if -inf < judge.bound < inf else None
        if reason is None and judge.rejected:
            reason = f"the best plan found breaks {judge.rejected[0]}"
    options: dict[str, Any] = dict(request.options)
    if request.gap != GAP:
        options["gap"] = request.gap
    if request.threads is not None:
        options["threads"] = request.threads
    if request.work_limit is not None:
        options["work_limit"] = request.work_limit
    result = Result(
        status, plan, objective, bound, gap, stopped, method,
        time.monotonic() - judge.began, request.seed, request.goal.minimize,
        request.goal.limits, options, _versions(answer), reason, conflict,
    )  # fmt: skip
    if plan is not None:
        plan.result = result.summary()
    _log.info("%s", result)
    return result


def _bound_below(bound: float, objective: float) -> float | None:
    """A bound as it is reported: rounding may lift it an ulp above the plan that it proves."""
    if bound == -inf:
        return None
    if bound > objective + 1e-7 * abs(objective):
        _log.error("bound %r lies above a plan of %r that holds: it is dropped", bound, objective)
        return None
    return min(bound, objective)


def _versions(answer: Answer) -> dict[str, str]:
    from offload import __version__

    return {"offload": __version__, **answer.versions}


def check_arguments(
    time_limit: float | None, work_limit: float | None, gap: float | None,
    threads: int | None, seed: int, explain: float,
) -> None:  # fmt: skip
    for name, value, least in (
        ("time_limit", time_limit, 0.0), ("work_limit", work_limit, 0.0), ("gap", gap, 0.0),
        ("threads", threads, 1), ("seed", seed, 0), ("explain", explain, 0.0),
    ):  # fmt: skip
        if value is not None and not value >= least:
            raise OffloadError(f"{name}: must be >= {least}, got {value!r}")


def _refuse(problem: Problem, goal: Goal, entry: Entry, options: Mapping[str, Any]) -> None:
    missing = missing_features(problem, goal, entry)
    if missing:
        others = [
            e.name for e in registry.entries().values() if not missing_features(problem, goal, e)
        ]
        hint = f"methods that do: {', '.join(others)}" if others else "no method does so far"
        raise Unsupported(entry.name, missing, hint)
    for name in options:
        if name not in entry.options:
            known = ", ".join(entry.options) or "none"
            raise OffloadError(
                f"options.{name}: method {entry.name!r} has no such option; known: {known}"
            )


def _refuse_all(problem: Problem, goal: Goal) -> None:
    """Where no method honours all of an instance, `auto` has none to choose from."""
    table = registry.entries().values()
    lacking = [set(missing_features(problem, goal, entry)) for entry in table]
    if all(lacking):
        used = features_used(problem, goal)
        nowhere = [name for name in used if all(name in missing for missing in lacking)]
        raise Unsupported("auto", nowhere or used, "no method honours all of it so far")


def missing_features(problem: Problem, goal: Goal, entry: Entry) -> list[str]:
    """What an instance uses under a goal and a method does not honour, its metrics included."""
    metrics = [metric for metric, weight in goal.minimize.items() if weight > 0]
    foreign = [f"minimizing {metric}" for metric in metrics if metric not in entry.goals]
    return entry.lacks(features_used(problem, goal)) + (foreign if entry.goals else [])


def _take_start(judge: _Judge, start: Plan) -> None:
    judge.report(start, None)
    if judge.plan is None:
        issues = [Issue("start", v.message, v.found, f"rule {v.rule}") for v in judge.rejected]
        raise PlanError(issues or [Issue("start", "has no finite objective", start.metrics)])


def compare(
    problem: Problem,
    methods: Sequence[str] | None = None,
    minimize: str | Mapping[str, float] | None = None,
    limits: Mapping[str, float] | None = None,
    time_limit: float | None = 10.0,
    seed: int = 0,
    threads: int | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    cancel: threading.Event | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Run several methods on one instance.

    Parameters
    ----------
    methods
        Names; ``None`` means every method that honours the instance.
    time_limit
        Wall seconds for each method.
    on_progress, cancel, progress
        As in :func:`offload.solve`; after a cancel the rows made so far are returned.

    Returns
    -------
    DataFrame
        A row a method, best first: method, status, objective, bound, gap (to the best bound of
        all), seconds, stopped, reason, and the eight metrics. ``attrs["bound"]`` is the best bound,
        ``attrs["left_out"]`` maps methods that do not honour the instance to what they lack.
    """
    import pandas as pd

    goal = goal_of(problem, minimize, limits)
    left_out: dict[str, list[str]] = {}
    if methods is None:
        known = registry.entries()
        left_out = {n: f for n, e in known.items() if (f := missing_features(problem, goal, e))}
        methods = [name for name in known if name not in left_out]
    rows: list[dict[str, Any]] = []
    with telling_solve(on_progress, goal, progress) as tell:
        for name in methods:
            if cancel is not None and cancel.is_set():
                break
            try:
                result = solve(
                    problem, name, goal.minimize, goal.limits, time_limit, seed=seed,
                    threads=threads, on_progress=tell, cancel=cancel, explain=0,
                )  # fmt: skip
            except SolverUnavailable as error:
                rows.append({"method": name, "status": "unavailable", "reason": str(error)})
                continue
            metrics = dict.fromkeys(METRICS) if result.plan is None else result.plan.metrics
            rows.append({
                "method": name, "status": result.status, "objective": result.objective,
                "bound": result.bound, "gap": None, "seconds": result.seconds,
                "stopped": result.stopped, "reason": result.reason, **metrics,
            })  # fmt: skip
    columns = ("method", "status", "objective", "bound", "gap", "seconds", "stopped", "reason")
    table = pd.DataFrame(rows, columns=[*columns, *METRICS])
    if len(table):
        table = table.astype(dict.fromkeys(("objective", "bound", "gap", *METRICS), float))
        best = table["bound"].max()
        table["gap"] = relative_gaps(table["objective"].to_numpy(), best)
        table = table.sort_values("objective", kind="stable", na_position="last", ignore_index=True)
        table.attrs["bound"] = None if pd.isna(best) else float(best)
    table.attrs["left_out"] = left_out
    return table
