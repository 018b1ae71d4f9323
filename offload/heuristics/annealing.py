"""Annealing of any objective under any limits: random changes, decoded many at a time.

Kirkpatrick, Gelatt, Vecchi 1983. At each step a batch of changed plans is decoded at once by the
evaluator; one of them, drawn by its worth at the present temperature, is accepted by Metropolis'
rule. What a plan exceeds counts at a price that rises as long as plans exceed it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from math import exp, inf, log

import numpy as np

from offload.arrays import FloatArray
from offload.evaluator import Evaluation, evaluate_unchecked
from offload.features import Goal
from offload.heuristics.changes import Changes
from offload.heuristics.decisions import Decisions
from offload.metrics import objective
from offload.plan import Plan
from offload.problem import Problem
from offload.tables import Tables

__all__ = ["Annealing"]

_BATCH = 64  # plans decoded at once
_CELLS = 300_000  # plans times tasks that are decoded at once, at most
_COOLING = 100.0  # ratio of a round's first to its last temperature
_DEARER, _CHEAPER = 1.1, 0.95  # what a price is multiplied by while it is too low, or not needed
_RETURN = 150  # steps without a better plan after which to go back to the best


class Annealing:
    """The search; each call of :meth:`round` goes on from the best plan.

    Parameters
    ----------
    problem, goal
        What is minimized under which limits.
    decisions
        What to start from; it need not hold.
    seed
        Of all draws.

    Attributes
    ----------
    best : float
        Objective of the best plan that holds; infinite if there is none so far.
    work : int
        Plans decoded so far.
    """

    def __init__(self, problem: Problem, goal: Goal, decisions: Decisions, seed: int = 0) -> None:
        self.problem, self.goal = problem, goal
        self.rng = random.Random(seed)
        self._noise = np.random.default_rng(seed)
        self.changes = Changes(problem, self.rng)
        if self.changes.copies and decisions.copies is None:
            none = np.zeros((len(problem.tables.data_ids), problem.tables.nodes), bool)
            decisions = decisions._replace(copies=none)
        self._count = max(8, min(_BATCH, _CELLS // max(1, problem.tables.tasks)))
        self._scale = _scales(problem.tables, goal)
        self._price = dict.fromkeys(self._scale, 1.0)
        self.work, self.best = 0, inf
        self._best: tuple[Decisions, Plan] | None = None
        self.now = decisions
        found = decisions.evaluate(problem, goal.limits)
        self._unit = self._size_of(found)
        self._settle(found, 0, decisions)

    @property
    def plan(self) -> Plan | None:
        """The best plan that holds."""
        return None if self._best is None else self._best[1]

    def round(self, stop: Callable[[], bool], share: Callable[[], float], until: float) -> None:
        """Anneal from the best plan on.

        Parameters
        ----------
        stop
            Asked at each step: whether to stop at once.
        share
            Which share of all that may be spent is spent.
        until
            The share at which the round is cold, and ends.
        """
        begun = share()
        hot = _heat(self.problem.tables.tasks)
        if self._best is not None:
            self._restart()
        stale, before = 0, self.best
        while not stop():
            spent = share()
            if spent >= until:
                return
            done = (spent - begun) / max(until - begun, 1e-12)
            self._step(hot * _COOLING**-done * self._unit)
            stale, before = (0, self.best) if self.best < before else (stale + 1, before)
            if stale >= _RETURN and self._best is not None:
                self._restart()
                stale = 0

    def _restart(self) -> None:
        assert self._best is not None
        decisions = self._best[0]
        self._settle(decisions.evaluate(self.problem, self.goal.limits), 0, decisions)

    def _step(self, temperature: float) -> None:
        made = self.changes.draw(self.now, self._count, self._matter)
        found = evaluate_unchecked(
            self.problem, made.nodes, made.order, made.modes, made.codecs, made.copies,
            self.goal.limits,
        )  # fmt: skip
        self.work += len(found)
        value, excess = self._value(found)
        for b in np.flatnonzero((excess == 0) & (value < self.best)).tolist():
            if value[b] < self.best:
                self._take_best(found, b, made)
        now = self._now_value()
        b = int((value - temperature * self._noise.gumbel(size=len(value))).argmin())
        if value[b] <= now - temperature * log(1 - self.rng.random()):
            self._settle(found, b, made.one(b))
        self._reprice()

    # -- worth -----------------------------------------------------------------------------------

    def _size_of(self, found: Evaluation) -> float:
        """A scale of the objective."""
        value = float(objective(found.metrics, self.goal.minimize)[0])
        if np.isfinite(value) and value > 0:
            return value
        return 1.0

    def _value(self, found: Evaluation) -> tuple[FloatArray, FloatArray]:
        """Objective plus the price of what is exceeded, and whether anything is; float64[B]."""
        with np.errstate(invalid="ignore"):
            value = objective(found.metrics, self.goal.minimize)
        excess = self._weighed(found)
        # Without finite times there is no objective: what is exceeded leads back.
        value = np.where(np.isfinite(value), value, 2 * self._unit)
        return value + excess * self._unit, np.where(found.feasible, 0.0, np.maximum(excess, 1e-9))

    def _weighed(self, found: Evaluation) -> FloatArray:
        total = np.zeros(len(found))
        for rule, over in found.excess.items():
            # Times may be infinite; their tasks count under "placement".
            part = np.where(np.isfinite(over), over, 0.0) / self._scale.get(rule, 1.0)
            total += self._price.setdefault(rule, 1.0) * part
        return total

    def _now_value(self) -> float:
        over = sum(
            self._price[rule] * part / self._scale.get(rule, 1.0)
            for rule, part in self._over.items()
        )
        return self._objective + over * self._unit

    def _reprice(self) -> None:
        """Dearer what the present plan exceeds, cheaper the rest."""
        for rule, over in self._over.items():
            price = self._price[rule] * (_DEARER if over > 0 else _CHEAPER)
            self._price[rule] = min(max(price, 0.01), 1e6)

    def _settle(self, found: Evaluation, b: int, decisions: Decisions) -> None:
        """Go on from one of the decoded plans."""
        with np.errstate(invalid="ignore"):
            value = float(objective(found.metrics, self.goal.minimize)[b])
        self._objective = value if np.isfinite(value) else 2 * self._unit
        excess = {rule: float(over[b]) for rule, over in found.excess.items()}
        self._over = {rule: over if np.isfinite(over) else 0.0 for rule, over in excess.items()}
        for rule in self._over:
            self._price.setdefault(rule, 1.0)
        self.now = decisions
        self._matter = _matter(self.problem.tables, found.start[b], found.finish[b], decisions)
        if found.feasible[b] and value < self.best:
            self.best = value
            self._best = decisions, found.plan(b)

    def _take_best(self, found: Evaluation, b: int, made: Decisions) -> None:
        self.best = float(objective(found.metrics, self.goal.minimize)[b])
        self._best = made.one(b), found.plan(b)


def _heat(tasks: int) -> float:
    """First temperature over the objective: 3 % for few tasks, less for many."""
    return 0.03 * exp(-tasks / 200) + 0.0005


def _scales(tables: Tables, goal: Goal) -> dict[str, float]:
    """What counts as much as the whole objective if it is exceeded by so much."""
    scale = {f"limit:{metric}": limit or 1.0 for metric, limit in goal.limits.items()}
    due = tables.deadline[np.isfinite(tables.deadline)]
    room = tables.memory_capacity[np.isfinite(tables.memory_capacity)]
    store = tables.storage_capacity[np.isfinite(tables.storage_capacity)]
    scale["deadline"] = float(due.mean()) if len(due) and due.mean() > 0 else 1.0
    scale["memory"] = float(room.mean()) if len(room) and room.mean() > 0 else 1.0
    scale["storage"] = float(store.mean()) if len(store) and store.mean() > 0 else 1.0
    scale["placement"] = max(1.0, tables.tasks / 10)
    return scale


def _matter(
    tables: Tables, start: FloatArray, finish: FloatArray, decisions: Decisions
) -> list[int]:
    """Tasks that a long chain of a plan leads over: back from the last, or latest, to its begin.

    From each task to the one that finished last on its node before it, if it waited for that;
    else to that of those it waits for which finished last.
    """
    if not tables.tasks:
        return []
    odd = np.flatnonzero(~np.isfinite(finish))
    if len(odd):
        return odd.tolist()
    late = finish - tables.deadline
    at = int(late.argmax()) if late.max(initial=0.0) > 0 else int(finish.argmax())
    nodes, found = decisions.nodes, [at]
    slack = 1e-9 * float(finish.max())
    known = {at}
    while True:
        beside = np.flatnonzero((nodes == nodes[at]) & (finish <= start[at] + slack))
        last = int(beside[finish[beside].argmax()]) if len(beside) else -1
        senders = tables.edge_src[tables.incoming.of(at)]
        if last >= 0 and finish[last] >= start[at] - slack and last not in known:
            at = last
        elif len(senders):
            at = int(senders[finish[senders].argmax()])
        else:
            return found
        if at in known:
            return found
        known.add(at)
        found.append(at)
