"""Objective and limits of the constraint model: each metric as a linear expression.

    latency     C                               completion  sum_i w_i (start_i + sum_k p_ik x_ik)
    tardiness   sum_i w_i late_i, late_i >= start_i + sum_k p_ik x_ik - due_i
    energy      sum energy_ik x_ik + sum energy_ekl y_ekl + idle C
    cost, risk, traffic   likewise, with the coefficients of `coefficients`
    period      P >= sum_i p_ik s_i x_ik / S_k for each k

Transfers: y_ekl = 1 iff item e moves from k to l.
    one reader j       sum_l y_ekl = x_ik,  sum_k y_ekl = x_jl        (RLT; Adams, Sherali 1986)
    several readers    sum_k y_ekl >= x_jl for each reader j,  y_ekl <= x_ik
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, isfinite
from typing import TYPE_CHECKING

import numpy as np
from ortools.sat.python import cp_model

from formulations.coefficients import permitted_pairs, placement_cost, slot_load, transfer_cost
from offload.tables import TOLERANCE

if TYPE_CHECKING:
    from formulations.cpsat_model import Model

__all__ = ["FINE", "Goals", "Terms", "weighted", "whole"]

FINE = 2**40  # steps of a limit or capacity: finer than the checker's tolerance
_WIDEST = 1e18  # largest value of the integer objective
_ROUND = 720_720  # weights with small denominators stay exact on a grid divided by this


def whole(value: float, relax: bool) -> int:
    """A coefficient as an integer: itself if it is one, else rounded down if relaxing."""
    near = round(value)
    if abs(value - near) <= 1e-12 * max(1.0, abs(value)):
        return near
    return floor(value) if relax else -floor(-value)


def weighted(
    variables: Sequence[cp_model.IntVar], coefficients: Sequence[int]
) -> cp_model.LinearExpr:
    """sum_n coefficients_n * variables_n."""
    return cp_model.LinearExpr.weighted_sum(variables, coefficients)


class Terms:
    """A linear expression with real coefficients over integer variables."""

    def __init__(self, constant: float = 0.0) -> None:
        self.constant = constant
        self.terms: dict[int, tuple[cp_model.IntVar, float]] = {}
        self.slope = 0.0  # most by which it grows when all times grow by a second

    def add(self, variable: cp_model.IntVar, coefficient: float) -> None:
        """Add coefficient * variable."""
        if coefficient:
            key = variable.index
            known = self.terms.get(key, (variable, 0.0))[1]
            self.terms[key] = (variable, known + coefficient)

    def merge(self, other: Terms, weight: float) -> None:
        """Add weight * other."""
        self.constant += weight * other.constant
        self.slope += weight * other.slope
        for variable, coefficient in other.terms.values():
            self.add(variable, weight * coefficient)

    def on_grid(self, unit: float, relax: bool, most: int = 2**62) -> cp_model.LinearExpr:
        """The expression without its constant in whole units, rounded down if relaxing.

        Coefficients are cut at ``most``: enough to tell that a bound below it is broken.
        """
        variables = [variable for variable, _ in self.terms.values()]
        steps = [min(whole(c / unit, relax), max(most, 1)) for _, c in self.terms.values()]
        return weighted(variables, steps)

    def largest(self) -> float:
        """The largest coefficient."""
        return max((abs(c) for _, c in self.terms.values()), default=0.0)


class Goals:
    """Metrics, limits and objective over the variables of a model.

    Attributes
    ----------
    objective
        What is minimized, in real numbers.
    unit
        Its value per step of the integer objective that the solver sees.
    """

    def __init__(self, model: Model) -> None:
        self.model, self.tables, self.cp, self.grid = model, model.tables, model.cp, model.grid
        self.moves: dict[int, dict[tuple[int, int], cp_model.IntVar]] = {}
        self.late: dict[int, cp_model.IntVar] = {}
        self.objective = Terms()
        goal = model.goal
        metrics = {metric: self.metric(metric) for metric in sorted(goal.metrics)}
        for metric, limit in goal.limits.items():
            self._limit(metrics[metric], limit)
        for metric, weight in goal.minimize.items():
            if weight > 0:
                self.objective.merge(metrics[metric], weight)
        self.unit = self._objective_unit()
        steps = self.objective.on_grid(self.unit, self.grid.relax)
        self.cp.minimize(steps)
        if isfinite(model.ceiling) and self.grid.relax:
            most = (model.ceiling * (1 + TOLERANCE) - self.objective.constant) / self.unit
            self.cp.add(steps <= floor(most) + 1)

    def metric(self, metric: str) -> Terms:
        """A metric as real-valued terms over the model's variables."""
        tables, tick = self.tables, self.grid.tick
        terms = Terms()
        if metric == "latency":
            terms.add(self.model.makespan, tick)
            terms.slope = 1.0
        elif metric in ("completion", "tardiness"):
            self._finish_terms(metric, terms)
        elif metric == "period":
            self._period(terms)
        else:
            if metric == "energy" and (idle := float(tables.idle_power.sum())):
                terms.merge(self.metric("latency"), idle)
            spent = placement_cost(tables, metric)
            for (i, k), x in self.model.x.items():
                terms.add(x, float(spent[i, k]))
            self._transfers(metric, terms)
        return terms

    def _finish_terms(self, metric: str, terms: Terms) -> None:
        tables, tick = self.tables, self.grid.tick
        for i in np.flatnonzero(tables.weight > 0).tolist():
            weight = float(tables.weight[i])
            if metric == "completion":
                terms.add(self.model.start[i], weight * tick)
                for k in self.model.nodes_of[i]:
                    terms.add(self.model.x[i, k], weight * tick * int(self.model.times[i, k]))
            elif isfinite(tables.due[i]):
                terms.add(self._lateness(i), weight * tick)
            else:
                continue
            terms.slope += weight

    def _lateness(self, i: int) -> cp_model.IntVar:
        if i not in self.late:
            due = self.grid.due(float(self.tables.due[i]))
            self.late[i] = self.cp.new_int_var(0, self.model.horizon, f"late{i}")
            self.cp.add(self.late[i] >= self.model.start[i] + self.model.length[i] - due)
        return self.late[i]

    def _period(self, terms: Terms) -> None:
        """Largest load of a node: (sum of p s) / slots."""
        tables = self.tables
        loads = np.where(self.model.allowed, slot_load(tables), 0.0)
        scale = self.model.bounds["period"] or float(loads.max(initial=0.0)) or 1.0
        unit = scale * min(self.model.gap, 1e-4) / (10 * tables.tasks)
        ceiling = int(loads.sum(axis=0).max(initial=0.0) / unit) + tables.tasks + 1
        period = self.cp.new_int_var(0, ceiling, "period")
        for k in range(tables.nodes):
            here = [i for i in range(tables.tasks) if (i, k) in self.model.x]
            steps = [whole(float(loads[i, k]) / unit, self.grid.relax) for i in here]
            busy = weighted([self.model.x[i, k] for i in here], steps)
            self.cp.add(busy <= period)
        terms.add(period, unit)

    def _transfers(self, metric: str, terms: Terms) -> None:
        tables = self.tables
        for item in range(tables.items):
            cost = transfer_cost(tables, metric, item)
            if not cost.any():
                continue
            for (k, l), y in self._moves(item).items():
                if k != l:
                    terms.add(y, float(cost[k, l]))

    def _moves(self, item: int) -> dict[tuple[int, int], cp_model.IntVar]:
        """y_kl of one item, made on first use, with the constraints that tie it to the places."""
        if item in self.moves:
            return self.moves[item]
        tables = self.tables
        i = int(tables.item_src[item])
        readers = tables.edge_dst[tables.item_edges.of(item)].tolist()
        permitted = permitted_pairs(tables, item)
        to = sorted({l for j in readers for l in self.model.nodes_of[j]})
        made = {
            (k, l): self.cp.new_bool_var(f"y{item},{k},{l}")
            for k in self.model.nodes_of[i] for l in to if permitted[k, l]
        }  # fmt: skip
        for k in self.model.nodes_of[i]:
            row = [y for (a, _), y in made.items() if a == k]
            if len(readers) == 1:
                self.cp.add(sum(row) == self.model.x[i, k])
            else:
                for y in row:
                    self.cp.add_implication(y, self.model.x[i, k])
        for l in to:
            column = sum(y for (_, b), y in made.items() if b == l)
            for j in readers:
                if (j, l) in self.model.x:
                    exact = len(readers) == 1
                    self.cp.add(
                        column == self.model.x[j, l] if exact else column >= self.model.x[j, l]
                    )
        self.moves[item] = made
        return made

    def _limit(self, terms: Terms, limit: float) -> None:
        coefficients = [c for _, c in terms.terms.values() if c > 0]
        room = limit - terms.constant
        # With no room at all every term counts, however small.
        unit = room / FINE if room > 0 else min(coefficients, default=1.0)
        most = floor(room / unit * (1 + TOLERANCE / 2))
        self.cp.add(terms.on_grid(unit, self.grid.relax, most + 1) <= most)

    def _objective_unit(self) -> float:
        """A unit in which the objective has many digits but stays exact in the solver."""
        largest = self.objective.largest()
        if not largest:
            return 1.0
        if len(self.objective.terms) == 1:
            return largest
        # Rounding a coefficient costs at most a unit per step of its variable: all of it together
        # stays below a part of the gap, unless the sum would leave the solver's 64 bits.
        spans = [(abs(c), self._reach(v)) for v, c in self.objective.terms.values()]
        reach = sum(c * most for c, most in spans)
        if not reach:
            return 1.0
        known = self.model.ceiling if isfinite(self.model.ceiling) else self._least()
        lost = self.model.gap * known / (20 * max(1, sum(most for _, most in spans)))
        unit = max(lost, reach / _WIDEST) or reach / _WIDEST
        # A whole number of units per step of the dominant term leaves that term exact.
        steps = max(1, floor(largest / unit))
        return largest / (steps // _ROUND * _ROUND if steps > _ROUND else steps)

    def _least(self) -> float:
        weights = self.model.goal.minimize.items()
        return sum(weight * self.model.bounds[m] for m, weight in weights if weight > 0)

    @staticmethod
    def _reach(variable: cp_model.IntVar) -> int:
        return int(max(variable.proto.domain))
