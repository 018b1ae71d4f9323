"""How long all that may run or move takes, by the nodes it may run on or move between."""

from __future__ import annotations

import numpy as np

from offload.arrays import BoolArray, FloatArray
from offload.tables import Tables, TransferParts

__all__ = ["all_durations", "data_parts", "held_pairs", "item_parts", "move_parts"]


def held_pairs(tables: Tables) -> BoolArray:
    """Pairs of nodes whose route has some link with channels; bool[K, K]."""
    every = np.indices((tables.nodes, tables.nodes), np.int32)
    src, dst = every[0].ravel(), every[1].ravel()
    held = np.zeros(len(src), bool)
    row, arc = tables.routes.expand(src, dst)
    held[row[tables.routes.arc_resource[arc] >= 0]] = True
    return held.reshape(tables.nodes, tables.nodes)


def item_parts(tables: Tables, item: int, codec: int = -1) -> TransferParts:
    """The four parts of an item's transfer for each pair of nodes; float64[K, K] each."""
    src, dst = np.indices((tables.nodes, tables.nodes))
    return tables.transfer(tables.item_bytes[item], src, dst, codec, tables.item_rule[item])


def data_parts(tables: Tables, data: int) -> TransferParts:
    """The four parts of a data item's fetch for each pair of nodes; float64[K, K] each."""
    src, dst = np.indices((tables.nodes, tables.nodes))
    return tables.transfer(tables.data_bytes[data], src, dst, -1, tables.data_rule[data])


def move_parts(tables: Tables, task: int) -> TransferParts:
    """The four parts of a task's move to each node; float64[K] each. The task must be somewhere."""
    to = np.arange(tables.nodes)
    return tables.transfer(tables.move_bytes[task], int(tables.at[task]), to)


def all_durations(tables: Tables) -> FloatArray:
    """Every time from which times of a plan are made, finite ones and others; float64[N].

    Executions in all modes, transfers (in the parts that hold links, where some can be held),
    releases, deadlines and due times.
    """
    task, node = np.arange(tables.tasks)[:, None], np.arange(tables.nodes)
    modes = [tables.execution(task, node, m).ravel() for m in range(tables.modes)]
    parts = _transfers(tables)
    found = [part.total.ravel() for part in parts]
    if len(tables.routes.resource_channels):
        held = held_pairs(tables)
        for part in parts:
            mask = held if part.total.ndim == 2 else np.ones(part.total.shape, bool)
            after = part.serialise + part.latency + part.decode
            found += [part.encode[mask], part.serialise[mask], after[mask]]
    return np.concatenate([*modes, *found, tables.release, tables.deadline, tables.due])


def _transfers(tables: Tables) -> list[TransferParts]:
    """The parts of all that may move; float64[K, K] or float64[K] each."""
    items = range(tables.items)
    parts = [item_parts(tables, h, c) for h in items for c in (-1, *tables.item_codecs.of(h))]
    parts += [data_parts(tables, d) for d in np.unique(tables.reads.values).tolist()]
    return parts + [move_parts(tables, i) for i in np.flatnonzero(tables.at >= 0).tolist()]
