"""``offload sweep`` and ``offload bottlenecks``: answers, files, interrupts and exit statuses."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from command_line import layers, run, write
from test_sweeps import BANDWIDTH, SPEED, offloading

import offload


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds small.json and is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    write(tmp_path, offloading(), "small.json")
    return tmp_path


# -- sweep -----------------------------------------------------------------------------------------


def test_a_sweep_is_a_row_a_value(here: Path) -> None:
    outcome = run("sweep", "small.json", "--set", f"{BANDWIDTH}=1MB,10MB/s", "-q")
    lines = outcome.out.splitlines()
    assert outcome.status == 0
    assert lines[0].split() == ["links[dev-edge].bandwidth", "latency", "status", "gap",
                                "placement", "moved"]  # fmt: skip
    assert lines[1].split() == ["1", "MB/s", "5", "s", "optimal", "0", "%", "0", "-"]
    assert lines[2].split() == ["10", "MB/s", "2.2", "s", "optimal", "0", "%", "1", "1"]
    assert outcome.err == ""
    assert list(here.iterdir()) == [here / "small.json"]


def test_tables_and_pictures_are_saved(here: Path) -> None:
    outcome = run("sweep", "small.json", "-s", f"{BANDWIDTH}=x0.1:x10:3", "-s", f"{SPEED}=x1,x2",
                  "-m", "heft", "-o", "t.csv", "--plot", "t.svg", "-q")  # fmt: skip
    assert outcome.out.splitlines()[-2:] == ["table saved to t.csv", "picture saved to t.svg"]
    frame = pd.read_csv("t.csv")
    assert frame[BANDWIDTH].tolist() == [0.1, 0.1, 1, 1, 10, 10]
    assert frame["objective"].iloc[5] == pytest.approx(1 + 0.07 + 0.25)
    assert (here / "t.svg").read_text().lstrip().startswith("<?xml")
    run("sweep", "small.json", "-s", f"{BANDWIDTH}=1e6", "-o", "t.parquet", "-q")
    assert pd.read_parquet("t.parquet")["objective"].tolist() == [5.0]


def test_json_of_a_sweep_has_every_column(here: Path) -> None:
    answer = run("sweep", "small.json", "-s", f"{BANDWIDTH}=1e6,none", "-s",
                 "limits.latency=none,3", "--zip", "--json", "-q").json()  # fmt: skip
    assert answer["paths"] == [BANDWIDTH, "limits.latency"]
    assert [row["objective"] for row in answer["rows"]] == [5.0, 1.5]
    assert answer["rows"][1][BANDWIDTH] is None
    assert (answer["saved"], answer["plot"], answer["complete"]) == (None, None, True)


def test_no_plan_in_any_row_is_status_1(here: Path) -> None:
    outcome = run("sweep", "small.json", "-s", "limits.latency=0.5,1", "-q")
    assert outcome.status == 1
    assert outcome.out.count("infeasible") == 2


def test_progress_of_a_sweep_says_which_row(here: Path) -> None:
    err = run("sweep", "small.json", "-s", f"{BANDWIDTH}=1e6,1e7", "-m", "heft").err
    assert " s  row " in err
    assert "of 2 (bandwidth 1e+0" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-s", "bandwidth"], "--set: must be PATH=VALUES, got 'bandwidth'; write for example"),
        (["-s", f"{BANDWIDTH}="], "--set: must be PATH=VALUES"),
        (["-s", f"{BANDWIDTH}=fast"], "must be a number, got 'fast'"),
        (["-s", f"{BANDWIDTH}=1XB"], "--set: is no size, got '1XB'"),
        (["-s", f"{BANDWIDTH}=1:2:1"], "--set: must be LO:HI:N"),
        (["-s", f"{BANDWIDTH}=x1:2:3"], "--set: must be LO:HI:N"),
        (["-s", "network.links[dev-egde].bandwidth=1"], "did you mean 'dev-edge'?"),
        (["-s", f"{BANDWIDTH}=1", "-s", f"{BANDWIDTH}=2"], "--set: path given more than once"),
        (["-s", f"{BANDWIDTH}=1,2", "-s", f"{SPEED}=1", "--zip"], "equally many values"),
        (["-s", f"{BANDWIDTH}=1", "-o", "t.txt"], "--output: must end in .csv or .parquet"),
        (["-s", f"{BANDWIDTH}=1", "-o", "no/t.csv"], "--output: its folder does not exist"),
        (["-s", f"{BANDWIDTH}=1", "--plot", "t.gif"], "--plot: must end in .svg, .png or .pdf"),
        ([], "missing option '--set'"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(
    here: Path, arguments: list[str], message: str
) -> None:
    outcome = run("sweep", "small.json", *arguments)
    assert outcome.status == 2
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert list(here.iterdir()) == [here / "small.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interrupted_sweep_keeps_its_rows(tmp_path: Path) -> None:
    write(tmp_path, layers(10, 10, 6), "layers.json")
    arguments = ["sweep", "layers.json", "-s", "network.nodes[n0].speed=x1:x9:40", "-m", "anneal",
                 "-t", "0.5", "-o", "t.csv"]  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "offload", *arguments], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if re.search("row [2-9] of 40", line):
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "stopping; the rows made so far are kept" in err
    rows = len(pd.read_csv(tmp_path / "t.csv"))
    assert 1 <= rows < 40
    assert "table saved to t.csv" in out
    assert f"interrupted after {rows} row" in err


# -- bottlenecks -----------------------------------------------------------------------------------


def test_bottlenecks_say_what_binds_and_how_far_it_moves(here: Path) -> None:
    outcome = run("bottlenecks", "small.json", "-m", "cpsat", "-q", "--ranges", "3")
    lines = outcome.out.splitlines()
    assert outcome.status == 0
    assert lines[0] == "optimal plan: latency 2.2 s"
    link = next(line for line in lines if line.startswith("bandwidth of dev-edge")).split()
    assert link[3:9] == ["10", "MB/s", "31.8", "%", "31.8", "%"]
    assert link[9:12] == ["yes", "2.89", "%"]
    assert link[-4:] == [">", "100", "MB/s", "proved"]
    assert float(link[12]) == pytest.approx(2, rel=0.02)  # MB/s, by the closed form
    assert lines[-1].startswith("A tenth better pays most at the speed of dev: 4.13 %")
    assert all(len(line.rstrip()) <= 100 for line in lines)


def test_a_plan_s_file_can_be_looked_at_and_the_table_saved(here: Path) -> None:
    plan = offload.solve(offloading(), "local").plan
    assert plan is not None
    plan.save("local.plan.json")
    outcome = run("bottlenecks", "small.json", "local.plan.json", "-q", "-o", "b.csv", "--json")
    answer = outcome.json()
    assert answer["objective"] == pytest.approx(5)
    assert answer["saved"] == "b.csv"
    assert {row["range"] for row in answer["bottlenecks"]} == {"", "not best"}
    assert pd.read_csv("b.csv")["kind"].tolist() == [row["kind"] for row in answer["bottlenecks"]]
    text = run("bottlenecks", "small.json", "local.plan.json", "-q").out
    assert "Another placement is better already" in text


def test_bottlenecks_of_no_plan_are_status_1(here: Path) -> None:
    outcome = run("bottlenecks", "small.json", "--limit", "latency=0.5", "-q", "-o", "b.csv")
    assert outcome.status == 1
    assert outcome.out.startswith("infeasible")
    assert not (here / "b.csv").exists()
    answer = run("bottlenecks", "small.json", "--limit", "latency=0.5", "-q", "--json").json()
    assert (answer["status"], answer["bottlenecks"]) == ("infeasible", None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--reach", "0.5"], "reach: is out of range, got 0.5; write a factor above 1"),
        (["--ranges", "-1"], "--ranges: must be a whole number, 0 or more, got '-1'"),
        (["-o", "b.txt"], "--output: must end in .csv or .parquet"),
        (["none.json"], "none.json"),
    ],
)
def test_wrong_usage_of_bottlenecks_is_status_2(
    here: Path, arguments: list[str], message: str
) -> None:
    outcome = run("bottlenecks", "small.json", *arguments, "-q")
    assert outcome.status == 2
    assert message in outcome.err
