"""The orders along which stages are cut: units of tasks, and which come before which.

Tasks that must be together are one unit. Two orders are made of what a group "contiguous" names:

- the order for plans: a unit comes before another if an edge leads from a named task of the one to
  one of the other. Units without named tasks are left out; they may be anywhere. Without such a
  group all tasks are named but the backward ones of training: those to which a path leads from
  another task of their unit, through other units, and what comes behind them.
- the order for bounds: of each unit only the tasks that have something before and behind them
  outside the unit, or else the one with most; they are its core. A unit comes before another if a
  path leads from core to core. Only such paths are looked at, fewer than the rule forbids to leave
  a node and come back, so that no plan is lost.

A gate is a unit with a core task t such that the core of each other unit is wholly before t or
wholly behind it. Let S be units on one node, no path of core tasks leaving S and coming back.

1. If S does not hold the gate, it lies on one side of it, as paths across lead through t.
2. If S holds a gate t, what it holds of the segment behind t (up to the next gate t') has with each
   core task all that are before it there: t comes before those. Likewise in front. And if S holds
   both t and t', it holds all between, which is on paths from t to t'.

So any plan is a chain of ideals of the order for bounds, in which what is between two neighbours is
one node's, or lies inside one segment and is shared by several nodes (formulations/stages.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from formulations.ideals import bits_of, closures, positions
from offload.arrays import BoolArray
from offload.heuristics.placements import Placements
from offload.tables import Tables

__all__ = ["Order", "named_tasks", "order_for_bounds", "order_for_plans", "units_of"]


class Order(NamedTuple):
    """Units and their order.

    Attributes
    ----------
    of_task : int64[T]
        Unit of each task, -1 for those that are left out.
    number : int
        U.
    before
        Of each unit those that come before it, as bits of an integer: enough to tell ideals.
    gates : bool[U]
        In the order for bounds; see the module's text.
    """

    of_task: NDArray[np.int64]
    number: int
    before: list[int]
    gates: BoolArray


def units_of(placements: Placements) -> NDArray[np.int64]:
    """Number of each task's unit, by its first task; int64[T]."""
    _, unit = np.unique(placements.unit, return_inverse=True)
    return unit.reshape(-1).astype(np.int64)


def named_tasks(tables: Tables) -> list[BoolArray]:
    """The tasks of each group "contiguous"; bool[T] each."""
    position = {name: i for i, name in enumerate(tables.task_ids)}
    found = []
    for group in tables.problem.graph.groups:
        if group.rule == "contiguous" and len(group.tasks) > 1:
            named = np.zeros(tables.tasks, bool)
            named[[position[name] for name in group.tasks]] = True
            found.append(named)
    return found


def order_for_plans(tables: Tables, placements: Placements) -> Order:
    """The order for plans; units on a cycle are made one, so that there is none."""
    unit, groups = units_of(placements), named_tasks(tables)
    count = int(unit.max(initial=-1)) + 1
    src, dst = unit[tables.edge_src], unit[tables.edge_dst]
    kept = np.zeros(count, bool)
    named = np.logical_or.reduce(groups) if groups else ~_backward(tables, unit)
    inner = named[tables.edge_src] & named[tables.edge_dst]
    kept[unit[named]] = True
    inner &= src != dst
    label = _cycles(count, src[inner], dst[inner])
    # Numbered by the first unit that is kept, so that ties fall by position.
    labels, first_of = np.unique(label[kept], return_index=True)
    number = np.full(int(label.max(initial=-1)) + 1, -1, np.int64)
    number[labels[np.argsort(first_of)]] = np.arange(len(labels))
    label = np.where(kept, number[label], -1)
    src, dst = label[src[inner]], label[dst[inner]]
    apart = src != dst
    before = bits_of(src[apart], dst[apart], len(labels))
    return Order(label[unit].astype(np.int64), len(labels), before, np.zeros(len(labels), bool))


def _cycles(count: int, src: NDArray[np.int64], dst: NDArray[np.int64]) -> NDArray[np.integer]:
    """A number for each unit, the same for those on a cycle with each other."""
    graph = csr_array((np.ones(len(src)), (src, dst)), shape=(count, count))
    _, label = connected_components(graph, directed=True, connection="strong")
    return np.asarray(label)


def _backward(tables: Tables, unit: NDArray[np.int64]) -> BoolArray:
    """Tasks to which a path leads from their own unit through others, and all behind; bool[T].

    Of training these are the backward tasks, whose units begin with forward ones.
    """
    turn = tables.topological.tolist()
    before = closures(bits_of(tables.edge_src, tables.edge_dst, tables.tasks), turn)
    own = _bits_by_unit(turn, unit, int(unit.max(initial=-1)) + 1)
    found = np.zeros(tables.tasks, bool)
    for j in turn:
        givers = tables.edge_src[tables.incoming.of(j)].tolist()
        found[j] = any(
            found[i] or (unit[i] != unit[j] and before[i] & own[unit[j]]) for i in givers
        )
    return found


def order_for_bounds(tables: Tables, placements: Placements) -> Order | None:
    """The order for bounds; ``None`` where there is none.

    That is so without a group "contiguous", with several, and where units are on a cycle.
    """
    groups = named_tasks(tables)
    if len(groups) != 1:
        return None
    named, unit = groups[0], units_of(placements)
    kept = np.unique(unit[named])
    number = np.full(int(unit.max(initial=-1)) + 1, -1, np.int64)
    number[kept] = np.arange(len(kept))
    unit = number[unit]
    inner = named[tables.edge_src] & named[tables.edge_dst]
    src, dst = tables.edge_src[inner], tables.edge_dst[inner]
    turn = tables.topological.tolist()
    paths = (
        closures(bits_of(src, dst, tables.tasks), turn),
        closures(bits_of(dst, src, tables.tasks), turn[::-1]),
    )
    core = _core(named, unit, paths)
    before = [0] * len(kept)
    every = sum(1 << i for i in core)
    cores = _bits_by_unit(core, unit, len(kept))
    for i in core:
        for j in positions(paths[0][i] & every & ~cores[unit[i]]):
            before[unit[i]] |= 1 << int(unit[j])
    if any(bits >> u & 1 for u, bits in enumerate(_closed(before))):
        return None
    return Order(unit, len(kept), before, _gates(core, unit, paths, cores))


def _core(
    named: BoolArray, unit: NDArray[np.int64], paths: tuple[list[int], list[int]]
) -> list[int]:
    """The tasks that stand for their units."""
    tasks = np.flatnonzero(named).tolist()
    own = _bits_by_unit(np.flatnonzero(unit >= 0).tolist(), unit, int(unit.max()) + 1)
    before, after = paths
    found = [i for i in tasks if before[i] & ~own[unit[i]] and after[i] & ~own[unit[i]]]
    have = set(unit[found].tolist())
    most: dict[int, tuple[int, int]] = {}
    for i in tasks:
        u = int(unit[i])
        if u not in have:
            count = ((before[i] | after[i]) & ~own[u]).bit_count()
            if u not in most or count > most[u][0]:
                most[u] = count, i
    return sorted(found + [i for _, i in most.values()])


def _gates(
    core: list[int], unit: NDArray[np.int64], paths: tuple[list[int], list[int]], cores: list[int]
) -> BoolArray:
    before, after = paths
    every = sum(1 << i for i in core)
    found = np.zeros(len(cores), bool)
    for i in core:
        u = int(unit[i])
        if found[u] or every & ~(before[i] | after[i] | cores[u]):
            continue
        # A core with tasks on both sides is on neither.
        found[u] = all(
            v == u or not bits & before[i] or not bits & ~before[i] for v, bits in enumerate(cores)
        )
    return found


def _bits_by_unit(tasks: list[int], unit: NDArray[np.int64], number: int) -> list[int]:
    bits = [0] * number
    for i in tasks:
        bits[unit[i]] |= 1 << i
    return bits


def _closed(before: list[int]) -> list[int]:
    """All that come before, where there may be cycles: then something comes before itself."""
    every = list(before)
    for v in range(len(every)):
        for w in range(len(every)):
            if every[w] >> v & 1:
                every[w] |= every[v]
    return every
