"""Pieces of an HTML page that needs nothing else: every text of a user is escaped here."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

import offload
from offload.errors import OffloadError
from offload.plot.interactive.figures import plotly

__all__ = ["Column", "cards", "facts", "figure", "items", "page", "paragraph", "section", "table"]

_CUT = 40  # characters of a cell that may not all be seen
# The browser itself keeps the page from reaching out, whatever its texts hold. Charts in space
# (WebGL) compile functions of their own.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)
_CONFIG = {"displaylogo": False, "responsive": True, "plotlyServerURL": ""}


class Column(NamedTuple):
    """A column of a table: texts, or numbers with the texts that are shown for them."""

    head: str
    texts: Sequence[str]
    values: Sequence[float] | None = None  # what the column is sorted by; texts otherwise


def escaped(text: object) -> str:
    """A text as HTML shows it."""
    return html.escape(str(text))


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph; nothing for an empty text."""
    if not text:
        return ""
    opening = f'<p class="{kind}">' if kind else "<p>"
    return f"{opening}{escaped(text)}</p>"


def facts(pairs: Mapping[str, str]) -> str:
    """Names with what they are."""
    rows = (f"<dt>{escaped(k)}</dt><dd>{escaped(v)}</dd>" for k, v in pairs.items())
    return f'<dl class="facts">{"".join(rows)}</dl>'


def cards(pairs: Mapping[str, str]) -> str:
    """Names with figures, side by side."""
    boxes = (
        f"<div><span>{escaped(k)}</span><strong>{escaped(v)}</strong></div>"
        for k, v in pairs.items()
    )
    return f'<div class="metrics">{"".join(boxes)}</div>'


def items(texts: Sequence[str], kind: str = "") -> str:
    """A list."""
    return f'<ul class="{kind}">{"".join(f"<li>{escaped(text)}</li>" for text in texts)}</ul>'


def section(name: str, title: str, *parts: str) -> str:
    """A part of the page with a heading; ``name`` is its anchor."""
    return f'<section id="{name}"><h2>{escaped(title)}</h2>{"".join(parts)}</section>'


def table(columns: Sequence[Column], ordered: str = "", rows: int | None = None) -> str:
    """A table that a click on a column's name sorts, with a note where rows are left out.

    Parameters
    ----------
    ordered
        In which order the rows are, for the note.
    rows
        How many there are in all, where the columns hold only the first of them.
    """
    shown = len(columns[0].texts) if columns else 0
    rows = shown if rows is None else rows
    head = "".join(
        f'<th scope="col"{_kind(column)}><button type="button">{escaped(column.head)}</button></th>'
        for column in columns
    )
    cells = [_cells(column) for column in columns]
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in zip(*cells, strict=True))
    note = ""
    if rows > shown:
        which = f"{shown} of {rows} rows {ordered}".rstrip() + "."
        note = paragraph(
            f"{which} offload show --json and offload convert --to csv have all.", "soft"
        )
    return (
        f'<div class="scroll" tabindex="0"><table class="sortable"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{note}"
    )


def _kind(column: Column) -> str:
    return ' class="text"' if column.values is None else ""


def _cells(column: Column) -> list[str]:
    if column.values is None:
        return [_text_cell(text) for text in column.texts]
    pairs = zip(column.texts, column.values, strict=True)
    return [f'<td data-v="{_number(value)}">{escaped(text)}</td>' for text, value in pairs]


def _text_cell(text: str) -> str:
    whole = f' title="{escaped(text)}"' if len(text) > _CUT else ""
    return f'<td class="text"{whole}>{escaped(text)}</td>'


def _number(value: float) -> str:
    """A number as JavaScript reads it; what is undefined sorts last."""
    if math.isfinite(value):
        return repr(float(value))
    return "-Infinity" if value < 0 else "Infinity"


def figure(name: str, made: Any) -> str:
    """A plotly figure; ``name`` is the id of its element, the same each time."""
    body = made.to_html(
        config=_CONFIG, include_plotlyjs=False, full_html=False, div_id=name,
        default_width="100%", default_height="auto",
    )  # fmt: skip
    return f'<div class="figure">{body}</div>'


def page(title: str, sections: Sequence[str]) -> str:
    """A whole page: nothing in it is fetched from anywhere.

    Raises
    ------
    OffloadError
        If plotly is not installed.
    """
    plotly()
    from plotly.offline import get_plotlyjs

    own = files(offload) / "reports"
    style, script = ((own / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    library = get_plotlyjs()
    if "</script" in library.lower():
        raise OffloadError("plotly: its script cannot stand inside a page; install another version")
    body = "\n".join(part for part in sections if part)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{escaped(_POLICY)}">
<title>{escaped(title)}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
<script>{library}</script>
</head>
<body>
{body}
<footer>Made by offload {offload.__version__}. Drag over a chart to zoom in.</footer>
<script>
{script}</script>
</body>
</html>
"""
