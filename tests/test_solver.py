"""solve(): what each status, bound, gap and reason to stop means, whatever the method."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import offload
from offload import Edge, Graph, Link, Network, Node, Problem, Task, registry
from offload.problem import METRICS

EXACT = [entry.name for entry in registry.entries().values() if entry.kind == "exact"]
PROVING = ["auto", *EXACT]
ALL = ["auto", *registry.entries()]
WORK = {"cpsat": 0.001, "milp": 3}  # too little, in each method's unit, for ten tasks


@pytest.fixture
def paper(instances: Path) -> Problem:
    """Ten tasks on three processors: HEFT 80, optimum 73, bound of the critical path 54."""
    return offload.load(instances / "topcuoglu-2002.json")


@pytest.fixture
def hard(instances: Path) -> Problem:
    """Forty tasks on six nodes: no method proves the optimum within a test's patience."""
    return offload.load(instances / "edge-n40-m6-ccr10.json")


@pytest.fixture
def chain() -> Problem:
    """Two tasks: 4 s in all on the fast node, which draws 10 W; 6 s on the slow one, at 1 W."""
    nodes = (Node("slow", speed=2, busy_power=1), Node("fast", speed=3, busy_power=10))
    graph = Graph((Task("a", work=6), Task("b", work=6)), (Edge("a", "b", 60),))
    return Problem(network=Network(nodes, (Link("slow", "fast", bandwidth=10),)), graph=graph)


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
    assert (result.status, result.objective, result.bound) == ("feasible", 80, 54)
    assert result.gap == pytest.approx((80 - 54) / 80)
    assert result.stopped is None


def test_a_plan_that_meets_the_bound_is_optimal_whoever_found_it() -> None:
    problem = Problem(network=Network((Node("a"),)), graph=Graph((Task("t", work=3),)))
    result = offload.solve(problem, "heft")
    assert (result.status, result.objective, result.bound, result.gap) == ("optimal", 3, 3, 0)


@pytest.mark.parametrize("method", PROVING)
def test_a_deadline_that_nobody_keeps_is_proved(chain: Problem, method: str) -> None:
    result = offload.solve(bound_early(chain, 3.9), method)
    assert result.status == "infeasible"
    assert (result.plan, result.objective, result.bound, result.gap) == (None, None, None, None)
    assert result.stopped is None
    assert result.reason


@pytest.mark.parametrize("method", ALL)
def test_nodes_without_a_route_are_infeasible_for_every_method(method: str) -> None:
    tasks = (Task("a", work=1, allow=("n0",)), Task("b", work=1, allow=("n1",)))
    graph = Graph(tasks, (Edge("a", "b", 1),))
    problem = Problem(network=Network((Node("n0"), Node("n1"))), graph=graph)
    result = offload.solve(problem, method)
    assert (result.status, result.plan) == ("infeasible", None)
    assert result.reason == "some task cannot be reached from those it needs"


def test_a_heuristic_that_misses_a_deadline_knows_nothing(chain: Problem) -> None:
    result = offload.solve(bound_early(chain, 3.9), "round-robin")
    assert (result.status, result.plan, result.objective) == ("unknown", None, None)
    assert result.bound == pytest.approx(4)
    assert result.reason is not None
    assert result.reason.startswith("the best plan found breaks deadline: ")


@pytest.mark.parametrize("method", ALL)
def test_nothing_to_do_is_done_at_once(method: str) -> None:
    problem = Problem(network=Network((Node("a", idle_power=3),)))
    result = offload.solve(problem, method, {"latency": 1, "energy": 1})
    assert (result.status, result.objective, result.bound, result.gap) == ("optimal", 0, 0, 0)
    assert result.plan is not None
    assert offload.check(problem, result.plan) == []
    assert result.plan.metrics == dict.fromkeys(METRICS, 0.0)


def test_an_objective_of_zero_has_no_gap(chain: Problem) -> None:
    result = offload.solve(chain, "heft", "tardiness")
    assert (result.status, result.objective, result.bound, result.gap) == ("optimal", 0, 0, 0)


# -- why it stopped ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", PROVING)
def test_the_clock_stops_with_the_best_plan(hard: Problem, method: str) -> None:
    result = offload.solve(hard, method, time_limit=1.0, threads=2)
    assert (result.status, result.stopped) == ("feasible", "time")
    assert result.plan is not None
    assert offload.check(hard, result.plan) == []
    assert result.bound is not None
    assert result.objective is not None
    assert 0 < result.bound < result.objective


@pytest.mark.parametrize("method", PROVING)
def test_no_time_at_all_is_no_error(hard: Problem, method: str) -> None:
    result = offload.solve(hard, method, time_limit=0)
    assert result.status in ("unknown", "feasible")
    assert result.stopped == "time"


@pytest.mark.parametrize("method", EXACT)
def test_work_runs_out(paper: Problem, method: str) -> None:
    result = offload.solve(paper, method, work_limit=WORK[method], threads=1, time_limit=None)
    assert (result.status, result.stopped) == ("feasible", "work")


@pytest.mark.parametrize("method", PROVING)
def test_cancelled_before_it_begins(hard: Problem, method: str) -> None:
    cancel = threading.Event()
    cancel.set()
    result = offload.solve(hard, method, cancel=cancel)
    assert (result.status, result.stopped) == ("unknown", "cancelled")


@pytest.mark.parametrize("method", PROVING)
def test_cancelled_by_another_thread(hard: Problem, method: str) -> None:
    cancel = threading.Event()

    def stop_once_there_is_a_plan(progress: offload.Progress) -> None:
        if progress.objective is not None:
            threading.Timer(0.2, cancel.set).start()

    result = offload.solve(
        hard, method, time_limit=120, cancel=cancel, on_progress=stop_once_there_is_a_plan
    )
    assert (result.status, result.stopped) == ("feasible", "cancelled")
    assert result.plan is not None
    assert offload.check(hard, result.plan) == []


@pytest.mark.parametrize("method", ["heft", *PROVING])
def test_a_wider_gap_stops_earlier(paper: Problem, method: str) -> None:
    result = offload.solve(paper, method, gap=0.4)
    assert result.gap is not None
    if result.gap <= 1e-4:  # more was proved than was asked for
        assert (result.status, result.stopped) == ("optimal", None)
    else:
        assert (result.status, result.stopped) == ("feasible", "gap")
        assert result.gap <= 0.4
    assert result.options["gap"] == 0.4


@pytest.mark.parametrize("method", PROVING)
def test_a_smaller_gap_is_what_optimal_means_then(chain: Problem, method: str) -> None:
    result = offload.solve(chain, method, gap=1e-7)
    assert result.status == "optimal"
    assert result.gap is not None
    assert result.gap <= 1e-7


def test_a_smaller_gap_is_not_met_by_a_wider_one() -> None:
    # The load bound is 6.0001 / 2, HEFT's plan needs 3.0001: within 1e-4 and outside 1e-6.
    nodes = (Node("a"), Node("b"))
    tasks = (Task("s", work=3), Task("t", work=0.0001), Task("u", work=3))
    problem = Problem(network=Network(nodes), graph=Graph(tasks))
    wide = offload.solve(problem, "heft")
    assert wide.gap == pytest.approx(0.00005 / 3.0001)
    assert wide.status == "optimal"
    assert offload.solve(problem, "heft", gap=1e-6).status == "feasible"


# -- where it starts -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["local", *EXACT])
def test_a_start_is_never_made_worse(paper: Problem, method: str) -> None:
    start = offload.solve(paper, "heft").plan
    assert start is not None
    result = offload.solve(paper, method, start=start, time_limit=20)
    assert result.objective is not None
    assert result.objective <= 80


def test_a_start_is_kept_if_nothing_better_is_found(hard: Problem) -> None:
    start = offload.solve(hard, "heft").plan
    assert start is not None
    result = offload.solve(hard, "cpsat", start=start, time_limit=0)
    assert result.plan is not None
    assert result.objective == start.objective()
    assert (result.status, result.stopped) == ("feasible", "time")


def test_a_start_that_does_not_hold_is_refused(chain: Problem) -> None:
    start = offload.solve(chain, "heft").plan
    assert start is not None
    start.parts.start[1] -= 1
    with pytest.raises(offload.PlanError, match=r"start: .*'?b'?.* rule (duration|precedence)"):
        offload.solve(chain, "cpsat", start=start)


def test_a_start_beyond_a_limit_of_the_call_is_refused(chain: Problem) -> None:
    start = offload.solve(chain, "heft").plan
    with pytest.raises(offload.PlanError, match=r"start: energy is 40, and its limit is 20"):
        offload.solve(chain, "cpsat", limits={"energy": 20}, start=start)


def test_a_start_for_another_instance_is_refused(chain: Problem, paper: Problem) -> None:
    start = offload.solve(chain, "heft").plan
    with pytest.raises(offload.PlanError, match="is for another instance"):
        offload.solve(paper, "cpsat", start=start)


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


@pytest.mark.parametrize("method", EXACT)
def test_what_a_method_does_not_honour_is_named(chain: Problem, method: str) -> None:
    link = Link("slow", "fast", bandwidth=10, channels=1)
    problem = chain.replace(network=Network(chain.network.nodes, (link,)))
    message = f"method '{method}' does not honour: channels; methods that do: heft, "
    with pytest.raises(offload.Unsupported, match=message):
        offload.solve(problem, method)


def test_what_nobody_honours_together_is_named_by_auto() -> None:
    task = Task("t", work=2, divisible=True)
    problem = Problem(network=Network((Node("a"), Node("b"))), graph=Graph((task,)))
    able = [e for e in registry.entries().values() if "splitting" in e.honours]
    if able:
        assert offload.solve(problem).plan is not None
        return
    with pytest.raises(offload.Unsupported, match="'auto' does not honour: splitting"):
        offload.solve(problem)


# -- while it runs -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["heft", *PROVING])
def test_progress_only_gets_better(paper: Problem, method: str) -> None:
    heard: list[offload.Progress] = []
    result = offload.solve(paper, method, on_progress=heard.append)
    assert heard
    assert {progress.method for progress in heard} == {method}
    plans = [p.objective for p in heard if p.objective is not None]
    bounds = [p.bound for p in heard if p.bound is not None]
    seconds = [p.seconds for p in heard]
    assert plans == sorted(plans, reverse=True)
    assert bounds == sorted(bounds)
    assert seconds == sorted(seconds)
    assert plans[-1] == result.objective
    assert result.bound == pytest.approx(min(bounds[-1], plans[-1]))
    assert seconds[-1] <= result.seconds


def test_an_error_of_the_listener_reaches_the_caller(paper: Problem) -> None:
    def fail(progress: offload.Progress) -> None:
        raise ZeroDivisionError("listener")

    with pytest.raises(ZeroDivisionError, match="listener"):
        offload.solve(paper, "heft", on_progress=fail)


@pytest.mark.parametrize("method", ALL)
def test_nothing_is_printed(paper: Problem, method: str, capfd: pytest.CaptureFixture[str]) -> None:
    offload.solve(paper, method, time_limit=5)
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_nothing_is_printed_by_cbc(chain: Problem, capfd: pytest.CaptureFixture[str]) -> None:
    result = offload.solve(chain, "milp", options={"solver": "cbc"})
    assert result.status == "optimal"
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


def same_plan(one: offload.Result, other: offload.Result) -> None:
    """Whether two results are one answer but for the time it took."""
    for name in ("status", "objective", "bound", "stopped"):
        assert getattr(one, name) == getattr(other, name)
    assert one.plan is not None
    assert other.plan is not None
    for column, same in zip(one.plan.parts, other.plan.parts, strict=True):
        np.testing.assert_array_equal(column, same)


@pytest.mark.parametrize("method", PROVING)
def test_one_thread_and_one_seed_give_one_answer(paper: Problem, method: str) -> None:
    same_plan(*(offload.solve(paper, method, threads=1, seed=7, time_limit=None) for _ in "ab"))


@pytest.mark.parametrize("method", EXACT)
def test_limited_work_gives_one_answer(paper: Problem, method: str) -> None:
    results = [
        offload.solve(paper, method, threads=1, seed=7, work_limit=WORK[method], time_limit=None)
        for _ in "ab"
    ]
    assert results[0].stopped == "work"
    same_plan(*results)


def test_solves_at_once_are_those_one_by_one(paper: Problem, instances: Path) -> None:
    small = offload.load(instances / "arabnejad-barbosa-2014.json")
    calls: list[Callable[[], offload.Result]] = [
        lambda problem=problem, method=method: offload.solve(  # type: ignore[misc]
            problem, method, threads=1, seed=1, time_limit=None
        )
        for problem in (paper, small)
        for method in ("cpsat", "milp", "heft", "random", "auto")
    ]
    alone = [call() for call in calls]
    with ThreadPoolExecutor(6) as pool:
        together = [future.result() for future in [pool.submit(call) for call in calls]]
    for one, other in zip(alone, together, strict=True):
        same_plan(one, other)


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
    for name in ("crossing-12", "fft-16"):
        problem = offload.load(instances / f"{name}.json")
        best = offload.solve(problem, time_limit=2)
        assert best.objective is not None
        for method in ("heft", "peft", "cpop", "by-intensity"):
            other = offload.solve(problem, method)
            if other.objective is not None:
                assert best.objective <= other.objective, (name, method)
