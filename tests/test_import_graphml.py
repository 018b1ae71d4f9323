"""GraphML: networks of the Topology Zoo, and graphs of tasks."""

from __future__ import annotations

from pathlib import Path

import networkx
import pytest
from foreign import converted, refused

import offload

NAME = "Zoo.graphml"
# A degree of longitude at the equator is 111.195 km (of a sphere of 6,371 km): 0.556 ms a link.
SAMPLE = """<?xml version="1.0" encoding="utf-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key attr.name="LinkSpeedRaw" attr.type="double" for="edge" id="d5" />
  <key attr.name="dist" attr.type="double" for="edge" id="d6" />
  <key attr.name="label" attr.type="string" for="node" id="d1" />
  <key attr.name="Longitude" attr.type="double" for="node" id="d2" />
  <key attr.name="Latitude" attr.type="double" for="node" id="d3"><default>0</default></key>
  <key attr.name="Network" attr.type="string" for="graph" id="d0" />
  <graph edgedefault="undirected">
    <data key="d0">Zoo</data>
    <node id="0"><data key="d1">West</data><data key="d2">0</data></node>
    <node id="1"><data key="d1">East</data><data key="d2">1.0</data></node>
    <node id="2"><data key="d1">Sky</data></node>
    <edge source="0" target="1"><data key="d5">8000000.0</data></edge>
    <edge source="1" target="0"><data key="d5">9000000.0</data></edge>
    <edge source="1" target="2"><data key="d6">200</data></edge>
  </graph>
</graphml>
"""


def test_a_network_of_the_zoo(tmp_path: Path) -> None:
    problem = converted(tmp_path, NAME, SAMPLE)
    assert problem.name == "Zoo"
    assert [node.id for node in problem.network.nodes] == ["West", "East", "Sky"]
    first, second = problem.network.links
    assert (first.src, first.dst, first.bandwidth) == ("West", "East", 1e6)  # 8 Mb/s
    assert first.latency == pytest.approx(111.195e3 / 2e8, rel=1e-5)
    assert (second.src, second.dst, second.bandwidth, second.latency) == (
        "East",
        "Sky",
        125e6,
        1e-3,
    )
    assert "Lengths (2) are great circles between the ends' places" in problem.source
    assert "Further links between the same nodes (1) are left out" in problem.source


def test_tasks_on_a_network_of_the_zoo(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(SAMPLE)
    problem = converted(
        tmp_path, "one.stg", "1\n0 0 0\n1 8 1 0\n2 0 1 1\n", network=tmp_path / NAME
    )
    assert [node.id for node in problem.network.nodes] == ["West", "East", "Sky"]
    assert offload.solve(problem, method="cpsat").objective == 8.0


def test_a_graph_of_tasks_that_networkx_wrote(tmp_path: Path) -> None:
    graph = networkx.DiGraph()
    graph.add_node("a", time=2.0, slots=2)
    graph.add_node("b", time=3, memory=5.5)
    graph.add_edge("a", "b", bytes=10)
    networkx.write_graphml(graph, tmp_path / "tasks.graphml")
    problem = offload.convert(tmp_path / "tasks.graphml", processors=2, bandwidth=5)
    assert [(t.id, t.work, t.slots, t.memory) for t in problem.graph.tasks] == [
        ("a", 2.0, 2, 0.0), ("b", 3.0, 1, 5.5),
    ]  # fmt: skip
    assert [(e.src, e.dst, e.bytes) for e in problem.graph.edges] == [("a", "b", 10.0)]
    evaluation = offload.evaluate(problem, [[0, 1]], [[0, 1]])
    assert evaluation.metrics["latency"].tolist() == [2 + 10 / 5 + 3]


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (
            '<node id="1">',
            '<node id="0">',
            "line 12: duplicate id, got '0'; already used in line 11",
        ),
        ('target="2"', 'target="9"', "line 16: target names no node, got '9'; add the node"),
        ('<data key="d6">200', '<data key="d6">-2', "line 16: dist must be finite and >= 0, got"),
        ('<data key="d6">200', '<data key="d6">far', "line 16: dist must be a number, got 'far'"),
        ('<data key="d6">200', '<data key="d9">2', "line 16: key names no <key>, got 'd9'"),
        ('"d2">1.0', '"d2">east', "line 12: longitude must be a number, got 'east'"),
        ('"d2">1.0', '"d2">1000', "line 12: longitude must be degrees, got '1000'"),
        ("8000000.0", "fast", "line 14: LinkSpeedRaw must be a number, got 'fast'"),
        ("</graphml>", "", "line 18: not XML: no element found, got nothing"),
        ("<graph ", "<graph/><graph ", "line 2: must have one <graph>, got 2"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, error: str
) -> None:
    assert refused(tmp_path, NAME, SAMPLE.replace(old, new, 1))[0].startswith(error)


def test_entities_are_refused(tmp_path: Path) -> None:
    bomb = SAMPLE.replace("<graphml ", '<!DOCTYPE g [<!ENTITY a "x">]>\n<graphml ')
    assert refused(tmp_path, NAME, bomb)[0].startswith("line 2: must declare no entities, got 'a'")
