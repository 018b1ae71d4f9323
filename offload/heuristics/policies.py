"""Balancing policies: each task in turn to a node by a simple rule, as load balancers do.

Tasks are taken in topological order. A policy picks among the nodes that the placement rules still
admit, in each node's fastest mode; items travel with the codec that arrives first, and the
evaluator's decoding gives the times, so that every feature of the format is kept. None looks ahead:
they are the baselines that better methods have to beat.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from offload.arrays import BoolArray, FloatArray, IntArray
from offload.errors import OffloadError
from offload.evaluator import evaluate
from offload.heuristics.building import answer
from offload.heuristics.decisions import codecs_of
from offload.heuristics.placer import Placer, Stuck
from offload.heuristics.ranks import mean_delays, mean_times
from offload.plan import Plan
from offload.registry import Answer, Request
from offload.tables import Tables

__all__ = [
    "by_intensity", "cloud", "least_loaded", "load_shares", "local", "randomly", "round_robin",
    "weighted_share",
]  # fmt: skip

_CELLS = 4_000_000  # task and node pairs whose execution times are held at once


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


class _Policy:
    """Where tasks go, one after another; one object a plan.

    Parameters
    ----------
    tables
        The cost model.
    holders : bool[D, K]
        Homes and placed copies of data.
    """

    def __init__(self, tables: Tables, holders: BoolArray) -> None:
        self.tables, self.holders = tables, holders
        self.load = np.zeros(tables.nodes)
        self._fetch: dict[int, FloatArray] = {}

    def choose(self, task: int, options: IntArray, placed: IntArray) -> int:
        """One of the admitted nodes, given where earlier tasks are (int32[T])."""
        raise NotImplementedError

    def took(self, task: int, node: int) -> None:
        """Take note of a placement."""

    def nearest(self, task: int, options: IntArray, placed: IntArray) -> int:
        """The option of least summed delay of the task's inputs; ties by position."""
        tables = self.tables
        delay = np.zeros(tables.nodes)
        for e in tables.incoming.of(task).tolist():
            delay += tables.delays_from(int(tables.edge_item[e]), int(placed[tables.edge_src[e]]))
        for data in tables.reads.of(task).tolist():
            delay += self._fetching(data)
        if tables.at[task] >= 0:
            every = np.arange(tables.nodes)
            delay += tables.transfer(tables.move_bytes[task], tables.at[task], every).total
        return _least(delay, options)

    def _fetching(self, data: int) -> FloatArray:
        """Seconds to fetch a data item to each node; float64[K]."""
        if data not in self._fetch:
            tables, every = self.tables, np.arange(self.tables.nodes)
            what = np.full(tables.nodes, data)
            source = tables.fetch(what, every, self.holders[what])
            delay = tables.transfer(tables.data_bytes[data], np.maximum(source, 0), every).total
            self._fetch[data] = np.where(source >= 0, delay, np.inf)
        return self._fetch[data]


def _least(key: FloatArray, options: IntArray) -> int:
    """The option of least key (float64[K]); ties by position."""
    return int(options[key[options].argmin()])


def _answer(request: Request, make: Callable[[Tables, BoolArray], _Policy]) -> Answer:
    """Place by a policy that is made anew for each attempt, decode, and give the plan."""
    problem, tables = request.problem, request.problem.tables
    order: list[int] = tables.topological.tolist()

    def build(reserved: dict[int, int], copies: BoolArray | None) -> Plan:
        placer = Placer(tables, reserved)
        policy = make(tables, tables.home if copies is None else tables.home | copies)
        for task in order:
            request.go_on()
            options = np.flatnonzero(placer.candidates(task)).astype(np.int32)
            if not len(options):
                raise Stuck(task)
            node = policy.choose(task, options, placer.node)
            placer.place(task, node)
            policy.took(task, node)
        nodes = placer.node
        modes, codecs = tables.fastest_mode[nodes], codecs_of(tables, nodes[None, :])
        return evaluate(problem, nodes, tables.topological, modes, codecs, copies).plan()

    return answer(request, build)


def round_robin(request: Request) -> Answer:
    """Each task to the next node in turn; nodes that cannot take it are passed over."""

    class Turns(_Policy):
        last = -1

        def choose(self, task: int, options: IntArray, placed: IntArray) -> int:
            after = int(options.searchsorted(self.last, side="right"))
            return int(options[after % len(options)])

        def took(self, task: int, node: int) -> None:
            self.last = node

    return _answer(request, Turns)


def least_loaded(request: Request) -> Answer:
    """Least connections: each task to the node with least assigned work per slot.

    Option ``load``: "time" counts slot-seconds, "count" tasks.
    """
    kind = request.options.get("load", "time")
    if kind not in ("time", "count"):
        raise OffloadError(f"options.load: must be 'time' or 'count', got {kind!r}")

    class Connections(_Policy):
        def choose(self, task: int, options: IntArray, placed: IntArray) -> int:
            return _least(self.load, options)

        def took(self, task: int, node: int) -> None:
            tables = self.tables
            cost = 1.0 if kind == "count" else tables.row(task)[node] * tables.task_slots[task]
            self.load[node] += cost / max(tables.node_slots[node], 1)

    return _answer(request, Connections)


def weighted_share(request: Request) -> Answer:
    """Weighted shares of the tasks: each to the node that lags most behind its share.

    The share of a node is w T / sum of w T (:func:`load_shares`) with w its slots and T its mean
    rate in tasks a second; a node that can run no task has none.
    """
    tables = request.problem.tables
    speed = _mean_rates(tables)
    speed = speed if (speed * tables.node_slots).any() else np.ones(tables.nodes)
    shares = load_shares(np.maximum(tables.node_slots, 0), speed)

    class Shares(_Policy):
        count = 0

        def choose(self, task: int, options: IntArray, placed: IntArray) -> int:
            return _least(self.load - shares * (self.count + 1), options)

        def took(self, task: int, node: int) -> None:
            self.load[node] += 1
            self.count += 1

    return _answer(request, Shares)


def _mean_rates(tables: Tables) -> FloatArray:
    """Tasks a second on each node, averaged over the tasks (0 for those barred); float64[K]."""
    every = np.arange(tables.nodes)
    total = np.zeros(tables.nodes)
    step = max(1, _CELLS // max(tables.nodes, 1))
    for first in range(0, tables.tasks, step):
        task = np.arange(first, min(first + step, tables.tasks))
        times = tables.execution(task[:, None], every, tables.fastest_mode)
        total += np.divide(1.0, times, out=np.zeros(times.shape), where=times > 0).sum(axis=0)
    result: FloatArray = total / max(tables.tasks, 1)
    return result


def by_intensity(request: Request) -> Answer:
    """Compute-intensive tasks to the fastest nodes, data-intensive ones near their data.

    A task is compute-intensive if its mean execution time is at least the sum of the mean delays
    of its inputs. The former go to the node of least load plus own time, the latter to the
    node to which their inputs take least delay in sum.
    """
    tables = request.problem.tables
    inputs = np.bincount(tables.edge_dst, mean_delays(tables), minlength=tables.tasks)
    heavy = mean_times(tables) >= inputs

    class Intensity(_Policy):
        def choose(self, task: int, options: IntArray, placed: IntArray) -> int:
            if heavy[task]:
                return _least(self.load + self.tables.row(task), options)
            return self.nearest(task, options, placed)

        def took(self, task: int, node: int) -> None:
            self.load[node] += self.tables.row(task)[node]

    return _answer(request, Intensity)


def local(request: Request) -> Answer:
    """No offloading: each task where its inputs are, first tasks on the device tier."""
    device = _tier(request, "device")

    class Local(_Policy):
        def choose(self, task: int, options: IntArray, placed: IntArray) -> int:
            if not len(self.tables.incoming.of(task)) and self.tables.at[task] < 0:
                options = _preferred(options, device)
            return self.nearest(task, options, placed)

    return _answer(request, Local)


def cloud(request: Request) -> Answer:
    """Everything to the cloud tier that may go there; the least loaded of its nodes first."""
    away = _tier(request, "cloud")

    class Cloud(_Policy):
        def choose(self, task: int, options: IntArray, placed: IntArray) -> int:
            return _least(self.load + self.tables.row(task), _preferred(options, away))

        def took(self, task: int, node: int) -> None:
            self.load[node] += self.tables.row(task)[node]

    return _answer(request, Cloud)


def _tier(request: Request, tier: str) -> BoolArray:
    return np.array([node.tier == tier for node in request.problem.network.nodes], bool)


def _preferred(options: IntArray, wanted: BoolArray) -> IntArray:
    """Those options that are wanted; all of them if none is."""
    chosen = options[wanted[options]]
    return chosen if len(chosen) else options


def randomly(request: Request) -> Answer:
    """Each task on a random node that may take it; ``seed`` decides."""

    class Dice(_Policy):
        def __init__(self, tables: Tables, holders: BoolArray) -> None:
            super().__init__(tables, holders)
            self.draws = np.random.default_rng(request.seed)

        def choose(self, task: int, options: IntArray, placed: IntArray) -> int:
            return int(options[self.draws.integers(len(options))])

    return _answer(request, Dice)
