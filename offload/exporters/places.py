"""What a plan says of places, in ids: shared by the formats that draw it."""

from __future__ import annotations

from offload.plan import Plan
from offload.problem import Task

__all__ = ["home", "label_of", "tasks_by_node"]


def home(plan: Plan) -> dict[str, str]:
    """The node of each task; of a split one, that of its largest part."""
    tables, parts = plan.problem.tables, plan.parts
    found: dict[str, str] = {}
    most: dict[str, float] = {}
    for i, k, share in zip(
        parts.task.tolist(), parts.node.tolist(), parts.fraction.tolist(), strict=True
    ):
        name = tables.task_ids[i]
        if share > most.get(name, 0.0):
            found[name], most[name] = tables.node_ids[k], share
    return found


def tasks_by_node(plan: Plan) -> list[tuple[str, list[int]]]:
    """Nodes that run something, in the instance's order, each with its tasks by start."""
    tables, where = plan.problem.tables, home(plan)
    start: dict[int, float] = {}
    for i, moment in zip(plan.parts.task.tolist(), plan.parts.start.tolist(), strict=True):
        start[i] = min(moment, start.get(i, moment))
    groups: dict[str, list[int]] = {node: [] for node in tables.node_ids}
    for i in sorted(start, key=lambda i: (start[i], i)):
        groups[where[tables.task_ids[i]]].append(i)
    return [(node, tasks) for node, tasks in groups.items() if tasks]


def label_of(task: Task) -> str:
    """A task's id, and its work where it has one."""
    return task.id if task.work is None else f"{task.id}\n{task.work:g}"
