"""What each list scheduler and balancing policy does that the others do not."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

import offload
from offload import Edge, Graph, Group, Link, Network, Node, Problem, Task, registry
from offload.heuristics.policies import load_shares

LISTS = [entry.name for entry in registry.entries().values() if entry.kind == "list"]
POLICIES = [entry.name for entry in registry.entries().values() if entry.kind == "policy"]


def nodes_of(problem: Problem, method: str, **arguments: Any) -> list[int]:
    """Where a method puts the tasks."""
    result = offload.solve(problem, method, **arguments)
    assert result.plan is not None, result
    nodes: list[int] = result.plan.nodes.tolist()
    return nodes


def alike(count: int, *nodes: Node, **task: Any) -> Problem:
    """Independent tasks of one kind on a fully linked network."""
    links = [Link(a.id, b.id, bandwidth=1.0) for n, a in enumerate(nodes) for b in nodes[n + 1 :]]
    tasks = tuple(Task(f"t{i}", work=1, **task) for i in range(count))
    return Problem(network=Network(nodes, tuple(links)), graph=Graph(tasks))


def test_heft_fills_a_gap_left_by_a_longer_wait() -> None:
    # big waits on n0 for its input until 10; small, ranked last, still runs there before.
    nodes = (Node("n0"), Node("n1"))
    tasks = (
        Task("far", work=5, allow=("n1",)),
        Task("big", work=9, allow=("n0",)),
        Task("small", work=2, allow=("n0",)),
    )
    graph = Graph(tasks, (Edge("far", "big", 5),))
    problem = Problem(network=Network(nodes, (Link("n0", "n1", 1),)), graph=graph)
    plan = offload.solve(problem, "heft").plan
    assert plan is not None
    assert plan.parts.start.tolist() == [0, 10, 0]


def test_a_task_without_room_is_promised_some_in_a_second_try() -> None:
    # The first three are ranked first and prefer the fast node, where alone the last one fits.
    nodes = (Node("fast", speed=10, memory=10), Node("slow", memory=9))
    tasks = (
        *(Task(f"t{i}", work=10, resident=3) for i in range(3)),
        Task("large", work=1, resident=10),
    )
    problem = Problem(
        network=Network(nodes, (Link("fast", "slow", 1),)), graph=Graph(tasks)
    )  # fmt: skip
    for method in LISTS:
        assert nodes_of(problem, method) == [1, 1, 1, 0], method


def test_without_any_room_the_answer_is_unknown() -> None:
    # Three tasks of 2 bytes fill 6 bytes in all, but neither node has room for two of them.
    problem = alike(3, Node("a", memory=3), Node("b", memory=3), resident=2)
    for method in [*LISTS, *POLICIES]:
        result = offload.solve(problem, method)
        assert (result.status, result.plan) == ("unknown", None), method
        assert result.reason == "some task finds no node under the placement rules"


def test_round_robin_goes_round() -> None:
    assert nodes_of(alike(5, Node("a"), Node("b"), Node("c")), "round-robin") == [0, 1, 2, 0, 1]


def test_round_robin_passes_over_nodes_that_cannot() -> None:
    problem = alike(4, Node("a"), Node("hub", slots=0), Node("c"))
    assert nodes_of(problem, "round-robin") == [0, 2, 0, 2]


def test_the_least_loaded_node_is_that_of_least_time_or_count() -> None:
    # By time: a, then b (1 s against 0), then b again (1 s against 1/4 s), ...
    problem = alike(5, Node("a"), Node("b", speed=4))
    assert nodes_of(problem, "least-loaded") == [0, 1, 1, 1, 1]
    assert nodes_of(problem, "least-loaded", options={"load": "count"}) == [0, 1, 0, 1, 0]


def test_weighted_shares_follow_speed_and_slots() -> None:
    # Shares 1 * 1 : 2 * 2 : 1 * 5, of ten tasks.
    problem = alike(10, Node("a"), Node("b", slots=2, speed=2), Node("c", speed=5))
    assert np.bincount(nodes_of(problem, "weighted-share")).tolist() == [1, 4, 5]


def test_local_stays_on_the_device_and_cloud_leaves_it() -> None:
    nodes = (Node("srv", tier="cloud", speed=9), Node("cam", tier="device"), Node("edge"))
    links = (Link("srv", "cam", 1), Link("srv", "edge", 1), Link("cam", "edge", 1))
    tasks = (Task("a", work=1), Task("b", work=1), Task("c", work=1, allow=("edge",)))
    graph = Graph(tasks, (Edge("a", "b", 5), Edge("b", "c", 5)))
    problem = Problem(network=Network(nodes, links), graph=graph)
    assert nodes_of(problem, "local") == [1, 1, 2]
    assert nodes_of(problem, "cloud") == [0, 0, 2]


def test_data_goes_to_its_readers_and_work_to_the_fast() -> None:
    # Reading 100 B takes 100 s against 1 s of work; the heavy task has no input at all.
    nodes = (Node("fast", speed=10), Node("store"))
    tasks = (Task("heavy", work=50), Task("s", work=1, allow=("store",)), Task("r", work=1))
    graph = Graph(tasks, (Edge("s", "r", 100),))
    problem = Problem(network=Network(nodes, (Link("fast", "store", 1),)), graph=graph)
    assert nodes_of(problem, "by-intensity") == [0, 1, 1]


def test_random_placements_differ_by_seed() -> None:
    problem = alike(12, Node("a"), Node("b"), Node("c"))
    assert len({tuple(nodes_of(problem, "random", seed=seed)) for seed in range(8)}) == 8


def test_policies_keep_groups() -> None:
    problem = alike(6, Node("a"), Node("b"), Node("c"))
    groups = (Group("together", ("t0", "t4")), Group("apart", ("t0", "t1", "t2")))
    problem = problem.replace(graph=msgspec.structs.replace(problem.graph, groups=groups))
    for method in [*LISTS, *POLICIES]:
        nodes = nodes_of(problem, method)
        assert nodes[0] == nodes[4], method
        assert len({nodes[0], nodes[1], nodes[2]}) == 3, method


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("heft", {"average": "mean"}, "options.average: must be one of pairs, saga, got 'mean'"),
        ("least-loaded", {"load": "bytes"}, "options.load: must be 'time' or 'count', got 'bytes'"),
        ("cloud", {"load": "time"}, "options.load: method 'cloud' has no such option; known: none"),
        ("heft", {"avrage": 1}, "options.avrage: method 'heft' has no such option; known: average"),
    ],
)
def test_options_that_mean_nothing(method: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(offload.OffloadError, match=message):
        offload.solve(alike(2, Node("a"), Node("b")), method, options=options)


@pytest.mark.parametrize(
    ("weights", "times"), [([1, -1], [1, 1]), ([0, 0], [1, 1]), ([1, 1], [0, 0])]
)
def test_shares_of_nothing(weights: list[float], times: list[float]) -> None:
    with pytest.raises(
        offload.OffloadError, match=r"weights \* times: must be >= 0 with a sum > 0"
    ):
        load_shares(weights, times)
