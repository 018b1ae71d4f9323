"""The answer of a solve in a few lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from offload.cli.output import plain
from offload.units import metric, number
from offload.wording import placed_text

if TYPE_CHECKING:
    from offload.conflicts.requirements import Conflict
    from offload.plan import Plan, Result

__all__ = [
    "STYLES",
    "conflict_lines",
    "metric_lines",
    "node_lines",
    "result_json",
    "run_line",
]

STYLES = {
    "optimal": "bold green",
    "feasible": "bold",
    "infeasible": "bold red",
    "unknown": "bold red",
}
_COLUMN = 40  # width of one of two columns of metrics
_MOST = 12  # requirements of a conflict that are shown
_TWO_COLUMNS = 70  # columns from which there is room for both


def metric_lines(metrics: Mapping[str, float], width: int = 80) -> list[str]:
    """All metrics with their units, two in a line where there is room."""
    cells = [f"{name:<11} {metric(name, value)}" for name, value in metrics.items()]
    if width < _TWO_COLUMNS:
        return [f"  {cell}" for cell in cells]
    half = (len(cells) + 1) // 2
    pairs = zip(cells[:half], [*cells[half:], ""], strict=False)
    return [f"  {left:<{_COLUMN - 2}}{right}".rstrip() for left, right in pairs]


def node_lines(plan: Plan, width: int) -> list[str]:
    """How many nodes work, and in a second line the busiest of them with their numbers of tasks."""
    tables = plan.problem.tables
    tasks = Counter(plan.parts.node.tolist())
    busiest = sorted(tasks, key=lambda k: (-tasks[k], k))
    shown: list[str] = []
    for k in busiest:
        text = f"{plain(tables.node_ids[k])} ({tasks[k]})"
        left = len(busiest) - len(shown) - 1
        more = f", and {left} more" if left else ""
        if shown and len("  " + ", ".join([*shown, text]) + more) > width:
            break
        shown.append(text)
    left = len(busiest) - len(shown)
    more = f", and {left} more" if left else ""
    return [placed_text(plan), *([f"  {', '.join(shown)}{more}"] if shown else [])]


def conflict_lines(conflict: Conflict) -> list[str]:
    """Which requirements conflict: what each asks for, where it stands, how to relax it."""
    shown = conflict.requirements[:_MOST]
    lines = [conflict.heading + (":" if shown else "")]
    for one in shown:
        lines += [f"  {plain(one.text)}", f"    {plain(one.path)}: {plain(one.fix)}"]
    more = len(conflict.requirements) - len(shown)
    return [*lines, f"  and {more} more (--json lists them all)"] if more else lines


def run_line(result: Result) -> str:
    """By which method, in what time, with which seed and versions."""
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    text = f"by {result.method} in {number(result.seconds, 3)} s, seed {result.seed}"
    return f"{text} ({versions})" if versions else text


def result_json(result: Result) -> dict[str, Any]:
    """Everything but the plan's rows, for machines."""
    plan = result.plan
    if plan is None:
        return {"conflict": None, **result.summary(), "metrics": None, "assignment": None}
    ids = plan.problem.tables
    assignment: dict[str, Any] = {}
    for i, k in zip(plan.parts.task.tolist(), plan.parts.node.tolist(), strict=True):
        name = ids.task_ids[i]
        if ids.divisible[i]:
            assignment.setdefault(name, []).append(ids.node_ids[k])
        else:
            assignment[name] = ids.node_ids[k]
    return {**result.summary(), "metrics": plan.metrics, "assignment": assignment}
