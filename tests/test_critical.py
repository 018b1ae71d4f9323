"""Why a plan takes as long as it does, how far its tasks may slip, and its memory at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from command_line import layers, street
from decisions import BUSY, draw_decisions
from drawing import draw_plan, draw_problem
from hand_plans import A, B, instance, plan, run, send

import offload
from offload import Edge, Link, Node, Problem, Task, critical_path, slack
from offload.carrying import retimed
from offload.event_graph import EventGraph
from offload.features import FEATURES
from offload.plan import Plan
from offload.problem import Codec
from offload.resources import memory_peaks
from offload.transfers import required_transfers

INSTANCES = Path(__file__).parents[1] / "instances"


def planned(problem: offload.Problem, start: list[float], nodes: list[int] | None = None) -> Plan:
    """A plan with given starts, on the first node unless told otherwise."""
    tables = problem.tables
    placed = np.array([nodes or [0] * tables.tasks], np.int32)
    begin = np.array(start, float)
    finish = begin + tables.execution(np.arange(tables.tasks), placed[0])
    required = required_transfers(tables, placed)
    rows = required.rows
    sent = finish[tables.item_src[rows.ref]] if len(rows.ref) else np.zeros(0)
    delay = tables.transfer(rows.size, rows.src, rows.dst).total
    timed = required._replace(rows=rows._replace(start=sent, finish=sent + delay))
    return Plan.assemble(problem, placed[0], begin, finish, timed)


def two_tasks(slots: int, *, release: float = 0.0, memory: float = 8.0) -> offload.Problem:
    """Two independent tasks of 2 s and 3 s that need 3 and 5 bytes, and hold 1 each."""
    node = offload.Node("n", slots=slots, memory=memory)
    first = offload.Task("first", work=2.0, memory=3.0, resident=1.0)
    second = offload.Task("second", work=3.0, memory=5.0, resident=1.0, release=release)
    return offload.Problem(
        network=offload.Network((node,)),
        graph=offload.Graph(
            (
                first,
                second,
            )
        ),
    )


def tiles(frame: pd.DataFrame, latency: float) -> bool:
    """Whether the pieces follow one another from 0 to the latency."""
    begin, end = frame["begin"].to_numpy(), frame["end"].to_numpy()
    follows = begin[0] == 0 and end[-1] == latency and (begin[1:] == end[:-1]).all()
    return bool(follows and (frame["seconds"] == end - begin).all() and (begin <= end).all())


def told(made: Plan) -> list[tuple[object, ...]]:
    """The critical path, a tuple a piece."""
    columns = ["what", "kind", "where", "begin", "end", "cause"]
    return list(critical_path(made)[columns].itertuples(index=False, name=None))


# -- critical path ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["heft", "cpop", "local"])
def test_the_critical_path_goes_from_0_to_the_latency(method: str) -> None:
    for problem in (offload.load(INSTANCES / "topcuoglu-2002.json"), street(), layers(6, 6, 4)):
        made = offload.solve(problem, method=method).plan
        assert made is not None
        frame = critical_path(made)
        assert tiles(frame, made.metrics["latency"])
        assert "idle" not in set(frame["cause"])


def random_plans(count: int) -> Iterator[tuple[str, Plan]]:
    """Plans that hold, drawn with pauses between tasks, or decoded and re-timed."""
    for seed in range(count):
        busy = seed % 3 == 0  # on links
        problem = draw_problem(seed, BUSY if busy else FEATURES, tasks=(2, 9), nodes=(1, 3))
        drawn = draw_plan(problem, seed)
        if drawn is not None:
            yield f"drawn {seed}", drawn
        if problem.tables.divisible.any():
            continue
        found = offload.evaluate(problem, *draw_decisions(problem, seed))
        for b in np.flatnonzero(found.feasible)[:2].tolist():
            yield f"decoded {seed}.{b}", found.plan(b)
            yield f"re-timed {seed}.{b}", retimed(found.plan(b))


def test_the_critical_path_of_any_plan_has_no_gap() -> None:
    causes: set[str] = set()
    for where, made in random_plans(36):
        frame = critical_path(made)
        assert tiles(frame, made.metrics["latency"]), where
        causes.update(frame["cause"])
        if where.startswith("re-timed"):  # nothing can begin earlier
            assert "idle" not in set(frame["cause"]), where
    assert causes >= {"start", "input", "release", "slots", "channel", "idle"}


def test_each_cause_is_told_apart() -> None:
    queue = told(planned(two_tasks(1), [0.0, 2.0]))
    assert queue == [
        ("first", "task", "n", 0.0, 2.0, "start"), ("second", "task", "n", 2.0, 5.0, "slots"),
    ]  # fmt: skip
    late = told(planned(two_tasks(1, release=7.0), [0.0, 7.0]))
    assert late == [
        ("second", "wait", "n", 0.0, 7.0, "release"), ("second", "task", "n", 7.0, 10.0, "release"),
    ]  # fmt: skip
    lazy = told(planned(two_tasks(2, memory=100.0), [4.0, 3.0]))
    assert lazy == [
        ("first", "wait", "n", 0.0, 4.0, "idle"),
        ("first", "task", "n", 4.0, 6.0, "idle"),
    ]
    slow = told(planned(two_tasks(1), [0.0, 2.5]))
    assert slow == [
        ("first", "task", "n", 0.0, 2.0, "start"), ("second", "wait", "n", 2.0, 2.5, "idle"),
        ("second", "task", "n", 2.5, 5.5, "idle"),
    ]  # fmt: skip
    full = critical_path(planned(two_tasks(2), [0.0, 2.0]))  # 8 bytes: 1 + 1 and 3, then 5
    assert full["cause"].tolist() == ["start", "memory"]
    assert full["why"].tolist() == ["", "first held the memory"]
    room = told(planned(two_tasks(2, memory=100.0), [0.0, 2.0]))
    assert room[0] == ("second", "wait", "n", 0.0, 2.0, "idle")  # it need not have waited
    sent = told(planned(street(), [0.0, 0.202, 0.702], [0, 1, 1]))
    assert [row[:3] + row[5:] for row in sent] == [
        ("grab", "task", "cam", "start"), ("grab -> detect", "transfer", "cam-edge", "input"),
        ("detect", "task", "edge", "input"), ("alarm", "task", "edge", "input"),
    ]  # fmt: skip


def two_messages(encode: float = 0.0) -> Plan:
    """Two messages of 1 s each over a link with one channel; the second waits for the first."""
    link = Link("a", "b", bandwidth=10, channels=1)
    codec = Codec("zip", ratio=1, encode=encode, decode=0)
    problem = instance(
        [Task("x", work=1), Task("y", work=1), Task("z", work=2)],
        [Edge("x", "y", 10), Edge("x", "z", 10, codecs=("zip",))], links=(link,),
        nodes=(A, Node("b", slots=2)), codecs=(codec,),
    )  # fmt: skip
    late = 1 - 10 * encode
    return plan(
        problem,
        [run("x", "a", 0, 1), run("y", "b", 2, 3), run("z", "b", 3, 5)],
        [
            send("x", "y", "a>b", 1, 2),
            send("x", "z", "a>b", 1 + late, 3, codec="zip" if encode else None),
        ],
    )


@pytest.mark.parametrize("encode", [0.0, 0.05])
def test_a_transfer_that_waits_for_its_link_comes_after_the_one_that_held_it(encode: float) -> None:
    made = two_messages(encode)
    assert offload.check(made.problem, made) == []
    frame = critical_path(made)
    assert frame["what"].tolist() == ["x", "x -> y", "x -> z", "z"]
    assert frame["cause"].tolist() == ["start", "input", "channel", "input"]
    assert frame["begin"].tolist() == [0, 1, 2, 3]  # encoding goes on while the other one holds it
    assert frame["why"].iloc[2] == "x -> y held the link"


def test_a_plan_that_never_ends_or_never_begins_has_no_critical_path() -> None:
    made = planned(two_tasks(1), [0.0, float("inf")])
    assert critical_path(made).empty
    assert slack(made)["slack"].isna().all()
    empty = Problem(network=offload.Network((Node("n"),)))
    assert critical_path(planned(empty, [])).empty
    assert slack(planned(empty, [])).empty


# -- slack -----------------------------------------------------------------------------------------


def test_slack_by_hand() -> None:
    problem = instance(
        [Task("x", work=1), Task("y", work=2), Task("z", work=1), Task("w", work=1, deadline=4)],
        [Edge("x", "z", 10), Edge("y", "z")], links=(Link("a", "b", bandwidth=10, latency=0.5),),
        nodes=(A, B),
    )  # fmt: skip
    made = plan(
        problem,
        [run("x", "a", 0, 1), run("y", "b", 0, 2), run("z", "b", 2.5, 3.5), run("w", "a", 1, 2)],
        [send("x", "z", "a>b", 1, 2.5)],
    )
    assert offload.check(problem, made) == []
    frame = slack(made).set_index("task")
    assert frame["slack"].to_dict() == {"x": 0.0, "y": 0.5, "z": 0.0, "w": 1.5}
    assert frame["free"].to_dict() == {"x": 0.0, "y": 0.5, "z": 0.0, "w": 1.5}
    assert frame["critical"].to_dict() == {"x": True, "y": False, "z": True, "w": False}
    assert frame["latest"].to_dict() == {"x": 1.0, "y": 2.5, "z": 3.5, "w": 3.5}
    assert set(frame["limit"]) == {"latency"}
    tight = problem.replace(graph=msgspec.structs.replace(problem.graph, tasks=(
        *problem.graph.tasks[:3], Task("w", work=1, deadline=2.25)
    )))  # fmt: skip
    again = plan(
        tight,
        [run("x", "a", 0, 1), run("y", "b", 0, 2), run("z", "b", 2.5, 3.5), run("w", "a", 1, 2)],
        [send("x", "z", "a>b", 1, 2.5)],
    )
    row = slack(again).set_index("task").loc["w"]
    assert (row["slack"], row["limit"]) == (0.25, "deadline of w")


def delayed(made: Plan, part: int, seconds: float) -> Plan:
    """The plan with one part later, and what waits for it as much later as it must."""
    graph = EventGraph(made)
    start = graph.start.copy()
    start[part] += seconds
    for event in graph.order():
        arcs = graph.incoming.of(event)
        start[event] = max(
            start[event], (start[graph.src[arcs]] + graph.lag[arcs]).max(initial=0.0)
        )
    begin, sent = start[: graph.parts], start[graph.parts :]
    end, arrived = begin + graph.length[: graph.parts], sent + graph.length[graph.parts :]
    return Plan(
        made.problem, made.parts._replace(start=begin, finish=end),
        made.transfers._replace(start=sent, finish=arrived), made.waiting, made.copies,
    )  # fmt: skip


def test_a_plan_holds_with_any_task_later_by_its_slack_and_its_latency_stays() -> None:
    slipped = 0
    for where, made in random_plans(24):
        latency = made.metrics["latency"]
        frame = slack(made)
        assert (frame["slack"] >= 0).all(), where
        assert (frame["free"].between(0, frame["slack"] + 1e-9 * latency)).all(), where
        for part in np.flatnonzero(frame["slack"] > 1e-6 * latency).tolist():
            later = delayed(made, part, float(frame["slack"].iloc[part]))
            assert offload.check(made.problem, later, limits={}) == [], (where, part)
            assert later.metrics["latency"] <= latency * (1 + 1e-9), (where, part)
            free = delayed(made, part, float(frame["free"].iloc[part]))
            others = np.arange(len(frame)) != part
            moved = np.abs(free.parts.start - made.parts.start)[others]
            assert moved.max(initial=0.0) <= 1e-9 * latency, (where, part)
            slipped += 1
    assert slipped > 60


def test_a_task_released_later_than_its_slack_permits_makes_the_plan_longer() -> None:
    kept, longer = 0, 0
    features = [f for f in FEATURES if f not in ("splitting", "slots", "deadline", "limits")]
    for seed in range(24):
        problem = draw_problem(seed, features, tasks=(2, 8), nodes=(1, 3))
        if any(link.channels not in (None, 1) for link in problem.network.links):
            continue
        found = offload.evaluate(problem, *draw_decisions(problem, seed))
        if not found.feasible.any():
            continue
        made = retimed(found.plan(int(np.argmax(found.feasible))))
        latency, frame = made.metrics["latency"], slack(made)
        for i, room in enumerate(frame["slack"].tolist()):
            for extra in (0.0, 0.01 * latency):
                tasks = list(problem.graph.tasks)
                release = float(made.parts.start[i] + room + extra)
                tasks[i] = msgspec.structs.replace(tasks[i], release=release)
                graph = msgspec.structs.replace(problem.graph, tasks=tuple(tasks))
                later = retimed(made, problem.replace(graph=graph)).metrics["latency"]
                if extra:
                    assert later > latency * (1 + 1e-9), (seed, i)
                    longer += 1
                else:
                    assert later <= latency * (1 + 1e-9), (seed, i)
                    kept += room > 0
    assert kept > 15
    assert longer > 30


# -- memory ----------------------------------------------------------------------------------------


def test_memory_at_its_peak() -> None:
    assert memory_peaks(planned(two_tasks(1), [0.0, 2.0])).tolist() == [7.0]
    assert memory_peaks(planned(two_tasks(2), [0.0, 0.0])).tolist() == [10.0]
    touching = planned(two_tasks(1), [0.0, 2.0 * (1 - 1e-16)])
    assert memory_peaks(touching).tolist() == [7.0]
