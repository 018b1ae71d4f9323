"""Lower bounds that hold for every plan: paths, work, spending, and their combination.

A bound here is a number that no plan of the real, unrounded problem can beat. It does not use any
plan, and costs far less than solving. What the bounds are made of is in :mod:`offload.bounding`:

- latency: longest paths with the least delays between nodes; the work of all tasks shared out in
  fractions; the work inside windows, before and after tasks; inputs that are remote or made on the
  spot.
- energy, cost, risk, traffic: the cheapest place of each task, together with the transfers that
  differing places force, and with the length of the plan.
- completion, tardiness: the same heads, and one machine that does all the work.
- period: tasks shared out in fractions, none longer than the period.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from offload.arrays import FloatArray
from offload.bounding.delays import pair_delays
from offload.bounding.paths import fastest, heads, tails
from offload.bounding.relaxation import Relaxation
from offload.bounding.ticks import whole
from offload.problem import METRICS, Problem
from offload.tables import TOLERANCE

__all__ = [
    "earliest_finishes", "fastest", "heads", "lifted", "lower_bound", "metric_bounds",
    "pair_delays", "proved", "refuted", "relative_gap", "tails",
]  # fmt: skip

_SLACK = 1e-6  # relative: a limit is called out of reach where it is missed by more


def metric_bounds(problem: Problem) -> dict[str, float]:
    """A lower bound of each metric; infinite where no plan exists at all."""
    return {metric: lower_bound(problem, {metric: 1.0}) for metric in METRICS}


def lower_bound(
    problem: Problem, minimize: Mapping[str, float], limits: Mapping[str, float] | None = None
) -> float:
    """A lower bound of the weighted sum of metrics over the plans within limits.

    Parameters
    ----------
    minimize
        Weights by metric.
    limits
        Upper bounds by metric; none by default.

    Returns
    -------
    float
        Infinite where it is proved that there is no such plan: see :func:`refuted`.
    """
    if not problem.graph.tasks:
        return 0.0
    if refuted(problem, limits) is not None:
        return float("inf")
    bound = max(0.0, _relaxation(problem, limits).mix(minimize, limits))
    return lifted(problem, minimize, bound)


def lifted(problem: Problem, minimize: Mapping[str, float], bound: float) -> float:
    """A lower bound of a weighted sum, up to the next whole tick where it has to be one.

    So it is where latency alone counts and all times of the data are whole ticks; whatever the
    limits, for a plan that starts all as early as it can keeps those that it kept.
    """
    weights = {metric: weight for metric, weight in minimize.items() if weight > 0}
    if set(weights) != {"latency"}:
        return bound
    return whole(problem.tables, bound, weights["latency"])


def earliest_finishes(problem: Problem) -> FloatArray:
    """A lower bound of each task's finish in seconds over all plans, limits apart; float64[T]."""
    return _relaxation(problem, None).finishes


def refuted(problem: Problem, limits: Mapping[str, float] | None = None) -> str | None:
    """Why there is no plan within limits, in a sentence; ``None`` where that is not proved.

    A limit counts as out of reach only where it is missed by more than rounding and the checker's
    tolerance explain.
    """
    if not problem.graph.tasks:
        return None
    reason = _relaxation(problem, None).refusal
    if reason is not None:
        return reason
    limits = limits or {}
    if not _relaxation(problem, limits).feasible:
        return f"no plan ends within {limits['latency']:.6g} s, the limit of latency"
    for metric, limit in limits.items():
        others = {name: bound for name, bound in limits.items() if name != metric}
        least = _relaxation(problem, others).mix({metric: 1.0}, others)
        if least > limit + _spare(problem, metric, limit):
            return f"{metric} is at least {least:.6g} in any plan, and its limit is {limit:.6g}"
    return None


def _spare(problem: Problem, metric: str, limit: float) -> float:
    """What a bound may exceed a limit by for rounding or the checker's tolerance alone."""
    spare = _SLACK * limit
    if metric in ("completion", "tardiness"):
        longest = max(_relaxation(problem, None).latency, limit)
        spare += TOLERANCE * float(problem.tables.weight.sum()) * longest
    return spare


def relative_gap(objective: float, bound: float) -> float:
    """(objective - bound) / objective; 0 for an objective of 0."""
    return 0.0 if objective == 0 else (objective - bound) / objective


def relative_gaps(objective: FloatArray, bound: FloatArray | float) -> FloatArray:
    """The same of many; undefined where the objective or the bound is."""
    some = objective != 0
    gaps = np.where(np.isnan(objective), np.nan, 0.0)
    np.divide(objective - bound, objective, out=gaps, where=some)
    return gaps


def proved(objective: float, bound: float, gap: float) -> bool:
    """Whether a plan of this objective is proved to the gap, so that a search may stop.

    Parameters
    ----------
    objective
        Of a plan that holds.
    bound
        A lower bound, as ``request.bound``.
    gap
        Relative, as ``request.gap``.
    """
    return relative_gap(objective, bound) <= gap


def _relaxation(problem: Problem, limits: Mapping[str, float] | None) -> Relaxation:
    """The bounds of a problem over plans that keep a limit on latency, kept with its tables."""
    key = "bounds", (limits or {}).get("latency", float("inf"))
    known = problem.tables.derived
    if key not in known:
        known.setdefault(key, Relaxation(problem.tables, key[1]))
    found: Relaxation = known[key]
    return found
