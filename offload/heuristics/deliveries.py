"""When all that a task needs has arrived on each node: items, data, the task itself."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

import numpy as np

from offload.arrays import BoolArray, FloatArray, IntArray
from offload.compression import quickest
from offload.heuristics.timeline import Timeline
from offload.tables import Tables
from offload.transfers import EDGE, MOVE, READ

__all__ = ["Deliveries"]

Key = tuple[int, int, int]  # kind, what, destination


class _Need(NamedTuple):
    """Something that a task needs, and its transfer to each node; arrays over the nodes."""

    kind: int
    what: int
    src: IntArray  # -1 where nothing leads there
    done: float  # when it can leave
    encode: FloatArray
    serialise: FloatArray
    total: FloatArray


class Deliveries:
    """Arrivals at all nodes, and the channels of contended links.

    Items travel with the codec that arrives first, data from the nearest holder.

    Parameters
    ----------
    tables
        The cost model.
    holders : bool[D, K]
        Homes and placed copies of data.
    node : int32[T]
        Where each task is, kept up to date by the caller; -1 if it is not placed.
    finish : float64[T]
        When each task is done, likewise.

    Attributes
    ----------
    contended
        Whether some links have a limited number of channels.
    moved
        Start and arrival of the transfers booked on such links, by kind, item and destination.
    """

    def __init__(
        self, tables: Tables, holders: BoolArray, node: IntArray, finish: FloatArray
    ) -> None:
        self.tables, self.holders, self.node, self.finish = tables, holders, node, finish
        self.links = [Timeline(int(count)) for count in tables.routes.resource_channels]
        self.contended = bool(self.links)
        self.moved: dict[Key, tuple[float, float]] = {}
        self._every = np.arange(tables.nodes, dtype=np.int32)
        self._from: list[int] = tables.edge_src[tables.incoming.values].tolist()
        self._item: list[int] = tables.edge_item[tables.incoming.values].tolist()
        self._first: list[int] = tables.incoming.start.tolist()
        self._release: list[float] = tables.release.tolist()
        self._fetching = bool(len(tables.reads.values) or (tables.at >= 0).any())
        self._packed = len(tables.item_codecs.values) > 0
        # What one task alone reads is not worth keeping.
        self._readers = np.bincount(tables.reads.values, minlength=len(tables.data_ids)).tolist()
        self._source: dict[int, IntArray] = {}
        self._fetch: dict[int, FloatArray] = {}
        self._routes: dict[tuple[int, int], list[Timeline]] = {}
        self._needs: tuple[int, list[_Need]] = (-1, [])

    # -- without contention ----------------------------------------------------------------------

    def ready(self, task: int) -> FloatArray:
        """Release and arrivals of a task on each node if every link were free; float64[K].

        Inputs from tasks that are not placed yet do not count.
        """
        tables, node, finish = self.tables, self.node, self.finish
        delay = self.delay if self._packed else tables.delays_from
        ready = None
        for at in range(self._first[task], self._first[task + 1]):
            sender = self._from[at]
            src = int(node[sender])
            if src >= 0:
                arrival = delay(self._item[at], src)
                arrival += finish[sender]
                ready = arrival if ready is None else np.maximum(ready, arrival, out=ready)
        release = self._release[task]
        if ready is None:
            ready = np.full(len(self._every), release)
        elif release > 0:
            np.maximum(ready, release, out=ready)
        if self._fetching:
            for data in tables.reads.of(task).tolist():
                np.maximum(ready, self._fetch_delay(data), out=ready)
            if tables.at[task] >= 0:
                size = tables.move_bytes[task]
                moved = tables.transfer(size, tables.at[task], self._every).total
                np.maximum(ready, moved, out=ready)
        return ready

    def delay(self, item: int, src: int) -> FloatArray:
        """Delay of an item from a node to each, with the codec that arrives first; float64[K]."""
        tables = self.tables
        if not len(tables.item_codecs.of(item)):
            return tables.delays_from(item, src)
        codec = quickest(tables, item, src, self._every)
        size, rule = tables.item_bytes[item], tables.item_rule[item]
        return tables.transfer(size, src, self._every, codec, rule).total

    def delays(self, item: int) -> FloatArray:
        """The same from every node (row) to every other; float64[K, K]."""
        tables = self.tables
        src, dst = np.broadcast_arrays(self._every[:, None], self._every)
        codec = quickest(tables, item, src, dst)
        size, rule = tables.item_bytes[item], tables.item_rule[item]
        return tables.transfer(size, src, dst, codec, rule).total

    def _nearest(self, data: int) -> IntArray:
        """The node from which each fetches a data item; int32[K], -1 out of reach."""
        if (known := self._source.get(data)) is not None:
            return known
        what = np.full(len(self._every), data)
        source = self.tables.fetch(what, self._every, self.holders[what])
        if self._readers[data] > 1:
            self._source[data] = source
        return source

    def _fetch_delay(self, data: int) -> FloatArray:
        if (known := self._fetch.get(data)) is not None:
            return known
        tables, source = self.tables, self._nearest(data)
        size, rule = tables.data_bytes[data], tables.data_rule[data]
        delay = tables.transfer(size, np.maximum(source, 0), self._every, rule=rule).total
        delay = np.where(source >= 0, delay, inf)
        if self._readers[data] > 1:
            self._fetch[data] = delay
        return delay

    # -- over contended links --------------------------------------------------------------------

    def at(self, task: int, node: int) -> float:
        """When all that a task needs has arrived on a node, behind what is booked already."""
        arrival, holds = self._send_all(task, node, keep=False)
        for line, start, finish in reversed(holds):
            line.remove(start, finish)
        return arrival

    def book(self, task: int, node: int) -> None:
        """Send to a node what a task still lacks there."""
        self._send_all(task, node, keep=True)

    def _send_all(
        self, task: int, node: int, keep: bool
    ) -> tuple[float, list[tuple[Timeline, float, float]]]:
        """Arrival of everything, and the links held for it from and to which time."""
        arrival = self._release[task]
        holds: list[tuple[Timeline, float, float]] = []
        for need in self._all_needs(task):
            arrival = max(arrival, self._send(need, node, keep, holds))
        return arrival, holds

    def _send(
        self, need: _Need, node: int, keep: bool, holds: list[tuple[Timeline, float, float]]
    ) -> float:
        src = int(need.src[node])
        if src == node:
            return need.done
        key = need.kind, need.what, node
        if key in self.moved:
            return self.moved[key][1]
        total = float(need.total[node])
        if src < 0 or total == inf:
            return inf
        lines = self._lines(src, node)
        # The links are held once the bytes are encoded.
        wish, length = need.done + float(need.encode[node]), float(need.serialise[node])
        start, settled = wish, False
        while not settled:
            earliest = max((line.earliest(start, length) for line in lines), default=start)
            settled, start = earliest == start, earliest
        for line in lines:
            line.add(start, start + length)
            holds.append((line, start, start + length))
        begin = need.done if start == wish else start - float(need.encode[node])
        if keep:
            self.moved[key] = begin, begin + total
        return begin + total

    def _lines(self, src: int, dst: int) -> list[Timeline]:
        """The contended channels on a route."""
        if (src, dst) not in self._routes:
            routes = self.tables.routes
            _, arcs = routes.expand(np.array([src]), np.array([dst]))
            held = [r for r in routes.arc_resource[arcs].tolist() if r >= 0]
            self._routes[src, dst] = [self.links[r] for r in held]
        return self._routes[src, dst]

    def _all_needs(self, task: int) -> list[_Need]:
        """Everything that a task needs: its edges in file order, its reads, its move."""
        if self._needs[0] == task:
            return self._needs[1]
        tables = self.tables
        found = []
        for at in range(self._first[task], self._first[task + 1]):
            sender, item = self._from[at], self._item[at]
            src, size = self.node[sender], float(tables.item_bytes[item])
            codec = quickest(tables, item, int(src), self._every)
            found.append(
                self._need(EDGE, item, src, float(self.finish[sender]), size, codec,
                           int(tables.item_rule[item]))
            )  # fmt: skip
        for data in tables.reads.of(task).tolist():
            size, rule = float(tables.data_bytes[data]), int(tables.data_rule[data])
            found.append(self._need(READ, data, self._nearest(data), 0.0, size, -1, rule))
        if tables.at[task] >= 0:
            size = float(tables.move_bytes[task])
            found.append(self._need(MOVE, task, tables.at[task], 0.0, size, -1, 0))
        self._needs = task, found
        return found

    def _need(
        self, kind: int, what: int, src: IntArray | np.int32, done: float, size: float,
        codec: IntArray | int, rule: int,
    ) -> _Need:  # fmt: skip
        source = np.broadcast_to(src, self._every.shape)
        parts = self.tables.transfer(size, np.maximum(source, 0), self._every, codec, rule)
        return _Need(kind, what, source, done, parts.encode, parts.serialise, parts.total)
