"""Min-min and its kin: a table of independent tasks worked by hand, and graphs."""

from __future__ import annotations

from typing import Any

import pytest

import offload
from offload import Edge, Graph, Link, Network, Node, Problem, Task
from offload.registry import entries

METHODS = [entry.name for entry in entries().values() if entry.kind == "batch"]

# Where and when each task starts, on tasks that take so many seconds on x and on y.
TABLE = {"a": (4.0, 10.0), "b": (3.0, 5.5), "c": (2.0, 9.0)}
WORKED = {
    # c on x until 2; then b could be done at 5 on x; then a at 9 on x, at 10 on y.
    "min-min": [(0, 5), (0, 2), (0, 0)],
    # a's 4 is the latest of 4, 3, 2; then of b (5.5 on y) and c (6 on x) c; then b on y.
    "max-min": [(0, 0), (1, 0), (0, 4)],
    # All prefer x; c would suffer 7, a 6, b 2.5. Then a would suffer 4, b 0.5. Then b takes y.
    "sufferage": [(0, 2), (1, 0), (0, 0)],
    "duplex": [(0, 0), (1, 0), (0, 4)],
    # a on x until 4; b at 5.5 on y rather than 7 on x; c at 6 on x.
    "mct": [(0, 0), (1, 0), (0, 4)],
    "met": [(0, 0), (0, 4), (0, 7)],
    # a takes x, the first of two free nodes; b y; x is free again first.
    "olb": [(0, 0), (1, 0), (0, 4)],
}


def independent(table: dict[str, tuple[float, float]]) -> Problem:
    """Tasks without edges on two nodes, by their seconds there."""
    tasks = tuple(Task(name, time={"x": x, "y": y}) for name, (x, y) in table.items())
    network = Network((Node("x"), Node("y")), (Link("x", "y", 1),))
    return Problem(network=network, graph=Graph(tasks))


def schedule_of(problem: Problem, method: str, **arguments: Any) -> list[tuple[int, float]]:
    """Node and start of each task."""
    plan = offload.solve(problem, method, **arguments).plan
    assert plan is not None
    return list(zip(plan.parts.node.tolist(), plan.parts.start.tolist(), strict=True))


@pytest.mark.parametrize("method", METHODS)
def test_three_tasks_on_two_nodes(method: str) -> None:
    assert schedule_of(independent(TABLE), method) == WORKED[method]


def test_idle_nodes_get_work_by_olb_however_slow() -> None:
    table = {"a": (1.0, 1.0), "b": (1.0, 50.0), "c": (1.0, 50.0)}
    assert schedule_of(independent(table), "olb") == [(0, 0), (1, 0), (0, 1)]
    assert schedule_of(independent(table), "mct") == [(0, 0), (0, 1), (0, 2)]


def test_equal_execution_times_go_where_they_complete_first() -> None:
    table = {"a": (2.0, 2.0), "b": (2.0, 2.0), "c": (2.0, 2.5)}
    assert schedule_of(independent(table), "met") == [(0, 0), (1, 0), (0, 2)]


def test_each_node_takes_one_task_in_a_pass_of_sufferage() -> None:
    # x is best for p and q, y for r and s. First p (9 against 6) takes x and s (8 against 1) y.
    # Then q would wait for x until 3 or be done at 8.5 on y, r at 3 on y or at 2.2 on x. So both
    # want x now, where q would suffer 5.5 and r 0.8; then r is done at 3 on y, at 4.2 on x.
    table = {"p": (1.0, 10.0), "q": (2.0, 7.5), "r": (1.2, 2.0), "s": (9.0, 1.0)}
    problem = independent(table)
    assert schedule_of(problem, "sufferage") == [(0, 0), (0, 1), (1, 1), (1, 0)]


def test_duplex_is_the_better_of_the_two_by_the_goal() -> None:
    problem = independent(TABLE)
    tasks = [
        Task(t.id, time=t.time, weight=w)
        for t, w in zip(problem.graph.tasks, (0, 0, 1), strict=True)
    ]
    problem = problem.replace(graph=Graph(tuple(tasks)))
    # Max-min is done at 6 and min-min at 9; c, the only task that counts, ends at 6 and at 2.
    assert schedule_of(problem, "duplex") == WORKED["max-min"]
    assert schedule_of(problem, "duplex", minimize="completion") == WORKED["min-min"]


def test_what_a_task_waits_for_counts() -> None:
    # r is done at 1 on x, its 8 B would be on y at 9: there s is done at 10, on x at 6. u is ready
    # at once: of 1 (r) and 5.5 (u on y) the least goes first; then u is done first on y.
    tasks = (
        Task("r", time={"x": 1, "y": 2}),
        Task("s", time={"x": 5, "y": 1}),
        Task("u", time={"x": 6, "y": 5.5}),
    )
    network = Network((Node("x"), Node("y")), (Link("x", "y", 1),))
    problem = Problem(network=network, graph=Graph(tasks, (Edge("r", "s", 8),)))
    assert schedule_of(problem, "min-min") == [(0, 0), (0, 1), (1, 0)]


def test_every_node_has_all_its_slots() -> None:
    tasks = tuple(Task(name, work=2, slots=n) for name, n in zip("abcd", (2, 1, 1, 2), strict=True))
    problem = Problem(network=Network((Node("x", slots=2),)), graph=Graph(tasks))
    assert schedule_of(problem, "mct") == [(0, 0), (0, 2), (0, 2), (0, 4)]
    assert schedule_of(problem, "olb") == [(0, 0), (0, 2), (0, 2), (0, 4)]
    # All end at 2: the first listed, a. Then b and c share the node, and d comes last.
    assert schedule_of(problem, "min-min") == [(0, 0), (0, 2), (0, 2), (0, 4)]
