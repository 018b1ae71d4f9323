"""Repair: plans that miss deadlines or limits, what holds them up, and what is said if it fails."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from drawing import draw_problem

import offload
from offload import Edge, Graph, Link, Mode, Network, Node, Plan, Problem, Task
from offload.features import FEATURES, goal_of
from offload.heuristics.critical import chain, task_costs
from offload.heuristics.merit import excess_of, merits, rank
from offload.heuristics.repair import broken_rules, place_anyhow, repaired
from offload.registry import Request

ALL = [name for name in FEATURES if name != "splitting"]


def decoded(problem: Problem, nodes: list[int], order: list[int] | None = None) -> Plan:
    """The plan of a placement and an order."""
    order = list(range(problem.tables.tasks)) if order is None else order
    return offload.evaluate(problem, np.array(nodes), np.array(order)).plan()


def request(problem: Problem, **arguments: object) -> Request:
    return Request(problem, goal_of(problem), **arguments)  # type: ignore[arg-type]


def two(*tasks: Task, limits: dict[str, float] | None = None) -> Problem:
    """Tasks on a slow node of 1 W (0.1 W in eco mode) and one ten times as fast of 100 W."""
    eco = Mode("eco", speed=0.5, busy_power=0.1)
    nodes = (Node("slow", busy_power=1, modes=(eco,)), Node("fast", speed=10, busy_power=100))
    network = Network(nodes, (Link("slow", "fast", 10),))
    return Problem(network=network, graph=Graph(tasks), limits=limits or {})


def test_a_late_task_goes_first_or_elsewhere() -> None:
    # Both take 10 s on the slow node: the second is late there unless it goes first, or goes away.
    problem = two(Task("a", work=10), Task("b", work=10, deadline=10))
    plan = decoded(problem, [0, 0])
    assert broken_rules(request(problem), plan) == "the deadline of b"
    mended = repaired(request(problem), plan)
    assert offload.check(problem, mended) == []


@pytest.mark.parametrize(
    ("limits", "nodes"),
    [({"energy": 15}, [1, 1]), ({"latency": 2.5}, [0, 0]), ({"energy": 3}, [0, 1])],
)
def test_a_limit_that_is_exceeded_is_kept(limits: dict[str, float], nodes: list[int]) -> None:
    # Energies: 10 W s on the slow node, 100 on the fast one, 2 in eco mode.
    problem = two(Task("a", work=10), Task("b", work=5), limits=limits)
    plan = decoded(problem, nodes)
    assert broken_rules(request(problem), plan).startswith(f"the limit of {next(iter(limits))} (")
    mended = repaired(request(problem), plan)
    assert offload.check(problem, mended) == []
    assert offload.check(problem, plan) != []


def test_what_cannot_be_mended_is_said() -> None:
    # Three tasks of 2 s on two nodes need 4 s, though their work alone would take 3 s.
    tasks = tuple(Task(f"t{i}", work=2) for i in range(3))
    network = Network((Node("a"), Node("b")))
    problem = Problem(network=network, graph=Graph(tasks), limits={"latency": 3.5})
    result = offload.solve(problem, "round-robin")
    assert (result.status, result.plan) == ("unknown", None)
    assert result.reason == "repair leaves broken the limit of latency (4 against 3.5)"


def test_only_some_of_many_late_tasks_are_named() -> None:
    tasks = [Task(f"t{i}", work=10, deadline=1) for i in range(5)]
    problem = two(*tasks)
    plan = decoded(problem, [0] * 5)
    assert broken_rules(request(problem), plan) == "the deadline of t0, t1, t2 and others"


def test_repair_stops_when_it_is_told_to() -> None:
    problem = two(Task("a", work=10), Task("b", work=10, deadline=10))
    plan = decoded(problem, [0, 0])
    cancel = threading.Event()
    cancel.set()
    assert repaired(request(problem, cancel=cancel), plan) is plan
    assert repaired(request(problem, deadline=0.0), plan) is plan
    assert repaired(request(problem, work_limit=0.0), plan) is plan


def repairs(seeds: range) -> None:
    """Repair does the same every time, never harm, and mostly good."""
    broken = better = 0
    for seed in seeds:
        problem = draw_problem(seed, ALL, tasks=(2, 9), nodes=(2, 5))
        asked = request(problem, seed=seed)
        plan = place_anyhow(asked)
        if plan is None or not excess_of(asked.goal, plan):
            continue
        broken += 1
        first, second = repaired(asked, plan), repaired(asked, plan)
        assert first.parts.start.tolist() == second.parts.start.tolist()
        assert rank(asked.goal, first) <= rank(asked.goal, plan)
        better += not excess_of(asked.goal, first)
        if not excess_of(asked.goal, first):
            assert offload.check(problem, first) == [], problem.name
    assert broken >= len(seeds) // 6
    assert better >= 0.8 * broken


def test_repair_is_the_same_every_time_and_never_worse() -> None:
    repairs(range(20))


@pytest.mark.slow
def test_repair_is_the_same_every_time_and_never_worse_on_many() -> None:
    repairs(range(20, 80))


def test_a_place_is_found_where_the_methods_get_stuck() -> None:
    # Any method that puts the first three on the fast node blocks the last one.
    sizes = (4, 3, 3, 5, 5)
    tasks = tuple(Task(f"t{i}", work=1, resident=size) for i, size in enumerate(sizes))
    nodes = (Node("a", memory=10), Node("b", memory=10))
    problem = Problem(network=Network(nodes, (Link("a", "b", 1),)), graph=Graph(tasks))
    for method in ("round-robin", "mct", "local", "random"):
        result = offload.solve(problem, method)
        assert result.plan is not None, method


def test_excesses_of_plans_and_of_decoded_batches_agree() -> None:
    for seed in range(60):
        problem = draw_problem(seed, ALL, tasks=(2, 9), nodes=(2, 5))
        asked = request(problem)
        plan = place_anyhow(asked)
        if plan is None:
            continue
        made = offload.heuristics.decisions.decide(plan).evaluate(problem, asked.goal.limits)
        over, value = merits(asked.goal, made)
        again = made.plan()
        assert over[0] == pytest.approx(rank(asked.goal, again)[0], rel=1e-9)
        assert value[0] == pytest.approx(rank(asked.goal, again)[1], rel=1e-9)
        assert bool(excess_of(asked.goal, again)) == bool(made.excess and over[0] > 0)


def test_chains_lead_back_over_transfers_and_nodes() -> None:
    # c waits for a's 20 B, a for the node that b held; d has nothing to do with it.
    nodes = (Node("x"), Node("y"))
    tasks = (Task("b", work=3), Task("a", work=2), Task("c", work=1), Task("d", work=1))
    graph = Graph(tasks, (Edge("a", "c", 20), Edge("d", "c", 1)))
    problem = Problem(network=Network(nodes, (Link("x", "y", 10),)), graph=graph)
    plan = decoded(problem, [0, 0, 1, 1], [0, 1, 3, 2])
    assert chain(plan, 2) == [2, 1, 0]
    assert chain(plan, 3) == [3]


def test_costs_of_tasks_add_up() -> None:
    nodes = (Node("x", busy_power=2, price=3, failure_rate=0.5), Node("y", busy_power=1))
    links = (Link("x", "y", 10, energy=0.1, price=0.2, channels=1),)
    graph = Graph((Task("a", work=2), Task("b", work=4)), (Edge("a", "b", 100),))
    plan = decoded(Problem(network=Network(nodes, links), graph=graph), [0, 1])
    assert task_costs(plan, "energy").tolist() == [4 + 10, 4 + 10]
    assert task_costs(plan, "cost").tolist() == [6 + 20, 20]
    assert task_costs(plan, "risk").tolist() == [1, 0]
    assert task_costs(plan, "traffic").tolist() == [100, 100]
    assert task_costs(plan, "period").tolist() == [10, 10]  # the link is held for 10 s
