"""The set of tasks that suits one node best at given prices: a quadratic knapsack problem.

    minimize     sum_i rho_i z_i + sum_e omega_e z_i z_j      e = (i, j)
    memory       sum_i r_i z_i <= M
    load         sum_i p_i s_i z_i <= L

Products by implications for negative omega, by u_e >= z_i + z_j - 1 for positive ones.
"""

from __future__ import annotations

from math import floor, isfinite
from typing import TYPE_CHECKING

import numpy as np
from ortools.sat.python import cp_model

from formulations.cpsat_terms import weighted, whole
from offload.arrays import FloatArray
from offload.registry import Request
from offload.tables import TOLERANCE

if TYPE_CHECKING:
    from formulations.node_parts import Parts

__all__ = ["Knapsack"]

_STEPS = 10**7  # of the largest price: how finely the solver sees prices
_FINE = 2**30  # steps of a capacity
_WORK = 2.0  # deterministic time for one search, at most
_KEPT = 4  # sets that one search may give


class Knapsack:
    """The sets that fit on node ``k``."""

    def __init__(self, parts: Parts, k: int) -> None:
        self.tasks = np.flatnonzero(np.isfinite(parts.cost[:, k])).tolist()
        here = set(self.tasks)
        tables = parts.tables
        ends = zip(tables.edge_src.tolist(), tables.edge_dst.tolist(), strict=True)
        self.edges = [(e, i, j) for e, (i, j) in enumerate(ends) if i in here and j in here]
        # Pairs that no permitted way keeps on one node.
        self.barred = {e for e, _, _ in self.edges if not isfinite(parts.pair[e, k, k])}
        self.limits = [
            (weights, most)
            for use, room in ((parts.size, parts.room), (parts.load, parts.span))
            if isfinite(room[k])
            for weights, most in [_steps(use[self.tasks, k], float(room[k]))]
            if sum(weights) > most
        ]

    def holds(self, chosen: list[int]) -> bool:
        """Whether a set fits."""
        place = {i: n for n, i in enumerate(self.tasks)}
        if any(i not in place for i in chosen):
            return False
        return all(sum(w[place[i]] for i in chosen) <= most for w, most in self.limits)

    def best(
        self, own: FloatArray, pair: FloatArray, request: Request
    ) -> tuple[float, list[list[int]]]:
        """A lower bound of the price of any set, and some sets below 0, the best last.

        Parameters
        ----------
        own, pair
            Price of each task (float64[T]) and of each edge inside the set (float64[E]).
        request
            It may ask to stop meanwhile.
        """
        scale = max(1e-300, np.abs(own[self.tasks]).max(initial=0.0), np.abs(pair).max(initial=0.0))
        unit = float(scale) / _STEPS
        model = cp_model.CpModel()
        z = {i: model.new_bool_var("") for i in self.tasks}
        for weights, most in self.limits:
            model.add(weighted(list(z.values()), weights) <= most)
        terms = list(z.values())
        prices = [floor(float(own[i]) / unit) for i in self.tasks]
        for e, i, j in self.edges:
            if e in self.barred:
                model.add_at_most_one((z[i], z[j]))
            elif price := floor(float(pair[e]) / unit):
                both = model.new_bool_var("")
                if price < 0:
                    model.add_implication(both, z[i])
                    model.add_implication(both, z[j])
                else:
                    model.add(both >= z[i] + z[j] - 1)
                terms.append(both)
                prices.append(price)
        model.minimize(weighted(terms, prices))
        solver, sets = cp_model.CpSolver(), _Sets(z)
        parameters = solver.parameters
        parameters.num_workers, parameters.linearization_level = 1, 2
        parameters.max_deterministic_time = _WORK
        if isfinite(request.seconds_left):
            parameters.max_time_in_seconds = request.seconds_left
        parameters.catch_sigint_signal = False
        parameters.presolve_inclusion_work_limit = 0

        def heed(bound: float) -> None:
            if request.stopped:
                solver.stop_search()

        solver.best_bound_callback = heed
        status = solver.solve(model, sets)
        # Out of time before its first set (the empty one) the solver says 0, which is no bound.
        known = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
        least = solver.best_objective_bound if known else sum(min(0, price) for price in prices)
        return least * unit, sets.found[-_KEPT:]


def _steps(use: FloatArray, room: float) -> tuple[list[int], int]:
    """Amounts and their limit as integers, in the favour of what fits."""
    unit = max(room, float(use.max(initial=0.0)), 1e-300) / _FINE
    return [whole(float(u) / unit, True) for u in use], floor(room / unit * (1 + 2 * TOLERANCE)) + 1


class _Sets(cp_model.CpSolverSolutionCallback):
    """The sets below 0 that a search comes by."""

    def __init__(self, z: dict[int, cp_model.IntVar]) -> None:
        super().__init__()
        self.z = z
        self.found: list[list[int]] = []

    def on_solution_callback(self) -> None:
        """Note one."""
        if self.objective_value < 0:
            self.found.append([i for i, z in self.z.items() if self.boolean_value(z)])
