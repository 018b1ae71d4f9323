"""What bounds by sets of tasks for nodes are made of: costs of places, and the room for them."""

from __future__ import annotations

from math import isfinite

import numpy as np

from offload.arrays import FloatArray
from offload.bounding.relaxation import Relaxation
from offload.bounding.spending import SPENT, edge_costs, place_costs
from offload.bounds import lower_bound
from offload.registry import Request
from offload.tables import TOLERANCE

__all__ = ["Parts"]

_CELLS = 60_000  # pairs of places over all edges above which programs over them take too long


class Parts:
    """What of an instance and a goal the linear program is made of.

    Attributes
    ----------
    cost : float64[T, K]
        Least cost of a task on a node; infinite where it cannot run.
    pair : float64[E, K, K]
        Least cost of an edge; infinite where it cannot lead.
    size, room : float64[T, K], float64[K]
        Resident bytes, and memory.
    load, span : float64[T, K], float64[K]
        Slot-seconds, and those of each node; infinite where nothing limits them.
    rest : float
        Bound of what else is minimized.
    """

    def __init__(self, request: Request) -> None:
        problem, goal = request.problem, request.goal
        tables = problem.tables
        weights = {m: w for m, w in goal.minimize.items() if w > 0}
        spent = {m: w for m, w in weights.items() if m in SPENT}
        other = {m: w for m, w in weights.items() if m not in SPENT}
        if idle := spent.get("energy", 0.0) * tables.idle_watts:
            other["latency"] = other.get("latency", 0.0) + idle
        latest = goal.limits.get("latency", np.inf) * (1 + 2 * TOLERANCE)
        windows = Relaxation(tables, latest).windows
        self.tables, self.empty = tables, windows.refusal is not None
        self.rest = lower_bound(problem, other, goal.limits) if other else 0.0
        self.fits = windows.exact and tables.edges * tables.nodes**2 <= _CELLS and bool(spent)
        if not self.fits or self.empty:
            return
        fine = np.isfinite(windows.times)
        self.cost = np.where(fine, place_costs(tables, windows.kinds, spent), np.inf)
        self.pair = edge_costs(tables, spent, windows.tie)
        every, node = np.arange(tables.tasks)[:, None], np.arange(tables.nodes)[None, :]
        self.size: FloatArray = np.where(fine, tables.resident_of(every, node), 0.0)
        self.room: FloatArray = tables.memory_capacity
        self.load: FloatArray = np.where(fine, windows.times, 0.0) * tables.task_slots[:, None]
        first = np.where(fine, windows.head, np.inf).min(axis=0)
        last = np.where(fine, windows.tail, np.inf).min(axis=0)
        self.span: FloatArray = np.full(tables.nodes, np.inf)
        used = np.flatnonzero(np.isfinite(first))
        if isfinite(latest):
            length = np.maximum(latest - first[used] - last[used], 0.0)
            self.span[used] = tables.node_slots[used] * length

    @property
    def short(self) -> bool:
        """Whether some node cannot take all that may run there."""
        if not self.fits or self.empty:
            return False
        return bool(
            (self.size.sum(axis=0) > self.room).any() or (self.load.sum(axis=0) > self.span).any()
        )

    @property
    def paired(self) -> bool:
        """Whether edges cost anything."""
        return self.fits and bool((np.isfinite(self.pair) & (self.pair > 0)).any())
