"""Decoding of plans that share one order of tasks: whole rows of times at once.

All plans time the same task at a time, so the finish of a source is a row that lies together in
memory; only from when a node is free must be looked up plan by plan.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray
from offload.caching import once
from offload.places import Chunked, Floors, Places, Small, places
from offload.tables import Tables

__all__ = ["Lockstep", "lockstep", "one_order"]

_PLANS = 1 << 10  # plans timed together, at most
_CELLS = 1 << 20  # their tasks, at most


class _Scratch:
    """Arrays for one number of plans, used again and again: fresh memory costs too much."""

    def __init__(self, found: Lockstep, plans: int) -> None:
        tasks, nodes = found.tasks, found.nodes
        self.plan = np.arange(plans)
        self.node, self.reader, self.cell = (np.empty((tasks, plans), np.intp) for _ in range(3))
        self.finish = np.empty((tasks, plans))
        # The last ends on nodes; where tasks have no length, below them the last starts.
        self.free = np.empty((2 if found.instant else 1) * nodes * plans)
        self.at = np.empty(plans, np.intp)
        self.delay, self.length, self.begin = (np.empty(plans) for _ in range(3))
        # A row of an array is an object to be made: the same ones serve all calls.
        self.nodes, self.readers, self.cells, self.ends = (
            list(array) for array in (self.node, self.reader, self.cell, self.finish)
        )


class Lockstep(Chunked[_Scratch]):
    """The decoder of one problem."""

    def __init__(self, tables: Places) -> None:
        super().__init__()
        self.tasks, self.nodes, self.instant = tables.tasks, tables.nodes, tables.instant
        self.edge_src, self.edge_dst = tables.edge_src, tables.edge_dst
        self.lasting = list(tables.lasting.reshape(self.tasks, self.nodes))
        self._barred = [bool(np.isinf(row).any()) for row in self.lasting]
        # Tasks without length look at the last start on their node, not at its last end.
        self._later = [np.where(row == 0, self.nodes, 0) for row in self.lasting]
        delays = list(tables.delays[2 * self.nodes :].reshape(-1, self.nodes**2))
        self.inputs = [
            [(int(tables.edge_src[e]), delays[e]) for e in tables.incoming.of(i).tolist()]
            for i in range(self.tasks)
        ]

    def ordered(self, order: Small) -> bool:
        """Whether an order, int[T], is a topological permutation."""
        rank = np.full(self.tasks, -1)
        rank[order] = np.arange(self.tasks)
        sources, readers = rank[self.edge_src], rank[self.edge_dst]
        return bool((rank >= 0).all() and (sources < readers).all())

    def _most(self) -> int:
        return min(_PLANS, _CELLS // max(self.tasks, 1))

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
        """As all plans have the order of the first, a topological permutation."""
        s, add, larger = scratch, np.add, np.maximum
        self._start(s, nodes, floors.shut)
        ready = None if floors.ready is None else np.ascontiguousarray(floors.ready.T)
        lengths = None if floors.length is None else np.ascontiguousarray(floors.length.T)
        free, at, delay, length, begin = s.free, s.at, s.delay, s.length, s.begin
        plans, instant = len(begin), self.instant
        for i in order[0].tolist():
            cell, reader = s.cells[i], s.readers[i]
            if lengths is None:
                self.lasting[i].take(s.nodes[i], None, length, "clip")
            else:
                length = lengths[i]
            awaited = cell + self._later[i].take(s.nodes[i]) * plans if instant else cell
            free.take(awaited, None, begin, "clip")
            for source, delays in self.inputs[i]:
                add(reader, s.nodes[source], at)
                delays.take(at, None, delay, "clip")
                add(delay, s.ends[source], delay)
                larger(begin, delay, out=begin)
            if ready is not None:
                larger(begin, ready[i], out=begin)
            if self._barred[i]:  # what never ends never starts
                begin[np.isinf(length)] = np.inf
            end = s.ends[i]
            add(begin, length, end)
            if began is not None:
                began[i] = begin
            if instant:
                free[cell + self.nodes * plans] = begin
                free[cell] = np.maximum(end, free.take(cell))
            else:
                free[cell] = end
        return s.finish

    def _start(self, scratch: _Scratch, nodes: Small, shut: BoolArray | None) -> None:
        """Where each task runs, and all nodes free."""
        s = scratch
        np.copyto(s.node, nodes.T)
        np.multiply(s.node, self.nodes, s.reader)
        np.multiply(s.node, len(s.plan), s.cell)
        np.add(s.cell, s.plan, s.cell)
        closed = 0.0 if shut is None else np.where(shut.T, np.inf, 0.0)
        s.free.reshape(-1, self.nodes, len(s.plan))[:] = closed


def one_order(order: NDArray[np.integer]) -> bool:
    """Whether all rows of int[B, T] are the same, and there are any."""
    if not len(order) or not order.strides[0]:
        return len(order) > 0
    return bool((order[0] == order[-1]).all() and (order[0] == order).all())


@once
def lockstep(tables: Tables) -> Lockstep | None:
    """The decoder of a problem; ``None`` where slots, channels or sheer size ask for another."""
    found = places(tables)
    return None if found is None else Lockstep(found)
