"""Destructive bounds: the series of questions, and that each answer is true."""

from __future__ import annotations

import time
from math import inf
from pathlib import Path

import pytest

import offload
from formulations import cpsat
from formulations.cpsat_model import build
from formulations.cpsat_run import Best, Run
from formulations.cpsat_targets import Targets
from offload import Graph, Network, Node, Problem, Task
from offload.features import goal_of
from offload.registry import Request


def test_the_first_question_is_the_whole_proof() -> None:
    assert Targets(1.0).value(10, 20) == 20


def test_open_questions_ask_for_less_until_there_are_none() -> None:
    targets, asked = Targets(1.0), []
    while not targets.exhausted:
        asked.append(targets.value(100, 200))
        targets.unanswered()
    assert asked == [200, 125, 106.25]


def test_quick_answers_ask_for_more_and_slow_ones_for_the_same() -> None:
    targets = Targets(1.0)
    targets.unanswered()
    targets.answered(0.9)
    assert targets.share == 0.25
    targets.answered(0.1)
    targets.answered(0.1)
    targets.answered(0.1)
    assert targets.share == 1.0


@pytest.fixture
def request_73(instances: Path) -> Request:
    """The example of the HEFT paper, of which 73 is the optimum."""
    problem = offload.load(instances / "topcuoglu-2002.json")
    return Request(problem, goal_of(problem), deadline=time.monotonic() + 60)


@pytest.mark.parametrize(("target", "there"), [(72.9, False), (73.0, True), (80.0, True)])
def test_a_question_is_answered_truly(request_73: Request, target: float, there: bool) -> None:
    grid = cpsat._grids(request_73)[0]
    model = build(request_73, grid, target)
    assert model is not None
    best = Best(request_73)
    run = Run(model, best, question=True)
    run.run()
    assert run.answered
    assert run.infeasible is not there
    if there:
        assert best.plan is not None
        assert best.value <= target * (1 + 1e-9)
    else:
        assert model.refuted(target) == 73.0  # no latency lies between two ticks of the data


def test_bounds_rise_by_questions_alone(
    request_73: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing is minimized, questions close the gap all the same."""
    monkeypatch.setattr(cpsat._Search, "_minimize", lambda self, grid, slot: False)
    problem = request_73.problem
    result = offload.solve(problem, "cpsat", start=offload.solve(problem, "heft").plan, threads=2)
    assert result.objective == result.bound == 73


@pytest.mark.parametrize(("lengths", "attained"), [((3, 3, 2, 2, 2), True), ((3, 3, 3), False)])
def test_the_first_question_is_whether_the_bound_is_attained(
    lengths: tuple[int, ...], attained: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 3, 3, 2, 2, 2 on two nodes the longest first take 7; no bound of 3, 3, 3 is attained."""
    asked: list[Run] = []

    class Noted(Run):
        def run(self, slot: float = inf, *, deterministic: bool = False) -> None:
            asked.append(self)
            super().run(slot, deterministic=deterministic)

    monkeypatch.setattr(cpsat, "Run", Noted)
    monkeypatch.setattr("offload.solver.lower_bound", lambda *_: 1.0)
    tasks = [Task(str(n), work=length) for n, length in enumerate(lengths)]
    problem = Problem(graph=Graph(tasks), network=Network([Node("k"), Node("l")]))
    start = offload.solve(problem, "heft").plan
    assert start is not None
    if not attained:  # two nodes of which one has to run two tasks: 5 is below what there is
        monkeypatch.setattr(cpsat, "lower_bound", lambda *_: 5.0)
    result = offload.solve(problem, "cpsat", start=start, threads=1)
    assert result.objective == result.bound == 6
    assert asked[0].tight
    assert asked[0].infeasible is not attained
    assert [run.tight for run in asked[1:]].count(True) == 0


def test_what_one_thread_proves_does_not_depend_on_the_clock(instances: Path) -> None:
    problem = offload.load(instances / "arabnejad-barbosa-2014.json")
    first, second = (offload.solve(problem, "exact", threads=1, seed=3) for _ in range(2))
    assert first.plan is not None
    assert second.plan is not None
    assert first.status == second.status == "optimal"
    assert first.plan.parts.start.tolist() == second.plan.parts.start.tolist()
