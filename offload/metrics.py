"""The eight metrics of format section 4, for many plans at once, measured from their own times."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray, totals
from offload.problem import METRICS
from offload.tables import Tables, TransferParts
from offload.transfers import MOVE, READ, Copies, Parts, Transfers

__all__ = [
    "Measured", "Metrics", "objective", "transfer_energy", "transfer_price", "transfer_traffic",
]  # fmt: skip

IntLike = NDArray[np.integer]


def transfer_energy(
    tables: Tables, size: FloatArray, src: IntLike, dst: IntLike, codec: IntLike | int = -1
) -> FloatArray:
    """Joules of transfers: link energy per byte moved, and the two ends' codec work."""
    parts = tables.transfer(size, src, dst, codec)
    moved = size / tables.codec_ratio[codec]
    radio = moved * tables.routes.energy[src, dst]
    result: FloatArray = (
        radio + parts.encode * tables.busy_power[src, 0] + parts.decode * tables.busy_power[dst, 0]
    )
    return result


def transfer_price(
    tables: Tables, size: FloatArray, src: IntLike, dst: IntLike, codec: IntLike | int = -1
) -> FloatArray:
    """Price of transfers: link price per byte moved."""
    result: FloatArray = size / tables.codec_ratio[codec] * tables.routes.price[src, dst]
    return result


def transfer_traffic(
    tables: Tables, size: FloatArray, src: IntLike, dst: IntLike, codec: IntLike | int = -1
) -> FloatArray:
    """Bytes times hops of transfers."""
    hops = np.maximum(tables.routes.hops[src, dst], 0)
    result: FloatArray = size / tables.codec_ratio[codec] * hops
    return result


class Metrics(Mapping[str, FloatArray]):
    """Metrics of B plans: ``metrics["latency"]`` is float64[B], each computed on first use.

    Parameters
    ----------
    tables
        The cost model.
    plans
        B, the number of plans.
    """

    def __init__(self, tables: Tables, plans: int) -> None:
        self.tables, self.plans = tables, plans
        self._known: dict[str, FloatArray] = {}

    @property
    @abstractmethod
    def parts(self) -> Parts:
        """Pieces of tasks on nodes of all plans; only their latency and finish need times."""

    @property
    @abstractmethod
    def transfers(self) -> Transfers:
        """Transfers of all plans; their times are not needed."""

    @property
    @abstractmethod
    def copies(self) -> Copies:
        """Copies placed by all plans."""

    def __getitem__(self, metric: str) -> FloatArray:
        if metric not in METRICS:
            raise KeyError(metric)
        if metric not in self._known:
            compute: Callable[[], FloatArray] = getattr(self, f"_{metric}")
            # Times of a plan from a file may be infinite or undefined: no cause for a warning.
            with np.errstate(over="ignore", invalid="ignore"):
                self._known[metric] = compute()
        return self._known[metric]

    def __iter__(self) -> Iterator[str]:
        return iter(METRICS)

    def __len__(self) -> int:
        return len(METRICS)

    # -- shared quantities -----------------------------------------------------------------------

    @cached_property
    def execution(self) -> FloatArray:
        """Seconds that each part runs, from the cost model; float64[P]."""
        parts = self.parts
        return parts.fraction * self.tables.execution(parts.task, parts.node, parts.mode)

    @cached_property
    def occupied(self) -> FloatArray:
        """Slot-seconds of each part; float64[P]."""
        return self.execution * self.tables.task_slots[self.parts.task]

    @cached_property
    def pushes(self) -> Transfers:
        """Each placed copy's push from a home, as rows of transfers without times."""
        data, node = self.copies.data, self.copies.node
        src = self.tables.fetch(data, node, self.tables.home[data])
        kept = src >= 0  # a copy out of reach is the checker's matter
        count = int(kept.sum())
        none = np.full(count, -1, np.int32)
        times = np.full(count, np.nan)
        return Transfers(
            self.copies.plan[kept], np.full(count, READ, np.int8), data[kept], src[kept],
            node[kept], none, self.tables.data_bytes[data[kept]], times, times,
        )  # fmt: skip

    @cached_property
    def serialise(self) -> FloatArray:
        """Seconds for which each transfer holds its links; float64[X]."""
        return self._durations.serialise

    @cached_property
    def _durations(self) -> TransferParts:
        rows = self.transfers
        return self.tables.transfer(rows.size, rows.src, rows.dst, rows.codec)

    def _sum(self, plan: IntLike, values: FloatArray) -> FloatArray:
        return np.bincount(plan, values, minlength=self.plans).astype(float)

    def _over_transfers(self, per_transfer: Callable[..., FloatArray]) -> FloatArray:
        total = np.zeros(self.plans)
        for rows in (self.transfers, self.pushes):
            if len(rows.plan):
                value = per_transfer(self.tables, rows.size, rows.src, rows.dst, rows.codec)
                total += self._sum(rows.plan, value)
        return total

    # -- the metrics -----------------------------------------------------------------------------

    @abstractmethod
    def _latency(self) -> FloatArray:
        """The last finish of each plan; float64[B]."""

    @property
    @abstractmethod
    def _task_finish(self) -> FloatArray:
        """The last finish of each task in each plan; float64[B, T]."""

    def _completion(self) -> FloatArray:
        # A task of weight 0 counts nothing, even if it never finishes.
        counted = self.tables.weight > 0
        result: FloatArray = self._task_finish[:, counted] @ self.tables.weight[counted]
        return result

    def _tardiness(self) -> FloatArray:
        counted = np.isfinite(self.tables.due) & (self.tables.weight > 0)
        late = np.maximum(self._task_finish[:, counted] - self.tables.due[counted], 0)
        result: FloatArray = late @ self.tables.weight[counted]
        return result

    def _energy(self) -> FloatArray:
        power = self.tables.busy_power[self.parts.node, self.parts.mode]
        total = self._sum(self.parts.plan, _product(self.occupied, power))
        total += self._over_transfers(transfer_energy)
        idle = self.tables.idle_watts
        return total + (idle * self["latency"] if idle else 0.0)

    def _cost(self) -> FloatArray:
        price = self.tables.node_price[self.parts.node]
        total = self._sum(self.parts.plan, _product(self.occupied, price))
        return total + self._over_transfers(transfer_price)

    def _risk(self) -> FloatArray:
        rate = self.tables.failure_rate[self.parts.node]
        return self._sum(self.parts.plan, _product(self.execution, rate))

    def _traffic(self) -> FloatArray:
        return self._over_transfers(transfer_traffic)

    def _period(self) -> FloatArray:
        loads = [load.max(axis=1, initial=0.0) for load in (self.node_load, self.link_load)]
        result: FloatArray = np.maximum(*loads)
        return result

    @cached_property
    def node_load(self) -> FloatArray:
        """Seconds that each node is busy for one input of a stream; float64[B, K]."""
        tables, parts, nodes = self.tables, self.parts, self.tables.nodes
        cell = parts.plan.astype(np.int64) * nodes + parts.node
        load = totals(cell, self.occupied, (self.plans, nodes)) / np.maximum(tables.node_slots, 1)
        if tables.serial_io.any():
            load += np.where(tables.serial_io, self._io_load(), 0.0)
        return load

    def _io_load(self) -> FloatArray:
        """Serialise of all that a node receives, and of each item sent the largest once."""
        rows, nodes = self.transfers, self.tables.nodes
        streamed = np.flatnonzero(rows.kind != MOVE)
        plan, held = rows.plan[streamed].astype(np.int64), self.serialise[streamed]
        load = totals(plan * nodes + rows.dst[streamed], held, (self.plans, nodes))
        # One row an item and sender: largest serialise last after the sort, and only it is kept.
        keys = (rows.src[streamed], rows.ref[streamed], rows.kind[streamed], plan)
        sort = np.lexsort((held, *keys))
        same = np.ones(len(sort), bool)
        if len(sort):
            sorted_keys = np.stack([np.asarray(key, np.int64)[sort] for key in keys])
            same[:-1] = (sorted_keys[:, 1:] != sorted_keys[:, :-1]).any(axis=0)
        last = sort[same]
        sent = (plan * nodes + rows.src[streamed])[last]
        return load + totals(sent, held[last], (self.plans, nodes))

    @cached_property
    def link_load(self) -> FloatArray:
        """Seconds that each contended channel set is held per channel; float64[B, R]."""
        routes, rows = self.tables.routes, self.transfers
        count = len(routes.resource_channels)
        streamed = np.flatnonzero(rows.kind != MOVE)
        row, arc = routes.expand(rows.src[streamed], rows.dst[streamed])
        resource = routes.arc_resource[arc]
        row, resource = streamed[row[resource >= 0]], resource[resource >= 0]
        cell = rows.plan[row].astype(np.int64) * count + resource
        load = totals(cell, self.serialise[row], (self.plans, count))
        return load / routes.resource_channels


class Measured(Metrics):
    """The metrics of rows: pieces of tasks, transfers and copies of B plans."""

    def __init__(
        self, tables: Tables, parts: Parts, transfers: Transfers, copies: Copies, plans: int
    ) -> None:
        super().__init__(tables, plans)
        self._parts, self._transfers, self._copies = parts, transfers, copies

    @property
    def parts(self) -> Parts:
        return self._parts

    @property
    def transfers(self) -> Transfers:
        return self._transfers

    @property
    def copies(self) -> Copies:
        return self._copies

    def _latency(self) -> FloatArray:
        last = np.zeros(self.plans)
        np.maximum.at(last, self.parts.plan, self.parts.finish)
        return last

    @cached_property
    def _task_finish(self) -> FloatArray:
        finish = np.zeros((self.plans, self.tables.tasks))
        np.maximum.at(finish, (self.parts.plan, self.parts.task), self.parts.finish)
        return finish


def _product(time: FloatArray, rate: FloatArray) -> FloatArray:
    """time * rate, where a rate of 0 costs nothing even for ever."""
    return np.where(rate == 0, 0.0, time * np.where(rate == 0, 1.0, rate))


def objective(metrics: Mapping[str, FloatArray], minimize: Mapping[str, float]) -> FloatArray:
    """The weighted sum of metrics; only metrics with a weight above 0 are computed."""
    terms = [weight * metrics[metric] for metric, weight in minimize.items() if weight > 0]
    return np.asarray(sum(terms[1:], terms[0]))
