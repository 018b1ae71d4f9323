"""Instances and plans as files of other tools."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import highspy
import networkx as nx
import pandas as pd
import pytest
from command_line import run, street, write

import offload
from offload import Edge, Graph, Link, Network, Node, OffloadError, Problem, Task, Unsupported


@pytest.fixture(scope="module")
def planned() -> tuple[Problem, offload.Plan]:
    """The street and its best plan."""
    problem = street()
    plan = offload.solve(problem, method="cpsat").plan
    assert plan is not None
    return problem, plan


def text_of(problem: Problem, path: Path, plan: offload.Plan | None = None) -> str:
    """What is written to a path."""
    assert offload.export(problem, path, plan=plan) == [str(path)]
    return path.read_text("utf-8")


# -- drawings --------------------------------------------------------------------------------------


def test_dot_has_all_tasks_and_edges_on_the_nodes_of_the_plan(
    tmp_path: Path, planned: tuple[Problem, offload.Plan]
) -> None:
    problem, plan = planned
    text = text_of(problem, tmp_path / "a.dot", plan)
    assert re.findall(r'label="(cam|edge|cloud)"', text) == ["cam", "edge"]
    assert text.index('label="cam"') < text.index('"grab" [') < text.index('label="edge"')
    assert text.index('label="edge"') < text.index('"detect" [') < text.index('"alarm" [')
    assert re.findall(r'"(\w+)" -> "(\w+)"', text) == [(e.src, e.dst) for e in problem.graph.edges]
    assert "style=dashed" in text.splitlines()[-2]  # detect and alarm are on one node
    assert "cluster" not in text_of(problem, tmp_path / "b.dot")


def test_drawings_escape_what_their_formats_reserve(tmp_path: Path) -> None:
    name = 'a "b" \\c;#:\nd'
    problem = Problem(name=name, network=Network([Node(name)]), graph=Graph([Task(name, work=1.0)]))
    plan = offload.evaluate(problem, [[0]], [[0]]).plan()
    dot = text_of(problem, tmp_path / "a.dot", plan)
    assert r'"a \"b\" \\c;#:\nd" [label="a \"b\" \\c;#:\nd\n1", work=1.0];' in dot
    assert '"a #quot;b#quot; \\c;#35;: d"' in text_of(problem, tmp_path / "a.mmd", plan)
    gantt = text_of(problem, tmp_path / "a.gantt", plan)
    assert re.search(r'^    a "b" \\c    d :0, 1000000$', gantt, re.MULTILINE)


def test_mermaid_draws_what_moves(tmp_path: Path, planned: tuple[Problem, offload.Plan]) -> None:
    problem, plan = planned
    lines = text_of(problem, tmp_path / "a.mmd", plan).splitlines()
    assert lines[0] == "flowchart LR"
    assert [line.strip() for line in lines if "subgraph" in line] == [
        'subgraph n0["cam"]', 'subgraph n1["edge"]'
    ]  # fmt: skip
    assert lines[-1] == "  t1 -.-> t2"
    assert re.fullmatch(r'  t0 -->\|"[\de+.]+ B"\| t1', lines[-2])


def test_a_gantt_has_the_times_of_the_plan(
    tmp_path: Path, planned: tuple[Problem, offload.Plan]
) -> None:
    problem, plan = planned
    text = text_of(problem, tmp_path / "a.gantt", plan)
    rows = plan.to_frame()
    for task, start, finish in zip(rows["task"], rows["start"], rows["finish"], strict=True):
        assert f"    {task} :{round(start * 1e6)}, {round(finish * 1e6)}\n" in text
    with pytest.raises(OffloadError, match="format gantt: shows a plan; give one"):
        offload.export(problem, tmp_path / "b.gantt")
    assert not (tmp_path / "b.gantt").exists()


# -- tables and graphs -----------------------------------------------------------------------------


def test_tables_hold_every_field(tmp_path: Path, planned: tuple[Problem, offload.Plan]) -> None:
    problem, plan = planned
    written = offload.export(problem, tmp_path / "made" / "here", "csv", plan)
    assert [Path(name).name for name in written] == [
        "tasks.csv", "edges.csv", "nodes.csv", "links.csv", "parts.csv", "transfers.csv"
    ]  # fmt: skip
    frames = {Path(name).stem: pd.read_csv(name) for name in written}
    assert frames["tasks"]["id"].tolist() == [task.id for task in problem.graph.tasks]
    assert frames["tasks"]["work"].tolist() == [task.work for task in problem.graph.tasks]
    assert json.loads(frames["tasks"]["allow"][0]) == ["cam"]
    assert frames["links"]["bandwidth"].tolist() == [1e7, 1e6]
    assert frames["parts"]["finish"].tolist() == plan.to_frame()["finish"].tolist()
    assert frames["transfers"]["from"].tolist() == ["cam"]


def test_parquet_and_csv_say_the_same(
    tmp_path: Path, planned: tuple[Problem, offload.Plan]
) -> None:
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    problem, plan = planned
    for name in offload.export(problem, tmp_path, "parquet", plan):
        frame = pd.read_parquet(name)
        expected = offload.to_frames(problem, plan)[Path(name).stem]
        pd.testing.assert_frame_equal(
            frame.convert_dtypes(), expected.convert_dtypes(), check_dtype=False
        )


def test_networkx_gets_the_graph_and_the_plan(planned: tuple[Problem, offload.Plan]) -> None:
    problem, plan = planned
    graph = offload.to_networkx(problem, plan)
    assert list(graph) == ["grab", "detect", "alarm"]
    assert list(nx.topological_sort(graph)) == ["grab", "detect", "alarm"]
    assert graph.nodes["detect"]["node"] == "edge"
    assert graph.nodes["alarm"]["finish"] == plan.metrics["latency"]
    assert graph["grab"]["detect"]["bytes"] == problem.graph.edges[0].bytes


def test_edges_of_the_same_two_tasks_add_up() -> None:
    edges = [Edge("a", "b", bytes=3, item="x"), Edge("a", "b", bytes=4, item="y")]
    problem = Problem(
        network=Network([Node("n")]), graph=Graph([Task("a", work=1), Task("b", work=1)], edges)
    )
    assert offload.to_networkx(problem)["a"]["b"]["bytes"] == 7


# -- programs --------------------------------------------------------------------------------------


def optimum_of(path: Path) -> float:
    """What a solver finds for a program, in its own unit."""
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    assert solver.readModel(str(path)) == highspy.HighsStatus.kOk
    solver.run()
    assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return float(solver.getObjectiveValue())


@pytest.mark.parametrize("ending", ["lp", "mps"])
@pytest.mark.parametrize("metric", ["latency", "energy"])
def test_the_optimum_of_a_program_is_that_of_the_instance(
    tmp_path: Path, ending: str, metric: str
) -> None:
    # Without idle power the energy depends on no time: the other of the two models.
    nodes = [Node("cam", speed=1e9, busy_power=2), Node("edge", speed=8e9, busy_power=20)]
    problem = street().replace(
        network=Network(nodes, [Link("cam", "edge", bandwidth=1e7, latency=0.002, energy=1e-7)]),
        minimize={metric: 1.0},
    )
    best = offload.solve(problem, method="cpsat")
    path = tmp_path / f"a.{ending}"
    offload.export(problem, path)
    found = re.search(r"units of (\S+)", path.read_text("ascii").splitlines()[0])
    assert found is not None
    assert optimum_of(path) * float(found[1]) == pytest.approx(best.objective, rel=1e-6)


def test_a_program_of_what_milp_does_not_honour_is_refused(tmp_path: Path) -> None:
    problem = street()
    links = [
        Link(*ends, bandwidth=1e6, channels=1) for ends in (("cam", "edge"), ("edge", "cloud"))
    ]
    contended = problem.replace(network=Network(problem.network.nodes, links))
    with pytest.raises(Unsupported, match=r"method 'milp' does not honour: .*channels"):
        offload.export(contended, tmp_path / "a.lp")
    assert not (tmp_path / "a.lp").exists()


def test_a_plan_bounds_the_program(tmp_path: Path, planned: tuple[Problem, offload.Plan]) -> None:
    problem, plan = planned
    offload.export(problem, tmp_path / "a.lp", plan=plan)
    worse = offload.evaluate(problem, [[0, 0, 0]], [[0, 1, 2]]).plan()
    offload.export(problem, tmp_path / "b.lp", plan=worse)
    assert plan.metrics["latency"] < worse.metrics["latency"]
    optima = []
    for name in ("a.lp", "b.lp"):
        found = re.search(r"units of (\S+)", (tmp_path / name).read_text("ascii"))
        assert found is not None
        optima.append(optimum_of(tmp_path / name) * float(found[1]))
    assert optima == pytest.approx([plan.metrics["latency"]] * 2, rel=1e-6)


# -- errors and the command line -------------------------------------------------------------------


def test_unknown_formats_name_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(OffloadError, match=r"must be one of dot, .*, got 'dott'; did you mean"):
        offload.export(street(), tmp_path / "a", "dott")
    with pytest.raises(OffloadError, match="its ending names no format"):
        offload.export(street(), tmp_path / "a.txt")
    with pytest.raises(OffloadError, match="several files; name a folder"):
        offload.export(street(), "-", "csv")
    (tmp_path / "file").write_text("")
    with pytest.raises(OffloadError, match="no folder can be made there"):
        offload.export(street(), tmp_path / "file", "csv")


def test_the_command_writes_by_the_ending_of_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, street())
    assert run("solve", "street.json", "-m", "heft", "-q").status == 0
    outcome = run("convert", "street.json", "-p", "street.plan.json", "-o", "plan.gantt")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == "3 tasks, 2 edges, 3 nodes: saved to plan.gantt\n"
    assert (tmp_path / "plan.gantt").read_text().startswith("gantt\n")
    assert run("convert", "street.json", "-t", "dot", "-o", "-").out.startswith("digraph")
    assert run("convert", "street.json", "-t", "csv", "-o", "tables").status == 0
    assert len(pd.read_csv(io.StringIO((tmp_path / "tables" / "tasks.csv").read_text()))) == 3
    again = run("convert", "street.json", "-o", "-")
    assert offload.loads(again.out).digest == street().digest
    assert run("convert", "street.json").status == 0
    assert offload.load("street.instance.json").digest == street().digest


def test_the_command_never_writes_over_what_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, street())
    before = (tmp_path / "street.json").read_bytes()
    outcome = run("convert", "street.json", "-o", "street.json")
    assert outcome.status == 2
    assert "must not be a file that is read" in outcome.err
    assert (tmp_path / "street.json").read_bytes() == before
