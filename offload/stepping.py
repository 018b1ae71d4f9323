"""Decoding where every node has one slot and no link is contended: few array calls a step.

Step q handles the q-th task of each plan. What a task needs is found by its place, the number
``task * K + node``: the rows of its sources, where its delays begin, how long it runs. Rows belong
to tasks and then to nodes (when the node is free), cells of a row to plans, so that inputs and the
node are one gather. An order that is no topological permutation leaves a NaN: a source's row, or
that of a task that never came, is still unset.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray
from offload.caching import once
from offload.tables import Tables

__all__ = ["Floors", "Stepper", "stepper"]

Positions = NDArray[np.intp]

_TABLE = 1 << 21  # cells that a table of places or delays may have
_WIDEST = 8  # most inputs of a task: each task costs as much as the one with most
_CELLS = 1 << 18  # cells of the rows of one chunk of plans, for the sake of caches
_KEPT = 4  # scratch arrays kept for so many sizes of chunks


class Floors(NamedTuple):
    """What bears on some plans besides their nodes and orders; ``None`` where nothing does.

    ``ready`` is float64[B, T], before which a task may not start; ``length`` float64[B, T], its
    execution time; ``shut`` bool[B, K], nodes on which nothing may ever run.
    """

    ready: FloatArray | None = None
    length: FloatArray | None = None
    shut: BoolArray | None = None

    def of(self, rows: slice) -> Floors:
        """Those of some plans."""
        ready, length, shut = self
        return Floors(
            None if ready is None else ready[rows], None if length is None else length[rows],
            None if shut is None else shut[rows],
        )  # fmt: skip


class _Scratch:
    """Arrays for chunks of one size, used again and again: fresh memory costs too much."""

    def __init__(self, stepper: Stepper, plans: int) -> None:
        tasks, width, rows = stepper.tasks, stepper.width, stepper.rows
        self.plan = np.arange(plans)
        self.first = self.plan[:, None] * tasks  # where each plan's tasks begin
        self.own = np.ascontiguousarray(np.repeat(self.plan[:, None], width, axis=1))
        self.sources = stepper.sources * plans
        self.task_row = np.repeat(np.arange(tasks) * plans, stepper.nodes)
        self.node_row = stepper.node_row * plans
        self.by_plan = np.empty((plans, tasks), np.intp)
        self.place_by_plan = np.empty((plans, tasks), np.intp)
        self.place = np.empty((tasks, plans), np.intp)
        self.small = np.empty((plans, tasks), stepper.node_type)
        self.node = np.zeros((rows, plans), stepper.node_type)
        self.time = np.empty(rows * plans)
        self.cells, self.delay_at = (np.empty((plans, width), np.intp) for _ in range(2))
        self.from_node = np.empty((plans, width), stepper.node_type)
        self.arrival, self.delay = (np.empty((plans, width)) for _ in range(2))
        self.begin, self.length, self.end = (np.empty(plans) for _ in range(3))
        self.cell = np.empty(plans, np.intp)


class Stepper:
    """The tables by place of one problem."""

    def __init__(self, tables: Tables) -> None:
        self.tasks, self.nodes = tables.tasks, tables.nodes
        tasks, nodes = self.tasks, self.nodes
        place = np.arange(tasks)[:, None], np.arange(nodes)[None, :]
        self.lasting = tables.execution(*place).ravel()
        # A task of length 0 holds no slot: it waits for the start of the one placed before it, not
        # for its end. Nodes have a second row for that start where there are such tasks.
        self.instant = bool((self.lasting == 0).any())
        self.rows = tasks + nodes * (2 if self.instant else 1) + 1
        degree = tables.incoming.lengths
        most = int(degree.max(initial=0)) + 1  # the last column is the node
        self.width = 4 if most == 3 else most  # rows of 8, 16 and 32 bytes are copied fastest
        self.node_type = np.min_scalar_type(max(nodes - 1, 0))
        self._load_sources(tables, degree)
        self._load_delays(tables)
        self._kept: dict[int, _Scratch] = {}

    def _load_sources(self, tables: Tables, degree: NDArray[np.int64]) -> None:
        tasks, nodes = self.tasks, self.nodes
        owner = np.repeat(np.arange(tasks), degree)
        depth = np.arange(tables.edges) - tables.incoming.start[owner]
        edge = tables.incoming.values
        sources = np.full((tasks, nodes, self.width), self.rows - 1)  # a row of zeros
        sources[owner, :, depth] = tables.edge_src[edge][:, None]
        sources[:, :, -1] = tasks + np.arange(nodes)
        self.node_row = sources[:, :, -1].flatten()
        if self.instant:
            waits = self.lasting.reshape(tasks, nodes) == 0
            sources[:, :, -1] += np.where(waits, nodes, 0)
        # Delays of 0 come first: of no edge. Where a task may not run, even its node never comes.
        delay_at = np.zeros((tasks, nodes, self.width), np.intp)
        begins = 2 * nodes + (edge[:, None] * nodes + np.arange(nodes)) * nodes
        delay_at[owner, :, depth] = begins
        delay_at[:, :, -1] = np.where(np.isinf(self.lasting.reshape(tasks, nodes)), nodes, 0)
        self.sources = sources.reshape(tasks * nodes, self.width)
        self.delay_at = delay_at.reshape(tasks * nodes, self.width)

    def _load_delays(self, tables: Tables) -> None:
        """Delays by edge, node of its reader and node of its source; before them 0 and for ever."""
        nodes, item = np.arange(self.nodes), tables.edge_item[:, None, None]
        delay = tables.transfer(
            tables.item_bytes[item], nodes[None, None, :], nodes[None, :, None],
            rule=tables.item_rule[item],
        ).total  # fmt: skip
        self.delays = np.concatenate([np.repeat([0.0, np.inf], self.nodes), delay.ravel()])

    def decode(
        self, nodes: Positions, order: Positions, floors: Floors, times: bool
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Latency, and if wanted start and finish of each task; float64[B], [B, T], [B, T]."""
        plans, tasks = nodes.shape
        latency = np.zeros(plans)
        shape = (plans, tasks) if times else (0, 0)
        start, finish = np.empty(shape), np.empty(shape)
        chunks = -(-plans * self.rows // _CELLS)
        step = max(1, -(-plans // max(chunks, 1)))
        for first in range(0, plans, step):
            rows = slice(first, min(first + step, plans))
            count = rows.stop - first
            scratch = self._kept.pop(count, None) or _Scratch(self, count)
            began = np.empty((tasks, count)) if times else None
            own = floors.of(rows)
            self._start(scratch, nodes[rows], order[rows], own.shut)
            self._walk(scratch, own, None if began is None else began.ravel())
            ended = scratch.time.reshape(self.rows, count)[:tasks]
            np.maximum.reduce(ended, axis=0, initial=0.0, out=latency[rows])
            if began is not None:
                start[rows], finish[rows] = began.T, ended.T
            if len(self._kept) < _KEPT:
                self._kept[count] = scratch
        return latency, start, finish

    def _start(
        self, scratch: _Scratch, nodes: Positions, order: Positions, shut: BoolArray | None
    ) -> None:
        """Places in order, a row a step; nodes by task; all tasks unset and all nodes free."""
        at, place = scratch.by_plan, scratch.place_by_plan
        np.add(order, scratch.first, out=at)
        nodes.take(at, None, place, "clip")
        np.multiply(order, self.nodes, out=at)
        np.add(place, at, out=place)
        np.copyto(scratch.place, place.T)
        np.copyto(scratch.small, nodes, casting="unsafe")
        np.copyto(scratch.node[: self.tasks], scratch.small.T)
        time = scratch.time.reshape(self.rows, -1)
        time[: self.tasks] = np.nan
        time[self.tasks :] = 0.0
        if shut is not None:
            closed = np.where(shut.T, np.inf, 0.0)
            for first in range(self.tasks, self.rows - 1, self.nodes):
                time[first : first + self.nodes] = closed

    def _walk(self, scratch: _Scratch, floors: Floors, began: FloatArray | None) -> None:
        """All steps; writes the finish of each task to its row, and its start to ``began``."""
        s, time, add, larger = scratch, scratch.time, np.add, np.maximum
        cells, arrival, delay_at, delay = s.cells, s.arrival, s.delay_at, s.delay
        begin, length, end, cell, plan = s.begin, s.length, s.end, s.cell, s.plan
        first, *others = arrival.T
        others = others or [first]
        at_node = cells[:, -1]
        get_sources, get_delay_at = s.sources.take, self.delay_at.take
        get_time, get_node, get_delay = time.take, s.node.ravel().take, self.delays.take
        get_length, get_row = self.lasting.take, s.task_row.take
        ready = None if floors.ready is None else floors.ready.T.ravel()
        lengths = None if floors.length is None else floors.length.T.ravel()
        for place in s.place:
            get_sources(place, 0, cells, "clip")
            add(cells, s.own, cells)
            get_time(cells, None, arrival, "clip")
            get_node(cells, None, s.from_node, "clip")
            get_delay_at(place, 0, delay_at, "clip")
            add(delay_at, s.from_node, delay_at)
            get_delay(delay_at, None, delay, "clip")
            add(arrival, delay, arrival)
            get_row(place, None, cell, "clip")
            add(cell, plan, cell)
            before = first
            for other in others:
                larger(before, other, out=begin)
                before = begin
            if ready is not None:
                begin = larger(before, ready.take(cell))
            if lengths is None:
                get_length(place, None, length, "clip")
            else:
                lengths.take(cell, None, length, "clip")
            add(begin, length, end)
            if began is not None:
                began[cell] = begin
            time[cell] = end
            if self.instant:
                at_node = s.node_row.take(place) + plan
                time[at_node + self.nodes * len(plan)] = begin
                end = larger(end, time.take(at_node))
            time[at_node] = end


@once
def stepper(tables: Tables) -> Stepper | None:
    """The stepper of a problem; ``None`` where slots, channels or sheer size ask for more."""
    slots = min(int(tables.node_slots.max(initial=1)), int(tables.task_slots.sum()))
    width = int(tables.incoming.lengths.max(initial=0)) + 1
    places = tables.tasks * tables.nodes * width
    delays = tables.edges * tables.nodes**2
    few = width <= _WIDEST or tables.tasks * width <= 3 * (tables.edges + tables.tasks)
    simple = slots <= 1 and not len(tables.routes.resource_channels)
    return Stepper(tables) if simple and few and max(places, delays) <= _TABLE else None
