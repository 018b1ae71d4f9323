"""The graph of `min_cut`: costs of two nodes and of what passes between them as capacities."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from formulations.cut_graph import SINK, SOURCE, CutGraph
from offload.arrays import BoolArray, FloatArray, IntArray
from offload.bounding.chains import Terms, places
from offload.bounding.spending import fetch_costs, item_costs, move_costs, running_costs
from offload.bounding.ties import members
from offload.tables import Lists, Tables

__all__ = ["CutModel"]


class CutModel:
    """The cuts between two nodes of an instance, for any goal.

    Parameters
    ----------
    pair
        Positions of the source's node and the sink's; twice the same where there is but one.
    usable : bool[T, K]
        Where each task may run.

    Attributes
    ----------
    impossible
        Whether tasks that must be together are bound to different nodes.
    """

    def __init__(self, tables: Tables, pair: tuple[int, int], usable: BoolArray) -> None:
        self.tables, self.pair = tables, np.array(pair)
        self.usable = usable[:, self.pair].copy()
        if pair[0] == pair[1]:
            self.usable[:, 1] = False
        self.vertex, self.vertices = self._merged()
        self.impossible = bool(self.vertex[-2] == self.vertex[-1])
        self.readers = Lists.group(tables.reads.values, len(tables.data_ids))
        self.reader = np.repeat(np.arange(tables.tasks), tables.reads.lengths)

    def _merged(self) -> tuple[IntArray, int]:
        """Vertex of each task, of the source and the sink; int[T + 2], and how many there are."""
        tasks = self.tables.tasks
        links = [np.stack([rows[:-1], rows[1:]]) for rows in members(self.tables, "together")]
        for side, other in ((0, 1), (1, 0)):
            bound = np.flatnonzero(self.usable[:, side] & ~self.usable[:, other])
            links.append(np.stack([bound, np.full(len(bound), tasks + side)]))
        ends = np.concatenate(links, axis=1)
        one = np.ones(ends.shape[1])
        graph: Any = csr_array((one, (ends[0], ends[1])), shape=(tasks + 2, tasks + 2))
        count, label = connected_components(graph, directed=False)
        # Source and sink first, then the others by their first task.
        order = np.full(count, -1, np.int32)
        known = 0
        for name in [label[tasks], label[tasks + 1], *label[:tasks].tolist()]:
            if order[name] < 0:
                order[name] = known
                known += 1
        return order[label].astype(np.int32), count

    def cut(self, terms: Terms, chained: bool) -> tuple[float, IntArray] | None:
        """The least cut: a bound of what it costs, and the node of each task; int32[T].

        Parameters
        ----------
        terms
            The goal.
        chained
            Whether latency is that of tasks one after another; else all times count.

        Returns
        -------
        (float, int32[T]) or None
            ``None`` where no placement on the two nodes keeps groups and routes.
        """
        if self.impossible:
            return None
        graph = CutGraph(self.vertices)
        self._add_tasks(graph, terms)
        self._add_items(graph, terms, chained)
        self._add_reads(graph, terms.spent)
        found = graph.minimum()
        if found is None:
            return None
        value, side = found
        return value, self.pair[np.where(side[self.vertex[:-2]], 0, 1)].astype(np.int32)

    def _add_tasks(self, graph: CutGraph, terms: Terms) -> None:
        tables = self.tables
        own = running_costs(tables, self.pair, terms.all).min(axis=0)
        moved = np.flatnonzero(tables.at >= 0)
        if len(moved):
            own[moved] += move_costs(tables, moved, terms.spent)[:, self.pair]
        own[~self.usable] = inf
        total = np.zeros((self.vertices, 2))
        np.add.at(total, self.vertex[:-2], own)
        graph.constant += float(total[SOURCE, 0] + total[SINK, 1])
        for v in range(2, self.vertices):
            graph.either(v, *total[v].tolist())

    def _add_items(self, graph: CutGraph, terms: Terms, chained: bool) -> None:
        tables = self.tables
        if terms.seconds and chained:
            self._add_steps(graph, terms.seconds * self._moved({"seconds": 1.0}))
        cost = self._moved(terms.spent if chained else terms.all)
        for h in range(tables.items):
            ends = self.vertex[tables.edge_dst[tables.item_edges.of(h)]].tolist()
            self._add_item(graph, int(self.vertex[tables.item_src[h]]), ends, cost[h].tolist())

    def _moved(self, weights: Mapping[str, float]) -> FloatArray:
        """What each item adds from source to sink, and back; float64[I, 2]."""
        ways = [(self.pair[[k]][:, None], self.pair[[l]][:, None]) for k, l in ((0, 1), (1, 0))]
        found = [item_costs(self.tables, weights, src, dst)[0][:, :, 0] for src, dst in ways]
        return np.concatenate(found, axis=1)

    def _add_steps(self, graph: CutGraph, delay: FloatArray) -> None:
        """From each task to the next, the largest delay of the edges between them."""
        tables = self.tables
        rank = places(tables)
        steps = np.flatnonzero(rank[tables.edge_dst] - rank[tables.edge_src] == 1)
        longest = np.zeros((tables.tasks, 2))
        np.maximum.at(longest, tables.edge_src[steps], delay[tables.edge_item[steps]])
        vertex = self.vertex[tables.topological].tolist()
        for i, u, v in zip(tables.topological.tolist(), vertex, vertex[1:], strict=False):
            graph.arc(u, v, float(longest[i, 0]))
            graph.arc(v, u, float(longest[i, 1]))

    @staticmethod
    def _add_item(graph: CutGraph, source: int, readers: list[int], cost: list[float]) -> None:
        """An item from its source to the readers, paid once for each direction."""
        away = sorted(set(readers) - {source})
        if len(away) == 1:
            graph.arc(source, away[0], cost[0])
            graph.arc(away[0], source, cost[1])
        elif away:
            if cost[0] > 0:
                some = graph.vertex()
                graph.arc(source, some, cost[0])
                for reader in away:
                    graph.arc(some, reader, inf)
            if cost[1] > 0:
                some = graph.vertex()
                graph.arc(some, source, cost[1])
                for reader in away:
                    graph.arc(reader, some, inf)

    def _add_reads(self, graph: CutGraph, spent: Mapping[str, float]) -> None:
        """Data fetched once to each side that has a reader."""
        if not len(self.tables.reads.values):
            return
        fetch = fetch_costs(self.tables, spent)[:, self.pair]
        for d in range(len(fetch)):
            readers = sorted(set(self.vertex[self.reader[self.readers.of(d)]].tolist()))
            if not readers:
                continue
            some = graph.vertex()
            graph.arc(some, SINK, float(fetch[d, 0]))
            for reader in readers:
                graph.arc(reader, some, inf)
            some = graph.vertex()
            graph.arc(SOURCE, some, float(fetch[d, 1]))
            for reader in readers:
                graph.arc(some, reader, inf)

    def choices(self, nodes: IntArray, terms: Terms) -> tuple[IntArray, IntArray | None]:
        """Mode of each task and codec of each edge that cost least; int32[T], int32[E] or None."""
        tables = self.tables
        side = np.where(nodes == self.pair[0], 0, 1)
        costs = running_costs(tables, self.pair, terms.all)
        every = np.arange(tables.tasks)
        modes = costs[:, every, side].argmin(axis=0).astype(np.int32)
        if not len(tables.item_codecs.values):
            return modes, None
        codec = item_costs(tables, terms.all, self.pair[:, None], self.pair[None, :])[1]
        from_, to = side[tables.edge_src], side[tables.edge_dst]
        return modes, codec[tables.edge_item, from_, to].astype(np.int32)
