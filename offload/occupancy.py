"""What parts of a plan occupy on each node over time: slots and bytes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray
from offload.plan import Plan

__all__ = ["Steps", "memory_over_time", "slots_over_time"]

_EQUAL = 1e-9  # relative to the latency: times this near are one


class Steps(NamedTuple):
    """A quantity of one node: ``level[i]`` from ``time[i]`` on, until ``time[i + 1]``.

    ``time`` begins with 0 (seconds); ``base`` of the level is there all the time.
    """

    time: FloatArray
    level: FloatArray
    base: float

    @property
    def peak(self) -> float:
        """The highest level."""
        return float(self.level.max())


def slots_over_time(plan: Plan) -> list[Steps]:
    """Occupied slots of each node."""
    tables = plan.problem.tables
    slots = tables.task_slots[plan.parts.task].astype(float)
    return _over_time(plan, slots, np.zeros(tables.nodes))


def memory_over_time(plan: Plan) -> list[Steps]:
    """Bytes in use on each node: resident of all that is placed there, and memory of the running.

    These are the sums of docs/format.md, section 3.
    """
    tables, parts = plan.problem.tables, plan.parts
    resident = parts.fraction * tables.resident_of(parts.task, parts.node)
    running = parts.fraction * tables.memory_of(parts.task, parts.node)
    base = np.bincount(parts.node, resident, minlength=tables.nodes).astype(float)
    return _over_time(plan, running, base)


def _over_time(plan: Plan, amount: FloatArray, base: FloatArray) -> list[Steps]:
    """Sums on each node of the amounts of parts that run.

    Intervals that only touch do not overlap: each is shortened by the tolerance. Those that are
    not finite count for nothing.
    """
    parts = plan.parts
    known = np.isfinite(parts.start) & np.isfinite(parts.finish) & (amount > 0)
    near = _EQUAL * float(parts.finish[np.isfinite(parts.finish)].max(initial=0.0))
    held = np.flatnonzero(known)
    held = held[parts.finish[held] - parts.start[held] > 2 * near]
    held = held[np.argsort(parts.node[held], kind="stable")]
    bounds = np.searchsorted(parts.node[held], np.arange(len(base) + 1))
    found = []
    for k, below in enumerate(base.tolist()):
        own = held[bounds[k] : bounds[k + 1]]
        time = np.concatenate([parts.start[own] + near, parts.finish[own] - near])
        change = np.concatenate([amount[own], -amount[own]])
        order = np.lexsort((change, time))
        level = below + np.concatenate([[0.0], np.cumsum(change[order])])
        time = np.concatenate([[0.0], time[order]])
        kept = _seen(time, level, 2.5 * near)
        found.append(Steps(time[kept], level[kept], below))
    return found


def _seen(time: FloatArray, level: FloatArray, near: float) -> NDArray[np.intp]:
    """Entries of steps without dips between intervals that touch, and without what changes nothing.

    Of entries that follow one another so closely the last one stays, or all where some level
    among them is above those before and after.
    """
    first = np.flatnonzero(np.concatenate([[True], np.diff(time) > near]))
    last = np.append(first[1:], len(time)) - 1
    highest = np.maximum.reduceat(level, first)
    before = np.concatenate([level[:1], level[last][:-1]])
    peaks = highest > np.maximum(before, level[last])
    changes = np.concatenate([[True], level[last][1:] != level[last][:-1]])
    group = np.repeat(np.arange(len(first)), last - first + 1)
    kept = peaks[group] | (changes[group] & (np.arange(len(time)) == last[group]))
    kept[0] = True
    return np.flatnonzero(kept)
