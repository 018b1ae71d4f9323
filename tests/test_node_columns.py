"""Bounds by sets of tasks for nodes: true ones, and better than what they start from."""

from __future__ import annotations

import random
import time
from itertools import combinations

import numpy as np
import pytest
from drawing import draw_problem

import offload
from formulations.node_parts import Parts
from formulations.node_pricing import Knapsack
from offload import Edge, Graph, Link, Network, Node, Problem, Task
from offload.bounds import lower_bound
from offload.features import FEATURES, goal_of
from offload.registry import Request


def crowded(seed: int, tasks: int = 12, nodes: int = 3) -> Problem:
    """A random graph whose tasks just fit on equal nodes, where messages cost energy."""
    dice = random.Random(seed)
    ids = [f"n{k}" for k in range(nodes)]
    sizes = [dice.randint(1, 9) for _ in range(tasks)]
    room = 1.15 * sum(sizes) / nodes
    network = Network(
        tuple(Node(name, memory=room, busy_power=1 + k) for k, name in enumerate(ids)),
        tuple(Link(a, b, bandwidth=10, energy=1) for a, b in combinations(ids, 2)),
    )
    edges = [
        Edge(f"t{i}", f"t{j}", bytes=dice.randint(1, 20))
        for i, j in combinations(range(tasks), 2)
        if dice.random() < 0.25
    ]
    made = [Task(f"t{i}", work=dice.randint(1, 5), resident=sizes[i]) for i in range(tasks)]
    return Problem(network=network, graph=Graph(tuple(made), tuple(edges)))


def request(problem: Problem, goal: dict[str, float], **limits: float) -> Request:
    return Request(problem, goal_of(problem, goal, limits), deadline=time.monotonic() + 60)


def test_the_bound_lies_between_the_best_one_known_before_and_the_optimum() -> None:
    lifted = 0
    for seed in range(4):
        problem = crowded(seed)
        best = offload.solve(problem, "milp", "energy", gap=1e-6)
        assert best.status == "optimal"
        assert best.objective is not None
        found = offload.solve(problem, "node-columns", "energy", time_limit=30)
        assert found.bound is not None
        assert found.bound <= best.objective * (1 + 1e-9)
        lifted += found.bound > lower_bound(problem, {"energy": 1}) * 1.05
    assert lifted >= 3


def test_a_limit_of_latency_counts_as_load() -> None:
    problem = crowded(1)
    free = offload.solve(problem, "node-columns", "energy", time_limit=30)
    assert free.plan is not None
    assert free.bound is not None
    limit = 0.8 * free.plan.metrics["latency"]
    start = offload.solve(problem, "cpsat", "energy", {"latency": limit}, time_limit=30).plan
    assert start is not None
    tight = offload.solve(
        problem, "node-columns", "energy", {"latency": limit}, start=start, time_limit=30
    )
    assert tight.bound is not None
    assert tight.bound >= free.bound * (1 - 1e-6)


@pytest.mark.parametrize("seeds", [range(4), pytest.param(range(4, 16), marks=pytest.mark.slow)])
@pytest.mark.parametrize("metric", ["energy", "cost", "risk", "traffic"])
def test_no_bound_is_above_an_optimum_whatever_the_features(metric: str, seeds: range) -> None:
    features = tuple(name for name in FEATURES if name not in ("splitting", "limits"))
    for seed in seeds:
        problem = draw_problem(seed, features, tasks=(3, 6), nodes=(2, 3))
        best = offload.solve(problem, "cpsat", metric, {}, gap=1e-6, time_limit=30, explain=0)
        found = offload.solve(problem, "node-columns", metric, {}, time_limit=10, explain=0)
        if best.objective is None or found.bound is None:
            continue
        assert found.bound <= best.objective * (1 + 1e-9) + 1e-12, f"{metric}, instance {seed}"


def test_the_best_set_is_that_of_all_sets() -> None:
    problem = crowded(5, tasks=9)
    parts = Parts(request(problem, {"energy": 1.0}))
    dice = np.random.default_rng(5)
    own = dice.normal(size=9) * 10
    pair = dice.normal(size=len(problem.graph.edges)) * 10
    sack = Knapsack(parts, 0)
    sizes, room = parts.size[:, 0], parts.room[0]
    least = 0.0
    for count in range(10):
        for chosen in combinations(range(9), count):
            if sizes[list(chosen)].sum() <= room:
                inside = [e for e, i, j in sack.edges if i in chosen and j in chosen]
                least = min(least, own[list(chosen)].sum() + pair[inside].sum())
    bound, sets = sack.best(own, pair, request(problem, {"energy": 1.0}))
    assert bound <= least + 1e-9
    assert bound == pytest.approx(least, abs=1e-3)
    assert all(sizes[chosen].sum() <= room * (1 + 1e-9) for chosen in sets)


def test_a_search_that_has_no_time_left_gives_a_bound_all_the_same() -> None:
    problem = crowded(5, tasks=9)
    late = request(problem, {"energy": 1.0})
    late.deadline = time.monotonic() - 1
    sack = Knapsack(Parts(late), 1)
    own, pair = np.linspace(-5, 3, 9), np.full(len(problem.graph.edges), -0.5)
    bound, _ = sack.best(own, pair, late)
    best, _ = sack.best(own, pair, request(problem, {"energy": 1.0}))
    assert bound <= best < 0


def test_nothing_is_said_where_nothing_is_crowded() -> None:
    problem = crowded(2)
    nodes = tuple(Node(node.id, busy_power=1) for node in problem.network.nodes)
    roomy = problem.replace(network=Network(nodes, problem.network.links))
    assert not Parts(request(roomy, {"energy": 1.0})).short
    result = offload.solve(roomy, "node-columns", "energy")
    assert result.plan is not None
    assert result.bound == pytest.approx(lower_bound(roomy, {"energy": 1}))
