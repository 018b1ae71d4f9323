"""anneal: better than what it starts from, the same for the same seed and work, and in time."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from brute_force import everything
from drawing import draw_problem

import offload
from offload import Edge, Graph, Link, Mode, Network, Node, OffloadError, Problem, Task
from offload.features import FEATURES, goal_of
from offload.heuristics.annealing import Annealing
from offload.heuristics.changes import Changes
from offload.heuristics.sequences import applies
from offload.problem import METRICS
from offload.registry import Request, find

ALL = tuple(name for name in FEATURES if name != "splitting")
ROOT = str(Path(__file__).parents[1] / "instances") + "/"


def solved(problem: Problem, **arguments: object) -> offload.Result:
    arguments = {"work_limit": 4000, "time_limit": None, **arguments}
    return offload.solve(problem, "anneal", **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("seeds", [range(20), pytest.param(range(20, 60), marks=pytest.mark.slow)])
def test_plans_hold_and_are_no_worse_than_the_start(seeds: range) -> None:
    for seed in seeds:
        problem = draw_problem(3000 + seed, ALL, tasks=(1, 10), nodes=(1, 5))
        goal = goal_of(problem)
        result = solved(problem, work_limit=600)
        if result.plan is None:
            assert result.status in ("unknown", "infeasible")
            assert result.reason
            continue
        assert offload.check(problem, result.plan) == []
        again = solved(problem, work_limit=300, start=result.plan)
        assert again.objective is not None
        assert result.objective is not None
        assert again.objective <= result.objective
        assert result.plan.objective(goal.minimize) == result.objective


@pytest.mark.parametrize("search", ["sequences", "decoding"])
def test_tiny_instances_are_solved_to_the_optimum(search: str) -> None:
    found = 0
    for seed in range(20):
        problem = draw_problem(
            500 + seed, ("resident", "allow", "items"), tasks=(2, 5), nodes=(2, 3)
        )
        problem = problem.replace(minimize={"latency": 1.0}, limits={})
        best = everything(problem).best({"latency": 1.0})
        result = solved(problem, options={"search": search})
        assert (best is None) == (result.plan is None)
        if best is None or not applies(problem.tables, goal_of(problem)):
            continue
        assert result.objective is not None
        assert result.objective >= best.value * (1 - 1e-9)
        found += result.objective <= best.value * (1 + 1e-9)
    assert found >= 17


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_gets_better(metric: str) -> None:
    name = "bert24-layers.json" if metric == "period" else "crossing-12.json"
    problem = offload.load(ROOT + name)
    turns = offload.solve(problem, "round-robin", metric, {})
    result = solved(problem, minimize=metric, limits={}, start=turns.plan, work_limit=3000)
    assert turns.objective is not None
    assert result.objective is not None
    assert result.objective < turns.objective or result.status == "optimal"


def test_limits_hold() -> None:
    problem = offload.load(ROOT + "crossing-12.json")
    fast = solved(problem, limits={})
    assert fast.plan is not None
    limit = 0.9 * fast.plan.metrics["energy"]
    result = solved(problem, limits={"energy": limit}, work_limit=12_000)
    assert result.plan is not None
    assert result.plan.metrics["energy"] <= limit * (1 + 1e-9)
    assert result.objective is not None
    assert fast.objective is not None
    assert result.objective >= fast.objective


@pytest.mark.parametrize("name", ["crossing-12.json", "saga-rand-n20-m4.json"])
def test_the_same_seed_and_work_give_the_same_plan(name: str) -> None:
    problem = offload.load(ROOT + name)
    one, other = solved(problem, seed=5), solved(problem, seed=5)
    assert one.stopped == "work"
    assert one.plan is not None
    assert other.plan is not None
    assert one.plan.parts.start.tolist() == other.plan.parts.start.tolist()
    assert one.plan.nodes.tolist() == other.plan.nodes.tolist()


def test_ends_with_a_proof() -> None:
    problem = Problem(
        network=Network((Node("a", speed=2.0), Node("b")), (Link("a", "b", 1.0),)),
        graph=Graph((Task("x", work=4.0), Task("y", work=2.0)), (Edge("x", "y", bytes=9.0),)),
    )
    result = offload.solve(problem, "anneal", time_limit=None)
    assert result.status == "optimal"
    assert result.objective == 3.0


def test_ends_when_cancelled_and_in_time() -> None:
    problem = offload.load(ROOT + "saga-layered-n100-m8.json")
    cancel = threading.Event()
    told: list[float] = []

    def tell(progress: offload.Progress) -> None:
        if progress.objective is not None:
            told.append(progress.objective)
            cancel.set()

    result = offload.solve(problem, "anneal", time_limit=60, on_progress=tell, cancel=cancel)
    assert result.stopped == "cancelled"
    assert result.plan is not None
    assert result.objective == min(told)
    begun = time.monotonic()
    result = offload.solve(problem, "anneal", time_limit=1.0)
    assert result.stopped == "time"
    assert time.monotonic() - begun < 20


def test_what_a_search_is_not_for_is_refused() -> None:
    problem = offload.load(ROOT + "crossing-12.json")
    with pytest.raises(OffloadError, match=r"options\.search: must be one of .*'best'"):
        solved(problem, options={"search": "best"})
    with pytest.raises(OffloadError, match=r"options\.search: 'sequences' is for latency"):
        solved(problem, options={"search": "sequences"})


def test_changes_are_decisions_that_can_be_decoded() -> None:
    import random

    from offload.heuristics.decisions import decide

    seen: set[str] = set()
    for seed in range(40):
        problem = draw_problem(7000 + seed, ALL, tasks=(2, 9), nodes=(2, 5))
        start = find("heft").load()(Request(problem, goal_of(problem))).plan
        if start is None:
            continue
        now, changes = decide(start), Changes(problem, random.Random(seed))
        if changes.copies:
            now = now._replace(copies=np.zeros(problem.tables.home.shape, bool))
        made = changes.draw(now, 100, [])
        offload.evaluate(problem, *made)  # refuses what is no decision
        tables = problem.tables
        tasks = np.arange(tables.tasks)[None, :]
        assert np.isfinite(tables.execution(tasks, made.nodes, made.modes)).all()
        for name, part, old in zip(made._fields, made, now, strict=True):
            if part is not None and (part != old[None]).any():
                seen.add(name)
    assert seen == {"nodes", "order", "modes", "codecs", "copies"}


def test_modes_are_chosen_where_no_task_may_move() -> None:
    # Only the first node has a second mode: changes of the other task's mode come to nothing.
    eco = Mode("eco", speed=0.5, busy_power=1)
    nodes = (Node("a", busy_power=10, modes=(eco,)), Node("b", busy_power=10))
    tasks = (Task("s", work=1, allow=("a",)), Task("t", work=1, allow=("b",)))
    problem = Problem(
        network=Network(nodes), graph=Graph(tasks), minimize={"energy": 1.0, "latency": 1e-3}
    )
    plan = find("anneal").load()(Request(problem, goal_of(problem), work_limit=500.0)).plan
    assert plan is not None
    assert plan.metrics["energy"] == pytest.approx(12)  # 1 W for 2 s, 10 W for 1 s


def test_from_a_placement_that_does_not_hold_to_one_that_does() -> None:
    """Everything on one node whose memory holds a third of it."""
    tasks = tuple(Task(f"t{i}", work=1.0, resident=1.0) for i in range(12))
    network = Network(
        tuple(Node(f"n{k}", memory=4) for k in range(4)),
        tuple(Link("n0", f"n{k}", 1e3) for k in range(1, 4)),
    )
    problem = Problem(network=network, graph=Graph(tasks))
    from offload.heuristics.decisions import Decisions

    none = np.zeros(12, np.int32)
    crowded = Decisions(none, np.arange(12, dtype=np.int32), none, None, None)
    search = Annealing(problem, goal_of(problem), crowded, 1)
    assert search.plan is None
    search.round(lambda: search.work > 20_000, lambda: search.work / 20_000, 1.0)
    assert search.plan is not None
    assert offload.check(problem, search.plan) == []
    assert search.best == 3.0
