"""Closed forms: published figures, and what must hold of any input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offload import OffloadError
from offload.collectives import (
    halving_doubling_allreduce,
    parameter_server,
    ring_allreduce,
    tree_allreduce,
)  # fmt: skip
from offload.queueing import lru_hit_ratio, mm1_response, mm1_split, zipf
from offload.shares import (
    capacity_shares,
    compression_ratio,
    dvfs_for_deadline,
    execution,
    load_shares,
    mean_load,
    partial_offloading,
    resources_needed,
    shards,
)  # fmt: skip

MODEL = (102.228e6, 125e6, 5e-3)


# -- collectives -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("workers", "ring", "halving", "tree", "server"),
    [(4, 1.257, 1.247, 3.291, 6.553), (16, 1.683, 1.573, 6.583, 26.18)],
)
def test_collectives_take_the_published_times(
    workers: int, ring: float, halving: float, tree: float, server: float
) -> None:
    assert ring_allreduce(workers, *MODEL) == pytest.approx(ring, rel=5e-4)
    assert halving_doubling_allreduce(workers, *MODEL) == pytest.approx(halving, rel=5e-4)
    assert tree_allreduce(workers, *MODEL) == pytest.approx(tree, rel=5e-4)
    assert parameter_server(workers, *MODEL) == pytest.approx(server, rel=5e-4)


def test_one_worker_has_nobody_to_talk_to() -> None:
    assert ring_allreduce(1, *MODEL) == halving_doubling_allreduce(1, *MODEL) == 0
    assert tree_allreduce(1, *MODEL) == 0


def test_shards_divide_what_holds_a_parameter_server_up() -> None:
    assert parameter_server(8, *MODEL, shards=4) - 0.01 == pytest.approx(
        (parameter_server(8, *MODEL) - 0.01) / 4
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1.0, 1.0), "workers: must be a whole number, 1 or more, got 0"),
        ((2.5, 1.0, 1.0), "workers: must be a whole number, 1 or more, got 2.5"),
        ((2, -1.0, 1.0), "size: must be >= 0 and finite, got -1.0"),
        ((2, 1.0, 0.0), "bandwidth: must be > 0 and finite, got 0.0"),
        ((2, 1.0, 1.0, float("nan")), "latency: must be >= 0 and finite, got nan"),
        ((6, 1.0, 1.0), "workers: must be a power of 2, got 6; take 4 or 8"),
    ],
)
def test_collectives_refuse_what_makes_no_sense(arguments: tuple[float, ...], message: str) -> None:
    with pytest.raises(OffloadError, match=message):
        halving_doubling_allreduce(*arguments)  # type: ignore[arg-type]


# -- queues and caches -----------------------------------------------------------------------------


def test_the_best_split_of_a_stream_is_the_published_one() -> None:
    split = mm1_split((4, 9, 1), 8)
    np.testing.assert_allclose(split.load, [2, 6, 0], atol=1e-12)
    assert split.response == pytest.approx(0.375)
    even = 8 * np.array([4, 9, 1]) / 14
    mean = sum(load * mm1_response(mu, load) for mu, load in zip((4, 9, 1), even, strict=True)) / 8
    assert mean == pytest.approx(0.5)


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=6), st.floats(0.01, 0.99), st.data())
def test_no_other_split_is_better(rates: list[float], part: float, data: st.DataObject) -> None:
    load = part * sum(rates)
    split = mm1_split(rates, load)
    assert split.load.sum() == pytest.approx(load)
    assert (split.load >= 0).all()
    assert (split.load < rates).all()
    i, k = (data.draw(st.integers(0, len(rates) - 1)) for _ in range(2))
    step = data.draw(st.floats(0, 1)) * min(split.load[i], (rates[k] - split.load[k]) / 2)
    other = split.load.copy()
    other[i] -= step
    other[k] += step
    worse = (other / (np.array(rates) - other)).sum() / load
    assert worse >= split.response * (1 - 1e-9)


def test_overload_is_an_error_and_no_negative_delay() -> None:
    with pytest.raises(OffloadError, match=r"load: must be below the rate, 2\.0, got 2\.0"):
        mm1_response(2.0, 2.0)
    with pytest.raises(OffloadError, match=r"below the sum of the rates, 5\.0, got 6\.0"):
        mm1_split((2.0, 3.0), 6.0)
    with pytest.raises(OffloadError, match=r"rates\[1\]: must be > 0 and finite, got 0\.0"):
        mm1_split((2.0, 0.0), 1.0)


def test_an_idle_queue_answers_at_its_own_rate() -> None:
    assert mm1_split((4, 5), 0).response == pytest.approx(0.2)


def test_hit_ratio_of_a_cache_is_the_published_one() -> None:
    assert lru_hit_ratio(zipf(100), 10) == pytest.approx(0.3976, abs=5e-5)


def test_hit_ratio_is_near_what_a_simulated_cache_has() -> None:
    rng, popularity, hits = np.random.default_rng(1), zipf(100), 0
    kept: dict[int, None] = {}
    for item in rng.choice(100, 40_000, p=popularity).tolist():
        hits += item in kept
        kept.pop(item, None)
        kept[item] = None
        if len(kept) > 10:
            del kept[next(iter(kept))]
    assert hits / 40_000 == pytest.approx(lru_hit_ratio(popularity, 10), abs=0.01)


def test_hit_ratios_at_the_ends() -> None:
    assert lru_hit_ratio([1, 1, 0], 2) == 1
    assert lru_hit_ratio([1, 1, 1, 1], 0) == 0
    assert lru_hit_ratio([3, 3, 3, 3], 1) == pytest.approx(0.25)
    with pytest.raises(OffloadError, match="popularity: must be numbers >= 0"):
        lru_hit_ratio([1, -1], 1)


# -- shares ----------------------------------------------------------------------------------------


def test_shares_follow_from_their_formulas() -> None:
    np.testing.assert_allclose(load_shares((1, 2, 3), (2, 3, 4)), [0.1, 0.3, 0.6])
    capacities = (1000, 800, 1200, 900, 1100)
    np.testing.assert_allclose(
        capacity_shares([7.0] * 5, capacities), [0.2, 0.16, 0.24, 0.18, 0.22]
    )
    assert compression_ratio(10.0, 4.0) == 2.5
    assert resources_needed(9.0, 2.0) == 4.5
    assert mean_load([1.0, 2.0, 6.0]) == 3.0


def test_shares_refuse_what_makes_no_sense() -> None:
    with pytest.raises(OffloadError, match="times: must be as many as weights, 2, got 1"):
        load_shares([1, 2], [1])
    with pytest.raises(OffloadError, match=r"capacities\[1\]: must be >= 0 and finite, got -2"):
        capacity_shares([1, 1], [1, -2])
    with pytest.raises(OffloadError, match="one product must be above 0"):
        load_shares([0, 1], [1, 0])
    with pytest.raises(OffloadError, match="the number of loads: must be a whole number"):
        mean_load([])


def test_partial_offloading_ends_in_both_places_at_once() -> None:
    share, time = partial_offloading(2, 0.563)
    assert (share, time) == pytest.approx((0.780336, 0.439329), abs=5e-7)
    assert time == pytest.approx((1 - share) * 2) == pytest.approx(share * 0.563)


def test_the_slowest_clock_that_keeps_a_deadline_takes_least_energy() -> None:
    cycles, deadline, kappa = 2e9, 4.0, 1e-27
    found = dvfs_for_deadline(cycles, deadline, kappa)
    assert found.time == pytest.approx(deadline)
    assert found.energy == pytest.approx(kappa * cycles**3 / deadline**2)
    assert execution(cycles, 1.1 * found.frequency, kappa).energy > found.energy
    with pytest.raises(OffloadError, match="deadline: must be > 0 and finite, got 0"):
        dvfs_for_deadline(cycles, 0, kappa)


def test_shards_are_the_published_ones() -> None:
    found = shards((1e-3, 2e-3, 4e-3, 8e-3), (0.5, 0.1, 0.2, 0.05), 10_000)
    assert found.time == pytest.approx(5.656667, abs=5e-7)
    np.testing.assert_allclose(found.amount, [5156.67, 2778.33, 1364.17, 700.83], atol=5e-3)


@given(
    st.lists(st.tuples(st.floats(0.01, 10), st.floats(0, 100)), min_size=1, max_size=6),
    st.floats(0, 1000),
)
def test_shards_end_together_or_are_empty(workers: list[tuple[float, float]], total: float) -> None:
    per_unit, fixed = (list(column) for column in zip(*workers, strict=True))
    found = shards(per_unit, fixed, total)
    assert found.amount.sum() == pytest.approx(total, abs=1e-6)
    assert (found.amount >= -1e-9).all()
    ends = found.amount * per_unit + fixed
    used = found.amount > 1e-9
    np.testing.assert_allclose(ends[used], found.time, rtol=1e-9, atol=1e-9)
    assert (np.array(fixed)[~used] >= found.time - 1e-6).all()
