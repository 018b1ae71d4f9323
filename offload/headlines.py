"""The answer of a solve in one line: its goal, what was reached, and what is proved of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from offload.units import metric, number, percent

if TYPE_CHECKING:
    from offload.plan import Result

__all__ = ["describe", "goal_text", "headline", "reason_text"]

_STOPPED = {
    "time": "time limit", "work": "work limit", "cancelled": "cancelled", "gap": "gap reached",
}  # fmt: skip


def describe(weights: Mapping[str, float]) -> str:
    """A goal in words: ``latency``, or ``latency + 0.1 energy``."""
    parts = [
        name if weight == 1 else f"{weight:g} {name}"
        for name, weight in weights.items()
        if weight > 0
    ]
    return " + ".join(parts)


def goal_text(minimize: dict[str, float], digits: int = 6) -> Callable[[float], str]:
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
