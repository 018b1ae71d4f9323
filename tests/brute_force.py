"""The best plan of a tiny instance, by looking at all of them: every placement in every order.

Without link contention, decoding over all orders reaches an optimal plan by any metric, as none
gets better by waiting (SPEC section 2, Decoding).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import offload
from offload.metrics import objective
from offload.problem import METRICS, Problem

__all__ = ["Best", "Everything", "everything"]


class Best(NamedTuple):
    """The least objective, and the plan that has it."""

    value: float
    order: list[int]
    plan: offload.Plan


class Everything(NamedTuple):
    """All decoded plans of an instance without limits: metrics float64[P] and whether they hold."""

    problem: Problem
    nodes: NDArray[np.int64]
    order: NDArray[np.int64]
    metrics: dict[str, NDArray[np.float64]]
    holds: NDArray[np.bool_]

    def best(
        self, minimize: Mapping[str, float], limits: Mapping[str, float] | None = None
    ) -> Best | None:
        """The best plan within limits; ``None`` if no plan holds."""
        holds = self.holds.copy()
        if limits:
            rows = np.flatnonzero(holds)
            found = offload.evaluate(
                self.problem, self.nodes[rows], self.order[rows], limits=limits
            )
            holds[rows] = found.feasible
        if not holds.any():
            return None
        value = np.where(holds, objective(self.metrics, minimize), np.inf)
        row = int(value.argmin())
        plan = offload.evaluate(self.problem, self.nodes[row], self.order[row]).plan()
        return Best(float(value[row]), self.order[row].tolist(), plan)


def everything(problem: Problem) -> Everything:
    """Decode every placement in every order."""
    allowed = [np.flatnonzero(row).tolist() for row in problem.tables.allowed_table]
    places = list(product(*allowed))
    orders = list(_orders(problem, []))
    nodes = np.repeat(np.array(places, np.int64).reshape(len(places), -1), len(orders), axis=0)
    order = np.tile(np.array(orders, np.int64).reshape(len(orders), -1), (len(places), 1))
    found = offload.evaluate(problem, nodes, order, limits={})
    return Everything(problem, nodes, order, {m: found.metrics[m] for m in METRICS}, found.feasible)


def _orders(problem: Problem, begun: list[int]) -> Iterator[list[int]]:
    """Every topological permutation that begins as given."""
    tables = problem.tables
    if len(begun) == tables.tasks:
        yield begun
    for i in range(tables.tasks):
        if i not in begun and set(tables.edge_src[tables.incoming.of(i)].tolist()) <= set(begun):
            yield from _orders(problem, [*begun, i])
