"""When each task can run at all: the windows that keep a scheduling model's big-M small.

head_ik is the earliest start of task i on node k, tail_ik the least time from its finish to the
end of the plan, late_ik its latest finish there in any plan that is worth finding: one that keeps
deadlines and limits, and is no worse than the plan at hand. Where a window is too short for the
task, the node is struck out. Every bound is widened by the checker's tolerance.

Among the plans worth finding some starts each task as early as its own orders allow, so that its
latency is a path of tasks and transfers: at most
max_i release_i + sum_i max_k p_ik + sum_j max_e,k,l c_ekl.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from formulations.coefficients import placement_cost
from formulations.milp_terms import FAVOUR, SIZE, Case, power_of_two
from offload.arrays import FloatArray
from offload.bounds import heads, metric_bounds, tails

__all__ = ["Windows"]


class Windows:
    """Windows of a case, in units of time that make the horizon about 1000.

    Parameters
    ----------
    case
        Instance and goal.
    most
        Objective of the plan at hand; infinite without one.

    Attributes
    ----------
    unit : float
        Seconds of a unit of time.
    usable : bool[T, K]
        Nodes on which a task can run in time.
    length, least, head, tail, late : float64[T, K]
        In units of time; ``least`` is the shortest execution (that of all of a task, unless it is
        divisible), ``late`` the latest finish.
    delay : float64[I, K, K]
        In units of time, infinite without a permitted route.
    horizon : float
        Largest latency, in units of time.
    """

    def __init__(self, case: Case, most: float = np.inf) -> None:
        self.case = case
        self.unit = 1.0
        self.usable = case.usable.copy()
        self.head = self.tail = self.late = np.zeros(case.usable.shape)
        self._seconds(most)
        self.unit = unit = power_of_two(self.horizon / SIZE)
        self.horizon /= unit
        fine = self.usable
        self.length = self.least = np.where(fine, case.length, np.inf) / unit
        self.head = np.where(fine, self.head, np.inf) / unit
        self.tail = np.where(fine, self.tail, np.inf) / unit
        self.late = np.where(fine, self.late, np.inf) / unit
        self.delay = case.delay / unit

    @property
    def empty(self) -> bool:
        """Whether some task has no node left: no plan is worth finding."""
        return not bool(self.usable.any(axis=1).all())

    def slack(self, metric: str) -> float:
        """What the checker may let a limited sum of times exceed its limit by; seconds."""
        tables = self.case.tables
        weights = {
            "latency": 1.0,
            "completion": float(tables.weight.sum()),
            "tardiness": float(tables.weight[np.isfinite(tables.due)].sum()),
        }
        return weights.get(metric, 0.0) * FAVOUR * self.horizon * self.unit

    def _seconds(self, most: float) -> None:
        """Heads, tails and latest finishes in seconds."""
        case, tables = self.case, self.case.tables
        known = metric_bounds(case.problem)
        self.horizon = self._longest_path()
        if not np.isfinite(known["latency"]):
            self.usable[:] = False
        rounds = 0
        while rounds < 4 and not self.empty:
            rounds += 1
            case.go_on()
            before = self.usable.copy()
            length = np.where(before, case.length, np.inf)
            self.head, self.tail = heads(tables, length), tails(tables, length)
            finish = np.where(before, self.head + length, np.inf).min(axis=1)
            latest = tables.deadline.copy()
            self._tighten(case.goal.minimize, most, finish, latest, known)
            for metric, limit in case.goal.limits.items():
                self._tighten({metric: 1.0}, limit + self.slack(metric), finish, latest, known)
            self.late = self._latest(latest, length)
            self.usable &= self.head + length <= self.late
            if (self.usable == before).all():
                break

    def _longest_path(self) -> float:
        """Seconds that no plan with tasks as early as their orders allow takes longer than."""
        case, tables = self.case, self.case.tables
        longest = np.where(case.usable, case.length, 0.0).max(axis=1, initial=0.0)
        waits = np.zeros(tables.tasks)
        delay = np.where(np.isfinite(case.delay), case.delay, 0.0).max(axis=(1, 2), initial=0.0)
        np.maximum.at(waits, tables.edge_dst, delay[tables.edge_item])
        total = tables.release.max(initial=0.0) + longest.sum() + waits.sum()
        return float(total) * (1 + FAVOUR)

    def _tighten(
        self,
        weights: Mapping[str, float],
        most: float,
        finish: FloatArray,
        latest: FloatArray,
        known: Mapping[str, float],
    ) -> None:
        """Latest finishes and latency in plans whose weighted sum of metrics is at most ``most``.

        Of such a sum, latency or the lateness of one task gets what all other terms leave at least:
        terms of the same sum each with a bound of its own, as one bound of the whole (energy with
        its idle power, completion with the queues before each task) counts some of it twice.
        """
        if not np.isfinite(most):
            return
        tables, most = self.case.tables, most * (1 + FAVOUR)
        weights = {metric: weight for metric, weight in weights.items() if weight > 0}
        least = {metric: weight * known[metric] for metric, weight in weights.items()}
        idle = weights.get("energy", 0.0) * tables.idle_watts
        rate = weights.get("latency", 0.0) + idle
        if rate > 0:
            rest = sum(value for metric, value in least.items() if metric != "latency")
            if idle:
                rest += weights["energy"] * self._spent() - least["energy"]
            path = known["latency"]
            spare = max(
                most - rest - rate * path, 0.0
            )  # below 0: the model sees that there is none
            self.horizon = min(self.horizon, (path + spare / rate) * (1 + FAVOUR))
        late, timely = np.maximum(finish - tables.due, 0.0), np.maximum(finish, tables.due)
        dated = np.where(np.isfinite(tables.due), tables.weight, 0.0)
        for metric, weight, base, parts in (
            ("completion", tables.weight, finish, finish), ("tardiness", dated, timely, late),
        ):  # fmt: skip
            each = weights.get(metric, 0.0) * weight
            counted = each > 0
            rest = sum(value for name, value in least.items() if name != metric)
            spare = max(most - rest - float((each * parts)[counted].sum()), 0.0)
            latest[counted] = np.minimum(latest[counted], base[counted] + spare / each[counted])

    def _spent(self) -> float:
        """Joules that every plan spends on executions."""
        cost = placement_cost(self.case.tables, "energy")
        least = np.where(self.usable, cost, np.inf).min(axis=1, initial=np.inf)
        return float(least[np.isfinite(least)].sum())

    def _latest(self, latest: FloatArray, length: FloatArray) -> FloatArray:
        """Latest finish on each node, passed back over the edges; float64[T, K]."""
        case, tables = self.case, self.case.tables
        slack = FAVOUR * self.horizon
        late = np.minimum(latest[:, None] + slack, self.horizon + slack - self.tail)
        for i in tables.topological[::-1].tolist():
            case.go_on()
            for e in tables.outgoing.of(i).tolist():
                j = int(tables.edge_dst[e])
                fine = self.usable[j]
                start = np.where(fine, late[j] - np.where(fine, length[j], 0.0), -np.inf)
                allowed = start[None, :] - case.delay[tables.edge_item[e]]
                late[i] = np.minimum(late[i], allowed.max(axis=1, initial=-np.inf))
        return late
