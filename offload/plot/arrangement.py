"""Where the nodes of a network are drawn: columns of tiers, from the devices to the cloud."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from offload.arrays import FloatArray
from offload.tiers import tiers_of

if TYPE_CHECKING:
    from offload.problem import Problem

__all__ = ["Arrangement", "arranged"]

_MOST = 24  # nodes of a column; more of them have several columns beside each other
_BESIDE = 0.3  # distance of such columns; that of tiers is 1
_ASIDE = 0.12  # of few nodes in one column every other is a little aside: links along it show


class Arrangement(NamedTuple):
    """Places of nodes, and of the names of tiers."""

    place: FloatArray  # float64[K, 2]: x to the right, y downwards from 0 to 1
    tiers: list[str]
    middle: list[float]  # x of each tier's middle
    width: float  # x of the last column
    longest: int  # nodes of the fullest column


def arranged(problem: Problem) -> Arrangement:
    """Nodes in columns by tier, near those that they are linked to; on a ring if all are of one."""
    nodes = problem.network.nodes
    tiers = tiers_of([node.tier for node in nodes])
    if len(tiers) == 1 and len(nodes) > 2:
        return _ring(len(nodes), tiers)
    place = np.zeros((len(nodes), 2))
    near = _neighbours(problem)
    done: set[int] = set()
    x, longest = 0.0, 0
    middle = []
    for tier in tiers:
        own = [k for k, node in enumerate(nodes) if node.tier == tier]
        # Those that no tier before is linked to stand behind the others of theirs.
        front = [k for k in own if done.intersection(near[k])]
        behind = [k for k in own if k not in set(front)]
        first = x
        for layer in (front, behind):
            if layer:
                wish = {k: _mean([float(place[l, 1]) for l in near[k] if l in done]) for k in layer}
                layer.sort(key=wish.__getitem__)
                columns, rows = _fill(place, layer, x)
                done |= set(layer)
                x += 1 + _BESIDE * (columns - 1)
                longest = max(longest, rows)
        middle.append((first + x - 1) / 2)
    return Arrangement(place, tiers, middle, max(x - 1, 0.0), longest)


def _fill(place: FloatArray, layer: list[int], x: float) -> tuple[int, int]:
    """Put nodes from ``x`` on, row by row, so that neighbours in their order stay neighbours."""
    columns = -(-len(layer) // _MOST)
    rows = -(-len(layer) // columns)
    for rank, k in enumerate(layer):
        row, column = divmod(rank, columns)
        aside = _ASIDE * (rank % 2) if columns == 1 and len(layer) > 2 else 0.0
        # Each column is a little lower than the one before: names and links do not meet.
        place[k] = x + _BESIDE * column + aside, (row + (column + 0.5) / columns) / rows
    return columns, rows


def _ring(count: int, tiers: list[str]) -> Arrangement:
    turn = 2 * math.pi * np.arange(count) / count
    place = np.stack([0.5 + 0.5 * np.sin(turn), 0.5 - 0.5 * np.cos(turn)], 1)
    return Arrangement(place, tiers, [0.5], 1.0, -(-count // 2))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.5


def _neighbours(problem: Problem) -> list[list[int]]:
    index = {node.id: k for k, node in enumerate(problem.network.nodes)}
    found: list[list[int]] = [[] for _ in index]
    for link in problem.network.links:
        src, dst = index[link.src], index[link.dst]
        found[src].append(dst)
        found[dst].append(src)
    return found
