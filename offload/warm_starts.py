"""Solves that start from a plan of a neighbouring instance, and lose nothing by it."""

from __future__ import annotations

import math
import time
from typing import Any

from offload import portfolio, registry
from offload.features import Goal
from offload.plan import Plan, Result
from offload.problem import Problem
from offload.registry import Request
from offload.solver import missing_features, solve

__all__ = ["warm_solve"]


def warm_solve(problem: Problem, method: str, start: Plan | None, **options: Any) -> Result:
    """:func:`offload.solve` with a start, beside what the method would have begun with itself.

    Exact methods, bounds and searches go on from the start that they are given, and look for none
    of their own. A neighbour's plan may be a worse one than that.

    Parameters
    ----------
    problem
        An instance that says what to minimize.
    start
        A plan that holds there; ``None`` for none.
    options
        Further arguments of :func:`offload.solve`.
    """
    if start is not None and method != "auto":
        begun, limit = time.monotonic(), options.get("time_limit")
        own = _own(problem, method, limit, options)
        start = min((plan for plan in (start, own) if plan is not None), key=Plan.objective)
        if limit is not None:
            options["time_limit"] = max(0.0, limit - (time.monotonic() - begun))
    return solve(problem, method, start=start, **options)


def _own(
    problem: Problem, method: str, limit: float | None, options: dict[str, Any]
) -> Plan | None:
    """The plan that a method would begin with, where it begins with one."""
    entry, goal = registry.find(method), Goal(problem.minimize, problem.limits)
    begins = entry.helped and entry.kind in ("exact", "search", "bound")
    if not begins or missing_features(problem, goal, entry):
        return None
    deadline = math.inf if limit is None else time.monotonic() + limit
    seed, cancel = options.get("seed", 0), options.get("cancel")
    request = Request(problem, goal, deadline, seed=seed, cancel=cancel)
    found = portfolio.quick(request)
    return found if found is not None and request.keeps(found) else None
