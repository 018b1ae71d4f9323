"""What a call of the checker may ask, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hand_plans import AB, A, B, found, instance, one, plan, run, send

from offload.checker import check
from offload.errors import InstanceError, OffloadError, PlanError
from offload.problem import Edge, Group, Network, Node, Problem, Task
from offload.tables import Lists

X, Y, Z = Task("x", work=2), Task("y", work=2), Task("z", work=2)
CHAIN = [run("x", "a", 0, 2), run("y", "b", 3.5, 5.5)]
MOVE = [send("x", "y", "a>b", 2, 3.5)]


def test_limits() -> None:
    problem = instance([X, Y], [AB], limits={"latency": 5, "traffic": 10})
    assert one(found(problem, CHAIN, MOVE)) == ("limits", ("latency",), None, 5.0, 5.5)
    assert found(problem, CHAIN, MOVE, limits={}) == []
    assert one(found(problem, CHAIN, MOVE, limits={"traffic": 9})) == (
        "limits", ("traffic",), None, 9.0, 10.0,
    )  # fmt: skip


def test_limits_on_times_have_the_tolerance_of_times() -> None:
    # One of two weights of 500 is late by less than the tolerance of a time: 5.5e-9 s.
    tasks = [Task("x", work=2, due=2, weight=500), Task("y", work=2, weight=500)]
    problem = instance(tasks, [AB])
    late = 4e-9
    rows = [run("x", "a", late, 2 + late), run("y", "b", 3.5 + late, 5.5 + late)]
    moves = [send("x", "y", "a>b", 2 + late, 3.5 + late)]
    assert found(problem, rows, moves, limits={"tardiness": 0.0}) == []
    assert found(problem, rows, moves, limits={"completion": 500 * 7.5}) == []
    assert (
        one(found(problem, rows, moves, limits={"tardiness": 0.0}, tolerance=1e-10))[0] == "limits"
    )


def test_a_wider_tolerance_lets_more_pass() -> None:
    problem = instance([X])
    rows = [run("x", "a", 0, 2.001)]
    assert one(found(problem, rows))[0] == "duration"
    assert found(problem, rows, tolerance=1e-3) == []


@pytest.mark.parametrize("tolerance", [-1e-9, math.nan, math.inf])
def test_a_tolerance_is_a_plain_number(tolerance: float) -> None:
    with pytest.raises(OffloadError, match=r"tolerance: must be finite and >= 0, got"):
        found(instance([X]), [run("x", "a", 0, 2)], tolerance=tolerance)


def test_limits_name_metrics() -> None:
    with pytest.raises(InstanceError, match=r"limits\.latncy: is no metric"):
        found(instance([X]), [run("x", "a", 0, 2)], limits={"latncy": 1})


def test_a_plan_for_another_instance_is_refused() -> None:
    made = plan(instance([X]), [run("x", "a", 0, 2)])
    assert check(instance([X], limits={"latency": 3}), made) == []
    with pytest.raises(PlanError, match=r"plan: is for another instance .* solve again"):
        check(instance([Task("x", work=3)]), made)


@pytest.mark.parametrize("nodes", [(), (A, B)])
def test_no_tasks(nodes: tuple[Node, ...]) -> None:
    problem = Problem(network=Network(nodes))
    assert check(problem, plan(problem, [])) == []
    assert check(problem, plan(problem, []), limits={"latency": 0}) == []


# -- plans that are no plans ---------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1e300, 1e300])
@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("parts", "start"), ("parts", "finish"), ("parts", "fraction"), ("transfers", "start"),
        ("transfers", "finish"), ("transfers", "size"),
    ],
)  # fmt: skip
def test_no_number_crashes_the_checker_or_hides_what_is_wrong(
    table: str, column: str, value: float
) -> None:
    tasks = [X, Y, Z, Task("w", work=1, divisible=True)]
    limits = {"energy": 1e9, "completion": 1e9, "period": 1e9}
    group = Group("together", ("x", "y"))
    problem = instance(tasks, [AB, Edge("y", "w", 10)], [group], limits=limits)
    rows = [*CHAIN, run("z", "a", 2, 4), run("w", "b", 5.5, 6, fraction=0.5)]
    rows.append(run("w", "a", 7, 7.5, fraction=0.5))
    moves = [*MOVE, send("y", "w", "b>a", 5.5, 6.5)]
    assert [v.rule for v in found(problem, rows, moves)] == ["together"]
    for row in range(4 if table == "parts" else 2):
        broken = plan(problem, rows, moves)
        getattr(getattr(broken, table), column)[row] = value
        violations = check(problem, broken)
        rules = {violation.rule for violation in violations}
        assert "together" in rules
        assert len(rules) > 1
        if column in ("start", "finish") and not math.isfinite(value):
            assert "times" in rules


@pytest.mark.parametrize(
    ("table", "column", "value", "message"),
    [
        ("parts", "task", 7, r"parts\.task\[1\]: names no task, got 7; use 0 to 1"),
        ("parts", "node", -1, r"parts\.node\[1\]: names no node, got -1"),
        ("parts", "mode", 3, r"parts\.mode\[1\]: names no mode, got 3"),
        ("parts", "plan", 1, r"parts\.plan\[1\]: names no plan, got 1; take the rows"),
        ("transfers", "kind", 3, r"transfers\.kind\[0\]: names no kind, got 3"),
        ("transfers", "ref", 1, r"transfers\.ref\[0\]: names no item, got 1"),
        ("transfers", "dst", 2, r"transfers\.dst\[0\]: names no node, got 2"),
        ("transfers", "codec", 0, r"transfers\.codec\[0\]: names no codec, got 0"),
    ],
)
def test_positions_that_name_nothing_are_refused(
    table: str, column: str, value: int, message: str
) -> None:
    problem = instance([X, Y], [AB])
    broken = plan(problem, CHAIN, MOVE)
    getattr(getattr(broken, table), column)[-1] = value
    with pytest.raises(PlanError, match=message):
        check(problem, broken)


def test_columns_that_do_not_fit_together_are_refused() -> None:
    problem = instance([X, Y], [AB])
    broken = plan(problem, CHAIN, MOVE)
    broken.parts = broken.parts._replace(start=broken.parts.start[:1])
    with pytest.raises(PlanError, match="parts: its columns must have one length"):
        check(problem, broken)
    broken = plan(problem, CHAIN, MOVE)
    broken.waiting = Lists(np.zeros(1, np.int64), broken.waiting.values)
    with pytest.raises(PlanError, match="waiting: must have a list for each transfer"):
        check(problem, broken)
    broken = plan(problem, CHAIN, MOVE)
    broken.parts = broken.parts._replace(node=broken.parts.node.astype(float))
    with pytest.raises(PlanError, match=r"parts\.node: must hold positions"):
        check(problem, broken)
