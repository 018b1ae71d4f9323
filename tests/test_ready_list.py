"""ETF, DLS and MCP: graphs worked by hand, and the definitions followed step by step."""

from __future__ import annotations

import numpy as np
import pytest
from drawing import draw_problem

import offload
from offload import Edge, Graph, Link, Network, Node, Problem, Task
from offload.features import FEATURES
from offload.heuristics.machines import Queues
from offload.heuristics.ranks import upward_ranks
from offload.heuristics.ready_list import latest_start_order, median_times, static_levels
from offload.heuristics.ready_tasks import ReadyTasks
from offload.heuristics.schedule import Schedule

ALL = [name for name in FEATURES if name != "splitting"]
# Under these, values of ready tasks that were not asked for lately are bounds, not exact.
STEADY = [
    name
    for name in ALL
    if name not in ("memory", "resident", "require", "together", "apart", "contiguous", "routes",
                    "channels")
]  # fmt: skip


@pytest.fixture
def fork() -> Problem:
    """a sends 3 B to b and 1 B to c over 1 B/s; d is on its own. Seconds on x and y:

    a 2, 3; b 4, 4; c 3, 1; d 2, 5. Medians: a 2.5, b 4, c 2, d 3.5; levels without delays:
    a 6.5, b 4, c 2, d 3.5.
    """
    seconds = {"a": (2, 3), "b": (4, 4), "c": (3, 1), "d": (2, 5)}
    tasks = tuple(Task(name, time={"x": x, "y": y}) for name, (x, y) in seconds.items())
    edges = (Edge("a", "b", 3), Edge("a", "c", 1))
    network = Network((Node("x"), Node("y")), (Link("x", "y", 1),))
    return Problem(network=network, graph=Graph(tasks, edges))


def schedule_of(problem: Problem, method: str) -> list[tuple[int, float]]:
    """Node and start of each task."""
    plan = offload.solve(problem, method).plan
    assert plan is not None
    return list(zip(plan.parts.node.tolist(), plan.parts.start.tolist(), strict=True))


def test_levels_of_medians(fork: Problem) -> None:
    median = median_times(fork.tables)
    assert median.tolist() == [2.5, 4, 2, 3.5]
    assert static_levels(fork.tables, median).tolist() == [6.5, 4, 2, 3.5]


def test_a_median_that_is_infinite_gives_way_to_the_largest_time() -> None:
    nodes = (Node("x"), Node("y"), Node("z"), Node("hub", slots=0))
    tasks = (
        Task("narrow", time={"x": 2, "y": 3}, allow=("x", "y")),
        Task("bound", time={"x": 4}, allow=("x",)),
        Task("free", time={"x": 1, "y": 5, "z": 2}),
    )
    tables = Problem(network=Network(nodes), graph=Graph(tasks)).tables
    # The relay does not count: three nodes, of which "narrow" has two and "bound" one.
    assert median_times(tables).tolist() == [3, 4, 2]


def test_etf_takes_the_pair_that_starts_first(fork: Problem) -> None:
    # All start at 0: a has the highest level and finishes first on x. Then d on y at 0; then b and
    # c could both start at 2 on x: b has the higher level; c starts at 5 on y, at 6 on x.
    assert schedule_of(fork, "etf") == [(0, 0), (0, 2), (1, 5), (1, 0)]


def test_dls_takes_the_pair_of_highest_dynamic_level(fork: Problem) -> None:
    # DL(a, x) = 6.5 - 0 + 0.5 = 7 is highest. Then d on x: 3.5 - 2 + 1.5 = 3, before d on y (2)
    # and b on x (2). Then b on x: 4 - 4 + 0 = 0 equals c on y: 2 - 3 + 1 = 0.
    assert schedule_of(fork, "dls") == [(0, 0), (0, 4), (1, 3), (0, 2)]


def test_mcp_goes_by_latest_starts(fork: Problem) -> None:
    # Ranks with delays 3 and 1: a 9.5, b 4, c 2, d 3.5; latest starts 0, 5.5, 7.5, 6: a, b, d, c.
    tables = fork.tables
    assert latest_start_order(tables, upward_ranks(tables)) == [0, 1, 3, 2]
    assert schedule_of(fork, "mcp") == [(0, 0), (0, 2), (1, 5), (1, 0)]


def test_mcp_fills_gaps_and_the_others_do_not() -> None:
    # big waits on n0 for its input until 10; small, far less urgent, still fits before it.
    nodes = (Node("n0"), Node("n1"))
    tasks = (
        Task("far", work=5, allow=("n1",)),
        Task("big", work=20, allow=("n0",)),
        Task("small", work=2, allow=("n0",), release=1),
    )
    graph = Graph(tasks, (Edge("far", "big", 5),))
    problem = Problem(network=Network(nodes, (Link("n0", "n1", 1),)), graph=graph)
    assert schedule_of(problem, "mcp") == [(1, 0), (0, 10), (0, 1)]
    # big starts later than small would, but its level is so much higher: 20 - 10 > 2 - 1.
    assert schedule_of(problem, "dls") == [(1, 0), (0, 10), (0, 30)]


def test_equal_latest_starts_go_by_those_of_the_descendants() -> None:
    # Two roots of equal rank: that whose second child is more urgent goes first.
    tasks = [Task(name, work=1) for name in ("p", "q", "p1", "p2", "q1", "q2")]
    tasks += [Task("q3", work=1)]
    edges = [("p", "p1"), ("p", "p2"), ("q", "q1"), ("q", "q2"), ("p1", "q3"), ("q1", "q3")]
    edges += [("q2", "q3")]
    graph = Graph(tuple(tasks), tuple(Edge(a, b) for a, b in edges))
    tables = Problem(network=Network((Node("x"),)), graph=graph).tables
    rank = upward_ranks(tables)
    assert rank.tolist() == [3, 3, 2, 1, 2, 2, 1]
    # p: 0, 1, 2, 2; q: 0, 1, 1, 2.
    order = [tables.task_ids[i] for i in latest_start_order(tables, rank)]
    assert order[:2] == ["q", "p"]


def test_tasks_without_work_keep_their_order() -> None:
    tasks = tuple(Task(name, work=0) for name in "edcba")
    edges = tuple(Edge(a, b) for a, b in ("ab", "bc", "cd", "de"))
    tables = Problem(network=Network((Node("x"),)), graph=Graph(tasks, edges)).tables
    assert latest_start_order(tables, upward_ranks(tables)) == [4, 3, 2, 1, 0]


def test_slots_are_free_once_enough_of_them_are() -> None:
    tasks = tuple(Task(f"t{i}", work=1, slots=n) for i, n in enumerate((2, 1, 1)))
    network = Network((Node("x", slots=4), Node("y", slots=2)))
    queues = Queues(Problem(network=network, graph=Graph(tasks)).tables)
    assert queues.since(3).tolist() == [0, np.inf]
    queues.take(0, 0, 1, 9)
    queues.take(1, 0, 2, 5)
    assert queues.since(1).tolist() == [2, 0]
    assert queues.since(2).tolist() == [5, 0]
    assert queues.since(4).tolist() == [9, np.inf]
    queues.take(2, 0, 6, 6)  # of no length: it holds nothing, but what follows starts later
    assert queues.since(1).tolist() == [6, 0]


@pytest.mark.parametrize("starts", [False, True])
def test_values_of_ready_tasks_stay_exact(starts: bool) -> None:
    for seed in range(40):
        problem = draw_problem(seed, STEADY, tasks=(4, 12), nodes=(1, 5))
        schedule = Schedule(problem.tables, insertion=False)
        ready = ReadyTasks(schedule, starts)
        dice = np.random.default_rng(seed)
        while len(ready):
            for row, task in enumerate(ready.tasks.tolist()):
                asked = schedule.finish_times(task)[0 if starts else 1]
                assert ready.values[row].tolist() == asked.tolist(), problem.name
                assert ready.best[row] == asked.min()
                assert ready.node[row] == asked.argmin()
            row = int(dice.integers(len(ready)))
            found = ready.confirm(row)
            assert found is not None
            node = int(dice.choice(np.flatnonzero(np.isfinite(found[0]))))
            ready.place(row, node, float(found[0][node]))
        assert (schedule.placer.node >= 0).all()


def test_values_of_ready_tasks_never_exceed_what_is_possible() -> None:
    rules = [name for name in ALL if name != "channels"]
    for seed in range(40):
        problem = draw_problem(seed, rules, tasks=(4, 12), nodes=(1, 5))
        schedule = Schedule(problem.tables, insertion=False)
        try:
            ready = ReadyTasks(schedule)
            while len(ready):
                row = ready.first(ready.best)
                for other, task in enumerate(ready.tasks.tolist()):
                    asked = schedule.finish_times(task)[1]
                    assert (ready.values[other] <= asked).all(), problem.name
                if (found := ready.confirm(row)) is not None:
                    start, finish = found
                    ready.place(row, int(finish.argmin()), float(start[finish.argmin()]))
        except offload.heuristics.placer.Stuck:
            continue
