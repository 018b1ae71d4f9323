"""Which modes, codecs and sources are worth a variable: what another is never worse than is not.

Modes of a node: a faster one that takes no more energy for the work is never worse, and without
energy in the goal the fastest alone is worth one. Codecs of an item from k to l: one that takes no
longer in any part that counts and costs no more in any metric that counts is never worse. Sources
of a data item for node l, nearest first: none after the first home is ever used.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from formulations.coefficients import permitted_pairs, transfer_cost
from offload.arrays import BoolArray, FloatArray
from offload.bounding.delays import possible_holders
from offload.bounding.durations import item_parts
from offload.tables import Tables

__all__ = ["codec_options", "modes_of", "sources_of"]

_SPENT = ("energy", "cost", "traffic")


def modes_of(tables: Tables, metrics: Collection[str]) -> list[list[int]]:
    """The modes of each node that are worth a choice, the fastest first."""
    found = []
    for k in range(tables.nodes):
        count = int(tables.mode_count[k])
        speed = tables.mode_speed[k, :count]
        spent = tables.busy_power[k, :count] / speed
        kept: list[int] = []
        for m in np.lexsort((np.arange(count), spent, -speed)).tolist():
            if not kept or ("energy" in metrics and spent[m] < spent[kept[-1]]):
                kept.append(m)
        found.append(kept)
    return found


def codec_options(
    tables: Tables, item: int, metrics: Collection[str], held: BoolArray
) -> dict[int, BoolArray]:
    """By codec (-1 for none) the pairs of nodes for which it is worth a choice; bool[K, K] each.

    Every permitted pair has one codec at least; a node and itself have -1 alone.
    """
    permitted = permitted_pairs(tables, item)
    codecs = [-1, *tables.item_codecs.of(item).tolist()]
    if len(codecs) == 1:
        return {-1: permitted}
    value = np.stack([_burden(tables, item, c, metrics, held) for c in codecs])
    found = {}
    for n, c in enumerate(codecs):
        worse = np.zeros(permitted.shape, bool)
        for b in range(len(codecs)):
            if b != n:
                never = (value[b] <= value[n]).all(axis=0)
                worse |= never & ((value[b] < value[n]).any(axis=0) if b > n else True)
        found[c] = permitted & ~worse
    return {c: mask for c, mask in found.items() if mask.any()}


def _burden(
    tables: Tables, item: int, codec: int, metrics: Collection[str], held: BoolArray
) -> FloatArray:
    """All that is better the less there is of it; float64[V, K, K]."""
    parts = item_parts(tables, item, codec)
    # What holds no link matters as a whole; else what is before, during and after the hold.
    burden = [
        np.where(held, parts.encode, parts.total),
        np.where(held, parts.serialise, 0.0),
        np.where(held, parts.serialise + parts.latency + parts.decode, 0.0),
    ]
    if "period" in metrics:
        burden.append(parts.serialise)
    burden += [transfer_cost(tables, m, item, codec) for m in _SPENT if m in metrics]
    return np.stack(burden)


def sources_of(tables: Tables, data: int) -> list[list[int]]:
    """For each node, where a data item may come from, nearest first, up to the first home.

    The node itself comes first where it is a home or may hold a copy. Empty where no source is
    within reach.
    """
    holders = np.repeat(possible_holders(tables)[[data]], tables.nodes, axis=0)
    left: list[list[int]] = [[] for _ in range(tables.nodes)]
    waiting: NDArray[np.intp] = np.arange(tables.nodes)
    while len(waiting):
        source = tables.fetch(np.full(len(waiting), data), waiting, holders[waiting])
        waiting, source = waiting[source >= 0], source[source >= 0]
        for l, k in zip(waiting.tolist(), source.tolist(), strict=True):
            left[l].append(k)
        holders[waiting, source] = False
        waiting = waiting[~tables.home[data, source]]
    return left
