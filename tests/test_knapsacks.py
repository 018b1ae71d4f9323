"""Sums over tasks on nodes with little room: optima by brute force, bounds whatever else counts."""

from __future__ import annotations

import random
import threading
from itertools import product
from math import inf
from pathlib import Path

import numpy as np
import pytest
from drawing import draw_problem
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

import offload
from formulations.knapsack_prices import Knapsacks, Sharing
from formulations.knapsack_sets import NearBest, near_best, sharpened
from formulations.knapsacks import Costs
from formulations.node_parts import Parts
from offload import Edge, Graph, Network, Node, Problem, Task
from offload.features import FEATURES, Goal
from offload.registry import Answer, Request


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


def drawn_sacks(seed: int) -> tuple[Knapsacks, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Knapsacks of three nodes over seven tasks, one place closed, and prices."""
    dice = np.random.default_rng(seed)
    cost = dice.uniform(1, 9, (3, 7))
    size, open = dice.integers(1, 6, (3, 7)), np.ones((3, 7), bool)
    open[1, 2] = False
    sacks = Knapsacks(Sharing(cost, size, np.array([7, 9, 8])), open)
    return sacks, dice.uniform(4, 9, 7)


def all_sets(sacks: Knapsacks) -> dict[tuple[int, frozenset[int]], float]:
    """The cost of every set of tasks that fits a node."""
    found = {}
    for k, room in enumerate(sacks.room.tolist()):
        steps = [q for q in range(len(sacks.task)) if sacks.valid[q, k]]
        for chosen in product((0, 1), repeat=len(steps)):
            inside = [q for q, pick in zip(steps, chosen, strict=True) if pick]
            if sum(sacks.size[q, k] for q in inside) <= room:
                tasks = frozenset(int(sacks.task[q, k]) for q in inside)
                found[k, tasks] = float(sum(sacks.cost[q, k] for q in inside))
    return found


def listed(found: NearBest) -> dict[tuple[int, frozenset[int]], float]:
    """Sets by node and tasks."""
    tasks: list[set[int]] = [set() for _ in found.node]
    for p, i in zip(found.set.tolist(), found.task.tolist(), strict=True):
        assert i not in tasks[p]
        tasks[p].add(i)
    pairs = zip(found.node.tolist(), map(frozenset, tasks), strict=True)
    return dict(zip(pairs, found.cost.tolist(), strict=True))


@pytest.mark.parametrize("most", [3, 10, 40, 10_000])
def test_the_sets_listed_are_those_that_lose_least(most: int) -> None:
    for seed in range(5):
        sacks, prices = drawn_sacks(seed)
        every = all_sets(sacks)
        worth = {key: sum(prices[list(key[1])]) - cost for key, cost in every.items()}
        best = [max(w for (k, _), w in worth.items() if k == node) for node in range(3)]
        loss = sorted(best[k] - w for (k, _), w in worth.items())
        found = listed(near_best(sacks, sacks.best(prices), most))
        assert len(found) == min(most, len(every))
        assert {k for k, _ in found} == {0, 1, 2}
        for key, cost in found.items():
            assert cost == pytest.approx(every[key])
        lost = sorted(best[k] - worth[k, tasks] for k, tasks in found)
        assert lost == pytest.approx(loss[: len(found)], abs=1e-9)


def test_programs_reach_the_greatest_bound_of_all_prices() -> None:
    risen = 0
    for seed in range(8):
        sacks, prices = drawn_sacks(seed)
        every = list(all_sets(sacks).items())
        matrix = np.zeros((7 + 3, len(every)))
        for column, ((k, tasks), _) in enumerate(every):
            matrix[[*tasks, 7 + k], column] = 1
        whole = linprog([cost for _, cost in every], A_eq=matrix, b_eq=np.ones(10))
        first = sacks.best(prices).bound
        if whole.status != 0:  # no plan, in fractions either
            continue
        last = sacks.best(sharpened(sacks, prices, inf, lambda: inf)).bound
        assert last == pytest.approx(whole.fun, rel=1e-5)
        risen += last > first * (1 + 1e-3)
    assert risen >= 4


def test_dives_find_good_plans_and_leave_prices_as_they_are() -> None:
    found = 0
    for seed in range(8):
        problem, cost, size, room = sharing(seed, 40, 6, True, 0.8)
        costs = Costs(request := Request(problem, Goal({"cost": 1.0}, {})), Parts(request))
        bound, before = costs.search.lift(inf), costs.search.prices
        whole = Sharing(np.array(cost).T, np.array(size, np.int64).T, np.array(room, np.int64))
        best = optimum(whole)
        assert bound <= best + 1e-6
        if costs.search.dive(1.0, 1e-6, 3.0):
            assert costs.plan is not None
            assert offload.check(problem, costs.plan) == []
            assert best - 1e-6 <= costs.value <= 1.02 * best
            found += 1
        assert costs.search.prices is before
    assert found >= 6


def optimum(sharing: Sharing) -> float:
    """The least cost of a way of sharing out, by a mixed-integer program."""
    nodes, tasks = sharing.cost.shape
    each = np.tile(np.eye(tasks), nodes)
    full = np.kron(np.eye(nodes), np.ones(tasks)) * sharing.size.ravel()
    rules = [LinearConstraint(each, 1, 1), LinearConstraint(full, -inf, sharing.room.astype(float))]
    whole = np.ones(nodes * tasks)
    found = milp(sharing.cost.ravel(), constraints=rules, integrality=whole, bounds=Bounds(0, 1))
    return float(found.fun)


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


def test_a_cancel_during_it_is_what_stopped_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    # It said "time", which is what had ended local search before.
    problem, *_ = sharing(5, 40, 4, True, 0.9)
    cancel = threading.Event()

    def cancelled(request: Request, answer: Answer) -> Answer:
        cancel.set()
        return answer

    monkeypatch.setattr("offload.portfolio._by_sets", cancelled)
    found = offload.solve(problem, "auto", "cost", time_limit=5, cancel=cancel, gap=0.0)
    assert found.plan is not None
    assert found.stopped == "cancelled"


def test_where_transfers_count_there_is_nothing_to_say() -> None:
    problem, *_ = sharing(5, 6, 2, True)
    tied = problem.replace(graph=Graph(problem.graph.tasks, (Edge("t0", "t1", bytes=1),)))
    found = offload.solve(tied, "knapsacks", "cost", time_limit=10)
    assert found.bound == pytest.approx(offload.bounds.lower_bound(tied, {"cost": 1}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "optimum"),
    [("c10200", 2806), ("c20400", 4782), ("c40400", 4244), ("d05100", 6353), ("e20100", 8436)],
)
def test_it_proves_what_linear_relaxations_leave_open(name: str, optimum: int, data: Path) -> None:
    found = offload.solve(offload.convert(data / "gap" / name), "auto", time_limit=120)
    assert (found.status, found.objective) == ("optimal", optimum)
