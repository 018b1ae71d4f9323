"""Exact methods against PyJobShop on the same instances in one run: CPU seconds to a proof.

    python benchmarks/pyjobshop.py [--method auto] [--time 120] [--threads 4] [--least 0]
                                   [--most 30] [--only TEXT] [--env DIR] [--python python3.11]

Installs ``pyjobshop`` (https://pypi.org/project/pyjobshop) into an environment of its own;
``--env`` keeps it for the next time. The instances are those of ``edge/`` in the data folder
(environment variable OFFLOAD_DATA, default ../shared/data), whose times and delays are whole
numbers. For PyJobShop an edge becomes a task with a mode a pair of nodes, whose duration is the
delay and which depends on the modes of both ends; resident memory is a consumable resource.

Both use OR-Tools CP-SAT with as many workers and the same limits, and must prove to a gap of 1e-6,
so that their values must be equal. Seconds are those of all threads, from the instance or the
arrays of it to the answer; imports do not count. A run that ends without a proof counts with the
seconds that it took, which makes its side of the ratio a lower bound. Exit status 1 if two proofs
contradict each other.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
from environments import environment
from numpy.typing import ArrayLike
from reference import cases

import offload
from offload.features import features_used

DISTRIBUTION = "pyjobshop==0.0.9"
GAP = 1e-6
_WHOLE = 1e-6  # of a tick: how far a delay may be from a whole number
_MODELLED = {"allow", "resident"}


def whole(value: ArrayLike) -> int:
    """A number that is whole up to rounding."""
    number = float(np.asarray(value))
    nearest = round(number)
    assert abs(number - nearest) <= _WHOLE, number
    return nearest


def given(problem: offload.Problem) -> dict[str, Any]:
    """What the worker needs: execution times, memory and delays by node."""
    tables = problem.tables
    used = set(features_used(problem)) - _MODELLED
    assert not used, used
    capacity = [None if np.isinf(c) else whole(c) for c in tables.memory_capacity]
    places = [np.flatnonzero(row).tolist() for row in tables.allowed_table]
    tasks = [
        [[k, whole(tables.execution(i, k)), whole(tables.resident_of(i, k))] for k in nodes]
        for i, nodes in enumerate(places)
    ]
    edges = []
    for e, (i, j) in enumerate(zip(tables.edge_src, tables.edge_dst, strict=True)):
        size = tables.item_bytes[tables.edge_item[e]]
        pairs = [
            [k, l, whole(tables.transfer(size, k, l).total)] for k in places[i] for l in places[j]
        ]
        edges.append([int(i), int(j), pairs])
    return {"memory": capacity, "tasks": tasks, "edges": edges}


def theirs(interpreter: Path, model: dict[str, Any]) -> dict[str, Any]:
    """What PyJobShop finds."""
    # -P: the folder of this script, named like the package, stays off the path.
    worker = Path(__file__).with_name("pyjobshop_worker.py")
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(interpreter), "-P", str(worker)], input=json.dumps(model), stdout=subprocess.PIPE,
        text=True, check=True, env=environ,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ours(problem: offload.Problem, chosen: argparse.Namespace) -> dict[str, Any]:
    """What a method finds on a fresh instance."""
    fresh = problem.replace()
    began, clock = time.process_time(), time.monotonic()
    result = offload.solve(
        fresh, chosen.method, time_limit=chosen.time, gap=GAP, threads=chosen.threads
    )
    return {
        "status": result.status, "objective": result.objective, "bound": result.bound,
        "seconds": time.process_time() - began, "wall": time.monotonic() - clock,
    }  # fmt: skip


def main() -> None:
    """Print a line an instance, and the geometric mean of the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--method", default="auto")
    parser.add_argument("--time", type=float, default=120.0, help="wall seconds for each")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--least", type=int, default=0, help="tasks of the smallest instance")
    parser.add_argument("--most", type=int, default=30, help="tasks of the largest instance")
    parser.add_argument("--only", default="", help="instances whose name has this text")
    parser.add_argument("--env", type=Path, help="folder of the environment, kept for next time")
    parser.add_argument("--python", default=sys.executable, help="an interpreter for it")
    chosen = parser.parse_args()
    ratios: list[float] = []
    proofs, wrong = [0, 0], []
    with tempfile.TemporaryDirectory() as folder:
        interpreter = environment(chosen.env or Path(folder), chosen.python, DISTRIBUTION)
        print(
            f"{'instance':24}{'PyJobShop':>12}{'value':>9}{'cpu s':>9}{'wall s':>8}"
            f"{chosen.method:>12}{'value':>9}{'cpu s':>9}{'wall s':>8}{'ratio':>9}"
        )
        for case in cases("edge"):
            problem = case.problem()
            if chosen.only not in case.name:
                continue
            if not chosen.least <= len(problem.graph.tasks) <= chosen.most:
                continue
            if not proofs[0] and not ratios:
                ours(problem, chosen)  # imports
            limits = {"workers": chosen.threads, "seconds": chosen.time, "gap": GAP}
            both = (theirs(interpreter, given(problem) | limits), ours(problem, chosen))
            shown = ""
            for side, row in enumerate(both):
                proofs[side] += row["status"] == "optimal"
                shown += f"{row['status']:>12}{row['objective'] or np.nan:9.6g}"
                shown += f"{row['seconds']:9.2f}{row['wall']:8.2f}"
            ratio = both[0]["seconds"] / both[1]["seconds"]
            print(f"{case.name:24}{shown}{ratio:9.2f}", flush=True)
            if any(row["status"] == "optimal" for row in both):
                ratios.append(ratio)
            values = [row["objective"] for row in both if row["status"] == "optimal"]
            if len(values) == 2 and abs(values[0] - values[1]) > 2 * GAP * values[0]:
                print(f"*** DIFFERS: {values[0]:.10g} and {values[1]:.10g}")
                wrong.append(case.name)
    if ratios:
        mean = exp(sum(map(log, ratios)) / len(ratios))
        print(
            f"{proofs[0]} proved by PyJobShop, {proofs[1]} by {chosen.method}; seconds of "
            f"PyJobShop / ours: geometric mean {mean:.2f} over {len(ratios)}, least "
            f"{min(ratios):.2f}; {f'*** differ: {wrong}' if wrong else 'none differs'}"
        )
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
