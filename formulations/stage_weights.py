"""The least load of a node that holds a unit: what it takes along, or what it sends and receives.

    f(u) = min over sets S with u in S, inside a given set, of load(S) + cut(S)

is a minimum cut: a unit on u's side pays its load, and an item with units on both sides, or with
units outside the given set, its serialise. On a class of nodes that count no transfers, f(u) is the
unit's own load.
"""

from __future__ import annotations

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from formulations.stage_units import StageUnits

__all__ = ["least_load"]

_TASKS, _TARGET = "unit", "outside"


def least_load(units: StageUnits, unit: int, inside: NDArray[np.int64], most: float) -> float:
    """Least load of any node that holds a unit and otherwise only units of ``inside``.

    Parameters
    ----------
    unit
        Its position; one of ``inside``.
    most
        No more than that is told apart.
    """
    found = most
    for g, serial in enumerate(units.serial.tolist()):
        own = float(units.load[unit, g])
        if own < found:
            found = min(found, _least_cut(units, unit, inside, g) if serial else own)
    return found


def _least_cut(units: StageUnits, unit: int, inside: NDArray[np.int64], kind: int) -> float:
    graph = nx.DiGraph()
    member = np.zeros(units.number, bool)
    member[inside] = True
    for u in inside.tolist():
        load = float(units.load[u, kind])
        if np.isfinite(load):
            graph.add_edge((_TASKS, u), _TARGET, capacity=load)
        else:
            graph.add_edge((_TASKS, u), _TARGET)
    for h in range(len(units.serialise)):
        joined = units.items.of(h)
        here = joined[member[joined]].tolist()
        if not here or not units.serialise[h]:
            continue
        first, last = ("first", h), ("last", h)
        graph.add_edge(first, last, capacity=float(units.serialise[h]))
        for u in here:
            graph.add_edge((_TASKS, u), first)
            graph.add_edge(last, (_TASKS, u))
        if len(here) < len(joined):
            graph.add_edge(last, _TARGET)
    value: float = nx.minimum_cut_value(graph, (_TASKS, unit), _TARGET)
    return value
