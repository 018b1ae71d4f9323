"""Whether tasks can be shared out at no more than a cost: a tree search with bounds from prices.

A node of the tree says where each task may still run. There

    prices      go along what is missing in the best sets, to lift L(u) (subgradients; Held, Wolfe,
                Crowder 1974), before the first branch as far as they can (`knapsack_sets`); above
                the cost asked for, nothing is left
    places      of task i on node k with L_ik(u) above it are closed, and all is done again
    branches    over the places of one task, such that sum_k exp(c (cost - L_ik)) is least: what
                the parts of the tree may come to

Source: after Posta, Ferland, Michelon 2012, "An exact method with variable fixing for solving the
generalized assignment problem".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from formulations.knapsack_dive import likely, narrowed
from formulations.knapsack_prices import Knapsacks, Sharing
from formulations.knapsack_sets import sharpened
from offload.arrays import BoolArray, FloatArray

__all__ = ["Search"]

_FIRST = 60  # prices tried before the first branch, at most
_THEN = 5  # and in each node of the tree
_STEP = 0.5  # of the way to the cost asked for: first step in a node of the tree
_LEAST = 0.02  # a step shorter than this ends it
_STALLED = 4  # prices in a row that are no better, before steps are halved
_KEPT = 0.6  # of the last direction
_GAINED = 0.1  # of the places closed: worth another look
_GROWTH = 12.0  # c above, times the step between costs
_ABOVE = 1e-3  # of the first bound, that the first prices aim above it
_DIVING = 1, 3, 7, 15, 31, 63  # steps above the bound that the end of a dive may cost
_LAST = 500  # prices that it looks at for each
_LIKELY = 3e-3, 1e-2, 3e-2, 1e-1  # of the bound, that the least cost is hardly ever above it


class Search:
    """Searches for one instance; what one learns serves the next.

    Parameters
    ----------
    sharing
        The instance.
    open : bool[K, T]
        Where each task may run.
    prices : float64[T]
        First prices.
    stop
        Called often: the seconds that are left. It raises to end a search.
    holds
        Whether a way of sharing out (bool[K, T]) is one indeed.

    Attributes
    ----------
    prices : float64[T]
        The best so far, where nothing is branched on.
    work : int
        Prices looked at so far.
    """

    def __init__(
        self,
        sharing: Sharing,
        open: BoolArray,
        prices: FloatArray,
        stop: Callable[[], float],
        holds: Callable[[BoolArray], bool],
    ) -> None:
        self.sharing, self.open, self.prices = sharing, open, prices
        self.stop, self.holds = stop, holds
        self.work = 0

    def look(self) -> float:
        """Count prices that are looked at, and tell the seconds left; the search may end here."""
        self.work += 1
        return self.stop()

    def lift(self, known: float) -> float:
        """The bound of the instance, from better prices.

        Parameters
        ----------
        known
            The cost of a plan, as low as may be: bounds above it are not looked for.
        """
        root = _Node(self, self.open, self.prices)
        sacks = Knapsacks(self.sharing, self.open)
        if sacks.full or not len(sacks.free):
            return np.inf if sacks.full else sacks.settled
        begun = sacks.best(self.prices[sacks.free]).bound
        prices = root.climb(sacks, begun + _ABOVE * abs(begun), np.inf, _FIRST, 1.0)
        assert prices is not None
        self.prices = root.prices = self.prices.copy()
        self.prices[sacks.free] = prices
        bound = sacks.best(prices).bound
        # Below some cost few places are left, and the best prices for these are soon found.
        for reach in _LIKELY:
            most = min(known, bound + reach * abs(bound))
            root.open = self.open
            alive = root.narrow(most, most, _THEN, _STEP)
            if alive and not root.found:
                bound = max(bound, min(most, root.sharpen(most)))
                self.prices = root.prices
            if alive or most == known:
                break
            bound = most
        return bound

    def up_to(self, cost: float, step: float, margin: float) -> bool:
        """Whether there is a way of sharing out at no more than a cost; ``holds`` has seen it.

        Parameters
        ----------
        step
            By how much bounds should be above the cost, to be clear of it.
        margin
            How far above it they have to be at least.
        """
        return self._explore(self.open, cost, step, margin, np.inf)

    def dive(self, step: float, margin: float, places: float) -> bool:
        """Whether tasks find places one node after another, the surest first.

        What the last nodes take is searched for, at one cost after another above the bound.

        Parameters
        ----------
        step, margin
            As in :meth:`up_to`.
        places
            For each task on average, those whose bounds are lowest: others are not looked at.
        """
        prices = self.prices
        begun = likely(self.sharing, self.open, prices, places)
        left = None if begun is None else narrowed(self.sharing, begun, prices, self.look)
        if left is None:
            return False
        open, near = left
        cost = _Node(self, open, near).sharpen(np.inf)
        found = False
        for more in _DIVING:
            self.prices = near
            found = self._explore(open, cost + more * step, step, margin, self.work + _LAST)
            if found:
                break
        self.prices = prices
        return found

    def _explore(
        self, open: BoolArray, cost: float, step: float, margin: float, until: float
    ) -> bool:
        """A search of the tree over open places, until so much work is done."""
        aim, most = cost + step, cost + margin
        root = _Node(self, open, self.prices)
        alive = root.narrow(aim, most, _FIRST, 1.0)
        if alive and not root.found:
            alive = root.sharpen(most) <= most and root.narrow(aim, most, _THEN, _STEP)
        if alive:  # those that refute a cost at once lean to the few places left there
            self.prices = root.prices
        stack = [root] if alive else []
        while stack and self.work < until:
            node = stack.pop()
            if node is not root and not node.narrow(aim, most, _THEN, _STEP):
                continue
            if node.found:
                return True
            stack += node.branches(aim, step)
        return False


class _Node:
    """Where tasks may still run, and prices."""

    def __init__(self, search: Search, open: BoolArray, prices: FloatArray) -> None:
        self.search, self.open, self.prices = search, open, prices
        self.found = False

    def narrow(self, aim: float, most: float, tries: int, step: float) -> bool:
        """Close places until little changes; whether anything is left."""
        while True:
            sacks = Knapsacks(self.search.sharing, self.open)
            if sacks.full:
                return False
            if not len(sacks.free):
                self.found = sacks.settled <= most and self.search.holds(self.open)
                return self.found
            free, before = sacks.free, int(sacks.open.sum())
            if before < self.open[:, free].sum():  # some that is left has no room any more
                self.open = self.open.copy()
                self.open[:, free] = sacks.open
                continue
            prices = self.climb(sacks, aim, most, tries, step)
            if prices is None:
                return self.found
            self.by_place = sacks.by_place(sacks.best(prices))
            self.search.work += 3
            left = self.by_place <= most
            self.prices, self.open = self.prices.copy(), self.open.copy()
            self.prices[free], self.open[:, free] = prices, left
            if not left.any(axis=0).all():
                return False
            if left.sum() > (1 - _GAINED) * before:
                self.free = free
                return True

    def sharpen(self, enough: float) -> float:
        """The bound at the best prices that there are, or at some above what is enough."""
        sacks, look = Knapsacks(self.search.sharing, self.open), self.search.look
        self.prices = self.prices.copy()
        self.prices[sacks.free] = prices = sharpened(sacks, self.prices[sacks.free], enough, look)
        return sacks.best(prices).bound

    def climb(
        self, sacks: Knapsacks, aim: float, most: float, tries: int, step: float
    ) -> FloatArray | None:
        """Better prices; ``None`` if the node is settled by them."""
        prices = best = self.prices[sacks.free]
        bound, stalled = -np.inf, 0
        direction = np.zeros(len(prices))
        for _ in range(tries):
            self.search.look()
            sets = sacks.best(prices)
            if not sets.missing.any() and sets.bound <= most < np.inf:  # each task has one place
                places = self.open.copy()
                places[:, sacks.free] = sacks.places(sets)
                self.found = self.search.holds(places)
                if self.found:
                    return None
            if sets.bound > bound:
                stalled = 0 if sets.bound > bound + 1e-3 * (aim - most) else stalled + 1
                bound, best = sets.bound, prices
            else:
                stalled += 1
            if bound > most:
                self.prices = self.prices.copy()
                self.prices[sacks.free] = best
                return None
            if stalled >= _STALLED:
                step, stalled, prices = step / 2, 0, best
                direction = np.zeros_like(direction)
            if step < _LEAST:
                break
            direction = sets.missing + _KEPT * direction
            length = float(direction @ direction)
            if length == 0:
                break
            prices = prices + (step * (aim - sets.bound) / length) * direction
        return best

    def branches(self, aim: float, step: float) -> list[_Node]:
        """A node for each place of one task, that with the lowest bound last."""
        open = self.open[:, self.free]
        slack = np.where(open, aim - np.minimum(self.by_place, aim), -np.inf)
        rate = _GROWTH / step
        size = np.exp(rate * (slack - slack.max())).sum(axis=0)
        i = int(np.where(open.sum(axis=0) > 1, size, np.inf).argmin())
        task, places = self.free[i], np.flatnonzero(open[:, i])
        made = []
        for k in places[np.argsort(-self.by_place[places, i], kind="stable")]:
            narrower = self.open.copy()
            narrower[:, task] = False
            narrower[k, task] = True
            made.append(_Node(self.search, narrower, self.prices))
        return made
