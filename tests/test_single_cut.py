"""Single cuts and filled nodes: the best of all cuts, and the least share that fits."""

from __future__ import annotations

import random
import time
from itertools import combinations, permutations, product

import numpy as np
import pytest

import offload
from offload import Edge, Graph, Group, Link, Network, Node, Problem, Task
from offload.features import goal_of
from offload.heuristics.single_cut import best_cut, chains_of, placed
from offload.registry import Request


def layered(seed: int, tasks: int, nodes: int = 3, tiers: bool = True) -> Problem:
    """A random chain with skips on unlike nodes, its first task bound to the first."""
    dice = random.Random(seed)
    names = ("device", "edge", "cloud")
    made = tuple(
        Node(f"n{k}", names[min(k, 2)] if tiers else "edge", speed=1 + 3 * k, busy_power=1 + k)
        for k in range(nodes)
    )
    links = tuple(
        Link(a.id, b.id, bandwidth=dice.randint(2, 9), latency=0.1)
        for a, b in combinations(made, 2)
    )
    edges = [Edge(f"t{i}", f"t{i + 1}", dice.randint(1, 40)) for i in range(tasks - 1)]
    edges += [Edge(f"t{i}", f"t{i + 2}", dice.randint(1, 40)) for i in range(0, tasks - 2, 3)]
    works = [Task("t0", work=1, allow=("n0",))]
    works += [Task(f"t{i}", work=dice.randint(1, 20)) for i in range(1, tasks)]
    return Problem(network=Network(made, links), graph=Graph(tuple(works), tuple(edges)))


def asked(problem: Problem, goal: str, **limits: float) -> Request:
    return Request(problem, goal_of(problem, goal, limits), deadline=time.monotonic() + 60)


def all_cuts(problem: Problem) -> np.ndarray:
    """Node of each task of all cuts, by slices of the order; int[B, T]."""
    tables, rows = problem.tables, []
    order = tables.topological
    chains = [*permutations(range(3), 2), (0, 1, 2)]
    for chain in chains:
        for at in product(range(tables.tasks + 1), repeat=len(chain) - 1):
            if list(at) == sorted(at):
                nodes = np.full(tables.tasks, chain[-1])
                for part, end in reversed(list(enumerate(at))):
                    nodes[order[:end]] = chain[part]
                nodes[0] = 0  # where it is bound
                rows.append(nodes)
    return np.array(rows)


@pytest.mark.parametrize("goal", ["latency", "energy", "period"])
def test_it_is_the_best_of_all_cuts_by_any_goal(goal: str) -> None:
    for seed in range(4):
        problem = layered(seed, 8)
        made = offload.evaluate(problem, all_cuts(problem), problem.tables.topological)
        best = float(made.metrics[goal].min())
        found = offload.solve(problem, "single-cut", goal, time_limit=30)
        assert found.objective == pytest.approx(best, rel=1e-12)
        assert offload.check(problem, found.plan) == []


def test_a_limit_takes_cuts_away() -> None:
    problem = layered(1, 8)
    made = offload.evaluate(problem, all_cuts(problem), problem.tables.topological)
    energy, latency = made.metrics["energy"], made.metrics["latency"]
    limit = float(np.sort(energy)[len(energy) // 3])
    found = offload.solve(problem, "single-cut", "latency", {"energy": limit}, time_limit=30)
    assert found.objective == pytest.approx(float(latency[energy <= limit].min()), rel=1e-12)


def test_where_tasks_may_not_run_on_their_side() -> None:
    problem = layered(0, 5)
    tasks = list(problem.graph.tasks)
    tasks[2] = Task("t2", work=3, allow=("n1",))
    tasks[4] = Task("t4", work=3, allow=("n0", "n2"))
    bound = problem.replace(graph=Graph(tuple(tasks), problem.graph.edges))
    found = placed(bound.tables, (0, 1, 2), np.array([[5, 5], [0, 5], [0, 0], [2, 3]]))
    # t2 waits for n1 wherever it is; t4, cut to n1, goes on to n2 and not back to n0.
    assert found.tolist() == [
        [0, 0, 1, 0, 0], [0, 1, 1, 1, 2], [0, 2, 1, 2, 2], [0, 0, 1, 2, 2],
    ]  # fmt: skip


def test_groups_go_where_their_first_task_goes() -> None:
    problem = layered(0, 5)
    tied = problem.replace(
        graph=Graph(problem.graph.tasks, problem.graph.edges, (Group("together", ("t1", "t3")),))
    )
    found = placed(tied.tables, (0, 2), np.array([[0], [1], [2], [3]]))
    assert found.tolist() == [[0, 2, 2, 2, 2], [0, 2, 2, 2, 2], [0, 0, 2, 0, 2], [0, 0, 0, 0, 2]]


def test_chains_are_pairs_and_triples_of_tiers() -> None:
    up, rest = [(0, 1), (0, 2), (1, 2)], [(1, 0), (2, 0), (2, 1)]
    assert chains_of(layered(0, 3)) == [*up, (0, 1, 2), *rest]
    assert chains_of(layered(0, 3, tiers=False)) == list(permutations(range(3), 2))
    assert chains_of(layered(0, 3, nodes=1)) == [(0,)]


def test_finer_grids_find_what_all_cuts_have(monkeypatch: pytest.MonkeyPatch) -> None:
    near = 0
    for seed in range(6):
        problem = layered(seed, 60)
        whole = best_cut(asked(problem, "period"))
        with monkeypatch.context() as fewer:
            fewer.setattr("offload.heuristics.single_cut._CELLS", 1)
            coarse = best_cut(asked(problem, "period"))
        assert whole is not None
        assert coarse is not None
        assert coarse[1].metrics["period"] >= whole[1].metrics["period"] * (1 - 1e-12)
        near += coarse[1].metrics["period"] <= whole[1].metrics["period"] * 1.02
    assert near >= 4


# -- fill ----------------------------------------------------------------------------------------


def test_nodes_are_filled_in_turn_to_the_least_load() -> None:
    for seed in range(5):
        problem = layered(seed, 9)
        works = np.array([task.work for task in problem.graph.tasks])
        best = np.inf
        for a, b in product(range(1, 10), repeat=2):  # the first task is bound to the first node
            if a <= b:
                parts = works[:a].sum(), works[a:b].sum() / 4, works[b:].sum() / 7
                best = min(best, max(parts))
        found = offload.solve(problem, "fill", "period", time_limit=30)
        assert found.objective == pytest.approx(best, rel=1e-5)


def test_memory_ends_a_stretch() -> None:
    nodes = tuple(Node(f"n{k}", speed=1, memory=5) for k in range(3))
    tasks = tuple(Task(f"t{i}", work=1, resident=2) for i in range(5))
    edges = tuple(Edge(f"t{i}", f"t{i + 1}", 1) for i in range(4))
    links = tuple(Link(a.id, b.id, bandwidth=1) for a, b in combinations(nodes, 2))
    problem = Problem(network=Network(nodes, links), graph=Graph(tasks, edges))
    found = offload.solve(problem, "fill", "period", time_limit=30)
    assert found.plan is not None
    assert found.plan.nodes.tolist() == [0, 0, 1, 1, 2]


def test_stretches_are_contiguous(instances) -> None:  # type: ignore[no-untyped-def]
    problem = offload.load(instances / "bert24-layers.json")
    group = Group("contiguous", tuple(problem.tables.task_ids))
    graph = Graph(problem.graph.tasks, problem.graph.edges, (*problem.graph.groups, group))
    found = offload.solve(problem.replace(graph=graph), "fill", time_limit=30)
    assert found.plan is not None
    assert offload.check(problem.replace(graph=graph), found.plan) == []
