"""A schedule as a sequence of tasks for each node: exact times, kept up to date move by move.

The disjunctive graph of job-shop scheduling: the task graph, and an arc from each task to the next
one on its node. Heads and tails are longest paths in it. A move of one task changes few of them:
only what the change reaches is worked out again, along a topological order that is mended, not made
anew (Pearce, Kelly 2007).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import inf

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray, IntArray
from offload.compression import fastest_codecs
from offload.features import Goal
from offload.heuristics.copies import may_copy
from offload.heuristics.decisions import Decisions, codecs_of, plan_at
from offload.heuristics.worth import counts_time
from offload.plan import Plan
from offload.tables import TOLERANCE, Tables

__all__ = ["Sequences", "applies"]

_CELLS = 6_000_000  # cells (edges and pairs of nodes, tasks and nodes) up to which all are kept


def applies(tables: Tables, goal: Goal) -> bool:
    """Whether an instance is one of sequences: latency counts, and nodes run one task at a time.

    Energy, cost, risk and traffic may count too, or be limited, where nodes have one mode, items no
    codecs, and no data may be copied. Contended links, groups, deadlines, working memory and split
    tasks are beyond it.
    """
    bounded = bool(np.isfinite(tables.memory_capacity).any())
    return counts_time(tables, goal) and not (
        (goal.metrics != {"latency"} and _chooses(tables))
        or len(tables.routes.resource_channels)
        or tables.problem.graph.groups
        or np.isfinite(tables.deadline).any()
        or (bounded and (tables.memory > 0).any())
        or (tables.node_slots > 1).any()
        or (tables.task_slots > 1).any()
        or tables.divisible.any()
    )


def _chooses(tables: Tables) -> bool:
    """Whether plans choose more than nodes and orders."""
    chosen = tables.modes > 1 or len(tables.item_codecs.values) > 0
    return chosen or bool(may_copy(tables).any())


class Sequences:
    """Tasks in sequence on single-slot nodes, without contended links.

    Parameters
    ----------
    tables
        The cost model; :func:`applies` must say yes.
    decisions
        Where tasks run and in which order. Copies of data are kept as they are; each node runs in
        its fastest mode, and items take the codec that arrives first.

    Attributes
    ----------
    node : list of int, [T]
    lines : list of list of int, [K]
        The tasks of each node in sequence.
    start, finish : list of float, [T]
        Earliest times under the sequences, in seconds.
    path : list of float, [T]
        Execution plus tail: from the start of a task to the end of the schedule, in seconds.
    order, position : list of int, [T]
        A topological order of tasks and sequences together, and each task's place in it.
    length : float
        Latency, in seconds.
    held : float64[K]
        Resident bytes on each node.
    nodes : int32[T]
        ``node`` as an array.
    """

    def __init__(self, tables: Tables, decisions: Decisions) -> None:
        self.tables, self.copies = tables, decisions.copies
        self.count, self.every = tables.tasks, np.arange(tables.nodes)
        src, dst = tables.edge_src.tolist(), tables.edge_dst.tolist()
        self.inputs: list[list[tuple[int, int]]] = [[] for _ in range(self.count)]
        self.outputs: list[list[tuple[int, int]]] = [[] for _ in range(self.count)]
        for e, (i, j) in enumerate(zip(src, dst, strict=True)):
            self.inputs[j].append((i, e))
            self.outputs[i].append((j, e))
        self.incoming = [[e for _, e in ends] for ends in self.inputs]
        self.senders = [[i for i, _ in ends] for ends in self.inputs]
        self.outgoing = [[e for _, e in ends] for ends in self.outputs]
        self.receivers = [[j for j, _ in ends] for ends in self.outputs]
        self.ready_row = self._ready_rows()
        self.never = self._never()
        for row in self.ready_row.values():
            np.minimum(row, self.never, out=row)
        self._execution: FloatArray | None = None
        self._resident: FloatArray | None = None
        if tables.tasks * tables.nodes <= _CELLS:
            tasks = np.arange(self.count)[:, None]
            self._execution = np.array([tables.row(i) for i in range(self.count)])
            self._resident = self._sizes(tasks) + np.zeros(tables.nodes)
        self.delays: FloatArray | None = None
        if tables.edges * tables.nodes**2 <= _CELLS:
            edge = np.arange(tables.edges)[:, None, None]
            self.delays = self.delay_of(edge, self.every[:, None], self.every)
            # A row for each edge and node at one end, a column for each node at the other.
            shape = (tables.edges * tables.nodes, tables.nodes)
            self._from = self.delays.reshape(shape)
            self._to = np.ascontiguousarray(self.delays.transpose(0, 2, 1)).reshape(shape)
        self.room = tables.memory_capacity * (1 + TOLERANCE)
        self.bounded = bool(np.isfinite(self.room).any()) and bool((tables.resident > 0).any())
        self.load(decisions.nodes, decisions.order)

    def _ready_rows(self) -> dict[int, FloatArray]:
        """When each task that reads data or moves may start on each node, its release included."""
        tables, every = self.tables, self.every
        held = tables.home if self.copies is None else tables.home | self.copies
        fetched: dict[int, FloatArray] = {}
        for data in np.unique(tables.reads.values).tolist():
            what = np.full(tables.nodes, data)
            source = tables.fetch(what, every, held[what])
            rule, size = tables.data_rule[data], tables.data_bytes[data]
            cost = tables.transfer(size, np.maximum(source, 0), every, -1, rule).total
            fetched[data] = np.where(source >= 0, cost, inf)
        rows = {}
        for i in np.flatnonzero((tables.reads.lengths > 0) | (tables.at >= 0)).tolist():
            row = np.full(tables.nodes, tables.release[i])
            for data in tables.reads.of(i).tolist():
                np.maximum(row, fetched[data], out=row)
            if tables.at[i] >= 0:
                size, at = tables.move_bytes[i], tables.at[i]
                np.maximum(row, tables.transfer(size, at, every).total, out=row)
            rows[i] = row
        return rows

    def _never(self) -> float:
        """Seconds that stand for a transfer without a route: more than any schedule takes."""
        tables = self.tables
        longest = np.where(np.isfinite(tables.time), tables.time, 0.0).max(axis=1, initial=0.0)
        latency, bandwidth = tables.routes.latency, tables.routes.bandwidth
        fixed = latency[np.isfinite(latency)].max(initial=0.0)
        pace = (1 / bandwidth).max(initial=0.0)
        moved = tables.item_bytes[tables.edge_item].sum() * pace + tables.edges * fixed
        begun = tables.release.max(initial=0.0)
        for row in self.ready_row.values():
            begun = max(begun, row[np.isfinite(row)].max(initial=0.0))
        return float(10 * (begun + longest.sum() + moved)) + 1.0

    def delay_of(
        self, edge: NDArray[np.integer], src: NDArray[np.integer], dst: NDArray[np.integer]
    ) -> FloatArray:
        """Delays of edges between nodes in seconds, with the codec that arrives first."""
        tables = self.tables
        item = tables.edge_item[edge]
        codec = fastest_codecs(tables, item, src, dst)
        size, rule = tables.item_bytes[item], tables.item_rule[item]
        return np.minimum(tables.transfer(size, src, dst, codec, rule).total, self.never)

    def delays_at(
        self, edges: NDArray[np.integer], nodes: NDArray[np.integer], back: bool
    ) -> FloatArray:
        """Delays of edges from a node each to all nodes, or ``back`` to it from all; [N, K]."""
        if self.delays is not None:
            table = self._to if back else self._from
            return table.take(edges * len(self.every) + nodes, 0)
        if back:
            return self.delay_of(edges[:, None], self.every, nodes[:, None])
        return self.delay_of(edges[:, None], nodes[:, None], self.every)

    def ready(self, tasks: Sequence[int]) -> FloatArray:
        """Release and arrivals of what tasks read or are, on each node; float64[M, K]."""
        table = np.repeat(self.tables.release[tasks, None], len(self.every), axis=1)
        if self.ready_row:
            for m, i in enumerate(tasks):
                if i in self.ready_row:
                    table[m] = self.ready_row[i]
        return table

    def execution(self, tasks: Sequence[int]) -> FloatArray:
        """Execution times of tasks on each node, infinite where barred; float64[M, K]."""
        if self._execution is None:
            return np.array([self.tables.row(i) for i in tasks])
        return self._execution[tasks]

    def resident(self, tasks: Sequence[int]) -> FloatArray:
        """Resident bytes of tasks on each node; float64[M, K]."""
        if self._resident is None:
            return self._sizes(np.array(tasks)[:, None]) + np.zeros(len(self.every))
        return self._resident[tasks]

    def _sizes(self, tasks: NDArray[np.integer]) -> FloatArray:
        """Resident bytes on each node, 0 where a task has no size and so may not run."""
        size = self.tables.resident_of(tasks, self.every)
        return np.where(np.isfinite(size), size, 0.0)

    # -- state -----------------------------------------------------------------------------------

    def load(self, nodes: IntArray, order: IntArray) -> None:
        """Take over a placement and a topological order, and time them."""
        tables, tasks = self.tables, np.arange(self.count)
        self.node: list[int] = nodes.tolist()
        self.order: list[int] = order.tolist()
        self.lines: list[list[int]] = [[] for _ in range(tables.nodes)]
        self.position = [0] * self.count
        for q, i in enumerate(self.order):
            self.lines[self.node[i]].append(i)
            self.position[i] = q
        self.before, self.next = [-1] * self.count, [-1] * self.count
        for line in self.lines:
            for i, j in itertools.pairwise(line):
                self.next[i], self.before[j] = j, i
        self.nodes = nodes.astype(np.int32)
        span = tables.execution(tasks, nodes, tables.fastest_mode[nodes])
        self.span: list[float] = span.tolist()
        self.arrive: list[float] = tables.release.tolist()
        for i, row in self.ready_row.items():
            self.arrive[i] = float(row[self.node[i]])
        src, dst = nodes[tables.edge_src], nodes[tables.edge_dst]
        self.delay: list[float] = self.delay_of(np.arange(tables.edges), src, dst).tolist()
        self.held = np.bincount(
            nodes, tables.resident_of(tasks, nodes), minlength=tables.nodes
        ).astype(float)
        self.start, self.finish, self.path = ([0.0] * self.count for _ in range(3))
        self._stale = bytearray(self.count)
        self._times: tuple[FloatArray, FloatArray, FloatArray] | None = None
        self._heads(0, range(self.count))
        self._tails(self.count - 1, range(self.count))

    def over(self, held: FloatArray) -> FloatArray:
        """Bytes above the memory of each node, 0 within the tolerance; as ``held``, [..., K]."""
        over: FloatArray = np.where(held > self.room, held - self.tables.memory_capacity, 0.0)
        return over

    @property
    def excess(self) -> float:
        """Resident bytes above the memory of their nodes, summed."""
        return float(self.over(self.held).sum()) if self.bounded else 0.0

    @property
    def holds(self) -> bool:
        """Whether every transfer has a route and all residents fit."""
        return self.length < self.never and self.excess == 0

    def plan(self) -> Plan:
        """The schedule as a plan."""
        start, finish, _ = self.times
        return plan_at(self.tables, self.nodes.copy(), start, finish, self.copies)

    def decisions(self) -> Decisions:
        """Node of each task and a topological order by start, with modes and codecs."""
        nodes = self.nodes.copy()
        modes, codecs = self.tables.fastest_mode[nodes], codecs_of(self.tables, nodes[None, :])
        packed = None if codecs is None else codecs[0]
        return Decisions(nodes, self.by_start(), modes, packed, self.copies)

    def by_start(self) -> IntArray:
        """The tasks by start, ties in the order kept: topological."""
        return np.lexsort((np.array(self.position), self.times[0])).astype(np.int32)

    @property
    def times(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """``start``, ``finish`` and ``path`` as arrays; float64[T] each."""
        if self._times is None:
            self._times = np.array(self.start), np.array(self.finish), np.array(self.path)
        return self._times

    def critical(self) -> list[int]:
        """All tasks on some longest path, by position in the instance."""
        start, _, path = self.times
        whole = start + path
        found: list[int] = np.flatnonzero(whole >= self.length * (1 - 1e-12)).tolist()
        return found

    # -- times -----------------------------------------------------------------------------------

    def _heads(self, first: int, tasks: list[int] | range) -> None:
        """Finishes of some tasks anew, and of all that follows from them; none before ``first``."""
        finish, arrive, before, following = self.finish, self.arrive, self.before, self.next
        start = self.start
        delay, inputs, outputs, span = self.delay, self.inputs, self.outputs, self.span
        stale, self._times = self._stale, None
        for i in tasks:
            stale[i] = 1
        for i in self.order[first:]:
            if not stale[i]:
                continue
            stale[i] = 0
            end, j = arrive[i], before[i]
            if j >= 0 and finish[j] > end:
                end = finish[j]
            for j, e in inputs[i]:
                t = finish[j] + delay[e]
                if t > end:
                    end = t
            start[i] = end
            end += span[i]
            if end != finish[i]:
                finish[i] = end
                for j, _ in outputs[i]:
                    stale[j] = 1
                j = following[i]
                if j >= 0:
                    stale[j] = 1
        self.length = max(finish, default=0.0)

    def _tails(self, last: int, tasks: list[int] | range) -> None:
        """Paths of some tasks anew, and of all that lead to them; none after ``last``."""
        path, before, following = self.path, self.before, self.next
        delay, inputs, outputs, span = self.delay, self.inputs, self.outputs, self.span
        stale = self._stale
        for i in tasks:
            stale[i] = 1
        for i in self.order[last::-1]:
            if not stale[i]:
                continue
            stale[i] = 0
            j = following[i]
            tail = path[j] if j >= 0 else 0.0
            for j, e in outputs[i]:
                t = path[j] + delay[e]
                if t > tail:
                    tail = t
            tail += span[i]
            if tail != path[i]:
                path[i] = tail
                for j, _ in inputs[i]:
                    stale[j] = 1
                j = before[i]
                if j >= 0:
                    stale[j] = 1

    # -- moves -----------------------------------------------------------------------------------

    def move(self, task: int, node: int, place: int) -> bool:
        """Move a task to a place in a node's sequence (counted once it is taken out).

        False, and nothing changed, if that would close a cycle.
        """
        origin = self.node[task]
        line = self.lines[origin]
        home = line.index(task)
        u, w = self.before[task], self.next[task]
        self._unlink(task, u, w)
        line.pop(home)
        target = self.lines[node]
        a = target[place - 1] if place else -1
        b = target[place] if place < len(target) else -1
        if not self._mend_order(task, a, b):
            line.insert(home, task)
            self._link(task, u, w)
            return False
        target.insert(place, task)
        self._link(task, a, b)
        heads = [i for i in (task, w, b) if i >= 0]
        tails = [i for i in (task, u, a) if i >= 0]
        if node != origin:
            self._rehome(task, node)
            heads += self.receivers[task]
            tails += self.senders[task]
        self._heads(min(self.position[i] for i in heads), heads)
        self._tails(max(self.position[i] for i in tails), tails)
        return True

    def _unlink(self, task: int, before: int, after: int) -> None:
        if before >= 0:
            self.next[before] = after
        if after >= 0:
            self.before[after] = before
        self.before[task] = self.next[task] = -1

    def _link(self, task: int, before: int, after: int) -> None:
        self.before[task], self.next[task] = before, after
        if before >= 0:
            self.next[before] = task
        if after >= 0:
            self.before[after] = task

    def _mend_order(self, task: int, before: int, after: int) -> bool:
        """Make the order topological for a task between two others; false if that cannot be.

        Only the stretch between the ends that stand the wrong way round changes: what follows from
        the earlier one goes behind the rest.
        """
        position, order = self.position, self.order
        first = last = position[task]
        root, end = task, before
        if after >= 0 and position[after] < first:
            first, root, end = position[after], after, task
        elif before >= 0 and position[before] > last:
            last = position[before]
        else:
            return True
        moved, kept, reached = [], [], {root}
        outputs, following = self.outputs, self.next
        for i in order[first : last + 1]:
            if i not in reached:
                kept.append(i)
                continue
            moved.append(i)
            for j, _ in outputs[i]:
                reached.add(j)
            reached.add(following[i])
        if end in reached:
            return False
        order[first : last + 1] = kept + moved
        for q in range(first, last + 1):
            position[order[q]] = q
        return True

    def _rehome(self, task: int, node: int) -> None:
        """Execution, arrivals and delays of a task on another node."""
        nodes = self.node
        if self.bounded:
            for k in (nodes[task], node):  # summed anew: differences would leave a rest
                self.held[k] = self._residents(k)
        nodes[task] = self.nodes[task] = node
        span = self.tables.row(task) if self._execution is None else self._execution[task]
        self.span[task] = float(span[node])
        if task in self.ready_row:
            self.arrive[task] = float(self.ready_row[task][node])
        for j, e in self.inputs[task]:
            self.delay[e] = self._one_delay(e, nodes[j], node)
        for j, e in self.outputs[task]:
            self.delay[e] = self._one_delay(e, node, nodes[j])

    def _residents(self, node: int) -> float:
        line = np.array(self.lines[node], np.intp)
        if self._resident is None:
            return float(self.tables.resident_of(line, node).sum())
        return float(self._resident[line, node].sum())

    def _one_delay(self, edge: int, src: int, dst: int) -> float:
        if src == dst:
            return 0.0
        if self.delays is not None:
            return float(self.delays[edge, src, dst])
        return float(self.delay_of(np.array([edge]), np.array([src]), np.array([dst]))[0])
