"""Dominance, ranks, volumes and proofs about fronts, against definitions word for word."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from offload.fronts.dominance import crowding, efficient, hypervolume, knee, ranks, spread
from offload.fronts.region import Records, upper_corners


def points(seed: int, count: int, metrics: int, most: int = 7) -> np.ndarray:
    """Whole numbers, so that ties are many."""
    return np.random.default_rng(seed).integers(0, most, size=(count, metrics)).astype(float)


def dominates(first: np.ndarray, second: np.ndarray) -> bool:
    return bool((first <= second).all() and (first < second).any())


@pytest.mark.parametrize("metrics", [2, 3])
@pytest.mark.parametrize("seed", range(20))
def test_efficient_rows_are_those_that_none_dominates_and_the_first_of_equal_ones(seed, metrics):
    values = points(seed, 40, metrics)
    wanted = [
        not any(dominates(other, row) for other in values)
        and not any((other == row).all() for other in values[:number])
        for number, row in enumerate(values)
    ]
    assert efficient(values).tolist() == wanted


@pytest.mark.parametrize("metrics", [2, 3])
@pytest.mark.parametrize("seed", range(10))
def test_ranks_peel_front_after_front_and_what_breaks_less_comes_before(seed, metrics):
    values = points(seed, 30, metrics)
    over = np.where(np.arange(30) % 3 == 0, points(seed + 99, 30, 1)[:, 0], 0.0)
    found = ranks(values, over)
    left, level = set(np.flatnonzero(over == 0).tolist()), 0
    while left:
        front = {i for i in left if not any(dominates(values[j], values[i]) for j in left)}
        assert {i for i in range(30) if over[i] == 0 and found[i] == level} == front
        left, level = left - front, level + 1
    broken = [i for i in range(30) if over[i] > 0]
    assert all(found[i] >= level for i in broken)
    for i, j in itertools.combinations(broken, 2):
        assert (found[i] < found[j]) == (over[i] < over[j])


def test_crowding_is_that_of_a_front_worked_out_by_hand():
    values = np.array([[0.0, 10.0], [1.0, 6.0], [4.0, 5.0], [10.0, 0.0]])
    distance = crowding(values, np.zeros(4, np.int32))
    assert distance[0] == distance[3] == np.inf
    assert distance[1] == pytest.approx(4 / 10 + 5 / 10)
    assert distance[2] == pytest.approx(9 / 10 + 6 / 10)


@pytest.mark.parametrize("metrics", [2, 3])
@pytest.mark.parametrize("seed", range(10))
def test_the_hypervolume_is_the_number_of_unit_cells_that_are_dominated(seed, metrics):
    values, end = points(seed, 9, metrics), np.full(metrics, 6.0)
    cells = itertools.product(range(6), repeat=metrics)
    wanted = sum(bool((values <= np.array(cell)).all(axis=1).any()) for cell in cells)
    assert hypervolume(values, end) == pytest.approx(wanted)


def test_the_knee_is_farthest_below_the_line_between_the_ends():
    values = np.array([[0.0, 10.0], [1.0, 8.0], [3.0, 1.0], [10.0, 0.0]])
    assert knee(values) == 2
    assert knee(values[:2]) is None


def test_a_thinned_front_keeps_its_ends_and_what_is_asked_for():
    values = np.column_stack([np.arange(50.0), np.arange(50.0)[::-1]])
    rows = spread(values, 5, np.array([7])).tolist()
    assert len(rows) == 5
    assert {0, 7, 49} <= set(rows)
    assert spread(values, 60, np.array([], np.int64)).tolist() == list(range(50))


@pytest.mark.parametrize("metrics", [2, 3])
@pytest.mark.parametrize("seed", range(20))
def test_what_no_point_dominates_is_below_a_corner_and_nothing_else_is(seed, metrics):
    values = points(seed, 8, metrics)
    corners = upper_corners(values)
    for cell in itertools.product(range(7), repeat=metrics):
        free = not (values <= np.array(cell)).all(axis=1).any()
        assert bool((np.array(cell) < corners).all(axis=1).any()) == free


def proofs(plans: np.ndarray, seed: int) -> Records:
    """True records about a set of plans: minima within limits, of a metric or of a sum."""
    dice, records = np.random.default_rng(seed), Records(plans.shape[1])
    for _ in range(12):
        weights = np.zeros(plans.shape[1])
        weights[dice.integers(len(weights))] = 1.0
        if dice.random() < 0.3:
            weights = dice.random(len(weights))
        limits = np.where(
            dice.random(len(weights)) < 0.5, np.inf, dice.integers(7, size=len(weights))
        )
        inside = plans[(plans <= limits).all(axis=1)] @ weights
        records.add(weights, limits, float(inside.min(initial=np.inf)))
    return records


@pytest.mark.parametrize("metrics", [2, 3])
@pytest.mark.parametrize("seed", range(30))
def test_true_proofs_never_say_that_a_plan_cannot_be(seed, metrics):
    plans = points(seed, 25, metrics)
    records = proofs(plans, seed)
    assert not any(records.contradicted(plan) for plan in plans)
    below = records.bound_set()
    assert all((below <= plan).all(axis=1).any() for plan in plans)
    assert (records.ideal <= plans.min(axis=0)).all()
    for corner in upper_corners(plans[::5]):
        least = records.lower_corners(corner, 0.0)
        inside = plans[(plans < corner).all(axis=1)]
        if len(inside):
            assert least is not None
            assert (least <= inside).all()
    gaps = records.gaps(plans)
    for plan, row in zip(plans, gaps, strict=True):
        better = plans[(plans <= plan).all(axis=1)]
        gain = (plan - better).max(axis=0) / np.where(plan > 0, plan, 1.0)
        assert (gain <= row + 1e-12).all()


def test_a_plan_that_holds_removes_the_proof_that_it_contradicts():
    records = Records(2)
    records.add(np.array([1.0, 0.0]), np.array([np.inf, 5.0]), 10.0)
    records.add(np.array([0.0, 1.0]), np.array([np.inf, np.inf]), 1.0)
    assert records.contradicted(np.array([10.0 - 1e-8, 5.0])) == 0
    assert records.contradicted(np.array([9.0, 4.0])) == 1
    assert records.bounds.tolist() == [1.0]
