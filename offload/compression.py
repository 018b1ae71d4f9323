"""Which codec a transfer takes when nobody says otherwise: the one with which it arrives first."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from offload.arrays import IntArray
from offload.tables import Tables

__all__ = ["fastest_codecs", "quickest"]


def fastest_codecs(tables: Tables, item: ArrayLike, src: ArrayLike, dst: ArrayLike) -> IntArray:
    """The codec with which an item's transfer takes least time; -1 where none shortens it.

    Parameters
    ----------
    item, src, dst
        Positions of items and of the nodes that they move between; all broadcast.

    Notes
    -----
    A codec pays exactly when b (1 - 1 / ratio) / bw > encode b / speed_k + decode b / speed_l
    (docs/format.md, section 7). Equally fast codecs: the one listed first.
    """
    item, src, dst = np.broadcast_arrays(item, src, dst)
    best = np.full(item.shape, -1, np.int32)
    if not len(tables.item_codecs.values):
        return best
    size = tables.item_bytes[item]
    least = tables.transfer(size, src, dst).total
    owner = np.repeat(np.arange(tables.items), tables.item_codecs.lengths)
    for codec in range(len(tables.codec_ids)):
        offered = np.zeros(tables.items, bool)
        offered[owner[tables.item_codecs.values == codec]] = True
        total = tables.transfer(size, src, dst, codec).total
        better = offered[item] & (total < least)
        best[better], least = codec, np.where(better, total, least)
    return best


def quickest(tables: Tables, item: int, src: ArrayLike, dst: IntArray) -> IntArray:
    """The same for one item, without a look at all of them; ``src`` broadcasts to ``dst``."""
    best = np.full(dst.shape, -1, np.int32)
    offered = tables.item_codecs.of(item)
    if len(offered):
        size = tables.item_bytes[item]
        least = tables.transfer(size, src, dst).total
        for codec in offered.tolist():
            total = tables.transfer(size, src, dst, codec).total
            better = total < least
            best[better], least = codec, np.where(better, total, least)
    return best
