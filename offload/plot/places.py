"""Where nodes of a network are drawn: tiers as columns, a single tier as a circle."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray
from offload.plot.layout import layered

__all__ = ["Places", "circle", "columns"]

Positions = NDArray[np.integer]

_WITHIN = 0.7  # of the distance between columns, between those of one tier
_ROUND = 0.25  # columns that are about as wide as a row is high
_SPREAD = 0.6  # of the height, to which columns of few nodes extend
_BOW = 0.22  # columns by which links along a column bend, at least


class Places(NamedTuple):
    """Places of K nodes and L links; x in columns, y in rows from the top.

    ``side`` says where a node's text stands: left (-1), right (1), or above (0). In ``paths``
    links are float64[n, 2] each.
    """

    x: FloatArray
    y: FloatArray
    side: Positions
    paths: list[FloatArray]


def circle(count: int, src: Positions, dst: Positions) -> Places:
    """Nodes of one tier around a circle, the first on the left, links straight."""
    angle = np.pi + 2 * np.pi * np.arange(count) / max(count, 1)
    radius = max(1.5, 0.45 * count) if count > 1 else 0.0
    x, y = _ROUND * radius * np.cos(angle), radius * np.sin(angle)
    side = np.where(np.abs(np.cos(angle)) < 0.1, 0, np.sign(np.cos(angle))).astype(np.int64)
    place = np.stack([x - x.min(initial=0.0), y - y.min(initial=0.0)], 1)
    return Places(
        place[:, 0], place[:, 1], side, [place[[i, j]] for i, j in zip(src, dst, strict=True)]
    )


def columns(tier: Positions, src: Positions, dst: Positions) -> Places:
    """Nodes in columns by tier (0 is on the left), near what they are linked with.

    Within a tier, nodes further from the next tier stand further left.
    """
    depth = _within(tier, src, dst)
    _, layer = np.unique(tier * (len(tier) + 1) + depth, return_inverse=True)
    layer = layer.reshape(-1)
    laid = layered(layer, src, dst, spread=_SPREAD)
    last = int(layer.max(initial=0))
    tier_of = np.zeros(last + 1, np.int64)
    tier_of[layer] = tier
    steps = np.where(np.diff(tier_of) == 0, _WITHIN, 1.0)
    at = np.concatenate([[0.0], np.cumsum(steps)])
    paths = []
    for path, i, j in zip(laid.paths, src.tolist(), dst.tolist(), strict=True):
        x = at[path[:, 0].astype(int)]
        bend = layer[i] == layer[j]
        paths.append(_bow(x[0], *path[:, 1]) if bend else np.stack([x, path[:, 1]], 1))
    side = np.where(layer == 0, -1, np.where(layer == last, 1, 0))
    return Places(at[layer], laid.height, side, paths)


def _within(tier: Positions, src: Positions, dst: Positions) -> Positions:
    """A column of each node within its tier: by hops from the next tier, or from the one before."""
    near: list[set[int]] = [set() for _ in tier]
    for i, j in zip(src.tolist(), dst.tolist(), strict=True):
        near[i].add(j)
        near[j].add(i)
    depth = np.zeros(len(tier), np.int64)
    for t in np.unique(tier).tolist():
        own = np.flatnonzero(tier == t).tolist()
        for sign in (1, -1):
            level = [k for k in own if any(sign * (int(tier[j]) - t) > 0 for j in near[k])]
            hops = dict.fromkeys(level, 0)
            while level:
                level = [j for k in level for j in sorted(near[k]) if tier[j] == t]
                level = [j for j in dict.fromkeys(level) if j not in hops]
                hops.update(dict.fromkeys(level, 1 + max(hops.values(), default=0)))
            if hops:
                most = max(hops.values())
                for k in own:
                    depth[k] = -sign * hops.get(k, most) + (most if sign > 0 else 0)
                break
    return depth


def _bow(x: float, first: float, last: float) -> FloatArray:
    """A link between two nodes of one column, bent to the right."""
    t = np.linspace(0.0, 1.0, 17)
    bow = _BOW * (1 + 0.3 * np.log1p(max(abs(last - first) - 1, 0)))
    return np.stack([x + 4 * bow * t * (1 - t) / 2, first + (last - first) * t], 1)
