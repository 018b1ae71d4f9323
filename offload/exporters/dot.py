"""Graphviz DOT: tasks and edges; with a plan, a cluster for each node that runs something."""

from __future__ import annotations

from offload.exporters.places import home, label_of, tasks_by_node
from offload.plan import Plan
from offload.problem import Problem

__all__ = ["write"]


def write(problem: Problem, plan: Plan | None) -> dict[str, bytes]:
    """The text of a DOT file, in UTF-8; ids are quoted as DOT asks."""
    name = _quoted(problem.name or "offload")
    lines = [f"digraph {name} {{", "  rankdir=LR;", "  node [shape=box];"]
    if plan is None:
        lines += [f"  {_task(problem, i)}" for i in range(len(problem.graph.tasks))]
    else:
        for number, (node, tasks) in enumerate(tasks_by_node(plan)):
            lines += [f"  subgraph cluster_{number} {{", f"    label={_quoted(node)};"]
            lines += [f"    {_task(problem, i)}" for i in tasks]
            lines += ["  }"]
    where = None if plan is None else home(plan)
    for edge in problem.graph.edges:
        moved = where is None or where[edge.src] != where[edge.dst]
        style = "" if moved else ", style=dashed"
        weight = f"label={_quoted(f'{edge.bytes:g}')}, bytes={edge.bytes!r}"
        lines.append(f"  {_quoted(edge.src)} -> {_quoted(edge.dst)} [{weight}{style}];")
    return {"": ("\n".join([*lines, "}"]) + "\n").encode()}


def _task(problem: Problem, i: int) -> str:
    task = problem.graph.tasks[i]
    work = "" if task.work is None else f", work={task.work!r}"
    return f"{_quoted(task.id)} [label={_quoted(label_of(task))}{work}];"


def _quoted(text: str) -> str:
    """A DOT string: quotes and backslashes escaped, line ends as ``\\n``."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
