"""Every method without a proof, on random instances with all that it honours."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import cache
from itertools import repeat

import numpy as np
import pytest
from drawing import draw_problem

import offload
from offload import Problem, registry
from offload.bounds import lower_bound
from offload.features import goal_of
from offload.registry import Entry, Request

METHODS = [
    entry.name for entry in registry.entries().values() if entry.kind not in ("exact", "bound")
]
QUICK, SOME, MANY = 12, 60, 500
# Methods that improve a plan until they are told to stop get this much work, or this many seconds.
WORK, SECONDS = 300.0, 20.0


@cache
def drawn(honours: frozenset[str], first: int, last: int) -> tuple[Problem, ...]:
    """Instances that have a plan, over everything that a method honours; the many are smaller."""
    return tuple(
        draw_problem(seed, honours, tasks=(1, 10 if seed < SOME else 6), nodes=(1, 5))
        for seed in range(first, last)
    )


def problems_for(method: str, first: int, last: int) -> tuple[Problem, ...]:
    return drawn(registry.find(method).honours, first, last)


def answers_hold(entry: Entry, problems: tuple[Problem, ...]) -> None:
    """Plans keep every rule of placement and are not better than can be; no plan has a reason."""
    found = 0
    for problem in problems:
        goal = goal_of(problem)
        bound = lower_bound(problem, goal.minimize)
        request = Request(
            problem, goal, deadline=time.monotonic() + SECONDS, work_limit=WORK, bound=bound
        )
        answer = entry.load()(request)
        if answer.plan is None:
            assert answer.reason, problem.name
            assert not answer.infeasible, problem.name
            continue
        found += 1
        # Deadlines and limits may be missed: `solve` does not let such plans out.
        broken = [
            violation
            for violation in offload.check(problem, answer.plan, limits=goal.limits)
            if violation.rule not in ("deadline", "limits")
        ]
        assert broken == [], problem.name
        assert bound <= answer.plan.objective(goal.minimize) * (1 + 1e-12), problem.name
        assert answer.bound is None, problem.name
    assert found >= 0.6 * len(problems)


def solved(
    method: str, problems: tuple[Problem, ...], proved: Iterable[float] = repeat(0.0)
) -> None:
    """Only plans that hold leave `solve`; without one it says "unknown", and why.

    None is better than what is proved of the instance.
    """
    kept = 0
    for problem, possible in zip(problems, proved, strict=False):
        result = offload.solve(problem, method, time_limit=SECONDS, work_limit=WORK)
        if result.plan is None:
            assert result.status == "unknown", f"{problem.name}: {result}"
            assert result.reason, problem.name
            assert result.objective is None
            continue
        kept += 1
        assert offload.check(problem, result.plan) == [], problem.name
        assert result.status in ("feasible", "optimal")
        assert result.objective == result.plan.objective(problem.minimize)
        assert result.bound is None or result.bound <= result.objective
        assert result.objective >= possible * (1 - 1e-9), f"{problem.name}, {method}"
    assert kept >= 0.5 * len(problems)


@pytest.mark.parametrize("method", METHODS)
def test_answers_hold(method: str) -> None:
    answers_hold(registry.find(method), problems_for(method, 0, QUICK))


@pytest.mark.parametrize("method", METHODS)
def test_solve_lets_out_what_holds_and_says_unknown_else(method: str) -> None:
    solved(method, problems_for(method, 0, QUICK))


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_answers_hold_on_many(method: str) -> None:
    answers_hold(registry.find(method), problems_for(method, QUICK, MANY))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, SOME, 10))
def test_no_plan_is_better_than_what_is_proved_possible(first: int) -> None:
    honours = registry.find("cpsat").honours
    problems = drawn(honours, first, first + 10)
    bounds = []
    for problem in problems:
        proof = offload.solve(problem, "cpsat", time_limit=20.0, threads=1)
        assert proof.bound is not None, problem.name
        bounds.append(proof.bound)
    for method in METHODS:
        solved(method, problems, bounds)


@pytest.mark.parametrize("method", METHODS)
def test_one_seed_gives_one_plan(method: str) -> None:
    for problem in problems_for(method, 0, 6):
        first, second = (
            offload.solve(problem, method, seed=5, time_limit=None, work_limit=WORK).plan
            for _ in range(2)
        )
        assert (first is None) == (second is None)
        if first is not None and second is not None:
            for column, same in zip(first.parts, second.parts, strict=True):
                np.testing.assert_array_equal(column, same)
