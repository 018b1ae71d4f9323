"""Where a command writes: its answer to standard output, notes and errors to standard error."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

import typer

from offload.errors import InstanceError, OffloadError, PlanError
from offload.meters import complain
from offload.wording import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = [
    "Session", "complain", "cut", "error_lines", "folded", "json_text", "leave_pipe", "plain",
    "table",
]  # fmt: skip

MOST_ISSUES = 20  # lines of errors of one file
_WIDEST = 24  # columns that a cell of a table may always take
_ASCII = str.maketrans({"…": "~", "µ": "u", "→": ">", "≤": "<", "·": ".", "─": "-", "━": "-"})


@dataclass
class Session:
    """What the options of the root say, and the two streams of one run."""

    verbose: int = 0
    quiet: bool = False
    debug: bool = False
    ascii: bool = field(default_factory=lambda: not speaks_unicode(sys.stdout))

    @classmethod
    def of(cls, context: typer.Context, **options: Any) -> Session:
        """The session of a command, with the command's own options on top of the root's."""
        session: Session = context.ensure_object(cls)
        session.ascii |= options.get("ascii", False)
        session.set_talk(options.get("verbose", 0), options.get("quiet", False))
        return session

    def set_talk(self, verbose: int, quiet: bool) -> None:
        """How much to say, on top of what was asked for before."""
        self.verbose += verbose
        self.quiet |= quiet
        levels = (logging.WARNING, logging.INFO, logging.DEBUG)
        level = logging.ERROR if self.quiet else levels[min(self.verbose, 2)]
        logging.getLogger("offload").setLevel(level)

    def console(self, stream: TextIO | None = None) -> Console:
        """A rich console on standard output; ids are shown as they are, never as markup."""
        from rich.console import Console

        class _Console(Console):
            def on_broken_pipe(self) -> None:
                leave_pipe()  # and go on: the exit status still says what the answer is

        stream = sys.stdout if stream is None else stream
        target: Any = _AsciiStream(stream) if self.ascii else stream
        return _Console(file=target, markup=False, emoji=False, highlight=False)

    @property
    def width(self) -> int:
        """Columns of standard output: the terminal's, or COLUMNS, or 80."""
        return max(40, self.console().width)

    def print(self, *lines: Any, style: str | None = None) -> None:
        """Print lines of text (never wrapped or cut), or rich renderables."""
        console = self.console()
        for line in lines:
            if isinstance(line, str):
                console.print(line, style=style, soft_wrap=True)
            else:
                console.print(line)

    def note(self, text: str) -> None:
        """A remark for people, to standard error; silent with --quiet."""
        if not self.quiet:
            complain(text)

    def json(self, value: Any) -> None:
        """The answer for machines: one JSON document, to standard output."""
        self.write(json_text(value) + "\n")

    def write(self, text: str) -> None:
        """Text as it is to standard output: in UTF-8, as JSON is, whatever the terminal speaks."""
        try:
            sys.stdout.flush()
            sys.stdout.buffer.write(text.encode())
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            leave_pipe()


class _AsciiStream:
    """A stream that is shown ASCII alone, for terminals and pipes that cannot take more."""

    encoding = "ascii"

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text with what is not ASCII replaced."""
        simple = text.translate(_ASCII).encode("ascii", "replace").decode("ascii")
        return self._stream.write(simple)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def speaks_unicode(stream: TextIO) -> bool:
    """Whether a stream's encoding has the characters of bars and Gantts."""
    try:
        "━█░µ→".encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def error_lines(error: OffloadError) -> list[str]:
    """One line an issue, most of them; then how many more there are."""
    if isinstance(error, InstanceError | PlanError):
        return [plain(line) for line in error.lines(MOST_ISSUES)]
    return [plain(" ".join(str(error).split()))]


def cut(text: str, columns: int, sign: str = "…") -> str:
    """Text in exactly so many columns: filled with spaces, or cut with a sign that it is."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) > columns:
        text = set_cell_size(text, columns - 1) + sign
    return set_cell_size(text, columns)


def folded(text: str, width: int, indent: int = 4) -> list[str]:
    """A long line as several that fit, all but the first indented."""
    lines = textwrap.wrap(
        text, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False,
        drop_whitespace=True, replace_whitespace=False,
    )  # fmt: skip
    return lines or [""]


def json_text(value: Any) -> str:
    """JSON with every digit; numbers that are not finite become null, as JSON has none."""
    return json.dumps(_jsonable(value), indent=2, ensure_ascii=False, allow_nan=False)


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_jsonable(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy scalars and arrays
        return _jsonable(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float):
        return value
    return str(value)


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    left: Sequence[str] = (),
    wrap: Sequence[str] = (),
) -> Table:
    """A table without borders.

    Columns named in ``left`` (and the first) are flush left. Those in ``wrap`` give way where the
    terminal is narrow; of the others, only very long cells are cut.
    """
    from rich.cells import cell_len
    from rich.table import Table

    body = [[plain(cell) for cell in row] for row in rows]
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for position, header in enumerate(headers):
        needed = max([cell_len(header), *(cell_len(row[position]) for row in body)])
        wraps = header in wrap
        made.add_column(
            header,
            justify="left" if position == 0 or header in left else "right",
            no_wrap=not wraps,
            overflow="fold" if wraps else "ellipsis",
            min_width=min(needed, 12 if wraps else _WIDEST),
        )
    for row in body:
        made.add_row(*row)
    return made


def leave_pipe() -> None:
    """Let what is still to be written to standard output go nowhere: nobody can take it."""
    # The interpreter flushes once more at its end; that must not fail again.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
