"""Signs of life of long work: a live line in a terminal or notebook, or lines now and then."""

from __future__ import annotations

import contextlib
import contextvars
import html
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "Describe", "LineMeter", "LiveMeter", "Meter", "NotebookMeter", "Silent", "complain",
    "in_notebook", "telling",
]  # fmt: skip

_EVERY = 5.0  # seconds between two plain lines when nothing improves
_APART = 1.0  # seconds between two plain lines at least
_OFTEN = 0.5  # seconds between two updates of a notebook
_TICK = 0.1  # seconds between two looks at whether there is something to show

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
        self._told: Any = None  # the last report that a line was said of

    def tick(self) -> None:
        """Say a line if one is due."""
        now, last = self.seconds, self.last
        known = None if last is None else self._news(last)
        fresh = known != self._known and (now - self._said >= _APART or self._known is None)
        if fresh or now - self._said >= _EVERY:
            self._said, self._known, self._told = now, known, last
            self._say(self.text())

    def say(self, text: str) -> None:
        """Say a line now."""
        self._say(text)

    def close(self) -> None:
        """Say how it ended, if it has said anything and there is news since."""
        if self._said and self.last is not self._told:
            self._say(self.text())


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


class NotebookMeter(_State):
    """A line under the cell of a notebook, rewritten in place; it stays as it is at the end."""

    def __init__(self, describe: Describe, clock: Callable[[], float] = time.monotonic) -> None:
        from IPython import display

        super().__init__(describe, clock)
        self._show, self._html = cast(Any, display).display, cast(Any, display).HTML
        self._shown = 0.0
        self._handle: Any = self._show(self._page(self.text()), display_id=True)

    def _page(self, text: str) -> Any:
        return self._html(f"<pre>{html.escape(text)}</pre>")

    def tick(self) -> None:
        """Show what is new, not too often."""
        if self.seconds - self._shown >= _OFTEN:
            self._shown = self.seconds
            self._handle.update(self._page(self.text()))

    def say(self, text: str) -> None:
        """Show a line that stays."""
        self._show(self._page(text))

    def close(self) -> None:
        """Show the last state."""
        self._handle.update(self._page(self.text()))


def in_notebook() -> bool:
    """Whether this runs in a Jupyter kernel, which shows what is displayed under the cell."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def _meter(describe: Describe, live: Describe, news: Callable[[Any], Any]) -> Meter:
    if in_notebook():
        return NotebookMeter(live)
    if sys.stderr is not None and sys.stderr.isatty():
        from rich.console import Console

        return LiveMeter(live, Console(file=sys.stderr, markup=False, highlight=False))
    return LineMeter(describe, news=news)


@contextlib.contextmanager
def telling(
    on_progress: Callable[[Any], object] | None,
    describe: Describe | None,
    live: Describe | None = None,
    news: Callable[[Any], Any] = lambda report: None,
) -> Iterator[Callable[[Any], object] | None]:
    """A function to call with each report, from any thread; ``None`` where nobody listens.

    Parameters
    ----------
    on_progress
        What is called with each report, too.
    describe
        The line to show on standard error, or under the cell of a notebook, until the end of the
        ``with``; ``None`` shows nothing.
    live
        The same where the line is rewritten in place; by default as ``describe``.
    news
        See :class:`LineMeter`.
    """
    if describe is None:
        yield on_progress
        return
    meter, done = _meter(describe, live or describe, news), threading.Event()

    def tell(report: Any) -> None:
        if on_progress is not None:
            on_progress(report)
        meter.update(report)

    def look() -> None:
        while not done.wait(_TICK):
            meter.tick()

    # A notebook finds the cell that something belongs to through the context.
    context = contextvars.copy_context()
    watch = threading.Thread(target=context.run, args=(look,), name="offload-meter", daemon=True)
    watch.start()
    try:
        yield tell
    finally:
        done.set()
        watch.join()
        meter.tick()  # the last state, however short all was
        meter.close()
