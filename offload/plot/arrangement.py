"""Where the nodes of a network are drawn: columns of tiers, from the devices to the cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from offload.arrays import FloatArray
from offload.tiers import tiers_of

if TYPE_CHECKING:
    from offload.problem import Problem

__all__ = ["Arrangement", "arranged"]

_MOST = 24  # nodes of a column; a larger tier has several


class Arrangement(NamedTuple):
    """Places of nodes, and of the names of tiers."""

    place: FloatArray  # float64[K, 2]: x in columns, y downwards from 0 to 1
    tiers: list[str]
    middle: list[float]  # x of each tier's middle
    columns: int
    longest: int  # nodes of the fullest column


def arranged(problem: Problem) -> Arrangement:
    """Nodes in columns by tier; within a tier near those that they are linked to."""
    nodes = problem.network.nodes
    tiers = tiers_of([node.tier for node in nodes])
    place = np.zeros((len(nodes), 2))
    near = _neighbours(problem)
    first, longest = 0, 0
    middle = []
    done = np.zeros(len(nodes), bool)
    for tier in tiers:
        own = [k for k, node in enumerate(nodes) if node.tier == tier]
        # Beside the middle of the neighbours placed before: fewer links cross.
        wish = {k: [place[l, 1] for l in near[k] if done[l]] for k in own}
        own.sort(key=lambda k: float(np.mean(wish[k])) if wish[k] else 0.5)
        columns = -(-len(own) // _MOST)
        each = -(-len(own) // columns)
        for rank, k in enumerate(own):
            # Row by row, so that neighbours in the order stay neighbours; a column is a little
            # lower than the one before, so that names and links do not meet.
            row, column = divmod(rank, columns)
            lower = (column / columns + 0.5 / columns) if columns > 1 else 0.5
            # Of few in one column every other is a little aside: links along it show.
            aside = 0.12 * (rank % 2) if columns == 1 and len(own) > 2 else 0.0
            place[k] = first + column + aside, (row + lower) / each
        done[own] = True
        middle.append(first + (columns - 1) / 2)
        first += columns
        longest = max(longest, each)
    return Arrangement(place, tiers, middle, first, longest)


def _neighbours(problem: Problem) -> list[list[int]]:
    index = {node.id: k for k, node in enumerate(problem.network.nodes)}
    found: list[list[int]] = [[] for _ in index]
    for link in problem.network.links:
        src, dst = index[link.src], index[link.dst]
        found[src].append(dst)
        found[dst].append(src)
    return found
