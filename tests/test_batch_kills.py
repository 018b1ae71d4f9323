"""Whatever is killed, every result is there exactly once, and no child outlives its parent."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import psutil
import pytest
from batch_runs import answers, cluster, command, files_of, finish, kill, make, running, wait_for

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

METHODS = ("heft", "anneal", "cpsat")
SIZES = [
    pytest.param(6, id="6"),
    pytest.param(300, id="300", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("many", SIZES)
def test_a_batch_killed_three_times_has_the_results_of_one_left_alone(
    tmp_path: Path, many: int
) -> None:
    folder, killed, alone = make(tmp_path / "in", many), tmp_path / "killed", tmp_path / "alone"
    options = ("--methods", ",".join(METHODS))
    total, rng = many * len(METHODS), random.Random(many)
    for turn in range(3):
        with running(command(folder, killed, *options)) as batch:
            wait_for(lambda turn=turn: len(files_of(killed)) > turn * total // 4)
            time.sleep(rng.uniform(0, 0.5))
            kill(batch)
        assert len(answers(killed)) < total
    before = {path.name: path.stat().st_mtime_ns for path in files_of(killed)}
    ended = finish(command(folder, killed, *options))
    assert (ended.returncode, ended.stderr) == (0, "")
    after = {path.name: path.stat().st_mtime_ns for path in files_of(killed)}
    assert before.items() <= after.items()  # nothing is done twice
    assert finish(command(folder, alone, *options)).returncode == 0
    assert len(after) == total
    assert answers(killed) == answers(alone)
    assert [path for path in killed.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("many", SIZES)
def test_a_killed_worker_loses_nothing(tmp_path: Path, many: int) -> None:
    folder, shared, alone = make(tmp_path / "in", many), tmp_path / "shared", tmp_path / "alone"
    options = ("--methods", ",".join(METHODS))
    total = many * len(METHODS)
    with cluster(2, "--no-nanny") as (address, workers, _):
        with running(command(folder, shared, *options, "--cluster", address)) as batch:
            wait_for(lambda: len(files_of(shared)) > total // 4)
            kill(workers[0])
            assert batch.wait() == 0
        assert len(files_of(shared)) == total
        wait_for(lambda: not psutil.Process(workers[1].pid).children(recursive=True))
    assert finish(command(folder, alone, *options)).returncode == 0
    assert answers(shared) == answers(alone)


def test_a_killed_client_leaves_whole_files_and_the_cluster_goes_on(tmp_path: Path) -> None:
    folder, results = make(tmp_path / "in", 6), tmp_path / "out"
    options = ("--methods", ",".join(METHODS))
    with cluster(1) as (address, *_):
        for _ in range(2):
            with running(command(folder, results, *options, "--cluster", address)) as batch:
                done = len(files_of(results))
                wait_for(lambda done=done: len(files_of(results)) > done)
                batch.kill()
        ended = finish(command(folder, results, *options, "--cluster", address, "--json"))
    assert ended.returncode == 0
    said = json.loads(ended.stdout)
    assert (said["results"], said["missing"], said["failed"]) == (18, 0, 0)
    assert said["kept"] >= 2
    assert len(answers(results)) == 18
