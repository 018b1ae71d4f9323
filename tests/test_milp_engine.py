"""Running PuLP problems: each trap that HiGHS, CBC and PuLP are known to set, by name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pulp
import pytest

from formulations import milp_engine
from formulations.milp_engine import Control, Outcome, run

SOLVERS = ("highs", "cbc")
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def expression(variables: list[pulp.LpVariable], weights: object) -> pulp.LpAffineExpression:
    return pulp.LpAffineExpression(
        dict(zip(variables, map(float, np.asarray(weights)), strict=True))
    )


def knapsack(
    items: int = 24, rows: int = 10, seed: int = 1, constant: float = 0.0, maximize: bool = False
) -> pulp.LpProblem:
    """Choose items under several capacities; choosing none of them is feasible."""
    dice = np.random.default_rng(seed)
    size, gain = dice.integers(1, 100, (rows, items)), dice.integers(1, 100, items)
    sense = pulp.LpMaximize if maximize else pulp.LpMinimize
    problem = pulp.LpProblem("knapsack", sense)
    x = [problem.add_variable(f"x_{i:03}", 0, 1, pulp.LpInteger) for i in range(items)]
    problem += expression(x, gain if maximize else -gain) + constant
    for row in size:
        problem += expression(x, row) <= float(row.sum() // 3)
    return problem


def split_market() -> pulp.LpProblem:
    """Equations over 0-1 variables that take very long to satisfy or to refute."""
    dice = np.random.default_rng(3)
    problem = pulp.LpProblem("market", pulp.LpMinimize)
    x = [problem.add_variable(f"x_{i:02}", 0, 1, pulp.LpInteger) for i in range(40)]
    problem += expression(x, dice.integers(1, 10, 40))
    for row in dice.integers(0, 100, (5, 40)):
        problem += expression(x, row) == float(row.sum() // 2)
    return problem


def after(polls: int, reason: str = "cancelled") -> Callable[[], str | None]:
    """A reason to stop that comes up after some polls."""
    count = 0

    def stopped() -> str | None:
        nonlocal count
        count += 1
        return reason if count > polls else None

    return stopped


def values(problem: pulp.LpProblem) -> list[float | None]:
    return [variable.varValue for variable in problem.variables()]


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_time_limit_with_an_incumbent_is_not_optimal(solver: str) -> None:
    problem = knapsack(100, 40)
    for variable in problem.variables():
        variable.varValue = 0.0
    outcome = run(problem, Control(seconds=1.0, warm=True), solver)
    assert (outcome.proof, outcome.stopped, outcome.found) == (None, "time", True)
    assert problem.status != pulp.LpStatusOptimal
    assert problem.sol_status == pulp.LpSolutionIntegerFeasible
    assert problem.valid(1e-6)
    if outcome.bound is not None:
        assert outcome.bound < problem.objective.value()


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_interrupt_without_an_incumbent_gives_no_values(solver: str) -> None:
    problem = split_market()
    outcome = run(problem, Control(stopped=after(5)), solver)
    assert (outcome.proof, outcome.stopped, outcome.found) == (None, "cancelled", False)
    assert problem.status != pulp.LpStatusOptimal
    assert set(values(problem)) == {None}


@pytest.mark.parametrize("solver", SOLVERS)
def test_infeasible_is_told_without_values(solver: str) -> None:
    problem = knapsack()
    problem += expression(problem.variables(), np.ones(24)) >= 23.5
    outcome = run(problem, Control(), solver)
    assert (outcome.proof, outcome.found, outcome.bound) == ("infeasible", False, None)
    assert set(values(problem)) == {None}


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_gap_is_the_one_asked_for_not_the_solvers_own(solver: str) -> None:
    # With this constant every choice is within 1e-4, the default gap, of the best.
    exact = run(problem := knapsack(constant=1e8), Control(gap=0.0), solver)
    best = problem.objective.value()
    assert exact.proof == "optimal"
    assert exact.bound == pytest.approx(best, rel=1e-12)
    plain = knapsack()
    run(plain, Control(gap=0.0), solver)
    assert best - 1e8 == pytest.approx(plain.objective.value(), abs=1e-4)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_wide_gap_gives_a_bound_within_it(solver: str) -> None:
    problem = knapsack(40, 20)
    outcome = run(problem, Control(gap=0.1), solver)
    found = problem.objective.value()
    assert outcome.proof == "optimal"
    assert found - 0.1 * abs(found) - 1e-6 <= outcome.bound <= found + 1e-6


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_constant_of_the_objective_is_in_the_bound(solver: str) -> None:
    told: list[float] = []
    problem = knapsack(constant=5000.0)
    outcome = run(problem, Control(on_bound=told.append), solver)
    assert outcome.bound == pytest.approx(problem.objective.value(), rel=1e-9)
    assert all(bound <= outcome.bound + 1e-6 for bound in told)


def test_the_bound_of_a_maximum_is_not_negated() -> None:
    least, most = knapsack(), knapsack(maximize=True)
    low, high = run(least, Control()).bound, run(most, Control()).bound
    assert high == pytest.approx(-low)
    assert high == pytest.approx(most.objective.value())


@pytest.mark.parametrize("solver", SOLVERS)
def test_bounds_on_the_way_never_pass_the_optimum(solver: str) -> None:
    told: list[float] = []
    problem = knapsack(40, 20)
    outcome = run(problem, Control(on_bound=told.append), solver)
    assert outcome.proof == "optimal"
    assert told
    assert told == sorted(told)
    assert told[-1] <= problem.objective.value() + 1e-6


def test_improved_solutions_are_told_as_they_are_found() -> None:
    told: list[float] = []
    problem = knapsack(40, 20)
    run(problem, Control(on_solution=lambda: told.append(problem.objective.value())))
    assert told == sorted(told, reverse=True)
    assert told[-1] == pytest.approx(problem.objective.value())


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_start_is_used(solver: str) -> None:
    best = knapsack()
    run(best, Control())
    again = knapsack()
    for variable, value in zip(again.variables(), values(best), strict=True):
        variable.varValue = value
    outcome = run(again, Control(nodes=0, warm=True), solver)
    assert outcome.found
    assert again.objective.value() == pytest.approx(best.objective.value())


def test_the_bound_of_the_search_that_completes_a_start_is_not_taken() -> None:
    best = knapsack(40, 20)
    run(best, Control())
    worse = knapsack(40, 20)
    for variable in worse.variables()[:10]:
        variable.varValue = 0.0
    outcome = run(worse, Control(nodes=0, warm=True))
    assert outcome.bound is None or outcome.bound <= best.objective.value()


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_node_limit_is_told_as_work(solver: str) -> None:
    problem = knapsack(60, 30)
    outcome = run(problem, Control(nodes=3), solver)
    assert (outcome.proof, outcome.stopped) == (None, "work")
    assert outcome.nodes <= 10


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_objective_without_terms_is_solved(solver: str) -> None:
    problem = pulp.LpProblem("constant", pulp.LpMinimize)
    x = problem.add_variable("x", 0, 1, pulp.LpInteger)
    problem += x >= 0.5
    problem.setObjective(pulp.LpAffineExpression({}))
    outcome = run(problem, Control(), solver)
    assert (outcome.proof, outcome.bound, x.varValue) == ("optimal", 0, 1)


def all_end(threads: set[threading.Thread]) -> bool:
    for thread in threads:
        thread.join(60)
    return not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_error_while_news_is_told_ends_the_solve(solver: str) -> None:
    def fail(bound: float) -> None:
        raise ValueError("a listener's own error")

    before = set(threading.enumerate())
    with pytest.raises(ValueError, match="a listener's own error"):
        run(knapsack(40, 20), Control(on_bound=fail), solver)
    assert all_end(set(threading.enumerate()) - before)


def test_a_solver_that_is_slow_to_stop_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(milp_engine, "GRACE", 0.0)
    before = set(threading.enumerate())
    problem = knapsack(200, 100)
    outcome = run(problem, Control(stopped=after(20)))
    assert (outcome.proof, outcome.stopped) == (None, "cancelled")
    assert outcome.found == (None not in values(problem))
    assert all_end(set(threading.enumerate()) - before)


def test_changing_threads_between_solves_changes_nothing_else() -> None:
    found = []
    for threads in (1, 2, 1, 3):
        problem = knapsack()
        outcome = run(problem, Control(threads=threads))
        found.append((outcome.proof, round(problem.objective.value())))
    assert set(found) == {found[0]}
    assert found[0][0] == "optimal"


@pytest.mark.parametrize("solver", SOLVERS)
def test_eight_solves_at_once_equal_the_serial_ones(solver: str) -> None:
    def solve(seed: int) -> tuple[str | None, int]:
        problem = knapsack(18, 8, seed)
        outcome = run(problem, Control(threads=1 + seed % 2), solver)
        return outcome.proof, round(problem.objective.value())

    serial = [solve(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(solve, range(8))) == serial
    assert {proof for proof, _ in serial} == {"optimal"}


@pytest.mark.parametrize(
    "order",
    [("highspy", "ortools.sat.python.cp_model"), ("ortools.sat.python.cp_model", "highspy")],
)
def test_highs_and_ortools_load_in_either_order(order: tuple[str, str]) -> None:
    script = f"""
import {order[0]}, {order[1]}
from ortools.sat.python import cp_model
import pulp
from formulations.milp_engine import Control, run
problem = pulp.LpProblem("one", pulp.LpMinimize)
x = problem.add_variable("x", 0, 9, pulp.LpInteger)
problem += 1 * x
problem += 2 * x >= 3
assert run(problem, Control(), "highs").bound == 2
model = cp_model.CpModel()
y = model.new_int_var(0, 9, "y")
model.add(2 * y >= 3)
model.minimize(y)
solver = cp_model.CpSolver()
assert solver.solve(model) == cp_model.OPTIMAL and solver.value(y) == 2
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def children() -> set[int]:
    """Processes that this one has started and that are still there, finished ones too."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[1]) == os.getpid():
            found.add(int(status.parent.name))
    return found


def cancelled_once_running(then: Callable[[int], None]) -> tuple[Outcome, set[int]]:
    """Cancel CBC as soon as there is a child, after doing something to it."""
    known, seen = children(), set[int]()

    def stopped() -> str | None:
        for child in children() - known - seen:
            if Path(f"/proc/{child}/comm").read_text().startswith("cbc"):  # not the guard's shell
                seen.add(child)
                then(child)
        return "cancelled" if seen else None

    outcome = run(split_market(), Control(stopped=stopped), "cbc")
    return outcome, seen


@ON_LINUX
def test_no_child_is_left_after_a_cancelled_cbc() -> None:
    outcome, seen = cancelled_once_running(lambda child: None)
    assert (outcome.stopped, outcome.proof) == ("cancelled", None)
    assert seen
    assert not seen & children()


@ON_LINUX
def test_a_child_that_does_not_stop_is_killed() -> None:
    outcome, seen = cancelled_once_running(lambda child: os.kill(child, signal.SIGSTOP))
    assert (outcome.stopped, outcome.found) == ("cancelled", False)
    assert seen
    assert not seen & children()


@pytest.mark.parametrize("polls", [0, 3, 10**9])
def test_temporary_files_are_gone(
    polls: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = []
    stop = after(polls)

    def stopped() -> str | None:
        seen.extend(tmp_path.iterdir())
        return stop()

    run(knapsack(), Control(stopped=stopped), "cbc")
    assert seen
    assert list(tmp_path.iterdir()) == []


def test_temporary_files_and_children_are_gone_after_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before, seen = children(), []

    def stopped() -> str | None:
        seen.extend(tmp_path.iterdir())
        if seen:
            raise KeyboardInterrupt("in the middle")
        return None

    with pytest.raises(KeyboardInterrupt, match="in the middle"):
        run(split_market(), Control(stopped=stopped), "cbc")
    assert seen
    assert list(tmp_path.iterdir()) == []
    assert children() <= before


KILLED = """
from test_milp_engine import Control, children, run, split_market
known, told = children(), []

def stopped():
    new = children() - known
    if len(new) == 2 and not told:  # CBC, and the shell that watches over it
        told.append(print(*new, flush=True))

run(split_market(), Control(stopped=stopped), "cbc")
"""


def running(process: int) -> bool:
    """Whether a process is there and has not ended; init may take its time to bury it."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


@ON_LINUX
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_leaves_neither_child_nor_files(
    number: signal.Signals, tmp_path: Path
) -> None:
    # CBC went on for ever, in a folder that nobody removed.
    here = str(Path(__file__).parent)
    paths = os.pathsep.join([here, str(Path(here).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": paths}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED], env=environment, stdout=subprocess.PIPE, text=True
    ) as solve:
        assert solve.stdout is not None
        left = [int(word) for word in solve.stdout.readline().split()]
        assert len(left) == 2
        assert all(running(child) for child in left)
        assert list(tmp_path.iterdir())
        solve.send_signal(number)
    assert solve.returncode == -number
    until = time.monotonic() + 60
    while any(running(child) for child in left) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(running(child) for child in left)
    assert list(tmp_path.iterdir()) == []


@ON_LINUX
def test_what_watches_over_cbc_ends_with_it() -> None:
    before = children()
    assert run(knapsack(), Control(), "cbc").proof == "optimal"
    assert children() <= before


def test_without_a_shell_cbc_runs_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("formulations.milp_guard.shutil.which", lambda name: None)
    assert run(knapsack(), Control(), "cbc").proof == "optimal"


@ON_LINUX
def test_one_that_watches_and_is_killed_is_not_missed() -> None:
    known = children()

    def stopped() -> str | None:
        for child in children() - known:
            if b"offload-guard" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(child, signal.SIGKILL)
        return None

    assert run(knapsack(40, 20), Control(stopped=stopped), "cbc").proof == "optimal"
    assert children() <= known


@pytest.mark.parametrize("solver", SOLVERS)
def test_nothing_reaches_the_terminal(solver: str, capfd: pytest.CaptureFixture[str]) -> None:
    for control in (Control(), Control(nodes=1), Control(stopped=after(1))):
        run(knapsack(), control, solver)
    assert capfd.readouterr() == ("", "")
