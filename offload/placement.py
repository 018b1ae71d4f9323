"""Rules over where tasks and copies are, apart from times: groups, resident memory, storage."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from offload.arrays import BoolArray, FloatArray, IntArray
from offload.caching import once
from offload.tables import TOLERANCE, Tables

__all__ = ["copies_excess", "group_edges", "groups_broken", "resident_excess", "storage_excess"]

_CELLS = 1 << 18  # tasks of plans added up at once: larger arrays would be fresh memory each time


@once
def residents_matter(tables: Tables) -> bool:
    """Whether residents can fill some node."""
    if tables.resident.shape[1] > 1:
        return True
    return bool(tables.resident.sum() > tables.memory_capacity.min(initial=np.inf))


def resident_load(tables: Tables, nodes: NDArray[np.integer]) -> FloatArray:
    """Bytes that the tasks placed on each node hold for the whole plan; float64[B, K]."""
    plans, tasks = nodes.shape
    load = np.empty((plans, tables.nodes))
    held, ends = _many(tables)
    step = len(ends) - 1
    for first in range(0, plans, step):
        own = nodes[first : first + step]
        count = len(own)
        if tables.resident.shape[1] > 1:
            held = tables.resident_of(np.arange(tasks)[None, :], own).ravel()
        # As a sparse matrix of plans by nodes, whose repeated entries add up.
        rows = held[: count * tasks], own.astype(np.int32).ravel(), ends[: count + 1]
        load[first : first + step] = csr_array(rows, shape=(count, tables.nodes)).toarray()
    return load


@once
def _many(tables: Tables) -> tuple[FloatArray, IntArray]:
    """Residents of the tasks of several plans, one after another, and where each plan's end."""
    step = max(1, _CELLS // max(tables.tasks, 1))
    ends = np.arange(step + 1, dtype=np.int32) * np.int32(tables.tasks)
    return np.tile(tables.resident[:, 0], step), ends


def resident_excess(tables: Tables, nodes: IntArray) -> FloatArray:
    """Resident bytes above the memory of their nodes, summed; float64[B]."""
    if not residents_matter(tables):
        return np.zeros(len(nodes))
    load, capacity = resident_load(tables, nodes), tables.memory_capacity
    # Where a size is unknown the load is infinite, and so may be the capacity.
    full = load > capacity * (1 + TOLERANCE)
    over: FloatArray = np.subtract(load, capacity, out=np.zeros(load.shape), where=full)
    result: FloatArray = over.sum(axis=1)
    return result


def storage_excess(tables: Tables, copies: BoolArray) -> FloatArray:
    """Bytes of copies above the storage of their nodes, summed; float64[B]."""
    load = np.einsum("bdk,d->bk", copies.astype(float), tables.data_bytes)
    over = load - tables.storage_capacity
    result: FloatArray = np.where(over > TOLERANCE * tables.storage_capacity, over, 0.0).sum(axis=1)
    return result


def copies_excess(tables: Tables, copies: BoolArray) -> FloatArray:
    """Copies that may not be: above ``max_copies``, at a home, not allowed or out of reach."""
    too_many = np.maximum(copies.sum(axis=2) - tables.max_copies, 0).sum(axis=1)
    result: FloatArray = too_many + (copies & _no_copies(tables)).sum(axis=(1, 2))
    return result


@once
def _no_copies(tables: Tables) -> BoolArray:
    """Where data may have no copies; bool[D, K]."""
    data, node = (index.ravel() for index in np.indices(tables.home.shape))
    reached = tables.fetch(data, node, tables.home[data]).reshape(tables.home.shape) >= 0
    wrong: BoolArray = tables.home | ~tables.copy_allowed | ~reached
    return wrong


class _Group(NamedTuple):
    """A group of at least two tasks; ``edges`` among them by their positions in ``members``."""

    rule: str
    members: IntArray
    edges: list[tuple[int, int]]


@once
def _groups(tables: Tables) -> list[_Group]:
    groups = tables.problem.graph.groups
    if not groups:
        return []
    position, found = {name: i for i, name in enumerate(tables.task_ids)}, []
    for group in groups:
        members = np.array([position[name] for name in group.tasks], np.int32)
        edges = []
        if group.rule == "contiguous":
            slot = {i: place for place, i in enumerate(members.tolist())}
            edges = [(slot[u], slot[v]) for u, v in group_edges(tables, members)]
        if len(members) > 1:
            found.append(_Group(group.rule, members, edges))
    return found


def groups_broken(tables: Tables, nodes: IntArray) -> NDArray[np.int64]:
    """How many groups each placement breaks; int64[B]."""
    broken = np.zeros(len(nodes), np.int64)
    for group in _groups(tables):
        broken += _breaks(tables, group, nodes)
    return broken


def _breaks(tables: Tables, group: _Group, nodes: IntArray) -> BoolArray:
    where = nodes[:, group.members]
    if group.rule == "together":
        return np.asarray((where != where[:, :1]).any(axis=1))
    if group.rule == "apart":
        ordered = np.sort(where, axis=1)
        return np.asarray((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
    # Walk the edges among the members in topological order; `left` has the nodes that some path
    # to a task has been on and has left: a task on one of them breaks convexity.
    left = np.zeros((*where.shape, tables.nodes), bool)
    row = np.arange(len(nodes))
    broken = np.zeros(len(nodes), bool)
    for a, b in group.edges:
        left[:, b] |= left[:, a]
        moved = where[:, a] != where[:, b]
        left[row[moved], b, where[moved, a]] = True
        broken |= left[row, b, where[:, b]]
    return broken


def group_edges(tables: Tables, members: IntArray) -> list[tuple[int, int]]:
    """Edges (source, destination) among some tasks, sources in topological order."""
    inside = np.zeros(tables.tasks, bool)
    inside[members] = True
    chosen = np.flatnonzero(inside[tables.edge_src] & inside[tables.edge_dst])
    place = np.empty(tables.tasks, np.int64)
    place[tables.topological] = np.arange(tables.tasks)
    chosen = chosen[np.lexsort((chosen, place[tables.edge_src[chosen]]))]
    pairs = zip(tables.edge_src[chosen].tolist(), tables.edge_dst[chosen].tolist(), strict=True)
    return list(pairs)
