"""Places of a graph in layers from left to right: few crossings, nothing on top of another.

Sugiyama, Tagawa, Toda 1981, "Methods for visual understanding of hierarchical system structures":
edges over several layers get a place on each, layers are sorted by barycentres. Heights then are
the least squares of distances to neighbours that keep the order and a distance in each layer.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray
from offload.tables import Lists

__all__ = ["Layered", "layered"]

Positions = NDArray[np.integer]

_SWEEPS = 12  # of sorting, and of moving: more change little
_THROUGH = 20_000  # places on layers that edges pass, at most; above, edges are straight
_NARROW = 0.35  # of the distance of two nodes, between two passages of edges


class Layered(NamedTuple):
    """Heights of nodes, float64[N], from 0 on; two of one layer are at least 1 apart.

    ``paths`` has for each edge its corners, float64[n, 2] of (layer, height).
    """

    height: FloatArray
    paths: list[FloatArray]


def layered(layer: Positions, src: Positions, dst: Positions, spread: float = 0.0) -> Layered:
    """Lay out nodes whose layers are known.

    Parameters
    ----------
    layer : int[N]
        Layer of each node; edges may lead either way, and within a layer (then straight).
    src, dst : int[E]
        Ends of the edges.
    spread
        Nodes of a layer are further apart where it has few: together up to this share of the
        height of the largest layer, and up to three times as far as there.
    """
    layer = np.asarray(layer, np.int64)
    chains, layers, gaps = _with_passages(layer, np.asarray(src), np.asarray(dst))
    pairs = np.array([p for chain in chains for p in pairwise(chain)], np.int64)
    a, b = pairs.reshape(-1, 2).T
    many = np.bincount(layer)
    if spread and len(many):
        gaps[: len(layer)] = np.clip(spread * many.max() / many, 1.0, 3.0)[layer]
    members = Lists.group(layers, int(layers.max(initial=-1)) + 1)
    order: list[Positions] = [members.of(n) for n in range(len(members.lengths))]
    near = _Neighbours(np.concatenate([a, b]), np.concatenate([b, a]), layers)
    order = _sorted(order, near, len(layers))
    height = _heights(order, near, gaps)
    places = np.stack([layers.astype(float), height], 1)
    return Layered(height[: len(layer)], [places[chain] for chain in chains])


def _with_passages(
    layer: Positions, src: Positions, dst: Positions
) -> tuple[list[list[int]], Positions, FloatArray]:
    """The nodes and passages of each edge; the layer and the width of each node and passage."""
    between = np.abs(layer[dst] - layer[src]) - 1
    straight = int(np.maximum(between, 0).sum()) > _THROUGH
    chains, layers, count = [], layer.tolist(), len(layer)
    for i, j in zip(src.tolist(), dst.tolist(), strict=True):
        step = 1 if layer[j] > layer[i] else -1
        inner = [] if straight else list(range(int(layer[i]) + step, int(layer[j]), step))
        inner = inner if layer[i] != layer[j] else []
        chains.append([i, *range(count, count + len(inner)), j])
        layers += inner
        count += len(inner)
    gaps = np.ones(count)
    gaps[len(layer) :] = _NARROW
    return chains, np.array(layers, np.int64), gaps


class _Neighbours:
    """Means over neighbours on other layers."""

    def __init__(self, at: Positions, other: Positions, layers: Positions) -> None:
        apart = layers[at] != layers[other]
        self.at, self.other, self.count = at[apart], other[apart], len(layers)
        self.left = layers[self.other] < layers[self.at]

    def mean(self, value: FloatArray, side: int | None = None) -> FloatArray:
        """Mean of a value over neighbours, left (0), right (1) or both; own value without any."""
        chosen = slice(None) if side is None else self.left == (side == 0)
        at, other = self.at[chosen], self.other[chosen]
        many = np.bincount(at, minlength=self.count)
        total = np.bincount(at, value[other], minlength=self.count)
        return np.where(many > 0, total / np.maximum(many, 1), value)


def _sorted(order: list[Positions], near: _Neighbours, count: int) -> list[Positions]:
    """Each layer sorted by the barycentres of its neighbours, from left and right in turn."""
    rank = np.zeros(count)
    for own in order:
        rank[own] = (np.arange(len(own)) + 0.5) / len(own)
    for sweep in range(_SWEEPS):
        side = sweep % 2
        for number in range(len(order))[:: 1 if side == 0 else -1]:
            own = order[number]
            own = own[np.argsort(near.mean(rank, side)[own], kind="stable")]
            rank[own] = (np.arange(len(own)) + 0.5) / max(len(own), 1)
            order[number] = own
    return order


def _heights(order: list[Positions], near: _Neighbours, gaps: FloatArray) -> FloatArray:
    """Heights near the mean of the neighbours' that keep order and distances; the least is 0."""
    from scipy.optimize import isotonic_regression

    height, offsets = np.zeros(len(gaps)), []
    for own in order:
        apart = (gaps[own][1:] + gaps[own][:-1]) / 2
        offset = np.concatenate([[0.0], np.cumsum(apart)])[: len(own)]
        offsets.append(offset)
        height[own] = offset - (offset[-1] / 2 if len(offset) else 0.0)
    for sweep in range(_SWEEPS):
        side = (0, 1, None)[sweep % 3]
        for number in range(len(order))[:: -1 if side == 1 else 1]:
            own, offset = order[number], offsets[number]
            if len(own):
                wish = near.mean(height, side)[own]
                height[own] = isotonic_regression(wish - offset).x + offset
    return height - height.min(initial=np.inf) if len(height) else height
