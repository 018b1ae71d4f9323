"""Slots and bytes over time are the sums of the format over what runs."""

from __future__ import annotations

import numpy as np
from drawing import draw_plan, draw_problem

import offload
from offload import Graph, Network, Node, Problem, Task
from offload.occupancy import Steps, memory_over_time, slots_over_time


def at(steps: Steps, moment: float) -> float:
    """The level at a moment."""
    return float(steps.level[np.searchsorted(steps.time, moment, side="right") - 1])


def test_levels_are_sums_over_what_runs() -> None:
    for seed in range(40):
        problem = draw_problem(seed)
        plan = draw_plan(problem, seed)
        tables, parts = problem.tables, plan.parts
        slots, used = slots_over_time(plan), memory_over_time(plan)
        edges = np.unique(np.concatenate([[0.0], parts.start, parts.finish]))
        apart = np.flatnonzero(np.diff(edges) > 1e-6 * plan.metrics["latency"])
        for moment in ((edges[:-1] + edges[1:]) / 2)[apart].tolist():
            for k in range(tables.nodes):
                here = np.flatnonzero(parts.node == k).tolist()
                now = [i for i in here if parts.start[i] < moment < parts.finish[i]]
                wanted = sum(int(tables.task_slots[parts.task[i]]) for i in now)
                assert at(slots[k], moment) == wanted, f"seed {seed}"
                share = parts.fraction
                held = [share[i] * float(tables.resident_of(parts.task[i], k)) for i in here]
                held += [share[i] * float(tables.memory_of(parts.task[i], k)) for i in now]
                np.testing.assert_allclose(at(used[k], moment), sum(held), atol=1e-6)


def planned(tasks: list[Task], slots: int = 1) -> offload.Plan:
    """Tasks on one node, in their order."""
    problem = Problem(network=Network([Node("n", slots=slots)]), graph=Graph(tasks))
    return offload.evaluate(problem, [[0] * len(tasks)], [range(len(tasks))]).plan()


def test_tasks_that_touch_leave_no_dip_and_no_peak() -> None:
    (steps,) = slots_over_time(planned([Task(f"t{i}", work=1) for i in range(3)]))
    assert steps.level.tolist() == [0, 1, 0]
    np.testing.assert_allclose(steps.time, [0, 0, 3], atol=1e-8)
    sizes = planned([Task("a", work=1, memory=5), Task("b", work=1, memory=7, resident=2)])
    (bytes_,) = memory_over_time(sizes)
    assert bytes_.level.tolist() == [2, 7, 9, 2]
    assert (bytes_.base, bytes_.peak) == (2, 9)


def test_what_takes_no_time_holds_nothing() -> None:
    (steps,) = memory_over_time(planned([Task("a", work=0, memory=5), Task("b", work=1)]))
    assert steps.peak == 0
