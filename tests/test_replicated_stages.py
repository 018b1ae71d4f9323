"""Pipelines with replicated stages, against PipeDream's figure and brute force."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest

import offload
from offload import Edge, Graph, Group, Link, Network, Node, Problem, Task

RATE = 8.0  # bytes a second between two workers


def network(nodes: int = 2, **fields: Any) -> Network:
    """Workers that are alike, each pair linked."""
    workers = [Node(f"p{k}", **fields) for k in range(nodes)]
    pairs = itertools.combinations([node.id for node in workers], 2)
    return Network(workers, [Link(a, b, bandwidth=RATE, latency=0.5) for a, b in pairs])


def trained(
    layers: list[tuple[float, float]], edges: list[tuple[int, int, float]], **fields: Any
) -> Problem:
    """Layers of seconds (a quarter of them forward) and bytes, with activations and gradients."""
    tasks = [Task(f"f{i}", work=c / 4, resident=w) for i, (c, w) in enumerate(layers)]
    tasks += [Task(f"b{i}", work=c * 3 / 4) for i, (c, _) in enumerate(layers)]
    made = [Edge(f"f{i}", f"f{j}", bytes=a, item="output") for i, j, a in edges]
    made += [Edge(f"b{j}", f"b{i}", bytes=a) for i, j, a in edges]
    groups = [Group("together", (f"f{i}", f"b{i}")) for i in range(len(layers))]
    groups.append(Group("contiguous", tuple(f"f{i}" for i in range(len(layers)))))
    return Problem(network=network(**fields), graph=Graph(tasks, made, groups))


def drawn(seed: int) -> tuple[list[tuple[float, float]], list[tuple[int, int, float]]]:
    """A few layers; every tensor has one size whoever reads it."""
    dice = random.Random(seed)
    count = dice.randint(1, 5)
    layers = [(dice.randint(0, 9) / 2, dice.choice([0.0, 1.0, 8.0, 40.0])) for _ in range(count)]
    size = [dice.choice([0.0, 2.0, 16.0]) for _ in range(count)]
    pairs = itertools.combinations(range(count), 2)
    return layers, [(i, j, size[i]) for i, j in pairs if dice.random() < 0.5]


def least(
    layers: list[tuple[float, float]], edges: list[tuple[int, int, float]], workers: int,
    transfers: bool = False, memory: float = float("inf"),
) -> tuple[float, int]:  # fmt: skip
    """Least period and the fewest workers for it, over all numbers of stages along the edges."""
    best = (float("inf"), 0)
    for count in range(1, min(len(layers), workers) + 1):
        for stage in itertools.product(range(count), repeat=len(layers)):
            if len(set(stage)) < count or any(stage[i] > stage[j] for i, j, _ in edges):
                continue
            for replicas in itertools.product(range(1, workers + 1), repeat=count):
                if sum(replicas) <= workers:
                    period = longest(layers, edges, stage, replicas, transfers, memory)
                    best = min(best, (period, sum(replicas)))
    return best


def longest(
    layers: list[tuple[float, float]], edges: list[tuple[int, int, float]],
    stage: tuple[int, ...], replicas: tuple[int, ...], transfers: bool, memory: float,
) -> float:  # fmt: skip
    """The slowest stage by the formula."""
    times = []
    for s, r in enumerate(replicas):
        c = sum(layers[i][0] for i in range(len(layers)) if stage[i] == s)
        w = sum(layers[i][1] for i in range(len(layers)) if stage[i] == s)
        times.append((c + 4 * (r - 1) * w / (r * RATE)) / r if w <= memory else float("inf"))
        for cut in (s, s + 1) if transfers else ():
            crossing = [(i, a) for i, j, a in edges if stage[i] < cut <= stage[j]]
            # Each tensor once, and a gradient from each reader.
            moved = sum(dict(crossing).values()) + sum(a for _, a in crossing)
            times.append(moved / (RATE * r))
    return max(times)


def test_the_stages_of_vgg16(data: Path) -> None:
    problem = offload.convert(
        data / "pipedream/profiles/vgg16.graph.txt", processors=4, bandwidth=5e9
    )
    found = offload.replicated_stages(problem)
    assert found.replicas == (3, 1)
    assert f"{found.period:.6f}" == "0.170796"
    assert found.optimal
    first, second = found.stages
    assert (first.tasks[0], first.tasks[-1]) == ("node2", "node16-backward")
    assert first.seconds == pytest.approx(
        (first.compute + 4 * 2 * first.parameter_bytes / (3 * 5e9)) / 3, rel=1e-12
    )
    assert second.synchronisation == 0.0
    assert second.parameter_bytes > 70 * first.parameter_bytes


def test_profiles_without_a_chain(data: Path) -> None:
    for name, optimal in (("resnet50", True), ("densenet121", True), ("inception_v3", False)):
        problem = offload.convert(
            data / f"pipedream/profiles/{name}.graph.txt", processors=4, bandwidth=5e9
        )
        found = offload.replicated_stages(problem)
        total = sum(task.work or 0.0 for task in problem.graph.tasks)
        assert found.optimal == optimal
        assert total / 4 * (1 - 1e-9) <= found.period < total / 3
        names = [name for stage in found.stages for name in stage.tasks]
        assert sorted(names) == sorted(task.id for task in problem.graph.tasks)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("transfers", [False, True])
def test_as_brute_force(seed: int, transfers: bool) -> None:
    layers, edges = drawn(seed)
    problem = trained(layers, edges)
    before = float("inf")
    for workers in (1, 2, 3, 4):
        found = offload.replicated_stages(problem, workers, transfers=transfers)
        period, used = least(layers, edges, workers, transfers)
        assert found.optimal
        assert found.period == pytest.approx(period, rel=1e-9, abs=1e-12)
        assert sum(found.replicas) == used
        assert found.period <= before * (1 + 1e-12)  # more workers never hurt
        before = found.period


@pytest.mark.parametrize("seed", range(20))
def test_parameters_fit_a_worker(seed: int) -> None:
    layers, edges = drawn(seed)
    problem = trained(layers, edges, memory=41.0)
    period, used = least(layers, edges, 3, memory=41.0)
    if period == float("inf"):
        with pytest.raises(offload.OffloadError, match="resident bytes do not fit on 3 workers"):
            offload.replicated_stages(problem, 3)
    else:
        found = offload.replicated_stages(problem, 3)
        assert found.period == pytest.approx(period, rel=1e-9, abs=1e-12)
        assert sum(found.replicas) == used


def test_stages_follow_the_edges_of_the_forward_pass() -> None:
    layers, edges = drawn(7)
    found = offload.replicated_stages(trained(layers, edges), 4)
    place = {name: s for s, stage in enumerate(found.stages) for name in stage.tasks}
    assert len(place) == 2 * len(layers)
    for i in range(len(layers)):
        assert place[f"f{i}"] == place[f"b{i}"]
    assert all(place[f"f{i}"] <= place[f"f{j}"] for i, j, _ in edges)


def test_workers_that_bring_nothing_stay_unused() -> None:
    # A second replica would take (6 + 4 * 60 / (2 * 8)) / 2 = 10.5 s in place of 6.
    found = offload.replicated_stages(trained([(6.0, 60.0)], []))
    assert (found.period, found.replicas, found.workers) == (6.0, (1,), 2)
    found = offload.replicated_stages(trained([(6.0, 2.0)], []))
    assert (found.period, found.replicas) == ((6 + 4 * 2 / (2 * 8)) / 2, (2,))


def test_tasks_alone_are_layers_without_groups() -> None:
    graph = Graph([Task("a", work=2.0), Task("b", work=4.0)], [Edge("a", "b", bytes=1.0)])
    found = offload.replicated_stages(Problem(network=network(3), graph=graph))
    assert (found.period, found.replicas) == (2.0, (3,))
    found = offload.replicated_stages(Problem(network=network(1), graph=graph))
    assert (found.period, found.replicas) == (6.0, (1,))


def test_a_graph_with_too_many_ideals_is_cut_along_one_order() -> None:
    layers = [(float(i % 3 + 1), 1e6) for i in range(15)]
    found = offload.replicated_stages(trained(layers, []), 3)
    assert not found.optimal
    assert str(found).endswith(", not proved: one order of the layers")
    assert found.replicas == (1, 1, 1)
    assert sum(stage.compute for stage in found.stages) == 30.0
    # 1, 2, 3, 1, 2, 3, ...: in another order three stages of 10 s would be possible.
    assert found.period == max(stage.compute for stage in found.stages) == 11.0


def test_the_table() -> None:
    found = offload.replicated_stages(trained([(4.0, 0.0), (1.0, 80.0)], [(0, 1, 16.0)]), 3)
    assert str(found) == "2 stages, replicas 2-1, on 3 of 3 workers: period 2 s"
    frame = found.to_frame()
    assert list(frame) == [
        "stage", "first", "last", "tasks", "replicas", "compute", "synchronisation", "transfer",
        "parameter_bytes", "seconds", "share",
    ]  # fmt: skip
    assert frame.iloc[0].tolist() == [1, "f0", "b0", 2, 2, 4.0, 0.0, 0.0, 0.0, 2.0, 1.0]
    assert frame.iloc[1].tolist() == [2, "f1", "b1", 2, 1, 1.0, 0.0, 0.0, 80.0, 1.0, 0.5]
    assert found._repr_html_().startswith("<p>2 stages, replicas 2-1,")
    # An activation and its gradient: 32 bytes at 8 a second to the one worker of the second stage.
    slower = offload.replicated_stages(
        trained([(4.0, 0.0), (1.0, 80.0)], [(0, 1, 16.0)]), 3, transfers=True
    )
    assert slower.period == 4.0
    again = offload.replicated_stages(trained([(4.0, 0.0), (1.0, 80.0)], [(0, 1, 16.0)]), 3)
    assert again == found


def test_an_instance_without_tasks() -> None:
    found = offload.replicated_stages(Problem(network=network(2)))
    assert (found.stages, found.period) == ((), 0.0)
    assert found.to_frame().empty


CHAIN = trained([(1.0, 10.0), (1.0, 10.0)], [(0, 1, 1.0)])


@pytest.mark.parametrize(
    ("workers", "error"),
    [
        (0, r"^workers: must be a whole number, 1 or more, got 0"),
        (1.5, r"^workers: must be a whole number, 1 or more, got 1\.5"),
        (1_000_000, r"^workers: must be at most \d+ for 2 layers, got 1000000; take fewer"),
    ],
)
def test_workers_that_are_none(workers: Any, error: str) -> None:
    with pytest.raises(offload.OffloadError, match=error):
        offload.replicated_stages(CHAIN, workers)


def changed(problem: Problem, nodes: dict[str, Any], links: dict[str, Any]) -> Problem:
    """The problem with another second node, and another first link."""
    first, *rest = problem.network.links
    second = Link(first.src, first.dst, **{"bandwidth": RATE, **links})
    workers = (problem.network.nodes[0], Node("p1", **nodes))
    workers += tuple(problem.network.nodes[2:])
    return problem.replace(network=Network(workers, (second, *rest)))


def test_workers_that_are_not_alike() -> None:
    for fields in ({"speed": 2.0}, {"memory": 1e9}):
        with pytest.raises(
            offload.InstanceError,
            match=r"^\$\.network\.nodes\[1\]: must take the times and have the memory of 'p0'",
        ):
            offload.replicated_stages(changed(CHAIN, fields, {}))
    three = trained([(1.0, 1.0)], [], nodes=3)
    with pytest.raises(
        offload.InstanceError, match=r"one bandwidth .* from 'p0' to 'p1', got 32\.0"
    ):
        offload.replicated_stages(changed(three, {}, {"bandwidth": 32.0}))
    apart = CHAIN.replace(network=Network(CHAIN.network.nodes, ()))
    with pytest.raises(offload.InstanceError, match=r"^\$\.network\.links: must have one bandwid"):
        offload.replicated_stages(apart)
    with pytest.raises(offload.InstanceError, match=r"^\$\.network\.nodes: must have a node"):
        offload.replicated_stages(Problem())
    alone = trained([(1.0, 1.0)], [], nodes=1)
    with pytest.raises(offload.OffloadError, match="workers: must be 1 on a network of one node"):
        offload.replicated_stages(alone, 2)


def test_requirements_without_a_place_in_the_model() -> None:
    serial = trained([(1.0, 1.0)], [], io="serial")
    with pytest.raises(offload.Unsupported, match="does not honour: serial-io"):
        offload.replicated_stages(serial)
    late = CHAIN.replace(limits={"latency": 1.0})
    with pytest.raises(offload.Unsupported, match="does not honour: limits"):
        offload.replicated_stages(late)


def test_a_layer_too_large() -> None:
    with pytest.raises(
        offload.InstanceError, match=r"\$\.graph\.tasks\[1\]: its layer's resident .*, got 20\.0"
    ):
        offload.replicated_stages(trained([(1.0, 1.0), (1.0, 20.0)], [], memory=10.0))


def test_layers_that_are_none() -> None:
    groups = [group for group in CHAIN.graph.groups if group.rule == "together"]
    graph = Graph(CHAIN.graph.tasks, CHAIN.graph.edges, groups)
    with pytest.raises(
        offload.InstanceError, match=r"\$\.graph\.groups: layers .* in a cycle, .*contiguous"
    ):
        offload.replicated_stages(CHAIN.replace(graph=graph))
    graph = Graph((*CHAIN.graph.tasks, Task("x", work=1.0)), CHAIN.graph.edges, CHAIN.graph.groups)
    with pytest.raises(offload.InstanceError, match=r"\$\.graph\.tasks\[4\]: .*, got 'x'; tell"):
        offload.replicated_stages(CHAIN.replace(graph=graph))
