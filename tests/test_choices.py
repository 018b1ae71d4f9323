"""What is left out of a model because something else is never worse."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from formulations.choices import codec_options, modes_of, sources_of
from offload import Codec, Data, Edge, Graph, Link, Mode, Network, Node, Problem, Task
from offload.bounding.durations import held_pairs


def networked(*nodes: Node, links: tuple[Link, ...] = ()) -> Network:
    """Nodes in a row of links of 1 B/s where no others are given."""
    row = tuple(Link(a.id, b.id, 1.0) for a, b in pairwise(nodes))
    return Network(nodes, links or row)


def test_modes_that_are_slower_and_no_thriftier_are_left_out() -> None:
    modes = (Mode("eco", 0.5, 1.0), Mode("lame", 0.4, 1.0), Mode("turbo", 2.0, 20.0))
    node = Node("n", speed=1.0, busy_power=4.0, modes=modes)
    tables = Problem(network=networked(node, Node("m"))).tables
    # Joules an operation: turbo 10, default 4, eco 2, lame 2.5.
    assert modes_of(tables, {"energy", "latency"}) == [[3, 0, 1], [0]]
    assert modes_of(tables, {"latency", "cost"}) == [[3], [0]]


def test_of_equal_modes_the_first_is_kept() -> None:
    node = Node("n", speed=1.0, busy_power=4.0, modes=(Mode("same", 1.0, 4.0),))
    tables = Problem(network=networked(node)).tables
    assert modes_of(tables, {"energy"}) == [[0]]


def packed(*codecs: Codec, channels: int | None = None) -> Problem:
    """A message of 10 B over a link of 1 B/s and 1 J/B, that may be packed."""
    graph = Graph(
        (Task("s", work=1), Task("t", work=1)),
        (Edge("s", "t", 10.0, codecs=tuple(codec.id for codec in codecs)),),
    )
    link = Link("a", "b", 1.0, channels=channels, energy=1.0)
    nodes = (Node("a"), Node("b"))
    return Problem(network=networked(*nodes, links=(link,)), graph=graph, codecs=codecs)


def kept(problem: Problem, *metrics: str) -> set[int]:
    """The codecs worth a choice from one node to the other."""
    tables = problem.tables
    options = codec_options(tables, 0, set(metrics), held_pairs(tables))
    assert options[-1][0, 0], "what stays is not packed"
    return {codec for codec, mask in options.items() if mask[0, 1]}


def test_without_contention_only_the_whole_time_of_a_codec_counts() -> None:
    quick, slow = Codec("quick", 2.0, 0.1, 0.1), Codec("slow", 4.0, 0.5, 0.5)
    # Seconds: none 10, quick 1 + 5 + 1, slow 5 + 2.5 + 5.
    assert kept(packed(quick, slow), "latency") == {0}
    # Joules: none 10, quick 5, slow 2.5.
    assert kept(packed(quick, slow), "latency", "energy") == {0, 1}
    assert kept(packed(quick, slow), "latency", "period") == {0, 1}


def test_where_links_are_held_each_part_counts() -> None:
    quick, slow = Codec("quick", 2.0, 0.1, 0.1), Codec("slow", 4.0, 0.5, 0.5)
    # None encodes nothing and holds longest; slow holds shortest.
    assert kept(packed(quick, slow, channels=1), "latency") == {-1, 0, 1}
    idle = Codec("idle", 1.0, 0.1, 0.1)
    assert kept(packed(idle, channels=1), "latency") == {-1}


def test_sources_are_named_up_to_the_first_home() -> None:
    nodes = tuple(Node(name) for name in "abcd")
    data = Data("d", 5.0, ("a",), max_copies=2, allow=("b", "d"))
    problem = Problem(
        network=networked(*nodes), graph=Graph((Task("t", work=1, reads=("d",)),)), data=(data,)
    )
    # All links are equal, and a route has the bandwidth of any of its links: latency tells.
    links = tuple(Link(x, y, 1.0, 1.0) for x, y in ("ab", "bc", "cd"))
    problem = problem.replace(network=networked(*nodes, links=links))
    assert sources_of(problem.tables, 0) == [[0], [1, 0], [1, 3, 0], [3, 1, 0]]


def test_data_without_copies_has_one_source() -> None:
    nodes = tuple(Node(name) for name in "abc")
    data = Data("d", 5.0, ("a", "c"))
    problem = Problem(
        network=networked(*nodes, links=(Link("a", "b", 1.0, 2.0), Link("b", "c", 1.0, 1.0))),
        graph=Graph((Task("t", work=1, reads=("d",)),)), data=(data,),
    )  # fmt: skip
    assert sources_of(problem.tables, 0) == [[0], [2], [2]]
    lonely = Problem(network=Network(nodes), graph=problem.graph, data=(data,))
    assert sources_of(lonely.tables, 0) == [[0], [], [2]]


def test_pairs_that_share_a_link_with_channels_are_held() -> None:
    nodes = tuple(Node(name) for name in "abc")
    links = (Link("a", "b", 1.0, duplex="half", channels=1), Link("b", "c", 1.0))
    tables = Problem(network=networked(*nodes, links=links)).tables
    expected = np.zeros((3, 3), bool)
    for k, l in ((0, 1), (1, 0), (0, 2), (2, 0)):
        expected[k, l] = True
    np.testing.assert_array_equal(held_pairs(tables), expected)
