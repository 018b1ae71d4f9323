"""CPU seconds and memory by size, with fitted exponents: load, tables, methods, check, save.

    python benchmarks/scaling.py [--tasks 1000,3000,10000,30000,100000] [--at-nodes 100]
                                 [--nodes 10,30,100,300,1000] [--at-tasks 5000]
                                 [--batches 10,100,1000] [--methods heft] [--large]

Three curves: over tasks (three edges a task) at a fixed number of nodes, over nodes at a fixed
number of tasks, and over the batch of ``evaluate`` at 200 tasks and 6 nodes. ``--large`` measures
only the two large cases: 100,000 tasks with 300,000 edges on 100 nodes, and 20,000 tasks on 1,000.

Each instance is drawn with a fixed seed, written to a temporary folder and measured in a process of
its own, so that drawing it does not count. Peak memory is the resident size of that process so far,
imports included. An exponent is the slope of a line through the logarithms of seconds and size.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from drawing import large

import offload
from offload import registry
from offload.features import features_used, goal_of

EDGES = 3  # edges a task


class Phases:
    """CPU seconds of each phase, and the peak of resident memory after it in MiB."""

    def __init__(self, repeat: int) -> None:
        self.repeat = repeat
        self.seconds: dict[str, float] = {}
        self.peak: dict[str, int] = {}

    def run(self, name: str, phase: Callable[[], Any]) -> Any:
        """Run a phase, several times if it is short; the least time counts."""
        least, spent, result = float("inf"), 0.0, None
        for _ in range(self.repeat):
            began = time.process_time()
            result = phase()
            seconds = time.process_time() - began
            least, spent = min(least, seconds), spent + seconds
            if spent > 5:
                break
        self.seconds[name] = least
        self.peak[name] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        return result


def measure(path: Path, methods: list[str], repeat: int) -> dict[str, Any]:
    """All phases on one instance, in the order in which a user meets them."""
    # What is imported on first use is imported now: it does not count.
    import offload.checker
    import offload.plan_files

    phases = Phases(repeat)
    problem = phases.run("load", lambda: offload.load(path))
    fresh = iter([problem, *(problem.replace() for _ in range(repeat))])
    phases.run("tables", lambda: next(fresh).tables)
    phases.run("features", lambda: features_used(problem))
    phases.run("save instance", lambda: offload.save(problem, path.with_suffix(".again.json")))
    for method in methods:
        run = registry.find(method).load()
        request = registry.Request(problem, goal_of(problem))
        answer = phases.run(method, lambda run=run, request=request: run(request))
        assert answer.plan is not None, f"{method}: {answer.reason}"
        if method == methods[0]:
            plan = answer.plan
    target = path.with_suffix(".plan.json")
    phases.run("save plan", lambda: plan.save(target))
    loaded = phases.run("load plan", lambda: offload.load_plan(target, problem))
    found = phases.run("check", lambda: offload.check(problem, loaded))
    assert not found, found[:3]
    return {"seconds": phases.seconds, "peak": phases.peak}


def in_a_process(problem: offload.Problem, methods: list[str], repeat: int) -> dict[str, Any]:
    """:func:`measure` in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "instance.json"
        problem.save(path)
        del problem
        command = [
            sys.executable, __file__, "--measure", str(path), "--methods", ",".join(methods),
            "--repeat", str(repeat),
        ]  # fmt: skip
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def curve(what: str, sizes: list[int], rows: list[dict[str, float]]) -> None:
    """Print a line a phase: its seconds at each size, and the fitted exponent."""
    print(f"\n{what:16}" + "".join(f"{size:>10}" for size in sizes) + f"{'exponent':>10}")
    for name in rows[0]:
        values = [row[name] for row in rows]
        shown = "".join(f"{value:10.4g}" for value in values)
        slope = ""
        if len(sizes) > 1 and min(values) > 0:
            slope = f"{np.polyfit(np.log(sizes), np.log(values), 1)[0]:10.2f}"
        print(f"{name:16}{shown}{slope}", flush=True)


def sized(
    what: str, cases: list[tuple[int, int, str]], sizes: list[int], methods: list[str], repeat: int
) -> None:
    """Measure instances of (tasks, nodes, network) and print seconds and memory."""
    rows, peaks = [], []
    for tasks, nodes, network in cases:
        made = in_a_process(large(tasks, EDGES * tasks, nodes, network), methods, repeat)
        rows.append(made["seconds"])
        peaks.append({"peak MiB, " + name: mib for name, mib in made["peak"].items()})
    curve(what, sizes, rows)
    kept = ("load", "tables", methods[0], "check")
    curve("", sizes, [{f"MiB, {n}": row["peak MiB, " + n] for n in kept} for row in peaks])


def batches(sizes: list[int], repeat: int) -> None:
    """CPU seconds of ``evaluate`` by the number of plans."""
    problem = large(200, 200 * EDGES, 6)
    dice = np.random.default_rng(1)
    order = problem.tables.topological
    rows = []
    for size in sizes:
        nodes = dice.integers(0, 6, (size, 200), dtype=np.int32)
        orders = np.broadcast_to(order, nodes.shape)
        phases = Phases(repeat)
        phases.run("evaluate", lambda n=nodes, o=orders: offload.evaluate(problem, n, o))
        rows.append(phases.seconds)
    curve("plans in a batch", sizes, rows)


def _sizes(text: str) -> list[int]:
    return [int(size) for size in text.split(",") if size]


def main() -> None:
    """Draw, write, measure in new processes, print curves."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tasks", type=_sizes, default=[1000, 3000, 10_000, 30_000, 100_000])
    parser.add_argument("--at-nodes", type=int, default=100, help="nodes of the curve over tasks")
    parser.add_argument("--nodes", type=_sizes, default=[10, 30, 100, 300, 1000])
    parser.add_argument("--at-tasks", type=int, default=5000, help="tasks of the curve over nodes")
    parser.add_argument("--batches", type=_sizes, default=[10, 100, 1000, 10_000])
    parser.add_argument("--methods", default="heft", help="the first one's plan is checked")
    parser.add_argument("--repeat", type=int, default=3, help="runs; the least time counts")
    parser.add_argument("--large", action="store_true", help="the two large cases alone")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    methods = chosen.methods.split(",")
    if chosen.measure:
        print(json.dumps(measure(chosen.measure, methods, chosen.repeat)))
        return
    if chosen.large:
        for case in ((100_000, 100, "mesh"), (20_000, 1000, "sites")):
            what = f"{case[0]} x {case[1]}"
            sized(what, [case], [case[0]], methods, chosen.repeat)
        return
    if chosen.tasks:
        cases = [(tasks, chosen.at_nodes, "mesh") for tasks in chosen.tasks]
        sized("tasks", cases, chosen.tasks, methods, chosen.repeat)
    if chosen.nodes:
        cases = [(chosen.at_tasks, nodes, "sites") for nodes in chosen.nodes]
        sized("nodes", cases, chosen.nodes, methods, chosen.repeat)
    if chosen.batches:
        batches(chosen.batches, chosen.repeat)


if __name__ == "__main__":
    main()
