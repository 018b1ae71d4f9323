"""What a task waits for, on each node that it could take: price, arrival, and what it holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from offload.arrays import FloatArray, IntArray
from offload.heuristics.loads import Channels
from offload.heuristics.pricing import Prices
from offload.tables import Tables
from offload.transfers import EDGE, MOVE, READ

__all__ = ["Arrivals", "Input"]


@dataclass
class Input:
    """An item, a data item or the task itself, on its way to each of the nodes; arrays are [K].

    Attributes
    ----------
    kind, ref
        What it is, as in :class:`offload.transfers.Transfers`.
    source
        The node that it would come from.
    release
        When it may start, in seconds.
    price, ready, encode, serialise
        What it costs, when it is there, and two parts of its duration; a node that has it already
        pays nothing for it and is sent nothing.
    codec
        Codec to each node; ``None`` where there is no choice.
    edge
        The edge that it belongs to, -1 for none.
    """

    kind: int
    ref: int
    source: IntArray
    release: float
    price: FloatArray
    ready: FloatArray
    encode: FloatArray
    serialise: FloatArray
    codec: IntArray | None = None
    edge: int = -1
    waits: FloatArray | float = 0.0  # for its links, in seconds


class Arrivals:
    """Inputs of tasks whose predecessors are placed.

    Parameters
    ----------
    tables
        The cost model.
    prices
        What transfers cost.
    timed
        Whether times are kept; else all arrive at once.
    """

    def __init__(self, tables: Tables, prices: Prices, timed: bool) -> None:
        self.tables, self.prices, self.timed = tables, prices, timed
        self.links = Channels(tables)
        self.queues = timed and self.links.contended
        several = tables.item_edges.lengths > 1
        self.shared = several[tables.edge_item]
        # When items with several readers, and data, are on each node that has them already.
        self.there: dict[tuple[int, int], FloatArray] = {}

    def of(self, task: int, node: IntArray, finish: FloatArray) -> list[Input]:
        """What a task waits for, given where tasks are (int32[T]) and when they end."""
        tables = self.tables
        found = []
        for e in tables.incoming.of(task).tolist():
            sender = int(tables.edge_src[e])
            found.append(self._item(e, int(node[sender]), float(finish[sender])))
        found += [self._read(data) for data in tables.reads.of(task).tolist()]
        if tables.at[task] >= 0:
            found.append(self._move(task))
        return found

    def _item(self, edge: int, src: int, done: float) -> Input:
        item = int(self.tables.edge_item[edge])
        price, delay, codec = self.prices.item_from(item, src)
        size, every = self.tables.item_bytes[item], self.prices.every
        serialise = size * self.prices.serialise[codec, src, every]
        encode = size * self.prices.encode[codec, src, every]
        source = np.full(len(every), src, np.int32)
        made = Input(
            EDGE, item, source, done, price, done + delay, encode, serialise, codec, edge
        )  # fmt: skip
        return self._settled(made)

    def _read(self, data: int) -> Input:
        price, delay, source = self.prices.fetched(data)
        size, every = self.tables.data_bytes[data], self.prices.every
        serialise = size * self.prices.serialise[-1, np.maximum(source, 0), every]
        made = Input(READ, data, source, 0.0, price, delay, np.zeros(len(every)), serialise)
        return self._settled(made)

    def _move(self, task: int) -> Input:
        tables, every = self.tables, self.prices.every
        at, size = tables.at[task], tables.move_bytes[task]
        source = np.full(len(every), at, np.int32)
        parts = tables.transfer(size, at, every)
        price = self.prices.moved(size, source, every)
        made = Input(
            MOVE, task, source, 0.0, price, parts.total, parts.encode, parts.serialise
        )  # fmt: skip
        return self._settled(made)

    def _settled(self, made: Input) -> Input:
        """With waits for links, and nothing to do where it is already or cannot come."""
        if self.queues:
            wish, waits = made.release + made.encode, np.zeros(self.tables.nodes)
            for src in np.unique(made.source[made.source >= 0]).tolist():
                wait = self.links.wait(src, wish, made.serialise)
                waits = np.where(made.source == src, wait, waits)
            made.waits, made.ready = waits, made.ready + waits
        made.price = np.where(np.isfinite(made.ready), made.price, np.inf)
        there = self.there.get((made.kind, made.ref))
        if there is not None:
            here = np.isfinite(there)
            made.price, made.serialise = (
                np.where(here, 0.0, part) for part in (made.price, made.serialise)
            )
            made.ready = np.where(here, there, made.ready)
        return made

    def send(self, inputs: list[Input], node: int) -> float:
        """Send what a task lacks on its node, in turn; when the last of it is there."""
        last = 0.0
        for made in inputs:
            there = self.there.get((made.kind, made.ref))
            arrival = float(made.ready[node])
            if there is None or not np.isfinite(there[node]):
                if self.queues and made.source[node] != node:
                    arrival += self._queue(made, node)
                if made.kind == READ or (made.kind == EDGE and self.shared[made.edge]):
                    there = self.there.setdefault(
                        (made.kind, made.ref), np.full(self.tables.nodes, np.inf)
                    )
                    there[node] = arrival
            last = max(last, arrival)
        return last

    def _queue(self, made: Input, node: int) -> float:
        """Hold the links of an input's route; seconds that others of the same task delay it."""
        wish, length = made.release + float(made.encode[node]), float(made.serialise[node])
        if length <= 0:
            return 0.0
        src = int(made.source[node])
        hold = max(wish, self.links.busy(src, node))
        self.links.take(src, node, hold, length)
        return hold - wish - float(np.broadcast_to(made.waits, self.tables.nodes)[node])
