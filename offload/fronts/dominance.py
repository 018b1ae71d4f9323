"""Which plans are efficient, how they rank, and how much of the space they dominate.

All values are minimized; arrays of values are float64[P, M], a row a plan and a column a metric.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray, IntArray

__all__ = [
    "covered",
    "crowding",
    "efficient",
    "hypervolume",
    "knee",
    "least_crowded",
    "ranks",
    "spread",
]

_AT_ONCE = 2_000_000  # comparisons made at once


def efficient(values: FloatArray) -> BoolArray:
    """Which rows no other row dominates; of equal rows the first. bool[P]."""
    count = len(values)
    order = np.lexsort((np.arange(count), *values.T[::-1]))
    kept = np.zeros(count, bool)
    if values.shape[1] == 2:
        second = values[order, 1]
        least = np.minimum.accumulate(second)
        first = np.ones(count, bool)
        first[1:] = second[1:] < least[:-1]
        kept[order[first]] = True
        return kept
    step = max(1, _AT_ONCE // max(1, values.size))
    found = values[:0]
    for begin in range(0, count, step):  # whatever dominates a row comes before it in the order
        rows = order[begin : begin + step]
        fresh = ~covered(values[rows], found)
        rows = rows[fresh]
        below = (values[rows][None] <= values[rows][:, None]).all(axis=2)
        rows = rows[~np.tril(below, -1).any(axis=1)]
        kept[rows] = True
        found = np.concatenate([found, values[rows]])
    return kept


def covered(rows: FloatArray, by: FloatArray) -> BoolArray:
    """Which rows are no better in anything than some row of ``by``; bool[P]."""
    if not len(by):
        return np.zeros(len(rows), bool)
    below: BoolArray = np.all(by[None] <= rows[:, None], axis=2)
    return np.asarray(below.any(axis=1))


def ranks(values: FloatArray, over: FloatArray) -> IntArray:
    """Number of the nondominated front that each plan belongs to, from 0; int32[P].

    A plan that breaks nothing comes before one that does, and of two that do, the one that breaks
    less: constrained domination (Deb, Pratap, Agarwal, Meyarivan 2002, section VI).

    Parameters
    ----------
    over : float64[P]
        What each plan breaks, 0 for nothing.
    """
    count = len(values)
    found = np.zeros(count, np.int32)
    holds = over == 0
    level = 0
    left = np.flatnonzero(holds)
    rows = values[left]
    below: BoolArray = np.all(rows[:, None] <= rows[None], axis=2)
    better = below & ~below.T  # [a, b]: a dominates b
    dominated = better.sum(axis=0)
    alive = np.ones(len(left), bool)
    while alive.any():
        front = alive & (dominated == 0)
        found[left[front]] = level
        alive &= ~front
        dominated -= better[front].sum(axis=0)
        level += 1
    broken = np.flatnonzero(~holds)
    amounts, place = np.unique(over[broken], return_inverse=True)
    del amounts
    found[broken] = level + place
    return found


def crowding(values: FloatArray, rank: IntArray) -> FloatArray:
    """Crowding distance of each plan within its front, infinite at the ends; float64[P].

    Deb, Pratap, Agarwal, Meyarivan 2002, section III-B.
    """
    distance = np.zeros(len(values))
    for column in values.T:
        order = np.lexsort((np.arange(len(values)), column, rank))
        sorted_rank, sorted_value = rank[order], column[order]
        edge = np.ones(len(order) + 1, bool)
        edge[1:-1] = sorted_rank[1:] != sorted_rank[:-1]
        group = np.cumsum(edge[:-1]) - 1
        begin = np.flatnonzero(edge[:-1])
        end = np.flatnonzero(edge[1:])
        width = (sorted_value[end] - sorted_value[begin])[group]
        gap = np.full(len(order), np.inf)
        inner = np.flatnonzero(~edge[:-1] & ~edge[1:])
        wide = width[inner] > 0
        step = sorted_value[inner + 1] - sorted_value[inner - 1]
        gap[inner] = np.divide(step, width[inner], out=np.zeros(len(inner)), where=wide)
        distance[order] += gap
    return distance


def least_crowded(values: FloatArray, count: int) -> NDArray[np.int64]:
    """Rows of one front where at most so many are kept: those of greatest crowding distance."""
    if len(values) <= count:
        return np.arange(len(values))
    wide = crowding(values, np.zeros(len(values), np.int32))
    return np.sort(np.argsort(-wide, kind="stable")[:count])


def hypervolume(values: FloatArray, reference: FloatArray) -> float:
    """Volume that is dominated by some row and below the reference; for two or three metrics.

    Zitzler, Thiele 1999. In three dimensions, areas of slices along the last metric.
    """
    inside = values[(values < reference).all(axis=1)]
    if not len(inside):
        return 0.0
    if inside.shape[1] == 2:
        return _area(inside, reference)
    order = np.argsort(inside[:, 2], kind="stable")
    rows = inside[order]
    heights = np.append(rows[1:, 2], reference[2]) - rows[:, 2]
    return float(
        sum(
            height * _area(rows[: number + 1, :2], reference[:2])
            for number, height in enumerate(heights.tolist())
            if height > 0
        )
    )


def _area(values: FloatArray, reference: FloatArray) -> float:
    rows = values[efficient(values)]
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    widths = np.append(rows[1:, 0], reference[0]) - rows[:, 0]
    return float((widths * (reference[1] - rows[:, 1])).sum())


def knee(values: FloatArray) -> int | None:
    """The plan farthest below the plane through the best of each metric; ``None`` below 3 plans.

    On axes scaled to the front this is the least sum of metrics (Das 1999, On characterizing the
    "knee" of the Pareto curve based on normal-boundary intersection).
    """
    if len(values) < 3:
        return None
    low = values.min(axis=0)
    width = values.max(axis=0) - low
    scaled = (values - low) / np.where(width > 0, width, 1.0)
    return int(scaled.sum(axis=1).argmin())


def spread(values: FloatArray, count: int, kept: NDArray[np.integer]) -> NDArray[np.int64]:
    """Rows that stand for all, evenly spread: the ends, ``kept``, then the farthest from those.

    Each next row is the one whose nearest chosen row is farthest (Gonzalez 1985), on axes scaled to
    the rows.

    Returns
    -------
    int64[min(count, P)]
        In rising order.
    """
    if len(values) <= count:
        return np.arange(len(values))
    low = values.min(axis=0)
    width = values.max(axis=0) - low
    scaled = (values - low) / np.where(width > 0, width, 1.0)
    ends = [int(column.argmin()) for column in values.T]
    chosen = list(dict.fromkeys([*ends, *kept.tolist()]))[:count]
    near = np.full(len(values), np.inf)
    for row in chosen:
        near = np.minimum(near, np.abs(scaled - scaled[row]).sum(axis=1))
    while len(chosen) < count:
        row = int(near.argmax())
        chosen.append(row)
        near = np.minimum(near, np.abs(scaled - scaled[row]).sum(axis=1))
    return np.sort(np.array(chosen, np.int64))
