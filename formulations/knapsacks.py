"""Method `knapsacks`: sums over tasks on nodes with little room, without transfers.

Sets
    tasks i, nodes k
Parameters
    a_ik least cost of task i on node k; r_ik resident bytes, M_k memory (or slot-seconds, and those
    that a limit of latency leaves, where no memory is short)
Variables
    x_ik in {0, 1}  task i runs on node k
Integer program
    minimize     sum_ik a_ik x_ik
    one place    sum_k x_ik = 1              for each i    (price u_i)
    room         sum_i r_ik x_ik <= M_k      for each k

It is the generalized assignment problem. Whether there is a plan of at most some cost is asked of
a tree search (`knapsack_search`; bounds in `knapsack_prices` and `knapsack_sets`), of one cost
after another from the bound of prices upwards, until there is one: refuting a cost below the
optimum takes much less work than one at it. Where the known plan is far above the bound, dives
(`knapsack_dive`) come first. Sizes are counted in whole units, downwards, and
room upwards, so that nothing that fits is ever lost; a plan holds or it does not, which the checker
says. Where something else than room ties tasks together, the program is a relaxation and its bound
is one.

Work (`work_limit`) is prices looked at.

Sources: Fisher, Jaikumar, Van Wassenhove 1986; Posta, Ferland, Michelon 2012, "An exact method
with variable fixing for solving the generalized assignment problem".
"""

from __future__ import annotations

from math import ceil, inf, isfinite

import numpy as np

from formulations.knapsack_prices import Sharing
from formulations.knapsack_search import Search
from formulations.node_parts import Parts
from offload.arrays import BoolArray, FloatArray
from offload.bounding.assignment import Shares, best_prices
from offload.bounding.ticks import natural_tick
from offload.bounds import proved
from offload.registry import Answer, Request, Stopped
from offload.retiming import retime
from offload.tables import TOLERANCE

__all__ = ["Costs", "solve"]

_PLACES = 20_000  # of tasks above which the first prices alone take too long
_CELLS = 8_000_000  # of the tables over all places and the room of a node
_UNITS = 4_000  # of room, at most
_MARGIN = 1e-6  # of a step between costs, that a bound has to be above one of them
_ROUNDING = 1e-11  # of the sum of all costs, likewise
_NEAR = 1e-6  # units: so close to a whole number of them counts as that
_STRIDE = 4  # parts of the gap at hand that a step between costs is, where they are not whole
_FAR = 1e-3  # of the cost of a plan, above a bound: worth dives for a better one,
_PLACES_EACH = 3.0, 4.0, 6.0  # with so many places a task
_TICKS = 1e6  # of the largest cost, at most: finer ones are lost in the margin


def solve(request: Request) -> Answer:
    """Raise the bound, and find the plan of least cost where nothing but room ties tasks."""
    parts = Parts(request)
    answer = Answer(request.start)
    if not parts.short or parts.tables.edges or parts.cost.size > _PLACES:
        answer.reason = None if answer.plan else "no room is short, or transfers tie tasks together"
        return answer
    costs = Costs(request, parts)
    try:
        costs.raise_to_proof()
    except _Beyond:
        pass
    except Stopped as stop:
        answer.stopped = str(stop)
    answer.plan, answer.infeasible = costs.plan, costs.bound == inf
    answer.bound = costs.bound if isfinite(costs.bound) else None
    return answer


class _Beyond(Exception):
    """The best way of sharing out is no plan: something else than room ties tasks."""


class Costs:
    """One cost after another, from the bound upwards."""

    def __init__(self, request: Request, parts: Parts) -> None:
        self.request, self.parts = request, parts
        self.plan = request.start
        self.bound = -inf
        self.use, self.room = (parts.size, parts.room)
        if not (parts.size.sum(axis=0) > parts.room).any():
            self.use, self.room = parts.load, parts.span
        sharing, open = _in_units(parts.cost, self.use, self.room)
        self.search = Search(sharing, open, self._first_prices(), self._go_on, self._holds)
        self.most = float(sharing.cost.max(axis=0).sum())
        self.margin = _ROUNDING * self.most
        self.stride = 1.0
        # Where all costs are multiples of one number, so is every sum.
        own = None if parts.rest else natural_tick(parts.cost[np.isfinite(parts.cost)], _TICKS)
        self.tick, error = own or (0.0, 0.0)
        self.noise = len(parts.cost) * error

    def _first_prices(self) -> FloatArray:
        """Prices of the linear program: what its prices of room make of each task."""
        cost = self.parts.cost
        none, nodes = np.zeros_like(cost), cost.shape[1]
        shares = Shares(cost, none, np.ones(nodes), 0.0, size=self.use, room=self.room)
        prices = best_prices(shares)
        each = np.zeros(nodes) if prices is None else prices.room
        first: FloatArray = (cost + np.where(each > 0, self.use * each, 0.0)).min(axis=1)
        return np.where(np.isfinite(first), first, 0.0)

    def _go_on(self) -> float:
        self.request.go_on()
        if self.request.work_limit is not None and self.search.work >= self.request.work_limit:
            raise Stopped("work")
        return self.request.seconds_left

    @property
    def value(self) -> float:
        """Objective of the best plan."""
        return inf if self.plan is None else self.plan.objective(self.request.goal.minimize)

    def raise_to_proof(self) -> None:
        """Until bound and plan meet, or the program says no more about the instance."""
        low = self.search.lift(self.value - self.parts.rest) - self.margin
        low = self.tick * ceil(low / self.tick - _NEAR) if self.tick and isfinite(low) else low
        self._raise(low)
        if isfinite(low):
            self._approach(low)
        while True:
            self._raise(low)
            if low == inf or proved(self.value, self.bound, self.request.gap):
                return
            cost, step = self._next(low)
            if cost - low < (0.0 if self.tick else self.margin):  # to the last digit
                return
            known = self.value
            if not self.search.up_to(cost, step, _MARGIN * step + self.margin):
                low = cost + self.tick if cost < self.most else inf
                self.stride *= 2
            elif self.value >= known:  # likewise: what was found is within the margin
                return

    def _approach(self, low: float) -> None:
        """Better plans by dives, where the known one is far from a bound."""
        for places in _PLACES_EACH:
            known = self.value - self.parts.rest
            if not known - low > _FAR * abs(known):
                return
            step = self.tick or _FAR * abs(low) / _STRIDE
            self.search.dive(step, _MARGIN * step + self.margin, places)
            if self.plan is not None and not self.value - self.parts.rest < known:
                return

    def _next(self, low: float) -> tuple[float, float]:
        """The cost to ask for, and how far above it bounds should be."""
        known = self.value - self.parts.rest
        near = self.request.gap * (known if isfinite(known) else low) / 2
        if self.tick:
            # Without a plan in steps that grow, as there may be none.
            ticks = max(1.0, near // self.tick, 0.0 if isfinite(known) else self.stride)
            return min(low + ticks * self.tick, known - self.noise) - self.tick, self.tick
        far = (known - low) / _STRIDE if isfinite(known) else near * self.stride
        step = max(near, far, 2 * self.margin)
        return min(low + step, known - near), step

    def _raise(self, low: float) -> None:
        """Note that each plan costs at least ``low`` here."""
        bound = low + self.parts.rest - self.noise
        if bound > self.bound:
            self.bound = bound
            self.request.report(None, bound)

    def _holds(self, places: BoolArray) -> bool:
        """Whether tasks so shared out (bool[K, T]) have room; if so, the plan is kept."""
        chosen = places.argmax(axis=0).astype(np.int32)
        every = np.arange(len(chosen))
        taken = np.bincount(chosen, self.use[every, chosen], len(self.room))
        if (taken > self.room * (1 + TOLERANCE)).any():
            return False
        tables = self.parts.tables
        turn = np.empty(tables.tasks)
        turn[tables.topological] = every
        plan = retime(self.request.problem, chosen, turn, turn + 1)
        cost = float(self.parts.cost[every, chosen].sum()) + self.parts.rest
        value = plan.objective(self.request.goal.minimize)
        if value > cost + self.margin + self.noise or not self.request.keeps(plan):
            raise _Beyond
        if value < self.value:
            self.plan = plan
            self.request.report(plan, None)
        return True


def _in_units(cost: FloatArray, use: FloatArray, room: FloatArray) -> tuple[Sharing, BoolArray]:
    """The program with sizes in whole units of room, and where each task may run."""
    limited = np.isfinite(room)
    use, most = np.where(limited, use, 0.0), np.where(limited, room * (1 + 2 * TOLERANCE), 0.0)
    open = np.isfinite(cost) & (use <= most)
    sizes = np.where(open, use, 0.0)
    largest = float(max(1, min(_UNITS, _CELLS // max(1, cost.size))))
    exact = natural_tick(np.append(sizes.ravel(), room[limited]), largest)
    unit = exact[0] if exact else max(float(most.max()), 1e-300) / largest
    sharing = Sharing(
        np.where(open, cost, 0.0).T,
        np.floor(sizes / unit + (_NEAR if exact else 0.0)).astype(np.int64).T,
        np.floor(most / unit + _NEAR).astype(np.int64),
    )
    return sharing, open.T
