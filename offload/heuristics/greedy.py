"""Greedy placement by price: each task where it adds least to the weighted goal.

Tasks go in order of upward rank. A placement's price counts what it adds to energy, cost, risk and
traffic exactly, given where the neighbours are (those still to come: where the pass before had
them); to times by the estimated finish and what is left behind it; to the period by the largest
load that it makes. Limits and deadlines have prices of their own, raised from pass to pass while
they are broken and lowered while they hold (subgradient steps on Lagrange multipliers, as in
Fisher 1981).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

import numpy as np

from offload.arrays import BoolArray, FloatArray, IntArray
from offload.evaluator import evaluate
from offload.heuristics.arrivals import Arrivals, Input
from offload.heuristics.building import answer
from offload.heuristics.decisions import topological_order
from offload.heuristics.loads import Loads
from offload.heuristics.machines import Queues
from offload.heuristics.merit import excess_of, rank
from offload.heuristics.placer import Placer, Stuck
from offload.heuristics.pricing import ADDITIVE, Prices
from offload.heuristics.ranks import mean_times, upward_ranks
from offload.heuristics.repair import repaired
from offload.plan import Plan
from offload.registry import Answer, Request, Stopped
from offload.tables import Tables

__all__ = ["greedy"]

_PASSES = 6  # without limits and deadlines
_MORE = 20  # with them
_POLISH = 12  # steps of neighbours without progress at the end
_SMALL = 300  # tasks up to which they are worth their time
_IDLE = 3  # passes without a better plan before the first kind gives up
_TIE = 1e-3  # share of a price that what stays below its target still pays
_TARGETS = (0.0, 1.0, 0.95)  # of the best latency and period so far, in turn


@dataclass
class _Terms:
    """What a pass prices: weights by metric, and (price, free amount) pairs of times and loads."""

    weights: dict[str, float]
    latency: list[tuple[float, float]] = field(default_factory=list)
    period: list[tuple[float, float]] = field(default_factory=list)
    deadline: float = 0.0

    @property
    def per_second(self) -> float:
        """Price of a second at most."""
        times = self.weights.get("completion", 0.0) + self.weights.get("tardiness", 0.0)
        return sum(price for price, _ in self.latency) + times + self.deadline

    @property
    def timed(self) -> bool:
        """Whether times matter at all."""
        return self.per_second > 0


class _Later:
    """What is left behind each task: time to the end, urgent due times and deadlines, weights."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.rank = upward_ranks(tables)
        mean = mean_times(tables)
        self.tail = self.rank - mean
        self.due, self.deadline = tables.due.copy(), tables.deadline.copy()
        counted = np.isfinite(tables.due)
        self.lateness = np.where(counted, tables.weight, 0.0)
        self.weight = tables.weight.copy()
        inputs = np.maximum(tables.incoming.lengths, 1)
        for j in tables.topological[::-1].tolist():
            for i in tables.edge_src[tables.incoming.of(j)].tolist():
                # Delays are left out: what follows may share a node.
                if self.due[j] - mean[j] < self.due[i]:
                    self.due[i] = self.due[j] - mean[j]
                self.deadline[i] = min(self.deadline[i], self.deadline[j] - mean[j])
                self.lateness[i] = max(self.lateness[i], self.lateness[j])
                self.weight[i] += self.weight[j] / inputs[j]


class _Pass:
    """One round over all tasks."""

    def __init__(
        self,
        request: Request,
        later: _Later,
        terms: _Terms,
        copies: BoolArray | None,
        before: IntArray | None,
    ) -> None:
        self.request, self.after, self.terms = request, later, terms
        tables = self.tables = request.problem.tables
        self.copies, self.before = copies, before
        holders = tables.home if copies is None else tables.home | copies
        additive = {metric: terms.weights.get(metric, 0.0) for metric in ADDITIVE}
        self.prices = Prices(tables, additive, terms.per_second, holders)
        self.sums = any(additive.values())
        self.ahead = self.prices.later() if before is None else None
        self.available = Queues(tables) if terms.timed else None
        self.arrivals = Arrivals(tables, self.prices, terms.timed)
        self.loads = Loads(tables, self.arrivals.links) if terms.period else None
        self.finish = np.zeros(tables.tasks)
        self.mode = np.zeros(tables.tasks, np.int32)
        self.codec = np.full(tables.edges, -1, np.int32)

    def run(self, reserved: dict[int, int]) -> Plan:
        """Place all tasks, decode, and give the plan; may raise ``Stuck`` and ``Stopped``."""
        tables = self.tables
        self.placer = Placer(tables, reserved)
        order = topological_order(self.request.problem, -self.after.rank)
        for task in order.tolist():
            self.request.go_on()
            self._place(task)
        nodes = self.placer.node
        codecs = self.codec if len(tables.item_codecs.values) else None
        made = evaluate(self.request.problem, nodes, order, self.mode, codecs, self.copies)
        return made.plan()

    def _place(self, task: int) -> None:
        tables = self.tables
        fine = self.placer.candidates(task)
        price, time = self.prices.own(task)
        price = np.where(fine, price, inf)
        inputs = self.arrivals.of(task, self.placer.node, self.finish)
        ready = np.full(tables.nodes, tables.release[task])
        for made in inputs:
            price += made.price
            np.maximum(ready, made.ready, out=ready)
        if self.sums:
            price += self._outputs(task)
        if self.available is not None:
            free = self.available.since(int(tables.task_slots[task]))
            start = np.maximum(ready, np.where(time > 0, free, self.available.last))
            price += self._times(task, start + time)
        if self.loads is not None:
            price += self._over(self.loads.after(task, time, inputs), self.terms.period)
        price = np.where(np.isnan(price), inf, price)
        if not np.isfinite(price).any():
            raise Stuck(task)
        mode, node = (int(x) for x in np.unravel_index(price.argmin(), price.shape))
        self._take(task, node, mode, float(time[mode, node]), inputs)

    def _take(self, task: int, node: int, mode: int, time: float, inputs: list[Input]) -> None:
        """Put a task on a node, with all that follows from it."""
        tables = self.tables
        if self.loads is not None:
            self.loads.take(task, node, time, inputs)
        arrival = self.arrivals.send(inputs, node)
        if self.available is not None:
            units = int(tables.task_slots[task])
            free = self.available.since(units)[node] if time > 0 else self.available.last[node]
            begin = max(arrival, float(tables.release[task]), float(free))
            self.finish[task] = begin + time
            self.available.take(task, node, begin, begin + time)
        self.placer.place(task, node)
        self.mode[task] = mode
        for made in inputs:
            if made.codec is not None:
                self.codec[made.edge] = made.codec[node]

    def _outputs(self, task: int) -> FloatArray:
        """Price of what follows a task on each node, as far as it is known; float64[K]."""
        if self.ahead is not None:
            ahead: FloatArray = self.ahead[task]
            return ahead
        tables, price = self.tables, np.zeros(self.tables.nodes)
        if self.before is None:
            return price
        edges = tables.outgoing.of(task)
        items = tables.edge_item[edges]
        for item in np.unique(items).tolist():
            to = np.unique(self.before[tables.edge_dst[edges[items == item]]])
            price += self.prices.item_to(item, to).sum(axis=1)
        return price

    def _times(self, task: int, finish: FloatArray) -> FloatArray:
        """Price of a finish; float64[M, K]."""
        after, weights = self.after, self.terms.weights
        price = self._over(finish + after.tail[task], self.terms.latency)
        if weight := weights.get("completion", 0.0) * after.weight[task]:
            price = price + weight * finish
        if weight := weights.get("tardiness", 0.0) * after.lateness[task]:
            price = price + self._over(finish, [(weight, float(after.due[task]))])
        if self.terms.deadline and np.isfinite(after.deadline[task]):
            price = price + self._over(finish, [(self.terms.deadline, float(after.deadline[task]))])
        return price

    @staticmethod
    def _over(value: FloatArray, terms: list[tuple[float, float]]) -> FloatArray:
        """What a value above free amounts costs; what stays below costs next to nothing."""
        price = np.zeros(value.shape)
        for weight, free in terms:
            price += weight * (np.maximum(value - free, 0.0) + _TIE * value)
        return price


class _Rounds:
    """Pass after pass, with prices of what is broken going up and of what holds going down."""

    def __init__(self, request: Request, later: _Later, copies: BoolArray | None) -> None:
        self.request, self.later, self.copies = request, later, copies
        self.goal, tables = request.goal, request.problem.tables
        self.limits = dict.fromkeys(self.goal.limits, 0.0)
        self.deadline = 0.0
        self.dated = bool(np.isfinite(tables.deadline).any())
        self.idle_power = tables.idle_watts
        self.best: Plan | None = None
        self.merit = (inf, inf)

    def run(self, reserved: dict[int, int]) -> Plan:
        """The best plan of all passes."""
        bounded = bool(self.limits) or self.dated
        before, idle = None, 0
        for number in range(_MORE if bounded else _PASSES):
            try:
                terms = self._terms(number)
                plan = _Pass(self.request, self.later, terms, self.copies, before).run(reserved)
            except (Stuck, Stopped):
                if self.best is None:
                    raise
                break
            merit, before, idle = rank(self.goal, plan), plan.nodes, idle + 1
            if merit < self.merit:
                self.best, self.merit, idle = plan, merit, 0
                if not merit[0]:
                    self.request.report(plan, None)
            if idle >= (2 * _IDLE if bounded and self.merit[0] else _IDLE):
                break
            self._adjust(plan)
        assert self.best is not None
        return self.best

    def _terms(self, number: int) -> _Terms:
        weights = {m: w for m, w in self.goal.minimize.items() if w > 0}
        for metric, price in self.limits.items():
            if metric not in ("latency", "period") and price:
                weights[metric] = weights.get(metric, 0.0) + price
        terms = _Terms(weights, deadline=self.deadline)
        share = _TARGETS[number % len(_TARGETS)] if self.best is not None else 0.0
        latency = weights.get("latency", 0.0) + self.idle_power * weights.get("energy", 0.0)
        for metric, weight, found in (
            ("latency", latency, terms.latency),
            ("period", weights.get("period", 0.0), terms.period),
        ):
            if weight:
                best = self.best.metrics[metric] if self.best is not None else 0.0
                found.append((weight, share * best))
            if price := self.limits.get(metric, 0.0):
                found.append((price, self.goal.limits[metric]))
        return terms

    def _adjust(self, plan: Plan) -> None:
        """Raise the prices of limits that a plan breaks, lower those of others."""
        broken = excess_of(self.goal, plan)
        value = plan.objective(self.goal.minimize) or 1.0
        for metric, price in self.limits.items():
            if f"limit:{metric}" in broken:
                first = value / (self.goal.limits[metric] or plan.metrics[metric] or 1.0)
                self.limits[metric] = 2.5 * price if price else first
            else:
                self.limits[metric] = 0.7 * price
        if "deadline" in broken:
            first = 10 * value / (plan.metrics["latency"] or 1.0)
            self.deadline = 4 * self.deadline if self.deadline else first


def greedy(request: Request) -> Answer:
    """Each task, in order of upward rank, in the place and mode of least price; several passes.

    For any weighted goal and limits. The plan is the best of all passes.
    """
    later = _Later(request.problem.tables)

    def build(reserved: dict[int, int], copies: BoolArray | None) -> Plan:
        return _Rounds(request, later, copies).run(reserved)

    made = answer(request, build)
    small = request.problem.tables.tasks <= _SMALL
    if made.plan is not None and small and not request.stopped:
        made.plan = repaired(request, made.plan, _POLISH)
    return made
