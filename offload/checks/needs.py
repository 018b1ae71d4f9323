"""The transfers that a plan's placements ask for, and which of the listed ones answer them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.checks.subject import BoolArray, FloatArray, IntArray, Subject, first_rows
from offload.tables import Lists
from offload.transfers import EDGE, MOVE, READ

__all__ = ["Matching", "Needs"]

_EQUAL = 1e-12  # relative: two holders of data count as equally near (format section 2, Reads)


class Needs(NamedTuple):
    """N transfers that have to happen, one row each; no two alike.

    Attributes
    ----------
    kind, ref, dst
        As in :class:`offload.transfers.Transfers`.
    src : int[N]
        Where it must come from; -1 where no holder of the data has a permitted route.
    size : float64[N]
        Bytes before compression.
    ready : float64[N]
        Seconds from which it may start.
    waiters : Lists
        For each, the kept rows of ``Subject`` that wait for it.
    """

    kind: IntArray
    ref: IntArray
    src: IntArray
    dst: IntArray
    size: FloatArray
    ready: FloatArray
    waiters: Lists

    @classmethod
    def of(cls, subject: Subject) -> Needs:
        """The needs of one plan: of its edges, its reads and its moves, in this order."""
        groups = [_edge_needs(subject), _read_needs(subject), _move_needs(subject)]
        kind, ref, src, dst, size, ready, waiters = zip(*groups, strict=True)
        start = np.zeros(sum(map(len, kind)) + 1, np.int64)
        np.cumsum(np.concatenate([lists.lengths for lists in waiters]), out=start[1:])
        return cls(
            np.concatenate(kind), np.concatenate(ref), np.concatenate(src), np.concatenate(dst),
            np.concatenate(size), np.concatenate(ready),
            Lists(start, np.concatenate([lists.values for lists in waiters])),
        )  # fmt: skip


def _grouped(keys: IntArray, waiters: IntArray) -> tuple[NDArray[np.intp], Lists]:
    """First position of each distinct key, and for each the waiters that share it."""
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    by_group = Lists.group(group.reshape(-1), len(first))
    return first, Lists(by_group.start, waiters[by_group.values].astype(np.int32))


def _edge_needs(subject: Subject) -> Needs:
    tables = subject.tables
    edge, sender, reader = subject.pairs
    apart = subject.node[sender] != subject.node[reader]
    edge, sender, reader = edge[apart], sender[apart], reader[apart]
    item, to = tables.edge_item[edge].astype(np.int64), subject.node[reader]
    keys = (item * len(subject.task) + sender) * tables.nodes + to
    first, waiters = _grouped(keys, reader)
    item, sender, reader = item[first], sender[first], reader[first]
    return Needs(
        np.full(len(first), EDGE), item, subject.node[sender].astype(np.int64), to[first],
        tables.item_bytes[item] * subject.share[sender] * subject.share[reader],
        subject.finish[sender], waiters,
    )  # fmt: skip


def _read_needs(subject: Subject) -> Needs:
    tables = subject.tables
    held = tables.home.copy()
    held[subject.placed] = True
    reader, data = tables.reads.gather(subject.task)
    lacking = ~held[data, subject.node[reader]]
    reader, data = reader[lacking], data[lacking].astype(np.int64)
    to = subject.node[reader]
    first, waiters = _grouped(data * tables.nodes + to, reader)
    data, to = data[first], to[first]
    return Needs(
        np.full(len(first), READ), data, _nearest(subject, held, data, to), to,
        tables.data_bytes[data], np.zeros(len(first)), waiters,
    )  # fmt: skip


def _nearest(subject: Subject, held: NDArray[np.bool_], data: IntArray, to: IntArray) -> IntArray:
    """The holder that each fetch must come from, -1 where no permitted route leads."""
    tables = subject.tables
    what, where = np.nonzero(held)
    holders = Lists.group(what, len(tables.data_ids))
    fetch, position = holders.gather(data)
    holder = where[position]
    delay = tables.transfer(
        tables.data_bytes[data][fetch], holder, to[fetch], rule=tables.data_rule[data][fetch]
    ).total
    least = np.full(len(data), np.inf)
    np.minimum.at(least, fetch, delay)
    near = np.flatnonzero(np.isfinite(delay) & (delay <= least[fetch] * (1 + _EQUAL)))
    near = near[first_rows(fetch[near])]  # holders come in the order of the file
    source = np.full(len(data), -1, np.int64)
    source[fetch[near]] = holder[near]
    return source


def _move_needs(subject: Subject) -> Needs:
    tables = subject.tables
    at = tables.at[subject.task]
    row = np.flatnonzero((at >= 0) & (at != subject.node))
    task = subject.task[row].astype(np.int64)
    return Needs(
        np.full(len(row), MOVE), task, at[row].astype(np.int64), subject.node[row],
        tables.move_bytes[task], np.zeros(len(row)),
        Lists(np.arange(len(row) + 1, dtype=np.int64), row.astype(np.int32)),
    )  # fmt: skip


class Matching:
    """Which listed transfer answers which need.

    An item goes once from its source to each node, and a divisible source sends from each of its
    parts; so a row answers by what it carries and where to, and by where from only if its source
    is divisible.

    Attributes
    ----------
    needs
        What has to happen.
    answer : int[N]
        The first listed row that answers each need, -1 without one.
    rows, met : int[M]
        The rows that answer, in their order, and the need that each meets.
    repeated, unneeded : int[...]
        Rows that answer a need once more, and rows that answer none.
    reachable, permitted : bool[N]
        Whether a route leads there, and whether it carries the tags that it must.
    """

    def __init__(self, subject: Subject) -> None:
        self.needs, rows = Needs.of(subject), subject.plan.transfers
        wanted = self._keys(subject, *self.needs[:4])
        listed = self._keys(subject, rows.kind, rows.ref, rows.src, rows.dst)
        order = np.argsort(wanted)
        at = np.searchsorted(wanted, listed, sorter=order)
        found = np.full(len(listed), -1)
        inside = np.flatnonzero(at < len(wanted))
        same = inside[wanted[order[at[inside]]] == listed[inside]]
        found[same] = order[at[same]]
        answering = np.flatnonzero(found >= 0)
        self.rows = answering[first_rows(found[answering])]
        self.met = found[self.rows]
        self.answer = np.full(len(wanted), -1)
        self.answer[self.met] = self.rows
        self.repeated = answering[self.answer[found[answering]] != answering]
        self.unneeded = np.flatnonzero(found < 0)
        self.reachable, self.permitted = self._routed(subject)

    @staticmethod
    def _keys(
        subject: Subject, kind: IntArray, ref: IntArray, src: IntArray, dst: IntArray
    ) -> NDArray[np.int64]:
        tables = subject.tables
        origin = np.zeros(len(kind), np.int64)
        edges = np.flatnonzero(kind == EDGE)
        split = edges[tables.divisible[tables.item_src[ref[edges]]]]
        origin[split] = src[split] + 1
        refs = max(tables.items, len(tables.data_ids), tables.tasks)
        what: Any = kind.astype(np.int64) * refs + ref
        return np.asarray((what * (tables.nodes + 1) + origin) * tables.nodes + dst, np.int64)

    def _routed(self, subject: Subject) -> tuple[BoolArray, BoolArray]:
        needs, tables = self.needs, subject.tables
        rule = np.zeros(len(needs.kind), np.int64)
        for kind, table in ((EDGE, tables.item_rule), (READ, tables.data_rule)):
            chosen = needs.kind == kind
            rule[chosen] = table[needs.ref[chosen]]
        sourced = needs.src >= 0
        reachable = sourced & tables.routes.reachable[needs.src, needs.dst]
        permitted = reachable & tables.permits_table[rule, needs.src, needs.dst]
        for n in np.flatnonzero(
            ~sourced
        ):  # data whose holders have no route, or none with the tags
            holders = tables.home[needs.ref[n]].copy()
            data, node = subject.placed
            holders[node[data == needs.ref[n]]] = True
            reachable[n] = tables.routes.reachable[holders, needs.dst[n]].any()
        return reachable, permitted
