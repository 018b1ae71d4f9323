"""How soon solves stop: seconds from the limit, or from a cancel, to the answer.

    python benchmarks/stopping.py [shipped|generated|edge|all] [--methods auto,exact,...]
                                  [--limits 1,3,10] [--cancel 0.5] [--sizes 40,60,100,200,300]
                                  [--only TEXT] [--sample N] [--seed S] [--all] [--output FILE.csv]

A method named ``milp-cbc`` is ``milp`` with CBC. ``edge`` is read from the data folder (environment
variable OFFLOAD_DATA, default ../shared/data). Instances that a method does not honour are left
out. ``--sample`` takes so many solves of a set, evenly spread; the seed says where it begins.

Each solve runs in a worker process. From another process, whom nothing keeps from looking, its CPU
time (all threads, and child processes) is read when the limit is reached, and again when the answer
is there: on a busy machine, the difference tells what it still did from what it waited for. A solve
is late if it did more than 1 s and 5 % of the limit. ``left`` is what it did in half a second after
the answer. Lines are printed of those that are late by either clock, of all with ``--all``; exit
status 1 if one is late by CPU time. Linux only.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

from stop_cases import Case, edge, generated, shipped

import offload
from offload.errors import Unsupported

_METHODS = "auto,exact,cpsat,milp,milp-cbc,node-columns,knapsacks"
_FIXED, _SHARE = 1.0, 0.05  # seconds, and part of the limit, that a solve may take to stop
_REST = 0.5  # seconds after the answer in which nothing should be done
_IDLE = 0.1  # CPU seconds in them that are nothing
_HOPELESS = 90.0  # seconds after the limit at which a worker is killed
_TICK = os.sysconf("SC_CLK_TCK")
_WARM = offload.generate("layered", size=6, seed=0)


@dataclass(frozen=True)
class Job:
    """A solve: ends after ``limit`` seconds, or is cancelled then."""

    case: Case
    method: str
    limit: float
    cancelled: bool


@dataclass
class Row:
    """What came of it, in seconds; ``cpu`` and ``wall`` are those after the limit."""

    name: str
    method: str
    limit: float
    cancelled: bool
    status: str
    took: float
    wall: float
    cpu: float
    left: float

    @property
    def allowed(self) -> float:
        """Seconds that it may take to stop."""
        return _FIXED + (0.0 if self.cancelled else _SHARE * self.limit)


def work(pipe: Connection) -> None:
    """The worker: solves what it is sent, and says when it begins and when it is done."""
    for method in ("exact", "node-columns"):
        offload.solve(_WARM, method, time_limit=5)  # imports what it needs
    pipe.send("ready")
    while (job := pipe.recv()) is not None:
        method, _, solver = (
            job.method.partition("-") if job.method == "milp-cbc" else (job.method, "", "")
        )
        options = {"solver": solver} if solver else None
        problem, cancel = job.case.problem(), threading.Event()
        timer = threading.Timer(job.limit, cancel.set)
        if job.cancelled:
            timer.start()
        pipe.send(time.monotonic())
        try:
            result = offload.solve(
                problem, method, job.case.minimize, job.case.limits or None,
                None if job.cancelled else job.limit, cancel=cancel, options=options,
            )  # fmt: skip
            status = result.status
        except Unsupported:
            status = "unsupported"
        finally:
            timer.cancel()
        pipe.send((time.monotonic(), status))


class Worker:
    """A worker process, and its CPU time."""

    def __init__(self) -> None:
        context = get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=work, args=(other,), daemon=True)
        self.process.start()
        other.close()
        self.pipe.recv()

    def spent(self) -> float:
        """CPU seconds of the worker, its ended children and those that run."""
        return _spent(self.process.pid or 0)

    def run(self, job: Job) -> Row | None:
        """Solve; ``None`` if the method does not honour the instance."""
        self.pipe.send(job)
        began: Any = self.pipe.recv()
        until = began + job.limit
        self.pipe.poll(max(0.0, until - time.monotonic()))
        there = self.spent()
        status, ended = "killed", until + _HOPELESS
        if self.pipe.poll(max(0.0, until + _HOPELESS - time.monotonic())):
            ended, status = self.pipe.recv()
        cpu = self.spent() - there if ended > until else 0.0
        if status == "unsupported":
            return None
        before, left = self.spent(), 0.0
        if status != "killed":
            time.sleep(_REST)
            left = self.spent() - before
        return Row(
            job.case.name, job.method, job.limit, job.cancelled, status, ended - began,
            max(0.0, ended - until), cpu, left,
        )  # fmt: skip

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.join()


def _spent(pid: int) -> float:
    total = 0.0
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total = sum(map(int, fields[11:15])) / _TICK  # user, system, and those of ended children
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                total += _spent(int(child))
    return total


def jobs(chosen: argparse.Namespace) -> list[Job]:
    """The solves that were asked for."""
    sizes = [int(size) for size in chosen.sizes.split(",")]
    sets = {"shipped": shipped, "generated": lambda: generated(sizes), "edge": edge}
    names = sets if chosen.set == "all" else [chosen.set]
    ends = [(float(limit), False) for limit in chosen.limits.split(",") if limit]
    ends += [(chosen.cancel, True)] if chosen.cancel > 0 else []
    found = [
        Job(case, method, limit, cancelled)
        for name in names
        for case in sets[name]()
        if chosen.only in case.name
        for method in chosen.methods.split(",")
        for limit, cancelled in ends
    ]
    if chosen.sample is None or chosen.sample >= len(found):
        return found
    step, offset = len(found) / chosen.sample, Random(chosen.seed).random()
    return [found[int((q + offset) * step)] for q in range(chosen.sample)]


def rows(todo: list[Job]) -> Iterator[Row]:
    """What comes of some solves; a new worker after one that is not done with its work."""
    worker = Worker()
    for job in todo:
        row = worker.run(job)
        if row is not None:
            yield row
            if row.status == "killed" or row.left > _IDLE:
                worker.end()
                worker = Worker()
    worker.end()


def show(row: Row) -> None:
    """Print a line."""
    end = f"{'cancel' if row.cancelled else 'limit'} {row.limit:g}"
    late = "  LATE" if row.cpu > row.allowed else ""
    print(
        f"{row.name[:34]:34} {row.method:13}{end:>12}{row.status:>12}{row.took:9.2f}"
        f"{row.wall:9.2f}{row.cpu:9.2f}{row.left:9.2f}{late}",
        flush=True,
    )


def summary(found: list[Row]) -> None:
    """Print a line a method."""
    print(f"\n{'method':14}{'solves':>8}{'late, CPU':>11}{'late, wall':>11}"
          f"{'worst CPU':>11}{'worst wall':>11}{'worst left':>11}")  # fmt: skip
    for method in dict.fromkeys(row.method for row in found):
        own = [row for row in found if row.method == method]
        print(
            f"{method:14}{len(own):8}{sum(r.cpu > r.allowed for r in own):11}"
            f"{sum(r.wall > r.allowed for r in own):11}{max(r.cpu for r in own):11.2f}"
            f"{max(r.wall for r in own):11.2f}{max(r.left for r in own):11.2f}"
        )


def main() -> None:
    """Print a table and a summary."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "set", nargs="?", choices=["shipped", "generated", "edge", "all"], default="shipped"
    )
    parser.add_argument("--methods", default=_METHODS)
    parser.add_argument("--limits", default="1,3,10", help="wall seconds")
    parser.add_argument("--cancel", type=float, default=0.5, help="seconds; 0 for none")
    parser.add_argument("--sizes", default="40,60,100,200,300", help="tasks of generated ones")
    parser.add_argument("--only", default="", help="instances whose name has this text")
    parser.add_argument("--sample", type=int, help="so many solves, evenly spread")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--all", action="store_true", help="a line for each solve")
    parser.add_argument("--output", type=Path, help="table of all lines, CSV")
    chosen = parser.parse_args()
    print(f"{'instance':35}{'method':13}{'end':>12}{'status':>12}{'took s':>9}"
          f"{'wall s':>9}{'CPU s':>9}{'left s':>9}")  # fmt: skip
    found: list[Row] = []
    for row in rows(jobs(chosen)):
        found.append(row)
        if chosen.all or max(row.cpu, row.wall) > row.allowed or row.left > _IDLE:
            show(row)
    if found:
        summary(found)
    if chosen.output:
        with chosen.output.open("w", newline="") as out:
            table = csv.DictWriter(out, list(Row.__dataclass_fields__))
            table.writeheader()
            table.writerows(map(asdict, found))
    sys.exit(any(row.cpu > row.allowed for row in found))


if __name__ == "__main__":
    main()
