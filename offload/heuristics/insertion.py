"""Where else a task could go, and how long the longest path through it would be there.

All places in the sequences of all nodes at once, for several tasks: Mastrolilli, Gambardella 2000,
section 4, with delays that depend on the nodes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray
from offload.heuristics.sequences import Sequences

__all__ = ["Places", "places"]


class Places(NamedTuple):
    """Moves of M tasks to each of the P places in all sequences.

    Attributes
    ----------
    value : float64[M, P]
        Longest path through the task at the place, in seconds; infinite where it cannot go.
    node : int64[P]
        The node of each place.
    first : list of int, [K]
        Where each node's places begin.
    own : bool[M, P]
        Whether a place is on the node where the task is now.
    """

    value: FloatArray
    node: NDArray[np.int64]
    first: list[int]
    own: BoolArray


def places(state: Sequences, tasks: Sequence[int], within: int) -> Places:
    """All moves of some tasks.

    Parameters
    ----------
    within
        For how many of the tasks, the first ones, to look at places on their own node too.

    Notes
    -----
    Before all that finish late and have short tails, after all that have long tails and finish
    early: between them every place keeps the graph free of cycles (Mastrolilli, Gambardella 2000,
    theorem 1). Heads and tails are those of the schedule with the task where it is, but on its own
    node, where they are worked out without it. So values may be too large by what the task itself
    delays elsewhere, never too small.
    """
    count = [len(line) + 1 for line in state.lines]
    line, first = [-1], []
    for one in state.lines:
        first.append(len(line) - 1)
        line += one
        line.append(-1)
    flat = np.array(line)
    before, after = flat[:-1], flat[1:]  # -1, the last, stands for none
    node = np.repeat(state.every, count)
    finish, path = np.zeros(state.count + 1), np.zeros(state.count + 1)
    _, finish[:-1], path[:-1] = state.times
    head, tail, span = _estimates(state, tasks, finish, path)
    h, t = head.take(node, 1), tail.take(node, 1)
    done, rest = finish.take(before), path.take(after)
    value = np.maximum(h, done)
    value += np.maximum(t, rest)
    value += span.take(node, 1)
    finish[-1] = path[-1] = inf  # nothing before the first place, nothing behind the last
    open_ = path.take(before) > t
    open_ |= done <= h
    open_ &= finish.take(after) > h
    value[~open_] = inf
    own = state.nodes.take(tasks)[:, None] == node
    value[own] = inf
    for m, i in enumerate(tasks[:within]):
        k = state.node[i]
        for place, length in _on_own_node(state, i, float(head[m, k]), float(tail[m, k])):
            value[m, first[k] + place] = length
    return Places(value, node, first, own)


def _estimates(
    state: Sequences, tasks: Sequence[int], finish: FloatArray, path: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Head, tail and execution of tasks on each node if nothing else ran there; [M, K] each."""
    head, span = state.ready(tasks), state.execution(tasks)
    tail = np.zeros(span.shape)
    for table, edges_of, others_of, known, back in (
        (head, state.incoming, state.senders, finish, False),
        (tail, state.outgoing, state.receivers, path, True),
    ):
        owner: list[int] = []
        start: list[int] = []
        edges: list[int] = []
        others: list[int] = []
        for m, i in enumerate(tasks):
            if edges_of[i]:
                owner.append(m)
                start.append(len(edges))
                edges += edges_of[i]
                others += others_of[i]
        if not edges:
            continue
        other = np.array(others)
        rows = state.delays_at(np.array(edges), state.nodes.take(other), back)
        rows += known.take(other)[:, None]
        table[owner] = np.maximum(table[owner], np.maximum.reduceat(rows, start, axis=0))
    return head, tail, span


def _on_own_node(state: Sequences, task: int, head: float, tail: float) -> list[tuple[int, float]]:
    """Other places on a task's own node, and the longest path through it there."""
    line, done, path, home = _without(state, task)
    span, last_place = state.span[task], len(line)
    first, last = bisect_right(done, head), bisect_left(path, -tail)
    found = []
    for place in (first,) if first >= last else range(first, last + 1):
        if place != home:
            begin = head if place == 0 else max(head, done[place - 1])
            rest = tail if place == last_place else max(tail, -path[place])
            found.append((place, begin + span + rest))
    return found


def _without(state: Sequences, task: int) -> tuple[list[int], list[float], list[float], int]:
    """A task's node once it is taken out: sequence, finishes, negated paths, where it was."""
    whole = state.lines[state.node[task]]
    home = whole.index(task)
    line = whole[:home] + whole[home + 1 :]
    done = [state.finish[i] for i in line]
    path = [-state.path[i] for i in line]
    end = done[home - 1] if home else 0.0
    for x in range(home, len(line)):
        i = line[x]
        end = max(end, state.arrive[i])
        for j, e in state.inputs[i]:
            t = state.finish[j] + state.delay[e]
            if t > end:
                end = t
        end += state.span[i]
        if end >= done[x]:
            break
        done[x] = end
    tail = -path[home] if home < len(line) else 0.0
    for x in range(home - 1, -1, -1):
        i = line[x]
        for j, e in state.outputs[i]:
            t = state.path[j] + state.delay[e]
            if t > tail:
                tail = t
        tail += state.span[i]
        if tail >= -path[x]:
            break
        path[x] = -tail
    return line, done, path, home
