"""A schedule under construction: tasks are inserted one by one, after all they wait for."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np

from offload.arrays import BoolArray, FloatArray
from offload.compression import fastest_codecs
from offload.heuristics.decisions import codecs_of
from offload.heuristics.placer import Placer, Stuck
from offload.heuristics.timeline import Timeline
from offload.plan import Plan
from offload.tables import Tables
from offload.transfers import (
    EDGE,
    MOVE,
    READ,
    durations,
    required_transfers,
    timed_without_contention,
)  # fmt: skip

__all__ = ["Schedule", "with_retries"]

Key = tuple[int, int, int]  # kind, what, destination


class Schedule:
    """Insertion-based list scheduling over slots, memory, links and placement rules.

    Tasks run in their node's fastest mode; items travel with the codec that arrives first.

    Parameters
    ----------
    tables
        The cost model.
    reserved
        Nodes promised to tasks beforehand.
    copies : bool[D, K], optional
        Placed copies of data.
    insertion
        Whether a task may start before one that was placed on its node earlier.
    """

    def __init__(
        self,
        tables: Tables,
        reserved: dict[int, int] | None = None,
        copies: BoolArray | None = None,
        insertion: bool = True,
    ) -> None:
        self.tables = tables
        self.copies, self.insertion = copies, insertion
        self.holders = tables.home if copies is None else tables.home | copies
        self._last = np.zeros(tables.nodes)
        self.placer = Placer(tables, reserved)
        self.nodes = [Timeline(int(slots)) for slots in tables.node_slots]
        channels = tables.routes.resource_channels
        self.links = [Timeline(int(count)) for count in channels]
        self.start = np.zeros(tables.tasks)
        self.finish = np.zeros(tables.tasks)
        self.moved: dict[Key, tuple[float, float]] = {}  # start and arrival of contended transfers
        self.mode = tables.fastest_mode
        self.times = tables.execution(
            np.arange(tables.tasks)[:, None], np.arange(tables.nodes)[None, :], self.mode
        )
        self.packed = len(tables.item_codecs.values) > 0
        self._every = np.arange(tables.nodes)

    def finish_times(self, task: int) -> tuple[FloatArray, FloatArray]:
        """Earliest start and finish of a task on each node, infinite where it may not go; [K].

        Raises
        ------
        Stuck
            If no node is left for it.
        """
        start = np.full(self.tables.nodes, inf)
        fine = self.placer.candidates(task) & np.isfinite(self.times[task])
        ready = None if self.links else self._ready(task)
        for k in np.flatnonzero(fine).tolist():
            arrival = self._send_all(task, k, keep=False) if ready is None else ready[k]
            start[k] = self._fit(task, k, float(arrival))
        if not np.isfinite(start).any():
            raise Stuck(task)
        return start, start + self.times[task]

    def _fit(self, task: int, node: int, ready: float) -> float:
        tables = self.tables
        length, units = float(self.times[task, node]), int(tables.task_slots[task])
        if not self.insertion:
            ready = max(ready, float(self._last[node]))
        if not self.placer.bounded:
            return self.nodes[node].earliest(ready, length, units)
        # What will be resident once the task is here bounds the memory of all that runs here.
        room = self.placer.room_after(task, node)
        if self.nodes[node].peak_bytes() > room:
            return inf
        memory = float(self.placer.memory[task, node])
        return self.nodes[node].earliest(ready, length, units, memory, room)

    def _ready(self, task: int) -> FloatArray:
        """Release and arrivals of a task on each node, without contention; float64[K]."""
        tables = self.tables
        ready = np.full(tables.nodes, tables.release[task])
        for e in tables.incoming.of(task).tolist():
            sender = tables.edge_src[e]
            delay = self._delays(int(tables.edge_item[e]), int(self.placer.node[sender]))
            np.maximum(ready, self.finish[sender] + delay, out=ready)
        for data in tables.reads.of(task).tolist():
            what = np.full(tables.nodes, data)
            source = tables.fetch(what, self._every, self.holders[what])
            delay = tables.transfer(
                tables.data_bytes[data], np.maximum(source, 0), self._every,
                rule=tables.data_rule[data],
            ).total  # fmt: skip
            ready = np.maximum(ready, np.where(source >= 0, delay, inf))
        if tables.at[task] >= 0:
            delay = tables.transfer(tables.move_bytes[task], tables.at[task], self._every).total
            ready = np.maximum(ready, delay)
        return ready

    def _delays(self, item: int, src: int) -> FloatArray:
        """Delay of an item from a node to each with its fastest codec; float64[K]."""
        tables = self.tables
        if not self.packed or not len(tables.item_codecs.of(item)):
            return tables.delays_from(item, src)
        codec = fastest_codecs(tables, item, src, self._every)
        size, rule = tables.item_bytes[item], tables.item_rule[item]
        return tables.transfer(size, src, self._every, codec, rule).total

    def _send_all(self, task: int, node: int, keep: bool) -> float:
        """Arrival of all that a task lacks on a node, over contended links; books them if kept."""
        tables = self.tables
        touched: dict[int, Timeline] = {}
        arrival = float(tables.release[task])
        for e in tables.incoming.of(task).tolist():
            sender, item = int(tables.edge_src[e]), int(tables.edge_item[e])
            src = int(self.placer.node[sender])
            done = float(self.finish[sender])
            size, rule = float(tables.item_bytes[item]), int(tables.item_rule[item])
            key = (EDGE, item, node)
            arrival = max(arrival, self._send(key, src, node, size, rule, done, touched, keep))
        for data in tables.reads.of(task).tolist():
            source = int(tables.fetch(np.array([data]), np.array([node]), self.holders[[data]])[0])
            size, rule = float(tables.data_bytes[data]), int(tables.data_rule[data])
            key = (READ, data, node)
            arrival = max(arrival, self._send(key, source, node, size, rule, 0.0, touched, keep))
        if tables.at[task] >= 0:
            key, size = (MOVE, task, node), float(tables.move_bytes[task])
            src = int(tables.at[task])
            arrival = max(arrival, self._send(key, src, node, size, 0, 0.0, touched, keep))
        if keep:
            for resource, timeline in touched.items():
                self.links[resource] = timeline
        return arrival

    def _send(
        self, key: Key, src: int, dst: int, size: float, rule: int, ready: float,
        touched: dict[int, Timeline], keep: bool,
    ) -> float:  # fmt: skip
        if src == dst:
            return ready
        if key in self.moved:
            return self.moved[key][1]
        if src < 0:
            return inf
        tables = self.tables
        codec = -1
        if self.packed and key[0] == EDGE:
            codec = int(fastest_codecs(tables, key[1], src, dst))
        parts = tables.transfer(size, src, dst, codec, rule)
        encode, length, total = float(parts.encode), float(parts.serialise), float(parts.total)
        if total == inf:
            return inf
        _, arcs = tables.routes.expand(np.array([src]), np.array([dst]))
        resources = [r for r in tables.routes.arc_resource[arcs].tolist() if r >= 0]
        lines = [touched.setdefault(r, self.links[r].copy()) for r in resources]
        # The links are held once the bytes are encoded.
        start, settled = ready + encode, False
        while not settled:
            earliest = max((line.earliest(start, length) for line in lines), default=start)
            settled, start = earliest == start, earliest
        for line in lines:
            line.add(start, start + length)
        begin = ready if start == ready + encode else start - encode
        if keep:
            self.moved[key] = (begin, begin + total)
        return begin + total

    def place(self, task: int, node: int, start: float) -> None:
        """Put a task on a node at a time that :meth:`finish_times` gave."""
        if self.links:
            self._send_all(task, node, keep=True)
        length = float(self.times[task, node])
        memory = float(self.placer.memory[task, node]) if self.placer.bounded else 0.0
        self.nodes[node].add(start, start + length, int(self.tables.task_slots[task]), memory)
        self.start[task], self.finish[task] = start, start + length
        self._last[node] = max(self._last[node], start)
        self.placer.place(task, node)

    def plan(self) -> Plan:
        """The finished schedule."""
        nodes = self.placer.node
        codecs = codecs_of(self.tables, nodes[None, :])
        holders = None if self.copies is None else self.holders[None]
        required = required_transfers(self.tables, nodes[None, :], codecs, holders)
        rows = required.rows
        total = durations(self.tables, rows).total
        timed = timed_without_contention(self.tables, rows, self.finish[None, :], total)
        if self.links:
            keys = zip(rows.kind.tolist(), rows.ref.tolist(), rows.dst.tolist(), strict=True)
            booked = np.array([self.moved[key] for key in keys], float).reshape(-1, 2)
            timed = rows._replace(start=booked[:, 0].copy(), finish=booked[:, 1].copy())
        transfers = required._replace(rows=timed)
        return Plan.assemble(
            self.tables.problem, nodes, self.start, self.finish, transfers,
            modes=self.mode[nodes], copies=self.copies,
        )  # fmt: skip


def with_retries(
    tables: Tables, run: Callable[[dict[int, int]], Plan], most: int = 50
) -> Plan | None:
    """Run a constructive method; where a task finds no node, promise it one and start again.

    Parameters
    ----------
    run
        Builds a plan, given nodes promised to some tasks; raises :class:`Stuck`.
    most
        Attempts.

    Returns
    -------
    Plan or None
        ``None`` if it is stuck to the end.
    """
    reserved: dict[int, int] = {}
    for _ in range(most):
        try:
            return run(dict(reserved))
        except Stuck as signal:
            if not _promise(tables, reserved, signal.task):
                return None
    return None


def _promise(tables: Tables, reserved: dict[int, int], task: int) -> bool:
    """Set aside a node for a task: the one with most memory left, then the fastest."""
    if task in reserved:
        return False
    placer = Placer(tables, reserved)
    fine = placer.left[task].copy()
    if placer.bounded:
        fine &= placer.held + placer.resident[task] + placer.memory[task] <= placer.room
    options = np.flatnonzero(fine)
    if not len(options):
        return False
    spare = (placer.room - placer.held)[options]
    length = tables.execution(np.full(len(options), task), options)
    reserved[task] = int(options[np.lexsort((options, length, -spare))[0]])
    return True
