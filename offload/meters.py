"""Signs of life of long work on standard error: a live line, or plain lines now and then."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Describe", "LineMeter", "LiveMeter", "Meter", "Silent", "complain"]

_EVERY = 5.0  # seconds between two plain lines when nothing improves
_APART = 1.0  # seconds between two plain lines at least

Describe = Callable[
    [Any, float], str
]  # of the last report (or None) and the seconds since the start


class Meter(Protocol):
    """What running work tells: reports come from any thread, the rest from the main one."""

    def update(self, report: Any) -> None:
        """Take note of a report."""

    def tick(self) -> None:
        """Show what is new; called several times a second."""

    def say(self, text: str) -> None:
        """Show a line that stays."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class Silent:
    """Says nothing."""

    def update(self, report: Any) -> None:
        """Ignore it."""

    def tick(self) -> None:
        """Do nothing."""

    def say(self, text: str) -> None:
        """Ignore it."""

    def close(self) -> None:
        """Do nothing."""


class _State:
    """The last report and the time since the start."""

    def __init__(self, describe: Describe, clock: Callable[[], float]) -> None:
        self._describe, self._clock = describe, clock
        self._begun = clock()
        self._lock = threading.Lock()
        self._last: Any = None

    @property
    def seconds(self) -> float:
        return self._clock() - self._begun

    def update(self, report: Any) -> None:
        """Take note of a report."""
        with self._lock:
            self._last = report

    @property
    def last(self) -> Any:
        with self._lock:
            return self._last

    def text(self) -> str:
        """The line as it is now."""
        return self._describe(self.last, self.seconds)


def complain(text: str) -> None:
    """A line to standard error, whatever its encoding, even where nobody reads it any more."""
    stream = sys.stderr
    encoding = getattr(stream, "encoding", None) or "ascii"
    with contextlib.suppress(OSError, ValueError):
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()


class LineMeter(_State):
    """A plain line every few seconds; with ``news``, on each at most one a second.

    Parameters
    ----------
    news
        What of a report makes it worth a line of its own, when it differs from the last one's.
    """

    def __init__(
        self,
        describe: Describe,
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] = complain,
        news: Callable[[Any], Any] = lambda report: None,
    ) -> None:
        super().__init__(describe, clock)
        self._say, self._news = say, news
        self._said = 0.0
        self._known: Any = None

    def tick(self) -> None:
        """Say a line if one is due."""
        now, last = self.seconds, self.last
        known = None if last is None else self._news(last)
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
        describe: Describe,
        console: Console,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from rich.live import Live

        super().__init__(describe, clock)
        self._console = console
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
