"""How far a resource can move before another placement is better."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from offload.carrying import carried, same_placement
from offload.errors import InstanceError, Unsupported
from offload.plan import Plan, Progress, Result
from offload.problem import Problem
from offload.resources import Resource, scaled
from offload.solver import GAP
from offload.warm_starts import warm_solve

__all__ = ["Probe", "Ranger", "Side"]

_PROBES = 8  # solves that a side takes, about
_CROSSING = 12  # halvings of a range in search of where two placements are equally good
_ORDERS = 3  # of the placement that are remembered beside its own
_NEARER = 3  # how often to look nearer by where a solve ends without an answer


class Probe(NamedTuple):
    """What was found at one value of a resource.

    Attributes
    ----------
    kept
        Whether the placement is the best that was found; ``None`` where that is not known.
    proved
        Of a kept one, whether a bound shows that none is better.
    other
        The better plan, where it is not kept; ``None`` where no plan holds at all.
    """

    kept: bool | None
    proved: bool = False
    other: Plan | None = None


class Side(NamedTuple):
    """How far a resource can move one way, as factors of what it is.

    Attributes
    ----------
    kept
        The placement is still best here; NaN where no step had an answer.
    changed
        Another one is better here, or none holds; NaN where none was found within reach.
    proved
        Whether a bound shows the first, here (the second always is a plan at hand).
    other
        The better plan at ``changed``.
    """

    kept: float
    changed: float
    proved: bool
    other: Plan | None = None


class Ranger:
    """Moves resources of one instance, and asks whether a plan's placement stays the best.

    Parameters
    ----------
    problem
        The instance, with the goal as its own.
    plan
        The plan whose placement is looked at.
    settings
        Further arguments of :func:`offload.solve`.
    deadline
        When to stop, of ``time.monotonic()``.
    tell
        Called with the resource, the factor and a solve's progress.
    """

    def __init__(
        self, problem: Problem, plan: Plan, settings: Mapping[str, Any], deadline: float,
        cancel: threading.Event | None,
        tell: Callable[[Resource | None, float, Progress | None], object],
    ) -> None:  # fmt: skip
        self.problem, self.plan = problem, plan
        self._orders = [plan]  # the placement in several orders, as solves find better ones
        self.settings, self.deadline, self.cancel = dict(settings), deadline, cancel
        self._tell = tell
        places = [[problem.network.nodes[k].id] for k in plan.nodes.tolist()]
        self._places = [tuple(place) for place in places]

    @property
    def over(self) -> bool:
        """Whether time is up, or the caller wants no more."""
        cancelled = self.cancel is not None and self.cancel.is_set()
        return cancelled or time.monotonic() >= self.deadline

    # -- one value ---------------------------------------------------------------------------------

    def probe(self, resource: Resource | None, factor: float, share: float) -> Probe:
        """Whether the placement is the best with so many times as much of a resource.

        ``share`` is the part of the time left that this may take.
        """
        self._tell(resource, factor, None)
        problem = self.problem if resource is None else self._scaled(resource, factor)
        if problem is None:
            return Probe(False)
        seconds = max(0.0, self.deadline - time.monotonic()) * share
        mine = self._carried(problem)
        result = self._solve(problem, mine, seconds, resource, factor)
        if result.plan is None:
            return Probe(False if result.status == "infeasible" else None)
        assert result.objective is not None
        if same_placement(result.plan, self.plan):
            self._learn(result.plan, mine)
            return Probe(True, result.status == "optimal")
        if mine is not None and not _better(result.objective, mine.objective()):
            return Probe(True, _shows(result, mine.objective()))
        # The placement itself may be as good in another order.
        pinned = self._pinned(problem, mine, seconds / 2, resource, factor)
        value = math.inf if pinned is None or pinned.objective is None else pinned.objective
        if pinned is not None and pinned.plan is not None:
            self._learn(pinned.plan, mine)
        if _better(result.objective, value):
            return Probe(False, other=result.plan)
        return Probe(True, _shows(result, value))

    def _carried(self, problem: Problem) -> Plan | None:
        """The placement on a changed instance, in the best of its known orders."""
        found = [plan for plan in (carried(o, problem) for o in self._orders) if plan is not None]
        return min(found, key=lambda plan: plan.objective(), default=None)

    def _learn(self, plan: Plan, known: Plan | None) -> None:
        """Keep an order that is better than the known ones, if only for a changed instance."""
        if known is None or _better(plan.objective(), known.objective()):
            self._orders = [self.plan, *self._orders[1:][-_ORDERS:], plan]

    def _scaled(self, resource: Resource, factor: float) -> Problem | None:
        """The changed instance; ``None`` where some task could run nowhere at all."""
        try:
            return scaled(self.problem, resource, factor)
        except InstanceError:
            return None

    def _solve(
        self, problem: Problem, start: Plan | None, seconds: float, resource: Resource | None,
        factor: float,
    ) -> Result:  # fmt: skip
        def tell(progress: Progress) -> None:
            self._tell(resource, factor, progress)

        return warm_solve(
            problem, start=start, time_limit=seconds, explain=0, cancel=self.cancel,
            on_progress=tell, **self.settings,
        )  # fmt: skip

    def _pinned(
        self, problem: Problem, start: Plan | None, seconds: float, resource: Resource | None,
        factor: float,
    ) -> Result | None:  # fmt: skip
        """The best plan with every task where it is."""
        tasks = [
            msgspec.structs.replace(task, allow=place)
            for task, place in zip(problem.graph.tasks, self._places, strict=True)
        ]
        graph = msgspec.structs.replace(problem.graph, tasks=tuple(tasks))
        fixed = problem.replace(graph=graph)
        known = None if start is None else carried(start, fixed)
        try:
            return self._solve(fixed, known, seconds, resource, factor)
        except Unsupported:
            return None

    # -- one way -----------------------------------------------------------------------------------

    def side(self, resource: Resource, reach: float, precision: float, proved: bool) -> Side:
        """How far a resource can move towards a factor, 1 being known to be kept.

        First the far end; where another placement is better there, then the point from which on
        it is, found by timing both; just before that, whether the first is still the best; and so
        on, by halves where that does not help.
        """
        kept, changed = 1.0, self._step(resource, reach)
        if changed == 1.0:
            return Side(1.0, math.nan, proved)
        found = self.probe(resource, changed, 1 / _PROBES)
        for _ in range(_NEARER):
            if found.kept is None and not self.over:
                changed = self._step(resource, math.sqrt(changed))
                found = self.probe(resource, changed, 1 / _PROBES)
        if found.kept is not False:
            return Side(changed if found.kept else math.nan, math.nan, found.proved)
        other, halve = found.other, False
        while not self.over and abs(math.log(changed / kept)) > math.log1p(precision):
            nearer = self._crossing(resource, other, kept, changed)
            halve = halve and nearer == changed
            changed = nearer
            middle = self._middle(resource, kept, changed, precision, halve)
            if middle in (kept, changed):
                break
            found = self.probe(resource, middle, 1 / _PROBES)
            if found.kept is None:
                break
            if found.kept:
                kept, proved = middle, found.proved
            else:
                changed, other = middle, found.other
            halve = not halve
        return Side(kept, changed, proved, other)

    def _step(self, resource: Resource, factor: float) -> float:
        """The factor that leads to a whole number, where only such may stand there."""
        if not resource.whole:
            return factor
        return max(1, round(resource.value * factor)) / resource.value

    def _middle(
        self, resource: Resource, kept: float, changed: float, precision: float, halve: bool
    ) -> float:
        """Where to look next: just before the change, or half way."""
        if resource.whole:
            one, other = round(resource.value * kept), round(resource.value * changed)
            step = (one + other) // 2 if halve else other - (1 if other > one else -1)
            return step / resource.value
        half = math.sqrt(kept * changed)
        if halve:
            return half
        before = changed / (1 + precision / 2) if changed > kept else changed * (1 + precision / 2)
        return max(half, before) if changed > kept else min(half, before)

    def _crossing(
        self, resource: Resource, other: Plan | None, kept: float, changed: float
    ) -> float:
        """The factor nearest to ``kept`` at which another plan is better, or this one breaks."""
        low = kept
        for _ in range(_CROSSING):
            if self.over:
                break
            middle = self._step(resource, math.sqrt(low * changed))
            if middle in (low, changed):
                break
            problem = self._scaled(resource, middle)
            mine = None if problem is None else self._carried(problem)
            theirs = None if problem is None or other is None else carried(other, problem)
            value = math.inf if theirs is None else theirs.objective()
            if mine is None or _better(value, mine.objective()):
                changed = middle
            else:
                low = middle
        return changed


def _better(one: float, other: float) -> bool:
    """Whether an objective is less than another, by more than a proof tells apart."""
    return one < other * (1 - GAP)


def _shows(result: Result, value: float) -> bool:
    """Whether a solve's bound proves that an objective is the best, within the usual gap."""
    return result.bound is not None and value - result.bound <= GAP * abs(value)
