"""What each metric costs per placement and per transfer: the cost model for linear models.

energy_ikm = p_ikm s_i busy_km, cost_ikm = p_ikm s_i price_k, risk_ikm = p_ikm rate_k for task i on
node k in mode m; and for what moves from k to l with codec c: energy, cost and traffic of its bytes
over the route.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offload.arrays import FloatArray
from offload.metrics import transfer_energy, transfer_price, transfer_traffic
from offload.tables import Tables

__all__ = [
    "moving_cost", "permitted_pairs", "placement_cost", "slot_load", "times_table",
    "transfer_cost",
]  # fmt: skip


_TRANSFER = {"energy": transfer_energy, "cost": transfer_price, "traffic": transfer_traffic}


def times_table(tables: Tables, mode: ArrayLike = 0) -> FloatArray:
    """p_ikm of one mode, or of one for each node, in seconds; float64[T, K].

    Infinite where a task cannot run.
    """
    task, node = np.arange(tables.tasks)[:, None], np.arange(tables.nodes)[None, :]
    return tables.execution(task, node, mode)


def placement_cost(tables: Tables, metric: str, mode: int = 0) -> FloatArray:
    """What running task i on node k adds to a metric; 0 where it cannot run. float64[T, K]."""
    times = times_table(tables, mode)
    times = np.where(np.isfinite(times), times, 0.0)
    occupied = times * tables.task_slots[:, None]
    rates = {
        "energy": occupied * tables.busy_power[None, :, mode],
        "cost": occupied * tables.node_price[None, :],
        "risk": times * tables.failure_rate[None, :],
    }
    return np.asarray(rates.get(metric, np.zeros_like(times)))


def slot_load(tables: Tables, mode: ArrayLike = 0) -> FloatArray:
    """Seconds that task i adds to the load of node k (period); 0 where it cannot run. [T, K]."""
    times = times_table(tables, mode)
    occupied = np.where(np.isfinite(times), times, 0.0) * tables.task_slots[:, None]
    return np.asarray(occupied / np.maximum(tables.node_slots, 1))


def transfer_cost(tables: Tables, metric: str, item: int, codec: int = -1) -> FloatArray:
    """What moving an item from k to l adds to a metric; 0 on the diagonal. float64[K, K]."""
    cost = moving_cost(tables, metric, float(tables.item_bytes[item]), codec)
    return np.where(permitted_pairs(tables, item), cost, 0.0)


def moving_cost(tables: Tables, metric: str, size: float, codec: int = -1) -> FloatArray:
    """What moving bytes from k to l adds to a metric, over whatever route. float64[K, K]."""
    src, dst = np.indices((tables.nodes, tables.nodes))
    if metric not in _TRANSFER:
        return np.zeros(src.shape)
    return _TRANSFER[metric](tables, np.full(src.shape, size), src, dst, codec)


def permitted_pairs(tables: Tables, item: int) -> NDArray[np.bool_]:
    """Pairs of nodes between which an item may move (true on the diagonal); bool[K, K]."""
    return tables.permits(int(tables.item_rule[item]))
