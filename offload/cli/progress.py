"""Where the line that running work shows is shown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from offload.cli.output import Session
from offload.meters import Describe, LineMeter, LiveMeter, Meter, Silent
from offload.wording import goal_text, news, solve_text

__all__ = ["meter_for", "shown"]


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
