"""List schedulers against SAGA's on the same instances: CPU seconds, makespans and ratios.

    python benchmarks/saga.py [--python python3.12] [--env DIR] [--most 10000] [--full]

Installs ``anrg-saga`` (https://pypi.org/project/anrg-saga) into an environment of its own, which
needs Python 3.12 or newer; ``--env`` keeps it for the next time. The instances are the layered ones
of ``saga/`` in the data folder (environment variable OFFLOAD_DATA, default ../shared/data); without
them, layered ones are drawn. SAGA knows direct links only, so the instances are read with a
reference message of no bytes, which makes every route a direct one.

SAGA's seconds are those of ``schedule`` alone. Ours are those of the method alone, and of a whole
``solve`` of a fresh instance: tables, bound, method and check. With more than 1,000 tasks only HEFT
runs, unless ``--full`` asks for all.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from drawing import layered
from environments import environment

import offload
from offload import registry
from offload.features import goal_of

SIZES = ((100, 8), (100, 32), (1000, 8), (1000, 32), (10_000, 8), (10_000, 32))
SCHEDULERS = {
    "HeftScheduler": "heft", "CpopScheduler": "cpop", "PEFTScheduler": "peft",
    "ETFScheduler": "etf", "MinMinScheduler": "min-min", "MaxMinScheduler": "max-min",
    "SufferageScheduler": "sufferage", "DuplexScheduler": "duplex", "MCTScheduler": "mct",
    "METScheduler": "met", "OLBScheduler": "olb",
}  # fmt: skip
AVERAGING = {"heft", "cpop", "peft"}  # methods that can average delays the way SAGA does
DISTRIBUTION = "anrg-saga==2.1.0"


def instance(tasks: int, nodes: int) -> offload.Problem:
    """A layered instance, its routes all direct."""
    folder = Path(os.environ.get("OFFLOAD_DATA", "../shared/data")) / "saga"
    path = folder / f"layered_n{tasks}_m{nodes}.json.gz"
    problem = offload.load(path) if path.exists() else layered(tasks, nodes)
    network = msgspec.structs.replace(problem.network, reference_bytes=0.0)
    return problem.replace(network=network)


def theirs(
    interpreter: Path, problem: offload.Problem, names: list[str], repeat: int
) -> Iterator[dict[str, Any]]:
    """Name, makespan and seconds of each of SAGA's schedulers."""
    network, graph = problem.network, problem.graph
    assert all(link.latency == 0 and link.duplex == "full" for link in network.links)
    given = {
        "nodes": [(node.id, node.speed) for node in network.nodes],
        "links": [(link.src, link.dst, link.bandwidth) for link in network.links],
        "tasks": [(task.id, task.work) for task in graph.tasks],
        "edges": [(edge.src, edge.dst, edge.bytes) for edge in graph.edges],
        "schedulers": names,
        "repeat": repeat,
    }
    # -P: the folder of this script, named like the package, stays off the path.
    worker = Path(__file__).with_name("saga_worker.py")
    environ = {**os.environ, "PYTHONHASHSEED": "0"}  # SAGA's ties follow it
    environ.pop("PYTHONPATH", None)
    done = subprocess.run(
        [str(interpreter), "-P", str(worker)], input=json.dumps(given), stdout=subprocess.PIPE,
        text=True, check=True, env=environ,
    )  # fmt: skip
    yield from map(json.loads, done.stdout.splitlines())


def ours(problem: offload.Problem, method: str, repeat: int) -> tuple[float, float, float]:
    """Latency, and least CPU seconds of the method alone and of a whole ``solve``."""
    options = {"average": "saga"} if method in AVERAGING else {}
    latency, alone, whole = float("nan"), float("inf"), float("inf")
    run = registry.find(method).load()
    for _ in range(repeat):
        fresh = problem.replace()
        began = time.process_time()
        result = offload.solve(fresh, method, options=options, time_limit=None)
        whole = min(whole, time.process_time() - began)
        if result.objective is not None:
            latency = result.objective
        request = registry.Request(fresh, goal_of(fresh), options=dict(options))
        began = time.process_time()
        run(request)
        alone = min(alone, time.process_time() - began)
    return latency, alone, whole


def compare(problem: offload.Problem, interpreter: Path, names: list[str], repeat: int) -> None:
    """Print a line a scheduler."""
    for row in theirs(interpreter, problem, names, repeat):
        method = SCHEDULERS[row["name"]]
        latency, alone, whole = ours(problem, method, repeat)
        print(
            f"{problem.name:22}{method:>10}{row['makespan']:14.4f}{latency:14.4f}"
            f"{latency / row['makespan']:9.5f}{row['seconds']:11.4f}{alone:10.4f}{whole:10.4f}"
            f"{row['seconds'] / alone:9.1f}{row['seconds'] / whole:9.1f}",
            flush=True,
        )


def _python() -> str:
    """An interpreter that SAGA installs under."""
    if sys.version_info >= (3, 12):
        return sys.executable
    found = next(filter(None, map(shutil.which, ("python3.12", "python3.13"))), None)
    return found or sys.exit("SAGA needs Python 3.12 or newer: name one with --python")


def main() -> None:
    """Print a table, a line for each instance and scheduler."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", help="an interpreter of 3.12 or newer for SAGA")
    parser.add_argument("--env", type=Path, help="folder of SAGA's environment, kept for next time")
    parser.add_argument("--least", type=int, default=0, help="tasks of the smallest instance")
    parser.add_argument("--most", type=int, default=10_000, help="tasks of the largest instance")
    parser.add_argument("--methods", default=",".join(SCHEDULERS.values()))
    parser.add_argument("--repeat", type=int, default=3, help="runs; the least time counts")
    parser.add_argument("--full", action="store_true", help="all methods on the largest too: hours")
    chosen = parser.parse_args()
    wanted = [m for m in chosen.methods.split(",") if m in registry.entries()]
    with tempfile.TemporaryDirectory() as folder:
        interpreter = environment(
            chosen.env or Path(folder), chosen.python or _python(), DISTRIBUTION
        )
        print(
            f"{'instance':22}{'method':>10}{'SAGA':>14}{'offload':>14}{'ratio':>9}"
            f"{'SAGA s':>11}{'method s':>10}{'solve s':>10}{'faster':>9}{'(solve)':>9}"
        )
        for tasks, nodes in SIZES:
            if not chosen.least <= tasks <= chosen.most:
                continue
            large = tasks > 1000
            methods = [m for m in wanted if m == "heft" or chosen.full or not large]
            names = [name for name, method in SCHEDULERS.items() if method in methods]
            repeat = 1 if large else chosen.repeat
            compare(instance(tasks, nodes), interpreter, names, repeat)


if __name__ == "__main__":
    main()
