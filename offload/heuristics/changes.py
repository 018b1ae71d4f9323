"""Random changes of a plan's decisions, many at a time, over every feature but splitting."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np

from offload.arrays import BoolArray, IntArray
from offload.compression import fastest_codecs
from offload.heuristics.copies import may_copy
from offload.heuristics.decisions import Decisions
from offload.problem import Problem

__all__ = ["Changes"]

_CLUSTER = 3.0  # tasks that a cluster grows by on average
_MOST = 16
_FOCUS = 0.5  # chance that a change begins at one of the tasks that matter most
_NEAR = 0.6  # chance that a task goes to the node of a neighbour


class Changes:
    """Draws changes of decisions.

    Parameters
    ----------
    problem
        An instance without divisible tasks.
    rng
        Source of all draws.
    """

    def __init__(self, problem: Problem, rng: random.Random) -> None:
        self.problem, self.tables, self.rng = problem, problem.tables, rng
        tables = self.tables
        self.before: list[list[int]] = [
            tables.edge_src[tables.incoming.of(i)].tolist() for i in range(tables.tasks)
        ]
        self.after: list[list[int]] = [
            tables.edge_dst[tables.outgoing.of(i)].tolist() for i in range(tables.tasks)
        ]
        self._load_units()
        self.free = [i for i in range(tables.tasks) if self.choices[self.unit[i]]]
        self.fastest: list[int] = tables.fastest_mode.tolist()
        self.packed = np.unique(tables.edge_item).tolist() if len(tables.codec_ids) else []
        self.codecs = [sorted({-1, *tables.item_codecs.of(e).tolist()}) for e in self.packed]
        self.packed = [e for e in self.packed if len(self.codecs[e]) > 1]
        data, node = np.nonzero(may_copy(tables))
        self.copies = list(zip(data.tolist(), node.tolist(), strict=True))
        self.kinds = self._kinds()

    def _load_units(self) -> None:
        """Tasks that must be together move as one."""
        tables = self.tables
        place = {name: i for i, name in enumerate(tables.task_ids)}
        unit = list(range(tables.tasks))
        for group in tables.problem.graph.groups:
            if group.rule == "together":
                names = {unit[place[name]] for name in group.tasks}
                least = min(names, default=0)
                unit = [least if u in names else u for u in unit]
        self.unit = unit
        self.members: list[list[int]] = [[] for _ in range(tables.tasks)]
        for i, u in enumerate(unit):
            self.members[u].append(i)
        self.choices: list[list[int]] = []
        for tasks in self.members:
            common = tables.may_run[tasks[0]] if tasks else []
            for i in tasks[1:]:
                common = sorted(set(common) & set(tables.may_run[i]))
            self.choices.append(common if len(common) > 1 else [])

    def _kinds(self) -> list[tuple[float, Callable[[Decisions, int, int], None]]]:
        """The changes that an instance offers, each with its share of the draws."""
        kinds: list[tuple[float, Callable[[Decisions, int, int], None]]] = []
        if self.free:
            kinds += [(4.0, self._reassign), (2.0, self._move_cluster), (1.0, self._swap)]
        if self.tables.tasks > 1:
            kinds += [(2.0, self._reorder)]
            if self.free:
                kinds += [(2.0, self._reassign_and_reorder)]
        if self.tables.modes > 1:
            kinds += [(2.0, self._change_mode)]
        if self.packed:
            kinds += [(1.0, self._change_codec)]
        if self.copies:
            kinds += [(1.0, self._change_copy)]
        return kinds

    def draw(self, decisions: Decisions, count: int, matter: Sequence[int]) -> Decisions:
        """``count`` changed copies of decisions: the arrays have a leading axis of that length.

        Parameters
        ----------
        matter
            Tasks at which half of the changes begin; all tasks if it is empty.
        """
        return self.mutate(decisions.repeated(count), matter)

    def mutate(self, made: Decisions, matter: Sequence[int] = ()) -> Decisions:
        """Change each of several decisions (arrays with a leading axis) once, in place."""
        if not self.kinds:
            return made
        nodes = made.nodes.copy() if made.codecs is not None else made.nodes
        shares, changes = zip(*self.kinds, strict=True)
        for b, change in enumerate(self.rng.choices(changes, shares, k=len(made.nodes))):
            focus = matter and self.rng.random() < _FOCUS
            task = self.rng.choice(matter) if focus else self.rng.randrange(self.tables.tasks)
            change(made, b, task)
        return self._settle(nodes, made)

    def _settle(self, nodes: IntArray, made: Decisions) -> Decisions:
        """Items of tasks that moved from ``nodes`` travel with the codec that arrives first."""
        if made.codecs is None:
            return made
        tables = self.tables
        moved = made.nodes != nodes
        plan, edge = np.nonzero(moved[:, tables.edge_src] | moved[:, tables.edge_dst])
        src, dst = made.nodes[plan, tables.edge_src[edge]], made.nodes[plan, tables.edge_dst[edge]]
        made.codecs[plan, edge] = fastest_codecs(tables, tables.edge_item[edge], src, dst)
        return made

    # -- changes ---------------------------------------------------------------------------------

    def _put(self, made: Decisions, b: int, task: int, node: int) -> None:
        """A task's unit to a node, where it keeps its mode's number if the node has it."""
        for i in self.members[self.unit[task]]:
            if made.nodes[b, i] != node:
                made.nodes[b, i] = node
                made.modes[b, i] = self.fastest[node]

    def _target(self, made: Decisions, b: int, task: int) -> int | None:
        choices = self.choices[self.unit[task]]
        if not choices:
            return None
        here = int(made.nodes[b, task])
        if self.rng.random() < _NEAR:
            beside = self.before[task] + self.after[task]
            near = {int(made.nodes[b, j]) for j in beside} & set(choices) - {here}
            if near:
                return self.rng.choice(sorted(near))
        others = [k for k in choices if k != here]
        return self.rng.choice(others)

    def _reassign(self, made: Decisions, b: int, task: int) -> None:
        node = self._target(made, b, task)
        if node is None and self.free:
            task = self.rng.choice(self.free)
            node = self._target(made, b, task)
        if node is not None:
            self._put(made, b, task, node)

    def _move_cluster(self, made: Decisions, b: int, task: int) -> None:
        rng, want = self.rng, min(_MOST, 2 + int(self.rng.expovariate(1 / _CLUSTER)))
        node = self._target(made, b, task)
        if node is None:
            node = rng.randrange(self.tables.nodes)
        cluster, known = [task], {task}
        for i in cluster:
            for j in self.before[i] + self.after[i]:
                if len(cluster) < want and j not in known and rng.random() < _NEAR:
                    known.add(j)
                    cluster.append(j)
        for i in cluster:
            if node in self.choices[self.unit[i]]:
                self._put(made, b, i, node)

    def _swap(self, made: Decisions, b: int, task: int) -> None:
        other = self.rng.choice(self.free)
        k, l = int(made.nodes[b, task]), int(made.nodes[b, other])
        if k == l:
            self._reassign(made, b, task)
        elif l in self.choices[self.unit[task]] and k in self.choices[self.unit[other]]:
            self._put(made, b, task, l)
            self._put(made, b, other, k)

    def _reorder(self, made: Decisions, b: int, task: int) -> None:
        """A task elsewhere between those that it waits for and those that wait for it."""
        order = made.order[b]
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        low = int(rank[self.before[task]].max()) + 1 if self.before[task] else 0
        high = int(rank[self.after[task]].min()) - 1 if self.after[task] else len(order) - 1
        if low >= high:
            return
        old, new = int(rank[task]), self.rng.randint(low, high)
        if new < old:
            order[new + 1 : old + 1] = order[new:old].copy()
        else:
            order[old:new] = order[old + 1 : new + 1].copy()
        order[new] = task

    def _reassign_and_reorder(self, made: Decisions, b: int, task: int) -> None:
        self._reassign(made, b, task)
        self._reorder(made, b, task)

    def _change_mode(self, made: Decisions, b: int, task: int) -> None:
        count = int(self.tables.mode_count[made.nodes[b, task]])
        if count > 1:
            step = self.rng.randrange(1, count)
            made.modes[b, task] = (made.modes[b, task] + step) % count
        else:
            self._reassign(made, b, task)

    def _change_codec(self, made: Decisions, b: int, task: int) -> None:
        """All edges of an item between the same two nodes take another codec."""
        tables, item = self.tables, self.rng.choice(self.packed)
        edges = tables.item_edges.of(item)
        to = made.nodes[b, tables.edge_dst[edges]]
        chosen = edges[to == self.rng.choice(to.tolist())]
        assert made.codecs is not None
        made.codecs[b, chosen] = self.rng.choice(self.codecs[item])

    def _change_copy(self, made: Decisions, b: int, task: int) -> None:
        copies: BoolArray | None = made.copies
        if copies is not None:
            data, node = self.rng.choice(self.copies)
            copies[b, data, node] = ~copies[b, data, node]
