"""``offload compare``: methods side by side, best first."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import run, street, write

import offload
from offload import registry
from offload.features import goal_of
from offload.solver import missing_features


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    write(tmp_path, street())
    return tmp_path


def test_methods_stand_best_first_with_their_gap_to_the_best_bound(here: Path) -> None:
    outcome = run("compare", "street.json", "--methods", "local,heft,cpsat", "-t", "20s", "--json")
    answer = outcome.json()
    rows = answer["methods"]
    assert outcome.status == 0
    assert {row["method"] for row in rows} == {"local", "heft", "cpsat"}
    values = [row["objective"] for row in rows]
    assert values == sorted(values)
    assert answer["bound"] == max(row["bound"] for row in rows)
    for row in rows:
        gap = (row["objective"] - answer["bound"]) / row["objective"]
        assert row["gap"] == pytest.approx(gap, abs=1e-12)
        assert row["latency"] == row["objective"]


def test_the_table_names_the_best_bound_and_fits(here: Path) -> None:
    outcome = run("compare", "street.json", "--methods", "local,heft,cpsat", "-t", "20s", "-q")
    lines = outcome.out.splitlines()
    assert lines[0].split()[:3] == ["method", "status", "latency"]
    assert "best bound: 702.125 ms" in lines
    assert all(len(line.rstrip()) <= 80 for line in lines)
    assert outcome.err == ""


def test_methods_that_do_not_honour_the_instance_are_left_out_with_the_reason(here: Path) -> None:
    base = street()
    tasks = [offload.Task("whole", work=1.0), offload.Task("split", work=1.0, divisible=True)]
    problem = base.replace(name="split", graph=offload.Graph(tuple(tasks)))
    write(here, problem)
    missing = {
        entry.name: missing_features(problem, goal_of(problem), entry)
        for entry in registry.entries().values()
    }
    left_out = {name: features for name, features in missing.items() if features}
    assert "heft" in left_out
    outcome = run("compare", "split.json", "-t", "5s", "-q")
    for name, features in left_out.items():
        assert f"left out: {name} does not honour {', '.join(features)}" in outcome.out
    assert run("compare", "split.json", "-t", "5s", "-q", "--json").json()["left_out"] == left_out


def test_no_plan_by_any_method_is_status_1(here: Path) -> None:
    outcome = run("compare", "street.json", "-m", "heft,cpsat", "--limit", "latency=0.1", "-q")
    assert outcome.status == 1
    assert "infeasible" in outcome.out


def thirds() -> offload.Problem:
    """18 tasks that six nodes end within 1000 s only as three to a node (3-partition)."""
    works = [
        408,
        324,
        283,
        281,
        443,
        303,
        274,
        352,
        415,
        338,
        271,
        323,
        359,
        261,
        269,
        314,
        415,
        367,
    ]
    tasks = tuple(offload.Task(f"t{i}", work=work) for i, work in enumerate(works))
    nodes = [offload.Node("dev", tier="device"), *(offload.Node(f"e{k}") for k in range(5))]
    return offload.Problem(
        name="thirds", network=offload.Network(tuple(nodes)), graph=offload.Graph(tasks)
    )


def test_a_method_without_a_plan_stands_last_with_its_reason(here: Path) -> None:
    write(here, thirds())
    arguments = (
        "-m",
        "local,cpsat",
        "--limit",
        "latency=1000",
        "--threads",
        "1",
        "-t",
        "60s",
        "-q",
    )
    outcome = run("compare", "thirds.json", *arguments)
    lines = outcome.out.splitlines()
    assert outcome.status == 0
    assert lines[1].split()[:2] == ["cpsat", "optimal"]
    assert lines[2].split()[:2] == ["local", "unknown"]
    said = " ".join(" ".join(line[40:] for line in lines[2:]).split())
    assert "leaves broken the limit of latency" in said
    rows = run("compare", "thirds.json", *arguments, "--json").json()["methods"]
    assert [row["objective"] is None for row in rows] == [False, True]


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ("heft,,cpsat", "error: --methods: needs distinct names, got 'heft,,cpsat'"),
        ("heft,heft", "error: --methods: needs distinct names, got 'heft,heft'"),
        ("heft,cp-sat", "error: method: unknown method, got 'cp-sat'; did you mean 'cpsat'?"),
    ],
)
def test_wrong_methods_are_named(here: Path, methods: str, message: str) -> None:
    outcome = run("compare", "street.json", "--methods", methods, "-q")
    assert outcome.status == 2
    assert outcome.err.startswith(message)
