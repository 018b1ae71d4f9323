"""Scheduling by big-M: placements, starts and orders in one mixed-integer program.

Sets: tasks i, j in T; nodes k, l in N; A_i the nodes of task i; edges e = (i, j); Anc(j), Desc(j)
the tasks with a path to and from j.

Data, all times in one unit: p_ik execution, c_ekl delay, s_i slots, w_i weight, due_i; head_ik,
tail_ik and late_ik of `milp_windows`, where head_i, tail_i are the least over k.

Variables, besides those of `milp_placement` (x, y, z) and `milp_orders` (b, q, o): S_i start,
F_i = S_i + sum_k p_ik x_ik; C latency; L_i >= 0 tardiness.

    minimize    sum_m weight_m metric_m, of which
                latency = C,  completion = sum_i w_i F_i,  tardiness = sum_i w_i L_i,
                energy = (placements and transfers) + (sum of idle power) C
    subject to  metric_m <= limit_m

    head        S_i >= sum_k head_ik x_ik                                          i in T
    late        F_i <= sum_k late_ik x_ik                                          i in T
    end         C >= F_i + sum_k tail_ik x_ik                                      i in T
    overdue     L_i >= F_i - due_i                                                 i in T
    arrival     S_j >= F_i + sum_kl c_ekl y_ekl                                    e with pairs
                S_j >= F_i + sum_l c_ekl x_jl - sum_k' max_l (c_ekl - c_ek'l)+ x_ik'   k in A_i,
                                                                                   other e
    load        C >= min_i head_i + sum_i p_ik s_i x_ik / slots_k + min_i tail_i   k in N
    ancestors   S_j >= min_i head_i + sum_{i in Anc(j)} p_ik s_i x_ik / slots_k    j in T, k in N
    descendants C >= F_j + sum_{i in Desc(j)} p_ik s_i x_ik / slots_k              j in T, k in N

The last three are implied, and make the linear relaxation stronger. The metrics of times never
fall when a task is delayed; so the longest path over the orders of a solution is as good as it.

Source: the model of Manne 1960 extended to unrelated nodes with delays; compare Davidovic,
Liberti, Maculan, Mladenovic 2007, "Towards the optimal solution of the multiprocessor scheduling
problem with communication delays" (MISTA), section 2.
"""

from __future__ import annotations

import heapq

import numpy as np
import pulp
from numpy.typing import NDArray

from formulations.milp_orders import Orders, Starts, precedence
from formulations.milp_placement import STATIC, Placement
from formulations.milp_terms import FAVOUR, Case, Model, Terms, weighted
from formulations.milp_windows import Windows
from offload.arrays import FloatArray
from offload.plan import Plan
from offload.retiming import retime

__all__ = ["SchedulingModel"]


class SchedulingModel(Model):
    """The model of a case; see the module's text."""

    def __init__(self, case: Case, most: float) -> None:
        super().__init__("scheduling", case.go_on)
        self.case, self.most, self.tables = case, most, case.tables
        self.windows = self.windows_of(most)
        if self.infeasible:
            return
        self.placement = self.placement_of()
        self.x = self.placement.x
        self.starts = Starts(self, self.windows, self.placement)
        self.related = precedence(case)
        self.orders = self.orders_of()

    def windows_of(self, most: float) -> Windows:
        """When tasks can run in plans of at most this objective."""
        return Windows(self.case, most)

    def placement_of(self) -> Placement:
        """Where they can run, and the rules on that."""
        return Placement(self.case, self, self.windows.usable)

    def orders_of(self) -> Orders:
        """In which orders."""
        return Orders(self.case, self.starts, self.related)

    @staticmethod
    def size_of(case: Case) -> int:
        """About how many rows and columns it will have."""
        tables = case.tables
        free = tables.tasks * (tables.tasks - 1) // 2 - int(precedence(case).sum())
        crowded = int((tables.node_slots > 1).sum())
        cycles = tables.tasks**3 // 6 if crowded else 0
        delays = tables.edges * tables.nodes * (tables.nodes + 2)
        return free * (5 + tables.nodes + 2 * crowded) + cycles + delays

    @property
    def infeasible(self) -> bool:
        """Whether the windows leave some task without a node."""
        return self.windows.empty

    def build(self) -> None:
        """Make all rows."""
        self.placement.build(self.case.goal.metrics)
        self.head()
        self.late()
        self.end()
        for e in range(self.tables.edges):
            self.arrival(e)
        self.orders.build()
        self.load()
        for j in range(self.tables.tasks):
            self.ancestors(j)
            self.descendants(j)
        self.goal()

    # -- rules -----------------------------------------------------------------------------------

    def head(self) -> None:
        for i, nodes in enumerate(self.placement.nodes_of):
            head = {self.x[i, k]: -float(self.windows.head[i, k]) for k in nodes}
            self.row("head", {self.starts.start[i]: 1.0, **head}, ">=", 0)

    def late(self) -> None:
        for i, nodes in enumerate(self.placement.nodes_of):
            late = {self.x[i, k]: -float(self.windows.late[i, k]) for k in nodes}
            self.row("late", total(self.starts.finish(i), late), "<=", 0)

    def end(self) -> None:
        horizon = self.windows.horizon * (1 + FAVOUR)
        self.latency = self.number("C", min(self.starts.soonest.max(), horizon), horizon)
        for i, nodes in enumerate(self.placement.nodes_of):
            tail = {self.x[i, k]: -float(self.windows.tail[i, k]) for k in nodes}
            terms = total({self.latency: 1.0}, self.starts.finish(i, -1.0), tail)
            self.row("end", terms, ">=", 0)

    def arrival(self, e: int) -> None:
        i, j = self.placement.ends(e)
        after = {self.starts.start[j]: 1.0, **self.starts.finish(i, -1.0)}
        delay = self.windows.delay[self.tables.edge_item[e]]
        reach = self.placement.reach(e)
        pairs = np.argwhere(reach & (delay > 0)).tolist()
        if not pairs:
            self.row("arrival", after, ">=", 0)
        elif all((e, k, l) in self.placement.y for k, l in pairs):
            wait = {self.placement.y[e, k, l]: -float(delay[k, l]) for k, l in pairs}
            self.row("arrival", {**after, **wait}, ">=", 0)
        else:
            self.arrival_by_sender(e, after, np.where(reach, delay, 0.0))

    def arrival_by_sender(self, e: int, after: Terms, delay: FloatArray) -> None:
        i, j = self.placement.ends(e)
        senders, readers = self.placement.nodes_of[i], self.placement.nodes_of[j]
        for k in senders:
            wait = {self.x[j, l]: -float(delay[k, l]) for l in readers if delay[k, l] > 0}
            excess = np.maximum(delay[k] - delay[senders], 0.0)[:, readers].max(axis=1)
            less = {self.x[i, other]: float(a) for other, a in zip(senders, excess, strict=True)}
            self.row("arrival", total(after, wait, less), ">=", 0)

    def load(self) -> None:
        tail = np.where(self.windows.usable, self.windows.tail, np.inf).min(axis=1)
        for k in range(self.tables.nodes):
            tasks = np.flatnonzero(self.case.load[:, k] * self.windows.usable[:, k] > 0)
            if len(tasks) > 1:
                least = float(self.starts.first[tasks].min() + tail[tasks].min())
                self.row("load", {self.latency: 1.0, **self._loads(tasks.tolist(), k)}, ">=", least)

    def ancestors(self, j: int) -> None:
        tasks = np.flatnonzero(self.related[:, j])
        for k in range(self.tables.nodes):
            loads = self._loads(tasks.tolist(), k)
            if len(loads) > 1:
                least = float(self.starts.first[tasks].min())
                self.row("ancestors", {self.starts.start[j]: 1.0, **loads}, ">=", least)

    def descendants(self, j: int) -> None:
        tasks = np.flatnonzero(self.related[j]).tolist()
        for k in range(self.tables.nodes):
            loads = self._loads(tasks, k)
            if len(loads) > 1:
                terms = {self.latency: 1.0, **self.starts.finish(j, -1.0), **loads}
                self.row("descendants", terms, ">=", 0)

    def _loads(self, tasks: list[int], k: int) -> Terms:
        load = self.case.load / self.windows.unit
        return {x: -a for x, a in self.placement.on(tasks, k, load).items() if a > 0}

    # -- goal ------------------------------------------------------------------------------------

    def goal(self) -> None:
        """Objective and limits."""
        goal = self.case.goal
        metrics = {metric: self.metric(metric) for metric in sorted(goal.metrics)}
        for metric, limit in goal.limits.items():
            slack = self.windows.slack(metric)
            self.at_most(f"limit_{metric}", metrics[metric], limit, slack)
        self.minimize(weighted(metrics, goal.minimize), self.most)

    def metric(self, metric: str) -> Terms:
        """A metric as an expression in its own unit."""
        if metric == "latency":
            return {self.latency: self.windows.unit}
        if metric == "completion":
            return self.completion()
        if metric == "tardiness":
            return self.tardiness()
        if metric == "period":
            return self.placement.period()
        assert metric in STATIC
        terms = self.placement.static(metric)
        if metric == "energy" and self.case.idle_power > 0:
            terms[self.latency] = self.case.idle_power * self.windows.unit
        return terms

    def completion(self) -> Terms:
        terms: Terms = {}
        for i in np.flatnonzero(self.tables.weight > 0).tolist():
            terms |= self.starts.finish(i, float(self.tables.weight[i]) * self.windows.unit)
        return terms

    def tardiness(self) -> Terms:
        terms: Terms = {}
        counted = np.isfinite(self.tables.due) & (self.tables.weight > 0)
        for i in np.flatnonzero(counted).tolist():
            due = float(self.tables.due[i]) / self.windows.unit
            late = self.number(f"L_{i}", 0.0, max(0.0, self.starts.latest[i] - due))
            terms[late] = float(self.tables.weight[i]) * self.windows.unit
            self.row("overdue", {late: 1.0, **self.starts.finish(i, -1.0)}, ">=", -due)
        return terms

    # -- plans -----------------------------------------------------------------------------------

    def start_from(self, plan: Plan) -> None:
        """Set the 0-1 variables' values to a plan; the times follow."""
        nodes = plan.nodes
        self.placement.start_from(nodes)
        begin, end = np.zeros(self.tables.tasks), np.zeros(self.tables.tasks)
        begin[plan.parts.task], end[plan.parts.task] = plan.parts.start, plan.parts.finish
        rank = np.empty(self.tables.tasks, np.int64)
        rank[np.lexsort((end, begin))] = np.arange(self.tables.tasks)
        for (i, j), q in self.orders.listed.items():
            q.varValue = float(rank[i] < rank[j])
        for (i, j), b in self.orders.before.items():
            b.varValue = float(rank[i] < rank[j] and end[i] <= begin[j])

    def plan(self) -> Plan:
        """The plan in the variables' values: the longest path over their orders, exactly."""
        nodes = self.placement.chosen
        start, finish = self._longest_path(nodes)
        return retime(self.case.problem, nodes, start, finish)

    def decisions(self) -> list[pulp.LpVariable]:
        """The 0-1 variables that make the plan what it is."""
        nodes = self.placement.chosen
        placed = [self.x[i, int(k)] for i, k in enumerate(nodes)]
        return placed + [self.orders.before[pair] for pair in self._ordered(nodes)]

    def _ordered(self, nodes: NDArray[np.int32]) -> list[tuple[int, int]]:
        """Pairs on one node that the solution orders by a variable."""
        return [
            (i, j)
            for (i, j), b in self.orders.before.items()
            if nodes[i] == nodes[j] and (b.varValue or 0.0) > 0.5
        ]

    def _longest_path(self, nodes: NDArray[np.int32]) -> tuple[FloatArray, FloatArray]:
        """Starts and finishes over edges and orders, in units of time, in the solution's order.

        Orders that tolerances have tied into a cycle are dropped: the checker then finds out.
        """
        tables, count = self.tables, self.tables.tasks
        hint = [v.varValue for v in self.starts.start]
        length = self.windows.length[np.arange(count), nodes]
        sure = [(i, j) for i, j in self.orders.sure if nodes[i] == nodes[j]]
        waits: list[dict[int, float]] = [{} for _ in range(count)]
        for e in range(tables.edges):
            i, j = self.placement.ends(e)
            delay = float(self.windows.delay[tables.edge_item[e], nodes[i], nodes[j]])
            waits[j][i] = max(waits[j].get(i, 0.0), delay)
        for i, j in self._ordered(nodes) + sure:
            if length[i] > 0 and length[j] > 0:
                waits[j].setdefault(i, 0.0)
        followers: list[list[int]] = [[] for _ in range(count)]
        left = [len(awaited) for awaited in waits]
        for j, awaited in enumerate(waits):
            for i in awaited:
                followers[i].append(j)
        start = tables.release / self.windows.unit
        finish, done = np.full(count, np.nan), [False] * count
        ready = [(hint[i], i) for i in range(count) if not left[i]]
        heapq.heapify(ready)
        for _ in range(count):
            if not ready:
                ready = [min((hint[i], i) for i in range(count) if not done[i])]
            i = heapq.heappop(ready)[1]
            done[i] = True
            for before, delay in waits[i].items():
                if done[before]:
                    start[i] = max(start[i], finish[before] + delay)
            finish[i] = start[i] + length[i]
            for j in followers[i]:
                left[j] -= 1
                if not left[j] and not done[j]:
                    heapq.heappush(ready, (hint[j], j))
        return start, finish


def total(*parts: Terms) -> Terms:
    """The sum of expressions."""
    result: Terms = {}
    for part in parts:
        for variable, coefficient in part.items():
            result[variable] = result.get(variable, 0.0) + coefficient
    return result
