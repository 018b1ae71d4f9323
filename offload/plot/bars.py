"""Bars of a Gantt chart as arrays: which row and lane each task and each transfer has."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray, IntArray
from offload.tables import Lists

if TYPE_CHECKING:
    from offload.plan import Plan

__all__ = ["Bars", "Chart", "Row", "chart"]

Positions = NDArray[np.integer]

_NEAR = 1e-9  # relative to the latency: bars that overlap by less only touch
_NODE_LANE, _MOST_LANES = 1.0, 6.0  # height of a lane of a node, and of all its lanes at most
_LINK_LANE, _LINK_LEAST, _LINK_MOST = 0.4, 0.7, 1.6  # of a link


class Row(NamedTuple):
    """A row of the chart: a node, or a link."""

    name: str
    top: float  # distance from the top of the chart to that of the row
    height: float
    lanes: int
    node: int  # position of the node; -1 of a link


class Bars(NamedTuple):
    """Bars, one an entry; a transfer has one on each link of its route."""

    of: IntArray  # which part, or which transfer
    row: IntArray
    start: FloatArray  # seconds
    finish: FloatArray  # seconds
    middle: FloatArray  # distance of the bar's middle from the top of the chart
    height: FloatArray

    def take(self, rows: Positions) -> Bars:
        """Some of the bars."""
        return Bars(
            self.of[rows], self.row[rows], self.start[rows], self.finish[rows], self.middle[rows],
            self.height[rows],
        )  # fmt: skip


class Chart(NamedTuple):
    """Rows from top to bottom, nodes before links, and what is on them."""

    rows: list[Row]
    tasks: Bars
    transfers: Bars
    height: float
    hidden_nodes: int  # that run tasks and have no row
    hidden_links: int  # that carry transfers and have no row


class _Intervals(NamedTuple):
    """What runs from when to when, and on what."""

    of: IntArray
    place: NDArray[np.int64]
    start: FloatArray
    finish: FloatArray


class _Laid(NamedTuple):
    rows: list[Row]
    bars: Bars
    bottom: float
    hidden: int


def chart(plan: Plan, nodes: int = 100, links: int = 40) -> Chart:
    """Where each task and each transfer of a plan is drawn.

    A node has a lane for each task that runs at the same time. A transfer is on every link of its
    route for as long as it holds it: while it is serialised. The two directions of a link are two
    rows; of a half-duplex link, which they share, one. What has times that are not finite is left
    out.

    Parameters
    ----------
    nodes, links
        Rows at most; those that are busy longest, in the order of the file.
    """
    span = plan.metrics["latency"]
    near = _NEAR * span if np.isfinite(span) else 0.0
    tables = plan.problem.tables
    every = _tasks(plan)
    drawn = _laid(
        every, tables.nodes, nodes, 0.0, near, lambda k: (tables.node_ids[k], k),
        lambda lanes: min(_NODE_LANE * lanes, _MOST_LANES),
    )  # fmt: skip
    moved, names = _transfers(plan)
    sent = _laid(
        moved, len(names), links, drawn.bottom, near, lambda place: (names[place], -1),
        lambda lanes: min(max(_LINK_LANE * lanes, _LINK_LEAST), _LINK_MOST),
    )  # fmt: skip
    transfers = sent.bars._replace(row=sent.bars.row + np.int32(len(drawn.rows)))
    return Chart(
        [*drawn.rows, *sent.rows], drawn.bars, transfers, sent.bottom, drawn.hidden, sent.hidden
    )


def _tasks(plan: Plan) -> _Intervals:
    parts = plan.parts
    return _finite(
        np.arange(len(parts.task), dtype=np.int32), parts.node.astype(np.int64), parts.start,
        parts.finish,
    )  # fmt: skip


def _transfers(plan: Plan) -> tuple[_Intervals, list[str]]:
    """What each link carries and when, and the names of the links' rows."""
    tables, rows = plan.problem.tables, plan.transfers
    routes, links = tables.routes, plan.problem.network.links
    row_of = np.arange(len(routes.arc_link))
    first: dict[int, int] = {}
    names: list[str] = []
    for a, position in enumerate(routes.arc_link.tolist()):
        half = links[position].duplex == "half"
        if half:
            row_of[a] = first.setdefault(position, a)
        ends = tables.node_ids[routes.arc_src[a]], tables.node_ids[routes.arc_dst[a]]
        names.append(f" {'⇄' if half else '→'} ".join(ends))
    parts = tables.transfer(rows.size, rows.src, rows.dst, rows.codec)
    row, arc = routes.expand(rows.src, rows.dst)
    begin = (rows.start + parts.encode)[row]
    held = _finite(row.astype(np.int32), row_of[arc], begin, begin + parts.serialise[row])
    return held, names


def _finite(
    of: IntArray, place: NDArray[np.int64], start: FloatArray, finish: FloatArray
) -> _Intervals:
    kept = np.isfinite(start) & np.isfinite(finish)
    return _Intervals(of[kept], place[kept], start[kept], finish[kept])


def _laid(
    every: _Intervals,
    places: int,
    most: int,
    top: float,
    near: float,
    name: Callable[[int], tuple[str, int]],
    height: Callable[[int], float],
) -> _Laid:
    """Intervals on rows from ``top`` downwards, a row a place, its lanes side by side in it."""
    busy = np.bincount(every.place, every.finish - every.start, minlength=places)
    used = np.flatnonzero(np.bincount(every.place, minlength=places))
    kept = np.sort(used[np.argsort(-busy[used], kind="stable")[:most]])
    members = Lists.group(every.place, places)
    rows: list[Row] = []
    pieces: list[Bars] = []
    for place in kept:
        k = int(place)
        inside = members.of(k)
        own = inside[np.lexsort((every.finish[inside], every.start[inside]))]
        lane, lanes = _lanes(every.start[own], every.finish[own], near)
        label, node = name(k)
        each = height(lanes) / lanes
        pieces.append(Bars(
            every.of[own], np.full(len(own), len(rows), np.int32), every.start[own],
            every.finish[own], np.asarray(top + each * (lane + 0.5), float),
            np.full(len(own), each),
        ))  # fmt: skip
        rows.append(Row(label, top, height(lanes), lanes, node))
        top += height(lanes)
    return _Laid(rows, _joined(pieces), top, len(used) - len(kept))


def _lanes(start: FloatArray, finish: FloatArray, near: float) -> tuple[Positions, int]:
    """The first free lane of each interval, in rising order of start, and how many there are."""
    lane = np.zeros(len(start), np.int64)
    free: list[int] = []
    running: list[tuple[float, int]] = []
    lanes = 0
    for i, (begin, end) in enumerate(zip(start.tolist(), finish.tolist(), strict=True)):
        while running and running[0][0] <= begin + near:
            heapq.heappush(free, heapq.heappop(running)[1])
        if free:
            lane[i] = heapq.heappop(free)
        else:
            lane[i] = lanes
            lanes += 1
        heapq.heappush(running, (end, int(lane[i])))
    return lane, lanes


def _joined(pieces: list[Bars]) -> Bars:
    none = np.zeros(0, np.int32)
    nowhere = np.zeros(0)
    empty = Bars(none, none, nowhere, nowhere, nowhere, nowhere)
    return Bars(*(np.concatenate(column) for column in zip(empty, *pieces, strict=True)))
