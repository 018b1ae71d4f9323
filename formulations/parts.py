"""An instance with divisible tasks as one of parts, each an ordinary task that is bound to a node.

A part of share f behaves as a task with work, time, memory and resident f-fold, and moves f-fold
the bytes of each edge (docs/format.md, section 2, Divisible tasks). So with given shares a plan of
the parts is a plan of the instance; and with all shares 1 each part's numbers are what a whole task
would take there, which a model multiplies by shares that it decides.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray
from offload.plan import Plan
from offload.problem import Edge, Graph, Group, Problem, Task
from offload.tables import Lists

__all__ = ["Parts"]


class Parts:
    """The parts of divisible tasks and all other tasks, in one instance.

    Parameters
    ----------
    whole
        An instance; its divisible tasks have no items, codecs, reads or moves.
    shares : float64[T, K]
        Of each divisible task on each node; no part where it is 0. Rows of other tasks are ignored.

    Attributes
    ----------
    problem : Problem
        U tasks: of each task of ``whole`` itself, or its parts by node.
    task : int[U]
        The task that each is, or is a part of.
    node : int[U]
        The node of a part, -1 for a whole task.
    share : float64[U]
        1 for a whole task.
    split : bool[U]
        Whether it is a part.
    edge : int[E']
        The edge that each edge of ``problem`` is, or is a part of.
    """

    def __init__(self, whole: Problem, shares: FloatArray) -> None:
        self.whole, self.shares = whole, shares
        tables = whole.tables
        units = [
            (i, k)
            for i in range(tables.tasks)
            for k in (np.flatnonzero(shares[i] > 0) if tables.divisible[i] else [-1])
        ]
        self.task = np.array([i for i, _ in units], np.int64)
        self.node = np.array([k for _, k in units], np.int64)
        self.split: BoolArray = tables.divisible[self.task]
        self.share = np.where(self.split, shares[self.task, self.node], 1.0)
        self.of_task = Lists.group(self.task, tables.tasks)
        edges, self.edge = self._edges()
        graph = Graph([self._task(u) for u in range(len(units))], edges, self._groups())
        self.problem = whole.replace(graph=graph)

    def _task(self, u: int) -> Task:
        i, k, share = int(self.task[u]), int(self.node[u]), float(self.share[u])
        task, tables = self.whole.graph.tasks[i], self.whole.tables
        if not self.split[u]:
            return msgspec.structs.replace(task, id=str(u))
        name = tables.node_ids[k]
        return msgspec.structs.replace(
            task, id=str(u), divisible=False, allow=(name,), work=None, weight=0.0, due=None,
            time={name: share * float(tables.execution(i, k))},
            memory=share * float(tables.memory_of(i, k)),
            resident=share * float(tables.resident_of(i, k)),
        )  # fmt: skip

    def _edges(self) -> tuple[list[Edge], NDArray[np.int64]]:
        tables, edges, owner = self.whole.tables, [], []
        for e, edge in enumerate(self.whole.graph.edges):
            for u in self.of_task.of(int(tables.edge_src[e])).tolist():
                for v in self.of_task.of(int(tables.edge_dst[e])).tolist():
                    size = edge.bytes * float(self.share[u]) * float(self.share[v])
                    changed = {"src": str(u), "dst": str(v), "bytes": size}
                    edges.append(msgspec.structs.replace(edge, **changed))
                    owner.append(e)
        return edges, np.array(owner, np.int64)

    def _groups(self) -> list[Group]:
        first = {task.id: int(self.of_task.of(i)[0]) for i, task in self._whole_tasks()}
        return [
            msgspec.structs.replace(group, tasks=tuple(str(first[name]) for name in group.tasks))
            for group in self.whole.graph.groups
        ]

    def _whole_tasks(self) -> list[tuple[int, Task]]:
        return [(i, t) for i, t in enumerate(self.whole.graph.tasks) if not t.divisible]

    def join(self, plan: Plan) -> Plan:
        """The plan of the instance that a plan of its parts is."""
        tables = self.problem.tables
        first = np.array([int(tables.item_edges.of(h)[0]) for h in range(tables.items)], np.int64)
        item = self.whole.tables.edge_item[self.edge[first]]
        rows, parts = plan.transfers, plan.parts
        return Plan(
            self.whole,
            parts._replace(
                task=self.task[parts.task].astype(np.int32), fraction=self.share[parts.task]
            ),
            rows._replace(ref=item[rows.ref].astype(np.int32)),
            Lists(plan.waiting.start, self.task[plan.waiting.values].astype(np.int32)),
            plan.copies,
        )
