"""solve() while it runs: why it stops, where it starts, what it tells, and several at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import pi
from pathlib import Path

import numpy as np
import pytest

import offload
from offload import Graph, Network, Node, Problem, Task, registry

EXACT = [entry.name for entry in registry.entries().values() if entry.kind == "exact"]
PROVING = ["auto", *EXACT]
ALL = ["auto", *registry.entries()]
WORK = {
    "cpsat": 0.001,
    "milp": 3,
    "exact": 0.001,
}  # too little, in each method's unit, for ten tasks


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


@pytest.mark.parametrize("method", ["heft", "best-of", *PROVING])
@pytest.mark.parametrize("gap", [1.0, 2.0])
def test_any_plan_is_within_a_gap_of_all(paper: Problem, method: str, gap: float) -> None:
    result = offload.solve(paper, method, gap=gap)
    assert result.plan is not None
    assert (result.status, result.stopped) in (("feasible", "gap"), ("optimal", None))


@pytest.mark.parametrize("method", PROVING)
def test_a_smaller_gap_is_what_optimal_means_then(chain: Problem, method: str) -> None:
    result = offload.solve(chain, method, gap=1e-7)
    assert result.status == "optimal"
    assert result.gap is not None
    assert result.gap <= 1e-7


def test_a_smaller_gap_is_not_met_by_a_wider_one() -> None:
    # The load bound is pi + 0.00005, HEFT's plan needs pi + 0.0001: within 1e-4 and outside 1e-6.
    nodes = (Node("a"), Node("b"))
    tasks = (Task("s", work=pi), Task("t", work=0.0001), Task("u", work=pi))
    problem = Problem(network=Network(nodes), graph=Graph(tasks))
    wide = offload.solve(problem, "heft")
    assert wide.gap == pytest.approx(0.00005 / (pi + 0.0001))
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
def test_nothing_is_printed(chain: Problem, method: str, capfd: pytest.CaptureFixture[str]) -> None:
    entry = registry.entries().get(method)
    goal = min(entry.goals, default=None) if entry is not None else None
    offload.solve(chain, method, minimize=goal)
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
        for problem, methods in (
            (paper, ("cpsat", "heft", "random", "auto")),
            (small, ("cpsat", "milp", "milp", "heft", "random", "auto")),
        )
        for method in methods
    ]
    calls += 2 * [
        lambda: offload.solve(
            small, "milp", threads=1, seed=1, time_limit=None, options={"solver": "cbc"}
        )
    ]
    alone = [call() for call in calls]
    with ThreadPoolExecutor(8) as pool:
        together = [future.result() for future in [pool.submit(call) for call in calls]]
    for one, other in zip(alone, together, strict=True):
        same_plan(one, other)
