"""Mermaid: the tasks as a flowchart, on their nodes if there is a plan; a plan as a Gantt chart."""

from __future__ import annotations

from offload.exporters.places import home, tasks_by_node
from offload.plan import Plan
from offload.problem import Problem

__all__ = ["write", "write_gantt"]


def write(problem: Problem, plan: Plan | None) -> dict[str, bytes]:
    """A flowchart; edges within a node are dotted, others carry their bytes."""
    number = {task.id: f"t{i}" for i, task in enumerate(problem.graph.tasks)}
    lines = ["flowchart LR"]
    if plan is None:
        lines += [f"  {number[task.id]}[{_text(task.id)}]" for task in problem.graph.tasks]
    else:
        for k, (node, tasks) in enumerate(tasks_by_node(plan)):
            names = (problem.graph.tasks[i].id for i in tasks)
            lines += [f"  subgraph n{k}[{_text(node)}]"]
            lines += [f"    {number[name]}[{_text(name)}]" for name in names]
            lines += ["  end"]
    where = None if plan is None else home(plan)
    for edge in problem.graph.edges:
        ends = number[edge.src], number[edge.dst]
        if where is not None and where[edge.src] == where[edge.dst]:
            lines.append(f"  {ends[0]} -.-> {ends[1]}")
        elif edge.bytes:
            lines.append(f"  {ends[0]} -->|{_text(f'{edge.bytes:g} B')}| {ends[1]}")
        else:
            lines.append(f"  {ends[0]} --> {ends[1]}")
    return {"": ("\n".join(lines) + "\n").encode()}


def write_gantt(problem: Problem, plan: Plan | None) -> dict[str, bytes]:
    """A Gantt chart, a section a node; the axis is in milliseconds from the start of the plan.

    Plans that last less than ten seconds are drawn in microseconds, as the axis has whole numbers.
    """
    assert plan is not None
    unit, name = (1e3, "ms") if plan.metrics["latency"] >= 10 else (1e6, "us")
    lines = [
        "gantt",
        f"  title {_plain(problem.name or 'plan')} ({name})",
        "  dateFormat x",
        "  axisFormat %Q",
    ]
    rows = plan.to_frame().sort_values(["start", "finish"], kind="stable")
    for node in plan.problem.tables.node_ids:
        own = rows[rows["node"] == node]
        if len(own):
            lines.append(f"  section {_plain(node)}")
        for task, start, finish in zip(own["task"], own["start"], own["finish"], strict=True):
            begin, end = round(start * unit), round(finish * unit)
            lines.append(f"    {_plain(task)} :{begin}, {max(end, begin)}")
    return {"": ("\n".join(lines) + "\n").encode()}


def _text(text: str) -> str:
    """A quoted label: quotes as the entity that Mermaid knows."""
    return '"' + text.replace("#", "#35;").replace('"', "#quot;").replace("\n", " ") + '"'


def _plain(text: str) -> str:
    """A name in a Gantt chart, where colons, semicolons and number signs end it."""
    return "".join(" " if c in ":;#\n" else c for c in text).strip() or "?"
