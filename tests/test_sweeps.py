"""Sweeps: rows as asked for, warm starts, and where the placement changes by a closed form."""

from __future__ import annotations

import pickle
import threading
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command_line import layers, street
from drawing import draw_problem

import offload
from offload import Edge, Graph, Link, Network, Node, Problem, SweepProgress, Task
from offload.carrying import carried, moved
from offload.features import FEATURES
from offload.instance_fields import changed
from offload.registry import entries

BANDWIDTH, SPEED = "network.links[dev-edge].bandwidth", "network.nodes[edge].speed"


def offloading(bandwidth: float = 1e7) -> Problem:
    """Work of 4 s on the device and 0.5 s on the edge, behind 7 MB: equal at 2 MB/s."""
    nodes = (Node("dev", tier="device", speed=1e9), Node("edge", speed=8e9, memory=6e8))
    tasks = (Task("grab", work=1e9, allow=("dev",)), Task("detect", work=4e9, resident=5e8))
    links = (Link("dev", "edge", bandwidth=bandwidth),)
    return Problem(
        network=Network(nodes, links), graph=Graph(tasks, (Edge("grab", "detect", bytes=7e6),))
    )


def test_offloading_pays_from_the_bandwidth_of_the_closed_form_on() -> None:
    values = [1.9e6, 2.1e6, 1e6, 1e7]
    frame = offload.sweep(offloading(), {BANDWIDTH: values})
    assert isinstance(frame, pd.DataFrame)
    assert frame[BANDWIDTH].tolist() == values
    assert frame["status"].tolist() == ["optimal"] * 4
    best = [min(5.0, 1.5 + 7e6 / bandwidth) for bandwidth in values]
    assert frame["objective"].tolist() == pytest.approx(best, rel=1e-9)
    assert frame["placement"].tolist() == [0, 1, 0, 1]
    assert frame["moved"].isna().tolist() == [True, False, False, False]
    assert frame["moved"].tolist()[1:] == [1, 1, 1]
    assert frame["latency"].equals(frame["objective"])
    assert frame.attrs["minimize"] == {"latency": 1.0}
    assert (frame.attrs["paths"], frame.attrs["complete"]) == ([BANDWIDTH], True)


def test_each_row_has_its_plan_that_holds_for_its_own_instance() -> None:
    frame = offload.sweep(offloading(), {BANDWIDTH: [1e6, 1e7]})
    for row, plan in frame.plans.items():
        assert offload.check(plan.problem, plan) == []
        assert plan.problem.network.links[0].bandwidth == frame[BANDWIDTH].iloc[row]
        assert frame.results[row].objective == frame["objective"].iloc[row]
    assert list(frame[frame["moved"] == 1].plans) == [1]  # rows that are left keep theirs
    assert frame[1:].reset_index().plans == {}
    stored = pickle.loads(pickle.dumps(frame))
    pd.testing.assert_frame_equal(pd.DataFrame(stored), pd.DataFrame(frame))
    assert (stored.plans, stored.attrs) == ({}, frame.attrs)
    assert pd.concat([frame, frame]).results == {}


def test_a_grid_has_all_combinations_and_zip_the_pairs() -> None:
    changes = {BANDWIDTH: [1e6, 1e7], SPEED: ["x1", "x2", "x4"]}
    frame = offload.sweep(offloading(), changes, "heft")
    assert frame[BANDWIDTH].tolist() == [1e6] * 3 + [1e7] * 3
    assert frame[SPEED].tolist() == [1, 2, 4] * 2
    assert frame.attrs["factors"] == [SPEED]
    assert frame["objective"].iloc[5] == pytest.approx(1 + 0.7 + 0.125)
    pairs = offload.sweep(offloading(), {BANDWIDTH: [1e6, 1e7], SPEED: ["x1", "x4"]}, "heft",
                          combine="zip")  # fmt: skip
    assert pairs[[BANDWIDTH, SPEED]].to_numpy().tolist() == [[1e6, 1], [1e7, 4]]
    assert pairs["objective"].iloc[1] == frame["objective"].iloc[5]


def test_rows_are_solved_along_the_grid_by_one_change_at_a_time() -> None:
    seen: list[tuple[Any, ...]] = []

    def note(report: SweepProgress) -> None:
        values = tuple(report.values.values())
        if not seen or seen[-1] != values:
            seen.append(values)
        assert report.rows == 12

    changes = {BANDWIDTH: [1e7, 1e6, 1e8], SPEED: ["x4", "x1", "x2", "x8"]}
    frame = offload.sweep(offloading(), changes, "heft", on_progress=note)
    assert len(frame) == len(set(seen)) == 12
    for one, other in pairwise(seen):
        assert sum(a != b for a, b in zip(one, other, strict=True)) == 1
    assert [value for value, _ in seen] == sorted(value for value, _ in seen)


def test_no_row_is_worse_than_a_neighbour_s_plan_in_its_place() -> None:
    changes = {"network.links[*].bandwidth": [f"x{2.0**n}" for n in range(-4, 5)]}
    problem, helped = layers(5, 6, 4), 0
    frame = offload.sweep(problem, changes, "peft")
    alone = [offload.solve(frame.plans[row].problem, "peft").objective for row in range(len(frame))]
    for row, plan in frame.plans.items():
        assert frame["objective"].iloc[row] <= alone[row] * (1 + 1e-9)
        helped += frame["objective"].iloc[row] < alone[row] * (1 - 1e-9)
        for other in (row - 1, row + 1):
            if other in frame.plans:
                again = carried(frame.plans[other], plan.problem)
                assert again is not None
                assert plan.objective() <= again.objective() * (1 + 1e-9)
    assert helped > 0


def test_more_bandwidth_on_the_only_route_never_costs() -> None:
    for seed in range(4):
        problem = draw_problem(seed, ("memory", "allow", "slots"), tasks=(3, 6), nodes=(2, 2))
        if not any(link.bandwidth for link in problem.network.links):
            continue
        values = ["x0.25", "x1", "x4"]
        frame = offload.sweep(problem, {"network.links[*].bandwidth": values}, "cpsat")
        found = frame["objective"].to_numpy()
        assert (found[1:] <= found[:-1] * (1 + 2e-4)).all(), seed


def test_goal_and_limits_of_the_call_are_those_of_each_row() -> None:
    frame = offload.sweep(
        street(), {"limits.latency": [0.71, 1.0, None], "minimize.latency": [0.0, 1.0]},
        "cpsat", minimize={"energy": 1}, limits={"latency": 5},
    )  # fmt: skip
    assert frame.attrs["limits"] == {"latency": 5.0}
    assert frame["latency"].iloc[0] <= 0.71
    energy = frame["energy"].to_numpy()
    assert energy[0] >= energy[2] >= energy[4] * (1 - 1e-4)
    assert frame["objective"].iloc[0] == pytest.approx(energy[0])
    assert frame["objective"].iloc[1] == pytest.approx(energy[1] + frame["latency"].iloc[1])


def test_values_without_a_plan_are_rows_with_a_reason() -> None:
    frame = offload.sweep(offloading(), {"graph.tasks[detect].deadline": [1.0, 2.5, None]})
    assert frame["status"].tolist() == ["infeasible", "optimal", "optimal"]
    assert "deadline" in frame["reason"].iloc[0]
    assert frame["objective"].isna().tolist() == [True, False, False]
    assert list(frame.plans) == [1, 2]


def test_a_sweep_that_is_stopped_keeps_its_rows() -> None:
    cancel = threading.Event()

    def stop(report: SweepProgress) -> None:
        if report.done == 2:
            cancel.set()

    changes = {BANDWIDTH: [1e6, 2e6, 3e6, 4e6, 5e6]}
    frame = offload.sweep(offloading(), changes, "heft", on_progress=stop, cancel=cancel)
    assert 2 <= len(frame) < 5
    assert frame[BANDWIDTH].tolist() == changes[BANDWIDTH][: len(frame)]
    assert not frame.attrs["complete"]
    cancel.set()
    assert len(offload.sweep(offloading(), changes, "heft", cancel=cancel)) == 0


@pytest.mark.parametrize(
    ("changes", "options", "match"),
    [
        ({}, {}, "changes: must map paths to values"),
        ([BANDWIDTH], {}, "changes: must map paths to values"),
        ({BANDWIDTH: 1e6}, {}, "needs a list of values, got 1000000.0"),
        ({BANDWIDTH: "x2"}, {}, "needs a list of values, got 'x2'"),
        ({BANDWIDTH: []}, {}, "needs a list of values"),
        ({BANDWIDTH: ["x2", 1e6]}, {}, "mixes factors and values, got 1000000.0"),
        ({BANDWIDTH: [1e6, 0]}, {}, "must be > 0, got 0"),
        ({"network.links[dev-cloud].bandwidth": [1]}, {}, "'dev-cloud'; known are: dev-edge"),
        ({BANDWIDTH: [1, 2], SPEED: [1]}, {"combine": "zip"}, "equally many values"),
        ({BANDWIDTH: [1, 2]}, {"combine": "product"}, "must be 'grid' or 'zip', got 'product'"),
        ({BANDWIDTH: range(1, 999), SPEED: range(1, 999)}, {}, "more than 100000 rows, got 996004"),
        ({BANDWIDTH: [1]}, {"minimize": "speed"}, "is no metric"),
        ({BANDWIDTH: [1]}, {"method": "magic"}, "magic"),
        ({BANDWIDTH: [1]}, {"time_limit": -1}, "time_limit: must be >= 0"),
    ],
)  # fmt: skip
def test_errors_come_before_any_solve(changes: Any, options: dict[str, Any], match: str) -> None:
    begun: list[SweepProgress] = []
    with pytest.raises(offload.OffloadError, match=match):
        offload.sweep(offloading(), changes, on_progress=begun.append, **options)
    assert len(begun) <= 1  # a row has begun at most


def test_a_feature_that_some_rows_alone_use_is_a_row_that_says_so() -> None:
    lacking = offload.sweep(street(), {"graph.tasks[alarm].divisible": [False, True]}, "heft")
    assert lacking["status"].tolist() == ["optimal", "unsupported"]
    assert "splitting" in lacking["reason"].iloc[1]
    with pytest.raises(offload.Unsupported, match="splitting"):
        offload.sweep(street(), {"graph.tasks[alarm].divisible": [True]}, "heft")


def test_any_instance_can_be_swept_and_every_plan_holds() -> None:
    held = 0
    for seed in range(9):
        problem = draw_problem(seed, FEATURES, tasks=(1, 6), nodes=(2, 3))
        if not any(link.bandwidth for link in problem.network.links):
            continue
        if problem.tables.divisible.any():
            continue
        frame = offload.sweep(
            problem, {"network.links[*].bandwidth": ["x0.5", "x1", "x3"]}, "best-of", time_limit=1
        )
        assert len(frame) == 3
        for plan in frame.plans.values():
            assert offload.check(plan.problem, plan) == []
            held += 1
    assert held > 8


@pytest.mark.parametrize("method", sorted(entries()))
def test_every_method_can_be_swept(method: str) -> None:
    aim = "period" if method == "stages" else "latency"
    frame = offload.sweep(offloading(), {BANDWIDTH: [1e6, 1e7]}, method, aim, time_limit=1)
    assert frame["objective"].notna().all()
    for row, plan in frame.plans.items():
        assert offload.check(plan.problem, plan) == []
        alone = offload.solve(plan.problem, method, aim, time_limit=1, explain=0)
        if alone.objective is not None:
            assert frame["objective"].iloc[row] <= alone.objective * (1 + 1e-9)


def test_plans_that_split_tasks_are_swept_without_a_start() -> None:
    tasks = (Task("a", work=4.0, divisible=True),)
    nodes = (Node("m"), Node("n"))
    problem = Problem(network=Network(nodes, (Link("m", "n"),)), graph=Graph(tasks))
    frame = offload.sweep(problem, {"network.nodes[n].speed": [1.0, 3.0]}, "milp")
    assert frame["objective"].tolist() == pytest.approx([2.0, 1.0])
    assert frame["moved"].tolist()[1] == 0


def test_carried_decisions_hold_where_they_can() -> None:
    plan = offload.solve(offloading()).plan
    assert plan is not None
    slower = carried(plan, offloading(5e6))
    assert slower is not None
    assert slower.metrics["latency"] == pytest.approx(1 + 1.4 + 0.5)
    assert moved(plan, slower) == 0
    small = changed(offloading(), {"network.nodes[edge].memory": 4e8})
    assert carried(plan, small) is None
    both = np.unique(plan.nodes)
    assert both.tolist() == [0, 1]
