"""An instance in a few words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from offload.bounds import metric_bounds
from offload.features import features_used
from offload.headlines import describe
from offload.units import count, metric, quantity

if TYPE_CHECKING:
    from offload.problem import Problem

__all__ = ["instance_facts", "least_latency"]

_BOUNDED = 3_000_000  # tasks times nodes up to which the lower bound is worth its time


def instance_facts(problem: Problem) -> dict[str, str]:
    """An instance in a few words: sizes, tiers, amounts, features, goal, limits, least latency."""
    tables, graph, network = problem.tables, problem.graph, problem.network
    tiers = Counter(node.tier for node in network.nodes)
    sizes = [
        count(len(graph.tasks), "task"), count(len(graph.edges), "edge"),
        count(len(network.nodes), "node"), count(len(network.links), "link"),
    ]  # fmt: skip
    for things, name in ((graph.groups, "group"), (problem.codecs, "codec")):
        if things:
            sizes.append(count(len(things), name))
    if problem.data:
        sizes.append(count(len(problem.data), "data item"))
    used = features_used(problem)
    work = float(tables.work[np.isfinite(tables.work)].sum())
    amounts = [f"{quantity(float(tables.item_bytes.sum()), 'B')} on edges"]
    if work > 0:
        amounts.insert(0, f"{quantity(work, 'op')} of work")
    if problem.data:
        amounts.append(f"{quantity(float(tables.data_bytes.sum()), 'B')} of data")
    facts = {
        "holds": ", ".join(sizes),
        "tiers": ", ".join(f"{tier or '(none)'} ({nodes})" for tier, nodes in tiers.items()) or "-",
        "in all": ", ".join(amounts),
        "uses": ", ".join(used) or "nothing beyond the basic model",
        "minimizes": describe(problem.minimize),
    }
    if problem.limits:
        bounds = (f"{name} at most {metric(name, value)}" for name, value in problem.limits.items())
        facts["limits"] = ", ".join(bounds)
    least = least_latency(problem)
    if least is not None:
        facts["latency"] = _least_text(least)
    return facts


def least_latency(problem: Problem) -> float | None:
    """Seconds that no plan can beat (critical path and load); ``None`` where it takes too long."""
    if problem.tables.tasks * problem.tables.nodes > _BOUNDED:
        return None
    return metric_bounds(problem)["latency"]


def _least_text(least: float) -> str:
    if not np.isfinite(least):
        return "no plan exists: some task cannot be reached from those it needs"
    return f"at least {quantity(least, 's')} in any plan (critical path and load)"
