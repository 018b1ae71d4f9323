"""Method `stages`: the least period, and contiguous stages by dynamic programming.

Sets
    units u (tasks that must be together), classes g of alike nodes, n_g nodes in each
Parameters
    p_ug load of a unit on a node; c_h serialise of item h, which joins units Z_h; sizes and memory
Load of a set S of units on a node of class g
    L_g(S) = sum_{u in S} p_ug                       io overlapped
           + sum_h c_h ([S meets Z_h] - [Z_h in S])  io serial
Recursion over ideals I of the units' order, and nodes taken m_1 ... m_G
    D(0, 0) = 0,   D(I', m + e_g) = min over ideals I in I' of max(D(I, m), L_g(I' - I))

The least D of the whole is the least period of all ways to cut the order into stages, one after
another. Where there are more ideals than `ideals` (an option), the order is narrowed: what comes
more than some number of places earlier in a linear order counts as coming before, as few places as
it takes; at none only the beginnings of that order are left.

The rule "contiguous" permits a little more than stages one after another: two nodes may send to
each other, as long as no path leaves one and comes back. The bound allows for that. Between gates
(formulations/stage_orders.py) several nodes may share what is between two ideals I in I',

    D(I', m + r) <= max(D(I, m), W(I' - I) / sum_g r_g s_g)    for r_g nodes of class g, two or more

with W the least work and s_g the speed of a class, unless it holds a unit that no node can have
below the value asked (formulations/stage_weights.py). If even so no chain is below the best plan,
the plan is optimal. Independently of any order, the period is at least the least load of a node
that holds a given unit.

Tasks that the rule does not name, and units on which they depend, go with what they share most;
then local search moves them (formulations/stage_moves.py), and stages are cut again with them where
they are. Without the rule all units move.

Sources: Tarnawski, Phanishayee, Devanur, Mahajan, Nina Paravecino 2020, "Efficient algorithms for
device placement of DNN graph operators", sections 4 and 5.1. Gates and the bound are our own.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray

from formulations.ideals import Ideals, linear_orders, narrowed
from formulations.stage_chains import Chain, Shared, best_chain
from formulations.stage_homes import settled
from formulations.stage_moves import search
from formulations.stage_orders import (
    Order,
    named_tasks,
    order_for_bounds,
    order_for_plans,
    units_of,
)
from formulations.stage_table import Table
from formulations.stage_units import StageUnits
from formulations.stage_weights import least_load
from offload.bounds import proved
from offload.evaluator import evaluate_unchecked
from offload.heuristics.fill import fill
from offload.heuristics.placements import Placements
from offload.plan import Plan
from offload.registry import Answer, Request, Stopped
from offload.retiming import retime

__all__ = ["solve"]

_IDEALS = 50_000
_UNITS = 5_000  # above which tables of ideals take too much memory: local search is left
_BOUNDED = 1_500  # likewise for the order for bounds, which has an arc for each path
_MARGIN = 1e-9  # of a bound: sums over ideals are rounded
_HEAVY = 12  # units whose least load is looked for, whatever the order
_MOVES = 3_000  # of local search, a unit
_MOST = 3_000_000
_SEARCHING = 0.5  # of the time left
_CUTTING = 0.6  # likewise, where there are too many ideals for all
_TURNS = 4  # of local search and stages cut anew


def solve(request: Request) -> Answer:
    """Cut the order into stages, search on where the rule leaves room, and bound."""
    answer = Answer(request.start)
    stages = _Stages(request)
    try:
        stages.fill()
        if stages.units.number <= _UNITS:
            stages.bound_by_weights()
            with suppress(OverflowError):  # too many kinds of nodes: local search is left
                if not stages.done:
                    stages.cut()
                if not stages.done:
                    stages.bound_by_chains()
        if not stages.done:
            stages.search()
    except Stopped as stop:
        answer.stopped = str(stop)
    answer.plan = stages.plan
    answer.bound = stages.bound if isfinite(stages.bound) else None
    if answer.plan is None:
        answer.reason = "no contiguous stages hold; other methods may find a plan"
    return answer


class _Late(Exception):
    """The time for chains is up."""


class _Stages:
    """One instance: its best plan and bound so far, in units of the objective."""

    def __init__(self, request: Request) -> None:
        self.request, self.tables = request, request.problem.tables
        self.weight = request.goal.minimize["period"]
        self.placements = Placements(self.tables)
        self.most = int(request.options.get("ideals", _IDEALS))
        self.plan, self.bound = request.start, request.bound
        self.unit = units_of(self.placements)
        count = int(self.unit.max(initial=-1)) + 1
        self.units = StageUnits(self.tables, self.placements, self.unit, count)
        self.order = order_for_plans(self.tables, self.placements)
        self.place: NDArray[np.int64] | None = None  # node of each unit in the best plan
        if self.plan is not None:
            self._keep(self.plan)

    @property
    def value(self) -> float:
        """Objective of the best plan."""
        return inf if self.plan is None else self.plan.objective(self.request.goal.minimize)

    @property
    def done(self) -> bool:
        """Whether plan and bound meet."""
        return self.plan is not None and proved(self.value, self.bound, self.request.gap)

    def _raise(self, period: float) -> None:
        bound = period * self.weight * (1 - _MARGIN)
        if bound > self.bound:
            self.bound = bound
            self.request.report(None, bound)

    def _until(self, share: float) -> float:
        """Seconds that shall be left after a share of the time; none where no clock may decide."""
        if self.request.threads == 1 or self.request.work_limit is not None:
            return 0.0
        return self.request.seconds_left * (1 - share)

    # -- plans -----------------------------------------------------------------------------------

    def fill(self) -> None:
        """A first plan, which prunes all that comes: nodes filled in turn."""
        plan = fill(self.request).plan
        if plan is None or not plan.objective(self.request.goal.minimize) < self.value:
            return
        if self.request.keeps(plan):
            self._keep(plan)
            self.request.report(plan, None)

    def _keep(self, plan: Plan) -> None:
        self.plan, self.place = plan, np.zeros(self.units.number, np.int64)
        self.place[self.unit] = plan.nodes

    def cut(self) -> None:
        """The best chain of stages: along linear orders first, then over all ideals."""
        order, home, go_on = self.order, self._homes(), self.request.go_on
        units = StageUnits(self.tables, self.placements, home[self.unit], order.number)
        found = self.value / self.weight
        lines = linear_orders(order.before)
        for line in lines:
            table = Table(units, Ideals(narrowed(order.before, line, 0), order.number + 1))
            found = self._take(best_chain(table, found, go_on), home, units, found)
        whole = Ideals(order.before, self.most, go_on)
        if whole.bits:
            self._take(best_chain(Table(units, whole), found, go_on), home, units, found)
            return
        until = self._until(_CUTTING)

        def in_time() -> None:
            go_on()
            if self.request.seconds_left < until:
                raise _Late

        with suppress(_Late):
            least = order.number + 1
            for most in (max(self.most // 20, least), max(self.most, least)):  # soon a good plan
                for line in lines:
                    in_time()
                    ideals = _narrowed_to(order.before, line, most, in_time)
                    table = Table(units, ideals)
                    found = self._take(best_chain(table, found, in_time), home, units, found)

    def _homes(self) -> NDArray[np.int64]:
        """The unit of the order that each unit goes with."""
        home = np.full(self.units.number, -1, np.int64)
        home[self.unit] = self.order.of_task
        allowed = np.ones((self.units.number, self.order.number), bool)
        if self.place is not None:
            own = np.full(self.order.number, -1, np.int64)
            own[home[home >= 0]] = self.place[home >= 0]
            beside = own[None, :] == self.place[:, None]
            allowed = np.where(beside.any(axis=1)[:, None], beside, allowed)
        return settled(self.units, home, allowed)

    def _take(
        self, chain: Chain, home: NDArray[np.int64], units: StageUnits, known: float
    ) -> float:
        """Keep a chain that is better than what is known; the better value."""
        if not chain.stages or not chain.load < known:
            return known
        left = [list(nodes) for nodes in units.nodes]
        place = np.zeros(units.number, np.int64)
        for stage in chain.stages:
            place[stage.units] = left[stage.kind].pop(0)
        self._offer(place[home])
        return chain.load

    def _offer(self, place: NDArray[np.int64]) -> bool:
        """Make a plan of a placement of units; keep it if it is better and holds."""
        plan = self._timed(place[self.unit])
        better = plan.objective(self.request.goal.minimize) < self.value
        if not better or not self.request.keeps(plan):
            return False
        self._keep(plan)
        self.request.report(plan, None)
        return True

    def _timed(self, nodes: NDArray[np.int64]) -> Plan:
        """The plan of a placement, its tasks in topological order."""
        tables, problem = self.tables, self.request.problem
        mode = tables.fastest_mode[nodes]
        if len(tables.routes.resource_channels):  # whose transfers need an order of their own
            made = evaluate_unchecked(
                problem, nodes[None], tables.topological[None], mode[None],
                limits=self.request.goal.limits,
            )  # fmt: skip
            return made.plan(0)
        turn = np.empty(tables.tasks)
        turn[tables.topological] = np.arange(tables.tasks)
        return retime(problem, nodes, turn, turn + 1, modes=mode)

    def search(self) -> None:
        """Local search over what the rule leaves free, and stages cut again around it."""
        until = self._until(_SEARCHING)
        every = np.arange(self.units.number)
        free = np.setdiff1d(every, self.unit[self.order.of_task >= 0])
        for turn in range(_TURNS if len(free) else 0):
            known = self.value
            if not self._moved(free, turn, until):
                break
            with suppress(OverflowError):
                self.cut()
            if self.done or not self.value < known:
                break
        if not named_tasks(self.tables) and not self.done:
            self._moved(every, 0, until)

    def _moved(self, movable: NDArray[np.int64], turn: int, until: float) -> bool:
        """Whether moves of some units make a better plan."""
        moves = min(_MOVES * len(movable), _MOST)
        if self.request.work_limit is not None:
            moves = min(moves, int(self.request.work_limit))

        def stop() -> bool:
            return self.request.stopped is not None or self.request.seconds_left < until

        if self.place is None:
            return False
        seed = self.request.seed + turn
        found = search(self.units, self.place, movable, self.tables.nodes, moves, seed, stop)
        return self._offer(found)

    # -- bounds ----------------------------------------------------------------------------------

    def bound_by_weights(self) -> None:
        """The least load of a node that holds one of the heaviest units."""
        units, every = self.units, np.arange(self.units.number)
        if not units.load.size:
            return
        heaviest = np.argsort(-units.load.min(axis=1), kind="stable")[:_HEAVY]
        for u in heaviest.tolist():
            self.request.go_on()
            self._raise(least_load(units, u, every, inf))
            if self.done:
                return

    def bound_by_chains(self) -> None:
        """The least load of chains in which several nodes may share what is between gates."""
        if self.plan is None or self.units.number > _BOUNDED:
            return
        order = order_for_bounds(self.tables, self.placements)
        if order is None:
            return
        ideals = Ideals(order.before, self.most, self.request.go_on)
        if not ideals.bits:
            return
        units = StageUnits(self.tables, self.placements, order.of_task, order.number)
        table = Table(units, ideals)
        ceiling = self.value / self.weight * (1 - _MARGIN)
        members = table.members.astype(np.int64)
        segment: NDArray[np.int64] = members @ order.gates.astype(np.int64)
        heavy = np.zeros(order.number, np.int64)
        for second in (False, True):
            shared = Shared(segment, members @ heavy)
            found = min(best_chain(table, ceiling, self.request.go_on, shared).load, ceiling)
            self._raise(found)
            if self.done or second:
                return
            heavy = self._heavy(units, order, ceiling)
            if not heavy.any():
                return

    def _heavy(self, units: StageUnits, order: Order, ceiling: float) -> NDArray[np.int64]:
        """Units that no node can have below the ceiling with others of their segment alone."""
        found = np.zeros(order.number, np.int64)
        gates = sum(1 << int(u) for u in np.flatnonzero(order.gates))
        place = np.array([(bits & gates).bit_count() for bits in order.before])
        for s in np.unique(place):
            inside = np.flatnonzero((place == s) & ~order.gates)
            for u in inside.tolist() if len(inside) > 1 else ():
                self.request.go_on()
                found[u] = least_load(units, u, inside, ceiling) >= ceiling
        return found


def _narrowed_to(
    before: list[int], line: list[int], most: int, go_on: Callable[[], None]
) -> Ideals:
    """Ideals of the widest order along a linear one that has so few."""
    low, high = 0, len(line)
    found = Ideals(narrowed(before, line, low), most, go_on)
    while high - low > 1:
        middle = (low + high) // 2
        ideals = Ideals(narrowed(before, line, middle), most, go_on)
        if ideals.bits:
            low, found = middle, ideals
        else:
            high = middle
    return found
