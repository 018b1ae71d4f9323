"""Whole ticks: where all times of the data are multiples of one, so is the least latency."""

from __future__ import annotations

from fractions import Fraction
from math import inf, pi

import pytest

import offload
from offload import Edge, Graph, Network, Node, Problem, Task
from offload.bounding.ticks import natural_tick
from offload.bounds import lifted, lower_bound


def three(time: float, **more: bool) -> Problem:
    """Three equal tasks on two equal nodes: the work shared out evenly takes 1.5 of them."""
    tasks = [Task(name, work=time, **more) for name in "abc"]
    return Problem(graph=Graph(tasks=tasks), network=Network(nodes=[Node("k"), Node("l")]))


@pytest.mark.parametrize("time", [1.0, 5.0, 0.25, 30.0, 1 / 3])
def test_three_equal_tasks_on_two_nodes_take_two_rounds(time: float) -> None:
    whole = time != 1 / 3  # no round number divides a third
    assert lower_bound(three(time), {"latency": 1.0}) == pytest.approx((2 if whole else 1.5) * time)
    assert lower_bound(three(time), {"latency": 4.0}) == pytest.approx((8 if whole else 6) * time)


def test_other_goals_and_split_tasks_know_no_ticks() -> None:
    problem = three(1.0)
    assert lifted(problem, {"latency": 1.0, "energy": 0.5}, 1.5) == 1.5
    assert lifted(problem, {"energy": 1.0}, 1.5) == 1.5
    assert lifted(problem, {"latency": 1.0, "energy": 0.0}, 1.5) == 2
    assert lifted(three(1.0, divisible=True), {"latency": 1.0}, 1.5) == 1.5
    assert lifted(problem, {"latency": 1.0}, inf) == inf


def test_a_whole_number_missed_by_rounding_is_not_lifted_to_the_next() -> None:
    assert lifted(three(1.0), {"latency": 1.0}, 2 + 1e-9) == 2 + 1e-9
    assert lifted(three(1.0), {"latency": 1.0}, 2 + 1e-3) == 3


def test_noise_around_ticks_is_no_tick() -> None:
    """Times of 1 + 1e-9 count as 1: what many of them add up to must not be lifted."""
    time = 1 + 9e-10
    tasks = [Task(str(n), work=time) for n in range(4000)]
    edges = [Edge(str(n), str(n + 1)) for n in range(3999)]
    problem = Problem(graph=Graph(tasks, edges), network=Network([Node("k")]))
    plan = offload.solve(problem, "heft")
    assert plan.objective is not None
    assert 4000 < plan.objective < 4000.1
    assert lower_bound(problem, {"latency": 1.0}) <= plan.objective


@pytest.mark.parametrize(
    ("values", "tick"),
    [
        ([3.0, 4.5], 1.5), ([2000.0, 6000.0], 2000.0), ([0.0, inf, 7.0], 7.0), ([], 1.0),
        ([0.1, 0.3, 2.7], 0.1), ([1 / 3, 1.0], None), ([pi, 3.0], None),
            ([30.0, 120.0, 90.0], 30.0), ([0.75, 6.0], 0.75),
    ],
)  # fmt: skip
def test_the_coarsest_round_number_that_divides_all(
    values: list[float], tick: float | None
) -> None:
    found = natural_tick(values, 1e9)
    assert (None if found is None else found[0]) == tick
    if found is not None and tick is not None:
        exact = [Fraction(v) / Fraction(tick) for v in values if 0 < v < inf]
        off = max((abs(v - round(v)) * Fraction(tick) for v in exact), default=Fraction(0))
        assert found[1] == pytest.approx(float(off), abs=1e-12)


def test_every_method_ends_at_the_lifted_bound() -> None:
    result = offload.solve(three(1.0), "anneal", "latency", time_limit=20)
    assert (result.status, result.objective, result.bound) == ("optimal", 2, 2)
