"""Lookahead HEFT: a task goes to where its children can finish first, not where it would itself."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

import numpy as np

from offload.arrays import FloatArray
from offload.heuristics.building import built
from offload.heuristics.list_scheduling import average_of
from offload.heuristics.machines import WithGaps
from offload.heuristics.ranks import by_falling, upward_ranks
from offload.heuristics.schedule import Schedule
from offload.registry import Answer, Request

__all__ = ["lookahead"]


class _Child(NamedTuple):
    """What is known of a child before its parent is placed; arrays over its nodes."""

    task: int
    ready: FloatArray  # float64[K]: by its other parents that are placed; infinite where barred
    length: FloatArray
    delay: FloatArray  # float64[K, K]: from each node of the parent
    siblings: list[tuple[int, int]]  # items from children that come before it


def lookahead(request: Request) -> Answer:
    """HEFT that gives each task the node from which its children can all finish first.

    For each node the task is placed there, then its children by falling upward rank, each where it
    would finish first; the node with the least latest finish of a child is taken. Of equals the
    one where the task itself finishes first. A task without children goes where HEFT puts it.
    Children are judged without parents that are not placed yet, without working memory and
    waiting for channels, and under the rules of placement as they stood before.

    Bittencourt, Sakellariou, Madeira 2010, "DAG scheduling using a lookahead variant of the
    heterogeneous earliest finish time algorithm", with one level of lookahead.
    """
    tables = request.problem.tables
    order = by_falling(tables, upward_ranks(tables, average_of(request)))
    place = [0] * tables.tasks
    for position, task in enumerate(order):
        place[task] = position

    def fill(schedule: Schedule) -> None:
        for task in order:
            request.go_on()
            start, finish = schedule.finish_times(task)
            node = _best(schedule, task, start, finish, place)
            schedule.place(task, node, float(start[node]))

    return built(request, fill, insertion=True)


def _best(
    schedule: Schedule, task: int, start: FloatArray, finish: FloatArray, place: list[int]
) -> int:
    """The node whose worst child finishes first."""
    children = _children(schedule, task, place)
    if not children:
        return int(finish.argmin())
    # No child can finish before its inputs and its own time allow, whatever else is on the nodes.
    bound = finish.copy()
    for child in children:
        arrival = finish[:, None] + child.delay
        done = np.maximum(arrival, child.ready, out=arrival)
        done += child.length
        np.maximum(bound, done.min(axis=1), out=bound)
    node, least = int(finish.argmin()), inf
    for k in np.lexsort((finish, bound)).tolist():
        if bound[k] > least or bound[k] == inf:
            break
        worst = _worst(schedule, task, k, float(start[k]), float(finish[k]), children, least)
        if worst < least or (worst == least < inf and (finish[k], k) < (finish[node], node)):
            node, least = k, worst
    return node


def _children(schedule: Schedule, task: int, place: list[int]) -> list[_Child]:
    """Tasks that need a task, by falling rank."""
    tables, found = schedule.tables, []
    edges = tables.outgoing.of(task)
    after = tables.edge_dst[edges].tolist()
    earlier: set[int] = set()
    for child in sorted(set(after), key=place.__getitem__):
        ready = schedule.deliveries.ready(child)
        if not schedule.placer.open:
            ready[~schedule.placer.candidates(child)] = inf
        delay = np.zeros((tables.nodes, tables.nodes))
        for e, to in zip(edges.tolist(), after, strict=True):
            if to == child:
                item = int(tables.edge_item[e])
                np.maximum(delay, schedule.deliveries.delays(item), out=delay)
        siblings = [
            (int(tables.edge_item[e]), int(tables.edge_src[e]))
            for e in tables.incoming.of(child).tolist()
            if int(tables.edge_src[e]) in earlier
        ]
        found.append(_Child(child, ready, tables.row(child), delay, siblings))
        earlier.add(child)
    return found


def _worst(
    schedule: Schedule, task: int, node: int, start: float, finish: float,
    children: list[_Child], least: float,
) -> float:  # fmt: skip
    """Latest finish of the children with a task on a node, or just that it exceeds ``least``."""
    machines, deliveries = schedule.machines, schedule.deliveries
    assert isinstance(machines, WithGaps)
    saved = [machines.save(node)]
    machines.take(task, node, start, finish)
    placed: dict[int, tuple[int, float]] = {}
    worst = finish
    for child in children:
        ready = np.maximum(child.ready, child.delay[node] + finish)
        for item, sibling in child.siblings:
            src, done = placed[sibling]
            np.maximum(ready, deliveries.delay(item, src) + done, out=ready)
        where, begin, end = machines.soonest(child.task, ready, child.length, None)
        worst = max(worst, end)
        if worst > least or end == inf or child is children[-1]:
            break
        placed[child.task] = where, end
        saved.append(machines.save(where))
        machines.take(child.task, where, begin, end)
    for state in reversed(saved):
        machines.restore(state)
    return worst
