"""``offload solve``: what it prints, what it saves, and its exit status."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from command_line import run, street, write

import offload


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds street.json and is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    write(tmp_path, street())
    return tmp_path


def test_the_answer_says_what_was_found_and_how_good_it_is(here: Path) -> None:
    outcome = run("solve", "street.json", "-m", "cpsat", "-q")
    first, *rest = outcome.out.splitlines()
    assert outcome.status == 0
    assert first.startswith("optimal: latency 702.125 ms, proved")
    assert "  latency     702.125 ms" in outcome.out
    assert "  energy      " in outcome.out
    assert "3 tasks on 2 of 3 nodes, 1 transfer" in rest
    assert rest[-1] == "plan saved to street.plan.json"
    assert outcome.err == ""


def test_the_saved_plan_is_the_plan_that_was_shown(here: Path) -> None:
    problem = offload.load("street.json")
    answer = run("solve", "street.json", "-m", "cpsat", "--json", "-q").json()
    plan = offload.load_plan(answer["saved"], problem)
    assert answer["saved"] == "street.plan.json"
    assert offload.check(problem, plan) == []
    assert answer["status"] == "optimal"
    assert answer["metrics"] == plan.metrics
    assert answer["objective"] == plan.metrics["latency"] == plan.result["objective"]
    assert answer["assignment"] == {"grab": "cam", "detect": "edge", "alarm": "edge"}


def test_where_the_plan_goes(here: Path) -> None:
    assert run("solve", "street.json", "-m", "heft", "-o", "other.json").status == 0
    assert (here / "other.json").exists()
    assert not (here / "street.plan.json").exists()
    assert run("solve", "street.json", "-m", "heft", "--no-save", "--json").json()["saved"] is None
    assert not (here / "street.plan.json").exists()


def test_plans_of_compressed_instances_and_of_standard_input_have_plain_names(here: Path) -> None:
    raw = (here / "street.json").read_bytes()
    (here / "packed.json.gz").write_bytes(gzip.compress(raw))
    assert (
        run("solve", "packed.json.gz", "-m", "heft", "--json").json()["saved"] == "packed.plan.json"
    )
    piped = run("solve", "-", "-m", "heft", "--json", stdin=raw)
    assert piped.json()["saved"] == "street.plan.json"


def test_a_plan_on_standard_output_can_be_checked_from_standard_input(here: Path) -> None:
    solved = run("solve", "street.json", "-m", "heft", "-o", "-", "--json")
    assert solved.json()["format"] == "offload-plan/1"
    assert "feasible: latency" in solved.err or "optimal: latency" in solved.err
    checked = run("check", "street.json", "-", stdin=solved.out)
    assert (checked.status, checked.out.splitlines()[0]) == (0, "holds")
    silent = run("solve", "street.json", "-m", "heft", "-o", "-", "-q")
    assert silent.err == ""


def test_a_plan_on_standard_output_is_utf_8_whatever_the_terminal_speaks(here: Path) -> None:
    problem = street().replace(name="Straße")
    write(here, problem, "s.json")
    solved = run("solve", "s.json", "-m", "heft", "-o", "-", encoding="ascii")
    assert solved.json()["instance"] == "Straße"


def test_no_plan_is_status_1_and_says_why(here: Path) -> None:
    proved = run("solve", "street.json", "-m", "cpsat", "--limit", "latency=0.5")
    assert proved.status == 1
    assert proved.out.startswith("infeasible: ")
    assert not (here / "street.plan.json").exists()
    unknown = run("solve", "street.json", "-m", "heft", "--limit", "energy=9.45", "--json")
    assert unknown.status == 1
    assert unknown.json()["status"] == "unknown"
    assert "energy" in unknown.json()["reason"]
    assert unknown.json()["metrics"] is None


def test_an_answer_without_a_plan_is_written_where_a_file_was_asked_for(here: Path) -> None:
    outcome = run(
        "solve", "street.json", "-m", "cpsat", "--limit", "latency=0.5", "-o", "none.json"
    )
    written = json.loads((here / "none.json").read_text())
    assert outcome.status == 1
    assert "answer without a plan saved to none.json" in outcome.out
    assert written["tasks"] == []
    assert written["result"]["status"] == "infeasible"


def test_goal_and_limits_reach_the_method(here: Path) -> None:
    cheap = run(
        "solve", "street.json", "-m", "cpsat", "--minimize", "energy=1,latency=0.5", "--limit",
        "latency=5", "--limit", "cost=0.01", "-t", "20s", "--seed", "3", "--threads", "1",
        "--gap", "0.001", "--json",
    ).json()  # fmt: skip
    assert cheap["minimize"] == {"energy": 1.0, "latency": 0.5}
    assert cheap["limits"] == {"latency": 5.0, "cost": 0.01}
    assert (cheap["seed"], cheap["method"]) == (3, "cpsat")
    assert cheap["objective"] == pytest.approx(
        cheap["metrics"]["energy"] + 0.5 * cheap["metrics"]["latency"], rel=1e-12
    )
    text = run("solve", "street.json", "-m", "heft", "--minimize", "energy=1,latency=0.5").out
    assert "(energy + 0.5 latency)" in text.splitlines()[0]


def test_limits_replace_those_of_the_instance_and_none_lifts_them(here: Path) -> None:
    write(here, street().replace(limits={"latency": 0.1}), "tight.json")
    assert run("solve", "tight.json", "-m", "heft").status == 1
    assert run("solve", "tight.json", "-m", "heft", "--limit", "none").status == 0
    assert run("solve", "tight.json", "-m", "heft", "--limit", "latency=9").status == 0


def test_a_start_is_a_plan_of_the_same_instance(here: Path) -> None:
    assert run("solve", "street.json", "-m", "heft", "-o", "start.json").status == 0
    assert run("solve", "street.json", "-m", "cpsat", "--start", "start.json").status == 0
    write(here, street().replace(data=(offload.Data("map", 1.0, ("cam",)),)), "else.json")
    refused = run("solve", "else.json", "--start", "start.json")
    assert refused.status == 2
    assert refused.err.startswith("error: start.json: $.digest: the plan is for another instance")


def test_what_a_method_does_not_honour_is_named(here: Path) -> None:
    tasks = [offload.Task("whole", work=1.0), offload.Task("split", work=1.0, divisible=True)]
    problem = offload.Problem(
        name="split", network=street().network, graph=offload.Graph(tuple(tasks))
    )
    write(here, problem)
    outcome = run("solve", "split.json", "-m", "heft")
    assert outcome.status == 2
    assert outcome.err.startswith("error: method 'heft' does not honour: splitting")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no/such/plan.json", "--output: its folder does not exist, got 'no/such/plan.json'"),
        (".", "--output: is a folder, got '.'"),
    ],
)
def test_a_plan_that_could_not_be_saved_is_not_searched_for(
    here: Path, target: str, message: str
) -> None:
    outcome = run("solve", "street.json", "-o", target)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: {message}")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_the_answer_is_shown_even_where_saving_fails(here: Path) -> None:
    outcome = run("solve", "street.json", "-m", "heft", "-o", "/dev/full")
    assert outcome.status == 2
    assert "latency" in outcome.out.splitlines()[0]
    assert "saved to" not in outcome.out
    assert "error: /dev/full: cannot be written" in outcome.err


def test_saving_and_not_saving_exclude_each_other(here: Path) -> None:
    outcome = run("solve", "street.json", "--no-save", "-o", "x.json")
    assert outcome.status == 2
    assert outcome.err.startswith("error: --no-save: cannot be combined with --output")


def test_a_gantt_is_drawn_when_asked_for_and_not_into_a_pipe(here: Path) -> None:
    drawn = run("solve", "street.json", "-m", "heft", "--gantt").out
    assert "━" in drawn
    assert "━" not in run("solve", "street.json", "-m", "heft").out
    plain = run("solve", "street.json", "-m", "heft", "--gantt", "--ascii").out
    assert plain.isascii()
    assert "[" in plain


def test_verbose_and_quiet_work_before_and_after_the_command(here: Path) -> None:
    arguments = ("street.json", "-m", "heft", "--no-save")
    assert "INFO: " in run("-v", "solve", *arguments).err
    assert "INFO: " in run("solve", *arguments, "-v").err
    assert run("-q", "solve", *arguments).err == ""
    assert run("solve", *arguments, "-q").err == ""


def test_progress_goes_to_standard_error(here: Path) -> None:
    outcome = run("solve", "street.json", "-m", "cpsat", "--json", "--no-save")
    assert outcome.json()["status"] == "optimal"
    assert " s  cpsat  " in outcome.err
