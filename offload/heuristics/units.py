"""Tasks that must be together as one unit, and what units send each other and read.

Where a goal is a sum over tasks and transfers, a move takes a whole unit to another node, and what
passes between its own tasks never matters. Items and data that several units read are kept apart
from the rest: their readers on one node share one transfer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray, IntArray
from offload.heuristics.placements import Placements
from offload.tables import Lists

__all__ = ["Units"]


class Units:
    """The units of an instance, U of them, and the links between them.

    Parameters
    ----------
    placements
        What the placement rules say.

    Attributes
    ----------
    of_task : int64[T]
        Unit of each task.
    members
        Tasks of each unit.
    allowed : bool[U, K]
        Nodes that each may take if it is alone.
    item, src, dst : [L]
        Links: an item, the unit that sends it, and another unit that reads it; by item.
    shared : int64[I]
        Row of each item that several units read, -1 for others.
    offer : int64[I]
        Which codecs an item may take: its number in ``offers``.
    kind : int64[I]
        What an item may take and where it may pass: its number in ``kinds``.
    kinds
        Pairs of (offer, rule of tags).
    reader, data : [N]
        Units and the data that they read; by data.
    common : int64[D]
        Row of each data item that several units read, -1 for others.
    apart
        Units no two of which may share a node, an array for each group.
    """

    def __init__(self, placements: Placements) -> None:
        self.placements, self.tables = placements, placements.tables
        names, found = np.unique(placements.unit, return_inverse=True)
        self.of_task: NDArray[np.int64] = found.reshape(-1).astype(np.int64)
        self.number = len(names)
        self.members = Lists.group(self.of_task, self.number)
        self.allowed: BoolArray = placements.allowed[names]
        self.apart = [self.of_task[tasks] for tasks in placements.apart if len(tasks) > 1]
        self._load_links()
        self._load_kinds()
        self._load_reads()

    def _load_links(self) -> None:
        tables, of_task = self.tables, self.of_task
        item, dst = tables.edge_item, of_task[tables.edge_dst]
        outside = of_task[tables.edge_src] != dst
        key = np.unique(item[outside].astype(np.int64) * max(self.number, 1) + dst[outside])
        self.item, self.dst = np.divmod(key, max(self.number, 1))
        self.src = of_task[tables.item_src[self.item]]
        self.shared, self.sharings = _several(self.item, tables.items)
        ends = np.concatenate([self.dst, self.src])
        self.ends = Lists.group(ends, self.number)  # links of each unit; those it sends from L on

    def _load_kinds(self) -> None:
        tables = self.tables
        self.offers: list[tuple[int, ...]] = [()]
        self.offer = np.zeros(tables.items, np.int64)
        if len(tables.item_codecs.values):
            known: dict[tuple[int, ...], int] = {(): 0}
            for item in np.flatnonzero(tables.item_codecs.lengths).tolist():
                codecs = tuple(tables.item_codecs.of(item).tolist())
                self.offer[item] = known.setdefault(codecs, len(known))
            self.offers = list(known)
        pair = np.stack([self.offer, tables.item_rule.astype(np.int64)])
        kinds, kind = np.unique(pair, axis=1, return_inverse=True)
        self.kinds: list[tuple[int, int]] = [(o, r) for o, r in kinds.T.tolist()] or [(0, 0)]
        self.kind: NDArray[np.int64] = kind.reshape(-1)

    def _load_reads(self) -> None:
        tables = self.tables
        owner = np.repeat(self.of_task, tables.reads.lengths)
        key = np.unique(tables.reads.values.astype(np.int64) * max(self.number, 1) + owner)
        self.data, self.reader = np.divmod(key, max(self.number, 1))
        self.common, self.commons = _several(self.data, len(tables.data_ids))

    def sums(self, of_tasks: FloatArray) -> FloatArray:
        """Sums over the tasks of each unit; float64[T, K] to [U, K]."""
        if self.number == len(of_tasks):
            return of_tasks
        total = np.zeros((self.number, of_tasks.shape[1]))
        np.add.at(total, self.of_task, of_tasks)
        return total

    def largest(self, of_tasks: FloatArray) -> FloatArray:
        """The largest of each unit's tasks; float64[T, K] to [U, K]."""
        most = np.zeros((self.number, of_tasks.shape[1]))
        np.maximum.at(most, self.of_task, of_tasks)
        return most

    def start(self, nodes: IntArray) -> NDArray[np.int64]:
        """Node of each unit: its first task's if the unit may be there, else the first it may."""
        first = self.members.values[self.members.start[:-1]]
        node = nodes[first].astype(np.int64)
        fine = self.allowed[np.arange(self.number), node]
        return np.where(fine, node, self.allowed.argmax(axis=1))

    def neighbours(self, most: int) -> list[list[int]]:
        """Units whose moves change what a unit's are worth, or that may not share its node.

        Readers of an item that more than ``most`` units read do not count as each other's.
        """
        found: list[set[int]] = [set() for _ in range(self.number)]
        for u, v in zip(self.src.tolist(), self.dst.tolist(), strict=True):
            found[u].add(v)
            found[v].add(u)
        for group in self._gatherings():
            if len(group) <= most:
                for u in group:
                    found[u].update(group)
        for u, near in enumerate(found):
            near.discard(u)
        return [sorted(near) for near in found]

    def _gatherings(self) -> list[list[int]]:
        groups = [units.tolist() for units in self.apart]
        for value, unit in ((self.item, self.dst), (self.data, self.reader)):
            cut = np.flatnonzero(np.diff(value)) + 1
            groups += [part.tolist() for part in np.split(unit, cut) if len(part) > 1]
        return groups


def _several(values: NDArray[np.int64], number: int) -> tuple[NDArray[np.int64], int]:
    """Row of each value that occurs more than once, -1 for others; and how many there are."""
    often = np.flatnonzero(np.bincount(values, minlength=number) > 1)
    row = np.full(number, -1, np.int64)
    row[often] = np.arange(len(often))
    return row, len(often)
