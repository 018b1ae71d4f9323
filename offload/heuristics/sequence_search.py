"""Local search over sequences: single tasks by the longest path through them, clusters by trial.

Metrics that are sums over tasks and transfers count with latency where the goal says so.

A tabu search that does not take the best move each time, but one drawn by its worth at a
temperature (a heat bath), and that returns to the best schedule where it finds nothing for long.
Tasks on longest paths move (Mastrolilli, Gambardella 2000), and now and then clusters. Memory may
be exceeded on the way, at a price that rises while it is (strategic oscillation, Glover 1989).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from math import inf, log
from typing import NamedTuple

import numpy as np

from offload.arrays import BoolArray, FloatArray, IntArray
from offload.features import Goal
from offload.heuristics.clusters import Clusters
from offload.heuristics.decisions import Decisions
from offload.heuristics.insertion import Places, places
from offload.heuristics.sequences import Sequences
from offload.heuristics.worth import Worth
from offload.tables import Tables

__all__ = ["SequenceSearch"]

_CELLS = 30_000  # task and place pairs that are looked at in one step
_TASKS = 12  # tasks that are looked at in one step, at most
_WITHIN = 2  # of these, how many on their own node too
_ANY = 0.5  # of the steps look at any tasks where sums count, not only at critical ones
_OWN = 4.0  # temperatures by which a place on the same node has to be better
_TENURE = 10  # steps for which a task does not go back, at least; twice that at most
_CLUSTERS = 64  # clusters timed at once
_NOISE = 1 << 18
_STEPS = 300  # moves of single tasks in a round of the first generation
_STEPS_A_TASK = 30  # moves in a round, at most, for each task
_PATIENCE = 2  # rounds without a better schedule after which to look elsewhere
_LINES = 6  # schedules to begin with there
_KEPT = 3  # of so many schedules one is kept after each turn
_SHAKES = 6  # clusters moved to get there
_WARM = 200  # tasks above which temperatures fall in proportion
_COOLING = 10.0  # ratio of a round's first to its last temperature
_LATENCY = Goal({"latency": 1.0}, {})
# Rounds take these in turn: first temperature over latency, steps between clusters.
_SETTINGS = ((0.003, 20), (0.01, 20))


class Schedule(NamedTuple):
    """A schedule that holds but for its times: its objective, nodes and order (int32[T])."""

    value: float
    nodes: IntArray
    order: IntArray


class SequenceSearch:
    """The search. Several schedules are improved in turn, and the better third of them kept.

    Parameters
    ----------
    tables, decisions
        What to start from.
    goal
        What is minimized under which limits; :func:`.sequences.applies` must hold.
    seed
        Of all its draws.

    Attributes
    ----------
    worth
        What schedules are worth. Weights may be changed between rounds.
    best : Schedule or None
        The best schedule whose residents fit and that keeps the limits, if there is one so far.
    work : int
        Schedules timed so far.
    """

    def __init__(
        self, tables: Tables, decisions: Decisions, goal: Goal = _LATENCY, seed: int = 0
    ) -> None:
        self.tables = tables
        self.state = Sequences(tables, decisions)
        self.worth = Worth(tables, goal, decisions.copies)
        self.worth.load(self.state.nodes)
        self.clusters = Clusters(self.state)
        self.rng = random.Random(seed)
        self._noise = np.random.default_rng(seed).gumbel(size=_NOISE)
        self._tabu = np.zeros((tables.tasks, tables.nodes), np.int32)
        self._least = max(2, min(_TASKS, _CELLS // (tables.tasks + tables.nodes)))
        held = tables.resident[np.isfinite(tables.resident) & (tables.resident > 0)]
        size = float(held.mean()) if len(held) else 1.0
        self._price = 0.03 * self.worth.objective(self.state.length) / size  # a byte of excess
        self._row = np.arange(self._least)
        self.best: Schedule | None = None
        self._local: Schedule | None = None  # the best of the round
        self._alive: list[Schedule] = []
        self._next: list[Schedule] = []
        self._stale = 0
        self.work = self._step = self._rounds = 0
        self.add(decisions.nodes, decisions.order)

    def add(self, nodes: IntArray, order: IntArray) -> None:
        """Another schedule to improve."""
        self._load(nodes, order)
        self.work += 1
        value = self.worth.now(self.state.length)
        self._alive.append(Schedule(value, nodes.copy(), order.copy()))

    def add_best(self, nodes: IntArray, order: IntArray, count: int) -> None:
        """Time placements (int32[B, T]) under one order; the best few are to be improved."""
        value, fits = self._timed(nodes, order)
        value[~fits] = inf
        _, first = np.unique(value, return_index=True)
        for b in first[np.isfinite(value[first])][:count].tolist():
            self.add(nodes[b], order)

    def round(self, stop: Callable[[], bool], share: Callable[[], float]) -> None:
        """Improve the next schedule in turn.

        Parameters
        ----------
        stop
            Asked before each move: whether to stop at once.
        share
            Which share of all that may be spent is spent; the round cools down by the end of that
            too.
        """
        if not self._alive:
            self._renew()
        before = inf if self.best is None else self.best.value
        _, nodes, order = self._alive.pop(0)
        self._load(nodes, order)
        heat, between = _SETTINGS[self._rounds % len(_SETTINGS)]
        most = max(_STEPS, _STEPS_A_TASK * self.tables.tasks)
        steps = min(_STEPS << min(self._rounds, 20), most)
        self._improve(steps, heat, between, stop, share)
        found = self._local or Schedule(inf, self.state.nodes.copy(), self.state.by_start())
        self._next.append(found)
        self._stale = 0 if self.best is not None and self.best.value < before else self._stale + 1

    def _renew(self) -> None:
        """Go on with the better third; where nothing gets better any more, with what is near it."""
        self._next.sort(key=lambda one: one.value)
        self._alive, self._next = self._next[: -(-len(self._next) // _KEPT)], []
        self._rounds += 1
        if len(self._alive) == 1 and self.best is not None and self._stale >= _PATIENCE:
            self._alive = [self._shaken(self.best) for _ in range(_LINES)]
            self._stale = self._rounds = 0

    def _shaken(self, schedule: Schedule) -> Schedule:
        """The schedule after some moves of clusters, good or bad."""
        self.state.load(schedule.nodes, schedule.order)
        for _ in range(_SHAKES):
            order = self.state.by_start()
            nodes = self.clusters.draw(self.rng, 1, self.state.critical())
            self.state.load(nodes[0], order)
        self._load(self.state.nodes, self.state.by_start())
        value = self.worth.now(self.state.length)
        return Schedule(value, self.state.nodes.copy(), self.state.by_start())

    def _load(self, nodes: IntArray, order: IntArray) -> None:
        """Begin anew from a schedule."""
        self.state.load(nodes, order)
        self.worth.load(self.state.nodes)
        self._local = None
        self._keep()

    def _improve(
        self, steps: int, heat: float, between: int,
        stop: Callable[[], bool], share: Callable[[], float],
    ) -> None:  # fmt: skip
        """Move clusters, and so many tasks between two of them, while it cools down."""
        heat *= min(1.0, _WARM / self.tables.tasks)  # one of many tasks changes little
        if not self.clusters.free:
            return
        spent = share()
        for begun in range(0, steps, between):
            done = begun / steps
            if spent < 1:
                done = max(done, (share() - spent) / (1 - spent))
            now = self.worth.now(self.state.length)
            base = now if self._local is None else min(now, self._local.value)
            temperature = base * heat * _COOLING ** -min(done, 1.0)
            self._move_cluster(temperature)
            for _ in range(between):
                if stop():
                    return
                self._move_task(temperature)

    # -- moves -----------------------------------------------------------------------------------

    def _keep(self) -> None:
        """Take note of the present schedule if it is the best, and mend prices."""
        state, worth = self.state, self.worth
        self._price *= 0.98 if state.holds else 1.02
        worth.reprice(state.length)
        if not (state.holds and worth.holds(state.length)):
            return
        value = worth.objective(state.length)
        if self._local is None or value < self._local.value * (1 - 1e-12):
            order = np.array(state.order, np.int32)
            self._local = Schedule(value, state.nodes.copy(), order)
            if self.best is None or value < self.best.value * (1 - 1e-12):
                self.best = self._local

    def _timed(self, nodes: IntArray, order: IntArray) -> tuple[FloatArray, BoolArray]:
        """Worth of placements under one order, and whether residents fit; [B]."""
        latency, excess = self.clusters.lengths(nodes, order)
        self.work += len(nodes)
        sums = self.worth.of(nodes)
        fits = (excess <= 0) & (latency < self.state.never)
        self._seen(nodes, order, latency, sums, fits)
        value = self.worth.priced(latency, sums)
        value += self._price * excess
        return value, fits

    def _seen(
        self, nodes: IntArray, order: IntArray, length: FloatArray, sums: list[FloatArray],
        fits: BoolArray,
    ) -> None:  # fmt: skip
        """Called with placements under one order, and whether residents fit; nothing here."""

    def _move_cluster(self, temperature: float) -> None:
        state = self.state
        order = state.by_start()
        nodes = self.clusters.draw(self.rng, _CLUSTERS, state.critical())
        value, _ = self._timed(nodes, order)
        value[(nodes == state.nodes).all(axis=1)] = inf
        b = int(value.argmin())
        now = self.worth.now(state.length) + self._price * state.excess
        if value[b] < now - temperature * log(1 - self.rng.random()) and value[b] != now:
            state.load(nodes[b], order)
            self.worth.load(state.nodes)
            self._keep()

    def _move_task(self, temperature: float) -> None:
        self._step += 1
        tasks = self._sample()
        found = places(self.state, tasks, _WITHIN)
        value = self._worth_of(tasks, found)
        blocked = (self._tabu.take(tasks, 0) > self._step).take(found.node, 1)
        if self._local is not None:
            blocked &= value >= self._local.value * (1 - 1e-9)
        at = self.rng.randrange(_NOISE - value.size) if value.size < _NOISE else 0
        noise = temperature * self._noise[at : at + value.size]
        value.reshape(-1)[: len(noise)] -= noise
        value[found.own] += _OWN * temperature
        value[blocked] = inf
        cell = int(value.argmin())
        m, place = divmod(cell, value.shape[1])
        if value[m, place] == inf:
            return
        task, node = tasks[m], int(found.node[place])
        origin = self.state.node[task]
        self.work += 1
        moved = self.state.move(task, node, place - found.first[node])
        rest = self._step + _TENURE + self.rng.randrange(_TENURE + 1)
        self._tabu[task, origin if moved else node] = rest
        if moved:
            if node != origin:
                self.worth.move(task, node)
            self._keep()

    def _worth_of(self, tasks: list[int], found: Places) -> FloatArray:
        """Worth of the schedule with a task at each place, as far as can be told; [M, P].

        A task that is not critical leaves the longest path as long as it is.
        """
        state, worth, length = self.state, self.worth, found.value
        if worth.metrics:
            critical = set(state.critical())
            least = np.array([0.0 if i in critical else state.length for i in tasks])
            length = np.maximum(length, least[:, None])
        sums = [part.take(found.node, 1) for part in worth.moved(tasks)]
        barred = np.isinf(length)
        value = worth.priced(np.where(barred, 0.0, length), sums)
        memory = self._memory(tasks)
        if memory is not None:
            value += memory.take(found.node, 1)
        value[barred] = inf
        return value

    def _sample(self) -> list[int]:
        """Some critical tasks, or any where sums count too: half the time each.

        While memory is exceeded, half the time tasks where it is.
        """
        state, rng = self.state, self.rng
        any_task = bool(self.worth.metrics) and rng.random() < _ANY
        tasks = self.clusters.free if any_task else state.critical()
        if state.bounded:
            over = state.over(state.held)
            if over.any() and rng.random() < 0.5:
                tasks = state.lines[int(over.argmax())]
        return rng.sample(tasks, min(len(tasks), self._least))

    def _memory(self, tasks: list[int]) -> FloatArray | None:
        """The price of the memory that each move takes beyond what there is; [M, K]."""
        state = self.state
        if not state.bounded:
            return None
        size = state.resident(tasks)
        here, row = state.nodes.take(tasks), self._row[: len(tasks)]
        spare = state.room - state.held
        change: FloatArray = np.maximum(size - spare, 0.0)
        if (spare < 0).any():
            over = np.maximum(-spare, 0.0)
            change -= over
            freed = over[here] - np.maximum(-spare[here] - size[row, here], 0.0)
            change -= freed[:, None]
        change[row, here] = 0.0
        change *= self._price
        return change
