"""Rules on the places of several tasks: together, apart, contiguous."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from offload.checks.subject import SHOWN, IntArray, Subject, listing
from offload.plan import Violation

__all__ = ["apart", "contiguous", "together"]


def _members(subject: Subject, rule: str) -> tuple[IntArray, IntArray, IntArray]:
    """Groups of one rule with the tasks that are placed: (group, task, node), sorted by group."""
    every = enumerate(subject.plan.problem.graph.groups)
    groups = [(g, group) for g, group in every if group.rule == rule]
    position = {name: i for i, name in enumerate(subject.tables.task_ids)} if groups else {}
    named = [(g, position[name]) for g, group in groups for name in group.tasks]
    group, task = np.array(named, np.int64).reshape(-1, 2).T
    node = subject.place[task].astype(np.int64)
    there = node >= 0
    return group[there], task[there], node[there]


def together(subject: Subject) -> Iterator[Violation]:
    """All tasks of the group on one node."""
    group, task, node = _members(subject, "together")
    if not len(group):
        return
    count = len(subject.plan.problem.graph.groups)
    least, most = np.full(count, subject.tables.nodes), np.full(count, -1)
    np.minimum.at(least, group, node)
    np.maximum.at(most, group, node)
    for g in np.flatnonzero(least < most):
        mine = slice(*np.searchsorted(group, [g, g + 1]))
        nodes = tuple(subject.tables.node_ids[k] for k in np.unique(node[mine]))
        names = subject.tasks(task[mine])
        text = f"tasks {', '.join(names)} must be on one node, and are on {', '.join(nodes)}"
        yield Violation("together", names, None, 1, len(nodes), text)


def apart(subject: Subject) -> Iterator[Violation]:
    """No two tasks of the group on one node."""
    group, task, node = _members(subject, "apart")
    if not len(group):
        return
    cell, count = np.unique(group * subject.tables.nodes + node, return_counts=True)
    for c in np.flatnonzero(count > 1):
        g, k = divmod(int(cell[c]), subject.tables.nodes)
        mine = slice(*np.searchsorted(group, [g, g + 1]))
        names, where = subject.tasks(task[mine][node[mine] == k]), subject.tables.node_ids[k]
        text = f"tasks {', '.join(names)} must be on distinct nodes, and are all on {where}"
        yield Violation("apart", (*names, where), None, 1, len(names), text)


def contiguous(subject: Subject) -> Iterator[Violation]:
    """On each node, the group's tasks are convex among the named ones.

    With a node's tasks merged into one vertex, a path that leaves the node and comes back is a
    cycle through it. Merging all nodes at once shows cheaply which nodes may have one.
    """
    group, task, node = _members(subject, "contiguous")
    if not len(group):
        return
    cells, cell = np.unique(group * subject.tables.nodes + node, return_inverse=True)
    src, dst = _inner_edges(subject, group, task)
    outward = cell[src] != cell[dst]
    edge_group = group[src]
    label, size = _strong(len(cells), cell[src[outward]], cell[dst[outward]])
    for c in np.flatnonzero(size[label] > 1):
        g, k = divmod(int(cells[c]), subject.tables.nodes)
        first, last = np.searchsorted(group, [g, g + 1])
        inside = slice(*np.searchsorted(edge_group, [g, g + 1]))
        # The vertices of the group, and in the place of those on the node one more at the end.
        vertex = np.arange(last - first)
        vertex[cell[first:last] == c] = last - first
        ends = vertex[src[inside] - first], vertex[dst[inside] - first]
        loop = ends[0] == ends[1]
        strong, _ = _strong(last - first + 1, ends[0][~loop], ends[1][~loop])
        away = first + np.flatnonzero(strong[:-1] == strong[-1])
        if len(away):
            where, names = subject.tables.node_ids[k], subject.tasks(task[away[:SHOWN]])
            text = f"a path leaves the group's tasks on {where} and comes back through "
            text += listing(names, len(away))
            yield Violation("contiguous", (where, *names), None, 0, len(away), text)


def _inner_edges(subject: Subject, group: IntArray, task: IntArray) -> tuple[IntArray, IntArray]:
    """Edges between members of one group, as positions of members, sorted by group."""
    tables = subject.tables
    key = group * tables.tasks + task
    order = np.argsort(key)
    out = tables.outgoing
    src, edge = out.gather(task)
    wanted = group[src] * tables.tasks + tables.edge_dst[edge]
    at = np.minimum(np.searchsorted(key, wanted, sorter=order), len(key) - 1)
    dst = order[at]
    inside = key[dst] == wanted
    return src[inside], dst[inside]


def _strong(count: int, src: IntArray, dst: IntArray) -> tuple[NDArray[np.int32], IntArray]:
    """Strongly connected component of each vertex, and the size of each component."""
    graph = csr_array((np.ones(len(src)), (src, dst)), shape=(count, count))
    _, label = connected_components(graph, directed=True, connection="strong")
    return label, np.bincount(label)
