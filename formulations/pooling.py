"""Alike nodes that exchange data in no time, as one node with a slot for each of them.

A schedule on the pool is one on the nodes: tasks in the order of their starts each take a node that
is free by then, for no more of them run at a time than there are nodes (interval graphs are
perfect: Golumbic 1980, chapter 8). So the two have the same schedules, but the pool has no nodes
that can be exchanged for each other, and one cumulative constraint in place of all of theirs.
"""

from __future__ import annotations

import heapq
from dataclasses import replace

import numpy as np

from formulations.coefficients import times_table
from offload.bounding.delays import item_delays, kinds_of
from offload.plan import Plan
from offload.problem import Edge, Graph, Network, Node, Problem, Task
from offload.registry import Request
from offload.retiming import retime
from offload.tables import Tables

__all__ = ["pooled", "spread"]


def pooled(request: Request) -> Request | None:
    """The request for the pool; ``None`` where the nodes are not one.

    What it reports goes to the caller's request, as plans on the nodes.
    """
    problem = request.problem
    latency = {m for m, weight in request.goal.minimize.items() if weight > 0} == {"latency"}
    if not latency or request.goal.limits or not _exchangeable(problem.tables):
        return None
    inner = _pool(problem)

    def report(plan: Plan | None, bound: float | None) -> None:
        request.report(None if plan is None else spread(problem, plan), bound)

    start = None if request.start is None else _gathered(inner, request.start)
    return replace(request, problem=inner, start=start, report=report)


def spread(problem: Problem, plan: Plan) -> Plan:
    """A plan on the pool as one on the nodes of a problem; the same times."""
    parts = plan.parts
    nodes = np.zeros(len(plan.nodes), np.int32)
    free = [(0.0, k) for k in range(problem.tables.nodes)]
    start, finish = np.zeros(len(nodes)), np.zeros(len(nodes))
    start[parts.task], finish[parts.task] = parts.start, parts.finish
    # Of tasks that start together, those without length go first: they leave a node to others.
    for i in np.lexsort((np.arange(len(nodes)), finish, start)).tolist():
        _, nodes[i] = heapq.heappop(free)
        heapq.heappush(free, (float(finish[i]), int(nodes[i])))
    return retime(problem, nodes, start, finish)


def _exchangeable(tables: Tables) -> bool:
    """Whether nodes differ in nothing but their names, and run one task at a time."""
    if tables.nodes < 2 or tables.modes > 1 or len(kinds_of(tables, tables.nodes).node) > 1:
        return False
    if (tables.node_slots != 1).any() or (tables.task_slots != 1).any():
        return False
    if (tables.resident_of(np.arange(tables.tasks)[:, None], np.arange(tables.nodes)) > 0).any():
        return False
    used = (tables.memory > 0).any() or len(tables.reads.values) or (tables.at >= 0).any()
    if used or tables.divisible.any() or tables.problem.graph.groups:
        return False
    return not item_delays(tables, np.arange(tables.items)).any()


def _pool(problem: Problem) -> Problem:
    tables = problem.tables
    time = times_table(tables)[:, 0].tolist()
    deadlines = [d if np.isfinite(d) else None for d in tables.deadline.tolist()]
    tasks = [
        Task(task.id, work=length, release=task.release, deadline=deadline)
        for task, length, deadline in zip(problem.graph.tasks, time, deadlines, strict=True)
    ]
    edges = [Edge(edge.src, edge.dst) for edge in problem.graph.edges]
    pool = Node("pool", slots=tables.nodes)
    return Problem(graph=Graph(tasks, edges), network=Network((pool,)))


def _gathered(pool: Problem, plan: Plan) -> Plan:
    """A plan on the nodes as one on the pool."""
    start, finish = np.zeros(len(plan.nodes)), np.zeros(len(plan.nodes))
    start[plan.parts.task], finish[plan.parts.task] = plan.parts.start, plan.parts.finish
    return retime(pool, np.zeros(len(plan.nodes), np.int32), start, finish)
