"""Why a plan takes as long as it does: the chain of tasks and waits behind its last finish."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.occupancy import memory_over_time
from offload.plan import Plan
from offload.tables import Lists
from offload.transfers import EDGE

__all__ = ["Step", "critical_chain", "memory_peaks"]

_EQUAL = 1e-9  # relative to the latency: times this near are one


class Step(NamedTuple):
    """A part of a task on the chain, and what it waited for."""

    part: int
    cause: str  # "start", "release", "transfer", "task" or "node"
    what: str  # the transfer or task that it waited for
    wait: float  # seconds between the previous step's finish, or time 0, and this start
    queued: float = 0.0  # of them, seconds in which the transfer waited for its links
    idle: float = 0.0  # of them, seconds in which nothing that is known held it up


def critical_chain(plan: Plan) -> list[Step]:
    """The steps from the plan's start to its last finish, each the reason for the next.

    From the part that finishes last, walk back: to the sender of the transfer that arrived last,
    to a predecessor on the same node, or to the part that held the node's slots or memory. The
    chain ends at a part that waited for nothing but time 0, its release or its data.
    """
    if not len(plan.parts.task) or not np.isfinite(plan.parts.finish).all():
        return []
    walk = _Walk(plan)
    part: int | None = int(np.argmax(plan.parts.finish))
    steps: list[Step] = []
    seen: set[int] = set()
    while part is not None and part not in seen:
        seen.add(part)
        step, part = walk.cause(part)
        steps.append(step)
    return steps[::-1]


class _Walk:
    """Finds for a part of a plan what it waited for, and the part behind that."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.parts, self.rows = plan, plan.parts, plan.transfers
        self.tables = plan.problem.tables
        self.near = _EQUAL * plan.metrics["latency"]
        self.owner, task = plan.waiting.gather(np.arange(len(self.rows.plan)))
        self.arrivals = Lists.group(task, self.tables.tasks)

    def cause(self, part: int) -> tuple[Step, int | None]:
        """The step of a part, and the part before it."""
        start, ready = float(self.parts.start[part]), float(self.plan.ready[part])
        before = self._held_by(part) if start > ready + self.near else None
        if before is not None and self.parts.finish[before] > ready:
            step, ready = self._after(part, "node", before), float(self.parts.finish[before])
        else:
            step, before = self._ready(part, ready)
        idle = start - ready
        return step._replace(idle=idle if idle > self.near else 0.0), before

    def _ready(self, part: int, ready: float) -> tuple[Step, int | None]:
        """What a part waited for apart from its node."""
        if ready <= self.near:
            return Step(part, "start", "", float(self.parts.start[part])), None
        arrived = self._last_arrival(part)
        if arrived is not None and self.rows.finish[arrived] >= ready - self.near:
            return self._after_transfer(part, arrived)
        local = self._local_sender(part)
        if local is not None:
            return self._after(part, "task", local), local
        return Step(part, "release", "", float(self.parts.start[part])), None

    def _after(self, part: int, cause: str, before: int) -> Step:
        name = self.tables.task_ids[int(self.parts.task[before])]
        return Step(part, cause, name, float(self.parts.start[part] - self.parts.finish[before]))

    def _held_by(self, part: int) -> int | None:
        """The part on the same node that finished last by this one's start."""
        parts = self.parts
        here = (parts.node == parts.node[part]) & (parts.finish > parts.start)
        on = np.flatnonzero(here & (parts.finish <= parts.start[part] + self.near))
        on = on[on != part]
        return int(on[np.argmax(parts.finish[on])]) if len(on) else None

    def _last_arrival(self, part: int) -> int | None:
        """The transfer that a part waited for and that arrived last."""
        mine = self.owner[self.arrivals.of(int(self.parts.task[part]))]
        mine = mine[self.rows.dst[mine] == self.parts.node[part]]
        return int(mine[np.argmax(self.rows.finish[mine])]) if len(mine) else None

    def _after_transfer(self, part: int, row: int) -> tuple[Step, int | None]:
        parts, rows = self.parts, self.rows
        what = self.plan.transfer_name(row)
        begun, start = float(rows.start[row]), float(parts.start[part])
        if rows.kind[row] != EDGE:
            return Step(part, "transfer", what, start, begun), None
        sender = self.tables.item_src[rows.ref[row]]
        behind = np.flatnonzero((parts.task == sender) & (parts.node == rows.src[row]))
        if not len(behind):
            return Step(part, "transfer", what, start), None
        done = float(parts.finish[behind[0]])
        return Step(part, "transfer", what, start - done, max(0.0, begun - done)), int(behind[0])

    def _local_sender(self, part: int) -> int | None:
        """The predecessor on the same node that finished last, where it set the start."""
        parts, tables = self.parts, self.tables
        edges = tables.incoming.of(int(parts.task[part]))
        senders = np.isin(parts.task, tables.edge_src[edges])
        senders &= parts.node == parts.node[part]
        local = np.flatnonzero(senders & (parts.finish >= self.plan.ready[part] - self.near))
        return int(local[np.argmax(parts.finish[local])]) if len(local) else None


def memory_peaks(plan: Plan) -> NDArray[np.float64]:
    """Most bytes in use on each node at any time, resident and running; float64[K]."""
    return np.array([steps.peak for steps in memory_over_time(plan)], float)
