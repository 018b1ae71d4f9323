"""Greedy placement: prices that are exact, and lower sums than list schedulers reach."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from drawing import draw_problem

import offload
from offload import Codec, Data, Edge, Graph, Link, Mode, Network, Node, Plan, Problem, Task
from offload.features import FEATURES, goal_of
from offload.heuristics.arrivals import Arrivals
from offload.heuristics.loads import Channels, Loads
from offload.heuristics.pricing import Prices
from offload.problem import METRICS
from offload.registry import Request, find

ALL = [name for name in FEATURES if name != "splitting"]
WEIGHTS = {"energy": 2.0, "cost": 0.5, "risk": 3.0, "traffic": 0.25}


def at_random(problem: Problem, seed: int) -> Plan | None:
    """A plan of random places, as it is: neither mended nor improved."""
    asked = Request(problem, goal_of(problem, limits={}), seed=seed, work_limit=0.0)
    return find("random").load()(asked).plan


def test_prices_add_up_to_the_metrics() -> None:
    """Tasks placed one by one pay in sum what the plan's metrics say."""
    features = [name for name in ALL if name not in ("copies", "deadline", "limits")]
    for seed in range(60):
        problem = draw_problem(seed, features, tasks=(2, 9), nodes=(1, 5))
        plan = at_random(problem, seed)
        if plan is None:
            continue
        tables = problem.tables
        prices = Prices(tables, WEIGHTS, 1.0, tables.home)
        arrivals = Arrivals(tables, prices, timed=False)
        codecs = np.full(tables.edges, -1, np.int32)
        paid, finish = 0.0, np.zeros(tables.tasks)
        for task in tables.topological.tolist():
            node = int(plan.nodes[task])
            inputs = arrivals.of(task, plan.nodes, finish)
            paid += prices.own(task)[0][0, node] + sum(float(i.price[node]) for i in inputs)
            arrivals.send(inputs, node)
            for made in inputs:
                if made.codec is not None:
                    codecs[made.edge] = made.codec[node]
        packed = codecs if len(tables.item_codecs.values) else None
        made = offload.evaluate(problem, plan.nodes, tables.topological, codecs=packed)
        idle = float(tables.idle_power.sum()) * made.metrics["latency"][0]
        whole = sum(w * made.metrics[m][0] for m, w in WEIGHTS.items()) - WEIGHTS["energy"] * idle
        assert paid == pytest.approx(whole, rel=1e-9, abs=1e-9), problem.name


def test_what_follows_is_priced_exactly_on_a_tree() -> None:
    # Each task has one input: the least sum from the root on is the optimum.
    names = "abcdef"
    tasks = tuple(Task(name, work=n + 1) for n, name in enumerate(names))
    ends = [("a", "b", 9), ("a", "c", 1), ("b", "d", 2), ("b", "e", 8), ("c", "f", 4)]
    nodes = (Node("x", price=1), Node("y", speed=2, price=3), Node("z", speed=4, price=2.5))
    links = (Link("x", "y", 1, price=0.5), Link("y", "z", 1, price=0.1), Link("x", "z", 1, price=2))
    edges = tuple(Edge(*end) for end in ends)
    problem = Problem(network=Network(nodes, links), graph=Graph(tasks, edges))
    prices = Prices(problem.tables, {"cost": 1.0}, 0.0, problem.tables.home)
    later = prices.later()
    assert later is not None
    every = np.stack(np.meshgrid(*[range(3)] * 6, indexing="ij"), axis=-1).reshape(-1, 6)
    cost = offload.evaluate(problem, every, np.arange(6)).metrics["cost"]
    for root in range(3):
        own = prices.own(0)[0].min(axis=0)[root]
        assert own + later[0, root] == pytest.approx(cost[every[:, 0] == root].min())


def test_loads_are_those_of_the_period() -> None:
    for seed in range(60):
        problem = draw_problem(seed, ALL, tasks=(2, 9), nodes=(2, 5), minimize=["period"])
        plan = at_random(problem, seed)
        if plan is None or len(plan.copies.data):
            continue
        tables = problem.tables
        prices = Prices(tables, {}, 1.0, tables.home)
        arrivals = Arrivals(tables, prices, timed=False)
        loads = Loads(tables, arrivals.links)
        codecs, finish = np.full(tables.edges, -1, np.int32), np.zeros(tables.tasks)
        for task in tables.topological.tolist():
            node = int(plan.nodes[task])
            inputs = arrivals.of(task, plan.nodes, finish)
            time = tables.execution(task, np.arange(tables.nodes))[None, :]
            expected = loads.after(task, time, inputs)[0, node]
            loads.take(task, node, float(time[0, node]), inputs)
            assert expected <= max(loads.node.max(), loads.link[:-1].max(initial=0)) * (1 + 1e-9)
            arrivals.send(inputs, node)
            for made in inputs:
                if made.codec is not None:
                    codecs[made.edge] = made.codec[node]
        packed = codecs if len(tables.item_codecs.values) else None
        made = offload.evaluate(problem, plan.nodes, tables.topological, codecs=packed)
        largest = max(loads.node.max(), loads.link[:-1].max(initial=0.0))
        assert largest == pytest.approx(made.metrics["period"][0], rel=1e-9, abs=1e-12)


def test_links_are_free_when_a_channel_is() -> None:
    nodes = (Node("a"), Node("b"), Node("c"))
    links = (Link("a", "b", 1, channels=2), Link("b", "c", 1))
    tables = Problem(network=Network(nodes, links)).tables
    queue = Channels(tables)
    queue.take(0, 1, 0.0, 5.0)
    queue.take(0, 2, 1.0, 2.0)  # over a -> b too; both channels are taken until 3
    one = np.ones(3)
    assert queue.wait(0, np.full(3, 1.5), one).tolist() == [0, 1.5, 1.5]
    assert queue.wait(0, np.full(3, 1.5), 0 * one).tolist() == [0, 0, 0]
    assert queue.wait(1, np.full(3, 1.5), one).tolist() == [0, 0, 0]
    queue.take(0, 1, 3.0, 9.0)
    assert queue.busy(0, 1) == 5.0


@pytest.mark.parametrize("metric", ["energy", "cost", "risk", "traffic"])
def test_sums_are_clearly_below_those_of_list_scheduling(metric: str, instances: object) -> None:
    problem = offload.load(f"{instances}/crossing-40.json")
    heft = offload.solve(problem, "heft", minimize=metric, limits={})
    greedy = offload.solve(problem, "greedy", minimize=metric, limits={})
    assert heft.objective is not None
    assert greedy.objective is not None
    assert greedy.objective < 0.85 * heft.objective


def test_an_eco_mode_is_taken_where_energy_counts_and_only_there() -> None:
    node = Node("n", busy_power=10, modes=(Mode("eco", speed=0.5, busy_power=2),))
    problem = Problem(network=Network((node,)), graph=Graph((Task("t", work=4),)))
    modes = {
        goal: offload.solve(problem, "greedy", minimize=goal).plan.parts.mode.tolist()  # type: ignore[union-attr]
        for goal in ("energy", "latency")
    }
    assert modes == {"energy": [1], "latency": [0]}


def test_a_codec_is_taken_where_it_pays_in_the_goal() -> None:
    # Packed, 10 s on the link become 5 s, but 8 s of work are added: it saves bytes and no time.
    nodes = (Node("a"), Node("b"))
    graph = Graph(
        (Task("s", work=1, allow=("a",)), Task("r", work=1, allow=("b",))),
        (Edge("s", "r", 10, codecs=("zip",)),),
    )
    codecs = (Codec("zip", 2, 0.4, 0.4),)
    problem = Problem(network=Network(nodes, (Link("a", "b", 1),)), graph=graph, codecs=codecs)
    for goal, codec in (("traffic", 0), ("latency", -1)):
        plan = offload.solve(problem, "greedy", minimize=goal).plan
        assert plan is not None
        assert plan.transfers.codec.tolist() == [codec]


def test_limits_are_paid_for() -> None:
    # The fast node costs 8 a second: all there takes 6 s and costs 48; a limit of 17 leaves one.
    nodes = (Node("slow", slots=3), Node("fast", speed=10, slots=1, price=8))
    tasks = tuple(Task(f"t{i}", work=20) for i in range(3))
    network = Network(nodes, (Link("slow", "fast", None),))
    problem = Problem(network=network, graph=Graph(tasks))
    free = offload.solve(problem, "greedy")
    bound = offload.solve(problem, "greedy", minimize="completion", limits={"cost": 17})
    assert free.plan is not None
    assert bound.plan is not None
    assert free.plan.metrics["latency"] == 6
    assert bound.plan.metrics["completion"] == 2 + 20 + 20
    least = offload.solve(problem, "greedy", minimize="cost", limits={"latency": 6})
    assert least.plan is not None
    assert least.plan.metrics["cost"] == 48


def test_copies_are_placed_where_they_save_time() -> None:
    nodes = (Node("store"), Node("near", speed=4, storage=50))
    problem = Problem(
        network=Network(nodes, (Link("store", "near", 1),)),
        graph=Graph((Task("t", work=40, reads=("map",)),)),
        data=(Data("map", 50, ("store",), max_copies=1),),
    )
    plan = offload.solve(problem, "greedy").plan
    assert plan is not None
    assert (plan.metrics["latency"], plan.copies.node.tolist()) == (10, [1])


def plans_hold(metric: str, seeds: Sequence[int]) -> None:
    """Greedy plans of random instances keep every rule, and there mostly is one."""
    method, found = find("greedy").load(), 0
    for seed in seeds:
        problem = draw_problem(3000 + seed, ALL, tasks=(1, 10), nodes=(1, 5), minimize=[metric])
        answer = method(Request(problem, goal_of(problem)))
        if answer.plan is None:
            assert answer.reason, problem.name
            continue
        found += 1
        assert offload.check(problem, answer.plan) == [], problem.name
    assert found >= 0.8 * len(seeds)


@pytest.mark.parametrize("metric", METRICS)
def test_plans_hold_whatever_is_minimized(metric: str) -> None:
    plans_hold(metric, range(3, 6))


@pytest.mark.slow
@pytest.mark.parametrize("metric", METRICS)
def test_plans_hold_on_many_whatever_is_minimized(metric: str) -> None:
    plans_hold(metric, (*range(3), *range(6, 18)))
