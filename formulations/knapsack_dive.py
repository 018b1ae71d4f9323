"""Nodes given their sets one after another, as linear programs over near-best sets are surest of.

    take a program over the sets that lose least     (`knapsack_sets`)
    give nodes the sets of which it takes most, a few of them at a time, surest first
    put its prices right for what is left, and go on until some nodes are left

What those take is small enough for a search of its own. A dive does not look back; others begin
with more or fewer places open to each task.

Source: diving in branch and price, Sadykov, Vanderbeck, Pessoa, Tahiri, Uchoa 2019, "Primal
heuristics for branch and price: the assets of diving methods".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from formulations.knapsack_prices import Knapsacks, Sharing
from formulations.knapsack_sets import near_best, program, sharpened, towards
from offload.arrays import BoolArray, FloatArray

__all__ = ["likely", "narrowed"]

_ROUNDS = 4  # programs for better prices at first
_DEAR = 0.2  # of the mean price, what it costs to leave tasks out in the program that decides
_OFF, _MORE = 2e-2, 4  # where its value is so far above the bound, sets are added, so many times
_SURE = 0.9  # part of a set that a program takes: given at once,
_SHARE = 0.2  # but to no more of the nodes left at a time
_LEFT = 3  # nodes for the search at the end


def likely(
    sharing: Sharing, open: BoolArray, prices: FloatArray, places: float
) -> BoolArray | None:
    """The places whose bounds are lowest, so many a task, its best one at least; bool[K, T].

    ``None`` where nothing is left to choose.

    Parameters
    ----------
    open : bool[K, T]
        Where tasks may run.
    prices : float64[T]
        At which the bounds are.
    places
        For each task on average.
    """
    sacks = Knapsacks(sharing, open)
    if sacks.full or not len(sacks.free):
        return None
    by_place = sacks.by_place(sacks.best(prices[sacks.free]))
    bounds = np.sort(by_place[np.isfinite(by_place)])
    most = bounds[min(int(places * len(sacks.free)), len(bounds) - 1)]
    found = open.copy()
    found[:, sacks.free] = by_place <= np.maximum(most, by_place.min(axis=0))
    return found


def narrowed(
    sharing: Sharing, open: BoolArray, prices: FloatArray, look: Callable[[], float]
) -> tuple[BoolArray, FloatArray] | None:
    """Where tasks may run once most nodes have their sets, and prices; ``None`` if that fails.

    Parameters
    ----------
    open : bool[K, T]
        Where they may run before.
    prices : float64[T]
        First prices.
    look
        As in :func:`.knapsack_sets.sharpened`.
    """
    open, prices = open.copy(), prices.copy()
    given = np.zeros(len(open), bool)
    rounds = _ROUNDS
    while True:
        sacks = Knapsacks(sharing, open)
        if sacks.full:
            return None
        free = sacks.free
        if not len(free):
            return open, prices
        known = sharpened(sacks, prices[free], np.inf, look, rounds)
        left, rounds = int((~given).sum()), 0
        sets = sacks.best(known)
        bound, near = sets.bound, near_best(sacks, sets)
        dear = _DEAR * float(np.abs(known).mean())
        found = program(sacks, near, known, dear, look())
        for _ in range(_MORE):
            if found is None or found.value + sacks.settled <= bound + _OFF * abs(bound):
                break
            near = near.and_others(near_best(sacks, sacks.best(found.prices)))
            found = program(sacks, near, known, dear, look())
        if found is None:
            return None
        prices[free], _ = towards(sacks, known, found.prices, bound, look)
        if left <= _LEFT:
            return open, prices
        part = np.where(given[near.node], -1.0, found.taken)
        sure = np.argsort(-part, kind="stable")[: max(1, int(_SHARE * left))]
        taken = np.zeros(len(free), bool)
        for p in sure[(part[sure] >= _SURE) | (np.arange(len(sure)) == 0)].tolist():
            k, inside = near.node[p], near.task[near.set == p]
            inside = inside[~taken[inside]]
            taken[inside] = True
            own = open[k, free[inside]].copy()
            open[k, free] &= taken & open[k, free]
            open[:, free[inside]] = False
            open[k, free[inside]] = own
            given[k] = True
