"""What an instance uses of the format, by name: a method declares which of these it honours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from offload.problem import Problem

__all__ = ["FEATURES", "Goal", "checked", "features_used", "goal_of"]


FEATURES = {
    "slots": "nodes or tasks with other than one slot",
    "memory": "working memory on nodes with a memory limit",
    "resident": "resident bytes on nodes with a memory limit",
    "allow": "tasks bound to some of the nodes",
    "require": "edges or data whose routes must carry tags",
    "together": "groups of tasks on one node",
    "apart": "groups of tasks on distinct nodes",
    "contiguous": "groups whose tasks on each node are convex",
    "release": "release times",
    "due": "due times in the objective or a limit",
    "deadline": "deadlines",
    "items": "items with several readers",
    "routes": "routes of several hops, or pairs of nodes without any",
    "channels": "links with a limited number of channels",
    "reads": "tasks that read data",
    "moves": "tasks that are somewhere already and may move",
    "modes": "nodes with several operating points",
    "codecs": "edges that may be compressed",
    "copies": "data that may be copied",
    "splitting": "divisible tasks",
    "serial-io": "nodes with serial io, where the period counts",
    "limits": "limits on metrics",
}


class Goal(NamedTuple):
    """What is minimized, and the upper bounds that hold; both by metric."""

    minimize: dict[str, float]
    limits: dict[str, float]

    @property
    def metrics(self) -> set[str]:
        """Every metric that counts: weighted above 0, or limited."""
        return {m for m, weight in self.minimize.items() if weight > 0} | set(self.limits)


def goal_of(
    problem: Problem,
    minimize: str | Mapping[str, float] | None = None,
    limits: Mapping[str, float] | None = None,
) -> Goal:
    """The goal of a call: what it says, and where it says nothing what the instance says.

    Raises
    ------
    InstanceError
        For an unknown metric, a negative or non-finite number, or no weight above 0.
    """
    from offload.problem import as_weights

    return checked(Goal(as_weights(minimize, problem.minimize), as_weights(limits, problem.limits)))


def checked(goal: Goal) -> Goal:
    """The same goal, if it is one.

    Raises
    ------
    InstanceError
        As :func:`goal_of`.
    """
    from offload.errors import InstanceError, Issue
    from offload.validation import metric_issues

    issues = metric_issues(goal.minimize, "minimize") + metric_issues(goal.limits, "limits")
    if not any(weight > 0 for weight in goal.minimize.values()):
        fix = 'write for example {"latency": 1}'
        issues.append(Issue("minimize", "needs at least one weight above 0", goal.minimize, fix))
    if issues:
        raise InstanceError(issues)
    return goal


def features_used(problem: Problem, goal: Goal | None = None) -> list[str]:
    """The features of :data:`FEATURES` that bear on an instance under a goal, in table order."""
    tables, graph = problem.tables, problem.graph
    goal = goal or Goal(problem.minimize, problem.limits)
    routes = tables.routes
    rules = {group.rule for group in graph.groups if len(group.tasks) > 1}
    bounded = bool(np.isfinite(tables.memory_capacity).any())
    off_diagonal = ~np.eye(tables.nodes, dtype=bool)
    homeless = ~tables.home.all(axis=1)
    used = {
        "slots": bool((tables.node_slots != 1).any() or (tables.task_slots != 1).any()),
        "memory": bounded and bool((tables.memory > 0).any()),
        "resident": bounded and bool((tables.resident > 0).any()),
        "allow": not bool(tables.allow_mask.all()),
        "require": _any(edge.require for edge in graph.edges)
        or _any(d.require for d in problem.data),
        "together": "together" in rules,
        "apart": "apart" in rules,
        "contiguous": "contiguous" in rules,
        "release": bool((tables.release > 0).any()),
        "due": "tardiness" in goal.metrics and bool(np.isfinite(tables.due).any()),
        "deadline": bool(np.isfinite(tables.deadline).any()),
        "items": tables.items < tables.edges,
        "routes": bool(((routes.hops != 1) & off_diagonal).any()),
        "channels": len(routes.resource_channels) > 0,
        "reads": len(tables.reads.values) > 0,
        "moves": bool((tables.at >= 0).any()),
        "modes": tables.modes > 1,
        "codecs": len(tables.item_codecs.values) > 0,
        "copies": len(tables.reads.values) > 0 and bool((homeless & (tables.max_copies > 0)).any()),
        "splitting": bool(tables.divisible.any()),
        "serial-io": "period" in goal.metrics and bool(tables.serial_io.any()),
        "limits": bool(goal.limits),
    }
    return [name for name in FEATURES if used[name]]


def _any(values: Iterable[object]) -> bool:
    return any(bool(value) for value in values)
