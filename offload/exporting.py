"""Instances and plans for other tools: :func:`export`, :func:`to_networkx`, :func:`to_frames`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from offload.errors import OffloadError
from offload.exporters import by_ending, named
from offload.files import write_bytes
from offload.plan import Plan
from offload.problem import Problem

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd

__all__ = ["export", "to_frames", "to_networkx"]


def export(
    problem: Problem,
    path: str | os.PathLike[str],
    format: str | None = None,
    plan: Plan | None = None,
) -> list[str]:
    """Write an instance, or a plan of it, for another tool.

    Parameters
    ----------
    path
        A file, ``-`` for standard output, or for tables a folder, which is made if need be.
    format
        "dot", "mermaid", "gantt", "csv", "parquet", "lp" or "mps"; by the path's ending by default.
    plan
        Shown where a format can; the bound of the times in "lp" and "mps".

    Returns
    -------
    list of str
        The files that were written.

    Raises
    ------
    OffloadError
        For a format that is none, a plan that is missing, or a file that cannot be written.
    """
    target = os.fspath(path)
    form = by_ending(target) if format is None else named(format)
    if form is None:
        raise OffloadError(
            f"{target}: its ending names no format (dot, mmd, gantt, lp, mps); name one, as in "
            "format 'csv'"
        )
    made = form.write(problem, plan)
    if not form.folder:
        write_bytes(target, made[""])
        return [target]
    if target == "-":
        raise OffloadError(f"format {form.name}: is several files; name a folder, not -")
    folder = Path(target)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OffloadError(f"{target}: no folder can be made there ({error.strerror})") from None
    for name, content in made.items():
        write_bytes(folder / name, content)
    return [str(folder / name) for name in made]


def to_networkx(problem: Problem, plan: Plan | None = None) -> nx.DiGraph[str]:
    """The task graph as a ``networkx.DiGraph``: fields of tasks and edges as attributes.

    Several edges between the same two tasks become one, whose ``bytes`` are their sum. With a plan,
    tasks have its ``node``, ``start`` and ``finish`` too.
    """
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph(name=problem.name)
    for task in problem.graph.tasks:
        fields = msgspec.structs.asdict(task)
        graph.add_node(fields.pop("id"), **fields)
    for edge in problem.graph.edges:
        fields = msgspec.structs.asdict(edge)
        src, dst = fields.pop("src"), fields.pop("dst")
        if graph.has_edge(src, dst):
            graph[src][dst]["bytes"] += edge.bytes
        else:
            graph.add_edge(src, dst, **fields)
    if plan is not None:
        rows = plan.to_frame()
        for task, node, start, finish in zip(
            rows["task"], rows["node"], rows["start"], rows["finish"], strict=True
        ):
            graph.nodes[task].update(node=node, start=float(start), finish=float(finish))
    return graph


def to_frames(problem: Problem, plan: Plan | None = None) -> dict[str, pd.DataFrame]:
    """Tables of an instance, and of a plan; see :func:`offload.exporters.tables.frames`."""
    from offload.exporters.tables import frames

    return frames(problem, plan)
