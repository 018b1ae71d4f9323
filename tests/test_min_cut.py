"""Minimum cuts on two nodes: optima by brute force where a cut is exact, and bounds elsewhere."""

from __future__ import annotations

import random
import time
from itertools import product
from math import inf

import numpy as np
import pytest
from drawing import draw_problem

import offload
from formulations.cut_graph import SINK, SOURCE, CutGraph
from formulations.min_cut import solve as cut
from offload import Data, Edge, Graph, Group, Link, Network, Node, Problem, Task
from offload.bounding.chains import cut_is_exact
from offload.features import FEATURES, goal_of
from offload.registry import Answer, Request


def drawn(
    seed: int, tasks: int = 6, path: bool = False, items: bool = True, ties: bool = True
) -> Problem:
    """A random graph on a device and a cloud that spend unlike amounts, over a costly link."""
    dice = random.Random(seed)
    nodes = (
        Node("dev", tier="device", speed=1, busy_power=1, failure_rate=0.02),
        Node("cloud", tier="cloud", speed=4, busy_power=9, price=0.5, failure_rate=0.01),
    )
    links = (
        Link("dev", "cloud", bandwidth=5, latency=0.1, duplex="simplex", energy=0.3, price=0.1),
        Link("cloud", "dev", bandwidth=9, latency=0.2, duplex="simplex", energy=0.1, price=0.2),
    )
    names = [f"t{i}" for i in range(tasks)]
    made = []
    for i, name in enumerate(names):
        bound = i == 0 or (ties and dice.random() < 0.2)
        allow = (dice.choice(["dev", "cloud"]) if i else "dev",) if bound else ("*",)
        reads = ("model",) if items and dice.random() < 0.4 else ()
        made.append(Task(name, work=dice.randint(1, 9), allow=allow, reads=reads))
    edges = []
    for i in range(tasks):
        size = dice.randint(1, 12)
        for j in range(i + 1, tasks):
            if (j == i + 1) if path else dice.random() < 0.4:
                shared = items and dice.random() < 0.7
                own = size if shared else dice.randint(1, 12)
                edges.append(Edge(names[i], names[j], own, "out" if shared else None))
    groups = ()
    if ties and tasks > 3:
        groups = (Group("together", tuple(dice.sample(names[1:], 2))),)
    data = (Data("model", 4, home=("cloud",)),) if items else ()
    graph = Graph(tuple(made), tuple(edges), groups)
    return Problem(network=Network(nodes, links), graph=graph, data=data)


def brute(problem: Problem, goal: dict[str, float], limits: dict[str, float]) -> float:
    """The least objective of all placements, each decoded in topological order."""
    tables = problem.tables
    places = np.array(list(product(range(tables.nodes), repeat=tables.tasks)))
    made = offload.evaluate(problem, places, tables.topological, limits=limits)
    fine = made.feasible & np.isfinite(made.metrics["latency"])
    value = sum(weight * made.metrics[metric] for metric, weight in goal.items())
    return float(np.where(fine, value, inf).min())


def asked(problem: Problem, goal: dict[str, float], **limits: float) -> Answer:
    """What the method itself answers, without any plan or bound to start from."""
    return cut(Request(problem, goal_of(problem, goal, limits), deadline=time.monotonic() + 60))


@pytest.mark.parametrize(
    "goal",
    [
        {"energy": 1.0}, {"cost": 1.0}, {"risk": 1.0}, {"traffic": 1.0},
        {"energy": 1.0, "cost": 3.0, "risk": 5.0, "traffic": 0.2},
    ],
)  # fmt: skip
def test_sums_are_those_of_all_placements(goal: dict[str, float]) -> None:
    mixed = 0
    for seed in range(12):
        problem = drawn(seed)
        assert cut_is_exact(problem, goal_of(problem, goal, {}))
        best, found = brute(problem, goal, {}), asked(problem, goal)
        if best == inf:
            assert found.infeasible or found.plan is None
            continue
        assert found.plan is not None
        assert found.bound is not None
        assert offload.check(problem, found.plan) == []
        assert found.plan.objective(goal) == pytest.approx(best, rel=1e-12)
        assert best * (1 - 1e-9) - 1e-12 <= found.bound <= best * (1 + 1e-12)
        mixed += len(set(found.plan.nodes.tolist())) == 2
    assert mixed >= 3


@pytest.mark.parametrize("goal", [{"latency": 1.0}, {"latency": 1.0, "energy": 0.2, "cost": 1.0}])
def test_latency_of_a_path_is_that_of_all_placements(goal: dict[str, float]) -> None:
    split = 0
    for seed in range(12):
        problem = drawn(seed, tasks=7, path=True, items=False)
        assert cut_is_exact(problem, goal_of(problem, goal, {}))
        best, found = brute(problem, goal, {}), asked(problem, goal)
        assert found.plan is not None
        assert found.bound is not None
        assert found.plan.objective(goal) == pytest.approx(best, rel=1e-12)
        assert found.bound == pytest.approx(best, rel=1e-9)
        assert found.bound <= best * (1 + 1e-12)
        split += len(set(found.plan.nodes.tolist())) == 2
    assert split >= 4


def test_idle_power_over_the_latency_of_a_path_counts() -> None:
    problem = drawn(3, path=True, items=False)
    nodes = tuple(
        Node(n.id, n.tier, speed=n.speed, busy_power=n.busy_power, idle_power=2.0, price=n.price)
        for n in problem.network.nodes
    )
    idle = problem.replace(network=Network(nodes, problem.network.links))
    best, found = brute(idle, {"energy": 1.0}, {}), asked(idle, {"energy": 1.0})
    assert found.plan is not None
    assert found.plan.objective({"energy": 1.0}) == pytest.approx(best, rel=1e-12)
    assert found.bound == pytest.approx(best, rel=1e-9)


def test_edges_beside_a_path_leave_a_bound_of_its_latency() -> None:
    below = 0
    for seed in range(12):
        path = drawn(seed, tasks=6, path=True, items=False, ties=False)
        skips = (Edge("t0", "t2", 30), Edge("t1", "t4", 25))
        graph = Graph(path.graph.tasks, (*path.graph.edges, *skips))
        problem = path.replace(graph=graph)
        assert not cut_is_exact(problem, goal_of(problem, "latency", {}))
        best, found = brute(problem, {"latency": 1.0}, {}), asked(problem, {"latency": 1.0})
        assert found.bound is not None
        assert found.bound <= best * (1 + 1e-12)
        below += found.bound < best * (1 - 1e-6)
    assert below >= 1


def test_no_bound_of_latency_where_tasks_may_run_at_once() -> None:
    problem = drawn(5, items=False)
    assert not cut_is_exact(problem, goal_of(problem, "latency", {}))
    found = asked(problem, {"latency": 1.0})
    assert found.bound is None
    assert found.plan is not None
    assert offload.check(problem, found.plan) == []


def test_an_item_is_paid_once_however_many_read_it() -> None:
    nodes = (Node("dev", speed=1), Node("cloud", speed=1))
    tasks = [Task("s", work=1, allow=("dev",))]
    tasks += [Task(f"r{i}", work=1, allow=("cloud",)) for i in range(3)]
    edges = [Edge("s", f"r{i}", 10, "x") for i in range(3)]
    links = (Link("dev", "cloud", bandwidth=1),)
    problem = Problem(network=Network(nodes, links), graph=Graph(tuple(tasks), tuple(edges)))
    found = asked(problem, {"traffic": 1.0})
    assert found.bound == pytest.approx(10)
    assert found.plan is not None
    assert found.plan.metrics["traffic"] == 10


@pytest.mark.parametrize("metric", ["latency", "energy"])
def test_one_limit_is_priced_and_its_bound_is_true(metric: str) -> None:
    goal, kept, lifted = {"cost": 1.0}, 0, 0
    for seed in range(12):
        problem = drawn(seed, tasks=7, path=True, items=False)
        free = asked(problem, goal)
        assert free.plan is not None
        least = brute(problem, {metric: 1.0}, {})
        limit = (free.plan.metrics[metric] + least) / 2
        if not limit < free.plan.metrics[metric] * (1 - 1e-9):
            continue
        best, found = brute(problem, goal, {metric: limit}), asked(problem, goal, **{metric: limit})
        assert found.bound is not None
        assert free.bound is not None
        assert found.bound <= best * (1 + 1e-12)
        lifted += found.bound > free.bound * (1 + 1e-6)
        if found.plan is not None:
            assert found.plan.metrics[metric] <= limit * (1 + 1e-9)
            kept += 1
    assert kept >= 4
    assert lifted >= 4


@pytest.mark.parametrize("metric", ["energy", "cost", "risk", "traffic", "latency"])
def test_no_bound_is_above_an_optimum_whatever_the_features(metric: str) -> None:
    features = tuple(name for name in FEATURES if name not in ("splitting", "limits"))
    bounds = 0
    for seed in range(7):
        problem = draw_problem(seed, features, tasks=(2, 5), nodes=(2, 2))
        best = offload.solve(problem, "cpsat", metric, {}, gap=1e-6, time_limit=30, explain=0)
        found = asked(problem, {metric: 1.0})
        assert not (found.infeasible and best.plan is not None)
        if found.bound is not None and best.objective is not None:
            assert found.bound <= best.objective * (1 + 1e-6) + 1e-9, problem.name
            bounds += 1
    assert bounds >= (4 if metric != "latency" else 1)


def test_a_full_node_leaves_the_bound_and_no_plan_of_the_cut() -> None:
    problem = drawn(2, items=False, ties=False)
    nodes = (problem.network.nodes[0], Node("cloud", speed=4, memory=3))
    tasks = tuple(Task(t.id, work=t.work, resident=2, allow=t.allow) for t in problem.graph.tasks)
    full = problem.replace(
        network=Network(nodes, problem.network.links), graph=Graph(tasks, problem.graph.edges)
    )
    goal = {"energy": 1.0}  # the cloud takes none
    found, best = asked(full, goal), brute(full, goal, {})
    assert found.bound is not None
    assert found.bound < best
    assert found.plan is None
    assert found.reason == "no placement by a least cut keeps all rules and limits"


def test_goals_that_are_no_sums_and_three_nodes_are_said() -> None:
    problem = drawn(1)
    assert "no sum" in str(asked(problem, {"period": 1.0}).reason)
    nodes = (*problem.network.nodes, Node("third", speed=2))
    wide = problem.replace(network=Network(nodes, problem.network.links))
    found = asked(wide, {"energy": 1.0})
    assert found.bound is None
    assert found.plan is not None


def test_cuts_of_large_graphs_are_proved() -> None:
    dice = random.Random(7)
    names = [f"t{i}" for i in range(2000)]
    edges = [
        Edge(names[i], names[j], dice.randint(1, 30))
        for i in range(2000)
        for j in {min(1999, i + dice.randint(1, 9)) for _ in range(3)}
        if j > i
    ]
    base = drawn(0)
    tasks = tuple(Task(n, work=dice.randint(1, 9)) for n in names)
    problem = base.replace(graph=Graph(tasks, tuple(edges)), data=())
    found = asked(problem, {"energy": 1.0, "cost": 2.0})
    assert found.plan is not None
    assert found.bound == pytest.approx(
        found.plan.objective({"energy": 1.0, "cost": 2.0}), rel=1e-6
    )


def test_auto_begins_with_the_cut_where_it_is_exact() -> None:
    goal = {"latency": 1.0, "energy": 0.1}
    problem = drawn(3, tasks=200, path=True, items=False, ties=False)
    assert cut_is_exact(problem, goal_of(problem, goal))
    found = offload.solve(problem, "auto", goal, threads=1, gap=1e-9)
    assert (found.status, found.gap) == ("optimal", pytest.approx(0, abs=1e-9))


def test_cut_graphs_count_in_units_downwards() -> None:
    dice = random.Random(1)
    for _ in range(20):
        graph, arcs = CutGraph(6), []
        for tail, head in product(range(6), repeat=2):
            if tail != head and dice.random() < 0.6:
                arcs.append((tail, head, dice.choice([inf, dice.random(), 1e3 * dice.random()])))
                graph.arc(*arcs[-1])
        values = []
        for inner in product((True, False), repeat=4):
            side = (True, False, *inner)
            values.append(sum(c for a, b, c in arcs if side[a] and not side[b]))
        found = graph.minimum()
        if min(values) == inf:
            assert found is None
            continue
        assert found is not None
        value, side = found
        total = sum(c for _, _, c in arcs if c < inf)
        assert value <= min(values)
        assert value == pytest.approx(min(values), rel=1e-9, abs=1e-12 * total)
        assert side[SOURCE]
        assert not side[SINK]
        assert sum(c for a, b, c in arcs if side[a] and not side[b]) == pytest.approx(min(values))


def test_what_takes_no_time_needs_no_working_memory():
    nodes = [offload.Node("a", price=1.0), offload.Node("b", memory=1.0)]
    problem = Problem(
        network=offload.Network(nodes, [offload.Link("a", "b")]),
        graph=offload.Graph(
            [offload.Task("mark", work=0, memory=5.0), offload.Task("run", work=2, allow=["b"])],
            [offload.Edge("mark", "run", bytes=1e3)],
        ),
        minimize={"traffic": 1.0},
    )
    for method in ("min-cut", "milp", "cpsat"):
        result = offload.solve(problem, method, time_limit=30)
        assert (result.status, result.objective) == ("optimal", 0.0), method
