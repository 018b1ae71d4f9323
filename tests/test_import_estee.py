"""Task graphs of Estee."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from foreign import converted, refused

import offload

NAME = "small.json"
# t0 makes two outputs: of 1 MiB, which t1 and t2 read, and of 0.5 MiB, which t2 reads. t1 reads
# what t3, which stands behind it, makes.
SAMPLE: dict[str, Any] = {
    "graph_name": "small", "graph_id": "1",
    "graph": [
        {"d": 2.0, "e_d": None, "cpus": 1, "outputs": [{"s": 1.0, "e_s": 9.0}, {"s": 0.5}],
         "inputs": []},
        {"d": 3, "e_d": 4, "cpus": 2, "outputs": [], "inputs": [[0, 0], [3, 0]]},
        {"d": 4.5, "e_d": 4, "cpus": 1, "outputs": [], "inputs": [[0, 0], [0, 1]]},
        {"d": 1.0, "e_d": 4, "cpus": 1, "outputs": [{"s": 2.0, "e_s": 2.0}], "inputs": []},
    ],
}  # fmt: skip


def test_outputs_are_items_and_cores_slots(tmp_path: Path) -> None:
    problem = converted(tmp_path, NAME, json.dumps(SAMPLE), processors=2)
    assert [(task.id, task.work, task.slots) for task in problem.graph.tasks] == [
        ("t0", 2.0, 1), ("t1", 3.0, 2), ("t2", 4.5, 1), ("t3", 1.0, 1),
    ]  # fmt: skip
    assert [(e.src, e.dst, e.bytes, e.item) for e in problem.graph.edges] == [
        ("t0", "t1", 2.0**20, "o0"), ("t3", "t1", 2.0**21, "o0"), ("t0", "t2", 2.0**20, "o0"),
        ("t0", "t2", 2.0**19, "o1"),
    ]  # fmt: skip
    assert [node.slots for node in problem.network.nodes] == [2, 2]
    assert "Processors have 2 slots, as many as the widest task occupies" in problem.source
    assert "sizes MiB" in problem.source


def test_times_worked_out_by_hand(tmp_path: Path) -> None:
    # All on one processor of two slots: t0 and t3 from 0, t2 from 2 to 6.5 beside nothing, since
    # t1 occupies both slots, from 6.5 to 9.5.
    text = json.dumps(SAMPLE)
    alone = converted(tmp_path, NAME, text, processors=1)
    evaluation = offload.evaluate(alone, [[0, 0, 0, 0]], [[0, 3, 2, 1]])
    assert evaluation.finish.tolist() == [[2.0, 9.5, 6.5, 1.0]]
    # t1 apart, at 1 MiB a second: the item of t0 comes at 2 + 1, that of t3 at 1 + 2.
    apart = converted(tmp_path, NAME, text, processors=2, bandwidth=2**20)
    evaluation = offload.evaluate(apart, [[0, 1, 0, 0]], [[0, 3, 2, 1]])
    assert evaluation.finish.tolist() == [[2.0, 6.0, 6.5, 1.0]]


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("[3, 0]", "[4, 0]", "$.graph[1].inputs[1]: names no task, got 4; from 0 to 3"),
        ("[3, 0]", "[3, 1]", "$.graph[1].inputs[1]: names no output, got 1; task 3 has 1 outputs"),
        ("[3, 0]", "[3]", "$.graph[1].inputs[1]: must be a task and an output, got [3]"),
        ("[3, 0]", "[1, 0]", "$.graph[1].inputs[1]: names no output, got 0"),
        ("[3, 0]", "[0, 0]", "$.graph[1].inputs[1]: edge 0 has the same ends and item"),
        ("[3, 0]", "[-1, 0]", "$.graph[1].inputs[1][0]: must be >= 0, got -1"),
        ("4.5", "-4.5", "$.graph[2].d: must be >= 0, got -4.5"),
        ("4.5", '"4.5"', "$.graph[2].d: must be a number, got '4.5'"),
        ('"cpus": 2', '"cpus": 0', "$.graph[1].cpus: must be >= 1, got 0"),
        ('"cpus": 2', '"cpus": 1.5', "$.graph[1].cpus: must be an integer, got 1.5"),
        ('{"d": 3, ', "{", "$.graph[1].d: is required, got nothing"),
    ],
)
def test_what_is_wrong_is_named_with_its_path(
    tmp_path: Path, old: str, new: str, error: str
) -> None:
    document = json.dumps(SAMPLE).replace(old, new, 1)
    assert refused(tmp_path, NAME, document, processors=2)[0].startswith(error)


def test_a_cycle(tmp_path: Path) -> None:
    made = json.loads(json.dumps(SAMPLE))
    made["graph"][1]["outputs"] = [{"s": 1}]
    made["graph"][3]["inputs"] = [[1, 0]]
    assert refused(tmp_path, NAME, json.dumps(made), processors=2)[0].startswith(
        "$.graph[3].inputs[0]: the tasks wait for each other in a cycle"
    )


def test_a_file_cut_short(tmp_path: Path) -> None:
    document = json.dumps(SAMPLE, indent=1)
    assert refused(tmp_path, NAME, document[:400], processors=2)[0].startswith(
        "line 40 column 1: not JSON"
    )


def test_every_file_of_the_library(data: Path) -> None:
    found = sorted((data / "estee").rglob("*.json"))
    assert len(found) == 60
    for path in found:
        tasks = json.loads(path.read_text())["graph"]
        graph = offload.convert(path, processors=2).graph
        assert [(task.work, task.slots) for task in graph.tasks] == [
            (task["d"], task["cpus"]) for task in tasks
        ]
        got = sorted((int(e.src[1:]), int(e.dst[1:]), e.item, e.bytes) for e in graph.edges)
        assert got == sorted(
            (j, i, f"o{k}", tasks[j]["outputs"][k]["s"] * 1048576)
            for i, task in enumerate(tasks) for j, k in task["inputs"]
        )  # fmt: skip
