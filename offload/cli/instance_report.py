"""An instance for people: what it holds, what it asks for, its nodes, links and tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.cells import cell_len

from offload.cli.output import Session, cut, folded, plain, table
from offload.features import FEATURES, features_used
from offload.instance_facts import instance_facts, least_latency
from offload.units import count, number, quantity

if TYPE_CHECKING:
    from offload.problem import Link, Node, Problem

__all__ = ["instance_json", "show_instance"]

_LEAST = 14  # columns that a column of long texts has at least

# Header, text of a cell, and whether it is text (flush left). A column whose cells are all the
# same default is left out.
Column = tuple[str, Callable[[Any], str], bool]

_NODE_COLUMNS: tuple[Column, ...] = (
    ("node", lambda n: n.id, True),
    ("tier", lambda n: n.tier, True),
    ("kind", lambda n: n.kind, True),
    ("speed", lambda n: quantity(n.speed, "op/s", 3), False),
    ("slots", lambda n: str(n.slots), False),
    ("memory", lambda n: _limit(n.memory), False),
    ("storage", lambda n: _limit(n.storage), False),
    ("busy", lambda n: quantity(n.busy_power, "W", 3), False),
    ("idle", lambda n: quantity(n.idle_power, "W", 3), False),
    ("price/s", lambda n: number(n.price, 3), False),
    ("fail/s", lambda n: number(n.failure_rate, 3), False),
    ("modes", lambda n: ", ".join(mode.id for mode in n.modes), True),
    ("io", lambda n: n.io, True),
    ("tags", lambda n: ", ".join(n.tags), True),
)
_LINK_COLUMNS: tuple[Column, ...] = (
    ("from", lambda e: e.src, True),
    ("to", lambda e: e.dst, True),
    (
        "bandwidth",
        lambda e: "no limit" if e.bandwidth is None else quantity(e.bandwidth, "B/s", 3),
        False,
    ),
    ("latency", lambda e: quantity(e.latency, "s", 3), False),
    ("duplex", lambda e: e.duplex, True),
    ("channels", lambda e: "any" if e.channels is None else str(e.channels), False),
    ("energy", lambda e: quantity(e.energy, "J/B", 3), False),
    ("price/B", lambda e: number(e.price, 3), False),
    ("tags", lambda e: ", ".join(e.tags), True),
)
_DULL = {
    "",
    "0",
    "0 s",
    "0 W",
    "0 J/B",
    "no limit",
    "any",
    "full",
    "overlapped",
    "1",
    "*",
    "-",
    "1 op/s",
}
_KEPT = {"node", "tier", "from", "to", "bandwidth", "task", "runs in", "in", "out"}


def _limit(size: float | None) -> str:
    return "no limit" if size is None else quantity(size, "B", 3)


def show_instance(session: Session, problem: Problem, *, rows: int = 20) -> None:
    """Print a summary of an instance, then its nodes, links and first tasks."""
    session.print(plain(problem.name) or "(no name)", style="bold")
    for text in (problem.description, problem.source):
        if text:
            session.print(*folded(plain(text), session.width, indent=0))
    session.print("")
    for name, text in instance_facts(problem).items():
        session.print(*folded(plain(f"{name:<11} {text}"), session.width, indent=12))
    session.print("")
    _print_rows(session, problem.network.nodes, _NODE_COLUMNS, rows, "node")
    _print_rows(session, problem.network.links, _LINK_COLUMNS, rows, "link")
    _print_rows(session, range(len(problem.graph.tasks)), _task_columns(problem), rows, "task")


def _task_columns(problem: Problem) -> tuple[Column, ...]:
    """Columns of the table of tasks; its rows are positions."""
    tasks, tables = problem.graph.tasks, problem.tables
    inward, outward = tables.incoming.lengths, tables.outgoing.lengths

    def seconds(i: int) -> str:
        times = tables.execution(i, np.arange(tables.nodes))
        least, most = float(times.min()), float(times[np.isfinite(times)].max(initial=0.0))
        text = quantity(least, "s", 3)
        return text if least == most else f"{text} - {quantity(most, 's', 3)}"

    return (
        ("task", lambda i: tasks[i].id, True),
        ("work", lambda i: quantity(tasks[i].work, "op", 3), False),
        ("runs in", seconds, False),
        ("in", lambda i: str(inward[i]), False),
        ("out", lambda i: str(outward[i]), False),
        ("slots", lambda i: str(tasks[i].slots), False),
        ("memory", lambda i: _size(tasks[i].memory), False),
        ("resident", lambda i: _size(tasks[i].resident), False),
        ("release", lambda i: quantity(tasks[i].release, "s", 3), False),
        ("due", lambda i: quantity(tasks[i].due, "s", 3), False),
        ("deadline", lambda i: quantity(tasks[i].deadline, "s", 3), False),
        ("allow", lambda i: ", ".join(tasks[i].allow), True),
        ("reads", lambda i: ", ".join(tasks[i].reads), True),
        ("at", lambda i: tasks[i].at or "", True),
    )


def _size(size: float | Mapping[str, float]) -> str:
    if not isinstance(size, Mapping):
        return "0" if size == 0 else quantity(size, "B", 3)
    values = list(size.values())
    if min(values) == max(values):
        return quantity(values[0], "B", 3)
    return f"{quantity(min(values), 'B', 3)} - {quantity(max(values), 'B', 3)}"


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
    cells = {header: [text(row) for row in shown] for header, text, _ in columns}
    kept = [h for h in cells if h in _KEPT or not set(cells[h]) <= _DULL]
    kept = _fitting(kept, cells, session.width)
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
