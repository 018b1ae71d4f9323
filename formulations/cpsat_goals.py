"""Objective and limits of the constraint model: each metric as a linear expression.

    latency     C                               completion  sum_i w_i (start_i + p_i)
    tardiness   sum_i w_i late_i, late_i >= start_i + p_i - due_i
    energy      sum energy_ikm z_ikm + what moves + idle C
    cost, risk, traffic   likewise; all with the coefficients of `coefficients`
    period      P (see `cpsat_period`)

p_i = sum_km p_ikm z_ikm. What moves: items (`cpsat_messages`), data and copies (`cpsat_data`),
tasks (`cpsat_moves`).
"""

from __future__ import annotations

from math import floor, inf, isfinite
from typing import TYPE_CHECKING

import numpy as np
from ortools.sat.python import cp_model

from formulations.coefficients import placement_cost
from formulations.cpsat_period import period_terms
from formulations.cpsat_terms import FINE, Terms
from offload.tables import TOLERANCE

if TYPE_CHECKING:
    from formulations.cpsat_model import Model

__all__ = ["Goals"]

_WIDEST = 1e18  # largest value of the integer objective
_ROUND = 720_720  # weights with small denominators stay exact on a grid divided by this


class Goals:
    """Metrics, limits and objective over the variables of a model.

    Attributes
    ----------
    objective
        What is minimized, in real numbers.
    unit
        Its value per step of the integer objective that the solver sees.
    most
        Steps that the objective may have; infinite where no plan is known.
    """

    def __init__(self, model: Model) -> None:
        self.model, self.tables, self.cp, self.grid = model, model.tables, model.cp, model.grid
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
        self.most = inf
        if isfinite(model.ceiling) and self.grid.relax:
            most = (model.ceiling * (1 + TOLERANCE) - self.objective.constant) / self.unit
            self.most = floor(most) + 1
            self.cp.add(steps <= self.most)

    def metric(self, metric: str) -> Terms:
        """A metric as real-valued terms over the model's variables."""
        tables = self.tables
        terms = Terms()
        if metric == "latency":
            terms.add(self.model.makespan, self.grid.tick)
            terms.slope = 1.0
        elif metric in ("completion", "tardiness"):
            self._finish_terms(metric, terms)
        elif metric == "period":
            return period_terms(self.model)
        else:
            if metric == "energy" and (idle := tables.idle_watts):
                terms.merge(self.metric("latency"), idle)
            self._places(metric, terms)
            for moving in (self.model.messages, self.model.data, self.model.moves):
                moving.spend(metric, terms)
        return terms

    def _places(self, metric: str, terms: Terms) -> None:
        """What tasks add where they run, in the mode in which they do."""
        tables = self.tables
        spent = [placement_cost(tables, metric, m) for m in range(tables.modes)]
        for (i, k, m), z in self.model.z.items():
            terms.add(z, float(spent[m][i, k]))

    def _finish_terms(self, metric: str, terms: Terms) -> None:
        tables, tick = self.tables, self.grid.tick
        for i in np.flatnonzero(tables.weight > 0).tolist():
            weight = float(tables.weight[i])
            if metric == "completion":
                terms.add(self.model.start[i], weight * tick)
                for k in self.model.nodes_of[i]:
                    for m in self.model.modes(i, k):
                        ticks = int(self.model.steps[i, k, m])
                        terms.add(self.model.z[i, k, m], weight * tick * ticks)
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
