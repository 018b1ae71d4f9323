"""Alike nodes as one: the same optima as node by node, and only where they are alike."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace as changed

import offload
from formulations import cpsat
from formulations.pooling import pooled, spread
from offload import Edge, Graph, Group, Link, Network, Node, Problem, Task
from offload.features import Goal
from offload.registry import Request


def draw(seed: int, tasks: int = 7) -> Problem:
    """Tasks of all lengths, none too, with releases and now and then a deadline."""
    rng = random.Random(seed)
    whole = seed % 2 == 0

    def seconds(most: int) -> float:
        return float(rng.randrange(most + 1)) if whole else rng.random() * most

    every = [
        Task(
            str(i), work=seconds(9), release=seconds(4) if rng.random() < 0.3 else 0.0,
            deadline=2.0 + 4 * tasks if rng.random() < 0.2 else None,
        )
        for i in range(tasks)
    ]  # fmt: skip
    edges = [Edge(str(i), str(j)) for j in range(tasks) for i in range(j) if rng.random() < 0.25]
    nodes = [Node(f"n{k}") for k in range(rng.choice((2, 3)))]
    links = [Link(nodes[0].id, node.id, bandwidth=10) for node in nodes[1:]]
    return Problem(graph=Graph(every, edges), network=Network(nodes, links))


def asked(problem: Problem, **goal: Any) -> Request:
    return Request(problem, Goal(**{"minimize": {"latency": 1.0}, "limits": {}, **goal}))


@pytest.mark.parametrize("seed", range(12))
def test_a_pool_has_the_optimum_of_its_nodes(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = draw(seed)
    assert pooled(asked(problem)) is not None
    together = offload.solve(problem, "cpsat", gap=1e-7, threads=1)
    monkeypatch.setattr(cpsat, "pooled", lambda request: None)
    apart = offload.solve(problem, "cpsat", gap=1e-7, threads=1)
    assert together.status == apart.status
    if apart.objective is not None:
        assert together.objective == pytest.approx(apart.objective, rel=1e-6)
        assert together.bound is not None
        assert together.bound <= apart.objective * (1 + 1e-9)


def test_a_plan_of_the_pool_keeps_its_times() -> None:
    """On three nodes, of which none is free for long."""
    problem = draw(2, tasks=40)
    inner = pooled(asked(problem))
    assert inner is not None
    plan = offload.solve(inner.problem, "heft").plan
    assert plan is not None
    wide = spread(problem, plan)
    assert offload.check(problem, wide) == []
    assert sorted(wide.parts.finish.tolist()) == sorted(plan.parts.finish.tolist())
    assert len(np.unique(wide.nodes)) == problem.tables.nodes


def unlike(problem: Problem) -> dict[str, Problem]:
    """The problem with one thing more that tells nodes apart or makes them matter."""
    graph, network = problem.graph, problem.network
    first, *others = graph.tasks
    node, *rest = network.nodes
    edge, *more = graph.edges

    def tasks(**what: Any) -> Problem:
        return changed(problem, graph=changed(graph, tasks=(changed(first, **what), *others)))

    def nodes(**what: Any) -> Problem:
        return changed(problem, network=changed(network, nodes=(changed(node, **what), *rest)))

    sent = changed(graph, edges=(changed(edge, bytes=5.0), *more))
    apart = changed(graph, groups=(Group("apart", (first.id, others[0].id)),))
    return {
        "speed": nodes(speed=2.0), "slots": nodes(slots=2), "only here": tasks(allow=(node.id,)),
        "resident": tasks(resident=1.0), "memory": tasks(memory=1.0), "at": tasks(at=node.id),
        "bytes": changed(problem, graph=sent), "groups": changed(problem, graph=apart),
    }  # fmt: skip


@pytest.mark.parametrize("name", unlike(draw(0)))
def test_nodes_that_differ_or_matter_are_no_pool(name: str) -> None:
    assert pooled(asked(unlike(draw(0))[name])) is None


def test_other_goals_have_no_pool() -> None:
    problem = draw(0)
    assert pooled(asked(problem, minimize={"latency": 1.0, "energy": 1.0})) is None
    assert pooled(asked(problem, minimize={"completion": 1.0})) is None
    assert pooled(asked(problem, limits={"cost": 1.0})) is None
    assert pooled(replace(asked(problem), start=None)) is not None
