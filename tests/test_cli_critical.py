"""Why a plan takes as long as it does, and how much memory it needs at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import layers, street

import offload
from offload.critical import critical_chain, memory_peaks
from offload.plan import Plan
from offload.transfers import required_transfers

INSTANCES = Path(__file__).parents[1] / "instances"


def planned(problem: offload.Problem, start: list[float], nodes: list[int] | None = None) -> Plan:
    """A plan with given starts, on the first node unless told otherwise."""
    tables = problem.tables
    placed = np.array([nodes or [0] * tables.tasks], np.int32)
    begin = np.array(start, float)
    finish = begin + tables.execution(np.arange(tables.tasks), placed[0])
    required = required_transfers(tables, placed)
    rows = required.rows
    sent = finish[tables.item_src[rows.ref]] if len(rows.ref) else np.zeros(0)
    delay = tables.transfer(rows.size, rows.src, rows.dst).total
    timed = required._replace(rows=rows._replace(start=sent, finish=sent + delay))
    return Plan.assemble(problem, placed[0], begin, finish, timed)


def two_tasks(slots: int, *, release: float = 0.0, memory: float = 8.0) -> offload.Problem:
    """Two independent tasks of 2 s and 3 s that need 3 and 5 bytes, and hold 1 each."""
    node = offload.Node("n", slots=slots, memory=memory)
    first = offload.Task("first", work=2.0, memory=3.0, resident=1.0)
    second = offload.Task("second", work=3.0, memory=5.0, resident=1.0, release=release)
    return offload.Problem(
        network=offload.Network((node,)),
        graph=offload.Graph(
            (
                first,
                second,
            )
        ),
    )


@pytest.mark.parametrize("method", ["heft", "cpop", "local"])
def test_runs_and_waits_of_the_chain_add_up_to_the_latency(method: str) -> None:
    for problem in (offload.load(INSTANCES / "topcuoglu-2002.json"), street(), layers(6, 6, 4)):
        plan = offload.solve(problem, method=method).plan
        assert plan is not None
        steps = critical_chain(plan)
        parts = [step.part for step in steps]
        running = (plan.parts.finish[parts] - plan.parts.start[parts]).sum()
        waiting = sum(step.wait for step in steps)
        assert running + waiting == pytest.approx(plan.metrics["latency"], rel=1e-9)
        assert (np.diff(plan.parts.finish[parts]) >= 0).all()
        assert all(step.idle == 0 for step in steps)


def test_each_cause_is_told_apart() -> None:
    queue = critical_chain(planned(two_tasks(1), [0.0, 2.0]))
    assert [(step.cause, step.what, step.wait) for step in queue] == [
        ("start", "", 0.0),
        ("node", "first", 0.0),
    ]
    late = critical_chain(planned(two_tasks(1, release=7.0), [0.0, 7.0]))
    assert [(step.cause, step.wait, step.idle) for step in late] == [("release", 7.0, 0.0)]
    lazy = critical_chain(planned(two_tasks(2), [4.0, 3.0]))
    assert [(step.cause, step.wait, step.idle) for step in lazy] == [("start", 4.0, 4.0)]
    slow = critical_chain(planned(two_tasks(1), [0.0, 2.5]))
    assert [(step.cause, step.wait, step.idle) for step in slow] == [
        ("start", 0.0, 0.0),
        ("node", 0.5, 0.5),
    ]
    sent = critical_chain(planned(street(), [0.0, 0.202, 0.702], [0, 1, 1]))
    assert [(step.cause, step.what) for step in sent] == [
        ("start", ""),
        ("transfer", "grab -> detect"),
        ("task", "detect"),
    ]


def test_a_transfer_s_queue_for_its_link_is_told_apart_from_its_time() -> None:
    plan = planned(street(), [0.0, 0.402, 0.902], [0, 1, 1])
    rows = plan.transfers
    rows.start[:], rows.finish[:] = 0.3, 0.402
    step = critical_chain(plan)[1]
    assert step.cause == "transfer"
    assert step.wait == pytest.approx(0.302, rel=1e-9)
    assert step.queued == pytest.approx(0.2, rel=1e-9)


def test_a_plan_that_never_ends_or_never_begins_has_no_chain() -> None:
    plan = planned(two_tasks(1), [0.0, float("inf")])
    assert critical_chain(plan) == []
    empty = offload.Problem(network=offload.Network((offload.Node("n"),)))
    assert critical_chain(planned(empty, [])) == []


def test_memory_at_its_peak() -> None:
    assert memory_peaks(planned(two_tasks(1), [0.0, 2.0])).tolist() == [7.0]
    assert memory_peaks(planned(two_tasks(2), [0.0, 0.0])).tolist() == [10.0]
    touching = planned(two_tasks(1), [0.0, 2.0 * (1 - 1e-16)])
    assert memory_peaks(touching).tolist() == [7.0]
