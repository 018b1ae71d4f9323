"""Mathematics as it stands in docstrings, set in HTML: ``sum_k x_ik >= 1`` with lowered indices.

The notation is that of ``formulations/``: indices behind ``_``, Greek letters by name, ``>=``,
``in`` for membership. Columns of a block stay columns: each piece of a line between two or more
spaces starts where it starts in the text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

__all__ = ["block", "inline"]

GREEK = {"lambda": "λ", "sigma": "σ", "omega": "ω", "rho": "ρ", "kappa": "κ"}
_INDEX = r"(?:\{([^{}]*)\}|\(([^()]*)\)|([A-Za-z0-9]{1,5}(?:['′][a-z]?)?))"
_INDEXED = re.compile(rf"(?<![\w/.-])([A-Za-z]+)(['′]?)_{_INDEX}(?![\w/]|\.py)")
_CODE = re.compile(r"(``?[^`]+``?)")
_BIG = {"sum": "∑", "max": "max", "min": "min"}


def inline(text: str) -> str:
    """A passage of prose as Markdown; what stands in backticks stays as it is."""
    pieces = _CODE.split(text)
    return "".join(
        piece if piece.startswith("`") else _prose(piece) for piece in pieces
    )


def _prose(text: str) -> str:
    made = _symbols(text)
    return re.sub(r"([*_])(?!\w*>)", r"\\\1", made)


def block(lines: list[str]) -> str:
    """Lines of mathematics as an HTML block; blank ones part them."""
    width = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    rows = "".join(f"<div>{_columns(line[width:]) or '&nbsp;'}</div>" for line in lines)
    return f'<div class="mathematics">{rows}</div>'


def _columns(line: str) -> str:
    """A line, each piece but the last as wide as it is in the text."""
    pieces = re.findall(r"\S+(?: \S+)*|\s{2,}|^\s", line)
    made = []
    for index, piece in enumerate(pieces):
        if not piece.strip():
            if index == 0:
                made.append(f'<span style="min-width:{len(piece)}ch"></span>')
            continue
        gap = pieces[index + 1] if index + 1 < len(pieces) else ""
        text = _symbols(piece)
        made.append(
            f'<span style="min-width:{len(piece) + len(gap)}ch">{text}</span>' if gap else
            f"<span>{text}</span>"
        )  # fmt: skip
    return "".join(made)


def _symbols(text: str) -> str:
    """Relations, sums, Greek letters and indices of a piece of text, as HTML."""
    text = re.sub(r"(?<![A-Za-z])([A-Za-z])'(?![A-Za-z]{2}|s\b|[^_,;.)\s\]]*')", r"\1′", text)
    text = re.sub(r"\bsum(?= (?:[A-Za-z]+['′]?_|sigma\b))", "∑", text)
    text = re.sub(r"((?<![\w′])[a-z](?:_\w+)?) in (?=[A-Z](?![a-z])|\{|\[)", r"\1 ∈ ", text)
    text = text.replace(">=", "≥").replace("<=", "≤").replace("->", "→")
    made = html.escape(text, quote=False)
    made = _INDEXED.sub(_lowered, made)
    for name, letter in GREEK.items():
        made = re.sub(rf"(?<![\w>]){name}(?!\w)", letter, made)
    made = re.sub(r"(?<=\w)\^(\d+)", r"<sup>\1</sup>", made)
    return "".join(_variables(made))


def _variables(made: str) -> Iterator[str]:
    """Letters that stand alone are variables, but for the article; what is in tags stays."""
    depth = 0
    for piece in re.split(r"(<[^>]+>)", made):
        if piece.startswith("<"):
            depth += -1 if piece.startswith("</") else 1
        elif not depth:
            piece = re.sub(r"(?<![\w&'-])([b-zB-Z])(?![\w'-]|\.\w)", r"<i>\1</i>", piece)
        yield piece


def _lowered(found: re.Match[str]) -> str:
    name, prime, braces, brackets, plain = found.groups()
    index = (braces or brackets or plain).replace("'", "′")
    index = re.sub(r"\b([a-z]) in (?=[A-Z])", r"\1 ∈ ", index)
    index = _INDEXED.sub(_lowered, index)
    if name in _BIG:
        return f"{_BIG[name]}<sub>{index}</sub>"
    name = GREEK.get(name, name)
    shown = f"<i>{name}</i>" if len(name) == 1 else name
    return f"{shown}{prime.replace(chr(39), '′')}<sub>{index}</sub>"
