"""Which transfers a placement needs: items to their readers, data to their readers, moves.

One row a transfer, for many plans at once: ``plan`` tells to which plan a row belongs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray, IntArray
from offload.tables import Lists, Tables, TransferParts

__all__ = [
    "EDGE", "KINDS", "MOVE", "READ", "Copies", "Parts", "Required", "Transfers", "durations",
    "required_fetches", "required_transfers", "timed_without_contention", "transfer_rules",
    "transfer_sizes",
]  # fmt: skip


KINDS = ("edge", "read", "move")
EDGE, READ, MOVE = range(3)


class Parts(NamedTuple):
    """Pieces of tasks on nodes, one row each; an indivisible task is one piece of fraction 1."""

    plan: IntArray
    task: IntArray
    node: IntArray
    mode: IntArray
    fraction: FloatArray
    start: FloatArray  # seconds
    finish: FloatArray  # seconds

    def of_plan(self, number: int) -> Parts:
        """The rows of one plan, renumbered as plan 0."""
        rows = np.flatnonzero(self.plan == number)
        return Parts(
            np.zeros(len(rows), np.int32), self.task[rows], self.node[rows], self.mode[rows],
            self.fraction[rows], self.start[rows], self.finish[rows],
        )  # fmt: skip


class Transfers(NamedTuple):
    """Transfers between distinct nodes, one row each.

    ``ref`` is an item's position where ``kind`` is EDGE, a data item's for READ, a task's for MOVE;
    ``size`` the bytes before compression; ``codec`` -1 for none; times in seconds.
    """

    plan: IntArray
    kind: NDArray[np.int8]
    ref: IntArray
    src: IntArray
    dst: IntArray
    codec: IntArray
    size: FloatArray
    start: FloatArray
    finish: FloatArray

    def take(self, rows: NDArray[np.integer]) -> Transfers:
        """Some of the rows."""
        return Transfers(*(column[rows] for column in self))


class Copies(NamedTuple):
    """Placed copies of data, one row each."""

    plan: IntArray
    data: IntArray
    node: IntArray


class Required(NamedTuple):
    """Transfers without times, and for each the edges (EDGE) or tasks (READ, MOVE) behind it."""

    rows: Transfers
    members: Lists


def required_transfers(
    tables: Tables,
    nodes: NDArray[np.integer],
    codecs: NDArray[np.integer] | None = None,
    holders: BoolArray | None = None,
    order: IntArray | None = None,
) -> Required:
    """The transfers that placements need; times are NaN.

    Parameters
    ----------
    nodes : int[B, T]
        Node of each task.
    codecs : int[B, E], optional
        Codec of each edge, -1 for none. Where several readers of one item share a node, the
        transfer takes the codec of the edge whose reader comes first in ``order``.
    holders : bool[B, D, K], optional
        Homes and placed copies; homes alone by default.
    order : int[B, T], optional
        Position of each task in the plan's order; file order by default.

    Returns
    -------
    Required
        Rows sorted by plan, then edges (by item), reads (by data) and moves.
    """
    parts = [_edge_rows(tables, nodes, codecs, order)]
    if len(tables.reads.values):
        parts.append(_read_rows(tables, nodes, holders))
    if (tables.at >= 0).any():
        parts.append(_move_rows(tables, nodes))
    return _by_plan(parts, len(nodes))


def required_fetches(
    tables: Tables, nodes: NDArray[np.integer], holders: BoolArray | None = None
) -> Required:
    """Of :func:`required_transfers` the reads and moves alone."""
    return _by_plan([_read_rows(tables, nodes, holders), _move_rows(tables, nodes)], len(nodes))


def _by_plan(parts: list[Required], batch: int) -> Required:
    """The rows of all parts, sorted by plan; within a plan the parts follow one another."""
    if len(parts) == 1:
        return parts[0]
    owners = np.concatenate([part.members.lengths for part in parts])
    rows = Transfers(
        *(np.concatenate(columns) for columns in zip(*(p.rows for p in parts), strict=True))
    )
    values = np.concatenate([part.members.values for part in parts])
    start = np.zeros(len(owners) + 1, np.int64)
    np.cumsum(owners, out=start[1:])
    joined = Lists(start, values)
    if batch == 1:
        return Required(rows, joined)
    by_plan = np.argsort(rows.plan, kind="stable")
    owner, gathered = joined.gather(by_plan)
    return Required(rows.take(by_plan), Lists(_starts(owner, len(by_plan)), gathered))


def _starts(owner: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    start = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(owner, minlength=count), out=start[1:])
    return start


def _untimed(
    plan: NDArray[np.integer],
    kind: int,
    ref: NDArray[np.integer],
    src: NDArray[np.integer],
    dst: NDArray[np.integer],
    codec: NDArray[np.integer] | None,
    size: FloatArray,
) -> Transfers:
    count = len(plan)
    none = np.full(count, -1, np.int32) if codec is None else codec.astype(np.int32)
    return Transfers(
        plan.astype(np.int32), np.full(count, kind, np.int8), ref.astype(np.int32),
        src.astype(np.int32), dst.astype(np.int32), none, size,
        np.full(count, np.nan), np.full(count, np.nan),
    )  # fmt: skip


def _edge_rows(
    tables: Tables,
    nodes: NDArray[np.integer],
    codecs: NDArray[np.integer] | None,
    order: IntArray | None,
) -> Required:
    src, dst = nodes[:, tables.edge_src], nodes[:, tables.edge_dst]
    plan, edge = np.nonzero(src != dst)
    to = dst[plan, edge]
    item = tables.edge_item[edge]
    first = np.arange(len(plan))
    group = first
    if tables.items < tables.edges:  # some item has several readers: one transfer a node
        when = edge if order is None else order[plan, tables.edge_dst[edge]]
        sort = np.lexsort((edge, when, to, item, plan))
        keys = np.stack([plan, item, to])[:, sort]
        new = np.ones(len(plan), bool)
        new[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
        group = np.cumsum(new) - 1
        first = np.flatnonzero(new)
        plan, edge, to, item = plan[sort], edge[sort], to[sort], item[sort]
    lead = edge[first]
    codec = None if codecs is None else codecs[plan[first], lead]
    rows = _untimed(
        plan[first], EDGE, item[first], src[plan[first], lead], to[first], codec,
        tables.item_bytes[item[first]],
    )  # fmt: skip
    inside = np.lexsort((edge, group))
    return Required(rows, Lists(_starts(group, len(first)), edge[inside].astype(np.int32)))


def _read_rows(tables: Tables, nodes: NDArray[np.integer], holders: BoolArray | None) -> Required:
    reader = np.repeat(np.arange(tables.tasks), tables.reads.lengths)
    data = tables.reads.values
    held = np.broadcast_to(tables.home, (len(nodes), *tables.home.shape))
    held = held if holders is None else holders
    at = nodes[:, reader]
    plan, read = np.nonzero(~held[np.arange(len(nodes))[:, None], data[None, :], at])
    sort = np.lexsort((reader[read], at[plan, read], data[read], plan))
    plan, read = plan[sort], read[sort]
    to, what = at[plan, read], data[read]
    keys = np.stack([plan, what, to])
    new = np.ones(len(plan), bool)
    new[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    first = np.flatnonzero(new)
    having = held[plan[first], what[first]]
    src = tables.fetch(what[first], to[first], having)
    # Where no holder is within reach, the first stands for all: its fetch never arrives.
    if (src < 0).any():
        src = np.where(src < 0, having.argmax(axis=1), src)
    rows = _untimed(
        plan[first], READ, what[first], src, to[first], None, tables.data_bytes[what[first]]
    )
    members = Lists(_starts(np.cumsum(new) - 1, len(first)), reader[read].astype(np.int32))
    return Required(rows, members)


def _move_rows(tables: Tables, nodes: NDArray[np.integer]) -> Required:
    movers = np.flatnonzero(tables.at >= 0)
    plan, which = np.nonzero(nodes[:, movers] != tables.at[movers])
    task = movers[which]
    to = nodes[plan, task]
    rows = _untimed(plan, MOVE, task, tables.at[task], to, None, tables.move_bytes[task])
    start = np.arange(len(task) + 1, dtype=np.int64)
    return Required(rows, Lists(start, task.astype(np.int32)))


def transfer_rules(tables: Tables, rows: Transfers) -> IntArray:
    """Number of the tags that each transfer's route must carry; int32[X]."""
    rule = np.zeros(len(rows.kind), np.int32)
    for kind, table in ((EDGE, tables.item_rule), (READ, tables.data_rule)):
        chosen = rows.kind == kind
        rule[chosen] = table[rows.ref[chosen]]
    return rule


def durations(tables: Tables, rows: Transfers) -> TransferParts:
    """The four parts of each transfer's duration; infinite without a permitted route."""
    rule = transfer_rules(tables, rows)
    return tables.transfer(rows.size, rows.src, rows.dst, rows.codec, rule)


def timed_without_contention(
    tables: Tables, rows: Transfers, finish: FloatArray, total: FloatArray
) -> Transfers:
    """Transfers that start when their source has finished (float64[B, T]), or at 0 without one."""
    start = np.zeros(len(rows.plan))
    edges = np.flatnonzero(rows.kind == EDGE)
    start[edges] = finish[rows.plan[edges], tables.item_src[rows.ref[edges]]]
    return rows._replace(start=start, finish=start + total)


def transfer_sizes(tables: Tables, parts: Parts, rows: Transfers, waiting: Lists) -> FloatArray:
    """Bytes of each transfer of one plan before compression; float64[X].

    A part of a divisible task moves its share of each edge's bytes (docs/format.md, section 2).
    """
    size = np.zeros(len(rows.plan))
    for kind, table in ((READ, tables.data_bytes), (MOVE, tables.move_bytes)):
        chosen = rows.kind == kind
        size[chosen] = table[rows.ref[chosen]]
    edges = np.flatnonzero(rows.kind == EDGE)
    item = rows.ref[edges]
    sender, reader = tables.item_src[item], waiting.values[waiting.start[edges]]
    share = _fraction_on(tables, parts, sender, rows.src[edges])
    share = share * _fraction_on(tables, parts, reader, rows.dst[edges])
    size[edges] = tables.item_bytes[item] * share
    return size


def _fraction_on(
    tables: Tables, parts: Parts, task: NDArray[np.integer], node: NDArray[np.integer]
) -> FloatArray:
    """The fraction of divisible tasks on nodes (0 where there is no such part), 1 for others."""
    if not tables.divisible.any():
        return np.ones(len(task))
    cell = parts.task.astype(np.int64) * tables.nodes + parts.node
    cells, group = np.unique(cell, return_inverse=True)
    share = np.append(np.bincount(group.reshape(-1), parts.fraction, minlength=len(cells)), 0.0)
    wanted = task.astype(np.int64) * tables.nodes + node
    place = np.minimum(np.searchsorted(cells, wanted), len(cells) - 1)
    found = np.where(cells[place] == wanted, share[place], 0.0) if len(cells) else share[place]
    return np.where(tables.divisible[task], found, 1.0)
