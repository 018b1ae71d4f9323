"""Divisible tasks by milp: published figures, closed forms, and all plans of tiny instances."""

from __future__ import annotations

import math
import random
import threading
from typing import Any

import msgspec
import numpy as np
import pytest
from drawing import draw_problem
from split_plans import best_by_programs, on_a_grid

import offload
from formulations import milp
from formulations.milp_engine import run
from formulations.milp_parts import SplitCase, undivided
from formulations.milp_splitting import SplitScheduling
from formulations.parts import Parts
from offload import Edge, Graph, Link, Network, Node, Problem, Task, registry
from offload.exporters.programs import write_lp
from offload.features import Goal
from offload.problem import METRICS
from offload.registry import Request
from offload.shares import partial_offloading, shards

HONOURED = sorted(registry.find("milp").honours - {"limits"})
PLAIN = ["splitting", "routes", "require", "allow", "release"]  # what linear programs try


def solved(problem: Problem, *goal: Any, **options: Any) -> offload.Result:
    """Proved to 1e-7, and checked once more."""
    result = offload.solve(problem, "milp", *goal, gap=1e-7, time_limit=60, **options)
    assert result.status == "optimal"
    assert result.plan is not None
    assert offload.check(problem, result.plan, limits=result.limits) == []
    return result


def sharded(per_unit: Any, fixed: Any, total: float) -> Problem:
    """Workers that are reached after a fixed time and take one for each unit."""
    workers = [Node(f"w{k}", speed=1 / c) for k, c in enumerate(per_unit)]
    links = [Link("src", f"w{k}", latency=t) for k, t in enumerate(fixed)]
    there = [node.id for node in workers]
    tasks = [
        Task("read", work=0, allow=["src"]),
        Task("train", work=total, divisible=True, allow=there),
    ]
    graph = Graph(tasks, [Edge("read", "train")])
    return Problem(network=Network([Node("src"), *workers], links), graph=graph)


def shares_of(result: offload.Result, task: int) -> dict[int, float]:
    """Share by node of a task."""
    assert result.plan is not None
    parts = result.plan.parts
    rows = np.flatnonzero(parts.task == task)
    return dict(zip(parts.node[rows].tolist(), parts.fraction[rows].tolist(), strict=True))


# -- published figures and closed forms ----------------------------------------------------------


@pytest.mark.parametrize("method", ["milp", "auto", "exact"])
def test_shards(method: str) -> None:
    problem = sharded((1e-3, 2e-3, 4e-3, 8e-3), (0.5, 0.1, 0.2, 0.05), 10_000.0)
    result = offload.solve(problem, method, gap=1e-7, time_limit=60)
    assert result.status == "optimal"
    assert result.objective == pytest.approx(5.656667, abs=1e-6)
    amounts = [10_000 * share for _, share in sorted(shares_of(result, 1).items())]
    assert amounts == pytest.approx([5156.67, 2778.33, 1364.17, 700.83], abs=0.01)


@pytest.mark.parametrize("method", ["milp", "auto", "exact"])
def test_partial_offloading(method: str) -> None:
    network = Network([Node("here"), Node("there")], [Link("here", "there")])
    task = Task("t", time={"here": 2, "there": 0.563}, divisible=True)
    result = offload.solve(Problem(network=network, graph=Graph([task])), method, gap=1e-7)
    share, time = partial_offloading(2, 0.563)
    assert result.status == "optimal"
    assert result.objective == pytest.approx(0.439329, abs=1e-6)
    assert result.objective == pytest.approx(time, rel=1e-9)
    assert shares_of(result, 0)[1] == pytest.approx(share, rel=1e-7)


@pytest.mark.parametrize("seed", range(8))
def test_shards_are_those_of_the_closed_form(seed: int) -> None:
    dice = np.random.default_rng(seed)
    count = int(dice.integers(1, 7))
    per_unit, fixed = dice.uniform(1, 10, count), dice.uniform(0, 30, count)
    total = float(dice.uniform(1, 20))
    expected = shards(per_unit.tolist(), fixed.tolist(), total)
    result = solved(sharded(per_unit, fixed, total))
    assert result.objective == pytest.approx(expected.time, rel=2e-7)
    found = shares_of(result, 1)
    amounts = [total * found.get(k + 1, 0.0) for k in range(count)]
    assert amounts == pytest.approx(expected.amount.tolist(), abs=1e-5 * total)


def test_a_workers_inputs_and_outputs_shrink_with_its_share() -> None:
    network = Network(
        [Node("a", speed=1), Node("b", speed=4)], [Link("a", "b", bandwidth=2, latency=0.5)]
    )
    tasks = [
        Task("in", work=1, allow=["a"]), Task("t", work=8, divisible=True),
        Task("out", work=1, allow=["a"]),
    ]  # fmt: skip
    graph = Graph(tasks, [Edge("in", "t", bytes=2), Edge("t", "out", bytes=4)])
    # b has 0.5 + f + 2 f + 0.5 + 2 f seconds to a's 8 (1 - f), so that f = 7 / 13.
    result = solved(Problem(network=network, graph=graph))
    assert shares_of(result, 1)[1] == pytest.approx(7 / 13, rel=1e-6)
    assert result.objective == pytest.approx(2 + 8 * 6 / 13, rel=2e-7)


def test_the_latency_of_a_link_is_paid_in_full_for_the_least_share() -> None:
    network = Network([Node("a"), Node("b")], [Link("a", "b", latency=10)])
    tasks = [Task("in", work=0, allow=["a"]), Task("t", work=9, divisible=True)]
    result = solved(Problem(network=network, graph=Graph(tasks, [Edge("in", "t")])))
    assert shares_of(result, 1) == {0: 1.0}
    assert result.objective == 9


def test_parts_wait_for_the_slot_that_other_tasks_hold() -> None:
    network = Network([Node("a"), Node("b")], [Link("a", "b")])
    tasks = [Task("t", work=4, divisible=True), Task("u", work=3, allow=["a"])]
    result = solved(Problem(network=network, graph=Graph(tasks)))
    assert result.objective == pytest.approx(3.5, rel=2e-7)
    assert shares_of(result, 0) == pytest.approx({0: 0.125, 1: 0.875}, abs=1e-6)


def test_what_fits_no_node_is_split_to_fit() -> None:
    network = Network([Node("a", speed=3, memory=4), Node("b", memory=6)], [Link("a", "b")])
    task = Task("t", work=9, memory=4, resident=4, divisible=True)
    result = solved(Problem(network=network, graph=Graph([task])))
    assert shares_of(result, 0) == pytest.approx({0: 0.5, 1: 0.5}, rel=1e-9)
    assert result.objective == pytest.approx(4.5, rel=1e-9)
    short = Network([Node("a", speed=3, memory=4), Node("b", memory=3.9)], [Link("a", "b")])
    assert offload.solve(Problem(network=short, graph=Graph([task])), "milp").status == "infeasible"


def test_memory_of_parts_that_run_together_is_their_share_of_it() -> None:
    network = Network([Node("a", slots=2, memory=6), Node("b", speed=0.5)], [Link("a", "b")])
    tasks = [
        Task("t", work=4, memory=8, divisible=True), Task("u", work=4, memory=3, allow=["a"]),
    ]  # fmt: skip
    # Beside u there is room for 3 / 8 of t; after it t would be done later.
    result = solved(Problem(network=network, graph=Graph(tasks)))
    assert shares_of(result, 0)[0] == pytest.approx(3 / 8, rel=1e-6)
    assert result.objective == pytest.approx(5.0, rel=2e-7)


# -- goals and limits ----------------------------------------------------------------------------


def cheap_and_fast() -> Problem:
    network = Network(
        [Node("dear", speed=4, price=8, busy_power=8), Node("cheap", price=1, busy_power=1)],
        [Link("dear", "cheap")],
    )
    return Problem(network=network, graph=Graph([Task("t", work=8, divisible=True, due=2.0)]))


@pytest.mark.parametrize(
    ("minimize", "limits", "objective", "dear"),
    [
        ("cost", {"latency": 4.0}, 12.0, 0.5), ("latency", {"cost": 12.0}, 4.0, 0.5),
        ("energy", {"tardiness": 1.0}, 13.0, 0.625), ("period", {"energy": 12.0}, 4.0, 0.5),
        ("completion", {"cost": 10.0}, 6.0, 0.25),
    ],
)  # fmt: skip
def test_a_share_is_such_that_a_limit_is_just_kept(
    minimize: str, limits: dict[str, float], objective: float, dear: float
) -> None:
    result = solved(cheap_and_fast(), minimize, limits)
    assert result.objective == pytest.approx(objective, rel=2e-7)
    assert shares_of(result, 0)[0] == pytest.approx(dear, rel=1e-6)


def test_idle_power_is_spared_by_splitting() -> None:
    nodes = [Node(name, busy_power=1, idle_power=1) for name in "abc"]
    network = Network(nodes, [Link("a", "b", latency=1), Link("a", "c", latency=1)])
    tasks = [Task("in", work=0, allow=["a"]), Task("t", work=8, divisible=True)]
    problem = Problem(network=network, graph=Graph(tasks, [Edge("in", "t")]))
    # 8 J to run and 3 W until T, with T / 8 + 2 (T - 1) / 8 = 1.
    assert solved(problem, "energy").objective == pytest.approx(8 + 3 * 10 / 3, rel=2e-7)


def test_limits_that_no_share_keeps_are_infeasible() -> None:
    result = offload.solve(cheap_and_fast(), "milp", "latency", {"cost": 11.9, "latency": 4.0})
    assert result.status == "infeasible"


def test_a_deadline_is_kept_to_the_last_digit() -> None:
    base = cheap_and_fast()
    hurried = msgspec.structs.replace(base.graph.tasks[0], deadline=3.3)
    result = solved(base.replace(graph=Graph([hurried])), "cost")
    assert result.plan is not None
    assert result.plan.metrics["latency"] == pytest.approx(3.3, rel=1e-9)


# -- all plans of tiny instances -----------------------------------------------------------------


def agrees_with_grid(seed: int, method: str = "milp") -> bool:
    """No plan with shares in quarters is better, no bound above one; any goal and feature."""
    problem = draw_problem(seed, HONOURED, tasks=(1, 4), nodes=(2, 3))
    if not 1 <= problem.tables.divisible.sum() <= 2:
        return False
    grid = on_a_grid(problem, 4)
    if grid is None:
        return False
    dice = random.Random(seed)
    minimize = {}
    for metric in dice.sample(METRICS, dice.choice([1, 1, 2, 3])):
        known = grid.metrics[metric][np.isfinite(grid.metrics[metric])]
        scale = float(known.mean()) if known.size and known.mean() > 0 else 1.0
        minimize[metric] = dice.choice([0.5, 1.0, 3.0]) / scale
    limits = {}
    for metric in dice.sample(METRICS, dice.choice([0, 0, 1, 2])) if grid.holds.any() else ():
        reached = np.unique(grid.metrics[metric][grid.holds])
        limits[metric] = float(dice.choice(reached[: len(reached) // 2 + 1].tolist()))
        limits[metric] *= dice.choice([1.0, 1.0, 1.05, 0.97])
    best = grid.best(minimize, limits)
    result = offload.solve(problem, method, minimize, limits, 60.0, gap=1e-6, threads=1)
    where = f"instance {seed}: {result}, best on the grid: {best!r}"
    if result.status == "infeasible":
        assert best == math.inf, where
        return True
    assert result.status == "optimal", where
    assert result.objective is not None, where
    assert result.bound is not None, where
    assert result.objective <= best * (1 + 1.1e-6) + 1e-12, where
    assert result.bound <= best * (1 + 1e-9), where
    assert result.plan is not None, where
    assert offload.check(problem, result.plan, limits=limits) == [], where
    return True


def agrees_with_programs(seed: int) -> bool:
    """The optimum is that of all linear programs of an instance with single slots."""
    problem = draw_problem(seed, PLAIN, tasks=(2, 3), nodes=(2, 3))
    tables = problem.tables
    pieces = np.where(tables.divisible, tables.allowed_table.sum(axis=1), 1).sum()
    if not tables.divisible.any() or pieces > 5:
        return False
    weight = (0.0, 0.1, 1.0)[seed % 3]
    best = best_by_programs(problem, weight)
    result = solved(problem, {"latency": 1.0, "cost": weight}, threads=1)
    assert result.objective == pytest.approx(best, rel=1e-6, abs=1e-9), f"instance {seed}"
    return True


def test_no_plan_with_shares_on_a_grid_is_better() -> None:
    assert sum(map(agrees_with_grid, range(15))) >= 5


@pytest.mark.slow
def test_no_plan_with_shares_on_a_grid_is_better_on_many() -> None:
    assert sum(map(agrees_with_grid, range(100, 300))) >= 50


@pytest.mark.parametrize("method", ["auto", "exact"])
def test_nor_than_what_is_found_with_heuristics_and_bounds_in_turn(method: str) -> None:
    assert sum(agrees_with_grid(seed, method) for seed in range(24)) >= 8


@pytest.mark.slow
@pytest.mark.parametrize("method", ["auto", "exact"])
def test_nor_than_what_is_found_in_turn_on_many(method: str) -> None:
    assert sum(agrees_with_grid(seed, method) for seed in range(100, 250)) >= 40


def test_bounds_for_whole_tasks_are_none_for_parts() -> None:
    """Memory keeps whole tasks from sharing a node, and so from not sending; not their parts."""
    nodes = [Node(name, memory=10, price=1) for name in ("a", "b")]
    jobs = [Task(name, work=1, memory=0, resident=6, divisible=name == "t") for name in "st"]
    links = [Link("a", "b", bandwidth=1, price=5)]
    graph = Graph(jobs, [Edge("s", "t", bytes=2)])
    problem = Problem(network=Network(nodes, links), graph=graph)
    result = offload.solve(problem, "exact", {"cost": 1.0}, gap=1e-6)
    assert result.status == "optimal"
    # A third of t (2 of 6 bytes) has no room beside s: it is sent that part of its input.
    assert result.objective == pytest.approx(2 + 2 * 5 / 3, rel=1e-6)


def test_the_optimum_is_that_of_all_linear_programs() -> None:
    assert sum(map(agrees_with_programs, range(15))) >= 4


@pytest.mark.slow
def test_the_optimum_is_that_of_all_linear_programs_on_many() -> None:
    assert sum(map(agrees_with_programs, range(100, 200))) >= 25


# -- runs ----------------------------------------------------------------------------------------


def large(tasks: int = 12, nodes: int = 4) -> Problem:
    """Too hard to prove in a second: divisible tasks beside others that may be anywhere."""
    dice = random.Random(7)
    made = [Node(f"n{k}", speed=dice.uniform(1, 3)) for k in range(nodes)]
    links = [
        Link(f"n{k}", f"n{l}", bandwidth=1, latency=0.1) for k in range(nodes) for l in range(k)
    ]
    jobs = [Task(f"t{i}", work=dice.uniform(1, 9), divisible=i % 3 == 0) for i in range(tasks)]
    edges = [
        Edge(f"t{i}", f"t{j}", bytes=dice.uniform(0, 3))
        for j in range(tasks) for i in range(j)
        if dice.random() < 0.2 and not (i % 3 == 0 and j % 3 == 0)
    ]  # fmt: skip
    return Problem(network=Network(made, links), graph=Graph(jobs, edges))


@pytest.mark.parametrize("solver", ["highs", "cbc"])
def test_both_solvers_agree(solver: str) -> None:
    problem = large(4, 2)
    result = solved(problem, options={"solver": solver})
    assert result.objective == pytest.approx(solved(problem).objective, rel=2e-7)


def test_a_time_limit_leaves_a_plan_and_a_bound_that_hold() -> None:
    result = offload.solve(large(24, 6), time_limit=1.0)
    assert (result.status, result.stopped) == ("feasible", "time")
    assert result.plan is not None
    assert 0 < result.bound < result.objective


def test_a_cancel_leaves_the_best_plan_so_far() -> None:
    cancel = threading.Event()
    seen = []

    def hear(progress: offload.Progress) -> None:
        if progress.objective is not None:
            seen.append(progress.objective)
            cancel.set()

    result = offload.solve(large(24, 6), "milp", time_limit=None, cancel=cancel, on_progress=hear)
    assert (result.status, result.stopped) == ("feasible", "cancelled")
    assert result.objective == seen[-1]


def test_a_plan_to_start_from_is_never_made_worse() -> None:
    problem = large(5, 3)
    best = solved(problem, threads=1)
    again = milp.solve(Request(problem, Goal({"latency": 1.0}, {}), start=best.plan, work_limit=0))
    assert again.plan is not None
    assert again.plan.objective() <= best.objective


def test_the_same_seed_gives_the_same_plan() -> None:
    first, second = (solved(large(5, 3), threads=1, seed=3).plan for _ in range(2))
    assert first.parts.fraction.tolist() == second.parts.fraction.tolist()
    assert first.parts.start.tolist() == second.parts.start.tolist()


# -- models --------------------------------------------------------------------------------------


def test_combinations_are_forbidden_without_those_of_more_parts() -> None:
    model = built(sharded((1.0, 2.0), (0.0, 0.0), 6.0))
    present = model.placement.present
    read, fast, slow = (present[key] for key in sorted(present))
    values = []
    for chosen in ([], [read, fast], [read, fast, slow]):
        if chosen:
            model.forbid(chosen)
        values.append(run(model.problem, milp.Control()).bound * model.unit)
    assert values == pytest.approx([4.0, 4.0, 12.0], rel=1e-6)


def test_parts_behave_as_tasks_of_their_share() -> None:
    nodes = [Node("a", speed=2), Node("b")]
    tasks = [Task("s", work=1), Task("t", work=8, memory=4, resident={"*": 2}, divisible=True)]
    graph = Graph(tasks, [Edge("s", "t", bytes=10)])
    problem = Problem(network=Network(nodes, [Link("a", "b")]), graph=graph)
    parts = Parts(problem, np.array([[0, 0], [0.25, 0.75]]))
    _, on_a, on_b = parts.problem.graph.tasks
    assert (on_a.time, on_a.memory, on_a.resident) == ({"a": 1.0}, 1.0, 0.5)
    assert (on_b.time, on_b.memory, on_b.resident) == ({"b": 6.0}, 3.0, 1.5)
    assert [edge.bytes for edge in parts.problem.graph.edges] == [2.5, 7.5]
    assert parts.task.tolist() == [0, 1, 1]
    assert parts.node.tolist() == [-1, 0, 1]


def built(problem: Problem) -> SplitScheduling:
    model = SplitScheduling(SplitCase(problem, Goal({"latency": 1.0}, {})), math.inf)
    model.build()
    return model


def test_near_a_plan_whole_tasks_stay_where_they_are_and_the_program_is_left_as_it_was() -> None:
    problem = large(6, 3)
    start = undivided(Request(problem, Goal({"latency": 1.0}, {})))
    assert start is not None
    model = built(problem)
    before = [(v.lowBound, v.upBound) for v in model.problem.variables()]
    with model.near(start, moving=False):
        assert run(model.problem, milp.Control()).proof == "optimal"
        found = model.plan()
    assert [(v.lowBound, v.upBound) for v in model.problem.variables()] == before
    assert offload.check(problem, found) == []
    whole = ~problem.tables.divisible
    assert found.nodes[whole].tolist() == start.nodes[whole].tolist()
    assert len(found.parts.task) > problem.tables.tasks
    assert found.metrics["latency"] < start.metrics["latency"]


def test_a_plan_that_splits_nothing_is_one_of_the_instance() -> None:
    problem = large()
    plan = undivided(Request(problem, Goal({"latency": 1.0}, {})))
    assert plan is not None
    assert plan.problem is problem
    assert offload.check(problem, plan) == []
    assert plan.parts.fraction.tolist() == [1.0] * problem.tables.tasks


def test_the_program_is_written_as_it_is_solved() -> None:
    problem = sharded((1.0, 2.0), (0.0, 0.0), 6.0)
    made, unit = milp.program(problem, Goal({"latency": 1.0}, {}), None)
    assert {"f_1", "f_2", "u_1", "u_2"} <= {variable.name for variable in made.variables()}
    assert run(made, milp.Control()).bound * unit == pytest.approx(4.0, rel=1e-6)
    assert b"f_1 + f_2 = 1" in write_lp(problem, None)[""]


def test_too_large_a_program_is_not_built_but_there_is_a_plan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(milp, "MOST", 100)
    result = offload.solve(large())
    assert (result.status, result.stopped) == ("feasible", "work")
    assert result.plan is not None
