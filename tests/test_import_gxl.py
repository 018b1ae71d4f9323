"""Task graphs in GXL with communication delays."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from foreign import converted, refused

import offload

NAME = "2p_Fork.gxl"
# a (2) sends to b (3) and c (4). Apart, b or c waits for its delay: the best of 2 processors runs
# a and c on one (2 + 4 = 6) and b on the other (2 + 1 + 3 = 6): 6. In turn on one it is 9.
SAMPLE = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE gxl SYSTEM "http://www.gupro.de/GXL/gxl-1.0.dtd">
<gxl>
  <graph id="Fork">
    <attr name="Number of processors"><int>2</int></attr>
    <attr name="Total schedule length"><int>6</int></attr>
    <node id="0"><attr name="Weight"><int>2</int></attr></node>
    <node id="1"><attr name="Finish time"><int>6</int></attr>
      <attr name="Weight"><int>3</int></attr></node>
    <node id="2"><attr name="Weight"><int>4</int></attr></node>
    <edge from="0" to="1"><attr name="Weight"><int>1</int></attr></edge>
    <edge from="0" to="2"><attr name="Weight"><int>9</int></attr></edge>
  </graph>
</gxl>
"""


def test_weights_are_times_and_delays(tmp_path: Path) -> None:
    problem = converted(tmp_path, NAME, SAMPLE)
    assert [(task.id, task.work) for task in problem.graph.tasks] == [
        ("0", 2.0), ("1", 3.0), ("2", 4.0),
    ]  # fmt: skip
    assert [(edge.src, edge.dst, edge.bytes) for edge in problem.graph.edges] == [
        ("0", "1", 1.0), ("0", "2", 9.0),
    ]  # fmt: skip
    assert [node.speed for node in problem.network.nodes] == [1.0, 1.0]
    link = problem.network.links[0]
    assert (link.bandwidth, link.latency, link.channels) == (1.0, 0.0, None)
    assert problem.name == "2p_Fork"
    assert problem.description == "Fork; the file's own schedule is 6 long"


def test_the_optimum_has_the_delay(tmp_path: Path) -> None:
    result = offload.solve(converted(tmp_path, NAME, SAMPLE), method="cpsat")
    assert (result.status, result.objective) == ("optimal", 6.0)
    alone = offload.solve(converted(tmp_path, NAME, SAMPLE, processors=1), method="cpsat")
    assert alone.objective == 9.0


def test_ids_may_count_from_one(tmp_path: Path) -> None:
    shifted = SAMPLE
    for number in (2, 1, 0):
        for attribute in ("id", "from", "to"):
            shifted = shifted.replace(f'{attribute}="{number}"', f'{attribute}="{number + 1}"')
    problem = converted(tmp_path, NAME, shifted)
    assert [task.id for task in problem.graph.tasks] == ["1", "2", "3"]
    result = offload.solve(problem, method="cpsat")
    assert result.objective == 6.0


def test_the_processor_count_of_the_file_is_a_default(tmp_path: Path) -> None:
    assert len(converted(tmp_path, NAME, SAMPLE, processors=5).network.nodes) == 5
    without = SAMPLE.replace("Number of processors", "Other")
    with pytest.raises(offload.OffloadError, match=r"has no network; say --processors N"):
        converted(tmp_path, NAME, without)


def test_times_scale_with_the_speed_of_the_machine(tmp_path: Path) -> None:
    problem = converted(tmp_path, NAME, SAMPLE, speed=1e9)
    assert [task.work for task in problem.graph.tasks] == [2e9, 3e9, 4e9]
    assert problem.network.nodes[0].speed == 1e9
    assert offload.solve(problem, method="cpsat").objective == 6.0


EDGE = '<edge from="0" to="2">'


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (EDGE, '<edge from="0" to="7">', "line 12: names no task, got '7'"),
        (EDGE, '<edge from="0" to="1">', "line 12: edge 0 has the same ends and item"),
        (EDGE, '<edge from="0">', "line 12: <edge> must have to, got nothing"),
        (EDGE, '<edge from="2" to="2">', "line 12: an edge must join two tasks, got '2'"),
        (
            '<node id="2">',
            '<node id="1">',
            "line 10: duplicate id, got '1'; already used at line 8",
        ),
        ('<node id="2">', "<node>", "line 10: <node> must have id, got nothing"),
        ("<int>4</int>", "<int>-4</int>", "line 10: Weight must be finite and >= 0, got '-4'"),
        ("<int>4</int>", "<int>four</int>", "line 10: Weight must be a number, got 'four'"),
        ("Weight", "Wait", "line 7: <node> must have a Weight, got nothing"),
        ("<int>2</int>", "<int>0</int>", "line 5: Number of processors must be >= 1, got 0"),
        (
            "</gxl>",
            "",
            "line 14: not XML: no element found, got nothing; the file may be cut short",
        ),
        ("</graph>", "", "line 14: not XML: mismatched tag, got '</gxl>'"),
        ("<graph ", "<graph/><graph ", "line 3: must have one <graph>, got 2; split the file"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, error: str
) -> None:
    assert refused(tmp_path, NAME, SAMPLE.replace(old, new, 1))[0].startswith(error)


def test_another_document(tmp_path: Path) -> None:
    other = "<?xml version='1.0'?>\n<adag></adag>"
    assert refused(tmp_path, NAME, other, format="gxl") == [
        "line 2: must be a document of <gxl>, got 'adag'; name its format"
    ]


def test_a_cycle_is_named_with_a_line(tmp_path: Path) -> None:
    back = '<edge from="2" to="0"><attr name="Weight"><int>1</int></attr></edge>\n  </graph>'
    found = refused(tmp_path, NAME, SAMPLE.replace("</graph>", back))
    assert len(found) == 1
    assert found[0].startswith("line 12: the tasks wait for each other in a cycle, got '2 -> 0")


def test_entities_are_refused(tmp_path: Path) -> None:
    bomb = SAMPLE.replace(
        '"http://www.gupro.de/GXL/gxl-1.0.dtd">',
        '"x"\n[<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
    ).replace("<int>4</int>", "<int>&b;</int>")
    assert refused(tmp_path, NAME, bomb) == [
        "line 3: must declare no entities, got 'a'; write the text out"
    ]
    outside = SAMPLE.replace(
        '"http://www.gupro.de/GXL/gxl-1.0.dtd">', '"x" [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    )
    assert "must declare no entities" in refused(tmp_path, NAME, outside)[0]


def test_elements_nested_without_end_are_refused(tmp_path: Path) -> None:
    deep = "<gxl>\n" + "<graph>" * 100_000
    assert refused(tmp_path, NAME, deep)[0].startswith("line 2: nested too deeply")


def files(data: Path) -> list[Path]:
    return sorted((data / "auckland_gxl").glob("*.gxl"))


def test_every_file_of_the_library(data: Path) -> None:
    found = files(data)
    assert len(found) == 365
    for path in found:
        text = path.read_text()
        problem = offload.convert(path)
        graph = problem.graph
        assert len(graph.tasks) == len(re.findall(r"<node ", text))
        assert len(graph.edges) == len(re.findall(r"<edge ", text))
        root = ElementTree.fromstring(text)
        weights = {
            kind: sum(
                int(w.text or 0) for w in root.findall(f"graph/{kind}/attr[@name='Weight']/int")
            )
            for kind in ("node", "edge")
        }
        assert sum(task.work or 0 for task in graph.tasks) == weights["node"]
        assert sum(edge.bytes for edge in graph.edges) == weights["edge"]
        count = re.search(r'"Number of processors">\s*<int>(\d+)', text)
        assert count is not None
        assert len(problem.network.nodes) == int(count[1])


def published(path: Path) -> int:
    """The length of the optimal schedule that a file carries."""
    found = re.search(r'"Total schedule length">\s*<int>(\d+)', path.read_text())
    assert found is not None
    return int(found[1])


def test_published_optima(data: Path) -> None:
    small = [path for path in files(data) if "_Nodes_10_" in path.name][::15][:12]
    assert len(small) == 12
    for path in small:
        result = offload.solve(offload.convert(path), time_limit=60)
        assert (result.status, result.objective) == ("optimal", published(path)), path.name
