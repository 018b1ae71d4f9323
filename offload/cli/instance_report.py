"""An instance for people: what it holds, what it asks for, its nodes, links and tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.cells import cell_len

from offload.cli.output import Session, cut, folded, plain, table
from offload.describing import (
    LINK_COLUMNS,
    NODE_COLUMNS,
    Column,
    cells_of,
    facts,
    least_latency,
    task_columns,
)
from offload.features import FEATURES, features_used
from offload.units import count

if TYPE_CHECKING:
    from offload.problem import Link, Node, Problem

__all__ = ["instance_json", "show_instance"]

_LEAST = 14  # columns that a column of long texts has at least


def show_instance(session: Session, problem: Problem, *, rows: int = 20) -> None:
    """Print a summary of an instance, then its nodes, links and first tasks."""
    session.print(plain(problem.name) or "(no name)", style="bold")
    for text in (problem.description, problem.source):
        if text:
            session.print(*folded(plain(text), session.width, indent=0))
    session.print("")
    for name, text in facts(problem).items():
        session.print(*folded(plain(f"{name:<11} {text}"), session.width, indent=12))
    session.print("")
    _print_rows(session, problem.network.nodes, NODE_COLUMNS, rows, "node")
    _print_rows(session, problem.network.links, LINK_COLUMNS, rows, "link")
    _print_rows(session, range(len(problem.graph.tasks)), task_columns(problem), rows, "task")


def _print_rows(
    session: Session,
    rows: Sequence[Node | Link | int],
    columns: Sequence[Column],
    most: int,
    what: str,
) -> None:
    """The first rows as a table, without columns that say nothing."""
    if not rows:
        return
    shown = rows[:most]
    cells = cells_of(shown, columns)
    kept = _fitting(list(cells), cells, session.width)
    left = [header for header, _, is_text in columns if is_text]
    body = zip(*(cells[header] for header in kept), strict=True)
    session.print(table(kept, body, left=left))
    if len(rows) > len(shown):
        session.print(f"and {count(len(rows) - len(shown), f'more {what}')}; see --rows")
    session.print("")


def _fitting(headers: list[str], cells: dict[str, list[str]], width: int) -> list[str]:
    """The columns that fit, first come first served; the last may be cut to the room it has."""
    kept: list[str] = []
    left = width
    for header in headers:
        needed = max(len(header), *(cell_len(cell) for cell in cells[header])) + 2
        if kept and left < min(needed, _LEAST):
            continue
        if needed > left:
            cells[header] = [cut(cell, max(left - 2, 4)) for cell in cells[header]]
        kept.append(header)
        left -= needed
    return kept


def instance_json(problem: Problem) -> dict[str, Any]:
    """The summary for machines."""
    tables, graph, network = problem.tables, problem.graph, problem.network
    used = features_used(problem)
    return {
        "kind": "instance",
        "name": problem.name,
        "description": problem.description,
        "source": problem.source,
        "digest": problem.digest,
        "counts": {
            "tasks": len(graph.tasks), "edges": len(graph.edges), "groups": len(graph.groups),
            "nodes": len(network.nodes), "links": len(network.links),
            "data": len(problem.data), "codecs": len(problem.codecs),
        },
        "tiers": dict(Counter(node.tier for node in network.nodes)),
        "features": {name: FEATURES[name] for name in used},
        "work": float(tables.work[np.isfinite(tables.work)].sum()),
        "edge_bytes": float(tables.item_bytes.sum()),
        "data_bytes": float(tables.data_bytes.sum()),
        "least_latency": least_latency(problem),
        "minimize": problem.minimize,
        "limits": problem.limits,
    }  # fmt: skip
