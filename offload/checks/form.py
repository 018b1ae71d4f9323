"""Whether a plan's arrays are what they should be, so that every rule can rely on it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.errors import Issue, PlanError
from offload.plan import Plan
from offload.transfers import EDGE, KINDS, READ

__all__ = ["refuse_malformed"]


def refuse_malformed(plan: Plan) -> None:
    """Refuse positions that name nothing and columns that do not fit together.

    A plan read from a file is never malformed; one that was built from arrays may be.

    Raises
    ------
    PlanError
        With the first bad entry of each column.
    """
    tables = plan.problem.tables
    sizes = np.array([tables.items, len(tables.data_ids), tables.tasks])
    issues = _columns("parts", plan.parts) + _columns("transfers", plan.transfers)
    issues += _columns("copies", plan.copies) + _waiting(plan)
    if not issues:
        kind = plan.transfers.kind
        issues += _positions("transfers.kind", kind, 0, len(KINDS), "kind")
        issues += _positions("parts.task", plan.parts.task, 0, tables.tasks, "task")
        issues += _positions("parts.node", plan.parts.node, 0, tables.nodes, "node")
        issues += _positions("parts.mode", plan.parts.mode, 0, tables.modes, "mode")
        issues += _positions("transfers.src", plan.transfers.src, 0, tables.nodes, "node")
        issues += _positions("transfers.dst", plan.transfers.dst, 0, tables.nodes, "node")
        codecs = len(tables.codec_ids)
        issues += _positions("transfers.codec", plan.transfers.codec, -1, codecs, "codec")
        issues += _positions("waiting.values", plan.waiting.values, 0, tables.tasks, "task")
        issues += _positions("copies.data", plan.copies.data, 0, len(tables.data_ids), "data")
        issues += _positions("copies.node", plan.copies.node, 0, tables.nodes, "node")
    if not issues:
        names = {EDGE: "item", READ: "data"}
        for number in range(len(KINDS)):
            rows = np.flatnonzero(kind == number)
            name = names.get(number, "task")
            issues += _positions("transfers.ref", plan.transfers.ref, 0, sizes[number], name, rows)
    if issues:
        raise PlanError(issues)


def _columns(name: str, table: NamedTuple) -> list[Issue]:
    """Columns of one length, of numbers, and all of one plan."""
    columns: dict[str, NDArray[Any]] = table._asdict()
    lengths = {field: np.shape(column) for field, column in columns.items()}
    if len(set(lengths.values())) > 1 or len(next(iter(lengths.values()))) != 1:
        fix = "give each row an entry in each column"
        return [Issue(name, "its columns must have one length", lengths, fix)]
    issues = []
    floats = {"fraction", "size", "start", "finish"}
    for field, column in columns.items():
        wanted = np.floating if field in floats else np.integer
        if not np.issubdtype(column.dtype, wanted):
            kind = "numbers" if field in floats else "positions, an integer array"
            issues.append(Issue(f"{name}.{field}", f"must hold {kind}", column.dtype.name))
    if not issues:
        fix = "take the rows of one plan apart first"
        issues = _positions(f"{name}.plan", columns["plan"], 0, 1, "plan", fix=fix)
    return issues


def _waiting(plan: Plan) -> list[Issue]:
    """One list of readers for each transfer."""
    start, count = np.asarray(plan.waiting.start), len(np.asarray(plan.transfers.plan))
    fits = len(start) == count + 1 and start[0] == 0 and start[-1] == len(plan.waiting.values)
    if fits and (np.diff(start) >= 0).all():
        return []
    fix = f"give each of the {count} transfers its list of waiting tasks"
    return [Issue("waiting", "must have a list for each transfer", max(len(start) - 1, 0), fix)]


def _positions(
    path: str,
    column: NDArray[Any],
    low: int,
    high: int,
    what: str,
    rows: NDArray[np.intp] | None = None,
    fix: str = "",
) -> list[Issue]:
    """The first entry of a column (of some of its rows) that lies outside [low, high)."""
    chosen = column if rows is None else column[rows]
    bad = np.flatnonzero((chosen < low) | (chosen >= high))
    if not len(bad):
        return []
    x = int(bad[0] if rows is None else rows[bad[0]])
    span = f"use {low} to {high - 1}" if high > low else f"there is no {what} at all"
    return [Issue(f"{path}[{x}]", f"names no {what}", int(column[x]), fix or span)]
