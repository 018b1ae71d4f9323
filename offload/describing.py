"""An instance in words and tables: what it holds, what it asks for, its nodes, links and tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from offload.bounds import metric_bounds
from offload.features import features_used
from offload.units import count, metric, number, quantity
from offload.wording import describe

if TYPE_CHECKING:
    from offload.problem import Problem

__all__ = [
    "LINK_COLUMNS",
    "NODE_COLUMNS",
    "Column",
    "cells_of",
    "facts",
    "least_latency",
    "task_columns",
]

_BOUNDED = 3_000_000  # tasks times nodes up to which the lower bound is worth its time

# Header, text of a cell, and whether it is text (flush left). A column whose cells are all the
# same default is left out.
Column = tuple[str, Callable[[Any], str], bool]

NODE_COLUMNS: tuple[Column, ...] = (
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
LINK_COLUMNS: tuple[Column, ...] = (
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


def facts(problem: Problem) -> dict[str, str]:
    """What an instance holds, uses, minimizes and permits, a text each."""
    tables, graph, network = problem.tables, problem.graph, problem.network
    tiers = Counter(node.tier for node in network.nodes)
    sizes = [
        count(len(graph.tasks), "task"), count(len(graph.edges), "edge"),
        count(len(network.nodes), "node"), count(len(network.links), "link"),
    ]  # fmt: skip
    for things, name in ((graph.groups, "group"), (problem.codecs, "codec")):
        if things:
            sizes.append(count(len(things), name))
    if problem.data:
        sizes.append(count(len(problem.data), "data item"))
    used = features_used(problem)
    work = float(tables.work[np.isfinite(tables.work)].sum())
    amounts = [f"{quantity(float(tables.item_bytes.sum()), 'B')} on edges"]
    if work > 0:
        amounts.insert(0, f"{quantity(work, 'op')} of work")
    if problem.data:
        amounts.append(f"{quantity(float(tables.data_bytes.sum()), 'B')} of data")
    found = {
        "holds": ", ".join(sizes),
        "tiers": ", ".join(f"{tier or '(none)'} ({nodes})" for tier, nodes in tiers.items()) or "-",
        "in all": ", ".join(amounts),
        "uses": ", ".join(used) or "nothing beyond the basic model",
        "minimizes": describe(problem.minimize),
    }
    if problem.limits:
        bounds = (f"{name} at most {metric(name, value)}" for name, value in problem.limits.items())
        found["limits"] = ", ".join(bounds)
    least = least_latency(problem)
    if least is not None:
        found["latency"] = _least_text(least)
    return found


def least_latency(problem: Problem) -> float | None:
    """Seconds that no plan can beat (critical path and load); ``None`` where it takes too long."""
    if problem.tables.tasks * problem.tables.nodes > _BOUNDED:
        return None
    return metric_bounds(problem)["latency"]


def _least_text(least: float) -> str:
    if not np.isfinite(least):
        return "no plan exists: some task cannot be reached from those it needs"
    return f"at least {quantity(least, 's')} in any plan (critical path and load)"


def task_columns(problem: Problem) -> tuple[Column, ...]:
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


def cells_of(rows: Sequence[Any], columns: Sequence[Column]) -> dict[str, list[str]]:
    """The texts of a table by header, without columns that say nothing."""
    cells = {header: [text(row) for row in rows] for header, text, _ in columns}
    return {h: texts for h, texts in cells.items() if h in _KEPT or not set(texts) <= _DULL}
