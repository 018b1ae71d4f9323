"""Nodes that can change places: the same optima as without the rule, and only where they can."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from brute_force import TooMany, everything
from drawing import draw_problem
from msgspec.structs import replace

import offload
from formulations.symmetry import alike_nodes, anchored
from offload import Data, Edge, Graph, Link, Network, Node, Problem, Task, registry
from offload.features import FEATURES, Goal
from offload.registry import Request

APART = {"channels", "reads", "copies", "moves", "splitting", "limits"}
GOALS: tuple[dict[str, float], ...] = (
    {"latency": 1.0},
    {"energy": 1.0},
    {"latency": 1.0, "cost": 0.5},
    {"completion": 1.0},
)


def twins(seed: int, method: str) -> Problem:
    """A drawn instance with a copy of its first node, and of all links that lead there."""
    dice = random.Random(f"twins {seed}")
    honoured = registry.find(method).honours & set(FEATURES) - APART
    features = dice.sample(sorted(honoured), 6)
    problem = draw_problem(seed, features, tasks=(3, 5), nodes=(2, 2))
    first, *others = problem.network.nodes
    twin = replace(first, id="twin")
    ends = {first.id: "twin"}
    links = list(problem.network.links)
    links += [
        replace(link, src=ends.get(link.src, link.src), dst=ends.get(link.dst, link.dst))
        for link in links
        if first.id in (link.src, link.dst)
    ]
    links.append(Link(first.id, "twin", bandwidth=40.0, latency=0.1))
    network = replace(problem.network, nodes=(first, twin, *others), links=tuple(links))
    return replace(problem, network=network)


@pytest.mark.parametrize("method", ["cpsat", "milp"])
@pytest.mark.parametrize("block", range(4))
def test_optima_are_those_of_all_plans(method: str, block: int) -> None:
    compared = 0
    for seed in range(40 * block, 40 * block + 40):
        problem = twins(seed, method)
        if not alike_nodes(problem.tables):  # a task knows one of them by its name
            continue
        try:
            best = everything(problem).best(GOALS[seed % 4])
        except TooMany:
            continue
        found = offload.solve(problem, method, GOALS[seed % 4], gap=1e-7, time_limit=60)
        compared += 1
        if best is None:
            assert found.status == "infeasible"
            continue
        assert found.status == "optimal", (seed, found.status)
        assert found.objective == pytest.approx(best.value, rel=1e-6, abs=1e-9), seed
        assert found.plan is not None
        assert offload.check(problem, found.plan) == []
    assert compared > 4


def star(**changes: Any) -> Problem:
    """Four alike nodes around a relay, and a chain with a fork."""
    nodes = [Node(f"n{k}", speed=2.0) for k in range(4)]
    links = [Link("hub", node.id, bandwidth=10.0) for node in nodes]
    tasks = [Task(str(i), work=1.0 + i) for i in range(5)]
    edges = [Edge("0", str(j), bytes=3.0) for j in range(1, 5)]
    parts: dict[str, Any] = {
        "graph": Graph(tasks, edges),
        "network": Network([*nodes, Node("hub", slots=0)], links),
    }
    return Problem(**{**parts, **changes})


def classes(problem: Problem) -> list[list[int]]:
    return [nodes.tolist() for nodes in alike_nodes(problem.tables)]


def test_nodes_that_differ_in_their_name_alone_are_alike() -> None:
    assert classes(star()) == [[0, 1, 2, 3]]


def test_what_tells_nodes_apart_parts_the_class() -> None:
    base = star()
    nodes, links = list(base.network.nodes), list(base.network.links)
    first = base.graph.tasks[0]

    def network(**what: Any) -> Problem:
        return replace(base, network=replace(base.network, **what))

    def task(**what: Any) -> Problem:
        tasks = (replace(first, **what), *base.graph.tasks[1:])
        return replace(base, graph=replace(base.graph, tasks=tasks))

    others = [[1, 2, 3]]
    assert classes(network(nodes=(replace(nodes[0], speed=3.0), *nodes[1:]))) == others
    assert classes(network(nodes=(replace(nodes[0], idle_power=3.0), *nodes[1:]))) == others
    assert classes(network(links=(replace(links[0], latency=0.5), *links[1:]))) == others
    assert classes(network(links=(replace(links[0], energy=0.5), *links[1:]))) == others
    assert classes(task(time={"n0": 3.0})) == others
    assert classes(task(allow=("n1", "n2", "n3"))) == others
    assert classes(task(resident={"n0": 1.0, "*": 2.0})) == others
    near = Link("n0", "n1", bandwidth=100.0)
    assert classes(network(links=(*links, near))) == [[0, 1], [2, 3]]
    one_way = replace(near, duplex="simplex")
    assert classes(network(links=(*links, one_way))) == [[2, 3]]


def test_none_are_looked_for_where_something_is_on_a_node_or_links_are_contended() -> None:
    base = star()
    first, *rest = base.graph.tasks
    moved = replace(base.graph, tasks=(replace(first, at="n0", move_bytes=1.0), *rest))
    assert classes(star(graph=moved)) == []
    held = replace(base.graph, tasks=(replace(first, reads=("d",)), *rest))
    assert classes(star(graph=held, data=(Data("d", bytes=1.0, home=("n0",)),))) == []
    busy = [replace(link, channels=1) for link in base.network.links]
    assert classes(star(network=replace(base.network, links=tuple(busy)))) == []


def test_a_start_is_renamed_and_comes_back_as_it_was() -> None:
    problem = star()
    start = offload.evaluate(problem, np.array([[3, 2, 3, 0, 2]]), np.arange(5)).plan()
    reported: list[offload.Plan | None] = []
    request = Request(
        problem,
        Goal({"latency": 1.0}, {}),
        start=start,
        report=lambda plan, bound: reported.append(plan),
    )
    fewer = anchored(request)
    assert fewer is not None
    inner = fewer.request.start
    assert inner is not None
    assert inner.nodes.tolist() == [0, 1, 0, 2, 1]  # by the order in which tasks use them
    assert inner.problem.graph.tasks[0].allow == ("n0",)
    assert offload.check(fewer.request.problem, inner) == []
    assert inner.metrics == start.metrics
    assert fewer.answer(offload.registry.Answer(inner)).plan is start
    fewer.request.report(inner, 1.0)
    other = offload.evaluate(
        fewer.request.problem, np.array([[0, 1, 0, 1, 2]]), np.arange(5)
    ).plan()
    fewer.request.report(other, None)
    assert reported[0] is start
    assert reported[1] is not None
    assert reported[1].problem is problem
    assert offload.check(problem, reported[1]) == []


def test_the_rule_is_asked_of_no_other_instance() -> None:
    network = Network([Node("a"), Node("b", speed=2.0)], [Link("a", "b")])
    problem = Problem(graph=Graph([Task("t", work=1.0)]), network=network)
    assert anchored(Request(problem, Goal({"latency": 1.0}, {}))) is None


def fork(seed: int) -> Problem:
    """A root and twenty tasks that read from it, on two alike nodes."""
    dice = random.Random(seed)
    tasks = [Task(str(i), work=dice.randint(2, 9)) for i in range(21)]
    edges = [Edge("0", str(j), bytes=dice.randint(2, 19)) for j in range(1, 21)]
    nodes, links = [Node("a"), Node("b")], [Link("a", "b", bandwidth=1.0)]
    return Problem(graph=Graph(tasks, edges), network=Network(nodes, links))


@pytest.mark.parametrize(("seed", "work", "without"), [(0, 0.3, "places"), (2, 1.0, "sums")])
def test_forks_on_alike_nodes_are_proved_by_places_and_sums(
    seed: int, work: float, without: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def solved() -> offload.Result:
        return offload.solve(fork(seed), "cpsat", threads=1, work_limit=work)

    found = solved()
    assert found.status == "optimal"
    if without == "places":
        monkeypatch.setattr("formulations.cpsat.anchored", lambda request: None)
    else:
        monkeypatch.setattr("formulations.cpsat_loads._TICKS", 0)
    other = solved()
    assert (other.status, other.objective) == ("feasible", found.objective)
