"""Tasks shared out among nodes in fractions: the linear relaxation of placement.

Sets and parameters
    tasks i, groups of nodes g; a_ig cost of i on g; p_ig slot-seconds; S_g slots; r_ig resident
    bytes, M_g memory; q_ig length of the longest path through i on g; for each budget b: use
    c_big, use per second of length d_b, limit B_b
Variables
    x_ig >= 0 fractions; length L >= L0, a bound of it that is known
Constraints and objective
    minimize    sum_ig a_ig x_ig + w L
    one task    sum_g x_ig = 1                             for each i
    load        sum_i p_ig x_ig <= S_g L                   for each g    (price u_g)
    path        sum_g q_ig x_ig <= L                       for each i    (price v_i)
    memory      sum_i r_ig x_ig <= M_g                     for each g    (price m_g)
    budget      sum_ig c_big x_ig + d_b L <= B_b           for each b    (price y_b)

For any prices >= 0 with sum_g S_g u_g + sum_i v_i <= w + sum_b y_b d_b =: W,

    sum_i min_g (a_ig + u_g p_ig + v_i q_ig + m_g r_ig + sum_b y_b c_big) - m M - y B
    + (W - sum_g S_g u_g - sum_i v_i) L0

is a bound. A linear program only finds good prices; the bound is computed from them, so that
neither the solver's tolerances nor prices from a sample of the tasks can make it wrong.

Source: Lenstra, Shmoys, Tardos 1990, "Approximation algorithms for scheduling unrelated parallel
machines", (1) to (4); Lagrangian bound as in Fisher 1981.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array

from offload.arrays import BoolArray, FloatArray

__all__ = ["Budget", "Prices", "Shares", "best_prices", "free", "priced"]

_ROUNDING = 1e-12  # relative to the terms of a bound, that it is lowered by
_CELLS = 12_000  # fractions up to which the program is solved whole; a sample of tasks above


class Budget(NamedTuple):
    """An upper bound of a sum over tasks, and of what each second of the plan adds to it."""

    use: FloatArray  # [T, G]
    per_second: float
    limit: float


class Shares(NamedTuple):
    """The program: see the module's text. Rows that do not matter are ``None``."""

    cost: FloatArray  # [T, G], infinite where a task is barred
    load: FloatArray  # [T, G]
    slots: FloatArray  # [G]
    weight: float
    known: float = 0.0  # L0
    path: FloatArray | None = None  # [T, G]
    size: FloatArray | None = None  # [T, G]
    room: FloatArray | None = None  # [G]; infinite without a limit
    budgets: tuple[Budget, ...] = ()

    def sample(self, rows: NDArray[np.integer]) -> Shares:
        """Some of the tasks, with their part of all that is shared."""
        part = len(rows) / max(1, len(self.cost))
        budgets = tuple(Budget(b.use[rows], b.per_second, b.limit * part) for b in self.budgets)
        return Shares(
            self.cost[rows], self.load[rows], self.slots * part, self.weight, self.known, None,
            None if self.size is None else self.size[rows],
            None if self.room is None else self.room * part, budgets,
        )  # fmt: skip


class Prices(NamedTuple):
    """Prices of the rows of :class:`Shares`."""

    load: FloatArray  # [G]
    path: FloatArray  # [T]
    room: FloatArray  # [G]
    budget: FloatArray  # [B]


def best_prices(shares: Shares) -> Prices | None:
    """Prices that make the bound (nearly) as high as it gets; ``None`` where none are found.

    Above a number of fractions they are those of a sample of the tasks.
    """
    count, groups = shares.cost.shape
    if not count or not groups:
        return None
    cells = count * groups
    if cells > _CELLS:
        rows = np.linspace(0, count - 1, max(1, _CELLS // groups)).astype(np.int64)
        found = _solve(shares.sample(np.unique(rows)))
        return None if found is None else found._replace(path=np.zeros(count))
    return _solve(shares)


def free(shares: Shares) -> Prices:
    """Prices of 0: each task goes where it costs least."""
    count, groups = shares.cost.shape
    none = np.zeros(groups)
    return Prices(none, np.zeros(count), none, np.zeros(len(shares.budgets)))


def priced(shares: Shares, prices: Prices) -> float:
    """The bound that prices prove; infinite where some task is barred everywhere."""
    load, path, room, budget = (np.maximum(np.nan_to_num(p), 0.0) for p in prices)
    if shares.path is None:
        path = np.zeros_like(path)
    if shares.room is not None:
        room = np.where(np.isfinite(shares.room), room, 0.0)
    limited = list(zip(budget.tolist(), shares.budgets, strict=True))
    allowed = shares.weight + sum(y * b.per_second for y, b in limited)
    asked = float(shares.slots @ load) + float(path.sum())
    if asked > 0 and (asked > allowed or not shares.known):
        load, path, asked = load * (allowed / asked), path * (allowed / asked), allowed
    total = shares.cost + load * _finite(shares.load)
    if shares.path is not None and path.any():
        total += path[:, None] * _finite(shares.path)
    terms: list[float] = [(allowed - asked) * shares.known]
    if shares.size is not None and shares.room is not None and room.any():
        total += room * _finite(shares.size)
        terms.append(-float(room @ np.where(room > 0, shares.room, 0.0)))
    for y, b in limited:
        if y > 0:
            total += y * _finite(b.use)
            terms.append(-y * b.limit)
    least = total.min(axis=1)
    magnitude = float(np.abs(least).sum()) + allowed * shares.known + sum(map(abs, terms))
    value: float = float(least.sum()) + sum(terms)
    return value - _ROUNDING * magnitude if np.isfinite(value) else value


def _finite(table: FloatArray) -> FloatArray:
    """Where a task is barred its cost is infinite already; 0 * inf must not make it undefined."""
    return np.where(np.isfinite(table), table, 0.0)


def _solve(shares: Shares) -> Prices | None:
    """Optimal prices by linear programming (HiGHS)."""
    rows = _Rows(shares)
    count, groups = shares.cost.shape
    if not rows.task.size or len(np.unique(rows.task)) < count:
        return None
    known = shares.known
    rows.add(rows.group, shares.load, shares.slots, shares.slots * known)
    spans = [rows.count]
    if shares.path is not None:
        rows.add(rows.task, shares.path, 1.0, np.full(count, known))
    spans.append(rows.count)
    if shares.size is not None and shares.room is not None:
        bounded = np.isfinite(shares.room)
        sizes = np.where(bounded, _finite(shares.size), 0.0)
        rows.add(rows.group, sizes, 0.0, np.where(bounded, shares.room, 1.0))
    spans.append(rows.count)
    for budget in shares.budgets:
        left = np.array([budget.limit - budget.per_second * known])
        rows.add(np.zeros_like(rows.task), budget.use, -budget.per_second, left)
    prices = rows.solve()
    if prices is None:
        return None
    load, path, room, limits = np.split(prices, spans)
    if not len(path):
        path = np.zeros(count)
    return Prices(load, path, room if len(room) else np.zeros(groups), limits)


class _Rows:
    """Rows ``sum use x - on_length L <= right`` over the fractions that are possible."""

    def __init__(self, shares: Shares) -> None:
        self.shares = shares
        fine: BoolArray = np.isfinite(shares.cost) & np.isfinite(shares.load)
        self.task, self.group = np.nonzero(fine)
        self.count = 0
        self._row: list[NDArray[np.int64]] = []
        self._column: list[NDArray[np.int64]] = []
        self._value: list[FloatArray] = []
        self._right: list[FloatArray] = []

    def add(
        self, row: NDArray[np.int64], use: FloatArray, length: FloatArray | float, right: FloatArray
    ) -> None:
        """Rows with one number a fraction: ``row`` says to which of them each belongs.

        ``length`` is what each second beyond the known length adds to the right side.
        """
        many = len(right)
        cells = len(self.task)
        self._row += [row + self.count, np.arange(many) + self.count]
        self._column += [np.arange(cells), np.full(many, cells)]
        self._value += [
            _finite(use)[self.task, self.group], np.broadcast_to(-np.asarray(length), many),
        ]  # fmt: skip
        self._right.append(right)
        self.count += many

    def solve(self) -> FloatArray | None:
        """Prices of all rows, >= 0; ``None`` where the solver finds none."""
        cells, shares = len(self.task), self.shares
        row, column = np.concatenate(self._row), np.concatenate(self._column)
        value, right = np.concatenate(self._value), np.concatenate(self._right)
        # Rows of like magnitude keep the solver within its own tolerances.
        scale = np.zeros(self.count)
        np.maximum.at(scale, row, np.abs(value))
        scale = np.where(scale > 0, scale, 1.0)
        matrix: Any = csr_array((value / scale[row], (row, column)), shape=(self.count, cells + 1))
        whole: Any = csr_array(
            (np.ones(cells), (self.task, np.arange(cells))), shape=(len(shares.cost), cells + 1)
        )
        cost = np.append(shares.cost[self.task, self.group], shares.weight)
        size = np.abs(cost).max(initial=0.0) or 1.0
        found = linprog(
            cost / size, matrix, right / scale, whole, np.ones(len(shares.cost)), method="highs"
        )
        if found.status != 0:
            return None
        prices: FloatArray = np.maximum(-found.ineqlin.marginals, 0.0) * size / scale
        return prices
