"""Networks as node-link JSON, as TopoHub has them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import networkx
import pytest
from foreign import converted, refused

import offload

NAME = "small.json"
# Rome - Bern 1,000 km: 5 ms. Bern - Oslo 12,000 km: no link of this earth. Two nodes named Oslo.
SAMPLE: dict[str, Any] = {
    "directed": False, "multigraph": False,
    "graph": {"name": "small", "demands": {"0": {"1": 5.0}}},
    "nodes": [
        {"id": 0, "name": "Rome", "pos": [12.5, 41.9]},
        {"id": 1, "name": "Bern", "pos": [7.4, 46.9]},
        {"id": 2, "name": "Oslo", "pos": [10.7, 59.9]},
        {"id": 3, "name": "Oslo", "pos": None},
    ],
    "edges": [
        {"source": 0, "target": 1, "dist": 1000.0, "ecmp_fwd": {"uni": 1.0}},
        {"source": 1, "target": 2, "dist": 12000.0},
        {"source": 2, "target": 3, "dist": 0.0},
        {"source": 1, "target": 3, "dist": 2000.0},
        {"source": 3, "target": 1, "dist": 2500.0},
        {"source": 0, "target": 0, "dist": 10.0},
    ],
}  # fmt: skip


def text(document: dict[str, Any] = SAMPLE) -> str:
    return json.dumps(document, indent=1)


def test_latency_is_length_over_the_speed_of_light_in_fibre(tmp_path: Path) -> None:
    problem = converted(tmp_path, NAME, text())
    assert problem.name == "small"
    assert [node.id for node in problem.network.nodes] == ["Rome", "Bern", "Oslo (2)", "Oslo (3)"]
    assert [(l.src, l.dst, l.latency, l.duplex) for l in problem.network.links] == [
        ("Rome", "Bern", 0.005, "full"), ("Oslo (2)", "Oslo (3)", 0.0, "full"),
        ("Bern", "Oslo (3)", 0.01, "full"),
    ]  # fmt: skip
    assert {link.bandwidth for link in problem.network.links} == {125e6}
    assert {node.speed for node in problem.network.nodes} == {1e9}
    for note in (
        "Latency is length over 2e+08 m/s", "Links of more than 10000 km (1) are left out",
        "Further links between the same nodes (1) are left out",
        "Links of a node to itself (1) are left out",
    ):  # fmt: skip
        assert note in problem.source
    assert "falls into" not in problem.source


def test_options_of_the_network(tmp_path: Path) -> None:
    network = converted(tmp_path, NAME, text(), speed=2e9, bandwidth=1e6).network
    assert {link.bandwidth for link in network.links} == {1e6}
    assert {node.speed for node in network.nodes} == {2e9}
    with pytest.raises(offload.OffloadError, match=r"own network; leave out processors"):
        converted(tmp_path, NAME, text(), processors=2)


def test_links_without_a_length(tmp_path: Path) -> None:
    made = json.loads(text())
    del made["edges"][0]["dist"], made["edges"][3]["dist"], made["edges"][4]
    problem = converted(tmp_path, NAME, text(made), latency=0.25)
    links = {(l.src, l.dst): l.latency for l in problem.network.links}
    # As the crow flies from 12.5 E 41.9 N to 7.4 E 46.9 N, by the spherical law of cosines.
    north, other, turn = math.radians(41.9), math.radians(46.9), math.radians(5.1)
    angle = math.acos(
        math.sin(north) * math.sin(other) + math.cos(north) * math.cos(other) * math.cos(turn)
    )
    assert links["Rome", "Bern"] == pytest.approx(6_371_000 * angle / 2e8)
    assert links["Bern", "Oslo (3)"] == 0.25  # the place of Oslo (3) is not known
    assert "Lengths (1) are great circles" in problem.source
    assert "Links of unknown length (1) have latency 0.25 s" in problem.source


def test_parts_that_nothing_joins_are_said(tmp_path: Path) -> None:
    made = json.loads(text())
    del made["edges"][3:5]
    assert (
        "It falls into 2 parts that nothing joins" in converted(tmp_path, NAME, text(made)).source
    )


def test_links_of_older_networkx_and_directed_ones(tmp_path: Path) -> None:
    made = json.loads(text())
    made["links"] = made.pop("edges")
    first = converted(tmp_path, NAME, text())
    assert converted(tmp_path, NAME, text(made)).digest == first.digest
    made["directed"] = True
    links = converted(tmp_path, NAME, text(made)).network.links
    assert {link.duplex for link in links} == {"simplex"}
    assert [(link.src, link.latency) for link in links[2:]] == [
        ("Bern", 0.01),
        ("Oslo (3)", 0.0125),
    ]


def test_a_directed_graph_of_tasks(tmp_path: Path) -> None:
    graph = networkx.DiGraph(name="pair")
    graph.add_node("a", time=2.0)
    graph.add_node("b", time=3.0, slots=2)
    graph.add_edge("a", "b", bytes=10)
    document = json.dumps(networkx.node_link_data(graph, edges="links"))
    assert converted(tmp_path, "pair.json", document, processors=2) == (
        offload.convert(graph, processors=2).replace(
            source=converted(tmp_path, "pair.json", document, processors=2).source
        )
    )
    broken = document.replace("3.0", "-3.0")
    assert refused(tmp_path, "pair.json", broken, processors=2)[0].startswith(
        "$.nodes[1]: time must be finite and >= 0, got -3.0"
    )


def test_tasks_on_a_network_from_a_file(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(text())
    stg = "2\n0 0 0\n1 3 1 0\n2 4 1 0\n3 0 2 1 2\n"
    problem = converted(tmp_path, "two.stg", stg, network=tmp_path / NAME)
    assert [node.id for node in problem.network.nodes][:2] == ["Rome", "Bern"]
    assert [task.work for task in problem.graph.tasks] == [0.0, 3e9, 4e9, 0.0]
    for note in (
        "The network is that of small.json", "Latency is length over 2e+08 m/s",
        "Links of more than 10000 km (1) are left out",
        "times are taken as those of a machine of 1e+09 operations a second".capitalize(),
    ):  # fmt: skip
        assert note in problem.source
    # Both at once on Rome and Bern: 4 s, and 5 ms for the end of one to reach the other.
    assert offload.solve(problem, method="cpsat").objective == pytest.approx(4.0)
    faster = converted(tmp_path, "two.stg", stg, network=tmp_path / NAME, speed=4e9, bandwidth=1e6)
    assert {node.speed for node in faster.network.nodes} == {4e9}
    assert {link.bandwidth for link in faster.network.links} == {1e6}


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ('"source": 0,', '"source": 7,', "$.edges[0].source: names no node, got 7; add the node"),
        ('"id": 1,', '"id": 0,', "$.nodes[1].id: duplicate id, got 0; give it another"),
        ('"id": 1,', "", "$.nodes[1].id: is required, got nothing"),
        ('"dist": 1000.0', '"dist": -1.0', "$.edges[0].dist: must be >= 0, got -1.0"),
        ('"dist": 1000.0', '"dist": "far"', "$.edges[0].dist: must be a number or null, got 'far'"),
        ('"edges"', '"arcs"', "$.edges: is required, got None"),
        ('"nodes": [', '"nodes": 3, "x": [', "$.nodes: must be a list, got 3"),
    ],
)
def test_what_is_wrong_is_named_with_its_path(
    tmp_path: Path, old: str, new: str, error: str
) -> None:
    found = refused(tmp_path, NAME, text().replace(old, new, 1), format="topohub")
    assert found[0].startswith(error)


def test_a_file_cut_short(tmp_path: Path) -> None:
    assert refused(tmp_path, NAME, text()[:300], format="topohub")[0].startswith(
        "line 30 column 8: not JSON"
    )


def test_every_file_of_the_library(data: Path) -> None:
    found = sorted((data / "topology").rglob("*.json"))
    assert len(found) == 59
    nonsense = 0
    for path in found:
        document = json.loads(path.read_text())
        problem = offload.convert(path)
        assert len(problem.network.nodes) == len(document["nodes"])
        kept = [edge["dist"] for edge in document["edges"] if edge["dist"] <= 10_000]
        assert [link.latency for link in problem.network.links] == [
            pytest.approx(dist * 1000 / 2e8) for dist in kept
        ]
        left = len(document["edges"]) - len(kept)
        assert (f"({left}) are left out" in problem.source) == (left > 0)
        nonsense += left
    assert nonsense > 100
