"""Lower bounds: never above any plan, exact where a chain or a load decides alone."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from brute_force import everything
from drawing import draw_plan, draw_problem

import offload
from offload import Codec, Edge, Graph, Link, Network, Node, Problem, Task, registry
from offload.bounds import heads, lower_bound, metric_bounds, pair_delays, tails
from offload.features import FEATURES
from offload.problem import METRICS

ROUNDING = 1 + 1e-12


@cache
def drawn() -> list[tuple[str, Problem, offload.Plan]]:
    """Plans that hold, of instances over all features."""
    problems = {f"instance {seed}": draw_problem(seed, tuple(FEATURES)) for seed in range(100)}
    plans = [(name, problem, draw_plan(problem, 1, tries=2)) for name, problem in problems.items()]
    return [(name, problem, plan) for name, problem, plan in plans if plan is not None]


def test_no_plan_of_any_instance_is_below() -> None:
    assert len(drawn()) > 70
    for name, problem, plan in drawn():
        for metric, bound in metric_bounds(problem).items():
            assert bound <= plan.metrics[metric] * ROUNDING, f"{name}: {metric}"
        weights = {metric: 1.0 + n for n, metric in enumerate(METRICS)}
        assert lower_bound(problem, weights) <= plan.objective(weights) * ROUNDING, name


def test_no_optimum_is_below() -> None:
    honours = registry.find("cpsat").honours - {"limits"}
    tight = dict.fromkeys(METRICS, 0)
    for seed in range(80):
        problem = draw_problem(seed, honours, tasks=(1, 4), nodes=(1, 3))
        plans = everything(problem)
        if not plans.holds.any():
            continue
        bounds = metric_bounds(problem)
        for metric in METRICS:
            least = float(plans.metrics[metric][plans.holds].min())
            assert bounds[metric] <= least * ROUNDING, f"instance {seed}: {metric}"
            tight[metric] += bounds[metric] >= 0.99 * least
    # A bound that is never met would be true and worthless.
    assert min(tight.values()) > 10, tight


def test_heads_and_tails_hold_in_every_plan() -> None:
    for name, problem, plan in drawn():
        tables, parts = problem.tables, plan.parts
        whole = ~tables.divisible[parts.task]
        at = parts.task[whole], parts.node[whole]
        late = 1e-9 * plan.metrics["latency"]
        assert (heads(tables)[at] <= parts.start[whole] + late).all(), name
        last = parts.finish[whole] + tails(tables)[at]
        assert (last <= plan.metrics["latency"] + late).all(), name


def test_bounds_without_pairs_of_nodes_are_true_and_weaker(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, problem, _ in drawn()[:50]:
        sharp = metric_bounds(problem)
        with monkeypatch.context() as patch:
            patch.setattr("offload.bounds._PAIRWISE", 0)
            blurred = metric_bounds(problem)
        for metric in METRICS:
            assert blurred[metric] <= sharp[metric] * ROUNDING, f"{name}: {metric}"


# -- by hand -------------------------------------------------------------------------------------


@pytest.fixture
def chain() -> Problem:
    """a on the camera, b on the server only; 10 B in between; everything has its price."""
    nodes = (
        Node("cam", busy_power=2, idle_power=1, price=3, failure_rate=0.1),
        Node("srv", speed=4, busy_power=6, price=5, failure_rate=0.2),
    )
    tasks = (
        Task("a", work=8, allow=("cam",), release=1, weight=2),
        Task("b", work=8, allow=("srv",), due=9),
    )
    network = Network(nodes, (Link("cam", "srv", bandwidth=5, latency=0.5),))
    return Problem(network=network, graph=Graph(tasks, (Edge("a", "b", 10),)))


def test_a_chain_with_one_place_for_each_is_bounded_exactly(chain: Problem) -> None:
    # a from 1 to 9, arrival 9 + 2 + 0.5, b until 13.5.
    assert metric_bounds(chain) == pytest.approx({
        "latency": 13.5,
        "completion": 2 * 9 + 13.5,
        "tardiness": 4.5,
        "energy": 8 * 2 + 2 * 6 + 13.5,
        "cost": 8 * 3 + 2 * 5,
        "risk": 8 * 0.1 + 2 * 0.2,
        "traffic": 0,
        "period": (8 + 2) / 2,
    })  # fmt: skip
    assert heads(chain.tables)[[0, 1], [0, 1]].tolist() == [1, 11.5]
    assert tails(chain.tables)[[0, 1], [0, 1]].tolist() == [4.5, 0]
    assert lower_bound(chain, {"latency": 2, "cost": 1, "risk": 0}) == pytest.approx(27 + 34)


def test_many_equal_tasks_are_bounded_by_their_load() -> None:
    network = Network((Node("a", slots=2), Node("b", slots=3), Node("hub", slots=0)))
    tasks = tuple(Task(f"t{i}", work=6) for i in range(20))
    problem = Problem(network=network, graph=Graph(tasks))
    bounds = metric_bounds(problem)
    assert bounds["latency"] == 20 * 6 / 5
    assert bounds["period"] == 20 * 6 / 5


def test_a_codec_shortens_the_least_delay() -> None:
    nodes = (Node("a", speed=2), Node("b"), Node("far"))
    problem = Problem(
        network=Network(nodes, (Link("a", "b", bandwidth=1, latency=0.25),)),
        graph=Graph(
            (Task("s", work=1), Task("t", work=1)), (Edge("s", "t", 12, codecs=("zip", "no")),)
        ),
        codecs=(Codec("zip", 4, 0.5, 0.25), Codec("no", 1, 9, 9)),
    )  # fmt: skip
    # Plain 12 s; packed 0.5 * 12 / 2 + 12 / 4 + 0.25 * 12 / 1 = 9 s from a to b, and back
    # 0.5 * 12 / 1 + 3 + 0.25 * 12 / 2 = 10.5 s.
    delay = pair_delays(problem.tables, 0)
    assert delay.tolist() == [[0, 9.25, np.inf], [10.75, 0, np.inf], [np.inf, np.inf, 0]]


def test_where_no_route_leads_there_is_no_bound(chain: Problem) -> None:
    cut = chain.replace(network=Network(chain.network.nodes))
    assert metric_bounds(cut)["latency"] == np.inf
    assert lower_bound(cut, {"latency": 1.0}) == np.inf
    result = offload.solve(cut, "heft")
    assert (result.status, result.plan, result.bound) == ("infeasible", None, None)


def test_nothing_to_do_takes_nothing() -> None:
    problem = Problem(network=Network((Node("a", idle_power=5),)))
    assert metric_bounds(problem) == dict.fromkeys(METRICS, 0.0)
