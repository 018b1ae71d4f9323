"""Constraint model of placement and scheduling.

Sets
    tasks i, j; nodes k, l; edges e = (i, j); A_i nodes on which i may run.
Parameters (integers on a time grid, see `grid`)
    p_ik execution time, c_ekl delay, s_i slots, S_k capacity, m_i working memory, r_ik resident,
    M_k memory; est_ik and tail_ik heads and tails.
Variables
    x_ik in {0, 1}  task i runs on node k;     start_i >= 0;     makespan C.
Constraints
    one place        sum_{k in A_i} x_ik = 1
    precedence       start_j >= start_i + p_ik + c_ekl            if x_ik and x_jl
    routes           x_ik + x_jl <= 1                             where no permitted route leads
    slots            cumulative over k of intervals (start_i, p_ik, s_i) present if x_ik <= S_k
    memory           cumulative over k of (start_i, p_ik, m_i) <= M_k - sum_i r_ik x_ik
    groups           together: x_ik = x_jk; apart: sum_{i in G} x_ik <= 1;
                     contiguous: left_vk >= x_uk - x_vk, left_vk >= left_uk, x_vk + left_uk <= 1
    release, deadline  start_i >= release_i, start_i + sum_k p_ik x_ik <= deadline_i
    heads and tails  start_i >= sum_k est_ik x_ik;  start_i + sum_k (p_ik + tail_ik) x_ik <= C
    load             sum_i s_i p_ik x_ik <= S_k C, and the same over ancestors and descendants
Objective and limits: see `cpsat_goals`.

Source: disjunctive scheduling with alternative resources as in Laborie, Rogerie, Shaw, Vilim 2018
("IBM ILOG CP optimizer for scheduling").
"""

from __future__ import annotations

from collections.abc import Iterable
from math import floor, isfinite

import numpy as np
from numpy.typing import NDArray
from ortools.sat.python import cp_model

from formulations.coefficients import times_table
from formulations.cpsat_goals import FINE, Goals, weighted, whole
from formulations.grid import Grid
from offload.bounds import heads, metric_bounds, pair_delays, tails
from offload.placement import group_edges
from offload.plan import Plan
from offload.problem import Problem
from offload.registry import Request
from offload.tables import TOLERANCE

__all__ = ["Model", "Stopped", "build"]


_LOAD_CUTS = range(25, 301)  # tasks for which load cuts over ancestors and descendants pay


class Stopped(Exception):
    """The time was up, or a cancel came, before the model was complete."""


class Model:
    """The model of one problem on one grid; built by :func:`build`."""

    def __init__(self, request: Request, grid: Grid, ceiling: float) -> None:
        self.request, self.grid = request, grid
        self.problem, self.tables = request.problem, request.problem.tables
        self.goal, self.gap = request.goal, request.gap
        self.ceiling = ceiling  # objective of a plan that is known; infinite without one
        self.cp = cp_model.CpModel()
        self.bounds = metric_bounds(self.problem)
        self.real_times = times_table(self.tables)
        self.head, self.tail = heads(self.tables), tails(self.tables)
        self.allowed = self.tables.allowed_table & np.isfinite(self.head)
        self.latency_cap = self._cap("latency")
        self._drop_what_cannot_win()
        self.times = grid.lengths(self.real_times)
        self.early = grid.lengths(self.head)
        self.late = grid.lengths(self.tail)
        self.horizon = self._horizon()
        self.goals: Goals

    def _cap(self, metric: str) -> float:
        """An upper bound of a metric in any plan worth finding: its limit, or the known plan's."""
        cap = self.goal.limits.get(metric, np.inf)
        weight = self.goal.minimize.get(metric, 0.0)
        if weight > 0 and isfinite(self.ceiling):
            rest = sum(
                w * self.bounds[m] for m, w in self.goal.minimize.items() if m != metric and w > 0
            )
            cap = min(cap, (self.ceiling - rest) / weight)
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
        """Ticks by which some optimal schedule ends: all tasks and delays one after another."""
        tables = self.tables
        longest = np.where(self.allowed, self.real_times, 0.0).max(axis=1, initial=0.0).sum()
        delays = 0.0
        for e in range(tables.edges):
            delay = pair_delays(tables, e)
            delays += float(delay[np.isfinite(delay)].max(initial=0.0))
        serial = float(tables.release.max(initial=0.0) + longest + delays)
        count = 2 * (tables.tasks + tables.edges) + 2
        ticks = self.grid.length(serial) + count
        if isfinite(self.latency_cap):
            ticks = min(
                ticks, self.grid.moment(self.latency_cap) + (0 if self.grid.relax else count)
            )
        return ticks

    def in_reals(self, bound: float, *, exact: bool = False) -> float:
        """A lower bound on the grid as one of the real problem.

        Float noise around whole ticks may have rounded up; a path has at most 2T + 1 of them.
        """
        noise = self.goals.objective.slope * self.grid.error * (2 * self.tables.tasks + 1)
        return bound - noise - (0.0 if exact and not noise else 1e-12 * abs(bound))

    def stop_if_told(self) -> None:
        """Raise :class:`Stopped` once the caller wants no more."""
        if self.request.stopped:
            raise Stopped

    # -- variables -------------------------------------------------------------------------------

    def variables(self) -> bool:
        """Make x, start and makespan; False if some task has no node left."""
        tables, cp = self.tables, self.cp
        if not self.allowed.any(axis=1).all():
            return False
        self.x: dict[tuple[int, int], cp_model.IntVar] = {}
        self.nodes_of = [np.flatnonzero(row).tolist() for row in self.allowed]
        self.start: list[cp_model.IntVar] = []
        self.length: list[cp_model.LinearExpr] = []
        self.makespan = cp.new_int_var(0, self.horizon, "makespan")
        for i in range(tables.tasks):
            nodes = self.nodes_of[i]
            for k in nodes:
                self.x[i, k] = cp.new_bool_var(f"x{i},{k}")
            first = min(int(self.early[i, k]) for k in nodes)
            last = max(self._latest_start(i, k) for k in nodes)
            if last < first:
                return False
            self.start.append(cp.new_int_var(first, last, f"start{i}"))
            self.length.append(self._sum(i, nodes, self.times[i]))
        return True

    def _sum(self, i: int, nodes: list[int], values: NDArray[np.int64]) -> cp_model.LinearExpr:
        """sum_k values_k x_ik."""
        chosen = [self.x[i, k] for k in nodes]
        return weighted(chosen, [int(values[k]) for k in nodes])

    def _latest_start(self, i: int, k: int) -> int:
        last = self.horizon - int(self.late[i, k])
        deadline = self.tables.deadline[i]
        if isfinite(deadline):
            last = min(last, self.grid.moment(deadline * (1 + TOLERANCE)))
        return last - int(self.times[i, k])

    # -- constraints -----------------------------------------------------------------------------

    def one_place(self) -> None:
        """Each task runs on exactly one node."""
        for i, nodes in enumerate(self.nodes_of):
            self.cp.add_exactly_one(self.x[i, k] for k in nodes)

    def precedence(self) -> None:
        """A task starts after its inputs have arrived; no input goes where no route leads."""
        tables = self.tables
        for e in range(tables.edges):
            self.stop_if_told()
            i, j = int(tables.edge_src[e]), int(tables.edge_dst[e])
            delay = pair_delays(tables, e)
            rows, columns = self.nodes_of[i], self.nodes_of[j]
            part = self.grid.lengths(self.real_times[i, :, None] + delay)
            free = self.times[i]
            # What every pair of places needs beyond p_ik holds without any condition.
            gaps = [int(part[k, l] - free[k]) for k in rows for l in columns if part[k, l] >= 0]
            least = min(gaps, default=0)
            self.cp.add(self.start[j] >= self.start[i] + self.length[i] + least)
            for k in rows:
                for l in columns:
                    both = (self.x[i, k], self.x[j, l])
                    if part[k, l] < 0:
                        self.cp.add_at_most_one(both)
                    elif part[k, l] - free[k] > least:
                        late = self.cp.add(self.start[j] >= self.start[i] + int(part[k, l]))
                        late.only_enforce_if(both)

    def heads_and_tails(self) -> None:
        """No start before the head of its place; after each task its tail still fits."""
        for i, nodes in enumerate(self.nodes_of):
            if len(nodes) > 1:
                self.cp.add(self.start[i] >= self._sum(i, nodes, self.early[i]))
            rest = self._sum(i, nodes, self.times[i] + self.late[i])
            self.cp.add(self.start[i] + rest <= self.makespan)

    def deadlines(self) -> None:
        """A task finishes by its deadline."""
        for i in np.flatnonzero(np.isfinite(self.tables.deadline)).tolist():
            latest = self.grid.moment(float(self.tables.deadline[i]) * (1 + TOLERANCE))
            self.cp.add(self.start[i] + self.length[i] <= latest)

    def capacity(self) -> None:
        """Slots and working memory of each node at all times; residents for the whole plan."""
        tables = self.tables
        for k in range(tables.nodes):
            tasks = [i for i in range(tables.tasks) if (i, k) in self.x]
            if not tasks:
                continue
            spans = []
            for i in tasks:
                size, here = int(self.times[i, k]), self.x[i, k]
                name = f"run{i},{k}"
                spans.append(
                    self.cp.new_optional_fixed_size_interval_var(self.start[i], size, here, name)
                )
            # What takes no time holds no slot, but the solver lets nothing run across it.
            held = [n for n, i in enumerate(tasks) if self.real_times[i, k] > 0]
            running = [spans[n] for n in held]
            slots = int(tables.node_slots[k])
            demand = [int(tables.task_slots[tasks[n]]) for n in held]
            if slots == 1:
                self.cp.add_no_overlap(running)
            elif slots < sum(demand):
                self.cp.add_cumulative(running, demand, slots)
            self._memory(k, tasks, spans)

    def _memory(self, k: int, tasks: list[int], spans: list[cp_model.IntervalVar]) -> None:
        tables = self.tables
        capacity = float(tables.memory_capacity[k])
        node = np.full(len(tasks), k)
        resident, memory = tables.resident_of(tasks, node), tables.memory_of(tasks, node)
        # What takes no time holds no working memory.
        memory = np.where(self.real_times[tasks, k] > 0, memory, 0.0)
        if not isfinite(capacity) or resident.sum() + memory.sum() <= capacity:
            return
        sizes = [float(size) for size in (*resident, *memory) if size > 0]
        unit = capacity / FINE if capacity > 0 else min(sizes)
        most = floor(capacity / unit * (1 + TOLERANCE / 2))
        held = [min(whole(float(r) / unit, True), most + 1) for r in resident]
        used = [min(whole(float(m) / unit, True), most + 1) for m in memory]
        total = weighted([self.x[i, k] for i in tasks], held)
        self.cp.add(total <= most)
        for i, m in zip(tasks, used, strict=True):
            if m:
                # No implication: of several over one sum, the presolve of CP-SAT 9.15 loses plans.
                self.cp.add(total + m * self.x[i, k] <= most)
        if any(used) and tables.node_slots[k] > 1:
            room = self.cp.new_int_var(0, most, f"room{k}")
            self.cp.add(room == most - total)
            self.cp.add_cumulative(spans, used, room)

    def groups(self) -> None:
        """Together, apart and contiguous."""
        position = {name: i for i, name in enumerate(self.tables.task_ids)}
        for group in self.problem.graph.groups:
            members = [position[name] for name in group.tasks]
            for k in range(self.tables.nodes):
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
            left = {int(i): self.cp.new_bool_var(f"left{i},{k}") for i in members}
            for u, v in edges:
                xu, xv = self.x.get((u, k), 0), self.x.get((v, k), 0)
                self.cp.add(left[v] >= left[u])
                self.cp.add(left[v] >= xu - xv)
                self.cp.add(xv + left[u] <= 1)

    def load(self) -> None:
        """What runs on a node fits between the plan's ends; so do ancestors and descendants."""
        tables = self.tables
        slots = np.maximum(tables.node_slots, 1)
        work = self.times * tables.task_slots[:, None]
        everyone = range(tables.tasks)
        for k in range(tables.nodes):
            total = self._work(work, everyone, k)
            self.cp.add(total <= int(slots[k]) * self.makespan)
        if tables.tasks not in _LOAD_CUTS:
            return
        reach = _reachability(self.problem)
        for j in everyone:
            self.stop_if_told()
            for k in range(tables.nodes):
                before = [i for i in np.flatnonzero(reach[:, j]).tolist() if (i, k) in self.x]
                after = [i for i in np.flatnonzero(reach[j]).tolist() if (i, k) in self.x]
                if len(before) > 1:
                    # Not above the task's own head: it may have no ancestor here at all.
                    own = min(int(self.early[j, l]) for l in self.nodes_of[j])
                    first = min(own, *(int(self.early[i, k]) for i in before))
                    span = int(slots[k]) * (self.start[j] - first)
                    self.cp.add(span >= self._work(work, before, k))
                if len(after) > 1:
                    own = min(int(self.late[j, l]) for l in self.nodes_of[j])
                    last = min(own, *(int(self.late[i, k]) for i in after))
                    done = self.start[j] + self.length[j]
                    span = int(slots[k]) * (self.makespan - last - done)
                    self.cp.add(span >= self._work(work, after, k))

    def _work(self, work: NDArray[np.int64], tasks: Iterable[int], k: int) -> cp_model.LinearExpr:
        here = [i for i in tasks if (i, k) in self.x]
        steps = [int(work[i, k]) for i in here]
        return weighted([self.x[i, k] for i in here], steps)

    # -- hints -----------------------------------------------------------------------------------

    def hint(self, plan: Plan) -> None:
        """Start the search from a plan: its places, and its times on the grid."""
        nodes = plan.nodes
        if any((i, int(nodes[i])) not in self.x for i in range(self.tables.tasks)):
            return
        for (i, k), x in self.x.items():
            self.cp.add_hint(x, int(nodes[i] == k))
        starts = np.floor(plan.parts.start / self.grid.tick + 1e-9).astype(np.int64)
        for i, start in zip(plan.parts.task.tolist(), starts.tolist(), strict=True):
            self.cp.add_hint(self.start[i], start)
        self.cp.add_hint(self.makespan, int(plan.metrics["latency"] / self.grid.tick + 1e-9))
        for item, moves in self.goals.moves.items():
            src = nodes[self.tables.item_src[item]]
            to = set(nodes[self.tables.edge_dst[self.tables.item_edges.of(item)]].tolist())
            for (k, l), y in moves.items():
                self.cp.add_hint(y, int(src == k and l in to))


def _reachability(problem: Problem) -> NDArray[np.bool_]:
    """bool[T, T]: whether a directed path leads from one task to another."""
    tables = problem.tables
    reach = np.zeros((tables.tasks, tables.tasks), bool)
    for j in tables.topological.tolist():
        for i in tables.edge_src[tables.incoming.of(j)].tolist():
            reach[:, j] |= reach[:, i]
            reach[i, j] = True
    return reach


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
    model.capacity()
    model.groups()
    model.load()
    model.goals = Goals(model)
    return model
