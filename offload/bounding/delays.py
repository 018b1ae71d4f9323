"""Least delays of edges: exact for each pair of nodes, or into and out of kinds of nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray
from offload.bounding.ties import APART, TOGETHER
from offload.caching import once
from offload.tables import Tables

__all__ = [
    "Arrivals", "Kinds", "arrivals", "edge_delays", "item_delays", "kinds_of", "near_arrivals",
    "is_shop", "node_by_node", "pair_delays", "possible_holders",
]  # fmt: skip

Arrivals = Callable[[NDArray[np.integer], FloatArray], FloatArray]
"""From edges and when their givers are done, when what they carry arrives; both float64[N, G]."""

_TOGETHER = 16  # kinds computed together
_CHUNK = 250_000  # cells of edges and pairs of nodes looked at together


# -- by pairs of nodes ---------------------------------------------------------------------------


def pair_delays(tables: Tables, edge: int) -> FloatArray:
    """Least delay of an edge for each pair of nodes in seconds, over its codecs; float64[K, K]."""
    result: FloatArray = item_delays(tables, tables.edge_item[[edge]])[0]
    return result


def item_delays(tables: Tables, item: NDArray[np.integer]) -> FloatArray:
    """:func:`pair_delays` of several items; float64[N, K, K]."""
    node = np.arange(tables.nodes)
    src, dst = node[:, None], node[None, :]
    size = tables.item_bytes[item][:, None, None]
    rule = tables.item_rule[item][:, None, None]
    best: FloatArray = tables.transfer(size, src, dst, -1, rule).total
    row, codecs = tables.item_codecs.gather(item)
    for codec in np.unique(codecs).tolist():
        rows = row[codecs == codec]
        packed = tables.transfer(size[rows], src, dst, codec, rule[rows]).total
        best[rows] = np.minimum(best[rows], packed)
    return best


def edge_delays(
    tables: Tables,
    edges: NDArray[np.integer],
    kept: FloatArray | None = None,
    tie: NDArray[np.int8] | None = None,
) -> FloatArray:
    """Least delays of edges from each node to each, infinite where groups forbid; [N, K, K].

    Parameters
    ----------
    kept : float64[I, K, K], optional
        :func:`item_delays` of all items, where they are known already.
    tie : int8[E], optional
        From :func:`offload.bounding.ties.tied_edges`.
    """
    item = tables.edge_item[edges]
    delay: FloatArray = item_delays(tables, item) if kept is None else kept[item]
    if tie is not None and tie[edges].any():
        same = np.eye(tables.nodes, dtype=bool)
        mark = tie[edges][:, None, None]
        delay[((mark == TOGETHER) & ~same) | ((mark == APART) & same)] = np.inf
    return delay


def arrivals(
    tables: Tables,
    kept: FloatArray | None = None,
    back: bool = False,
    tie: NDArray[np.int8] | None = None,
) -> Arrivals:
    """Arrivals by the delays of all pairs of nodes.

    What a divisible task receives or sends may be little: only its end is waited for.

    Parameters
    ----------
    kept, tie
        As in :func:`edge_delays`.
    back
        From the destination to the source, for tails.
    """
    split = tables.divisible[tables.edge_src] | tables.divisible[tables.edge_dst]
    step = max(1, _CHUNK // max(1, tables.nodes**2))

    def arrive(edges: NDArray[np.integer], done: FloatArray) -> FloatArray:
        result = np.empty(done.shape)
        for first in range(0, len(edges), step):
            rows = slice(first, first + step)
            delay = edge_delays(tables, edges[rows], kept, tie)
            if back:
                np.min(delay + done[rows, None, :], axis=2, out=result[rows])
            else:
                np.min(delay + done[rows, :, None], axis=1, out=result[rows])
        if split.any():
            some = split[edges]
            result[some] = done[some].min(axis=1, keepdims=True)
        return result

    return arrive


# -- by kinds of nodes ---------------------------------------------------------------------------


class Kinds(NamedTuple):
    """Groups of nodes that are told apart no further.

    Nodes of one kind take as long for every task, spend as much, and are open to the same tasks.
    A group is one kind, or where kinds are many several, of which each task meets the best.

    Attributes
    ----------
    of_node : int[K]
        The group of each node.
    node : int[N]
        One node of each kind.
    group : int[N]
        The group of each kind.
    """

    of_node: NDArray[np.int64]
    node: NDArray[np.int64]
    group: NDArray[np.int64]

    @property
    def number(self) -> int:
        """G, the number of groups."""
        return int(self.group.max(initial=-1)) + 1

    @property
    def pure(self) -> bool:
        """Whether each group is one kind."""
        return self.number == len(self.node)

    def least(self, table: FloatArray) -> FloatArray:
        """Least over the nodes of each group; float64[..., K] to float64[..., G]."""
        if self.number == table.shape[-1]:
            return table
        order = np.argsort(self.of_node, kind="stable")
        first = np.searchsorted(self.of_node[order], np.arange(self.number))
        result: FloatArray = np.minimum.reduceat(table[..., order], first, axis=-1)
        return result

    def gather(self, compute: Callable[[NDArray[np.integer]], FloatArray]) -> FloatArray:
        """Least of what is computed for one node of each kind, float64[T, n] to float64[T, G]."""
        if self.pure:
            return compute(self.node)
        result: FloatArray | None = None
        for first in range(0, len(self.node), _TOGETHER):
            rows = slice(first, first + _TOGETHER)
            table = compute(self.node[rows])
            if result is None:
                result = np.full((len(table), self.number), np.inf)
            for column, g in enumerate(self.group[rows].tolist()):
                np.minimum(result[:, g], table[:, column], out=result[:, g])
        assert result is not None
        return result


def node_by_node(tables: Tables) -> Kinds:
    """Each node a kind of its own."""
    every = np.arange(tables.nodes)
    return Kinds(every, every, every)


def kinds_of(tables: Tables, most: int) -> Kinds:
    """The kinds of nodes of an instance, in the order of the nodes, or at most so many groups.

    Kinds of like speed share a group.
    """
    open_to = np.ascontiguousarray(np.packbits(tables.allow_mask, axis=0).T)
    known: dict[tuple[object, ...], int] = {}
    node: list[int] = []
    of_node: list[int] = []
    for k in range(tables.nodes):
        key = (
            int(tables.node_class[k]), int(tables.node_slots[k]),
            float(tables.memory_capacity[k]), open_to[k].tobytes(),
            tables.busy_power[k].tobytes(), float(tables.node_price[k]),
            float(tables.failure_rate[k]),
        )  # fmt: skip
        if key not in known:
            known[key] = len(node)
            node.append(k)
        of_node.append(known[key])
    kind, first = np.array(of_node, np.int64), np.array(node, np.int64)
    group = np.arange(len(first))
    if len(first) > most:
        rank = np.argsort(np.argsort(tables.speed[first], kind="stable"), kind="stable")
        group = rank * most // len(first)
    return Kinds(group[kind], first, group)


@once
def is_shop(tables: Tables) -> bool:
    """Whether an instance is a shop: unlike machines, and nothing that takes time on its way."""
    if len(kinds_of(tables, tables.nodes).node) < 2 or len(tables.reads.values):
        return False
    if (tables.at >= 0).any():
        return False
    delays = item_delays(tables, np.arange(tables.items))
    return not delays[np.isfinite(delays)].any()


def near_arrivals(
    tables: Tables, kinds: Kinds, back: bool = False, tie: NDArray[np.int8] | None = None
) -> Arrivals:
    """Arrivals by the least delay out of any node and into each kind, in place of all pairs.

    Weaker than :func:`arrivals`, for work in proportion to edges times kinds: what does not stay
    on its node takes as long as the nearest other node is far.
    """
    far = [_nearest(tables, kinds, rule, axis) for rule in _rules(tables) for axis in (0, 1)]
    into, out = far[0::2], far[1::2]
    if back:
        into, out = out, into
    latency_in, pace_in = (np.stack(rows) for rows in zip(*into, strict=True))
    latency_out, pace_out = (np.stack(rows) for rows in zip(*out, strict=True))
    size = tables.item_bytes / _best_ratio(tables)
    split = tables.divisible[tables.edge_src] | tables.divisible[tables.edge_dst]

    def arrive(edges: NDArray[np.integer], done: FloatArray) -> FloatArray:
        item = tables.edge_item[edges]
        rule, moved = tables.item_rule[item], size[item, None]
        if split.any():
            moved = np.where(split[edges, None], 0.0, moved)
        sent = (done + (latency_out[rule] + moved * pace_out[rule])).min(axis=1)
        received = latency_in[rule] + moved * pace_in[rule]
        received += done.min(axis=1, keepdims=True)
        away = np.maximum(received, sent[:, None])
        result: FloatArray = np.minimum(done, away)
        if tie is not None:
            mark = tie[edges][:, None]
            result = np.where(mark == TOGETHER, done, np.where(mark == APART, away, result))
        if split.any():
            some = split[edges]
            result[some] = done[some].min(axis=1, keepdims=True)
        return result

    return arrive


def _rules(tables: Tables) -> range:
    return range(int(tables.item_rule.max(initial=0)) + 1)


def _nearest(tables: Tables, kinds: Kinds, rule: int, axis: int) -> tuple[FloatArray, FloatArray]:
    """Least latency and least seconds a byte into (axis 0) or out of (axis 1) each kind; [G]."""
    open_ = tables.permits(rule) & np.isfinite(tables.routes.latency)
    np.fill_diagonal(open_, False)
    latency = np.where(open_, tables.routes.latency, np.inf).min(axis=axis, initial=np.inf)
    pace = np.where(open_, 1 / tables.routes.bandwidth, np.inf).min(axis=axis, initial=np.inf)
    # A product with 0 bytes must not be undefined where no route leads.
    pace = np.where(np.isfinite(pace), pace, 0.0)
    return kinds.least(latency), kinds.least(pace)


def _best_ratio(tables: Tables) -> FloatArray:
    """Largest ratio by which each item may be compressed; float64[I]."""
    ratio = np.ones(tables.items)
    if len(tables.item_codecs.values):
        item, codec = tables.item_codecs.gather(np.arange(tables.items))
        np.maximum.at(ratio, item, tables.codec_ratio[codec])
    return ratio


def possible_holders(tables: Tables) -> BoolArray:
    """Nodes that have each data item in some plan: its homes, and where a copy may be. [D, K].

    A copy must be allowed, fit the storage, and be within reach of a home.
    """
    holders = tables.home.copy()
    for d in np.flatnonzero(tables.max_copies > 0).tolist():
        fits = tables.data_bytes[d] <= tables.storage_capacity * (1 + 1e-6)
        reach = tables.permits(int(tables.data_rule[d])) & np.isfinite(tables.routes.latency)
        holders[d] |= tables.copy_allowed[d] & fits & reach[tables.home[d]].any(axis=0)
    return holders
