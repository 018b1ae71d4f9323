"""The outcome of a batch in a few lines and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offload.cli.output import plain, table
from offload.units import number, percent, quantity
from offload.wording import reason_text

if TYPE_CHECKING:
    from rich.table import Table

    from offload.batching.summary import Batch

__all__ = ["failure_lines", "profile_table", "ranking_table"]

_FACTORS = (1.0, 1.01, 1.05, 1.1, 1.25, 1.5, 2.0)
_WIDE = 100  # columns from which there is room for more
_MOST = 12  # failures that are shown


def ranking_table(batch: Batch, width: int = 80) -> Table:
    """A row a method, the best first; with more columns where there is room."""
    wide = width >= _WIDE
    rows = [
        [
            row["method"], str(row["results"]), str(row["plans"]), str(row["optimal"]),
            str(row["best"]), _number(row["ratio"]), _number(row["worst"]), _percent(row["gap"]),
            _seconds(row["seconds"]),
            *([_seconds(row["shifted_seconds"]), _seconds(row["cpu_seconds"])] if wide else []),
        ]
        for row in batch.ranking().to_dict("records")
    ]  # fmt: skip
    headers = [
        "method", "results", "plans", "optimal", "best", "ratio", "worst", "gap", "time",
        *(["shifted", "cpu"] if wide else []),
    ]  # fmt: skip
    return table(headers, rows)


def profile_table(batch: Batch) -> Table | None:
    """The share of results within some factors of the best; ``None`` for a single method."""
    profile = batch.profiles()
    if profile["method"].nunique() < 2:
        return None
    rows = []
    for name in batch.ranking()["method"]:
        steps = profile[profile["method"] == name]
        ratios, shares = steps["ratio"].to_numpy(), steps["share"].to_numpy()
        within = [int((ratios <= factor * (1 + 1e-9)).sum()) - 1 for factor in _FACTORS]
        rows.append([str(name), *(percent(float(shares[at])) for at in within)])
    return table(["method", *(f"{factor:g}" for factor in _FACTORS)], rows)


def failure_lines(batch: Batch) -> list[str]:
    """Results without a plan, one line each, those of one instance and reason together."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in batch.failures().fillna("").to_dict("records"):
        what = row["failure"] or row["status"]
        key = (row["path"], what, reason_text(None, row["reason"] or None))
        found.setdefault(key, []).append(row["method"])
    lines = []
    for (path, what, reason), methods in list(found.items())[:_MOST]:
        names = ", ".join(dict.fromkeys(methods))
        text = reason.removeprefix(f"{path}: ")
        lines.append(plain(f"  {path} ({names}): {what}" + (f": {text}" if text else "")))
    if not found:
        return []
    more = len(found) - len(lines)
    rest = [f"  and {more} more (in results.csv)"] if more else []
    return ["without a plan:", *lines, *rest]


def _number(value: float) -> str:
    return number(value, 4) if value == value else "-"


def _percent(value: float) -> str:
    return percent(value) if value == value else "-"


def _seconds(value: float) -> str:
    return quantity(value, "s", 3) if value == value else "-"
