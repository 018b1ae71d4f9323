"""Divisible tasks in the programs of `milp_assignment` and `milp_scheduling`: shares of each node.

Sets: D, the divisible tasks; P_i, the parts of task i in D, a part a for each of its nodes k_a; an
edge of a divisible task is one edge for each of its parts. All else as in `milp_placement`,
`milp_scheduling` and `milp_orders`, with parts among the tasks.

Data: p_a, the seconds that all of the task would take on the part's node; lat_kl and ser_ekl, the
latency and the serialise of all bytes of edge e from k to l (both 0 where k = l or e has no route).

Variables: f_a in [0, 1], the part's share; u_a in {0, 1}, whether there is such a part; S_a its
start, F_a = S_a + p_a f_a its finish; y_ekl >= 0, the share of edge e that goes from k to l, which
is f_a x_ik (so x_ik is a share where i is a part); E_i, the last finish of the parts of i.

    shares      sum_{a in P_i} f_a = 1                                             i in D
    present     f_a <= u_a                                                         a in P_i
    pairs       sum_kl y_ekl = f_a                                                 e to or from a
                sum_{e of P_i} sum_l y_ekl = x_jk                                  j: other end
    away        F_a <= late_a u_a + head_a (1 - u_a)                               a in P_i
    arrival     S_a >= F_i + sum_k lat_kl x_ik + sum_k ser_ekl y_ekl - M (1 - u_a)      e = (i, a)
                S_j >= F_a + sum_l lat_kl x_jl + sum_l ser_ekl y_ekl - M (1 - u_a)      e = (a, j)
    last        E_i >= F_a                                                         a in P_i
    held        h_ab >= f_a + o_ab - 1     what of the memory of a is held as b starts

Energy, cost, risk, traffic and period are linear in shares. The latency of a route is paid in full
for a share however small. A part that is absent starts and ends at head_a, the earliest start of
its task, so that no rule of the last finish binds it. Once x, u and the orders b are fixed, the
rest is the linear program of divisible load theory.

Source: Bharadwaj, Ghose, Robertazzi 2003, "Divisible load theory: a new paradigm for load
scheduling in distributed systems", Cluster Computing 6, pp. 7-17, section 2 (shares and finishes of
one load); for orders and placements see the modules named above.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from math import isfinite

import numpy as np
import pulp
from numpy.typing import NDArray

from formulations.milp_assignment import AssignmentModel
from formulations.milp_orders import Orders
from formulations.milp_parts import SplitCase, SplitWindows
from formulations.milp_placement import Placement
from formulations.milp_scheduling import SchedulingModel, total
from formulations.milp_terms import FAVOUR, Model, Terms
from formulations.milp_windows import Windows
from offload.arrays import BoolArray, FloatArray
from offload.plan import Plan

__all__ = ["SplitAssignment", "SplitScheduling"]


class SplitPlacement(Placement):
    """Shares and presence of parts, and where other tasks run."""

    case: SplitCase

    def __init__(self, case: SplitCase, model: Model, usable: BoolArray) -> None:
        super().__init__(case, model, usable)
        self.present = {
            (a, k): model.binary(f"u_{a}") if case.split[a] else x for (a, k), x in self.x.items()
        }

    def choice(self, i: int, k: int) -> pulp.LpVariable:
        """x_ik, or the share of a part."""
        return self.model.number(f"f_{i}") if self.case.split[i] else super().choice(i, k)

    def part(self, a: int) -> tuple[int, int]:
        """The part and its node, as a key."""
        return a, self.nodes_of[a][0]

    def one_node(self) -> None:
        for units in self.case.families:
            rule = "shares" if self.case.split[units].any() else "one_node"
            self.model.row(
                rule, {self.x[a, k]: 1.0 for a in units for k in self.nodes_of[a]}, "=", 1
            )
        for a in np.flatnonzero(self.case.split).tolist():
            key = self.part(a)
            self.model.row("present", {self.present[key]: 1.0, self.x[key]: -1.0}, ">=", 0)

    def build(self, metrics: Collection[str]) -> None:
        """All rules but memory."""
        super().build(metrics)
        edges = np.flatnonzero(self.case.split_edge)
        for original in np.unique(self.case.parts.edge[edges]).tolist():
            self.other_end(edges[self.case.parts.edge[edges] == original].tolist())

    def pairs(self, e: int) -> None:
        if not self.case.split_edge[e]:
            super().pairs(e)
            return
        for k, l in np.argwhere(self.reach(e)).tolist():
            self.y[e, k, l] = self.model.number(f"y_{e}_{k}_{l}")
        part = next(a for a in self.ends(e) if self.case.split[a])
        moved = {self.y[key]: 1.0 for key in self._moves(e)}
        self.model.row("pairs", {**moved, self.x[self.part(part)]: -1.0}, "=", 0)

    def routes(self, e: int) -> None:
        """Times of parts depend on what they move, whatever the goal."""
        if self.case.split_edge[e]:
            self.pairs(e)
        else:
            super().routes(e)

    def other_end(self, edges: list[int]) -> None:
        """All that the edges of one task's parts move starts or ends where the other task runs."""
        sender, reader = self.ends(edges[0])
        sent = bool(self.case.split[sender])
        other = reader if sent else sender
        moves = [move for e in edges for move in self._moves(e)]
        for k in self.nodes_of[other]:
            moved = {self.y[move]: 1.0 for move in moves if k == (move[2] if sent else move[1])}
            self.model.row("pairs", {**moved, self.x[other, k]: -1.0}, "=", 0)

    def _moves(self, e: int) -> list[tuple[int, int, int]]:
        return [(e, k, l) for k, l in np.argwhere(self.reach(e)).tolist()]

    @property
    def shares(self) -> FloatArray:
        """Shares of parts and nodes of whole tasks by the variables' values; float64[U, K]."""
        value = np.zeros(self.usable.shape)
        for (a, k), x in self.x.items():
            value[a, k] = max(x.varValue or 0.0, 0.0)
        whole = ~self.case.split
        best = value[whole].argmax(axis=1)
        value[whole] = np.arange(self.case.tables.nodes) == best[:, None]
        return value

    def start_with(self, plan: Plan) -> None:
        """Set the 0-1 variables to a plan of the whole instance."""
        there = np.zeros(self.case.whole.tables.allowed_table.shape, bool)
        there[plan.parts.task, plan.parts.node] = True
        for variable in self.model.problem.variables():
            variable.varValue = None
        for (a, k), variable in self.present.items():
            variable.varValue = float(there[self.case.parts.task[a], k])

    def decided(self) -> list[pulp.LpVariable]:
        """The 0-1 variables that are 1."""
        return [u for u in self.present.values() if (u.varValue or 0.0) > 0.5]


class _Splitting(Model):
    """What both models have in common."""

    placement: Placement

    def at_most(self, rule: str, terms: Terms, limit: float, slack: float = 0.0) -> None:
        """Limits are taken as they are."""
        super().at_most(rule, terms, limit / (1 + FAVOUR), 0.0)

    def forbid(self, chosen: list[pulp.LpVariable]) -> None:
        """No solution with these 0-1 variables and no part more."""
        assert isinstance(self.placement, SplitPlacement)
        case, known = self.placement.case, {id(v) for v in chosen}
        others = {
            u: -1.0
            for (a, _), u in self.placement.present.items()
            if case.split[a] and id(u) not in known
        }
        self.row("forbidden", {**dict.fromkeys(chosen, 1.0), **others}, "<=", len(chosen) - 1)


class SplitOrders(Orders):
    """Orders of parts among tasks: of what a part needs of memory, its share counts."""

    case: SplitCase

    def __init__(self, model: SplitScheduling) -> None:
        super().__init__(model.case, model.starts, model.related)
        self._held: dict[tuple[int, int], pulp.LpVariable] = {}

    def _conflict(self, i: int, j: int, k: int) -> bool:
        split = self.case.split
        if self._slots[i] + self._slots[j] > self._room[k]:
            return True
        need = self.case.memory[:, k] + self.case.resident[:, k]
        return sum(float(need[a]) for a in (i, j) if not split[a]) > float(self.case.capacity[k])

    def held(self, i: int, j: int, overlap: pulp.LpVariable) -> pulp.LpVariable:
        if not self.case.split[i]:
            return overlap
        if (i, j) not in self._held:
            share = self.placement.x[i, self.placement.nodes_of[i][0]]
            held = self._held[i, j] = self.model.number(f"h_{i}_{j}")
            self.model.row("held", {held: 1.0, share: -1.0, overlap: -1.0}, ">=", -1)
        return self._held[i, j]


class SplitScheduling(_Splitting, SchedulingModel):
    """Scheduling with parts; see the module's text."""

    case: SplitCase
    placement: SplitPlacement

    def __init__(self, case: SplitCase, most: float) -> None:
        windows = SplitWindows(case, most)
        while not windows.empty and not windows.usable.any(axis=1).all():
            case = case.confined(windows.usable)
            windows = SplitWindows(case, most)
        self._windows = windows
        super().__init__(case, most)

    def windows_of(self, most: float) -> Windows:
        return self._windows

    def placement_of(self) -> Placement:
        return SplitPlacement(self.case, self, self.windows.usable)

    def orders_of(self) -> Orders:
        return SplitOrders(self)

    # -- rules -----------------------------------------------------------------------------------

    def late(self) -> None:
        for a, nodes in enumerate(self.placement.nodes_of):
            late = {self.x[a, k]: -float(self.windows.late[a, k]) for k in nodes}
            right = 0.0
            if self.case.split[a]:
                key = self.placement.part(a)
                right = float(self.windows.head[key])
                late = {self.placement.present[key]: right - float(self.windows.late[key])}
            self.row("late", total(self.starts.finish(a), late), "<=", right)

    def arrival(self, e: int) -> None:
        if not self.case.split_edge[e]:
            super().arrival(e)
            return
        i, j = self.placement.ends(e)
        tables, node = self.tables, np.arange(self.tables.nodes)
        size, rule = tables.item_bytes[tables.edge_item[e]], tables.item_rule[tables.edge_item[e]]
        times = tables.transfer(size, node[:, None], node[None, :], rule=rule)
        latency = np.where(np.isfinite(times.latency), times.latency, 0.0) / self.windows.unit
        wait: Terms = {}
        if self.case.split[j]:
            part, l = self.placement.part(j)
            for k in self.placement.nodes_of[i]:
                wait[self.x[i, k]] = -float(latency[k, l])
            longest = float(latency[self.placement.nodes_of[i], l].max())
        else:
            part, k = self.placement.part(i)
            for l in self.placement.nodes_of[j]:
                wait[self.x[j, l]] = -float(latency[k, l])
            longest = float(latency[k, self.placement.nodes_of[j]].max())
        for key, y in self.placement.y.items():
            if key[0] == e:
                wait[y] = -float(times.serialise[key[1:]]) / self.windows.unit
        away = max(0.0, float(self.starts.latest[i] + longest - self.starts.first[j]))
        present = {self.placement.present[self.placement.part(part)]: -away}
        terms = total({self.starts.start[j]: 1.0}, self.starts.finish(i, -1.0), wait, present)
        self.row("arrival", terms, ">=", -away)

    def ancestors(self, j: int) -> None:
        if not self.case.split[j]:  # a part may be absent
            super().ancestors(j)

    # -- goal ------------------------------------------------------------------------------------

    def completion(self) -> Terms:
        return total(super().completion(), self._last(self.case.whole.tables.weight, None))

    def tardiness(self) -> Terms:
        tables = self.case.whole.tables
        return total(super().tardiness(), self._last(tables.weight, tables.due))

    def _last(self, weight: FloatArray, due: FloatArray | None) -> Terms:
        """The last finish of each divisible task, after its due time if there are such."""
        terms: Terms = {}
        for i in np.flatnonzero(self.case.whole.tables.divisible & (weight > 0)).tolist():
            from_ = 0.0 if due is None else float(due[i]) / self.windows.unit
            if not isfinite(from_):
                continue
            units = self.case.families[i]
            most = max(0.0, float(self.starts.latest[units].max()) - from_)
            last = self.number(f"{'E' if due is None else 'L'}_{i}", 0.0, most)
            for a in units:
                self.row("last", {last: 1.0, **self.starts.finish(a, -1.0)}, ">=", -from_)
            terms[last] = float(weight[i]) * self.windows.unit
        return terms

    # -- plans -----------------------------------------------------------------------------------

    def start_from(self, plan: Plan) -> None:
        """Set the 0-1 variables' values to a plan; shares and times follow."""
        self.placement.start_with(plan)
        begin, end, rank = self._times(plan)
        for (i, j), q in self.orders.listed.items():
            q.varValue = float(rank[i] < rank[j])
        for (i, j), b in self.orders.before.items():
            b.varValue = float(rank[i] < rank[j] and end[i] <= begin[j])

    def _times(self, plan: Plan) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
        """Start, finish and rank by them of each unit in a plan; an absent part has its task's."""
        parts, count = self.case.parts, self.tables.tasks
        first = np.full(self.case.whole.tables.tasks, np.inf)
        np.minimum.at(first, plan.parts.task, plan.parts.start)
        begin = first[parts.task]
        end, rank = begin.copy(), np.empty(count, np.int64)
        unit = {(i, k): a for a, (i, k) in enumerate(zip(parts.task, parts.node, strict=True))}
        columns = plan.parts.task, plan.parts.node, plan.parts.start, plan.parts.finish
        for i, k, start, finish in zip(*(column.tolist() for column in columns), strict=True):
            a = unit.get((i, k), unit.get((i, -1)))
            if a is not None:
                begin[a], end[a] = start, finish
        rank[np.lexsort((end, begin))] = np.arange(count)
        return begin, end, rank

    @contextmanager
    def near(self, plan: Plan, *, moving: bool) -> Iterator[None]:
        """For a time only plans in the order of this one, and with whole tasks where it has them.

        ``moving``: those may be anywhere.
        """
        rank, nodes = self._times(plan)[2], plan.nodes
        fixed = {b: 0.0 for (i, j), b in self.orders.before.items() if rank[i] > rank[j]}
        if not moving:
            for (a, k), x in self.x.items():
                if not self.case.split[a]:
                    fixed[x] = float(nodes[self.case.parts.task[a]] == k)
        for variable, value in fixed.items():
            variable.lowBound = variable.upBound = value
        try:
            yield
        finally:
            for variable in fixed:
                variable.lowBound, variable.upBound = 0, 1

    def plan(self) -> Plan:
        """The plan in the variables' values: their shares, in their order, at exact times."""
        shares = self.placement.shares
        start = np.array([v.varValue for v in self.starts.start], float)
        length = np.where(shares > 0, self.windows.length, 0.0)
        return self.case.joined(shares, start, (length * shares).sum(axis=1))

    def decisions(self) -> list[pulp.LpVariable]:
        """The 0-1 variables that, with no part more, make the plan what it is."""
        present = self.placement.present
        place = {a: k for (a, k), u in present.items() if (u.varValue or 0.0) > 0.5}
        orders = [
            b
            for (i, j), b in self.orders.before.items()
            if i in place and place[i] == place.get(j) and (b.varValue or 0.0) > 0.5
        ]
        return self.placement.decided() + orders


class SplitAssignment(_Splitting, AssignmentModel):
    """Assignment with parts; see the module's text."""

    case: SplitCase
    placement: SplitPlacement

    def placement_of(self) -> Placement:
        return SplitPlacement(self.case, self, self.case.usable)

    @property
    def infeasible(self) -> bool:
        """Whether some task has no node, or no part."""
        return not self.case.possible(self.case.usable)

    def start_from(self, plan: Plan) -> None:
        """Set the variables' values to a plan."""
        self.placement.start_with(plan)

    def plan(self) -> Plan:
        """The plan in the variables' values: the tasks one after another."""
        place = np.empty(self.case.tables.tasks)
        place[self.case.tables.topological] = np.arange(len(place))
        return self.case.joined(self.placement.shares, place, np.ones(len(place)))

    def decisions(self) -> list[pulp.LpVariable]:
        """The 0-1 variables that, with no part more, make the plan what it is."""
        return self.placement.decided()
