"""What the work of many tasks alone makes a plan last: whole, in windows, before and after tasks.

Prices u_g >= 0 of the slots of each group of nodes g, with sum_g slots_g u_g = 1, turn tasks into
work c_i = min_g u_g s_i p_ig of one machine of speed 1: what runs in a second of any plan is
priced 1 at most. So any set of tasks that start at a or later, and end b or more before some
moment, keeps that moment from coming before a + sum c_i + b.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray
from offload.bounding.assignment import Shares, best_prices, priced
from offload.bounding.paths import Layer, ends
from offload.bounding.windows import Windows

__all__ = ["Before", "Loads", "Window"]

_GRID = 256  # heads, and tails, that windows begin and end with
_LAGS = 8  # distances to a task by which its ancestors are told apart
_ROUNDS = 3  # windows for which prices of their own are looked for


class Window(NamedTuple):
    """Tasks that start at ``begin`` or later and end ``rest`` or more before the end."""

    value: float  # seconds that every plan lasts for their sake
    begin: float
    rest: float


class Loads:
    """Slot-seconds of tasks on groups of nodes, and prices that turn them into work.

    Attributes
    ----------
    load : float64[T, G]
        Infinite where a task is barred.
    slots : float64[G]
    works : list of float64[T]
        Priced work of each task, by prices of the whole load and of windows.
    """

    def __init__(self, windows: Windows) -> None:
        tables, kinds = windows.tables, windows.kinds
        self.windows = windows
        self.load = windows.times * tables.task_slots[:, None]
        slots = tables.node_slots.astype(float)
        self.slots: FloatArray = np.zeros(kinds.number)
        np.add.at(self.slots, kinds.of_node, slots)
        self.barred = np.where(np.isfinite(self.load), 0.0, np.inf)
        self.works: list[FloatArray] = []
        self.total = self._least_length(self.load)

    def _least_length(self, load: FloatArray) -> float:
        """Seconds that a load takes, shared out as well as may be; its prices are kept."""
        shares = Shares(self.barred, load, self.slots, 1.0)
        prices = best_prices(shares)
        if prices is None:
            return 0.0
        whole = float(self.slots @ prices.load)
        if whole > 0:
            cells = np.where(np.isfinite(self.load), self.load, 0.0) * (prices.load / whole)
            self.works.append((cells + self.barred).min(axis=1))
        return max(0.0, priced(shares, prices))

    def best_window(self, known: float) -> float:
        """Seconds that every plan lasts by the work of the hardest windows found.

        Parameters
        ----------
        known
            A bound of the latency.
        """
        windows, tried = self.windows, set()
        head = np.where(np.isfinite(windows.times), windows.head, np.inf).min(axis=1)
        tail = np.where(np.isfinite(windows.times), windows.tail, np.inf).min(axis=1)
        for _ in range(_ROUNDS):
            if not self.works:
                break
            best = max(_hardest(head, tail, work) for work in self.works)
            known = max(known, best.value)
            if best[1:] in tried:
                break
            tried.add(best[1:])
            known = max(known, self._within(best, known))
        return known

    def _within(self, window: Window, known: float) -> float:
        """Seconds that every plan lasts by what must run inside a window.

        Of task i on g that is at least min(p, head + p - begin, tail + p - rest), and no more than
        the window lasts.

        Source: energetic reasoning, Baptiste, Le Pape, Nuijten 2001, section 3.3.3.
        """
        windows, begin, rest = self.windows, window.begin, window.rest
        times = windows.least  # a divisible task may be anywhere, in part
        late = np.minimum(times, windows.head + times - begin)
        inside = np.minimum(late, windows.tail + times - rest)
        inside = np.clip(inside, 0.0, max(0.0, known - begin - rest))
        whole = (windows.head >= begin) & (windows.tail >= rest)
        inside = np.where(whole, windows.times, inside)
        slots = windows.tables.task_slots[:, None].astype(float)
        return begin + rest + self._least_length(inside * slots + self.barred)


def _hardest(head: FloatArray, tail: FloatArray, work: FloatArray) -> Window:
    """The window in which most work has to be done, over many beginnings and ends."""
    begins, rests = _thresholds(head), _thresholds(tail)
    shape = len(begins), len(rests)
    row = np.searchsorted(begins, head, "right") - 1
    column = np.searchsorted(rests, tail, "right") - 1
    cell = row * shape[1] + column
    done = _from_corner(np.bincount(cell, work, shape[0] * shape[1]).reshape(shape))
    tasks = _from_corner(np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape))
    value = np.where(tasks > 0, begins[:, None] + rests[None, :] + done, -np.inf)
    best = int(value.argmax())
    begin, rest = divmod(best, shape[1])
    return Window(float(value.flat[best]), float(begins[begin]), float(rests[rest]))


def _thresholds(values: FloatArray) -> FloatArray:
    distinct = np.unique(values)
    if len(distinct) > _GRID:
        distinct = distinct[np.linspace(0, len(distinct) - 1, _GRID).astype(np.int64)]
    return distinct


def _from_corner(table: NDArray[np.generic]) -> FloatArray:
    """Sums over all cells at least as far in both directions."""
    total: FloatArray = np.asarray(table, float)[::-1, ::-1].cumsum(axis=0).cumsum(axis=1)
    return total[::-1, ::-1]


class Before:
    """Lift: no task starts before what has to run first, priced, has been done.

    For ancestors A of task j that start at a or later and are b or more away from it:
    S_j >= a + sum_{i in A} c_i + b.

    Parameters
    ----------
    windows
        Heads and tails to lift.
    works
        Priced work; see the module's text.
    back
        Descendants and tails in place of ancestors and heads.
    """

    def __init__(self, windows: Windows, works: list[FloatArray], *, back: bool) -> None:
        count = windows.tables.tasks
        self.windows, self.works = windows, np.stack(works)
        self.giver = ends(windows.tables, back)[0]
        self.arrive = windows.arrivals(back=back)
        self.first = np.zeros(count)
        self.least = windows.least.min(axis=1)
        self.lag = np.full((count, count), -np.inf)  # from the finish of an ancestor to a start

    def note(self, tasks: NDArray[np.int64], start: FloatArray) -> None:
        """Takes the heads of tasks that are final."""
        self.first[tasks] = start.min(axis=1)

    def bound(self, layer: Layer) -> FloatArray:
        """Least start of each task of a layer; float64[tasks, 1]."""
        giver = self.giver[layer.edges]
        lag = self.lag[giver] + self.least[giver, None]
        row = np.arange(len(giver))
        lag[row, giver] = np.maximum(lag[row, giver], 0.0)
        lag += self._delay(layer, giver)[:, None]
        reach = np.maximum.reduceat(lag, layer.first, axis=0)
        self.lag[layer.tasks] = reach
        return np.array([[self._latest(distance)] for distance in reach])

    def _delay(self, layer: Layer, giver: NDArray[np.integer]) -> FloatArray:
        """Least delay of each edge between any two places of its ends."""
        times = self.windows.times
        arrival = self.arrive(layer.edges, np.where(np.isfinite(times[giver]), 0.0, np.inf))
        edges = np.diff(layer.first, append=len(layer.edges))
        taker = np.repeat(layer.tasks, edges)
        least: FloatArray = np.where(np.isfinite(times[taker]), arrival, np.inf).min(axis=1)
        return least

    def _latest(self, distance: FloatArray) -> float:
        """The bound of one task, from the distances of its ancestors."""
        kin = np.flatnonzero(distance > -np.inf)
        kin = kin[np.argsort(-self.first[kin], kind="stable")]
        begin, lag = self.first[kin], distance[kin]
        rests = np.unique(lag)
        if len(rests) > _LAGS:
            rests = rests[np.linspace(0, len(rests) - 1, _LAGS).astype(np.int64)]
        kept = lag >= rests[:, None]
        fixed = np.where(kept, begin + rests[:, None], -np.inf)
        best = 0.0
        for work in self.works[:, kin]:
            best = max(best, float((np.cumsum(kept * work, axis=1) + fixed).max()))
        return best
