"""Local search over sequences: single tasks by the longest path through them, clusters by trial.

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

from offload.arrays import FloatArray, IntArray
from offload.heuristics.clusters import Clusters
from offload.heuristics.decisions import Decisions
from offload.heuristics.insertion import places
from offload.heuristics.sequences import Sequences
from offload.tables import Tables

__all__ = ["SequenceSearch"]

_CELLS = 30_000  # task and place pairs that are looked at in one step
_TASKS = 12  # tasks that are looked at in one step, at most
_WITHIN = 2  # of these, how many on their own node too
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
# Rounds take these in turn: first temperature over latency, steps between clusters.
_SETTINGS = ((0.003, 20), (0.01, 20))


class Schedule(NamedTuple):
    """A schedule that holds but for its times: latency in seconds, nodes and order (int32[T])."""

    length: float
    nodes: IntArray
    order: IntArray


class SequenceSearch:
    """The search. Several schedules are improved in turn, and the better third of them kept.

    Parameters
    ----------
    tables, decisions
        What to start from.
    seed
        Of all its draws.

    Attributes
    ----------
    best : Schedule or None
        The best schedule whose residents fit, if there is one so far.
    work : int
        Schedules timed so far.
    """

    def __init__(self, tables: Tables, decisions: Decisions, seed: int = 0) -> None:
        self.tables = tables
        self.state = Sequences(tables, decisions)
        self.clusters = Clusters(self.state)
        self.rng = random.Random(seed)
        self._noise = np.random.default_rng(seed).gumbel(size=_NOISE)
        self._tabu = np.zeros((tables.tasks, tables.nodes), np.int32)
        self._least = max(2, min(_TASKS, _CELLS // (tables.tasks + tables.nodes)))
        held = tables.resident[np.isfinite(tables.resident) & (tables.resident > 0)]
        size = float(held.mean()) if len(held) else 1.0
        self._price = 0.03 * self.state.length / size  # seconds a byte of excess memory
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
        self.state.load(nodes, order)
        self.work += 1
        self._alive.append(Schedule(self.state.length, nodes.copy(), order.copy()))
        self._local = None
        self._keep()

    def add_best(self, nodes: IntArray, order: IntArray, count: int) -> None:
        """Time placements (int32[B, T]) under one order; the best few are to be improved."""
        latency, excess = self.clusters.lengths(nodes, order)
        self.work += len(nodes)
        latency[(excess > 0) | (latency >= self.state.never)] = inf
        _, first = np.unique(latency, return_index=True)
        for b in first[np.isfinite(latency[first])][:count].tolist():
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
        before = inf if self.best is None else self.best.length
        _, nodes, order = self._alive.pop(0)
        self.state.load(nodes, order)
        self._local = None
        self._keep()
        self._improve(stop, share)
        found = self._local or Schedule(inf, self.state.nodes.copy(), self.state.by_start())
        self._next.append(found)
        self._stale = 0 if self.best is not None and self.best.length < before else self._stale + 1

    def _renew(self) -> None:
        """Go on with the better third; where nothing gets better any more, with what is near it."""
        self._next.sort(key=lambda one: one.length)
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
        return Schedule(self.state.length, self.state.nodes.copy(), self.state.by_start())

    def _improve(self, stop: Callable[[], bool], share: Callable[[], float]) -> None:
        heat, between = _SETTINGS[self._rounds % len(_SETTINGS)]
        heat *= min(1.0, _WARM / self.tables.tasks)  # one of many tasks changes little
        if not self.clusters.free:
            return
        spent = share()
        most = max(_STEPS, _STEPS_A_TASK * self.tables.tasks)
        steps = min(_STEPS << min(self._rounds, 20), most)
        for begun in range(0, steps, between):
            done = begun / steps
            if spent < 1:
                done = max(done, (share() - spent) / (1 - spent))
            base = self.state.length if self._local is None else self._local.length
            temperature = min(base, self.state.length) * heat * _COOLING ** -min(done, 1.0)
            self._move_cluster(temperature)
            for _ in range(between):
                if stop():
                    return
                self._move_task(temperature)

    # -- moves -----------------------------------------------------------------------------------

    def _keep(self) -> None:
        """Take note of the present schedule if it is the best, and mend the price of memory."""
        state = self.state
        if not state.holds:
            self._price *= 1.02
            return
        self._price *= 0.98
        if self._local is None or state.length < self._local.length * (1 - 1e-12):
            order = np.array(state.order, np.int32)
            self._local = Schedule(state.length, state.nodes.copy(), order)
            if self.best is None or state.length < self.best.length * (1 - 1e-12):
                self.best = self._local

    def _move_cluster(self, temperature: float) -> None:
        state = self.state
        order = state.by_start()
        nodes = self.clusters.draw(self.rng, _CLUSTERS, state.critical())
        latency, excess = self.clusters.lengths(nodes, order)
        self.work += len(nodes)
        value = latency + self._price * excess
        value[(nodes == state.nodes).all(axis=1)] = inf
        b = int(value.argmin())
        now = state.length + self._price * state.excess
        if value[b] < now - temperature * log(1 - self.rng.random()) and value[b] != now:
            state.load(nodes[b], order)
            self._keep()

    def _move_task(self, temperature: float) -> None:
        self._step += 1
        tasks = self._sample()
        found = places(self.state, tasks, _WITHIN, self._memory(tasks))
        value = found.value
        blocked = (self._tabu.take(tasks, 0) > self._step).take(found.node, 1)
        if self._local is not None:
            blocked &= value >= self._local.length * (1 - 1e-9)
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
            self._keep()

    def _sample(self) -> list[int]:
        """Some critical tasks; while memory is exceeded, half the time tasks where it is."""
        state, rng = self.state, self.rng
        tasks = state.critical()
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
