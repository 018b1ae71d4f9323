"""The exceptions that reach a user. Each message names what, where, what was found and the fix."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "InstanceError",
    "Issue",
    "OffloadError",
    "PlanError",
    "SolverUnavailable",
    "Unsupported",
]


class OffloadError(Exception):
    """Root of every error that this library raises on purpose."""


@dataclass(frozen=True)
class Issue:
    """One thing wrong with an input: where it is, what is wrong, what was found, how to mend it."""

    path: str
    message: str
    found: Any = None
    fix: str = ""

    def __str__(self) -> str:
        text = f"{self.path}: {self.message}, got {shorten(self.found)}"
        return one_line(f"{text}; {self.fix}" if self.fix else text)


class _Nothing:
    """Stands for a value that is not there, as opposed to null."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING = _Nothing()


class _Short(reprlib.Repr):
    """``repr`` that looks at the first few members only, however large or deep the value."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxstring = 3 * width
        self.maxother = width

    def repr1(self, value: Any, level: int) -> str:
        # The base class goes by the name of the type, and would write subclasses out in full.
        if isinstance(value, dict):
            return self.repr_dict(value, level)
        return super().repr1(value, level)

    def repr_int(self, value: int, level: int) -> str:
        # Python refuses to write out integers of thousands of digits.
        return repr(value) if abs(value) < 10**40 else f"an integer of {value.bit_length()} bits"


def shorten(value: Any, width: int = 60) -> str:
    """``repr`` of a value, cut to a width that fits on an error's line; texts may be longer."""
    text = _Short(width).repr(value)
    most = 3 * width if isinstance(value, str) else width
    return text if len(text) <= most else text[: most - 3] + "..."


def one_line(text: str, most: int = 600) -> str:
    """Text with line ends and other unprintable characters escaped, its middle cut if very long."""
    if len(text) > most:
        text = f"{text[: most // 2]} ... {text[-most // 2 :]}"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class _InputError(OffloadError):
    """An input that cannot be used; ``issues`` has everything that is wrong with it."""

    def __init__(self, issues: Sequence[Issue], source: str | None = None) -> None:
        self.issues = tuple(issues)
        self.source = source
        super().__init__("\n".join(self.lines()))

    def lines(self, most: int | None = 50) -> list[str]:
        """One line an issue, each with the file in front where the input came from a file."""
        front = f"{one_line(self.source)}: " if self.source else ""
        shown = self.issues if most is None else self.issues[:most]
        rows = [f"{front}{issue}" for issue in shown]
        if len(shown) < len(self.issues):
            rows.append(f"{front}and {len(self.issues) - len(shown)} more")
        return rows


class InstanceError(_InputError):
    """An instance, a file or one built in Python, that breaks the instance format."""


class PlanError(_InputError):
    """A plan file that cannot be read, or that belongs to another instance."""


class Unsupported(OffloadError):
    """A method was asked for something that it does not honour.

    Parameters
    ----------
    method
        Name of the method that refuses.
    features
        Names of the features of the instance (or of the request) that it does not honour.
    hint
        What the user can do instead.
    """

    def __init__(self, method: str, features: Sequence[str], hint: str = "") -> None:
        self.method = method
        self.features = tuple(features)
        text = f"method {method!r} does not honour: {', '.join(self.features)}"
        super().__init__(f"{text}; {hint}" if hint else text)


class SolverUnavailable(OffloadError):
    """A solver that a method needs is not installed or does not load on this machine."""
