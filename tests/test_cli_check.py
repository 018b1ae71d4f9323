"""``offload check``: whether a plan holds, and what its file says that is not so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import run, street, write

import offload


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The optimal plan of street.json, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, street())
    offload.solve(offload.load(path), method="heft").plan.save("plan.json")  # type: ignore[union-attr]
    return tmp_path / "plan.json"


def edit(plan: Path, change: Callable[[Any], object]) -> None:
    """Change the plan file."""
    content = json.loads(plan.read_text())
    change(content)
    plan.write_text(json.dumps(content))


def test_a_plan_that_holds_is_measured_anew(plan: Path) -> None:
    outcome = run("check", "street.json", plan)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines()[0] == "holds"
    assert "  latency     702.125 ms" in outcome.out
    answer = run("check", "street.json", plan, "--json").json()
    assert answer["holds"] is True
    assert answer["violations"] == []
    assert answer["metrics"] == offload.load_plan(plan, street()).metrics


def test_every_violation_is_a_line(plan: Path) -> None:
    def corrupt(content: Any) -> None:
        content["tasks"][1]["start"] -= 0.05
        content["tasks"][1]["finish"] -= 0.05
        content["transfers"] = []

    edit(plan, corrupt)
    found = offload.check(street(), offload.load_plan(plan, street()))
    outcome = run("check", "street.json", plan)
    assert outcome.status == 1
    assert len(found) > 0
    assert outcome.out.splitlines()[0].startswith("does not hold: ")
    assert outcome.out.splitlines()[1:] == [str(violation) for violation in found]
    answer = run("check", "street.json", plan, "--json")
    assert answer.status == 1
    assert [row["message"] for row in answer.json()["violations"]] == [v.message for v in found]
    assert {"rule", "items", "time", "needed", "found"} < set(answer.json()["violations"][0])


def test_limits_can_be_tried_on_a_plan(plan: Path) -> None:
    assert run("check", "street.json", plan, "--limit", "latency=0.8", "-q").status == 0
    broken = run("check", "street.json", plan, "--limit", "latency=0.7", "-q")
    assert broken.status == 1
    assert "limit" in broken.out


def test_a_wider_tolerance_can_be_asked_for(plan: Path) -> None:
    def late(content: Any) -> None:
        for row in content["tasks"][1:]:
            row["start"] -= 1e-5
            row["finish"] -= 1e-5

    edit(plan, late)
    assert run("check", "street.json", plan, "-q").status == 1
    assert run("check", "street.json", plan, "-q", "--tolerance", "1e-3").status == 0


def test_a_file_s_own_figures_are_not_believed(plan: Path) -> None:
    def boast(content: Any) -> None:
        content["metrics"]["energy"] = 0.5
        content["result"]["objective"] = 0.1

    edit(plan, boast)
    outcome = run("check", "street.json", plan)
    energy = offload.load_plan(plan, street()).metrics["energy"]
    assert outcome.status == 0
    assert outcome.err.splitlines() == [
        f"note: the plan file says metrics.energy = 0.5, measured {energy!r}",
        "note: the plan file says result.objective = 0.1, measured 0.702125",
    ]
    assert run("check", "street.json", plan, "-q").err == ""


def test_rounding_in_the_last_digit_is_no_disagreement(plan: Path) -> None:
    def round_off(content: Any) -> None:
        content["metrics"]["latency"] *= 1 + 1e-12
        content["result"]["objective"] *= 1 - 1e-12

    edit(plan, round_off)
    assert run("check", "street.json", plan).err == ""


@pytest.mark.parametrize(
    "result",
    [
        {"objective": "fast", "minimize": {"latency": 1}},
        {"objective": 1.0, "minimize": "latency"},
        {"objective": 1.0, "minimize": {"speed": 1}},
        {"limits": ["energy"]},
        {"limits": {"energy": None}},
    ],
)
def test_a_record_that_means_nothing_is_passed_over(plan: Path, result: dict[str, Any]) -> None:
    edit(plan, lambda content: content.update(result=result))
    outcome = run("check", "street.json", plan)
    assert (outcome.status, outcome.err) == (0, "")


def test_limits_that_the_plan_was_made_under_are_pointed_out(plan: Path) -> None:
    edit(plan, lambda content: content["result"].update(limits={"energy": 50.5}))
    outcome = run("check", "street.json", plan)
    assert outcome.status == 0
    assert outcome.err.startswith("note: the plan was made under other limits (energy=50.5)")
    assert "--limit energy=50.5" in outcome.err
    assert run("check", "street.json", plan, "--limit", "energy=50.5").err == ""


def test_an_infinite_time_is_reported_and_json_stays_json(plan: Path) -> None:
    def never_ends(content: Any) -> None:
        content["tasks"][2]["finish"] = float("inf")
        content["result"] = {}

    edit(plan, never_ends)
    outcome = run("check", "street.json", plan, "--json", "-q")
    assert outcome.status == 1
    assert outcome.json()["holds"] is False
    assert outcome.json()["metrics"]["latency"] is None


def test_a_plan_of_another_instance_is_refused(plan: Path, tmp_path: Path) -> None:
    other = street().replace(codecs=(offload.Codec("zip", 2.0, 1.0, 1.0),))
    write(tmp_path, other, "other.json")
    outcome = run("check", "other.json", plan)
    assert outcome.status == 2
    assert outcome.err.startswith(f"error: {plan}: $.digest: the plan is for another instance")


def test_what_is_wrong_with_a_plan_file_is_said_line_by_line(plan: Path) -> None:
    def misname(content: Any) -> None:
        content["tasks"][0]["id"] = "grub"
        content["tasks"][1]["node"] = "egde"

    edit(plan, misname)
    lines = run("check", "street.json", plan).err.splitlines()
    assert lines[0] == (
        f"error: {plan}: $.tasks[0].id: names no task of the instance, got 'grub'; "
        "did you mean 'grab'?"
    )
    assert "did you mean 'edge'?" in lines[1]
