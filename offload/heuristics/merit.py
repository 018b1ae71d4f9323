"""How good plans are to a search: first what they break, relative to its bound, then the goal."""

from __future__ import annotations

import numpy as np

from offload.arrays import FloatArray
from offload.evaluator import Evaluation
from offload.features import Goal
from offload.metrics import objective
from offload.plan import Plan
from offload.tables import TOLERANCE, Tables

__all__ = ["excess_of", "merits", "rank"]

_RULES = ("placement", "memory", "groups", "storage", "copies")


def _deadline_scale(tables: Tables) -> float:
    """Seconds of lateness that weigh as much as a limit exceeded by 100 %."""
    finite = tables.deadline[np.isfinite(tables.deadline)]
    return float(finite.max(initial=0.0)) or 1.0


def merits(goal: Goal, made: Evaluation) -> tuple[FloatArray, FloatArray]:
    """What decoded plans break, and their objectives; float64[B] each.

    Excesses are relative to limits, and to the latest deadline, and add up. A plan that breaks a
    rule of placement breaks infinitely much.
    """
    tables = made.problem.tables
    over = np.zeros(len(made))
    for name, amount in made.excess.items():
        if name in _RULES:
            over[amount > 0] = np.inf
        elif name == "deadline":
            over += amount / _deadline_scale(tables)
        else:
            over += amount / (goal.limits[name.removeprefix("limit:")] or 1.0)
    value = objective(made.metrics, goal.minimize)
    return np.where(np.isnan(over), np.inf, over), np.where(np.isnan(value), np.inf, value)


def excess_of(goal: Goal, plan: Plan) -> dict[str, float]:
    """How far a plan breaks limits ("limit:energy") and deadlines, relative as in :func:`merits`.

    Only what is broken beyond the tolerance is named.
    """
    tables, found = plan.problem.tables, {}
    slack = TOLERANCE * plan.metrics["latency"]
    counted = np.isfinite(tables.due)
    times = {
        "latency": 1.0,
        "completion": float(tables.weight.sum()),
        "tardiness": float(tables.weight[counted].sum()),
    }
    for metric, limit in goal.limits.items():
        value = plan.metrics[metric]
        if not value <= max(limit * (1 + TOLERANCE), limit + times.get(metric, 0.0) * slack):
            found[f"limit:{metric}"] = (value - limit) / (limit or 1.0)
    late = plan.parts.finish - tables.deadline[plan.parts.task]
    if (late > slack).any():
        found["deadline"] = float(late[late > slack].sum()) / _deadline_scale(tables)
    return found


def rank(goal: Goal, plan: Plan) -> tuple[float, float]:
    """What a plan breaks, then its objective: less is better."""
    return sum(excess_of(goal, plan).values()), plan.objective(goal.minimize)
