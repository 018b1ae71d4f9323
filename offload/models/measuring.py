"""How long a module's tasks take on this machine: :func:`measure`."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from offload.errors import OffloadError, shorten
from offload.models import needed
from offload.models.graphs import BACKWARD
from offload.models.options import checked_options, counted
from offload.models.splitting import cut
from offload.models.stages import Source
from offload.models.torch_models import from_torch
from offload.problem import Graph

__all__ = ["measure"]

_WARM_UP = 2  # runs that do not count: caches fill, threads start


def measure(
    module: Any,
    args: Sequence[Any] = (),
    graph: Graph | None = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    kind: str = "this-machine",
    repeats: int = 5,
    threads: int | None = None,
    blocks: int | None = None,
    elementwise: bool = False,
) -> Graph:
    """The task graph of a module with the seconds that each task takes here.

    The module runs task by task, several times over, so that each task finds caches as in a real
    run; the median of a task's times counts.

    Parameters
    ----------
    module, args, kwargs
        As for :func:`offload.models.from_torch`, with real weights and in evaluation mode.
    graph
        Its graph, from :func:`offload.models.from_torch`, which this one differs from in ``time``
        only; times for other kinds that it has stay. By default it is made.
    kind
        Kind of node that this machine is: times stand under the selector ``kind:`` and this.
    repeats
        Runs that count; two more come before them.
    threads
        Threads of PyTorch meanwhile; by default as many as it uses.
    blocks, elementwise
        As they were when the graph was made, or as it is to be made.

    Raises
    ------
    OffloadError
        For another module's graph, one with backward twins, which are not measured, and as
        :func:`offload.models.from_torch`.
    """
    if not isinstance(kind, str) or not kind:
        raise OffloadError(f"kind: must be a name, got {kind!r}")
    counted("repeats", repeats)
    if threads is not None:
        counted("threads", threads)
    options = checked_options(blocks, None, None, elementwise, False, None)
    if graph is None:
        graph = from_torch(module, args, kwargs, blocks=blocks, elementwise=elementwise)
    source = Source(module, args, kwargs, options, "measure")
    works = {task.id: task.work for task in source.modelled.graph.tasks}
    _same(graph, works)
    cuts = cut(source, {id: id for id in works})  # every task on a node of its own
    inputs = cuts.inputs(*args, **(kwargs or {}))
    device = next((value.device.type for value in inputs.values()), "cpu")
    wait = needed.torch().get_device_module(device).synchronize
    seconds: dict[str, list[float]] = {stage.node: [] for stage in cuts.stages}
    with _threads(threads):
        for _ in range(_WARM_UP + repeats):
            tensors = dict(inputs)
            for stage in cuts.stages:
                wait()
                start = time.perf_counter()
                given = stage(tensors)
                wait()
                seconds[stage.node].append(time.perf_counter() - start)
                tensors |= given
    selector = f"kind:{kind}"
    tasks = [
        msgspec.structs.replace(
            task,
            time={**task.time, selector: statistics.median(seconds[task.id][_WARM_UP:])},
        )
        if task.id in seconds
        else task
        for task in graph.tasks
    ]
    return msgspec.structs.replace(graph, tasks=tuple(tasks))


def _same(graph: Graph, works: Mapping[str, float | None]) -> None:
    """Refuse a graph of another module, or one with a backward pass."""
    given = {task.id: task.work for task in graph.tasks}
    if any(id.startswith(BACKWARD) for id in given):
        raise OffloadError(
            "measure: the graph has backward tasks, which are not measured; make it without"
            " training"
        )
    for id, work in works.items():
        if id not in given or given[id] != work:
            raise OffloadError(
                f"measure: the graph is not this module's, which has the task {id!r} of {work:g}"
                " FLOPs; give the blocks and elementwise that it was made with, got tasks"
                f" {shorten(list(given))}"
            )


@contextlib.contextmanager
def _threads(number: int | None) -> Iterator[None]:
    torch = needed.torch()
    before = torch.get_num_threads()
    if number is not None:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
