"""A sweep as a table and as lines of progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from offload.cli.output import plain, table
from offload.cli.partition_report import records
from offload.units import field_unit, metric, number, percent, quantity
from offload.wording import describe, goal_text

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

__all__ = ["given_text", "sweep_table"]

_WIDE = 110  # columns from which there is room for more metrics
_ROUNDING = 1e-9
_MORE = ("latency", "energy", "cost", "traffic")


def given_text(path: str, value: Any, factor: bool = False) -> str:
    """A value of a parameter with its unit; a factor as such."""
    if value is None or value != value:
        return "unlimited"
    if isinstance(value, str | bool):
        return str(value)
    return f"x{number(value, 4)}" if factor else quantity(value, field_unit(path), 4)


def sweep_table(frame: pd.DataFrame, width: int = 80) -> Table:
    """A row a combination: what changed, the answer, and how many tasks moved."""
    minimize = dict(frame.attrs["minimize"])
    paths, factors = frame.attrs["paths"], frame.attrs["factors"]
    show = goal_text(minimize)
    more = [name for name in _MORE if width >= _WIDE and name != describe(minimize)]
    body = []
    for row in records(frame):
        known = row["objective"] is not None
        body.append([
            *(given_text(path, row[path], path in factors) for path in paths),
            show(row["objective"]) if known else "-", str(row["status"]),
            percent(_plain(row["gap"])),
            *(metric(name, row[name], 4) if known else "-" for name in more),
            _whole(row["placement"]), _whole(row["moved"]),
        ])  # fmt: skip
    names = [_short(path) for path in paths]
    headers = [*names, describe(minimize), "status", "gap", *more, "placement", "moved"]
    return table(headers, body, left=("status",), wrap=names)


def _plain(gap: float | None) -> float | None:
    """A gap without the last digits of sums."""
    return 0.0 if gap is not None and gap <= _ROUNDING else gap


def _whole(value: Any) -> str:
    return str(int(value)) if isinstance(value, int) else "-"


def _short(path: str) -> str:
    text = path.removeprefix("$.").removeprefix("network.").removeprefix("graph.")
    return plain(text)
