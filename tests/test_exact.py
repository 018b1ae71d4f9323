"""Exact methods against brute force: every placement and order of tiny instances, any goal."""

from __future__ import annotations

import json
import random
from functools import cache
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from brute_force import Best, Everything, TooMany, everything
from decisions import BUSY, busier
from drawing import draw_plan, draw_problem
from oracle import Oracle

import offload
from offload import Graph, Link, Network, Node, Problem, Task, registry
from offload.features import FEATURES
from offload.problem import METRICS
from offload.transfers import EDGE

UNSPLIT = frozenset(FEATURES) - {"splitting"}  # shares are no choice among so many: test_splitting
EXACT = [entry.name for entry in registry.entries().values() if entry.kind == "exact"]
ALONE = [name for name in EXACT if name != "exact"]  # what that runs in turn
FEW, ALL = range(40), range(40, 500)
SECONDS = 240.0


def honoured(method: str) -> frozenset[str]:
    """What is drawn for a method."""
    return registry.find(method).honours & UNSPLIT


class Case(NamedTuple):
    """A tiny instance, a goal, and the best plan that brute force finds (if any)."""

    problem: Problem
    minimize: dict[str, float]
    limits: dict[str, float]
    best: Best | None


def _draw(seed: int, honours: frozenset[str], most: int) -> Problem:
    """Instances with few features and more freedom, with most, crowded ones, and busy links."""
    dice = random.Random(f"exact {seed}")
    features, tasks, nodes = sorted(honours - {"limits"}), (2, most), (2, 3)
    if seed % 4 == 3:
        features = sorted({*BUSY, "allow", "apart", "copies", "deadline"} & honours)
        tasks = (min(3, most), most)
    elif seed % 4 != 1:
        features = dice.sample(features, len(features) // 3)
    if seed % 4 == 2:
        tasks, nodes = (most - 1, most), (1, 2)
    problem = draw_problem(seed, features, tasks=tasks, nodes=nodes)
    if seed % 4 == 3 and "channels" in honours:
        problem = _pinned(busier(problem, seed), seed)
    if dice.random() < 0.5:  # deadlines that one plan is known to keep, made harder
        problem = _hurried(problem, dice.choice([0.4, 0.6, 0.9]))
    return problem


def _pinned(problem: Problem, seed: int) -> Problem:
    """Most tasks bound to where some plan has them, so that much has to move."""
    plan, dice = draw_plan(problem, seed), random.Random(f"pinned {seed}")
    if plan is None:
        return problem
    names = [problem.network.nodes[k].id for k in plan.nodes]
    tasks = tuple(
        msgspec.structs.replace(task, allow=(name,)) if dice.random() < 0.7 else task
        for task, name in zip(problem.graph.tasks, names, strict=True)
    )
    return problem.replace(graph=msgspec.structs.replace(problem.graph, tasks=tasks))


def _hurried(problem: Problem, share: float) -> Problem:
    tasks = tuple(
        task
        if task.deadline is None
        else msgspec.structs.replace(task, deadline=share * task.deadline)
        for task in problem.graph.tasks
    )
    return problem.replace(graph=msgspec.structs.replace(problem.graph, tasks=tasks))


def _plans(seed: int, honours: frozenset[str]) -> Everything:
    """All plans of an instance, with no more tasks than allow that."""
    for most in (5, 4, 3):
        try:
            return everything(_draw(seed, honours, most))
        except TooMany:
            continue
    return everything(_draw(seed, honours, 2))


def _weights(dice: random.Random, plans: Everything, busy: bool) -> dict[str, float]:
    """One metric, or several whose parts of the objective are about as large as each other.

    Where links are busy, mostly one that grows by waiting for them.
    """
    names = dice.sample(METRICS, dice.choice([1, 1, 2, 3, 8]))
    if busy and dice.random() < 0.8:
        names = [dice.choice(("latency", "completion"))]
    if len(names) == 1:
        return {names[0]: 1.0}
    weights = {}
    for name in names:
        known = plans.metrics[name][np.isfinite(plans.metrics[name])]
        scale = float(known.mean()) if known.size and known.mean() > 0 else 1.0
        weights[name] = dice.choice([0.0, 0.5, 1.0, 3.0]) / scale
    weights[names[0]] = weights[names[0]] or 1.0
    return weights


def _limits(dice: random.Random, plans: Everything) -> dict[str, float]:
    """Bounds that some plans keep to the last digit, and now and then bounds that none keeps."""
    if not plans.holds.any():
        return {}
    limits = {}
    for name in dice.sample(METRICS, dice.choice([0, 0, 1, 2])):
        reached = np.unique(plans.metrics[name][plans.holds])
        limits[name] = float(dice.choice(reached[: len(reached) // 2 + 1].tolist()))
        limits[name] *= dice.choice([1.0, 1.0, 1.05, 0.9])
    return limits


@cache
def case(seed: int, honours: frozenset[str]) -> Case:
    """One instance, the same for each method that honours the same."""
    dice = random.Random(f"goal {seed}")
    plans = _plans(seed, honours)
    minimize, limits = _weights(dice, plans, seed % 4 == 3), _limits(dice, plans)
    return Case(plans.problem, minimize, limits, plans.best(minimize, limits))


def agrees(
    method: str, seed: int, gap: float | None, within: float, options: Any = None,
    honours: frozenset[str] | None = None, explain: float = 0.0,
) -> None:  # fmt: skip
    """Solve an instance, and compare everything that is claimed with brute force.

    ``honours`` are the features of which the instance is drawn; the method's own by default.
    What a conflict says is for test_conflicts; here there is one, if that is asked for.
    """
    problem, minimize, limits, best = case(seed, honours or honoured(method))
    result = offload.solve(
        problem, method, minimize, limits, SECONDS, gap=gap, threads=1 + seed % 4, seed=seed,
        options=options, explain=explain,
    )  # fmt: skip
    where = f"{method}, instance {seed}, gap {gap}: {result}, brute force: {best and best.value!r}"
    if best is None:
        assert result.status == "infeasible", where
        assert result.plan is None, where
        assert (result.conflict is not None) == (explain > 0), where
        return
    assert result.status == "optimal", where
    assert result.plan is not None, where
    assert result.objective is not None, where
    assert offload.check(problem, result.plan, limits=limits) == [], where
    assert result.objective == pytest.approx(best.value, rel=within, abs=1e-12), where
    assert result.objective >= best.value * (1 - 1e-9), where
    assert result.bound is not None, where
    assert result.bound <= best.value * (1 + 1e-9), where
    assert result.objective - result.bound <= (gap or 1e-4) * result.objective, where
    assert result.stopped is None, where


@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize("first", range(0, len(FEW), 10))
def test_the_optimum_is_that_of_brute_force(method: str, first: int) -> None:
    step = 1 if method in ALONE else 4
    for seed in FEW[first : first + 10 : step]:
        agrees(method, seed, None, 1e-4, explain=inf if method == "cpsat" else 0.0)


@pytest.mark.parametrize("method", EXACT)
def test_a_small_gap_is_proved_as_well(method: str) -> None:
    for seed in FEW[:: 1 if method in ALONE else 10]:
        agrees(method, seed, 1e-7, 1e-6)


def agrees_where_it_applies(method: str, seed: int) -> int:
    """Solve what is drawn for other methods, where the method honours it; how often."""
    applied = 0
    for other in {honoured(name) for name in ALONE} - {honoured(method)}:
        problem, minimize, limits, _ = case(seed, other)
        goal = offload.features.goal_of(problem, minimize, limits)
        if set(offload.features.features_used(problem, goal)) <= honoured(method):
            agrees(method, seed, None, 1e-4, honours=other)
            applied += 1
    return applied


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_the_optimum_is_that_of_brute_force_on_many(block: int) -> None:
    # All methods in one process: listing all plans takes about as long as solving.
    applied = dict.fromkeys(ALONE, 0)
    for seed in ALL[46 * block : 46 * (block + 1)]:
        for method in ALONE:
            agrees(method, seed, None, 1e-4)
            some = (seed + block) % 4 == 0  # of each kind
            agrees(method, seed, 1e-7, 1e-6, explain=inf if some else 0.0)
            if not some:
                applied[method] += agrees_where_it_applies(method, seed)
    assert min(applied.values()) > 0, applied


@pytest.mark.parametrize(
    "seeds", [range(0, 40, 3), pytest.param(range(40, 100, 3), marks=pytest.mark.slow)]
)
def test_cbc_agrees_as_well(seeds: range) -> None:
    for seed in seeds:
        agrees("milp", seed, None, 1e-4, {"solver": "cbc"})


@pytest.mark.parametrize("horizon", [3, 50])
@pytest.mark.parametrize(
    "seeds", [range(0, 40, 5), pytest.param(range(40, 100), marks=pytest.mark.slow)]
)
def test_a_coarse_grid_proves_less_and_nothing_wrong(horizon: int, seeds: range) -> None:
    for seed in seeds:
        problem, minimize, limits, best = case(seed, honoured("cpsat"))
        result = offload.solve(
            problem, "cpsat", minimize, limits, SECONDS, threads=1, explain=0,
            options={"horizon": horizon},
        )  # fmt: skip
        where = f"instance {seed}: {result}, brute force: {best and best.value!r}"
        if best is None:
            assert result.status in ("infeasible", "unknown"), where
            continue
        assert result.status != "infeasible", where
        assert result.bound is None or result.bound <= best.value * (1 + 1e-9), where
        if result.objective is not None:
            assert result.objective >= best.value * (1 - 1e-9), where
        if result.status == "optimal":
            assert result.objective == pytest.approx(best.value, rel=1e-4, abs=1e-12), where


@pytest.mark.parametrize("method", EXACT)
def test_what_takes_no_time_may_happen_while_something_runs(method: str) -> None:
    # Best on n0: short until 1, long until 11, and mark at 5 while long runs. Where mark holds
    # its node, long seems better off on n1, until 12.
    network = Network((Node("n0"), Node("n1")), (Link("n0", "n1"),))
    tasks = (
        Task("long", time={"n0": 10, "n1": 12}),
        Task("short", time={"n0": 1, "n1": 5}, weight=10),
        Task("mark", work=0, release=5, weight=100, allow=("n0",)),
    )
    problem = Problem(network=network, graph=Graph(tasks), minimize={"completion": 1})
    best = everything(problem).best(problem.minimize)
    assert best is not None
    assert best.value == 11 + 10 * 1 + 100 * 5
    result = offload.solve(problem, method)
    assert result.status == "optimal"
    assert result.objective == pytest.approx(best.value, rel=1e-9)


@pytest.mark.parametrize("method", ALONE)
def test_the_plan_that_a_presolve_lost_is_found(method: str, golden: Path) -> None:
    # CP-SAT 9.15 proved 2.672 optimal: of implications over one sum its presolve lost plans.
    problem = offload.load(golden / "lost-plan.json")
    result = offload.solve(problem, method)
    assert result.status == "optimal"
    assert result.objective == pytest.approx(1.929717821, rel=1e-4)


@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize("name", ["topcuoglu-2002", "arabnejad-barbosa-2014"])
def test_published_examples_are_solved_to_the_optimum(
    method: str, name: str, instances: Path, golden: Path
) -> None:
    figures = json.loads((golden / "figures.json").read_text())
    result = offload.solve(offload.load(instances / f"{name}.json"), method, threads=2)
    assert result.status == "optimal"
    assert result.objective == pytest.approx(figures[name]["optimum"], rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 40, 10))
def test_exact_methods_agree_where_brute_force_is_too_slow(first: int) -> None:
    honours = frozenset.intersection(*map(honoured, ALONE))
    for seed in range(first, first + 10):
        dice = random.Random(f"larger {seed}")
        problem = draw_problem(seed, honours, tasks=(6, 9), nodes=(2, 4))
        metric = dice.choice(METRICS)
        results = [offload.solve(problem, method, metric, time_limit=20) for method in ALONE]
        where = f"instance {seed}, {metric}: {[str(result) for result in results]}"
        least = min(r.objective for r in results if r.objective is not None)
        for result in results:
            assert result.bound is not None, where
            assert result.bound <= least * (1 + 1e-9), where
            if result.status == "optimal":
                assert result.objective == pytest.approx(least, rel=1e-4, abs=1e-12), where


@pytest.mark.parametrize("method", EXACT)
def test_the_instances_try_everything_that_is_honoured(method: str) -> None:
    honours = honoured(method)
    cases = [case(seed, honours) for seed in FEW]
    infeasible = sum(best is None for *_, best in cases)
    assert 3 <= infeasible <= len(FEW) // 2
    seen: set[str] = set()
    for problem, minimize, limits, _ in cases:
        goal = offload.features.goal_of(problem, minimize, limits)
        seen.update(offload.features.features_used(problem, goal))
    assert seen == honours & set(FEATURES)
    assert {name for _, minimize, *_ in cases for name in minimize} == set(METRICS)
    assert {name for *_, limits, _ in cases for name in limits} == set(METRICS)


def test_brute_force_measures_as_the_contract_says() -> None:
    honours = honoured("cpsat")
    for seed in FEW:
        problem, _, _, best = case(seed, honours)
        if best is None:
            continue
        plan, oracle = best.plan, Oracle(problem)
        assert offload.check(problem, plan) == [], f"instance {seed}"
        made = oracle.decode(*decided(plan))
        # Where transfers wait for each other, decoding may send them in another order.
        made.start, made.finish = plan.parts.start.tolist(), plan.parts.finish.tolist()
        assert oracle.metrics(made) == pytest.approx(plan.metrics, rel=1e-9), f"instance {seed}"


def decided(plan: offload.Plan) -> tuple[list[int], list[int], list[int], list[int], set[Any]]:
    """Nodes, order, modes, codecs and copies of a plan."""
    tables, rows, nodes = plan.problem.tables, plan.transfers, plan.nodes
    codecs = np.full(tables.edges, -1)
    for x in np.flatnonzero(rows.kind == EDGE).tolist():
        edges = tables.item_edges.of(int(rows.ref[x]))
        codecs[edges[nodes[tables.edge_dst[edges]] == rows.dst[x]]] = rows.codec[x]
    copies = set(zip(plan.copies.data.tolist(), plan.copies.node.tolist(), strict=True))
    order = tables.topological.tolist()
    return nodes.tolist(), order, plan.parts.mode.tolist(), codecs.tolist(), copies
