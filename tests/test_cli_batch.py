"""``offload batch``: what it prints, its exit status, and how it is stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from batch_runs import files_of, make, wait_for
from command_line import run, street, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("cli") / "in", 3)


def test_a_batch_prints_a_ranking_and_saves_tables(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = run("batch", folder, "-m", "heft,cpsat", "-o", out, "-q")
    assert (first.status, first.err) == (0, "")
    lines = first.out.splitlines()
    assert lines[0].startswith("6 results of 3 instances: 6 with a plan (")
    assert lines[2].split() == [
        "method", "results", "plans", "optimal", "best", "ratio", "worst", "gap", "time",
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[3:5]] == ["cpsat", "heft"]
    assert "share of results within a factor of the best:" in lines
    assert lines[-1] == f"tables saved to {out / 'summary'} (csv, parquet, svg)"
    assert (out / "summary" / "instances.csv").exists()
    again = run("batch", "--summary", out)
    assert (again.status, again.out) == (0, first.out)


def test_failures_are_named_and_the_status_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder, street())
    (folder / "no.json").write_text("[]")
    made = run("batch", folder, "-m", "heft,peft", "-o", tmp_path / "out", "-q")
    assert made.status == 1
    (line,) = (line for line in made.out.splitlines() if "no.json" in line)
    assert line.startswith(f"  {folder / 'no.json'} (heft, peft): invalid: $: ")


def test_json_has_every_result(folder: Path, tmp_path: Path) -> None:
    made = run("batch", folder, "-m", "heft", "-o", tmp_path / "out", "-q", "--json").json()
    assert (made["results"], made["failed"], made["missing"], made["kept"]) == (3, 0, 0, 0)
    assert [entry["method"] for entry in made["ranking"]] == ["heft"]
    assert {entry["status"] for entry in made["rows"]} <= {"optimal", "feasible"}
    assert made["failures"] == []


def test_a_dry_run_solves_nothing(folder: Path, tmp_path: Path) -> None:
    made = run("batch", folder, "-m", "heft", "-o", tmp_path / "out", "-q", "-n")
    assert (made.status, made.out) == (0, "3 to solve, 0 there already\n")
    assert files_of(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "error: PATHS: needs an instance file or a folder, got 'nothing'"),
        (("nowhere",), "error: nowhere: no such file or folder; check the path"),
        (("IN", "--seeds", "3-1"), "error: --seeds: must be whole numbers, 0 or more, got '3-1'"),
        (("IN", "--seeds", "1,1"), "error: --seeds: needs distinct numbers, got '1,1'"),
        (("IN", "--memory-limit", "lots"), "error: --memory-limit: is no size, got 'lots'"),
        (("IN", "--hard-limit", "x"), "error: --hard-limit: is no duration, got 'x'"),
        (("IN", "-j", "0"), "error: --processes: must be a whole number, 1 or more, got '0'"),
        (("IN", "-m", "heft,"), "error: --methods: needs distinct names, got 'heft,'"),
        (("IN", "--resource", "GPU"), "error: --resource: must be KEY=VALUE, got 'GPU'"),
        (("IN", "--resource", "GPU=x"), "error: --resource: GPU needs a number above 0, got 'x'"),
        (("IN", "--summary", "out"), "error: --summary: takes no PATHS"),
        (("--summary", "nowhere"), "error: nowhere: no results in it"),
    ],
)
def test_bad_arguments_are_one_line(
    folder: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    given = [str(folder) if word == "IN" else word for word in arguments]
    made = run("batch", *given, *(() if "--summary" in given else ("-o", tmp_path / "out")))
    assert (made.status, made.out) == (2, "")
    assert made.err.startswith(words)
    assert made.err.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_what_is_done(tmp_path: Path, number: signal.Signals) -> None:
    folder, out = make(tmp_path / "in", 12), tmp_path / "out"
    arguments = ["batch", str(folder), "-m", "anneal", "-t", "2", "-o", str(out)]
    with subprocess.Popen(
        [sys.executable, "-m", "offload", *arguments], text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as batch:  # fmt: skip
        wait_for(lambda: bool(files_of(out)))
        batch.send_signal(number)
        said, told = batch.communicate(timeout=60)
    done = len(files_of(out))
    assert batch.returncode == 130
    assert f"stopped: {12 - done} results are missing; the same command goes on" in told
    assert "Traceback" not in told
    assert said.startswith(f"{done} result")
    assert (out / "summary" / "results.csv").exists()
