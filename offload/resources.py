"""What a plan uses and could run short of: speeds, links, capacities, deadlines and limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from offload.arrays import FloatArray
from offload.instance_fields import with_changes
from offload.occupancy import memory_over_time
from offload.path_shares import PathShares, path_shares
from offload.plan import Plan
from offload.problem import Problem
from offload.record_names import pair_name
from offload.selectors import Selectors
from offload.tables import TOLERANCE

__all__ = ["Resource", "Use", "memory_peaks", "scaled", "uses"]


class Resource(NamedTuple):
    """A number of an instance that a plan depends on.

    Attributes
    ----------
    kind
        "speed", "slots", "memory", "storage" (of a node), "bandwidth", "latency", "channels" (of a
        link), "deadline", "due", "release" (of a task), or "limit" (of a metric).
    name
        Of the node, link, task or metric.
    path
        As :func:`offload.sweep` reads it.
    place
        Steps to it in the instance.
    value
        As the instance has it, in SI units.
    """

    kind: str
    name: str
    path: str
    place: tuple[str | int, ...]
    value: float

    @property
    def whole(self) -> bool:
        """Whether only whole numbers may stand there."""
        return self.kind in ("slots", "channels")

    @property
    def more_is_better(self) -> bool:
        """Whether more of it may help: less latency and an earlier release do."""
        return self.kind not in ("latency", "release")


class Use(NamedTuple):
    """How a plan uses a resource.

    Attributes
    ----------
    resource
        The resource.
    seconds
        Of the critical path: executed there, on the link, waited for it.
    utilisation
        How much of it is in use: of the time, or of the amount; NaN where that has no meaning.
    spare
        What is left of an amount (bytes, seconds to a deadline); NaN without an amount.
    tight
        Whether nothing more fits.
    """

    resource: Resource
    seconds: float
    utilisation: float
    spare: float
    tight: bool


def scaled(problem: Problem, resource: Resource, factor: float) -> Problem:
    """The instance with so many times as much of a resource.

    A node's speed is that of all its modes, and of tasks whose time there is given in seconds.
    """
    if resource.kind == "speed":
        return _faster(problem, int(resource.place[2]), factor)
    value: float = resource.value * factor
    if resource.whole:
        value = max(1, round(value))

    return with_changes(problem, {resource.place: _always(value)})


def _always(value: float) -> Callable[[Any], float]:
    return lambda old: value


def _faster(problem: Problem, k: int, factor: float) -> Problem:
    node = problem.network.nodes[k]
    changes: dict[tuple[str | int, ...], Callable[[Any], Any]] = {}
    here: tuple[str | int, ...] = ("network", "nodes", k)

    def speed(old: float) -> float:
        return old * factor

    changes[(*here, "speed")] = speed
    for m in range(len(node.modes)):
        changes[(*here, "modes", m, "speed")] = speed
    selectors = Selectors(problem.network.nodes)
    winners: dict[tuple[str, ...], int] = {}
    for i, task in enumerate(problem.graph.tasks):
        keys = tuple(task.time)
        if not keys:
            continue
        if keys not in winners:
            winners[keys] = int(selectors.winners(keys)[k])
        if winners[keys] >= 0:
            seconds = task.time[keys[winners[keys]]] / factor
            changes[("graph", "tasks", i, "time", node.id)] = _always(seconds)
    return with_changes(problem, changes)


def uses(plan: Plan, limits: dict[str, float], weighted: set[str]) -> list[Use]:
    """What a plan uses, nodes first, then links, tasks and limits, each in order of the file.

    Parameters
    ----------
    limits
        Upper bounds by metric.
    weighted
        The metrics that the goal names.
    """
    shares = path_shares(plan)
    return [
        *_of_nodes(plan, shares), *_of_links(plan, shares), *_of_tasks(plan, shares, weighted),
        *_of_limits(plan, limits),
    ]  # fmt: skip


def memory_peaks(plan: Plan) -> FloatArray:
    """Most bytes in use on each node at any time, resident and running; float64[K]."""
    return np.array([steps.peak for steps in memory_over_time(plan)], float)


def _of_nodes(plan: Plan, shares: PathShares) -> Iterator[Use]:
    tables, nodes = plan.problem.tables, plan.problem.network.nodes
    peaks = memory_peaks(plan)
    busy = plan.breakdown().nodes["utilisation"].to_numpy()
    stored = np.bincount(
        plan.copies.node, tables.data_bytes[plan.copies.data], minlength=tables.nodes
    )
    for k in np.unique(plan.parts.node).tolist():
        node, waited = nodes[k], shares.waited
        for kind, value, seconds in (
            ("speed", node.speed, shares.speed[k]), ("slots", node.slots, waited["slots"][k]),
        ):  # fmt: skip
            made = _node_resource(kind, k, node.id, value)
            yield Use(made, float(seconds), float(busy[k]), np.nan, False)
        if node.memory is not None:
            spare, made = node.memory - peaks[k], _node_resource("memory", k, node.id, node.memory)
            tight = bool(_least_need(plan, k) > spare * (1 + TOLERANCE))
            yield Use(made, float(waited["memory"][k]), _share(peaks[k], node.memory), spare, tight)
        if node.storage and stored[k] > 0:
            made = _node_resource("storage", k, node.id, node.storage)
            spare = node.storage - stored[k]
            yield Use(made, 0.0, _share(stored[k], node.storage), spare, spare <= 0)


def _node_resource(kind: str, k: int, name: str, value: float) -> Resource:
    return Resource(
        kind, name, f"network.nodes[{name}].{kind}", ("network", "nodes", k, kind), value
    )


def _share(used: float, value: float) -> float:
    return float(used / value) if value > 0 else float(used > 0)


def _least_need(plan: Plan, k: int) -> float:
    """Bytes of the smallest task that may run on a node and does not; 0 for none."""
    tables = plan.problem.tables
    others = np.flatnonzero(tables.allowed_table[:, k])
    others = np.setdiff1d(others, plan.parts.task[plan.parts.node == k])
    need = tables.resident_of(others, k) + tables.memory_of(others, k)
    return float(need.min(initial=np.inf)) if len(others) else 0.0


def _of_links(plan: Plan, shares: PathShares) -> Iterator[Use]:
    table, routes = plan.breakdown().links, plan.problem.tables.routes
    links = len(plan.problem.network.links)
    held, count = np.zeros(links), np.zeros(links)
    half = [link.duplex == "half" for link in plan.problem.network.links]
    both = np.array(half, bool)[routes.arc_link]  # ways that share channels
    np.maximum.at(held, routes.arc_link[~both], table["held"].to_numpy()[~both])
    np.add.at(held, routes.arc_link[both], table["held"].to_numpy()[both])
    np.add.at(count, routes.arc_link, table["transfers"].to_numpy())
    latency = plan.metrics["latency"]
    for j in np.flatnonzero(count > 0).tolist():
        link = plan.problem.network.links[j]
        name = pair_name(link)
        busy = _share(held[j] / (link.channels or 1), latency)
        for kind, value, seconds in (
            ("bandwidth", link.bandwidth, shares.bandwidth[j]),
            ("latency", link.latency, shares.latency[j]),
            ("channels", link.channels, shares.waited["channel"][j]),
        ):
            if value:
                path, place = f"network.links[{name}].{kind}", ("network", "links", j, kind)
                used = np.nan if kind == "latency" else busy
                made = Resource(kind, name, path, place, value)
                yield Use(made, float(seconds), used, np.nan, False)


def _of_tasks(plan: Plan, shares: PathShares, weighted: set[str]) -> Iterator[Use]:
    """Deadlines of all tasks, due times of late ones, and releases at which tasks begin."""
    tables, parts = plan.problem.tables, plan.parts
    near, late = TOLERANCE * plan.metrics["latency"], "tardiness" in weighted
    start, finish = np.full(tables.tasks, np.inf), np.zeros(tables.tasks)
    np.minimum.at(start, parts.task, parts.start)
    np.maximum.at(finish, parts.task, parts.finish)
    for i, task in enumerate(plan.problem.graph.tasks):
        for kind, value in (("deadline", task.deadline), ("due", task.due)):
            if value is None or (kind == "due" and not (late and finish[i] > value)):
                continue
            spare = value - finish[i]
            made = _task_resource(kind, i, task.id, value)
            yield Use(made, 0.0, _share(finish[i], value), spare, bool(spare <= near))
        if task.release > 0 and start[i] <= task.release + near:
            made = _task_resource("release", i, task.id, task.release)
            yield Use(made, float(shares.release[i]), np.nan, np.nan, False)


def _task_resource(kind: str, i: int, name: str, value: float) -> Resource:
    return Resource(kind, name, f"graph.tasks[{name}].{kind}", ("graph", "tasks", i, kind), value)


def _of_limits(plan: Plan, limits: dict[str, float]) -> Iterator[Use]:
    for metric, value in limits.items():
        used = plan.metrics[metric]
        made = Resource("limit", metric, f"limits.{metric}", ("limits", metric), value)
        tight = used >= value * (1 - TOLERANCE)
        yield Use(made, 0.0, _share(used, value), value - used, tight)
