"""What waits for what in a plan: its tasks and transfers, with their orders on nodes and links.

An event is a part of a task, or a transfer; it moves as one piece, and its time is its start. An
arc from event u to event v with a lag says that v starts no earlier than u's start plus the lag.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray
from offload.plan import Plan
from offload.tables import TOLERANCE, Lists
from offload.transfers import EDGE
from offload.validation import topological_order

__all__ = ["EventGraph", "Holds"]

Integers = NDArray[np.int64]


class _Arcs(NamedTuple):
    """Arcs of one kind, one row each."""

    src: Integers
    dst: Integers
    lag: FloatArray


class Holds(NamedTuple):
    """When events hold something: their numbers, and begin and end of each hold (s)."""

    event: Integers
    begin: FloatArray
    end: FloatArray


class EventGraph:
    """The events of one plan, P parts of tasks first and then X transfers, and arcs between them.

    Attributes
    ----------
    start, length : float64[P + X]
        Start of each event, and how long it takes, in seconds.
    least : float64[P + X]
        Start at the earliest apart from any arc: the release of a task, 0.
    src, dst, lag : [A]
        The arcs: inputs (where data or a predecessor is awaited), then orders.
    inputs : int
        How many of the arcs are inputs.
    on_node, on_link : dict of int to Holds
        What runs on each node, and what holds each set of channels, for any time at all.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        tables, parts, rows = plan.problem.tables, plan.parts, plan.transfers
        self.parts, self.transfers = len(parts.task), len(rows.kind)
        self.near = TOLERANCE * plan.metrics["latency"]
        self.times = tables.transfer(rows.size, rows.src, rows.dst, rows.codec)
        self.start = np.concatenate([parts.start, rows.start])
        with np.errstate(invalid="ignore"):  # a plan from a file may never end
            self.length = np.concatenate([parts.finish - parts.start, rows.finish - rows.start])
        self.least = np.concatenate([tables.release[parts.task], np.zeros(self.transfers)])
        self.on_node = self._runs()
        self.on_link = self._holds()
        groups = [self._arrivals(), self._local(), self._sources()]
        self.inputs = sum(len(group.src) for group in groups)
        groups += self._orders()
        self.src, self.dst = (np.concatenate([g[n] for g in groups]) for n in (0, 1))
        self.lag = np.concatenate([group.lag for group in groups])
        self.incoming = Lists.group(self.dst, self.parts + self.transfers)

    # -- arcs --------------------------------------------------------------------------------------

    def _arrivals(self) -> _Arcs:
        """From each transfer to the parts that wait for it."""
        plan = self.plan
        owner, task = plan.waiting.gather(np.arange(self.transfers))
        part = self._part_at(task, plan.transfers.dst[owner])
        fine = part >= 0
        src = self.parts + owner[fine]
        return _Arcs(src, part[fine], self.length[src])

    def _local(self) -> _Arcs:
        """From each part to the parts of its successors on the same node."""
        tables, parts = self.plan.problem.tables, self.plan.parts
        owner, edge = tables.incoming.gather(parts.task)
        sender = self._part_at(tables.edge_src[edge], parts.node[owner])
        fine = sender >= 0
        return _Arcs(sender[fine], owner[fine], self.length[sender[fine]])

    def _sources(self) -> _Arcs:
        """From each part to the transfers that carry what it made."""
        tables, rows = self.plan.problem.tables, self.plan.transfers
        sent = np.flatnonzero(rows.kind == EDGE)
        part = self._part_at(tables.item_src[rows.ref[sent]], rows.src[sent])
        fine = part >= 0
        return _Arcs(part[fine], self.parts + sent[fine], self.length[part[fine]])

    def _part_at(self, task: NDArray[np.integer], node: NDArray[np.integer]) -> Integers:
        """The part of each task on a node, -1 for none."""
        tables, parts = self.plan.problem.tables, self.plan.parts
        cell = parts.task.astype(np.int64) * tables.nodes + parts.node
        if not len(cell):
            return np.full(len(task), -1, np.int64)
        order = np.argsort(cell, kind="stable")
        wanted = task.astype(np.int64) * tables.nodes + node
        found = order[np.minimum(np.searchsorted(cell, wanted, sorter=order), len(cell) - 1)]
        return np.asarray(np.where(cell[found] == wanted, found, -1), np.int64)

    # -- orders ------------------------------------------------------------------------------------

    def _runs(self) -> dict[int, Holds]:
        """What runs on each node."""
        parts = self.plan.parts
        busy = np.flatnonzero(self.length[: self.parts] > 0)
        by_node = Lists.group(parts.node[busy], self.plan.problem.tables.nodes)
        found = {}
        for k in np.unique(parts.node[busy]).tolist():
            event = busy[by_node.of(k)]
            found[k] = Holds(event, parts.start[event], parts.finish[event])
        return found

    def _holds(self) -> dict[int, Holds]:
        """What holds each set of channels."""
        rows, routes = self.plan.transfers, self.plan.problem.tables.routes
        row, arc = routes.expand(rows.src, rows.dst)
        resource = routes.arc_resource[arc]
        holding = (resource >= 0) & (self.times.serialise[row] > 0)
        pairs = np.unique(np.stack([resource[holding], row[holding]]), axis=1)
        begin = rows.start + self.times.encode
        found = {}
        for q in np.unique(pairs[0]).tolist():
            held = pairs[1][pairs[0] == q].astype(np.int64)
            found[q] = Holds(
                self.parts + held, begin[held], begin[held] + self.times.serialise[held]
            )
        return found

    def _orders(self) -> list[_Arcs]:
        """What goes before what where not all fits at once: on nodes, then on links."""
        tables = self.plan.problem.tables
        found = [
            self._order(held) for k, held in self.on_node.items() if not self._all_fits(k, held)
        ]
        channels = tables.routes.resource_channels
        found += [self._order(h) for q, h in self.on_link.items() if len(h.event) > channels[q]]
        return found

    def _all_fits(self, node: int, held: Holds) -> bool:
        """Whether all tasks of a node could run at once."""
        tables, parts = self.plan.problem.tables, self.plan.parts
        slots = int(tables.task_slots[parts.task[held.event]].sum())
        here = np.flatnonzero(parts.node == node)
        fraction, task = parts.fraction[here], parts.task[here]
        size = fraction * (tables.resident_of(task, node) + tables.memory_of(task, node))
        room = tables.memory_capacity[node] * (1 + TOLERANCE)
        return slots <= int(tables.node_slots[node]) and float(size.sum()) <= float(room)

    def _order(self, held: Holds) -> _Arcs:
        """Arcs between holds that do not overlap, without those that follow from others.

        A hold waits for all that end by its begin. Of these, let the one that begins last begin at
        m: what ended by m comes before that one already. The rest share the moment m, so there
        are never more of them than slots or channels.
        """
        lasting = held.end - held.begin > 2 * self.near  # as the checker has it, the rest is none
        event, begin, end = held.event[lasting], held.begin[lasting], held.end[lasting]
        by_end = np.argsort(end, kind="stable")
        ends, latest = end[by_end], np.maximum.accumulate(begin[by_end])
        ended = np.searchsorted(ends, begin + self.near, side="right")
        src, dst = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for v in np.flatnonzero(ended).tolist():
            first = np.searchsorted(ends, latest[ended[v] - 1] + self.near, side="right")
            src.append(by_end[first : ended[v]])
            dst.append(np.full(len(src[-1]), v))
        one, other = np.concatenate(src), np.concatenate(dst)
        # From start to start: a transfer begins its hold only when it is encoded.
        ahead = begin - self.start[event]
        lag = (end - self.start[event])[one] - ahead[other]
        return _Arcs(event[one], event[other], lag)

    # -- times -------------------------------------------------------------------------------------

    def order(self) -> list[int]:
        """The events in an order that the arcs allow."""
        return topological_order(self.parts + self.transfers, self.src, self.dst)[0]
