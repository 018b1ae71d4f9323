"""Changes of many plans at once keep orders topological, units together, tasks where allowed."""

from __future__ import annotations

import numpy as np
import pytest
from drawing import draw_plan, draw_problem

from offload.features import FEATURES
from offload.fronts.population import Population
from offload.heuristics.decisions import decide


@pytest.mark.parametrize("seed", range(12))
def test_children_are_decisions_that_an_instance_permits(seed: int) -> None:
    features = sorted(set(FEATURES) - {"splitting"})
    drawn = (draw_problem(n, features, tasks=(5, 9), nodes=(2, 4)) for n in range(700 + seed, 900))
    problem, plan = next((p, made) for p in drawn if (made := draw_plan(p, seed)) is not None)
    tables = problem.tables
    population = Population(problem, ("latency", "energy"), {}, [decide(plan)], seed)
    unit, task = population.unit, np.arange(tables.tasks)
    for _ in range(5):
        made = population._children(60)
        assert (np.sort(made.order, axis=1) == task).all()
        rank = np.argsort(made.order, axis=1)
        assert (rank[:, tables.edge_src] < rank[:, tables.edge_dst]).all()
        assert (made.nodes == made.nodes[:, unit]).all()
        assert tables.allowed_table[task, made.nodes].all()
        assert (made.modes < tables.mode_count[made.nodes]).all()
    assert len(np.unique(made.nodes, axis=0)) > 1 or not population.changes.free
