"""Minimum cuts of graphs with real capacities: a whole-numbered maximum flow that bounds them.

Capacities are counted in units, downwards, so that the flow never exceeds the real minimum cut:
what it proves holds for the capacities as they are.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np
from ortools.graph.python import max_flow

from offload.arrays import BoolArray

__all__ = ["SINK", "SOURCE", "CutGraph"]

SOURCE, SINK = 0, 1
_UNITS = 2**44  # of all finite capacities together: sums of infinite ones still fit 64 bits
_ROUNDING = 1e-13  # of the sum of all numbers, which sums of floats may be off by


class CutGraph:
    """A directed graph with a source and a sink; capacities may be infinite.

    Parameters
    ----------
    vertices
        Their number at first, source (0) and sink (1) included.
    """

    def __init__(self, vertices: int = 2) -> None:
        self.vertices = vertices
        self.constant = 0.0
        self._arcs: dict[tuple[int, int], float] = {}

    def vertex(self) -> int:
        """One more vertex."""
        self.vertices += 1
        return self.vertices - 1

    def arc(self, tail: int, head: int, capacity: float) -> None:
        """What is paid where the tail is on the source's side and the head on the sink's."""
        if tail != head and capacity > 0:
            self._arcs[tail, head] = self._arcs.get((tail, head), 0.0) + capacity

    def either(self, vertex: int, source: float, sink: float) -> None:
        """What a vertex costs on the source's side, and on the sink's; one of them is finite."""
        least = min(source, sink)
        self.constant += least
        self.arc(vertex, SINK, source - least)
        self.arc(SOURCE, vertex, sink - least)

    def minimum(self) -> tuple[float, BoolArray] | None:
        """A lower bound of the least cut, and which vertices are on the source's side of one.

        Returns
        -------
        (float, bool[V]) or None
            The bound differs from the cut's value by rounding alone. ``None`` where every cut is
            infinite. Of several least cuts, the one with fewest vertices on the source's side.
        """
        arcs = self._arcs
        ends = np.array(list(arcs), np.int64).reshape(-1, 2)
        side = np.zeros(self.vertices, bool)
        if not ((ends[:, 0] == SOURCE).any() and (ends[:, 1] == SINK).any()):
            # Nothing leaves the source, or nothing enters the sink: all may be on one side.
            side[SOURCE] = True
            side |= (ends[:, 0] == SOURCE).any()
            side[SINK] = False
            return self.constant - _ROUNDING * abs(self.constant), side
        total = sum(c for c in arcs.values() if isfinite(c))
        unit = max(total, 1e-300) / _UNITS
        never = _UNITS + 1
        sizes = [int(c / unit) if isfinite(c) else never for c in arcs.values()]
        flow: Any = max_flow.SimpleMaxFlow()
        flow.add_arcs_with_capacity(ends[:, 0], ends[:, 1], np.array(sizes, np.int64))
        status = flow.solve(SOURCE, SINK)
        if status != flow.OPTIMAL or flow.optimal_flow() >= never:
            return None
        side[flow.get_source_side_min_cut()] = True
        value = self.constant + flow.optimal_flow() * unit
        return value - _ROUNDING * (abs(self.constant) + total), side
