"""Inputs of device placement of neural networks, and the splits that experts made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from foreign import converted, refused

import offload

NAME = "chain.json"


def text(**changes: Any) -> str:
    """Three layers in a row and their backward passes; CPUs take ten times as long.

    On two accelerators the middle layer alone and the outer two together each compute for 4 and
    transfer four tensors: 5. That leaves an accelerator and comes back; in contiguous parts the
    best is the first two layers, 6 and two tensors, and the last.
    """
    nodes = [
        _node(1, "a", 1, 1), _node(2, "b", 2, 2), _node(3, "c", 1, 3),
        _node(4, "c'", 1, 3, True), _node(5, "b'", 2, 2, 1), _node(6, "a'", 1, 1, True),
    ]  # fmt: skip
    edges = [
        {"sourceId": j, "destId": j + 1, "cost": 0.25, "size": 4.0} for j in (1, 2, 4, 5)
    ]  # fmt: skip
    document = {
        "maxSizePerFPGA": 100.0,
        "maxFPGAs": 2,
        "maxCPUs": 1,
        "nodes": nodes,
        "edges": edges,
    }
    return json.dumps(document | changes, indent=1)


def _node(number: int, name: str, time: int, color: int, backward: Any = 0) -> dict[str, Any]:
    return {
        "id": number, "name": name, "supportedOnFpga": 1, "cpuLatency": 10 * time,
        "fpgaLatency": time, "isBackwardNode": backward, "colorClass": color, "size": 10.0 * time,
    }  # fmt: skip


def test_nodes_are_tasks_and_devices_nodes(tmp_path: Path) -> None:
    problem = converted(tmp_path, NAME, text())
    assert problem.minimize == {"period": 1.0}
    assert [(node.id, node.kind, node.io, node.memory) for node in problem.network.nodes] == [
        ("accelerator0", "accelerator", "serial", 100.0),
        ("accelerator1", "accelerator", "serial", 100.0),
        ("cpu0", "cpu", "overlapped", None),
    ]  # fmt: skip
    assert [(l.src, l.dst, l.bandwidth, l.latency) for l in problem.network.links] == [
        ("accelerator0", "accelerator1", 1.0, 0.0), ("accelerator0", "cpu0", 1.0, 0.0),
        ("accelerator1", "cpu0", 1.0, 0.0),
    ]  # fmt: skip
    assert [task.id for task in problem.graph.tasks] == ["a", "b", "c", "c'", "b'", "a'"]
    assert problem.graph.tasks[1].time == {"kind:accelerator": 2.0, "kind:cpu": 20.0}
    assert [task.resident for task in problem.graph.tasks] == [10, 20, 10, 10, 20, 10]
    assert {(edge.bytes, edge.item) for edge in problem.graph.edges} == {(0.25, "output")}
    assert [(group.rule, group.tasks) for group in problem.graph.groups] == [
        ("together", ("a", "a'")), ("together", ("b", "b'")), ("together", ("c", "c'")),
        ("contiguous", ("a", "b", "c")),
    ]  # fmt: skip


def test_contiguity_costs_what_it_does_by_hand(tmp_path: Path) -> None:
    free = converted(tmp_path, NAME, text(), contiguous=False)
    assert "contiguous" not in {group.rule for group in free.graph.groups}
    assert "the forward nodes are contiguous is left out" in free.source
    result = offload.solve(free, method="cpsat")
    assert (result.status, result.objective) == ("optimal", 5.0)
    result = offload.solve(converted(tmp_path, NAME, text()), method="cpsat")
    assert (result.status, result.objective) == ("optimal", 6.5)


def test_what_an_accelerator_does_not_support_runs_on_cpus(tmp_path: Path) -> None:
    for no in ("0", "false"):
        document = text().replace('"supportedOnFpga": 1', f'"supportedOnFpga": {no}', 1)
        problem = converted(tmp_path, NAME, document)
        assert problem.graph.tasks[0].time == {"kind:cpu": 10.0}
        assert problem.tables.allowed_table[0].tolist() == [False, False, True]


def test_devices_that_there_are_none_of(tmp_path: Path) -> None:
    problem = converted(tmp_path, NAME, text(maxCPUs=0))
    assert [task.time for task in problem.graph.tasks[:2]] == [
        {"kind:accelerator": 1.0}, {"kind:accelerator": 2.0},
    ]  # fmt: skip
    assert refused(tmp_path, NAME, text(maxCPUs=0, maxFPGAs=0)) == [
        "$.maxFPGAs: with maxCPUs must be from 1 to 512, got 0; count again"
    ]
    assert refused(tmp_path, NAME, text(maxCPUs=500, maxFPGAs=13))[0].endswith("513; count again")


def test_names_used_twice_or_missing_get_the_id(tmp_path: Path) -> None:
    document = text().replace('"name": "b"', '"name": "a"').replace('"name": "c",', "")
    tasks = converted(tmp_path, NAME, document).graph.tasks
    assert [task.id for task in tasks] == ["a-1", "a-2", "node-3", "c'", "b'", "a'"]


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ('"destId": 3', '"destId": 9', "$.edges[1].destId: names no node, got 9; use the id"),
        ('"sourceId": 2', '"sourceId": 0', "$.edges[1].sourceId: names no node, got 0"),
        ('"id": 2', '"id": 1', "$.nodes[1].id: duplicate id, got 1"),
        ('"fpgaLatency": 2', '"fpgaLatency": -2', "$.nodes[1].fpgaLatency: must be >= 0, got -2"),
        ('"cpuLatency": 20,', "", "$.nodes[1].cpuLatency: is required, got nothing"),
        ('"size": 20.0', '"size": "20"', "$.nodes[1].size: must be a number, got '20'"),
        ('"isBackwardNode": 0', '"isBackwardNode": 2', "$.nodes[0].isBackwardNode: must be <= 1"),
        ('"colorClass": 2', '"colorClass": 1.5', "$.nodes[1].colorClass: must be "),
        ('"maxFPGAs": 2', '"maxFPGAs": -1', "$.maxFPGAs: must be >= 0, got -1"),
        ('"cost": 0.25', '"cost": NaN', "$.edges[0].cost: must be finite, got nan"),
        (
            '"sourceId": 2,\n   "destId": 3,\n   "cost": 0.25',
            '"sourceId": 1, "destId": 3, "cost": 0.5',
            "$.edges[1].cost: a tensor costs the same on all its edges, on edge 0 0.25, got 0.5",
        ),
        ('"sourceId": 2', '"sourceId": 3', "$.edges[1]: an edge must join two tasks"),
        ('"sourceId": 2,\n   "destId": 3', '"sourceId": 1, "destId": 2', "$.edges[1]: edge 0 has"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_path(
    tmp_path: Path, old: str, new: str, error: str
) -> None:
    assert old in text()
    assert refused(tmp_path, NAME, text().replace(old, new, 1))[0].startswith(error)


def test_a_cycle(tmp_path: Path) -> None:
    edges = [{"sourceId": i, "destId": j, "cost": 1} for i, j in ((1, 2), (2, 3), (3, 1))]
    error = refused(tmp_path, NAME, text(edges=edges))[0]
    assert error.startswith("$.edges[0]: the tasks wait for each other in a cycle")


def test_options_that_change_nothing(tmp_path: Path) -> None:
    with pytest.raises(offload.OffloadError, match=r"brings its own network; leave out processors"):
        converted(tmp_path, NAME, text(), processors=2)
    with pytest.raises(
        offload.OffloadError, match=r"is no profile of training; leave out inference"
    ):
        converted(tmp_path, NAME, text(), inference=True)


def test_every_file_of_the_set(data: Path) -> None:
    found = sorted((data / "dnn_partitioning").glob("*-inputs/*/*.json"))
    assert len(found) == 24
    for path in found:
        document = json.loads(path.read_text())
        problem = offload.convert(path)
        given = document["nodes"]
        assert [(task.id, task.resident) for task in problem.graph.tasks] == [
            (node["name"], node["size"]) for node in given
        ]
        assert [edge.bytes for edge in problem.graph.edges] == [
            edge["cost"] for edge in document["edges"]
        ]
        (convex,) = (group for group in problem.graph.groups if group.rule == "contiguous")
        assert len(convex.tasks) == sum(not node["isBackwardNode"] for node in given)
        kinds = [node.kind for node in problem.network.nodes]
        assert kinds.count("accelerator") == document["maxFPGAs"]
        assert kinds.count("cpu") == document["maxCPUs"]


def test_the_instance_that_comes_with_the_project(data: Path, instances: Path) -> None:
    path = data / "dnn_partitioning/throughput-inputs/LayerGraphs/bert24_inference.json"
    assert offload.convert(path).digest == offload.load(instances / "bert24-layers.json").digest


@pytest.mark.parametrize(
    ("instance", "split", "period"),
    [
        ("bert24_inference", "bert24_inference", "20.0840"),
        ("bert24_training", "bert24_training", "49.4049"),
        ("inceptionv3_inference", "inceptionv3_inference", "102.482"),
        ("resnet50_inference", "resnet50_inference", "43.9183"),
        ("gnmt_inference", "gnmt_inference", "46.2085"),
        ("gnmt_training", "gnmt_training", "137.154"),
        ("resnet50_training", "resnet50_inference", "112.108"),
    ],
)
def test_what_experts_made(data: Path, instance: str, split: str, period: str) -> None:
    """The experts' splits, contiguous all of them, hold and have the periods published."""
    folder = data / "dnn_partitioning"
    path = folder / f"throughput-inputs/LayerGraphs/{instance}.json"
    parts = json.loads((folder / f"human-experts/{split}_expert.json").read_text())
    assert parts["cpus"] == [{"load": 0.0, "nodes": []}]
    place = {number: k for k, part in enumerate(parts["fpgas"]) for number in part["nodes"]}
    given = json.loads(path.read_text())["nodes"]
    # The split of the forward pass alone places a backward node by its colour.
    colours = {node["colorClass"]: place[node["id"]] for node in given if node["id"] in place}
    nodes = [colours[node["colorClass"]] for node in given]
    assert all(place.get(node["id"], k) == k for node, k in zip(given, nodes, strict=True))
    problem = offload.convert(path)
    plan = offload.evaluate(problem, nodes, problem.tables.topological).plan()
    assert offload.check(problem, plan) == []
    digits = len(period.partition(".")[2])
    assert f"{plan.metrics['period']:.{digits}f}" == period
