"""WfCommons' WfFormat, schema 1.4 to 1.6."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from foreign import converted, refused

import offload

NAME = "split-001.json"
# split writes chunk.a, which left and right read, and log, which nobody reads; right also reads
# in.txt, as split does, from outside; join reads what left writes, and waits for right, whose
# parent it is without a file.
SAMPLE: dict[str, Any] = {
    "name": "split-instance.json",
    "description": "four tasks",
    "schemaVersion": "1.5",
    "workflow": {
        "specification": {
            "tasks": [
                {"name": "split", "id": "split_1", "parents": [], "children": ["left_2", "right_3"],
                 "inputFiles": ["in.txt"], "outputFiles": ["chunk.a", "log"]},
                {"name": "left", "id": "left_2", "parents": ["split_1"], "children": ["join_4"],
                 "inputFiles": ["chunk.a"], "outputFiles": ["half"]},
                {"name": "right", "id": "right_3", "parents": ["split_1"], "children": ["join_4"],
                 "inputFiles": ["in.txt", "chunk.a"], "outputFiles": []},
                {"name": "join", "id": "join_4", "parents": ["left_2", "right_3"], "children": [],
                 "inputFiles": ["half"], "outputFiles": ["all"]},
            ],
            "files": [
                {"id": "in.txt", "sizeInBytes": 1000}, {"id": "chunk.a", "sizeInBytes": 400},
                {"id": "log", "sizeInBytes": 7}, {"id": "half", "sizeInBytes": 200},
                {"id": "all", "sizeInBytes": 1},
            ],
        },
        "execution": {
            "makespanInSeconds": 9.0, "executedAt": "2024-01-01T00:00:00Z",
            "tasks": [
                {"id": "split_1", "runtimeInSeconds": 2.5, "memoryInBytes": 87824,
                 "machines": ["m"]},
                {"id": "left_2", "runtimeInSeconds": 4, "coreCount": 2},
                {"id": "right_3", "runtimeInSeconds": 0},
                {"id": "join_4", "runtimeInSeconds": 1.5},
            ],
            "machines": [{"nodeName": "m", "cpu": {"coreCount": 8, "speedInMHz": 2000}}],
        },
    },
}  # fmt: skip

# The same workflow as 1.4 has it: parents by name, files in the tasks.
OLD: dict[str, Any] = {
    "name": "split",
    "schemaVersion": "1.4",
    "workflow": {
        "makespanInSeconds": 9.0, "executedAt": "2024-01-01T00:00:00Z",
        "machines": [{"nodeName": "m", "cpu": {"count": 8, "speed": 2000}}],
        "tasks": [
            {"name": "split_1", "id": "1", "type": "compute", "runtimeInSeconds": 2.5,
             "files": [{"name": "in.txt", "sizeInBytes": 1000, "link": "input"},
                       {"name": "chunk.a", "sizeInBytes": 400, "link": "output"},
                       {"name": "log", "sizeInBytes": 7, "link": "output"}]},
            {"name": "left_2", "id": "2", "type": "compute", "runtimeInSeconds": 4, "cores": 2,
             "parents": ["split_1"],
             "files": [{"name": "chunk.a", "sizeInBytes": 399, "link": "input"},
                       {"name": "half", "sizeInBytes": 200, "link": "output"}]},
            {"name": "right_3", "id": "3", "type": "compute", "runtimeInSeconds": 0,
             "parents": ["split_1"],
             "files": [{"name": "in.txt", "sizeInBytes": 1000, "link": "input"},
                       {"name": "chunk.a", "sizeInBytes": 400, "link": "input"}]},
            {"name": "join_4", "id": "4", "type": "compute", "runtimeInSeconds": 1.5,
             "parents": ["left_2", "right_3"],
             "files": [{"name": "half", "sizeInBytes": 200, "link": "input"},
                       {"name": "all", "sizeInBytes": 1, "link": "output"}]},
        ],
    },
}  # fmt: skip


def text(document: dict[str, Any] = SAMPLE) -> str:
    return json.dumps(document, indent=1)


def edges(problem: offload.Problem) -> list[tuple[str, str, float, str | None]]:
    return [(edge.src, edge.dst, edge.bytes, edge.item) for edge in problem.graph.edges]


EDGES = [
    ("split_1", "left_2", 400.0, "chunk.a"), ("split_1", "right_3", 400.0, "chunk.a"),
    ("left_2", "join_4", 200.0, "half"), ("right_3", "join_4", 0.0, None),
]  # fmt: skip


def test_a_file_read_by_several_tasks_is_one_item(tmp_path: Path) -> None:
    problem = converted(tmp_path, NAME, text(), processors=2, speed=1)
    assert edges(problem) == EDGES
    assert [(task.id, task.work, task.slots) for task in problem.graph.tasks] == [
        ("split_1", 2.5, 1), ("left_2", 4.0, 2), ("right_3", 0.0, 1), ("join_4", 1.5, 1),
    ]  # fmt: skip
    assert problem.name == "split-001"
    assert problem.description == "split-instance.json: four tasks"


def test_the_item_moves_once(tmp_path: Path) -> None:
    # split on one node, left and right on the other: chunk.a moves once, 400 bytes at 100 a second.
    problem = converted(tmp_path, NAME, text(), processors=2, speed=1, bandwidth=100)
    evaluation = offload.evaluate(problem, [[0, 1, 1, 1]], [[0, 1, 2, 3]])
    assert evaluation.metrics["traffic"].tolist() == [400.0]
    assert evaluation.metrics["latency"].tolist() == [2.5 + 4 + 4 + 1.5]


def test_schemas_4_and_6_say_the_same(tmp_path: Path) -> None:
    newest = copy.deepcopy(SAMPLE)
    newest["schemaVersion"] = "1.6"
    newest["workflow"]["execution"]["tasks"][0]["metrics"] = [{"name": "x", "value": 1}]
    first = converted(tmp_path, NAME, text(), processors=2)
    assert converted(tmp_path, NAME, text(newest), processors=2).digest == first.digest
    assert converted(tmp_path, NAME, text(OLD), processors=2).digest == first.digest


def test_parents_of_schema_4_may_be_ids(tmp_path: Path) -> None:
    by_id = copy.deepcopy(OLD)
    by_id["workflow"]["tasks"][3]["parents"] = ["2", "3"]
    assert edges(converted(tmp_path, NAME, text(by_id), processors=2)) == EDGES


def test_the_writer_says_how_large_a_file_is(tmp_path: Path) -> None:
    problem = converted(tmp_path, NAME, text(OLD), processors=2)
    assert edges(problem)[0] == ("split_1", "left_2", 400.0, "chunk.a")
    assert "differ in a file's size, 1 times, the writer's holds" in problem.source


def test_runtimes_are_of_the_machine_of_the_file(tmp_path: Path) -> None:
    problem = converted(tmp_path, NAME, text(), processors=2)
    assert [task.work for task in problem.graph.tasks] == [5e9, 8e9, 0.0, 3e9]
    assert problem.network.nodes[0].speed == 2e9
    assert problem.network.nodes[0].slots == 2  # left_2 ran on two cores
    assert "one operation a cycle at 2000 MHz" in problem.source
    named = converted(tmp_path, NAME, text(), processors=2, speed=1e9)
    assert [task.work for task in named.graph.tasks] == [2.5e9, 4e9, 0.0, 1.5e9]


def test_clocks_of_idle_processors_do_not_scale_runtimes(tmp_path: Path) -> None:
    several = copy.deepcopy(SAMPLE)
    machines = several["workflow"]["execution"]["machines"]
    machines.insert(0, {"nodeName": "idle", "cpu": {"speedInMHz": 1200}})
    problem = converted(tmp_path, NAME, text(several), processors=2)
    assert [task.work for task in problem.graph.tasks] == [5e9, 8e9, 0.0, 3e9]
    assert "the highest clock in the file (the lowest is 1200" in problem.source


def test_what_lies_outside_is_said(tmp_path: Path) -> None:
    source = converted(tmp_path, NAME, text(), processors=2).source
    assert "Input files that no task writes (1, 1000 bytes in all) are taken to lie on" in source
    assert "Tasks that the file gives a runtime of 0 (1) keep it" in source
    assert "Edges to parents without a file (1) carry nothing" in source


def test_a_machine_without_a_clock(tmp_path: Path) -> None:
    plain = copy.deepcopy(SAMPLE)
    plain["workflow"]["execution"]["machines"] = [{"nodeName": "m"}]
    problem = converted(tmp_path, NAME, text(plain), processors=2)
    assert [task.work for task in problem.graph.tasks] == [2.5, 4.0, 0.0, 1.5]
    assert "gives no clock" in problem.source


def test_an_edge_may_be_declared_on_one_side(tmp_path: Path) -> None:
    half = copy.deepcopy(SAMPLE)
    half["workflow"]["specification"]["tasks"][3]["parents"] = []
    assert edges(converted(tmp_path, NAME, text(half), processors=2)) == EDGES


def test_a_file_is_waited_for_without_a_parent(tmp_path: Path) -> None:
    loose = copy.deepcopy(SAMPLE)
    for task in loose["workflow"]["specification"]["tasks"]:
        task["parents"], task["children"] = [], []
    problem = converted(tmp_path, NAME, text(loose), processors=2)
    assert edges(problem) == EDGES[:3]
    assert "even if that is no parent of it, 3 times" in problem.source


TASKS = "$.workflow.specification.tasks"


def broken(*path: Any, value: Any = None) -> str:
    """The sample with one value changed, or left out."""
    made = copy.deepcopy(SAMPLE)
    at: Any = made["workflow"]
    for key in path[:-1]:
        at = at[key]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return text(made)


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (broken("execution"), "$.workflow.execution: is required, got nothing; only a workflow"),
        (broken("execution", "tasks", 2), f"{TASKS}[2].id: names no task that was run"),
        (broken("specification", "files", 1), f"{TASKS}[0].outputFiles[0]: names no file, got 'ch"),
        (broken("specification", "tasks", 1, "parents", value=["who"]), f"{TASKS}[1]: names no t"),
        (broken("specification", "tasks", 1, "parents", value=3), f"{TASKS}[1].parents: must be a"),
        (broken("specification", "tasks", 1, "id", value=""), f"{TASKS}[1].id: must not be empty"),
        (
            broken("execution", "tasks", 1, "runtimeInSeconds", value=-4.0),
            "$.workflow.execution.tasks[1].runtimeInSeconds: must be >= 0, got -4.0",
        ),
        (
            broken("execution", "tasks", 1, "runtimeInSeconds"),
            "$.workflow.execution.tasks[1].runtimeInSeconds: is required, got nothing",
        ),
        (
            broken("specification", "files", 0, "sizeInBytes", value="1k"),
            "$.workflow.specification.files[0].sizeInBytes: must be a number, got '1k'",
        ),
        (
            broken("specification", "tasks", 0, "children", value=["left_2", "no"]),
            f"{TASKS}[0].children[1]: names no task, got 'no'",
        ),
        (
            broken(
                "specification", "tasks", 2, value=SAMPLE["workflow"]["specification"]["tasks"][1]
            ).replace('"right_3"', '"left_2"'),
            f"{TASKS}[2]: duplicate id, got 'left_2'; already used at {TASKS}[1]",
        ),
        (
            broken("specification", "tasks", 0, "parents", value=["join_4"]),
            f"{TASKS}[2]: the tasks wait for each other in a cycle, got ",
        ),
        (text().replace('"1.5"', '"1.3"'), "$.schemaVersion: must be one of 1.4, 1.5, 1.6, got "),
        (text()[:900], "line 59 column 7: not JSON: Expecting value, got nothing"),
        (text().replace("2.5", "NaN"), "line 100 column 26: not JSON, got 'NaN,'"),
    ],
)
def test_what_is_wrong_is_named_with_its_path(tmp_path: Path, document: str, error: str) -> None:
    found = refused(tmp_path, NAME, document, processors=2, format="wfformat")
    assert found[0].startswith(error)


def test_a_link_of_schema_4(tmp_path: Path) -> None:
    document = text(OLD).replace('"link": "output"', '"link": "both"', 1)
    assert refused(tmp_path, NAME, document, processors=2)[0].startswith(
        "$.workflow.tasks[0].files[1].link: must be 'input' or 'output', got 'both'"
    )


def test_every_file_of_the_library(data: Path) -> None:
    found = sorted((data / "wfinstances").rglob("*.json"))
    assert len(found) == 41
    for path in found:
        document = json.loads(path.read_text())["workflow"]
        tasks = document["specification"]["tasks"]
        writer = {name: task["id"] for task in tasks for name in task["outputFiles"]}
        moved = {
            (writer[name], task["id"], name)
            for task in tasks for name in task["inputFiles"] if name in writer
        }  # fmt: skip
        served = {(src, dst) for src, dst, _ in moved}
        bare = {(parent, t["id"]) for t in tasks for parent in t["parents"]} - served
        problem = offload.convert(path, processors=4, speed=1)
        graph = problem.graph
        assert len(graph.tasks) == len(tasks)
        assert {(e.src, e.dst, e.item) for e in graph.edges if e.item is not None} == moved
        assert {(e.src, e.dst) for e in graph.edges if e.item is None} == bare
        assert len(graph.edges) == len(moved) + len(bare)
        runs = document["execution"]["tasks"]
        seconds = sum(run["runtimeInSeconds"] for run in runs)
        assert sum(task.work or 0 for task in graph.tasks) == pytest.approx(seconds, rel=1e-12)
        still = sum(run["runtimeInSeconds"] == 0 for run in runs)
        assert (f"a runtime of 0 ({still})" in problem.source) == (still > 0)
