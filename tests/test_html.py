"""Objects show themselves in a notebook: escaped, with units, without anything from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

import offload
from offload import Edge, Graph, Link, Network, Node, Problem, Task
from offload.html import frame_table

_EVIL = '<script>alert("x")</script>&'


class Reader(HTMLParser):
    """Tables of a page as rows of texts, and its tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data


def evil() -> Problem:
    nodes = (Node(_EVIL, speed=1e9, busy_power=5), Node("edge", speed=8e9, busy_power=40))
    graph = Graph((Task(_EVIL, 1e8, allow=(_EVIL,)), Task("b", 4e9)), (Edge(_EVIL, "b", 1e6),))
    network = Network(nodes, (Link(_EVIL, "edge", bandwidth=1e7, latency=0.002),))
    return Problem(name=_EVIL, description=_EVIL, network=network, graph=graph)


def test_a_result_says_status_proof_metrics_and_tasks(paper: Problem) -> None:
    page = offload.solve(paper, "cpsat")._repr_html_()
    assert page.startswith("<p><b>optimal:</b> latency 73 s, proved (bound 73 s) <span")
    metrics, tasks = Reader(page).tables
    assert dict(zip(*metrics, strict=True))["latency"] == "73 s"
    assert tasks[0][:2] == ["task", "node"]
    assert len(tasks) == 11
    starts = [float(row[tasks[0].index("start (s)")]) for row in tasks[1:]]
    assert starts == sorted(starts)
    assert max(float(row[tasks[0].index("finish (s)")]) for row in tasks[1:]) == 73


def test_a_result_without_a_plan_says_why(paper: Problem) -> None:
    page = offload.solve(paper, limits={"latency": 60})._repr_html_()
    assert page.startswith("<p><b>infeasible:</b> ")
    assert "latency is at most 60 s (limits.latency)" in page


def test_what_users_named_is_escaped_on_every_page() -> None:
    problem = evil()
    result = offload.solve(problem, "heft")
    assert result.plan is not None
    for shown in (problem, result, result.plan):
        page = shown._repr_html_()
        assert "script" not in Reader(page).tags
        assert any(_EVIL in cell for table in Reader(page).tables for row in table for cell in row)
        assert re.search(r"(src|href|url)\b", page) is None


def test_a_problem_shows_what_it_holds(instances: Path) -> None:
    problem = offload.load(instances / "crossing-40.json")
    page = problem._repr_html_()
    facts, nodes, links, tasks = Reader(page).tables
    assert facts[0][1].startswith("40 tasks, 55 edges, 14 nodes")
    assert [len(nodes), len(links), len(tasks)] == [9, 9, 9]
    assert "and 6 more nodes: offload.to_frames()" in page
    assert len(page) < 20_000


def test_an_empty_problem_and_its_plan_have_pages() -> None:
    problem = Problem(network=Network((Node("n"),)), graph=Graph(()))
    assert "an unnamed instance" in problem._repr_html_()
    assert "0 tasks on 0 of 1 node" in offload.solve(problem)._repr_html_()


def test_a_column_of_numbers_has_one_unit() -> None:
    frame = pd.DataFrame({"a": [0.0012, 0.5, None], "b_c": ["x", None, "y"], "n": [1, 2, 3]})
    (rows,) = Reader(frame_table(frame, {"a": "s", "b_c": "", "n": ""})).tables
    assert rows == [["a (ms)", "b c", "n"], ["1.2", "x", "1"], ["500", "-", "2"], ["-", "y", "3"]]
    assert "and 1 more: to_frame()" in frame_table(frame, {"n": ""}, most=2)


@pytest.mark.parametrize("method", ["heft", "cpsat"])
def test_a_plan_leaves_out_columns_that_say_nothing(paper: Problem, method: str) -> None:
    plan = offload.solve(paper, method).plan
    assert plan is not None
    _, tasks = Reader(plan._repr_html_()).tables
    assert {"mode", "fraction", "energy (J)"}.isdisjoint(tasks[0])


def test_a_plan_shows_its_copies_of_data() -> None:
    nodes = (Node("phone", storage=0), Node("edge", storage=5e6), Node("cloud"))
    links = (Link("phone", "edge", bandwidth=1e7), Link("edge", "cloud", bandwidth=1e6))
    data = (offload.Data("map", 4e6, ("cloud",), max_copies=1, allow=("edge",)),)
    graph = Graph((Task("draw", 1, allow=("phone",), reads=("map",)),))
    plan = offload.solve(Problem(network=Network(nodes, links), graph=graph, data=data)).plan
    assert plan is not None
    assert plan.copies_frame().to_dict("records") == [{"data": "map", "node": "edge", "bytes": 4e6}]
    assert Reader(plan._repr_html_()).tables[-1] == [
        ["data", "node", "bytes (MB)"], ["map", "edge", "4"],
    ]  # fmt: skip


def test_a_problem_says_in_a_line_what_it_is(paper: Problem) -> None:
    assert repr(paper) == "<Problem 'topcuoglu-2002': 10 tasks, 15 edges, 3 nodes, 3 links>"


def test_pictures_are_had_without_an_import_of_their_own() -> None:
    code = "import offload, sys; assert 'matplotlib' not in sys.modules; print(offload.plot.stages)"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.startswith("<function stages")
