"""The best plan in a given time against the best that others found.

    python benchmarks/quality.py [saga|edge|gap|sums|mixed] [--methods best-of,anneal] [--time 10]
                                 [--seed 0] [--only TEXT] [--least 0] [--most 1000000]

``saga``: the 37 instances of ``saga/`` in the data folder (environment variable OFFLOAD_DATA,
default ../shared/data) against the best of all SAGA schedulers there. SAGA knows direct links only,
so the instances are read with a reference message of no bytes, which makes every route a direct
one. ``edge``: the instances of ``edge/`` with no proved optimum against the best known plan.
``gap``: cost of generalized assignment problems (``gap/``) against the best known. ``sums``:
energy, and cost with risk, of drawn instances against local search by decoding in the same time
(both start from what the quick heuristics find, a short search for sums among them). ``mixed``:
latency and energy of the instances of ``edge/``, at weights that count both alike in HEFT's plan;
and latency with energy limited to 80 % of that plan's; against local search by decoding likewise.

The methods run one after another, each from the plan of the one before; ``--time`` is wall seconds
for all of them together.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from math import exp, inf, log
from pathlib import Path
from typing import NamedTuple

import msgspec
from drawing import priced

import offload

_SUMS = ({"energy": 1.0}, {"cost": 1.0, "risk": 5.0})
_SIZES = ((20, 6), (200, 10), (2000, 30))


class Case(NamedTuple):
    """An instance, the value to compare with, who reached it, and what is minimized."""

    problem: offload.Problem
    known: float
    by: str
    minimize: dict[str, float] = {"latency": 1.0}  # noqa: RUF012


def saga(folder: Path, *_: float) -> Iterator[Case]:
    """SAGA's instances with direct routes; the references of our own format do not count."""
    results = json.loads((folder / "results.json").read_text())
    for name, found in results.items():
        problem = offload.load(next(folder.glob(f"{name}.json*")))
        network = msgspec.structs.replace(problem.network, reference_bytes=0.0)
        values = {n: row["makespan"] for n, row in found.items() if not n.startswith("ref_")}
        best = min(values, key=lambda scheduler: values[scheduler])
        yield Case(problem.replace(network=network), values[best], best)


def edge(folder: Path, *_: float) -> Iterator[Case]:
    """Instances whose best known plan is not proved."""
    for name, found in json.loads((folder / "best_known.json").read_text()).items():
        if found["bound"] < found["makespan"]:
            yield Case(offload.load(folder / f"{name}.json"), found["makespan"], "best known")


def gap(folder: Path, *_: float) -> Iterator[Case]:
    """Jobs on agents: a job's cost is its time at a price of 1, what it takes is resident."""
    for line in (folder / "bounds.csv").read_text().split()[1:]:
        name, known = line.split(",")[0], line.split(",")[6]
        if known:
            numbers = [float(word) for word in (folder / name).read_text().split()]
            yield Case(_assignment(name, numbers), float(known), "best known", {"cost": 1.0})


def _assignment(name: str, numbers: list[float]) -> offload.Problem:
    """From agents, jobs, costs and resources a row an agent, and capacities."""
    agents, jobs = int(numbers[0]), int(numbers[1])
    cells, ids = agents * jobs, [f"a{k}" for k in range(agents)]
    cost, need = numbers[2 : 2 + cells], numbers[2 + cells : 2 + 2 * cells]
    room = numbers[2 + 2 * cells :]
    nodes = [offload.Node(a, price=1.0, memory=room[k]) for k, a in enumerate(ids)]
    tasks = [
        offload.Task(
            f"j{i}", time=dict(zip(ids, cost[i::jobs], strict=True)),
            resident=dict(zip(ids, need[i::jobs], strict=True)),
        )
        for i in range(jobs)
    ]  # fmt: skip
    return offload.Problem(name=name, network=offload.Network(nodes), graph=offload.Graph(tasks))


def _decoded(
    problem: offload.Problem, minimize: dict[str, float], seconds: float, seed: int
) -> Case:
    """An instance with what local search by decoding finds."""
    found = offload.solve(
        problem, "anneal", minimize, time_limit=seconds, seed=seed, threads=1,
        options={"search": "decoding"},
    ).objective  # fmt: skip
    return Case(problem, inf if found is None else found, "decoding", minimize)


def sums(seconds: float, seed: int) -> Iterator[Case]:
    """Drawn instances, with what local search by decoding finds."""
    for tasks, nodes in _SIZES:
        for tight in (False, True):
            problem = priced(tasks, nodes, tight=tight)
            for minimize in _SUMS:
                yield _decoded(problem, minimize, seconds, seed)


def mixed(folder: Path, seconds: float, seed: int) -> Iterator[Case]:
    """Instances of ``edge/`` where energy counts too, with what decoding finds."""
    for path in sorted(folder.glob("edge_*.json")):
        problem = offload.load(path)
        heft = offload.solve(problem, "heft", "latency", {}).plan
        assert heft is not None
        latency, energy = heft.metrics["latency"], heft.metrics["energy"]
        for name, minimize, limits in (
            ("weighted", {"latency": 1.0, "energy": latency / energy}, {}),
            ("limited", {"latency": 1.0}, {"energy": 0.8 * energy}),
        ):
            asked = problem.replace(name=f"{path.stem} {name}", limits=limits)
            yield _decoded(asked, minimize, seconds, seed)


def run(case: Case, methods: list[str], seconds: float, seed: int) -> list[float]:
    """The value after each of some methods, each from the plan of the one before."""
    plan, value, values = None, inf, []
    ends = time.monotonic() + seconds
    for method in methods:
        left = ends - time.monotonic()
        if left > 0 or plan is None:
            result = offload.solve(
                case.problem, method, case.minimize, time_limit=max(left, 0.0), seed=seed,
                start=plan, threads=1,
            )  # fmt: skip
            plan, value = result.plan, inf if result.objective is None else result.objective
        values.append(value)
    return values


def cases(name: str, seconds: float, seed: int) -> Iterator[Case]:
    """The instances of a set."""
    if name == "sums":  # the only one without files
        return sums(seconds, seed)
    data = Path(os.environ.get("OFFLOAD_DATA", "../shared/data"))
    folder = data / ("edge" if name == "mixed" else name)
    if not folder.is_dir():
        sys.exit(f"{folder}: no such folder; set OFFLOAD_DATA to the data folder")
    return {"saga": saga, "edge": edge, "gap": gap, "mixed": mixed}[name](folder, seconds, seed)


def main() -> None:
    """Print a line an instance, and the geometric mean and the worst of the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "set", nargs="?", choices=("saga", "edge", "gap", "sums", "mixed"), default="saga"
    )
    parser.add_argument("--methods", default="best-of,anneal")
    parser.add_argument("--time", type=float, default=10.0, help="wall seconds an instance")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="instances whose name has this text")
    parser.add_argument("--least", type=int, default=0, help="tasks of the smallest instance")
    parser.add_argument("--most", type=int, default=10**6, help="tasks of the largest instance")
    chosen = parser.parse_args()
    methods = chosen.methods.split(",")
    print(
        f"{'instance':32}{'tasks':>7}{'nodes':>7}{'known':>13} {'by':12}"
        + "".join(f"{method:>13}" for method in ["heft", *methods])
        + f"{'ratio':>9}{'cpu s':>8}{'wall s':>8}"
    )
    ratios, over_heft = [], 0
    for case in cases(chosen.set, chosen.time, chosen.seed):
        problem, known, by, minimize = case
        tasks, nodes = len(problem.graph.tasks), len(problem.network.nodes)
        if chosen.only not in problem.name or not chosen.least <= tasks <= chosen.most:
            continue
        heft = offload.solve(problem, "heft", minimize).objective or inf
        cpu, wall = time.process_time(), time.monotonic()
        values = run(case, methods, chosen.time, chosen.seed)
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
        ratio = values[-1] / known
        if ratio > 0:  # else nothing was known
            ratios.append(ratio)
        over_heft += values[-1] > heft * (1 + 1e-9)
        shown = "".join(f"{value:13.6g}" for value in [heft, *values])
        print(
            f"{problem.name:32}{tasks:7}{nodes:7}{known:13.6g} {by:12}{shown}"
            f"{ratio:9.5f}{cpu:8.2f}{wall:8.2f}",
            flush=True,
        )
    if ratios:
        mean = exp(sum(map(log, ratios)) / len(ratios))
        above = sum(ratio > 1 + 1e-9 for ratio in ratios)
        print(
            f"{len(ratios)} instances: geometric mean {mean:.4f}, worst {max(ratios):.4f}, "
            f"{above} above the known value, {over_heft} above HEFT"
        )


if __name__ == "__main__":
    main()
