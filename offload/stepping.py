"""Decoding where every node has one slot and no link is contended: few array calls a step.

Step q handles the q-th task of each plan. What a task needs is found by its place, the number
``task * K + node``: the rows of its sources, where its delays begin, how long it runs; all that
does not depend on times is made for several steps at once. Rows belong to tasks and then to nodes
(when the node is free), cells of a row to plans, so that inputs and the node are one gather. An
order that is no topological permutation leaves a NaN: a source's row, or that of a task that never
came, is still unset.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from offload.arrays import BoolArray, FloatArray
from offload.caching import once
from offload.places import LARGEST, Chunked, Floors, Places, Small, places
from offload.tables import Tables

__all__ = ["Stepper", "stepper"]

Positions = NDArray[np.intp]

_WIDEST = 8  # most inputs of a task: each task costs as much as the one with most
_CELLS = 1 << 19  # cells of the rows of one chunk of plans, for the sake of caches
_BLOCK = 3 << 11  # cells of the steps prepared at once
_LINE = 64  # bytes of a line of a cache


class _Block(NamedTuple):
    """What is prepared for N steps at once; views, made once, as each costs a call."""

    task: Positions  # [N, B]
    place: Positions
    cell: Positions
    at_node: Positions
    length: FloatArray
    plan: Positions
    inputs: Positions  # [N, B, width]
    delay_at: Positions
    from_node: Positions
    own: Positions
    delay: FloatArray
    small: Small
    node: Positions  # [N, B], the last column of from_node
    last: Positions  # and of inputs


class _Step(NamedTuple):
    """What is known of one step before its inputs are; views into a block."""

    inputs: Positions  # [B, width], their cells; the node is the last
    delay: FloatArray  # [B, width]
    length: FloatArray  # [B]
    cell: Positions  # [B], of the task
    node: Positions  # [B]


class _Arena:
    """Arrays side by side in one piece of memory, which the system can map with large pages.

    Steps look up times all over it; with small pages they wait for the addresses too.
    """

    def __init__(self, size: int) -> None:
        self._memory, self._used = np.empty(size, np.uint8), 0

    def empty(self, shape: tuple[int, ...], kind: DTypeLike) -> NDArray[Any]:
        """An array of undefined contents; beyond the arena's end one of its own."""
        dtype = np.dtype(kind)
        first = self._used
        last = first + math.prod(shape) * dtype.itemsize
        if last > len(self._memory):
            return np.empty(shape, dtype)
        self._used = -(-last // _LINE) * _LINE
        return self._memory[first:last].view(dtype).reshape(shape)


class _Scratch:
    """Arrays for chunks of one size, used again and again: fresh memory costs too much."""

    def __init__(self, stepper: Stepper, plans: int) -> None:
        tasks, width, rows = stepper.tasks, stepper.width, stepper.rows
        self.depth = max(1, min(tasks, _BLOCK // plans))
        small = stepper.node_type.itemsize * (width + 1) + stepper.task_type.itemsize
        step = 8 * (6 + 5 * width) + width * stepper.node_type.itemsize
        arena = _Arena(plans * (8 * rows + tasks * small + self.depth * step) + 32 * _LINE)
        self.sources = stepper.sources * plans
        self.node_row = stepper.node_row * plans
        self.time = arena.empty((rows, plans), np.float64)
        self.from_nodes = arena.empty((tasks, plans, width), stepper.node_type)
        self.from_nodes[:] = 0
        self.slots = [self.from_nodes[:, :, slot] for slot in range(width)]
        self.by_cell = self.from_nodes.reshape(-1, width)
        self.node = arena.empty((tasks, plans), stepper.node_type)
        self.order = arena.empty((tasks, plans), stepper.task_type)
        self.nodes_by_plan = np.empty((plans, tasks), stepper.node_type)
        self.order_by_plan = np.empty((plans, tasks), stepper.task_type)
        self._blocks: dict[int, _Block] = {}
        self._whole = self._block(stepper, arena)
        self.steps = [
            _Step(*views)
            for views in zip(
                self._whole.inputs, self._whole.delay, self._whole.length, self._whole.cell,
                self._whole.at_node, strict=True,
            )
        ]  # fmt: skip
        # The largest of each row of inputs: of pairs, of pairs of these, and so on.
        self.arrival = np.empty((plans, width))
        self.rounds: list[tuple[FloatArray, FloatArray, FloatArray]] = []
        values: FloatArray = self.arrival.ravel()
        while len(values) > plans:
            larger = np.empty(len(values) // 2)
            self.rounds.append((values[::2], values[1::2], larger))
            values = larger
        self.begin, self.end = values, np.empty(plans)

    def _block(self, stepper: Stepper, arena: _Arena) -> _Block:
        plans, width = self.time.shape[1], stepper.width
        shape = (self.depth, plans)
        task, place, cell, at_node, plan = (arena.empty(shape, np.intp) for _ in range(5))
        length = arena.empty(shape, np.float64)
        wide = (*shape, width)
        inputs, delay_at, from_node, own = (arena.empty(wide, np.intp) for _ in range(4))
        delay, small = arena.empty(wide, np.float64), arena.empty(wide, stepper.node_type)
        # Columns of the plans, of the shapes that they are added to: faster than to broadcast.
        plan[:] = np.arange(plans)
        own[:] = plan[:, :, None]
        return _Block(
            task, place, cell, at_node, length, plan, inputs, delay_at, from_node, own, delay,
            small, from_node[:, :, -1], inputs[:, :, -1],
        )  # fmt: skip

    def block(self, count: int) -> _Block:
        """The arrays of the first steps of a block."""
        if count not in self._blocks:
            self._blocks[count] = _Block(*(array[:count] for array in self._whole))  # type: ignore[arg-type]
        return self._blocks[count]


class Stepper(Chunked[_Scratch]):
    """The tables by place of one problem."""

    def __init__(self, tables: Places) -> None:
        super().__init__()
        self.tasks, self.nodes, self.instant = tables.tasks, tables.nodes, tables.instant
        self.lasting, self.delays = tables.lasting, tables.delays
        # Tasks without length wait for the last start on their node, kept in rows of its own.
        self.rows = self.tasks + self.nodes * (2 if self.instant else 1) + 1
        self.width = _width(tables.incoming.lengths)
        self.node_type = np.min_scalar_type(max(self.nodes - 1, 0))
        self.task_type = np.min_scalar_type(max(self.tasks - 1, 0))
        self._load_sources(tables)

    def _load_sources(self, tables: Places) -> None:
        tasks, nodes, degree = self.tasks, self.nodes, tables.incoming.lengths
        owner = np.repeat(np.arange(tasks), degree)
        edge = tables.incoming.values
        depth = np.arange(len(edge)) - tables.incoming.start[owner]
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
        self.by_slot = [
            (owner[depth == slot], tables.edge_src[edge[depth == slot]])
            for slot in range(self.width - 1)
        ]
        self.delay_at = delay_at.reshape(tasks * nodes, self.width)

    def _most(self) -> int:
        return _CELLS // self.rows

    def _scratch(self, plans: int) -> _Scratch:
        return _Scratch(self, plans)

    def _time(
        self,
        scratch: _Scratch,
        nodes: Small,
        order: Small,
        floors: Floors,
        began: FloatArray | None,
    ) -> FloatArray:
        self._start(scratch, nodes, order, floors.shut)
        self._walk(scratch, floors, None if began is None else began.ravel())
        return scratch.time[: self.tasks]

    def _start(self, scratch: _Scratch, nodes: Small, order: Small, shut: BoolArray | None) -> None:
        """For each task the nodes of its sources and its own; all unset and all nodes free."""
        s, tasks = scratch, self.tasks
        _turn(nodes, s.nodes_by_plan, s.node)
        _turn(order, s.order_by_plan, s.order)
        for slot, (readers, sources) in zip(s.slots, self.by_slot, strict=False):
            slot[readers] = s.node[sources]
        s.slots[-1][:] = s.node
        s.time[:tasks] = np.nan
        s.time[tasks:] = 0.0
        if shut is not None:
            closed = np.where(shut.T, np.inf, 0.0)
            for first in range(tasks, self.rows - 1, self.nodes):
                s.time[first : first + self.nodes] = closed

    def _walk(self, scratch: _Scratch, floors: Floors, began: FloatArray | None) -> None:
        """All steps; writes the finish of each task to its row, and its start to ``began``."""
        ready = None if floors.ready is None else floors.ready.T.ravel()
        lengths = None if floors.length is None else floors.length.T.ravel()
        for first in range(0, self.tasks, scratch.depth):
            count = min(scratch.depth, self.tasks - first)
            self._prepare(scratch, first, count, lengths)
            self._take_steps(scratch, count, ready, began)

    def _prepare(
        self, scratch: _Scratch, first: int, count: int, lengths: FloatArray | None
    ) -> None:
        """What steps need besides times."""
        s, block = scratch, scratch.block(count)
        np.copyto(block.task, s.order[first : first + count])
        np.multiply(block.task, len(s.end), block.cell)
        np.add(block.cell, block.plan, block.cell)
        s.by_cell.take(block.cell, 0, block.small, "clip")
        np.copyto(block.from_node, block.small)
        np.multiply(block.task, self.nodes, block.place)
        np.add(block.place, block.node, block.place)
        s.sources.take(block.place, 0, block.inputs, "clip")
        np.add(block.inputs, block.own, block.inputs)
        self.delay_at.take(block.place, 0, block.delay_at, "clip")
        np.add(block.delay_at, block.from_node, block.delay_at)
        self.delays.take(block.delay_at, None, block.delay, "clip")
        if lengths is None:
            self.lasting.take(block.place, None, block.length, "clip")
        else:
            lengths.take(block.cell, None, block.length, "clip")
        if self.instant:
            s.node_row.take(block.place, None, block.at_node, "clip")
            np.add(block.at_node, block.plan, block.at_node)
        else:
            np.copyto(block.at_node, block.last)

    def _take_steps(
        self, scratch: _Scratch, count: int, ready: FloatArray | None, began: FloatArray | None
    ) -> None:
        """The steps of a block."""
        time, add, larger = scratch.time.ravel(), np.add, np.maximum
        arrival, begin, end = scratch.arrival, scratch.begin, scratch.end
        starts = self.nodes * len(begin)
        get_time, rounds, instant = time.take, scratch.rounds, self.instant
        for inputs, delay, length, cell, node in scratch.steps[:count]:
            get_time(inputs, None, arrival, "clip")
            add(arrival, delay, arrival)
            for some, others, largest in rounds:
                larger(some, others, out=largest)
            if ready is not None:
                larger(begin, ready.take(cell), out=begin)
            add(begin, length, end)
            if began is not None:
                began[cell] = begin
            time[cell] = end
            if instant:
                time[node + starts] = begin
                larger(end, time.take(node), out=end)
            time[node] = end


def _turn(given: NDArray[np.integer], small: Small, turned: Small) -> None:
    """[B, T] to [T, B], as numbers of few bytes: of those turning is much faster."""
    if given.dtype != small.dtype:
        np.copyto(small, given, casting="unsafe")
        given = small
    np.copyto(turned, given.T)


def _width(degree: NDArray[np.int64]) -> int:
    """Columns for the inputs of a task and its node: a power of 2, for pairs, at least 2."""
    return 1 << max(1, int(degree.max(initial=0))).bit_length()


@once
def stepper(tables: Tables) -> Stepper | None:
    """The decoder of a problem; ``None`` where slots, channels or sheer size ask for another."""
    found, width = places(tables), _width(tables.incoming.lengths)
    few = width <= _WIDEST or tables.tasks * width <= 4 * (tables.edges + tables.tasks)
    if found is None or not few or tables.tasks * tables.nodes * width > LARGEST:
        return None
    return Stepper(found)
