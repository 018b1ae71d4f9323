"""Bottlenecks for people: a table, and what of it matters most in a few sentences."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from offload.cli.output import Session, folded, plain, table
from offload.cli.partition_report import records
from offload.cli.sweep_report import given_text
from offload.units import percent
from offload.wording import describe, goal_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["show_bottlenecks"]

_WIDE = 100  # columns from which there is room for use
Row = Mapping[Hashable, Any]


def show_bottlenecks(session: Session, frame: pd.DataFrame, rows: int) -> None:
    """Print the rows that bind or lie on the critical path, and how far they can move."""
    facts = frame.attrs
    minimize = dict(facts["minimize"])
    state = "optimal" if facts["status"] == "optimal" else "best known"
    value = goal_text(minimize)(facts["objective"])
    session.print(f"{state} plan: {describe(minimize)} {value}", "")
    found = [row for row in records(frame) if row["binds"] or row["share"] or row["range"]]
    wide = session.width >= _WIDE
    body = [
        [
            f"{row['kind']} of {row['name']}", given_text(str(row["path"]), row["value"]),
            percent(row["share"]) if row["share"] else "-",
            *([percent(row["utilisation"]), "yes" if row["binds"] else "no"] if wide else []),
            percent(row["worth"]) if row["worth"] else "-", *_range(row),
        ]
        for row in found[:rows]
    ]  # fmt: skip
    more = ["in use", "binds"] if wide else []
    headers = ["what", "is", "of path", *more, "+10 %", "same from", "to", "range"]
    session.print(table(headers, body, left=("binds", "range"), wrap=("what",)))
    hidden = len(frame) - min(rows, len(found))
    if hidden:
        session.print("", f"and {hidden} more, which bind less or not at all; see --rows or --json")
    session.print("")
    for line in _words(found, facts):
        session.print(*folded(plain(line), session.width, indent=2))


def _range(row: Row) -> list[str]:
    """Between which values the placement stays, and what is known of that."""
    if row["range"] in ("", "not best"):
        return ["-", "-", str(row["range"])]
    return [_end(row, "down"), _end(row, "up"), str(row["range"])]


def _end(row: Row, side: str) -> str:
    factor = row[side]
    if factor is None:
        return "?"
    text = given_text(str(row["path"]), row["value"] * factor)
    if row[f"{side}_changed"] is not None or (factor == 1 and row["kind"] in ("slots", "channels")):
        return text
    return f"{'<' if side == 'down' else '>'} {text}"


def _words(found: Sequence[Row], facts: Mapping[Hashable, Any]) -> list[str]:
    """What matters most."""
    lines = []
    ranked = sorted(found, key=lambda row: -(row["worth"] or 0.0))
    if ranked and ranked[0]["worth"]:
        top = ranked[0]
        lines.append(
            f"A tenth better pays most at the {top['kind']} of {top['name']}: "
            f"{percent(top['worth'])} off the objective, in the same placement."
        )
    full = [row for row in found if row["kind"] in ("memory", "storage") and row["binds"]]
    for row in full[:3]:
        lines.append(f"No further task fits into the {row['kind']} of {row['name']}.")
    if any(row["range"] == "not best" for row in found):
        lines.append("Another placement is better already: solve again, starting from this plan.")
    if not facts["complete"]:
        lines.append("Time was too short for all ranges; give --time-limit more.")
    return lines
