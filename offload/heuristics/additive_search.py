"""Local search where the goal is a sum: the worth of all moves is known, and many are made at once.

Simulated annealing by a heat bath (Geman, Geman 1984): units are drawn anew by what they would cost
on each node, together those that do not bear on each other (one colour of a colouring at a time:
Gonzalez, Low, Gretton, Guestrin 2011). Where memory is scarce, pairs of units change places too.
Memory, limits and other rules may be broken on the way, at prices that rise while they are
(strategic oscillation: Glover 1989).
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray
from offload.features import Goal
from offload.heuristics.additive import Block, Placed
from offload.heuristics.additive_costs import Channels
from offload.heuristics.decisions import Decisions
from offload.heuristics.rooms import Rooms
from offload.heuristics.units import Units
from offload.plan import Plan
from offload.problem import Problem
from offload.tables import TOLERANCE

__all__ = ["AdditiveSearch"]

_HEAT, _COOLING = 0.3, 100.0
_BROAD = 8  # readers of an item up to which no two of them move at once
_PAIRED = 128  # units of a colour whose pairs are looked at, at most
_GROWN = 4.0  # units that a cluster grows by on average
_NOISE = 1 << 18
_DEARER, _CHEAPER = 1.1, 0.95  # what a price is multiplied by while something is broken, or not
_LEAST, _MOST = 1e-2, 1e6  # of the first price


class _Found(NamedTuple):
    """The best placement so far and what goes with it."""

    node: NDArray[np.int64]
    decisions: Decisions


class AdditiveSearch:
    """The search; each call of :meth:`round` goes on from the best plan.

    Parameters
    ----------
    problem, goal
        What is minimized under which limits; :func:`.additive_costs.additive` must hold.
    decisions
        What to start from; it need not hold. Its order and copies stay.
    units
        The units of the instance, none without a node where it may be.
    seed
        Of all draws.

    Attributes
    ----------
    best : float
        Objective of the best plan that holds; infinite if there is none so far.
    work : int
        Units drawn anew so far: each is a plan valued, out of all that differ in its place.
    """

    def __init__(
        self, problem: Problem, goal: Goal, decisions: Decisions, units: Units, seed: int = 0
    ) -> None:
        self.problem, self.goal, self.decisions, self.units = problem, goal, decisions, units
        self.dice = np.random.default_rng(seed)
        self._noise = self.dice.gumbel(size=_NOISE)
        self.channels = Channels(units, goal, decisions.copies)
        self.placed = Placed(units, units.start(decisions.nodes))
        self._barred = np.where(units.allowed, 0.0, inf)
        self._spread = self._mean_regret()
        self._strict = self.placed.routed or len(units.apart) > 0
        self._conflict = self._spread  # price of what conflicts
        self.rooms = Rooms(units, self._spread)
        limits = self.channels.limits
        self._first = self._spread * units.number / np.where(limits > 0, limits, 1.0)
        self._prices = np.zeros(len(limits))
        self._chosen = problem.tables.modes > 1 or len(units.offers) > 1
        self._near = units.neighbours(_BROAD)
        self._free = np.flatnonzero(units.allowed.sum(axis=1) > 1).tolist()
        self.blocks = [Block(units, chosen) for chosen in self._colours()]
        self.work, self.best = 0, inf
        self._best: _Found | None = None
        self._plan: tuple[float, Plan | None] = inf, None
        self._heat = 0.0
        self._settle()

    def _mean_regret(self) -> float:
        """How much more units cost on average on any node than on their best: a scale of costs."""
        allowed = self.units.allowed
        value = self.placed.rows(self.placed.whole, self.channels.combined)
        least = np.where(allowed, value, inf).min(axis=1)
        regret = np.where(allowed, value - least[:, None], 0.0).sum(axis=1) / allowed.sum(axis=1)
        return float(regret.mean()) or 1.0

    def _colours(self) -> list[NDArray[np.int64]]:
        """Units that may move, in sets without two that bear on each other.

        Greedily, those with most neighbours first (Welsh, Powell 1967).
        """
        near = self._near
        colour = [-1] * self.units.number
        for u in sorted(self._free, key=lambda u: (-len(near[u]), u)):
            taken = {colour[v] for v in near[u]}
            colour[u] = next(c for c in range(len(near[u]) + 1) if c not in taken)
        found = np.array(colour, np.int64)
        return [np.flatnonzero(found == c) for c in range(found.max(initial=-1) + 1)]

    @property
    def plan(self) -> Plan | None:
        """The best plan that holds."""
        value, plan = self._plan
        if self._best is not None and self.best < value:
            made = self._best.decisions.evaluate(self.problem, self.goal.limits)
            if made.feasible[0]:
                plan = made.plan()
            self._plan = self.best, plan
        return plan

    def round(self, stop: Callable[[], bool], share: Callable[[], float], until: float) -> None:
        """Anneal from the best plan on; parameters as those of :meth:`.Annealing.round`."""
        if not self.blocks and not (self._chosen and self.goal.limits):
            return  # there is but one plan
        begun = share()
        if self._best is not None:
            self.placed.load(self._best.node)
            self.rooms.load(self.placed.node)
        while not stop():
            spent = share()
            if spent >= until:
                return
            done = (spent - begun) / max(until - begun, 1e-12)
            self._heat = _HEAT * _COOLING**-done * self._spread
            for b in self.dice.permutation(len(self.blocks)).tolist():
                if stop():
                    break
                self._draw(self.blocks[b])
            self.work += not self.blocks
            self._move_cluster()
            self._settle()

    # -- moves -----------------------------------------------------------------------------------

    def _noise_like(self, value: FloatArray) -> FloatArray:
        """Gumbel noise at the present temperature: the least of a sum with it is a heat bath."""
        if value.size >= _NOISE:
            return self._heat * self.dice.gumbel(size=value.shape)
        at = int(self.dice.integers(_NOISE - value.size))
        return self._heat * self._noise[at : at + value.size].reshape(value.shape)

    def _draw(self, block: Block) -> None:
        """Draw a node anew for each unit of a block, and partners to change places with."""
        placed, rooms = self.placed, self.rooms
        cost = placed.rows(block, self.channels.combined)
        if self._strict:
            cost += self._conflict * placed.conflicts(block)
        cost += self._barred[block.units]
        value = cost - self._noise_like(cost)
        if rooms.bounded:
            value += rooms.rows(block.units)
        node = value.argmin(axis=1)
        rows = np.flatnonzero(node != placed.node[block.units])
        self.work += len(block.units)
        if rooms.bounded:
            rows = rows[rooms.admit(block.units[rows], node[rows], self.dice)]
        self._put(block, rows, node[rows])
        if rooms.bounded:
            self._exchange(block, cost)

    def _put(self, block: Block, rows: NDArray[np.int64], node: NDArray[np.int64]) -> None:
        if len(rows):
            self.placed.put(block, rows, node)
            self.rooms.load(self.placed.node)

    def _exchange(self, block: Block, cost: FloatArray) -> None:
        """Units of a block change places pair by pair, a pair for each two nodes at most.

        They do not bear on each other: what a pair costs is the sum of two moves.
        """
        rows = np.arange(len(block.units))
        if len(rows) > _PAIRED:
            rows = np.sort(self.dice.choice(len(rows), _PAIRED, replace=False))
        units = block.units[rows]
        here = self.placed.node[units]
        value = cost[rows][:, here]
        value -= np.diagonal(value)[:, None].copy()
        value = value + value.T + self.rooms.exchanges(units)
        value -= self._noise_like(value)
        value[here[:, None] == here] = inf
        self.work += len(rows)
        partner = value.argmin(axis=1)
        least = value.min(axis=1)
        least[least >= -self._noise_like(least)] = inf  # rather stay
        busy: set[int] = set()
        moves: list[tuple[int, int]] = []
        for i in np.argsort(least, kind="stable")[: np.isfinite(least).sum()].tolist():
            j = int(partner[i])
            k, l = int(here[i]), int(here[j])
            if not busy & {k, l}:
                busy |= {k, l}
                moves += [(int(rows[i]), l), (int(rows[j]), k)]
        moves.sort()
        self._put(block, *np.array(moves, np.int64).reshape(-1, 2).T)

    def _move_cluster(self) -> None:
        """Units that bear on each other go to another node together, or stay (Metropolis)."""
        if not self._free:
            return
        placed, dice, before = self.placed, self.dice, self._priced()
        u = self._free[int(dice.integers(len(self._free)))]
        here = int(placed.node[u])
        to, cluster = self._target(u, here), self._cluster(u, here)
        cluster = cluster[self.units.allowed[cluster, to]]
        self.work += 1
        self._put(placed.whole, cluster, np.full(len(cluster), to))
        if self._priced() > before - self._heat * log(1 - dice.random()):
            self._put(placed.whole, cluster, np.full(len(cluster), here))

    def _target(self, u: int, here: int) -> int:
        """A node for a unit: often one of a neighbour."""
        near = [int(self.placed.node[v]) for v in self._near[u]]
        near = [k for k in near if k != here and self.units.allowed[u, k]]
        if near and self.dice.random() < 0.5:
            return near[int(self.dice.integers(len(near)))]
        others = np.flatnonzero(self.units.allowed[u])
        others = others[others != here]
        return int(others[self.dice.integers(len(others))])

    def _cluster(self, u: int, here: int) -> NDArray[np.int64]:
        """Units on one node that bear on each other, grown from one."""
        want = 2 + int(self.dice.exponential(_GROWN))
        found, known, node = [u], {u}, self.placed.node
        for v in found:
            for w in self._near[v]:
                if len(found) < want and w not in known and node[w] == here:
                    known.add(w)
                    found.append(w)
        return np.array(sorted(found), np.int64)

    def _priced(self) -> float:
        """The plan as it is, with the prices of all that it exceeds."""
        value = self.placed.total(self.channels.combined)
        if self._strict:
            value += self._conflict * self.placed.broken()
        if self.rooms.bounded:
            value += self.rooms.priced()
        return value

    # -- worth -----------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Value the plan as it is, keep it if it is the best, and set prices anew."""
        placed, costs = self.placed, self.channels.costs
        self.rooms.load(placed.node)
        value = placed.total(costs[0])
        sums = np.array([placed.total(part) for part in costs[1:]])
        # Half the tolerance is left to rounding.
        over = sums > self.channels.limits * (1 + TOLERANCE / 2)
        broken = placed.broken() if self._strict else 0.0
        full = bool(self.rooms.over.any())
        if value < self.best and not (over.any() or broken or full):
            self._keep(value)
        if self._strict:
            price = self._conflict * (_DEARER if broken else _CHEAPER)
            self._conflict = min(max(price, _LEAST * self._spread), _MOST * self._spread)
        if self.rooms.bounded:
            self.rooms.reprice()
        if len(over):
            self._reprice(over)

    def _keep(self, value: float) -> None:
        nodes = self.placed.node[self.units.of_task].astype(np.int32)
        modes, codecs = self.channels.modes_of(nodes), self.channels.codecs_of(nodes)
        found = self.decisions._replace(nodes=nodes, modes=modes, codecs=codecs)
        self.best, self._best = value, _Found(self.placed.node.copy(), found)

    def _reprice(self, over: NDArray[np.bool_]) -> None:
        """Price the limited metrics, and choose modes and codecs anew, modes by a heat bath."""
        dearer = np.clip(self._prices * _DEARER, _LEAST * self._first, _MOST * self._first)
        self._prices = np.where(over, dearer, self._prices * _CHEAPER)
        if self._chosen:
            self.channels.choose(self._prices, self._heat, self.dice)
        else:
            self.channels.combine(self._prices)
