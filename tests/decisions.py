"""Random instances for the decoder, and random decisions for them: some hold, others do not."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import numpy as np
from drawing import draw_plan, draw_problem
from numpy.typing import NDArray

import offload
from offload.features import FEATURES
from offload.problem import Problem

__all__ = ["BATCH", "BUSY", "Decisions", "busier", "draw_decisions", "draw_instance"]

BATCH = 5
DECODED = tuple(name for name in FEATURES if name != "splitting")
CROWDED = ("slots", "memory", "resident", "routes", "items", "serial-io", "due")
BUSY = ("channels", "routes", "items", "codecs", "reads", "moves", "serial-io")

IntArray = NDArray[np.integer]


def draw_instance(seed: int) -> Problem:
    """By turns an instance of all features, of most, with crowded nodes and with busy links."""
    if seed % 4 == 1:
        return draw_problem(seed, CROWDED, tasks=(4, 9), nodes=(1, 3))
    if seed % 4 == 2:
        return busier(draw_problem(seed, BUSY, tasks=(5, 9), nodes=(2, 4)), seed)
    features = DECODED if seed % 4 else tuple(f for f in DECODED if f != "channels")
    return draw_problem(seed, features, tasks=(1, 9), nodes=(1, 5))


def busier(problem: Problem, seed: int) -> Problem:
    """The instance with few channels on every link."""
    dice = random.Random(f"busier {seed}")
    links = tuple(
        msgspec.structs.replace(link, channels=dice.choice([1, 2, 2, 3]))
        for link in problem.network.links
    )
    return problem.replace(network=msgspec.structs.replace(problem.network, links=links))


class Decisions(NamedTuple):
    """A batch of places, orders, modes, codecs and copies."""

    nodes: IntArray
    order: IntArray
    modes: IntArray
    codecs: IntArray
    copies: NDArray[np.bool_]

    def of(self, b: int) -> Decisions:
        """One plan's, as a batch of one."""
        row = slice(b, b + 1)
        nodes, order, modes, codecs, copies = self
        return Decisions(nodes[row], order[row], modes[row], codecs[row], copies[row])


def draw_decisions(problem: Problem, seed: int, batch: int = BATCH) -> Decisions:
    """Random decisions: those of a plan that holds, the same in other orders, and any others."""
    dice = random.Random(f"decisions {seed}")
    held = draw_plan(problem, seed, tries=2)
    drawn = [_of_plan(problem, held)] if held is not None else []
    while len(drawn) < batch:
        near = held is not None and dice.random() < 0.3
        drawn.append(_reordered(problem, drawn[0], dice) if near else _anything(problem, dice))

    def column(n: int, width: int) -> IntArray:
        return np.array([plan[n] for plan in drawn], np.int64).reshape(batch, width)

    tasks, edges = problem.tables.tasks, problem.tables.edges
    copies = np.array([plan.copies for plan in drawn], bool)
    return Decisions(column(0, tasks), column(1, tasks), column(2, tasks), column(3, edges), copies)


def _of_plan(problem: Problem, plan: offload.Plan) -> Decisions:
    tables, rows = problem.tables, plan.transfers
    begin, modes = np.zeros(tables.tasks), np.zeros(tables.tasks, int)
    begin[plan.parts.task] = plan.parts.start
    modes[plan.parts.task] = plan.parts.mode
    codecs = np.full(tables.edges, -1)
    for x in np.flatnonzero(rows.kind == 0).tolist():
        edges = tables.item_edges.of(int(rows.ref[x]))
        codecs[edges[plan.nodes[tables.edge_dst[edges]] == rows.dst[x]]] = rows.codec[x]
    copies = np.zeros((len(problem.data), tables.nodes), bool)
    copies[plan.copies.data, plan.copies.node] = True
    order = _sequence(problem, lambda ready: min(ready, key=lambda i: float(begin[i])))
    return Decisions(plan.nodes, np.array(order, int), modes, codecs, copies)


def _reordered(problem: Problem, known: Decisions, dice: random.Random) -> Decisions:
    return known._replace(order=np.array(_sequence(problem, dice.choice), int))


def _anything(problem: Problem, dice: random.Random) -> Decisions:
    tables = problem.tables
    mostly = dice.random() < 0.8  # mostly where tasks may run
    nodes = np.array([_place(problem, i, dice, mostly) for i in range(tables.tasks)], np.int32)
    most = tables.mode_count[nodes] if mostly else np.full(tables.tasks, tables.modes)
    modes = np.array([dice.randrange(int(count)) for count in most], int)
    offers = [tables.item_codecs.of(int(item)).tolist() for item in tables.edge_item]
    codecs = np.array([dice.choice([-1, *offer]) for offer in offers], int)
    share = dice.choice([0.0, 0.3])
    drawn = [[dice.random() < share for _ in range(tables.nodes)] for _ in problem.data]
    copies = np.array(drawn, bool).reshape(len(problem.data), tables.nodes)
    return Decisions(nodes, np.array(_sequence(problem, dice.choice), int), modes, codecs, copies)


def _place(problem: Problem, i: int, dice: random.Random, mostly: bool) -> int:
    fine = np.flatnonzero(problem.tables.allowed_table[i]).tolist()
    if mostly and fine and dice.random() < 0.97:
        return int(dice.choice(fine))
    return dice.randrange(problem.tables.nodes)


def _sequence(problem: Problem, choose: Callable[[list[int]], int]) -> list[int]:
    """A topological order, by a rule that picks one of the tasks that are ready."""
    tables = problem.tables
    waits = [set(tables.edge_src[tables.incoming.of(j)].tolist()) for j in range(tables.tasks)]
    order: list[int] = []
    while len(order) < tables.tasks:
        ready = [i for i in range(tables.tasks) if i not in order and waits[i] <= set(order)]
        order.append(choose(ready))
    return order
