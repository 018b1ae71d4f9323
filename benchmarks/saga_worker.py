"""Runs SAGA's schedulers; benchmarks/saga.py starts it in an environment where SAGA is installed.

Standard input: JSON with the instance's ``nodes`` (name, speed), ``links`` (two names, bandwidth),
``tasks`` (name, cost), ``edges`` (two names, bytes), the names of ``schedulers`` (as in
``saga.schedulers``) and ``repeat``. Standard output: a JSON line a scheduler with its makespan and
the least CPU seconds of all runs.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import saga
from saga import schedulers


def _graph(tasks: list[Any], edges: list[Any]) -> Any:
    """SAGA's task graph, with one source and one sink.

    ``TaskGraph.create`` adds them too, but looks through all edges for each task.
    """
    known = [name for name, _ in tasks]
    edges = [tuple(edge) for edge in edges]
    entries = sorted(set(known) - {dst for _, dst, _ in edges})
    exits = sorted(set(known) - {src for src, _, _ in edges})
    ends = []
    if len(entries) > 1:
        ends.append("__super_source__")
        edges += [("__super_source__", name, 0.0) for name in entries]
    if len(exits) > 1:
        ends.append("__super_sink__")
        edges += [(name, "__super_sink__", 0.0) for name in exits]
    nodes = [*((name, cost) for name, cost in tasks), *((name, 0.0) for name in ends)]
    return saga.TaskGraph(
        tasks=frozenset(saga.TaskGraphNode(name=name, cost=cost) for name, cost in nodes),
        dependencies=frozenset(
            saga.TaskGraphEdge(source=src, target=dst, size=size) for src, dst, size in edges
        ),
    )


def _forget() -> None:
    """Empty the caches in which SAGA keeps ranks by instance: each run starts from nothing."""
    modules = [module for name, module in sys.modules.items() if name.split(".")[0] == "saga"]
    for module in modules:
        for value in list(vars(module).values()):
            if callable(clear := getattr(value, "cache_clear", None)):
                clear()


def main() -> None:
    """Read an instance, run the schedulers, print a line for each."""
    given = json.load(sys.stdin)
    for name in given["schedulers"]:
        least, makespan = float("inf"), float("nan")
        for _ in range(given["repeat"]):
            # Built anew each time: what SAGA derives from them counts, and is kept in them.
            network = saga.Network.create(map(tuple, given["nodes"]), map(tuple, given["links"]))
            graph = _graph(given["tasks"], given["edges"])
            scheduler = getattr(schedulers, name)()
            _forget()
            began = time.process_time()
            schedule = scheduler.schedule(network, graph)
            least = min(least, time.process_time() - began)
            makespan = schedule.makespan
        print(json.dumps({"name": name, "makespan": makespan, "seconds": least}), flush=True)


if __name__ == "__main__":
    main()
