"""Placement with costs of tasks and of pairs of tasks: a bound by messages along edges.

minimize sum_i a_i(k_i) + sum_{e=(i,j)} c_e(k_i, k_j). Messages f_e(l) and b_e(k) move cost between
edges and their ends:

    a'_i(k) = a_i(k) + sum_{e into i} f_e(k) + sum_{e out of i} b_e(k)
    c'_e(k, l) = c_e(k, l) - b_e(k) - f_e(l)

Every placement costs the same by a' and c', so that sum_i min a'_i + sum_e min c'_e is a bound
whatever the messages are. It is exact on trees once they have settled.

Source: TRW-S, Kolmogorov 2006, "Convergent tree-reweighted message passing", section 4; tasks of
one level of the graph, which no edge joins, are worked on together. At the end all cost is brought
back to tasks and edges (its section 3, with each edge and each task as a tree of its own).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from offload.arrays import FloatArray, IntArray
from offload.bounding.paths import Layer

__all__ = ["Settled", "settle"]

_PASSES = 12


class Settled(NamedTuple):
    """Costs of tasks after the messages, and what is left on the edges."""

    cost: FloatArray  # [T, K]
    rest: float  # sum over edges of their least remaining cost
    magnitude: float  # of the terms that were added up, for the rounding of them


def settle(
    cost: FloatArray,
    pair: FloatArray,
    src: IntArray,
    dst: IntArray,
    order: dict[bool, list[Layer]],
) -> Settled:
    """Send messages forth and back.

    Parameters
    ----------
    cost : float64[T, K]
        Infinite where a task is barred.
    pair : float64[E, K, K]
        By the node of the source, then that of the destination; infinite where forbidden.
    src, dst : int32[E]
        Tasks at the ends of each edge.
    order
        Layers of the graph, from its sources (False) and from its sinks (True).
    """
    fine = np.isfinite(cost)
    pair = np.where(fine[src][:, :, None] & fine[dst][:, None, :], pair, np.inf)
    forth, back = np.zeros((2, len(pair), cost.shape[1]))
    belief = cost.copy()
    tasks = len(cost)
    many = np.maximum(np.bincount(src, minlength=tasks), np.bincount(dst, minlength=tasks))
    share = (1.0 / np.maximum(many, 1))[:, None]

    def onward() -> None:
        for layer in order[False]:
            e = layer.edges
            given = share[src[e]] * belief[src[e]] - back[e]
            _send(forth, belief, layer, (given[:, :, None] + pair[e]).min(axis=1))

    for _ in range(_PASSES):
        onward()
        for layer in order[True]:
            e = layer.edges
            given = share[dst[e]] * belief[dst[e]] - forth[e]
            _send(back, belief, layer, (pair[e] + given[:, None, :]).min(axis=2))
    onward()
    # Each edge takes its share of the cost of its source, which its messages have reckoned with,
    # and returns what no choice at the other end can save: half to one end, all else to the other.
    back -= np.where(fine, share * belief, 0.0)[src]
    left = pair - back[:, :, None] - forth[:, None, :]
    for message, axis, part in ((back, 2, 0.5), (forth, 1, 1.0), (back, 2, 1.0)):
        least = left.min(axis=axis)
        least = np.where(np.isfinite(least), part * least, 0.0)
        message += least
        left -= np.expand_dims(least, axis)
    final = cost.copy()
    np.add.at(final, dst, forth)
    np.add.at(final, src, back)
    size = np.abs(forth).max(axis=1, initial=0.0) + np.abs(back).max(axis=1, initial=0.0)
    known = np.where(fine, np.abs(cost), 0.0).max(axis=1, initial=0.0)
    rest = float(left.min(axis=(1, 2), initial=np.inf).sum())
    return Settled(final, rest, float(size.sum() + known.sum()))


def _send(message: FloatArray, belief: FloatArray, layer: Layer, new: FloatArray) -> None:
    """Replace the messages to the tasks of a layer, with 0 as the least of each."""
    fine = np.isfinite(new)
    least = np.where(fine, new, np.inf).min(axis=1, keepdims=True)
    new = np.where(fine, new - np.where(np.isfinite(least), least, 0.0), 0.0)
    change = new - message[layer.edges]
    belief[layer.tasks] += np.add.reduceat(change, layer.first, axis=0)
    message[layer.edges] = new
