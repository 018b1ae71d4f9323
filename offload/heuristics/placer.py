"""Placement rules for methods that place one task after another: what may still go where.

Keeps for each task the set of nodes that are left, and looks one step ahead: a placement that
leaves some other task without a node is not offered.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray
from offload.placement import group_edges
from offload.tables import TOLERANCE, Tables

__all__ = ["Placer", "Stuck"]


class Stuck(Exception):
    """A task has no node left."""

    def __init__(self, task: int) -> None:
        self.task = task
        super().__init__(task)


class Placer:
    """The nodes that each unplaced task may still take.

    Parameters
    ----------
    tables
        The cost model.
    reserved
        Nodes promised to tasks beforehand; their resident bytes are set aside.
    holders : bool[D, K], optional
        Nodes that have each data item; homes alone by default.

    Attributes
    ----------
    node : int32[T]
        Where each task is, -1 before it is placed.
    open
        Whether nothing but execution times bars a task from a node.
    bounded
        Whether some node's memory has a limit.
    room, held : float64[K]
        Memory with its tolerance, and the resident bytes of what was placed or promised.
    """

    def __init__(
        self,
        tables: Tables,
        reserved: dict[int, int] | None = None,
        holders: BoolArray | None = None,
    ) -> None:
        self.tables = tables
        self.holders = tables.home if holders is None else holders
        self.node = np.full(tables.tasks, -1, np.int32)
        self.room = tables.memory_capacity * (1 + TOLERANCE)
        self.held = np.zeros(tables.nodes)
        self.bounded = bool(np.isfinite(tables.memory_capacity).any())
        self.peak = np.zeros(tables.nodes)  # most working memory of one task placed there
        self._narrow: dict[int, BoolArray] = {}  # what is left for tasks that lost some node
        self._within: dict[int, BoolArray] = {}  # nodes within reach of a data item
        self._routes_matter = len(tables._rules) > 1 or not bool(tables.routes.reachable.all())
        self._load_groups()
        self._reserved = dict(reserved or {})
        self.open = not (self.bounded or self._routes_matter or self.groups or self._reserved)
        for task, node in self._reserved.items():
            self._hold(task, node)
            self._narrow[task] = np.arange(tables.nodes) == node

    def _load_groups(self) -> None:
        tables = self.tables
        self.groups: list[tuple[str, NDArray[np.int32]]] = []
        self.groups_of: dict[int, list[int]] = {}
        if not tables.problem.graph.groups:
            return
        position = {name: i for i, name in enumerate(tables.task_ids)}
        for group in tables.problem.graph.groups:
            members = np.array([position[name] for name in group.tasks], np.int32)
            for i in members.tolist():
                self.groups_of.setdefault(i, []).append(len(self.groups))
            self.groups.append((group.rule, members))
            if group.rule == "together" and len(members):
                shared = self._rows(members).all(axis=0)
                self._narrow.update(dict.fromkeys(members.tolist(), shared))

    # -- what is left ----------------------------------------------------------------------------

    def left(self, task: int) -> BoolArray:
        """Nodes that are left for an unplaced task, to be read only; bool[K]."""
        known = self._narrow.get(task)
        return self._at_first(task) if known is None else known

    def _rows(self, tasks: NDArray[np.integer]) -> BoolArray:
        rows = [self.left(i) for i in tasks.tolist()]
        return np.array(rows, bool).reshape(len(rows), self.tables.nodes)

    def _at_first(self, task: int) -> BoolArray:
        """Nodes that a task could take if nothing had been placed yet."""
        tables = self.tables
        fine: BoolArray = np.isfinite(tables.row(task))
        if self.bounded:
            fine &= self.resident(task) + self.memory(task) <= self.room
        if self._routes_matter:
            for data in tables.reads.of(task).tolist():
                fine &= self._reached(data)
            if tables.at[task] >= 0:
                fine &= tables.routes.reachable[tables.at[task]]
        return fine

    def _reached(self, data: int) -> BoolArray:
        """Nodes that hold a data item or can fetch it."""
        if data not in self._within:
            every = np.arange(self.tables.nodes)
            what = np.full(len(every), data)
            self._within[data] = self.tables.fetch(what, every, self.holders[what]) >= 0
        return self._within[data]

    def resident(self, task: int) -> FloatArray:
        """Bytes that a task holds on each node; float64[K], or [1] if the same on all."""
        return _by_node(self.tables.resident[task], self.tables)

    def memory(self, task: int) -> FloatArray:
        """Bytes that a task needs on each node while it runs; float64[K], or [1]."""
        return _by_node(self.tables.memory[task], self.tables)

    def memory_on(self, task: int, node: int) -> float:
        """Bytes that a task needs on one node while it runs."""
        return float(self.tables.memory_of(task, node))

    def room_after(self, task: int, node: int) -> float:
        """Bytes left on a node for running tasks once a task is placed there too."""
        held = self.held[node]
        if task not in self._reserved:
            held = held + self.tables.resident_of(task, node)
        return float(self.room[node] - held)

    def _hold(self, task: int, node: int) -> None:
        if self.bounded:
            self.held[node] += self.tables.resident_of(task, node)

    # -- what may be taken -----------------------------------------------------------------------

    def candidates(self, task: int) -> BoolArray:
        """Nodes that a task may take now; bool[K]. None at all if it is stuck."""
        fine = self.left(task).copy()
        if self.bounded:
            need = np.maximum(self.memory(task), self.peak)
            if task not in self._reserved:
                need = need + self.resident(task)
            fine &= self.held + need <= self.room
        for g in self.groups_of.get(task, ()):
            rule, members = self.groups[g]
            if rule == "together":
                self._keep_together(fine, task, members)
            elif rule == "apart":
                self._keep_apart(fine, task, members)
            else:
                for node in np.flatnonzero(fine).tolist():
                    fine[node] = not self._comes_back(members, task, node)
        if self._routes_matter:
            for j, permits in self._neighbours(task):
                # Neighbours that can follow a task to its own node need no route.
                doubtful = np.flatnonzero(fine & ~self.left(j))
                if len(doubtful):
                    fine[doubtful] = permits[doubtful][:, self.left(j)].any(axis=1)
        return fine

    def _others(
        self, task: int, members: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Members besides a task that are not placed yet, and those that are."""
        placed = self.node[members] >= 0
        return members[(members != task) & ~placed], members[placed]

    def _keep_together(self, fine: BoolArray, task: int, members: NDArray[np.int32]) -> None:
        others, placed = self._others(task, members)
        for node in self.node[placed[:1]].tolist():
            fine[np.arange(len(fine)) != node] = False
        for other in others.tolist():
            fine &= self.left(other)
        if self.bounded and fine.any():
            options = np.flatnonzero(fine)
            waiting = [i for i in [task, *others.tolist()] if i not in self._reserved]
            resident = self.tables.resident_of(np.array(waiting, int)[:, None], options)
            memory = self.tables.memory_of(members[:, None], options)
            need = resident.sum(axis=0) + memory.max(axis=0)
            fine[options] = self.held[options] + need <= self.room[options]

    def _keep_apart(self, fine: BoolArray, task: int, members: NDArray[np.int32]) -> None:
        others, placed = self._others(task, members)
        fine[self.node[placed]] = False
        for other in others.tolist():
            options = np.flatnonzero(self.left(other))
            if len(options) < 2:  # the only node that it has left stays free
                fine[options if len(options) else slice(None)] = False

    def _comes_back(self, members: NDArray[np.int32], task: int, node: int) -> bool:
        """Whether some path among placed members would leave a node and come back."""
        where = self.node[members].copy()
        slot = {int(i): p for p, i in enumerate(members)}
        where[slot[task]] = node
        left: list[set[int]] = [set() for _ in members]
        for u, v in group_edges(self.tables, members):
            a, b = slot[u], slot[v]
            left[b] |= left[a]
            if where[a] >= 0 and where[a] != where[b]:
                left[b].add(int(where[a]))
            if where[b] >= 0 and int(where[b]) in left[b]:
                return True
        return False

    def _neighbours(self, task: int) -> list[tuple[int, BoolArray]]:
        """Unplaced neighbours, and to which nodes routes from each lead for them; bool[K, K]."""
        tables, found = self.tables, []
        for e in tables.outgoing.of(task).tolist():
            j = int(tables.edge_dst[e])
            if self.node[j] < 0:
                found.append((j, tables.permits(int(tables.item_rule[tables.edge_item[e]]))))
        for e in tables.incoming.of(task).tolist():
            i = int(tables.edge_src[e])
            if self.node[i] < 0:
                found.append((i, tables.permits(int(tables.item_rule[tables.edge_item[e]])).T))
        return found

    # -- placing ---------------------------------------------------------------------------------

    def place(self, task: int, node: int) -> None:
        """Put a task on a node, and narrow what is left for the others."""
        self.node[task] = node
        if self.open:
            return
        if self.bounded:
            self.peak[node] = max(self.peak[node], self.tables.memory_of(task, node))
        if task not in self._reserved:
            self._hold(task, node)
        for g in self.groups_of.get(task, ()):
            rule, members = self.groups[g]
            others, _ = self._others(task, members)
            if rule == "contiguous":
                continue
            if rule == "together":
                for other in others.tolist():
                    if other not in self._reserved:
                        self._hold(other, node)
                        self._reserved[other] = node
            here = np.arange(self.tables.nodes) == node
            for other in others.tolist():
                self._narrow[other] = self.left(other) & (here if rule == "together" else ~here)
        if self._routes_matter:
            for j, permits in self._neighbours(task):
                if not permits[node].all():
                    self._narrow[j] = self.left(j) & permits[node]
        self._narrow.pop(task, None)


def _by_node(sizes: FloatArray, tables: Tables) -> FloatArray:
    return sizes if len(sizes) == 1 else sizes[tables.node_class]
