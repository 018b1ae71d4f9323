"""Where tasks run and what moves: variables, rules and metrics that need no times.

Sets: tasks i, j in T; nodes k, l in N; A_i the nodes on which task i may run; edges e = (i, j);
items h, each from its source over its edges to its readers; groups G.

Variables: x_ik in {0, 1}, task i runs on node k in A_i; y_ekl >= 0, edge e goes from k to l
(x_ik x_jl); z_hkl >= 0, item h is sent from k to l != k, once for all its readers there;
f_vk >= 0, some path within a group has left k by task v; w_k >= 0, the most working memory.

    one node        sum_k x_ik = 1                                                 i in T
    pairs           sum_l y_ekl = x_ik,  sum_k y_ekl = x_jl                        e = (i, j)
    items           z_hkl >= y_ekl                                                 e of h, k != l
    routes          x_ik <= sum_l x_jl, l within reach of k; and the other way     e = (i, j)
    together        x_ik = x_jk                                                    i, j in G
    apart           sum_{i in G} x_ik <= 1                                         k in N
    contiguous      f_vk >= x_uk - x_vk,  f_vk >= f_uk,  x_vk + f_uk <= 1          edges (u, v)
                                                                                   in G
    memory          sum_i r_ik x_ik + w_k <= memory_k,  w_k >= m_ik x_ik           one at a time

    energy          sum_ik energy_ik x_ik + sum_hkl energy_hkl z_hkl; cost, risk, traffic likewise
    period          P >= sum_i p_ik s_i x_ik / slots_k                             k in N

Pairs are built only for items that count in the goal; a pair of nodes without a permitted route
has no y. Source: Adams, Sherali 1986, Management Science 32, pp. 1274-1290 (reformulation and
linearization of zero-one quadratic programs, the products of the assignment rows).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
import pulp
from numpy.typing import NDArray

from formulations.coefficients import placement_cost, transfer_cost
from formulations.milp_terms import SIZE, Case, Model, Terms, power_of_two
from offload.arrays import BoolArray, FloatArray

__all__ = ["STATIC", "Placement"]

STATIC = ("energy", "cost", "risk", "traffic")  # sums over placements and transfers


class Placement:
    """Variables x, y and z of a model, with the rules over them.

    Parameters
    ----------
    usable : bool[T, K]
        The nodes A_i of each task.

    Attributes
    ----------
    present : dict of (i, k) to variable
        Whether anything of a task is on a node: the x_ik themselves, if all are 0 or 1.
    """

    def __init__(self, case: Case, model: Model, usable: BoolArray) -> None:
        self.case, self.model, self.usable = case, model, usable
        self.nodes_of: list[list[int]] = [np.flatnonzero(row).tolist() for row in usable]
        self.x: dict[tuple[int, int], pulp.LpVariable] = {
            (int(i), int(k)): self.choice(int(i), int(k)) for i, k in np.argwhere(usable)
        }
        self.present = self.x
        self.y: dict[tuple[int, int, int], pulp.LpVariable] = {}
        self.z: dict[tuple[int, int, int], pulp.LpVariable] = {}

    def choice(self, i: int, k: int) -> pulp.LpVariable:
        """Make x_ik."""
        return self.model.binary(f"x_{i}_{k}")

    @property
    def chosen(self) -> NDArray[np.int32]:
        """The node of each task by the variables' values; int32[T]."""
        value = np.full(self.usable.shape, -1.0)
        for (i, k), x in self.x.items():
            value[i, k] = x.varValue
        chosen: NDArray[np.int32] = value.argmax(axis=1).astype(np.int32)
        return chosen

    def start_from(self, nodes: NDArray[np.integer]) -> None:
        """Set the values of x to a placement (int[T]), and of all other variables to none."""
        for variable in self.model.problem.variables():
            variable.varValue = None
        for (i, k), x in self.x.items():
            x.varValue = float(nodes[i] == k)

    def build(self, metrics: Collection[str]) -> None:
        """All rules but memory, with pairs where transfers count in one of the metrics."""
        tables = self.case.tables
        self.one_node()
        for h in range(tables.items):
            edges = tables.item_edges.of(h).tolist()
            costs = (transfer_cost(tables, m, h) for m in STATIC if m in metrics)
            if any(cost.any() for cost in costs):
                for e in edges:
                    self.pairs(e)
                self.items(h, edges)
            else:
                for e in edges:
                    self.routes(e)
        rules = {"together": self.together, "apart": self.apart, "contiguous": self.contiguous}
        position = {name: i for i, name in enumerate(tables.task_ids)}
        for group in self.case.problem.graph.groups:
            rules[group.rule]([position[name] for name in group.tasks])

    def on(self, tasks: Sequence[int], k: int, weight: FloatArray | None = None) -> Terms:
        """The placements of tasks on a node, weighted by float64[T, K]."""
        return {
            self.x[i, k]: 1.0 if weight is None else float(weight[i, k])
            for i in tasks
            if (i, k) in self.x
        }

    def ends(self, e: int) -> tuple[int, int]:
        """Source and destination of an edge."""
        return int(self.case.tables.edge_src[e]), int(self.case.tables.edge_dst[e])

    def reach(self, e: int) -> BoolArray:
        """bool[K, K]: pairs of nodes of an edge's two tasks with a permitted route."""
        i, j = self.ends(e)
        delay = self.case.delay[self.case.tables.edge_item[e]]
        reached: BoolArray = np.isfinite(delay) & self.usable[i][:, None] & self.usable[j][None, :]
        return reached

    # -- rules -----------------------------------------------------------------------------------

    def one_node(self) -> None:
        for i, nodes in enumerate(self.nodes_of):
            self.model.row("one_node", {self.x[i, k]: 1.0 for k in nodes}, "=", 1)

    def pairs(self, e: int) -> None:
        i, j = self.ends(e)
        reach = self.reach(e)
        for k, l in np.argwhere(reach).tolist():
            self.y[e, k, l] = self.model.product(f"y_{e}_{k}_{l}")
        for k in self.nodes_of[i]:
            sent = {self.y[e, k, l]: 1.0 for l in np.flatnonzero(reach[k]).tolist()}
            self.model.row("pairs", {**sent, self.x[i, k]: -1.0}, "=", 0)
        for l in self.nodes_of[j]:
            received = {self.y[e, k, l]: 1.0 for k in np.flatnonzero(reach[:, l]).tolist()}
            self.model.row("pairs", {**received, self.x[j, l]: -1.0}, "=", 0)

    def items(self, h: int, edges: Sequence[int]) -> None:
        pairs = dict.fromkeys((k, l) for e in edges for k, l in np.argwhere(self.reach(e)).tolist())
        for k, l in pairs:
            moves = [self.y[e, k, l] for e in edges if (e, k, l) in self.y]
            if k == l:
                continue
            if len(moves) == 1:
                self.z[h, k, l] = moves[0]
                continue
            sent = self.z[h, k, l] = self.model.product(f"z_{h}_{k}_{l}")
            for y in moves:
                self.model.row("items", {sent: 1.0, y: -1.0}, ">=", 0)

    def routes(self, e: int) -> None:
        i, j = self.ends(e)
        reach = self.reach(e)
        for one, other, near in ((i, j, reach), (j, i, reach.T)):
            for k in self.nodes_of[one]:
                found = np.flatnonzero(near[k]).tolist()
                if len(found) < len(self.nodes_of[other]):
                    there = {self.x[other, l]: -1.0 for l in found}
                    self.model.row("routes", {self.x[one, k]: 1.0, **there}, "<=", 0)

    def together(self, tasks: Sequence[int]) -> None:
        first = tasks[0]
        for i in tasks[1:]:
            for k in sorted({*self.nodes_of[first], *self.nodes_of[i]}):
                other = dict.fromkeys(self.on([i], k), -1.0)
                self.model.row("together", {**self.on([first], k), **other}, "=", 0)

    def apart(self, tasks: Sequence[int]) -> None:
        for k in range(self.case.tables.nodes):
            terms = self.on(tasks, k)
            if len(terms) > 1:
                self.model.row("apart", terms, "<=", 1)

    def contiguous(self, tasks: Sequence[int]) -> None:
        named, number = set(tasks), self.model.count("group")
        ends = [self.ends(e) for e in range(self.case.tables.edges)]
        edges = [(u, v) for u, v in dict.fromkeys(ends) if u in named and v in named]
        for k in range(self.case.tables.nodes):
            left = {v: self.model.number(f"f_{number}_{v}_{k}") for v in tasks}
            for u, v in edges:
                came = dict.fromkeys(self.on([u], k), -1.0)
                self.model.row("leave", {left[v]: 1.0, **came, **self.on([v], k)}, ">=", 0)
                self.model.row("stay_away", {left[v]: 1.0, left[u]: -1.0}, ">=", 0)
                self.model.row("no_return", {left[u]: 1.0, **self.on([v], k)}, "<=", 1)

    def memory_of_one(self, k: int) -> None:
        """The memory rule of a node on which one task runs at a time."""
        case, capacity = self.case, float(self.case.capacity[k])
        tasks = range(case.tables.tasks)
        residents = self.on(tasks, k, case.resident)
        if not (math.isfinite(capacity) and any(residents.values())):
            return  # that each task fits alone is in A_i
        need = {i: float(case.memory[i, k]) for i in tasks if self.usable[i, k]}
        unit = power_of_two(max(need.values()))
        working = self.model.number(f"w_{k}", 0.0, max(need.values()) / unit)
        for i, bytes_ in need.items():
            if bytes_ > 0:
                self.model.row("working", {working: 1.0, self.x[i, k]: -bytes_ / unit}, ">=", 0)
        self.model.at_most("memory", {**residents, working: unit}, capacity)

    # -- metrics ---------------------------------------------------------------------------------

    def static(self, metric: str) -> Terms:
        """Energy without idle power, cost, risk or traffic, in the metric's unit."""
        place = placement_cost(self.case.tables, metric)
        terms = {x: float(place[i, k]) for (i, k), x in self.x.items()}
        sent: dict[int, FloatArray] = {}
        for (h, k, l), z in self.z.items():
            if h not in sent:
                sent[h] = transfer_cost(self.case.tables, metric, h)
            if sent[h][k, l] > 0:
                terms[z] = float(sent[h][k, l])
        return terms

    def period(self) -> Terms:
        """The largest load of a node in seconds (links without channels have none)."""
        load = np.where(self.usable, self.case.load, 0.0)
        most = float(load.sum(axis=0).max(initial=0.0))
        unit = power_of_two(most / SIZE)
        period = self.model.number("period", 0.0, most / unit)
        for k in range(self.case.tables.nodes):
            terms = {x: -a / unit for x, a in self.on(range(len(load)), k, load).items() if a > 0}
            if terms:
                self.model.row("load", {period: 1.0, **terms}, ">=", 0)
        return {period: unit}
