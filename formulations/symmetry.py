"""Alike nodes told apart by who uses them: a few tasks may run on the first of them alone.

Nodes are alike if any two of them can change places in every plan: they are the same but for their
names, and so are the ways to and from all others. Each plan then stands for all those in which
alike nodes have changed places, and one of them is enough: that in which, along some order of the
tasks, each node of a class is used before the next one. So

    task q of the order runs on one of the first q + 1 nodes of each class          (q = 0, 1, ...)

The first tasks are those with most ancestors and descendants, since their places then bound where
and when all others run: below the root of a tree nothing can begin on another node before what it
reads has come from the first.

Source: Law, Lee 2004, "Global constraints for integer and set value precedence".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray
from offload.plan import Plan
from offload.problem import Problem
from offload.registry import Answer, Request
from offload.tables import Tables

__all__ = ["Anchored", "alike_nodes", "anchored", "reachability"]

_TASKS = 1_000  # above which the relatives of all tasks are too many


class Anchored:
    """A request about fewer of the plans that are alike.

    Attributes
    ----------
    request
        Of an instance in which some tasks are open to fewer nodes; its plans are reported as plans
        of the caller's instance.
    """

    def __init__(self, request: Request, classes: list[NDArray[np.int64]]) -> None:
        self._outer = request
        problem, tables = request.problem, request.problem.tables
        reach = reachability(tables)
        relatives = reach.sum(axis=0) + reach.sum(axis=1)
        self._order = np.argsort(-relatives, kind="stable")
        tasks = list(problem.graph.tasks)
        for i, open_ in self._restricted(classes):
            names = tuple(tables.node_ids[k] for k in np.flatnonzero(open_))
            tasks[i] = msgspec.structs.replace(tasks[i], allow=names)
        inner = msgspec.structs.replace(problem.graph, tasks=tasks)
        fewer = Problem(
            graph=inner, network=problem.network, data=problem.data, codecs=problem.codecs,
            name=problem.name,
        )  # fmt: skip
        start = None if request.start is None else self._renamed(fewer, request.start, classes)
        self._start = start
        self.request = replace(request, problem=fewer, start=start, report=self._report)

    def _restricted(self, classes: list[NDArray[np.int64]]) -> Iterator[tuple[int, BoolArray]]:
        """Tasks that may run on fewer nodes than before, and on which."""
        allowed = self._outer.problem.tables.allowed_table
        for q, i in enumerate(self._order.tolist()):
            open_ = allowed[i].copy()
            for nodes in classes:
                open_[nodes[q + 1 :]] = False
            if q + 1 >= max(len(nodes) for nodes in classes):
                return
            if open_.any() and (open_ != allowed[i]).any():
                yield i, open_

    def _renamed(self, fewer: Problem, plan: Plan, classes: list[NDArray[np.int64]]) -> Plan:
        """A plan with alike nodes in the order in which tasks use them."""
        used, name = plan.nodes[self._order], np.arange(self._outer.problem.tables.nodes)
        for nodes in classes:
            here = used[np.isin(used, nodes)]
            first = here[np.sort(np.unique(here, return_index=True)[1])]
            name[np.append(first, np.setdiff1d(nodes, first))] = nodes
        to = name.astype(np.int32)
        parts = plan.parts._replace(node=to[plan.parts.node])
        rows = plan.transfers._replace(src=to[plan.transfers.src], dst=to[plan.transfers.dst])
        return Plan(fewer, parts, rows, plan.waiting, plan.copies)

    def _report(self, plan: Plan | None, bound: float | None) -> None:
        self._outer.report(None if plan is None else self._of_all(plan), bound)

    def answer(self, found: Answer) -> Answer:
        """What was found, about the caller's instance."""
        plan = None if found.plan is None else self._of_all(found.plan)
        return replace(found, plan=plan)

    def _of_all(self, plan: Plan) -> Plan:
        if plan is self._start and self._outer.start is not None:
            return self._outer.start
        outer = self._outer.problem
        return Plan(outer, plan.parts, plan.transfers, plan.waiting, plan.copies, plan.result)


def anchored(request: Request) -> Anchored | None:
    """The request about fewer plans; ``None`` where no two nodes are alike."""
    tables = request.problem.tables
    if not 0 < tables.tasks <= _TASKS:
        return None
    classes = alike_nodes(tables)
    return Anchored(request, classes) if classes else None


def alike_nodes(tables: Tables) -> list[NDArray[np.int64]]:
    """Classes of two or more nodes that can change places, each in the order of the file.

    Where links are contended, or something is on a node already, none are looked for.
    """
    problem, routes = tables.problem, tables.routes
    if len(routes.resource_channels) or tables.data_ids or (tables.at >= 0).any():
        return []
    same: dict[object, list[int]] = {}
    plain = [msgspec.structs.replace(node, id="") for node in problem.network.nodes]
    open_to = np.packbits(tables.allowed_table, axis=0).T
    for k, node in enumerate(plain):
        key = msgspec.json.encode(node), int(tables.node_class[k]), open_to[k].tobytes()
        classes = same.setdefault(key, [])
        if tables.allowed_table[:, k].any():
            classes.append(k)
    ways = [routes.bandwidth, routes.latency, routes.energy, routes.price, routes.hops]
    ways += list(tables.permits_table)
    found: list[list[int]] = []
    for members in same.values():
        groups: list[list[int]] = []
        for k in members:
            home = next((g for g in groups if _exchangeable(ways, g[0], k)), None)
            if home is None:
                groups.append([k])
            else:
                home.append(k)
        found += [group for group in groups if len(group) > 1]
    return [np.array(group, np.int64) for group in sorted(found)]


def _exchangeable(ways: list[NDArray[np.generic]], k: int, l: int) -> bool:
    """Whether all ways between nodes stay as they are when two of them change places."""
    swap = np.arange(len(ways[0]))
    swap[[k, l]] = l, k
    return all(
        np.array_equal(way[[k, l]], way[[l, k]][:, swap])
        and np.array_equal(way[:, [k, l]], way[:, [l, k]][swap])
        for way in ways
    )


def reachability(tables: Tables) -> BoolArray:
    """bool[T, T]: whether a directed path leads from one task to another."""
    reach = np.zeros((tables.tasks, tables.tasks), bool)
    for j in tables.topological.tolist():
        for i in tables.edge_src[tables.incoming.of(j)].tolist():
            reach[:, j] |= reach[:, i]
            reach[i, j] = True
    return reach
