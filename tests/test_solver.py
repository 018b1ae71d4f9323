"""solve(): what it answers, what it is asked for, and what each status means for any method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

import offload
from offload import Edge, Graph, Link, Network, Node, Problem, Task, registry
from offload.problem import METRICS

EXACT = [entry.name for entry in registry.entries().values() if entry.kind == "exact"]
PROVING = ["auto", *EXACT]
ALL = ["auto", *registry.entries()]


def bound_early(problem: Problem, deadline: float) -> Problem:
    """The instance with a deadline for its last task."""
    *others, last = problem.graph.tasks
    tasks = (*others, Task(last.id, last.work, deadline=deadline))
    return problem.replace(graph=Graph(tasks, problem.graph.edges))


# -- statuses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", PROVING)
def test_a_proof_is_optimal(chain: Problem, method: str) -> None:
    result = offload.solve(chain, method)
    assert result.status == "optimal"
    assert result.objective == pytest.approx(4, rel=1e-9)
    assert result.bound == pytest.approx(4, rel=1e-4)
    assert result.gap is not None
    assert 0 <= result.gap <= 1e-4
    assert (result.stopped, result.reason, result.method) == (None, None, method)
    assert result.plan is not None
    assert result.plan.nodes.tolist() == [1, 1]


def test_a_plan_without_proof_is_feasible(paper: Problem) -> None:
    result = offload.solve(paper, "heft")
    assert (result.status, result.objective) == ("feasible", 80)
    assert result.bound is not None
    assert 54 <= result.bound <= 73  # critical path, and optimum
    assert result.gap == pytest.approx((80 - result.bound) / 80)
    assert result.stopped is None


def test_a_plan_that_meets_the_bound_is_optimal_whoever_found_it() -> None:
    problem = Problem(network=Network((Node("a"),)), graph=Graph((Task("t", work=3),)))
    result = offload.solve(problem, "heft")
    assert (result.status, result.objective) == ("optimal", 3)
    assert (result.bound, result.gap) == (pytest.approx(3), pytest.approx(0, abs=1e-9))


@pytest.mark.parametrize("method", PROVING)
def test_a_deadline_that_nobody_keeps_is_proved(chain: Problem, method: str) -> None:
    result = offload.solve(bound_early(chain, 3.9), method)
    assert result.status == "infeasible"
    assert (result.plan, result.objective, result.bound, result.gap) == (None, None, None, None)
    assert result.stopped is None
    assert result.reason


def weights(method: str, *metrics: str) -> dict[str, float]:
    """These metrics, or those that a method is for alone."""
    entry = registry.entries().get(method)
    return dict.fromkeys(sorted(entry.goals) if entry and entry.goals else metrics, 1.0)


@pytest.mark.parametrize("method", ALL)
def test_nodes_without_a_route_are_infeasible_for_every_method(method: str) -> None:
    tasks = (Task("a", work=1, allow=("n0",)), Task("b", work=1, allow=("n1",)))
    graph = Graph(tasks, (Edge("a", "b", 1),))
    problem = Problem(network=Network((Node("n0"), Node("n1"))), graph=graph)
    result = offload.solve(problem, method, weights(method, "latency"), explain=0)
    assert (result.status, result.plan) == ("infeasible", None)
    assert result.reason == "some task cannot be reached from those it needs"


def test_a_heuristic_that_misses_a_deadline_knows_nothing() -> None:
    # Three tasks of 2 s on two nodes need 4 s, though their work alone would take 3 s.
    tasks = tuple(Task(f"t{i}", work=2, deadline=3.5) for i in range(3))
    problem = Problem(network=Network((Node("a"), Node("b"))), graph=Graph(tasks))
    result = offload.solve(problem, "round-robin")
    assert (result.status, result.plan, result.objective) == ("unknown", None, None)
    assert result.bound == pytest.approx(3)
    assert result.reason == "repair leaves broken the deadline of t2"


@pytest.mark.parametrize("method", ALL)
def test_nothing_to_do_is_done_at_once(method: str) -> None:
    problem = Problem(network=Network((Node("a", idle_power=3),)))
    result = offload.solve(problem, method, weights(method, "latency", "energy"))
    assert (result.status, result.objective, result.bound, result.gap) == ("optimal", 0, 0, 0)
    assert result.plan is not None
    assert offload.check(problem, result.plan) == []
    assert result.plan.metrics == dict.fromkeys(METRICS, 0.0)


def test_an_objective_of_zero_has_no_gap(chain: Problem) -> None:
    result = offload.solve(chain, "heft", "tardiness")
    assert (result.status, result.objective, result.bound, result.gap) == ("optimal", 0, 0, 0)


# -- what it is asked for ------------------------------------------------------------------------


def test_a_goal_of_the_call_replaces_that_of_the_instance(chain: Problem) -> None:
    frugal = chain.replace(minimize={"energy": 1}, limits={"latency": 5})
    assert offload.solve(frugal, "cpsat").objective == pytest.approx(40)
    free = offload.solve(frugal, "cpsat", limits={})
    assert free.objective == pytest.approx(6)
    assert (free.minimize, free.limits) == ({"energy": 1}, {})
    fast = offload.solve(frugal, "cpsat", "latency")
    assert fast.objective == pytest.approx(4)
    assert (fast.minimize, fast.limits) == ({"latency": 1}, {"latency": 5})
    both = offload.solve(frugal, "cpsat", {"latency": 2, "energy": 1, "cost": 0}, {"latency": 6})
    assert both.objective == pytest.approx(2 * 6 + 6)


def test_a_limit_to_the_last_digit_is_kept(chain: Problem) -> None:
    for method in EXACT:
        result = offload.solve(chain, method, limits={"energy": 6})
        assert result.objective == pytest.approx(6), method
        assert result.plan is not None
        assert result.plan.metrics["energy"] <= 6 * (1 + 1e-9)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"method": "hft"}, offload.OffloadError, "method: unknown method, got 'hft'; .*'heft'"),
        ({"minimize": "makespan"}, offload.InstanceError, "makespan"),
        ({"minimize": {"latency": -1}}, offload.InstanceError, "minimize.latency: .* got -1"),
        ({"minimize": {"latency": 0}}, offload.InstanceError, "at least one weight above 0"),
        ({"limits": {"powr": 1}}, offload.InstanceError, "powr"),
        ({"limits": {"energy": float("nan")}}, offload.InstanceError, "limits.energy"),
        ({"time_limit": -1}, offload.OffloadError, "time_limit: must be >= 0.0, got -1"),
        ({"work_limit": -1}, offload.OffloadError, "work_limit: must be >= 0.0, got -1"),
        ({"gap": float("nan")}, offload.OffloadError, "gap: must be >= 0.0, got nan"),
        ({"threads": 0}, offload.OffloadError, "threads: must be >= 1, got 0"),
        ({"seed": -1}, offload.OffloadError, "seed: must be >= 0, got -1"),
        ({"method": "auto", "options": {"x": 1}}, offload.OffloadError, r"'auto' has none, .*'x'"),
        ({"options": {"horizn": 1}}, offload.OffloadError, "no such option; known: horizon"),
        ({"method": "milp", "options": {"solver": "z"}}, offload.OffloadError, "solver.*'z'"),
    ],
)
def test_requests_that_mean_nothing(
    chain: Problem, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        offload.solve(chain, **{"method": "cpsat", **arguments})


@pytest.mark.parametrize(
    "method", [name for name in EXACT if "splitting" not in registry.find(name).honours]
)
def test_what_a_method_does_not_honour_is_named(chain: Problem, method: str) -> None:
    first, *rest = chain.graph.tasks
    tasks = (msgspec.structs.replace(first, divisible=True), *rest)
    problem = chain.replace(graph=msgspec.structs.replace(chain.graph, tasks=tasks))
    message = f"method '{method}' does not honour: splitting; "
    with pytest.raises(offload.Unsupported, match=message):
        offload.solve(problem, method)


def test_methods_that_honour_an_instance_are_named(chain: Problem) -> None:
    link = Link("slow", "fast", bandwidth=10, channels=1)
    problem = chain.replace(network=Network(chain.network.nodes, (link,)))
    message = "method 'milp' does not honour: channels; methods that do: heft, .*cpsat"
    with pytest.raises(offload.Unsupported, match=message):
        offload.solve(problem, "milp")


@pytest.mark.parametrize("method", ["auto", "exact"])
def test_what_nobody_honours_together_is_named(method: str) -> None:
    task = Task("t", work=2, divisible=True)
    nodes = (Node("a"), Node("b"))
    links = (Link("a", "b", channels=1),)
    problem = Problem(network=Network(nodes, links), graph=Graph((task,)))
    message = f"'{method}' does not honour: channels, splitting; no method"
    with pytest.raises(offload.Unsupported, match=message):
        offload.solve(problem, method)


# -- the answer ----------------------------------------------------------------------------------


def test_a_result_says_what_it_answered(chain: Problem) -> None:
    result = offload.solve(
        chain, "milp", "latency", {"energy": 50}, seed=3, threads=1, work_limit=1000,
        options={"solver": "highs"},
    )  # fmt: skip
    assert (result.seed, result.minimize, result.limits) == (3, {"latency": 1}, {"energy": 50})
    assert result.options == {"solver": "highs", "threads": 1, "work_limit": 1000}
    assert result.versions["offload"] == offload.__version__
    assert set(result.versions) > {"offload"}
    assert result.seconds > 0
    assert result.plan is not None
    assert result.plan.result == result.summary()
    assert str(result).startswith("optimal: objective 4 by milp, bound ")
    assert list(result.to_frame()["task"]) == ["a", "b"]


def test_a_result_without_a_plan_says_why(chain: Problem) -> None:
    result = offload.solve(bound_early(chain, 1), "cpsat")
    assert str(result).startswith("infeasible: no plan by cpsat (")
    assert result.to_frame().empty


def test_auto_is_at_least_as_good_as_each_heuristic(instances: Path) -> None:
    for name in ("crossing-12", "cholesky-6"):
        problem = offload.load(instances / f"{name}.json")
        best = offload.solve(problem, time_limit=2)
        assert best.objective is not None
        for method in ("heft", "peft", "cpop", "by-intensity"):
            other = offload.solve(problem, method)
            if other.objective is not None:
                assert best.objective <= other.objective, (name, method)
