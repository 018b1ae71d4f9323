"""Method `node-columns`: a bound on sums over tasks and transfers, by sets of tasks for nodes.

Sets
    tasks i, j; nodes k, l; edges e = (i, j); columns S: sets of tasks that fit on a node.
Parameters
    a_ik least cost of task i on node k; b_ekl least cost of edge e with its ends on k and l;
    r_ik resident bytes, M_k memory; p_ik s_i slot-seconds, and L_k the slot-seconds of node k
    between the earliest start and the latest finish of anything there, where latency is limited.
Variables
    x_ik, y_ekl in [0, 1] (RLT; Adams, Sherali 1986);  lambda_kS >= 0  node k runs just S.
Linear program
    minimize     sum a_ik x_ik + sum b_ekl y_ekl
    one place    sum_k x_ik = 1
    pairs        sum_l y_ekl = x_ik,   sum_k y_ekl = x_jl
    columns      x_ik = sum_{S: i in S} lambda_kS,   y_ekk <= sum_{S: i, j in S} lambda_kS
                 sum_S lambda_kS <= 1,  over S with sum_{i in S} r_ik <= M_k, sum p_ik s_i <= L_k
Pricing, for each node: a quadratic knapsack problem
    minimize     sum rho_ik z_i + sum omega_ek z_i z_j   over sets that fit

Any prices rho, omega of the rows that tie columns to places give a bound (Geoffrion 1974): the
program without those rows at reduced costs, and the best sets of all nodes. So each round gives
one, however far the program is from its optimum. Prices move in a box around the best so far.

Work (`work_limit`) is rounds.

Sources: Dantzig, Wolfe 1960; Johnson, Mehrotra, Nemhauser 1993, "Min-cut clustering" (node sets as
columns); du Merle, Villeneuve, Desrosiers, Hansen 1999, "Stabilized column generation".
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from formulations.node_master import Master
from formulations.node_parts import Parts
from formulations.node_pricing import Knapsack
from offload.arrays import FloatArray
from offload.bounds import proved
from offload.registry import Answer, Request

__all__ = ["solve"]

_CONVERGED = 1e-3  # of the bound: less is not worth another round
_WIDER = 1e-6  # relative: limits of the program are wider by this, above all tolerances
_FIRST = 64  # parts of a task's share of the objective that the box is wide at first
_NULLS = 3  # rounds without a better bound after which the box shrinks
_THREADS = 2


def solve(request: Request) -> Answer:
    """Raise the bound of the plan at hand as far as the linear program goes; no plan is sought."""
    parts = Parts(request)
    answer = Answer(request.start)
    if request.start is None or not (parts.paired and parts.short):
        answer.reason = None if request.start is not None else "there is no plan to start from"
        return answer
    climb = _Climb(request, parts, request.start.nodes)
    climb.run()
    answer.bound = climb.bound if isfinite(climb.bound) else None
    if not proved(climb.value, climb.bound, request.gap):
        answer.stopped = request.stopped or (None if request.work_limit is None else "work")
    return answer


class _Climb:
    """Rounds of linear program and pricing, the best bound kept."""

    def __init__(self, request: Request, parts: Parts, nodes: NDArray[np.int32]) -> None:
        assert request.start is not None
        tables = parts.tables
        self.request, self.parts = request, parts
        self.value = request.start.objective(request.goal.minimize)
        self.sacks = [Knapsack(parts, k) for k in range(tables.nodes)]
        limits = [
            (k, use[:, k], float(room[k]) * (1 + _WIDER))
            for use, room in ((parts.size, parts.room), (parts.load, parts.span))
            for k in np.flatnonzero(np.isfinite(room)).tolist()
        ]
        self.master = Master(parts.cost, parts.pair, tables.edge_src, tables.edge_dst, limits)
        self.bound = -np.inf
        self.rounds = 0
        for k, sack in enumerate(self.sacks):
            chosen = np.flatnonzero(nodes == k).tolist()
            if sack.holds(chosen):
                self.master.add(k, chosen)
        # Prices are costs of a task: the box is a small part of the cost of one, at first.
        self.width = self.value / (_FIRST * max(1, tables.tasks))

    def run(self) -> None:
        """Until nothing is left to gain, or a stop."""
        request = self.request
        with ThreadPoolExecutor(min(request.threads or _THREADS, len(self.sacks))) as pool:
            center = self.master.relaxed(request.seconds_left)
            if center is None:
                return
            self._price(pool, center)
            nulls = 0
            while not self._ended:
                self.rounds += 1
                self.master.box(center, self.width)
                solved = self.master.solve(request.seconds_left)
                if solved is None:
                    return
                prices, predicted = solved[0], solved[1] + self.parts.rest
                known = self.bound
                found, news = self._price(pool, prices)
                gained, hoped = found - known, predicted - known
                if hoped <= _CONVERGED * abs(predicted) or not (news or gained > 0):
                    if not self.master.boxed or self.width > self.value:
                        return
                    self.width *= 3.0
                if gained > 0:
                    center, nulls = prices, 0
                    self.width *= 1.5 if gained > 0.3 * hoped else 1.0
                else:
                    nulls += 1
                    if nulls >= _NULLS:
                        self.width, nulls = 0.8 * self.width, 0

    @property
    def _ended(self) -> bool:
        request = self.request
        spent = request.work_limit is not None and self.rounds >= request.work_limit
        return bool(spent or request.stopped or proved(self.value, self.bound, request.gap))

    def _price(self, pool: ThreadPoolExecutor, prices: FloatArray) -> tuple[float, bool]:
        """The bound at these prices; sets that would lower the program's value join it."""
        master = self.master
        running = [
            pool.submit(sack.best, *master.prices_of(prices, k), self.request)
            for k, sack in enumerate(self.sacks)
        ]
        sets = [future.result() for future in running]
        bound = master.value_at(prices) + sum(min(0.0, least) for least, _ in sets)
        bound += self.parts.rest
        bound -= 1e-9 * abs(bound)  # what sums of floats may have lifted it by
        news = False
        for k, (_, found) in enumerate(sets):
            for chosen in found:
                news |= master.add(k, chosen)
        if bound > self.bound:
            self.bound = bound
            self.request.report(None, bound)
        return bound, news
