"""What placing each task, and moving each item, adds to energy, cost, risk and traffic at least.

Waiting for the plan to end (idle power) is not counted here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray
from offload.bounding.delays import Kinds, possible_holders
from offload.bounding.ties import APART, TOGETHER
from offload.metrics import transfer_energy, transfer_price, transfer_traffic
from offload.tables import Tables

__all__ = ["SPENT", "edge_costs", "place_costs"]

SPENT = ("energy", "cost", "risk", "traffic")
_MOVING = {"energy": transfer_energy, "cost": transfer_price, "traffic": transfer_traffic}


def place_costs(tables: Tables, kinds: Kinds, weights: Mapping[str, float]) -> FloatArray:
    """Least weighted sum of metrics that each task adds by itself where it runs; float64[T, G].

    Running it, in the mode that adds least, fetching what it reads, and moving it. Infinite where
    it cannot run.
    """
    best = kinds.gather(lambda nodes: _running(tables, nodes, weights))
    if any(weights.get(metric, 0.0) > 0 for metric in _MOVING):
        if len(tables.reads.values):
            fetched = kinds.least(_fetch_costs(tables, weights))
            reader = np.repeat(np.arange(tables.tasks), tables.reads.lengths)
            np.add.at(best, reader, fetched[tables.reads.values])
        moved = np.flatnonzero(tables.at >= 0)
        if len(moved):
            every = np.arange(tables.nodes)[None, :]
            size, at = tables.move_bytes[moved, None], tables.at[moved, None]
            best[moved] += kinds.least(_moving(tables, weights, size, at, every))
    return best


def _running(
    tables: Tables, nodes: NDArray[np.integer], weights: Mapping[str, float]
) -> FloatArray:
    """Least weighted sum of metrics by running each task on some nodes; float64[T, n]."""
    task, node = np.arange(tables.tasks)[:, None], nodes[None, :]
    best = np.full((tables.tasks, len(nodes)), np.inf)
    for mode in range(tables.modes):
        power = weights.get("energy", 0.0) * tables.busy_power[nodes, mode]
        power = power + weights.get("cost", 0.0) * tables.node_price[nodes]
        risk = weights.get("risk", 0.0) * tables.failure_rate[nodes]
        time = tables.execution(task, node, np.full_like(node, mode))
        fine = np.isfinite(time)
        spent = np.where(fine, time, 0.0) * (tables.task_slots[:, None] * power + risk)
        best = np.minimum(best, np.where(fine, spent, np.inf))
    return best


def edge_costs(tables: Tables, weights: Mapping[str, float], tie: NDArray[np.int8]) -> FloatArray:
    """Least weighted sum of metrics that edges add, by the nodes of their ends; float64[E, K, K].

    Readers of one item on one node share its transfer: each edge bears an equal part of it.
    Infinite where no permitted route leads, or a group forbids.
    """
    node = np.arange(tables.nodes)
    src, dst = node[:, None], node[None, :]
    size = tables.item_bytes[:, None, None]
    best = _moving(tables, weights, size, src, dst)
    item, codecs = tables.item_codecs.gather(np.arange(tables.items))
    for codec in np.unique(codecs).tolist():
        rows = item[codecs == codec]
        packed = _moving(tables, weights, size[rows], src, dst, codec)
        best[rows] = np.minimum(best[rows], packed)
    readers = np.bincount(tables.edge_item, minlength=tables.items)
    best /= readers[:, None, None]
    rule = tables.item_rule[:, None, None]
    best[~np.isfinite(tables.transfer(size, src, dst, -1, rule).latency)] = np.inf
    cost = best[tables.edge_item]
    same, mark = np.eye(tables.nodes, dtype=bool), tie[:, None, None]
    cost[((mark == TOGETHER) & ~same) | ((mark == APART) & same)] = np.inf
    return cost


def _fetch_costs(tables: Tables, weights: Mapping[str, float]) -> FloatArray:
    """Least that each reader of data on a node adds, its part of the one fetch; float64[D, K].

    A copy on the spot has been pushed from a home.
    """
    holders, node = possible_holders(tables), np.arange(tables.nodes)
    readers = np.bincount(tables.reads.values, minlength=len(holders))
    result = np.zeros(holders.shape)
    for d in np.flatnonzero(readers).tolist():
        source = np.flatnonzero(holders[d])
        spent = _moving(tables, weights, tables.data_bytes[d], source[:, None], node[None, :])
        route = tables.permits(int(tables.data_rule[d]))[source]
        away = route & (source[:, None] != node[None, :])
        least = np.where(away, spent, np.inf).min(axis=0, initial=np.inf) / readers[d]
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
