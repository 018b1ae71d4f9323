"""Tasks that are somewhere already, in the constraint model.

Parameters (integers on a time grid)
    move_il delay of moving task i from where it is to l: serialise sigma_il, latency d_il.
Variables
    hold_i   when the move begins to hold the links of its route (see `cpsat_links`).
Constraints
    moved      start_i >= sum_l move_il x_il          (in the heads of `cpsat_model`)
    arrived    start_i >= hold_i + sigma_il + d_il    if x_il
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from formulations.coefficients import moving_cost
from offload.arrays import FloatArray
from offload.bounding.durations import move_parts
from offload.transfers import MOVE

if TYPE_CHECKING:
    from formulations.cpsat_model import Model
    from formulations.cpsat_terms import Terms

__all__ = ["Moves"]


class Moves:
    """The moves of a model."""

    def __init__(self, model: Model) -> None:
        self.model, self.tables = model, model.tables
        self.movers: list[int] = np.flatnonzero(self.tables.at >= 0).tolist()

    def ready(self) -> FloatArray:
        """When each task can have moved to each node; infinite where it cannot. float64[T, K]."""
        ready = np.zeros((self.tables.tasks, self.tables.nodes))
        for i in self.movers:
            ready[i] = move_parts(self.tables, i).total
        return ready

    def build(self) -> None:
        """A task starts after a move that holds links has arrived."""
        model, grid = self.model, self.model.grid
        for i in self.movers:
            parts, k = move_parts(self.tables, i), int(self.tables.at[i])
            for l in model.nodes_of[i]:
                if not (model.links.held[k, l] and parts.serialise[l] > 0):
                    continue
                begin, here = model.links.begin(MOVE, i, -1), model.x[i, l]
                after = grid.length(float(parts.serialise[l] + parts.latency[l]))
                model.cp.add(model.start[i] >= begin + after).only_enforce_if(here)
                model.links.hold((MOVE, i), begin, (k, l), float(parts.serialise[l]), here)

    def spend(self, metric: str, terms: Terms) -> None:
        """What moves add to a metric."""
        for i in self.movers:
            cost = moving_cost(self.tables, metric, float(self.tables.move_bytes[i]))
            for l in self.model.nodes_of[i]:
                terms.add(self.model.x[i, l], float(cost[self.tables.at[i], l]))
