"""From "no plan exists" to a minimal set of requirements that cannot all be kept.

Whether some requirements have a plan is asked of three, the cheapest first: plans that are known
already, the lower bounds, and the first exact method that honours the instance without the others.
"No" is a proof of the bounds or the exact method; "yes" is a plan that the checker accepts. What
stays open counts as "yes" for the search: the set found conflicts all the same, but is not said to
be minimal.

The search is QuickXplain three times over: by the bounds alone, first over kinds of requirements
and then over single ones, so that the exact method has little left to look at; then in the same way
with all three; last each member alone, with what its removal allows.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from math import inf
from typing import NamedTuple

from offload import portfolio, registry
from offload.bounding.paths import unsplit
from offload.bounds import fastest, heads, lower_bound, proved, refuted
from offload.checker import check
from offload.conflicts.quickxplain import quickxplain
from offload.conflicts.requirements import KINDS, Conflict, Requirement, Stated
from offload.errors import SolverUnavailable
from offload.features import Goal, features_used
from offload.plan import Plan
from offload.problem import Problem
from offload.registry import Request

__all__ = ["explain"]

_SHARE = 0.3  # of the time that is left, for one look by the exact method
_LEAST = 0.5  # seconds for one look, if there are so many
_SOME_PLAN = 1.0  # relative gap to which any plan is good enough
_SLACK = 1e-6  # relative: what exceeds a limit by less is not called more
_CLOSE = 1e-3  # relative gap to which what a limit has to be is worked out

_log = logging.getLogger("offload")


def explain(
    problem: Problem,
    goal: Goal,
    deadline: float,
    *,
    threads: int | None = None,
    seed: int = 0,
    cancel: threading.Event | None = None,
) -> Conflict | None:
    """A minimal conflict of an instance that is proved to have no plan.

    Parameters
    ----------
    problem, goal
        What has no plan.
    deadline
        ``time.monotonic()`` at which to stop; the conflict may then be larger than it has to be.
    threads, seed, cancel
        As in :func:`offload.solve`.

    Returns
    -------
    Conflict or None
        ``None`` where there was no time even for a first look.
    """
    search = _Search(Stated(problem, goal), Request(
        problem, goal, deadline, gap=_SOME_PLAN, threads=threads, seed=seed, cancel=cancel
    ))  # fmt: skip
    if search.request.stopped:
        return None
    chosen, minimal = search.conflict()
    conflict = Conflict(tuple(search.measured(n, chosen) for n in chosen), minimal)
    _log.info("%s", conflict)
    return conflict


class _Search:
    """What is known of parts of the requirements; each a set of positions in ``stated.all``."""

    def __init__(self, stated: Stated, request: Request) -> None:
        self.stated, self.request = stated, request
        self.every = range(len(stated.all))
        self.open: list[frozenset[int]] = []  # parts that have a plan
        self.closed: list[frozenset[int]] = [frozenset(self.every)]  # parts that have none
        self.plans: list[Plan] = []

    # -- the search ------------------------------------------------------------------------------

    def conflict(self) -> tuple[list[int], bool]:
        """Positions of a conflict, and whether it is minimal."""
        left = list(self.every)
        if self.by_bounds(left):
            left = self._shrunk(left, self.by_bounds)
        left = self._shrunk(left, self.none)
        for n in list(left):
            rest = [m for m in left if m != n]
            if self.none(rest):
                left = rest
        return left, all(self._known(frozenset(left) - {n}) for n in left)

    def _shrunk(self, members: list[int], none: Callable[[Collection[int]], bool]) -> list[int]:
        """A minimal conflict, as far as one kind of look can tell: kinds first, then members."""
        kinds = [[n for n in members if self.stated.all[n].kind == kind] for kind in KINDS]
        kinds = [kind for kind in kinds if kind]
        blamed = quickxplain(kinds, lambda some: none([n for kind in some for n in kind]))
        return quickxplain([n for kind in blamed for n in kind], none)

    # -- looks at parts --------------------------------------------------------------------------

    def by_bounds(self, kept: Collection[int]) -> bool:
        """Whether the bounds prove that no plan keeps some requirements."""
        part = frozenset(kept)
        if any(part >= closed for closed in self.closed):
            return True
        if self._known(part) or self.request.stopped:
            return False
        problem, goal = self._asked(part)
        if refuted(problem, goal.limits) is None:
            return False
        self.closed.append(part)
        return True

    def none(self, kept: Collection[int]) -> bool:
        """Whether it is proved that no plan keeps some requirements."""
        part = frozenset(kept)
        if self.by_bounds(part):
            return True
        if self._known(part) or self.request.stopped:
            return False
        problem, goal = self._asked(part)
        if any(self._holds(plan, problem, goal) for plan in self.plans):
            self.open.append(part)
            return False
        request = self._request(problem, goal, self._slice())
        look = _look(request)
        if look.plan is not None:
            self.plans.append(look.plan)
            self.open.append(part)
        elif look.none:
            self.closed.append(part)
        return look.none

    def _known(self, part: frozenset[int]) -> bool:
        """Whether some plan is known to keep some requirements."""
        return any(part <= known for known in self.open)

    def _asked(self, kept: frozenset[int]) -> tuple[Problem, Goal]:
        """The instance with some requirements alone; any plan of it will do."""
        dropped = [one for n, one in enumerate(self.stated.all) if n not in kept]
        problem, goal = self.stated.without(dropped)
        return problem, Goal({"latency": 1.0}, goal.limits)

    def _slice(self) -> float:
        left = self.request.seconds_left
        return left if left == inf else min(left, max(_LEAST, _SHARE * left))

    def _request(self, problem: Problem, goal: Goal, seconds: float) -> Request:
        bound = lower_bound(problem, goal.minimize, goal.limits)
        deadline = time.monotonic() + seconds
        return replace(self.request, problem=problem, goal=goal, deadline=deadline, bound=bound)

    @staticmethod
    def _holds(plan: Plan, problem: Problem, goal: Goal) -> bool:
        """Whether a plan of another part holds here as well."""
        here = Plan(problem, plan.parts, plan.transfers, plan.waiting, plan.copies)
        return not check(problem, here, limits=goal.limits)

    # -- how far ---------------------------------------------------------------------------------

    def measured(self, n: int, conflict: Sequence[int]) -> Requirement:
        """A requirement, with what is known of how far it has to be relaxed."""
        one = self.stated.all[n]
        others = frozenset(self.every) - {n}
        if self.by_bounds(others):  # there are further conflicts
            return replace(one, alone=False, least=self._least(one, frozenset(conflict) - {n}))
        least = self._least(one, others)
        problem, goal = self._asked(others)
        if one.kind == "limit":
            goal = goal._replace(minimize={one.items[0]: 1.0})
        if self.request.stopped:
            return replace(one, least=least)
        request = self._request(problem, goal, self._slice())
        request.gap = _CLOSE if one.kind == "limit" else _SOME_PLAN
        look = _look(request)
        if one.kind == "limit" and look.bound is not None:
            least = _above(max(look.bound, least or 0.0), one.value)
        if look.plan is None:
            return replace(one, least=least, alone=False if look.none else None)
        enough = None
        if one.kind == "limit":
            enough = look.plan.metrics[one.items[0]]
        elif one.kind == "deadline":
            enough = float(look.plan.parts.finish[look.plan.parts.task == one.place[0]].max())
        return replace(one, least=least, enough=enough, alone=True)

    def _least(self, one: Requirement, kept: frozenset[int]) -> float | None:
        """What a limit or deadline has to be at least where others are kept."""
        if one.kind not in ("limit", "deadline") or self.request.stopped:
            return None
        problem, goal = self._asked(kept)
        if one.kind == "limit":
            least = lower_bound(problem, {one.items[0]: 1.0}, goal.limits)
        else:
            task, tables = one.place[0], problem.tables
            ends = heads(tables) + unsplit(tables, fastest(tables))
            least = float(ends[task].min())
        return _above(least, one.value)


def _above(least: float, value: float) -> float | None:
    """What is needed at least, where that is more than what is required."""
    return least if value * (1 + _SLACK) < least < inf else None


class _Look(NamedTuple):
    """What one look found: a plan that holds, or else perhaps the proof that there is none."""

    plan: Plan | None
    none: bool = False
    bound: float | None = None  # of the objective


def _look(request: Request) -> _Look:
    """Look for a plan, to the gap that is asked for, or for a proof that there is none.

    The heuristics come first as they are. To mend their plans takes longer than a proof on small
    instances: that is left for those that no exact method honours.
    """
    if request.bound == inf:
        return _Look(None, none=True)
    plan = portfolio.quick(replace(request, work_limit=0.0))
    if request.stopped or (plan is not None and not _worth(plan, request)):
        return _Look(plan)
    used = set(features_used(request.problem, request.goal))
    for entry in registry.entries().values():
        if entry.kind == "exact" and used <= entry.honours:
            try:
                answer = entry.load()(replace(request, start=plan))
            except SolverUnavailable:
                continue
            if answer.plan is not None and request.keeps(answer.plan):
                plan = answer.plan
            return _Look(plan, plan is None and answer.infeasible, answer.bound)
    return _Look(plan or portfolio.quick(request))


def _worth(plan: Plan, request: Request) -> bool:
    """Whether a better plan than this is asked for."""
    return not proved(plan.objective(request.goal.minimize), request.bound, request.gap)
