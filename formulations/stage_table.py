"""What stages between two ideals weigh, for one ideal and many larger ones at once.

Of ideals I in I' the stage is S = I' - I. An item with units Z (its sender and readers) counts for
S once if it crosses its border: cut(S) = [S meets Z] - [Z in S]. Summed over items,

    cut(I' - I) = cut(I') + sum over items cut by I of ([I' has more of Z than I] - [Z not in I'])
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.ideals import Ideals
from formulations.stage_units import StageUnits
from offload.arrays import BoolArray, FloatArray
from offload.tables import TOLERANCE

__all__ = ["Table"]


class Table:
    """N ideals, smaller ones first, and what is between them.

    Attributes
    ----------
    members : bool[N, U]
        Units of each ideal.
    work : float64[N]
        Least load of its units, in seconds of a node of speed 1.
    total : float64
        That of all units.
    speed : float64[G]
        How much of that a node of each class does in a second, at most.
    """

    def __init__(self, units: StageUnits, ideals: Ideals) -> None:
        self.units = units
        self.members: BoolArray = ideals.members(units.number)
        inside = self.members.astype(float)
        finite = np.isfinite(units.load)
        self._load: FloatArray = inside @ np.where(finite, units.load, 0.0)
        self._barred: FloatArray = inside @ (~finite).astype(float)
        self._size: FloatArray = inside @ units.size
        self.speed = _speeds(units)
        least = np.where(finite, units.load * self.speed, np.inf).min(axis=1, initial=np.inf)
        least = np.where(np.isfinite(least), least, 0.0)
        self.work: FloatArray = inside @ least
        self.total = float(least.sum())
        self._load_cuts()
        # Each ideal as words of bits, for asking which ideals hold another.
        packed = np.packbits(self.members, axis=1, bitorder="little")
        words = np.zeros((len(packed), -(-units.number // 64) * 8), np.uint8)
        words[:, : packed.shape[1]] = packed
        self._words = np.ascontiguousarray(words.view(np.uint64).T)

    def _load_cuts(self) -> None:
        items, members = self.units.items, self.members
        self._joined = items.lengths.astype(np.int32)
        self._count = np.zeros((len(self._joined), len(members)), np.int16)
        for h in range(len(self._joined)):
            self._count[h] = members[:, items.of(h)].sum(axis=1)
        crossing = (self._count > 0) & (self._count < self._joined[:, None])
        self._cut: FloatArray = self.units.serialise @ crossing.astype(float)
        self._crossing = [np.flatnonzero(column) for column in crossing.T]

    def larger(self, ideal: int, more: float, least: float) -> NDArray[np.int64]:
        """Ideals that hold one: with at most ``more`` work added, and at least ``least`` in all."""
        work = self.work[ideal + 1 :]
        fine = (work <= self.work[ideal] + more) & (work >= least)
        found = np.flatnonzero(fine) + ideal + 1
        for word in self._words:
            mine = word[ideal]
            if mine:
                found = found[word[found] & mine == mine]
        return found

    def moved(self, ideal: int, larger: NDArray[np.int64]) -> FloatArray:
        """Serialise of all that crosses the border of each stage; see the module's text."""
        total: FloatArray = self._cut[larger]
        for h in self._crossing[ideal].tolist():
            count = self._count[h, larger]
            more = (count != self._count[h, ideal]).astype(float) - (count != self._joined[h])
            total = total + self.units.serialise[h] * more
        return total

    def stages(
        self, ideal: int, larger: NDArray[np.int64], kind: int, moved: FloatArray
    ) -> FloatArray:
        """Load of each stage on a node of a class; infinite where it cannot be there."""
        load: FloatArray = self._load[larger, kind] - self._load[ideal, kind]
        if self.units.serial[kind]:
            load = load + moved
        size = self._size[larger, kind] - self._size[ideal, kind]
        room = self.units.room[kind] * (1 + TOLERANCE)
        fine = (self._barred[larger, kind] == self._barred[ideal, kind]) & (size <= room)
        return np.where(fine, load, np.inf)


def _speeds(units: StageUnits) -> FloatArray:
    """Of each class, how many times faster than the largest class it is, at the most."""
    load, number = units.load, [len(nodes) for nodes in units.nodes]
    speed = np.ones(len(number))
    if not load.size:
        return speed
    base = load[:, int(np.argmax(number))]
    for g in range(len(number)):
        both = np.isfinite(load[:, g]) & np.isfinite(base) & (load[:, g] > 0)
        if both.any():
            speed[g] = max(float((base[both] / load[both, g]).max()), 1e-12)
    return speed
