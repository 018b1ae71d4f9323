"""How far a batch is, as a record and as a line of text."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from offload.units import count, number

__all__ = ["BatchProgress", "Tell", "batch_bar", "batch_text", "span"]

_BAR = 20  # characters


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
