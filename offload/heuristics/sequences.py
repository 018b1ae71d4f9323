"""A schedule as a sequence of tasks for each node: exact times, and what a move would change.

The disjunctive graph of job-shop scheduling: the task graph, and an arc from each task to the next
one on its node. Heads and tails are longest paths in it, so that a task moved elsewhere can be
judged without timing the whole schedule again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray, IntArray
from offload.bounds import fastest
from offload.compression import fastest_codecs
from offload.heuristics.decisions import Decisions, topological_order
from offload.tables import TOLERANCE, Tables

__all__ = ["Move", "Sequences"]

_CELLS = 6_000_000  # edge and pair-of-nodes cells up to which all delays are kept


class Move(NamedTuple):
    """A task, the node and the place in its sequence to which it goes, and what to expect."""

    value: float  # longest path through the task after the move, as far as known; seconds
    task: int
    node: int
    place: int  # position in the node's sequence once the task is taken out


class Sequences:
    """Tasks in sequence on single-slot nodes, without contended links.

    Parameters
    ----------
    tables
        The cost model.
    decisions
        Where tasks run and in which order; copies of data are kept as they are.

    Attributes
    ----------
    start, finish : list of float, [T]
        Earliest times under the sequences, in seconds.
    path : list of float, [T]
        Execution plus tail: from the start of a task to the end of the schedule.
    length : float
        Latency, in seconds.
    """

    def __init__(self, tables: Tables, decisions: Decisions) -> None:
        self.tables = tables
        self.copies = decisions.copies
        self.count = tables.tasks
        self.rng_nodes = np.arange(tables.nodes)
        self.execution = fastest(tables)
        self.ready = self._ready_table()
        src, dst = tables.edge_src.tolist(), tables.edge_dst.tolist()
        self.src, self.dst = src, dst
        self.after: list[list[tuple[int, int]]] = [[] for _ in range(self.count)]
        for e in range(tables.edges):
            self.after[src[e]].append((dst[e], e))
        self.indegree = tables.incoming.lengths.tolist()
        self.delays: FloatArray | None = None
        if tables.edges * tables.nodes**2 <= _CELLS:
            edge = np.arange(tables.edges)[:, None, None]
            self.delays = self._delay(edge, self.rng_nodes[:, None], self.rng_nodes)
        self.room = tables.memory_capacity * (1 + TOLERANCE)
        self.bounded = bool(np.isfinite(self.room).any()) and bool((tables.resident > 0).any())
        self._profiles: dict[int, tuple[list[int], list[float], list[float]]] = {}
        self.load(decisions.nodes, decisions.order)

    def _ready_table(self) -> FloatArray:
        """When each task may start on each node but for the tasks before it; float64[T, K]."""
        tables, every = self.tables, self.rng_nodes
        ready = np.repeat(tables.release[:, None], tables.nodes, axis=1)
        held = tables.home if self.copies is None else tables.home | self.copies
        for data in np.unique(tables.reads.values).tolist():
            what = np.full(tables.nodes, data)
            source = tables.fetch(what, every, held[what])
            cost = tables.transfer(
                tables.data_bytes[data], np.maximum(source, 0), every, -1, tables.data_rule[data]
            ).total
            cost = np.where(source >= 0, cost, inf)
            readers = np.repeat(np.arange(self.count), tables.reads.lengths)
            readers = readers[tables.reads.values == data]
            ready[readers] = np.maximum(ready[readers], cost)
        moved = np.flatnonzero(tables.at >= 0)
        move = tables.transfer(tables.move_bytes[moved, None], tables.at[moved, None], every).total
        ready[moved] = np.maximum(ready[moved], move)
        return ready

    def _delay(self, edge: NDArray[np.integer], src: IntArray, dst: IntArray) -> FloatArray:
        tables = self.tables
        item = tables.edge_item[edge]
        codec = fastest_codecs(tables, item, src, dst)
        size, rule = tables.item_bytes[item], tables.item_rule[item]
        return tables.transfer(size, src, dst, codec, rule).total

    # -- state -----------------------------------------------------------------------------------

    def load(self, nodes: IntArray, order: IntArray) -> None:
        """Take over a placement and an order, and time them."""
        self.node: list[int] = nodes.tolist()
        self.lines: list[list[int]] = [[] for _ in range(self.tables.nodes)]
        for i in order.tolist():
            self.lines[self.node[i]].append(i)
        self.before, self.next = [-1] * self.count, [-1] * self.count
        for line in self.lines:
            for i, j in zip(line, line[1:], strict=False):
                self.next[i], self.before[j] = j, i
        tasks = np.arange(self.count)
        self.length_of: list[float] = self.execution[tasks, nodes].tolist()
        self.arrive: list[float] = self.ready[tasks, nodes].tolist()
        src, dst = nodes[self.tables.edge_src], nodes[self.tables.edge_dst]
        self.delay: list[float] = self._delay(np.arange(self.tables.edges), src, dst).tolist()
        if self.bounded:
            held = self.tables.resident_of(tasks, nodes)
            self.held = np.bincount(nodes, held, minlength=self.tables.nodes)
        self.time()

    def time(self) -> bool:
        """Heads and tails of all tasks; false if the sequences contradict the task graph."""
        before, following, after, delay = self.before, self.next, self.after, self.delay
        span = self.length_of
        arrive = self.arrive[:]
        waits = [n + (m >= 0) for n, m in zip(self.indegree, before, strict=True)]
        order = [i for i, n in enumerate(waits) if not n]
        start, finish = [0.0] * self.count, [0.0] * self.count
        for i in order:
            begin, m = arrive[i], before[i]
            if m >= 0 and finish[m] > begin:
                begin = finish[m]
            start[i] = begin
            finish[i] = end = begin + span[i]
            for j, e in after[i]:
                t = end + delay[e]
                if t > arrive[j]:
                    arrive[j] = t
                waits[j] -= 1
                if not waits[j]:
                    order.append(j)
            j = following[i]
            if j >= 0:
                waits[j] -= 1
                if not waits[j]:
                    order.append(j)
        if len(order) < self.count:
            return False
        path = [0.0] * self.count
        for i in reversed(order):
            j = following[i]
            tail = path[j] if j >= 0 else 0.0
            for j, e in after[i]:
                t = delay[e] + path[j]
                if t > tail:
                    tail = t
            path[i] = span[i] + tail
        self.order, self.start, self.finish = order, start, finish
        self.path, self.arrived = path, arrive
        self.length = max(finish, default=0.0)
        return True

    def decisions(self) -> tuple[IntArray, IntArray]:
        """Node of each task and a topological order by start, both int32[T]."""
        order = topological_order(self.tables.problem, np.array(self.start))
        return np.array(self.node, np.int32), order

    def critical_path(self) -> list[int]:
        """Tasks on one longest path, first to last."""
        slack = 1e-12 * self.length
        at = next(
            i
            for i in self.order
            if self.start[i] + self.path[i] >= self.length - slack
            and self.start[i] <= self.arrive[i] + slack
        )
        found = [at]
        while True:
            end = self.finish[at]
            rest = self.length - slack - end
            step = -1
            j = self.next[at]
            if j >= 0 and self.path[j] >= rest:
                step = j
            else:
                for j, e in self.after[at]:
                    if self.delay[e] + self.path[j] >= rest:
                        step = j
                        break
            if step < 0:
                return found
            found.append(step)
            at = step

    # -- moves -----------------------------------------------------------------------------------

    def estimates(self, tasks: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
        """Head and tail of tasks on each node if nothing else ran there; float64[N, K] each.

        Mastrolilli, Gambardella 2000, section 4, with delays that depend on the nodes.
        """
        tables, every = self.tables, self.rng_nodes
        head = self.ready[tasks]
        node = np.array(self.node)
        owner, edge = tables.incoming.gather(tasks)
        if len(edge):
            sender = tables.edge_src[edge]
            if self.delays is None:
                moved = self._delay(edge[:, None], node[sender][:, None], every)
            else:
                moved = self.delays[edge, node[sender]]
            finish = np.array(self.finish)
            _at_most(head, owner, finish[sender][:, None] + moved)
        tail = np.zeros(head.shape)
        owner, edge = tables.outgoing.gather(tasks)
        if len(edge):
            reader = tables.edge_dst[edge]
            if self.delays is None:
                moved = self._delay(edge[:, None], every, node[reader][:, None])
            else:
                moved = self.delays[edge, :, node[reader]]
            path = np.array(self.path)
            _at_most(tail, owner, path[reader][:, None] + moved)
        return head, tail

    def places(self, task: int, node: int, head: float, tail: float) -> list[tuple[float, int]]:
        """Where a task may go in a node's sequence, with the longest path through it there.

        Before all that finish late and have short tails, after all that have long tails and
        finish early; between them every place keeps the graph free of cycles (Mastrolilli,
        Gambardella 2000, theorem 1). Without any conflict there is one place.
        """
        span = float(self.execution[task, node])
        if self.node[task] == node:
            line, done, path, home = self._without(task)
        else:
            line, done, path, home = *self._profile(node), -1
        first = bisect_right(done, head)
        last = bisect_left(path, -tail)
        if first >= last:
            return [(head + span + tail, first)] if first != home else []
        found = []
        for place in range(first, last + 1):
            if place == home:
                continue
            begin = head if place == first else max(head, done[place - 1])
            rest = tail if place == last else max(tail, -path[place])
            found.append((begin + span + rest, place))
        return found

    def _profile(self, node: int) -> tuple[list[int], list[float], list[float]]:
        """A node's sequence, its finishes and its negated paths; both rise."""
        known = self._profiles.get(node)
        if known is None:
            line, finish, path = self.lines[node], self.finish, self.path
            known = line, [finish[i] for i in line], [-path[i] for i in line]
            self._profiles[node] = known
        return known

    def _without(self, task: int) -> tuple[list[int], list[float], list[float], int]:
        """The profile of a task's own node once it is taken out, and where it was."""
        line = self.lines[self.node[task]]
        home = line.index(task)
        rest = line[:home] + line[home + 1 :]
        done = [self.finish[i] for i in rest]
        path = [-self.path[i] for i in rest]
        end = done[home - 1] if home else 0.0
        for x in range(home, len(rest)):
            i = rest[x]
            end = max(self.arrived[i], end) + self.length_of[i]
            if end >= done[x]:
                break
            done[x] = end
        tail = -path[home] if home < len(rest) else 0.0
        for x in range(home - 1, -1, -1):
            i = rest[x]
            for j, e in self.after[i]:
                tail = max(tail, self.delay[e] + self.path[j])
            tail += self.length_of[i]
            if tail >= -path[x]:
                break
            path[x] = -tail
        return rest, done, path, home

    def apply(self, move: Move) -> bool:
        """Make a move and time the schedule; undone, and false, if it closes a cycle."""
        task, origin = move.task, self.node[move.task]
        place = self.lines[origin].index(task)
        self._relocate(task, move.node, move.place)
        if self.time():
            return True
        self._relocate(task, origin, place)
        self.time()
        return False

    def _relocate(self, task: int, node: int, place: int) -> None:
        origin = self.node[task]
        u, w = self.before[task], self.next[task]
        if u >= 0:
            self.next[u] = w
        if w >= 0:
            self.before[w] = u
        self.lines[origin].remove(task)
        line = self.lines[node]
        line.insert(place, task)
        u = line[place - 1] if place else -1
        w = line[place + 1] if place + 1 < len(line) else -1
        self.before[task], self.next[task] = u, w
        if u >= 0:
            self.next[u] = task
        if w >= 0:
            self.before[w] = task
        self._profiles = {}
        if node != origin:
            self._rehome(task, node)

    def _rehome(self, task: int, node: int) -> None:
        """Execution, arrivals and delays of a task on another node."""
        tables = self.tables
        if self.bounded:
            self.held[self.node[task]] -= tables.resident_of(task, self.node[task])
            self.held[node] += tables.resident_of(task, node)
        self.node[task] = node
        self.length_of[task] = float(self.execution[task, node])
        self.arrive[task] = float(self.ready[task, node])
        for e in (*tables.incoming.of(task).tolist(), *tables.outgoing.of(task).tolist()):
            k, l = self.node[self.src[e]], self.node[self.dst[e]]
            if k == l:
                self.delay[e] = 0.0
            elif self.delays is not None:
                self.delay[e] = float(self.delays[e, k, l])
            else:
                self.delay[e] = float(self._delay(np.array([e]), np.array([k]), np.array([l]))[0])

    def open_to(self, tasks: NDArray[np.int64]) -> BoolArray:
        """Whether the memory of each node has room for tasks besides what it holds; bool[N, K]."""
        if not self.bounded:
            return np.ones((len(tasks), self.tables.nodes), bool)
        need = self.tables.resident_of(tasks[:, None], self.rng_nodes)
        need = need + self.tables.memory_of(tasks[:, None], self.rng_nodes)
        fits: BoolArray = self.held + need <= self.room
        fits[np.arange(len(tasks)), np.array(self.node)[tasks]] = True
        return fits


def _at_most(table: FloatArray, owner: NDArray[np.int64], rows: FloatArray) -> None:
    """Raise each row of a table to the largest of the rows that it owns; owners are sorted."""
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    own = owner[first]
    table[own] = np.maximum(table[own], np.maximum.reduceat(rows, first, axis=0))
