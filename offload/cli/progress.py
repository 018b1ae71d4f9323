"""The line that a running solve shows, and where it is shown."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from offload.cli.output import Session
from offload.headlines import goal_text
from offload.meters import Describe, LineMeter, LiveMeter, Meter, Silent
from offload.units import percent

if TYPE_CHECKING:
    from offload.plan import Progress

__all__ = ["goal_text", "meter_for", "news", "shown", "solve_text"]


def solve_text(show: Callable[[float], str]) -> Describe:
    """Elapsed time, method, objective, bound and gap, as far as they are known."""

    def describe(last: Progress | None, seconds: float) -> str:
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

    return describe


def news(report: Progress) -> Any:
    """What of a report is worth a line of its own."""
    return (report.method, report.objective, report.bound)


def meter_for(session: Session, minimize: dict[str, float]) -> Meter:
    """The progress of a solve."""
    return shown(session, solve_text(goal_text(minimize)), news)


def shown(
    session: Session,
    describe: Describe,
    news: Callable[[Any], Any] = lambda report: None,
    live: Describe | None = None,
) -> Meter:
    """A live line where standard error is a terminal, plain lines elsewhere, none with --quiet."""
    if session.quiet or sys.stderr is None:
        return Silent()
    # What is logged with --verbose would run into a line that is rewritten in place.
    if sys.stderr.isatty() and not session.verbose:
        return LiveMeter(live or describe, session.console(sys.stderr))
    return LineMeter(describe, news=news)
