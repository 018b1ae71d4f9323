"""Placement rules for methods that place one task after another: what may still go where.

Keeps for each task the set of nodes that are left, and looks one step ahead: a placement that
leaves some other task without a node is not offered.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray
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
    """

    def __init__(self, tables: Tables, reserved: dict[int, int] | None = None) -> None:
        self.tables = tables
        self.node = np.full(tables.tasks, -1, np.int32)
        self.left = tables.allowed_table.copy()
        self.room = tables.memory_capacity * (1 + TOLERANCE)
        self.held = np.zeros(tables.nodes)
        self.bounded = bool(np.isfinite(tables.memory_capacity).any())
        all_nodes = np.arange(tables.nodes)
        if self.bounded:
            task = np.arange(tables.tasks)[:, None]
            self.resident = tables.resident_of(task, all_nodes[None, :])
            self.memory = tables.memory_of(task, all_nodes[None, :])
            self.left &= self.resident + self.memory <= self.room
            self.peak = np.zeros(tables.nodes)  # most working memory of one task placed there
        routes_differ = len(tables._rules) > 1 or not bool(tables.routes.reachable.all())
        self._routes_matter = routes_differ
        if routes_differ:
            self._leave_within_reach()
        self._load_groups()
        self._reserved = dict(reserved or {})
        for task_, node in self._reserved.items():
            self._hold(task_, node)
            self.left[task_] = False
            self.left[task_, node] = True

    def _leave_within_reach(self) -> None:
        """Take from each task the nodes that its data, or the task itself, cannot reach."""
        tables = self.tables
        readers = np.repeat(np.arange(tables.tasks), tables.reads.lengths)
        every = np.arange(tables.nodes)
        for data in np.unique(tables.reads.values):
            what = np.full(tables.nodes, data)
            reached = tables.fetch(what, every, tables.home[what]) >= 0
            self.left[readers[tables.reads.values == data]] &= reached
        movers = np.flatnonzero(tables.at >= 0)
        self.left[movers] &= tables.routes.reachable[tables.at[movers]]

    def _load_groups(self) -> None:
        tables = self.tables
        position = {name: i for i, name in enumerate(tables.task_ids)}
        self.groups: list[tuple[str, NDArray[np.int32]]] = []
        self.groups_of: dict[int, list[int]] = {}
        for group in tables.problem.graph.groups:
            members = np.array([position[name] for name in group.tasks], np.int32)
            for i in members.tolist():
                self.groups_of.setdefault(i, []).append(len(self.groups))
            self.groups.append((group.rule, members))
            if group.rule == "together" and len(members):
                self.left[members] &= self.left[members].all(axis=0)

    def _hold(self, task: int, node: int) -> None:
        if self.bounded:
            self.held[node] += self.resident[task, node]

    def candidates(self, task: int) -> BoolArray:
        """Nodes that a task may take now; bool[K]. None at all if it is stuck."""
        fine: BoolArray = self.left[task].copy()
        if self.bounded:
            need = np.maximum(self.memory[task], self.peak)
            if task not in self._reserved:
                need = need + self.resident[task]
            fine &= self.held + need <= self.room
        if not (self._routes_matter or task in self.groups_of):
            return fine
        for node in np.flatnonzero(fine).tolist():
            fine[node] = self._looks_fine(task, node)
        return fine

    def room_after(self, task: int, node: int) -> float:
        """Bytes left on a node for running tasks once a task is placed there too."""
        held = self.held[node] + (0.0 if task in self._reserved else self.resident[task, node])
        return float(self.room[node] - held)

    def _looks_fine(self, task: int, node: int) -> bool:
        """Whether no group breaks, and every neighbour keeps a node, if a task takes a node."""
        for g in self.groups_of.get(task, ()):
            rule, members = self.groups[g]
            others = members[(members != task) & (self.node[members] < 0)]
            placed = members[self.node[members] >= 0]
            if rule == "together":
                if (self.node[placed] != node).any() or not self.left[others, node].all():
                    return False
                if self.bounded:
                    waiting = [i for i in [task, *others.tolist()] if i not in self._reserved]
                    need = self.resident[waiting, node].sum() + self.memory[members, node].max()
                    if self.held[node] + need > self.room[node]:
                        return False
            elif rule == "apart":
                if (self.node[placed] == node).any():
                    return False
                rest = self.left[others].copy()
                rest[:, node] = False
                if not rest.any(axis=1).all():
                    return False
            elif self._comes_back(members, task, node):
                return False
        return not self._routes_matter or all(
            (self.left[j] & mask).any() for j, mask in self._routes_from(task, node)
        )

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

    def _routes_from(self, task: int, node: int) -> list[tuple[int, BoolArray]]:
        """For each unplaced neighbour, the nodes that a permitted route joins to this one."""
        tables, found = self.tables, []
        for e in tables.outgoing.of(task).tolist():
            j = int(tables.edge_dst[e])
            if self.node[j] < 0:
                rule = int(tables.item_rule[tables.edge_item[e]])
                found.append((j, tables.permits(rule)[node]))
        for e in tables.incoming.of(task).tolist():
            i = int(tables.edge_src[e])
            if self.node[i] < 0:
                rule = int(tables.item_rule[tables.edge_item[e]])
                found.append((i, tables.permits(rule)[:, node]))
        return found

    def place(self, task: int, node: int) -> None:
        """Put a task on a node, and narrow what is left for the others."""
        self.node[task] = node
        if self.bounded:
            self.peak[node] = max(self.peak[node], self.memory[task, node])
        if task not in self._reserved:
            self._hold(task, node)
        for g in self.groups_of.get(task, ()):
            rule, members = self.groups[g]
            others = members[(members != task) & (self.node[members] < 0)]
            if rule == "together":
                for other in others.tolist():
                    if other not in self._reserved:
                        self._hold(other, node)
                        self._reserved[other] = node
                self.left[others, :node] = False
                self.left[others, node + 1 :] = False
            elif rule == "apart":
                self.left[others, node] = False
        if self._routes_matter:
            for j, mask in self._routes_from(task, node):
                self.left[j] &= mask
