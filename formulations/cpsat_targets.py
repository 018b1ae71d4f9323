"""Destructive bounds: which value to ask for next, and for how long.

The question is whether a plan of at most some value v exists, between a proved bound and a known
plan. The relaxation on a grid answers "no" (then v is a bound), "here is one" (a better plan), or
nothing in the time that it is given. Without an objective, and with windows that are as narrow as
v makes them, the answer often comes long before a search with an objective moves its bound.

    v = low + share * (high - low)

Where the share is 1, "no" is the whole proof. After a question without an answer it is a quarter;
after a quick answer it doubles.

Source: Klein, Scholl 1999, "Computing lower bounds by destructive improvement".
"""

from __future__ import annotations

__all__ = ["Targets"]

_LEAST = 1 / 32  # share of the gap below which questions end
_QUICK = 0.25  # of its time: what is answered within makes the next question bolder


class Targets:
    """The questions of one series.

    Parameters
    ----------
    slot
        Time for each question, in the unit in which ``spent`` is told.
    share
        How far up the gap the first target lies.

    Attributes
    ----------
    share
        How far up the gap the next target lies, in (0, 1].
    """

    def __init__(self, slot: float, share: float = 1.0) -> None:
        self.slot = slot
        self.share = share

    @property
    def exhausted(self) -> bool:
        """Whether more time for each question is the only way on."""
        return self.share < _LEAST

    def value(self, low: float, high: float) -> float:
        """The next target; ``high`` is the largest value that is worth a question."""
        return high if self.share >= 1 else low + self.share * (high - low)

    def answered(self, spent: float) -> None:
        """The question was answered in that time, either way."""
        if spent <= _QUICK * self.slot:
            self.share = min(1.0, 2 * self.share)

    def unanswered(self) -> None:
        """The question got no answer in its time."""
        self.share /= 4
