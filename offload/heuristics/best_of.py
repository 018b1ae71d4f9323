"""All constructive heuristics in turn, the cheapest first, and the best plan of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import replace

from offload import registry
from offload.bounds import proved
from offload.features import features_used
from offload.plan import Plan
from offload.registry import Answer, Entry, Request
from offload.tables import Tables

__all__ = ["best_of", "constructive", "run_all"]

_KINDS = ("policy", "batch", "list", "greedy")
_CONTAINS = {"duplex": {"min-min", "max-min"}}  # methods that only repeat what others do

# CPU time relative to the policies at 1,000 tasks and 20 nodes, and the power of the number of
# tasks with which that grows (1 + what is above the policies' own). Rough: it orders the methods,
# and leaves out those that would not end in the time that is left.
_COSTS: dict[str, tuple[float, float]] = {
    "local": (1, 1), "cloud": (1, 1), "round-robin": (1, 1), "least-loaded": (1, 1),
    "weighted-share": (1, 1), "random": (1, 1), "by-intensity": (1, 1),
    "met": (1.2, 1), "olb": (1.2, 1), "mct": (1.5, 1), "heft": (1.5, 1), "peft": (1.6, 1),
    "cpop": (1.8, 1), "mcp": (2, 1.1), "min-min": (4, 1.3), "max-min": (4, 1.3), "dls": (5, 1.3),
    "sufferage": (5, 1.3), "etf": (5, 1.3), "greedy": (30, 1),
}  # fmt: skip
_UNKNOWN = (20, 1.3)
_SIZE = 1_000
_STEP = 2e-5  # seconds for a task in a policy, until a method has been timed

_log = logging.getLogger("offload")


def constructive(request: Request) -> list[Entry]:
    """The methods that build one plan and honour the instance, the cheapest first."""
    used = set(features_used(request.problem, request.goal))
    found = {
        name: entry
        for name, entry in registry.entries().items()
        if entry.kind in _KINDS and used <= entry.honours
    }
    chosen = [
        entry
        for name, entry in found.items()
        if name not in _CONTAINS or not _CONTAINS[name] <= found.keys()
    ]
    tables = request.problem.tables

    def key(entry: Entry) -> float:
        # Where time is short, a list scheduler is worth more than a policy of half its cost.
        return _cost(tables, entry.name) * (3 if entry.kind == "policy" else 1)

    return sorted(chosen, key=key)


def _cost(tables: Tables, name: str) -> float:
    """Estimated CPU time of a method, relative to a policy's for one task."""
    share, power = _COSTS.get(name, _UNKNOWN)
    return float(share * tables.tasks * (tables.tasks / _SIZE) ** (power - 1))


def run_all(request: Request, methods: Iterable[Entry], stop_early: bool = True) -> Answer:
    """The best plan of several methods, each started only if it is likely to end in time.

    Parameters
    ----------
    request
        ``start`` is the plan to beat. Each better plan is reported at once.
    methods
        In order; each with its default options.
    stop_early
        Whether a plan that is proved by the request's bound ends the round.

    Returns
    -------
    Answer
        Without a plan, the reason that the first method gave.
    """
    goal, tables = request.goal, request.problem.tables
    best, value = request.start, float("inf")
    if best is not None:
        value = best.objective(goal.minimize)
    reasons: list[str] = []
    second = _STEP  # seconds for each unit of estimated cost
    stopped = None
    for entry in methods:
        if stopped := request.stopped:
            break
        if stop_early and best is not None and proved(value, request.bound, request.gap):
            break
        cost = _cost(tables, entry.name)
        if cost * second > request.seconds_left:
            stopped = "time"
            continue
        began = time.monotonic()
        asked = replace(request, start=None, options={})
        if best is not None and entry.kind == "policy":
            asked.work_limit = 0.0  # mending what ignores the goal seldom beats what is there
        answer = entry.load()(asked)
        spent = time.monotonic() - began
        second = max(spent / max(cost, 1.0), second / 2) if answer.plan is not None else second
        plan = answer.plan
        if plan is None:
            reasons.append(f"{entry.name}: {answer.reason or answer.stopped}")
            continue
        if _better(request, plan, value):
            best, value = plan, plan.objective(goal.minimize)
            _log.info("%s gave a plan of objective %.10g", entry.name, value)
            request.report(plan, None)
    reason = None if best is not None or not reasons else reasons[0]
    return Answer(best, stopped=stopped, reason=reason)


def _better(request: Request, plan: Plan, value: float) -> bool:
    return plan.objective(request.goal.minimize) < value and request.keeps(plan)


def best_of(request: Request) -> Answer:
    """Every constructive heuristic that honours the instance; the best plan by the goal.

    The cheapest come first, and those that would not end in the time left are left out. What comes
    out is never worse than ``start``. Which method gave a plan is logged (logger ``offload``).
    """
    return run_all(request, constructive(request))
