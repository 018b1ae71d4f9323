"""Routes against all simple paths, over ties, free links, one-way links and pairs without any."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Literal

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from offload import Link, Network, Node, Problem
from offload.routes import Routes

TAGS = ("red", "blue")
SIZES = (2, 3, 4, 5, 6)


@dataclass(frozen=True)
class Arc:
    """One direction of a link."""

    link: Link
    weight: float


def arcs_of(network: Network) -> dict[tuple[int, int], Arc]:
    position = {node.id: k for k, node in enumerate(network.nodes)}
    found = {}
    for link in network.links:
        serialise = network.reference_bytes / link.bandwidth if link.bandwidth else 0.0
        ends = position[link.src], position[link.dst]
        for way in (ends,) if link.duplex == "simplex" else (ends, ends[::-1]):
            found[way] = Arc(link, link.latency + serialise)
    return found


def simple_paths(
    arcs: dict[tuple[int, int], Arc], path: tuple[int, ...], goal: int
) -> Iterator[tuple[int, ...]]:
    if path[-1] == goal:
        yield path
        return
    for src, dst in arcs:
        if src == path[-1] and dst not in path:
            yield from simple_paths(arcs, (*path, dst), goal)


def brute_force(arcs: dict[tuple[int, int], Arc], src: int, dst: int) -> tuple[int, ...]:
    """The route by SPEC section 1, from all simple paths; empty without one."""
    paths = list(simple_paths(arcs, (src,), dst))
    if not paths:
        return ()
    length = {path: sum(arcs[hop].weight for hop in pairwise(path)) for path in paths}
    least = min(length.values())
    equal = [path for path in paths if length[path] <= least * (1 + 1e-12)]
    return min(equal, key=lambda path: (len(path), path[::-1]))


def draw_network(seed: int) -> Network:
    rng = random.Random(seed)
    count = SIZES[seed % len(SIZES)]
    names = rng.sample([f"n{k}" for k in range(count)], count)  # no order in the names
    nodes = [Node(name, tags=[t for t in TAGS if rng.random() < 0.8]) for name in names]
    exact = rng.random() < 0.7  # few values, so that many sums are equal
    density = rng.choice([0.3, 0.6, 1.0])
    links = []
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
    for a, b in rng.sample(pairs, len(pairs)):
        if rng.random() > density:
            continue
        ways = rng.choice([[(a, b)], [(b, a)], [(a, b), (b, a)]])
        choices: list[Literal["full", "half", "simplex"]] = ["full", "half", "simplex"]
        duplex = "simplex" if len(ways) == 2 else rng.choice(choices)
        links += [
            Link(
                names[i], names[j], duplex=duplex, channels=rng.choice([None, 1, 3]),
                bandwidth=rng.choice([None, 1.0, 2.0, 4.0]) if exact else rng.uniform(1, 9),
                latency=rng.choice([0.0, 0.0, 1.0, 2.0]) if exact else rng.uniform(0, 1),
                energy=rng.random(), price=rng.random(),
                tags=[t for t in TAGS if rng.random() < 0.8],
            )
            for i, j in ways
        ]  # fmt: skip
    return Network(nodes, links, rng.choice([0.0, 1.0, 4.0]))


def routes_of(network: Network) -> Routes:
    return Problem(network=network).tables.routes


def line(*links: Link, count: int = 4, reference: float = 0.0) -> Routes:
    return routes_of(Network([Node(f"n{k}") for k in range(count)], links, reference))


@pytest.mark.parametrize("batch", range(10))
def test_routes_are_the_best_simple_paths(batch: int) -> None:
    for seed in range(30 * batch, 30 * batch + 30):
        network = draw_network(seed)
        routes, arcs = routes_of(network), arcs_of(network)
        for k, l in product(range(len(network.nodes)), repeat=2):
            path = brute_force(arcs, k, l)
            assert routes.path(k, l) == list(path), (seed, k, l)
            assert routes.hops[k, l] == len(path) - 1
            assert routes.reachable[k, l] == bool(path)
            links = [arcs[hop].link for hop in pairwise(path)]
            widths = [link.bandwidth or np.inf for link in links]
            assert routes.bandwidth[k, l] == min(widths, default=np.inf)
            if not path:
                assert routes.latency[k, l] == np.inf
                continue
            assert routes.latency[k, l] == pytest.approx(sum(link.latency for link in links))
            assert routes.energy[k, l] == pytest.approx(sum(link.energy for link in links))
            assert routes.price[k, l] == pytest.approx(sum(link.price for link in links))


@pytest.mark.parametrize("seed", range(40))
def test_a_route_must_carry_all_tags(seed: int) -> None:
    network = draw_network(seed)
    routes, arcs = routes_of(network), arcs_of(network)
    for require in ((), ("red",), ("blue", "red"), ("green",)):
        found = routes.permitted(require)
        for k, l in product(range(len(network.nodes)), repeat=2):
            path = brute_force(arcs, k, l)
            met = [network.nodes[m].tags for m in path]
            met += [arcs[hop].link.tags for hop in pairwise(path)]
            wanted = bool(path) and all(set(require) <= set(tags) for tags in met)
            assert found[k, l] == (wanted or k == l), (require, k, l)


@pytest.mark.parametrize("seed", range(20))
def test_expand_gives_the_arcs_of_each_path(seed: int) -> None:
    network = draw_network(seed)
    routes = routes_of(network)
    count = len(network.nodes)
    src, dst = (column.ravel() for column in np.indices((count, count), dtype=np.int32))
    rows, arcs = routes.expand(src, dst)
    assert (np.diff(rows) >= 0).all()
    for row, (k, l) in enumerate(zip(src.tolist(), dst.tolist(), strict=True)):
        hops = [(int(routes.arc_src[a]), int(routes.arc_dst[a])) for a in arcs[rows == row]]
        assert hops[::-1] == list(pairwise(routes.path(k, l)))
    empty = routes.expand(np.zeros(0, np.int32), np.zeros(0, np.int32))
    assert [len(column) for column in empty] == [0, 0]


def test_arcs_and_channels_follow_the_links() -> None:
    routes = line(
        Link("n0", "n1", channels=2), Link("n2", "n1", duplex="half", channels=3),
        Link("n0", "n2", duplex="simplex", channels=1), Link("n3", "n2"),
    )  # fmt: skip
    assert routes.arc_src.tolist() == [0, 1, 2, 1, 0, 3, 2]
    assert routes.arc_dst.tolist() == [1, 0, 1, 2, 2, 2, 3]
    assert routes.arc_link.tolist() == [0, 0, 1, 1, 2, 3, 3]
    assert routes.arc_resource.tolist() == [0, 1, 2, 2, 3, -1, -1]
    assert routes.resource_channels.tolist() == [2, 2, 3, 1]
    assert routes.resource_link.tolist() == [0, 0, 1, 2]


# -- ties ------------------------------------------------------------------------------------------


def test_sums_equal_but_for_rounding_are_equal() -> None:
    """0.1 + 0.2 is not 0.3 to a computer; the direct link has fewer hops."""
    links = [Link("n0", "n1", latency=0.1), Link("n1", "n2", latency=0.2)]
    assert line(*links, Link("n0", "n2", latency=0.1 + 0.2 + 1e-14)).path(0, 2) == [0, 2]
    assert line(*links, Link("n0", "n2", latency=0.3 + 1e-9)).path(0, 2) == [0, 1, 2]


def test_fewer_hops_win_among_equals() -> None:
    links = [Link("n0", "n1", latency=1), Link("n1", "n2", latency=1), Link("n0", "n2", latency=2)]
    assert line(*links).path(0, 2) == [0, 2]


def test_the_last_hop_comes_from_the_node_listed_first() -> None:
    links = [Link("n0", "n2"), Link("n2", "n3"), Link("n0", "n1"), Link("n1", "n3")]
    assert line(*links).path(0, 3) == [0, 1, 3]
    assert line(*links[::-1]).path(3, 0) == [3, 1, 0]


def test_equal_last_hops_are_told_apart_further_back() -> None:
    ways = [("n0", "n1"), ("n0", "n2"), ("n1", "n3"), ("n2", "n3"), ("n3", "n4")]
    for turned in (ways, ways[::-1]):
        assert line(*(Link(*way) for way in turned), count=5).path(0, 4) == [0, 1, 3, 4]


def test_the_last_hop_counts_before_the_first() -> None:
    """0-1-4-5 leaves by the node listed first, but 0-2-3-5 arrives from the one listed first."""
    ways = [("n0", "n1"), ("n1", "n4"), ("n4", "n5"), ("n0", "n2"), ("n2", "n3"), ("n3", "n5")]
    assert line(*(Link(*way) for way in ways), count=6).path(0, 5) == [0, 2, 3, 5]


def test_without_latency_or_bandwidth_the_fewest_hops_win() -> None:
    ways = [("n0", "n1"), ("n1", "n2"), ("n2", "n3"), ("n0", "n2")]
    routes = line(*(Link(*way) for way in ways), reference=1e6)
    assert routes.path(0, 3) == [0, 2, 3]
    assert routes.bandwidth[0, 3] == np.inf
    assert routes.latency[0, 3] == 0


def test_the_reference_message_decides_between_fast_and_near() -> None:
    links = [
        Link("n0", "n1", bandwidth=1, latency=0.5), Link("n0", "n2", bandwidth=100, latency=1),
        Link("n2", "n1", bandwidth=100, latency=1),
    ]  # fmt: skip
    assert line(*links, reference=0).path(0, 1) == [0, 1]
    assert line(*links, reference=1).path(0, 1) == [0, 1]
    assert line(*links, reference=10).path(0, 1) == [0, 2, 1]


# -- the ends of the scale -------------------------------------------------------------------------


def test_a_node_alone_and_none_at_all() -> None:
    alone = line(count=1)
    assert (alone.hops.tolist(), alone.path(0, 0)) == ([[0]], [0])
    assert alone.latency.tolist() == [[0.0]]
    assert line(count=0).hops.shape == (0, 0)
    assert line(count=0).permitted(["red"]).shape == (0, 0)


def test_one_way_is_no_way_back() -> None:
    routes = line(Link("n0", "n1", duplex="simplex"), count=2)
    assert routes.path(0, 1) == [0, 1]
    assert routes.path(1, 0) == []
    assert routes.latency[1, 0] == np.inf


def test_three_hundred_nodes() -> None:
    rng = random.Random(7)
    count = 300
    pairs = {(a, rng.randrange(a)) for a in range(1, count) for _ in range(4)}
    links = [
        Link(f"n{a}", f"n{b}", bandwidth=rng.choice([1e6, 1e7]), latency=rng.choice([1e-3, 2e-3]))
        for a, b in sorted(pairs)
    ]
    routes = line(*links, count=count, reference=1e6)
    weight = routes.arc_latency + 1e6 / routes.arc_bandwidth
    graph = csr_array((weight, (routes.arc_src, routes.arc_dst)), shape=(count, count))
    distance = dijkstra(graph)
    src, dst = (column.ravel() for column in np.indices((count, count), dtype=np.int32))
    rows, arcs = routes.expand(src, dst)
    walked = np.bincount(rows, weight[arcs], minlength=count * count).reshape(count, count)
    assert np.allclose(walked, distance, rtol=1e-12, atol=0)
    assert (np.bincount(rows, minlength=count * count) == routes.hops.ravel()).all()
