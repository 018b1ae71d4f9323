"""What methods that build one plan task by task share: copies, retries, repair."""

from __future__ import annotations

from collections.abc import Callable

from offload.arrays import BoolArray
from offload.heuristics.copies import with_copies
from offload.heuristics.merit import excess_of
from offload.heuristics.repair import broken_rules, place_anyhow, repaired
from offload.heuristics.schedule import Schedule, with_retries
from offload.plan import Plan
from offload.registry import Answer, Request, Stopped

__all__ = ["answer", "built", "finish"]

Build = Callable[[dict[int, int], BoolArray | None], Plan]

_NOWHERE = "some task finds no node under the placement rules"


def finish(request: Request, plan: Plan | None) -> Answer:
    """A plan that holds, mended if need be, or why there is none.

    Parameters
    ----------
    plan
        A plan that keeps the placement rules; ``None`` if the method found no node for some task:
        then any placement that keeps them is taken and mended.
    """
    if plan is None and not request.stopped:
        plan = place_anyhow(request)
    if plan is None:
        return Answer(stopped=request.stopped, reason=None if request.stopped else _NOWHERE)
    if excess_of(request.goal, plan):
        plan = repaired(request, plan)
        if broken := broken_rules(request, plan):
            return Answer(stopped=request.stopped, reason=f"repair leaves broken {broken}")
    return Answer(plan)


def answer(request: Request, build: Build) -> Answer:
    """The plan that a builder makes, with copies of data where they help, or why there is none.

    Parameters
    ----------
    request
        Its limits and deadlines are mended if the plan breaks them.
    build
        Makes a plan from promised nodes (:func:`offload.heuristics.schedule.with_retries`) and
        placed copies, bool[D, K] or ``None``; may raise ``Stuck`` and ``Stopped``.
    """
    tables = request.problem.tables

    def with_these(copies: BoolArray | None) -> Plan | None:
        try:
            return with_retries(tables, lambda reserved: build(reserved, copies))
        except Stopped:
            return None

    return finish(request, with_copies(request, with_these))


def built(request: Request, fill: Callable[[Schedule], None], insertion: bool = False) -> Answer:
    """The same for a function that places every task in a schedule."""
    tables = request.problem.tables

    def build(reserved: dict[int, int], copies: BoolArray | None) -> Plan:
        schedule = Schedule(tables, reserved, copies=copies, insertion=insertion)
        fill(schedule)
        return schedule.plan()

    return answer(request, build)
