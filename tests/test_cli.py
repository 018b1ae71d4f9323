"""The command line as a whole: help, errors, exit statuses, streams."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import run, street, write

import offload

COMMANDS = (
    "solve", "check", "compare", "convert", "generate", "show", "profile", "profiles", "methods",
    "schema",
)  # fmt: skip


def shell(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """``offload`` in a process of its own."""
    command = [sys.executable, "-m", "offload", *arguments]
    return subprocess.run(command, text=True, capture_output=True, timeout=120, **options)  # type: ignore[call-overload, no-any-return]


def test_help_and_version_need_no_numpy() -> None:
    code = (
        "import sys\n"
        "from offload.cli import main\n"
        "for line in sys.stdin.read().splitlines():\n"
        "    status = main(line.split())\n"
        "    heavy = {'numpy', 'scipy', 'pandas', 'ortools'} & set(sys.modules)\n"
        "    print('status', status, sorted(heavy), file=sys.stderr)\n"
    )
    lines = ["--version", "--help", *(f"{name} --help" for name in COMMANDS)]
    done = subprocess.run(
        [sys.executable, "-c", code], input="\n".join(lines), text=True, capture_output=True,
        timeout=120, check=True, env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.stderr.splitlines() == ["status 0 []"] * len(lines)
    assert f"offload {offload.__version__}" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_shows_an_example(name: str) -> None:
    outcome = run(name, "--help")
    assert outcome.status == 0
    assert "Examples:" in outcome.out
    assert f"offload {name}" in outcome.out.split("Examples:")[1]
    assert name in run("--help").out


def test_the_module_runs_as_the_program_does() -> None:
    done = shell("--version")
    assert (done.returncode, done.stdout) == (0, f"offload {offload.__version__}\n")


def test_brackets_of_paths_stay_in_help() -> None:
    text = run("sweep", "--help").out
    assert text.count("network.nodes[tier:edge].speed") == 2  # in the text and an example


def test_without_a_command_there_is_help_and_status_2() -> None:
    outcome = run()
    assert outcome.status == 2
    assert "Usage: offload" in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["solve"], "error: missing argument 'INSTANCE'; see offload solve --help\n"),
        (["sovle"], "error: no such command 'sovle'"),
        (["solve", "x.json", "--sede", "1"], "error: no such option: --sede"),
        (["solve", "x", "--seed", "one"], "error: --seed: must be a whole number, 0 or more, got"),
        (["solve", "nowhere.json"], "error: nowhere.json: no such file; check the path\n"),
        (["check", "-", "-"], "error: INSTANCE and PLAN: cannot both be standard input"),
        (["methods", "hefty"], "error: method: unknown method, got 'hefty'; did you mean 'heft'"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line_and_status_2(arguments: list[str], message: str) -> None:
    outcome = run(*arguments)
    assert outcome.status == 2
    assert outcome.out == ""
    assert outcome.err.startswith(message)
    assert outcome.err.count("\n") == 1


def test_each_issue_of_a_file_is_a_line_and_many_are_counted(tmp_path: Path) -> None:
    tasks = [{"id": f"t{i}", "work": -1 - i} for i in range(100)]
    path = tmp_path / "bad.json"
    path.write_text(
        json.dumps(
            {
                "format": "offload-instance/1",
                "network": {"nodes": [{"id": "n"}]},
                "graph": {"tasks": tasks},
            }
        )
    )
    outcome = run("solve", path)
    lines = outcome.err.splitlines()
    assert outcome.status == 2
    assert (
        lines[0] == f"error: {path}: $.graph.tasks[0].work: must be >= 0, got -1; write 0 or more"
    )
    assert len(lines) == 21
    assert lines[-1] == f"error: {path}: and 80 more"


def test_no_id_can_break_a_line_or_move_the_cursor(tmp_path: Path) -> None:
    node = offload.Node("n\n\x1b[2Jm", tier="a\tb")
    problem = offload.Problem(
        name="odd\x07 [bold]name[/bold] :smile:",
        network=offload.Network((node,)),
        graph=offload.Graph((offload.Task("t\r\x1b[31m", work=1.0),)),
    )
    path = write(tmp_path, problem, "odd.json")
    shown, solved = run("show", path), run("solve", path, "-m", "heft", "--no-save", "--gantt")
    for outcome in (shown, solved):
        assert outcome.status == 0
        assert not set("\x1b\r\x07\t") & set(outcome.out)
    assert "odd? [bold]name[/bold] :smile:" in shown.out
    assert "n??[2Jm" in shown.out


def test_debug_shows_the_traceback_and_keeps_the_status(tmp_path: Path) -> None:
    plain, debug = run("show", "nowhere.json"), run("--debug", "show", "nowhere.json")
    assert (plain.status, debug.status) == (2, 2)
    assert "Traceback" not in plain.err
    assert "Traceback" in debug.err
    assert debug.err.endswith(plain.err)


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    path = write(tmp_path, street())
    for arguments in (["schema"], ["schema", "--help"], ["show", str(path)], ["methods", "--json"]):
        reading, writing = os.pipe()
        os.close(reading)
        command = [sys.executable, "-m", "offload", *arguments]
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, timeout=120)
        os.close(writing)
        assert (done.returncode, done.stderr) == (0, b"")


def test_the_answer_no_survives_a_reader_that_leaves_early(tmp_path: Path) -> None:
    path, plan = write(tmp_path, street()), tmp_path / "none.json"
    assert run("solve", path, "-m", "heft", "--limit", "latency=0.1", "-o", plan).status == 1
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "offload", "check", str(path), str(plan), "-q"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, timeout=120)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_standard_output_is_an_error() -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "offload", "schema"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.startswith("error: input or output failed: ")
    assert done.stderr.count("\n") == 1


def test_an_interrupt_with_nothing_to_keep_is_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise KeyboardInterrupt

    from offload.cli import main

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Interrupted()))
    assert main(["show", "-"]) == 130


def test_the_schema_is_the_library_s_and_goes_where_it_is_told(tmp_path: Path) -> None:
    known = json.loads(json.dumps(offload.schema()))
    assert run("schema").json() == run("schema", "--json").json() == known
    target = tmp_path / "schema.json"
    outcome = run("schema", "-o", target)
    assert (outcome.status, outcome.out) == (0, "")
    assert json.loads(target.read_text()) == known


def test_methods_are_listed_with_all_that_is_known_of_them() -> None:
    frame = offload.methods()
    assert run("methods", "--json").json() == frame.to_dict("records")
    listed = run("methods").out
    assert all(name in listed for name in frame["method"])
    one = run("methods", "cpsat")
    assert one.status == 0
    assert "honours" in one.out
    assert run("methods", "cpsat", "--json").json()["method"] == "cpsat"
