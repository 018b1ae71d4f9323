"""Decode the same plans with the evaluator and with a plain C program; print rates and their ratio.

    python benchmarks/evaluator.py [--batch 1000] [--seconds 5]

Compiles decode.c with gcc -O3 into a temporary folder. Placements are random among the nodes that
allow each task, and differ from plan to plan; orders are random topological ones, each plan's own
or one for all. The evaluator is timed as a user calls it, arguments checked and the latency asked
for; of the C program only its loop counts. It comes as plain as the rule reads, and tuned: without
the branch that asks whether an item changes nodes. All give the same latencies, to the last bit.
Rates are plans a CPU second, of the fastest of many calls by turns. Instances of 200 and 1000 tasks
come from ``edge/`` in the data folder (environment variable OFFLOAD_DATA, default ../shared/data)
where it is there; all others are drawn alike.
"""

from __future__ import annotations

import argparse
import ctypes
import heapq
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import offload
from offload.tables import TOLERANCE

SIZES = (50, 200, 1000)
_SPEEDS = {"device": 1.0, "edge": 3.0, "cloud": 10.0}


def draw(tasks: int, seed: int = 1) -> offload.Problem:
    """A layered graph on two devices, three edge nodes and a cloud; sources stay on devices."""
    dice = random.Random(f"layered {tasks} {seed}")
    tiers = ["device"] * 2 + ["edge"] * 3 + ["cloud"]
    nodes = [offload.Node(f"n{k}", tier=t, speed=_SPEEDS[t]) for k, t in enumerate(tiers)]
    links = [
        offload.Link(f"n{k}", f"n{l}", bandwidth=dice.uniform(0.2, 0.6), latency=dice.uniform(5, 9))
        for k in range(6)
        for l in range(k)
    ]
    layers = _layers(tasks, dice)
    pinned = set(layers[0])
    graph = offload.Graph(
        [
            offload.Task(
                f"t{i}",
                work=dice.uniform(10, 100),
                allow=("tier:device",) if i in pinned else ("*",),
            )
            for i in range(tasks)
        ],
        [
            offload.Edge(f"t{j}", f"t{i}", bytes=dice.uniform(1, 20))
            for before, layer in pairwise(layers)
            for i in layer
            for j in dice.sample(before, min(len(before), dice.randint(1, 3)))
        ],
    )
    return offload.Problem(network=offload.Network(nodes, links), graph=graph)


def _layers(tasks: int, dice: random.Random) -> list[list[int]]:
    """Consecutive positions in layers of about the square root of their number."""
    layers: list[list[int]] = []
    width, made = round(tasks**0.5), 0
    while made < tasks:
        size = min(tasks - made, dice.randint(max(1, width // 2), 2 * width))
        layers.append(list(range(made, made + size)))
        made += size
    return layers


def instance(tasks: int) -> tuple[str, offload.Problem]:
    """The open instance of that size, or one drawn alike."""
    name = f"edge_n{tasks}_m6_ccr1.0"
    path = Path(os.environ.get("OFFLOAD_DATA", "../shared/data")) / "edge" / f"{name}.json"
    if not path.exists():
        return f"layered, {tasks} tasks", draw(tasks)
    return name, offload.load(path)


class Plans(NamedTuple):
    """Nodes and orders of a batch, int64[B, T] each."""

    nodes: NDArray[np.int64]
    order: NDArray[np.int64]


def draw_plans(problem: offload.Problem, batch: int) -> Plans:
    """Random placements whose residents fit their nodes, and random topological orders."""
    tables, rng = problem.tables, np.random.default_rng(1)
    choices = [np.flatnonzero(row) for row in tables.allowed_table]
    resident = tables.resident_of(
        np.arange(tables.tasks)[:, None], np.arange(tables.nodes)[None, :]
    )
    nodes = np.empty((batch, tables.tasks), np.int64)
    for plan in nodes:
        while True:
            plan[:] = [rng.choice(choice) for choice in choices]
            load = np.bincount(plan, resident[np.arange(tables.tasks), plan], tables.nodes)
            if (load <= tables.memory_capacity).all():
                break
    successors = [tables.edge_dst[tables.outgoing.of(i)].tolist() for i in range(tables.tasks)]
    order = [_any_order(successors, tables.incoming.lengths.tolist(), rng) for _ in range(batch)]
    return Plans(nodes, np.array(order, np.int64))


def _any_order(
    successors: list[list[int]], waiting: list[int], rng: np.random.Generator
) -> list[int]:
    """A topological order by random priorities."""
    priority = rng.random(len(waiting)).tolist()
    ready = [(priority[i], i) for i, count in enumerate(waiting) if not count]
    heapq.heapify(ready)
    waiting, order = list(waiting), []
    while ready:
        _, i = heapq.heappop(ready)
        order.append(i)
        for j in successors[i]:
            waiting[j] -= 1
            if not waiting[j]:
                heapq.heappush(ready, (priority[j], j))
    return order


class Compiled:
    """The C program with one instance and one batch loaded."""

    def __init__(self, library: ctypes.CDLL, problem: offload.Problem, plans: Plans) -> None:
        tables = problem.tables
        edges = tables.incoming.values
        bandwidth = np.where(np.eye(tables.nodes, dtype=bool), np.inf, tables.routes.bandwidth)
        resident = tables.resident_of(np.arange(tables.tasks), np.zeros(tables.tasks, int))
        self.latency = np.zeros(len(plans.nodes))
        start, finish = np.empty(plans.nodes.shape), np.empty(plans.nodes.shape)
        times = tables.execution(np.arange(tables.tasks)[:, None], np.arange(tables.nodes)[None, :])
        self._arrays = (
            tables.incoming.start, tables.edge_src[edges],
            tables.item_bytes[tables.edge_item[edges]], tables.routes.latency, bandwidth, times,
            resident, tables.memory_capacity * (1 + TOLERANCE), plans.nodes.astype(np.int32),
            plans.order.astype(np.int32), start, finish, self.latency,
        )  # fmt: skip
        self._arrays = tuple(np.ascontiguousarray(array) for array in self._arrays)
        sizes = (len(plans.nodes), tables.tasks, tables.nodes)
        self._arguments = [
            *(ctypes.c_int64(size) for size in sizes),
            *(ctypes.c_void_p(array.ctypes.data) for array in self._arrays),
        ]
        self._decode = library.decode

    def run(self) -> None:
        """Decode all plans once."""
        self._decode(*self._arguments)


def compile_program(folder: Path, tuned: bool) -> ctypes.CDLL:
    """decode.c as a shared library, as it stands or tuned."""
    source, library = Path(__file__).with_name("decode.c"), folder / f"decode{tuned:d}.so"
    command = ["gcc", "-O3", "-shared", "-fPIC", str(source), "-o", str(library)]
    subprocess.run(command + ["-DTUNED"] * tuned, check=True)
    return ctypes.CDLL(str(library))


def seconds(runs: list[Callable[[], object]], least: float) -> list[float]:
    """CPU seconds of the fastest call of each, called by turns for ``least`` seconds in all."""
    best = [float("inf")] * len(runs)
    until = time.process_time() + least
    while time.process_time() < until:
        for number, run in enumerate(runs):
            began = time.process_time()
            run()
            best[number] = min(best[number], time.process_time() - began)
    return best


def compare(
    libraries: list[ctypes.CDLL], tasks: int, batch: int, least: float
) -> Iterator[tuple[str, str, list[float]]]:
    """The instance, whose orders, and rates of the evaluator and the C programs on it."""
    name, problem = instance(tasks)
    own = draw_plans(problem, batch)
    for kind, plans in (
        ("own", own), ("one for all", own._replace(order=np.tile(own.order[0], (batch, 1)))),
    ):  # fmt: skip
        compiled = [Compiled(library, problem, plans) for library in libraries]

        def ours(plans: Plans = plans) -> NDArray[np.float64]:
            return offload.evaluate(problem, plans.nodes, plans.order).metrics["latency"]

        for program in compiled:
            program.run()
            np.testing.assert_array_equal(ours(), program.latency)
        runs = [ours, *(program.run for program in compiled)]
        yield name, kind, [batch / spent for spent in seconds(runs, least / 2)]


def main() -> None:
    """Print two lines a size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each size")
    chosen = parser.parse_args()
    print(
        f"{'plans a CPU second':24}{'orders':<12}{'evaluate':>12}{'C':>12}{'ratio':>8}"
        f"{'C tuned':>12}{'ratio':>8}"
    )
    with tempfile.TemporaryDirectory() as folder:
        libraries = [compile_program(Path(folder), tuned) for tuned in (False, True)]
        for tasks in SIZES:
            for name, kind, rates in compare(libraries, tasks, chosen.batch, chosen.seconds):
                ours, plain, tuned = rates
                print(
                    f"{name:24}{kind:<12}{ours:12,.0f}{plain:12,.0f}{ours / plain:8.3f}"
                    f"{tuned:12,.0f}{ours / tuned:8.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
