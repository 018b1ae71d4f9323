"""Sums over tasks on nodes with little room: optima by brute force, bounds whatever else counts."""

from __future__ import annotations

import random
from itertools import product
from math import inf
from pathlib import Path

import numpy as np
import pytest
from drawing import draw_problem

import offload
from formulations.knapsack_prices import Knapsacks, Sharing
from offload import Edge, Graph, Network, Node, Problem, Task
from offload.features import FEATURES


def sharing(
    seed: int, tasks: int, nodes: int, whole: bool, room: float = 1.1
) -> tuple[Problem, list[list[float]], list[list[float]], list[float]]:
    """An instance with its costs and sizes by task and node, and the room of each node."""
    dice = random.Random(seed)
    draw = (lambda a, b: float(dice.randint(a, b))) if whole else dice.uniform
    cost = [[draw(10, 50) for _ in range(nodes)] for _ in range(tasks)]
    size = [[draw(5, 25) for _ in range(nodes)] for _ in range(tasks)]
    most = [room * sum(row[k] for row in size) / nodes for k in range(nodes)]
    most = [float(int(m)) if whole else m for m in most]
    network = Network(tuple(Node(f"n{k}", memory=most[k], price=1.0) for k in range(nodes)))
    made = [
        Task(
            f"t{i}",
            time={f"n{k}": cost[i][k] for k in range(nodes)},
            resident={f"n{k}": size[i][k] for k in range(nodes)},
        )
        for i in range(tasks)
    ]
    return Problem(network=network, graph=Graph(tuple(made))), cost, size, most


def least(cost: list[list[float]], size: list[list[float]], room: list[float]) -> float:
    """The least cost of all ways to share out; infinite where none has room."""
    best, nodes = inf, range(len(room))
    for places in product(nodes, repeat=len(cost)):
        taken = [sum(size[i][k] for i, k in enumerate(places) if k == node) for node in nodes]
        if all(t <= r * (1 + 1e-9) for t, r in zip(taken, room, strict=True)):
            best = min(best, sum(cost[i][k] for i, k in enumerate(places)))
    return best


@pytest.mark.parametrize("whole", [True, False])
def test_the_optimum_is_that_of_all_ways_to_share_out(whole: bool) -> None:
    open_at_first = none = 0
    for seed in range(12):
        problem, *numbers = sharing(seed, 7, 3, whole, (0.85, 0.95, 1.1)[seed % 3])
        best = least(*numbers)
        found = offload.solve(problem, "knapsacks", "cost", gap=1e-7, time_limit=60)
        if best == inf:
            none += 1
            assert found.status == "infeasible"
            continue
        assert found.plan is not None
        assert found.bound is not None
        assert found.status == "optimal"
        assert found.objective == pytest.approx(best, rel=1e-7)
        assert found.bound <= best * (1 + 1e-9)
        open_at_first += best > offload.bounds.lower_bound(problem, {"cost": 1}) * (1 + 1e-6)
    assert open_at_first >= 5
    assert none < 6


@pytest.mark.parametrize("whole", [True, False])
def test_a_gap_of_nothing_ends_as_well(whole: bool) -> None:
    for seed in range(3, 6):
        problem, *numbers = sharing(seed, 6, 3, whole)
        found = offload.solve(problem, "knapsacks", "cost", gap=0.0)  # without any limit of time
        assert found.objective == pytest.approx(least(*numbers), rel=1e-9)
        assert found.bound == pytest.approx(found.objective, rel=1e-7)
        assert found.bound <= found.objective * (1 + 1e-12)


def test_a_limit_of_latency_leaves_seconds_to_share_out() -> None:
    proofs = 0
    for seed in range(6):
        drawn, cost, _, _ = sharing(seed, 7, 3, True)
        nodes = tuple(Node(f"n{k}", price=1.0 + k) for k in range(3))
        problem = drawn.replace(network=Network(nodes))
        price = [[(1 + k) * seconds for k, seconds in enumerate(row)] for row in cost]
        limit = 0.5 * sum(map(min, cost))
        best = least(price, cost, [limit] * 3)
        found = offload.solve(problem, "knapsacks", "cost", {"latency": limit}, gap=1e-7)
        if best == inf:
            assert found.plan is None
            continue
        assert found.objective == pytest.approx(best, rel=1e-7)
        assert found.bound == pytest.approx(best, rel=1e-6)
        proofs += 1
    assert proofs >= 3


def test_sizes_in_coarse_units_lose_no_plan_and_keep_to_the_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("formulations.knapsacks._CELLS", 300)  # some 14 units of room
    for seed in range(5):
        problem, *numbers = sharing(seed, 7, 3, False, 0.95)
        best = least(*numbers)
        found = offload.solve(problem, "knapsacks", "cost", gap=1e-7, time_limit=60)
        if best == inf:
            assert found.plan is None
            continue
        assert found.plan is not None
        assert found.objective == pytest.approx(best, rel=1e-7)


def test_a_bound_by_place_is_that_of_a_program_with_the_task_there() -> None:
    dice = np.random.default_rng(3)
    cost, size = dice.uniform(1, 9, (3, 6)), dice.integers(1, 6, (3, 6))
    room, open = np.array([7, 9, 8]), np.ones((3, 6), bool)
    open[1, 2] = False
    sacks = Knapsacks(Sharing(cost, size, room), open)
    prices = dice.uniform(4, 9, 6)
    sets = sacks.best(prices)
    value = [_knapsack(prices - cost[k], size[k], room[k], open[k]) for k in range(3)]
    assert sets.bound == pytest.approx(prices.sum() - sum(value))
    by_place = sacks.by_place(sets)
    for k, i in product(range(3), range(6)):
        if not open[k, i]:
            assert by_place[k, i] == inf
            continue
        forced = prices.sum()
        for other in range(3):
            rest = open[other].copy()
            rest[i] = False
            left = room[other] - (size[k, i] if other == k else 0)
            forced -= _knapsack(prices - cost[other], size[other], left, rest)
        assert by_place[k, i] == pytest.approx(forced - (prices[i] - cost[k, i]))


def _knapsack(
    profit: np.ndarray[tuple[int], np.dtype[np.float64]],
    size: np.ndarray[tuple[int], np.dtype[np.int64]],
    room: int,
    open: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> float:
    """The best profit of all sets that fit."""
    best = 0.0
    for chosen in product((0, 1), repeat=len(profit)):
        pick = np.array(chosen, bool)
        if not (pick & ~open).any() and size[pick].sum() <= room:
            best = max(best, float(profit[pick].sum()))
    return best


@pytest.mark.parametrize("metric", ["energy", "cost", "risk"])
def test_no_bound_is_above_an_optimum_whatever_the_features(metric: str) -> None:
    features = tuple(
        name for name in FEATURES
        if name not in ("splitting", "limits", "items", "routes", "channels", "codecs", "require")
    )  # fmt: skip
    bounds = 0
    for seed in range(12):
        drawn = draw_problem(seed, features, tasks=(3, 6), nodes=(2, 3))
        problem = drawn.replace(graph=Graph(drawn.graph.tasks))
        best = offload.solve(problem, "cpsat", metric, {}, gap=1e-6, time_limit=30, explain=0)
        found = offload.solve(problem, "knapsacks", metric, {}, time_limit=30, explain=0)
        assert not (found.status == "infeasible" and best.plan is not None)
        if best.objective is not None and found.bound is not None:
            assert found.bound <= best.objective * (1 + 1e-6) + 1e-9
            bounds += 1
        if found.status == "optimal" and best.status == "optimal":
            assert found.objective == pytest.approx(best.objective, rel=1e-4, abs=1e-9)
    assert bounds >= 4


def test_work_ends_it_and_decides_the_answer() -> None:
    problem, *_ = sharing(5, 40, 4, True, 0.9)
    first, second = (offload.solve(problem, "knapsacks", "cost", work_limit=200) for _ in range(2))
    assert first.stopped == "work" or first.status == "optimal"
    assert (first.bound, first.objective) == (second.bound, second.objective)


def test_where_transfers_count_there_is_nothing_to_say() -> None:
    problem, *_ = sharing(5, 6, 2, True)
    tied = problem.replace(graph=Graph(problem.graph.tasks, (Edge("t0", "t1", bytes=1),)))
    found = offload.solve(tied, "knapsacks", "cost", time_limit=10)
    assert found.bound == pytest.approx(offload.bounds.lower_bound(tied, {"cost": 1}))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "optimum"), [("c10200", 2806), ("d05100", 6353)])
def test_it_proves_what_linear_relaxations_leave_open(name: str, optimum: int, data: Path) -> None:
    found = offload.solve(offload.convert(data / "gap" / name), "auto", time_limit=120)
    assert (found.status, found.objective) == ("optimal", optimum)
