"""Local search for the period: units move from node to node, or change places.

Simulated annealing (Kirkpatrick, Gelatt, Vecchi 1983) on a norm of all loads, which also rewards
what relieves a node that is not the fullest. A unit that moves from a to b changes the loads of
those two alone: an item costs each node that has its sender or a reader its serialise, as long as
it joins two nodes or more.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from math import exp, inf

import numpy as np
from numpy.typing import NDArray

from formulations.stage_units import StageUnits
from offload.tables import TOLERANCE

__all__ = ["search"]

_NORM = 16.0
_HOT, _COLD = 0.01, 0.0002  # temperatures, as shares of the norm
_LOOK = 256  # moves between two looks at the clock
_SWAPS, _PULLS = 0.3, 0.6  # shares of moves that swap, and that follow an item


class _State:
    """Loads and sizes of nodes under a placement of units."""

    def __init__(self, units: StageUnits, node: NDArray[np.int64], nodes: int) -> None:
        kind = np.zeros(nodes, np.int64)
        for g, members in enumerate(units.nodes):
            kind[members] = g
        used = [k for members in units.nodes for k in members]
        self.node: list[int] = node.tolist()
        self.weigh = units.load[:, kind].tolist()
        self.bytes = units.size[:, kind].tolist()
        self.room = (units.room[kind] * (1 + TOLERANCE)).tolist()
        self.serial = units.serial[kind].tolist()
        self.serialise: list[float] = units.serialise.tolist()
        self.items: list[list[int]] = [[] for _ in range(units.number)]
        self.joined = [units.items.of(h).tolist() for h in range(len(self.serialise))]
        self.used = sorted(used)
        self.load, self.size = [0.0] * nodes, [0.0] * nodes
        for u, k in enumerate(self.node):
            self.load[k] += self.weigh[u][k]
            self.size[k] += self.bytes[u][k]
        self.count: list[dict[int, int]] = []
        for h, joined in enumerate(self.joined):
            count: dict[int, int] = {}
            for u in joined:
                self.items[u].append(h)
                count[self.node[u]] = count.get(self.node[u], 0) + 1
            self.count.append(count)
            if len(count) > 1:
                for k in count:
                    self.load[k] += self.serialise[h] if self.serial[k] else 0.0

    def move(self, unit: int, to: int) -> None:
        """Move a unit, and all that follows for loads."""
        at = self.node[unit]
        less, more = self.weigh[unit][at], self.weigh[unit][to]
        sent = received = 0.0
        for h in self.items[unit]:
            count, cost = self.count[h], self.serialise[h]
            apart = len(count)
            if count[at] == 1:
                del count[at]
                sent += cost  # it joined two nodes or more, as an item has two units at least
                if to in count:
                    count[to] += 1
                    if apart == 2:
                        received -= cost
                else:
                    count[to] = 1
                    received += cost
            else:
                count[at] -= 1
                if to in count:
                    count[to] += 1
                else:
                    count[to] = 1
                    received += cost
                    if apart == 1:
                        sent -= cost
        self.load[at] -= less + (sent if self.serial[at] else 0.0)
        self.load[to] += more + (received if self.serial[to] else 0.0)
        self.size[at] -= self.bytes[unit][at]
        self.size[to] += self.bytes[unit][to]
        self.node[unit] = to


def search(
    units: StageUnits,
    node: NDArray[np.int64],
    movable: NDArray[np.int64],
    nodes: int,
    moves: int,
    seed: int,
    stop: Callable[[], bool],
) -> NDArray[np.int64]:
    """The best placement found.

    Parameters
    ----------
    units
        What units weigh and send.
    node : int64[U]
        Where each is at first; it may be there.
    movable
        Units that may move.
    nodes
        K.
    moves
        How many are tried at most.
    stop
        Whether to stop; asked now and then.
    """
    state, draw = _State(units, node, nodes), random.Random(seed)
    free, best, lowest = movable.tolist(), list(node.tolist()), max(_State(units, node, nodes).load)
    if not free or len(state.used) < 2 or not lowest:
        return node
    movers = set(free)
    scale = lowest
    norm = sum((load / scale) ** _NORM for load in state.load)
    for turn in range(moves):
        if turn % _LOOK == 0 and stop():
            break
        first, to = _drawn(state, free, draw)
        second = _partner(state, free, draw, first, to) if draw.random() < _SWAPS else -1
        at = state.node[first]
        if to == at or not _fits(state, first, to, second):
            continue
        state.move(first, to)
        if second >= 0 and second in movers:
            state.move(second, at)
        largest = max(state.load)
        fine = state.size[to] <= state.room[to] and state.size[at] <= state.room[at]
        after = sum((load / scale) ** _NORM for load in state.load) if fine else inf
        heat = _HOT * (_COLD / _HOT) ** (turn / moves)
        change = after ** (1 / _NORM) - norm ** (1 / _NORM)
        if fine and (change <= 0 or draw.random() < exp(-change / heat)):
            norm = after
            if largest < lowest * (1 - TOLERANCE):
                lowest, best = largest, list(state.node)
        else:
            if second >= 0 and second in movers:
                state.move(second, to)
            state.move(first, at)
    return np.array(best, np.int64)


def _drawn(state: _State, free: list[int], draw: random.Random) -> tuple[int, int]:
    """A unit and a node to move it to: that of something that it shares an item with, or any."""
    unit = free[int(draw.random() * len(free))]
    if state.items[unit] and draw.random() < _PULLS:
        items = state.items[unit]
        joined = state.joined[items[int(draw.random() * len(items))]]
        return unit, state.node[joined[int(draw.random() * len(joined))]]
    return unit, state.used[int(draw.random() * len(state.used))]


def _partner(state: _State, free: list[int], draw: random.Random, first: int, to: int) -> int:
    """A unit on the other node to change places with; -1 if none is met."""
    for _ in range(4):
        unit = free[int(draw.random() * len(free))]
        if unit != first and state.node[unit] == to:
            return unit
    return -1


def _fits(state: _State, first: int, to: int, second: int) -> bool:
    if state.weigh[first][to] == inf:
        return False
    return second < 0 or state.weigh[second][state.node[first]] < inf
