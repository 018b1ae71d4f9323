"""Method `stages` against all placements of small instances, and what it must not get wrong."""

from __future__ import annotations

import random
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import offload
from formulations.ideals import Ideals, closures, linear_orders, narrowed
from offload import Edge, Graph, Group, Link, Network, Node, Problem, Task
from offload.heuristics.placements import Placements


def drawn(seed: int, *, contiguous: bool = True) -> Problem:
    """A few tasks, forward and backward, together here and there, on alike nodes and others."""
    draw = random.Random(seed)
    kinds = draw.choice([("a", "a"), ("a", "a", "b"), ("a", "b", "b"), ("a", "a", "a")])
    serial = {kind: draw.choice(["serial", "serial", "overlapped"]) for kind in "ab"}
    room = draw.choice([None, 6.0, 9.0])
    nodes = [Node(f"{kind}{n}", kind=kind, io=serial[kind], memory=room)
             for n, kind in enumerate(kinds)]  # fmt: skip
    links = [Link(k.id, l.id, bandwidth=1) for n, k in enumerate(nodes) for l in nodes[n + 1 :]]
    forward = draw.randint(3, 6)
    backward = draw.choice([0, 0, draw.randint(1, 2)])
    names = [f"t{i}" for i in range(forward + backward)]
    tasks = [
        Task(name, time={"kind:a": draw.randint(0, 6), "kind:b": draw.randint(1, 9)},
             resident=draw.randint(0, 3))
        for name in names
    ]  # fmt: skip
    density = draw.choice([0.3, 0.5, 0.8])
    edges = [
        Edge(names[i], names[j], bytes=size, item="out")
        for i in range(forward)
        for size in [draw.randint(0, 3)]
        for j in range(i + 1, forward)
        if draw.random() < density
    ]
    # Backward tasks come last in the file; each reads from a forward task and from one before it.
    edges += [
        Edge(names[i], names[j], bytes=draw.randint(0, 2))
        for j in range(forward, forward + backward)
        for i in {draw.randrange(forward), draw.randrange(j)}
    ]
    groups = [Group("contiguous", tuple(names[:forward]))] if contiguous else []
    for _ in range(draw.choice([0, 1, 1, 2])):
        groups.append(Group("together", tuple(draw.sample(names, 2))))
    return Problem(
        name=f"drawn-{seed}", network=Network(nodes, links), minimize={"period": 1.0},
        graph=Graph(tasks, edges, groups),
    )  # fmt: skip


def least_period(problem: Problem) -> float:
    """The least period of all placements that hold; infinite where none does."""
    tables = problem.tables
    nodes = np.array(list(product(range(tables.nodes), repeat=tables.tasks)), np.int32)
    nodes = nodes[Placements(tables).conflicts(nodes) == 0]
    if not len(nodes):
        return np.inf
    order = np.broadcast_to(tables.topological, nodes.shape)
    return float(offload.evaluate(problem, nodes, order).metrics["period"].min())


@pytest.mark.parametrize("contiguous", [True, False])
@pytest.mark.parametrize("block", range(4))
def test_bounds_and_plans_against_all_placements(block: int, contiguous: bool) -> None:
    proved = met = 0
    for seed in range(40 * block, 40 * block + 40):
        problem = drawn(seed, contiguous=contiguous)
        best = least_period(problem)
        result = offload.solve(problem, "stages", time_limit=20, explain=0)
        if result.bound is not None:
            assert result.bound <= best * (1 + 1e-9), problem.name
        if result.plan is None:
            continue
        assert result.objective is not None
        assert result.objective >= best * (1 - 1e-9), problem.name
        met += result.objective <= best * (1 + 1e-9)
        if result.status == "optimal":
            proved += 1
            assert result.objective == pytest.approx(best, rel=1e-4), problem.name
    assert met >= 28
    assert proved >= 20


def test_without_contiguity_the_period_is_no_longer() -> None:
    compared = 0
    for seed in range(40):
        bound, free = (
            offload.solve(drawn(seed, contiguous=contiguous), "stages", explain=0).objective
            for contiguous in (True, False)
        )
        if bound is not None:
            compared += 1
            assert free is not None
            assert free <= bound * (1 + 1e-9), seed
    assert compared > 20


def test_two_nodes_that_send_to_each_other_are_no_chain_of_stages() -> None:
    # Two chains a1-a2 and b1-b2: {a1, b2} and {b1, a2} are convex, and neither comes first.
    times = {"a1": 4.0, "a2": 3.0, "b1": 3.0, "b2": 2.0}
    problem = Problem(
        network=Network([Node("n0"), Node("n1")], [Link("n0", "n1", bandwidth=1)]),
        graph=Graph(
            [Task(name, time={"*": time}) for name, time in times.items()],
            [Edge("a1", "a2"), Edge("b1", "b2")],
            [Group("contiguous", tuple(times))],
        ),
        minimize={"period": 1.0},
    )
    assert least_period(problem) == 6.0
    result = offload.solve(problem, "stages")
    assert result.objective == 7.0  # the best chain of stages
    assert result.status == "feasible"
    assert result.bound is not None
    assert result.bound <= 6.0
    assert offload.solve(problem, "auto").objective == 6.0


def test_a_chain_is_proved_and_a_start_is_never_worsened() -> None:
    problem = offload.load("instances/bert24-layers.json")
    result = offload.solve(problem, "stages")
    assert result.status == "optimal"
    assert result.objective == 17.78990625
    again = offload.solve(problem, "stages", start=result.plan)
    assert again.objective == 17.78990625


def test_it_is_made_for_the_period_alone() -> None:
    problem = offload.load("instances/bert24-layers.json")
    for goal in ("latency", {"period": 1.0, "energy": 1.0}):
        with pytest.raises(offload.Unsupported, match="minimizing"):
            offload.solve(problem, "stages", minimize=goal)


def test_nodes_without_links_are_no_reason_for_a_bound_too_high() -> None:
    names = ("a1", "a2", "b1", "b2")
    problem = Problem(
        network=Network([Node("n0", io="serial"), Node("n1", io="serial")]),
        graph=Graph(
            [Task(name, time={"*": 1.0}) for name in names],
            [Edge("a1", "a2", bytes=1), Edge("b1", "b2", bytes=1)],
            [Group("contiguous", names)],
        ),
        minimize={"period": 1.0},
    )
    alone = offload.solve(problem, "local", minimize="latency").plan
    result = offload.solve(problem, "stages", start=alone)
    assert result.bound is not None
    assert result.bound <= least_period(problem) == 2.0


def test_limits_are_kept_though_the_shortest_period_breaks_them() -> None:
    nodes = [Node("dear", price=10.0), Node("cheap", price=1.0)]
    problem = Problem(
        network=Network(nodes, [Link("dear", "cheap", bandwidth=1)]),
        graph=Graph([Task(f"t{i}", time={"*": 1.0}) for i in range(4)]),
        minimize={"period": 1.0},
        limits={"cost": 4.0},
    )
    result = offload.solve(problem, "stages")
    assert result.objective == 4.0  # all on the cheap one
    assert offload.check(problem, result.plan, limits=problem.limits) == []


def test_many_kinds_of_nodes_are_left_to_local_search() -> None:
    nodes = [Node(f"n{k}", speed=1.0 + k) for k in range(14)]
    links = [Link("n0", f"n{k}", bandwidth=1e9) for k in range(1, 14)]
    tasks = [Task(f"t{i}", work=float(1 + i % 5)) for i in range(40)]
    edges = [Edge(f"t{i}", f"t{i + 1}", bytes=1) for i in range(39)]
    problem = Problem(
        network=Network(nodes, links), graph=Graph(tasks, edges), minimize={"period": 1.0}
    )
    result = offload.solve(problem, "stages")
    assert result.gap is not None
    assert result.gap < 0.2


def test_few_ideals_are_enough_for_a_plan() -> None:
    problem = offload.load("instances/bert24-layers.json")
    result = offload.solve(problem, "stages", options={"ideals": 33})
    assert result.objective is not None
    assert result.objective <= 20.084  # the experts' split


def test_the_same_answer_every_time() -> None:
    problem = drawn(7, contiguous=False)
    plans = [offload.solve(problem, "stages", seed=3).plan for _ in range(2)]
    assert plans[0] is not None
    assert plans[1] is not None
    assert (plans[0].nodes == plans[1].nodes).all()


class TestIdeals:
    """Downsets of small orders."""

    def test_of_a_diamond(self) -> None:
        # 0 before 1 and 2, both before 3.
        ideals = Ideals([0, 1, 1, 6], 100).bits
        assert ideals == [0, 1, 3, 5, 7, 15]

    def test_none_are_counted_above_the_most(self) -> None:
        assert Ideals([0] * 10, 1023).bits == []
        assert len(Ideals([0] * 10, 1024).bits) == 1024

    def test_a_reach_of_nothing_leaves_one_order(self) -> None:
        for order in linear_orders([0, 1, 1, 6]):
            line = Ideals(narrowed([0, 1, 1, 6], order, 0), 100).bits
            assert len(line) == 5

    @pytest.mark.parametrize("seed", range(20))
    def test_narrowed_orders_have_ideals_of_the_whole_one(self, seed: int) -> None:
        draw = random.Random(seed)
        before = [sum(1 << u for u in range(v) if draw.random() < 0.2) for v in range(8)]
        every = set(Ideals(before, 10**6).bits)
        counts = []
        for order in linear_orders(before):
            assert all(not before[v] & ~sum(1 << u for u in order[:p]) for p, v in enumerate(order))
            for reach in range(8):
                some = Ideals(narrowed(before, order, reach), 10**6).bits
                assert set(some) <= every
                counts.append(len(some))
            assert counts[-1] == len(every)
        closed = closures(before, list(range(8)))
        assert all(not bits >> v & 1 for v, bits in enumerate(closed))


def test_links_that_carry_one_transfer_at_a_time_are_no_obstacle(instances: Path) -> None:
    problem = offload.load(instances / "decoder12-pipeline.json")
    assert any(link.channels for link in problem.network.links)
    assert offload.solve(problem, "stages", time_limit=20).plan is not None
    found = offload.solve(problem, time_limit=20)
    assert (found.status, found.objective) == ("optimal", pytest.approx(0.184549376, rel=1e-4))
