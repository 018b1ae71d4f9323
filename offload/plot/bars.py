"""A plan as rows of bars: what runs on nodes, what holds links; for any drawing library."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray
from offload.plan import Plan

__all__ = ["Bars", "Chart", "Row", "chart", "lanes"]

Positions = NDArray[np.integer]


class Row(NamedTuple):
    """A row of a chart: a node, or a direction of a link (of a half-duplex link both)."""

    name: str
    kind: str  # "node" or "link"
    position: int  # of the node, or of the link, in the instance
    lanes: int  # bars side by side


class Bars(NamedTuple):
    """Intervals on rows, one entry each; float64 seconds."""

    row: Positions
    lane: Positions  # 0 <= lane < lanes of the row; bars of one lane do not overlap
    begin: FloatArray
    end: FloatArray
    source: Positions  # the row of ``plan.parts`` or of ``plan.transfers``

    def take(self, chosen: Positions) -> Bars:
        """Some of the bars."""
        return Bars(
            self.row[chosen], self.lane[chosen], self.begin[chosen], self.end[chosen],
            self.source[chosen],
        )  # fmt: skip


@dataclass(frozen=True)
class Chart:
    """Rows from top to bottom, and the bars on them.

    Attributes
    ----------
    rows
        Nodes in the order of the file, then links in the order of the file.
    tasks, holds
        What runs, on rows of nodes; and the times in which transfers hold the links of their
        routes (docs/format.md, section 2: serialise alone, neither coding nor latency), on rows of
        links. A transfer over several hops has a bar on each.
    nodes, links
        How many rows there are without a limit: nodes that run something, links that are used.
    """

    rows: list[Row]
    tasks: Bars
    holds: Bars
    nodes: int
    links: int


def chart(plan: Plan, most: int | None = None, transfers: bool = True) -> Chart:
    """The rows and bars of a plan.

    Parameters
    ----------
    most
        Rows of nodes, and of links, at most: the busiest are kept. All by default.
    transfers
        Whether links have rows.
    """
    tables, parts = plan.problem.tables, plan.parts
    own = [Row(name, "node", k, 1) for k, name in enumerate(tables.node_ids)]
    part = np.arange(len(parts.node))
    running = Bars(parts.node, part * 0, parts.start, parts.finish, part)
    rows, tasks, nodes = _pack(own, running, most, 0)
    both, held = _held(plan)
    if not transfers:
        held = held.take(np.zeros(0, np.int64))
    more, holds, links = _pack(both, held, most, len(rows))
    return Chart(rows + more, tasks, holds, nodes, links)


def _held(plan: Plan) -> tuple[list[Row], Bars]:
    """A row an arc, of which the second of a half-duplex link stays empty; and all holds."""
    tables, moved = plan.problem.tables, plan.transfers
    routes, links = tables.routes, plan.problem.network.links
    link = routes.arc_link
    half = np.array([links[j].duplex == "half" for j in link.tolist()], bool)
    # The two arcs of one link follow one another.
    second = np.concatenate([[False], link[1:] == link[:-1]])[: len(link)]
    lead = np.arange(len(link)) - (half & second)
    ends = zip(routes.arc_src.tolist(), routes.arc_dst.tolist(), half.tolist(), strict=True)
    names = [
        f"{tables.node_ids[k]} {'↔' if both else '→'} {tables.node_ids[l]}" for k, l, both in ends
    ]
    rows = [Row(name, "link", int(j), 1) for name, j in zip(names, link, strict=True)]
    row, arc = routes.expand(moved.src, moved.dst)
    parts = tables.transfer(moved.size, moved.src, moved.dst, moved.codec)
    begin = (moved.start + parts.encode)[row]
    return rows, Bars(lead[arc], row * 0, begin, begin + parts.serialise[row], row)


def _pack(
    rows: Sequence[Row], bars: Bars, most: int | None, first: int
) -> tuple[list[Row], Bars, int]:
    """Rows that have bars, at most so many, their bars in lanes; and how many there would be."""
    count = np.bincount(bars.row, minlength=len(rows))
    used = np.flatnonzero(count)
    total = len(used)
    if most is not None and total > most:
        busy = np.bincount(bars.row, bars.end - bars.begin, minlength=len(rows))
        # The longest busy; among equals those of more bars, then those listed first.
        used = np.sort(used[np.lexsort((used, -count[used], -busy[used]))[:most]])
    place = np.full(len(rows), -1)
    place[used] = np.arange(len(used))
    kept = np.flatnonzero(place[bars.row] >= 0)
    bars = bars.take(kept)
    bars = bars._replace(row=place[bars.row])
    lane = np.zeros(len(kept), np.int64)
    by_row = np.argsort(bars.row, kind="stable")
    bounds = np.searchsorted(bars.row[by_row], np.arange(len(used) + 1))
    found = []
    for number, k in enumerate(used.tolist()):
        own = by_row[bounds[number] : bounds[number + 1]]
        lane[own], width = lanes(bars.begin[own], bars.end[own])
        found.append(rows[k]._replace(lanes=width))
    return found, bars._replace(row=bars.row + first, lane=lane), total


def lanes(begin: FloatArray, end: FloatArray) -> tuple[Positions, int]:
    """The first free lane for each interval in the order of begins, and how many there are.

    Intervals that only touch do not overlap.
    """
    lane = np.zeros(len(begin), np.int64)
    busy: list[tuple[float, int]] = []
    free: list[int] = []
    count = 0
    for i in np.lexsort((end, begin)).tolist():
        start = float(begin[i]) * (1 + 1e-12)
        while busy and busy[0][0] <= start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            own = heapq.heappop(free)
        else:
            own, count = count, count + 1
        lane[i] = own
        heapq.heappush(busy, (float(end[i]), own))
    return lane, count
