"""All bounds of one instance, each computed when it is first asked for."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray
from offload.bounding.assignment import Budget, Shares, best_prices, free, priced
from offload.bounding.loads import Before, Loads
from offload.bounding.locality import Local
from offload.bounding.messages import settle
from offload.bounding.paths import Layer, Lift
from offload.bounding.spending import SPENT, edge_costs, place_costs
from offload.bounding.waiting import weighted_finishes, weighted_lateness
from offload.bounding.windows import Windows
from offload.tables import Tables

__all__ = ["Relaxation"]

_LIFTED = 20_000  # tasks and pairs of nodes up to which ancestors of each task are looked at
_PAIRED = 2_000_000  # edge-pair cells up to which costs of pairs of nodes are looked at
_STEPS = 8  # lengths tried for a period
_SLACK = 1e-8  # relative: budgets are wider by this, above all tolerances
_FULL = 1e-6  # relative: memory that is short by less is not called short


class Relaxation:
    """Bounds of one instance over all plans, or over those of a latency of at most ``latest``.

    Parameters
    ----------
    tables
        The cost model.
    latest
        Seconds; infinite for all plans.
    """

    def __init__(self, tables: Tables, latest: float = np.inf) -> None:
        self.tables, self.latest = tables, latest
        self.windows = Windows(tables, latest)
        self.idle = tables.idle_watts
        self._lock = threading.RLock()
        self._mixed: dict[tuple[object, ...], float] = {}

    # -- times -----------------------------------------------------------------------------------

    @cached_property
    def refusal(self) -> str | None:
        """Why no plan exists, where that is proved."""
        if self.windows.refusal is not None:
            return self.windows.refusal
        if not self._fits:
            return "the nodes have no room for all that is resident"
        return self._lifted.refusal

    @property
    def feasible(self) -> bool:
        """False if it is proved that no plan exists."""
        return self.refusal is None

    @property
    def _fits(self) -> bool:
        """Whether the resident bytes can be shared out among the nodes, in fractions."""
        tables, room = self.tables, self._room
        if not np.isfinite(room).any() or not tables.resident.any():
            return True
        bounded = np.isfinite(room)
        sizes = np.where(bounded, self._sizes, 0.0)
        barred = np.where(np.isfinite(self.windows.times), 0.0, np.inf)
        # The length is the part of its memory that the fullest node needs.
        shares = Shares(barred, sizes, np.where(bounded, room, 0.0), 1.0)
        prices = best_prices(shares)
        return prices is None or priced(shares, prices) <= 1 + _FULL

    @cached_property
    def _room(self) -> FloatArray:
        """Memory of each group of nodes; float64[G]."""
        room = np.zeros(self.windows.kinds.number)
        np.add.at(room, self.windows.kinds.of_node, self.tables.memory_capacity)
        return room

    @cached_property
    def _sizes(self) -> FloatArray:
        """Resident bytes of each task; float64[T, G]."""
        every = np.arange(self.tables.tasks)[:, None]
        held = self.windows.kinds.gather(
            lambda nodes: self.tables.resident_of(every, nodes[None, :])
        )
        return np.where(np.isfinite(self.windows.times), held, np.inf)

    @cached_property
    def loads(self) -> Loads:
        """The work of all tasks, and its prices."""
        return Loads(self.windows)

    @cached_property
    def _lifted(self) -> Windows:
        """The windows, their heads and tails lifted by work and by places."""
        windows = self.windows
        works = self.loads.works
        cells = self.tables.tasks * windows.kinds.number**2
        if self.tables.edges and cells <= _LIFTED and works:
            windows.lift(*(_lifts(windows, works, back=back) for back in (False, True)))
        return windows

    @cached_property
    def latency(self) -> float:
        """Seconds."""
        if not self.feasible:
            return np.inf
        path = float(self._lifted.paths().min(axis=1).max(initial=0.0))
        return self._below(self.loads.best_window(max(path, self.loads.total)))

    @property
    def _under(self) -> float:
        return 1 - 1e-12 - 2.5e-16 * self.tables.tasks

    def _below(self, value: float) -> float:
        """Lower than any rounding on the way to a sum over tasks can have lifted it."""
        return value * self._under

    @cached_property
    def _alone(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Earliest start and finish of each task, and its least execution time; float64[T]."""
        windows = self._lifted
        fine = np.isfinite(windows.times)
        head = np.where(fine, windows.head, np.inf)
        return head.min(axis=1), (head + windows.least).min(axis=1), windows.least.min(axis=1)

    @property
    def finishes(self) -> FloatArray:
        """Earliest finish of each task in seconds; float64[T]."""
        earliest: FloatArray = self._alone[1] * self._under
        return earliest

    @cached_property
    def completion(self) -> float:
        """Sum of weighted finishes."""
        if not self.feasible:
            return np.inf
        head, finish, least = self._alone
        works = self.loads.works or [np.zeros(len(head))]
        weight = self.tables.weight
        best = max(weighted_finishes(weight, finish, head, least, work) for work in works)
        return self._below(best)

    @cached_property
    def tardiness(self) -> float:
        """Sum of weighted lateness."""
        if not self.feasible:
            return np.inf
        head, finish, least = self._alone
        tables = self.tables
        works = self.loads.works or [np.zeros(len(head))]
        found = (
            weighted_lateness(tables.weight, tables.due, finish, head, least, work)
            for work in works
        )
        return self._below(max(found))

    @cached_property
    def period(self) -> float:
        """Seconds between inputs: the load of the fullest node.

        No task longer than the period can be its load: of lengths that rise, the first that
        suffices for the fractions of tasks that are no longer.

        Source: Lenstra, Shmoys, Tardos 1990, section 2.
        """
        if not self.feasible:
            return np.inf
        longest = self._node_loads
        whole = ~self.tables.divisible[:, None]
        known = float(np.where(whole, longest, 0.0).min(axis=1).max(initial=0.0))
        known = max(known, self._period_within(np.inf))
        for _ in range(_STEPS):
            found = self._period_within(known)
            if found <= known * (1 + 1e-9):
                break
            further = longest[np.isfinite(longest) & (longest > known) & whole]
            known = min(found, float(further.min(initial=np.inf)))
        return self._below(known)

    @cached_property
    def _node_loads(self) -> FloatArray:
        """Seconds that each task keeps a node of each kind busy; float64[T, G]."""
        slots = np.ones(self.windows.kinds.number)
        np.maximum.at(slots, self.windows.kinds.of_node, self.tables.node_slots)
        result: FloatArray = self.loads.load / slots
        return result

    def _period_within(self, longest: float) -> float:
        """The load of the fullest node by fractions of tasks that are at most so long there."""
        allowed = self.tables.divisible[:, None] | (self._node_loads <= longest * (1 + 1e-9))
        if not (allowed & np.isfinite(self.loads.load)).any(axis=1).all():
            return np.inf
        shares = Shares(
            np.where(allowed, self.loads.barred, np.inf), self.loads.load, self.loads.slots, 1.0,
            size=self._sizes, room=self._room,
        )  # fmt: skip
        prices = best_prices(shares)
        return 0.0 if prices is None else priced(shares, prices)

    # -- sums over tasks and transfers -----------------------------------------------------------

    def mix(self, weights: Mapping[str, float], limits: Mapping[str, float] | None = None) -> float:
        """Lower bound of a weighted sum of metrics under limits; infinite where no plan exists.

        What depends on the place of each task alone is bounded together with the length of the
        plan, so that a node cannot be cheap for the one and fast for the other.
        """
        if not self.feasible:
            return np.inf
        weights = {metric: weight for metric, weight in weights.items() if weight > 0}
        limits = limits or {}
        key = *sorted(weights.items()), None, *sorted(limits.items())
        with self._lock:
            if key not in self._mixed:
                self._mixed[key] = self._mix(weights, limits)
            return self._mixed[key]

    def _mix(self, weights: Mapping[str, float], limits: Mapping[str, float]) -> float:
        apart = 0.0
        if "completion" in weights:
            apart += weights["completion"] * self.completion
        if "tardiness" in weights:
            apart += weights["tardiness"] * self.tardiness
        best = apart + self._joint(weights, limits, finishes=False)
        if apart and len(weights) > 1:
            best = max(best, self._joint(weights, limits, finishes=True))
        return best

    def _joint(
        self, weights: Mapping[str, float], limits: Mapping[str, float], *, finishes: bool
    ) -> float:
        """Sums over places and the length of the plan (or, without that, the period) in one.

        ``finishes``: completion and tardiness too, as sums over places.
        """
        spent = {metric: weights[metric] for metric in SPENT if metric in weights}
        budgets = self._budgets(limits)
        length = weights.get("latency", 0.0) + weights.get("energy", 0.0) * self.idle
        period = weights.get("period", 0.0)
        base = 0.0
        if not (spent or finishes or any(metric in SPENT for metric in limits)):
            base = length * self.latency if length else 0.0
            return base + (period * self.period if period else 0.0)
        cost, rest = self._costs(spent)
        if finishes:
            cost = cost + self._finish_costs(weights)
        path: FloatArray
        if length or not period:
            weight, known, path = length, self.latency, self.windows.paths()
            base = period * self.period if period else 0.0
        else:
            weight, known, path = period, self.period, self._node_loads
            path, budgets = np.where(self.tables.divisible[:, None], 0.0, path), ()
        shares = Shares(
            cost, self.loads.load, self.loads.slots, weight, known, path, self._sizes, self._room,
            budgets,
        )  # fmt: skip
        best = priced(shares, free(shares))
        if weight or budgets or np.isfinite(self._room).any():  # else nothing has a price
            found = best_prices(shares)
            best = best if found is None else max(best, priced(shares, found))
        return base + rest + best

    def _costs(self, spent: Mapping[str, float]) -> tuple[FloatArray, float]:
        """Costs of places, and what is left on the edges; :func:`settle`."""
        tables, windows = self.tables, self.windows
        barred = np.where(np.isfinite(windows.times), 0.0, np.inf)
        cost = place_costs(tables, windows.kinds, spent) + barred
        moving = any(metric != "risk" for metric in spent)
        if not (moving and windows.exact and tables.edges * tables.nodes**2 <= _PAIRED):
            return cost, 0.0
        pair = edge_costs(tables, spent, windows.tie)
        if not pair.any():
            return cost, 0.0
        settled = settle(cost, pair, tables.edge_src, tables.edge_dst, windows.order)
        rest = settled.rest - 1e-12 * settled.magnitude
        gained = float(settled.cost.min(axis=1).sum()) + rest - float(cost.min(axis=1).sum())
        return (settled.cost, rest) if 0 < gained < np.inf else (cost, 0.0)

    def _finish_costs(self, weights: Mapping[str, float]) -> FloatArray:
        """Weighted earliest finish and lateness of each task on each group of nodes."""
        windows, tables = self._lifted, self.tables
        finish = np.where(np.isfinite(windows.times), windows.head + windows.least, 0.0)
        due = np.where(np.isfinite(tables.due), tables.due, np.finfo(float).max)
        late = np.maximum(finish - due[:, None], 0.0)
        share = weights.get("completion", 0.0) * finish + weights.get("tardiness", 0.0) * late
        result: FloatArray = tables.weight[:, None] * share
        return result

    def _budgets(self, limits: Mapping[str, float]) -> tuple[Budget, ...]:
        """Limits as upper bounds of sums over places and the length of the plan."""
        found = []
        barred = np.where(np.isfinite(self.windows.times), 0.0, np.inf)
        for metric, limit in limits.items():
            if metric in SPENT:
                use = place_costs(self.tables, self.windows.kinds, {metric: 1.0}) + barred
                per_second = self.idle if metric == "energy" else 0.0
                found.append(Budget(use, per_second, limit * (1 + _SLACK)))
            elif metric == "latency":
                found.append(Budget(barred, 1.0, limit * (1 + _SLACK)))
        return tuple(found)


class _Both:
    """The better of several lifts."""

    def __init__(self, *lifts: Lift) -> None:
        self.lifts = lifts

    def note(self, tasks: NDArray[np.int64], start: FloatArray) -> None:
        for lift in self.lifts:
            lift.note(tasks, start)

    def bound(self, layer: Layer) -> FloatArray:
        found = self.lifts[0].bound(layer)
        for lift in self.lifts[1:]:
            found = np.maximum(found, lift.bound(layer))
        return found


def _lifts(windows: Windows, works: list[FloatArray], *, back: bool) -> Lift:
    before = Before(windows, works, back=back)
    if Local.keeps(windows) > 1:
        return _Both(before, Local(windows, back=back))
    return before
