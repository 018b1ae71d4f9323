"""Each rule of the checker on tasks, by the smallest plan that breaks it, to the exact figure."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any, Literal

import pytest
from hand_plans import AB, A, B, found, instance, one, plan, run, send
from plan_documents import Row

from offload.checker import RULES, check
from offload.plan import Violation
from offload.problem import Edge, Group, Link, Mode, Node, Task

Rule = Literal["together", "apart", "contiguous"]
X, Y, Z = Task("x", work=2), Task("y", work=2), Task("z", work=2)
CHAIN = [run("x", "a", 0, 2), run("y", "b", 3.5, 5.5)]
MOVE = [send("x", "y", "a>b", 2, 3.5)]


def test_a_plan_that_holds_has_no_violation() -> None:
    assert found(instance([X, Y], [AB]), CHAIN, MOVE) == []


def test_a_violation_reads_as_a_sentence() -> None:
    (violation,) = found(instance([X, Y]), [run("x", "a", 0, 2), run("y", "a", 1, 3)])
    assert str(violation) == "slots: 2 slots of 1 are used on a at 1 s: x, y"


def test_all_violations_come_in_the_order_of_the_rules() -> None:
    tasks = [Task("x", work=2, deadline=1), Task("y", work=2, release=1), Z]
    rules = [v.rule for v in found(instance(tasks), [run("x", "a", 0, 2), run("y", "a", 0, 5)])]
    assert rules == ["missing-task", "duration", "release", "deadline", "slots"]
    assert rules == sorted(rules, key=list(RULES).index)


# -- the rows of tasks ---------------------------------------------------------------------------


def test_times() -> None:
    problem = instance([X])
    rule = "times", ("x", "a"), None, "finite times from 0 on"
    assert one(found(problem, [run("x", "a", -1, 1)])) == (*rule, (-1.0, 1.0))
    assert one(found(problem, [run("x", "a", 0, math.inf)])) == (*rule, (0.0, math.inf))
    (violation,) = found(problem, [run("x", "a", math.nan, 2)])
    assert violation.rule == "times"
    assert math.isnan(violation.found[0])


def test_missing_task() -> None:
    assert one(found(instance([X, Y]), [run("x", "a", 0, 2)])) == (
        "missing-task",
        ("y",),
        None,
        1,
        0,
    )


def test_repeated_task() -> None:
    rows = [run("x", "a", 0, 2), run("x", "b", 9, 11), run("x", "a", 4, 6)]
    assert one(found(instance([X]), rows)) == ("repeated-task", ("x", "a", "b"), None, 1, 3)


def test_repeated_part_of_a_divisible_task() -> None:
    rows = [run("x", "a", 0, 1, fraction=0.5), run("x", "b", 0, 1, fraction=0.5)]
    problem = instance([Task("x", work=2, divisible=True)])
    assert found(problem, rows) == []
    again = [*rows, run("x", "b", 1, 2, fraction=0.5)]
    assert one(found(problem, again)) == ("repeated-task", ("x", "b"), None, 1, 2)


def test_fraction() -> None:
    problem = instance([Task("x", work=2, divisible=True), Y])
    y = run("y", "a", 5, 7)
    short = [run("x", "a", 0, 1, fraction=0.5), run("x", "b", 0, 0.5, fraction=0.25), y]
    assert one(found(problem, short)) == ("fraction", ("x",), None, 1.0, 0.75)
    zero = [run("x", "a", 0, 2, fraction=1.0), run("x", "b", 0, 0, fraction=0.0), y]
    assert one(found(problem, zero)) == ("fraction", ("x", "b"), None, "> 0", 0.0)
    part = [run("x", "a", 0, 2, fraction=1.0), y | {"fraction": 0.5}]
    assert one(found(problem, part)) == ("fraction", ("y", "a"), None, 1.0, 0.5)


def test_fractions_sum_to_one_within_the_tolerance() -> None:
    problem = instance([Task("x", work=2, divisible=True)])
    for error, holds in ((5e-10, True), (5e-9, False)):
        half = 0.5 + error
        rows = [run("x", "a", 0, 1, fraction=0.5), run("x", "b", 0, 2 * half, fraction=half)]
        assert (found(problem, rows) == []) == holds


def test_mode() -> None:
    node = Node("a", modes=(Mode("eco", 0.5, 1),))
    divisible = instance([Task("x", work=2, divisible=True)], nodes=[node, B])
    row = run("x", "a", 0, 4, mode="eco", fraction=1.0)
    assert one(found(divisible, [row])) == ("mode", ("x", "a"), None, "default", "eco")
    whole = instance([X], nodes=[node, B])
    assert found(whole, [run("x", "a", 0, 4, mode="eco")]) == []
    unknown = plan(whole, [run("x", "b", 0, 4)])
    unknown.parts.mode[0] = 1  # node b has but one
    assert one(check(whole, unknown)) == ("mode", ("x", "b"), None, ("default",), 1)
    split = plan(divisible, [run("x", "b", 0, 2, fraction=1.0)])
    split.parts.mode[0] = 1
    assert one(check(divisible, split)) == ("mode", ("x", "b"), None, ("default",), 1)


def test_allow() -> None:
    problem = instance([Task("x", work=2, allow=("a", "tier:cloud"))])
    rule = "allow", ("x", "b"), None, ("a", "tier:cloud"), "b"
    assert one(found(problem, [run("x", "b", 0, 2)])) == rule


def test_runs_where_slots_are_enough() -> None:
    problem = instance([Task("x", work=2, slots=2)], nodes=[Node("a", slots=2), B])
    assert one(found(problem, [run("x", "b", 0, 2)])) == ("runs", ("x", "b"), None, 2, 1)
    relay = instance([X], nodes=[A, Node("b", slots=0)])
    assert one(found(relay, [run("x", "b", 0, 2)])) == ("runs", ("x", "b"), None, 1, 0)


@pytest.mark.parametrize(
    ("task", "needed"),
    [
        (Task("x", time={"a": 2}), "a time or work"),
        (Task("x", work=2, memory={"a": 1}), "an entry of memory"),
        (Task("x", work=2, resident={"a": 1}), "an entry of resident"),
    ],
)
def test_runs_where_time_and_sizes_are_known(task: Task, needed: str) -> None:
    problem = instance([task])
    assert found(problem, [run("x", "a", 0, 2)]) == []
    assert one(found(problem, [run("x", "b", 0, 2)])) == ("runs", ("x", "b"), None, needed, None)


# -- groups --------------------------------------------------------------------------------------


def test_together() -> None:
    problem = instance([X, Y, Z], groups=[Group("together", ("x", "z"))])
    rows = [run("x", "a", 0, 2), run("y", "b", 2, 4), run("z", "b", 0, 2)]
    assert one(found(problem, rows)) == ("together", ("x", "z"), None, 1, 2)


def test_apart() -> None:
    problem = instance([X, Y, Z], groups=[Group("apart", ("x", "y", "z"))])
    rows = [run("x", "a", 0, 2), run("y", "b", 2, 4), run("z", "b", 0, 2)]
    assert one(found(problem, rows)) == ("apart", ("y", "z", "b"), None, 1, 2)


def contiguous(place: dict[str, str], edges: str, named: str) -> list[Violation]:
    """What is found for tasks of no work, placed as told, with free transfers."""
    nodes = [Node(name, slots=9) for name in sorted(set(place.values()))]
    links = [Link(k.id, l.id) for n, k in enumerate(nodes) for l in nodes[n + 1 :]]
    pairs = [(edge[0], edge[1]) for edge in edges.split()]
    group = Group("contiguous", tuple(named))
    tasks = [Task(name, work=0) for name in place]
    problem = instance(tasks, [Edge(i, j) for i, j in pairs], [group], nodes=nodes, links=links)
    moves = [send(i, j, f"{place[i]}>{place[j]}", 0, 0) for i, j in pairs if place[i] != place[j]]
    merged: dict[tuple[str, str, str], Row] = {}
    for move in moves:
        merged.setdefault((move["src"], move["to"], move["dst"][0]), move)
    return found(problem, [run(i, k, 0, 0) for i, k in place.items()], list(merged.values()))


def test_contiguous() -> None:
    place = {"x": "a", "y": "b", "z": "a"}
    rule = "contiguous", ("a", "y"), None, 0, 1
    assert one(contiguous(place, "xy yz", "xyz")) == rule
    assert one(contiguous(place | {"w": "b"}, "xy yw wz", "xyzw"))[1] == ("a", "y", "w")
    assert contiguous(place | {"w": "a"}, "xw wz wy", "xyzw") == []


def test_contiguous_looks_at_paths_among_the_named_tasks_alone() -> None:
    assert contiguous({"x": "a", "y": "b", "z": "a"}, "xy yz", "xz") == []


def test_contiguous_asks_for_a_path_not_for_a_cycle_of_nodes() -> None:
    place = {"u": "a", "v": "b", "w": "b", "x": "a"}
    assert contiguous(place, "uv wx", "uvwx") == []
    both = contiguous(place, "uv vw wx", "uvwx")
    assert one(both)[1] == ("a", "v", "w")


@pytest.mark.parametrize("rule", ["together", "apart", "contiguous"])
def test_only_the_group_that_is_broken_is_named(rule: Rule) -> None:
    fine = {"together": ("u", "v"), "apart": ("u", "w"), "contiguous": ("u", "v", "w")}[rule]
    bad = {"together": ("v", "w"), "apart": ("v", "x"), "contiguous": ("v", "w", "x")}[rule]
    place = {"u": "a", "v": "a", "w": "b", "x": "a"}
    edges = [Edge("u", "v"), Edge("v", "w"), Edge("w", "x")]
    tasks = [Task(name, work=0) for name in place]
    groups = [Group(rule, names) for names in (fine, bad, fine)]
    problem = instance(tasks, edges, groups, links=[Link("a", "b")])
    moves = [send("v", "w", "a>b", 0, 0), send("w", "x", "b>a", 0, 0)]
    violation = one(found(problem, [run(i, k, 0, 0) for i, k in place.items()], moves))
    items = {"together": bad, "apart": ("v", "x", "a"), "contiguous": ("a", "w")}[rule]
    assert violation[:2] == (rule, items)


# -- times of tasks ------------------------------------------------------------------------------


def test_duration() -> None:
    problem = instance([X])
    assert one(found(problem, [run("x", "a", 1, 2.5)])) == ("duration", ("x", "a"), 1.0, 3.0, 2.5)
    assert one(found(problem, [run("x", "a", 1, 4)])) == ("duration", ("x", "a"), 1.0, 3.0, 4.0)


def test_duration_of_a_mode_and_of_a_part() -> None:
    fast = instance([Task("x", time={"a": 3})], nodes=[Node("a", modes=(Mode("fast", 2, 1),)), B])
    assert found(fast, [run("x", "a", 0, 1.5, mode="fast")]) == []
    part = instance([Task("x", work=8, divisible=True)])
    rows = [run("x", "a", 0, 2, fraction=0.25), run("x", "b", 1, 8, fraction=0.75)]
    assert one(found(part, rows)) == ("duration", ("x", "b"), 1.0, 7.0, 8.0)


def test_release() -> None:
    problem = instance([Task("x", work=2, release=1.5)])
    assert one(found(problem, [run("x", "a", 1, 3)])) == ("release", ("x", "a"), 1.0, 1.5, 1.0)
    assert found(problem, [run("x", "a", 1.5, 3.5)]) == []


def test_deadline() -> None:
    problem = instance([Task("x", work=2, deadline=2.5)])
    assert one(found(problem, [run("x", "a", 1, 3)])) == ("deadline", ("x", "a"), 3.0, 2.5, 3.0)
    assert found(problem, [run("x", "a", 0.5, 2.5)]) == []


def test_each_part_keeps_release_and_deadline() -> None:
    problem = instance([Task("x", work=2, divisible=True, release=1, deadline=3)])
    rows = [run("x", "a", 0, 1, fraction=0.5), run("x", "b", 3, 4, fraction=0.5)]
    assert [(v.rule, v.items) for v in found(problem, rows)] == [
        ("release", ("x", "a")), ("deadline", ("x", "b")),
    ]  # fmt: skip


def test_precedence() -> None:
    problem = instance([X, Y], [AB, Edge("x", "y", 1, item="more")], nodes=[Node("a", slots=2), B])
    rows = [run("x", "a", 0, 2), run("y", "a", 1, 3)]
    assert one(found(problem, rows)) == ("precedence", ("x", "y"), 1.0, 2.0, 1.0)


def test_each_broken_precedence_is_named() -> None:
    # Tasks in this order, so that sums of their positions are alike: 0 + 3 and 1 + 2.
    tasks = [Task(name, work=2) for name in "wxyz"]
    problem = instance(
        tasks, [Edge("w", "z"), Edge("x", "y")], nodes=[Node("a", slots=4)], links=[]
    )
    violations = found(problem, [run(name, "a", 0, 2) for name in "wxyz"])
    assert [(v.rule, v.items) for v in violations] == [
        ("precedence", ("w", "z")), ("precedence", ("x", "y")),
    ]  # fmt: skip


def test_due_is_a_wish() -> None:
    assert found(instance([Task("x", work=2, due=1)]), [run("x", "a", 0, 2)]) == []


# -- capacities of nodes -------------------------------------------------------------------------


def three(starts: tuple[float, float, float], slots: int, **node: Any) -> list[Violation]:
    """Tasks of 2 s and 10 bytes on one node, with 1 byte resident each."""
    tasks = [Task(name, work=2, memory=10, resident=1) for name in "xyz"]
    problem = instance(tasks, nodes=[Node("a", slots=slots, **node)], links=[])
    return found(problem, [run(n, "a", s, s + 2) for n, s in zip("xyz", starts, strict=True)])


def test_slots_at_their_peak() -> None:
    rule = "slots", ("a", "x", "y", "z"), 1.0, 2, 3
    assert one(three((0, 0.5, 1), slots=2)) == rule
    assert three((0, 0.5, 2), slots=2) == []


def test_each_period_of_too_many_slots_counts() -> None:
    found = three((0, 1, 2.5), slots=1)
    assert [(v.items, v.time, v.found) for v in found] == [
        (("a", "x", "y"), 1.0, 2), (("a", "y", "z"), 2.5, 2),
    ]  # fmt: skip


def test_a_crowd_is_named_in_part() -> None:
    tasks = [Task(f"t{i}", work=1) for i in range(150)]
    problem = instance(tasks, nodes=[A], links=[])
    (violation,) = found(problem, [run(task.id, "a", 0, 1) for task in tasks])
    assert (violation.found, len(violation.items)) == (150, 101)
    assert violation.message.endswith(", t149 and 50 more")


def test_slots_of_wide_tasks() -> None:
    tasks = [Task("x", work=2, slots=2), Task("y", work=2, slots=2)]
    problem = instance(tasks, nodes=[Node("a", slots=3), B])
    rows = [run("x", "a", 0, 2), run("y", "a", 1, 3)]
    assert one(found(problem, rows)) == ("slots", ("a", "x", "y"), 1.0, 3, 4)


def test_intervals_that_touch_do_not_overlap() -> None:
    assert three((0, 2, 4), slots=1, memory=13) == []


def test_intervals_of_length_zero_hold_nothing() -> None:
    tasks = [X, Task("y", work=0, memory=9), Task("z", work=0, memory=9)]
    problem = instance(tasks, nodes=[Node("a", memory=5), B])
    rows = [run("x", "a", 0, 2), run("y", "a", 1, 1), run("z", "a", 1, 1)]
    assert found(problem, rows) == []


def test_intervals_are_shortened_by_the_tolerance_at_each_end() -> None:
    latency = 4.0
    for overlap, holds in ((1.9e-9 * latency, True), (2.1e-9 * latency, False)):
        rows = [run("x", "a", 0, 2), run("y", "a", 2 - overlap, 4 - overlap)]
        assert (found(instance([X, Y]), rows) == []) == holds


def test_memory_of_running_and_resident_tasks() -> None:
    assert one(three((0, 1, 9), slots=3, memory=22)) == (
        "memory", ("a", "x", "y", "z"), 1.0, 22.0, 23.0,
    )  # fmt: skip
    assert three((0, 1, 9), slots=3, memory=23) == []


def test_memory_of_resident_tasks_alone_has_no_time() -> None:
    tasks = [Task("x", work=0, resident=3), Task("y", work=0, resident=4)]
    problem = instance(tasks, nodes=[Node("a", memory=5), B])
    rows = [run("x", "a", 0, 0), run("y", "a", 0, 0)]
    assert one(found(problem, rows)) == ("memory", ("a", "x", "y"), None, 5.0, 7.0)


def test_memory_by_selector_and_by_fraction() -> None:
    tasks = [Task("x", work=4, memory={"a": 8, "*": 40}, resident=4, divisible=True)]
    rows = [run("x", "a", 0, 2, fraction=0.5), run("x", "b", 0, 2, fraction=0.5)]
    fits = instance(tasks, nodes=[Node("a", memory=6), Node("b", memory=22)])
    assert found(fits, rows) == []
    tight = instance(tasks, nodes=[Node("a", memory=5.9), Node("b", memory=22)])
    assert one(found(tight, rows)) == ("memory", ("a", "x"), 0.0, 5.9, 6.0)


def test_memory_has_a_relative_tolerance_and_slots_have_none() -> None:
    assert three((0, 0, 0), slots=3, memory=33 * (1 - 5e-10)) == []
    assert one(three((0, 0, 0), slots=3, memory=33 * (1 - 5e-9)))[0] == "memory"


@pytest.mark.parametrize("seed", range(20))
def test_peaks_are_those_of_a_look_at_every_moment(seed: int) -> None:
    dice = random.Random(seed)
    spans = [(s, s + dice.randint(0, 6)) for s in (dice.randint(0, 20) for _ in range(25))]
    widths = [dice.randint(1, 3) for _ in spans]
    tasks = [
        Task(f"t{i}", work=b - a, slots=w)
        for i, ((a, b), w) in enumerate(zip(spans, widths, strict=True))
    ]
    problem = instance(tasks, nodes=[Node("a", slots=5)], links=[])
    # Before each whole second what runs across it, then what runs from it on.
    levels = [
        sum(w for (a, b), w in zip(spans, widths, strict=True) if a + late <= t < b)
        for t in range(30)
        for late in (1, 0)
    ]
    peaks = []
    for over, group in itertools.groupby(range(60), key=lambda n: levels[n] > 5):
        if over:
            top = max(group, key=lambda n: levels[n])
            now = {f"t{i}" for i, (a, b) in enumerate(spans) if a <= top // 2 < b}
            peaks.append((top // 2, levels[top], {"a"} | now))
    rows = [run(f"t{i}", "a", a, b) for i, (a, b) in enumerate(spans)]
    for tolerance in (1e-9, 0.0):
        violations = found(problem, rows, tolerance=tolerance)
        assert [(v.time, v.found, set(v.items)) for v in violations] == peaks


def test_a_violation_of_memory_names_those_that_hold_some() -> None:
    tasks = [Task("x", work=2, memory=3), Y, Task("z", work=2, memory=3)]
    problem = instance(tasks, nodes=[Node("a", slots=3, memory=5)], links=[])
    rows = [run(name, "a", 0, 2) for name in "xyz"]
    assert one(found(problem, rows)) == ("memory", ("a", "x", "z"), 0.0, 5.0, 6.0)
