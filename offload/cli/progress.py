"""Signs of life of a running solve on standard error: a live line, or plain lines now and then."""

from __future__ import annotations

import contextlib
import math
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from offload.cli.output import Session, complain
from offload.units import metric, number, percent

if TYPE_CHECKING:
    from offload.plan import Progress

__all__ = ["LineMeter", "LiveMeter", "Meter", "Silent", "goal_text", "meter_for"]

_EVERY = 5.0  # seconds between two plain lines when nothing improves
_APART = 1.0  # seconds between two plain lines at least


class Meter(Protocol):
    """What a running command tells: reports come from any thread, the rest from the main one."""

    def update(self, progress: Progress) -> None:
        """Take note of a report."""

    def tick(self) -> None:
        """Show what is new; called several times a second."""

    def say(self, text: str) -> None:
        """Show a line that stays."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class Silent:
    """Says nothing."""

    def update(self, progress: Progress) -> None:
        """Ignore it."""

    def tick(self) -> None:
        """Do nothing."""

    def say(self, text: str) -> None:
        """Ignore it."""

    def close(self) -> None:
        """Do nothing."""


class _State:
    """The last report and the time since the start."""

    def __init__(self, show: Callable[[float], str], clock: Callable[[], float]) -> None:
        self._show, self._clock = show, clock
        self._begun = clock()
        self._lock = threading.Lock()
        self._last: Progress | None = None

    @property
    def seconds(self) -> float:
        return self._clock() - self._begun

    def update(self, progress: Progress) -> None:
        """Take note of a report."""
        with self._lock:
            self._last = progress

    @property
    def last(self) -> Progress | None:
        with self._lock:
            return self._last

    def text(self) -> str:
        """Elapsed time, method, objective, bound and gap, as far as they are known."""
        parts = [f"{self.seconds:6.1f} s"]
        last = self.last
        if last is None:
            return "  ".join([*parts, "working"])
        parts.append(last.method)
        best = None if last.objective is None else f"objective {self._show(last.objective)}"
        parts.append(best or "no plan yet")
        if last.bound is not None and math.isfinite(last.bound):
            parts.append(f"bound {self._show(last.bound)}")
            if last.objective is not None and last.objective > 0:
                gap = max(0.0, (last.objective - last.bound) / last.objective)
                parts.append(f"gap {percent(gap)}")
        return "  ".join(parts)


class LineMeter(_State):
    """A plain line every few seconds, and on each improvement at most one a second."""

    def __init__(
        self,
        show: Callable[[float], str],
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] = complain,
    ) -> None:
        super().__init__(show, clock)
        self._say = say
        self._said = 0.0
        self._known: tuple[str, float | None, float | None] | None = None

    def tick(self) -> None:
        """Say a line if one is due."""
        now, last = self.seconds, self.last
        known = None if last is None else (last.method, last.objective, last.bound)
        fresh = known != self._known and (now - self._said >= _APART or self._known is None)
        if fresh or now - self._said >= _EVERY:
            self._said, self._known = now, known
            self._say(self.text())

    def say(self, text: str) -> None:
        """Say a line now."""
        self._say(text)

    def close(self) -> None:
        """Nothing is left open."""


class LiveMeter(_State):
    """One line of a terminal, rewritten in place and gone at the end."""

    def __init__(
        self,
        show: Callable[[float], str],
        session: Session,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from rich.live import Live

        super().__init__(show, clock)
        self._console = session.console(sys.stderr)
        self._live = Live(
            console=self._console, transient=True, auto_refresh=False,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip
        self._live.start()

    def tick(self) -> None:
        """Rewrite the line."""
        from rich.text import Text

        with contextlib.suppress(OSError):
            line = Text(self.text(), no_wrap=True, overflow="ellipsis", style="dim")
            self._live.update(line, refresh=True)

    def say(self, text: str) -> None:
        """Print a line above the live one."""
        with contextlib.suppress(OSError):
            self._console.print(text)

    def close(self) -> None:
        """Wipe the line and show the cursor again."""
        with contextlib.suppress(OSError):
            self._live.stop()


def goal_text(minimize: dict[str, float], digits: int = 6) -> Callable[[float], str]:
    """How to write an objective: with its unit where it is one metric, else as a number."""
    weighted = {name: weight for name, weight in minimize.items() if weight > 0}
    if list(weighted.values()) == [1.0]:
        (name,) = weighted
        return lambda value: metric(name, value, digits)
    return lambda value: number(value, digits)


def meter_for(session: Session, minimize: dict[str, float]) -> Meter:
    """A live line where standard error is a terminal, plain lines elsewhere, none with --quiet."""
    if session.quiet or sys.stderr is None:
        return Silent()
    show = goal_text(minimize)
    # What is logged with --verbose would run into a line that is rewritten in place.
    live = sys.stderr.isatty() and not session.verbose
    return LiveMeter(show, session) if live else LineMeter(show)
