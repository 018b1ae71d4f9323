"""What exact methods prove holds whatever they know: no plan, a poor one, a coarse grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from brute_force import everything
from test_exact import case

import offload
from offload import Graph, Link, Network, Node, Problem, Task, registry
from offload.features import Goal
from offload.metrics import objective

SOLVERS: list[tuple[str, dict[str, Any]]] = [
    ("cpsat", {"horizon": 3}),
    ("cpsat", {"horizon": 20}),
    ("cpsat", {"horizon": 300}),
    ("cpsat", {}),
    ("milp", {}),
    ("milp", {"solver": "cbc"}),
]


def poorest(problem: Problem, goal: Goal) -> offload.Plan | None:
    """The worst plan of some drawn ones that hold."""
    dice, tables = np.random.default_rng(3), problem.tables
    places = [np.flatnonzero(row) for row in tables.allowed_table]
    nodes = np.stack([dice.choice(some, 300) for some in places], axis=1)
    order = np.tile(tables.topological, (300, 1))
    made = offload.evaluate(problem, nodes, order, limits=goal.limits)
    value = np.where(made.feasible, objective(made.metrics, goal.minimize), -np.inf)
    worst = int(value.argmax())
    return made.plan(worst) if made.feasible[worst] else None


@pytest.mark.parametrize("poor", [False, True])
@pytest.mark.parametrize(("method", "options"), SOLVERS)
def test_bounds_hold_where_no_good_plan_is_known(
    method: str, options: dict[str, Any], poor: bool
) -> None:
    bounds_hold(range(0, 45, 3), method, options, poor)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 60, 15))
def test_bounds_hold_where_no_good_plan_is_known_on_many(first: int) -> None:
    for method, options in SOLVERS:
        if "horizon" in options:
            for poor in (False, True):
                bounds_hold(range(first, first + 15), method, options, poor)


def bounds_hold(seeds: range, method: str, options: dict[str, Any], poor: bool) -> None:
    """No bound is above the optimum, whatever plan is known.

    A good plan to start from hides what is wrong with a bound: nothing above it is looked at.
    """
    entry = registry.find(method)
    for seed in seeds:
        problem, minimize, limits, best = case(seed, entry.honours - {"splitting"})
        goal, told = Goal(minimize, limits), list[float]()
        start = poorest(problem, goal) if poor else None

        def report(
            plan: offload.Plan | None, bound: float | None, told: list[float] = told
        ) -> None:
            told += [] if bound is None else [bound]

        request = registry.Request(
            problem, goal, threads=1, start=start, options=options, report=report
        )
        answer = entry.load()(request)
        found = f"{answer}, bounds {told}, brute force: {best and best.value!r}"
        where = f"{method} {options}, instance {seed}, poor {poor}: {found}"
        if best is None:
            assert answer.plan is None, where
            continue
        assert not answer.infeasible, where
        told += [] if answer.bound is None else [answer.bound]
        assert all(bound <= best.value * (1 + 1e-9) for bound in told), where


def test_a_due_time_between_two_ticks_is_no_lateness() -> None:
    task = Task("a", time={"n": 3}, due=1.5)
    problem = Problem(network=Network((Node("n"),)), graph=Graph((task,)))
    goal = Goal({"tardiness": 1.0}, {})
    request = registry.Request(problem, goal, threads=1, options={"horizon": 3})  # ticks of 1 s
    answer = registry.find("cpsat").load()(request)
    assert not answer.infeasible
    assert answer.bound is not None
    assert answer.bound <= 1.5


def decoded(problem: Problem, nodes: list[int], order: list[int]) -> offload.Plan:
    return offload.evaluate(problem, np.array([nodes]), np.array([order])).plan(0)


SOME = ("cpsat", {}), ("milp", {}), ("milp", {"solver": "cbc"})


@pytest.mark.parametrize(("method", "options"), SOME)
def test_a_longer_plan_may_draw_less_energy(method: str, options: dict[str, Any]) -> None:
    # milp called the fast plan optimal: its windows took the bound of energy, which has idle power
    # over 5.5 s in it, and bounded the latency by what was left, as if that were over 1 s.
    nodes = Node("fast", busy_power=5), Node("slow", speed=1 / 5.5, idle_power=1)
    problem = Problem(
        network=Network(nodes, (Link("fast", "slow"),)), graph=Graph((Task("a", work=1),))
    )
    start = decoded(problem, [0], [0])
    assert start.metrics["energy"] == 6
    result = offload.solve(problem, method, "energy", start=start, options=options)
    assert (result.status, result.objective) == ("optimal", pytest.approx(5.5, rel=1e-9))


@pytest.mark.parametrize(("method", "options"), SOME)
@pytest.mark.parametrize("metric", ["completion", "tardiness"])
def test_one_task_may_finish_later_than_all_others_leave_it(
    method: str, options: dict[str, Any], metric: str
) -> None:
    # milp called 21 optimal: the bound of completion has queues in it, and what the sum exceeded
    # it by was added to finishes without any.
    tasks = tuple(Task(f"t{i}", work=i + 1, due=0) for i in range(4))
    problem = Problem(network=Network((Node("n"),)), graph=Graph(tasks))
    start = decoded(problem, [0] * 4, [0, 2, 1, 3])
    assert start.metrics[metric] == 21
    result = offload.solve(problem, method, metric, start=start, options=options)
    assert (result.status, result.objective) == ("optimal", pytest.approx(20, rel=1e-9))


def test_energy_that_idle_nodes_alone_draw_is_bounded_by_what_was_asked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # cpsat took its horizon, which no plan bounded, for the value that it had refuted.
    nodes = (
        Node("a", speed=2, idle_power=0.28),
        Node("b", speed=2, idle_power=0.28),
        Node("c", speed=5, idle_power=0.314),
    )
    tasks = [Task(str(i), work=work) for i, work in enumerate((2.99, 6.0, 2.33, 3.6))]
    problem = Problem(network=Network(nodes, (Link("a", "b"),)), graph=Graph(tasks))
    best = everything(problem).best({"energy": 1.0})
    assert best is not None
    for method in ("cpsat", "milp", "auto"):
        result = offload.solve(problem, method, "energy", gap=1e-7, time_limit=60)
        assert result.status == "optimal", method
        assert result.objective == pytest.approx(best.value, rel=1e-6), method
    assert not caplog.records
