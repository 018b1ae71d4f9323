"""Lower bounds: never above any plan, exact where a chain or a load decides alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from brute_force import Everything, everything
from decisions import draw_decisions
from drawing import draw_plan, draw_problem

import offload
from offload import Codec, Edge, Graph, Group, Link, Mode, Network, Node, Problem, Task, registry
from offload.bounds import (
    heads,
    lower_bound,
    metric_bounds,
    pair_delays,
    proved,
    refuted,
    relative_gap,
    tails,
)
from offload.features import FEATURES
from offload.metrics import objective
from offload.problem import METRICS, Data

ROUNDING = 1 + 1e-12
EXACT = registry.find("milp").honours - {"limits", "splitting"}
DECODED = tuple(name for name in FEATURES if name not in ("splitting", "limits", "channels"))

# Ways to reckon with less, as large instances are: (module and name, value)
COARSER = [
    ("windows._EXACT", -1),
    ("assignment._CELLS", 4),
    ("relaxation._LIFTED", 0),
    ("relaxation._PAIRED", 0),
    ("locality._MOST", 2),
    ("loads._GRID", 2),
    ("loads._LAGS", 1),
]


@cache
def drawn() -> list[tuple[str, Problem, offload.Plan]]:
    """Plans that hold, of instances over all features."""
    problems = {f"instance {seed}": draw_problem(seed, tuple(FEATURES)) for seed in range(60)}
    plans = [(name, problem, draw_plan(problem, 1, tries=2)) for name, problem in problems.items()]
    return [(name, problem, plan) for name, problem, plan in plans if plan is not None]


def fresh(problem: Problem) -> Problem:
    """The same problem, of which nothing is known yet."""
    return problem.replace(name="again")


def test_no_plan_of_any_instance_is_below() -> None:
    assert len(drawn()) > 40
    weights = {metric: 1.0 + n for n, metric in enumerate(METRICS)}
    for name, problem, plan in drawn():
        for metric, bound in metric_bounds(problem).items():
            assert bound <= plan.metrics[metric] * ROUNDING, f"{name}: {metric}"
        assert lower_bound(problem, weights) <= plan.objective(weights) * ROUNDING, name
        assert refuted(problem, problem.limits) is None, name
        bound = lower_bound(problem, weights, problem.limits)
        assert bound <= plan.objective(weights) * ROUNDING, name


@pytest.mark.parametrize(("what", "value"), COARSER)
def test_bounds_that_look_at_less_are_true(
    what: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"offload.bounding.{what}", value)
    for name, problem, plan in drawn()[:15]:
        for metric, bound in metric_bounds(fresh(problem)).items():
            assert bound <= plan.metrics[metric] * ROUNDING, f"{name}: {metric}"


# -- against brute force -------------------------------------------------------------------------


def mixtures(seed: int) -> list[dict[str, float]]:
    """Each metric alone, and some sums."""
    dice = random.Random(f"mixtures {seed}")
    mixed = [
        {metric: dice.choice([0.1, 1.0, 5.0]) for metric in dice.sample(METRICS, count)}
        for count in (2, 2, 3, 8)
    ]
    return [{metric: 1.0} for metric in METRICS] + mixed


def hard_limits(plans: Everything, seed: int) -> dict[str, float]:
    """Limits that some plan keeps to the last digit."""
    dice = random.Random(f"limits {seed}")
    row = dice.choice(np.flatnonzero(plans.holds).tolist())
    names = dice.sample(METRICS, dice.choice([1, 1, 2, 3]))
    return {metric: float(plans.metrics[metric][row]) for metric in names}


def brute(problem: Problem, seed: int, tight: dict[str, int]) -> None:
    """No bound of a tiny instance is above the optimum, whatever the goal and the limits."""
    plans = everything(problem)
    if not plans.holds.any():
        return
    limits = hard_limits(plans, seed)
    assert refuted(problem, limits) is None, f"instance {seed}, {limits}"
    within = plans.within(limits)
    for weights in mixtures(seed):
        value = objective(plans.metrics, weights)
        least, limited = float(value[plans.holds].min()), float(value[within].min())
        bound = lower_bound(problem, weights)
        assert bound <= least * ROUNDING, f"instance {seed}, {weights}"
        if len(weights) == 1:
            tight[next(iter(weights))] += bound >= 0.99 * least
        bound = lower_bound(problem, weights, limits)
        assert bound <= limited * (1 + 1e-9), f"instance {seed}, {weights}, {limits}"


def test_no_optimum_is_below() -> None:
    tight = dict.fromkeys(METRICS, 0)
    for seed in range(30):
        brute(draw_problem(seed, EXACT, tasks=(1, 4), nodes=(1, 3)), seed, tight)
    # A bound that is never met would be true and worthless.
    assert min(tight.values()) > 10, tight


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 1240, 60))
def test_no_optimum_is_below_on_many(first: int) -> None:
    tight = dict.fromkeys(METRICS, 0)
    for seed in range(first, first + 60):
        features = sorted(EXACT)
        if seed % 2:
            features = random.Random(seed).sample(features, 5)
        brute(draw_problem(seed, features, tasks=(2, 5), nodes=(1, 3)), seed, tight)
    assert min(tight.values()) > 10, tight


def undercut(seeds: range, plans: int) -> None:
    """Of many plans with random modes, codecs and copies, none is below a bound."""
    for seed in seeds:
        problem = draw_problem(seed, DECODED, tasks=(1, 4), nodes=(1, 3))
        drawn = draw_decisions(problem, seed, plans)
        found = offload.evaluate(problem, *drawn)
        holds = found.feasible
        if not holds.any():
            continue
        for weights in mixtures(seed):
            least = float(objective(found.metrics, weights)[holds].min())
            bound = lower_bound(problem, weights)
            assert bound <= least * ROUNDING, f"instance {seed}, {weights}"


def test_no_decision_undercuts_a_bound() -> None:
    undercut(range(20), 60)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 1200, 50))
def test_no_decision_undercuts_a_bound_on_many(first: int) -> None:
    undercut(range(first, first + 50), 1000)


def proves(seeds: range, tasks: tuple[int, int]) -> None:
    """No bound is above what an exact method finds."""
    for seed in seeds:
        problem = draw_problem(seed, EXACT, tasks=tasks, nodes=(2, 4))
        metric = random.Random(f"metric {seed}").choice(METRICS)
        result = offload.solve(problem, "cpsat", metric, time_limit=10, seed=seed)
        if result.objective is not None:
            bound = lower_bound(problem, {metric: 1.0})
            assert bound <= result.objective * (1 + 1e-9), f"instance {seed}, {metric}"


def test_no_proved_optimum_is_below() -> None:
    proves(range(3000, 3006), (6, 8))


@pytest.mark.slow
def test_no_proved_optimum_is_below_on_many() -> None:
    proves(range(4000, 4030), (8, 14))


def test_heads_and_tails_hold_in_every_plan() -> None:
    for name, problem, plan in drawn():
        tables, parts = problem.tables, plan.parts
        whole = ~tables.divisible[parts.task]
        at = parts.task[whole], parts.node[whole]
        late = 1e-9 * plan.metrics["latency"]
        assert (heads(tables)[at] <= parts.start[whole] + late).all(), name
        last = parts.finish[whole] + tails(tables)[at]
        assert (last <= plan.metrics["latency"] + late).all(), name


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
    link = Link("cam", "srv", bandwidth=5, latency=0.5, energy=0.3, price=0.1)
    network = Network(nodes, (link,))
    return Problem(network=network, graph=Graph(tasks, (Edge("a", "b", 10),)))


def test_a_chain_with_one_place_for_each_is_bounded_exactly(chain: Problem) -> None:
    # a from 1 to 9, arrival 9 + 2 + 0.5, b until 13.5.
    assert metric_bounds(chain) == pytest.approx({
        "latency": 13.5,
        "completion": 2 * 9 + 13.5,
        "tardiness": 4.5,
        "energy": 8 * 2 + 2 * 6 + 13.5 + 10 * 0.3,
        "cost": 8 * 3 + 2 * 5 + 10 * 0.1,
        "risk": 8 * 0.1 + 2 * 0.2,
        "traffic": 10,
        "period": 8,
    })  # fmt: skip
    assert heads(chain.tables)[[0, 1], [0, 1]].tolist() == [1, 11.5]
    assert tails(chain.tables)[[0, 1], [0, 1]].tolist() == [4.5, 0]
    assert lower_bound(chain, {"latency": 2, "cost": 1, "risk": 0}) == pytest.approx(27 + 35)


def test_many_equal_tasks_are_bounded_by_their_load() -> None:
    network = Network((Node("a", slots=2), Node("b", slots=3), Node("hub", slots=0)))
    tasks = tuple(Task(f"t{i}", work=6) for i in range(20))
    problem = Problem(network=network, graph=Graph(tasks))
    bounds = metric_bounds(problem)
    assert bounds["latency"] == pytest.approx(20 * 6 / 5)
    assert bounds["period"] == pytest.approx(20 * 6 / 5)


def test_work_is_shared_out_among_unlike_nodes() -> None:
    # Each node runs its own kind at 1 s a task: 4 s; the other kind would take 10 s a task.
    times = {"x": {"a": 1.0, "b": 10.0}, "y": {"a": 10.0, "b": 1.0}}
    tasks = tuple(Task(f"{kind}{i}", time=times[kind]) for kind in "xy" for i in range(4))
    problem = Problem(network=Network((Node("a"), Node("b"))), graph=Graph(tasks))
    assert metric_bounds(problem)["latency"] == pytest.approx(4)


def test_work_between_a_fork_and_a_join_is_counted() -> None:
    # 3 s alone, six tasks of 2 s on two nodes, 5 s alone; nothing to send.
    tasks = (
        Task("first", work=3),
        *(Task(f"m{i}", work=2) for i in range(6)),
        Task("last", work=5),
    )
    edges = [Edge("first", f"m{i}") for i in range(6)] + [Edge(f"m{i}", "last") for i in range(6)]
    network = Network((Node("a"), Node("b")), (Link("a", "b"),))
    problem = Problem(network=network, graph=Graph(tasks, tuple(edges)))
    assert metric_bounds(problem)["latency"] == pytest.approx(3 + 6 + 5)


def test_inputs_are_remote_or_made_on_the_spot() -> None:
    # Four inputs of 3 s to j. On one node 12 s; over the link none arrives before 3 + 20.
    tasks = (*(Task(f"i{n}", work=3) for n in range(4)), Task("j", work=1))
    edges = tuple(Edge(f"i{n}", "j", 20) for n in range(4))
    nodes = tuple(Node(f"n{k}") for k in range(4))
    links = tuple(Link(f"n{a}", f"n{b}", bandwidth=1) for a in range(4) for b in range(a + 1, 4))
    problem = Problem(network=Network(nodes, links, 1.0), graph=Graph(tasks, edges))
    assert metric_bounds(problem)["latency"] == pytest.approx(13)


def test_a_task_that_moves_costs_what_the_cheapest_way_costs() -> None:
    # a must run on x and c on z; b is cheap nowhere near: each place of b forces some transfer.
    nodes = (Node("x", price=1), Node("y", price=0), Node("z", price=2))
    links = (Link("x", "y", price=1), Link("y", "z", price=1), Link("x", "z", price=1.5))
    tasks = (
        Task("a", work=1, allow=("x",)), Task("b", work=4), Task("c", work=1, allow=("z",)),
    )  # fmt: skip
    edges = (Edge("a", "b", 2), Edge("b", "c", 3))
    problem = Problem(network=Network(nodes, links, 0.0), graph=Graph(tasks, edges))
    # b on x: 4 + 3 * 1.5 = 8.5; on y: 2 + 3 = 5; on z: 8 + 2 * 1.5 = 11. And a 1, c 2.
    assert metric_bounds(problem)["cost"] == pytest.approx(1 + 5 + 2)
    assert metric_bounds(problem)["traffic"] == pytest.approx(2)


def test_a_node_is_not_both_cheap_and_fast() -> None:
    nodes = (Node("slow", speed=1, price=1), Node("fast", speed=2, price=6))
    problem = Problem(network=Network(nodes), graph=Graph((Task("t", work=8),)))
    # Slow: 8 s and 8; fast: 4 s and 24. Alone the bounds are 4 and 8.
    assert lower_bound(problem, {"latency": 1, "cost": 1}) == pytest.approx(16)
    assert lower_bound(problem, {"completion": 1, "cost": 1}) == pytest.approx(16)
    assert lower_bound(problem, {"latency": 10, "cost": 1}) == pytest.approx(64)
    assert lower_bound(problem, {"cost": 1}, {"latency": 5}) == pytest.approx(24)


def test_memory_shares_out_what_is_resident() -> None:
    nodes = (Node("cheap", price=1, memory=20), Node("dear", price=3))
    tasks = tuple(Task(f"t{i}", work=1, resident=10) for i in range(5))
    problem = Problem(network=Network(nodes), graph=Graph(tasks))
    assert metric_bounds(problem)["cost"] == pytest.approx(2 * 1 + 3 * 3)


def test_tasks_wait_for_each_other() -> None:
    tasks = tuple(Task(f"t{i}", work=2, weight=1 + (i == 2), due=3) for i in range(3))
    problem = Problem(network=Network((Node("a"),)), graph=Graph(tasks))
    # The heavy one at 2, the others at 4 and 6.
    assert metric_bounds(problem)["completion"] == pytest.approx(2 * 2 + 4 + 6)
    assert metric_bounds(problem)["tardiness"] == pytest.approx(14 - 4 * 3)


def test_no_task_is_longer_than_the_period() -> None:
    # In fractions 3 tasks of 4 s take 6 s on two nodes; the third is 8 s on one of them or whole.
    tasks = tuple(Task(f"t{i}", work=4) for i in range(3))
    nodes = (Node("a"), Node("b", speed=0.1))
    problem = Problem(network=Network(nodes), graph=Graph(tasks))
    # On b a task takes 40 s, so that none is there in less than the 12 s that all take on a.
    assert metric_bounds(problem)["period"] == pytest.approx(12)


def test_groups_keep_inputs_near_or_far() -> None:
    def two(rule: str) -> float:
        tasks = (Task("a", work=1), Task("b", time={"x": 1, "y": 4}))
        network = Network((Node("x"), Node("y", speed=0.5)), (Link("x", "y", latency=7),))
        graph = Graph(tasks, (Edge("a", "b"),), (Group(rule, ("a", "b")),))  # type: ignore[arg-type]
        return metric_bounds(Problem(network=network, graph=graph))["latency"]

    assert two("together") == pytest.approx(2)
    assert two("apart") == pytest.approx(2 + 7 + 1)  # a on y for 2 s


def test_modes_and_parts_may_be_faster() -> None:
    nodes = (Node("a", modes=(Mode("fast", 2, 0),)), Node("b"))
    whole = Problem(network=Network(nodes), graph=Graph((Task("t", work=8),)))
    assert metric_bounds(whole)["latency"] == pytest.approx(4)
    split = Problem(network=Network(nodes), graph=Graph((Task("t", work=8, divisible=True),)))
    assert metric_bounds(split)["latency"] <= 4  # 4 on each, at the default speed


def test_data_must_arrive_first() -> None:
    nodes = (Node("x"), Node("y", price=1))
    network = Network(nodes, (Link("x", "y", bandwidth=2, price=0.5),))
    tasks = (Task("r", work=1, reads=("map",), allow=("y",)),)

    def read(copies: int) -> dict[str, float]:
        data = (Data("map", 10, ("x",), copies),)
        return metric_bounds(Problem(network=network, graph=Graph(tasks), data=data))

    assert read(0)["latency"] == pytest.approx(5 + 1)
    assert read(1)["latency"] == pytest.approx(1)
    for copies in (0, 1):  # fetched or pushed, it crosses the link
        assert read(copies)["cost"] == pytest.approx(1 + 5)
        assert read(copies)["traffic"] == pytest.approx(10)


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


# -- no plan at all ------------------------------------------------------------------------------


def test_where_no_route_leads_there_is_no_bound(chain: Problem) -> None:
    cut = chain.replace(network=Network(chain.network.nodes))
    assert metric_bounds(cut)["latency"] == np.inf
    assert lower_bound(cut, {"latency": 1.0}) == np.inf
    result = offload.solve(cut, "heft")
    assert (result.status, result.plan, result.bound) == ("infeasible", None, None)


@pytest.mark.parametrize(
    ("metric", "share"), [(metric, share) for metric in METRICS for share in (0.9, 1.0)]
)
def test_a_limit_below_the_bound_is_out_of_reach(chain: Problem, metric: str, share: float) -> None:
    limits = {metric: metric_bounds(chain)[metric] * share}
    result = offload.solve(chain, "heft", limits=limits)
    if share == 1:
        assert refuted(chain, limits) is None
        return
    assert result.status == "infeasible"
    assert metric in str(result.reason)
    assert lower_bound(chain, {"risk": 1.0}, limits) == np.inf


def test_deadlines_and_memory_rule_plans_out() -> None:
    def refused(**changes: object) -> str | None:
        task = Task("t", **{"work": 10, **changes})  # type: ignore[arg-type]
        network = Network((Node("a", memory=5),))
        return refuted(Problem(network=network, graph=Graph((task,))))

    assert refused() is None
    assert refused(deadline=10.0) is None
    assert "deadline" in str(refused(deadline=9.9))
    assert refused(memory=5.0) is None
    assert "room" in str(refused(memory=5.1))
    assert refused(memory=5.1, work=0) is None  # what takes no time holds no working memory
    assert "room" in str(refused(resident=5.1, work=0))


def test_residents_that_do_not_fit_together_are_no_plan() -> None:
    def refused(memory: float) -> str | None:
        network = Network((Node("a", memory=memory), Node("b", memory=10)))
        tasks = tuple(Task(f"t{i}", work=1, resident=8) for i in range(3))
        return refuted(Problem(network=network, graph=Graph(tasks)))

    assert refused(16) is None
    assert "resident" in str(refused(13.9))


def test_nothing_to_do_takes_nothing() -> None:
    problem = Problem(network=Network((Node("a", idle_power=5),)))
    assert metric_bounds(problem) == dict.fromkeys(METRICS, 0.0)
    assert refuted(problem, {"latency": 0}) is None


# -- knowing when to stop ------------------------------------------------------------------------


def test_a_plan_is_proved_when_its_gap_is_closed() -> None:
    assert relative_gap(10, 9) == pytest.approx(0.1)
    assert relative_gap(0, 0) == 0
    assert proved(10, 9.9995, 1e-4)
    assert not proved(10, 9.9, 1e-4)
    assert not proved(10, -np.inf, 1e-4)


# -- at scale ------------------------------------------------------------------------------------


def layered(count: int, nodes: int, width: int, kinds: Callable[[int], int]) -> Problem:
    """Layers of tasks, each after two or three of the layer before."""
    dice = random.Random(count)
    places = tuple(
        Node(f"n{k}", speed=1.0 + kinds(k), busy_power=1.0 + k % 3, price=float(kinds(k)))
        for k in range(nodes)
    )
    links = tuple(Link("n0", f"n{k}", bandwidth=100.0, latency=0.01) for k in range(1, nodes))
    tasks = tuple(
        Task(f"t{i}", work=dice.uniform(1, 9), due=float(i) if i % 7 == 0 else None)
        for i in range(count)
    )
    edges = tuple(
        Edge(f"t{j}", f"t{i}", dice.uniform(1, 50))
        for i in range(width, count)
        for j in dice.sample(range((i // width - 1) * width, (i // width) * width), 2 + i % 2)
    )
    return Problem(network=Network(places, links), graph=Graph(tasks, edges))


def test_large_instances_have_bounds_that_their_load_explains() -> None:
    problem = layered(6000, 30, 200, lambda k: k % 4)
    plan = offload.solve(problem, "heft").plan
    assert plan is not None
    bounds = metric_bounds(problem)
    for metric, bound in bounds.items():
        assert bound <= plan.metrics[metric] * ROUNDING, metric
    speed = sum(node.speed for node in problem.network.nodes)
    work = sum(task.work or 0 for task in problem.graph.tasks)
    assert bounds["latency"] >= work / speed * (1 - 1e-9)
    assert bounds["completion"] > 0.5 * plan.metrics["completion"]
