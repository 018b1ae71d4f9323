"""The front by search: local search for each direction, and a population in between."""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np

from offload.checker import check
from offload.features import Goal
from offload.fronts.pool import Pool
from offload.fronts.population import Population
from offload.fronts.tracing import Tracing
from offload.heuristics.best_of import constructive
from offload.heuristics.decisions import Decisions, decide
from offload.heuristics.sequences import applies
from offload.plan import Plan
from offload.registry import Request
from offload.solver import solve

__all__ = ["Searching"]

_FIRST = 0.2  # of the time for constructive heuristics, at most
_ENDS = 0.15  # of the time for the least of each metric
_RUNS = 3  # of local search for each metric, from different plans,
_FEW = 200  # up to so many tasks
_ALONE = 0.85  # of the time until the last of the searches between ends of their own, where local
_TRACED = 0.95  # search over sequences applies, and until one between all that they found
_WORK = 200_000  # plans decoded where neither clock nor work is limited


class Searching:
    """Search from every constructive heuristic on.

    Parameters
    ----------
    pool
        What is known; plans go there.
    share
        Of the time left.
    work_limit
        Plans timed at most, by local search between the ends and by the population.
    """

    def __init__(
        self, pool: Pool, share: float, work_limit: float | None, threads: int | None, seed: int
    ) -> None:
        self.pool, self.seed, self.threads = pool, seed, threads
        self.runs = _RUNS if pool.problem.tables.tasks <= _FEW else 1
        self.work, self._each = 0, 0.0
        self.seconds = pool.seconds_left * share
        self.until = time.monotonic() + self.seconds
        self.most = work_limit if work_limit is not None or self.seconds < inf else float(_WORK)

    def run(self) -> None:
        """Search until the time or the work is spent."""
        pool = self.pool
        if not pool.problem.graph.tasks:
            return
        goal = Goal(dict.fromkeys(pool.metrics, 1.0), pool.limits)
        traces = applies(pool.problem.tables, goal)
        found = [decide(plan) for plan in self._constructed()]
        for turn in range(self.runs):
            ends = self._ends(turn)
            if traces and not self._over:
                # Each from ends of its own: searches from the same ones find much the same.
                pool.tell("plans between them by local search")
                starts = ends if turn else found + ends
                ends = self._traced(starts, _ALONE * (turn + 1) / self.runs, self.seed + turn)
            found += ends
        if not found or self._over:
            return
        if traces and self.runs > 1:
            found = self._traced(found, _TRACED, self.seed + self.runs)
        self._spread(found)

    def _ends(self, turn: int) -> list[Decisions]:
        """What local search finds for each metric alone."""
        pool, found = self.pool, []
        for m, name in enumerate(pool.metrics):
            pool.tell(f"low {name} by local search")
            if not self._over and (plan := self._improved(m, turn)) is not None:
                found.append(decide(plan))
        return found

    def _spread(self, starts: list[Decisions]) -> None:
        """Take what a population makes of plans in the rest of the time."""
        pool = self.pool
        pool.tell("a population between them")
        self._time_one(starts[0])
        population = Population(pool.problem, pool.metrics, pool.limits, starts, self.seed)
        while self.most is None or self.work + population.work < self.most:
            if pool.stopped or self._late(len(population.values), self.until):
                break
            population.step()
        self._take(population.found)

    def _traced(self, starts: list[Decisions], until: float, seed: int) -> list[Decisions]:
        """What local search finds between plans until a share of time, or work, is spent."""
        pool = self.pool
        if not starts:
            return []
        self._time_one(starts[0])
        tracing = Tracing(pool.problem, pool.metrics, pool.limits, starts, seed)
        end = self.until - (1 - until) * self.seconds if self.seconds < inf else inf

        def stop() -> bool:
            work = self.work + tracing.work
            if self.most is not None and work >= until * self.most:
                return True
            return pool.stopped is not None or self._late(len(tracing.values), end)

        while not stop():
            tracing.turn(stop)
        self.work += tracing.work
        self._take(tracing.found)
        return tracing.found or starts

    def _time_one(self, decisions: Decisions) -> None:
        """See how long it takes to make a plan of decisions and to check it."""
        begun, pool = time.monotonic(), self.pool
        check(pool.problem, decisions.evaluate(pool.problem).plan(), limits=pool.limits)
        self._each = time.monotonic() - begun

    def _late(self, count: int, end: float) -> bool:
        """Whether so many plans have to be made and checked now to be so in time."""
        return time.monotonic() + self._each * count >= end

    def _take(self, found: Sequence[Decisions]) -> None:
        """Take plans into the pool."""
        for decisions in found:
            self.pool.take(decisions.evaluate(self.pool.problem, self.pool.limits).plan())

    @property
    def _over(self) -> bool:
        return self.pool.stopped is not None or time.monotonic() >= self.until

    def _constructed(self) -> list[Plan]:
        """A plan of each constructive heuristic, for each metric where it heeds the goal."""
        pool, made = self.pool, []
        until = min(self.until, time.monotonic() + _FIRST * self.seconds)
        for number, name in enumerate(pool.metrics):
            goal = Goal({name: 1.0}, pool.limits)
            request = Request(pool.problem, goal, until, 0.0, seed=self.seed, cancel=pool.cancel)
            for entry in constructive(request):
                if request.stopped or (number and entry.kind != "greedy"):
                    continue
                plan = entry.load()(request).plan
                if plan is not None:
                    made.append(plan)
                    pool.take(plan)
        return made

    def _improved(self, m: int, turn: int) -> Plan | None:
        """What local search makes, by a metric, of the best plan, or of one of its own."""
        pool, left = self.pool, self.until - time.monotonic()
        share = _ENDS / len(pool.metrics) / self.runs
        options: dict[str, Any] = {"time_limit": None}
        if left < inf:
            options["time_limit"] = min(self.seconds * share, left)
        if self.most is not None:
            options["work_limit"] = self.most * share
        weights = np.eye(len(pool.metrics))[m]
        start = None if turn else pool.best(weights, np.full(len(weights), inf))
        result = solve(
            pool.problem, "anneal", pool.metrics[m], pool.limits, threads=self.threads,
            seed=self.seed + turn, start=start, cancel=pool.cancel, explain=0, **options,
        )  # fmt: skip
        pool.take(result.plan)
        return result.plan
