"""The memory of nodes while units move: what is held, what a move exceeds, and who may enter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray
from offload.heuristics.units import Units
from offload.tables import TOLERANCE

__all__ = ["Rooms"]

_DEARER, _CHEAPER = 1.1, 0.97  # what a node's price is multiplied by while it is too full, or not
_LEAST, _MOST = 1e-3, 1e6  # of the first price
_STEP = 0.02  # of the first price, for the mean resident too much or too little


class Rooms:
    """Memory that may be exceeded, at a price for each node that rises while it is.

    A node needs the residents of its tasks and the working memory of the largest of them. Besides
    the price of what it lacks, its memory has a price of its own, that of a Lagrange multiplier.

    Parameters
    ----------
    units
        The units of the instance.
    price
        First price of the mean resident, in terms of what is minimized.

    Attributes
    ----------
    bounded : bool
        Whether memory can matter at all.
    over : float64[K]
        Bytes that each node needs and does not have.
    """

    def __init__(self, units: Units, price: float) -> None:
        tables, self.units = units.tables, units
        task, every = np.arange(tables.tasks)[:, None], np.arange(tables.nodes)
        self.room = tables.memory_capacity * (1 + TOLERANCE / 2)  # half of it is left to rounding
        self.bounded = units.placements.bounded
        self.over = np.zeros(tables.nodes)
        if not self.bounded:
            return
        held = np.broadcast_to(tables.resident_of(task, every), (tables.tasks, tables.nodes))
        peak = np.broadcast_to(tables.memory_of(task, every), (tables.tasks, tables.nodes))
        self.held = units.sums(np.where(np.isfinite(held), held, 0.0))
        self.peak = units.largest(np.where(np.isfinite(peak), peak, 0.0))
        self.peaks = bool(self.peak.any())
        self.bounded = bool(self.held.any() or self.peaks)
        size = self.held[units.allowed & (self.held > 0)]
        self.unit = float(size.mean()) if len(size) else float(self.peak.max())
        self._first = price / (self.unit or 1.0)
        self.price = np.full(tables.nodes, self._first)  # of a byte too many
        self.linear = np.zeros(tables.nodes)  # of any byte
        self._every = np.arange(units.number)

    def load(self, node: NDArray[np.int64]) -> None:
        """Take note of where all units are."""
        if not self.bounded:
            return
        self.node, nodes = node, len(self.room)
        held = self.held[self._every, node]
        self.used = np.bincount(node, held, minlength=nodes)
        self.first, self.second = np.zeros(nodes), np.zeros(nodes)
        if self.peaks:
            peak = self.peak[self._every, node]
            order = np.lexsort((-peak, node))
            place = node[order]
            new = np.ones(len(order), bool)
            new[1:] = place[1:] != place[:-1]
            lead = np.flatnonzero(new)
            self.first[place[lead]] = peak[order[lead]]
            after = lead + 1
            after = after[after < len(order)]
            after = after[~new[after]]
            self.second[place[after]] = peak[order[after]]
        self.over = self._over(self.used + self.first)

    def _over(self, need: FloatArray) -> FloatArray:
        return np.maximum(need - self.room, 0.0)

    def priced(self) -> float:
        """The price of what is held and of what is exceeded."""
        return float((self.over * self.price + self.used * self.linear).sum())

    def rows(self, chosen: NDArray[np.int64]) -> FloatArray:
        """Price of what moves of some units to each node exceed; float64[N, K]."""
        here, row = self.node[chosen], np.arange(len(chosen))
        held, need = self.held[chosen], self.used + self.first
        after = self.used + held
        if self.peaks:
            after += np.maximum(self.first, self.peak[chosen])
        value: FloatArray = (np.maximum(after - self.room, 0.0) - self.over) * self.price
        left = self.used[here] - held[row, here]
        if self.peaks:
            mine = self.peak[chosen, here] >= self.first[here]
            left = left + np.where(mine, self.second[here], self.first[here])
        # What is not left there counts as spared, wherever a unit goes.
        spared = self._over(need)[here] - np.maximum(left - self.room[here], 0.0)
        value[row, here] = spared * self.price[here]
        value += held * self.linear
        return value

    def exchanges(self, chosen: NDArray[np.int64]) -> FloatArray:
        """Price of what units exceed that change places pair by pair; float64[N, N]."""
        here = self.node[chosen]
        held, need = self.held[chosen][:, here], self.used[here]  # [who, where of whom]
        after = need - np.diagonal(held) + held  # row enters the column's node
        if self.peaks:
            peak = self.peak[chosen][:, here]
            mine = np.diagonal(peak) >= self.first[here]
            after += np.maximum(np.where(mine, self.second[here], self.first[here]), peak)
        value = np.maximum(after - self.room[here], 0.0) - self.over[here]
        value *= self.price[here]
        result: FloatArray = value + value.T
        return result

    def admit(
        self, chosen: NDArray[np.int64], node: NDArray[np.int64], dice: np.random.Generator
    ) -> BoolArray:
        """Which of some moves to make at once: on each node the first, and others that fit."""
        order = np.lexsort((dice.random(len(chosen)), node))
        to = node[order]
        held = self.held[chosen[order], to]
        sums = np.cumsum(held)
        new = np.ones(len(to), bool)
        new[1:] = to[1:] != to[:-1]
        before = np.where(new, sums - held, 0.0)
        before = np.maximum.accumulate(before)  # sums rise
        need = self.used[to] + (sums - before) + self.first[to]
        if self.peaks:
            need += np.maximum(self.peak[chosen[order], to] - self.first[to], 0.0)
        fine = np.zeros(len(chosen), bool)
        fine[order] = new | (need <= self.room[to])
        return fine

    def reprice(self) -> None:
        """Dearer where too much is held, cheaper elsewhere."""
        gap = np.clip((self.used - self.room) / (self.unit or 1.0), -2.0, 2.0)
        self.linear = np.maximum(self.linear + _STEP * self._first * gap, 0.0)
        price = self.price * np.where(self.over > 0, _DEARER, _CHEAPER)
        self.price = np.clip(price, _LEAST * self._first, _MOST * self._first)
