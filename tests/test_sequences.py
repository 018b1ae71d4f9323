"""Schedules as sequences: times kept up to date, places judged, clusters timed."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from drawing import draw_problem

import offload
from offload.features import FEATURES, goal_of
from offload.heuristics.clusters import Clusters
from offload.heuristics.decisions import Decisions, topological_order
from offload.heuristics.insertion import places
from offload.heuristics.sequence_search import SequenceSearch
from offload.heuristics.sequences import Sequences, applies
from offload.problem import Problem

BEYOND = {"slots", "memory", "together", "apart", "contiguous", "deadline", "channels", "limits",
          "due", "splitting", "serial-io", "copies"}  # fmt: skip
WITHIN = tuple(name for name in FEATURES if name not in BEYOND)


def drawn(seed: int) -> tuple[Problem, Decisions] | None:
    """An instance of sequences, and a random placement and order of it."""
    problem = draw_problem(seed, WITHIN, tasks=(2, 14), nodes=(1, 5))
    problem = problem.replace(minimize={"latency": 1.0}, limits={})
    tables, dice = problem.tables, np.random.default_rng(seed)
    if not applies(tables, goal_of(problem)):
        return None
    rows = [np.flatnonzero(np.isfinite(tables.row(i))) for i in range(tables.tasks)]
    nodes = np.array([dice.choice(row) for row in rows], np.int32)
    order = topological_order(problem, dice.random(tables.tasks))
    return problem, Decisions(nodes, order, tables.fastest_mode[nodes], None, None)


CASES = [case for seed in range(120) if (case := drawn(seed)) is not None]


def is_topological(state: Sequences) -> bool:
    place = np.array(state.position)
    tables = state.tables
    lines = [(i, j) for line in state.lines for i, j in itertools.pairwise(line)]
    ordered = [state.order[q] for q in state.position] == list(range(state.count))
    along = all(place[i] < place[j] for i, j in lines)
    return ordered and along and bool((place[tables.edge_src] < place[tables.edge_dst]).all())


def longest_paths(state: Sequences) -> tuple[list[float], list[float]]:
    """Finishes and paths worked out from the definition, one task after another."""
    finish, path = [0.0] * state.count, [0.0] * state.count
    for i in state.order:
        times = [state.arrive[i], *(finish[j] + state.delay[e] for j, e in state.inputs[i])]
        if state.before[i] >= 0:
            times.append(finish[state.before[i]])
        finish[i] = max(times) + state.span[i]
    for i in reversed(state.order):
        times = [0.0, *(path[j] + state.delay[e] for j, e in state.outputs[i])]
        if state.next[i] >= 0:
            times.append(path[state.next[i]])
        path[i] = max(times) + state.span[i]
    return finish, path


def test_there_are_cases_of_every_feature() -> None:
    assert len(CASES) > 60
    used = {name for problem, _ in CASES for name in offload.features.features_used(problem)}
    assert {"resident", "allow", "require", "release", "items", "reads", "moves", "modes",
            "codecs"} <= used  # fmt: skip


def test_times_stay_right_through_moves() -> None:
    moved = refused = 0
    for number, (problem, decisions) in enumerate(CASES):
        state, dice = Sequences(problem.tables, decisions), random.Random(number)
        for _ in range(30):
            task = dice.randrange(state.count)
            row = problem.tables.row(task)
            node = dice.choice(np.flatnonzero(np.isfinite(row)).tolist())
            line = [i for i in state.lines[node] if i != task]
            place = dice.randint(0, len(line))
            before = [part[:] for part in (state.node, state.order, state.finish, state.path)]
            if state.move(task, node, place):
                moved += 1
                assert state.lines[node] == [*line[:place], task, *line[place:]]
                assert state.node[task] == node
                assert is_topological(state)
            else:
                refused += 1
                assert before == [state.node, state.order, state.finish, state.path]
            finish, path = longest_paths(state)
            np.testing.assert_allclose(state.finish, finish, 1e-12)
            np.testing.assert_allclose(state.path, path, 1e-12)
            assert state.length == max(state.finish)
            held = np.zeros(problem.tables.nodes)
            for i, k in enumerate(state.node):
                held[k] += problem.tables.resident_of(i, k)
            np.testing.assert_allclose(state.held, held, 1e-9, 1e-6)
    assert moved > 1000
    assert refused > 50


def test_what_a_refused_move_would_close_is_a_cycle() -> None:
    for number, (problem, decisions) in enumerate(CASES[:60]):
        state, dice = Sequences(problem.tables, decisions), random.Random(number)
        for _ in range(20):
            task, node = dice.randrange(state.count), dice.randrange(problem.tables.nodes)
            line = [i for i in state.lines[node] if i != task]
            place = dice.randint(0, len(line))
            if not np.isfinite(problem.tables.row(task)[node]) or state.move(task, node, place):
                continue
            after = _reached(problem, state, task)
            before = {i for i in range(state.count) if task in _reached(problem, state, i)}
            assert after & set(line[:place]) or before & set(line[place:])


def _reached(problem: Problem, state: Sequences, task: int) -> set[int]:
    """What follows from a task by edges, and by the sequences without it."""
    lines = [[i for i in line if i != task] for line in state.lines]
    onward: dict[int, set[int]] = {i: set() for i in range(state.count)}
    for i, j in zip(problem.tables.edge_src, problem.tables.edge_dst, strict=True):
        onward[int(i)].add(int(j))
    for line in lines:
        for i, j in itertools.pairwise(line):
            onward[i].add(j)
    found, front = set(), [task]
    while front:
        for j in onward[front.pop()] - found:
            found.add(j)
            front.append(j)
    return found


def test_decoded_again_a_schedule_is_no_longer() -> None:
    for problem, decisions in CASES:
        state = Sequences(problem.tables, decisions)
        again = state.decisions().evaluate(problem)
        if state.holds:
            assert again.feasible[0]
            assert again.metrics["latency"][0] <= state.length * (1 + 1e-9), problem.name


def test_no_path_through_a_place_gets_longer_than_expected() -> None:
    exact = values = 0
    for problem, decisions in CASES:
        state = Sequences(problem.tables, decisions)
        for task in range(state.count):
            state.load(decisions.nodes, decisions.order)
            found = places(state, [task], 1)
            for p in np.flatnonzero(np.isfinite(found.value[0])).tolist():
                node = int(found.node[p])
                state.load(decisions.nodes, decisions.order)
                if not state.move(task, node, p - found.first[node]):
                    continue
                through = state.start[task] + state.path[task]
                value = found.value[0, p]
                values, exact = values + 1, exact + (through == pytest.approx(value, rel=1e-9))
                assert through <= value * (1 + 1e-9) + 1e-9, problem.name
    assert values > 2000
    assert exact > 0.8 * values


def test_clusters_are_timed_as_the_evaluator_does() -> None:
    timed = 0
    for number, (problem, decisions) in enumerate(CASES):
        state = Sequences(problem.tables, decisions)
        clusters = Clusters(state)
        if not clusters.free:
            continue
        nodes = clusters.draw(random.Random(number), 12, range(state.count))
        latency, excess = clusters.lengths(nodes, decisions.order)
        tables = problem.tables
        codecs = [state_codecs(problem, row) for row in nodes]
        packed = None if codecs[0] is None else np.array(codecs)
        modes = tables.fastest_mode[nodes]
        found = offload.evaluate(problem, nodes, decisions.order, modes, packed)
        np.testing.assert_allclose(excess, found.excess["memory"], 1e-9)
        holds = (excess == 0) & (latency < state.never)
        np.testing.assert_array_equal(holds, found.feasible)
        least = found.metrics["latency"][holds]
        if (tables.time > 0).all():
            timed += 1
            np.testing.assert_allclose(latency[holds], least, 1e-9)
        else:
            assert (latency[holds] >= least * (1 - 1e-9)).all()
    assert timed > 10


def state_codecs(problem: Problem, nodes: np.ndarray) -> np.ndarray | None:
    from offload.heuristics.decisions import codecs_of

    codecs = codecs_of(problem.tables, nodes[None, :])
    return None if codecs is None else codecs[0]


def searched(problem: Problem, decisions: Decisions, seed: int) -> SequenceSearch:
    search = SequenceSearch(problem.tables, decisions, seed=seed)
    while search.work < 3000:
        search.round(lambda: search.work >= 3000, lambda: search.work / 3000)
    return search


def test_the_same_seed_gives_the_same_schedule() -> None:
    problem, decisions = max(CASES, key=lambda case: case[0].tables.tasks)
    one, other = searched(problem, decisions, 3), searched(problem, decisions, 3)
    assert one.best is not None
    assert other.best is not None
    assert one.best.value == other.best.value
    assert one.best.nodes.tolist() == other.best.nodes.tolist()
    assert one.best.order.tolist() == other.best.order.tolist()


def test_memory_may_be_exceeded_on_the_way_but_not_by_what_is_kept() -> None:
    """Two nodes that hold two tasks each: only by a swap does a task reach the faster one."""
    from offload import Graph, Link, Network, Node, Task

    tasks = [Task(f"t{i}", time={"a": (9.0, 9.0, 1.0, 1.0)[i], "b": (1.0, 1.0, 9.0, 9.0)[i]},
                  resident=1.0) for i in range(4)]  # fmt: skip
    network = Network((Node("a", memory=2), Node("b", memory=2)), (Link("a", "b"),))
    problem = Problem(network=network, graph=Graph(tuple(tasks)))
    nodes, order = np.array([0, 0, 1, 1], np.int32), np.arange(4, dtype=np.int32)
    search = searched(problem, Decisions(nodes, order, 0 * nodes, None, None), 0)
    assert search.best is not None
    assert search.best.value == 2.0
    assert search.best.nodes.tolist() == [1, 1, 0, 0]
