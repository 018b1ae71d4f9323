"""``offload pareto``: answers, files, going on, errors and exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from command_line import run, street, write

import offload


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds street.json and is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    write(tmp_path, street(), "street.json")
    return tmp_path


def test_a_front_is_shown_and_saved(here: Path) -> None:
    outcome = run("pareto", "street.json", "-m", "exact", "-n", "all", "-q")
    lines = outcome.out.splitlines()
    assert outcome.status == 0, outcome.err
    assert "latency against energy" in lines[0]
    assert "none missing" in lines[0]
    assert lines[-1] == "front saved to street.front.json"
    front = offload.load_front("street.front.json", street())
    assert front.complete
    assert front.values[0, 0] == pytest.approx(0.702125)
    assert sum("proved" in line for line in lines[1:]) == len(front)


def test_machines_get_json_tables_and_pictures(here: Path) -> None:
    outcome = run(
        "pareto", "street.json", "-m", "exact", "--json", "--no-save", "-q",
        "--metrics", "latency,energy,cost", "--table", "t.csv", "--plot", "t.svg",
    )  # fmt: skip
    found = outcome.json()
    assert outcome.status == 0, outcome.err
    assert found["metrics"] == ["latency", "energy", "cost"]
    assert found["saved"] is None
    assert len(pd.read_csv("t.csv")) == len(found["points"]) > 1
    assert (here / "t.svg").read_text().lstrip().startswith("<?xml")
    assert not (here / "street.front.json").exists()


def test_a_front_goes_on_from_a_file(here: Path) -> None:
    run("pareto", "street.json", "-m", "exact", "-n", "all", "-q")
    outcome = run(
        "pareto", "street.json", "--start", "street.front.json", "-t", "0", "-o", "-", "-q"
    )
    assert outcome.status == 0
    assert len(json.loads(outcome.out)["plans"]) == len(
        offload.load_front("street.front.json", street())
    )


def test_limits_out_of_reach_are_an_answer_of_no(here: Path) -> None:
    outcome = run("pareto", "street.json", "--limit", "latency=1e-6", "-t", "5", "-q")
    assert outcome.status == 1
    assert outcome.out.splitlines()[0] == "infeasible: proved: no plan exists within the limits"
    assert not (here / "street.front.json").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--metrics", "latency"), "metrics: must be two or three different ones"),
        (("--metrics", "latency,speed"), "metrics: must be of latency"),
        (("--points", "0"), "--points: must be a whole number, 1 or more, got '0'"),
        (("--plot", "t.jpg"), "--plot: must end in .svg, .png or .pdf, got 't.jpg'"),
        (("--table", "t.txt"), "--table: must end in .csv or .parquet, got 't.txt'"),
        (("-o", "no/where.json"), "--output: its folder does not exist, got 'no/where.json'"),
        (("--method", "hefty"), "method: unknown method, got 'hefty'"),
        (("--start", "street.json"), r"street.json: $.format"),
    ],
)
def test_wrong_usage_is_one_line(here: Path, arguments: tuple[str, ...], line: str) -> None:
    outcome = run("pareto", "street.json", *arguments, "-q", "-t", "5")
    assert outcome.status == 2
    assert line in outcome.err
    assert "Traceback" not in outcome.err
    assert sorted(path.name for path in here.iterdir()) == ["street.json"]
