"""Method `min-cut`: tasks on two nodes a and b by a minimum cut (DADS).

Sets
    tasks i; items h with their source u_h and readers R_h; data d with their readers R_d
Parameters
    a_i, b_i  least cost of task i on a and on b; infinite where it cannot run
    c_h, c'_h least cost of moving item h from a to b, and from b to a; infinite without a route
    f_d, f'_d least cost of fetching data d to a and to b; 0 at a home
Graph
    source (a) and sink (b), a vertex for each task; tasks of one group "together", and those bound
    to one of the nodes, are merged
    i -> sink  a_i,     source -> i  b_i
    u_h -> v  c_h,      v -> u_h  c'_h                  of an item with one reader v
    u_h -> p  c_h,      p -> v infinite for v in R_h    with several: p is at b if any of them is
    v -> q infinite,    q -> u_h  c'_h                  and q is at a if any of them is
    v -> x infinite,    x -> sink  f_d                  likewise for data: x is at a if a reader is
    y -> v infinite,    source -> y  f'_d

A cut of finite capacity is a placement on a and b, and costs what it adds to energy, cost, risk and
traffic; each item is paid once for a direction, however many read it. So where no other node runs
tasks, the least cut is a lower bound of any goal that is a sum of these, whatever else the
instance asks for (memory, "apart", "contiguous", deadlines, limits: they only take plans away); and
its placement is optimal if it keeps the rest. With copies of data or several homes, f_d is the
least over all sources that there might be, and the bound may lie below the optimum.

Latency is no sum, save where tasks run one after another anyhow. Let each task of the topological
order but the first have an edge from the one before. Then for any plan

    latency >= sum_i (time of i) + sum_i (largest delay of the edges from i to the next)

since each task starts after the one before has finished and its edges have arrived; and with a
vertex pair for each step this is a cut, with what the plan spends in the same program. So the cut
is a lower bound of weighted sums of latency and the four (energy with its idle power). It is
attained, so that the cut is optimal for latency, if the graph is a path (no further edges, so that
nothing else is waited for) and has no release times, no reads and no present places, and either no
codecs or no metric beside latency: every task then starts when its one input is there, on a node
that is idle, over links that are idle, so slots and channels never delay it. On any other graph
latency is replaced by the sum of all times, as in the paper: a heuristic, and the bound is that of
the other metrics and of `offload.bounds` for latency.

One limit is priced by a Lagrange multiplier w (Geoffrion 1974): for each w >= 0 the least cut of
goal + w (metric - limit) is a bound. The multiplier of the best bound lies where the lines of two
placements meet, one that keeps the limit and one that breaks it (a step of cutting planes).

Where more than two nodes can run tasks, each pair of nodes is tried, and no bound is given.

Work (`work_limit`) is cuts.

Sources: Hu, Bao, Wang, Liu, "Dynamic adaptive DNN surgery for inference acceleration on the edge",
INFOCOM 2019, section IV; Stone 1977, "Multiprocessor scheduling with the aid of network flow
algorithms"; readers of one item through a vertex: Ihler, Wagner, Wagner 1993, "Modeling
hypergraphs by graphs with the same mincut properties".
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from formulations.cut_model import CutModel
from offload.arrays import BoolArray, IntArray
from offload.bounding.chains import Terms, forced, terms_of, usable_on
from offload.bounds import lower_bound, proved
from offload.evaluator import evaluate_unchecked
from offload.heuristics.decisions import topological_order
from offload.heuristics.merit import merits
from offload.heuristics.ranks import upward_ranks
from offload.plan import Plan
from offload.registry import Answer, Request, Stopped

__all__ = ["solve"]

_PAIRS = 60  # of nodes, at most: those listed first
_PRICES = 25  # of a limit that are tried


def solve(request: Request) -> Answer:
    """The placement of the least cut, and its bound where only two nodes can run tasks."""
    tables, goal = request.problem.tables, request.goal
    answer = Answer(request.start)
    terms = terms_of(tables, goal.minimize)
    if terms is None:
        answer.reason = "the goal has a metric that is no sum: completion, tardiness or period"
        return answer
    usable = usable_on(tables)
    nodes = np.flatnonzero(usable.any(axis=0)).tolist()
    if not tables.tasks or not nodes:
        return answer
    pairs = list(combinations(nodes, 2)) if len(nodes) > 1 else [(nodes[0], nodes[0])]
    pairs = [pair for pair in pairs if usable[:, pair].any(axis=1).all()]
    cuts = _Cuts(request, usable, terms)
    try:
        for pair in pairs[:_PAIRS]:
            cuts.look_at(pair, bounding=len(nodes) <= 2)
    except Stopped as stop:
        answer.stopped = str(stop)
    answer.plan, answer.bound, answer.infeasible = cuts.plan, cuts.bound, cuts.infeasible
    if answer.plan is None and not answer.stopped:
        answer.reason = "no placement by a least cut keeps all rules and limits"
        if not pairs:
            answer.reason = "no two nodes can run all tasks between them"
    return answer


class _Cuts:
    """The best plan and bound of the cuts made so far."""

    def __init__(self, request: Request, usable: BoolArray, terms: Terms) -> None:
        self.request, self.usable, self.terms = request, usable, terms
        self.plan = request.start
        self.bound: float | None = None
        self.infeasible = False
        self.made = 0
        tables = request.problem.tables
        self.orders = np.stack(
            [tables.topological, topological_order(request.problem, -upward_ranks(tables))]
        )

    @property
    def value(self) -> float:
        """Objective of the best plan."""
        return np.inf if self.plan is None else self.plan.objective(self.request.goal.minimize)

    def look_at(self, pair: tuple[int, int], bounding: bool) -> None:
        """Cut between two nodes; with no other nodes for tasks the cut bounds all plans."""
        tables, terms = self.request.problem.tables, self.terms
        chained = forced(tables)
        certain = chained or not terms.seconds
        model = CutModel(tables, pair, self.usable)
        if bounding and model.impossible:
            self.infeasible = True
            return
        first = self._cut(model, terms, chained, bounding and certain)
        if bounding and not certain and terms.spent:
            self._bound_of_rest(model)
        if first is None or self._done:
            return
        if len(self.request.goal.limits) == 1 and not self.request.keeps(first):
            self._priced(model, first, chained, bounding and certain)

    @property
    def _done(self) -> bool:
        low = max(self.request.bound, -np.inf if self.bound is None else self.bound)
        return self.plan is not None and proved(self.value, low, self.request.gap)

    def _cut(
        self, model: CutModel, terms: Terms, chained: bool, bounding: bool, offset: float = 0.0
    ) -> Plan | None:
        """The plan of one cut, kept if it is the best; its value less an offset is a bound."""
        request = self.request
        request.go_on()
        if request.work_limit is not None and self.made >= request.work_limit:
            raise Stopped("work")
        self.made += 1
        found = model.cut(terms, chained)
        if found is None:
            return None
        value, nodes = found
        if bounding:
            self._raise(value - offset)
        plan = self._timed(nodes, model, terms)
        if plan.objective(request.goal.minimize) < self.value and request.keeps(plan):
            self.plan = plan
            request.report(plan, None)
        return plan

    def _raise(self, bound: float) -> None:
        if self.bound is None or bound > self.bound:
            self.bound = bound
            self.request.report(None, bound)

    def _bound_of_rest(self, model: CutModel) -> None:
        """The cut of what is a sum, beside a bound of latency."""
        problem, terms = self.request.problem, self.terms
        rest = lower_bound(problem, {"latency": terms.seconds}, self.request.goal.limits)
        found = model.cut(Terms(terms.spent, 0.0), chained=False)
        if found is not None and np.isfinite(rest):
            self._raise(found[0] + rest)

    def _timed(self, nodes: IntArray, model: CutModel, terms: Terms) -> Plan:
        """The better of two orders of the tasks on the nodes of a cut, timed exactly."""
        modes, codecs = model.choices(nodes, terms)
        rows = [
            None if row is None else np.repeat(row[None], len(self.orders), axis=0)
            for row in (nodes, modes, codecs)
        ]
        assert rows[0] is not None
        made = evaluate_unchecked(
            self.request.problem, rows[0], self.orders, rows[1], rows[2],
            limits=self.request.goal.limits,
        )  # fmt: skip
        over, value = merits(self.request.goal, made)
        return made.plan(int(np.lexsort((value, over))[0]))

    def _priced(self, model: CutModel, over: Plan, chained: bool, bounding: bool) -> None:
        """Prices of the one limit, by the lines of a plan that breaks it and one that does not."""
        goal, tables = self.request.goal, self.request.problem.tables
        ((metric, limit),) = goal.limits.items()
        cost = terms_of(tables, {metric: 1.0})
        if cost is None:
            return
        bounding = bounding and (chained or not cost.seconds)
        under = self._cut(model, cost, chained, False)
        for _ in range(_PRICES):
            if under is None or under.metrics[metric] > limit:
                return
            (low, much), (high, little) = (
                (plan.objective(goal.minimize), plan.metrics[metric]) for plan in (over, under)
            )
            if not (high > low and much > little):
                return
            price = (high - low) / (much - little)
            found = self._cut(model, self.terms.plus(cost, price), chained, bounding, price * limit)
            if found is None or self._done:
                return
            here = found.objective(goal.minimize) + price * found.metrics[metric]
            if here >= (low + price * much) * (1 - 1e-12):
                return
            over, under = (over, found) if found.metrics[metric] <= limit else (found, under)
