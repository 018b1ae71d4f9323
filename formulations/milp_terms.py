"""What both MILP models share: rows of a PuLP problem, placement rules, transfers and metrics.

Sets: tasks i, j in T; nodes k, l in N; A_i the nodes on which task i may run; items h, each from
its source over edges e to its readers; groups G.

Variables: x_ik in {0, 1}, task i runs on node k in A_i; y_ekl >= 0, edge e goes from k to l
(x_ik x_jl); z_hkl >= 0, item h is sent from k to l != k, once for all its readers there.

    one node        sum_k x_ik = 1                                                 i in T
    pairs           sum_l y_ekl = x_ik,  sum_k y_ekl = x_jl                        e = (i, j)
    items           z_hkl >= y_ekl                                                 e of h, k != l
    routes          x_ik <= sum_l x_jl, l within reach of k; and the other way     e = (i, j)
    together        x_ik = x_jk                                                    i, j in G
    apart           sum_{i in G} x_ik <= 1                                         k in N
    contiguous      f_vk >= x_uk - x_vk,  f_vk >= f_uk,  x_vk + f_uk <= 1          edges (u, v) in G
                    (f_uk >= 0: some path in G has left k by u)
    memory          sum_i r_ik x_ik + w_k <= memory_k,  w_k >= m_ik x_ik           one task at a time
    limits          metric <= limit

The pairs are the reformulation-linearization of Adams, Sherali 1986 (Management Science 32,
"A tight linearization and an algorithm for zero-one quadratic programming problems"), eq. 5-8.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

import numpy as np
import pulp
from numpy.typing import NDArray

from formulations.coefficients import placement_cost, times_table, transfer_cost
from offload.features import Goal
from offload.plan import Plan
from offload.problem import Problem
from offload.tables import TOLERANCE as CHECKED

__all__ = ["Case", "Model", "Placement", "Terms", "power_of_two"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Terms = dict[pulp.LpVariable, float]

FAVOUR = 2 * CHECKED  # limits and capacities are this much wider: the checker has the last word
SIZE = 1024.0  # largest numbers in rows and objective after scaling, about
STATIC = ("energy", "cost", "risk", "traffic")  # sums over placements and transfers


def power_of_two(value: float) -> float:
    """The power of two at or below a positive number, 1 for 0: scaling by it rounds nothing."""
    return 2.0 ** math.floor(math.log2(value)) if value > 0 else 1.0


class Case:
    """An instance and a goal as the numbers that both models need.

    Attributes
    ----------
    usable : bool[T, K]
        Nodes on which a task may run, memory included.
    length : float64[T, K]
        Execution in seconds, infinite where a task may not run.
    delay : float64[I, K, K]
        Arrival minus start of an item's transfer; infinite without a permitted route.
    """

    def __init__(self, problem: Problem, goal: Goal) -> None:
        self.problem, self.goal = problem, goal
        self.tables = tables = problem.tables
        task, node = np.arange(tables.tasks)[:, None], np.arange(tables.nodes)[None, :]
        length = times_table(tables)
        self.resident = tables.resident_of(task, node)
        # A task that takes no time holds no working memory (SPEC section 3).
        self.memory = np.where(length > 0, tables.memory_of(task, node), 0.0)
        self.capacity = tables.memory_capacity * (1 + FAVOUR)
        self.usable = np.isfinite(length) & (self.resident + self.memory <= self.capacity)
        self.length = np.where(self.usable, length, np.inf)
        pairs = np.arange(tables.nodes)
        self.delay = tables.transfer(
            tables.item_bytes[:, None, None], pairs[:, None], pairs[None, :],
            rule=tables.item_rule[:, None, None],
        ).total  # fmt: skip

    def weight(self, metric: str) -> float:
        """The metric's weight in the objective."""
        return self.goal.minimize.get(metric, 0.0)

    @cached_property
    def load(self) -> FloatArray:
        """What a task adds to the load of a node, seconds; 0 where it may not run. [T, K]."""
        length = np.where(self.usable, self.length, 0.0)
        slots = np.maximum(self.tables.node_slots, 1)
        return length * self.tables.task_slots[:, None] / slots


class Model:
    """A PuLP problem under construction, its rows named after their rules.

    Attributes
    ----------
    problem
        The PuLP problem; it can be written as LP or MPS.
    unit
        The objective is in this many units of the goal's.
    """

    def __init__(self, name: str) -> None:
        self.problem = pulp.LpProblem(name, pulp.LpMinimize)
        self.unit = 1.0
        self._rows: dict[str, int] = {}

    def binary(self, name: str) -> pulp.LpVariable:
        """A variable that is 0 or 1."""
        return self.problem.add_variable(name, 0, 1, pulp.LpInteger)

    def number(self, name: str, low: float = 0.0, high: float | None = 1.0) -> pulp.LpVariable:
        """A continuous variable."""
        return self.problem.add_variable(name, low, high)

    def row(self, rule: str, terms: Terms, sense: str, right: float) -> None:
        """A constraint ``terms <= right`` (or ``=``, ``>=``) under the name of its rule."""
        number = self._rows[rule] = self._rows.get(rule, -1) + 1
        kind = {"<=": pulp.LpConstraintLE, "=": pulp.LpConstraintEQ, ">=": pulp.LpConstraintGE}
        expression = pulp.LpAffineExpression(terms)
        made = pulp.LpConstraint(expression, kind[sense], f"{rule}_{number}", float(right))
        self.problem.addConstraint(made)

    def at_most(self, rule: str, terms: Terms, limit: float) -> None:
        """``terms <= limit`` for amounts >= 0, scaled, and in a plan's favour."""
        terms = {v: a for v, a in terms.items() if a > 0}
        if not terms or not math.isfinite(limit):
            return
        if limit <= 0:
            self.row(rule, dict.fromkeys(terms, 1.0), "<=", 0.0)
            return
        unit = power_of_two(limit / SIZE)
        right = limit * (1 + FAVOUR) / unit
        # A 0-1 variable that breaks the limit alone is 0 under any coefficient above it.
        scaled = {v: min(a / unit, 2 * right) if v.upBound == 1 else a / unit for v, a in terms.items()}
        self.row(rule, scaled, "<=", right)

    def minimize(self, terms: Terms) -> None:
        """Set the objective, scaled so that no variable can add much more than ``SIZE`` to it."""
        reach = [abs(a) * (v.upBound or 0.0) for v, a in terms.items()]
        self.unit = power_of_two(max(reach, default=0.0) / SIZE)
        self.problem.setObjective(
            pulp.LpAffineExpression({v: a / self.unit for v, a in terms.items() if a})
        )

    @property
    def margin(self) -> float:
        """How far the solver's tolerance may lift its bound, in the objective's own unit.

        A reduced cost within the tolerance of 0 counts as 0, so that each variable may hide the
        tolerance times its range.
        """
        from formulations.milp_engine import TOLERANCE

        return TOLERANCE * sum((v.upBound or 0.0) - v.lowBound for v in self.problem.variables())


class Placement:
    """Variables x, y and z of a model, and the rules that need no times."""

    def __init__(self, case: Case, model: Model, usable: BoolArray | None = None) -> None:
        self.case, self.model = case, model
        self.usable = case.usable if usable is None else usable
        self.nodes_of = [np.flatnonzero(row).tolist() for row in self.usable]
        self.x = {
            (i, k): model.binary(f"x_{i}_{k}") for i, nodes in enumerate(self.nodes_of) for k in nodes
        }
        self.y: dict[tuple[int, int, int], pulp.LpVariable] = {}
        self.z: dict[tuple[int, int, int], pulp.LpVariable] = {}

    @property
    def chosen(self) -> NDArray[np.int32]:
        """The node of each task in the variables' values."""
        best = np.full(self.usable.shape, -1.0)
        for (i, k), x in self.x.items():
            best[i, k] = x.varValue
        return best.argmax(axis=1).astype(np.int32)

    def build(self, counted: NDArray[np.bool_]) -> None:
        """All rules but memory; pairs only for the items that ``counted`` (bool[I]) names."""
        self.one_node_each()
        for h in range(self.case.tables.items):
            edges = self.case.tables.item_edges.of(h).tolist()
            if counted[h]:
                for e in edges:
                    self.pairs(e)
                self.items(h, edges)
            else:
                for e in edges:
                    self.routes(e)
        groups = {"together": self.together, "apart": self.apart, "contiguous": self.contiguous}
        task = {name: i for i, name in enumerate(self.case.tables.task_ids)}
        for group in self.case.problem.graph.groups:
            if len(group.tasks) > 1:
                groups[group.rule]([task[name] for name in group.tasks])

    def on(self, tasks: Sequence[int], k: int, weight: FloatArray | None = None) -> Terms:
        """The placements of tasks on a node, weighted by float64[T, K]."""
        return {
            self.x[i, k]: 1.0 if weight is None else float(weight[i, k])
            for i in tasks
            if (i, k) in self.x
        }

    def one_node_each(self) -> None:
        for i, nodes in enumerate(self.nodes_of):
            self.model.row("one_node", {self.x[i, k]: 1.0 for k in nodes}, "=", 1)

    def _reach(self, e: int) -> BoolArray:
        """bool[K, K]: pairs of usable nodes with a permitted route for edge e."""
        tables = self.case.tables
        i, j, h = tables.edge_src[e], tables.edge_dst[e], tables.edge_item[e]
        ends = self.usable[i][:, None] & self.usable[j][None, :]
        reach: BoolArray = np.isfinite(self.case.delay[h]) & ends
        return reach

    def pairs(self, e: int) -> None:
        i, j = int(self.case.tables.edge_src[e]), int(self.case.tables.edge_dst[e])
        reach = self._reach(e)
        for k, l in zip(*(index.tolist() for index in np.nonzero(reach)), strict=True):
            self.y[e, k, l] = self.model.number(f"y_{e}_{k}_{l}")
        for k in self.nodes_of[i]:
            terms = {self.y[e, k, l]: 1.0 for l in np.flatnonzero(reach[k]).tolist()}
            self.model.row("pairs", {**terms, self.x[i, k]: -1.0}, "=", 0)
        for l in self.nodes_of[j]:
            terms = {self.y[e, k, l]: 1.0 for k in np.flatnonzero(reach[:, l]).tolist()}
            self.model.row("pairs", {**terms, self.x[j, l]: -1.0}, "=", 0)

    def items(self, h: int, edges: Sequence[int]) -> None:
        pairs = dict.fromkeys((k, l) for e in edges for k, l in self._pairs_of(e) if k != l)
        for k, l in pairs:
            moves = [self.y[e, k, l] for e in edges if (e, k, l) in self.y]
            if len(moves) == 1:
                self.z[h, k, l] = moves[0]
                continue
            sent = self.z[h, k, l] = self.model.number(f"z_{h}_{k}_{l}")
            for y in moves:
                self.model.row("items", {sent: 1.0, y: -1.0}, ">=", 0)

    def _pairs_of(self, e: int) -> list[tuple[int, int]]:
        return [(int(k), int(l)) for k, l in np.argwhere(self._reach(e))]

    def routes(self, e: int) -> None:
        i, j = int(self.case.tables.edge_src[e]), int(self.case.tables.edge_dst[e])
        reach = self._reach(e)
        for one, other, near in ((i, j, reach), (j, i, reach.T)):
            for k in self.nodes_of[one]:
                found = np.flatnonzero(near[k]).tolist()
                if len(found) < len(self.nodes_of[other]):
                    terms = {self.x[one, k]: 1.0, **{self.x[other, l]: -1.0 for l in found}}
                    self.model.row("routes", terms, "<=", 0)

    def together(self, tasks: Sequence[int]) -> None:
        first = tasks[0]
        for i in tasks[1:]:
            for k in sorted({*self.nodes_of[first], *self.nodes_of[i]}):
                terms = self.on([first], k)
                terms.update({x: -1.0 for x in self.on([i], k)})
                self.model.row("together", terms, "=", 0)

    def apart(self, tasks: Sequence[int]) -> None:
        for k in range(self.case.tables.nodes):
            terms = self.on(tasks, k)
            if len(terms) > 1:
                self.model.row("apart", terms, "<=", 1)

    def contiguous(self, tasks: Sequence[int]) -> None:
        tables, named = self.case.tables, set(tasks)
        ends = zip(tables.edge_src.tolist(), tables.edge_dst.tolist(), strict=True)
        edges = [(u, v) for u, v in dict.fromkeys(ends) if u in named and v in named]
        number = len([v for v in self.model.problem.variables() if v.name.startswith("left_")])
        for k in range(tables.nodes):
            left = {v: self.model.number(f"left_{number}_{v}_{k}") for v in tasks}
            for u, v in edges:
                back = {x: -1.0 for x in self.on([u], k)}
                self.model.row("leave", {left[v]: 1.0, **back, **self.on([v], k)}, ">=", 0)
                self.model.row("stay_away", {left[v]: 1.0, left[u]: -1.0}, ">=", 0)
                self.model.row("no_return", {left[u]: 1.0, **self.on([v], k)}, "<=", 1)

    def memory_one_at_a_time(self, k: int) -> None:
        case = self.case
        if not math.isfinite(case.capacity[k]):
            return
        tasks = [i for i in range(case.tables.tasks) if self.usable[i, k]]
        residents = self.on(tasks, k, case.resident)
        need = max((float(case.memory[i, k]) for i in tasks), default=0.0)
        if not any(residents.values()):
            return  # that each task alone fits is in ``usable`` already
        unit = power_of_two(float(case.capacity[k]) / SIZE)
        working = self.model.number(f"w_{k}", 0.0, need / unit)
        for i in tasks:
            if case.memory[i, k] > 0:
                terms = {working: 1.0, self.x[i, k]: -float(case.memory[i, k]) / unit}
                self.model.row("working", terms, ">=", 0)
        self.model.at_most("memory", {**residents, working: unit}, float(case.capacity[k]))

    # -- metrics ---------------------------------------------------------------------------------

    def counted(self, metrics: Collection[str]) -> BoolArray:
        """bool[I]: items whose transfers count in one of the metrics."""
        tables = self.case.tables
        return np.array(
            [
                any(transfer_cost(tables, m, h).any() for m in STATIC if m in metrics)
                for h in range(tables.items)
            ],
            bool,
        )

    def static(self, metric: str) -> Terms:
        """Energy without idle power, cost, risk or traffic over placements and transfers."""
        place = placement_cost(self.case.tables, metric)
        terms = {x: float(place[i, k]) for (i, k), x in self.x.items()}
        sent: dict[int, FloatArray] = {}
        for (h, k, l), z in self.z.items():
            if h not in sent:
                sent[h] = transfer_cost(self.case.tables, metric, h)
            if sent[h][k, l] > 0:
                terms[z] = terms.get(z, 0.0) + float(sent[h][k, l])
        return terms

    def period(self) -> Terms:
        """The largest load of a node; links without channels have none."""
        load = self.case.load
        tasks = range(self.case.tables.tasks)
        most = np.where(self.usable, load, 0.0).sum(axis=0).max(initial=0.0)
        unit = power_of_two(float(most) / SIZE)
        period = self.model.number("period", 0.0, float(most) / unit)
        for k in range(self.case.tables.nodes):
            terms = {x: -a / unit for x, a in self.on(tasks, k, load).items() if a > 0}
            if terms:
                self.model.row("load", {period: 1.0, **terms}, ">=", 0)
        return {period: unit}


def weighted(metrics: Mapping[str, Terms], weights: Mapping[str, float]) -> Terms:
    """The weighted sum of metrics as one expression."""
    total: Terms = {}
    for metric, weight in weights.items():
        if weight > 0:
            for variable, coefficient in metrics[metric].items():
                total[variable] = total.get(variable, 0.0) + weight * coefficient
    return total


def start_from(placement: Placement, plan: Plan) -> None:
    """Give the placement variables a plan's values; whatever else the model has follows."""
    for variable in placement.model.problem.variables():
        variable.varValue = None
    for (i, k), x in placement.x.items():
        x.varValue = float(plan.nodes[i] == k)
