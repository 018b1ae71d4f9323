"""A goal that is a sum over tasks and transfers: which goals are, and their coefficients by unit.

Energy without idle power, cost, risk and traffic depend on where tasks run, in which modes and
with which codecs, but not on when.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray, IntArray
from offload.features import Goal
from offload.heuristics.pricing import ADDITIVE, Prices
from offload.heuristics.units import Units
from offload.tables import Tables

__all__ = ["Costs", "Channels", "additive"]

_CELLS = 40_000_000  # numbers in the tables of all tasks, modes and nodes, at most
_CHUNK = 1_000_000


def additive(tables: Tables, goal: Goal) -> bool:
    """Whether the worth of a plan is a sum over tasks and transfers, whatever its times.

    What is minimized or limited is energy (no node draws idle power), cost, risk or traffic, and
    there are no deadlines, no divisible tasks and no "contiguous" groups.
    """
    idle = "energy" in goal.metrics and bool(tables.idle_power.any())
    cells = (1 + len(goal.limits)) * tables.tasks * tables.nodes * tables.modes
    return (
        goal.metrics <= set(ADDITIVE)
        and not idle
        and not np.isfinite(tables.deadline).any()
        and not tables.divisible.any()
        and all(group.rule != "contiguous" for group in tables.problem.graph.groups)
        and cells <= _CELLS
    )


@dataclass
class Costs:
    """What a weighted sum of metrics is made of.

    Attributes
    ----------
    own : float64[U, K]
        Of each unit by itself: running it, moving it, and reading what no other unit reads. 0
        where it may not be.
    way : float64[2 * kinds * K, K]
        Of a byte of an item of some kind: row (2 kind * K + k) from k to each node, row
        ((2 kind + 1) * K + k) from each node to k.
    fetch : float64[N, K]
        Of fetching data that several units read to each node.
    constant : float
        Of what no move changes: pushes of copies.
    """

    own: FloatArray
    way: FloatArray
    fetch: FloatArray
    constant: float


class Channels:
    """Coefficients of the objective and of each limited metric, the best modes and codecs chosen.

    Parameters
    ----------
    units
        The units of the instance.
    goal
        An additive one.
    copies : bool[D, K], optional
        Placed copies of data; they stay.

    Attributes
    ----------
    limits : float64[C]
        Limits, by the order of ``goal.limits``.
    costs
        Of the objective, then of each limited metric, with the modes and codecs of :meth:`choose`.
    combined
        Of what :meth:`choose` minimizes.
    """

    def __init__(self, units: Units, goal: Goal, copies: BoolArray | None) -> None:
        self.units, self.tables = units, units.tables
        tables = self.tables
        self.limits = np.array(list(goal.limits.values()), float)
        weights = [{m: w for m, w in goal.minimize.items() if w > 0}]
        weights += [{metric: 1.0} for metric in goal.limits]
        holders = tables.home if copies is None else tables.home | copies
        prices = [Prices(tables, weight, 0.0, holders) for weight in weights]
        every = np.arange(tables.tasks)
        step = max(1, _CHUNK // max(1, tables.modes * tables.nodes))
        parts = [every[first : first + step] for first in range(0, tables.tasks, step)]
        self._own = [
            np.concatenate([price.owns(part)[0] for part in parts]).transpose(1, 0, 2)
            for price in prices
        ]
        self._fine = np.isfinite(self._own[0])
        for own in self._own:
            own[~self._fine] = 0.0
        self._fixed = [self._of_places(price) for price in prices]
        self._byte = [price.unit for price in prices]
        shared = np.flatnonzero(units.common >= 0).tolist()
        self._fetch = [
            np.array([np.where(np.isfinite(f := price.fetched(d)[0]), f, 0.0) for d in shared])
            .reshape(len(shared), tables.nodes)
            for price in prices
        ]  # fmt: skip
        self._constant = [self._pushes(price, copies) for price in prices]
        self.choose(np.zeros(len(self.limits)))

    def _of_places(self, prices: Prices) -> FloatArray:
        """Moving each unit's tasks, and reading what it alone reads; float64[U, K]."""
        tables, units = self.tables, self.units
        total = np.zeros((units.number, tables.nodes))
        movers = np.flatnonzero(tables.at >= 0)
        if len(movers):
            size, at = tables.move_bytes[movers, None], tables.at[movers, None]
            np.add.at(total, units.of_task[movers], prices.moved(size, at, prices.every))
        alone = units.common[units.data] < 0
        for u, d in zip(units.reader[alone].tolist(), units.data[alone].tolist(), strict=True):
            total[u] += prices.fetched(d)[0]
        total[~units.allowed] = 0.0
        return total

    def _pushes(self, prices: Prices, copies: BoolArray | None) -> float:
        if copies is None or not copies.any():
            return 0.0
        data, node = np.nonzero(copies)
        src = self.tables.fetch(data, node, self.tables.home[data])
        return float(prices.moved(self.tables.data_bytes[data], src, node.astype(np.int32)).sum())

    def choose(
        self, prices: FloatArray, heat: float = 0.0, dice: np.random.Generator | None = None
    ) -> None:
        """Take the modes and codecs that are best at some prices of the limited metrics.

        Parameters
        ----------
        prices : float64[C]
            What a unit of each limited metric costs, besides the objective.
        heat, dice
            Above a temperature of 0 modes are drawn by their price.
        """
        tables, units, weight = self.tables, self.units, [1.0, *prices.tolist()]
        own = np.where(self._fine, _weighted(self._own, weight), np.inf)
        if heat and dice is not None and len(own) > 1:
            own -= heat * dice.gumbel(size=own.shape)
        self.mode: IntArray = own.argmin(axis=0).astype(np.int32)
        codec = self._codecs(_weighted(self._byte, weight))
        k, l = np.arange(tables.nodes)[:, None], np.arange(tables.nodes)[None, :]
        self.codec = codec
        self.costs = []
        for c in range(len(weight)):
            chosen = np.take_along_axis(self._own[c], self.mode[None].astype(np.intp), axis=0)[0]
            alone = units.sums(chosen) + self._fixed[c]
            alone[~units.allowed] = 0.0
            byte = self._byte[c][codec, k, l]  # [offers, K, K]
            ways = [way for offer, _ in units.kinds for way in (byte[offer], byte[offer].T)]
            self.costs.append(Costs(alone, np.concatenate(ways), self._fetch[c], self._constant[c]))
        self.combine(prices)

    def combine(self, prices: FloatArray) -> None:
        """Price the limited metrics anew, with the modes and codecs that were chosen."""
        weight, costs = [1.0, *prices.tolist()], self.costs
        self.combined = costs[0]
        if len(costs) > 1:
            self.combined = Costs(
                _weighted([c.own for c in costs], weight),
                _weighted([c.way for c in costs], weight),
                _weighted([c.fetch for c in costs], weight),
                sum(w * c.constant for w, c in zip(weight, costs, strict=True)),
            )

    def _codecs(self, byte: FloatArray) -> IntArray:
        """The codec of least price for each set of offers; int32[offers, K, K], -1 for none."""
        nodes = self.tables.nodes
        codec = np.full((len(self.units.offers), nodes, nodes), -1, np.int32)
        for offer, codecs in enumerate(self.units.offers):
            least = byte[-1].copy()
            for c in codecs:
                better = byte[c] < least
                codec[offer][better] = c
                least = np.where(better, byte[c], least)
        return codec

    def modes_of(self, nodes: NDArray[np.integer]) -> IntArray:
        """The chosen mode of each task; int32[T]."""
        modes: IntArray = self.mode[np.arange(self.tables.tasks), nodes]
        return modes

    def codecs_of(self, nodes: NDArray[np.integer]) -> IntArray | None:
        """The chosen codec of each edge; int32[E], ``None`` where no edge offers one."""
        tables = self.tables
        if not len(tables.item_codecs.values):
            return None
        offer = self.units.offer[tables.edge_item]
        codecs: IntArray = self.codec[offer, nodes[tables.edge_src], nodes[tables.edge_dst]]
        return codecs


def _weighted(parts: list[FloatArray], weights: list[float]) -> FloatArray:
    total = parts[0] * weights[0]
    for part, weight in zip(parts[1:], weights[1:], strict=True):
        if weight:
            total += weight * part
    return total
