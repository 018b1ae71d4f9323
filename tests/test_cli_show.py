"""``offload show``: instances and plans that fit the terminal, whatever their size."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import layers, run, street, write
from rich.cells import cell_len

import offload
from offload.plan import Plan
from offload.transfers import required_transfers


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds street.json and its plan, and is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    write(tmp_path, street())
    offload.solve(street(), method="heft").plan.save("street.plan.json")  # type: ignore[union-attr]
    return tmp_path


def in_turn(problem: offload.Problem) -> Plan:
    """The plan that runs every task on the first node, one after another."""
    tables = problem.tables
    nodes = np.zeros((1, tables.tasks), np.int32)
    length = tables.execution(tables.topological, 0)
    finish = np.empty(tables.tasks)
    finish[tables.topological] = np.cumsum(length)
    start = finish - tables.execution(np.arange(tables.tasks), 0)
    return Plan.assemble(problem, nodes[0], start, finish, required_transfers(tables, nodes))


def test_an_instance_is_summed_up(here: Path) -> None:
    outcome = run("show", "street.json")
    lines = outcome.out.splitlines()
    assert (outcome.status, lines[0]) == (0, "street")
    assert "holds       3 tasks, 2 edges, 3 nodes, 2 links" in lines
    assert "tiers       device (1), edge (1), cloud (1)" in lines
    assert "in all      4.101 Gop of work, 1.001 MB on edges" in lines
    assert "uses        memory, resident, allow, routes" in lines
    assert "latency     at least 702.1 ms in any plan (critical path and load)" in lines
    assert any(line.split()[:3] == ["cam", "device", "1"] for line in lines)


def test_columns_that_say_nothing_are_left_out(here: Path) -> None:
    outcome = run("show", "street.json")
    assert "deadline" not in outcome.out
    late = street().replace(
        graph=offload.Graph((offload.Task("only", work=1.0, deadline=9.0, allow=("tier:edge",)),))
    )
    write(here, late, "late.json")
    shown = run("show", "late.json").out
    assert "deadline" in shown
    assert "tier:edge" in shown


def test_an_instance_for_machines(here: Path) -> None:
    answer = run("show", "street.json", "--json").json()
    assert answer["kind"] == "instance"
    assert answer["digest"] == street().digest
    assert answer["counts"] == {
        "tasks": 3, "edges": 2, "groups": 0, "nodes": 3, "links": 2, "data": 0, "codecs": 0,
    }  # fmt: skip
    assert answer["work"] == 4.101e9
    assert answer["edge_bytes"] == 1.001e6
    assert set(answer["features"]) == {"memory", "resident", "allow", "routes"}
    assert answer["least_latency"] == pytest.approx(0.702125, rel=1e-12)


def test_a_plan_s_instance_is_found_by_its_digest_whatever_its_name(here: Path) -> None:
    (here / "street.json").rename(here / "renamed.json")
    write(here, street().replace(minimize={"energy": 1.0}, graph=offload.Graph()), "street.json")
    (here / "broken.json").write_text("{")
    outcome = run("show", "street.plan.json")
    assert outcome.status == 0
    assert outcome.out.splitlines()[0] == "plan of street"
    assert outcome.err == "instance: renamed.json\n"


def test_a_plan_without_its_instance_says_what_to_do(here: Path) -> None:
    (here / "street.json").rename(here / "away.txt")
    outcome = run("show", "street.plan.json")
    assert outcome.status == 2
    assert "name it with --instance FILE" in outcome.err
    assert "got instance 'street'" in outcome.err
    assert outcome.err.count("\n") == 1
    assert run("show", "street.plan.json", "--instance", "away.txt").status == 0


def test_a_plan_tells_where_time_and_energy_went(here: Path) -> None:
    out = run("show", "street.plan.json").out
    lines = out.splitlines()
    assert lines[1].startswith(("feasible: latency 702.125 ms", "optimal: latency 702.125 ms"))
    assert "  latency     702.125 ms" in out
    assert "where it went: nodes" in lines
    assert "where it went: links" in lines
    assert any(line.startswith("edge  ") and "memory" not in line for line in lines)
    chain = lines[lines.index("what the last finish waited for") + 1 :]
    assert chain == [
        "  grab on cam: 0 s to 100 ms",
        "  grab -> detect over cam-edge: 100 ms to 202 ms",
        "  detect on edge: 202 ms to 702 ms",
        "  alarm on edge: 702 ms to 702.1 ms",
        "  in all: 600.1 ms running, 102 ms moving",
    ]


def test_a_plan_for_machines_has_every_row_and_digit(here: Path) -> None:
    plan = offload.load_plan("street.plan.json", street())
    answer = run("show", "street.plan.json", "--json").json()
    assert answer["kind"] == "plan"
    assert answer["metrics"] == plan.metrics
    pieces = ["grab", "grab -> detect", "detect", "alarm"]
    assert [row["what"] for row in answer["critical"]] == pieces
    assert [row["task"] for row in answer["tasks"]] == ["grab", "detect", "alarm"]
    memory = {row["node"]: row["memory"] for row in answer["nodes"]}
    assert memory == {"cam": 2e8, "edge": 5e8, "cloud": 0.0}


@pytest.mark.parametrize("columns", [60, 80, 140])
@pytest.mark.parametrize("file", ["street.json", "street.plan.json"])
def test_nothing_is_wider_than_the_terminal(
    here: Path, monkeypatch: pytest.MonkeyPatch, columns: int, file: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for line in run("show", file, "--transfers").out.splitlines():
        assert cell_len(line) <= columns


def test_a_large_plan_is_shaded_and_cut_to_the_rows_asked_for(here: Path) -> None:
    problem = layers(30, 17, 3)
    in_turn(problem).save("many.plan.json")
    problem.save("many.json")
    out = run("show", "many.plan.json", "-n", "8").out
    assert "busy: ░ up to 25 %" in out
    assert "t0.0" in out  # on the critical chain, whose middle is left out
    assert " steps ..." in out
    assert len(out.splitlines()) < 60
    assert all(cell_len(line) <= 80 for line in out.splitlines())
    shown = run("show", "many.json", "-n", "8").out
    assert "and 502 more tasks; see --rows" in shown


def test_a_terminal_that_speaks_ascii_gets_ascii(here: Path) -> None:
    asked = run("show", "street.plan.json", "--transfers", "--ascii")
    found = run("show", "street.plan.json", "--transfers", encoding="ascii")
    assert asked.out.isascii()
    assert asked.out == found.out
    assert "[detect===" in asked.out
    write(here, street().replace(name="Straße"), "s.json")
    assert run("show", "s.json", encoding="ascii").out.startswith("Stra?e\n")


def test_there_is_no_colour_where_it_is_not_wanted(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b" not in run("show", "street.plan.json").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[1;32m" in run("solve", "street.json", "-m", "cpsat", "--no-save").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "32m" not in run("solve", "street.json", "-m", "cpsat", "--no-save").out


def test_a_file_without_a_plan_is_shown_as_that(here: Path) -> None:
    arguments = ("-m", "cpsat", "--limit", "latency=0.1", "-o", "none.json")
    assert run("solve", "street.json", *arguments).status == 1
    outcome = run("show", "none.json")
    assert outcome.status == 0
    assert outcome.out.splitlines()[1].startswith("infeasible: ")
    assert outcome.out.splitlines()[2] == "the file holds no plan"


def test_a_file_that_is_neither_is_refused(here: Path) -> None:
    (here / "other.json").write_text(json.dumps({"format": "offload-front/1"}))
    outcome = run("show", "other.json")
    assert outcome.status == 2
    assert outcome.err == (
        "error: other.json: $.format: is neither an instance nor a plan, got 'offload-front/1'; "
        'write "offload-instance/1" or "offload-plan/1"\n'
    )
    (here / "text.json").write_text("hello")
    assert "text.json: line 1 column 1: not JSON" in run("show", "text.json").err


def test_files_from_standard_input(here: Path) -> None:
    instance, plan = (here / "street.json").read_bytes(), (here / "street.plan.json").read_bytes()
    assert run("show", "-", stdin=instance).out == run("show", "street.json").out
    assert run("show", "-", stdin=plan).out == run("show", "street.plan.json").out
    assert run("show", "street.plan.json", "-i", "-", stdin=instance).status == 0


def test_no_word_of_an_id_is_taken_for_markup(here: Path) -> None:
    graph = offload.Graph((offload.Task("[red]t[/red]", work=1e9),))
    problem = street().replace(name="[bold]x", graph=graph)
    write(here, problem, "marked.json")
    assert run("solve", "marked.json", "-m", "heft").status == 0
    assert "[red]t[/red]" in run("show", "marked.plan.json", "-q").out
