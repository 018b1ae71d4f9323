"""Rules on copies of data: where they may be, how many, and how much a node can store."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from offload.checks.subject import Subject, first_rows
from offload.plan import Violation
from offload.tables import Lists

__all__ = ["copy", "max_copies", "storage"]


def copy(subject: Subject) -> Iterator[Violation]:
    """A copy is listed once, away from all homes, on an allowed node within reach of one."""
    tables, copies = subject.tables, subject.plan.copies
    data, node = copies.data, copies.node
    if not len(data):
        return
    first = first_rows(data.astype(np.int64) * tables.nodes + node)
    again = np.ones(len(data), bool)
    again[first] = False
    what, where = np.nonzero(tables.home)
    homes = Lists.group(what, len(tables.data_ids))
    owner, position = homes.gather(data)
    reached = np.zeros(len(data), bool)
    permitted = tables.permits_table[tables.data_rule[data][owner], where[position], node[owner]]
    np.logical_or.at(reached, owner, permitted)
    reasons = (
        (again, "is listed before", "one copy a node"),
        (~again & tables.home[data, node], "is at a home of the data", "a node that is no home"),
        (~again & ~tables.copy_allowed[data, node], "is where allow does not permit", "allow"),
        (~again & ~reached, "has no permitted route from a home", "a route from a home"),
    )
    for broken, why, needed in reasons:
        for c in np.flatnonzero(broken):
            items = tables.data_ids[data[c]], tables.node_ids[node[c]]
            text = f"the copy of {items[0]} on {items[1]} {why}"
            wanted = subject.plan.problem.data[data[c]].allow if needed == "allow" else needed
            yield Violation("copy", items, None, wanted, items[1], text)


def max_copies(subject: Subject) -> Iterator[Violation]:
    """Data has no more placed copies than its ``max_copies``."""
    tables = subject.tables
    data, node = subject.placed
    count = np.bincount(data, minlength=len(tables.data_ids))
    for d in np.flatnonzero(count > tables.max_copies):
        nodes = tuple(tables.node_ids[k] for k in node[data == d])
        name, needed = tables.data_ids[d], int(tables.max_copies[d])
        text = f"{count[d]} copies of {name}, on {', '.join(nodes)}, where {needed} may be"
        yield Violation("max-copies", (name, *nodes), None, needed, int(count[d]), text)


def storage(subject: Subject) -> Iterator[Violation]:
    """The bytes of the copies on a node are no more than its storage."""
    tables = subject.tables
    data, node = subject.placed
    stored = np.bincount(node, tables.data_bytes[data], minlength=tables.nodes)
    for k in np.flatnonzero(subject.exceeds(stored, tables.storage_capacity)):
        names = tuple(tables.data_ids[d] for d in data[node == k])
        where, needed, found = (
            tables.node_ids[k],
            float(tables.storage_capacity[k]),
            float(stored[k]),
        )
        text = f"copies of {found:.12g} bytes on {where}, which stores {needed:.12g}"
        text += f": {', '.join(names)}"
        yield Violation("storage", (where, *names), None, needed, found, text)
