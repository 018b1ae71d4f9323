"""Ctrl-C and SIGTERM: the best plan is kept, and a second Ctrl-C does not wait."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import layers, write

import offload

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

STUBBORN = """
import sys, threading, time
from offload.meters import Silent
from offload.cli.running import run

def work(cancel):
    print("ready", flush=True)
    cancel.wait()
    print("cancelled", flush=True)
    time.sleep({seconds})
    return "kept"

print(run(work, Silent()))
"""


def start(*command: str, folder: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_solve_saves_and_shows_its_best_plan(
    tmp_path: Path, number: signal.Signals
) -> None:
    problem = layers(10, 10, 6)
    write(tmp_path, problem, "layers.json")
    arguments = ("-m", "offload", "solve", "layers.json", "-t", "300")
    with start(*arguments, folder=tmp_path) as solve:
        assert solve.stderr is not None
        for line in solve.stderr:
            if "objective" in line:
                break
        solve.send_signal(number)
        out, err = solve.communicate(timeout=120)
    assert (solve.returncode, "Traceback" in err) == (0, False)
    assert "; stopped: cancelled" in out.splitlines()[0]
    assert "stopping with the best plan so far" in err
    plan = offload.load_plan(tmp_path / "layers.plan.json", problem)
    assert offload.check(problem, plan) == []
    assert plan.result["stopped"] == "cancelled"


def test_a_second_interrupt_quits_at_once(tmp_path: Path) -> None:
    with start("-c", STUBBORN.format(seconds=600)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "cancelled\n"
        while process.poll() is None:  # one that comes at once is the first, delivered twice
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=0.5)
            except subprocess.TimeoutExpired:
                continue
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "")


def test_one_signal_that_is_delivered_twice_is_one(tmp_path: Path) -> None:
    with start("-c", STUBBORN.format(seconds=0.1)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out.splitlines()[-1], err) == (0, "kept", "")


def test_an_interrupt_before_any_plan_is_status_130(tmp_path: Path) -> None:
    problem = layers(10, 10, 6).replace(limits={"latency": 1.0})
    write(tmp_path, problem, "tight.json")
    with start("-m", "offload", "solve", "tight.json", "-t", "300", folder=tmp_path) as solve:
        assert solve.stderr is not None
        line = solve.stderr.readline()
        while "working" in line:  # no method has begun
            line = solve.stderr.readline()
        assert "no plan yet" in line
        solve.send_signal(signal.SIGINT)
        out, err = solve.communicate(timeout=120)
    assert "Traceback" not in err
    assert solve.returncode == (1 if out.startswith("infeasible") else 130)
    assert not (tmp_path / "tight.plan.json").exists()
