"""Pegasus DAX."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
from foreign import converted, refused

import offload

NAME = "small.xml"
# ID1 writes a, which ID2 and ID3 read; ID2 gives it another size. ID3 reads raw, from outside.
# ID4 follows ID2 without a file. ID5 reads merged, which ID3 and ID4 both write; its parent is ID4.
SAMPLE = """<?xml version="1.0" encoding="UTF-8"?>
<!-- generated -->
<adag xmlns="http://pegasus.isi.edu/schema/DAX" version="2.1" name="small" jobCount="5">
  <job id="ID1" namespace="n" name="first" version="1.0" runtime="13.5">
    <uses file="a" link="output" register="true" size="1000"/>
  </job>
  <job id="ID2" name="second" runtime="2">
    <uses file="a" link="input" size="900"/>
  </job>
  <job id="ID3" name="third" runtime="3">
    <uses file="a" link="input" size="1000"/>
    <uses file="raw" link="input" size="50"/>
    <uses file="merged" link="output" size="7"/>
  </job>
  <job id="ID4" name="fourth" runtime="4">
    <uses file="merged" link="output" size="8"/>
  </job>
  <job id="ID5" name="fifth" runtime="0">
    <uses file="merged" link="input" size="8"/>
  </job>
  <child ref="ID2"><parent ref="ID1"/></child>
  <child ref="ID3">
    <parent ref="ID1"/>
  </child>
  <child ref="ID4"><parent ref="ID2"/></child>
  <child ref="ID5"><parent ref="ID4"/></child>
</adag>
"""


def test_files_are_items_with_the_size_of_their_writer(tmp_path: Path) -> None:
    problem = converted(tmp_path, NAME, SAMPLE, processors=2)
    assert [(task.id, task.work) for task in problem.graph.tasks] == [
        ("ID1", 13.5), ("ID2", 2.0), ("ID3", 3.0), ("ID4", 4.0), ("ID5", 0.0),
    ]  # fmt: skip
    assert [(e.src, e.dst, e.bytes, e.item) for e in problem.graph.edges] == [
        ("ID1", "ID2", 1000.0, "a"), ("ID1", "ID3", 1000.0, "a"), ("ID2", "ID4", 0.0, None),
        ("ID4", "ID5", 8.0, "merged"),
    ]  # fmt: skip
    assert "differ in a file's size, 1 times, the writer's holds" in problem.source
    assert "(1, 50 bytes in all) are taken to lie on every node beforehand" in problem.source
    assert problem.description == "small"


def test_a_file_of_several_writers_and_no_parent_comes_from_outside(tmp_path: Path) -> None:
    orphan = SAMPLE.replace('  <child ref="ID5"><parent ref="ID4"/></child>\n', "")
    problem = converted(tmp_path, NAME, orphan, processors=2)
    assert not any(edge.dst == "ID5" for edge in problem.graph.edges)
    assert (
        "files of several writers, none of them a parent of the reader, 1 times" in problem.source
    )


def test_names_and_profiles_of_schema_3(tmp_path: Path) -> None:
    newer = SAMPLE.replace("<uses file=", "<uses name=").replace(
        ' runtime="13.5">', '><profile namespace="pegasus" key="runtime">13.5</profile>'
    )
    first = converted(tmp_path, NAME, SAMPLE, processors=2)
    assert converted(tmp_path, NAME, newer, processors=2).digest == first.digest


def test_a_file_changed_in_place(tmp_path: Path) -> None:
    changed = SAMPLE.replace(
        '<uses file="a" link="input" size="900"/>', '<uses file="a" link="inout" size="900"/>'
    )
    problem = converted(tmp_path, NAME, changed, processors=2)
    got = [(e.src, e.dst, e.bytes) for e in problem.graph.edges if e.item == "a"]
    assert got == [("ID1", "ID2", 1000.0), ("ID1", "ID3", 1000.0)]


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (' runtime="2"', "", "line 7: <job> must have a runtime, got nothing"),
        (' runtime="2"', ' runtime="-2"', "line 7: runtime must be finite and >= 0, got '-2'"),
        ('size="50"', 'size="big"', "line 12: size must be a number, got 'big'"),
        (' size="50"', "", "line 12: <uses> must have size, got nothing"),
        (' link="input" size="50"', ' link="up" size="50"', "line 12: link must be input, output"),
        ('file="raw" ', "", "line 12: <uses> must have name, got nothing"),
        ('id="ID2"', 'id="ID1"', "line 7: duplicate id, got 'ID1'; already used in line 4"),
        ('<parent ref="ID2"/>', '<parent ref="ID9"/>', "line 25: <parent> names no job, got 'ID9'"),
        ('<child ref="ID4">', '<child ref="ID9">', "line 25: <child> names no job, got 'ID9'"),
        ("</adag>", "", "line 27: not XML: no element found"),
        ('<uses file="raw"', '<uses file="raw', "line 12: not XML: not well-formed"),
        ('<child ref="ID2">', '<child ref="ID1">', "line 4: an edge must join two tasks"),
        (
            '<child ref="ID2"><parent ref="ID1"/>',
            '<child ref="ID2"><parent ref="ID1"/><parent ref="ID4"/>',
            "line 15: the tasks wait for each other in a cycle, got 'ID4 -> ID2 -> ID4'",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, error: str
) -> None:
    found = refused(tmp_path, NAME, SAMPLE.replace(old, new, 1), processors=2)
    assert found[0].startswith(error)


def test_entities_are_refused(tmp_path: Path) -> None:
    bomb = SAMPLE.replace("<!-- generated -->", '<!DOCTYPE adag [<!ENTITY a "x">]>')
    assert refused(tmp_path, NAME, bomb, processors=2) == [
        "line 2: must declare no entities, got 'a'; write the text out"
    ]


def test_the_example_of_the_heft_article(data: Path) -> None:
    """Topcuoglu, Hariri, Wu 2002: 10 tasks, 15 edges; sizes are 125 bytes a unit of the figure.

    All are the article's, but for 3 -> 7, which is 23 there and 2500 bytes here.
    """
    graph = offload.convert(data / "dax" / "HEFT_paper.xml", processors=3).graph
    assert [task.work for task in graph.tasks][:5] == [14, 13, 11, 13, 12]
    costs = {(int(e.src[2:]), int(e.dst[2:])): e.bytes / 125 for e in graph.edges}
    assert costs == {
        (1, 2): 18, (1, 3): 12, (1, 4): 9, (1, 5): 11, (1, 6): 14, (2, 8): 19, (2, 9): 16,
        (3, 7): 20, (4, 8): 27, (4, 9): 23, (5, 9): 13, (6, 8): 15, (7, 10): 17, (8, 10): 11,
        (9, 10): 13,
    }  # fmt: skip


def test_every_file_of_the_library(data: Path) -> None:
    found = sorted((data / "dax").glob("*.xml"))
    assert len(found) == 11
    for path in found:
        space = "{http://pegasus.isi.edu/schema/DAX}"
        root = ElementTree.fromstring(path.read_text())
        parents = {
            (parent.get("ref"), child.get("ref"))
            for child in root.iter(f"{space}child") for parent in child.iter(f"{space}parent")
        }  # fmt: skip
        written: dict[tuple[str | None, str | None], float] = {}
        readers: dict[str | None, set[str | None]] = {}
        for job in root.iter(f"{space}job"):
            for uses in job.iter(f"{space}uses"):
                if uses.get("link") == "output":
                    written[job.get("id"), uses.get("file")] = float(uses.get("size") or 0)
                else:
                    readers.setdefault(uses.get("file"), set()).add(job.get("id"))
        writers = Counter(file for _, file in written)
        moved = {
            (src, dst, file, size)
            for (src, file), size in written.items() for dst in readers.get(file, ())
            if src != dst and (writers[file] == 1 or (src, dst) in parents)
        }  # fmt: skip
        graph = offload.convert(path, processors=4).graph
        assert len(graph.tasks) == len(re.findall(r"<job ", path.read_text()))
        assert {(e.src, e.dst, e.item, e.bytes) for e in graph.edges if e.item is not None} == moved
        # In these files, every edge is one of a parent, and every parent has an edge.
        assert {(edge.src, edge.dst) for edge in graph.edges} == parents
        bare = parents - {(src, dst) for src, dst, _, _ in moved}
        assert len(graph.edges) == len(moved) + len(bare)
