"""Objects as pages for notebooks: escaped, small, in the colours of the reader's own theme.

There are no colours, scripts or files here: tables have the class that every notebook styles, in
dark mode too, and what matters less is only fainter.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from offload.units import count, metric, number, prefixed

if TYPE_CHECKING:
    import pandas as pd

    from offload.plan import Plan, Result
    from offload.problem import Problem

__all__ = ["facts_table", "frame_table", "line", "metrics_table", "plan_page", "problem_page",
           "result_page", "rows_table"]  # fmt: skip

ROWS = 12  # of a table, at most
_FEW = 8  # of each of several tables beside each other
_LETTERS = 400  # of a description, at most
_FAINT = "opacity:0.7"
_BESIDE = "display:flex;flex-wrap:wrap;gap:0 2em"
_LEFT, _RIGHT = "text-align:left", "text-align:right"


def line(bold: str = "", text: str = "", faint: str = "") -> str:
    """A paragraph: what matters most, what matters, and what matters less."""
    parts = (
        f"<b>{html.escape(bold)}</b>" if bold else "",
        html.escape(text),
        f'<span style="{_FAINT}">{html.escape(faint)}</span>' if faint else "",
    )
    return f"<p>{' '.join(part for part in parts if part)}</p>"


def rows_table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[bool], more: str = ""
) -> str:
    """A table of texts; ``left`` says which columns are flush left, ``more`` stands below it."""
    sides = [_LEFT if flush else _RIGHT for flush in left]

    def row(cells: Sequence[str], tag: str) -> str:
        pairs = zip(cells, sides, strict=True)
        return "".join(f'<{tag} style="{side}">{html.escape(c)}</{tag}>' for c, side in pairs)

    body = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in rows)
    table = (
        f'<table class="dataframe"><thead><tr>{row(headers, "th")}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )
    return table + (line(faint=more) if more else "")


def frame_table(frame: pd.DataFrame, units: Mapping[str, str], most: int = ROWS) -> str:
    """The first rows of a frame; a column of numbers has one unit, which stands in its header.

    Parameters
    ----------
    units
        The unit of each column that is to be shown; "" for numbers and texts without one.
    """
    shown = frame.head(most)
    headers, columns, left = [], [], []
    for name, unit in units.items():
        values = shown[name].tolist()
        texts = [isinstance(value, str) for value in values]
        header = name.replace("_", " ")
        if any(texts):
            cells = [value if isinstance(value, str) else "-" for value in values]
        else:
            header, cells = _numbers(
                header, [np.nan if v is None else float(v) for v in values], unit
            )
        headers.append(header)
        columns.append(cells)
        left.append(any(texts))
    rows = list(zip(*columns, strict=True))
    hidden = len(frame) - len(shown)
    return rows_table(headers, rows, left, f"and {hidden} more: to_frame()" if hidden else "")


def _numbers(header: str, values: Sequence[float], unit: str) -> tuple[str, list[str]]:
    """A column's header and its cells, all in the unit that suits the largest."""
    known = [abs(value) for value in values if np.isfinite(value)]
    factor, unit = prefixed(max(known, default=0.0), unit)
    if unit:
        header = f"{header} ({unit})"
    return header, ["-" if np.isnan(v) else number(v / factor) for v in values]


def metrics_table(metrics: Mapping[str, float]) -> str:
    """Metrics side by side, with their units; those that are 0 are left out."""
    kept = {name: value for name, value in metrics.items() if value != 0}
    if not kept:
        return ""
    cells = [metric(name, value) for name, value in kept.items()]
    return rows_table(list(kept), [cells], [False] * len(kept))


def facts_table(facts: Mapping[str, str]) -> str:
    """Names and what they are, a row each."""
    rows = "".join(
        f'<tr><th style="{_LEFT}">{html.escape(name)}</th>'
        f'<td style="{_LEFT}">{html.escape(text)}</td></tr>'
        for name, text in facts.items()
    )
    return f'<table class="dataframe"><tbody>{rows}</tbody></table>'


# -- the pages -----------------------------------------------------------------------------------

# Columns of a plan's table, and the unit of each; those with one value throughout are left out
# where that value says nothing.
_PLAN = {
    "task": "", "node": "", "mode": "", "fraction": "", "ready": "s", "waiting": "s", "start": "s",
    "finish": "s", "energy": "J",
}  # fmt: skip
_DULL: Mapping[str, Any] = {"mode": "default", "fraction": 1.0, "waiting": 0.0, "energy": 0.0}


def plan_page(plan: Plan) -> str:
    """What a plan costs, and its first tasks by their start."""
    from offload.wording import placed_text

    title = f"Plan of {plan.problem.name or 'an unnamed instance'}:"
    return line(title, placed_text(plan)) + _plan_tables(plan)


def _plan_tables(plan: Plan) -> str:
    frame = plan.to_frame().sort_values("start", kind="stable")
    dull = {name for name, value in _DULL.items() if bool((frame[name] == value).all())}
    units = {name: unit for name, unit in _PLAN.items() if name not in dull}
    tables = metrics_table(plan.metrics) + frame_table(frame, units)
    if len(plan.copies.data):
        copies = frame_table(plan.copies_frame(), {"data": "", "node": "", "bytes": "B"})
        tables += line(text="Copies of data:") + copies
    return tables


def result_page(result: Result) -> str:
    """Status, objective and proof in a line; then the plan, or why there is none."""
    from offload.wording import headline, placed_text

    made = f"by {result.method} in {number(result.seconds, 3)} s"
    if result.plan is not None:
        made += f"; {placed_text(result.plan)}"
    rest = "" if result.plan is None else _plan_tables(result.plan)
    if result.conflict is not None:
        rest = result.conflict._repr_html_()
    status, _, text = headline(result).partition(": ")
    return line(f"{status}:", text, made) + rest


def problem_page(problem: Problem) -> str:
    """What an instance holds and asks for; its first nodes, links and tasks."""
    from offload import describing

    name = problem.name or "an unnamed instance"
    about = problem.description
    if len(about) > _LETTERS:
        about = about[:_LETTERS].rsplit(" ", 1)[0] + " …"
    parts = [line(f"Problem {name}"), line(text=about) if about else ""]
    parts.append(facts_table(describing.facts(problem)))
    tasks, tables = describing.task_columns(problem), []
    for rows, columns, what in (
        (problem.network.nodes, describing.NODE_COLUMNS, "node"),
        (problem.network.links, describing.LINK_COLUMNS, "link"),
        (range(len(problem.graph.tasks)), tasks, "task"),
    ):
        if rows:
            tables.append(f"<div>{_first(rows, columns, what)}</div>")
    beside = f'<div style="{_BESIDE}">{"".join(tables)}</div>' if tables else ""
    return "".join([*parts, beside])


def _first(rows: Sequence[Any], columns: Sequence[Any], what: str) -> str:
    from offload.describing import cells_of

    cells = cells_of(rows[:_FEW], columns)
    left = [is_text for header, _, is_text in columns if header in cells]
    body = list(zip(*cells.values(), strict=True))
    hidden = len(rows) - len(body)
    more = f"and {count(hidden, f'more {what}')}: offload.to_frames()" if hidden else ""
    return rows_table(list(cells), body, left, more)
