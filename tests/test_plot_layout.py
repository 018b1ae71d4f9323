"""Layered layouts: places apart, few crossings, edges around what they do not touch."""

from __future__ import annotations

import random

import numpy as np

from offload.plot.layout import layered
from offload.plot.places import circle, columns


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Layers of some nodes, and edges between them, to the right or within a layer."""
    dice = random.Random(seed)
    layer = np.array(sorted(dice.randrange(5) for _ in range(dice.randint(1, 25))))
    pairs = {(i, j) for i in range(len(layer)) for j in range(i) if dice.random() < 0.15}
    ends = np.array(sorted(pairs), int).reshape(-1, 2)
    return layer, ends[:, 1], ends[:, 0]


def test_nodes_of_a_layer_are_apart() -> None:
    for seed in range(60):
        layer, src, dst = drawn(seed)
        laid = layered(np.unique(layer, return_inverse=True)[1], src, dst)
        assert laid.height.min() >= 0
        for number in np.unique(layer):
            heights = np.sort(laid.height[layer == number])
            assert (np.diff(heights) > 1 - 1e-9).all(), f"seed {seed}"


def test_edges_lead_from_end_to_end_and_pass_each_layer_between() -> None:
    for seed in range(60):
        layer, src, dst = drawn(seed)
        layer = np.unique(layer, return_inverse=True)[1]
        laid = layered(layer, src, dst)
        for path, i, j in zip(laid.paths, src.tolist(), dst.tolist(), strict=True):
            assert path[0].tolist() == [layer[i], laid.height[i]]
            assert path[-1].tolist() == [layer[j], laid.height[j]]
            if layer[i] != layer[j]:
                assert path[:, 0].tolist() == list(range(layer[i], layer[j] + 1))
            for x, y in path[1:-1].tolist():
                near = np.abs(laid.height[layer == x] - y)
                assert (near > 0.5).all(), f"seed {seed}"


def test_crossings_that_need_not_be_are_undone() -> None:
    layer = np.array([0, 0, 0, 1, 1, 1])
    laid = layered(layer, np.array([0, 1, 2]), np.array([5, 4, 3]))
    left, right = laid.height[:3], laid.height[[5, 4, 3]]
    np.testing.assert_array_equal(np.argsort(left), np.argsort(right))
    np.testing.assert_allclose(left, right)  # and so the edges are level


def test_layers_of_few_nodes_spread() -> None:
    layer = np.array([0] * 12 + [1] * 4)
    src, dst = np.arange(12), 12 + np.arange(12) // 3
    assert np.diff(np.sort(layered(layer, src, dst, spread=0.5).height[12:])).min() >= 1.5 - 1e-9


def test_tiers_stand_from_left_to_right_and_nothing_on_top_of_another() -> None:
    for seed in range(40):
        layer, src, dst = drawn(seed)
        tier = np.unique(layer, return_inverse=True)[1]
        places = columns(tier, src, dst)
        for number in range(1, int(tier.max()) + 1):
            assert places.x[tier == number - 1].max() < places.x[tier == number].min()
        spots = set(zip(places.x.round(9).tolist(), places.y.round(9).tolist(), strict=True))
        assert len(spots) == len(tier)
        assert len(places.paths) == len(src)


def test_what_is_linked_with_the_next_tier_is_nearest_to_it() -> None:
    # A camera, two sites in a row, the cloud.
    places = columns(np.array([0, 1, 1, 2]), np.array([0, 2, 1]), np.array([2, 1, 3]))
    assert places.x[0] < places.x[2] < places.x[1] < places.x[3]


def test_a_single_tier_is_a_circle() -> None:
    places = circle(8, np.array([0]), np.array([4]))
    spots = np.stack([places.x / np.ptp(places.x), places.y / np.ptp(places.y)], 1)
    np.testing.assert_allclose(np.hypot(*(spots - spots.mean(0)).T), 0.5)
    np.testing.assert_allclose(places.paths[0], np.stack([places.x, places.y], 1)[[0, 4]])
    assert circle(1, np.zeros(0, int), np.zeros(0, int)).x.tolist() == [0]
