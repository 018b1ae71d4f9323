"""Re-timing: a schedule's own orders at their earliest exact times."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from decisions import BUSY, draw_decisions
from drawing import draw_problem
from numpy.typing import NDArray
from retimed import again

import offload
from offload import Edge, Graph, Link, Network, Node, Plan, Problem, Task, registry
from offload.retiming import retime
from offload.transfers import EDGE

HONOURED = sorted(registry.find("cpsat").honours - {"limits", "deadline"})


def decoded() -> Iterator[tuple[str, Plan]]:
    """Plans that hold, decoded from random decisions: with all features, and with busy links."""
    for seed in range(80):
        busy = sorted({*BUSY, "copies"})
        features = busy if seed % 2 else HONOURED
        problem = draw_problem(seed, features, tasks=(2, 8), nodes=(1, 3))
        found = offload.evaluate(problem, *draw_decisions(problem, seed))
        for b in np.flatnonzero(found.feasible).tolist():
            yield f"instance {seed}, plan {b}", found.plan(b)


def test_a_decoded_plan_is_never_made_worse() -> None:
    retimed, waited = 0, 0
    for where, plan in decoded():
        made = again(plan)
        assert offload.check(plan.problem, made) == [], where
        late = 1e-9 * plan.metrics["latency"]
        assert (made.parts.finish <= plan.parts.finish + late).all(), where
        once_more = again(made)
        np.testing.assert_allclose(once_more.parts.start, made.parts.start, rtol=1e-12)
        retimed += 1
        rows, source = made.transfers, np.append(made.parts.finish, 0.0)
        sender = np.full(len(rows.kind), -1)
        sender[rows.kind == EDGE] = plan.problem.tables.item_src[rows.ref[rows.kind == EDGE]]
        waited += int((rows.start > source[sender] + late).sum())
    assert retimed > 100
    assert waited > 30


def test_waiting_for_nothing_is_left_out() -> None:
    for where, plan in decoded():
        exact = again(plan)
        # Twice as late, and on whole ticks: as a solver on a grid may have it.
        assert offload.check(plan.problem, again(exact, 2.0, 3.0)) == [], where
        shifted = again(exact, later=3.0)
        np.testing.assert_allclose(shifted.parts.start, exact.parts.start, rtol=1e-12)


@pytest.fixture
def wide() -> Problem:
    """Two tasks of one and two of two slots, for a node of three."""
    tasks = (
        Task("a", work=4), Task("b", work=6, slots=2), Task("c", work=1, slots=2),
        Task("d", work=2),
    )  # fmt: skip
    nodes = (Node("n", slots=3), Node("m"))
    return Problem(network=Network(nodes, (Link("n", "m", 1),)), graph=Graph(tasks))


def starts(problem: Problem, start: list[float], finish: list[float]) -> list[float]:
    """Where a schedule of tasks on the first node ends up."""
    nodes = np.zeros(len(start), np.int32)
    plan = retime(problem, nodes, np.array(start), np.array(finish))
    assert offload.check(problem, plan) == []
    return list(plan.parts.start.tolist())


def test_what_runs_together_goes_on_doing_so(wide: Problem) -> None:
    assert starts(wide, [1, 2, 8, 5], [5, 8, 9, 7]) == [0, 0, 6, 4]


def test_only_what_was_over_is_waited_for(wide: Problem) -> None:
    # One after another: d too, although there would be a slot for it beside a.
    assert starts(wide, [8, 0, 7, 12], [12, 6, 8, 14]) == [7, 0, 6, 11]


def test_ticks_of_any_unit_will_do(wide: Problem) -> None:
    nodes = np.zeros(4, np.int32)
    start: NDArray[np.int64] = np.array([10, 20, 80, 50])
    plan = retime(wide, nodes, start, start + np.array([40, 60, 10, 20]))
    assert plan.parts.start.tolist() == [0, 0, 6, 4]


def test_a_task_without_length_neither_waits_nor_is_waited_for() -> None:
    tasks = (Task("long", work=9), Task("mark", work=0, release=3), Task("next", work=1))
    problem = Problem(network=Network((Node("n"),)), graph=Graph(tasks))
    assert starts(problem, [0, 9, 10], [9, 9, 11]) == [0, 3, 9]


def test_inputs_are_waited_for_wherever_they_come_from() -> None:
    nodes = (Node("n"), Node("m"))
    graph = Graph((Task("s", work=2), Task("t", work=1)), (Edge("s", "t", 6),))
    network = Network(nodes, (Link("n", "m", bandwidth=4, latency=1),))
    problem = Problem(network=network, graph=graph)
    plan = retime(problem, np.array([0, 1]), np.array([5.0, 20.0]), np.array([7.0, 21.0]))
    assert plan.parts.start.tolist() == [0, 2 + 1.5 + 1]
    assert plan.transfers.start.tolist() == [2]
    assert plan.transfers.finish.tolist() == [4.5]
