"""Parts of divisible tasks as a case: its numbers, its windows, and the plans of shares.

The tasks of the case are the parts and all other tasks (`parts`), in the terms of `milp_terms` and
`milp_windows`. Limits and capacities are as they are, not in a plan's favour: shares would use up
all favour, and the checker has none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from math import isfinite

import msgspec
import numpy as np

from formulations.coefficients import placement_cost, times_table
from formulations.milp_terms import FAVOUR, Case
from formulations.milp_windows import Windows
from formulations.parts import Parts
from offload import portfolio
from offload.arrays import BoolArray, FloatArray
from offload.bounds import heads, metric_bounds, tails
from offload.features import Goal
from offload.plan import Plan
from offload.problem import Problem
from offload.registry import Request
from offload.retiming import retime

__all__ = ["SplitCase", "SplitWindows", "undivided"]

LEAST = 1e-8  # shares below this are the solver's tolerance
SHARE, PATIENCE = 0.25, 5.0  # of the time, and seconds at most, for a plan that splits nothing
TOUCHING = 1e-6  # of a unit of time: what the tolerance may make intervals overlap by


class SplitCase(Case):
    """A case whose tasks are the parts of divisible ones and all others, in that instance.

    Parameters
    ----------
    problem
        The instance with divisible tasks.
    places : bool[T, K], optional
        Where divisible tasks may have parts; wherever they can run by default.

    Attributes
    ----------
    parts : Parts
        Each of share 1: its numbers are those of the whole task.
    """

    def __init__(
        self, problem: Problem, goal: Goal, go_on: Callable[[], None] = lambda: None,
        places: BoolArray | None = None,
    ) -> None:  # fmt: skip
        self.whole, self.places = problem, places
        allowed = problem.tables.allowed_table if places is None else places
        self.parts = Parts(problem, allowed.astype(float))
        super().__init__(self.parts.problem, goal, go_on)
        self.capacity = self.tables.memory_capacity
        self.split = self.parts.split
        length = times_table(self.tables)
        # All of it need not fit where a part of it does.
        self.usable[self.split] = np.isfinite(length[self.split])
        self.length = np.where(self.usable, length, np.inf)

    @cached_property
    def families(self) -> list[list[int]]:
        """The parts of each task, or it alone."""
        return [self.parts.of_task.of(i).tolist() for i in range(self.whole.tables.tasks)]

    @cached_property
    def split_edge(self) -> BoolArray:
        """Whether an edge has a part at one end; bool[E]."""
        return np.asarray(self.split[self.tables.edge_src] | self.split[self.tables.edge_dst])

    def possible(self, usable: BoolArray) -> bool:
        """Whether each task has a node, or a part one; bool[U, K]."""
        there = np.bincount(self.parts.task, usable.any(axis=1), self.whole.tables.tasks)
        return bool((there > 0).all())

    def confined(self, usable: BoolArray) -> SplitCase:
        """The same without the parts that can run nowhere; bool[U, K]."""
        places = np.zeros(self.whole.tables.allowed_table.shape, bool)
        unit, node = np.nonzero(usable)
        places[self.parts.task[unit], node] = True
        return SplitCase(self.whole, self.goal, self.go_on, places)

    def joined(self, shares: FloatArray, start: FloatArray, length: FloatArray) -> Plan:
        """The plan of the whole instance from what is decided of its parts and other tasks.

        Parameters
        ----------
        shares : float64[U, K]
            Of parts; of another task 1 on its node.
        start, length : float64[U]
            When each starts and how long it runs, in units of time: the order counts, the times
            are made anew.
        """
        kept = np.where(self.split[:, None] & (shares < LEAST), 0.0, shares)
        table = np.zeros(self.whole.tables.allowed_table.shape)
        np.add.at(table, self.parts.task, kept)
        table /= table.sum(axis=1, keepdims=True)
        parts = Parts(self.whole, table)
        there = np.flatnonzero(kept.any(axis=1))
        nodes = kept[there].argmax(axis=1)
        begin, end = start[there], (start + length)[there]
        return parts.join(retime(parts.problem, nodes, begin, end, slack=TOUCHING))


class SplitWindows(Windows):
    """Windows of parts: only the ends of a divisible task are waited for, not how long it takes."""

    case: SplitCase

    def __init__(self, case: SplitCase, most: float) -> None:
        super().__init__(case, most)
        self.least = np.where(case.split[:, None] & self.usable, 0.0, self.length)

    @property
    def empty(self) -> bool:
        """Whether some task has no node left, or no part."""
        return not self.case.possible(self.usable)

    def slack(self, metric: str) -> float:
        """Limits are taken as they are."""
        return 0.0

    def _seconds(self, most: float) -> None:
        case = self.case
        known = metric_bounds(case.whole)
        self.horizon = self._longest_path()
        if not isfinite(known["latency"]):
            self.usable[:] = False
        while not self.empty:
            case.go_on()
            before = self.usable.copy()
            length = np.where(
                case.split[:, None] & before, 0.0, np.where(before, case.length, np.inf)
            )
            self.head = self._of_units(heads(case.whole.tables, self._of_tasks(length)), before)
            self.tail = self._of_units(tails(case.whole.tables, self._of_tasks(length)), before)
            finish = np.where(before, self.head + length, np.inf).min(axis=1)
            latest = case.tables.deadline.copy()
            self._tighten(case.goal.minimize, most, finish, latest, known)
            for metric, limit in case.goal.limits.items():
                self._tighten({metric: 1.0}, limit, finish, latest, known)
            end = self.horizon * (1 + FAVOUR)
            self.late = np.minimum(latest[:, None], end - self.tail)
            self.usable &= self.head + length <= self.late
            if (self.usable == before).all():
                break

    def _longest_path(self) -> float:
        """As without parts; those of one task take together at most as long as it."""
        case = self.case
        longest = np.where(case.usable, case.length, 0.0).max(axis=1, initial=0.0)
        spared = sum(
            longest[units].sum() - longest[units].max() for units in case.families if units
        )
        return super()._longest_path() - float(spared)

    def _spent(self) -> float:
        """Joules that every plan spends on executions: all of a divisible task at its best."""
        cost = placement_cost(self.case.tables, "energy")
        least = np.where(self.usable, cost, np.inf).min(axis=1, initial=np.inf)
        return float(sum(least[units].min() for units in self.case.families))

    def _of_tasks(self, length: FloatArray) -> FloatArray:
        """From units to tasks; infinite where none of a task's may run. [T, K]."""
        table = np.full(self.case.whole.tables.allowed_table.shape, np.inf)
        np.minimum.at(table, self.case.parts.task, length)
        return table

    def _of_units(self, bound: FloatArray, usable: BoolArray) -> FloatArray:
        """From tasks to units: a part, which may be absent, has what holds on all its nodes."""
        case = self.case
        units = bound[case.parts.task].copy()
        for family in case.families:
            if case.split[family].any():
                units[family] = np.where(usable[family], units[family], np.inf).min()
        return units


def undivided(request: Request) -> Plan | None:
    """A plan in which no task is split, by the fast heuristics; ``None`` if none is found.

    They may have a part of the time: where no such plan exists, they would look for it in vain.
    """
    problem = request.problem
    deadline = time.monotonic() + min(SHARE * request.seconds_left, PATIENCE)
    tasks = [msgspec.structs.replace(task, divisible=False) for task in problem.graph.tasks]
    graph = msgspec.structs.replace(problem.graph, tasks=tasks)
    whole = replace(
        request, problem=problem.replace(graph=graph), options={}, deadline=deadline,
        report=lambda plan, bound: None,
    )  # fmt: skip
    plan = portfolio.quick(whole)
    if plan is None:
        return None
    return Plan(problem, plan.parts, plan.transfers, plan.waiting, plan.copies)
