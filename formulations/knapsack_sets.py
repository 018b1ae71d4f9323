"""Better prices from a linear program over the sets that are nearly best for each node.

Sets
    P_k  sets of tasks for node k that lose no more than some profit against its best set
Variables
    l_kp >= 0  part of a set that is taken;   a_i, b_i >= 0  slack of task i
Linear program
    minimize     sum_kp (sum_{i in p} c_ik) l_kp + sum_i (u_i + w) a_i - (u_i - w) b_i
    one place    sum_{kp : i in p} l_kp + a_i - b_i = 1      for each task i    (price)
    one set      sum_{p in P_k} l_kp = 1                     for each node k

The slack keeps the prices of tasks within w of those known, u: what lies outside tells nothing of
where they are best. All sets are listed anew around the best prices so far, by the tables from
which the best ones come. A few such programs reach the greatest bound that prices have, where steps
along subgradients stay a unit or more below it, and a search with such prices has far less to look
at.

Sources: column generation with stabilized prices, du Merle, Villeneuve, Desrosiers, Hansen 1999,
"Stabilized column generation"; Savelsbergh 1997, "A branch-and-price algorithm for the generalized
assignment problem".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csc_matrix

from formulations.knapsack_prices import Knapsacks, Sets
from offload.arrays import BoolArray, FloatArray

__all__ = ["Found", "NearBest", "near_best", "program", "sharpened", "towards"]

_MOST = 2_500  # sets that are listed at some prices
_WIDTH = 0.02  # w, of the mean price, at first
_STEPS = 1.0, 0.6, 0.3  # of the way to the prices of a program, the first that is better
_FARTHER = 1.5  # what the width is multiplied by where the whole step is,
_CLOSER = 1.6  # and divided by for each step that is not
_ROUNDS = 20
_LEAST = 0.01  # of the first width: below it a program tells nothing new
_SLACK = 1e-6  # tasks: more is no rounding
_NEAR = 1e-6  # of the bound: so close to the program's value counts as that


class NearBest(NamedTuple):
    """Sets of tasks, one row each."""

    node: NDArray[np.int64]  # [P]
    cost: FloatArray  # [P]
    set: NDArray[np.int64]  # [N] the set of each entry,
    task: NDArray[np.int64]  # [N] and a free task that is in it

    def and_others(self, other: NearBest) -> NearBest:
        """Both lists as one."""
        ends = [np.concatenate(pair) for pair in zip(self, other, strict=True)]
        node, cost, _, task = ends
        return NearBest(node, cost, np.append(self.set, other.set + len(self.node)), task)


def near_best(sacks: Knapsacks, sets: Sets, most: int = _MOST) -> NearBest:
    """The sets that lose least profit against the best of their node.

    Step by step a candidate is taken or not. What the tables say of the candidates left is what
    the best set loses that goes on so; hence those that lose most may be dropped at each step.

    Parameters
    ----------
    sets
        Of the last call of ``sacks.best``.
    most
        So many over all nodes.
    """
    nodes = len(sacks.room)
    node, room = np.arange(nodes), sacks.room + 1
    worth, best = np.zeros(nodes), sets.table[-1, node, room]
    steps: list[tuple[NDArray[np.int64], BoolArray]] = []
    for q in range(len(sets.inside) - 1, -1, -1):
        table = sets.table[q]
        left = np.where(sacks.valid[q, node], room - sacks.size[q, node], 0)
        into = np.flatnonzero(left >= 1)
        before = np.concatenate([np.arange(len(node)), into])
        chosen = np.arange(len(before)) >= len(node)
        worth = np.concatenate([worth, worth[into] + sets.profit[q, node[into]]])
        room = np.concatenate([room, left[into]])
        node = node[before]
        if len(node) > most:
            loss = best[node] - worth - table[node, room]
            order = np.lexsort((loss, node))
            first = order[np.searchsorted(node[order], np.arange(nodes))]
            loss[first] = -np.inf  # so that each node has one
            kept = np.sort(np.argpartition(loss, most)[:most])
            before, chosen = before[kept], chosen[kept]
            worth, room, node = worth[kept], room[kept], node[kept]
        steps.append((before, chosen))
    return _listed(sacks, node, steps)


def _listed(
    sacks: Knapsacks, node: NDArray[np.int64], steps: list[tuple[NDArray[np.int64], BoolArray]]
) -> NearBest:
    """The sets at the end of some steps, each a row before it and whether a task is taken."""
    row, cost = np.arange(len(node)), np.zeros(len(node))
    number, task = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for q, (before, chosen) in enumerate(reversed(steps)):
        inside = np.flatnonzero(chosen[row])
        number.append(inside)
        task.append(sacks.task[q, node[inside]])
        cost[inside] += sacks.cost[q, node[inside]]
        row = before[row]
    return NearBest(node, cost, np.concatenate(number), np.concatenate(task))


def sharpened(
    sacks: Knapsacks,
    prices: FloatArray,
    enough: float,
    look: Callable[[], float],
    rounds: int = _ROUNDS,
) -> FloatArray:
    """Prices with a bound that is at least as high, as high as any where programs tell.

    Parameters
    ----------
    prices : float64[F]
        Of the free tasks.
    enough
        A bound that is high enough.
    look
        Called before bounds are computed: the seconds that are left. It may raise.
    rounds
        Programs at most.
    """
    look()
    sets = sacks.best(prices)
    width = _WIDTH * float(np.abs(prices).mean())
    least, near = _LEAST * width, _NEAR * abs(sets.bound)
    beside: NearBest | None = None
    for _ in range(rounds):
        if sets.bound >= enough or width < least:
            break
        known = near_best(sacks, sets)
        known = known if beside is None else known.and_others(beside)
        found = program(sacks, known, prices, width, look())
        if found is None:
            break
        tried = prices + _STEPS[-1] * (found.prices - prices)
        prices, tries = towards(sacks, prices, found.prices, sets.bound, look)
        width *= _FARTHER if tries == 1 else 1 / _CLOSER ** (tries - 1)
        # Where no step is better, sets are missing: those that are best where it led.
        beside = near_best(sacks, sacks.best(tried)) if tries > len(_STEPS) else None
        sets = sacks.best(prices)
        if not found.boxed and found.value + sacks.settled - sets.bound <= near:
            break
    return prices


def towards(
    sacks: Knapsacks,
    prices: FloatArray,
    others: FloatArray,
    bound: float,
    look: Callable[[], float],
) -> tuple[FloatArray, int]:
    """Prices part of the way to others, if their bound is higher, and what number of step it is."""
    for n, step in enumerate(_STEPS):
        look()
        tried = prices + step * (others - prices)
        if sacks.best(tried).bound > bound:
            return tried, n + 1
    return prices, len(_STEPS) + 1


class Found(NamedTuple):
    """What a program comes to."""

    prices: FloatArray  # [F]
    value: float
    taken: FloatArray  # [P] the part of each set
    boxed: bool  # whether prices are held by the slack


def program(
    sacks: Knapsacks, known: NearBest, prices: FloatArray, width: float, seconds: float
) -> Found | None:
    """The program over some sets, with slack of a width; ``None`` if it is not solved in time."""
    tasks, nodes, count = len(prices), len(sacks.room), len(known.node)
    every, each = np.arange(tasks), np.arange(count)
    row = np.concatenate([known.task, tasks + known.node, every, every])
    column = np.concatenate([known.set, each, count + every, count + tasks + every])
    entry = np.ones(len(row))
    entry[len(row) - tasks :] = -1.0
    size = (tasks + nodes, count + 2 * tasks)
    matrix: Any = csc_matrix((entry, (row, column)), shape=size)
    goal = np.concatenate([known.cost, prices + width, width - prices])
    one = np.ones(tasks + nodes)
    options: Any = {"presolve": False}
    if np.isfinite(seconds):
        options["time_limit"] = max(seconds, 0.0)
    found: Any = linprog(goal, A_eq=matrix, b_eq=one, method="highs-ds", options=options)
    if found.status != 0:
        return None
    duals, taken = np.asarray(found.eqlin.marginals, float), np.asarray(found.x, float)
    boxed = bool(taken[count:].sum() > _SLACK)
    return Found(duals[:tasks], float(found.fun), taken[:count], boxed)
