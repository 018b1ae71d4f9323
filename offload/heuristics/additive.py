"""Placements of units whose worth is a sum: what each single move adds, for many moves at once.

The table of all moves' worth is linear in where the neighbours are: a row for each unit, a column
for each node, as one product of a sparse matrix (what the unit sends and reads, from and to where)
with the prices of ways between nodes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from offload.arrays import FloatArray
from offload.heuristics.additive_costs import Costs
from offload.heuristics.units import Units

__all__ = ["Block", "Placed"]

Positions = NDArray[np.int64]


class Block:
    """Some units, and everything that they send and read, ready to be priced again and again."""

    def __init__(self, units: Units, chosen: Positions) -> None:
        tables = units.tables
        self.units, nodes = chosen, tables.nodes
        self.row = np.arange(len(chosen))
        owner, end = units.ends.gather(chosen)
        link = np.where(end < len(units.item), end, end - len(units.item))
        sends = end >= len(units.item)
        item = units.item[link]
        self.owner = owner
        self.other = np.where(sends, units.dst[link], units.src[link])
        self.base = (2 * units.kind[item] + sends) * nodes
        self.size = tables.item_bytes[item]
        start = np.zeros(len(chosen) + 1, np.int64)
        np.cumsum(np.bincount(owner, minlength=len(chosen)), out=start[1:])
        shape = (len(chosen), 2 * len(units.kinds) * nodes)
        self.matrix = csr_matrix((self.size.copy(), self.base.copy(), start), shape=shape)
        self.transfers = csr_matrix((self.size.copy(), self.base.copy(), start), shape=shape)
        # Items with several readers: those that are sent, and those that are read.
        several = units.shared[item] >= 0
        self.sent = np.flatnonzero(several & sends)
        self.sent_item = units.shared[item[self.sent]]
        self.read = np.flatnonzero(several & ~sends)
        self.read_item = units.shared[item[self.read]]
        self.read_sum = _sums(owner[self.read], len(chosen))
        self._load_data(units, chosen)
        self._load_apart(units, chosen)

    def _load_data(self, units: Units, chosen: Positions) -> None:
        place = np.full(units.number, -1, np.int64)
        place[chosen] = self.row
        mine = np.flatnonzero((place[units.reader] >= 0) & (units.common[units.data] >= 0))
        self.data, self.data_owner = units.common[units.data[mine]], place[units.reader[mine]]
        self.data_sum = _sums(self.data_owner, len(chosen))

    def _load_apart(self, units: Units, chosen: Positions) -> None:
        """Groups "apart" of which units are members, and how often."""
        group = [np.flatnonzero(np.isin(chosen, members)) for members in units.apart]
        self.group = np.repeat(np.arange(len(group)), [len(rows) for rows in group])
        self.group_owner = np.concatenate([*group, np.zeros(0, np.int64)]).astype(np.int64)


def _sums(owner: Positions, rows: int) -> csr_matrix:
    """The matrix that sums the rows of each owner."""
    ones = np.ones(len(owner))
    return csr_matrix((ones, (owner, np.arange(len(owner)))), shape=(rows, len(owner)))


class Placed:
    """A placement of all units, and what is where.

    Parameters
    ----------
    units
        The units of the instance.
    node : int64[U]
        Where each is.

    Attributes
    ----------
    routed : bool
        Whether some items cannot pass between some nodes.
    """

    def __init__(self, units: Units, node: Positions) -> None:
        self.units, self.tables = units, units.tables
        tables = self.tables
        self.every = np.arange(tables.nodes)
        barred = [~tables.permits(rule) for _, rule in units.kinds]
        self.routed = any(part.any() for part in barred)
        ways = [way for part in barred for way in (part, part.T)]
        self.barred = np.concatenate(ways).astype(float)
        self.whole = Block(units, np.arange(units.number))
        self._link_shared = units.shared[units.item]
        self._link_base = 2 * units.kind[units.item] * tables.nodes
        self._link_size = tables.item_bytes[units.item]
        self._reads = np.flatnonzero(units.common[units.data] >= 0)
        self._read_data = units.common[units.data[self._reads]]
        self._several = np.flatnonzero(self._link_shared >= 0)
        self.load(node)

    def load(self, node: Positions) -> None:
        """Place all units anew."""
        units, nodes = self.units, self.tables.nodes
        self.node = node.astype(np.int64)
        self.readers = np.zeros((units.sharings, nodes), np.int64)
        links = self._several
        np.add.at(self.readers, (self._link_shared[links], self.node[units.dst[links]]), 1)
        self.fetchers = np.zeros((units.commons, nodes), np.int64)
        reader = units.reader[self._reads]
        np.add.at(self.fetchers, (self._read_data, self.node[reader]), 1)
        self.apart = np.zeros((len(units.apart), nodes), np.int64)
        for g, members in enumerate(units.apart):
            np.add.at(self.apart[g], self.node[members], 1)

    def put(self, block: Block, rows: Positions, node: Positions) -> None:
        """Some units of a block to other nodes."""
        chosen = block.units[rows]
        if not (len(block.read) or len(block.data) or len(block.group)):
            self.node[chosen] = node
            return
        moved = np.zeros(len(block.units), bool)
        before = self.node[block.units]
        self.node[chosen] = node
        moved[rows] = True
        for counts, row, owner in (
            (self.readers, block.read_item, block.owner[block.read]),
            (self.fetchers, block.data, block.data_owner),
            (self.apart, block.group, block.group_owner),
        ):
            if len(row):
                mine = moved[owner]
                row, owner = row[mine], owner[mine]
                np.add.at(counts, (row, before[owner]), -1)
                np.add.at(counts, (row, self.node[block.units[owner]]), 1)

    # -- worth -----------------------------------------------------------------------------------

    def rows(self, block: Block, costs: Costs) -> FloatArray:
        """What some units cost on each node where all others are; float64[N, K].

        Differences within a row are those of the whole sum.
        """
        total: FloatArray = self._ways(block, block.size, costs.way, block.matrix)
        total += costs.own[block.units]
        if len(block.data):
            others = self.fetchers[block.data]
            others[np.arange(len(others)), self.node[block.units[block.data_owner]]] -= 1
            total += block.data_sum @ np.where(others > 0, 0.0, costs.fetch[block.data])
        return total

    def conflicts(self, block: Block) -> FloatArray:
        """Transfers without a way and units that should be apart, likewise; float64[N, K]."""
        nodes = self.tables.nodes
        if self.routed:
            total = self._ways(block, np.ones(len(block.size)), self.barred, block.transfers)
        else:
            total = np.zeros((len(block.units), nodes))
        if len(block.group):
            others = self.apart[block.group]
            others[np.arange(len(others)), self.node[block.units[block.group_owner]]] -= 1
            np.add.at(total, block.group_owner, others)
        return total

    def _ways(
        self, block: Block, size: FloatArray, way: FloatArray, matrix: csr_matrix
    ) -> FloatArray:
        place = self.node[block.other]
        index = block.base + place
        matrix.indices[:] = index
        if len(block.sent):  # readers on one node share the transfer
            sent = block.sent
            matrix.data[:] = size
            matrix.data[sent] = size[sent] / self.readers[block.sent_item, place[sent]]
        elif size is not block.size:
            matrix.data[:] = size
        total: FloatArray = matrix @ way
        if len(block.read):
            others = self.readers[block.read_item]
            here = self.node[block.units[block.owner[block.read]]]
            others[np.arange(len(others)), here] -= 1
            saved = np.where(others > 0, way[index[block.read]], 0.0)
            saved *= size[block.read, None]
            total -= block.read_sum @ saved
        return total

    def total(self, costs: Costs) -> float:
        """The whole sum."""
        units = self.units
        found = costs.constant + float(costs.own[self.whole.row, self.node].sum())
        found += float((self._link_size * self._weights() * costs.way[self._cells()]).sum())
        if units.commons:
            found += float(costs.fetch[self.fetchers > 0].sum())
        return found

    def totals(self, node: Positions, costs: Sequence[Costs]) -> list[FloatArray]:
        """The whole sums of other placements (int[B, U]); float64[B] for each of the costs."""
        units, nodes = self.units, self.tables.nodes
        src, dst = self._link_base + node[:, units.src], node[:, units.dst]
        size = np.repeat(self._link_size[None], len(node), axis=0)
        links, plan = self._several, np.arange(len(node))[:, None]
        if len(links):
            cell = (plan * units.sharings + self._link_shared[links]) * nodes + dst[:, links]
            size[:, links] /= np.bincount(cell.ravel())[cell]
        fetched = np.zeros((len(node), units.commons, nodes), bool)
        if units.commons:
            fetched[plan, self._read_data, node[:, units.reader[self._reads]]] = True
        found = []
        for part in costs:
            total = part.own[self.whole.row, node].sum(axis=1) + part.constant
            total += (size * part.way[src, dst]).sum(axis=1)
            if units.commons:
                total += (fetched * part.fetch).sum(axis=(1, 2))
            found.append(total)
        return found

    def broken(self) -> float:
        """How many transfers have no way, and pairs of units share a node that should not."""
        found = 0.0
        if self.routed:
            found += float((self._weights() * self.barred[self._cells()]).sum())
        if len(self.apart):
            found += float((self.apart * (self.apart - 1)).sum() / 2)
        return found

    def _cells(self) -> tuple[Positions, Positions]:
        units = self.units
        return self._link_base + self.node[units.src], self.node[units.dst]

    def _weights(self) -> FloatArray:
        """The part of a transfer that each link bears: an equal one of each reader on a node."""
        weight, links = np.ones(len(self._link_shared)), self._several
        if len(links):
            to = self.node[self.units.dst[links]]
            weight[links] = 1.0 / self.readers[self._link_shared[links], to]
        return weight
