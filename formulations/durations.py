"""All durations that a constraint model rounds, and how many of them lie on one path."""

from __future__ import annotations

import numpy as np

from formulations.choices import data_parts, held_pairs, item_parts
from formulations.coefficients import times_table
from offload.arrays import BoolArray, FloatArray
from offload.tables import Tables, TransferParts

__all__ = ["all_durations", "longest_serial", "move_parts", "roundings"]


def move_parts(tables: Tables, task: int) -> TransferParts:
    """The four parts of a task's move to each node; float64[K] each. The task must be somewhere."""
    to = np.arange(tables.nodes)
    return tables.transfer(tables.move_bytes[task], int(tables.at[task]), to)


def _transfers(tables: Tables) -> list[TransferParts]:
    """The parts of all that may move; float64[K, K] or float64[K] each."""
    items = range(tables.items)
    parts = [item_parts(tables, h, c) for h in items for c in (-1, *tables.item_codecs.of(h))]
    parts += [data_parts(tables, d) for d in np.unique(tables.reads.values).tolist()]
    return parts + [move_parts(tables, i) for i in np.flatnonzero(tables.at >= 0).tolist()]


def all_durations(tables: Tables) -> FloatArray:
    """Every duration that a model may round, finite ones and others; float64[N]."""
    modes = [times_table(tables, m).ravel() for m in range(tables.modes)]
    parts = _transfers(tables)
    found = [part.total.ravel() for part in parts]
    if len(tables.routes.resource_channels):
        held = held_pairs(tables)
        for part in parts:
            mask = held if part.total.ndim == 2 else np.ones(part.total.shape, bool)
            after = part.serialise + part.latency + part.decode
            found += [part.encode[mask], part.serialise[mask], after[mask]]
    return np.concatenate([*modes, *found, tables.release, tables.deadline, tables.due])


def roundings(tables: Tables) -> int:
    """Most roundings on a path of a schedule.

    A path of n tasks and as many messages has 2n. Where transfers wait for each other's links, it
    may meet all of them, and of each two parts.
    """
    if not len(tables.routes.resource_channels):
        return 2 * tables.tasks + 1
    transfers = tables.edges + len(tables.reads.values) + int((tables.at >= 0).sum())
    return tables.tasks + 2 * transfers + 1


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
