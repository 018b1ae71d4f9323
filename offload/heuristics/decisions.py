"""What a search decides: where each task runs, in which order, how, and what is copied where."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray, IntArray
from offload.compression import fastest_codecs
from offload.evaluator import Evaluation, evaluate
from offload.plan import Plan
from offload.problem import Problem
from offload.tables import Tables
from offload.transfers import EDGE, durations, required_transfers, timed_without_contention

__all__ = ["Decisions", "codecs_of", "decide", "plan_at", "topological_order"]


class Decisions(NamedTuple):
    """One plan's decisions; :func:`offload.evaluate` turns them into times.

    ``nodes``, ``order`` and ``modes`` are int32[T], ``codecs`` int32[E] or ``None`` where no edge
    offers one, ``copies`` bool[D, K] or ``None`` where nothing may be copied.
    """

    nodes: IntArray
    order: IntArray
    modes: IntArray
    codecs: IntArray | None
    copies: BoolArray | None

    def one(self, number: int) -> Decisions:
        """The decisions of one plan, where the arrays have a leading axis of several."""
        return Decisions(
            self.nodes[number], self.order[number], self.modes[number],
            None if self.codecs is None else self.codecs[number],
            None if self.copies is None else self.copies[number],
        )  # fmt: skip

    def repeated(self, count: int) -> Decisions:
        """Copies of one plan's decisions: the arrays get a leading axis of ``count``."""
        nodes, order, modes = (
            np.repeat(part[None], count, axis=0) for part in (self.nodes, self.order, self.modes)
        )
        codecs = None if self.codecs is None else np.repeat(self.codecs[None], count, axis=0)
        copies = None if self.copies is None else np.repeat(self.copies[None], count, axis=0)
        return Decisions(nodes, order, modes, codecs, copies)

    def evaluate(self, problem: Problem, limits: dict[str, float] | None = None) -> Evaluation:
        """Times and metrics of this one plan."""
        return evaluate(
            problem, self.nodes, self.order, self.modes, self.codecs, self.copies, limits
        )


def decide(plan: Plan) -> Decisions:
    """The decisions behind a plan without split tasks, its tasks in order of their starts.

    Decoded again they need not give the same times: a gap that the plan filled may stay empty.
    """
    problem, tables = plan.problem, plan.problem.tables
    start, mode = np.zeros(tables.tasks), np.zeros(tables.tasks, np.int32)
    start[plan.parts.task], mode[plan.parts.task] = plan.parts.start, plan.parts.mode
    nodes = plan.nodes
    codecs = None
    if len(tables.item_codecs.values):
        chosen = np.full((tables.items, tables.nodes), -1, np.int32)
        rows = np.flatnonzero(plan.transfers.kind == EDGE)
        chosen[plan.transfers.ref[rows], plan.transfers.dst[rows]] = plan.transfers.codec[rows]
        codecs = chosen[tables.edge_item, nodes[tables.edge_dst]]
    copies = None
    if len(plan.copies.data):
        copies = np.zeros((len(tables.data_ids), tables.nodes), bool)
        copies[plan.copies.data, plan.copies.node] = True
    return Decisions(nodes, topological_order(problem, start), mode, codecs, copies)


def topological_order(problem: Problem, key: NDArray[np.number]) -> IntArray:
    """A topological order of the tasks by a rising key; ties in the instance's own order."""
    tables = problem.tables
    place = np.empty(tables.tasks, np.int64)
    place[tables.topological] = np.arange(tables.tasks)
    order = np.lexsort((place, key))
    rank = np.empty(tables.tasks, np.int64)
    rank[order] = np.arange(tables.tasks)
    if (rank[tables.edge_src] < rank[tables.edge_dst]).all():
        return order.astype(np.int32)
    waiting = tables.incoming.lengths.tolist()
    heap = [int(rank[i]) for i in range(tables.tasks) if not waiting[i]]
    heapq.heapify(heap)
    found: list[int] = []
    while heap:
        i = int(order[heapq.heappop(heap)])
        found.append(i)
        for j in tables.edge_dst[tables.outgoing.of(i)].tolist():
            waiting[j] -= 1
            if not waiting[j]:
                heapq.heappush(heap, int(rank[j]))
    return np.array(found, np.int32)


def codecs_of(tables: Tables, nodes: IntArray) -> IntArray | None:
    """The codec of each edge that is fastest between its nodes; int32[B, E], or ``None``."""
    if not len(tables.item_codecs.values):
        return None
    src, dst = nodes[..., tables.edge_src], nodes[..., tables.edge_dst]
    return fastest_codecs(tables, tables.edge_item, src, dst)


def plan_at(
    tables: Tables,
    nodes: IntArray,
    start: FloatArray,
    finish: FloatArray,
    copies: BoolArray | None = None,
    moved: Mapping[tuple[int, int, int], tuple[float, float]] | None = None,
) -> Plan:
    """The plan of tasks at known times, in their nodes' fastest modes, with the fastest codecs.

    Parameters
    ----------
    nodes, start, finish : [T]
        Where and when tasks run, in seconds.
    copies : bool[D, K], optional
        Placed copies of data.
    moved : mapping, optional
        Start and arrival of transfers by (kind, what moves, node), where links are contended;
        without it each starts when its source has finished.
    """
    holders = None if copies is None else (tables.home | copies)[None]
    required = required_transfers(
        tables, nodes[None, :], codecs_of(tables, nodes[None, :]), holders
    )
    rows = required.rows
    if moved is None:
        total = durations(tables, rows).total
        timed = timed_without_contention(tables, rows, finish[None, :], total)
    else:
        keys = zip(rows.kind.tolist(), rows.ref.tolist(), rows.dst.tolist(), strict=True)
        booked = np.array([moved[key] for key in keys], float).reshape(-1, 2)
        timed = rows._replace(start=booked[:, 0].copy(), finish=booked[:, 1].copy())
    return Plan.assemble(
        tables.problem, nodes, start, finish, required._replace(rows=timed),
        modes=tables.fastest_mode[nodes], copies=copies,
    )  # fmt: skip
