"""How far a batch is, and who is told: a callback, a terminal, a log or a notebook."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from msgspec import Struct

from offload.meters import LineMeter, LiveMeter, Meter
from offload.units import count, number

__all__ = ["BatchProgress", "Tell", "batch_bar", "batch_text", "span", "teller"]

_BAR = 20  # characters
_OFTEN = 0.5  # seconds between two updates of a notebook


class BatchProgress(Struct, frozen=True, kw_only=True):
    """How far a batch is.

    Attributes
    ----------
    stage
        "reading" instances or "solving".
    seconds
        Since the stage began.
    done, total
        Of this stage and run; results that were there before count as neither.
    failed
        Without a plan, of those done.
    kept
        Results that were there before.
    last
        The file name of the last result.
    trouble
        Why nothing goes on, where that is so.
    """

    stage: str
    seconds: float
    done: int
    total: int
    failed: int = 0
    kept: int = 0
    last: str | None = None
    trouble: str | None = None

    @property
    def rate(self) -> float:
        """Done a second."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds to the end at this rate; ``None`` before the first is done."""
        return (self.total - self.done) / self.rate if self.rate > 0 else None


Tell = Callable[[BatchProgress], object]


def batch_text(report: BatchProgress | None, seconds: float, *, bar: bool = False) -> str:
    """A line of progress: how many, how fast, how long still."""
    if report is None:
        return f"{seconds:6.1f} s  starting"
    if report.trouble:
        return f"{seconds:6.1f} s  {report.trouble}"
    if report.stage == "reading":
        return f"{seconds:6.1f} s  reading {report.done} of {count(report.total, 'instance')}"
    parts = [f"{seconds:6.1f} s"]
    if bar:
        full = round(_BAR * report.done / report.total) if report.total else _BAR
        parts.append("━" * full + "─" * (_BAR - full))
    parts.append(f"{report.done} of {report.total} solved")
    if report.kept:
        parts.append(f"{report.kept} kept")
    if report.failed:
        parts.append(f"{report.failed} without a plan")
    if report.left is not None:
        rate = report.rate
        parts.append(f"{number(rate, 3)}/s" if rate >= 1 else f"{number(60 * rate, 3)}/min")
        parts.append(f"{span(report.left)} left")
    return "  ".join(parts)


def batch_bar(report: BatchProgress | None, seconds: float) -> str:
    """The same with a bar, for a terminal."""
    return batch_text(report, seconds, bar=True)


def span(seconds: float) -> str:
    """Seconds as people say them: ``45 s``, ``2 min 10 s``, ``3 h 5 min``, ``2 d 4 h``."""
    whole = max(0, round(seconds))
    sizes = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
    for size, unit, below, small in sizes:
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // below} {small}"
    return f"{whole} s"


@contextmanager
def teller(on_progress: Tell | None, progress: bool) -> Iterator[Tell]:
    """A function to call with each report; shows a line where ``progress``."""
    meter = _meter() if progress else None

    def tell(report: BatchProgress) -> None:
        if on_progress is not None:
            on_progress(report)
        if meter is not None:
            meter.update(report)
            meter.tick()

    try:
        yield tell
    finally:
        if meter is not None:
            meter.close()


def _meter() -> Meter:
    if "ipykernel" in sys.modules:
        return Notebook()
    if sys.stderr is not None and sys.stderr.isatty():
        from rich.console import Console

        return LiveMeter(batch_bar, Console(file=sys.stderr, markup=False, highlight=False))
    return LineMeter(batch_text)


class Notebook:
    """A line under the cell of a notebook, rewritten in place."""

    def __init__(self) -> None:
        from IPython import display

        self._show, self._html = cast(Any, display).display, cast(Any, display).HTML
        self._begun = self._shown = time.monotonic()
        self._last: BatchProgress | None = None
        self._handle: Any = self._show(self._page(), display_id=True)

    def _page(self) -> Any:
        text = batch_text(self._last, time.monotonic() - self._begun)
        return self._html(f"<pre>{html.escape(text)}</pre>")

    def update(self, report: BatchProgress) -> None:
        """Take note of a report."""
        self._last = report

    def tick(self) -> None:
        """Show it, not too often."""
        if time.monotonic() - self._shown >= _OFTEN:
            self._shown = time.monotonic()
            self._handle.update(self._page())

    def say(self, text: str) -> None:
        """Show a line that stays."""
        self._show(self._html(f"<pre>{html.escape(text)}</pre>"))

    def close(self) -> None:
        """Show the last state."""
        self._handle.update(self._page())
