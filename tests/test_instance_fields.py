"""Fields of an instance by path: what each names, and what an error says would be right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from command_line import street

import offload
from offload import Edge, Graph, Link, Network, Node, Problem, Task
from offload.instance_fields import changed, field_of
from offload.problem import Codec, Data, Mode


@pytest.fixture(scope="module")
def full() -> Problem:
    """Something of everything, with dashes in ids."""
    nodes = (
        Node("cam-0", tier="device", tags=("red",), memory=8.0, modes=(Mode("eco", 0.5, 1.0),)),
        Node("edge", kind="box", slots=2), Node("cloud", tier="cloud", speed=4.0),
    )  # fmt: skip
    links = (
        Link("cam-0", "edge", bandwidth=10.0, channels=2), Link("edge", "cloud", duplex="simplex"),
        Link("cloud", "edge", bandwidth=20.0, duplex="simplex"),
    )  # fmt: skip
    tasks = (
        Task("a", work=1, reads=("map",)), Task("b", time={"*": 2.0, "cloud": 1.0}, memory=1.0),
        Task("c", work=3, memory={"*": 2.0}),
    )  # fmt: skip
    edges = (
        Edge("a", "b", 5, item="frame"), Edge("a", "c", 5, item="frame"),
        Edge("b", "c", 2, codecs=("zip",)),
    )  # fmt: skip
    return Problem(
        network=Network(nodes, links), graph=Graph(tasks, edges),
        data=(Data("map", 7.0, ("cloud",)),), codecs=(Codec("zip", 2.0, 0.1, 0.1),),
        limits={"energy": 9.0},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "read"),
    [
        ("network.nodes[edge].speed", 3.0, lambda p: p.network.nodes[1].speed),
        ("$.network.nodes[1].speed", 3.0, lambda p: p.network.nodes[1].speed),
        ("network.nodes[cam-0].memory", None, lambda p: p.network.nodes[0].memory),
        ("network.nodes[0].modes[eco].speed", 0.25, lambda p: p.network.nodes[0].modes[0].speed),
        ("network.nodes[edge].slots", 4.0, lambda p: p.network.nodes[1].slots),
        ("network.nodes[edge].io", "serial", lambda p: p.network.nodes[1].io),
        ("network.links[cam-0-edge].bandwidth", 1.5, lambda p: p.network.links[0].bandwidth),
        ("network.links[edge-cam-0].bandwidth", 1.5, lambda p: p.network.links[0].bandwidth),
        ("network.links[edge->cloud].latency", 1.5, lambda p: p.network.links[1].latency),
        ("network.links[cloud-edge].bandwidth", 1.5, lambda p: p.network.links[2].bandwidth),
        ("network.reference_bytes", 2.0, lambda p: p.network.reference_bytes),
        ("graph.tasks[a].work", 8.0, lambda p: p.graph.tasks[0].work),
        ("graph.tasks[b].time[cloud]", 8.0, lambda p: p.graph.tasks[1].time["cloud"]),
        ("graph.tasks[c].memory[*]", 8.0, lambda p: p.graph.tasks[2].memory["*"]),
        ("graph.tasks[b].divisible", False, lambda p: p.graph.tasks[1].divisible),
        ("graph.edges[b-c].bytes", 8.0, lambda p: p.graph.edges[2].bytes),
        ("data[map].bytes", 8.0, lambda p: p.data[0].bytes),
        ("codecs[zip].ratio", 3.0, lambda p: p.codecs[0].ratio),
        ("limits.energy", 3.0, lambda p: p.limits["energy"]),
        ("limits.cost", 3.0, lambda p: p.limits.get("cost")),
        ("minimize.energy", 0.5, lambda p: p.minimize.get("energy")),
        ("network.nodes[edge].speed", np.float64(3), lambda p: p.network.nodes[1].speed),
    ],
)  # fmt: skip
def test_a_path_names_one_field(full: Problem, path: str, value: Any, read: Any) -> None:
    assert len(field_of(full, path).places) == 1
    made = changed(full, {path: value})
    assert read(made) == value
    assert read(full) != value or value is False
    # Nothing else is changed.
    assert changed(made, {path: read(full)}) == full


@pytest.mark.parametrize(
    ("path", "chosen"),
    [
        ("network.nodes[*].speed", [1, 1, 1]), ("network.nodes[tier:edge].speed", [0, 1, 0]),
        ("network.nodes[kind:box].speed", [0, 1, 0]), ("network.nodes[tag:red].speed", [1, 0, 0]),
        ("network.links[*].latency", [1, 1, 1]),
        ("network.links[tier:device-tier:edge].latency", [1, 0, 0]),
        ("network.links[tier:edge-tier:device].latency", [1, 0, 0]),
        ("network.links[edge-tier:cloud].latency", [0, 1, 0]),
        ("network.links[*-edge].latency", [1, 0, 1]),
    ],
)  # fmt: skip
def test_a_path_names_a_group(full: Problem, path: str, chosen: list[int]) -> None:
    made = changed(full, {path: 7.0})
    part = made.network.nodes if "nodes" in path else made.network.links
    name = path.rpartition(".")[2]
    assert [int(getattr(one, name) == 7.0) for one in part] == chosen


def test_factors_multiply_what_is_there(full: Problem) -> None:
    made = changed(full, {
        "network.links[*].bandwidth": "x0.5", "graph.tasks[b].time": "x3",
        "network.nodes[*].slots": "x2", "network.nodes[edge].speed": "x2e1",
    })  # fmt: skip
    assert [link.bandwidth for link in made.network.links] == [5.0, None, 10.0]
    assert made.graph.tasks[1].time == {"*": 6.0, "cloud": 3.0}
    assert [node.slots for node in made.network.nodes] == [2, 4, 2]
    assert made.network.nodes[1].speed == 20.0


def test_the_bytes_of_an_item_are_one_number(full: Problem) -> None:
    made = changed(full, {"graph.edges[a-b].bytes": 6.0})
    assert [edge.bytes for edge in made.graph.edges] == [6.0, 6.0, 2.0]


def test_no_limit_is_no_limit(full: Problem) -> None:
    assert changed(full, {"limits.energy": None}).limits == {}


@pytest.mark.parametrize(
    ("path", "value", "match"),
    [
        ("network.nodes[egde].speed", 1, "no node is so named, got 'egde'; did you mean 'edge'"),
        ("network.nodes[tier:egde].speed", 1, "got 'tier:egde'; did you mean 'tier:edge'"),
        ("network.links[cam-edge].latency", 1, "no link is so named.*did you mean 'cam-0-edge'"),
        ("network.links[cloud-cam-0].latency", 1, "no link is so named"),
        ("graph.edges[c-b].bytes", 1, "no edge is so named, got 'c-b'; did you mean 'a-b'"),
        ("network.node[edge].speed", 1, "network has no field 'node'.*did you mean 'nodes'"),
        ("network.nodes[edge].spede", 1, r"no field 'spede'.*did you mean 'speed'"),
        ("network.nodes.speed", 1, r"does not say which.*write network.nodes\[...\].speed"),
        ("network.nodes[edge]", 1, "ends before a field.*add a field"),
        ("network[edge].speed", 1, "network is no list"),
        ("network.nodes[edge].tags", 1, "is no number"),
        ("network.nodes[edge].id", 1, "has no field 'id'"),
        ("graph.tasks[b].time", 1, r'is a map.*graph.tasks\[b\].time\[KEY\].*"x2"'),
        ("graph.tasks[b].time[clod]", 1, "no such entry.*did you mean 'cloud'"),
        ("limits.enrgy", 1, "is no metric, got 'enrgy'; did you mean 'energy'"),
        ("limits", 1, "does not say which metric"),
        ("bandwidth of all", 1, "cannot be read"),
        ("", 1, "cannot be read"),
        ("network.nodes[edge].speed", -1, r"nodes\[edge\].speed: must be > 0, got -1"),
        ("network.nodes[edge].speed", "fast", "must be a number, got 'fast'.*x0.5"),
        ("network.nodes[edge].speed", None, "must be a number, got None"),
        ("network.nodes[edge].slots", 1.5, "must be an integer, got 1.5"),
        ("graph.tasks[a].slots", 9, r"can run nowhere.*\(with graph.tasks\[a\].slots changed\)"),
        ("network.nodes[edge].slots", "x1.25", "must be a whole number, and 2 x1.25 is 2.5"),
        ("network.nodes[edge].io", "serail", "did you mean 'serial'"),
        ("network.nodes[edge].memory", "x2", "has nothing to multiply"),
        ("graph.tasks[b].divisible", "x2", "is no number to multiply, got False"),
        ("codecs[zip].ratio", 0.5, r"codecs\[zip\].ratio: must be >= 1, got 0.5"),
    ],
)  # fmt: skip
def test_errors_say_what_would_be_right(full: Problem, path: str, value: Any, match: str) -> None:
    with pytest.raises(offload.OffloadError, match=match):
        changed(full, {path: value})


def test_ends_that_may_be_read_in_two_ways_are_an_error_that_names_both() -> None:
    nodes = [Node(name) for name in ("a", "a-b", "b-c", "c")]
    links = [Link("a-b", "c", bandwidth=1.0), Link("a", "b-c", bandwidth=1.0)]
    problem = Problem(network=Network(nodes, links))
    with pytest.raises(offload.OffloadError, match=r"may mean a-b->c and a->b-c.*write"):
        changed(problem, {"network.links[a-b-c].bandwidth": 2.0})
    made = changed(problem, {"network.links[a-b->c].bandwidth": 2.0})
    assert [link.bandwidth for link in made.network.links] == [2.0, 1.0]


def test_a_wrong_value_of_a_group_is_one_error() -> None:
    message = r"^network\.nodes\[\*\]\.speed: must be > 0, got 0; write more than 0$"
    with pytest.raises(offload.InstanceError, match=message):
        changed(street(), {"network.nodes[*].speed": 0})
