"""Starts of tasks, and the orders that keep slots and memory: the disjunctive part of scheduling.

Sets: P, pairs {i, j} that no path joins and whose windows overlap; K1_ij, nodes on which i and j
cannot run at once (slots or memory of the two alone); K2, nodes with several slots where all the
tasks that may run there together exceed slots or memory; K2_ij, those of them that i and j share.

Variables, besides x: S_i start, F_i = S_i + sum_k p_ik x_ik; b_ij in {0, 1}, i finishes before j
starts; q_ij in {0, 1}, i comes before j in a list of the tasks, q_ji = 1 - q_ij; o_ij >= 0, i
counts among those that run when j starts.

    before      S_j >= F_i - (late_i - head_j) (1 - b_ij)                          {i, j} in P
    one way     b_ij + b_ji <= 1
    conflict    b_ij + b_ji >= x_ik + x_jk - 1                                     k in K1_ij
    listed      b_ij <= q_ij,  S_i <= S_j + (last_i - head_j) (1 - q_ij)
    no cycle    q_ij + q_jh + q_hi <= 2                                            sharing a k in K2
    overlap     o_ij >= q_ij - b_ij + x_ik + x_jk - 2                              k in K2_ij
    slots       sum_i s_i o_ij <= sum_k (slots_k - s_j) x_jk                       j on some k in K2
    memory      sum_i m_ik o_ij + m_jk x_jk + sum_i r_ik x_ik <= memory_k + (1 - x_jk) sum_i m_ik

with last_i the latest start. Capacity is counted at the starts. Tasks of one node that no b
separates have a last one in the list, and its rows count all of them; so what the b allow to run
together fits, at whatever times, and ties need no rule. Every schedule is covered: list the tasks
by start, ties either way, and let b_ij = 1 where F_i <= S_j. Zero-length tasks are in no pair: they
hold nothing.

Source: for the orders by big-M, Manne 1960, Operations Research 8, pp. 219-223; for capacity
counted at starts, Kone, Artigues, Lopez, Mongeau 2011, Computers & Operations Research 38,
pp. 3-13.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pulp

from formulations.milp_placement import Placement
from formulations.milp_terms import SIZE, Case, Model, Terms, power_of_two
from formulations.milp_windows import Windows
from offload.arrays import BoolArray

__all__ = ["Orders", "Starts", "precedence"]


def precedence(case: Case) -> BoolArray:
    """bool[T, T]: whether a path of edges leads from one task to another."""
    tables = case.tables
    reach = np.zeros((tables.tasks, tables.tasks), bool)
    for i in tables.topological[::-1].tolist():
        after = tables.edge_dst[tables.outgoing.of(i)]
        reach[i, after] = True
        reach[i] |= reach[after].any(axis=0)
    return reach


class Starts:
    """The variables S, and what the windows say about the times of a task wherever it runs.

    Attributes
    ----------
    first, last : float64[T]
        Earliest and latest start.
    soonest, latest : float64[T]
        Earliest and latest finish.
    """

    def __init__(self, model: Model, windows: Windows, placement: Placement) -> None:
        self.model, self.windows, self.placement = model, windows, placement
        fine, length = windows.usable, windows.least
        self.first = np.where(fine, windows.head, np.inf).min(axis=1)
        self.soonest = np.where(fine, windows.head + length, np.inf).min(axis=1)
        self.latest = np.where(fine, windows.late, -np.inf).max(axis=1)
        late, taken = np.where(fine, windows.late, 0.0), np.where(fine, length, 0.0)
        self.last = np.where(fine, late - taken, -np.inf).max(axis=1)
        self.start = [
            model.number(f"S_{i}", first, max(first, last))
            for i, (first, last) in enumerate(zip(self.first, self.last, strict=True))
        ]

    def finish(self, i: int, sign: float = 1.0) -> Terms:
        """F_i, or its negative, as an expression."""
        length = self.windows.length
        terms = {
            self.placement.x[i, k]: sign * float(length[i, k]) for k in self.placement.nodes_of[i]
        }
        return {self.start[i]: sign, **terms}


class Orders:
    """Variables b, q and o with their rules; see the module's text.

    Attributes
    ----------
    before : dict of (i, j) to variable
        The b_ij.
    sure : list of (i, j)
        Pairs whose windows alone put i before j.
    """

    def __init__(self, case: Case, starts: Starts, related: BoolArray) -> None:
        self.case, self.starts = case, starts
        self.model, self.placement, self.windows = starts.model, starts.placement, starts.windows
        self.related = related | related.T
        self.busy = self.windows.usable & (self.windows.length > 0)
        self.crowded = [k for k in range(case.tables.nodes) if self._is_crowded(k)]
        self._slots: list[int] = case.tables.task_slots.tolist()
        self._room: list[int] = case.tables.node_slots.tolist()
        self.before: dict[tuple[int, int], pulp.LpVariable] = {}
        self.listed: dict[tuple[int, int], pulp.LpVariable] = {}
        self.sharing: dict[tuple[int, int], list[int]] = {}  # K2_ij
        self.sure: list[tuple[int, int]] = []

    def _is_crowded(self, k: int) -> bool:
        case, busy, there = self.case, self.busy[:, k], self.windows.usable[:, k]
        slots = int(case.tables.task_slots[busy].sum())
        held = float(case.memory[busy, k].sum() + case.resident[there, k].sum())
        room = case.tables.node_slots[k]
        return bool(room > 1 and (slots > room or held > case.capacity[k]))

    def build(self) -> None:
        """Make all rows."""
        for i in range(self.case.tables.tasks):
            self.case.go_on()
            for j in range(i + 1, self.case.tables.tasks):
                if not self.related[i, j]:
                    self.pair(i, j)
        self.no_cycle()
        overlaps = self.overlaps()
        for k in range(self.case.tables.nodes):
            if self.case.tables.node_slots[k] == 1:
                self.placement.memory_of_one(k)
            elif k in self.crowded:
                self.memory(k, overlaps)
        self.slots(overlaps)

    def pair(self, i: int, j: int) -> None:
        """The orders of two tasks, as far as they may meet."""
        shared = np.flatnonzero(self.busy[i] & self.busy[j]).tolist()
        conflicts = [k for k in shared if self._conflict(i, j, k)]
        sharing = [k for k in shared if k in self.crowded and k not in conflicts]
        if not (conflicts or sharing):
            return
        starts = self.starts
        for a, b in ((i, j), (j, i)):
            if starts.latest[a] <= starts.first[b]:
                self.sure.append((a, b))
                return
        both: Terms = {}
        for a, b in ((i, j), (j, i)):
            if starts.soonest[a] <= starts.last[b]:
                both[self.goes_before(a, b)] = 1.0
        if len(both) == 2:
            self.model.row("one_way", both, "<=", 1)
        for k in conflicts:
            on = {self.placement.present[i, k]: -1.0, self.placement.present[j, k]: -1.0}
            self.model.row("conflict", {**both, **on}, ">=", -1)
        if sharing:
            self.sharing[i, j] = sharing
            self.list_pair(i, j)

    def _conflict(self, i: int, j: int, k: int) -> bool:
        """Whether two tasks alone exceed a node's slots or memory."""
        if self._slots[i] + self._slots[j] > self._room[k]:
            return True
        case = self.case
        held = case.memory[[i, j], k].sum() + case.resident[[i, j], k].sum()
        return bool(held > case.capacity[k])

    def goes_before(self, i: int, j: int) -> pulp.LpVariable:
        """Make b_ij and the row `before`."""
        b = self.before[i, j] = self.model.binary(f"b_{i}_{j}")
        most = float(self.starts.latest[i] - self.starts.first[j])
        terms = {self.starts.start[j]: 1.0, **self.starts.finish(i, -1.0), b: -most}
        self.model.row("before", terms, ">=", -most)
        return b

    def list_pair(self, i: int, j: int) -> None:
        """Make q_ij and the rows `listed`."""
        q = self.listed[i, j] = self.model.binary(f"q_{i}_{j}")
        start, first, last = self.starts.start, self.starts.first, self.starts.last
        # Where a comes first in the list, sign * q = base.
        for a, b, sign, base in ((i, j, 1.0, 1.0), (j, i, -1.0, 0.0)):
            if (a, b) in self.before:
                terms = {self.before[a, b]: 1.0, q: -sign}
                self.model.row("listed", terms, "<=", 1.0 - base)
            most = max(0.0, float(last[a] - first[b]))
            terms = {start[b]: 1.0, start[a]: -1.0, q: -sign * most}
            self.model.row("listed", terms, ">=", -base * most)

    def no_cycle(self) -> None:
        tasks = sorted({i for pair in self.sharing for i in pair})
        for i, j, h in combinations(tasks, 3):
            self.case.go_on()
            nodes = [set(self.sharing.get(pair, ())) for pair in ((i, j), (j, h), (i, h))]
            if set.intersection(*nodes):
                terms = {self.listed[i, j]: 1.0, self.listed[j, h]: 1.0, self.listed[i, h]: -1.0}
                self.model.row("no_cycle", terms, "<=", 1)
                self.model.row("no_cycle", terms, ">=", 0)

    def overlaps(self) -> dict[int, dict[int, pulp.LpVariable]]:
        """Make o_ij and the rows `overlap`; for each j the o_ij by i."""
        found: dict[int, dict[int, pulp.LpVariable]] = {}
        for (i, j), nodes in self.sharing.items():
            q = self.listed[i, j]
            for a, b, sign in ((i, j, 1.0), (j, i, -1.0)):
                o = self.model.number(f"o_{a}_{b}")
                found.setdefault(b, {})[a] = o
                before = {self.before[a, b]: 1.0} if (a, b) in self.before else {}
                for k in nodes:
                    on = {self.placement.present[task, k]: -1.0 for task in (a, b)}
                    terms = {o: 1.0, q: -sign, **before, **on}
                    self.model.row("overlap", terms, ">=", -2.0 if sign > 0 else -1.0)
        return found

    def slots(self, overlaps: dict[int, dict[int, pulp.LpVariable]]) -> None:
        tables = self.case.tables
        for j, running in overlaps.items():
            terms = {o: float(tables.task_slots[i]) for i, o in running.items()}
            for k in self.placement.nodes_of[j]:
                spare = float(tables.node_slots[k] - tables.task_slots[j])
                terms[self.placement.present[j, k]] = -spare
            self.model.row("slots", terms, "<=", 0)

    def held(self, i: int, j: int, overlap: pulp.LpVariable) -> pulp.LpVariable:
        """What of the memory of i is held when j starts, as a share of all that i needs."""
        return overlap

    def memory(self, k: int, overlaps: dict[int, dict[int, pulp.LpVariable]]) -> None:
        case, capacity = self.case, float(self.case.capacity[k])
        if not np.isfinite(capacity):
            return
        residents = self.placement.on(range(case.tables.tasks), k, case.resident)
        self.model.at_most("resident", residents, capacity)
        unit = power_of_two(capacity / SIZE)
        for j in np.flatnonzero(self.busy[:, k]).tolist():
            running = {i: o for i, o in overlaps.get(j, {}).items() if self.busy[i, k]}
            terms = {x: a / unit for x, a in residents.items()}
            for i, o in running.items():
                terms[self.held(i, j, o)] = float(case.memory[i, k]) / unit
            away = sum(float(case.memory[i, k]) / unit for i in running)
            if away == 0 and case.memory[j, k] == 0:
                continue
            own = (
                (self.placement.x, float(case.memory[j, k]) / unit),
                (self.placement.present, away),
            )
            for variables, amount in own:
                terms[variables[j, k]] = terms.get(variables[j, k], 0.0) + amount
            self.model.row("memory", terms, "<=", capacity / unit + away)
