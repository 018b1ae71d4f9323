"""The numbers of a case and the rows of a PuLP problem, scaled to fit a solver's tolerance.

A solver keeps rows, integrality and reduced costs to an absolute tolerance. So amounts are divided
by powers of two, which round nothing, until the largest is about 1000; limits and capacities are a
little wider than they are, because the checker has the last word on a plan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np
import pulp

from formulations.coefficients import slot_load, times_table
from formulations.milp_engine import TOLERANCE
from offload.arrays import BoolArray, FloatArray
from offload.features import Goal
from offload.problem import Problem
from offload.tables import TOLERANCE as CHECKED

__all__ = ["FAVOUR", "SIZE", "Case", "Model", "Terms", "power_of_two", "weighted"]

Terms = dict[pulp.LpVariable, float]

FAVOUR = 2 * CHECKED  # limits, capacities and windows are relatively this much wider
SIZE = 1024.0  # largest amounts in rows and objective after scaling, about


def power_of_two(value: float) -> float:
    """The power of two at or below a positive number; 1 for 0 or less."""
    return 2.0 ** math.floor(math.log2(value)) if value > 0 else 1.0


class Case:
    """An instance and a goal as the numbers that both models need.

    Parameters
    ----------
    go_on
        Called again and again while a model is made; it may raise to end that.

    Attributes
    ----------
    usable : bool[T, K]
        Nodes on which a task may run, its memory alone included.
    length : float64[T, K]
        Execution in seconds, infinite where a task may not run.
    resident, memory : float64[T, K]
        Bytes held for good and while running.
    capacity : float64[K]
        Bytes of each node, in a plan's favour.
    """

    def __init__(
        self, problem: Problem, goal: Goal, go_on: Callable[[], None] = lambda: None
    ) -> None:
        self.problem, self.goal, self.go_on = problem, goal, go_on
        self.tables = tables = problem.tables
        task, node = np.arange(tables.tasks)[:, None], np.arange(tables.nodes)[None, :]
        length = times_table(tables)
        self.resident = tables.resident_of(task, node)
        # A task that takes no time holds no working memory (docs/format.md, section 3).
        self.memory = np.where(length > 0, tables.memory_of(task, node), 0.0)
        self.capacity = tables.memory_capacity * (1 + FAVOUR)
        self.usable: BoolArray = np.isfinite(length)
        self.usable &= self.resident + self.memory <= self.capacity
        self.length = np.where(self.usable, length, np.inf)

    @cached_property
    def delay(self) -> FloatArray:
        """Arrival minus start of each item in seconds, infinite without a route. [I, K, K]."""
        tables, node = self.tables, np.arange(self.tables.nodes)
        size, rule = tables.item_bytes[:, None, None], tables.item_rule[:, None, None]
        return tables.transfer(size, node[:, None], node[None, :], rule=rule).total

    @cached_property
    def load(self) -> FloatArray:
        """What a task adds to the load of a node, seconds; 0 where it may not run. [T, K]."""
        return np.where(self.usable, slot_load(self.tables), 0.0)

    @property
    def idle_power(self) -> float:
        """Watts that all nodes draw as long as the plan lasts."""
        return self.tables.idle_watts


class Model:
    """A PuLP problem under construction, its rows named after their rules.

    Parameters
    ----------
    go_on
        Called before each row; it may raise to end the construction.

    Attributes
    ----------
    problem
        The PuLP problem; it can be written as LP or MPS.
    unit
        The objective is in this many units of the goal's.
    """

    def __init__(self, name: str, go_on: Callable[[], None]) -> None:
        self.go_on = go_on
        self.problem = pulp.LpProblem(name, pulp.LpMinimize)  # type: ignore[no-untyped-call]
        self.unit = 1.0
        self._rows: dict[str, int] = {}
        self._shares: set[pulp.LpVariable] = set()

    def binary(self, name: str) -> pulp.LpVariable:
        """A variable that is 0 or 1."""
        made = self.problem.add_variable(name, 0, 1, pulp.LpInteger)
        self._shares.add(made)
        return made

    def product(self, name: str) -> pulp.LpVariable:
        """A continuous variable that the rows make a product of 0-1 variables."""
        made = self.number(name)
        self._shares.add(made)
        return made

    def number(self, name: str, low: float = 0.0, high: float = 1.0) -> pulp.LpVariable:
        """A continuous variable."""
        return self.problem.add_variable(name, float(low), float(high))

    def count(self, rule: str) -> int:
        """The number of the next row of a rule."""
        number = self._rows[rule] = self._rows.get(rule, -1) + 1
        return number

    def row(self, rule: str, terms: Terms, sense: str, right: float) -> None:
        """A constraint ``terms <= right`` (or ``=``, ``>=``) under the name of its rule."""
        self.go_on()
        kind = {"<=": pulp.LpConstraintLE, "=": pulp.LpConstraintEQ, ">=": pulp.LpConstraintGE}
        left = pulp.LpAffineExpression(terms)
        name = f"{rule}_{self.count(rule)}"
        made = pulp.LpConstraint(left, kind[sense], name, right)  # type: ignore[no-untyped-call]
        self.problem.addConstraint(made)

    def at_most(self, rule: str, terms: Terms, limit: float, slack: float = 0.0) -> None:
        """``terms <= limit`` for amounts >= 0, scaled, in a plan's favour and by ``slack`` more."""
        terms = {v: a for v, a in terms.items() if a > 0}
        if not terms or not math.isfinite(limit):
            return
        right = limit * (1 + FAVOUR) + slack
        if right <= 0:
            self.row(rule, dict.fromkeys(terms, 1.0), "<=", 0.0)
            return
        capped = self._capped(terms, 2 * right)
        reach = max(a * float(v.upBound or 0.0) for v, a in capped.items())
        unit = power_of_two(max(right, reach) / SIZE)
        self.row(rule, {v: a / unit for v, a in capped.items()}, "<=", right / unit)

    def minimize(self, terms: Terms, most: float = math.inf) -> None:
        """Set the objective; no plan above ``most`` is wanted."""
        terms = self._capped({v: a for v, a in terms.items() if a}, 2 * most)
        reach = max((a * float(v.upBound or 0.0) for v, a in terms.items()), default=0.0)
        self.unit = power_of_two(reach / SIZE)
        scaled = pulp.LpAffineExpression({v: a / self.unit for v, a in terms.items()})
        self.problem.setObjective(scaled)  # type: ignore[no-untyped-call]

    def _capped(self, terms: Terms, most: float) -> Terms:
        """Terms in which a 0-1 variable that breaks a bound alone breaks it by less."""
        return {v: min(a, most) if v in self._shares else a for v, a in terms.items()}

    @property
    def margin(self) -> float:
        """How far the solver's tolerance may lift its bound, in the goal's unit.

        A reduced cost within the tolerance of 0 counts as 0, so that each variable may hide the
        tolerance times its range.
        """
        ranges = sum(
            float(v.upBound or 0) - float(v.lowBound or 0) for v in self.problem.variables()
        )
        return float(TOLERANCE * ranges * self.unit)

    def forbid(self, chosen: list[pulp.LpVariable]) -> None:
        """No solution in which all of these 0-1 variables are 1."""
        self.row("forbidden", dict.fromkeys(chosen, 1.0), "<=", len(chosen) - 1)


def weighted(metrics: Mapping[str, Terms], weights: Mapping[str, float]) -> Terms:
    """The weighted sum of metrics as one expression."""
    total: Terms = {}
    for metric, weight in weights.items():
        if weight > 0:
            for variable, coefficient in metrics[metric].items():
                total[variable] = total.get(variable, 0.0) + weight * coefficient
    return total
