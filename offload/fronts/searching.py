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
from offload.heuristics.best_of import constructive
from offload.plan import Plan
from offload.registry import Request
from offload.solver import solve

__all__ = ["Searching"]

_ENDS = 0.4  # of the time for the least of each metric
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
        self.seconds = pool.seconds_left * share
        self.until = time.monotonic() + self.seconds
        self.most = work_limit if work_limit is not None or self.seconds < inf else float(_WORK)

    def run(self) -> None:
        """Search until the time or the work is spent."""
        pool = self.pool
        if not pool.problem.graph.tasks:
            return
        starts = self._constructed()
        for m, name in enumerate(pool.metrics):
            pool.tell(f"low {name} by local search")
            weights = np.zeros(len(pool.metrics))
            weights[m] = 1.0
            seconds = None if self.seconds == inf else self.seconds * _ENDS / len(pool.metrics)
            plan = self._improved(weights, seconds)
            if plan is not None:
                starts.append(plan)
        if not starts or self._over:
            return
        pool.tell("a population between them")
        population = Population(pool.problem, pool.metrics, pool.limits, starts, self.seed)
        while not self._over and (self.most is None or population.work < self.most):
            population.step()
        for row in range(len(population.values)):
            pool.take(population.plan(row))

    @property
    def _over(self) -> bool:
        return self.pool.stopped is not None or time.monotonic() >= self.until

    def _constructed(self) -> list[Plan]:
        """A plan of each constructive heuristic, for each metric where it heeds the goal."""
        pool, made = self.pool, []
        for number, name in enumerate(pool.metrics):
            goal = Goal({name: 1.0}, pool.limits)
            request = Request(
                pool.problem, goal, self.until, 0.0, seed=self.seed, cancel=pool.cancel
            )
            for entry in constructive(request):
                if self._over or (number and entry.kind != "greedy"):
                    continue
                plan = entry.load()(request).plan
                if plan is not None:
                    made.append(plan)
                    pool.take(plan)
        return made

    def _improved(self, weights: FloatArray, seconds: float | None) -> Plan | None:
        pool = self.pool
        minimize = {
            name: weight
            for name, weight in zip(pool.metrics, weights.tolist(), strict=True)
            if weight > 0
        }
        options: dict[str, Any] = {"time_limit": seconds}
        if self.most is not None:
            options["work_limit"] = self.most / 10
        start = pool.best(weights, np.full(len(weights), inf))
        result = solve(
            pool.problem, "anneal", minimize, pool.limits, threads=self.threads, seed=self.seed,
            start=start, cancel=pool.cancel, explain=0, **options,
        )  # fmt: skip
        pool.take(result.plan)
        return result.plan
