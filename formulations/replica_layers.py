"""Layers of a network on alike workers, and the ideals along which they are cut into stages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from formulations.ideals import Ideals, linear_orders
from formulations.stage_orders import units_of
from offload.errors import NOTHING, InstanceError, Issue, Unsupported
from offload.features import Goal, features_used
from offload.heuristics.placements import Placements
from offload.problem import Problem
from offload.tables import Tables
from offload.validation import topological_order

__all__ = ["Layers", "ideals_of", "layers_of", "line_of"]

_HONOURED = {"resident", "together", "contiguous", "items", "routes"}


@dataclass(frozen=True)
class Layers:
    """Layers in topological order, on workers that are alike.

    Attributes
    ----------
    tasks
        Positions of each layer's tasks, of all passes.
    seconds, parameters
        Execution of all its tasks on a worker, and the bytes that they hold for good; a number a
        layer.
    before, after
        Layers that each one waits for, and those that wait for it.
    items
        Layers that touch an item, the one that makes it and those that read it, and its bytes.
    bandwidth, memory
        Bytes a second between two workers, bytes of a worker.
    """

    tasks: list[list[int]]
    seconds: list[float]
    parameters: list[float]
    before: list[list[int]]
    after: list[list[int]]
    items: list[tuple[int, float]]
    bandwidth: float
    memory: float


def layers_of(problem: Problem) -> Layers:
    """Tasks that are together as a layer; edges of the forward pass as those of the layers.

    The forward pass is what groups "contiguous" name; without any it is all tasks.

    Raises
    ------
    Unsupported
        For what the cost model has no meaning for, by its name in the table of features.
    InstanceError
        For nodes that are not alike, and tasks that are no layers.
    """
    goal = Goal({"period": 1.0}, problem.limits)
    odd = [name for name in features_used(problem, goal) if name not in _HONOURED]
    if odd:
        raise Unsupported("replicated stages", odd, "solve the instance without replicas")
    tables = problem.tables
    _alike(tables)
    layer = units_of(Placements(tables)).tolist()
    members: list[list[int]] = [[] for _ in range(max(layer, default=-1) + 1)]
    for i, number in enumerate(layer):
        members[number].append(i)
    ends = {(layer[i], layer[j]) for i, j in _forward_edges(problem, members)}
    arcs = sorted((i, j) for i, j in ends if i != j)
    order = _ordered(problem, members, arcs)
    rank = {number: position for position, number in enumerate(order)}
    before: list[list[int]] = [[] for _ in order]
    after: list[list[int]] = [[] for _ in order]
    for i, j in sorted((rank[i], rank[j]) for i, j in arcs):
        after[i].append(j)
        before[j].append(i)
    every = np.arange(tables.tasks)
    time, held = tables.execution(every, 0).tolist(), tables.resident_of(every, 0).tolist()
    return Layers(
        [members[number] for number in order],
        [sum(time[i] for i in members[number]) for number in order],
        [sum(held[i] for i in members[number]) for number in order],
        before, after, _items(tables, [rank[number] for number in layer]),
        float(tables.routes.bandwidth[0, -1]), float(tables.memory_capacity[0]),
    )  # fmt: skip


def ideals_of(layers: Layers, most: int) -> list[int] | None:
    """All sets of layers that hold whatever their members wait for, as bits; ``None`` above most.

    Smaller ones come first. Downsets of the layers; PipeDream's antichains are their maximal ends.
    """
    waiting = [sum(1 << i for i in row) for row in layers.before]
    return Ideals(waiting, most).bits or None


def line_of(layers: Layers) -> list[int]:
    """The ideals along one topological order that follows a branch to its end before the next."""
    waiting = [sum(1 << i for i in row) for row in layers.before]
    ideals = [0]
    for i in linear_orders(waiting)[-1]:
        ideals.append(ideals[-1] | 1 << i)
    return ideals


def _alike(tables: Tables) -> None:
    """Refuse nodes, or links between them, that differ."""
    if not tables.nodes:
        raise _wrong("$.network.nodes", "must have a node", NOTHING, "add the workers")
    every = np.arange(tables.tasks)[:, None]
    time = tables.execution(every, np.arange(tables.nodes))
    held = tables.resident_of(every, np.arange(tables.nodes))
    same = ((time == time[:, :1]) & (held == held[:, :1])).all(axis=0)
    same &= tables.memory_capacity == tables.memory_capacity[0]
    if not same.all():
        k = int(np.flatnonzero(~same)[0])
        message = f"must take the times and have the memory of {tables.node_ids[0]!r}"
        fix = "replicated stages need nodes that are alike"
        raise _wrong(f"$.network.nodes[{k}]", message, tables.node_ids[k], fix)
    apart = ~np.eye(tables.nodes, dtype=bool)
    rate = np.where(tables.routes.hops < 0, 0.0, tables.routes.bandwidth)
    differs = apart & ((rate != rate[0, -1]) | (rate == 0))
    if differs.any():
        k, l = (int(end) for end in np.argwhere(differs)[0])
        pair = f"from {tables.node_ids[k]!r} to {tables.node_ids[l]!r}"
        message = f"must have one bandwidth between each two nodes, {rate[0, -1]:g}; {pair}"
        fix = "replicated stages need links that are alike"
        raise _wrong("$.network.links", message, float(rate[k, l]), fix)


def _forward_edges(problem: Problem, members: list[list[int]]) -> Iterable[tuple[int, int]]:
    tables, tasks = problem.tables, problem.graph.tasks
    groups = [group for group in problem.graph.groups if group.rule == "contiguous"]
    named = {name for group in groups for name in group.tasks}
    forward = [not groups or task.id in named for task in tasks]
    for layer in members:
        if not any(forward[i] for i in layer):
            message = 'must be in a group "contiguous", or together with a task that is'
            fix = "tell which layer it belongs to"
            raise _wrong(f"$.graph.tasks[{layer[0]}]", message, tasks[layer[0]].id, fix)
    ends = zip(tables.edge_src.tolist(), tables.edge_dst.tolist(), strict=True)
    return ((i, j) for i, j in ends if forward[i] and forward[j])


def _ordered(problem: Problem, members: list[list[int]], arcs: list[tuple[int, int]]) -> list[int]:
    """Layers in topological order."""
    ends = np.array(arcs, np.int64).reshape(-1, 2)
    order, cycle = topological_order(len(members), ends[:, 0], ends[:, 1])
    if cycle:
        names = [problem.graph.tasks[members[number][0]].id for number in cycle]
        message = "layers (tasks that are together) wait for each other in a cycle"
        fix = 'name the tasks of the forward pass in a group "contiguous"'
        raise _wrong("$.graph.groups", message, names, fix)
    return order


def _items(tables: Tables, layer: list[int]) -> list[tuple[int, float]]:
    """Items that more than one layer touches, as bits, and their bytes."""
    touched = [1 << layer[i] for i in tables.item_src.tolist()]
    for item, j in zip(tables.edge_item.tolist(), tables.edge_dst.tolist(), strict=True):
        touched[item] |= 1 << layer[j]
    size = tables.item_bytes.tolist()
    return [
        (bits, size[item]) for item, bits in enumerate(touched) if bits & (bits - 1) and size[item]
    ]


def _wrong(path: str, message: str, found: object, fix: str) -> InstanceError:
    return InstanceError([Issue(path, message, found, fix)])
