"""Lookahead HEFT: a graph worked by hand, and its definition followed step by step."""

from __future__ import annotations

import copy
from math import inf

import numpy as np
from drawing import draw_problem

import offload
from offload import Edge, Graph, Link, Network, Node, Problem, Task
from offload.features import FEATURES, goal_of
from offload.heuristics.placer import Stuck
from offload.heuristics.ranks import by_falling, upward_ranks
from offload.heuristics.schedule import Schedule
from offload.registry import Request, find

# Children are judged without these, or under the rules as they stood before their parent's turn.
RULES = {"memory", "resident", "require", "routes", "together", "apart", "contiguous", "channels"}
PLAIN = set(FEATURES) - RULES - {"deadline", "limits", "copies", "splitting"}


def test_a_task_goes_where_its_child_can_be_done_first() -> None:
    # a is done at 2 on x, at 3 on y; b runs on y alone, where 4 B from x arrive 4 s later.
    tasks = (Task("a", time={"x": 2, "y": 3}), Task("b", time={"y": 1}))
    network = Network((Node("x"), Node("y")), (Link("x", "y", 1),))
    problem = Problem(network=network, graph=Graph(tasks, (Edge("a", "b", 4),)))
    assert offload.solve(problem, "heft").objective == 7
    assert offload.solve(problem, "lookahead").objective == 4


def test_children_compete_for_nodes() -> None:
    # On x, a is done at 1, but both children, which like y, then get there at 5 at the earliest;
    # on y, a is done at 2, and one child after the other at 4 and 6. Each on its own would be done
    # at 4 wherever; so would both on x, after a there: at 3 and 5.
    tasks = (
        Task("a", time={"x": 1, "y": 2}),
        Task("b", time={"x": 2, "y": 2}),
        Task("c", time={"x": 2, "y": 2}),
    )
    network = Network((Node("x"), Node("y")), (Link("x", "y", 1),))
    edges = (Edge("a", "b", 4), Edge("a", "c", 4))
    plan = offload.solve(Problem(network=network, graph=Graph(tasks, edges)), "lookahead").plan
    assert plan is not None
    assert plan.parts.node.tolist() == [0, 0, 0]
    assert plan.metrics["latency"] == 5


def test_each_choice_is_that_of_the_definition() -> None:
    compared = 0
    for seed in range(24):
        problem = draw_problem(seed, sorted(PLAIN), tasks=(2, 10), nodes=(2, 5))
        answer = find("lookahead").load()(Request(problem, goal_of(problem)))
        if answer.plan is None:
            continue
        try:
            nodes = _by_definition(problem)
        except Stuck:
            continue
        assert answer.plan.nodes.tolist() == nodes, problem.name
        compared += 1
    assert compared >= 18


def _by_definition(problem: Problem) -> list[int]:
    """Nodes of the tasks if everything is tried on a copy of the schedule."""
    tables = problem.tables
    order = by_falling(tables, upward_ranks(tables))
    schedule = Schedule(tables)
    for task in order:
        start, finish = schedule.finish_times(task)
        after = set(tables.edge_dst[tables.outgoing.of(task)].tolist())
        children = [i for i in order if i in after]
        best = (inf, inf, -1)
        for node in np.flatnonzero(np.isfinite(finish)).tolist():
            trial = copy.deepcopy(schedule, {id(tables): tables})
            trial.place(task, node, float(start[node]))
            try:
                worst = max((_placed(trial, child) for child in children), default=finish[node])
            except Stuck:
                worst = inf
            best = min(best, (worst, finish[node], node))
        assert best[0] < inf
        schedule.place(task, best[2], float(start[best[2]]))
    return schedule.placer.node.tolist()


def _placed(schedule: Schedule, task: int) -> float:
    """Put a task where it finishes first; that finish."""
    node, start = schedule.soonest(task)
    schedule.place(task, node, start)
    return float(schedule.finish[task])
