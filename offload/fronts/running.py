"""pareto(): the front of two or three metrics, exact where it can be, found by search beyond."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from math import inf

import numpy as np

from offload import registry
from offload.bounds import lower_bound
from offload.errors import OffloadError, Unsupported
from offload.features import goal_of
from offload.fronts.front import Front
from offload.fronts.pool import FrontProgress, Pool, front_news, front_text
from offload.fronts.searching import Searching
from offload.fronts.stepping import Stepping
from offload.meters import telling
from offload.plan import Plan
from offload.problem import METRICS, Problem
from offload.solver import GAP, check_arguments, missing_features

__all__ = ["pareto"]

_SEARCH, _SEARCH_LONG = 0.25, 0.6  # of the time for the search before exact minimizations
_SMALL = 30  # tasks up to which an exact method alone is asked, and search is short
_PROVABLE = 150  # tasks up to which exact minimizations are worth while


def pareto(
    problem: Problem,
    metrics: Sequence[str] = ("latency", "energy"),
    points: int | None = 20,
    method: str = "auto",
    limits: Mapping[str, float] | None = None,
    time_limit: float | None = 60.0,
    work_limit: float | None = None,
    gap: float | None = None,
    threads: int | None = None,
    seed: int = 0,
    start: Front | Sequence[Plan] | None = None,
    on_progress: Callable[[FrontProgress], object] | None = None,
    cancel: threading.Event | None = None,
    progress: bool = False,
) -> Front:
    """Plans that trade two or three metrics against each other, none better than another in all.

    Parameters
    ----------
    problem
        The instance. What it minimizes plays no part; its limits do.
    metrics
        Two or three of ``offload.METRICS``. Exact minimizations minimize the first and limit the
        others.
    points
        Plans at most, evenly spread; ``None`` for every efficient one.
    method
        "exact": augmented epsilon constraint, each plan with a proof where the time suffices.
        "nsga2": local search and a population over the vectorized evaluator, no proofs. "auto": the
        latter for a quarter of the time (above 30 tasks for 60 % of it), then the former from what
        it found; only the latter above 150 tasks. Any method of :func:`offload.methods`: the exact
        way, with each minimization by that method.
    limits
        Upper bounds by metric; ``None`` means what the instance says.
    time_limit
        Wall seconds in all; ``None`` for none.
    work_limit
        Bound on deterministic work: plans timed by the search; of each exact minimization
        its method's own unit.
    gap
        Relative (1e-4 by default): how far each proof goes, and how close two plans may be to count
        as one.
    threads, seed
        As in :func:`offload.solve`.
    start
        A front to go on from, with what it proved if it is of the same instance, metrics and
        limits; or plans.
    on_progress
        Called with a :class:`FrontProgress` when something changes, at most twice a second.
    cancel
        Set it from another thread to stop; the front so far is returned.
    progress
        Whether to show a line of progress, as in :func:`offload.solve`.

    Returns
    -------
    Front
        Without a plan where none was found; ``facts["status"]`` then is "infeasible" (proved) or
        "unknown".

    Raises
    ------
    OffloadError
        For metrics that are not two or three different ones of ``offload.METRICS``, numbers out of
        range, or a plan of ``start`` that is of another instance.
    InstanceError
        For limits of unknown metrics.
    Unsupported
        If no method (or not the one named) honours what the instance uses.

    References
    ----------
    Mavrotas 2009, Effective implementation of the epsilon-constraint method; Deb, Pratap, Agarwal,
    Meyarivan 2002, NSGA-II; Klamroth, Lacour, Vanderpooten 2015 for the region that is open.
    """
    began = time.monotonic()
    names = _metrics(metrics)
    goal = goal_of(problem, dict.fromkeys(names, 1.0), limits)
    check_arguments(time_limit, work_limit, gap, threads, seed, 0.0)
    if points is not None and points < 1:
        raise OffloadError(f"points: must be >= 1, or None for all, got {points!r}")
    engine, search = _ways(problem, names, goal.limits, method)
    with telling(on_progress, front_text if progress else None, news=front_news) as tell:
        pool = Pool(
            problem, names, goal.limits, GAP if gap is None else gap,
            began + (inf if time_limit is None else time_limit), cancel, tell,
        )  # fmt: skip
        for m, name in enumerate(names):
            weights = np.zeros(len(names))
            weights[m] = 1.0
            pool.prove(weights, np.full(len(names), inf), _least(problem, name, goal.limits))
        _begin(pool, start)
        if search:
            few = len(problem.graph.tasks) <= _SMALL
            share = 1.0 if engine is None else _SEARCH if few else _SEARCH_LONG
            Searching(pool, share, work_limit, threads, seed).run()
        if engine is not None and not pool.stopped:
            options = {"method": engine, "threads": threads, "seed": seed, "work_limit": work_limit}
            Stepping(pool, **options).run(points)
        return _front(pool, points, method, seed, began)


def _front(pool: Pool, points: int | None, method: str, seed: int, began: float) -> Front:
    """What was found, and how."""
    stopped = pool.stopped
    status = "feasible" if pool.plans else "infeasible" if pool.infeasible else "unknown"
    facts = {
        "status": status, "method": method, "seconds": time.monotonic() - began, "seed": seed,
        "stopped": stopped, "points": points, "versions": _versions(),
    }  # fmt: skip
    front = pool.front(points, facts)
    pool.tell("done")
    return front


def _versions() -> dict[str, str]:
    from offload import __version__

    return {"offload": __version__}


def _metrics(metrics: Sequence[str]) -> tuple[str, ...]:
    names = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    for name in names:
        if name not in METRICS:
            raise OffloadError(f"metrics: must be of {', '.join(METRICS)}, got {name!r}")
    if not 2 <= len(set(names)) == len(names) <= 3:
        raise OffloadError(f"metrics: must be two or three different ones, got {names!r}")
    return names


def _least(problem: Problem, metric: str, limits: Mapping[str, float]) -> float:
    return max(0.0, lower_bound(problem, {metric: 1.0}, limits))


def _ways(
    problem: Problem, metrics: Sequence[str], limits: Mapping[str, float], method: str
) -> tuple[str | None, bool]:
    """The method of each exact minimization, or ``None`` for none; and whether to search."""
    from offload.features import Goal

    tables = problem.tables
    asked = Goal(dict.fromkeys(metrics, 1.0), {**dict.fromkeys(metrics, inf), **limits})
    whole = not tables.divisible.any()
    if method == "nsga2":
        if not whole:
            raise Unsupported("nsga2", ["splitting"], "method 'exact' does")
        return None, True
    small = tables.tasks <= _SMALL
    if method == "auto" and whole and tables.tasks > _PROVABLE:
        return None, True
    if method in ("auto", "exact"):
        engine = "exact" if small or method == "exact" else "auto"
        return engine, method == "auto" and whole
    entry = registry.find(method)
    missing = missing_features(problem, asked, entry)
    if missing:
        raise Unsupported(method, missing, "methods of their own: auto, exact, nsga2")
    return method, False


def _begin(pool: Pool, start: Front | Sequence[Plan] | None) -> None:
    """Take plans, and what a front of the same question proved."""
    if start is None:
        return
    plans = start.plans if isinstance(start, Front) else tuple(start)
    for plan in plans:
        if plan.problem.digest != pool.problem.digest:
            raise OffloadError(
                f"start: has a plan of another instance ({plan.problem.name!r}); "
                "give plans of this one"
            )
        pool.take(plan)
    if isinstance(start, Front) and start.metrics == pool.metrics and start.limits == pool.limits:
        records = start.records
        rows = zip(records.weights, records.limits, records.bounds.tolist(), strict=True)
        for weights, within, bound in rows:
            pool.prove(weights, within, bound)
