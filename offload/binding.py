"""Bottlenecks: what binds a plan, and how far it can move before the placement changes."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from offload.bounds import relative_gap
from offload.carrying import carried
from offload.checker import check
from offload.errors import Issue, OffloadError, PlanError
from offload.features import goal_of
from offload.meters import telling
from offload.plan import Plan, Progress, Result
from offload.problem import Problem
from offload.ranging import Ranger, Side
from offload.resources import Resource, Use, scaled, uses
from offload.solver import GAP, check_arguments, solve
from offload.sweeps import SweepProgress
from offload.wording import sweep_news, sweep_text

__all__ = ["BETTER", "COLUMNS", "bottlenecks"]

BETTER = 0.1  # how much better a resource is made to see what it is worth
COLUMNS = (
    "kind", "name", "path", "value", "seconds", "share", "utilisation", "spare", "worth", "binds",
    "down", "down_changed", "up", "up_changed", "range",
)  # fmt: skip
_SOLVING = 0.5  # of the time for a first plan, at most
_WORTH = 0.25  # of the time for what resources are worth, at most
_NEAR = 0.9  # use of an amount from which it may bind
_FAR = 0.01  # how much less the use of others counts


def bottlenecks(
    problem: Problem,
    plan: Plan | Result | None = None,
    method: str = "auto",
    minimize: str | Mapping[str, float] | None = None,
    limits: Mapping[str, float] | None = None,
    ranges: int = 5,
    reach: float = 10.0,
    precision: float = 0.01,
    time_limit: float | None = 60.0,
    threads: int | None = None,
    seed: int = 0,
    on_progress: Callable[[SweepProgress], object] | None = None,
    cancel: threading.Event | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """What binds a plan, what more of it is worth, and how far it moves before the placement does.

    Parameters
    ----------
    problem
        The instance.
    plan
        A plan that holds, or the answer of a solve; found by ``method`` where it is not given.
    method, threads, seed
        As in :func:`offload.solve`; for the ranges too.
    minimize, limits
        As in :func:`offload.solve`; of a result by default its own.
    ranges
        Of how many resources to find the range: of those that bind or nearly do, first of what is
        worth most. 0 for none.
    reach
        How many times more or less of a resource is looked at.
    precision
        Relative width to which an end of a range is narrowed down.
    time_limit
        Wall seconds for all of it; ``None`` for none (each solve then runs to its end).
    on_progress
        Called with a :class:`SweepProgress`, whose ``values`` are the factor tried, by path.
    cancel
        Set it from another thread to stop; what is known by then is returned.
    progress
        Whether to show a line of progress, as in :func:`offload.solve`.

    Returns
    -------
    DataFrame
        A row a resource that the plan uses, what binds first:

        - kind (speed, slots, memory, storage, bandwidth, latency, channels, deadline, due, release,
          limit), name, path (as :func:`offload.sweep` reads it), value (SI units);
        - seconds and share: of the critical path, what is spent on it, or waited for it;
        - utilisation: of the time, or of the amount at its peak; spare: what of an amount is left;
        - worth: by which share the objective falls if it were a tenth better, the placement kept
          (speeds, bandwidths, capacities, deadlines and limits more; latency and releases less);
        - binds: whether it is worth something, nothing more fits, or a better placement is found
          once there is more of it;
        - down and up: factors between which the placement is still the best; down_changed and
          up_changed: factors at which another is better, undefined where none is within reach;
        - range: "proved" where bounds show the placement to be optimal at down and up, "found"
          where no better one was found there, "not best" where another placement is better as it
          is, "" where it was not looked for. A placement counts as better from 1e-4 on.

        ``attrs`` has minimize, limits, objective, latency, status, reach, better (0.1), complete.

    Raises
    ------
    OffloadError
        For arguments out of range, or where there is no plan.
    PlanError
        If the plan does not hold.

    Notes
    -----
    The speed of a node is that of all its modes and of tasks whose time there is given in seconds.
    A plan that splits tasks has no worth and no ranges. Where value by factor is linear for each
    placement (energy, cost, risk, traffic against their prices), one that is optimal at both ends
    is so between (Eisner, Severance 1976); with times it need not be.
    """
    _check(time_limit, threads, seed, ranges, reach, precision)
    began = time.monotonic()
    ends = math.inf if time_limit is None else began + time_limit
    if isinstance(plan, Result):
        minimize = plan.minimize if minimize is None else minimize
        limits = plan.limits if limits is None else limits
    goal = goal_of(problem, minimize, limits)
    base = problem.replace(minimize=goal.minimize, limits=goal.limits)
    settings = {"method": method, "threads": threads, "seed": seed}
    describe = sweep_text(goal.minimize) if progress else None
    with telling(on_progress, describe, news=sweep_news) as tell:
        teller = _Teller(tell, began)
        known, status = _plan_of(base, plan, settings, time_limit, cancel, teller)
        found = uses(known, goal.limits, goal.metrics)
        split = bool(base.tables.divisible.any())
        worth = _worth(base, known, found, began, time_limit, cancel) if not split else {}
        rows = [_row(use, known, worth.get(n)) for n, use in enumerate(found)]
        order = sorted(range(len(rows)), key=lambda n: _rank(rows[n], n))
        wanted = sorted(order, key=lambda n: -_weight(rows[n]))
        chosen = [n for n in wanted if _may_bind(rows[n])][:ranges]
        complete = split or len(worth) == len(found)
        if chosen and not split:
            ranger = Ranger(base, known, settings, ends, cancel, teller.tell)
            teller.rows = len(chosen)
            asked = [(rows[n], found[n]) for n in chosen]
            complete &= _fill(ranger, asked, status, reach, precision, teller)
            order.sort(key=lambda n: _rank(rows[n], n))
    table = pd.DataFrame([rows[n] for n in order], columns=list(COLUMNS))
    table.attrs.update(
        minimize=dict(goal.minimize), limits=dict(goal.limits), objective=known.objective(),
        latency=known.metrics["latency"], status=status, reach=reach, better=BETTER,
        complete=complete,
    )  # fmt: skip
    return table


def _check(
    time_limit: float | None, threads: int | None, seed: int, ranges: int, reach: float,
    precision: float,
) -> None:  # fmt: skip
    check_arguments(time_limit, None, None, threads, seed, 0)
    for name, value, fine, fix in (
        ("ranges", ranges, ranges >= 0, "write 0 or more"),
        ("reach", reach, 1 < reach < math.inf, "write a factor above 1, as in 10"),
        ("precision", precision, 0 < precision < 1, "write a share such as 0.01"),
    ):
        if not fine:
            raise OffloadError(str(Issue(name, "is out of range", value, fix)))


class _Teller:
    """Passes on how far it is."""

    def __init__(self, on_progress: Callable[[SweepProgress], object] | None, began: float) -> None:
        self._send, self._began = on_progress, began
        self.done = self.rows = 0

    def tell(self, resource: Resource | None, factor: float, last: Progress | None) -> None:
        """A sign of life of a solve."""
        if self._send is not None:
            values = {} if resource is None else {resource.path: f"x{factor:.4g}"}
            self._send(SweepProgress(
                done=self.done, rows=self.rows, values=values,
                seconds=time.monotonic() - self._began, last=last,
            ))  # fmt: skip


def _plan_of(
    problem: Problem, plan: Plan | Result | None, settings: dict[str, Any],
    time_limit: float | None, cancel: threading.Event | None, teller: _Teller,
) -> tuple[Plan, str]:  # fmt: skip
    """The plan that is looked at, and what is proved of it: "optimal" or "feasible"."""
    if plan is None:
        seconds = None if time_limit is None else _SOLVING * time_limit
        plan = solve(
            problem, time_limit=seconds, cancel=cancel, explain=0,
            on_progress=lambda last: teller.tell(None, 1.0, last), **settings,
        )  # fmt: skip
    facts = plan.summary() if isinstance(plan, Result) else plan.result
    known = plan.plan if isinstance(plan, Result) else plan
    if known is None:
        raise OffloadError(f"bottlenecks: there is no plan to look at; {plan}")
    broken = check(problem, known)
    if broken:
        issues = [Issue("plan", v.message, v.found, f"rule {v.rule}") for v in broken]
        raise PlanError(issues)
    same = facts.get("minimize") == problem.minimize and facts.get("limits") == problem.limits
    bound = facts.get("bound")
    proved = same and isinstance(bound, int | float)
    proved = proved and relative_gap(known.objective(problem.minimize), float(bound or 0)) <= GAP
    made = Plan(problem, known.parts, known.transfers, known.waiting, known.copies, facts)
    return made, "optimal" if proved else "feasible"


def _worth(
    problem: Problem, plan: Plan, found: list[Use], began: float, time_limit: float | None,
    cancel: threading.Event | None,
) -> dict[int, float]:  # fmt: skip
    """By which share the objective falls with a tenth more of each resource, by its number."""
    start = carried(plan, problem)
    value = min(plan.objective(), plan.objective() if start is None else start.objective())
    ends = math.inf if time_limit is None else began + (_SOLVING + _WORTH) * time_limit
    made = {}
    # What the critical path has most of comes first: time may be short for all.
    order = sorted(range(len(found)), key=lambda n: -found[n].seconds)
    for n in order:
        use = found[n]
        if use.resource.kind in ("deadline", "storage", "limit"):
            made[n] = 0.0  # they are kept: more of them changes nothing in this placement
            continue
        if time.monotonic() >= ends or (cancel is not None and cancel.is_set()):
            break
        better = carried(plan, scaled(problem, use.resource, _improved(use.resource)))
        gain = 0.0 if better is None else value - better.objective()
        made[n] = gain / value if value > 0 and gain > 1e-9 * value else 0.0
    return made


def _improved(resource: Resource) -> float:
    """The factor by which a resource is a tenth better; of a whole number at least one more."""
    if resource.whole:
        return max(math.ceil(resource.value * (1 + BETTER)), resource.value + 1) / resource.value
    return 1 + BETTER if resource.more_is_better else 1 - BETTER


def _row(use: Use, plan: Plan, worth: float | None) -> dict[str, Any]:
    latency, resource = plan.metrics["latency"], use.resource
    return {
        "kind": resource.kind, "name": resource.name, "path": resource.path,
        "value": float(resource.value), "seconds": use.seconds,
        "share": use.seconds / latency if latency > 0 else 0.0, "utilisation": use.utilisation,
        "spare": use.spare, "worth": np.nan if worth is None else worth,
        "binds": use.tight or bool(worth), **dict.fromkeys(COLUMNS[10:14], np.nan), "range": "",
    }  # fmt: skip


def _rank(row: dict[str, Any], number: int) -> tuple[Any, ...]:
    """What binds first; of that, what matters most."""
    return (not row["binds"], -_weight(row), -row["share"], number)


def _weight(row: dict[str, Any]) -> float:
    """How much a resource matters: what part of the objective follows it, or how full it is."""
    worth = row["worth"] / BETTER if row["worth"] == row["worth"] else 0.0
    if row["spare"] != row["spare"]:  # no amount
        return float(worth)
    near = row["binds"] or row["utilisation"] >= _NEAR
    return float(max(worth, row["utilisation"] * (1.0 if near else _FAR)))


def _may_bind(row: dict[str, Any]) -> bool:
    """Whether it is worth while to look for a resource's range."""
    return bool(row["binds"]) or row["share"] > 0 or _weight(row) > 0


def _fill(
    ranger: Ranger, chosen: list[tuple[dict[str, Any], Use]], status: str, reach: float,
    precision: float, teller: _Teller,
) -> bool:  # fmt: skip
    """The ranges of some rows; whether time was enough for all."""
    proved = status == "optimal"
    if not proved:
        first = ranger.probe(None, 1.0, 1 / (len(chosen) + 1))
        if not first.kept:
            word = "not best" if first.kept is False else ""
            for row, _ in chosen:
                row["range"] = word
            return first.kept is not None
        proved = first.proved
    begun, share = time.monotonic(), (ranger.deadline - time.monotonic()) / (2 * len(chosen))
    last = ranger.deadline
    for number, (row, use) in enumerate(chosen):
        sides: dict[str, Side] = {}
        for turn, (name, factor) in enumerate((("down", 1 / reach), ("up", reach))):
            ranger.deadline = min(last, begun + (2 * number + turn + 1) * share)
            if ranger.over:
                break
            side = sides[name] = ranger.side(use.resource, factor, precision, proved)
            row[name], row[f"{name}_changed"] = side.kept, side.changed
        if sides:
            proofs = [side.proved and side.kept == side.kept for side in sides.values()]
            row["range"] = "proved" if len(proofs) == 2 and all(proofs) else "found"
        helped = sides.get("up" if use.resource.more_is_better else "down")
        if helped is not None and helped.other is not None:
            row["binds"] = True
        teller.done = number + 1
    ranger.deadline = last
    return not ranger.over
