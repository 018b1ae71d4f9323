"""What must be true of optimal plans of any instance, found out on random small ones."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import pytest
from drawing import draw_plan, draw_problem
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import offload
from offload import registry
from offload.features import FEATURES
from offload.problem import Problem

EXACT = [entry.name for entry in registry.entries().values() if entry.kind == "exact"]
GAP = 1e-6
SEEDS = st.integers(0, 100_000)

S = TypeVar("S", bound=msgspec.Struct)

few = settings(
    max_examples=4, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


def _with(struct: S, **changes: Any) -> S:
    return msgspec.structs.replace(struct, **changes)


def _draw(method: str, seed: int) -> Problem:
    entry = registry.find(method)
    # A portfolio honours what one of its methods does, splitting only without all else.
    honours = entry.honours - {"splitting"} if entry.chooses else entry.honours
    return draw_problem(seed, sorted(honours), tasks=(2, 5), nodes=(2, 3))


def _solve(problem: Problem, method: str, gap: float = GAP) -> offload.Result:
    return offload.solve(problem, method, "latency", gap=gap, threads=1)


def _latency(problem: Problem, method: str) -> float:
    result = _solve(problem, method)
    assert result.status == "optimal", f"{problem.name}: {result}"
    assert result.objective is not None
    return result.objective


@pytest.mark.parametrize("method", EXACT)
@few
@given(seed=SEEDS, factor=st.sampled_from([1.01, 2.0, 7.3]))
def test_a_faster_node_never_worsens_the_latency(method: str, seed: int, factor: float) -> None:
    problem = _draw(method, seed)
    chosen = random.Random(seed).randrange(len(problem.network.nodes))
    nodes = tuple(
        _with(node, speed=node.speed * factor) if k == chosen else node
        for k, node in enumerate(problem.network.nodes)
    )
    faster = problem.replace(network=_with(problem.network, nodes=nodes))
    assert _latency(faster, method) <= _latency(problem, method) * (1 + 2 * GAP)


@pytest.mark.parametrize("method", EXACT)
@few
@given(seed=SEEDS, factor=st.sampled_from([1.0, 1.01, 3.0]))
def test_wider_limits_never_worsen_the_latency(method: str, seed: int, factor: float) -> None:
    problem = _draw(method, seed)
    nodes = tuple(
        _with(
            node, slots=node.slots and node.slots + 1,
            memory=None if node.memory is None else node.memory * factor,
        )
        for node in problem.network.nodes
    )  # fmt: skip
    tasks = tuple(
        _with(task, deadline=None if task.deadline is None else task.deadline * factor)
        for task in problem.graph.tasks
    )
    wider = problem.replace(
        network=_with(problem.network, nodes=nodes), graph=_with(problem.graph, tasks=tasks),
        limits={metric: bound * factor for metric, bound in problem.limits.items()},
    )  # fmt: skip
    assert _latency(wider, method) <= _latency(problem, method) * (1 + 2 * GAP)


@pytest.mark.parametrize("method", EXACT)
@few
@given(seed=SEEDS)
def test_renaming_changes_nothing(method: str, seed: int) -> None:
    problem = _draw(method, seed)
    results = [_solve(instance, method) for instance in (problem, _renamed(problem))]
    plans = [result.plan for result in results]
    assert plans[0] is not None
    assert plans[1] is not None
    assert results[0].objective == results[1].objective
    for column, same in zip(plans[0].parts, plans[1].parts, strict=True):
        np.testing.assert_array_equal(column, same)


def _renamed(problem: Problem) -> Problem:
    """The same instance, its names in the opposite alphabetical order."""
    nodes: dict[str | None, str] = {
        node.id: f"k{99 - k}" for k, node in enumerate(problem.network.nodes)
    }
    tasks = {task.id: f"j{99 - i}" for i, task in enumerate(problem.graph.tasks)}

    def named(selectors: Any) -> Any:
        if isinstance(selectors, Mapping):
            return {nodes.get(name, name): value for name, value in selectors.items()}
        if isinstance(selectors, tuple):
            return tuple(nodes.get(name, name) for name in selectors)
        return selectors

    network = _with(
        problem.network,
        nodes=tuple(_with(node, id=nodes[node.id]) for node in problem.network.nodes),
        links=tuple(
            _with(link, src=nodes[link.src], dst=nodes[link.dst]) for link in problem.network.links
        ),
    )
    graph = _with(
        problem.graph,
        tasks=tuple(
            _with(
                task, id=tasks[task.id], allow=named(task.allow), time=named(task.time),
                memory=named(task.memory), resident=named(task.resident), at=nodes.get(task.at),
            )
            for task in problem.graph.tasks
        ),
        edges=tuple(
            _with(edge, src=tasks[edge.src], dst=tasks[edge.dst]) for edge in problem.graph.edges
        ),
        groups=tuple(
            _with(group, tasks=tuple(tasks[name] for name in group.tasks))
            for group in problem.graph.groups
        ),
    )  # fmt: skip
    data = tuple(
        _with(item, home=named(item.home), allow=named(item.allow)) for item in problem.data
    )
    return problem.replace(network=network, graph=graph, data=data)


@pytest.mark.parametrize("method", EXACT)
@few
@given(seed=SEEDS, factor=st.sampled_from([1e-3, 0.3, 2.0, 1e4]))
def test_scaling_all_times_scales_the_latency(method: str, seed: int, factor: float) -> None:
    problem = _draw(method, seed).replace(limits={})
    nodes = tuple(
        _with(
            node, speed=node.speed / factor,
            modes=tuple(_with(mode, speed=mode.speed / factor) for mode in node.modes),
        )
        for node in problem.network.nodes
    )  # fmt: skip
    links = tuple(
        _with(
            link,
            latency=link.latency * factor,
            bandwidth=None if link.bandwidth is None else link.bandwidth / factor,
        )
        for link in problem.network.links
    )
    tasks = tuple(
        _with(
            task, time={name: value * factor for name, value in task.time.items()},
            release=task.release * factor,
            deadline=None if task.deadline is None else task.deadline * factor,
        )
        for task in problem.graph.tasks
    )  # fmt: skip
    scaled = problem.replace(
        network=_with(problem.network, nodes=nodes, links=links),
        graph=_with(problem.graph, tasks=tasks),
    )
    expected = factor * _latency(problem, method)
    assert _latency(scaled, method) == pytest.approx(expected, rel=2 * GAP)


@few
@given(seed=SEEDS)
def test_a_plan_survives_save_and_load(tmp_path: Path, seed: int) -> None:
    problem = draw_problem(seed, tuple(FEATURES))
    plan = draw_plan(problem, seed)
    assume(plan is not None)
    assert plan is not None
    plan.save(tmp_path / "plan.json")
    loaded = offload.load_plan(tmp_path / "plan.json", problem)
    assert offload.check(problem, loaded) == []
    assert loaded.metrics == pytest.approx(plan.metrics, rel=1e-12)
    for column, same in zip(plan.parts, loaded.parts, strict=True):
        np.testing.assert_array_equal(column, same)
    for column, same in zip(plan.transfers, loaded.transfers, strict=True):
        np.testing.assert_array_equal(column, same)
    assert sorted(zip(*plan.copies, strict=True)) == sorted(zip(*loaded.copies, strict=True))


@few
@given(seed=SEEDS)
def test_a_solved_plan_survives_save_and_load(tmp_path: Path, seed: int) -> None:
    problem = _draw("cpsat", seed)
    result = _solve(problem, "cpsat", 1e-4)
    assert result.plan is not None
    result.plan.save(tmp_path / "plan.json")
    loaded = offload.load_plan(tmp_path / "plan.json", problem)
    assert offload.check(problem, loaded) == []
    assert loaded.stated == result.plan.metrics
    assert loaded.result["status"] == result.status
    assert loaded.result["objective"] == result.objective
    assert loaded.result["bound"] == result.bound
