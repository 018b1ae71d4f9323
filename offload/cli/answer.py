"""The answer of a solve in a few lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from offload.cli.output import plain
from offload.cli.progress import goal_text
from offload.cli.values import describe
from offload.units import count, metric, number, percent

if TYPE_CHECKING:
    from offload.conflicts.requirements import Conflict
    from offload.plan import Plan, Result

__all__ = [
    "STYLES",
    "conflict_lines",
    "headline",
    "metric_lines",
    "node_lines",
    "reason_text",
    "result_json",
    "run_line",
]

STYLES = {
    "optimal": "bold green",
    "feasible": "bold",
    "infeasible": "bold red",
    "unknown": "bold red",
}
_STOPPED = {
    "time": "time limit", "work": "work limit", "cancelled": "cancelled", "gap": "gap reached",
}  # fmt: skip
_COLUMN = 40  # width of one of two columns of metrics
_MOST = 12  # requirements of a conflict that are shown
_TWO_COLUMNS = 70  # columns from which there is room for both


def reason_text(stopped: str | None, reason: str | None) -> str:
    """Why a solve stopped before a proof, and why there is no plan, as far as they are known."""
    parts = [_STOPPED.get(stopped, stopped)] if stopped else []
    return ": ".join([*parts, *([reason] if reason else [])])


def headline(result: Result | Mapping[str, Any]) -> str:
    """Status, objective and what is proved, in one line."""
    facts: Mapping[str, Any] = result if isinstance(result, Mapping) else result.summary()
    status, objective, bound = (facts.get(name) for name in ("status", "objective", "bound"))
    stopped = f"; stopped: {reason_text(facts['stopped'], None)}" if facts.get("stopped") else ""
    if objective is None:
        reason = facts.get("reason")
        if status == "infeasible":
            return f"{status}: {reason or 'no plan exists'}"
        return f"{status}: no plan found{stopped}" + (f"; {reason}" if reason else "")
    minimize = facts.get("minimize") or {"latency": 1.0}
    value, limit = (_apart(minimize, objective, bound) if bound is not None else
                    (goal_text(minimize)(objective), ""))  # fmt: skip
    name = describe(minimize)
    text = f"{name} {value}" if name in minimize else f"objective {value} ({name})"
    return f"{status}: {text}, {_proof(facts, limit)}{stopped}"


def _apart(minimize: dict[str, float], objective: float, bound: float) -> tuple[str, str]:
    """Objective and bound with enough digits to see that they differ, if they do."""
    for digits in (6, 9, 12):
        show = goal_text(minimize, digits)
        value, limit = show(objective), show(bound)
        if value != limit or abs(objective - bound) <= 1e-9 * abs(objective):
            break
    return value, limit


def _proof(facts: Mapping[str, Any], bound: str) -> str:
    if not bound:
        return "not proved, no bound"
    gap = facts.get("gap")
    if facts.get("status") == "optimal":
        exact = gap is None or gap <= 1e-9
        return f"proved (bound {bound})" if exact else f"proved to {percent(gap)} (bound {bound})"
    if gap is None:
        return f"not proved (bound {bound})"
    return f"gap {percent(gap)} (bound {bound})"


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
    nodes = f"{count(tables.tasks, 'task')} on {len(busiest)} of {count(tables.nodes, 'node')}"
    moves = count(len(plan.transfers.plan), "transfer")
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
    return [f"{nodes}, {moves}", *([f"  {', '.join(shown)}{more}"] if shown else [])]


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
