"""Decoding under every rule of the format: one input of one task a step, for all plans at once.

Every plan has the same number of inputs (edges, reads, moves; a task without any has one that is
there at once), so step n handles the n-th of each plan in the plan's own order: the transfer waits
for the links of its route, and with the last input of a task the task waits for its node. What a
plan does not do in a step happens to a dummy task, node or link, so that no step branches.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray, IntArray
from offload.caching import once
from offload.machines import Machines
from offload.tables import Tables
from offload.transfers import EDGE, MOVE, READ, Required, durations

__all__ = ["Walked", "inputs_of", "walk"]

Positions = NDArray[np.intp]


class Walked(NamedTuple):
    """Start and finish of each task, float64[B, T]; of each transfer, float64[X]."""

    start: FloatArray
    finish: FloatArray
    sent: FloatArray
    arrived: FloatArray


class _Inputs(NamedTuple):
    """What each task waits for, in the order in which it is sent; a static list a task."""

    start: Positions  # [T + 1]
    source: Positions  # the task that it comes from; T + 1 for none
    edge: Positions  # [E]: the input of each edge
    read: Positions  # of each entry of ``tables.reads``
    move: Positions  # [T]: of each task that may move


@once
def inputs_of(tables: Tables) -> _Inputs:
    """The inputs of every task: edges in file order, then reads, then the move."""
    tasks, moves = tables.tasks, (tables.at >= 0).astype(np.int64)
    degree, reads = tables.incoming.lengths, tables.reads.lengths
    start = np.zeros(tasks + 1, np.int64)
    np.cumsum(np.maximum(degree + reads + moves, 1), out=start[1:])
    owner = np.repeat(np.arange(tasks), degree)
    edge = np.empty(tables.edges, np.int64)
    edge[tables.incoming.values] = (
        start[owner] + np.arange(len(owner)) - tables.incoming.start[owner]
    )
    reader = np.repeat(np.arange(tasks), reads)
    read = start[reader] + degree[reader] + np.arange(len(reader)) - tables.reads.start[reader]
    source = np.full(start[-1], tasks + 1)
    source[edge] = tables.edge_src
    return _Inputs(start, source, edge, read, start[:-1] + degree + reads)


def walk(
    tables: Tables,
    nodes: NDArray[np.integer],
    order: NDArray[np.integer],
    length: FloatArray,
    required: Required,
) -> Walked:
    """Decode plans; ``length`` is the execution time of each task, float64[B, T]."""
    script = _Script(tables, order, required)
    links = _Links(tables, required, script) if len(tables.routes.resource_channels) else None
    machines = Machines(tables, nodes, length, script.task)
    plans, width = len(nodes), tables.tasks + 2
    count = plans * width + len(required.rows.plan)
    known, sent = np.zeros(count), np.zeros(count)
    begun = np.zeros(plans * width)
    arrival = np.zeros(plans)
    ready = np.zeros(plans)
    for n in range(len(script.task)):
        release = known.take(script.source[n])
        start = release if links is None else links.send(n, release)
        np.add(start, script.total[n], out=arrival)
        known[script.target[n]] = arrival
        sent[script.target[n]] = start
        np.maximum(ready, arrival, out=ready)
        begin, end = machines.place(n, ready)
        begun[script.cell[n]] = begin
        known[script.cell[n]] = end
        np.copyto(ready, 0.0, where=script.last[n])
    own = np.s_[:, : tables.tasks]
    first = plans * width
    return Walked(
        begun.reshape(plans, width)[own], known[:first].reshape(plans, width)[own],
        sent[first:], known[first:],
    )  # fmt: skip


class _Script:
    """What happens in each step of each plan; arrays [N, B].

    A plan's times are kept in T + 2 cells: its tasks, a cell for what is not wanted, and one that
    stays 0. Those of the transfers follow.
    """

    def __init__(self, tables: Tables, order: NDArray[np.integer], required: Required) -> None:
        inputs, (rows, _) = inputs_of(tables), required
        plans, tasks = order.shape
        width = tasks + 2
        base = np.arange(plans)[:, None] * width
        count = np.diff(inputs.start)[order]
        end = np.cumsum(count, axis=1)
        steps = int(inputs.start[-1])
        shift = np.repeat((inputs.start[order] - (end - count)).ravel(), count.ravel())
        which = shift.reshape(plans, steps) + np.arange(steps)
        last = np.zeros((plans, steps), bool)
        np.put_along_axis(last, end - 1, True, axis=1)
        task = np.full((plans, steps), tasks)
        np.put_along_axis(task, end - 1, order, axis=1)
        of_input = np.full((plans, steps), -1)
        self._find_rows(tables, inputs, required, of_input)
        row = np.take_along_axis(of_input, which, axis=1)
        # Readers of one item on one node share its transfer: the first of them has it sent.
        moving = np.flatnonzero(row >= 0)
        leader = np.full(len(rows.plan), -1)
        leader[row.ravel()[moving[::-1]]] = moving[::-1]
        sends = np.zeros((plans, steps), bool)
        sends.ravel()[leader[leader >= 0]] = True
        later = (row >= 0) & ~sends
        arrivals = plans * width
        self.source = _steps(np.where(later, arrivals + row, base + inputs.source[which]))
        self.target = _steps(np.where(sends, arrivals + row, base + tasks))
        self.row = _steps(np.where(sends, row, len(rows.plan)))
        self.parts = durations(tables, rows)
        self.total = np.append(self.parts.total, 0.0)[self.row]
        self.last, self.task, self.cell = _steps(last), _steps(task), _steps(base + task)

    @staticmethod
    def _find_rows(
        tables: Tables, inputs: _Inputs, required: Required, of_input: NDArray[np.int64]
    ) -> None:
        """The transfer of each input of each plan, where it needs one."""
        rows, members = required
        owner = np.repeat(np.arange(len(rows.plan)), members.lengths)
        kind, member, plan = rows.kind[owner], members.values, rows.plan[owner]
        place = np.empty(len(owner), np.int64)
        for number, table in ((EDGE, inputs.edge), (MOVE, inputs.move)):
            chosen = kind == number
            place[chosen] = table[member[chosen]]
        chosen = kind == READ
        if chosen.any():
            position = _read_position(tables, member[chosen], rows.ref[owner[chosen]])
            place[chosen] = inputs.read[position]
        of_input[plan, place] = owner


def _steps(by_plan: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(by_plan.T)


def _read_position(tables: Tables, task: IntArray, data: IntArray) -> NDArray[np.int64]:
    """Where in ``tables.reads`` tasks name data."""
    reader = np.repeat(np.arange(tables.tasks), tables.reads.lengths)
    width = max(1, len(tables.data_ids))
    keys = reader * width + tables.reads.values
    sort = np.argsort(keys, kind="stable")
    position: NDArray[np.int64] = sort[
        np.searchsorted(keys[sort], task.astype(np.int64) * width + data)
    ]
    return position


class _Links:
    """When each channel of each link with few of them is free, and when it was last taken."""

    def __init__(self, tables: Tables, required: Required, script: _Script) -> None:
        routes, rows = tables.routes, required.rows
        count, plans = len(routes.resource_channels), script.task.shape[1]
        row, arc = routes.expand(rows.src, rows.dst)
        resource = routes.arc_resource[arc]
        # A transfer that may not take its route never holds a link, nor does one of no length.
        length = script.parts.serialise
        held = (resource >= 0) & np.isfinite(script.parts.total[row]) & (length[row] > 0)
        row, resource = row[held], resource[held]
        depth = np.arange(len(row)) - np.searchsorted(row, row, side="left")
        hops = int(depth.max(initial=-1)) + 1
        by_row = np.full((hops, len(rows.plan) + 1), count)  # the dummy link
        by_row[depth, row] = resource
        own = np.arange(plans) * (count + 1)
        self.cells = [table[script.row] + own for table in by_row]
        self.encode = np.append(script.parts.encode, 0.0)[script.row]
        self.length = np.append(length, 0.0)[script.row]
        self.dummy = own + count
        busiest = int(np.bincount(rows.plan, minlength=1).max(initial=1))
        channels = np.append(np.minimum(routes.resource_channels, max(busiest, 1)), 1)
        width = int(channels.max())
        free = np.where(np.arange(width) < channels[:, None], 0.0, np.inf)
        self.free = np.tile(free, (plans, 1))  # each link's channels by when they are free
        self.begun = np.zeros(len(self.free))
        self.one = width == 1  # where the end of a hold says all

    def send(self, n: int, release: FloatArray) -> FloatArray:
        """When transfers start that may at ``release``; takes their links."""
        wish = release + self.encode[n]
        hold = wish.copy()
        cells = [table[n] for table in self.cells]
        for cell in cells:
            np.maximum(hold, self.free[cell, 0], out=hold)
            if not self.one:
                np.maximum(hold, self.begun[cell], out=hold)
        end = hold + self.length[n]
        for cell in cells:
            if self.one:
                self.free[cell, 0] = end
            else:
                self.free[cell] = _replaced(self.free[cell], end)
                self.begun[cell] = hold
        if cells:
            self.free[self.dummy, 0] = self.begun[self.dummy] = 0.0
        wait = np.zeros(len(wish))
        np.subtract(hold, wish, out=wait, where=hold > wish)
        return release + wait


def _replaced(times: FloatArray, end: FloatArray) -> FloatArray:
    """Sorted rows with their least element replaced by one that is no less, sorted again."""
    # What stays below `end` moves one place to the front.
    following = np.full(times.shape, np.inf)
    following[:, :-1] = times[:, 1:]
    result: FloatArray = np.maximum(times, np.minimum(following, end[:, None]))
    return result
