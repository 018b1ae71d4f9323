"""The decoder behind :func:`offload.evaluate`: arrays in, arrays out, nothing checked here."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray, IntArray
from offload.placement import resident_load
from offload.tables import TOLERANCE, Lists, Tables
from offload.transfers import (
    EDGE,
    READ,
    Required,
    Transfers,
    durations,
    required_transfers,
    timed_without_contention,
)  # fmt: skip

__all__ = ["decode"]


_CELLS = 8_000_000  # array elements that one chunk of plans may fill: bounds memory


class _Batch(NamedTuple):
    """The decisions of some plans."""

    nodes: IntArray
    order: IntArray
    modes: IntArray
    codecs: IntArray | None
    copies: BoolArray | None


def decode(
    tables: Tables,
    nodes: IntArray,
    order: IntArray,
    modes: IntArray,
    codecs: IntArray | None,
    copies: BoolArray | None,
) -> tuple[FloatArray, FloatArray, Required]:
    """Start and finish of each task, float64[B, T], and the transfers with their times."""
    units = _slot_units(tables)
    per_plan = tables.tasks + tables.edges + tables.nodes * units + len(tables.reads.values) + 1
    step = max(1, _CELLS // per_plan)
    made = []
    for first in range(0, max(len(nodes), 1), step):
        rows = slice(first, first + step)
        batch = _Batch(
            nodes[rows], order[rows], modes[rows],
            None if codecs is None else codecs[rows], None if copies is None else copies[rows],
        )  # fmt: skip
        made.append(_decode_chunk(tables, batch, units))
    if len(made) == 1:
        return made[0]
    start = np.concatenate([chunk[0] for chunk in made])
    finish = np.concatenate([chunk[1] for chunk in made])
    return start, finish, _join([chunk[2] for chunk in made], step)


def _join(chunks: list[Required], step: int) -> Required:
    moved = [
        chunk.rows._replace(plan=chunk.rows.plan + np.int32(number * step))
        for number, chunk in enumerate(chunks)
    ]
    rows = Transfers(*(np.concatenate(columns) for columns in zip(*moved, strict=True)))
    lengths = np.concatenate([chunk.members.lengths for chunk in chunks])
    start = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=start[1:])
    return Required(rows, Lists(start, np.concatenate([c.members.values for c in chunks])))


def _slot_units(tables: Tables) -> int:
    """Slot-units to keep track of on a node: no more than all tasks together can occupy."""
    most = int(tables.node_slots.max(initial=1))
    return max(1, min(most, int(tables.task_slots.sum())))


def _decode_chunk(
    tables: Tables, batch: _Batch, units: int
) -> tuple[FloatArray, FloatArray, Required]:
    plans = len(batch.nodes)
    rank = np.empty_like(batch.order)
    np.put_along_axis(rank, batch.order, np.arange(tables.tasks, dtype=np.int32)[None, :], axis=1)
    holders = None if batch.copies is None else batch.copies | tables.home
    required = required_transfers(tables, batch.nodes, batch.codecs, holders, rank)
    links = _Links(tables, required, plans)
    machines = _Machines(tables, batch, units)
    start, finish = np.zeros((plans, tables.tasks)), np.zeros((plans, tables.tasks))
    for q in range(tables.tasks):
        task = batch.order[:, q]
        ready = links.ready(task, finish)
        machines.place(q, task, ready, start, finish)
    return start, finish, required._replace(rows=links.timed(finish))


class _Links:
    """When each task's inputs have arrived; keeps the channels of contended links."""

    def __init__(self, tables: Tables, required: Required, plans: int) -> None:
        self.tables, self.plans = tables, plans
        rows, members = required
        self.rows = rows
        self.parts = durations(tables, rows)
        self.total = self.parts.total
        self.plan_row = np.arange(plans)
        self.contended = len(tables.routes.resource_channels) > 0
        owner = np.repeat(np.arange(len(rows.plan)), members.lengths)
        edges = rows.kind[owner] == EDGE
        self.edge_row = np.full((plans, tables.edges), -1, np.int32)
        self.edge_row[rows.plan[owner[edges]], members.values[edges]] = owner[edges]
        self._load_fetches(owner[~edges], members.values[~edges])
        if self.contended:
            self._load_channels()
        else:
            self.delay = np.where(self.edge_row >= 0, self._padded(self.total)[self.edge_row], 0.0)

    @staticmethod
    def _padded(values: FloatArray) -> FloatArray:
        """Values with a 0 behind them, which row -1 ("nothing moves") finds."""
        return np.append(values, 0.0)

    def _load_fetches(self, row: NDArray[np.int64], reader: IntArray) -> None:
        """Reads and moves by task: with contention in order, else their arrivals at once."""
        tables = self.tables
        self.base = np.broadcast_to(tables.release, (self.plans, tables.tasks)).copy()
        self.fetch_rows = np.zeros((self.plans, tables.tasks, 0), np.int32)
        if not len(row):
            return
        if not self.contended:
            np.maximum.at(self.base, (self.rows.plan[row], reader), self.total[row])
            return
        # Position of each fetch in its task's list: reads as the task names them, the move last.
        cell = self.rows.plan[row].astype(np.int64) * tables.tasks + reader
        place = np.full(len(row), np.iinfo(np.int32).max, np.int64)
        reads = self.rows.kind[row] == READ
        named = self._read_position(reader[reads], self.rows.ref[row[reads]])
        place[reads] = named
        sort = np.lexsort((place, cell))
        cell, row = cell[sort], row[sort]
        first = np.searchsorted(cell, cell, side="left")
        depth = np.arange(len(cell)) - first
        shape = (self.plans * tables.tasks, int(depth.max()) + 1)
        table = np.full(shape, -1, np.int32)
        table[cell, depth] = row
        self.fetch_rows = table.reshape(self.plans, tables.tasks, -1)

    def _read_position(self, task: IntArray, data: IntArray) -> NDArray[np.int64]:
        reads = self.tables.reads
        reader = np.repeat(np.arange(self.tables.tasks), reads.lengths)
        width = max(1, len(self.tables.data_ids))
        keys = reader * width + reads.values
        sort = np.argsort(keys, kind="stable")
        found = np.searchsorted(keys[sort], task.astype(np.int64) * width + data)
        position: NDArray[np.int64] = sort[found]
        return position

    def _load_channels(self) -> None:
        routes, rows = self.tables.routes, self.rows
        row, arc = routes.expand(rows.src, rows.dst)
        resource = routes.arc_resource[arc]
        # A transfer that may not take its route never holds a link.
        held = (resource >= 0) & np.isfinite(self.total[row])
        row, resource = row[held], resource[held]
        depth = np.arange(len(row)) - np.searchsorted(row, row, side="left")
        self.resource = np.full((len(rows.plan), int(depth.max(initial=-1)) + 1), -1, np.int32)
        self.resource[row, depth] = resource
        busiest = int(np.bincount(rows.plan, minlength=1).max(initial=1))
        channels = np.minimum(routes.resource_channels, max(busiest, 1))
        width = int(channels.max(initial=1))
        free = np.where(np.arange(width) < channels[:, None], 0.0, np.inf)
        self.free = np.repeat(free[None], self.plans, axis=0)
        self.last = np.zeros((self.plans, len(channels)))
        self.sent = np.full(len(rows.plan), np.nan)
        self.arrival = np.full(len(rows.plan), np.nan)

    def ready(self, task: IntArray, finish: FloatArray) -> FloatArray:
        """Release and arrivals of one task a plan; sends what the tasks still lack. float64[B]."""
        ready = self.base[self.plan_row, task]
        incoming = self.tables.incoming
        first, degree = incoming.start[task], incoming.start[task + 1] - incoming.start[task]
        most = int(degree.max(initial=0))
        if self.contended:
            for step in range(most):
                rows = np.flatnonzero(step < degree)
                edge = incoming.values[first[rows] + step]
                sender = finish[rows, self.tables.edge_src[edge]]
                arrived = self._send(rows, self.edge_row[rows, edge], sender)
                ready[rows] = np.maximum(ready[rows], arrived)
            for step in range(self.fetch_rows.shape[2]):
                row = self.fetch_rows[self.plan_row, task, step]
                arrived = self._send(self.plan_row, row, np.zeros(len(row)))
                ready = np.maximum(ready, arrived)
        elif most:
            depth = np.arange(most)
            edge = incoming.values[np.minimum(first[:, None] + depth, self.tables.edges - 1)]
            at = self.plan_row[:, None]
            arrived = finish[at, self.tables.edge_src[edge]] + self.delay[at, edge]
            arrived[depth >= degree[:, None]] = 0.0
            ready = np.maximum(ready, arrived.max(axis=1))
        return ready

    def _send(self, plan: NDArray[np.intp], row: IntArray, release: FloatArray) -> FloatArray:
        """Arrivals of transfers that may start at ``release``; row -1 means nothing moves."""
        result = release.copy()
        going = np.flatnonzero(row >= 0)
        rows = row[going]
        fresh = np.isnan(self.arrival[rows])
        at, which = plan[going[fresh]], rows[fresh]
        if len(which):
            earliest = release[going[fresh]]
            wait = self._wait(at, which, earliest + self.parts.encode[which])
            self.sent[which] = earliest + wait
            self.arrival[which] = self.sent[which] + self.total[which]
        result[going] = self.arrival[rows]
        return result

    def _wait(self, plan: NDArray[np.intp], row: IntArray, wish: FloatArray) -> FloatArray:
        """How long transfers wait for a channel on each link of their route; takes them."""
        length = self.parts.serialise[row]
        hold = wish.copy()
        held = []
        for depth in range(self.resource.shape[1]):
            resource = self.resource[row, depth]
            using = np.flatnonzero((resource >= 0) & (length > 0))
            p, r = plan[using], resource[using]
            hold[using] = np.maximum(
                hold[using], np.maximum(self.last[p, r], self.free[p, r].min(axis=1))
            )
            held.append((using, p, r))
        for using, p, r in held:
            self.last[p, r] = hold[using]
            self.free[p, r, self.free[p, r].argmin(axis=1)] = hold[using] + length[using]
        return np.where(hold > wish, hold - np.where(np.isfinite(wish), wish, 0.0), 0.0)

    def timed(self, finish: FloatArray) -> Transfers:
        """The transfers with their start and arrival."""
        rows = self.rows
        if self.contended:
            return rows._replace(start=self.sent, finish=self.arrival)
        return timed_without_contention(self.tables, rows, finish, self.total)


class _Machines:
    """Slots and memory of the nodes: when a task may start on its own."""

    def __init__(self, tables: Tables, batch: _Batch, units: int) -> None:
        plans, tasks = batch.nodes.shape
        self.tables = tables
        self.row = np.arange(plans)
        index = np.arange(tasks)[None, :]
        length = tables.execution(index, batch.nodes, batch.modes)
        self.length = np.take_along_axis(length, batch.order, axis=1)
        self.node = np.take_along_axis(batch.nodes, batch.order, axis=1)
        self.last = np.zeros((plans, tables.nodes))
        full = _overfull(tables, batch.nodes)
        if full.any():  # residents that do not fit leave no moment at which anything may run
            self.last[full] = np.inf
        self.single = units == 1
        self.units = units
        slots = np.minimum(tables.node_slots, units)
        free = np.where(np.arange(units) < slots[:, None], 0.0, np.inf)
        self.free = np.repeat(free[None], plans, axis=0)
        self.room: FloatArray | None = None
        if self._memory_matters():
            capacity = tables.memory_capacity * (1 + TOLERANCE)
            load = resident_load(tables, batch.nodes)  # infinite where a size is unknown
            self.room = np.full(load.shape, np.inf)
            np.subtract(capacity, load, out=self.room, where=np.isfinite(capacity))
            self.used = np.zeros_like(self.free)

    def _memory_matters(self) -> bool:
        tables = self.tables
        return bool(np.isfinite(tables.memory_capacity).any() and (tables.memory > 0).any())

    def place(
        self, q: int, task: IntArray, ready: FloatArray, start: FloatArray, finish: FloatArray
    ) -> None:
        """Start one task a plan as early as allowed; writes its times."""
        row, node, length = self.row, self.node[:, q], self.length[:, q]
        begin = np.maximum(ready, self.last[row, node])
        begin[np.isinf(length)] = np.inf
        holds = length > 0
        if self.single and self.room is None:
            free = self.free[row, node, 0]
            begin = np.where(holds, np.maximum(begin, free), begin)
            end = begin + length
            self.free[row, node, 0] = np.where(holds, end, free)
        else:
            begin = self._wait_for_room(task, node, begin, holds)
            end = begin + length
            self._take(task, node, end, holds)
        self.last[row, node] = begin
        start[row, task], finish[row, task] = begin, end

    def _wait_for_room(
        self, task: IntArray, node: IntArray, begin: FloatArray, holds: BoolArray
    ) -> FloatArray:
        row = self.row
        free = self.free[row, node]
        sort = np.argsort(free, axis=1, kind="stable")
        self._sorted = sort
        ranked = np.take_along_axis(free, sort, axis=1)
        want = np.minimum(self.tables.task_slots[task], self.units) - 1
        slot = ranked[row, want]
        if self.room is not None:
            used = np.take_along_axis(self.used[row, node], sort, axis=1)
            need = self.tables.memory_of(task, node)
            room = self.room[row, node]
            # total[n]: memory still in use once the n units that end first are free.
            total = np.zeros((len(row), self.units + 1))
            total[:, :-1] = np.cumsum(used[:, ::-1], axis=1)[:, ::-1]
            fits = total + need[:, None] <= room[:, None]
            count = fits.argmax(axis=1)
            moment = np.where(count > 0, ranked[row, np.maximum(count - 1, 0)], 0.0)
            slot = np.maximum(slot, np.where(fits.any(axis=1), moment, np.inf))
        return np.where(holds, np.maximum(begin, slot), begin)

    def _take(self, task: IntArray, node: IntArray, end: FloatArray, holds: BoolArray) -> None:
        row = np.flatnonzero(holds)
        want = np.minimum(self.tables.task_slots[task[row]], self.units)
        memory = self.tables.memory_of(task[row], node[row]) if self.room is not None else None
        for depth in range(int(want.max(initial=0))):
            some = np.flatnonzero(depth < want)
            at = row[some]
            unit = self._sorted[at, depth]
            self.free[at, node[at], unit] = end[at]
            if memory is not None:
                self.used[at, node[at], unit] = memory[some] if depth == 0 else 0.0


def _overfull(tables: Tables, nodes: IntArray) -> BoolArray:
    load = resident_load(tables, nodes)
    result: BoolArray = load > tables.memory_capacity * (1 + TOLERANCE)
    return result
