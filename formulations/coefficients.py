"""What each metric costs per placement and per transfer: the cost model for linear models.

energy_ik = p_ik s_i busy_k, cost_ik = p_ik s_i price_k, risk_ik = p_ik rate_k for task i on node k;
and for item e from k to l: energy, cost and traffic of its bytes over the route.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray
from offload.metrics import transfer_energy, transfer_price, transfer_traffic
from offload.tables import Tables

__all__ = ["permitted_pairs", "placement_cost", "slot_load", "times_table", "transfer_cost"]


_TRANSFER = {"energy": transfer_energy, "cost": transfer_price, "traffic": transfer_traffic}


def times_table(tables: Tables) -> FloatArray:
    """p_ik in the default mode, seconds; infinite where a task cannot run. float64[T, K]."""
    return tables.execution(np.arange(tables.tasks)[:, None], np.arange(tables.nodes)[None, :])


def placement_cost(tables: Tables, metric: str) -> FloatArray:
    """What running task i on node k adds to a metric; 0 where it cannot run. float64[T, K]."""
    times = times_table(tables)
    times = np.where(np.isfinite(times), times, 0.0)
    occupied = times * tables.task_slots[:, None]
    rates = {
        "energy": occupied * tables.busy_power[None, :, 0],
        "cost": occupied * tables.node_price[None, :],
        "risk": times * tables.failure_rate[None, :],
    }
    return np.asarray(rates.get(metric, np.zeros_like(times)))


def slot_load(tables: Tables) -> FloatArray:
    """Seconds that task i adds to the load of node k (period); 0 where it cannot run. [T, K]."""
    times = times_table(tables)
    occupied = np.where(np.isfinite(times), times, 0.0) * tables.task_slots[:, None]
    return np.asarray(occupied / np.maximum(tables.node_slots, 1))


def transfer_cost(tables: Tables, metric: str, item: int) -> FloatArray:
    """What moving an item from k to l adds to a metric; 0 on the diagonal. float64[K, K]."""
    if metric not in _TRANSFER:
        return np.zeros((tables.nodes, tables.nodes))
    src, dst = np.indices((tables.nodes, tables.nodes))
    size = np.full(src.shape, tables.item_bytes[item])
    cost = _TRANSFER[metric](tables, size, src, dst)
    return np.where(permitted_pairs(tables, item), cost, 0.0)


def permitted_pairs(tables: Tables, item: int) -> NDArray[np.bool_]:
    """Pairs of nodes between which an item may move (true on the diagonal); bool[K, K]."""
    return tables.permits(int(tables.item_rule[item]))
