"""Longest paths over a task graph, a level at a time: heads and tails of tasks on nodes.

A head is the earliest conceivable start of a task on a node, a tail the least time from its finish
there to the end of any plan. Both are longest paths in which each edge costs the least over where
its other end may be.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray, IntArray
from offload.bounding.delays import Arrivals, arrivals, near_arrivals, node_by_node
from offload.tables import Tables

__all__ = ["Layer", "Lift", "ends", "fastest", "heads", "layers", "sweep", "tails", "unsplit"]

_PAIRWISE = 30_000_000  # edge-pair cells up to which delays of each pair of nodes are used


class Layer(NamedTuple):
    """Tasks of one level that wait for others, and their edges, grouped by task."""

    tasks: NDArray[np.int64]
    edges: NDArray[np.int64]
    first: NDArray[np.int64]  # where each task's edges begin among them


class Lift(Protocol):
    """Another bound of what paths bound, which needs the bounds of the tasks before."""

    def bound(self, layer: Layer) -> FloatArray:
        """Of each task of a layer on each node; float64[tasks, G], or [tasks, 1] for all."""

    def note(self, tasks: NDArray[np.int64], start: FloatArray) -> None:
        """Takes the bounds of tasks, float64[tasks, G]; infinite where they are barred."""


def fastest(tables: Tables, nodes: NDArray[np.integer] | None = None) -> FloatArray:
    """Least execution time of each task on each node over its modes; infinite if barred.

    Parameters
    ----------
    nodes : int[G], optional
        The nodes asked for; all K by default.

    Returns
    -------
    float64[T, G], in seconds.
    """
    nodes = np.arange(tables.nodes) if nodes is None else nodes
    task, node = np.arange(tables.tasks)[:, None], nodes[None, :]
    best = tables.execution(task, node)
    for mode in range(1, tables.modes):
        if (tables.mode_count[nodes] > mode).any():
            best = np.minimum(best, tables.execution(task, node, np.full_like(node, mode)))
    return best


def unsplit(tables: Tables, times: FloatArray) -> FloatArray:
    """Least time that a task adds to a path: a divisible one may be spread, and adds nothing."""
    if not tables.divisible.any():
        return times
    return np.where(tables.divisible[:, None] & np.isfinite(times), 0.0, times)


def heads(tables: Tables, times: FloatArray | None = None) -> FloatArray:
    """Earliest conceivable start of each task on each node, in seconds; float64[T, K].

    ``est_jl = max over edges i -> j of min_k (est_ik + p_ik + c_ekl)``, at least the release. Of a
    divisible task only the release is known: its parts may be small.
    """
    ready = np.repeat(tables.release[:, None], tables.nodes, axis=1)
    return _paths(tables, times, ready, back=False)


def tails(tables: Tables, times: FloatArray | None = None) -> FloatArray:
    """Least time from a task's finish on each node to the end of the plan; float64[T, K]."""
    return _paths(tables, times, np.zeros((tables.tasks, tables.nodes)), back=True)


def _paths(
    tables: Tables, times: FloatArray | None, ready: FloatArray, *, back: bool
) -> FloatArray:
    least = unsplit(tables, fastest(tables) if times is None else times)
    if tables.edges * tables.nodes**2 > _PAIRWISE:
        arrive = near_arrivals(tables, node_by_node(tables), back)
    else:
        arrive = arrivals(tables, None, back)
    return sweep(layers(tables, back), ends(tables, back)[0], ready, least, arrive)


def sweep(
    order: list[Layer],
    giver: IntArray,
    ready: FloatArray,
    least: FloatArray,
    arrive: Arrivals,
    lift: Lift | None = None,
) -> FloatArray:
    """Longest paths to each task on each node (or kind of nodes); float64[T, G].

    Parameters
    ----------
    order, giver
        From :func:`layers`, and the task that each edge waits for, from :func:`ends`.
    ready : float64[T, G]
        What holds without any edge.
    least : float64[T, G]
        What the task itself adds; infinite where it is barred.
    arrive
        From edges and when their givers are done, when what they carry arrives.
    lift
        Another bound of the same.
    """
    start = ready.copy()
    done = start + least
    if lift is not None:
        waiting = np.zeros(len(start), bool)
        for layer in order:
            waiting[layer.tasks] = True
        first = np.flatnonzero(~waiting)
        lift.note(first, np.where(np.isfinite(least[first]), start[first], np.inf))
    for layer in order:
        tasks = layer.tasks
        arrival = arrive(layer.edges, done[giver[layer.edges]])
        found = np.maximum(start[tasks], np.maximum.reduceat(arrival, layer.first, axis=0))
        if lift is not None:
            found = np.maximum(found, lift.bound(layer))
            lift.note(tasks, np.where(np.isfinite(least[tasks]), found, np.inf))
        start[tasks] = found
        done[tasks] = found + least[tasks]
    return start


# -- the order of the graph ----------------------------------------------------------------------


def ends(tables: Tables, back: bool) -> tuple[IntArray, IntArray]:
    """The task that each edge waits for, and the one that waits; reversed for tails."""
    pair = tables.edge_src, tables.edge_dst
    return pair[::-1] if back else pair


def layers(tables: Tables, back: bool = False) -> list[Layer]:
    """Levels of the graph below its sources, each after all those that it waits for.

    Parameters
    ----------
    back
        Take the graph reversed: tasks wait for those after them.
    """
    if not tables.edges:
        return []
    taker = ends(tables, back)[1]
    level = _levels(tables, back)
    edges = np.lexsort((taker, level[taker]))
    taker = taker[edges]
    new = np.flatnonzero(np.diff(taker, prepend=-1))  # where each task's edges begin
    cuts = np.flatnonzero(np.diff(level[taker[new]], prepend=0)).tolist()
    begin = [*new.tolist(), tables.edges]
    result = []
    for a, b in zip(cuts, [*cuts[1:], len(new)], strict=True):
        tasks = taker[new[a:b]].astype(np.int64)
        result.append(Layer(tasks, edges[begin[a] : begin[b]], new[a:b] - begin[a]))
    return result


def _levels(tables: Tables, back: bool) -> NDArray[np.int64]:
    """Most edges on a path to each task."""
    level = np.zeros(tables.tasks, np.int64)
    taker = ends(tables, back)[1]
    onward, inward = tables.outgoing, tables.incoming
    if back:
        onward, inward = inward, onward
    waits = inward.lengths.copy()
    front = np.flatnonzero(waits == 0)
    depth = 0
    while len(front):
        level[front] = depth
        after, times = np.unique(taker[onward.gather(front)[1]], return_counts=True)
        waits[after] -= times
        front, depth = after[waits[after] == 0], depth + 1
    return level
