"""A solve stops wherever it is: also in the middle of making a model or a file."""

from __future__ import annotations

import math
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pulp
import pytest

import offload
from formulations import cpsat_model, milp
from formulations.grid import Grid
from formulations.milp_assignment import AssignmentModel
from formulations.milp_cbc import cbc_path
from formulations.milp_engine import Control, Outcome, columns_of, run, write
from formulations.milp_parts import SplitCase
from formulations.milp_scheduling import SchedulingModel
from formulations.milp_splitting import SplitScheduling
from formulations.milp_terms import Case
from offload import portfolio
from offload.features import Goal, goal_of
from offload.plan import Plan
from offload.problem import Graph, Link, Network, Node, Problem, Task
from offload.registry import Request, Stopped


class Patience:
    """A clock that ends after so many looks at it."""

    def __init__(self, looks: float) -> None:
        self.looks, self.seen = looks, 0

    def go_on(self) -> None:
        """Look."""
        self.seen += 1
        if self.seen > self.looks:
            raise Stopped("time")

    def stopped(self) -> str | None:
        """Look, and say so."""
        self.seen += 1
        return "time" if self.seen > self.looks else None


class Waning(threading.Event):
    """A cancel that comes when it was asked about for so many times."""

    def __init__(self, looks: float) -> None:
        super().__init__()
        self.clock = Patience(looks)

    def is_set(self) -> bool:
        """Whether it has come."""
        return self.clock.stopped() is not None


@pytest.fixture(scope="module")
def busy() -> Problem:
    """Contended links, deadlines, few slots."""
    return offload.generate("industrial-iot", size=30, seed=1)


@pytest.fixture(scope="module")
def plain() -> Problem:
    """Nothing but tasks and edges."""
    return offload.generate("layered", size=12, seed=1)


def divided() -> Problem:
    """A divisible task among others."""
    nodes, links = [Node("a"), Node("b", speed=2)], [Link("a", "b", bandwidth=1)]
    tasks = [Task(f"t{i}", work=1.0 + i, divisible=i == 0) for i in range(4)]
    return Problem(network=Network(nodes, links), graph=Graph(tasks))


def looks_of(make: Callable[[Patience], object]) -> int:
    """How often something asks whether to go on."""
    clock = Patience(math.inf)
    make(clock)
    return clock.seen


# -- models --------------------------------------------------------------------------------------


def test_a_constraint_model_is_given_up_at_any_point(busy: Problem) -> None:
    goal = goal_of(busy)
    plan = offload.solve(busy, "heft").plan
    assert plan is not None

    def built(cancel: Waning) -> cpsat_model.Model | None:
        request = Request(busy, goal, cancel=cancel)
        return cpsat_model.build(request, Grid(1e-3), plan.objective(goal.minimize))

    whole = Waning(math.inf)
    assert built(whole) is not None
    looks = whole.clock.seen
    assert looks > 8 * busy.tables.tasks  # in each rule
    for share in (0.0, 0.2, 0.5, 0.8, 0.99):
        cancel = Waning(int(share * looks))
        with pytest.raises(Stopped, match="cancelled"):
            built(cancel)
        assert cancel.clock.seen == int(share * looks) + 1


@pytest.mark.parametrize("kind", [SchedulingModel, AssignmentModel, SplitScheduling])
def test_a_mixed_integer_program_is_given_up_at_any_point(kind: type, plain: Problem) -> None:
    problem = divided() if kind is SplitScheduling else plain
    case_of = SplitCase if kind is SplitScheduling else Case

    def built(clock: Patience) -> pulp.LpProblem:
        model = kind(case_of(problem, Goal({"latency": 1.0, "cost": 1.0}, {}), clock.go_on), 1e3)
        model.build()
        made: pulp.LpProblem = model.problem
        return made

    whole = Patience(math.inf)
    rows = len(built(whole).constraints())
    assert whole.seen >= rows > 10
    for looks in (0, rows // 2, whole.seen - 1):
        clock = Patience(looks)
        with pytest.raises(Stopped, match="time"):
            built(clock)
        assert clock.seen == looks + 1


@pytest.mark.parametrize("method", ["cpsat", "milp", "exact", "auto", "node-columns", "knapsacks"])
def test_a_cancel_that_comes_at_any_point_leaves_a_plan_that_holds(
    method: str, plain: Problem
) -> None:
    for looks in (60, 200, 600):
        result = offload.solve(plain, method, cancel=Waning(looks), time_limit=30, threads=1)
        assert result.plan is not None
        assert offload.check(plain, result.plan) == []
        assert result.status == "optimal" or result.stopped in ("cancelled", "work", None)


# -- engines -------------------------------------------------------------------------------------


def knapsack(items: int = 30) -> pulp.LpProblem:
    """Rows of both senses; integers, a free and a bounded variable, one in no row at all."""
    problem = pulp.LpProblem("knapsack", pulp.LpMinimize)
    chosen = [problem.add_variable(f"x{i}", 0, 1, pulp.LpInteger) for i in range(items)]
    count = problem.add_variable("count", 0, None, pulp.LpInteger)
    free, kept = problem.add_variable("free"), problem.add_variable("kept", -2.5, 3.5)
    below = problem.add_variable("below", None, -1.0)
    problem.add_variable("idle", 0.25, 0.75)
    problem += pulp.lpSum((1 + i % 7) * x for i, x in enumerate(chosen)) + count - below - kept
    problem += pulp.lpSum((2 + i % 5) * x for i, x in enumerate(chosen)) >= 21
    problem += count - pulp.lpSum(chosen) + free == 0
    problem += free <= 1.5
    problem += kept + below <= 2.25
    return problem


@pytest.mark.parametrize("solver", ["highs", "cbc"])
def test_a_program_is_not_handed_over_once_the_time_is_up(solver: str) -> None:
    problem = knapsack()
    rows = len(problem.constraints())
    assert looks_of(lambda clock: columns_of(problem, clock.go_on)) == rows
    for looks in range(rows):
        clock = Patience(looks)
        outcome = run(problem, Control(stopped=clock.stopped), solver)
        assert outcome == Outcome(stopped="time")
        assert clock.seen == looks + 2  # the one that ended it, and the one that asked why


def test_a_file_of_a_program_says_what_the_program_says(tmp_path: Path) -> None:
    highspy = pytest.importorskip("highspy")
    problem = knapsack()
    table, path = columns_of(problem), tmp_path / "knapsack.mps"
    assert [v.name for v in write(problem, table, path).values()] == [
        v.name for v in problem.variables()
    ]
    highs = highspy.Highs()
    highs.setOptionValue("output_flag", False)
    assert highs.readModel(str(path)) == highspy.HighsStatus.kOk
    read = highs.getLp()
    for found, expected in (
        (read.col_cost_, table.cost), (read.col_lower_, table.low), (read.col_upper_, table.high),
        (read.row_lower_, table.row_low), (read.row_upper_, table.row_high),
        ([int(kind) for kind in read.integrality_], table.integral),
    ):  # fmt: skip
        np.testing.assert_allclose(found, expected, rtol=1e-11)
    highs.run()
    ours = run(knapsack(), Control(), "cbc")
    assert ours.proof == "optimal"
    assert ours.bound == pytest.approx(highs.getInfo().objective_function_value, abs=1e-6)


def test_cbc_reads_the_file_without_a_complaint(tmp_path: Path) -> None:
    path = tmp_path / "knapsack.mps"
    write(knapsack(), columns_of(knapsack()), path)
    done = subprocess.run(
        [str(cbc_path()), str(path), "-solve", "-quit"], capture_output=True, text=True, check=True
    )
    assert "Optimal solution found" in done.stdout
    assert "error" not in done.stdout.lower().replace("with 0 errors", "")


# -- the portfolio -------------------------------------------------------------------------------


def test_no_engine_is_begun_once_the_time_is_up(
    busy: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = offload.solve(busy, "heft").plan
    monkeypatch.setattr(portfolio, "_run", lambda *_: pytest.fail("an engine was begun"))
    for method in (portfolio.auto, portfolio.exact):
        answer = method(Request(busy, goal_of(busy), deadline=0.0, start=plan))
        assert answer.plan is plan


def test_a_program_out_of_time_is_no_proof(plain: Problem) -> None:
    """A model that was not completed says nothing about the plans it would have left out."""
    start = offload.solve(plain, "heft").plan
    assert start is not None
    for looks in (5, 20, 100):
        request = Request(plain, goal_of(plain), start=start, cancel=Waning(looks))
        answer = milp.solve(request)
        assert not answer.infeasible
        assert answer.plan is start
        assert answer.stopped == "cancelled"
        assert answer.bound is not None
        assert answer.bound < start.objective(plain.minimize)


def test_a_plan_that_keeps_a_limit_is_there_before_any_bound(instances: Path) -> None:
    """Where the best heuristic for latency breaks a limit, one that moves little keeps it."""
    problem = offload.load(instances / "crossing-40.json")
    news: list[offload.Progress] = []
    cancel = threading.Event()

    def hear(progress: offload.Progress) -> None:
        news.append(progress)
        cancel.set()

    result = offload.solve(problem, on_progress=hear, cancel=cancel)
    assert offload.solve(problem, "heft", work_limit=0).plan is None
    assert result.stopped == "cancelled"
    assert result.plan is not None
    assert news[0].objective is not None
    assert news[0].bound is None


def test_a_search_finds_what_no_heuristic_keeps() -> None:
    """A limit of latency a twentieth below what any list scheduler reaches."""
    problem = offload.generate("layered", size=40, seed=2)
    names = ("heft", "mct", "peft", "cpop", "by-intensity", "local", "cloud", "least-loaded")
    least = min(offload.solve(problem, name).objective or math.inf for name in names)
    goal = Goal({"completion": 1.0}, {"latency": 0.95 * least})
    found: list[Plan] = []
    cancel = threading.Event()

    def hear(plan: Plan | None, bound: float | None) -> None:
        if plan is not None:
            found.append(plan)
            cancel.set()

    request = Request(problem, goal, threads=1, cancel=cancel, report=hear)
    assert portfolio.quick(request) is found[0]
    assert request.keeps(found[0])
