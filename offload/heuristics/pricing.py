"""Prices of placements: what running a task, or moving its inputs, adds to a weighted goal.

Energy, cost, risk and traffic are sums over tasks and transfers, so that a placement's price is
exact given where its neighbours are. All coefficients come from the cost model: transfers are
linear in their bytes, and one byte between each pair of nodes is asked for once.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray, IntArray
from offload.metrics import transfer_energy, transfer_price, transfer_traffic
from offload.tables import Tables

__all__ = ["ADDITIVE", "Prices"]

ADDITIVE = ("energy", "cost", "risk", "traffic")

_LOOK = 30_000_000  # pairs of nodes over all edges up to which what comes later is looked at


class Prices:
    """What tasks and transfers add to a weighted sum of energy, cost, risk and traffic.

    Parameters
    ----------
    tables
        The cost model.
    weights
        Of the four metrics; the energy of idling is not counted here.
    per_second
        Price of a second of a transfer's duration: codecs that save time are worth that.
    holders : bool[D, K]
        Homes and placed copies of data.
    """

    def __init__(
        self,
        tables: Tables,
        weights: Mapping[str, float],
        per_second: float,
        holders: BoolArray,
    ) -> None:
        self.tables, self.weights, self.holders = tables, dict(weights), holders
        self.per_second = per_second
        self.every = np.arange(tables.nodes, dtype=np.int32)
        self.modes = np.arange(tables.modes)[:, None]
        energy, cost, risk = (self.weights.get(m, 0.0) for m in ADDITIVE[:3])
        self._slot_rate = energy * tables.busy_power.T + cost * tables.node_price
        self._rate = risk * tables.failure_rate
        node = self.every
        # [codec, source, destination], the last codec being none.
        shape = (len(tables.codec_ids) + 1, tables.nodes, tables.nodes)
        self.unit, self.slope = np.zeros(shape), np.zeros(shape)
        self.serialise, self.encode = np.zeros(shape), np.zeros(shape)
        for codec in range(-1, len(tables.codec_ids)):
            self.unit[codec] = self.moved(1.0, node[:, None], node[None, :], codec)
            parts = tables.transfer(1.0, node[:, None], node[None, :], codec)
            self.serialise[codec], self.encode[codec] = parts.serialise, parts.encode
            self.slope[codec] = parts.encode + parts.serialise + parts.decode
        self._data: dict[int, tuple[FloatArray, FloatArray, IntArray]] = {}
        self._later: FloatArray | None = None

    def moved(
        self, size: float | FloatArray, src: IntArray, dst: IntArray, codec: int | IntArray = -1
    ) -> FloatArray:
        """Price of transfers, durations apart; positions broadcast."""
        tables, total = self.tables, np.zeros(np.broadcast_shapes(np.shape(src), np.shape(dst)))
        metrics = {
            "energy": transfer_energy, "cost": transfer_price, "traffic": transfer_traffic,
        }  # fmt: skip
        for metric, function in metrics.items():
            if weight := self.weights.get(metric, 0.0):
                total += weight * function(tables, np.asarray(size, float), src, dst, codec)
        return total

    def own(self, task: int) -> tuple[FloatArray, FloatArray]:
        """Price and seconds of a task in each mode on each node; float64[M, K], barred infinite."""
        price, time = self.owns(np.array([task]))
        return price[0], time[0]

    def owns(self, tasks: NDArray[np.integer]) -> tuple[FloatArray, FloatArray]:
        """The same for several tasks; float64[N, M, K]."""
        tables = self.tables
        time = tables.execution(tasks[:, None, None], self.every, self.modes)
        rate = self._slot_rate * tables.task_slots[tasks, None, None] + self._rate
        fine = np.isfinite(time)
        price = np.where(fine, np.where(fine, time, 0.0) * rate, np.inf)
        return price, time

    def item_from(self, item: int, src: int) -> tuple[FloatArray, FloatArray, IntArray]:
        """Price, seconds and codec of an item from one node to each; [K].

        The codec is that of least price, seconds at their price included.
        """
        tables = self.tables
        size, offers = tables.item_bytes[item], tables.item_codecs.of(item)
        fixed = tables.routes.latency[src]
        if rule := int(tables.item_rule[item]):
            fixed = np.where(tables.permits(rule)[src], fixed, np.inf)
        price, delay = size * self.unit[-1, src], fixed + size * self.slope[-1, src]
        codec = np.full(tables.nodes, -1, np.int32)
        if len(offers):
            worth = price + self.per_second * size * self.slope[-1, src]
            for c in offers.tolist():
                other = size * self.unit[c, src]
                total = other + self.per_second * size * self.slope[c, src]
                better = total < worth
                codec[better], worth = c, np.where(better, total, worth)
                price = np.where(better, other, price)
                delay = np.where(better, fixed + size * self.slope[c, src], delay)
        return price, delay, codec

    def item_to(self, item: int, dst: IntArray) -> FloatArray:
        """Least price of an item from each node to several; float64[K, N]."""
        size, offers = self.tables.item_bytes[item], self.tables.item_codecs.of(item)
        price: FloatArray = size * self.unit[-1][:, dst]
        if len(offers):
            second = self.per_second * size
            worth = price + second * self.slope[-1][:, dst]
            for c in offers.tolist():
                other = size * self.unit[c][:, dst]
                total = other + second * self.slope[c][:, dst]
                price, worth = np.where(total < worth, other, price), np.minimum(total, worth)
        return price

    def fetched(self, data: int) -> tuple[FloatArray, FloatArray, IntArray]:
        """Price, seconds and source (-1 for none) of fetching a data item to each node; [K]."""
        if data not in self._data:
            tables, what = self.tables, np.full(self.tables.nodes, data)
            source = tables.fetch(what, self.every, self.holders[what])
            src = np.maximum(source, 0)
            size = tables.data_bytes[data]
            delay = tables.transfer(size, src, self.every, rule=tables.data_rule[data]).total
            price = self.moved(size, src, self.every)
            self._data[data] = price, np.where(source >= 0, delay, np.inf), source
        return self._data[data]

    def later(self) -> FloatArray | None:
        """Least price of all that follows each task on each node, float64[T, K], or ``None``.

        later(i, k) = sum over edges i -> j of min over l of (transfer from k to l + (own(j, l) +
        later(j, l)) / inputs of j): exact where each task has one input. ``None`` where that
        would take long, or nothing has a price.
        """
        tables = self.tables
        if not any(self.weights.values()) or tables.edges * tables.nodes**2 > _LOOK:
            return None
        if self._later is None:
            found = np.zeros((tables.tasks, tables.nodes))
            inputs = np.maximum(tables.incoming.lengths, 1)
            for j in tables.topological[::-1].tolist():
                incoming = tables.incoming.of(j)
                if not len(incoming):
                    continue
                own = (self.own(j)[0].min(axis=0) + found[j]) / inputs[j]
                for e in incoming.tolist():
                    item = int(tables.edge_item[e])
                    way = self.item_to(item, self.every) + own[None, :]
                    if rule := int(tables.item_rule[item]):
                        way = np.where(tables.permits(rule), way, np.inf)
                    least = way.min(axis=1)
                    found[tables.edge_src[e]] += np.where(np.isfinite(least), least, 0.0)
            self._later = found
        return self._later
