"""Goals, answers and progress in words, for terminals and notebooks alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from offload.units import count, metric, number, percent

if TYPE_CHECKING:
    from offload.plan import Plan, Progress, Result

__all__ = [
    "describe", "goal_text", "headline", "news", "placed_text", "plain", "reason_text",
    "solve_text", "sweep_news", "sweep_text",
]  # fmt: skip

_CLOCK = len("  12.3 s  ")
_STOPPED = {
    "time": "time limit", "work": "work limit", "cancelled": "cancelled", "gap": "gap reached",
}  # fmt: skip


def plain(text: str) -> str:
    """Text without control characters: an id must neither break a line nor move the cursor."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def describe(weights: Mapping[str, float]) -> str:
    """A goal in words: ``latency``, or ``latency + 0.1 energy``."""
    parts = [
        name if weight == 1 else f"{weight:g} {name}"
        for name, weight in weights.items()
        if weight > 0
    ]
    return " + ".join(parts)


def goal_text(minimize: Mapping[str, float], digits: int = 6) -> Callable[[float], str]:
    """How to write an objective: with its unit where it is one metric, else as a number."""
    weighted = {name: weight for name, weight in minimize.items() if weight > 0}
    if list(weighted.values()) == [1.0]:
        (name,) = weighted
        return lambda value: metric(name, value, digits)
    return lambda value: number(value, digits)


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


def _apart(minimize: Mapping[str, float], objective: float, bound: float) -> tuple[str, str]:
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


def placed_text(plan: Plan) -> str:
    """How many tasks run on how many nodes, and how much moves."""
    tables, used = plan.problem.tables, len(set(plan.parts.node.tolist()))
    nodes = f"{count(tables.tasks, 'task')} on {used} of {count(tables.nodes, 'node')}"
    return f"{nodes}, {count(len(plan.transfers.plan), 'transfer')}"


def solve_text(show: Callable[[float], str]) -> Callable[[Any, float], str]:
    """Progress of a solve: seconds, method, objective, bound and gap, as far as they are known."""

    def text(last: Progress | None, seconds: float) -> str:
        parts = [f"{seconds:6.1f} s"]
        if last is None:
            return "  ".join([*parts, "working"])
        parts.append(last.method)
        best = None if last.objective is None else f"objective {show(last.objective)}"
        parts.append(best or "no plan yet")
        if last.bound is not None and math.isfinite(last.bound):
            parts.append(f"bound {show(last.bound)}")
            if last.objective is not None and last.objective > 0:
                gap = max(0.0, (last.objective - last.bound) / last.objective)
                parts.append(f"gap {percent(gap)}")
        return "  ".join(parts)

    return text


def news(report: Progress) -> Any:
    """What of a report is worth a line of its own."""
    return (report.method, report.objective, report.bound)


def _number(value: Any) -> str:
    return "unlimited" if value is None else f"{value:.4g}"


def sweep_news(report: Any) -> Any:
    """What of a report is worth a line of its own."""
    return report.done, None if report.last is None else news(report.last)


def sweep_text(minimize: Mapping[str, float]) -> Callable[[Any, float], str]:
    """How far a sweep is, and the solve of the row that it is at."""
    solving = solve_text(goal_text(minimize))

    def text(report: Any, seconds: float) -> str:
        if report is None:
            return solving(None, seconds)
        line = solving(report.last, seconds)
        rows = f"row {report.done + 1} of {report.rows}" if report.rows else ""
        given = ", ".join(
            f"{path.rpartition('.')[2]} {value if isinstance(value, str) else _number(value)}"
            for path, value in report.values.items()
        )
        # After the seconds, before what the solve says.
        at = f"{rows} ({given})" if given else rows
        return plain(f"{line[:_CLOCK]}{at}  {line[_CLOCK:]}" if at else line)

    return text
