"""Each rule of the checker on transfers, links and copies, by the smallest plan that breaks it."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hand_plans import AB, LINK, A, B, found, instance, one, plan, run, send
from plan_documents import Row

from offload.checker import check
from offload.plan import Violation
from offload.plan_files import load_plan
from offload.problem import Codec, Data, Edge, Link, Node, Problem, Task

X, Y, Z = Task("x", work=2), Task("y", work=2), Task("z", work=2)
C = Node("c")
CHAIN = [run("x", "a", 0, 2), run("y", "b", 3.5, 5.5)]


def chained(*transfers: Row, tasks: list[Row] = CHAIN, **more: Any) -> list[Violation]:
    """What is found for x on a and y on b with 10 bytes in between, and these transfers."""
    return found(instance([X, Y], [AB], **more), tasks, transfers)


# -- what has to be listed -----------------------------------------------------------------------


def test_missing_transfer() -> None:
    assert one(chained()) == ("missing-transfer", ("x", "y"), None, 1, 0)


def test_a_violation_says_what_moves_from_where_to_where() -> None:
    (violation,) = chained()
    text = "missing-transfer: the output of x, a to b: the transfer is missing"
    assert str(violation) == text
    read = instance([Task("x", work=2, reads=("d",))], data=[Data("d", 1, ("a",))], links=[])
    (violation,) = found(read, [run("x", "b", 0, 2)])
    assert str(violation) == "route: data d, ? to b: there is no route"


def test_a_transfer_of_no_bytes_is_needed_and_takes_the_latency() -> None:
    problem = instance([X, Y], [Edge("x", "y")])
    rows = [run("x", "a", 0, 2), run("y", "b", 2.5, 4.5)]
    assert one(found(problem, rows))[0] == "missing-transfer"
    assert found(problem, rows, [send("x", "y", "a>b", 2, 2.5)]) == []


def test_unneeded_transfer() -> None:
    rows = [run("x", "a", 0, 2), run("y", "a", 2, 4)]
    assert one(chained(send("x", "y", "a>b", 2, 3.5), tasks=rows)) == (
        "unneeded-transfer", ("x", "y"), None, 0, 1,
    )  # fmt: skip
    assert one(chained(send("x", "y", "a>a", 2, 2), tasks=rows))[0] == "unneeded-transfer"


def test_repeated_transfer() -> None:
    moves = send("x", "y", "a>b", 2, 3.5), send("x", "y", "a>b", 4, 5.5)
    assert one(chained(*moves)) == ("repeated-transfer", ("x", "y"), None, 1, 2)


def test_an_item_moves_once_to_each_node() -> None:
    edges = [Edge("x", name, 10, item="frame") for name in ("y", "z")]
    problem = instance([X, Y, Z], edges)
    rows = [*CHAIN, run("z", "b", 5.5, 7.5)]
    both = send("x", ["z", "y"], "a>b", 2, 3.5, item="frame")
    assert found(problem, rows, [both]) == []
    apart = [send("x", n, "a>b", 2, 3.5, item="frame") for n in ("y", "z")]
    rules = [(v.rule, v.needed, v.found) for v in found(problem, rows, apart)]
    assert rules == [("repeated-transfer", 1, 2), ("waiting", ("y", "z"), ("y",))]


def test_edges_without_an_item_move_by_themselves() -> None:
    problem = instance([X, Y, Z], [AB, Edge("x", "z", 10)])
    rows = [*CHAIN, run("z", "b", 5.5, 7.5)]
    moves = [send("x", "y", "a>b", 2, 3.5), send("x", "z", "a>b", 2, 3.5)]
    assert found(problem, rows, moves) == []
    assert one(found(problem, rows, moves[:1])) == ("missing-transfer", ("x", "z"), None, 1, 0)


def test_transfers_that_cross_are_told_apart_in_any_order() -> None:
    tasks = [Task(name, work=0) for name in "xyuv"]
    problem = instance(tasks, [Edge("u", "v", 10), Edge("x", "y", 10)])
    rows = [run("x", "b", 0, 0), run("y", "a", 2, 2), run("u", "a", 0, 0), run("v", "b", 2, 2)]
    moves = [send("x", "y", "b>a", 0, 1.5), send("u", "v", "a>b", 0, 1.5)]
    for order in itertools.permutations(rows):
        assert found(problem, list(order), moves) == []
        assert one(found(problem, list(order), moves[:1]))[:2] == ("missing-transfer", ("u", "v"))


@pytest.mark.parametrize("listed", [["y", "x"], ["y", "y"]])
def test_waiting(listed: list[str]) -> None:
    violation = one(chained(send("x", listed, "a>b", 2, 3.5)))
    assert violation == ("waiting", ("x", "y"), None, ("y",), tuple(listed))


def test_waiting_for_nobody() -> None:
    problem = instance([X, Y], [AB])
    broken = plan(problem, CHAIN, [send("x", "y", "a>b", 2, 3.5)])
    broken.waiting = broken.waiting._replace(
        start=np.zeros(2, np.int64), values=broken.waiting.values[:0]
    )
    assert one(check(problem, broken)) == ("waiting", ("x", "y"), None, ("y",), ())


def test_a_file_that_lists_a_stranger_loads_and_does_not_hold(tmp_path: Path) -> None:
    problem, path = instance([X, Y, Z], [AB, Edge("y", "z")]), tmp_path / "plan.json"
    rows = [*CHAIN, run("z", "b", 5.5, 7.5)]
    plan(problem, rows, [send("x", "y", "a>b", 2, 3.5)]).save(path)
    document = json.loads(path.read_text(encoding="utf-8"))
    document["transfers"][0]["dst"].append("z")
    path.write_text(json.dumps(document), encoding="utf-8")
    violation = one(check(problem, load_plan(path, problem)))
    assert violation == ("waiting", ("x", "y"), None, ("y",), ("y", "z"))


# -- where it comes from, and when ---------------------------------------------------------------


def test_source_of_an_output() -> None:
    links = [LINK, Link("c", "b", bandwidth=10, latency=0.5)]
    found = chained(send("x", "y", "c>b", 2, 3.5), nodes=[A, B, C], links=links)
    assert one(found) == ("source", ("x", "y"), None, "a", "c")


def test_codec() -> None:
    codecs = [Codec("zip", 2, 0.1, 0), Codec("zap", 5, 0, 0)]
    problem = instance([X, Y], [Edge("x", "y", 10, codecs=("zip",))], codecs=codecs)
    zipped = send("x", "y", "a>b", 2, 4, codec="zip")  # 1 s to encode, 0.5 s on the link
    assert found(problem, [CHAIN[0], run("y", "b", 4, 6)], [zipped]) == []
    zapped = send("x", "y", "a>b", 2, 2.7, codec="zap")
    assert one(found(problem, CHAIN, [zapped])) == ("codec", ("x", "y"), None, ("zip",), "zap")


def test_codec_of_another_edge() -> None:
    codecs = [Codec("zip", 1, 0, 0), Codec("zap", 1, 0, 0)]
    edges = [Edge("x", "y", 10, codecs=("zip",)), Edge("x", "z", 10, codecs=("zip", "zap"))]
    problem = instance([X, Y, Z], edges, codecs=codecs)
    rows = [*CHAIN, run("z", "b", 5.5, 7.5)]
    for first, second, rules in (("zip", "zap", []), ("zap", "zip", ["codec"])):
        moves = [send("x", "y", "a>b", 2, 3.5, codec=first)]
        moves.append(send("x", "z", "a>b", 2, 3.5, codec=second))
        assert [v.rule for v in found(problem, rows, moves)] == rules


def test_reads_and_moves_have_no_codec() -> None:
    task = Task("x", work=2, reads=("d",), at="a", move_bytes=10)
    problem = instance([task], data=[Data("d", 10, ("a",))], codecs=[Codec("zip", 1, 0, 0)])
    moves = [
        send("d", "x", "a>b", 0, 1.5, kind="read", codec="zip"),
        send("x", "x", "a>b", 0, 1.5, kind="move", codec="zip"),
    ]
    violations = found(problem, [run("x", "b", 1.5, 3.5)], moves)
    assert [(v.rule, v.items) for v in violations] == [("codec", ("d", "x")), ("codec", ("x",))]


def test_transfer_start() -> None:
    early = chained(send("x", "y", "a>b", 1.5, 3))
    assert one(early) == ("transfer-start", ("x", "y"), 1.5, 2.0, 1.5)


def test_reads_and_moves_start_at_0() -> None:
    task = Task("x", work=2, reads=("d",), at="a", move_bytes=10)
    problem = instance([task], data=[Data("d", 10, ("a",))])
    read = send("d", "x", "a>b", 0, 1.5, kind="read")
    move = send("x", "x", "a>b", 0, 1.5, kind="move")
    rows = [run("x", "b", 1.5, 3.5)]
    assert found(problem, rows, [read, move]) == []
    early = {"start": -0.5, "finish": 1.0}
    assert one(found(problem, rows, [read | early, move])) == (
        "transfer-start", ("d", "x"), -0.5, 0.0, -0.5,
    )  # fmt: skip
    assert one(found(problem, rows, [read, move | early])) == (
        "transfer-start", ("x",), -0.5, 0.0, -0.5,
    )  # fmt: skip


def test_transfer_duration() -> None:
    assert one(chained(send("x", "y", "a>b", 2, 3))) == (
        "transfer-duration", ("x", "y"), 2.0, 3.5, 3.0,
    )  # fmt: skip


def test_transfer_duration_has_four_parts() -> None:
    nodes = [Node("a", speed=2), Node("b", speed=4), C]
    links = [Link("a", "c", 10, 0.5), Link("c", "b", 4, 0.25)]
    edge = Edge("x", "y", 16, codecs=("zip",))
    problem = instance([X, Y], [edge], nodes=nodes, links=links, codecs=[Codec("zip", 2, 0.5, 1)])
    # 16 * 0.5 / 2 to encode, (16 / 2) / 4 on the links, 0.75 of latency, 16 * 1 / 4 to decode
    arrival = 1 + 4 + 2 + 0.75 + 4
    rows = [run("x", "a", 0, 1), run("y", "b", arrival, arrival + 0.5)]
    assert found(problem, rows, [send("x", "y", "a>b", 1, arrival, codec="zip")]) == []


def test_arrival() -> None:
    rows = [CHAIN[0], run("y", "b", 3, 5)]
    late = chained(send("x", "y", "a>b", 2, 3.5), tasks=rows)
    assert one(late) == ("arrival", ("x", "y"), 3.0, 3.5, 3.0)


def test_size() -> None:
    problem = instance([X, Y], [AB])
    broken = plan(problem, CHAIN, [send("x", "y", "a>b", 2, 3.5)])
    for size, holds in ((10 * (1 + 5e-10), True), (10 * (1 + 5e-9), False), (math.nan, False)):
        broken.transfers.size[0] = size
        violations = check(problem, broken)
        assert [v.rule for v in violations] == ([] if holds else ["size"])
        assert all((v.items, v.needed) == (("x", "y"), 10.0) for v in violations)


# -- routes --------------------------------------------------------------------------------------


def test_route() -> None:
    simplex = Link("b", "a", 10, 0.5, "simplex")
    rule = "route", ("x", "y"), None, "a route", None
    assert one(chained(links=[simplex])) == rule
    assert one(chained(send("x", "y", "a>b", 2, 3.5), links=[simplex])) == rule


@pytest.mark.parametrize(
    ("a", "link", "c"),
    [((), ("safe",), ("safe",)), (("safe",), (), ("safe",)), (("safe",), ("safe",), ())],
)
def test_require(a: tuple[str, ...], link: tuple[str, ...], c: tuple[str, ...]) -> None:
    safe = ("safe",)
    nodes = [Node("a", tags=a), Node("b", tags=safe), Node("c", tags=c)]
    links = [Link("a", "c", 10, 0.25, tags=link), Link("c", "b", 10, 0.25, tags=safe)]
    problem = instance([X, Y], [Edge("x", "y", 10, require=safe)], nodes=nodes, links=links)
    move = send("x", "y", "a>b", 2, 3.5)
    assert one(found(problem, CHAIN, [move])) == ("require", ("x", "y"), None, safe, None)
    near = [CHAIN[0], run("y", "a", 2, 4)]
    assert found(problem, near) == []  # on one node nothing is required


# -- links ---------------------------------------------------------------------------------------


def crossing(link: Link, second: str, start: float, size: float = 10) -> list[Violation]:
    """Two transfers over one link: one from a to b from 0 on, another that starts as told."""
    src, dst = second.split(">")
    tasks = [Task(n, work=0) for n in "xyuv"]
    problem = instance(tasks, [AB, Edge("u", "v", size)], links=[link])
    places = {"x": ("a", 0.0), "y": ("b", 9.0), "u": (src, 0.0), "v": (dst, 9.0)}
    rows = [run(name, node, time, time) for name, (node, time) in places.items()]
    moves = [send("x", "y", "a>b", 0, 1.5), send("u", "v", second, start, start + size / 10 + 0.5)]
    return found(problem, rows, moves)


def test_link_for_its_serialise_part_alone() -> None:
    link = Link("a", "b", 10, 0.5, channels=1)
    rule = "link", ("a", "b", "x", "u"), 0.5, 1, 2
    assert one(crossing(link, "a>b", 0.5)) == rule
    assert crossing(link, "a>b", 1) == []
    assert crossing(link, "a>b", 0.5, size=0) == []


def test_directions_share_channels_on_a_half_duplex_link_alone() -> None:
    half = Link("b", "a", 10, 0.5, "half", channels=1)
    assert one(crossing(half, "b>a", 0.5)) == ("link", ("b", "a", "x", "u"), 0.5, 1, 2)
    assert crossing(half, "b>a", 1) == []
    assert crossing(Link("b", "a", 10, 0.5, channels=1), "b>a", 0.5) == []


def test_channels() -> None:
    assert crossing(Link("a", "b", 10, 0.5, channels=2), "a>b", 0.5) == []
    assert crossing(Link("a", "b", 10, 0.5), "a>b", 0.5) == []


def test_every_link_of_a_route_is_held_at_once_after_encoding() -> None:
    nodes = [A, B, C]
    links = [Link("a", "c", 10, 0.5), Link("c", "b", 10, 0.5, channels=1)]
    tasks = [Task(n, work=0) for n in "xyuv"]
    edges = [Edge("x", "y", 10, codecs=("zip",)), Edge("u", "v", 10)]
    codecs = [Codec("zip", 1, 0.2, 0)]
    problem = instance(tasks, edges, nodes=nodes, links=links, codecs=codecs)
    rows = [run("x", "a", 0, 0), run("y", "b", 9, 9), run("u", "c", 0, 0), run("v", "b", 9, 9)]
    zipped = send("x", "y", "a>b", 0, 4, codec="zip")  # holds both links in [2, 3)
    for start, holds in ((1, True), (2.5, False), (3, True)):
        violations = found(problem, rows, [zipped, send("u", "v", "c>b", start, start + 1.5)])
        assert [v.rule for v in violations] == ([] if holds else ["link"])
        assert all((v.items, v.time) == (("c", "b", "x", "u"), 2.5) for v in violations)


# -- data and moves ------------------------------------------------------------------------------

READER = Task("x", work=2, reads=("d",))
STAR = [Link("a", "b", 10, 0.5), Link("c", "b", 10, 0.5), Link("a", "c", 10, 2)]


def reading(
    origin: str, copies: list[str], finish: float = 1.5, **data: Any
) -> tuple[Problem, list[Violation]]:
    """What is found if x on b reads d of node c from a node, with copies of d."""
    item = Data("d", 10, **({"home": ("c",), "max_copies": None} | data))
    problem = instance([READER], nodes=[A, B, C], links=STAR, data=[item])
    read = send("d", "x", f"{origin}>b", 0, finish, kind="read")
    rows = [{"data": "d", "node": node} for node in copies]
    return problem, found(problem, [run("x", "b", finish, finish + 2)], [read], rows)


def test_a_home_or_a_copy_needs_no_read() -> None:
    problem, violations = reading("c", ["b"])
    assert one(violations) == ("unneeded-transfer", ("d", "x"), None, 0, 1)
    assert found(problem, [run("x", "c", 0, 2)]) == []
    assert one(found(problem, [run("x", "b", 0, 2)])) == (
        "missing-transfer",
        ("d", "x"),
        None,
        1,
        0,
    )


def test_data_comes_from_the_nearest_holder_then_the_first() -> None:
    assert reading("c", [])[1] == []
    assert reading("a", ["a"])[1] == []  # as near as c, and listed first
    assert one(reading("c", ["a"])[1]) == ("source", ("d", "x"), None, "a", "c")


def test_holders_as_near_within_rounding_count_as_equal() -> None:
    for excess, nearest in ((1e-13, "a"), (1e-10, "c")):
        links = [Link("a", "b", 10, 0.5 * (1 + excess)), STAR[1]]
        item = Data("d", 10, ("a", "c"))
        problem = instance([READER], nodes=[A, B, C], links=links, data=[item])
        read = send("d", "x", f"{nearest}>b", 0, 1.5, kind="read")
        assert found(problem, [run("x", "b", 1.5, 3.5)], [read]) == []


def test_data_that_takes_no_time_to_fetch() -> None:
    problem = instance([READER], links=[Link("a", "b")], data=[Data("d", 10, ("a",))])
    read = send("d", "x", "a>b", 0, 0, kind="read")
    assert found(problem, [run("x", "b", 0, 2)], [read]) == []


def test_holders_of_other_data_do_not_count() -> None:
    items = [
        Data(name, 10, (home,), None, require=("safe",)) for name, home in (("d", "c"), ("e", "a"))
    ]
    problem = instance([READER], nodes=[A, B, C], data=items)
    rows = [run("x", "b", 1.5, 3.5)]
    assert [v.rule for v in found(problem, rows)] == ["route"]
    copies = [{"data": "d", "node": "a"}]
    assert [v.rule for v in found(problem, rows, copies=copies)] == ["require", "copy"]


def test_data_comes_over_a_route_that_it_permits() -> None:
    safe = ("safe",)
    nodes = [Node("a", tags=safe), Node("b", tags=safe), C]
    links = [Link("a", "b", 10, 2, tags=safe), Link("c", "b", 10, 0.5, tags=safe)]
    item = Data("d", 10, ("c", "a"), require=safe)
    problem = instance([READER], nodes=nodes, links=links, data=[item])
    far = send("d", "x", "a>b", 0, 3, kind="read")
    assert found(problem, [run("x", "b", 3, 5)], [far]) == []
    near = send("d", "x", "c>b", 0, 1.5, kind="read")
    assert one(found(problem, [run("x", "b", 3, 5)], [near])) == (
        "source", ("d", "x"), None, "a", "c",
    )  # fmt: skip
    bare = instance([READER], nodes=nodes, links=links[1:], data=[item])
    assert one(found(bare, [run("x", "b", 3, 5)], [near])) == (
        "require",
        ("d", "x"),
        None,
        safe,
        None,
    )
    none = instance([READER], nodes=nodes, links=[], data=[item])
    assert one(found(none, [run("x", "b", 3, 5)])) == ("route", ("d", "x"), None, "a route", None)


def test_readers_on_one_node_share_one_fetch() -> None:
    tasks = [READER, Task("y", work=2, reads=("d",))]
    problem = instance(tasks, data=[Data("d", 10, ("a",))])
    rows = [run("x", "b", 1.5, 3.5), run("y", "b", 3.5, 5.5)]
    assert found(problem, rows, [send("d", ["x", "y"], "a>b", 0, 1.5, kind="read")]) == []
    apart = [send("d", name, "a>b", 0, 1.5, kind="read") for name in "xy"]
    assert {v.rule for v in found(problem, rows, apart)} == {"repeated-transfer", "waiting"}


def test_moves() -> None:
    problem = instance([Task("x", work=2, at="a")])
    assert found(problem, [run("x", "a", 0, 2)]) == []
    assert one(found(problem, [run("x", "b", 0.5, 2.5)])) == (
        "missing-transfer",
        ("x",),
        None,
        1,
        0,
    )
    move = send("x", "x", "a>b", 0, 0.5, kind="move")
    assert found(problem, [run("x", "b", 0.5, 2.5)], [move]) == []
    assert one(found(problem, [run("x", "a", 0.5, 2.5)], [move]))[0] == "unneeded-transfer"
    assert one(found(problem, [run("x", "b", 0.25, 2.25)], [move])) == (
        "arrival", ("x",), 0.25, 0.5, 0.25,
    )  # fmt: skip


# -- copies --------------------------------------------------------------------------------------


def copied(copies: list[str], storage: float | None = None, **data: Any) -> list[Violation]:
    """What is found for copies of 10 bytes whose home is a; c has no way in."""
    nodes = [A, Node("b", storage=storage), C]
    item = Data("d", 10, **({"home": ("a",), "max_copies": None} | data))
    problem = instance([X], nodes=nodes, data=[item])
    rows = [{"data": "d", "node": node} for node in copies]
    return found(problem, [run("x", "a", 0, 2)], copies=rows)


def test_copy() -> None:
    assert copied(["b"]) == []
    assert one(copied(["b", "b"])) == ("copy", ("d", "b"), None, "one copy a node", "b")
    assert one(copied(["a"])) == ("copy", ("d", "a"), None, "a node that is no home", "a")
    assert one(copied(["c"])) == ("copy", ("d", "c"), None, "a route from a home", "c")
    assert one(copied(["b"], allow=("c",))) == ("copy", ("d", "b"), None, ("c",), "b")
    assert one(copied(["b"], require=("safe",)))[2:] == (None, "a route from a home", "b")


def test_copies_of_two_data_that_cross() -> None:
    data = [Data("d", 10, ("a",), 1), Data("e", 10, ("b",), 1)]
    tasks = [Task("x", work=2, reads=("e",)), Task("y", work=2, reads=("d",))]
    problem = instance(tasks, data=data)
    rows = [run("x", "a", 0, 2), run("y", "b", 0, 2)]
    copies = [{"data": "d", "node": "b"}, {"data": "e", "node": "a"}]
    assert found(problem, rows, copies=copies) == []
    assert one(found(problem, rows, copies=copies[:1]))[:2] == ("missing-transfer", ("e", "x"))


def test_max_copies() -> None:
    assert one(copied(["b"], max_copies=0)) == ("max-copies", ("d", "b"), None, 0, 1)
    assert copied(["b"], max_copies=1) == []


def test_storage_counts_copies_and_no_home_data() -> None:
    assert one(copied(["b"], storage=9)) == ("storage", ("b", "d"), None, 9.0, 10.0)
    assert copied(["b"], storage=10) == []
    assert copied([], storage=0, home=("b",)) == []


# -- divisible tasks -----------------------------------------------------------------------------


def test_each_part_receives_and_sends_its_share() -> None:
    tasks = [X, Task("w", work=4, divisible=True), Y]
    problem = instance(tasks, [Edge("x", "w", 20), Edge("w", "y", 40)])
    rows = [
        run("x", "a", 0, 2), run("w", "a", 2, 5, fraction=0.75), run("w", "b", 3, 4, fraction=0.25),
        run("y", "a", 5.5, 7.5),
    ]  # fmt: skip
    moves = [send("x", "w", "a>b", 2, 3), send("w", "y", "b>a", 4, 5.5)]  # 5 and 10 bytes
    assert found(problem, rows, moves) == []
    assert one(found(problem, rows, moves[:1])) == ("missing-transfer", ("w", "y"), None, 1, 0)
    early = [*rows[:3], run("y", "a", 4.5, 6.5)]
    rules = [(v.rule, v.items, v.needed) for v in found(problem, early, moves)]
    assert rules[:2] == [("precedence", ("w", "y"), 5.0), ("arrival", ("w", "y"), 5.5)]
    assert rules[2:] == [("slots", ("a", "w", "y"), 1)]


def test_nothing_comes_from_a_divisible_task_that_is_missing() -> None:
    problem = instance([Task("w", work=4, divisible=True), Y], [Edge("w", "y", 10)])
    violations = found(problem, [run("y", "b", 6, 8)], [send("w", "y", "a>b", 4, 5.5)])
    assert [v.rule for v in violations] == ["missing-task", "unneeded-transfer"]


def test_source_of_a_part() -> None:
    tasks = [Task("w", work=4, divisible=True), Y]
    problem = instance(tasks, [Edge("w", "y", 10)], nodes=[A, B, C], links=STAR)
    rows = [run("w", "a", 0, 4, fraction=1.0), run("y", "b", 6, 8)]
    rules = [(v.rule, v.found) for v in found(problem, rows, [send("w", "y", "c>b", 4, 5.5)])]
    assert rules == [("missing-transfer", 0), ("source", "c")]
