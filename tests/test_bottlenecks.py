"""Bottlenecks: what binds, what it is worth, and ranges that bracket closed forms."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drawing import draw_problem
from test_sweeps import offloading

import offload
from offload import Edge, Graph, Link, Network, Node, Problem, Task
from offload.binding import COLUMNS
from offload.features import FEATURES


def rows(frame: pd.DataFrame) -> dict[tuple[str, str], Any]:
    """Rows by kind and name."""
    return {(row["kind"], row["name"]): row for row in frame.to_dict("records")}


def looked(problem: Problem, **options: Any) -> pd.DataFrame:
    """Bottlenecks by an exact method."""
    return offload.bottlenecks(problem, method="cpsat", threads=1, **options)


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, str], Any]:
    """All there is to say of the plan that offloads: 1 s, 0.7 s on the link, 0.5 s."""
    frame = looked(offloading(), ranges=3, time_limit=30)
    assert frame.attrs["objective"] == pytest.approx(2.2)
    assert frame.attrs["status"] == "optimal"
    assert frame.attrs["complete"]
    return rows(frame)


def test_the_critical_path_is_shared_out(found: dict[tuple[str, str], Any]) -> None:
    shares = {key: row["seconds"] for key, row in found.items() if row["seconds"]}
    assert shares == {
        ("speed", "dev"): pytest.approx(1.0), ("bandwidth", "dev-edge"): pytest.approx(0.7),
        ("speed", "edge"): pytest.approx(0.5),
    }  # fmt: skip
    assert sum(row["share"] for row in found.values()) == pytest.approx(1)


def test_worth_is_what_a_tenth_more_gives_in_the_same_placement(
    found: dict[tuple[str, str], Any],
) -> None:
    for key, seconds in ((("speed", "dev"), 1), (("bandwidth", "dev-edge"), 0.7),
                         (("speed", "edge"), 0.5)):  # fmt: skip
        assert found[key]["worth"] == pytest.approx(seconds * (1 - 1 / 1.1) / 2.2)
        assert found[key]["binds"]
    assert found[("slots", "edge")]["worth"] == 0
    assert not found[("slots", "edge")]["binds"]


@pytest.mark.parametrize(
    ("key", "side", "factor"),
    [
        (("bandwidth", "dev-edge"), "down", 2e6 / 1e7),  # 7 MB in 3.5 s
        (("speed", "edge"), "down", 4e9 / 3.3 / 8e9),  # 4 Gop in 4 s - 0.7 s
        (("speed", "dev"), "up", 4 / 1.2),  # 4 s / factor = 0.7 s + 0.5 s
    ],
)
def test_ranges_bracket_the_closed_forms_and_are_proved(
    found: dict[tuple[str, str], Any], key: tuple[str, str], side: str, factor: float
) -> None:
    row = found[key]
    kept, changed = row[side], row[f"{side}_changed"]
    near, far = sorted([kept, changed])
    assert near <= factor * (1 + 1e-3)  # another one counts from 1e-4 of the objective on
    assert factor * (1 - 1e-3) <= far <= near * 1.011
    assert row["range"] == "proved"
    other = "up" if side == "down" else "down"
    assert row[other] == pytest.approx(10 if other == "up" else 0.1)
    assert np.isnan(row[f"{other}_changed"])


def test_memory_can_shrink_to_its_peak(found: dict[tuple[str, str], Any]) -> None:
    row = rows(looked(offloading(), ranges=0))[("memory", "edge")]
    assert row["utilisation"] == pytest.approx(5 / 6)
    assert row["spare"] == pytest.approx(1e8)
    assert row["binds"] is False
    full = looked(
        Problem(
            network=Network(
                (Node("dev"), Node("edge", speed=4, memory=10)), (Link("dev", "edge"),)
            ),
            graph=Graph((Task("a", work=8, resident=6), Task("b", work=8, resident=6))),
        ),
        ranges=9, time_limit=20,
    )  # fmt: skip
    row = rows(full)[("memory", "edge")]
    assert row["binds"]
    assert row["range"] == "proved"
    assert row["down_changed"] < 0.6 <= row["down"] <= 0.6 * 1.011
    assert row["up"] < 1.2 <= row["up_changed"] * (1 + 1e-3)  # then both fit: 4 s, not 8 s
    assert row["up_changed"] <= row["up"] * 1.011


def test_deadlines_and_limits_bind_where_more_of_them_is_a_better_plan() -> None:
    tasks = (Task("a", work=4, deadline=2.0),)
    nodes = (Node("slow", busy_power=1), Node("fast", speed=4, busy_power=8))
    problem = Problem(
        network=Network(nodes, (Link("slow", "fast"),)), graph=Graph(tasks), limits={"energy": 9},
    )  # fmt: skip
    cheap = rows(looked(problem, minimize="energy", ranges=9))
    late = cheap[("deadline", "a")]
    assert late["spare"] == pytest.approx(1.0)
    assert late["up"] < 2 <= late["up_changed"] * (1 + 1e-6)  # in 4 s the slow one does it for 4 J
    assert late["binds"]
    assert late["range"] == "proved"
    quick = rows(looked(problem, minimize="latency", ranges=0))
    energy = quick[("limit", "energy")]
    assert energy["utilisation"] == pytest.approx(8 / 9)


def test_a_queue_for_slots_and_channels_is_told_and_one_more_is_worth_it() -> None:
    tasks = [Task("x", work=1), *(Task(f"y{n}", work=2, allow=("edge",)) for n in range(2))]
    problem = Problem(
        network=Network(
            (Node("dev"), Node("edge")), (Link("dev", "edge", bandwidth=1, channels=1),)
        ),
        graph=Graph(tasks, [Edge("x", f"y{n}", bytes=3) for n in range(2)]),
    )
    pinned = problem.replace(graph=Graph(
        (Task("x", work=1, allow=("dev",)), *tasks[1:]), problem.graph.edges
    ))  # fmt: skip
    found = rows(looked(pinned, ranges=0))
    link = found[("channels", "dev-edge")]
    assert link["seconds"] == pytest.approx(3)  # the second message waits for the first
    assert link["worth"] == pytest.approx(1 / 9)  # 9 s; with two channels 4 s and twice 2 s
    assert link["binds"]
    assert found[("slots", "edge")]["worth"] == 0
    assert found[("bandwidth", "dev-edge")]["seconds"] == pytest.approx(6)


def test_speed_is_that_of_given_times_too(paper: Problem) -> None:
    plan = offload.solve(paper, "heft")
    frame = offload.bottlenecks(paper, plan, ranges=0)
    speeds = frame[frame["kind"] == "speed"]
    assert (speeds["worth"] > 0).any()
    assert frame["share"].sum() == pytest.approx(1, abs=0.3)  # waits for slots count beside


def test_a_plan_that_is_not_the_best_is_told() -> None:
    local = offload.solve(offloading(), "local")
    frame = offload.bottlenecks(offloading(), local.plan, "cpsat", ranges=1)
    assert frame["range"].tolist().count("not best") == 1
    assert frame["up"].isna().all()


def test_a_heuristic_finds_ranges_and_proves_none(paper: Problem) -> None:
    frame = offload.bottlenecks(paper, method="heft", ranges=2, reach=4)
    known = frame[frame["range"] != ""]
    assert len(known) == 2
    assert set(known["range"]) <= {"found", "not best"}
    fine = known[known["range"] == "found"]
    assert (fine["down"] <= 1).all()
    assert (fine["up"] >= 1).all()


def test_any_instance_has_a_report() -> None:
    reports = 0
    for seed in range(7):
        problem = draw_problem(seed, FEATURES, tasks=(2, 6), nodes=(2, 3))
        method = "milp" if problem.tables.divisible.any() else "best-of"
        try:
            result = offload.solve(problem, method, time_limit=2, explain=0)
        except offload.Unsupported:
            continue
        if result.plan is None:
            continue
        frame = offload.bottlenecks(problem, result, method, ranges=1, time_limit=1, reach=3)
        assert list(frame.columns) == list(COLUMNS)
        assert not (frame["worth"] < 0).any()
        assert ((frame["down"] <= 1) | frame["down"].isna()).all()
        assert ((frame["up"] >= 1) | frame["up"].isna()).all()
        assert frame["binds"].tolist() == sorted(frame["binds"], reverse=True)
        reports += 1
    assert reports > 3


def test_a_report_that_is_stopped_has_what_is_known() -> None:
    cancel = threading.Event()
    plan = offload.solve(offloading(), "cpsat").plan
    cancel.set()
    frame = offload.bottlenecks(offloading(), plan, "cpsat", cancel=cancel)
    assert len(frame) > 3
    assert set(frame["range"]) == {""}
    assert not frame.attrs["complete"]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"ranges": -1}, "ranges: is out of range, got -1"),
        ({"reach": 1}, "reach: is out of range, got 1; write a factor above 1"),
        ({"precision": 0}, "precision: is out of range, got 0"),
        ({"time_limit": -1}, "time_limit: must be >= 0"),
        ({"method": "magic"}, "magic"),
        ({"limits": {"latency": 0.1}}, "bottlenecks: there is no plan to look at"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], match: str) -> None:
    with pytest.raises(offload.OffloadError, match=match):
        offload.bottlenecks(offloading(), **options)


def test_a_plan_that_breaks_a_limit_is_refused() -> None:
    plan = offload.solve(offloading(), "local").plan
    with pytest.raises(offload.PlanError, match="limits"):
        offload.bottlenecks(offloading(), plan, limits={"latency": 3})
