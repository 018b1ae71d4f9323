"""Placements without times: what conflicts, and that the search finds one without conflicts."""

from __future__ import annotations

import numpy as np
from drawing import draw_problem
from plan_drawing import draw_plan

from offload import Edge, Graph, Group, Link, Network, Node, Problem, Task
from offload.features import FEATURES
from offload.heuristics.placements import Placements, find_placement
from offload.placement import groups_broken, resident_excess

ALL = [name for name in FEATURES if name != "splitting"]
RULES = ["memory", "resident", "allow", "require", "together", "apart", "contiguous", "routes"]


def pairs(*groups: Group, tasks: int = 4, **node: float) -> Problem:
    """Independent tasks of 2 resident bytes on three linked nodes."""
    nodes = tuple(Node(name, **node) for name in "abc")  # type: ignore[arg-type]
    links = (Link("a", "b", 1), Link("b", "c", 1), Link("a", "c", 1))
    made = tuple(Task(f"t{i}", work=1, resident=2, memory=1) for i in range(tasks))
    return Problem(network=Network(nodes, links), graph=Graph(made, (), groups))


def test_a_plan_that_holds_has_no_conflicts() -> None:
    found = 0
    for seed in range(120):
        problem = draw_problem(seed, ALL, tasks=(2, 9), nodes=(1, 5))
        plan = draw_plan(problem, seed, tries=2)
        if plan is None:
            continue
        copies = np.zeros(problem.tables.home.shape, bool)
        copies[plan.copies.data, plan.copies.node] = True
        assert Placements(problem.tables, copies).conflicts(plan.nodes[None, :]) == 0, seed
        found += 1
    assert found > 60


def test_each_broken_rule_is_a_conflict() -> None:
    together, apart = Group("together", ("t0", "t1")), Group("apart", ("t2", "t3"))
    placements = Placements(pairs(together, apart, memory=9).tables)
    # The last: 3 x 2 resident and 1 running fit into 9, 4 x 2 and 1 too; 5 x 2 would not.
    tried = np.array([[0, 0, 1, 2], [0, 1, 1, 2], [0, 0, 1, 1], [0, 1, 2, 2]])
    assert (placements.conflicts(tried) > 0).tolist() == [False, True, True, True]
    crowded = Placements(pairs(tasks=5, memory=9).tables)
    assert (crowded.conflicts(np.array([[0] * 5, [0, 0, 0, 0, 1]])) > 0).tolist() == [True, False]
    assert crowded.culprits(np.array([0, 0, 0, 0, 0])).all()


def test_tasks_without_a_route_between_them_conflict() -> None:
    nodes = (Node("a"), Node("b"), Node("c"))
    graph = Graph((Task("t", work=1), Task("u", work=1)), (Edge("t", "u", 1),))
    problem = Problem(network=Network(nodes, (Link("a", "b", 1),)), graph=graph)
    placements = Placements(problem.tables)
    assert placements.conflicts(np.array([[0, 1], [0, 2], [2, 2]])).tolist() == [0, 1, 0]
    assert placements.culprits(np.array([0, 2])).tolist() == [True, True]


def test_the_search_finds_the_only_packing() -> None:
    # 5 + 5 and 4 + 3 + 3 fill two nodes of 10 bytes to the last one; largest first gives 5 + 4.
    sizes = (4, 3, 3, 5, 5)
    tasks = tuple(Task(f"t{i}", work=1, resident=size) for i, size in enumerate(sizes))
    nodes = (Node("a", memory=10), Node("b", memory=10))
    problem = Problem(network=Network(nodes, (Link("a", "b", 1),)), graph=Graph(tasks))
    found = find_placement(Placements(problem.tables))
    assert found is not None
    assert np.bincount(found, sizes).tolist() == [10, 10]


def test_the_search_keeps_what_is_fixed_and_gives_up_where_nothing_is() -> None:
    apart = Group("apart", ("t0", "t1", "t2"))
    placements = Placements(pairs(apart, tasks=3).tables)
    found = find_placement(placements, start=np.array([2, 2, 2]), fixed=1)
    assert found is not None
    assert sorted(found.tolist()) == [0, 1, 2]
    assert found[1] == 2
    crowded = Placements(pairs(Group("apart", tuple(f"t{i}" for i in range(4)))).tables)
    assert find_placement(crowded) is None


def test_the_search_breaks_no_rule_on_random_instances() -> None:
    found = 0
    for seed in range(80):
        problem = draw_problem(seed, RULES, tasks=(2, 12), nodes=(2, 5))
        nodes = find_placement(Placements(problem.tables))
        if nodes is None:
            continue
        found += 1
        tables = problem.tables
        assert tables.allowed(np.arange(tables.tasks), nodes).all(), seed
        assert groups_broken(tables, nodes[None, :]) == 0, seed
        assert resident_excess(tables, nodes[None, :]) == 0, seed
        rule = tables.item_rule[tables.edge_item]
        ends = nodes[tables.edge_src], nodes[tables.edge_dst]
        assert tables.permits_table[rule, ends[0], ends[1]].all(), seed
    assert found >= 76  # each instance has a placement
