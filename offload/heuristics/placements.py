"""Where tasks may be, whatever the times: conflicts of placements, and a search for one without.

Methods that place one task after another can paint themselves into a corner. Here whole placements
are changed until nothing conflicts (min-conflicts: Minton, Johnston, Philips, Laird 1992, with a
tabu list as in Glover 1989).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray, IntArray, totals
from offload.placement import groups_broken
from offload.tables import TOLERANCE, Lists, Tables

__all__ = ["Placements", "find_placement"]

_STEPS = 400
_BATCH = 96  # placements looked at in one step
_TABU = 8  # steps for which a task does not return to a node that it left
_WORK = 60_000_000  # tasks and edges looked at before the search gives up


class Placements:
    """Conflicts of placements with everything that does not depend on times.

    Parameters
    ----------
    tables
        The cost model.
    copies : bool[D, K], optional
        Placed copies of data.

    Attributes
    ----------
    allowed : bool[T, K]
        Nodes that each task may take if it is alone: it may run there, finds room for itself, and
        its data and itself get there.
    unit : int64[T]
        Tasks of one unit share their node (groups "together"); named after the first of them.
    together
        The tasks of each unit, by its name.
    """

    def __init__(self, tables: Tables, copies: BoolArray | None = None) -> None:
        self.tables = tables
        self.room = tables.memory_capacity * (1 + TOLERANCE)
        self.bounded = bool(np.isfinite(tables.memory_capacity).any())
        self.unit = _units(tables)
        self.together = Lists.group(self.unit, tables.tasks)
        self.allowed = self._alone(tables.home if copies is None else tables.home | copies)
        for u in np.flatnonzero(self.together.lengths > 1).tolist():
            members = self.together.of(u)
            self.allowed[members] &= self.allowed[members].all(axis=0)
        position = {name: i for i, name in enumerate(tables.task_ids)}
        self.apart = [
            np.array([position[name] for name in group.tasks], np.int32)
            for group in tables.problem.graph.groups
            if group.rule == "apart"
        ]
        self.grouped = bool(tables.problem.graph.groups)
        self.routed = bool((tables.item_rule > 0).any()) or not bool(tables.routes.reachable.all())

    def _alone(self, holders: BoolArray) -> BoolArray:
        tables = self.tables
        allowed = tables.allowed_table.copy()
        every = np.arange(tables.nodes)
        if self.bounded:
            task = np.arange(tables.tasks)[:, None]
            need = tables.resident_of(task, every) + tables.memory_of(task, every)
            allowed &= need <= self.room
        readers = np.repeat(np.arange(tables.tasks), tables.reads.lengths)
        for data in np.unique(tables.reads.values):
            what = np.full(tables.nodes, data)
            reached = tables.fetch(what, every, holders[what]) >= 0
            allowed[readers[tables.reads.values == data]] &= reached
        movers = np.flatnonzero(tables.at >= 0)
        allowed[movers] &= tables.routes.reachable[tables.at[movers]]
        return allowed

    def conflicts(self, nodes: IntArray) -> FloatArray:
        """How much each placement (int[B, T]) breaks, 0 where nothing; float64[B]."""
        tables = self.tables
        barred = ~self.allowed[np.arange(tables.tasks), nodes]
        found: FloatArray = barred.sum(axis=1).astype(float)
        if self.routed:
            found += (~self._joined(nodes)).sum(axis=1)
        if self.bounded:
            load, room = self._memory(nodes), self.room
            over = np.subtract(load, room, out=np.zeros(load.shape), where=load > room)
            # A byte too many is a conflict, a node's whole memory too much is another.
            found += np.where(over > 0, 1 + over / np.maximum(room, 1e-300), 0.0).sum(axis=1)
        if self.grouped:
            found += groups_broken(tables, nodes)
            for members in self.apart:
                where = np.sort(nodes[:, members], axis=1)
                found += (where[:, 1:] == where[:, :-1]).sum(axis=1)
        return found

    def _joined(self, nodes: IntArray) -> BoolArray:
        """Whether the two ends of each edge are on one node or on a permitted route; bool[B, E]."""
        tables = self.tables
        rule = tables.item_rule[tables.edge_item]
        joined: BoolArray = tables.permits_table[
            rule[None, :], nodes[:, tables.edge_src], nodes[:, tables.edge_dst]
        ]
        return joined

    def _memory(self, nodes: IntArray) -> FloatArray:
        """Bytes that each node needs at least: all residents, and its largest task; [B, K]."""
        tables, (plans, tasks) = self.tables, nodes.shape
        task = np.arange(tasks)[None, :]
        cell = (np.arange(plans)[:, None] * tables.nodes + nodes).ravel()
        load = totals(cell, tables.resident_of(task, nodes).ravel(), (plans, tables.nodes))
        if (tables.memory > 0).any():
            peak = np.zeros(plans * tables.nodes)
            np.maximum.at(peak, cell, tables.memory_of(task, nodes).ravel())
            load += peak.reshape(load.shape)
        return load

    def culprits(self, nodes: IntArray) -> BoolArray:
        """Tasks that take part in some conflict of one placement (int[T]); bool[T]."""
        tables = self.tables
        guilty: BoolArray = ~self.allowed[np.arange(tables.tasks), nodes]
        if self.routed:
            broken = ~self._joined(nodes[None, :])[0]
            guilty[tables.edge_src[broken]] = True
            guilty[tables.edge_dst[broken]] = True
        if self.bounded:
            guilty |= (self._memory(nodes[None, :])[0] > self.room)[nodes]
        for members in self.apart:
            guilty[members] |= np.bincount(nodes[members], minlength=tables.nodes)[
                nodes[members]
            ] > 1  # fmt: skip
        return guilty if guilty.any() else np.ones(tables.tasks, bool)


def _units(tables: Tables) -> NDArray[np.int64]:
    """The first of all tasks that have to share a task's node; int64[T]."""
    unit = np.arange(tables.tasks)
    position = {name: i for i, name in enumerate(tables.task_ids)}
    for group in tables.problem.graph.groups:
        if group.rule == "together":
            owners = np.unique(unit[[position[name] for name in group.tasks]])
            unit[np.isin(unit, owners)] = owners.min(initial=tables.tasks)
    return unit


def find_placement(
    placements: Placements,
    seed: int = 0,
    stopped: Callable[[], object] = lambda: None,
    start: IntArray | None = None,
    fixed: int | None = None,
) -> IntArray | None:
    """A placement without conflicts, or ``None`` if bounded work finds none; int32[T].

    Parameters
    ----------
    seed
        Decides among moves.
    stopped
        Asked between steps; something true ends the search.
    start : int32[T], optional
        The placement to begin from.
    fixed
        A task that stays where ``start`` has it.
    """
    if not placements.allowed.any(axis=1).all():
        return None
    tables, dice = placements.tables, np.random.default_rng(seed)
    nodes = _spread(placements) if start is None else start.astype(np.int32)
    least = float(placements.conflicts(nodes[None, :])[0])
    left = np.full((tables.tasks, tables.nodes), -_TABU)  # when a unit last left each node
    steps = min(_STEPS, 1 + _WORK // (_BATCH * (tables.tasks + tables.edges + 1)))
    with np.errstate(over="ignore"):  # of few placements, each has been met in as many steps
        every = placements.allowed[np.unique(placements.unit)].sum(axis=1).prod(dtype=float)
    steps = int(min(steps, every + 1))
    for step in range(steps):
        if not least:
            return nodes
        if stopped():
            return None
        tried, task, before = _neighbours(placements, nodes, dice, fixed)
        if not len(tried):
            return None
        cost = placements.conflicts(tried)
        fresh = step - left[placements.unit[task], tried[np.arange(len(task)), task]] > _TABU
        cost[~fresh & (cost >= least)] = np.inf
        best = int(cost.argmin())
        if not np.isfinite(cost[best]):
            continue
        left[placements.unit[task[best]], before[best]] = step
        nodes, least = tried[best], float(cost[best])
    return nodes if not least else None


def _spread(placements: Placements) -> IntArray:
    """Each unit, the largest first, where most room stays."""
    tables = placements.tables
    nodes = np.zeros(tables.tasks, np.int32)
    every = np.arange(tables.nodes)
    units = np.unique(placements.unit)
    known = np.where(np.isfinite(tables.resident), tables.resident, 0.0).max(axis=1)
    size = np.bincount(placements.unit, known, minlength=tables.tasks)
    room, share = placements.room.copy(), np.zeros(tables.nodes)
    for u in units[np.lexsort((units, -size[units]))].tolist():
        members, open_ = placements.together.of(u), np.flatnonzero(placements.allowed[u])
        need = tables.resident_of(members[:, None], every).sum(axis=0)
        spare = room[open_] - need[open_]
        best = int(open_[np.lexsort((open_, share[open_], -spare))[0]])
        nodes[members] = best
        if np.isfinite(room[best]):
            room[best] -= need[best]
        share[best] += len(members)
    return nodes


def _neighbours(
    placements: Placements, nodes: IntArray, dice: np.random.Generator, fixed: int | None
) -> tuple[IntArray, NDArray[np.intp], IntArray]:
    """Placements with a guilty unit elsewhere, or swapped with another; who moved, from where."""
    guilty = np.flatnonzero(placements.culprits(nodes))
    task = guilty[dice.integers(len(guilty), size=_BATCH)]
    weight = placements.allowed[task].astype(float)
    weight[np.arange(_BATCH), nodes[task]] = 0.0
    able = weight.any(axis=1)
    task, weight = task[able], weight[able]
    draw = dice.random(len(task))[:, None] * weight.sum(axis=1, keepdims=True)
    target = (np.cumsum(weight, axis=1) <= draw).sum(axis=1).astype(np.int32)
    target = np.minimum(target, placements.tables.nodes - 1)
    tried = np.repeat(nodes[None, :], len(task), axis=0)
    unit, before = placements.unit, nodes[task]
    swap = dice.random(len(task)) < 0.4
    other = dice.integers(placements.tables.tasks, size=len(task))
    for b in range(len(task)):
        there = np.flatnonzero(nodes == target[b])
        if swap[b] and len(there):
            tried[b, unit == unit[there[other[b] % len(there)]]] = before[b]
        tried[b, unit == unit[task[b]]] = target[b]
    if fixed is not None:
        stays = tried[:, fixed] == nodes[fixed]
        tried, task, before = tried[stays], task[stays], before[stays]
    return tried, task, before
