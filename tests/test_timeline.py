"""Slots over time: gaps that are long and wide enough, tentative use, whole sets of nodes."""

from __future__ import annotations

import random

import numpy as np

from offload import Graph, Network, Node, Problem, Task
from offload.heuristics.machines import Queues, WithGaps
from offload.heuristics.timeline import Gaps, Timeline
from offload.tables import Tables


def test_the_first_gap_that_is_long_and_wide_enough_is_taken() -> None:
    for seed in range(60):
        dice = random.Random(seed)
        capacity, room = dice.randint(1, 3), 6.0
        line = Timeline(capacity)
        held: list[tuple[float, float, int, float]] = []
        for _ in range(12):
            ready, length = dice.randint(0, 12) / 2, dice.choice([0.0, 0.5, 1.0, 2.5])
            units, memory = dice.randint(1, capacity), float(dice.randint(0, 4))
            start = line.earliest(ready, length, units, memory, room)
            moments = sorted({ready, *(end for _, end, _, _ in held if end > ready)})
            wanted = next(
                moment
                for moment in moments
                if length == 0 or _fits(held, moment, length, units, memory, capacity, room)
            )
            assert start == wanted, f"seed {seed}"
            line.add(start, start + length, units, memory)
            held += [(start, start + length, units, memory)] if length else []


def _fits(
    held: list[tuple[float, float, int, float]], start: float, length: float, units: int,
    memory: float, capacity: int, room: float,
) -> bool:  # fmt: skip
    """Whether units and memory are free from a start on, at every moment at which more begins."""
    for moment in [start, *(begin for begin, *_ in held if start < begin < start + length)]:
        now = [row for row in held if row[0] <= moment < row[1]]
        if sum(row[2] for row in now) + units > capacity:
            return False
        if sum(row[3] for row in now) + memory > room:
            return False
    return True


def test_what_is_too_large_never_fits() -> None:
    line = Timeline(2)
    assert line.earliest(0, 1, units=3) == np.inf
    assert line.earliest(0, 1, memory=5, room=4) == np.inf
    assert line.earliest(np.inf, 1) == np.inf
    assert line.earliest(3, 0, units=3) == 3


def test_what_is_removed_leaves_no_trace() -> None:
    for seed in range(60):
        dice = random.Random(seed)
        line, base = Timeline(3), Timeline(3)
        for _ in range(dice.randint(0, 6)):
            start, length = dice.randint(0, 9), dice.randint(0, 4)
            if line.earliest(start, length, 1) == start:
                line.add(start, start + length)
                base.add(start, start + length)
        held = []
        for _ in range(dice.randint(1, 5)):
            length = dice.randint(0, 4)
            start = line.earliest(dice.randint(0, 9), length)
            line.add(start, start + length)
            held.append((start, start + length))
        for start, finish in reversed(held):
            line.remove(start, finish)
        moments = np.arange(0, 40, 0.5)
        for units in (1, 2, 3):
            for ready in moments:
                assert line.earliest(ready, 2, units) == base.earliest(ready, 2, units), seed


def test_gaps_are_those_that_a_timeline_leaves() -> None:
    for seed in range(20):
        dice = random.Random(seed)
        line, gaps = Timeline(1), Gaps()
        # Long enough for several chunks of gaps; many pieces touch, and many gaps are filled.
        for step in range(600):
            spread = dice.choice([5, 60, 600]) if step < 400 else 700
            ready, length = dice.randint(0, spread) / 2, dice.choice([0.25, 0.5, 1, 3])
            wanted = line.earliest(ready, length)
            assert gaps.earliest(ready, length) == wanted, f"seed {seed}, step {step}"
            if dice.random() < 0.8:
                line.add(wanted, wanted + length)
                gaps.take(wanted, wanted + length)
        assert gaps.tail == line.times[-1]
        for length in (0.25, 0.5, 1.0, 3.0):
            ends = [end for begin, end in _free(line) if end - begin >= length]
            assert gaps.last_end(length) == max(ends, default=-np.inf)


def _free(line: Timeline) -> list[tuple[float, float]]:
    """Intervals of a timeline of one unit that are free and have an end."""
    full = line.full(1)
    begins = [0.0, *(end for _, end in full)]
    return [(b, e) for b, (e, _) in zip(begins, full, strict=False) if b < e]


# -- all nodes at once -----------------------------------------------------------------------------


def _machines(seed: int) -> Tables:
    """Some nodes of one slot and of several, and tasks of all sizes and lengths."""
    dice = random.Random(seed)
    nodes = tuple(
        Node(f"n{k}", speed=dice.choice([1, 2, 5]), slots=dice.choice([1, 1, 2, 4]))
        for k in range(5)
    )
    widest = max(node.slots for node in nodes)
    tasks = tuple(
        Task(f"t{i}", work=dice.choice([0, 0.001, 1, 1, 2, 3, 50]), slots=dice.randint(1, widest))
        for i in range(150)
    )
    return Problem(network=Network(nodes), graph=Graph(tasks)).tables


def test_starts_on_all_nodes_are_those_of_each() -> None:
    for seed in range(15):
        tables, dice = _machines(seed), np.random.default_rng(seed)
        machines = WithGaps(tables)
        lines = [Timeline(int(slots)) for slots in tables.node_slots]
        for task in range(tables.tasks):
            ready = dice.integers(0, 40, tables.nodes) / 2
            length, units = tables.row(task), int(tables.task_slots[task])
            wanted = np.array(
                [
                    line.earliest(float(r), float(p), units)
                    for line, r, p in zip(lines, ready, length, strict=True)
                ]
            )
            fine = np.isfinite(length)
            start = machines.starts(task, ready, length)
            assert start[fine].tolist() == wanted[fine].tolist(), f"seed {seed}, task {task}"
            cost = dice.integers(0, 3, tables.nodes).astype(float)
            for extra in (None, cost):
                key = wanted + length + (0 if extra is None else extra)
                node, at, least = machines.soonest(task, ready, length, extra)
                assert (node, least) == (key.argmin(), key.min()), f"seed {seed}, task {task}"
                assert at == wanted[node]
            node = int(dice.choice(np.flatnonzero(fine)))
            assert machines.start_on(task, node, ready[node], length[node]) == wanted[node]
            machines.take(task, node, wanted[node], wanted[node] + length[node])
            lines[node].add(wanted[node], wanted[node] + length[node], units)


def test_a_restored_node_is_as_it_was_saved() -> None:
    for seed in range(15):
        tables, dice = _machines(seed), np.random.default_rng(seed)
        machines, plain = WithGaps(tables), WithGaps(tables)
        for task in range(tables.tasks - 2):
            length = tables.row(task)
            saved = []
            for other in (task + 1, task + 2):  # tentatively, and never in the other
                node, start, least = machines.soonest(
                    other, np.zeros(tables.nodes), tables.row(other), None
                )
                saved.append(machines.save(node))
                machines.take(other, node, start, least)
            for state in reversed(saved):
                machines.restore(state)
            ready = dice.integers(0, 40, tables.nodes) / 2
            found, wanted = (m.soonest(task, ready, length, None) for m in (machines, plain))
            assert found == wanted, f"seed {seed}, task {task}"
            for each in (machines, plain):
                each.take(task, wanted[0], wanted[1], wanted[2])


def test_in_queues_nothing_starts_before_what_was_placed_last() -> None:
    tasks = (Task("a", work=2), Task("b", work=1), Task("c", work=0))
    tables = Problem(network=Network((Node("x"), Node("y"))), graph=Graph(tasks)).tables
    queues = Queues(tables)
    queues.take(0, 0, 5, 7)
    ready = np.array([1.0, 3.0])
    assert queues.starts(1, ready, tables.row(1)).tolist() == [7, 3]
    assert queues.starts(2, ready, tables.row(2)).tolist() == [5, 3]
    assert queues.soonest(1, ready, tables.row(1), np.array([0.0, 9.0])) == (0, 7, 8)
    assert queues.start_on(1, 0, 9.0, 1.0) == 9
