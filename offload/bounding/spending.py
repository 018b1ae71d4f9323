"""What placing each task, and moving each item, adds to energy, cost, risk and traffic at least.

Waiting for the plan to end (idle power) is not counted here. Weights may name "seconds" besides:
the time that a task runs, or that a transfer takes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray, IntArray
from offload.bounding.delays import Kinds, possible_holders
from offload.bounding.ties import APART, TOGETHER
from offload.metrics import transfer_energy, transfer_price, transfer_traffic
from offload.tables import Tables

__all__ = [
    "SPENT", "edge_costs", "fetch_costs", "item_costs", "move_costs", "place_costs",
    "running_costs",
]  # fmt: skip

SPENT = ("energy", "cost", "risk", "traffic")
IntLike = NDArray[np.integer]


def _seconds(
    tables: Tables, size: FloatArray, src: IntLike, dst: IntLike, codec: IntLike | int = -1
) -> FloatArray:
    """Seconds that transfers take; infinite without a route."""
    return tables.transfer(size, src, dst, codec).total


_MOVING = {
    "energy": transfer_energy, "cost": transfer_price, "traffic": transfer_traffic,
    "seconds": _seconds,
}  # fmt: skip


def place_costs(tables: Tables, kinds: Kinds, weights: Mapping[str, float]) -> FloatArray:
    """Least weighted sum of metrics that each task adds by itself where it runs; float64[T, G].

    Running it, in the mode that adds least, fetching what it reads, and moving it. Infinite where
    it cannot run.
    """
    best = kinds.gather(lambda nodes: running_costs(tables, nodes, weights).min(axis=0))
    if any(weights.get(metric, 0.0) > 0 for metric in _MOVING):
        if len(tables.reads.values):
            readers = np.bincount(tables.reads.values, minlength=len(tables.data_ids))
            # Readers on one node share its fetch: each bears an equal part of it.
            part = fetch_costs(tables, weights) / np.maximum(readers, 1)[:, None]
            fetched = kinds.least(part)
            reader = np.repeat(np.arange(tables.tasks), tables.reads.lengths)
            np.add.at(best, reader, fetched[tables.reads.values])
        moved = np.flatnonzero(tables.at >= 0)
        if len(moved):
            best[moved] += kinds.least(move_costs(tables, moved, weights))
    return best


def running_costs(
    tables: Tables, nodes: NDArray[np.integer], weights: Mapping[str, float]
) -> FloatArray:
    """Weighted sum of metrics by running each task in each mode of some nodes; float64[M, T, n].

    Infinite where a task cannot run, or the mode is unknown.
    """
    task, node = np.arange(tables.tasks)[:, None], nodes[None, :]
    found = np.full((tables.modes, tables.tasks, len(nodes)), np.inf)
    for mode in range(tables.modes):
        power = weights.get("energy", 0.0) * tables.busy_power[nodes, mode]
        power = power + weights.get("cost", 0.0) * tables.node_price[nodes]
        rate = weights.get("risk", 0.0) * tables.failure_rate[nodes] + weights.get("seconds", 0.0)
        time = tables.execution(task, node, np.full_like(node, mode))
        fine = np.isfinite(time)
        spent = np.where(fine, time, 0.0) * (tables.task_slots[:, None] * power + rate)
        found[mode][fine] = spent[fine]
    return found


def move_costs(
    tables: Tables, tasks: NDArray[np.integer], weights: Mapping[str, float]
) -> FloatArray:
    """Weighted sum of metrics by moving tasks from where they are to each node; float64[N, K]."""
    every = np.arange(tables.nodes)[None, :]
    return _moving(tables, weights, tables.move_bytes[tasks, None], tables.at[tasks, None], every)


def edge_costs(tables: Tables, weights: Mapping[str, float], tie: NDArray[np.int8]) -> FloatArray:
    """Least weighted sum of metrics that edges add, by the nodes of their ends; float64[E, K, K].

    Readers of one item on one node share its transfer: each edge bears an equal part of it.
    Infinite where no permitted route leads, or a group forbids.
    """
    node = np.arange(tables.nodes)
    best = item_costs(tables, weights, node[:, None], node[None, :])[0]
    readers = np.bincount(tables.edge_item, minlength=tables.items)
    best /= readers[:, None, None]
    cost = best[tables.edge_item]
    same, mark = np.eye(tables.nodes, dtype=bool), tie[:, None, None]
    cost[((mark == TOGETHER) & ~same) | ((mark == APART) & same)] = np.inf
    return cost


def item_costs(
    tables: Tables,
    weights: Mapping[str, float],
    src: NDArray[np.integer],
    dst: NDArray[np.integer],
) -> tuple[FloatArray, IntArray]:
    """Least weighted sum of metrics that moving each item once adds, and the codec that does.

    Parameters
    ----------
    src, dst : int[N, N']
        Nodes; they broadcast.

    Returns
    -------
    float64[I, N, N'], int32[I, N, N']
        Infinite where no permitted route leads. Of equal codecs none (-1), then the first.
    """
    size = tables.item_bytes[:, None, None]
    best = _moving(tables, weights, size, src[None], dst[None])
    chosen: IntArray = np.broadcast_to(np.int32(-1), best.shape)
    item, codecs = tables.item_codecs.gather(np.arange(tables.items))
    if len(codecs):
        chosen = chosen.copy()
    for codec in np.unique(codecs).tolist():
        rows = item[codecs == codec]
        packed = _moving(tables, weights, size[rows], src[None], dst[None], codec)
        chosen[rows] = np.where(packed < best[rows], codec, chosen[rows])
        best[rows] = np.minimum(best[rows], packed)
    rule = tables.item_rule[:, None, None]
    best[~np.isfinite(tables.transfer(size, src[None], dst[None], -1, rule).latency)] = np.inf
    return best, chosen


def fetch_costs(tables: Tables, weights: Mapping[str, float]) -> FloatArray:
    """Least weighted sum of metrics that fetching data to a node once adds; float64[D, K].

    0 at a home; of data that no task reads all are 0. A copy on the spot has been pushed from a
    home.
    """
    holders, node = possible_holders(tables), np.arange(tables.nodes)
    readers = np.bincount(tables.reads.values, minlength=len(holders))
    result = np.zeros(holders.shape)
    for d in np.flatnonzero(readers).tolist():
        source = np.flatnonzero(holders[d])
        spent = _moving(tables, weights, tables.data_bytes[d], source[:, None], node[None, :])
        route = tables.permits(int(tables.data_rule[d]))[source]
        away = route & (source[:, None] != node[None, :])
        least = np.where(away, spent, np.inf).min(axis=0, initial=np.inf)
        result[d] = np.where(tables.home[d], 0.0, least)
    return result


def _moving(
    tables: Tables, weights: Mapping[str, float], size: object, src: object, dst: object,
    codec: int = -1,
) -> FloatArray:  # fmt: skip
    """Weighted sum of what transfers add."""
    bytes_, a, b = np.broadcast_arrays(np.asarray(size, float), np.asarray(src), np.asarray(dst))
    total = np.zeros(bytes_.shape)
    for metric, spent in _MOVING.items():
        if weights.get(metric, 0.0) > 0:
            total += weights[metric] * spent(tables, bytes_, a, b, codec)
    return total
