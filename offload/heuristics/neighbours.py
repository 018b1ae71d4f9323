"""Random neighbours of a plan, most of them of tasks that matter for what is to be lessened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray, IntArray
from offload.heuristics.critical import chain, task_costs
from offload.heuristics.decisions import Decisions, codecs_of, topological_order
from offload.heuristics.merit import excess_of
from offload.heuristics.placements import Placements, find_placement
from offload.plan import Plan
from offload.registry import Request

__all__ = ["Batch", "Moves"]

_ENDS = 4  # late tasks whose chains are looked at
_CLUSTER = 0.25  # share of moves that take along those that a task exchanges data with


@dataclass
class Batch:
    """Decisions of several plans; the copies of data are one and the same."""

    nodes: IntArray
    order: IntArray
    modes: IntArray
    codecs: IntArray | None
    copies: BoolArray | None

    @classmethod
    def of(cls, decisions: Decisions, count: int) -> Batch:
        """So many copies of one plan's decisions."""
        codecs = decisions.codecs
        nodes, order, modes = (np.repeat(part[None], count, axis=0) for part in decisions[:3])
        packed = None if codecs is None else np.repeat(codecs[None], count, axis=0)
        return cls(nodes, order, modes, packed, decisions.copies)

    def row(self, number: int) -> Decisions:
        """One plan's decisions."""
        codecs = None if self.codecs is None else self.codecs[number]
        nodes, order, modes = self.nodes[number], self.order[number], self.modes[number]
        return Decisions(nodes, order, modes, codecs, self.copies)

    def take(self, rows: NDArray[np.intp]) -> Batch:
        """Some of them."""
        codecs = None if self.codecs is None else self.codecs[rows]
        return Batch(self.nodes[rows], self.order[rows], self.modes[rows], codecs, self.copies)


class Moves:
    """Random neighbours of a plan.

    Parameters
    ----------
    request
        Its goal says which tasks matter: those with a part in what the plan breaks, else in what
        is minimized.
    placements
        Neighbours that conflict with these are left out.
    decisions, plan
        The plan; its copies of data stay.
    dice
        Draws the neighbours.
    """

    def __init__(
        self,
        request: Request,
        placements: Placements,
        decisions: Decisions,
        plan: Plan,
        dice: np.random.Generator,
    ) -> None:
        self.request, self.placements, self.dice = request, placements, dice
        self.decisions, self.plan = decisions, plan
        self.tables = request.problem.tables
        self.rank = np.empty(self.tables.tasks, np.int64)
        self.rank[decisions.order] = np.arange(self.tables.tasks)
        self.share = self._focus()

    def _focus(self) -> FloatArray:
        """How likely each task is to be moved; float64[T], sums to 1."""
        tables, goal, plan = self.tables, self.request.goal, self.plan
        weight = np.full(tables.tasks, 0.1 / max(tables.tasks, 1))
        broken = excess_of(goal, plan)
        if broken:
            names = [name.removeprefix("limit:") for name in broken]
        else:
            names = [metric for metric, w in goal.minimize.items() if w > 0]
        for name in names:
            share = self._part_in(name, plan)
            if (total := share.sum()) > 0:
                weight += share / (total * len(names))
        result: FloatArray = weight / weight.sum()
        return result

    def _part_in(self, name: str, plan: Plan) -> FloatArray:
        """Each task's part in a metric, or in the lateness of others; float64[T]."""
        tables, finish = self.tables, np.zeros(self.tables.tasks)
        finish[plan.parts.task] = plan.parts.finish
        share = np.zeros(tables.tasks)
        if name in ("latency", "completion", "tardiness", "deadline"):
            if name == "latency":
                late = finish - finish.max(initial=0.0)
            elif name == "deadline":
                late = finish - tables.deadline
            else:
                due = tables.due if name == "tardiness" else np.zeros(tables.tasks)
                counted = np.isfinite(due) & (tables.weight > 0)
                late = np.full(tables.tasks, -np.inf)
                late[counted] = (finish[counted] - due[counted]) * tables.weight[counted]
            ends = np.argsort(-late, kind="stable")[:_ENDS]
            for end in ends[: 1 if name == "latency" else _ENDS].tolist():
                if late[end] >= 0:
                    share[chain(plan, end)] += 1.0
            return share
        return task_costs(plan, name)

    def draw(self, count: int) -> Batch | None:
        """Neighbours that the placement rules admit; ``None`` if there are none."""
        tables, dice = self.tables, self.dice
        batch = Batch.of(self.decisions, count)
        task = dice.choice(tables.tasks, size=count, p=self.share)
        kind = dice.random(count)
        changed = np.zeros(count, bool)
        for b in range(count):
            i = int(task[b])
            if kind[b] < 0.55:
                changed[b] = self._reassign(batch, b, i)
            elif kind[b] < 0.8:
                changed[b] = self._reposition(batch, b, i)
            elif kind[b] < 0.9:
                changed[b] = self._exchange(batch, b, i)
            else:
                changed[b] = self._other_mode(batch, b, i) or self._other_codec(batch, b, i)
            if changed[b] and kind[b] < 0.55 and dice.random() < 0.3:
                self._reposition(batch, b, i)
        rows = np.flatnonzero(changed)
        rows = rows[self.placements.conflicts(batch.nodes[rows]) == 0]
        return self._packed(batch.take(rows)) if len(rows) else None

    def forced(self) -> Batch | None:
        """A task that matters somewhere else, early, and as many others moved as that takes."""
        tables, dice, placements = self.tables, self.dice, self.placements
        batch = Batch.of(self.decisions, 1)
        task = int(dice.choice(tables.tasks, p=self.share))
        if not self._reassign(batch, 0, task):
            return None
        request, nodes = self.request, batch.nodes[0].copy()
        found = find_placement(
            placements, int(dice.integers(2**31)), lambda: request.stopped, nodes, task
        )
        if found is None:
            return None
        for other in np.flatnonzero(found != nodes).tolist():
            self._move(batch, 0, np.array([other]), int(found[other]))
        rank_of = self.rank.copy()
        rank_of[chain(self.plan, task)] -= tables.tasks
        batch.order[0] = topological_order(request.problem, rank_of)
        return self._packed(batch)

    def _packed(self, batch: Batch) -> Batch:
        """With the fastest codec for each item that has other ends than before."""
        tables = self.tables
        fastest = codecs_of(tables, batch.nodes)
        if batch.codecs is not None and fastest is not None:
            moved = batch.nodes != self.decisions.nodes
            other = moved[:, tables.edge_src] | moved[:, tables.edge_dst]
            batch.codecs = np.where(other, fastest, batch.codecs)
        return batch

    def _unit(self, task: int) -> IntArray:
        return self.placements.together.of(int(self.placements.unit[task]))

    def _move(self, batch: Batch, b: int, members: NDArray[np.integer], node: int) -> None:
        """Put tasks on a node: in its fastest mode or any."""
        tables, dice = self.tables, self.dice
        batch.nodes[b, members] = node
        mode = int(tables.fastest_mode[node])
        if tables.mode_count[node] > 1 and dice.random() < 0.5:
            mode = int(dice.integers(tables.mode_count[node]))
        batch.modes[b, members] = mode

    def _reassign(self, batch: Batch, b: int, task: int) -> bool:
        options = np.flatnonzero(self.placements.allowed[task])
        options = options[options != batch.nodes[b, task]]
        if not len(options):
            return False
        node = int(self.dice.choice(options))
        members = self._unit(task)
        if self.dice.random() < _CLUSTER:
            self._move(batch, b, self._neighbours_on(task, node), node)
        self._move(batch, b, members, node)
        return True

    def _neighbours_on(self, task: int, node: int) -> IntArray:
        """Those tasks that a task exchanges data with and that may run on a node."""
        tables, unit = self.tables, self.placements.unit
        before = tables.edge_src[tables.incoming.of(task)]
        after = tables.edge_dst[tables.outgoing.of(task)]
        near = unit[np.concatenate([before, after])]
        _, members = self.placements.together.gather(near[self.placements.allowed[near, node]])
        return members

    def _exchange(self, batch: Batch, b: int, task: int) -> bool:
        """Two tasks take each other's nodes."""
        here = int(batch.nodes[b, task])
        others = np.flatnonzero(self.placements.allowed[:, here] & (batch.nodes[b] != here))
        others = others[self.placements.allowed[task, batch.nodes[b, others]]]
        if not len(others):
            return False
        other = int(self.dice.choice(others))
        there = int(batch.nodes[b, other])
        self._move(batch, b, self._unit(task), there)
        self._move(batch, b, self._unit(other), here)
        return True

    def _reposition(self, batch: Batch, b: int, task: int) -> bool:
        """Earlier in the order, or later, as far as the edges allow."""
        tables, order, rank = self.tables, batch.order[b], self.rank
        at = int(rank[task])
        first = int(rank[tables.edge_src[tables.incoming.of(task)]].max(initial=-1)) + 1
        last = int(rank[tables.edge_dst[tables.outgoing.of(task)]].min(initial=tables.tasks)) - 1
        backward = self.dice.random() < 0.7
        low, high = (first, at) if backward and first < at else (at + 1, last + 1)
        if low >= high:
            return False
        to = int(self.dice.integers(low, high))
        if to < at:
            order[to + 1 : at + 1] = order[to:at].copy()
        else:
            order[at:to] = order[at + 1 : to + 1].copy()
        order[to] = task
        return True

    def _other_mode(self, batch: Batch, b: int, task: int) -> bool:
        count = int(self.tables.mode_count[batch.nodes[b, task]])
        if count < 2 or self.dice.random() < 0.3:
            return False
        step = int(self.dice.integers(1, count))
        batch.modes[b, task] = (batch.modes[b, task] + step) % count
        return True

    def _other_codec(self, batch: Batch, b: int, task: int) -> bool:
        """Another codec for all that a task receives from one sender, or sends to one node."""
        tables = self.tables
        if batch.codecs is None:
            return False
        edges = np.concatenate([tables.incoming.of(task), tables.outgoing.of(task)])
        moved = batch.nodes[b, tables.edge_src[edges]] != batch.nodes[b, tables.edge_dst[edges]]
        edges = edges[moved & (tables.item_codecs.lengths[tables.edge_item[edges]] > 0)]
        if not len(edges):
            return False
        edge = int(self.dice.choice(edges))
        item = int(tables.edge_item[edge])
        offers = [-1, *tables.item_codecs.of(item).tolist()]
        offers.remove(int(batch.codecs[b, edge]))
        same = tables.item_edges.of(item)
        same = same[
            batch.nodes[b, tables.edge_dst[same]] == batch.nodes[b, tables.edge_dst[edge]]
        ]  # fmt: skip
        batch.codecs[b, same] = int(self.dice.choice(np.array(offers)))
        return True
