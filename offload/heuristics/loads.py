"""Loads and queues of links and nodes, as tasks are placed one after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from offload.arrays import FloatArray, IntArray
from offload.tables import Tables
from offload.transfers import MOVE

if TYPE_CHECKING:
    from offload.heuristics.arrivals import Input

__all__ = ["Channels", "Loads"]


class Channels:
    """When contended links are free, if transfers take them in the order in which they are sent.

    As in decoding, no transfer begins to hold a link before the one sent before it.
    """

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.every = np.arange(tables.nodes, dtype=np.int32)
        channels = tables.routes.resource_channels
        self.contended = len(channels) > 0
        # One more, never busy, stands for links without contention.
        self.free = np.zeros(len(channels) + 1)
        self._ends: dict[int, list[float]] = {}
        self._ways: dict[int, IntArray] = {}

    def way(self, src: int) -> IntArray:
        """Contended channel sets on the route to each node, filled up with the last; [K, hops]."""
        if src not in self._ways:
            routes = self.tables.routes
            row, arc = routes.expand(np.full(self.tables.nodes, src, np.int32), self.every)
            resource = routes.arc_resource[arc]
            row, resource = row[resource >= 0], resource[resource >= 0]
            depth = np.arange(len(row)) - np.searchsorted(row, row, side="left")
            way = np.full((self.tables.nodes, int(depth.max(initial=0)) + 1), len(self.free) - 1)
            way[row, depth] = resource
            self._ways[src] = way.astype(np.int32)
        return self._ways[src]

    def wait(self, src: int, wish: FloatArray, length: FloatArray) -> FloatArray:
        """Seconds that transfers to each node wait for their links; float64[K]."""
        if not self.contended:
            return np.zeros(len(wish))
        busy = self.free[self.way(src)].max(axis=1)
        late: FloatArray = np.where(length > 0, np.maximum(busy - wish, 0.0), 0.0)
        return np.where(np.isfinite(wish), late, 0.0)

    def busy(self, src: int, dst: int) -> float:
        """From when on all links of one route are free."""
        return float(self.free[self.way(src)[dst]].max())

    def take(self, src: int, dst: int, hold: float, length: float) -> None:
        """Hold the links of a route from a moment on."""
        if not self.contended or length <= 0 or src == dst:
            return
        for r in self.way(src)[dst].tolist():
            if r == len(self.free) - 1:
                continue
            ends = self._ends.setdefault(r, [])
            count = int(self.tables.routes.resource_channels[r])
            if len(ends) == count:
                ends.remove(min(ends))
            ends.append(hold + length)
            self.free[r] = max(hold, min(ends) if len(ends) == count else 0.0)


class Loads:
    """Seconds that each node and link is busy for one input of a stream (docs/format.md, period).

    Parameters
    ----------
    tables
        The cost model.
    links
        Knows which links a route holds.
    """

    def __init__(self, tables: Tables, links: Channels) -> None:
        self.tables, self.links = tables, links
        self.slots = np.maximum(tables.node_slots, 1)
        self.node = np.zeros(tables.nodes)
        self.channels = np.append(tables.routes.resource_channels, np.inf)
        self.link = np.zeros(len(self.channels))
        self.serial = bool(tables.serial_io.any())
        self.sent: dict[tuple[int, int, int], float] = {}  # kind, what, sender: longest serialise

    def after(self, task: int, time: FloatArray, inputs: Sequence[Input]) -> FloatArray:
        """The largest load that a task would make of those it adds to; float64[M, K]."""
        tables = self.tables
        node: FloatArray = self.node + time * tables.task_slots[task] / self.slots
        if not (self.serial or self.links.contended):
            return node
        worst, inward = np.zeros(tables.nodes), np.zeros(tables.nodes)
        added = np.zeros((tables.nodes, len(self.channels)))
        for made in inputs:
            if made.kind == MOVE:
                continue
            inward += made.serialise
            for src in np.unique(made.source[made.serialise > 0]).tolist():
                held = np.where(made.source == src, made.serialise, 0.0)
                if tables.serial_io[src]:
                    more = held - self.sent.get((made.kind, made.ref, src), 0.0)
                    worst = np.maximum(worst, self.node[src] + np.maximum(more, 0.0))
                if self.links.contended:
                    way = self.links.way(src)
                    np.add.at(added, (self.links.every[:, None], way), held[:, None])
        load = np.where(added > 0, self.link + added / self.channels, 0.0)
        worst = np.maximum(worst, load.max(axis=1))
        node += np.where(tables.serial_io, inward, 0.0)
        np.maximum(node, worst, out=node)
        return node

    def take(self, task: int, node: int, time: float, inputs: Sequence[Input]) -> None:
        """Add what a task does on a node."""
        tables = self.tables
        self.node[node] += time * tables.task_slots[task] / self.slots[node]
        for made in inputs:
            held, src = float(made.serialise[node]), int(made.source[node])
            if made.kind == MOVE or held <= 0 or src == node:
                continue
            if tables.serial_io[node]:
                self.node[node] += held
            if tables.serial_io[src]:
                key = (made.kind, made.ref, src)
                known = self.sent.get(key, 0.0)
                self.node[src] += max(held - known, 0.0)
                self.sent[key] = max(held, known)
            if self.links.contended:
                way = self.links.way(src)[node]
                np.add.at(self.link, way, held / self.channels[way])
