"""Every timetable of a plan's decisions in which transfers may have to wait for each other.

Decoding sends transfers in the order of their readers. Here every order of all that begins - tasks,
and transfers that hold a link - is tried, each as early as what began before it permits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.tables import TOLERANCE, Tables
from offload.transfers import EDGE, Required, durations

__all__ = ["MOST_HELD", "Timetable", "held_links", "timetables"]

MOST_HELD = 5  # transfers that hold a link in one plan


class Timetable(NamedTuple):
    """Start and finish of tasks [T], and starts of transfers [X]."""

    start: tuple[float, ...]
    finish: tuple[float, ...]
    sent: tuple[float, ...]


def held_links(tables: Tables, required: Required) -> list[list[int]]:
    """For each transfer, the channel sets that it holds for some time."""
    rows, routes = required.rows, tables.routes
    serialise = durations(tables, rows).serialise
    found: list[list[int]] = [[] for _ in rows.kind]
    for x, arc in zip(*routes.expand(rows.src, rows.dst), strict=True):
        q = int(routes.arc_resource[arc])
        if q >= 0 and serialise[x] > 0 and q not in found[x]:
            found[x].append(q)
    return found


def timetables(
    tables: Tables, nodes: NDArray[np.int64], modes: NDArray[np.int64], required: Required
) -> list[Timetable]:
    """All timetables in which nothing waits that could begin, one or more optimal ones by any goal.

    Take an optimal plan, and let all that begins do so in the order in which it does there, as
    early as can be: nothing gets later. Repeated until nothing changes, this leaves a plan whose
    own order leads to it; only such are looked for.
    """
    return list(dict.fromkeys(_Search(tables, nodes, modes, required).all()))


class _Search:
    def __init__(
        self, tables: Tables, nodes: NDArray[np.int64], modes: NDArray[np.int64], required: Required
    ) -> None:
        rows, members = required
        self.tasks, self.count = tables.tasks, len(rows.kind)
        task = np.arange(tables.tasks)
        self.node: list[int] = nodes.tolist()
        self.length: list[float] = tables.execution(task, nodes, modes).tolist()
        self.slots, self.memory = tables.task_slots.tolist(), tables.memory_of(task, nodes).tolist()
        self.release: list[float] = tables.release.tolist()
        self.slots_of = tables.node_slots.tolist()
        self.room = tables.memory_capacity * (1 + TOLERANCE)
        np.subtract.at(self.room, nodes, tables.resident_of(task, nodes))
        self.channels = tables.routes.resource_channels.tolist()
        parts = durations(tables, rows)
        self.encode, self.hold = parts.encode.tolist(), parts.serialise.tolist()
        self.total: list[float] = parts.total.tolist()
        self.links = held_links(tables, required)
        self.held = [x for x in range(self.count) if self.links[x]]
        self.source = [
            int(tables.item_src[ref]) if kind == EDGE else -1
            for kind, ref in zip(rows.kind, rows.ref, strict=True)
        ]
        self.inputs: list[list[int]] = [[] for _ in task]
        for x in range(self.count):
            for member in members.of(x).tolist():
                reader = int(tables.edge_dst[member]) if rows.kind[x] == EDGE else member
                self.inputs[reader].append(x)
        self.senders = [tables.edge_src[tables.incoming.of(j)].tolist() for j in task]
        self.start, self.finish = [-1.0] * self.tasks, [-1.0] * self.tasks
        self.sent = [-1.0] * self.count
        self.on_node: list[list[int]] = [[] for _ in self.slots_of]
        self.on_link: list[list[int]] = [[] for _ in self.channels]

    def all(self, last: float = 0.0) -> Iterator[Timetable]:
        """All that follows from what has begun, the last of it at a moment."""
        waiting = [i for i in range(self.tasks) if self.start[i] < 0]
        sending = [x for x in self.held if self.sent[x] < 0]
        if not waiting and not sending:
            sent = [self.sent[x] if self.links[x] else self._given(x) for x in range(self.count)]
            yield Timetable(tuple(self.start), tuple(self.finish), tuple(sent))
            return
        slack = 1e-9 * last
        for i in waiting:
            if all(self.finish[s] >= 0 for s in self.senders[i]) and not any(
                x in sending for x in self.inputs[i]
            ):
                moment = self._task_moment(i)
                if moment >= last - slack:
                    yield from self._begin_task(i, moment, last)
        for x in sending:
            if self.source[x] < 0 or self.finish[self.source[x]] >= 0:
                moment = self._hold_moment(x)
                if moment >= last - slack:
                    yield from self._begin_hold(x, moment, last)

    def _given(self, x: int) -> float:
        return self.finish[self.source[x]] if self.source[x] >= 0 else 0.0

    # -- tasks -----------------------------------------------------------------------------------

    def _task_moment(self, i: int) -> float:
        """When a task can start."""
        ready = self.release[i]
        for x in self.inputs[i]:
            sent = self.sent[x] if self.links[x] else self._given(x)
            ready = max(ready, sent + self.total[x])
        k = self.node[i]
        ready = max([ready, *(self.finish[s] for s in self.senders[i] if self.node[s] == k)])
        if not self.length[i] > 0:
            return ready
        beside = self.on_node[k]
        ready = max([ready, *(self.start[j] for j in beside)])
        moments = [ready, *sorted(self.finish[j] for j in beside if self.finish[j] > ready)]
        return next(moment for moment in moments if self._fits(i, moment))

    def _fits(self, i: int, moment: float) -> bool:
        k = self.node[i]
        running = [j for j in self.on_node[k] if self.finish[j] > moment] + [i]
        slots, memory = (sum(size[j] for j in running) for size in (self.slots, self.memory))
        return bool(slots <= self.slots_of[k] and memory <= self.room[k])

    def _begin_task(self, i: int, moment: float, last: float) -> Iterator[Timetable]:
        k = self.node[i]
        self.start[i], self.finish[i] = moment, moment + self.length[i]
        if self.length[i] > 0:
            self.on_node[k].append(i)
        yield from self.all(max(last, moment))
        if self.length[i] > 0:
            self.on_node[k].pop()
        self.start[i] = self.finish[i] = -1.0

    # -- transfers -------------------------------------------------------------------------------

    def _hold_moment(self, x: int) -> float:
        """When a transfer can begin to hold its links."""
        ready = self._given(x) + self.encode[x]
        moments = [ready]
        for q in self.links[x]:
            for y in self.on_link[q]:
                begin = self.sent[y] + self.encode[y]
                ready = max(ready, begin)
                moments.append(begin + self.hold[y])
        moments = [ready, *sorted(moment for moment in moments if moment > ready)]
        return next(moment for moment in moments if self._free(x, moment))

    def _free(self, x: int, moment: float) -> bool:
        return all(
            sum(self.sent[y] + self.encode[y] + self.hold[y] > moment for y in self.on_link[q])
            < self.channels[q]
            for q in self.links[x]
        )

    def _begin_hold(self, x: int, moment: float, last: float) -> Iterator[Timetable]:
        given = self._given(x)
        waited = moment > given + self.encode[x]
        self.sent[x] = moment - self.encode[x] if waited else given
        for q in self.links[x]:
            self.on_link[q].append(x)
        yield from self.all(max(last, moment))
        for q in self.links[x]:
            self.on_link[q].pop()
        self.sent[x] = -1.0
