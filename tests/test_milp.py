"""The MILP method: its two models and two solvers against all plans of tiny instances, and more."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import highspy
import numpy as np
import pytest
from drawing import draw_problem
from milp_plans import FEATURES, drawn

import offload
from formulations import milp, milp_assignment
from formulations.milp_assignment import AssignmentModel
from formulations.milp_engine import Control, run
from formulations.milp_scheduling import SchedulingModel
from formulations.milp_terms import Case
from offload import Edge, Graph, Group, Link, Network, Node, Problem, Task
from offload.features import Goal
from offload.registry import Request

INSTANCES = Path(__file__).parent.parent / "instances"
SOLVERS = ("highs", "cbc")
LATENCY = Goal({"latency": 1.0}, {})


# -- all plans of tiny instances ---------------------------------------------------------------


def agrees_with_all_plans(seed: int, solver: str) -> None:
    problem, minimize, limits, best = drawn(seed)
    result = offload.solve(
        problem, "milp", minimize, limits, gap=1e-7, threads=1, options={"solver": solver}
    )
    if best == math.inf:
        assert result.status == "infeasible", f"seed {seed}: {result}, and no plan holds"
        return
    assert result.status == "optimal", f"seed {seed}: {result}, the optimum is {best!r}"
    assert result.objective == pytest.approx(best, rel=1e-6, abs=1e-12), f"seed {seed}"
    assert result.bound <= best * (1 + 1e-12), f"seed {seed}: {result}, the optimum is {best!r}"


@pytest.mark.parametrize("seed", range(16))
def test_highs_agrees_with_all_placements_and_orders(seed: int) -> None:
    agrees_with_all_plans(seed, "highs")


@pytest.mark.parametrize("seed", range(100, 109))
def test_cbc_agrees_with_all_placements_and_orders(seed: int) -> None:
    agrees_with_all_plans(seed, "cbc")


@pytest.mark.slow
@pytest.mark.parametrize("solver", SOLVERS)
def test_many_more_agree_with_all_placements_and_orders(solver: str) -> None:
    for seed in range(1000, 1060):
        agrees_with_all_plans(seed, solver)


@pytest.mark.parametrize("seed", [0, 1, 2, 5, 9, 13, 17, 21, 25, 29])
def test_the_models_own_optimum_is_that_of_all_plans(seed: int) -> None:
    """No solution of the model is mended or forbidden afterwards."""
    problem, minimize, limits, best = drawn(seed)
    value, plan = solved_as_it_is(problem, Goal(minimize, limits))
    if best == math.inf:
        assert plan is None
        return
    assert value == pytest.approx(best, rel=1e-6, abs=1e-9)
    assert plan is not None
    assert offload.check(problem, plan, limits=limits) == []
    assert plan.objective(minimize) == pytest.approx(best, rel=1e-6, abs=1e-12)


def solved_as_it_is(problem: Problem, goal: Goal) -> tuple[float, offload.Plan | None]:
    """Objective and plan of a model that is solved once."""
    case = Case(problem, goal)
    kind = AssignmentModel if milp_assignment.suffices(case) else SchedulingModel
    model = kind(case, math.inf)
    if model.infeasible:
        return math.inf, None
    model.build()
    outcome = run(model.problem, Control())
    if outcome.proof == "infeasible":
        return math.inf, None
    assert outcome.proof == "optimal"
    return outcome.bound * model.unit, model.plan()


# -- published figures ---------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    ("name", "optimum"), [("topcuoglu-2002", 73), ("arabnejad-barbosa-2014", 113)]
)
def test_published_graphs_are_solved_to_their_optimum(
    name: str, optimum: float, solver: str
) -> None:
    problem = offload.load(INSTANCES / f"{name}.json")
    result = offload.solve(problem, "milp", gap=1e-7, time_limit=None, options={"solver": solver})
    assert (result.status, result.objective) == ("optimal", optimum)
    assert optimum * (1 - 1e-7) <= result.bound <= optimum
    assert {"highs": "highspy", "cbc": "cbc"}[solver] in result.versions


# -- rules, one by one ---------------------------------------------------------------------------


def line(count: int = 2, **link: Any) -> Network:
    """Nodes n0, n1, ... of speed 1, a link between each two."""
    nodes = [Node(f"n{k}") for k in range(count)]
    pairs = itertools.combinations(range(count), 2)
    return Network(nodes, [Link(f"n{a}", f"n{b}", **link) for a, b in pairs])


def optimum(problem: Problem, metric: str = "latency") -> float:
    """What the model itself takes for the optimum, and its plan agrees with."""
    value, plan = solved_as_it_is(problem, Goal({metric: 1.0}, {}))
    assert plan is not None
    assert offload.check(problem, plan) == []
    assert value == pytest.approx(plan.metrics[metric], rel=1e-7, abs=1e-9)
    return plan.metrics[metric]


def test_tasks_that_start_together_still_count_one_another() -> None:
    network = Network([Node("n0", slots=2)])
    tasks = [Task(f"t{i}", work=1) for i in range(5)]
    assert optimum(Problem(network=network, graph=Graph(tasks))) == 3


def test_tasks_of_several_slots_are_packed() -> None:
    network = Network([Node("n0", slots=3)])
    tasks = [
        Task(f"t{i}", work=w, slots=s) for i, (w, s) in enumerate([(2, 2), (2, 1), (1, 3), (2, 1)])
    ]
    assert optimum(Problem(network=network, graph=Graph(tasks))) == 5


def test_working_memory_keeps_tasks_apart_in_time() -> None:
    network = Network([Node("n0", slots=3, memory=5)])
    tasks = [Task("a", work=1, memory=2, resident=1), *(Task(n, work=1, memory=2) for n in "bc")]
    assert optimum(Problem(network=network, graph=Graph(tasks))) == 2


def test_tasks_without_length_hold_nothing() -> None:
    network = Network([Node("n0", memory=2)])
    tasks = [Task("a", work=1, memory=2), Task("b", work=0, memory=9), Task("c", work=0)]
    problem = Problem(network=network, graph=Graph(tasks, [Edge("a", "c")]))
    assert optimum(problem) == 1


@pytest.mark.parametrize("minimize", ["traffic", "latency"])
def test_an_item_moves_once_to_each_node(minimize: str) -> None:
    tasks = [Task("a", work=1, allow=("n0",)), *(Task(n, work=1, allow=("n1",)) for n in "bc")]
    edges = [Edge("a", name, bytes=3, item="frame") for name in "bc"]
    problem = Problem(network=line(bandwidth=1.0), graph=Graph(tasks, edges))
    assert optimum(problem, minimize) == {"traffic": 3, "latency": 6}[minimize]


@pytest.mark.parametrize("metric", ["risk", "latency"])
@pytest.mark.parametrize(
    ("names", "outside", "free", "held"), [("abc", "b", 3, 11), ("abcd", "bc", 4, 12)]
)
def test_a_contiguous_group_does_not_come_back(
    names: str, outside: str, free: float, held: float, metric: str
) -> None:
    nodes = [Node("n0", failure_rate=1), Node("n1", failure_rate=1)]
    tasks = [
        Task(n, time={"n0": 9, "n1": 1} if n in outside else {"n0": 1, "n1": 9}) for n in names
    ]
    edges = [Edge(u, v) for u, v in itertools.pairwise(names)]
    network = Network(nodes, [Link("n0", "n1")])
    loose = Problem(network=network, graph=Graph(tasks, edges))
    tight = Problem(network=network, graph=Graph(tasks, edges, [Group("contiguous", tuple(names))]))
    assert optimum(loose, metric) == free
    assert optimum(tight, metric) == held


@pytest.mark.parametrize("metric", ["risk", "latency"])
def test_tasks_joined_by_an_edge_need_a_route(metric: str) -> None:
    nodes = [Node("n0", failure_rate=1), Node("n1", failure_rate=1), Node("n2", failure_rate=1)]
    tasks = [
        Task("a", time={"n0": 1, "n1": 5, "n2": 9}),
        Task("b", time={"n0": 9, "n1": 5, "n2": 1}),
    ]
    network = Network(nodes, [Link("n0", "n1", duplex="simplex")])
    problem = Problem(network=network, graph=Graph(tasks, [Edge("a", "b")]))
    assert optimum(problem, metric) == 6


@pytest.mark.parametrize("metric", ["risk", "latency"])
def test_a_route_carries_the_tags_that_are_required(metric: str) -> None:
    nodes = [Node(f"n{k}", failure_rate=1, tags=("safe",)) for k in range(2)]
    tasks = [Task("a", time={"n0": 1, "n1": 5}), Task("b", time={"n0": 4, "n1": 1})]
    problem = Problem(
        network=Network(nodes, [Link("n0", "n1")]),
        graph=Graph(tasks, [Edge("a", "b", require=("safe",))]),
    )
    assert optimum(problem, metric) == 5


def test_a_deadline_met_to_the_last_digit_is_met() -> None:
    tasks = [Task("a", work=0.1), Task("b", work=0.2, deadline=0.1 + 0.2)]
    problem = Problem(network=Network([Node("n0")]), graph=Graph(tasks, [Edge("a", "b")]))
    assert optimum(problem) == 0.1 + 0.2


def test_a_deadline_missed_by_a_millionth_is_missed() -> None:
    tasks = [Task("a", work=0.1), Task("b", work=0.2, deadline=0.3 * (1 - 1e-6))]
    problem = Problem(network=Network([Node("n0")]), graph=Graph(tasks, [Edge("a", "b")]))
    assert milp.solve(Request(problem, Goal({"latency": 1}, {}))).infeasible


@pytest.mark.parametrize(("late", "met"), [(1e-16, True), (1e-10, True), (1e-6, False)])
def test_a_due_time_missed_by_a_rounding_is_met(late: float, met: bool) -> None:
    tasks = [Task("a", work=0.1), Task("b", work=0.2, due=(0.1 + 0.2) * (1 - late))]
    problem = Problem(network=Network([Node("n0")]), graph=Graph(tasks, [Edge("a", "b")]))
    answer = milp.solve(Request(problem, Goal({"completion": 1.0}, {"tardiness": 0.0})))
    assert (answer.plan is not None, answer.infeasible) == (met, not met)


@pytest.mark.parametrize("metric", ["latency", "cost", "completion"])
def test_a_limit_at_the_optimum_is_kept_and_one_below_it_is_not(metric: str) -> None:
    problem = hard(4, 3)
    nodes = [replaced(n, price=k / 7 + 0.1) for k, n in enumerate(problem.network.nodes)]
    problem = problem.replace(network=replaced(problem.network, nodes=tuple(nodes)))
    least = offload.solve(problem, "milp", metric, gap=1e-7, time_limit=None).objective
    kept = offload.solve(problem, "milp", metric, {metric: least}, time_limit=None)
    assert kept.status == "optimal"
    assert kept.objective == pytest.approx(least, rel=1e-9)
    cut = offload.solve(problem, "milp", metric, {metric: least * (1 - 1e-6)}, time_limit=20)
    assert cut.status == "infeasible"


def replaced(struct: Any, **changes: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(struct, **changes)


@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1e6, 1e12])
def test_the_answer_does_not_depend_on_the_unit_of_time(scale: float) -> None:
    problem = offload.load(INSTANCES / "topcuoglu-2002.json")
    tasks = [
        replaced(task, time={k: v * scale for k, v in task.time.items()})
        for task in problem.graph.tasks
    ]
    edges = [replaced(edge, bytes=edge.bytes * scale) for edge in problem.graph.edges]
    problem = problem.replace(graph=Graph(tasks, edges))
    result = offload.solve(problem, "milp", gap=1e-7, time_limit=None)
    assert result.status == "optimal"
    assert result.objective == pytest.approx(73 * scale, rel=1e-9)


# -- manners -------------------------------------------------------------------------------------


def hard(tasks: int = 40, nodes: int = 5) -> Problem:
    """An instance of unrelated times; at its usual size it takes far longer than a test."""
    dice = np.random.default_rng(5)
    times = dice.uniform(5, 20, (tasks, nodes))
    drawn_tasks = [
        Task(f"t{i}", time={f"n{k}": float(t) for k, t in enumerate(row)})
        for i, row in enumerate(times)
    ]
    chosen = [(i, j) for i, j in itertools.combinations(range(tasks), 2) if dice.random() < 0.08]
    edges = [Edge(f"t{i}", f"t{j}", bytes=float(dice.uniform(5, 20))) for i, j in chosen]
    return Problem(network=line(nodes, bandwidth=1.0), graph=Graph(drawn_tasks, edges))


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_cancelled_solve_gives_its_best_plan_and_a_bound(solver: str) -> None:
    problem, cancel = hard(), threading.Event()
    threading.Timer(0.8, cancel.set).start()
    result = offload.solve(
        problem, "milp", time_limit=None, cancel=cancel, options={"solver": solver}
    )
    assert (result.status, result.stopped) == ("feasible", "cancelled")
    assert result.bound < result.objective


def test_a_solve_that_is_cancelled_before_it_starts_has_no_plan() -> None:
    cancel = threading.Event()
    cancel.set()
    answer = milp.solve(Request(hard(), LATENCY, cancel=cancel))
    assert (answer.plan, answer.stopped, answer.infeasible) == (None, "cancelled", False)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_time_limit_is_no_proof(solver: str) -> None:
    problem = hard()
    result = offload.solve(problem, "milp", time_limit=1.0, options={"solver": solver})
    assert (result.status, result.stopped) == ("feasible", "time")
    assert result.bound < result.objective


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_work_limit_stops_after_that_many_nodes(solver: str) -> None:
    result = offload.solve(
        hard(14, 3), "milp", time_limit=None, work_limit=2, options={"solver": solver}
    )
    assert (result.status, result.stopped) == ("feasible", "work")
    assert result.bound < result.objective


def test_equal_seeds_give_equal_answers_on_one_thread() -> None:
    problem = hard(14, 3)
    request = Request(problem, LATENCY, work_limit=5, threads=1, seed=7)
    first, second = milp.solve(request), milp.solve(request)
    assert first.plan is not None
    assert second.plan is not None
    assert first.bound == second.bound
    assert first.plan.parts.start.tolist() == second.plan.parts.start.tolist()
    assert first.plan.nodes.tolist() == second.plan.nodes.tolist()


def test_a_start_is_the_least_that_is_answered() -> None:
    problem = hard(12, 3)
    best = offload.solve(problem, "milp", threads=1, time_limit=None).plan
    answer = milp.solve(Request(problem, LATENCY, work_limit=0, start=best))
    assert answer.plan is not None
    assert answer.plan.metrics["latency"] == best.metrics["latency"]


def test_a_wide_gap_is_asked_for_and_kept() -> None:
    problem = hard(12, 3)
    best = offload.solve(problem, "milp", threads=1, time_limit=None).objective
    answer = milp.solve(Request(problem, LATENCY, gap=0.2, threads=1))
    assert answer.plan is not None
    assert answer.bound <= best
    assert answer.plan.metrics["latency"] - answer.bound <= 0.2 * answer.plan.metrics["latency"]


def test_bounds_and_plans_that_are_reported_on_the_way_only_get_better() -> None:
    problem = hard(12, 3)
    plans, bounds = [], []

    def report(plan: Any, bound: float | None) -> None:
        if plan is not None:
            plans.append(plan.metrics["latency"])
        if bound is not None:
            bounds.append(bound)

    answer = milp.solve(Request(problem, LATENCY, threads=1, report=report))
    assert plans == sorted(plans, reverse=True)
    assert bounds == sorted(bounds)
    assert plans[-1] == answer.plan.metrics["latency"]
    assert bounds[-1] <= plans[-1]


def test_a_model_that_is_too_large_is_not_built() -> None:
    tasks = [Task(f"t{i}", work=1.0 + i % 7) for i in range(500)]
    problem = Problem(network=line(3), graph=Graph(tasks))
    answer = milp.solve(Request(problem, LATENCY))
    assert answer.stopped == "work"
    assert "rows and columns" in str(answer.reason)


@pytest.mark.parametrize("solver", SOLVERS)
def test_nothing_is_printed(solver: str, capfd: pytest.CaptureFixture[str]) -> None:
    for minimize in ("latency", "traffic"):
        offload.solve(hard(8, 3), "milp", minimize, options={"solver": solver})
    assert capfd.readouterr() == ("", "")


def test_an_unknown_solver_is_refused() -> None:
    request = Request(hard(), LATENCY, options={"solver": "gurobi"})
    with pytest.raises(offload.OffloadError, match="option 'solver': must be 'highs' or 'cbc'"):
        milp.solve(request)


def test_cbc_takes_over_where_highs_does_not_load() -> None:
    script = """
import sys
sys.modules["highspy"] = None  # what an import of an absent module does
import offload
from offload.errors import SolverUnavailable
problem = offload.load(sys.argv[1])
assert "cbc" in offload.solve(problem, "milp").versions
try:
    offload.solve(problem, "milp", options={"solver": "highs"})
except SolverUnavailable as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, INSTANCES / "topcuoglu-2002.json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "highs does not load here; install highspy" in done.stdout


@pytest.mark.parametrize("minimize", ["latency", "traffic"])
def test_the_model_can_be_written_and_solved_elsewhere(minimize: str, tmp_path: Path) -> None:
    problem = offload.load(INSTANCES / "topcuoglu-2002.json")
    case = Case(problem, Goal({minimize: 1.0}, {}))
    kind = {"latency": SchedulingModel, "traffic": AssignmentModel}[minimize]
    model = kind(case, math.inf)
    model.build()
    model.problem.writeLP(str(tmp_path / "model.lp"))
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.readModel(str(tmp_path / "model.lp"))
    solver.run()
    best = solver.getInfo().objective_function_value * model.unit
    assert best == pytest.approx({"latency": 73, "traffic": 0}[minimize], rel=1e-6)


def test_placements_alone_and_schedules_agree_where_both_apply() -> None:
    for seed in range(8):
        problem = draw_problem(seed, sorted({*FEATURES} - {"deadline"}), tasks=(3, 5), nodes=(2, 3))
        nodes = tuple(replaced(n, idle_power=0.0) for n in problem.network.nodes)
        problem = problem.replace(network=replaced(problem.network, nodes=nodes))
        goal = Goal({"energy": 1.0, "traffic": 0.5}, {})
        alone = milp.solve(Request(problem, goal, gap=1e-7))
        # A limit that cuts nothing, but needs a schedule.
        timed_goal = goal._replace(limits={"latency": 1e6})
        both = milp.solve(Request(problem, timed_goal, gap=1e-7))
        values = [a.plan.objective(goal.minimize) for a in (alone, both) if a.plan is not None]
        assert len(values) == 2, f"seed {seed}"
        assert values[0] == pytest.approx(values[1], rel=1e-6), f"seed {seed}"


def test_what_rounding_alone_makes_good_is_forbidden_and_the_search_goes_on() -> None:
    # The cheap node misses the limit by more than the checker lets pass, and less than what the
    # model gives away; the next best plan is the answer.
    nodes = [Node("n0", price=0, failure_rate=1 + 2.5e-9), Node("n1", price=1, failure_rate=1)]
    problem = Problem(network=Network(nodes), graph=Graph([Task("a", work=1)]))
    answer = milp.solve(Request(problem, Goal({"cost": 1.0}, {"risk": 1.0}), gap=1e-7))
    assert answer.plan is not None
    assert answer.plan.metrics["cost"] == 1
    assert answer.bound == pytest.approx(1, rel=1e-6)


def test_requests_are_left_as_they_were() -> None:
    request = Request(hard(8, 3), LATENCY, options={"solver": "highs"})
    before = replace(request)
    milp.solve(request)
    assert request == before
