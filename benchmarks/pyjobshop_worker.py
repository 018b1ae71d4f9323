"""Solves with PyJobShop; benchmarks/pyjobshop.py starts it where PyJobShop is installed.

Standard input: JSON with ``memory`` (a node each, null without a limit), ``tasks`` (each a list of
[node, duration, resident bytes]), ``edges`` (source, destination, and a list of [node of the
source, node of the destination, delay]), ``workers``, ``seconds`` and ``gap``. All are whole
numbers but the last two. Standard output: JSON with status, objective, bound, and the seconds of
CPU and clock that building and solving the model took.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from pyjobshop import Model


def build(given: dict[str, Any]) -> Model:
    """A machine a node, a mode a node where a task may run, a transfer task an edge.

    A transfer has a mode a pair of nodes, which implies the modes of both ends, and holds no
    machine. Resident memory is a consumable resource of the node.
    """
    model = Model()
    machines = [model.add_machine() for _ in given["memory"]]
    memory = [None if size is None else model.add_consumable(size) for size in given["memory"]]
    tasks, modes = [], []
    for choices in given["tasks"]:
        task = model.add_task()
        tasks.append(task)
        modes.append({})
        for k, duration, resident in choices:
            if memory[k] is None or resident == 0:
                mode = model.add_mode(task, machines[k], duration)
            else:
                mode = model.add_mode(task, [machines[k], memory[k]], duration, [0, resident])
            modes[-1][k] = mode
    for i, j, pairs in given["edges"]:
        transfer = model.add_task()
        model.add_end_before_start(tasks[i], transfer)
        model.add_end_before_start(transfer, tasks[j])
        for k, l, delay in pairs:
            mode = model.add_mode(transfer, [], delay)
            model.add_mode_dependency(mode, [modes[i][k]])
            model.add_mode_dependency(mode, [modes[j][l]])
    model.set_objective(weight_makespan=1)
    return model


def main() -> None:
    """Read an instance, solve it, print what came out."""
    given = json.load(sys.stdin)
    began, clock = time.process_time(), time.monotonic()
    result = build(given).solve(
        time_limit=given["seconds"], num_workers=given["workers"], display=False,
        relative_gap_limit=given["gap"],
    )  # fmt: skip
    print(json.dumps({
        "status": result.status.value.lower(), "objective": result.objective,
        "bound": result.lower_bound, "seconds": time.process_time() - began,
        "wall": time.monotonic() - clock,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
