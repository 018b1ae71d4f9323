"""Moves of several connected tasks to one node at once, decoded many at a time.

Where transfers weigh more than work, tasks that exchange much belong on one node, and moving them
one by one leads over worse and worse schedules. Such moves are drawn at random and all timed, in
one pass over the tasks.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray, IntArray
from offload.heuristics.sequences import Sequences

__all__ = ["Clusters"]

_MEAN = 3.0  # tasks that a cluster grows by on average
_MOST = 16
_GROW = 0.6  # chance that a neighbour joins
_NEAR = 0.6  # chance that the target is a node of some neighbour


class Clusters:
    """Draws clusters of tasks of one schedule, and times their moves.

    Parameters
    ----------
    state
        The schedule.
    """

    def __init__(self, state: Sequences) -> None:
        self.state, tables = state, state.tables
        sets = {id(nodes): set(nodes) for nodes in tables.may_run}
        self.allowed = [sets[id(nodes)] for nodes in tables.may_run]
        self.free = [i for i, nodes in enumerate(tables.may_run) if len(nodes) > 1]
        self.beside = [state.receivers[i] + state.senders[i] for i in range(tables.tasks)]

    def draw(self, rng: random.Random, count: int, critical: Sequence[int]) -> IntArray:
        """Placements that differ from the present one in a cluster each; int32[count, T].

        Half of the clusters begin at a critical task.
        """
        nodes = np.repeat(self.state.nodes[None], count, axis=0)
        for b in range(count):
            seed = rng.choice(critical) if rng.random() < 0.5 else rng.choice(self.free)
            cluster = self._grow(rng, seed)
            node = self._target(rng, cluster)
            for i in cluster:
                if node in self.allowed[i]:
                    nodes[b, i] = node
        return nodes

    def _grow(self, rng: random.Random, seed: int) -> list[int]:
        want = min(_MOST, 1 + int(rng.expovariate(1 / _MEAN)))
        cluster, known = [seed], {seed}
        for i in cluster:
            for j in rng.sample(self.beside[i], len(self.beside[i])):
                if len(cluster) >= want:
                    return cluster
                if j not in known and rng.random() < _GROW:
                    known.add(j)
                    cluster.append(j)
        return cluster

    def _target(self, rng: random.Random, cluster: Sequence[int]) -> int:
        node = self.state.node
        if rng.random() < _NEAR:
            near = [node[j] for i in cluster for j in self.beside[i] if node[j] != node[cluster[0]]]
            if near:
                return rng.choice(near)
        return rng.randrange(self.state.tables.nodes)

    def lengths(self, nodes: IntArray, order: IntArray) -> tuple[FloatArray, FloatArray]:
        """Latency of placements under one order, and resident bytes too many; float64[B] each.

        The evaluator's decoding (docs/format.md, section 2) of plans that share their order,
        memory left out: task by task, each a vector over the plans. As in sequences, tasks of
        length 0 wait for a slot too.
        """
        state, tables = self.state, self.state.tables
        plans, tasks = nodes.shape
        where = np.ascontiguousarray(nodes.T).astype(np.intp)
        task = np.arange(tasks)[:, None]
        span = tables.execution(task, where, tables.fastest_mode[where])
        begin = np.repeat(tables.release[:, None], plans, axis=1)
        for i, row in state.ready_row.items():
            begin[i] = row[where[i]]
        delay = self._delays(where)
        cell = where * plans + np.arange(plans)
        free = np.zeros(tables.nodes * plans)
        finish = np.empty((tasks, plans))
        inputs = state.inputs
        for i in order.tolist():
            at, end = cell[i], begin[i]
            np.maximum(end, free[at], out=end)
            for j, e in inputs[i]:
                arrival = delay[e]
                arrival += finish[j]
                np.maximum(end, arrival, out=end)
            end += span[i]
            finish[i] = free[at] = end
        latency = finish.max(axis=0, initial=0.0)
        if not state.bounded:
            return latency, np.zeros(plans)
        size = tables.resident_of(task, where).ravel()
        held = np.bincount(cell.ravel(), size, minlength=tables.nodes * plans).astype(float)
        return latency, state.over(held.reshape(tables.nodes, plans).T).sum(axis=1)

    def _delays(self, where: NDArray[np.intp]) -> FloatArray:
        """Delay of each edge in each placement; float64[E, B]."""
        state, tables = self.state, self.state.tables
        src, dst = where[tables.edge_src], where[tables.edge_dst]
        edge = np.arange(tables.edges)[:, None]
        if state.delays is None:
            return state.delay_of(edge, src, dst)
        index = edge * tables.nodes
        index = (index + src) * tables.nodes + dst
        return state.delays.ravel().take(index)
