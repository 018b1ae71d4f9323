"""Sums that count with latency: the same as the evaluator's, move by move, and searches by them."""

from __future__ import annotations

import threading
from math import inf

import numpy as np
import pytest
from brute_force import TooMany, everything
from drawing import draw_problem

import offload
from offload.features import FEATURES, Goal
from offload.fronts.dominance import efficient
from offload.fronts.tracing import Tracing
from offload.heuristics.decisions import Decisions, decide, topological_order
from offload.heuristics.pricing import ADDITIVE
from offload.heuristics.sequence_search import SequenceSearch
from offload.heuristics.sequences import applies
from offload.heuristics.worth import Worth
from offload.problem import Problem

BEYOND = {"slots", "memory", "together", "apart", "contiguous", "deadline", "channels", "limits",
          "due", "splitting", "serial-io", "copies", "modes", "codecs"}  # fmt: skip
WITHIN = tuple(name for name in FEATURES if name not in BEYOND)
EVERY = Goal(dict.fromkeys(("latency", *ADDITIVE), 1.0), {})


def drawn(seed: int, tasks: tuple[int, int] = (2, 12)) -> Problem | None:
    """An instance of sequences whose sums may count."""
    problem = draw_problem(seed, WITHIN, tasks=tasks, nodes=(1, 4)).replace(limits={})
    return problem if applies(problem.tables, EVERY) else None


def placements(problem: Problem, count: int, seed: int) -> np.ndarray:
    """Random placements where tasks may be; int32[count, T]."""
    tables, dice = problem.tables, np.random.default_rng(seed)
    rows = [np.flatnonzero(np.isfinite(tables.row(i))) for i in range(tables.tasks)]
    drawn = [dice.choice(row, size=count) for row in rows]
    return np.array(drawn, np.int32).reshape(tables.tasks, count).T.copy()


PROBLEMS = [problem for seed in range(150) if (problem := drawn(seed)) is not None]


def test_sums_are_those_of_the_evaluator() -> None:
    compared = shared = 0
    for number, problem in enumerate(PROBLEMS):
        tables, worth = problem.tables, Worth(problem.tables, EVERY)
        nodes = placements(problem, 6, number)
        found = offload.evaluate(problem, nodes, tables.topological)
        rows = np.flatnonzero(np.isfinite(found.metrics["latency"]))
        latency = found.metrics["latency"]
        values = worth.metrics_of(worth.metrics, latency, worth.of(nodes))
        for row in rows.tolist():
            worth.load(nodes[row])
            alone = worth.metrics_of(worth.metrics, latency[row], worth.sums)
            for metric, one, several in zip(worth.metrics, alone, values, strict=True):
                exact = pytest.approx(found.metrics[metric][row], rel=1e-9, abs=1e-9)
                assert one == exact, (problem.name, metric)
                assert np.asarray(several)[row] == exact, (problem.name, metric)
                compared += 1
        shared += int((tables.item_edges.lengths > 1).any())
    assert compared > 800
    assert shared > 20


def test_a_move_changes_sums_by_what_was_foretold() -> None:
    compared = 0
    for number, problem in enumerate(PROBLEMS):
        tables, worth = problem.tables, Worth(problem.tables, EVERY)
        worth.load(placements(problem, 1, number)[0])
        dice = np.random.default_rng(number)
        for _ in range(8):
            task = int(dice.integers(tables.tasks))
            foretold = worth.moved([task])
            node = int(dice.choice(np.flatnonzero(np.isfinite(tables.row(task)))))
            worth.move(task, node)
            for metric, part, now in zip(worth.metrics, foretold, worth.sums, strict=True):
                assert part[0, node] == pytest.approx(now, rel=1e-9, abs=1e-9), metric
                compared += 1
    assert compared > 2000


def test_what_exceeds_a_limit_gets_dearer_until_it_does_not() -> None:
    problem = next(p for p in PROBLEMS if p.tables.tasks > 4)
    nodes = placements(problem, 1, 0)[0]
    worth = Worth(problem.tables, Goal({"latency": 1.0}, {"latency": 1.0, "energy": inf}))
    worth.load(nodes)
    worth.reprice(2.0)
    assert not worth.holds(2.0)
    first = worth.now(2.0)
    worth.reprice(2.0)
    dearer = worth.now(2.0)
    assert dearer > first > worth.objective(2.0) == 2.0
    assert worth.holds(1.0)
    worth.reprice(1.0)
    assert worth.now(2.0) < dearer
    assert worth.now(0.5) == 0.5


@pytest.mark.parametrize(
    ("minimize", "limited"),
    [
        ({"latency": 1.0, "energy": 0.2}, None),
        ({"latency": 1.0}, "energy"),
        ({"energy": 1.0, "cost": 0.5}, "latency"),
        ({"latency": 2.0, "traffic": 1e-3, "risk": 1.0}, "cost"),
    ],
)
def test_tiny_instances_are_solved_to_the_optimum(
    minimize: dict[str, float], limited: str | None
) -> None:
    solved = found = 0
    for seed in range(400, 460):
        problem = drawn(seed, tasks=(2, 5))
        if problem is None:
            continue
        try:
            known = everything(problem)
        except TooMany:
            continue
        limits = {}
        if limited is not None and (best := known.best({limited: 1.0})) is not None:
            limits = {limited: 1.1 * best.value + 1e-6}
        least = known.best(minimize, limits)
        result = offload.solve(
            problem, "anneal", minimize, limits, time_limit=None, work_limit=3000, threads=1,
            options={"search": "sequences"},
        )  # fmt: skip
        if least is None:
            assert result.plan is None
            continue
        solved += 1
        if result.objective is not None:
            assert result.objective >= least.value * (1 - 1e-9)
            found += result.objective <= least.value * (1 + 1e-6)
    assert solved >= 10
    assert found >= 0.9 * solved


def test_a_weight_of_two_searches_as_long_as_one_of_one() -> None:
    """A bound that is compared with latency instead of the objective would end it at once."""
    problem = offload.load("instances/saga-rand-n20-m4.json")
    heft = offload.solve(problem, "heft").objective
    one, two = (
        offload.solve(
            problem, "anneal", {"latency": weight}, {}, time_limit=None, work_limit=4000, threads=1
        ).objective
        for weight in (1.0, 2.0)
    )
    assert heft is not None
    assert one is not None
    assert two == pytest.approx(2 * one)
    assert one < 0.95 * heft


def test_where_modes_or_codecs_may_be_chosen_sums_are_beyond_sequences() -> None:
    latency, both = Goal({"latency": 1.0}, {}), Goal({"latency": 1.0, "energy": 1.0}, {})
    seen = dict.fromkeys((True, False), 0)
    for seed in range(60):
        problem = draw_problem(seed, [*WITHIN, "modes", "codecs"], tasks=(2, 6), nodes=(2, 4))
        tables = problem.replace(limits={}).tables
        if applies(tables, latency):
            chosen = tables.modes > 1 or len(tables.item_codecs.values) > 0
            assert applies(tables, both) != chosen
            seen[chosen] += 1
    assert min(seen.values()) > 3


# -- between the ends of a front -----------------------------------------------------------------


def traced(problem: Problem, limits: dict[str, float], turns: int, seed: int = 0) -> Tracing:
    ends = [
        decide(offload.solve(problem, "anneal", m, {}, time_limit=None, work_limit=3000).plan)
        for m in ("latency", "energy")
    ]
    tracing = Tracing(problem, ("latency", "energy"), limits, ends, seed)
    for _ in range(turns):
        tracing.turn(lambda: False)
    return tracing


EDGE = "instances/edge-n40-m6-ccr10.json"


def test_plans_on_the_way_are_those_of_the_evaluator_and_none_dominates_another() -> None:
    problem = offload.load(EDGE)
    tracing = traced(problem, {}, 12)
    assert len(tracing.values) >= 4
    assert efficient(tracing.values).all()
    for decisions, value in zip(tracing.found, tracing.values, strict=True):
        made = decisions.evaluate(problem, {})
        assert made.feasible[0]
        assert made.metrics["energy"][0] == pytest.approx(value[1], rel=1e-9)
        assert made.metrics["latency"][0] <= value[0] * (1 + 1e-9)


def test_a_trace_keeps_limits_and_depends_on_its_seed_alone() -> None:
    problem = offload.load(EDGE)
    free = traced(problem, {}, 12).values
    limit = float(np.median(free[:, 1]))
    one, other = (traced(problem, {"energy": limit}, 12, seed=3) for _ in range(2))
    assert len(one.values)
    assert (one.values[:, 1] <= limit * (1 + 1e-6)).all()
    np.testing.assert_array_equal(one.values, other.values)


def test_three_metrics_are_traced_too() -> None:
    problem = offload.load(EDGE)
    start = offload.solve(problem, "heft", limits={}).plan
    tracing = Tracing(problem, ("latency", "energy", "traffic"), {}, [decide(start)], 0)
    before = tracing.values[0].copy()
    for _ in range(12):
        tracing.turn(lambda: False)
    assert len(tracing.values) > 5
    assert (tracing.values.min(axis=0) <= before).all()
    assert efficient(tracing.values).all()


def test_a_start_that_does_not_hold_is_gone_on_from() -> None:
    """Two nodes that hold two tasks each, and all four on one of them."""
    from offload import Graph, Link, Network, Node, Task

    tasks = tuple(Task(f"t{i}", work=1.0, resident=1.0) for i in range(4))
    nodes = (Node("a", speed=1, memory=2, busy_power=1), Node("b", speed=2, memory=2, busy_power=9))
    problem = Problem(network=Network(nodes, (Link("a", "b"),)), graph=Graph(tasks))
    none = np.zeros(4, np.int32)
    order = topological_order(problem, np.arange(4))
    start = Decisions(none, order, none, None, None)
    search = SequenceSearch(problem.tables, start, Goal({"latency": 1.0, "energy": 1.0}, {}))
    assert search.best is None
    tracing = Tracing(problem, ("latency", "energy"), {}, [start], 0)
    assert not len(tracing.values)
    for _ in range(4):
        tracing.turn(lambda: False)
    assert (np.bincount(tracing.found[0].nodes) == 2).all()


class _Soon(threading.Event):
    """Set once it has been asked so many times since :attr:`left` was given."""

    left: int | None = None

    def is_set(self) -> bool:
        if self.left is not None:
            self.left -= 1
        return self.left is not None and self.left < 0


def test_what_was_found_between_the_ends_is_kept_when_it_is_cancelled() -> None:
    problem, cancel, before = offload.load(EDGE), _Soon(), []

    def hear(report: offload.FrontProgress) -> None:
        if report.doing == "plans between them by local search" and cancel.left is None:
            before.append(report.points)
            cancel.left = 4000

    front = offload.pareto(
        problem, points=None, method="nsga2", limits={}, time_limit=60, on_progress=hear,
        cancel=cancel,
    )  # fmt: skip
    assert front.facts["stopped"] == "cancelled"
    assert len(front) > before[0]
