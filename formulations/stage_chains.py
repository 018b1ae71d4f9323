"""Dynamic programming over ideals: the chain of stages whose largest load is least.

State: an ideal, and how many nodes of each class have been taken. Source: Tarnawski et al. 2020,
"Efficient algorithms for device placement of DNN graph operators", section 5.1.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from formulations.stage_table import Table
from offload.arrays import FloatArray
from offload.tables import TOLERANCE

__all__ = ["Chain", "Shared", "Stage", "best_chain"]

_STATES = 4096  # ways to have taken nodes, beyond which there are too many


class Stage(NamedTuple):
    """Units on a node of a class."""

    units: NDArray[np.int64]
    kind: int


class Chain(NamedTuple):
    """The largest load and the stages; infinite and none where there is none below the ceiling."""

    load: float
    stages: list[Stage]


class Shared(NamedTuple):
    """For bounds: where several nodes may share what is between two ideals.

    Attributes
    ----------
    segment : int64[N]
        Segment of each ideal: it may be shared between two of one segment alone.
    heavy : int64[N]
        Units of each ideal that no node can have below the ceiling unless it holds a gate.
    """

    segment: NDArray[np.int64]
    heavy: NDArray[np.int64]


class _States:
    """How many nodes of each class have been taken."""

    def __init__(self, table: Table) -> None:
        self.caps = [len(nodes) for nodes in table.units.nodes]
        shape = [cap + 1 for cap in self.caps]
        if np.prod(np.array(shape, float)) > _STATES:
            raise OverflowError
        self.used = np.array(list(np.ndindex(*shape)), np.int64).reshape(-1, len(shape))
        self._number = {tuple(row): s for s, row in enumerate(self.used.tolist())}
        self.left: FloatArray = (np.array(self.caps) - self.used) @ table.speed
        self.step = [self._after(np.eye(len(shape), dtype=np.int64)[g]) for g in range(len(shape))]
        self.several = [
            (float(row @ table.speed), self._after(row)) for row in self.used if row.sum() > 1
        ]

    def _after(self, row: NDArray[np.int64]) -> list[int]:
        """The state after each state once these are taken too; -1 where so many are not left."""
        return [self._number.get(tuple(state), -1) for state in (self.used + row).tolist()]


def best_chain(
    table: Table, ceiling: float, go_on: Callable[[], None], shared: Shared | None = None
) -> Chain:
    """The chain of stages from the empty ideal to the whole whose largest load is least.

    Parameters
    ----------
    table
        Ideals, and what stages between them weigh.
    ceiling
        Only loads below it are looked at.
    go_on
        Called now and then; may raise.
    shared
        For bounds: stages that several nodes share as if work could be cut at will. No stages are
        answered then.

    Raises
    ------
    OverflowError
        If there are too many classes of nodes.
    """
    states, ideals = _States(table), len(table.members)
    best = np.full((len(states.used), ideals), np.inf)
    best[0, 0] = 0.0
    origin = np.full(best.shape, -1, np.int32)
    kind = np.full(best.shape, -1, np.int16)
    fastest, slowest = float(table.speed.max(initial=0.0)), float(table.speed.min(initial=np.inf))
    spare = TOLERANCE * table.total
    for i in range(ideals - 1):
        live = np.flatnonzero(best[:, i] < ceiling)
        least, more = -np.inf, np.inf
        if np.isfinite(ceiling):
            live = live[table.total - table.work[i] <= states.left[live] * ceiling + spare]
            rest = max(float(states.left[live].max(initial=0.0)) - slowest, 0.0)
            least = table.total - rest * ceiling - spare
            more = fastest * ceiling + spare
        if not len(live):
            continue
        go_on()
        if shared is not None:
            _share(table, states, shared, i, live, best, ceiling)
        larger = table.larger(i, more, least)
        if not len(larger):
            continue
        moved = table.moved(i, larger)
        for g, step in enumerate(states.step):
            loads = table.stages(i, larger, g, moved)
            fine = loads < ceiling
            where, load = larger[fine], loads[fine]
            for s in live.tolist() if len(where) else ():
                if (t := step[s]) >= 0:
                    value = np.maximum(load, best[s, i])
                    better = value < best[t, where]
                    to = where[better]
                    best[t, to], origin[t, to], kind[t, to] = value[better], i, g
    end = int(best[:, -1].argmin())
    value = float(best[end, -1])
    if not value < ceiling:
        return Chain(np.inf, [])
    stages = [] if shared is not None else _stages(table, states, origin, kind, end)
    return Chain(value, stages)


def _share(
    table: Table, states: _States, shared: Shared, ideal: int, live: NDArray[np.int64],
    best: FloatArray, ceiling: float,
) -> None:  # fmt: skip
    """Let several nodes share what is between an ideal and larger ones of its segment."""
    most = max((rate for rate, _ in states.several), default=0.0)
    larger = table.larger(ideal, most * ceiling, -np.inf)
    same = shared.segment[larger] == shared.segment[ideal]
    larger = larger[same & (shared.heavy[larger] == shared.heavy[ideal])]
    work = table.work[larger] - table.work[ideal]
    for rate, after in states.several:
        fine = work < ceiling * rate
        where, load = larger[fine], work[fine] / rate
        for s in live.tolist() if len(where) else ():
            if (t := after[s]) >= 0:
                best[t, where] = np.minimum(best[t, where], np.maximum(load, best[s, ideal]))


def _stages(
    table: Table, states: _States, origin: NDArray[np.int32], kind: NDArray[np.int16], state: int
) -> list[Stage]:
    found, ideal = [], len(table.members) - 1
    while ideal:
        g, before = int(kind[state, ideal]), int(origin[state, ideal])
        units = np.flatnonzero(table.members[ideal] & ~table.members[before])
        found.append(Stage(units, g))
        state, ideal = states.step[g].index(state), before
    return found[::-1]
