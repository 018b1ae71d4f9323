"""Texts of numbers in free lines: their words in turn, each with its line."""

from __future__ import annotations

from collections.abc import Iterable

from offload.errors import NOTHING
from offload.importers.drafts import malformed

__all__ = ["Words", "amount", "integer", "is_count"]


def is_count(word: str) -> bool:
    """Whether a word is a whole number that a file may count something with."""
    return word.isascii() and word.isdigit() and len(word) < 19


class Words:
    """The words of a text, taken one by one."""

    def __init__(self, lines: Iterable[tuple[int, str]], last: int, of: str = "file") -> None:
        self._words = ((line, word) for line, text in lines for word in text.split())
        self.line = 1  # of the word taken last
        self._last = last
        self._of = of  # what the words are of, for errors

    @classmethod
    def of(cls, text: str) -> Words:
        """The words of a whole text."""
        lines = text.splitlines()
        return cls(enumerate(lines, 1), max(len(lines), 1))

    def take(self, what: str) -> str:
        """The next word.

        Raises
        ------
        InstanceError
            At the end of the text.
        """
        found = next(self._words, None)
        if found is None:
            raise malformed(
                self._last, f"{what} must follow", NOTHING, f"the {self._of} is cut short"
            )
        self.line, word = found
        return word

    def integer(self, what: str, least: int = 0, most: int | None = None) -> int:
        """The next word as a whole number in bounds."""
        return integer(self.take(what), self.line, what, least, most)

    def number(self, what: str) -> float:
        """The next word as a number, finite and not negative."""
        return amount(self.take(what), self.line, what)

    def end(self) -> None:
        """Refuse words that are left.

        Raises
        ------
        InstanceError
            With the first of them.
        """
        left = next(self._words, None)
        if left is not None:
            what = f"the {self._of} must have ended"
            raise malformed(left[0], what, left[1], "remove the rest")


def integer(text: str, line: int, what: str, least: int = 0, most: int | None = None) -> int:
    """A whole number in a text, in bounds.

    Raises
    ------
    InstanceError
        With the line, if it is none.
    """
    try:
        value = int(text.replace("_", "x"))  # Python reads 1_000
    except ValueError:
        raise malformed(line, f"{what} must be a whole number", text, "write digits") from None
    if value < least or (most is not None and value > most):
        bounds = f">= {least}" if most is None else f"from {least} to {most}"
        raise malformed(line, f"{what} must be {bounds}", value, "mend the number")
    return value


def amount(text: str, line: int, what: str) -> float:
    """A number in a text, finite and not negative.

    Raises
    ------
    InstanceError
        With the line, if it is none.
    """
    try:
        value = float(text.replace("_", "x"))  # Python reads 1_000
    except ValueError:
        raise malformed(line, f"{what} must be a number", text, "write digits") from None
    if not 0 <= value < float("inf"):
        raise malformed(line, f"{what} must be finite and >= 0", text, "write 0 or more")
    return value
