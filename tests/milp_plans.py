"""Every plan of tiny instances, found without the library's evaluator, and goals that cut close."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
from drawing import draw_problem

from offload import Edge, Graph, Link, Network, Node, Problem, Task, registry
from offload.problem import METRICS

__all__ = ["FEATURES", "all_plans", "drawn"]

FEATURES = sorted(registry.find("milp").honours - {"limits", "splitting"})
UNTIMED = sorted({*FEATURES} - {"deadline", "allow", "require"})
TIMELESS = ("energy", "cost", "risk", "traffic", "period")


def all_plans(problem: Problem) -> Iterator[dict[str, float]]:
    """Metrics of all active schedules; no other schedule has a smaller weighted sum of metrics."""
    tables = problem.tables
    task, node = np.arange(tables.tasks), np.arange(tables.nodes)
    length = tables.execution(task[:, None], node[None, :])
    size = tables.item_bytes[:, None, None]
    rule = tables.item_rule[:, None, None]
    delay = tables.transfer(size, node[:, None], node[None, :], rule=rule).total
    ends = zip(tables.edge_src, tables.edge_dst, tables.edge_item, strict=True)
    edges = [(int(i), int(j), int(h)) for i, j, h in ends]
    options = [[k for k in node if np.isfinite(length[i, k])] for i in task]
    for place in itertools.product(*options):
        reached = all(np.isfinite(delay[h, place[i], place[j]]) for i, j, h in edges)
        if not (reached and groups_hold(problem, place)):
            continue
        known = timeless(problem, place, length, edges)
        for order in itertools.permutations(range(tables.tasks)):
            if all(order.index(i) < order.index(j) for i, j, _ in edges):
                finish = active(problem, place, order, length, delay, edges)
                if finish is not None and (np.array(finish) <= tables.deadline * (1 + 1e-9)).all():
                    yield timed(problem, known, np.array(finish))


def groups_hold(problem: Problem, place: tuple[int, ...]) -> bool:
    where = {task.id: k for task, k in zip(problem.graph.tasks, place, strict=True)}
    edges = [(edge.src, edge.dst) for edge in problem.graph.edges]

    def returns(path: list[str], named: tuple[str, ...]) -> bool:
        on = [where[name] for name in path]
        if on[0] == on[-1] and len(set(on)) > 1:
            return True
        return any(returns([*path, v], named) for u, v in edges if u == path[-1] and v in named)

    for group in problem.graph.groups:
        nodes = [where[name] for name in group.tasks]
        broken = {
            "together": len(set(nodes)) > 1,
            "apart": len(set(nodes)) < len(nodes),
            "contiguous": any(returns([name], group.tasks) for name in group.tasks),
        }
        if broken[group.rule]:
            return False
    return True


def timeless(
    problem: Problem, place: tuple[int, ...], length: Any, edges: list[tuple[int, int, int]]
) -> dict[str, float]:
    """Metrics that need no times, straight from SPEC section 4."""
    nodes, routes = problem.network.nodes, problem.tables.routes
    found = dict.fromkeys(TIMELESS, 0.0)
    load = [0.0] * len(nodes)
    for i, (task, k) in enumerate(zip(problem.graph.tasks, place, strict=True)):
        taken = float(length[i, k]) * task.slots
        found["energy"] += taken * nodes[k].busy_power
        found["cost"] += taken * nodes[k].price
        found["risk"] += float(length[i, k]) * nodes[k].failure_rate
        load[k] += taken / nodes[k].slots
    found["period"] = max(load)
    for h, k, l in {(h, place[i], place[j]) for i, j, h in edges if place[i] != place[j]}:
        moved = float(problem.tables.item_bytes[h])
        found["energy"] += moved * float(routes.energy[k, l])
        found["cost"] += moved * float(routes.price[k, l])
        found["traffic"] += moved * float(routes.hops[k, l])
    return found


def timed(problem: Problem, known: dict[str, float], finish: Any) -> dict[str, float]:
    tasks, latency = problem.graph.tasks, float(finish.max())
    idle = sum(node.idle_power for node in problem.network.nodes)
    late = [
        max(0.0, f - (math.inf if t.due is None else t.due))
        for t, f in zip(tasks, finish, strict=True)
    ]
    return {
        **known,
        "latency": latency,
        "completion": sum(t.weight * float(f) for t, f in zip(tasks, finish, strict=True)),
        "tardiness": sum(t.weight * float(l) for t, l in zip(tasks, late, strict=True)),
        "energy": known["energy"] + idle * latency,
    }


def active(
    problem: Problem, place: tuple[int, ...], order: tuple[int, ...],
    length: Any, delay: Any, edges: list[tuple[int, int, int]],
) -> list[float] | None:  # fmt: skip
    """Each task in turn at its earliest, between others too; ``None`` where memory is short."""
    tables = problem.tables
    held = [0.0] * tables.nodes
    for i, k in enumerate(place):
        held[k] += float(tables.resident_of(i, k))
    if any(held[k] > tables.memory_capacity[k] * (1 + 1e-9) for k in range(tables.nodes)):
        return None
    begin: dict[int, float] = {}
    end: dict[int, float] = {}

    def fits(j: int, k: int, moment: float) -> bool:
        run = [i for i in begin if place[i] == k and begin[i] <= moment < end[i]]
        slots = sum(int(tables.task_slots[i]) for i in [*run, j])
        memory = held[k] + sum(float(tables.memory_of(i, k)) for i in [*run, j])
        room = tables.memory_capacity[k] * (1 + 1e-9)
        return bool(slots <= tables.node_slots[k] and memory <= room)

    for j in order:
        k, lasts = place[j], float(length[j, place[j]])
        arrivals = [end[i] + float(delay[h, place[i], k]) for i, to, h in edges if to == j]
        ready = max([float(tables.release[j]), *arrivals])
        moments = [ready, *sorted(f for f in end.values() if f > ready)] if lasts > 0 else []
        begin_j = ready if lasts == 0 else None
        for moment in moments:
            inside = [s for s in begin.values() if moment < s < moment + lasts]
            if all(fits(j, k, at) for at in [moment, *inside]):
                begin_j = moment
                break
        if begin_j is None:
            return None
        begin[j], end[j] = begin_j, begin_j + lasts
    return [end[i] for i in range(tables.tasks)]


def crowded(dice: random.Random) -> Problem:
    """Few nodes of several slots and little memory, many tasks that may meet, many ties."""
    nodes = [
        Node(f"n{k}", slots=dice.choice([2, 2, 3]), memory=dice.choice([4, 6, None]))
        for k in range(dice.choice([1, 1, 2]))
    ]
    tasks = [
        Task(
            f"t{i}", work=dice.choice([0, 1, 1, 2, 2.5]), slots=dice.choice([1, 1, 1, 2]),
            memory=dice.choice([0, 1, 2]), resident=dice.choice([0, 0, 0.5]),
            release=dice.choice([0, 0, 0, 1]), due=dice.choice([None, 1, 3]),
            weight=dice.choice([0, 1, 2]),
        )
        for i in range(dice.choice([4, 5]) if len(nodes) == 1 else 4)
    ]  # fmt: skip
    pairs = itertools.combinations(range(len(tasks)), 2)
    edges = [Edge(f"t{i}", f"t{j}", bytes=1) for i, j in pairs if dice.random() < 0.15]
    links = [Link("n0", "n1", bandwidth=dice.choice([1, 2]))] if len(nodes) == 2 else []
    return Problem(network=Network(nodes, links), graph=Graph(tasks, edges))


def drawn(seed: int) -> tuple[Problem, dict[str, float], dict[str, float], float]:
    """An instance, a goal, limits that cut close, and the least objective of all its plans."""
    dice = random.Random(f"milp {seed}")
    if seed % 4 == 0:  # placements matter
        problem, names = draw_problem(seed, UNTIMED, tasks=(3, 5), nodes=(2, 3)), TIMELESS[1:]
    elif seed % 4 == 1:  # orders matter
        problem, names = crowded(dice), METRICS
    else:
        problem, names = draw_problem(seed, FEATURES, tasks=(2, 4), nodes=(2, 3)), METRICS
    plans = list(all_plans(problem))
    minimize = {m: dice.choice([0.5, 1.0, 2.0]) for m in dice.sample(names, dice.choice([1, 2, 3]))}
    limits = {}
    if dice.random() < 0.4:
        metric = dice.choice(names)
        values = sorted(plan[metric] for plan in plans)
        limits[metric] = values[len(values) // 10] * dice.choice([1.0, 1.1, 0.9]) if values else 0.0
    kept = [p for p in plans if all(p[m] <= most * (1 + 1e-9) for m, most in limits.items())]
    best = min((sum(w * p[m] for m, w in minimize.items()) for p in kept), default=math.inf)
    return problem, minimize, limits, best
