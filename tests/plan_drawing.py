"""Plans that hold by construction, made in a simple and slow way.

A placement is searched by trying nodes one after another. Then everything happens strictly one
after another, so that nothing ever contends; a variant moves each step in turn to the left, as far
as a plain look at all the others permits, so that intervals overlap and touch.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from offload.plan import Plan
from offload.problem import Problem
from offload.tables import Lists
from offload.transfers import EDGE, MOVE, READ, Copies, Parts, Transfers

__all__ = ["convex", "draw_plan"]

Piece = tuple[int, int, float]  # node, mode, fraction


def convex(place: dict[int, int], pairs: Iterable[tuple[int, int]]) -> bool:
    """Whether no path among placed tasks leaves a node and comes back to it."""
    follow: dict[int, list[int]] = {i: [] for i in place}
    for i, j in pairs:
        if i in place and j in place:
            follow[i].append(j)

    def returns(i: int, home: int, left: bool) -> bool:
        return any(
            (left and place[j] == home) or returns(j, home, left or place[j] != home)
            for j in follow[i]
        )

    return not any(returns(i, k, False) for i, k in place.items())


@dataclass
class _Move:
    """A transfer, and the steps that wait for it."""

    kind: int
    ref: int
    src: int
    dst: int
    codec: int
    size: float
    source: _Run | None
    readers: list[int] = field(default_factory=list)
    start: float = 0.0
    length: float = 0.0
    encode: float = 0.0
    serialise: float = 0.0

    @property
    def finish(self) -> float:
        return self.start + self.length

    @property
    def hold(self) -> tuple[float, float]:
        """When its links are held."""
        return self.start + self.encode, self.start + self.encode + self.serialise


@dataclass
class _Run:
    """A task, or a part of one, on a node."""

    task: int
    node: int
    mode: int
    fraction: float
    length: float
    waits: list[_Move] = field(default_factory=list)
    after: list[_Run] = field(default_factory=list)  # on the same node
    start: float = 0.0

    @property
    def finish(self) -> float:
        return self.start + self.length


def draw_plan(problem: Problem, seed: int, *, tries: int = 20) -> Plan | None:
    """A random plan that holds, or ``None`` where no try found one.

    Deadlines and limits are the only rules that a try may miss once tasks have their places.
    """
    dice = random.Random(seed)
    for _ in range(tries):
        copies = _draw_copies(problem, dice)
        place = _Places(problem, dice, copies).search()
        if place is None:
            continue
        steps = _steps(problem, dice, copies, place)
        pauses = _pauses(dice, dice.choice([0.0, 0.0, 0.3]))
        _one_after_another(problem, steps, pauses)
        if dice.random() < 0.7:
            _to_the_left(problem, steps, pauses)
        plan = _assemble(problem, dice, steps, copies)
        late = plan.parts.finish > problem.tables.deadline[plan.parts.task]
        over = any(plan.metrics[name] > bound for name, bound in problem.limits.items())
        if not late.any() and not over:
            return plan
    return None


# -- where things are ----------------------------------------------------------------------------


def _draw_copies(problem: Problem, dice: random.Random) -> list[tuple[int, int]]:
    """Copies (data, node) within every rule on them."""
    tables, made = problem.tables, []
    free = [np.inf if node.storage is None else node.storage for node in problem.network.nodes]
    for d, data in enumerate(problem.data):
        permits = tables.permits(int(tables.data_rule[d]))
        left = len(free) if data.max_copies is None else data.max_copies
        for k in dice.sample(range(len(free)), len(free)):
            reached = any(permits[h, k] for h in np.flatnonzero(tables.home[d]))
            fits = tables.copy_allowed[d, k] and not tables.home[d, k] and data.bytes <= free[k]
            if left and reached and fits and dice.random() < 0.5:
                made.append((d, k))
                left, free[k] = left - 1, free[k] - data.bytes
    return made


def _holders(problem: Problem, copies: list[tuple[int, int]], data: int) -> list[int]:
    home = np.flatnonzero(problem.tables.home[data]).tolist()
    return sorted({*home, *(k for d, k in copies if d == data)})


class _Places:
    """Backtracking over the places of tasks in random order, by every rule but those on time."""

    def __init__(
        self, problem: Problem, dice: random.Random, copies: list[tuple[int, int]]
    ) -> None:
        self.problem, self.tables, self.dice = problem, problem.tables, dice
        tables = self.tables
        self.pairs = list(zip(tables.edge_src.tolist(), tables.edge_dst.tolist(), strict=True))
        self.holders = [_holders(problem, copies, d) for d in range(len(problem.data))]
        position = {name: i for i, name in enumerate(tables.task_ids)}
        self.groups = [
            (group.rule, [position[name] for name in group.tasks]) for group in problem.graph.groups
        ]
        self.place: dict[int, list[Piece]] = {}
        self.steps = 3000

    def search(self) -> dict[int, list[Piece]] | None:
        order = self.dice.sample(range(self.tables.tasks), self.tables.tasks)
        return self.place if self.extend(order) else None

    def extend(self, left: list[int]) -> bool:
        if not left:
            return True
        i = left[0]
        for pieces in self.options(i):
            self.steps -= 1
            if self.steps < 0:
                break
            self.place[i] = pieces
            if self.fits(i) and self.extend(left[1:]):
                return True
            del self.place[i]
        return False

    def options(self, i: int) -> list[list[Piece]]:
        """Nodes and modes for a task, and some ways of splitting it, in random order."""
        tables, dice = self.tables, self.dice
        fine = [k for k in range(tables.nodes) if np.isfinite(tables.execution(i, k))]
        if not tables.divisible[i]:
            whole = [[(k, m, 1.0)] for k in fine for m in range(int(tables.mode_count[k]))]
            return dice.sample(whole, len(whole))
        splits: list[list[Piece]] = [[(k, 0, 1.0)] for k in fine]
        for _ in range(3 if len(fine) > 1 else 0):
            chosen = dice.sample(fine, dice.randint(2, len(fine)))
            weight = [dice.choice([1.0, 1.0, dice.uniform(0.2, 3)]) for _ in chosen]
            total = sum(weight)
            splits.append([(k, 0, w / total) for k, w in zip(chosen, weight, strict=True)])
        dice.shuffle(splits)
        return sorted(splits, key=lambda pieces: len(pieces) == 1 and dice.random() < 0.6)

    def fits(self, i: int) -> bool:
        """Whether a newly placed task breaks no rule with those placed before."""
        tables, at = self.tables, int(self.tables.at[i])
        for e, (src, dst) in enumerate(self.pairs):
            if i in (src, dst) and src in self.place and dst in self.place:
                permits = tables.permits(int(tables.item_rule[tables.edge_item[e]]))
                if not all(
                    permits[k, to] for k, *_ in self.place[src] for to, *_ in self.place[dst]
                ):
                    return False
        for k, *_ in self.place[i]:
            for d in tables.reads.of(i):
                permits = tables.permits(int(tables.data_rule[d]))
                if not any(h == k or permits[h, k] for h in self.holders[d]):
                    return False
            if at >= 0 and not tables.routes.reachable[at, k]:
                return False
        return self.groups_hold() and self.memory_holds()

    def groups_hold(self) -> bool:
        for rule, tasks in self.groups:
            place = {i: self.place[i][0][0] for i in tasks if i in self.place}
            distinct = len(set(place.values()))
            if rule == "together" and distinct > 1:
                return False
            if rule == "apart" and distinct < len(place):
                return False
            if rule == "contiguous" and not convex(place, self.pairs):
                return False
        return True

    def memory_holds(self) -> bool:
        """Room for everything resident and the largest running task, one at a time."""
        tables = self.tables
        resident, running = [0.0] * tables.nodes, [0.0] * tables.nodes
        for i, pieces in self.place.items():
            for k, _, f in pieces:
                resident[k] += f * float(tables.resident_of(i, k))
                running[k] = max(running[k], f * float(tables.memory_of(i, k)))
        used = np.array(resident) + np.array(running)
        return bool((used <= tables.memory_capacity).all())


# -- what happens --------------------------------------------------------------------------------


def _steps(
    problem: Problem,
    dice: random.Random,
    copies: list[tuple[int, int]],
    place: dict[int, list[Piece]],
) -> list[_Move | _Run]:
    """Everything that happens, each step after those that it waits for."""
    tables = problem.tables
    runs: dict[int, list[_Run]] = {}
    moves: dict[tuple[int, int, int, int], _Move] = {}
    steps: list[_Move | _Run] = []

    def moving(kind: int, ref: int, src: int, to: _Run, size: float, source: _Run | None) -> None:
        key = (kind, ref, src, to.node)
        if key not in moves:
            codecs = [-1, *tables.item_codecs.of(ref).tolist()] if kind == EDGE else [-1]
            made = _Move(kind, ref, src, to.node, dice.choice(codecs), size, source)
            parts = tables.transfer(size, src, to.node, made.codec)
            made.length, made.encode = float(parts.total), float(parts.encode)
            made.serialise = float(parts.serialise)
            moves[key] = made
            steps.append(made)
        moves[key].readers.append(to.task)
        to.waits.append(moves[key])

    for j in _topological(problem, dice):
        runs[j] = []
        for k, m, f in place[j]:
            run = _Run(j, k, m, f, f * float(tables.execution(j, k, m)))
            for e in tables.incoming.of(j).tolist():
                item = int(tables.edge_item[e])
                for source in runs[int(tables.edge_src[e])]:
                    if source.node == k:
                        run.after.append(source)
                    else:
                        size = float(tables.item_bytes[item]) * f * source.fraction
                        moving(EDGE, item, source.node, run, size, source)
            for d in tables.reads.of(j).tolist():
                holders = _holders(problem, copies, d)
                if k not in holders:
                    nearest = _nearest(problem, d, holders, k)
                    moving(READ, d, nearest, run, float(tables.data_bytes[d]), None)
            if tables.at[j] >= 0 and tables.at[j] != k:
                moving(MOVE, j, int(tables.at[j]), run, float(tables.move_bytes[j]), None)
            steps.append(run)
            runs[j].append(run)
    for move in moves.values():
        move.readers = list(dict.fromkeys(move.readers))
    return steps


def _nearest(problem: Problem, data: int, holders: list[int], to: int) -> int:
    tables = problem.tables
    rule = int(tables.data_rule[data])
    delay = {
        h: float(tables.transfer(tables.data_bytes[data], h, to, -1, rule).total) for h in holders
    }
    least = min(delay.values())
    return min(h for h in holders if delay[h] <= least * (1 + 1e-12))


def _topological(problem: Problem, dice: random.Random) -> list[int]:
    waits = {i: set() for i in range(problem.tables.tasks)}  # type: dict[int, set[int]]
    for i, j in zip(
        problem.tables.edge_src.tolist(), problem.tables.edge_dst.tolist(), strict=True
    ):
        waits[j].add(i)
    order: list[int] = []
    while waits:
        i = dice.choice([i for i, before in waits.items() if not before])
        del waits[i]
        order.append(i)
        for before in waits.values():
            before.discard(i)
    return order


def _pauses(dice: random.Random, share: float) -> Iterator[float]:
    """Seconds that steps wait for nothing, most of them 0."""
    while True:
        yield dice.random() if dice.random() < share else 0.0


# -- when it happens -----------------------------------------------------------------------------


def _one_after_another(
    problem: Problem, steps: list[_Move | _Run], pauses: Iterator[float]
) -> None:
    clock = 0.0
    for step in steps:
        step.start = clock + next(pauses)
        if isinstance(step, _Run):
            step.start = max(step.start, float(problem.tables.release[step.task]))
        clock = step.finish


def _to_the_left(problem: Problem, steps: list[_Move | _Run], pauses: Iterator[float]) -> None:
    """Start each step as early as all steps before it permit."""
    resident = [0.0] * problem.tables.nodes
    for run in steps:
        if isinstance(run, _Run):
            size = float(problem.tables.resident_of(run.task, run.node))
            resident[run.node] += run.fraction * size
    runs: list[_Run] = []
    moves: list[_Move] = []
    for step in steps:
        ends = [run.finish for run in runs]
        if isinstance(step, _Run):
            waits = [move.finish for move in step.waits] + [run.finish for run in step.after]
            ready = max([float(problem.tables.release[step.task]), *waits]) + next(pauses)
        else:
            ready = (0.0 if step.source is None else step.source.finish) + next(pauses)
            ends = [move.hold[1] - step.encode for move in moves]
        for start in sorted({ready, *(end for end in ends if end > ready)}):
            step.start = start
            if isinstance(step, _Run) and _runs_fit(problem, step, runs, resident[step.node]):
                runs.append(step)
                break
            if isinstance(step, _Move) and _moves_fit(problem, step, moves):
                moves.append(step)
                break


def _runs_fit(problem: Problem, run: _Run, others: list[_Run], resident: float) -> bool:
    """Whether the slots and the memory of a node suffice whenever something begins there."""
    tables = problem.tables
    beside = [run, *(other for other in others if other.node == run.node)]
    for moment in [other.start for other in beside]:
        now = [other for other in beside if _covers((other.start, other.finish), moment)]
        slots = sum(int(tables.task_slots[other.task]) for other in now)
        sizes = [other.fraction * float(tables.memory_of(other.task, run.node)) for other in now]
        room = tables.memory_capacity[run.node] * (1 + 1e-12)
        if slots > tables.node_slots[run.node] or resident + sum(sizes) > room:
            return False
    return True


def _moves_fit(problem: Problem, move: _Move, others: list[_Move]) -> bool:
    """Whether every link of the route has a channel whenever some transfer takes hold of it."""
    for channel, most in _channels(problem, move.src, move.dst).items():
        beside = [
            other
            for other in [move, *others]
            if channel in _channels(problem, other.src, other.dst)
        ]
        for moment in [other.hold[0] for other in beside]:
            if sum(_covers(other.hold, moment) for other in beside) > most:
                return False
    return True


def _covers(span: tuple[float, float], moment: float) -> bool:
    """Whether an interval holds something at a moment, rounding of its ends aside."""
    margin = 1e-12 * max(1.0, moment)
    return span[0] <= moment + margin and moment + margin < span[1] - margin


def _channels(problem: Problem, src: int, dst: int) -> dict[tuple[int, bool], int]:
    """The contended channels on a route: (link, whether against its direction) and their number."""
    nodes = [problem.tables.node_ids[k] for k in problem.tables.routes.path(src, dst)]
    found: dict[tuple[int, bool], int] = {}
    for a, b in pairwise(nodes):
        for number, link in enumerate(problem.network.links):
            ahead, back = (link.src, link.dst) == (a, b), (link.dst, link.src) == (a, b)
            if link.channels and (ahead or (back and link.duplex != "simplex")):
                found[number, back and link.duplex == "full"] = link.channels
    return found


# -- the plan ------------------------------------------------------------------------------------


def _assemble(
    problem: Problem,
    dice: random.Random,
    steps: list[_Move | _Run],
    copies: list[tuple[int, int]],
) -> Plan:
    """The plan, its rows in random order."""
    runs = [step for step in steps if isinstance(step, _Run)]
    moves = [step for step in steps if isinstance(step, _Move)]
    for rows in (runs, moves, copies):
        dice.shuffle(rows)
    parts = Parts(
        _ints([0 for _ in runs]), _ints([run.task for run in runs]),
        _ints([run.node for run in runs]), _ints([run.mode for run in runs]),
        _floats([run.fraction for run in runs]), _floats([run.start for run in runs]),
        _floats([run.finish for run in runs]),
    )  # fmt: skip
    transfers = Transfers(
        _ints([0 for _ in moves]), np.array([move.kind for move in moves], np.int8),
        _ints([move.ref for move in moves]), _ints([move.src for move in moves]),
        _ints([move.dst for move in moves]), _ints([move.codec for move in moves]),
        _floats([move.size for move in moves]), _floats([move.start for move in moves]),
        _floats([move.finish for move in moves]),
    )  # fmt: skip
    waiting = Lists.of_lists([dice.sample(move.readers, len(move.readers)) for move in moves])
    data, node = _ints([d for d, _ in copies]), _ints([k for _, k in copies])
    return Plan(problem, parts, transfers, waiting, Copies(_ints([0 for _ in copies]), data, node))


def _ints(values: Iterable[int]) -> NDArray[np.int32]:
    return np.array(list(values), np.int32)


def _floats(values: Iterable[float]) -> NDArray[np.float64]:
    return np.array(list(values), float)
