"""How long a schedule may take at most."""

from __future__ import annotations

import numpy as np

from offload.arrays import BoolArray, FloatArray
from offload.bounding.durations import data_parts, item_parts, move_parts
from offload.tables import Tables, TransferParts

__all__ = ["longest_serial"]


def longest_serial(tables: Tables, allowed: BoolArray, lasting: FloatArray) -> float:
    """Seconds by which all is done that is done one after another, each as slowly as may be.

    Parameters
    ----------
    allowed : bool[T, K]
        Where tasks may run.
    lasting : float64[T, K, M]
        Execution times, infinite where a mode is out of the question.
    """
    usable = allowed[:, :, None] & np.isfinite(lasting)
    slowest = np.where(usable, lasting, 0.0).max(axis=(1, 2), initial=0.0).sum()
    delay = 0.0
    for h in range(tables.items):
        codecs = (-1, *tables.item_codecs.of(h))
        slow = max(_longest(item_parts(tables, h, c)) for c in codecs)
        delay += slow * len(tables.item_edges.of(h))
    for d, readers in zip(*np.unique(tables.reads.values, return_counts=True), strict=True):
        delay += _longest(data_parts(tables, int(d))) * int(readers)
    for i in np.flatnonzero(tables.at >= 0).tolist():
        delay += _longest(move_parts(tables, i))
    return float(tables.release.max(initial=0.0) + slowest + delay)


def _longest(parts: TransferParts) -> float:
    total = parts.total
    return float(total[np.isfinite(total)].max(initial=0.0))
