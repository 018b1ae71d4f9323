"""Balancing policies: each task in turn to a node by a simple rule, as load balancers do.

Tasks are taken in topological order. A policy only orders the nodes; the first that the placement
rules still admit is taken, and the evaluator's decoding gives the times, so that every feature of
the format is kept. None looks ahead: they are the baselines that better methods have to beat.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offload.arrays import FloatArray
from offload.errors import OffloadError
from offload.evaluator import evaluate
from offload.heuristics.list_scheduling import mean_delays, mean_times
from offload.heuristics.placer import Placer, Stuck
from offload.heuristics.schedule import with_retries
from offload.plan import Plan
from offload.registry import Answer, Request
from offload.tables import Tables

__all__ = [
    "by_intensity", "cloud", "least_loaded", "load_shares", "local", "randomly", "round_robin",
    "weighted_share",
]  # fmt: skip

Preference = Callable[[int, NDArray[np.int32]], Sequence[int]]  # task, placements so far -> nodes


def load_shares(weights: ArrayLike, times: ArrayLike) -> FloatArray:
    """Share of the load for each node: w_i T_i / sum_j w_j T_j.

    Parameters
    ----------
    weights, times : float[K]
        Weights, and the processing capability that each stands for; both >= 0.

    Returns
    -------
    float64[K]
        Shares that sum to 1. Weights 1, 2, 3 with 2, 3, 4 give 0.1, 0.3, 0.6.
    """
    product = np.asarray(weights, float) * np.asarray(times, float)
    if (product < 0).any() or not product.sum() > 0:
        raise OffloadError(f"weights * times: must be >= 0 with a sum > 0, got {product.tolist()}")
    shares: FloatArray = product / product.sum()
    return shares


def _times(tables: Tables) -> FloatArray:
    return tables.execution(np.arange(tables.tasks)[:, None], np.arange(tables.nodes)[None, :])


def _answer(request: Request, make: Callable[[], Preference], attempts: int = 50) -> Answer:
    """Place by a preference that is made anew for each attempt, decode, and give the plan."""
    problem, tables = request.problem, request.problem.tables

    def attempt(reserved: dict[int, int]) -> Plan:
        placer, prefer = Placer(tables, reserved), make()
        for task in tables.topological.tolist():
            fine = placer.candidates(task)
            node = next((k for k in prefer(task, placer.node) if fine[k]), None)
            if node is None:
                raise Stuck(task)
            placer.place(task, node)
        return evaluate(problem, placer.node, tables.topological).plan()

    plan = with_retries(tables, attempt, attempts)
    if plan is None:
        return Answer(reason="some task finds no node under the placement rules")
    return Answer(plan)


def round_robin(request: Request) -> Answer:
    """Each task to the next node in turn; nodes that cannot take it are passed over."""
    tables = request.problem.tables
    place = np.empty(tables.tasks, np.int64)
    place[tables.topological] = np.arange(tables.tasks)

    def prefer(task: int, placed: NDArray[np.int32]) -> list[int]:
        before = tables.topological[place[task] - 1]
        turn = int(placed[before]) + 1 if place[task] else 0
        return [(turn + step) % tables.nodes for step in range(tables.nodes)]

    return _answer(request, lambda: prefer)


def least_loaded(request: Request) -> Answer:
    """Least connections: each task to the node with least assigned work per slot.

    Option ``load``: "time" counts slot-seconds, "count" tasks.
    """
    tables = request.problem.tables
    kind = request.options.get("load", "time")
    if kind not in ("time", "count"):
        raise OffloadError(f"options.load: must be 'time' or 'count', got {kind!r}")
    times = _times(tables)
    cost = np.where(np.isfinite(times), times, 0.0) * tables.task_slots[:, None]
    if kind == "count":
        cost = np.ones_like(cost)
    slots = np.maximum(tables.node_slots, 1)

    def prefer(task: int, placed: NDArray[np.int32]) -> list[int]:
        done = np.flatnonzero(placed >= 0)
        load = np.bincount(placed[done], cost[done, placed[done]], minlength=tables.nodes) / slots
        order: list[int] = np.argsort(load, kind="stable").tolist()
        return order

    return _answer(request, lambda: prefer)


def weighted_share(request: Request) -> Answer:
    """Weighted shares of the tasks: each to the node that lags most behind its share.

    The share of a node is w T / sum of w T (:func:`load_shares`) with w its slots and T its mean
    rate in tasks a second; a node that can run no task has none.
    """
    tables = request.problem.tables
    times = _times(tables)
    with np.errstate(divide="ignore"):
        rate = np.where(np.isfinite(times) & (times > 0), 1.0 / times, 0.0)
    speed = rate.mean(axis=0) if tables.tasks else np.zeros(tables.nodes)
    speed = speed if (speed * tables.node_slots).any() else np.ones(tables.nodes)
    shares = load_shares(np.maximum(tables.node_slots, 0), speed)

    def prefer(task: int, placed: NDArray[np.int32]) -> list[int]:
        count = np.bincount(placed[placed >= 0], minlength=tables.nodes)
        lag = shares * (count.sum() + 1) - count
        order: list[int] = np.argsort(-lag, kind="stable").tolist()
        return order

    return _answer(request, lambda: prefer)


def by_intensity(request: Request) -> Answer:
    """Compute-intensive tasks to the fastest nodes, data-intensive ones near their data.

    A task is compute-intensive if its mean execution time is at least the sum of the mean delays
    of its inputs. The former go to the node of least load plus own time, the latter to the
    node that has most of their input bytes, then to the nearest by delay.
    """
    tables = request.problem.tables
    times = _times(tables)
    finite = np.where(np.isfinite(times), times, 0.0)
    inputs = np.bincount(tables.edge_dst, mean_delays(tables), minlength=tables.tasks)
    heavy = mean_times(tables) >= inputs

    def prefer(task: int, placed: NDArray[np.int32]) -> list[int]:
        if heavy[task]:
            done = np.flatnonzero(placed >= 0)
            load = np.bincount(placed[done], finite[done, placed[done]], minlength=tables.nodes)
            order: list[int] = np.argsort(load + times[task], kind="stable").tolist()
            return order
        return _nearest(tables, task, placed)

    return _answer(request, lambda: prefer)


def _nearest(tables: Tables, task: int, placed: NDArray[np.int32]) -> list[int]:
    """Nodes by the summed delay of the task's inputs to them; ties by position."""
    every = np.arange(tables.nodes)
    delay = np.zeros(tables.nodes)
    for e in tables.incoming.of(task).tolist():
        delay += tables.delays_from(int(tables.edge_item[e]), int(placed[tables.edge_src[e]]))
    for data in tables.reads.of(task).tolist():
        what = np.full(tables.nodes, data)
        source = tables.fetch(what, every, tables.home[what])
        cost = tables.transfer(tables.data_bytes[data], np.maximum(source, 0), every).total
        delay += np.where(source >= 0, cost, np.inf)
    if tables.at[task] >= 0:
        delay += tables.transfer(tables.move_bytes[task], tables.at[task], every).total
    order: list[int] = np.argsort(delay, kind="stable").tolist()
    return order


def local(request: Request) -> Answer:
    """No offloading: each task where its inputs are, first tasks on the device tier."""
    tables = request.problem.tables
    tier = np.array([node.tier != "device" for node in request.problem.network.nodes], int)

    def prefer(task: int, placed: NDArray[np.int32]) -> list[int]:
        nearest = _nearest(tables, task, placed)
        if not len(tables.incoming.of(task)) and tables.at[task] < 0:
            return sorted(nearest, key=lambda k: int(tier[k]))
        return nearest

    return _answer(request, lambda: prefer)


def cloud(request: Request) -> Answer:
    """Everything to the cloud tier that may go there; the least loaded of its nodes first."""
    tables = request.problem.tables
    away = np.array([node.tier != "cloud" for node in request.problem.network.nodes], int)
    times = _times(tables)
    finite = np.where(np.isfinite(times), times, 0.0)

    def prefer(task: int, placed: NDArray[np.int32]) -> list[int]:
        done = np.flatnonzero(placed >= 0)
        load = np.bincount(placed[done], finite[done, placed[done]], minlength=tables.nodes)
        order: list[int] = np.lexsort((load + times[task], away)).tolist()
        return order

    return _answer(request, lambda: prefer)


def randomly(request: Request) -> Answer:
    """Each task on a random node that may take it; ``seed`` decides."""
    tables = request.problem.tables
    draws = np.random.default_rng(request.seed)

    def prefer(task: int, placed: NDArray[np.int32]) -> list[int]:
        order: list[int] = draws.permutation(tables.nodes).tolist()
        return order

    return _answer(request, lambda: prefer)
