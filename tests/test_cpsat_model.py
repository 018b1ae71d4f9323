"""The constraint model of `cpsat`: every plan that holds satisfies its relaxation on any grid."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest
from decisions import BUSY, busier
from drawing import draw_plan, draw_problem
from ortools.sat.python import cp_model
from retimed import again

from formulations.cpsat_messages import Way
from formulations.cpsat_model import Model, build
from formulations.cpsat_plans import hint, plan_of
from formulations.grid import Grid
from offload import Plan, check, registry
from offload.features import Goal
from offload.problem import METRICS
from offload.registry import Request
from offload.transfers import EDGE

HONOURED = sorted(registry.find("cpsat").honours - {"limits"})


def drawn(first: int, last: int) -> Iterator[tuple[str, Plan]]:
    """Plans that hold, of instances with all features and with busy links."""
    for seed in range(first, last):
        features = sorted({*BUSY, "allow", "copies"}) if seed % 2 else HONOURED
        problem = draw_problem(seed, features, tasks=(2, 8), nodes=(2, 4))
        if seed % 2:
            problem = busier(problem, seed)
        plan = draw_plan(problem, seed)
        if plan is not None:
            # As early as its orders permit: the horizon leaves no room for idling.
            yield f"instance {seed}", again(plan)


def fixed(model: Model, plan: Plan) -> tuple[cp_model.CpSolver, object]:
    """A model solved with all that a hint names held fast."""
    hint(model, plan)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.fix_variables_to_their_hinted_value = True
    return solver, solver.solve(model.cp)


@pytest.mark.parametrize("tick", [1e-4, 0.03, 1.0])
def test_every_plan_satisfies_the_relaxation(tick: float) -> None:
    tried = 0
    for where, plan in drawn(0, 40):
        dice = random.Random(where)
        # With all of these each mode and codec that may be of use is in the model.
        weights = {metric: dice.choice([1.0, 0.5]) for metric in METRICS}
        limits = {metric: plan.metrics[metric] for metric in dice.sample(METRICS, 2)}
        request = Request(plan.problem, Goal(weights, limits))
        model = build(request, Grid(tick), np.inf)
        assert model is not None, where
        if not in_question(model, plan):
            continue
        solver, status = fixed(model, plan)
        assert status in (cp_model.OPTIMAL, cp_model.FEASIBLE), where
        value = solver.objective_value * model.goals.unit + model.goals.objective.constant
        assert value <= plan.objective(weights) * (1 + 1e-9), where
        tried += 1
        if tick == 1e-4:
            made = plan_of(model, solver.value)
            assert check(plan.problem, made, limits=limits) == [], where
            assert made.objective(weights) <= plan.objective(weights) * (1 + 1e-9), where
    assert tried > 15


def in_question(model: Model, plan: Plan) -> bool:
    """Whether no mode or codec of a plan was left out for one that is never worse."""
    parts, rows = plan.parts, plan.transfers
    for i, k, m in np.stack([parts.task, parts.node, parts.mode]).T.tolist():
        if (i, k, m) not in model.z:
            return False
    edges = rows.take(np.flatnonzero(rows.kind == EDGE))
    for item, *way in np.stack([edges.ref, edges.src, edges.dst, edges.codec]).T.tolist():
        if Way(*way) not in model.messages.ways(item):
            return False
    return True
