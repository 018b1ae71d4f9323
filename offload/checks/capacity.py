"""Rules on what is shared at any time: slots and memory of nodes, channels of links."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.checks.needs import Matching
from offload.checks.subject import SHOWN, BoolArray, FloatArray, IntArray, Subject, listing, seconds
from offload.plan import Violation

__all__ = ["link", "memory", "slots"]


class _Holds(NamedTuple):
    """Intervals [start, finish) in which an amount of a group's capacity is held, one row each."""

    group: IntArray
    start: FloatArray
    finish: FloatArray
    amount: FloatArray


class _Room(NamedTuple):
    """What each group has, what of it is held all the time, and the relative tolerance."""

    capacity: FloatArray
    base: FloatArray
    tolerance: float = 0.0  # counts are exact

    def exceeded(self, group: Any, level: FloatArray) -> BoolArray:
        """Whether levels are above what a group has."""
        result: BoolArray = level > self.capacity[group] * (1 + self.tolerance)
        return result


class _Peak(NamedTuple):
    """The height of one period in which a capacity is exceeded."""

    group: int
    time: float | None  # seconds; None if it is exceeded before anything begins
    found: float
    holders: NDArray[np.intp]  # rows that hold it then


def _peaks(subject: Subject, holds: _Holds, room: _Room) -> Iterator[_Peak]:
    """Every period in which a group's capacity is exceeded, by group and time.

    Each interval is shortened by the tolerance at both ends; one of length 0 holds nothing.
    """
    low, high = holds.start + subject.slack, holds.finish - subject.slack
    known = np.isfinite(low) & np.isfinite(high) & np.isfinite(holds.amount)
    rows = np.flatnonzero(known & (low < high) & (holds.amount > 0))
    rows = rows[np.lexsort((low[rows], holds.group[rows]))]
    group, groups = holds.group[rows], np.arange(len(room.capacity))
    most = room.base + np.bincount(group, holds.amount[rows], minlength=len(groups))
    first, last = np.searchsorted(group, groups), np.searchsorted(group, groups, "right")
    for g in np.flatnonzero(room.exceeded(groups, most)):
        mine = rows[first[g] : last[g]]
        columns = low[mine], high[mine], holds.amount[mine]
        for event, found, holders in _sweep(*columns, room, int(g)):
            moment = None if event is None else float(holds.start[mine[event]])
            yield _Peak(int(g), moment, found, mine[holders])


def _sweep(
    low: FloatArray, high: FloatArray, amount: FloatArray, room: _Room, group: int
) -> Iterator[tuple[int | None, float, NDArray[np.intp]]]:
    """Peaks of one group, whose intervals are sorted by ``low``: who begins it, height, holders."""
    count = len(low)
    # Intervals that only touch do not overlap: at one time, ends come before starts.
    begins = np.arange(2 * count) < count
    order = np.lexsort((begins, np.concatenate([low, high])))
    change = np.concatenate([amount, -amount])[order]
    level = room.base[group] + np.concatenate([[0.0], np.cumsum(change)])
    over = np.concatenate([[False], room.exceeded(group, level), [False]])
    turns = np.flatnonzero(np.diff(over))
    longest = (high - low).max(initial=0.0)
    for a, b in zip(turns[::2], turns[1::2], strict=True):
        top = int(a + np.argmax(level[a:b]))
        if top == 0:
            yield None, float(level[0]), np.zeros(0, np.intp)
            continue
        event = int(order[top - 1])
        now = low[event]
        # Only intervals that begin in this window can last until now.
        window = np.arange(*np.searchsorted(low, [now - 2 * longest, np.nextafter(now, np.inf)]))
        yield event, float(level[top]), window[high[window] > now]


def _sentence(what: str, peak: _Peak, names: Sequence[str], count: int) -> str:
    at = "all the time" if peak.time is None else f"at {seconds(peak.time)}"
    return f"{what} {at}" + (f": {listing(names, count)}" if names else "")


def slots(subject: Subject) -> Iterator[Violation]:
    """The slots of the tasks that run on a node at one time are no more than it has."""
    tables = subject.tables
    amount = tables.task_slots[subject.task].astype(float)
    amount[amount > tables.node_slots[subject.node]] = 0.0  # never fits: a matter of `runs`
    holds = _Holds(subject.node, subject.start, subject.finish, amount)
    room = _Room(tables.node_slots.astype(float), np.zeros(tables.nodes))
    for peak in _peaks(subject, holds, room):
        node, needed = tables.node_ids[peak.group], int(tables.node_slots[peak.group])
        found = int(peak.found)
        names = subject.tasks(subject.task[peak.holders[-SHOWN:]])
        what = f"{found} slots of {needed} are used on {node}"
        text = _sentence(what, peak, names, len(peak.holders))
        yield Violation("slots", (node, *names), peak.time, needed, found, text)


def memory(subject: Subject) -> Iterator[Violation]:
    """Resident bytes of all tasks on a node and memory of the running ones fit it at any time."""
    tables, share = subject.tables, subject.share
    resident = share * tables.resident_of(subject.task, subject.node)
    held = np.flatnonzero(np.isfinite(resident) & (resident > 0))
    base = np.zeros(tables.nodes)
    np.add.at(base, subject.node[held], resident[held])
    amount = np.asarray(share * tables.memory_of(subject.task, subject.node), float)
    holds = _Holds(subject.node, subject.start, subject.finish, amount)
    room = _Room(tables.memory_capacity, base, subject.tolerance)
    for peak in _peaks(subject, holds, room):
        node, needed = tables.node_ids[peak.group], float(room.capacity[peak.group])
        rows = np.union1d(peak.holders, held[subject.node[held] == peak.group])
        names = subject.tasks(subject.task[rows[:SHOWN]])
        what = f"{peak.found:.12g} bytes of {needed:.12g} are held on {node}"
        text = _sentence(what, peak, names, len(rows))
        yield Violation("memory", (node, *names), peak.time, needed, peak.found, text)


def link(subject: Subject, matching: Matching) -> Iterator[Violation]:
    """A link carries no more transfers at one time than it has channels."""
    tables, routes = subject.tables, subject.tables.routes
    channels = routes.resource_channels
    if not len(channels):
        return
    rows = subject.plan.transfers.take(matching.rows)
    parts = tables.transfer(matching.needs.size[matching.met], rows.src, rows.dst, rows.codec)
    row, arc = routes.expand(rows.src, rows.dst)
    shared = np.flatnonzero(routes.arc_resource[arc] >= 0)
    row, arc = row[shared], arc[shared]
    begin = (rows.start + parts.encode)[row]
    end = begin + parts.serialise[row]
    holds = _Holds(routes.arc_resource[arc], begin, end, np.ones(len(row)))
    for peak in _peaks(subject, holds, _Room(channels.astype(float), np.zeros(len(channels)))):
        needed, found = int(channels[peak.group]), int(peak.found)
        lead = int(np.flatnonzero(routes.arc_resource == peak.group)[0])
        ends = tables.node_ids[routes.arc_src[lead]], tables.node_ids[routes.arc_dst[lead]]
        listed = row[peak.holders[-SHOWN:]]
        names = [subject.row(x) for x in matching.rows[listed]]
        sources = [subject.source(int(rows.kind[x]), int(rows.ref[x])) for x in listed]
        what = f"{found} transfers hold the link {ends[0]} - {ends[1]} of {needed} channels"
        text = _sentence(what, peak, names, len(peak.holders))
        yield Violation("link", (*ends, *sources), peak.time, needed, found, text)
