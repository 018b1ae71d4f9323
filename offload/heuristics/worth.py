"""What schedules are worth to a search: latency, and sums over tasks and transfers.

Energy, cost, risk and traffic do not depend on the order of tasks; idle power times latency comes
on top of energy. What exceeds a limit has a price that rises while it does (strategic oscillation:
Glover 1989).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

import numpy as np

from offload.arrays import BoolArray, FloatArray, IntArray
from offload.features import Goal
from offload.heuristics.additive import Placed
from offload.heuristics.additive_costs import Channels
from offload.heuristics.placements import Placements
from offload.heuristics.pricing import ADDITIVE
from offload.heuristics.units import Units
from offload.tables import TOLERANCE, Tables

__all__ = ["Worth", "counts_time"]

_DEARER, _CHEAPER = 1.02, 0.98  # what a price is multiplied by while a limit is exceeded, or not
_WITHIN = 1 + TOLERANCE / 2  # times a limit; half the tolerance is left to rounding
_LEAST, _MOST = 1e-3, 1e6  # of the first price


def counts_time(tables: Tables, goal: Goal) -> bool:
    """Whether latency counts, alone or with metrics that are sums over tasks and transfers.

    As the latency itself, or as energy of nodes that draw idle power.
    """
    if not goal.metrics <= {"latency", *ADDITIVE}:
        return False
    idle = "energy" in goal.metrics and bool(tables.idle_power.any())
    return "latency" in goal.metrics or idle


class Worth:
    """The worth of a placement and its latency, and of what differs from it in single tasks.

    Parameters
    ----------
    tables
        The cost model, of nodes with one mode and items without codecs if sums count.
    goal
        One for which :func:`counts_time` says yes.
    copies : bool[D, K], optional
        Placed copies of data; they stay.

    Attributes
    ----------
    metrics
        Those of the sums that count, S of them.
    seconds : float
        Weight of a second of latency, idle power at its weight included.
    sums : list of float, [S]
        Of the placement that was loaded, without idle power.
    """

    def __init__(self, tables: Tables, goal: Goal, copies: BoolArray | None = None) -> None:
        self.metrics = tuple(metric for metric in ADDITIVE if metric in goal.metrics)
        idle = tables.idle_watts
        self.idle = [idle if metric == "energy" else 0.0 for metric in self.metrics]
        self._latest = goal.limits.get("latency", inf)
        self._limits = [goal.limits.get(metric, inf) for metric in self.metrics]
        self.limited = bool(goal.limits)
        self.sums: list[float] = []
        self._placed: Placed | None = None
        if self.metrics:
            units = Units(Placements(tables, copies))
            wanted = Goal({}, dict.fromkeys(self.metrics, inf))
            self._costs = Channels(units, wanted, copies).costs[1:]
            self._placed = Placed(units, np.zeros(units.number, np.int64))
        self.weigh(goal.minimize)
        self._prices: list[float] = []
        self._first: list[float] = []

    def weigh(self, weights: Mapping[str, float]) -> None:
        """Set the weights of the metrics anew."""
        self._weights = [weights.get(metric, 0.0) for metric in self.metrics]
        idle = sum(w * power for w, power in zip(self._weights, self.idle, strict=True))
        self.seconds = weights.get("latency", 0.0) + idle

    def load(self, nodes: IntArray) -> None:
        """Take over a placement."""
        if self._placed is not None:
            self._placed.load(nodes.astype(np.int64))
            self._sum()

    def move(self, task: int, node: int) -> None:
        """Take note that a task is on another node."""
        if self._placed is not None:
            placed = self._placed
            placed.put(placed.whole, np.array([task]), np.array([node]))
            self._sum()

    def _sum(self) -> None:
        assert self._placed is not None
        self.sums = [self._placed.total(costs) for costs in self._costs]

    # -- worth -----------------------------------------------------------------------------------

    def objective(self, length: float) -> float:
        """The weighted sum of the loaded placement with a latency."""
        return self.seconds * length + sum(
            weight * value for weight, value in zip(self._weights, self.sums, strict=True)
        )

    def priced(self, length: FloatArray, sums: list[FloatArray]) -> FloatArray:
        """Objectives of latencies and sums, with the prices of what is exceeded; as ``length``."""
        value: FloatArray = self.seconds * length
        for weight, part in zip(self._weights, sums, strict=True):
            if weight:
                value += weight * part
        if self.limited:
            for price, part, power, limit in zip(
                self._prices[1:], sums, self.idle, self._limits, strict=True
            ):
                if limit < inf:
                    value += price * np.maximum(part + power * length - limit, 0.0)
            if self._latest < inf:
                value += self._prices[0] * np.maximum(length - self._latest, 0.0)
        return value

    def now(self, length: float) -> float:
        """The same of the loaded placement with a latency."""
        value = self.objective(length)
        return value + sum(
            price * over for price, over in zip(self._prices, self._over(length), strict=True)
        )

    def holds(self, length: float) -> bool:
        """Whether the loaded placement with a latency keeps the limits."""
        return not self.limited or not any(self._over(length))

    def keep(self, length: FloatArray, sums: list[FloatArray]) -> BoolArray:
        """Whether placements of latencies and sums keep the limits; bool, as ``length``."""
        fine: BoolArray = length <= self._latest * _WITHIN
        for part, power, limit in zip(sums, self.idle, self._limits, strict=True):
            fine &= part + power * length <= limit * _WITHIN
        return fine

    def metrics_of(
        self, names: Sequence[str], length: float | FloatArray, sums: Sequence[float | FloatArray]
    ) -> list[float | FloatArray]:
        """Metrics by name, of latencies and sums; as ``length``."""
        known: dict[str, float | FloatArray] = {"latency": length}
        for metric, part, power in zip(self.metrics, sums, self.idle, strict=True):
            known[metric] = part + power * length if power else part
        return [known[name] for name in names]

    def _over(self, length: float) -> list[float]:
        """By how much latency and the sums exceed their limits, 0 within half the tolerance."""
        if not self.limited:
            return []
        values = [
            length,
            *(s + power * length for s, power in zip(self.sums, self.idle, strict=True)),
        ]
        over = []
        for value, limit in zip(values, [self._latest, *self._limits], strict=True):
            over.append(value - limit if value > limit * _WITHIN else 0.0)
        return over

    def reprice(self, length: float) -> None:
        """Dearer what the loaded placement exceeds, cheaper the rest.

        At first, what exceeds a limit by all of it costs as much as the whole objective.
        """
        if not self.limited:
            return
        if not self._first:
            whole = self.objective(length) or 1.0
            limits = [self._latest, *self._limits]
            self._first = [whole / limit if 0 < limit < inf else whole for limit in limits]
            self._prices = list(self._first)
        for at, over in enumerate(self._over(length)):
            price = self._prices[at] * (_DEARER if over else _CHEAPER)
            first = self._first[at]
            self._prices[at] = min(max(price, _LEAST * first), _MOST * first)

    # -- other placements ------------------------------------------------------------------------

    def moved(self, tasks: list[int]) -> list[FloatArray]:
        """The sums with some tasks, one at a time, on each node; float64[M, K] for each metric."""
        found = []
        if self._placed is not None:
            here = self._placed.node[tasks]
            for costs, now in zip(self._costs, self.sums, strict=True):
                rows = self._placed.rows(self._placed.whole, costs)[tasks]
                rows += now - rows[np.arange(len(tasks)), here][:, None]
                found.append(rows)
        return found

    def of(self, nodes: IntArray) -> list[FloatArray]:
        """The sums of placements (int32[B, T]); float64[B] for each metric."""
        if self._placed is None:
            return []
        return self._placed.totals(nodes.astype(np.int64), self._costs)
