"""DAGBench: task graphs with their networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from foreign import converted, refused

import offload

NAME = "graph.json"
# a: 6 operations, b: 8; 10 bytes between. On slow (speed 2) a takes 3 and b 4: 7. With b on fast
# (speed 4), 3 + 10 / 5 + 2: 7; the link back to slow carries 20 a second. Both on fast: 3.5.
SAMPLE: dict[str, Any] = {
    "name": "small.pair",
    "task_graph": {
        "tasks": [{"name": "a", "cost": 6.0}, {"name": "b", "cost": 8.0}],
        "dependencies": [{"source": "a", "target": "b", "size": 10.0}],
    },
    "network": {
        "nodes": [
            {"name": "slow", "speed": 2.0}, {"name": "fast", "speed": 4.0},
            {"name": "far", "speed": 1.0},
        ],
        "edges": [
            {"source": "slow", "target": "slow", "speed": 1e9},
            {"source": "slow", "target": "fast", "speed": 5.0},
            {"source": "fast", "target": "slow", "speed": 20.0},
            {"source": "fast", "target": "far", "speed": 3.0},
            {"source": "far", "target": "slow", "speed": 2.0},
            {"source": "slow", "target": "far", "speed": 2.0},
        ],
    },
}  # fmt: skip


def text(document: dict[str, Any] = SAMPLE) -> str:
    return json.dumps(document, indent=1)


def test_costs_and_sizes_go_by_the_speeds(tmp_path: Path) -> None:
    problem = converted(tmp_path, NAME, text())
    assert problem.name == "small.pair"
    evaluation = offload.evaluate(
        problem, [[0, 0], [0, 1], [1, 0], [1, 1], [1, 2], [2, 0]], [[0, 1]] * 6
    )
    assert evaluation.metrics["latency"].tolist() == [
        3 + 4, 3 + 10 / 5 + 2, 1.5 + 10 / 20 + 4, 3.5, 1.5 + 10 / 3 + 8, 6 + 10 / 2 + 4,
    ]  # fmt: skip
    assert offload.solve(problem, method="cpsat").objective == 3.5


def test_links(tmp_path: Path) -> None:
    problem = converted(tmp_path, NAME, text())
    assert [(l.src, l.dst, l.bandwidth, l.duplex) for l in problem.network.links] == [
        ("slow", "fast", 5.0, "simplex"), ("fast", "slow", 20.0, "simplex"),
        ("fast", "far", 3.0, "full"),  # given in one direction: it carries both
        ("far", "slow", 2.0, "full"),  # alike in both directions
    ]  # fmt: skip
    assert "Links of a node to itself are left out" in problem.source


def test_the_network_is_the_files_own(tmp_path: Path) -> None:
    with pytest.raises(offload.OffloadError, match=r"brings its own network; leave out processors"):
        converted(tmp_path, NAME, text(), processors=2)
    with pytest.raises(offload.OffloadError, match=r"own network; leave out bandwidth, speed"):
        converted(tmp_path, NAME, text(), speed=2, bandwidth=3)


def test_its_network_may_serve_another_file(tmp_path: Path) -> None:
    (tmp_path / "site.json").write_text(text())
    stg = "1\n0 0 0\n1 8 1 0\n2 0 1 1\n"
    problem = converted(tmp_path, "one.stg", stg, network=tmp_path / "site.json", speed=1)
    assert [node.id for node in problem.network.nodes] == ["slow", "fast", "far"]
    assert offload.solve(problem, method="cpsat").objective == 2.0
    assert "The network is that of site.json" in problem.source


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ('"target": "b"', '"target": "z"', "$.task_graph.dependencies[0]: names no task, got 'z'"),
        ('"name": "b"', '"name": "a"', "$.task_graph.tasks[1]: duplicate id, got 'a'"),
        ('"cost": 6.0', '"cost": -6.0', "$.task_graph.tasks[0].cost: must be >= 0, got -6.0"),
        ('"cost": 6.0', '"cost": "6"', "$.task_graph.tasks[0].cost: must be a number, got '6'"),
        ('"speed": 2.0', '"speed": 0', "$.network.nodes[0].speed: must be > 0, got 0"),
        ('"speed": 5.0', '"speed": -5', "$.network.edges[1].speed: must be > 0, got -5"),
        ('"target": "fast"', '"target": "fst"', "$.network.edges[1]: names no node, got 'fst'"),
        ('"name": "far"', '"name": "slow"', "$.network.nodes[2]: duplicate id, got 'slow'"),
        ('"source": "a",', "", "$.task_graph.dependencies[0].source: is required, got nothing"),
        ('"size": 10.0', '"size": Infinity', "$.task_graph.dependencies[0].size: must be finite"),
        (
            '{\n    "source": "a",\n    "target": "b"',
            '{"source": "b", "target": "a"}, {\n    "source": "a",\n    "target": "b"',
            "$.task_graph.dependencies[1]: the tasks wait for each other in a cycle",
        ),
        (
            '"source": "far",\n    "target": "slow"',
            '"source": "slow",\n    "target": "far"',
            "$.network.edges[5]: link 3 already gives this direction",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_path(
    tmp_path: Path, old: str, new: str, error: str
) -> None:
    assert refused(tmp_path, NAME, text().replace(old, new, 1))[0].startswith(error)


def test_a_file_cut_short(tmp_path: Path) -> None:
    assert refused(tmp_path, NAME, text()[:500])[0].startswith("line 41 column 24: not JSON")


def test_every_file_of_the_library(data: Path) -> None:
    found = sorted((data / "dagbench").rglob("graph.json"))
    assert len(found) == 34
    for path in found:
        document = json.loads(path.read_text())
        tasks, sizes = document["task_graph"]["tasks"], document["task_graph"]["dependencies"]
        problem = offload.convert(path)
        assert problem.name == document["name"]
        assert [(t.id, t.work) for t in problem.graph.tasks] == [
            (task["name"], task["cost"]) for task in tasks
        ]
        assert [(e.src, e.dst, e.bytes) for e in problem.graph.edges] == [
            (edge["source"], edge["target"], edge["size"]) for edge in sizes
        ]
        nodes, links = document["network"]["nodes"], document["network"]["edges"]
        assert [(n.id, n.speed) for n in problem.network.nodes] == [
            (node["name"], node["speed"]) for node in nodes
        ]
        given = {
            frozenset((link["source"], link["target"])): link["speed"]
            for link in links if link["source"] != link["target"]
        }  # fmt: skip
        assert {frozenset((l.src, l.dst)): l.bandwidth for l in problem.network.links} == given
        # Every pair of nodes is one hop apart, in these files.
        assert len(given) == len(nodes) * (len(nodes) - 1) // 2
