"""Task graphs of the scheduler simulator Estee, one JSON document a graph.

Beranek, Bohm, Cima 2022, "Analysis of workflow schedulers in simulated distributed environments".
A task has its duration in seconds, its cores, the sizes of its outputs in MiB, and its inputs as
pairs: the position of a task, and of one of its outputs.
"""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta, Struct

from offload.importers.drafts import Draft, Options
from offload.importers.json_reading import decode, wrong
from offload.problem import MOST, Amount, Edge, Task

__all__ = ["read", "recognises"]

_MIB = 2**20


class _Output(Struct):
    s: Amount


class _Task(Struct):
    d: Amount
    cpus: Annotated[int, Meta(ge=1, le=MOST)] = 1
    outputs: tuple[_Output, ...] = ()
    inputs: tuple[tuple[Annotated[int, Meta(ge=0)], ...], ...] = ()


class _Graph(Struct):
    graph: tuple[_Task, ...]
    graph_name: str = ""
    graph_id: str = ""


def recognises(text: str) -> bool:
    """Whether a text is a JSON object that has a graph of tasks with durations and outputs."""
    return bool(
        text.lstrip()[:1] == "{"
        and re.search(r'"graph"\s*:\s*\[', text)
        and re.search(r'"d"\s*:', text)
        and re.search(r'"outputs"\s*:', text)
    )


def read(text: str, options: Options) -> Draft:
    """The task graph; cores are slots.

    Raises
    ------
    InstanceError
        With the path of everything that is missing or wrong, and for an input that is no pair of
        a task and one of its outputs.
    """
    found = decode(text, _Graph)
    tasks = [Task(f"t{i}", work=task.d, slots=task.cpus) for i, task in enumerate(found.graph)]
    edges: list[Edge] = []
    places: list[str] = []
    for i, task in enumerate(found.graph):
        for k, pair in enumerate(task.inputs):
            path = f"$.graph[{i}].inputs[{k}]"
            if len(pair) != 2:
                raise wrong(path, "must be a task and an output", list(pair), "as in [0, 0]")
            j, output = pair
            if j >= len(found.graph):
                raise wrong(path, "names no task", j, f"from 0 to {len(found.graph) - 1}")
            outputs = found.graph[j].outputs
            if output >= len(outputs):
                fix = f"task {j} has {len(outputs)} outputs, from 0"
                raise wrong(path, "names no output", output, fix)
            edges.append(Edge(f"t{j}", f"t{i}", outputs[output].s * _MIB, f"o{output}"))
            places.append(path)
    return Draft(
        "", tasks, edges, description=found.graph_name,
        notes=[
            "durations are seconds, sizes MiB, cores slots",
            "an output that several tasks read is one item of the task that makes it",
            "durations and sizes as estimated by the user (e_d, e_s) are left out",
        ],
        places={"$.graph.tasks": lambda i: f"$.graph[{i}]", "$.graph.edges": places.__getitem__},
    )  # fmt: skip
