"""Solve reference sets: a line an instance with value, bound, gap and seconds, and a summary a set.

    python benchmarks/exact.py [edge|auckland|stg|gap|fjsp|energy|all] [--method auto,...]
                               [--cpu N] [--time S] [--gap G] [--threads N] [--least N] [--most N]
                               [--sample N] [--seed S] [--only TEXT] [--jobs 1] [--output FILE.csv]

An instance is stopped after ``--cpu`` CPU seconds, those of all threads and child processes
together; by default what is hoped for of the set: 10 for auckland and stg, 20 for gap, 30 for fjsp
and energy; 3, 10 or 30 for edge up to 20, 30 or 40 tasks, 120 above. ``--time`` is its limit in
wall seconds; by default the CPU seconds over the share of a core that a busy machine leaves to this
process, which is measured before each instance, but 60 for the large ones of edge. ``--sample``
takes so many of a set, evenly spread over it; the seed says where it begins. Of several methods
each solves every instance, under the same limit, and is compared with the best of them. Exit status
1 if a value or a bound contradicts what is known.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import exp, inf, log, nan
from multiprocessing import get_context
from pathlib import Path
from random import Random

from reference import SETS, Case, cases

import offload

_ROUNDING = 1e-9
_PROBE = 0.5  # wall seconds in which the share of a core is measured
_TICK = 0.05  # seconds between looks at the time spent
_LATE = 1.05  # a proof counts if it comes this soon after the limit


@dataclass
class Row:
    """What came out of a case; ``seconds`` of all threads, ``wall`` of the clock."""

    set: str
    name: str
    method: str
    tasks: int
    nodes: int
    status: str
    objective: float
    bound: float
    gap: float
    low: float
    high: float
    seconds: float
    wall: float
    in_time: bool
    wrong: str

    @property
    def proved(self) -> bool:
        """Whether the answer is a proof."""
        return self.status in ("optimal", "infeasible")

    @property
    def equal(self) -> bool:
        """Whether the value is that of the best known plan."""
        return abs(self.objective - self.high) <= _ROUNDING * self.high


def run(case: Case, chosen: argparse.Namespace, method: str) -> Row:
    """Solve a case."""
    problem = case.problem()
    cpu = chosen.cpu or case.cpu
    limit = chosen.time or case.wall or cpu / _share()
    with _stopped_after(cpu) as cancel:
        began, clock = _spent(), time.monotonic()
        result = offload.solve(
            problem, method, case.minimize, case.limits, limit, gap=chosen.gap,
            threads=chosen.threads, seed=chosen.seed, cancel=cancel,
        )  # fmt: skip
        seconds, wall = _spent() - began, time.monotonic() - clock
    row = Row(
        case.set, case.name, method, len(problem.graph.tasks), len(problem.network.nodes),
        result.status, _number(result.objective), _number(result.bound), _number(result.gap),
        case.low, case.high, seconds, wall, False, "",
    )  # fmt: skip
    row.in_time = row.proved and seconds <= cpu * _LATE
    row.wrong = wrong(row, chosen.gap or 1e-4)
    return row


def _number(value: float | None) -> float:
    return nan if value is None else value


def _spent() -> float:
    """CPU seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


def _share() -> float:
    """The share of a core that this process gets, at least a hundredth."""
    cpu, wall = time.process_time(), time.monotonic()
    while time.monotonic() - wall < _PROBE:
        pass
    return max(0.01, (time.process_time() - cpu) / (time.monotonic() - wall))


@contextmanager
def _stopped_after(cpu: float) -> Iterator[threading.Event]:
    """An event that is set once so many CPU seconds are spent."""
    cancel, done = threading.Event(), threading.Event()
    ends = _spent() + cpu

    def watch() -> None:
        while not done.wait(_TICK):
            if _spent() >= ends:
                cancel.set()
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield cancel
    finally:
        done.set()
        watcher.join()


def wrong(row: Row, gap: float) -> str:
    """How an answer contradicts what is known, if it does."""
    if row.status == "infeasible":
        return "called infeasible"
    if row.objective < row.low * (1 - _ROUNDING):
        return f"value {row.objective:.10g} below the proved bound {row.low:.10g}"
    if row.bound > row.high * (1 + _ROUNDING):
        return f"bound {row.bound:.10g} above a known plan of {row.high:.10g}"
    if row.proved and row.objective * (1 - gap) > row.high * (1 + _ROUNDING):
        return f"proved {row.objective:.10g}, known {row.high:.10g}"
    return ""


def chosen_cases(name: str, chosen: argparse.Namespace) -> list[Case]:
    """The cases of a set that were asked for."""
    found = [case for case in cases(name) if chosen.only in case.name]
    if chosen.least or chosen.most < inf:
        sizes = (len(case.problem().graph.tasks) for case in found)
        found = [c for c, n in zip(found, sizes, strict=True) if chosen.least <= n <= chosen.most]
    if chosen.sample is None or chosen.sample >= len(found):
        return found
    step = len(found) / chosen.sample
    offset = Random(chosen.seed).random()
    return [found[int((q + offset) * step)] for q in range(chosen.sample)]


def solved(todo: list[Case], chosen: argparse.Namespace) -> Iterator[Row]:
    """The rows of some cases, in their order."""
    calls = [(case, chosen, method) for case in todo for method in chosen.method]
    if chosen.jobs == 1:
        yield from (run(*call) for call in calls)
        return
    with ProcessPoolExecutor(chosen.jobs, get_context("spawn")) as pool:
        yield from pool.map(run, *zip(*calls, strict=True))


def show(row: Row, count: str) -> None:
    """Print a line."""
    known = f"{row.high:.8g}" if row.low == row.high else f"{row.low:.7g}..{row.high:.7g}"
    print(
        f"{count:>9} {row.name[:46]:46}{row.method[:12]:>13}{row.tasks:6}{row.nodes:5}"
        f"{row.status:>11}{row.objective:13.8g}{row.bound:13.8g}{100 * row.gap:9.4f}{known:>20}"
        f"{row.seconds:9.2f}{row.wall:8.2f}{'  late' if row.proved and not row.in_time else ''}"
        + (f"\n*** DIFFERS: {row.wrong}" if row.wrong else ""),
        flush=True,
    )


def beside(rows: list[Row], method: str) -> str:
    """How a method's values compare with the best of all methods on the same instances."""
    best: dict[str, float] = {}
    for row in rows:
        known = best.get(row.name, inf)
        best[row.name] = row.objective if row.objective < known else known
    own = [row for row in rows if row.method == method and row.objective == row.objective]
    ratios = [log(row.objective / best[row.name]) for row in own if best[row.name] > 0]
    mean, worst = exp(sum(ratios) / max(len(ratios), 1)), exp(max(ratios, default=0.0))
    return f"{method}: value / best of the methods: geometric mean {mean:.5f}, worst {worst:.5f}"


def summary(name: str, rows: list[Row]) -> None:
    """Print what came out of a set with one method."""
    count = len(rows)
    found = [row for row in rows if row.objective == row.objective]
    gaps = [row.gap if row.gap == row.gap else 1.0 for row in rows]
    ratios = [log(row.objective / row.high) for row in found if 0 < row.high < inf]
    proved, in_time = sum(row.proved for row in rows), sum(row.in_time for row in rows)
    differs = [row.name for row in rows if row.wrong]
    worse = max(ratios, default=0.0)
    mean = sum(ratios) / max(len(ratios), 1)
    print(
        f"{name}: {count} instances, {len(found)} solved, {proved} proved "
        f"({100 * proved / count:.1f} %), {in_time} in time ({100 * in_time / count:.1f} %), "
        f"{sum(row.equal for row in rows)} equal to the best known; mean gap "
        f"{100 * sum(gaps) / count:.3f} %; value / best known: geometric mean {exp(mean):.5f}, "
        f"worst {exp(worse):.5f}; {sum(row.seconds for row in rows):.1f} CPU s, "
        f"{sum(row.wall for row in rows):.1f} wall s; "
        + (f"*** {len(differs)} DIFFER: {', '.join(differs)}" if differs else "none differs"),
        flush=True,
    )


def save(path: Path, rows: list[Row]) -> None:
    """Write a table."""
    with path.open("w", newline="") as out:
        table = csv.DictWriter(out, list(Row.__dataclass_fields__))
        table.writeheader()
        table.writerows(map(asdict, rows))


def main() -> None:
    """Print tables and summaries."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("set", nargs="?", choices=[*SETS, "all"], default="edge")
    parser.add_argument(
        "--method",
        default="auto",
        type=lambda text: text.split(","),
        help="one or, by commas, more",
    )
    parser.add_argument("--time", type=float, help="wall seconds an instance")
    parser.add_argument("--cpu", type=float, help="CPU seconds an instance")
    parser.add_argument("--gap", type=float, help="relative gap of a proof, 1e-4 by default")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--least", type=int, default=0, help="tasks of the smallest instance")
    parser.add_argument("--most", type=float, default=inf, help="tasks of the largest instance")
    parser.add_argument("--sample", type=int, help="so many of a set, evenly spread")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="instances whose name has this text")
    parser.add_argument("--jobs", type=int, default=1, help="instances at a time")
    parser.add_argument("--output", type=Path, help="table of all lines, CSV")
    chosen = parser.parse_args()
    everything: list[Row] = []
    print(
        f"{'':9} {'instance':46}{'method':>13}{'tasks':>6}{'nodes':>5}{'status':>11}"
        f"{'objective':>13}{'bound':>13}{'gap %':>9}{'known':>20}{'cpu s':>9}{'wall s':>8}"
    )
    for name in SETS if chosen.set == "all" else (chosen.set,):
        todo, rows = chosen_cases(name, chosen), []
        for row in solved(todo, chosen):
            rows.append(row)
            show(row, f"{len(rows)}/{len(todo) * len(chosen.method)}")
        everything += rows
        for method in chosen.method:
            if rows:
                summary(f"{name}, {method}", [row for row in rows if row.method == method])
        if len(chosen.method) > 1:
            print(*(f"{name}, {beside(rows, method)}" for method in chosen.method), sep="\n")
    if chosen.output:
        save(chosen.output, everything)
    sys.exit(any(row.wrong for row in everything))


if __name__ == "__main__":
    main()
