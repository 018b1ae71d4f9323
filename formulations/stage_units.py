"""What stages are made of: what units of tasks weigh on classes of alike nodes, and what they send.

All numbers are the least that they can be: each node in its fastest mode, items by the best codec
over the widest route. Where nodes are joined alike and nothing is compressed, that is what they
are; elsewhere they are a relaxation. Links are not counted, nor data that tasks read.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.coefficients import slot_load, times_table
from offload.arrays import FloatArray
from offload.heuristics.placements import Placements
from offload.tables import Lists, Tables

__all__ = ["StageUnits"]


class StageUnits:
    """Loads and sizes of units on classes of alike nodes, and what units send each other.

    Parameters
    ----------
    of_task : int64[T]
        Unit of each task, -1 for those that are left out.
    number : int
        U.

    Attributes
    ----------
    nodes
        Nodes of each of the G classes.
    load : float64[U, G]
        Seconds that a unit adds to the load of a node; infinite where it cannot run.
    size, room : float64[U, G], float64[G]
        Resident bytes, and memory.
    serial : bool[G]
        Whether what moves counts as load of both its ends.
    items
        Units that each of H items joins: its sender and all readers.
    serialise : float64[H]
        The least time for which an item holds a link between two nodes.
    """

    def __init__(
        self, tables: Tables, placements: Placements, of_task: NDArray[np.int64], number: int
    ) -> None:
        self.number = number
        self.inside = np.flatnonzero(of_task >= 0)
        self.of_task = of_task
        mode = tables.fastest_mode
        times = np.where(placements.allowed, times_table(tables, mode), np.inf)
        loads = np.where(np.isfinite(times), slot_load(tables, mode), np.inf)
        every = np.arange(tables.tasks)[:, None], np.arange(tables.nodes)[None, :]
        sizes = np.where(np.isfinite(times), tables.resident_of(*every), 0.0)
        load, size = self._sums(loads), self._sums(sizes)
        known: dict[tuple[object, ...], list[int]] = {}
        for k in range(tables.nodes):
            if np.isfinite(load[:, k]).any() or not number:
                room, serial = float(tables.memory_capacity[k]), bool(tables.serial_io[k])
                key = (load[:, k].tobytes(), size[:, k].tobytes(), room, serial)
                known.setdefault(key, []).append(k)
        self.nodes = list(known.values())
        first = [nodes[0] for nodes in self.nodes]
        self.load, self.size = load[:, first], size[:, first]
        self.room = tables.memory_capacity[first]
        self.serial = tables.serial_io[first]
        self._load_items(tables)

    def _sums(self, values: FloatArray) -> FloatArray:
        total = np.zeros((self.number, values.shape[1]))
        np.add.at(total, self.of_task[self.inside], values[self.inside])
        return total

    def _load_items(self, tables: Tables) -> None:
        item = np.concatenate([np.arange(tables.items), tables.edge_item]).astype(np.int64)
        task = np.concatenate([tables.item_src, tables.edge_dst])
        unit = self.of_task[task]
        inside = unit >= 0
        key = np.unique(item[inside] * max(self.number, 1) + unit[inside])
        item, unit = np.divmod(key, max(self.number, 1))
        joined = np.bincount(item, minlength=tables.items)
        kept = np.flatnonzero(joined > 1)
        mine = joined[item] > 1
        self.items = Lists.of_lists(
            [part.tolist() for part in np.split(unit[mine], np.cumsum(joined[kept])[:-1])]
            if len(kept)
            else []
        )
        self.serialise = _least_serialise(tables, kept)


def _least_serialise(tables: Tables, items: NDArray[np.int64]) -> FloatArray:
    """The least serialise of each item between two nodes, by whatever codec it may take."""
    src, dst = np.nonzero(~np.eye(tables.nodes, dtype=bool) & tables.routes.reachable)
    if not len(src):
        return np.zeros(len(items))  # nothing can move, and no plan moves anything
    best = int(tables.routes.bandwidth[src, dst].argmax())
    found = np.empty(len(items))
    for h, item in enumerate(items.tolist()):
        codecs = [-1, *tables.item_codecs.of(item).tolist()]
        size = tables.item_bytes[item]
        parts = tables.transfer(size, src[best], dst[best], np.array(codecs))
        found[h] = parts.serialise.min()
    return found
