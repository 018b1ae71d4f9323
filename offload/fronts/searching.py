"""The front by search: local search for each direction, and a population in between."""

from __future__ import annotations

import time
from math import inf
from typing import Any

import numpy as np

from offload.arrays import FloatArray
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
        Plans decoded by the population at most.
    """

    def __init__(
        self, pool: Pool, share: float, work_limit: float | None, threads: int | None, seed: int
    ) -> None:
        self.pool, self.seed, self.threads = pool, seed, threads
        self.work = 0
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
        runs = _RUNS if pool.problem.tables.tasks <= _FEW else 1
        for turn in range(runs):
            ends = self._ends(turn)
            if traces and not self._over:
                # Each from ends of its own: searches from the same ones find much the same.
                pool.tell("plans between them by local search")
                starts = ends if turn else found + ends
                ends = self._traced(starts, _ALONE * (turn + 1) / runs, self.seed + turn)
            found += ends
        if not found or self._over:
            return
        if traces and runs > 1:
            found = self._traced(found, _TRACED, self.seed + runs)
        self._spread(found)

    def _ends(self, turn: int) -> list[Decisions]:
        """What local search finds for each metric alone."""
        pool, found = self.pool, []
        for m, name in enumerate(pool.metrics):
            pool.tell(f"low {name} by local search")
            weights = np.zeros(len(pool.metrics))
            weights[m] = 1.0
            if not self._over and (plan := self._improved(weights, turn)) is not None:
                found.append(decide(plan))
        return found

    def _spread(self, starts: list[Decisions]) -> None:
        """Take what a population makes of plans in the rest of the time."""
        pool = self.pool
        pool.tell("a population between them")
        population = Population(pool.problem, pool.metrics, pool.limits, starts, self.seed)
        each = self._seconds_for_a_plan(population)
        while self.most is None or self.work + population.work < self.most:
            if pool.stopped or time.monotonic() + each * len(population.values) >= self.until:
                break
            population.step()
        for row in range(len(population.values)):
            pool.take(population.plan(row))

    def _traced(self, starts: list[Decisions], until: float, seed: int) -> list[Decisions]:
        """What local search finds between plans until a share of time, or work, is spent."""
        pool = self.pool
        if not starts:
            return []
        tracing = Tracing(pool.problem, pool.metrics, pool.limits, starts, seed)
        end = self.until - (1 - until) * self.seconds if self.seconds < inf else inf
        each = 0.0

        def stop() -> bool:
            work = self.work + tracing.work
            if self.most is not None and work >= until * self.most:
                return True
            return pool.stopped is not None or time.monotonic() + each * len(tracing.values) >= end

        while not stop():
            tracing.turn(stop)
            each = each or self._taken(tracing.found[:1])
        self.work += tracing.work
        self._taken(tracing.found)
        return tracing.found or starts

    def _taken(self, found: list[Decisions]) -> float:
        """Take plans into the pool; the seconds that it takes."""
        pool, begun = self.pool, time.monotonic()
        for decisions in found:
            pool.take(decisions.evaluate(pool.problem, pool.limits).plan())
        return time.monotonic() - begun

    def _seconds_for_a_plan(self, population: Population) -> float:
        """How long one of the population's plans takes at the end, when all are checked."""
        begun = time.monotonic()
        if len(population.values):
            self.pool.take(population.plan(0))
        return time.monotonic() - begun

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

    def _improved(self, weights: FloatArray, turn: int) -> Plan | None:
        """What local search makes of the best plan by a weighted sum, or of one of its own."""
        pool, left = self.pool, self.until - time.monotonic()
        runs = _RUNS if pool.problem.tables.tasks <= _FEW else 1
        share = _ENDS / len(pool.metrics) / runs
        seconds = None if left == inf else min(self.seconds * share, left)
        minimize = {
            name: weight
            for name, weight in zip(pool.metrics, weights.tolist(), strict=True)
            if weight > 0
        }
        options: dict[str, Any] = {"time_limit": seconds}
        if self.most is not None:
            options["work_limit"] = self.most * share
        start = None if turn else pool.best(weights, np.full(len(weights), inf))
        result = solve(
            pool.problem, "anneal", minimize, pool.limits, threads=self.threads,
            seed=self.seed + turn, start=start, cancel=pool.cancel, explain=0, **options,
        )  # fmt: skip
        pool.take(result.plan)
        return result.plan
