"""Constraint model of placement and scheduling.

Sets
    tasks i, j; nodes k, l; modes m of a node; edges e = (i, j); A_i nodes on which i may run.
Parameters (integers on a time grid, see `grid`)
    p_ikm execution time, c_ekl delay, s_i slots, S_k capacity, m_i working memory, r_ik resident,
    M_k memory; est_ik and tail_ik heads and tails.
Variables
    x_ik in {0, 1}   task i runs on node k;     start_i >= 0;     makespan C;
    z_ikm in {0, 1}  and in mode m (x_ik itself where k has one mode that is worth a choice).
Constraints
    one place        sum_{k in A_i} x_ik = 1;  sum_m z_ikm = x_ik
    precedence       start_j >= start_i + p_i + c_ekl,  p_i = sum p_ikm z_ikm,  if x_ik and x_jl
    routes           x_ik + x_jl <= 1                             where no permitted route leads
    groups           together: x_ik = x_jk; apart: sum_{i in G} x_ik <= 1;
                     contiguous: left_vk >= x_uk - x_vk, left_vk >= left_uk, x_vk + left_uk <= 1
    release, deadline  start_i >= release_i, start_i + p_i <= deadline_i
    heads and tails  start_i >= sum_k est_ik x_ik;  start_i + p_i + sum_k tail_ik x_ik <= C
Loads of nodes: `cpsat_loads`; slots and memory: `cpsat_capacity`; codecs and what holds links:
`cpsat_messages`, `cpsat_links`; reads, copies and moves: `cpsat_data`; objective and limits:
`cpsat_goals`.

Source: disjunctive scheduling with alternative resources as in Laborie, Rogerie, Shaw, Vilim 2018
("IBM ILOG CP optimizer for scheduling").
"""

from __future__ import annotations

from math import isfinite

import numpy as np
from numpy.typing import NDArray
from ortools.sat.python import cp_model

from formulations.choices import modes_of
from formulations.coefficients import times_table
from formulations.cpsat_capacity import capacity
from formulations.cpsat_data import Data
from formulations.cpsat_goals import Goals
from formulations.cpsat_links import Links
from formulations.cpsat_loads import loads
from formulations.cpsat_messages import Messages
from formulations.cpsat_moves import Moves
from formulations.cpsat_terms import weighted
from formulations.durations import longest_serial
from formulations.grid import Grid
from offload.bounding.ticks import roundings
from offload.bounds import heads, metric_bounds, pair_delays, tails
from offload.placement import group_edges
from offload.registry import Request
from offload.tables import TOLERANCE

__all__ = ["Model", "build"]

_FEW = 2  # nodes up to which pairs of them are as few as rows


class Model:
    """The model of one problem on one grid; built by :func:`build`."""

    def __init__(self, request: Request, grid: Grid, ceiling: float) -> None:
        self.request, self.grid = request, grid
        self.problem, self.tables = request.problem, request.problem.tables
        self.goal, self.gap = request.goal, request.gap
        self.ceiling = ceiling  # objective of a plan that is known; infinite without one
        self.cp = cp_model.CpModel()
        self.bounds = metric_bounds(self.problem)
        self.modes_of = modes_of(self.tables, self.goal.metrics)
        self.lasting = self._lasting()
        self.real_times = self.lasting.min(axis=2)
        self.links = Links(self)
        self.messages = Messages(self)
        self.data, self.moves = Data(self), Moves(self)
        ready = np.maximum(self.data.ready(), self.moves.ready())
        self.head, self.tail = np.maximum(heads(self.tables), ready), tails(self.tables)
        self.allowed = self.tables.allowed_table & np.isfinite(self.head)
        self.latency_cap = self._latest()
        self._drop_what_cannot_win()
        self.steps = grid.lengths(self.lasting)  # p_ikm in ticks; -1 for modes not in question
        self.times = grid.lengths(self.real_times)  # in the fastest mode
        self.early = grid.lengths(self.head)
        self.late = grid.lengths(self.tail)
        self.horizon = self._horizon()
        self.together: dict[int, cp_model.IntVar] = {}
        self.goals: Goals

    def _lasting(self) -> NDArray[np.float64]:
        """p_ikm in seconds, infinite in modes that are not worth a choice; float64[T, K, M]."""
        tables = self.tables
        worth = np.zeros((tables.nodes, tables.modes), bool)
        for k, modes in enumerate(self.modes_of):
            worth[k, modes] = True
        times = np.stack([times_table(tables, m) for m in range(tables.modes)], axis=2)
        return np.where(worth[None, :, :], times, np.inf)

    def _latest(self) -> float:
        """An upper bound of the latency in any plan worth finding: its limit, or the known plan's.

        Of energy, what idle nodes draw counts with the latency, or all of it counts by itself.
        """
        weights = {m: w for m, w in self.goal.minimize.items() if w > 0}
        own = weights.pop("latency", 0.0)
        rest = sum(w * self.bounds[m] for m, w in weights.items())
        ways = [(own, rest)]
        if energy := weights.pop("energy", 0.0):
            others = sum(w * self.bounds[m] for m, w in weights.items())
            ways.append((own + energy * self.tables.idle_watts, others))
        cap = self.goal.limits.get("latency", np.inf)
        for weight, less in ways:
            if weight > 0 and isfinite(self.ceiling):
                cap = min(cap, (self.ceiling - less) / weight)
        return cap * (1 + 2 * TOLERANCE)

    def _drop_what_cannot_win(self) -> None:
        with np.errstate(invalid="ignore"):
            through = self.head + self.real_times + self.tail
            done = self.head + self.real_times
        self.allowed &= np.isfinite(through)
        slack = 1 + 2 * TOLERANCE
        self.allowed &= through <= self.latency_cap
        self.allowed &= done <= self.tables.deadline[:, None] * slack

    def _horizon(self) -> int:
        """Ticks by which some optimal schedule ends: all that is done one after another."""
        tables = self.tables
        serial = longest_serial(tables, self.allowed, self.lasting)
        transfers = tables.edges + len(tables.reads.values) + int((tables.at >= 0).sum())
        count = 2 * tables.tasks + 2 * transfers + 2
        ticks = self.grid.length(serial) + count
        if isfinite(self.latency_cap):
            ticks = min(
                ticks, self.grid.moment(self.latency_cap) + (0 if self.grid.relax else count)
            )
        return ticks

    def in_reals(self, bound: float, *, exact: bool = False) -> float:
        """A lower bound on the grid as one of the real problem.

        Float noise around whole ticks may have rounded up.
        """
        noise = self.goals.objective.slope * self.grid.error * roundings(self.tables)
        return bound - noise - (0.0 if exact and not noise else 1e-12 * abs(bound))

    @property
    def _latency_alone(self) -> bool:
        terms = list(self.goals.objective.terms.values())
        return len(terms) == 1 and terms[0][0].index == self.makespan.index

    def refuted(self, target: float) -> float:
        """The bound that is proved if this model of plans up to a target has no solution."""
        if self._latency_alone:
            last = min(self.horizon, self.goals.most)
            whole = (last + 1) * self.goals.unit + self.goals.objective.constant
            return self.in_reals(max(target, whole), exact=True)
        return self.in_reals(target)

    # -- variables -------------------------------------------------------------------------------

    def variables(self) -> bool:
        """Make x, z, start and makespan; False if some task has no node left."""
        tables, cp = self.tables, self.cp
        if not self.allowed.any(axis=1).all():
            return False
        self.x: dict[tuple[int, int], cp_model.IntVar] = {}
        self.z: dict[tuple[int, int, int], cp_model.IntVar] = {}
        self.nodes_of = [np.flatnonzero(row).tolist() for row in self.allowed]
        self.start: list[cp_model.IntVar] = []
        self.length: list[cp_model.LinearExpr] = []
        self.makespan = cp.new_int_var(0, self.horizon, "makespan")
        for i in range(tables.tasks):
            self.request.go_on()
            nodes = self.nodes_of[i]
            for k in nodes:
                self.x[i, k] = cp.new_bool_var(f"x{i},{k}")
                modes = self.modes(i, k)
                for m in modes:
                    one = len(modes) == 1
                    self.z[i, k, m] = self.x[i, k] if one else cp.new_bool_var(f"z{i},{k},{m}")
            first = min(int(self.early[i, k]) for k in nodes)
            last = max(self._latest_start(i, k) for k in nodes)
            if last < first:
                return False
            self.start.append(cp.new_int_var(first, last, f"start{i}"))
            self.length.append(self._over_places(i, self.steps[i]))
        return True

    def modes(self, i: int, k: int) -> list[int]:
        """The modes in which task i may run on node k, the fastest first."""
        fine = [m for m in self.modes_of[k] if isfinite(self.lasting[i, k, m])]
        # What takes no time spends none either: one mode is as good as another.
        return fine if self.lasting[i, k, fine[0]] > 0 else fine[:1]

    def _sum(self, i: int, nodes: list[int], values: NDArray[np.int64]) -> cp_model.LinearExpr:
        """sum_k values_k x_ik."""
        chosen = [self.x[i, k] for k in nodes]
        return weighted(chosen, [int(values[k]) for k in nodes])

    def _over_places(self, i: int, values: NDArray[np.int64]) -> cp_model.LinearExpr:
        """sum_km values_km z_ikm."""
        places = [(k, m) for k in self.nodes_of[i] for m in self.modes(i, k)]
        chosen = [self.z[i, k, m] for k, m in places]
        return weighted(chosen, [int(values[k, m]) for k, m in places])

    def _latest_start(self, i: int, k: int) -> int:
        last = self.horizon - int(self.late[i, k])
        deadline = self.tables.deadline[i]
        if isfinite(deadline):
            last = min(last, self.grid.moment(deadline * (1 + TOLERANCE)))
        return last - int(self.times[i, k])

    # -- constraints -----------------------------------------------------------------------------

    def one_place(self) -> None:
        """Each task runs on exactly one node, in exactly one of its modes."""
        for i, nodes in enumerate(self.nodes_of):
            self.request.go_on()
            self.cp.add_exactly_one(self.x[i, k] for k in nodes)
            for k in nodes:
                modes = self.modes(i, k)
                if len(modes) > 1:
                    self.cp.add(sum(self.z[i, k, m] for m in modes) == self.x[i, k])

    def precedence(self) -> None:
        """A task starts after its inputs have arrived; no input goes where no route leads."""
        tables = self.tables
        single = np.array([len(modes) == 1 for modes in self.modes_of])[:, None]
        for e in range(tables.edges):
            self.request.go_on()
            i, j = int(tables.edge_src[e]), int(tables.edge_dst[e])
            delay = pair_delays(tables, e)
            rows, columns = self.nodes_of[i], self.nodes_of[j]
            part = self.grid.lengths(self.real_times[i, :, None] + delay)
            free = self.times[i]
            # Ticks beyond p_i; where p_i has one value on a node, the two are rounded as one.
            beyond = np.where(single, part - free[:, None], self.grid.lengths(delay))
            beyond[part < 0] = -1
            # What every pair of places needs beyond p_i holds without any condition.
            gaps = [int(beyond[k, l]) for k in rows for l in columns if part[k, l] >= 0]
            least = min(gaps, default=0)
            self.cp.add(self.start[j] >= self.start[i] + self.length[i] + least)
            if single[rows].all() and self._by_togetherness(e, beyond, least):
                continue
            for k in rows:
                for l in columns:
                    both = (self.x[i, k], self.x[j, l])
                    if part[k, l] < 0:
                        self.cp.add_at_most_one(both)
                    elif beyond[k, l] > least:
                        sent = int(part[k, l]) if single[k] else self.length[i] + int(beyond[k, l])
                        late = self.cp.add(self.start[j] >= self.start[i] + sent)
                        late.only_enforce_if(both)

    def _by_togetherness(self, e: int, beyond: NDArray[np.int64], least: int) -> bool:
        """Precedence where a delay does not depend on where it leads: a row for each node, or one.

        h_e = 1 only if both ends are on one node;
        start_j >= start_i + p_ik + c_ek if x_ik and not h_e.
        """
        i, j = int(self.tables.edge_src[e]), int(self.tables.edge_dst[e])
        rows, columns = self.nodes_of[i], self.nodes_of[j]
        away = {k: {int(beyond[k, l]) for l in columns if l != k} for k in rows}
        stay = all(beyond[k, k] == least for k in rows if k in columns)
        if len(columns) <= _FEW or not stay or any(len(v) > 1 or -1 in v for v in away.values()):
            return False
        delay = {k: values.pop() for k, values in away.items() if values}
        if max(delay.values()) <= least:
            return True
        here = self.together[e] = self.cp.new_bool_var(f"h{e}")
        for k in rows:
            there = [self.x[j, k]] if k in columns else []
            self.cp.add_bool_or(here.negated(), self.x[i, k].negated(), *there)
        begun = self.start[i] + self.length[i]
        if len(set(delay.values())) == 1:
            late = self.cp.add(self.start[j] >= begun + delay[rows[0]])
            late.only_enforce_if(here.negated())
            return True
        for k in rows:
            if delay[k] > least:
                late = self.cp.add(self.start[j] >= begun + delay[k])
                late.only_enforce_if(here.negated(), self.x[i, k])
        return True

    def heads_and_tails(self) -> None:
        """No start before the head of its place; after each task its tail still fits."""
        for i, nodes in enumerate(self.nodes_of):
            self.request.go_on()
            if len(nodes) > 1:
                self.cp.add(self.start[i] >= self._sum(i, nodes, self.early[i]))
            rest = self._over_places(i, self.steps[i] + self.late[i][:, None])
            self.cp.add(self.start[i] + rest <= self.makespan)

    def deadlines(self) -> None:
        """A task finishes by its deadline."""
        for i in np.flatnonzero(np.isfinite(self.tables.deadline)).tolist():
            latest = self.grid.moment(float(self.tables.deadline[i]) * (1 + TOLERANCE))
            self.cp.add(self.start[i] + self.length[i] <= latest)

    def groups(self) -> None:
        """Together, apart and contiguous."""
        position = {name: i for i, name in enumerate(self.tables.task_ids)}
        for group in self.problem.graph.groups:
            members = [position[name] for name in group.tasks]
            for k in range(self.tables.nodes):
                self.request.go_on()
                here = [self.x.get((i, k)) for i in members]
                if group.rule == "apart":
                    self.cp.add_at_most_one(x for x in here if x is not None)
                elif group.rule == "together":
                    self._equal(here)
            if group.rule == "contiguous":
                self._contiguous(np.array(members, np.int32))

    def _equal(self, here: list[cp_model.IntVar | None]) -> None:
        known = [x for x in here if x is not None]
        for x in known[1:]:
            self.cp.add(x == known[0])
        if known and len(known) < len(here):
            self.cp.add(known[0] == 0)

    def _contiguous(self, members: NDArray[np.int32]) -> None:
        edges = group_edges(self.tables, members)
        for k in range(self.tables.nodes):
            self.request.go_on()
            left = {int(i): self.cp.new_bool_var(f"left{i},{k}") for i in members}
            for u, v in edges:
                xu, xv = self.x.get((u, k), 0), self.x.get((v, k), 0)
                self.cp.add(left[v] >= left[u])
                self.cp.add(left[v] >= xu - xv)
                self.cp.add(xv + left[u] <= 1)


def build(request: Request, grid: Grid, ceiling: float) -> Model | None:
    """The whole model, or ``None`` if some task has no node and time left: proved infeasible.

    Parameters
    ----------
    request
        The instance, the goal and the gap; it may ask to stop meanwhile.
    grid
        The time grid and the direction of rounding.
    ceiling
        The objective of a plan that is known; infinite without one.

    Raises
    ------
    Stopped
        If the request's time is up, or it is cancelled.
    """
    model = Model(request, grid, ceiling)
    if not model.variables():
        return None
    model.one_place()
    model.precedence()
    model.heads_and_tails()
    model.deadlines()
    capacity(model)
    model.groups()
    loads(model)
    model.data.build()
    model.messages.build()
    model.moves.build()
    model.links.capacity()
    model.goals = Goals(model)
    return model
