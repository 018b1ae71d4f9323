"""Mathematics as it stands in docstrings, set in HTML: ``sum_k x_ik >= 1`` with lowered indices.

The notation is that of ``formulations/``: indices behind ``_``, Greek letters by name, ``>=``,
``in`` for membership. What stands between two or more spaces is a column of its block.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from itertools import groupby

__all__ = ["block", "inline"]

GREEK = frozenset({"kappa", "lambda", "omega", "rho", "sigma"})
SIGNS = {"&gt;=": "&ge;", "&lt;=": "&le;", "-&gt;": "&rarr;"}
_BIG = {"sum": "&sum;", "max": "max", "min": "min"}

# A name, perhaps primed, and its index: {anything}, (anything) or up to four letters; no file name.
_INDEX = r"(?:\{([^{}]*)\}|\(([^()]*)\)|([A-Za-z0-9]{1,4}(?:'[a-z]?)?))"
_INDEXED = re.compile(rf"(?<![\w/.-])([A-Za-z]+\d?)('?)_{_INDEX}(?![\w/]|\.py)")
_FILE = re.compile(r"(?<![`\w/])(?:docs|formulations|offload)/[\w/]+\.(?:md|py)\b")
_MEMBER = re.compile(r"(\b[a-z](?:_\w+)?) in (?=[A-Z](?![a-z])|\{|\[)")
_SUM = re.compile(r"\bsum(?= (?:[A-Za-z]+'?_|sigma\b))")
# "a" is an article where a noun follows, and a variable elsewhere.
_NO_NOUN = r"(?=[;,.)\]]| (?:and|by|if|in|is|on|or|to)\b| [-+])"
_VARIABLE = re.compile(rf"(?<![\w&'-])(?:([b-zB-Z])('?)|(a)('|{_NO_NOUN}))(?![\w'-]|\.\w)")


def inline(text: str) -> str:
    """A passage of prose as Markdown; what stands in backticks stays as it is."""
    text = _FILE.sub(r"`\g<0>`", text)
    pieces = re.split(r"(``?[^`]+``?)", text)
    return "".join(p if p.startswith("`") else _without_emphasis(_symbols(p)) for p in pieces)


def _without_emphasis(text: str) -> str:
    return re.sub(r"([*_])", r"\\\1", text)


def _in_block(text: str) -> str:
    """The same as HTML, where Markdown is not read."""
    pieces = re.split(r"``?([^`]+)``?", text)
    return "".join(
        f"<code>{html.escape(piece)}</code>" if position % 2 else _symbols(piece)
        for position, piece in enumerate(pieces)
    )


def block(lines: list[str]) -> str:
    """Lines of mathematics as HTML: tables where they have columns, else a line each."""
    width = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    rows = [_pieces(line[width:]) for line in lines]
    made = []
    for in_columns, run in groupby(rows, key=lambda row: [start for start, _ in row] != [0]):
        part = list(run)
        if in_columns:
            made.append(_table(part))
        else:
            made.extend(f"<div>{_in_block(row[0][1])}</div>" for row in part)
    return f'<div class="mathematics">{"".join(made)}</div>'


def _pieces(line: str) -> list[tuple[int, str]]:
    """What stands between two or more spaces, each with the column at which it begins."""
    return [(found.start(), found[0]) for found in re.finditer(r"\S+(?: \S+)*", line)]


def _table(rows: list[list[tuple[int, str]]]) -> str:
    """Rows as a table whose columns are the places at which pieces begin."""
    starts = sorted({0, *(start for row in rows for start, _ in row)})
    column = {start: position for position, start in enumerate(starts)}
    made = []
    for row in rows:
        cells = row if row and row[0][0] == 0 else [(0, ""), *row]
        ends = [*(column[start] for start, _ in cells[1:]), len(starts)]
        made.append("".join(
            f'<td colspan="{end - column[start]}">{_in_block(text) or "&nbsp;"}</td>'
            for (start, text), end in zip(cells, ends, strict=True)
        ))  # fmt: skip
    return '<table class="columns">' + "".join(f"<tr>{cells}</tr>" for cells in made) + "</table>"


def _symbols(text: str) -> str:
    """Relations, sums, Greek letters, variables and indices of a piece of text, as HTML."""
    made = html.escape(text, quote=False)
    for written, sign in SIGNS.items():
        made = made.replace(written, sign)
    made = _MEMBER.sub(r"\1 &isin; ", _SUM.sub("&sum;", made))
    made = _INDEXED.sub(_lowered, made)
    return "".join(_letters(made))


def _lowered(found: re.Match[str]) -> str:
    """A name with its index below it; an index may have one of its own."""
    name, prime, braces, brackets, plain = found.groups()
    index = re.sub(r"\b([a-z]) in (?=[A-Z])", r"\1 &isin; ", braces or brackets or plain)
    index = _INDEXED.sub(_lowered, index.replace("'", "&prime;"))
    if name in _BIG:
        return f"{_BIG[name]}<sub>{index}</sub>"
    shown = f"&{name};" if name in GREEK else name
    if len(name) == 1 or name in GREEK:
        shown = f"<i>{shown}</i>"
    return f"{shown}{'&prime;' if prime else ''}<sub>{index}</sub>"


def _letters(made: str) -> Iterator[str]:
    """Letters that stand alone are variables, but for the article; what is in tags stays."""
    depth = 0
    for piece in re.split(r"(<[^>]+>)", made):
        if piece.startswith("<"):
            depth += -1 if piece.startswith("</") else 1
            yield piece
        elif depth:
            yield piece
        else:
            text = _VARIABLE.sub(_variable, piece)
            yield re.sub(rf"(?<![\w&])({'|'.join(sorted(GREEK))})\b(?!;)", r"<i>&\1;</i>", text)


def _variable(found: re.Match[str]) -> str:
    letter, prime = found[1] or found[3], found[2] or found[4]
    return f"<i>{letter}</i>{'&prime;' if prime else ''}"
