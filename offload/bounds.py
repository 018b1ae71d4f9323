"""Lower bounds that hold for every plan: critical path, load, and their combination.

A bound here is a number that no plan of the real, unrounded problem can beat. It does not use any
plan, and costs far less than solving.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from offload.arrays import FloatArray
from offload.problem import METRICS, Problem
from offload.tables import Tables

__all__ = ["heads", "lower_bound", "metric_bounds", "pair_delays", "tails"]


_PAIRWISE = 30_000_000  # edge-pair cells up to which delays of each pair of nodes are used


def pair_delays(tables: Tables, edge: int) -> FloatArray:
    """Least delay of an edge for each pair of nodes in seconds, over its codecs; float64[K, K]."""
    item = tables.edge_item[edge]
    node = np.arange(tables.nodes)
    size, rule = tables.item_bytes[item], tables.item_rule[item]
    best: FloatArray = tables.transfer(size, node[:, None], node[None, :], -1, rule).total
    for codec in tables.item_codecs.of(int(item)):
        packed = tables.transfer(size, node[:, None], node[None, :], codec, rule).total
        best = np.minimum(best, packed)
    return best


def fastest(tables: Tables) -> FloatArray:
    """Least execution time of each task on each node over its modes; infinite if barred. [T, K]."""
    task, node = np.arange(tables.tasks)[:, None], np.arange(tables.nodes)[None, :]
    best = tables.execution(task, node)
    for mode in range(1, tables.modes):
        best = np.minimum(best, tables.execution(task, node, np.full_like(node, mode)))
    return best


def heads(tables: Tables, times: FloatArray | None = None) -> FloatArray:
    """Earliest conceivable start of each task on each node, float64[T, K].

    ``est_jl = max over edges i -> j of min_k (est_ik + p_ik + c_ekl)``, at least the release. Of a
    divisible task only the release is known: its parts may be small.
    """
    times = fastest(tables) if times is None else times
    start = np.repeat(tables.release[:, None], tables.nodes, axis=1)
    blurred = tables.edges * tables.nodes**2 > _PAIRWISE
    for j in tables.topological.tolist():
        for e in tables.incoming.of(j).tolist():
            i = tables.edge_src[e]
            done = start[i] + (0.0 if tables.divisible[i] else times[i])
            done = np.where(np.isfinite(times[i]), done, np.inf)
            if blurred or tables.divisible[i] or tables.divisible[j]:
                arrival = np.full(tables.nodes, done.min())
            else:
                arrival = (done[:, None] + pair_delays(tables, e)).min(axis=0)
            start[j] = np.maximum(start[j], arrival)
    return start


def tails(tables: Tables, times: FloatArray | None = None) -> FloatArray:
    """Least time from a task's finish on each node to the end of the plan, float64[T, K]."""
    times = fastest(tables) if times is None else times
    tail = np.zeros((tables.tasks, tables.nodes))
    blurred = tables.edges * tables.nodes**2 > _PAIRWISE
    for i in tables.topological[::-1].tolist():
        for e in tables.outgoing.of(i).tolist():
            j = tables.edge_dst[e]
            rest = tail[j] + (0.0 if tables.divisible[j] else times[j])
            rest = np.where(np.isfinite(times[j]), rest, np.inf)
            if blurred or tables.divisible[i] or tables.divisible[j]:
                after = np.full(tables.nodes, rest.min())
            else:
                after = (pair_delays(tables, e) + rest[None, :]).min(axis=1)
            tail[i] = np.maximum(tail[i], after)
    return tail


def metric_bounds(problem: Problem) -> dict[str, float]:
    """A lower bound of each metric; infinite where no plan exists at all."""
    tables = problem.tables
    if not tables.tasks:
        return dict.fromkeys(METRICS, 0.0)
    times = fastest(tables)
    # Divisible tasks use the slots of several nodes: their work is only bounded node by node.
    least = np.where(tables.divisible[:, None] & np.isfinite(times), 0.0, times)
    first = heads(tables, times)
    finish = (first + least).min(axis=1)
    path = first + least + np.where(np.isfinite(times), tails(tables, times), np.inf)
    capacity = tables.node_slots.sum()
    slot_seconds = (times * tables.task_slots[:, None]).min(axis=1).sum()
    latency = max(float(path.min(axis=1).max()), float(slot_seconds / max(capacity, 1)))
    counted = np.isfinite(tables.due)
    late = np.maximum(finish[counted] - tables.due[counted], 0)
    idle = float(tables.idle_power.sum())
    return {
        "latency": latency,
        "completion": _weighted(tables.weight, finish),
        "tardiness": _weighted(tables.weight[counted], late),
        "energy": _cheapest(tables, _power) + (idle * latency if idle else 0.0),
        "cost": _cheapest(tables, _price),
        "risk": _cheapest(tables, _rate),
        "traffic": 0.0,
        "period": float(slot_seconds / max(capacity, 1)),
    }


def _weighted(weight: FloatArray, value: FloatArray) -> float:
    kept = weight > 0
    return float(weight[kept] @ value[kept])


def _power(tables: Tables, mode: int) -> FloatArray:
    return tables.task_slots[:, None] * tables.busy_power[None, :, mode]


def _price(tables: Tables, mode: int) -> FloatArray:
    result: FloatArray = tables.task_slots[:, None] * tables.node_price[None, :]
    return result


def _rate(tables: Tables, mode: int) -> FloatArray:
    return np.broadcast_to(tables.failure_rate, (tables.tasks, tables.nodes))


def _cheapest(tables: Tables, rate: object) -> float:
    """Sum over tasks of the least p * rate over nodes and modes."""
    assert callable(rate)
    task, node = np.arange(tables.tasks)[:, None], np.arange(tables.nodes)[None, :]
    best = np.full(tables.tasks, np.inf)
    for mode in range(tables.modes):
        time = tables.execution(task, node, np.full_like(node, mode))
        with np.errstate(invalid="ignore"):
            spent = np.where(np.isfinite(time), time * rate(tables, mode), np.inf)
        best = np.minimum(best, spent.min(axis=1))
    return float(best.sum())


def lower_bound(problem: Problem, minimize: Mapping[str, float]) -> float:
    """A lower bound of the weighted sum of metrics, the sum of the metrics' own bounds."""
    known = metric_bounds(problem)
    return float(sum(weight * known[m] for m, weight in minimize.items() if weight > 0))
