"""A plan as the lanes of a Gantt chart: labelled bars for small plans, shades for large ones."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

from offload.cli.gantt import Bar, Lane, density, gantt_lines, name_width, shade_lines
from offload.cli.output import plain
from offload.plan import Plan
from offload.transfers import EDGE
from offload.units import count

__all__ = ["chart_lines", "shown_nodes"]

_LEAST_CELLS = 3  # columns that a bar should have on average to be drawn by itself


def chart_lines(
    plan: Plan, width: int, *, rows: int = 40, transfers: bool = False, ascii: bool = False
) -> list[str]:
    """A Gantt chart of a plan that fits a width: a lane a node (a slot), then a time axis.

    Parameters
    ----------
    width
        Columns of the terminal.
    rows
        Lanes at most; nodes with the least work are left out, and counted.
    transfers
        Whether to add lanes for the transfers between each two nodes.
    """
    span = plan.metrics["latency"]
    if not np.isfinite(span):
        return ["(no chart: the plan has times that are not finite)"]
    kept = shown_nodes(plan, rows)
    lanes = [lane for k in kept for lane in _node_lanes(plan, k)]
    moves = _transfer_lanes(plan, ascii)[: max(0, rows - len(lanes))] if transfers else []
    fullest = max((len(lane.bars) for lane in lanes), default=0)
    names = name_width([lane.name for lane in [*lanes, *moves]], width)
    if len(lanes) <= rows and fullest * _LEAST_CELLS <= max(1, width - names - 2):
        lines = gantt_lines([*lanes, *moves], width, span=span, ascii=ascii)
    else:
        lines = _shaded(plan, kept, width, span, transfers, ascii)
    return lines + _left_out(plan, kept)


def shown_nodes(plan: Plan, rows: int) -> list[int]:
    """The nodes to show, in file order: all, or those with the most work."""
    tables, parts = plan.problem.tables, plan.parts
    busy = np.bincount(parts.node, plan.measured.occupied, minlength=tables.nodes)
    tasks = np.bincount(parts.node, minlength=tables.nodes)
    if tables.nodes <= min(rows, 12):
        return list(range(tables.nodes))
    ranked = [k for k in np.lexsort((-tasks, -busy)).tolist() if tasks[k]]
    return sorted(ranked[:rows])


def _left_out(plan: Plan, kept: Sequence[int]) -> list[str]:
    nodes = plan.problem.tables.nodes
    working = set(plan.parts.node.tolist())
    hidden = len(working - set(kept))
    idle = nodes - len(set(kept) | working)
    texts = []
    if hidden:
        texts.append(f"{count(hidden, 'more node')} with less work")
    if idle:
        texts.append(f"{count(idle, 'idle node')}")
    return [f"not shown: {', '.join(texts)}"] if texts else []


def _node_lanes(plan: Plan, k: int) -> list[Lane]:
    """One lane for each slot that is used; a task of several slots fills several lanes."""
    tables, parts = plan.problem.tables, plan.parts
    rows = np.flatnonzero((parts.node == k) & (parts.finish > parts.start))
    rows = rows[np.lexsort((rows, parts.finish[rows], parts.start[rows]))]
    bars: list[list[Bar]] = []
    free: list[int] = []
    running: list[tuple[float, int]] = []
    for p in rows.tolist():
        start, finish, task = float(parts.start[p]), float(parts.finish[p]), int(parts.task[p])
        while running and running[0][0] <= start + 1e-9 * max(abs(start), abs(finish)):
            heapq.heappush(free, heapq.heappop(running)[1])
        for piece in range(int(tables.task_slots[task])):
            if not free:
                bars.append([])
            slot = heapq.heappop(free) if free else len(bars) - 1
            label = plain(tables.task_ids[task]) if piece == 0 else ""
            bars[slot].append(Bar(start, finish, label))
            heapq.heappush(running, (finish, slot))
    name = plain(tables.node_ids[k])
    if len(bars) <= 1:
        return [Lane(name, bars[0] if bars else [])]
    return [Lane(f"{name}/{slot + 1}", lane) for slot, lane in enumerate(bars)]


def _transfer_lanes(plan: Plan, ascii: bool) -> list[Lane]:
    """Lanes of transfers for each ordered pair of nodes, busiest pair first."""
    tables, rows = plan.problem.tables, plan.transfers
    pairs: dict[tuple[int, int], list[int]] = {}
    for x in np.lexsort((rows.finish, rows.start)).tolist():
        pairs.setdefault((int(rows.src[x]), int(rows.dst[x])), []).append(x)
    arrow = ">" if ascii else "→"
    lanes = []
    for (src, dst), members in sorted(pairs.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        stacked: list[list[Bar]] = []
        ends: list[float] = []
        for x in members:
            bar = Bar(float(rows.start[x]), float(rows.finish[x]), _transfer_label(plan, x))
            slot = next((s for s, end in enumerate(ends) if end <= bar.start), len(ends))
            if slot == len(ends):
                ends.append(0.0)
                stacked.append([])
            stacked[slot].append(bar)
            ends[slot] = bar.finish
        name = plain(f"{tables.node_ids[src]}{arrow}{tables.node_ids[dst]}")
        lanes += [Lane(name if slot == 0 else "", lane) for slot, lane in enumerate(stacked)]
    return lanes


def _transfer_label(plan: Plan, row: int) -> str:
    tables, rows = plan.problem.tables, plan.transfers
    if rows.kind[row] == EDGE:
        return plain(tables.task_ids[int(tables.item_src[rows.ref[row]])])
    return plain(plan.transfer_name(row))


def _shaded(
    plan: Plan, kept: Sequence[int], width: int, span: float, transfers: bool, ascii: bool
) -> list[str]:
    tables, parts, moves = plan.problem.tables, plan.parts, plan.transfers
    names = [plain(tables.node_ids[k]) for k in kept]
    if transfers:
        names.append("transfers")
    columns = max(1, width - name_width(names, width) - 2)
    slots = tables.task_slots[parts.task].astype(float)
    lanes = []
    for name, k in zip(names, kept, strict=False):
        on = parts.node == k
        used = density(parts.start[on], parts.finish[on], slots[on], span, columns)
        lanes.append((name, used / max(1, int(tables.node_slots[k]))))
    if transfers:
        one = np.ones(len(moves.start))
        together = density(moves.start, moves.finish, one, span, columns)
        lanes.append((names[-1], together / max(1.0, together.max(initial=0.0))))
    return shade_lines(lanes, width, span, ascii=ascii)
