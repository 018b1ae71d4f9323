"""Why a plan takes as long as it does: its critical path, and the slack of its tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray
from offload.event_graph import EventGraph, Holds
from offload.plan import Plan
from offload.tables import TOLERANCE

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Segment", "critical_path", "critical_segments", "reasons", "slack"]


class Segment(NamedTuple):
    """A piece of the critical path, from where the piece before it ends.

    Attributes
    ----------
    event
        Number of the event in the plan's :class:`EventGraph`.
    kind
        "task", "transfer", or "wait": before the event, for its release or for nothing known.
    begin, end
        Seconds.
    cause
        Why it begins then: "start" (time 0), "release", "input" (it waited for data or for a task
        before it), "slots", "memory", "channel" (another one held them), "order" (the plan lets
        another one go first, though there was room), "idle" (nothing that is known).
    after
        The event that it waited for, -1 for none.
    """

    event: int
    kind: str
    begin: float
    end: float
    cause: str
    after: int = -1


def critical_path(plan: Plan) -> pd.DataFrame:
    """The chain of tasks, transfers and waits that makes the latency.

    From the task that finishes last, walk back to what each piece waited for: data, a task before
    it on its node, slots or memory that another task held, a channel that another transfer held,
    its release. Each piece begins where the one before it ends: the first at 0, and the last ends
    at the latency.

    Parameters
    ----------
    plan
        Any plan, also one that splits tasks.

    Returns
    -------
    DataFrame
        A row a piece, in order of time: what (a task's id; what a transfer carries), kind (task,
        transfer, wait), where (a node; ``SRC-DST`` of a transfer), begin, end, seconds, cause
        (start, release, input, slots, memory, channel, order, idle) and why (cause in words). Of a
        transfer that kept others waiting, the part until it left the link. Empty where nothing
        runs, or where times are not finite.
    """
    import pandas as pd

    graph = EventGraph(plan)
    rows = [
        {
            "what": _name(plan, piece.event), "kind": piece.kind,
            "where": _place(plan, piece.event), "begin": piece.begin, "end": piece.end,
            "seconds": piece.end - piece.begin, "cause": piece.cause, "why": _why(plan, piece),
        }
        for piece in critical_segments(graph)
    ]  # fmt: skip
    columns = ["what", "kind", "where", "begin", "end", "seconds", "cause", "why"]
    return pd.DataFrame(rows, columns=columns)


def reasons(plan: Plan) -> list[str]:
    """Why each part of the plan begins when it does, in words; "" for what begins at time 0.

    One text a row of ``plan.parts``; none where times are not finite.
    """
    graph = EventGraph(plan)
    if not np.isfinite(graph.start + graph.length).all():
        return []
    walk, told = _Walk(graph), []
    for part in range(graph.parts):
        cause, after, begin = walk.cause(part)
        told.append(_why(plan, Segment(part, "task", begin, begin, cause, after)))
    return told


def _name(plan: Plan, event: int) -> str:
    parts = len(plan.parts.task)
    if event >= parts:
        return plan.transfer_name(event - parts)
    return plan.problem.tables.task_ids[int(plan.parts.task[event])]


def _place(plan: Plan, event: int) -> str:
    ids, parts = plan.problem.tables.node_ids, len(plan.parts.task)
    if event < parts:
        return ids[int(plan.parts.node[event])]
    x = event - parts
    return f"{ids[int(plan.transfers.src[x])]}-{ids[int(plan.transfers.dst[x])]}"


def _why(plan: Plan, piece: Segment) -> str:
    """What a piece waited for, in words."""
    name = _name(plan, piece.after) if piece.after >= 0 else ""
    if piece.cause == "input":
        return f"{name} {'finished' if piece.after < len(plan.parts.task) else 'arrived'}"
    return {
        "start": "", "release": "its release", "slots": f"{name} held the slots",
        "memory": f"{name} held the memory", "channel": f"{name} held the link",
        "order": f"the plan has it behind {name}", "idle": "nothing that is known",
    }[piece.cause]  # fmt: skip


def critical_segments(graph: EventGraph) -> list[Segment]:
    """The pieces of the critical path; none where nothing runs or times are not finite."""
    parts = graph.plan.parts
    if not len(parts.task) or not np.isfinite(graph.start + graph.length).all():
        return []
    walk = _Walk(graph)
    event = int(np.argmax(parts.finish))
    end = float(parts.finish[event])
    pieces: list[Segment] = []
    seen: set[int] = set()
    while event >= 0 and event not in seen:
        seen.add(event)
        kind = "task" if event < graph.parts else "transfer"
        cause, after, begin = walk.cause(event)
        waited = cause if cause in ("release", "idle") else None
        if waited and after < 0:
            begin = min(begin, end)
        if waited == "idle":
            own = min(float(graph.start[event]), end)
            pieces.append(Segment(event, kind, own, end, cause))
            pieces.append(Segment(event, "wait", min(begin, own), own, cause))
        else:
            pieces.append(Segment(event, kind, begin, end, cause, after))
            if waited == "release":
                pieces.append(Segment(event, "wait", 0.0, begin, cause))
        event, end = after, min(begin, end)
    return [p for p in pieces[::-1] if p.kind == "task" or p.end > p.begin]


class _Walk:
    """Finds what an event waited for."""

    def __init__(self, graph: EventGraph) -> None:
        self.graph, self.near = graph, graph.near
        self.node = graph.plan.parts.node
        # When an event stops to keep those behind it waiting: from its own arcs.
        self.ready = graph.start[graph.src] + graph.lag

    def cause(self, event: int) -> tuple[str, int, float]:
        """Why an event starts when it does, after which other one, and since when it could."""
        found = self._cause(event)
        if found is not None:
            return found
        found = self._in_turn(event)
        if found is not None:
            return found
        # Nothing holds it up to the end: the last that it waited for at all, then idleness.
        arcs = self.graph.incoming.of(event)
        least = float(self.graph.least[event])
        if len(arcs):
            best = int(arcs[np.argmax(self.ready[arcs])])
            if self.ready[best] > least:
                ahead = self._ahead(event, best)
                return "idle", int(self.graph.src[best]), float(self.ready[best] + ahead)
        return "idle", -1, 0.0

    def _cause(self, event: int) -> tuple[str, int, float] | None:
        graph, start = self.graph, float(self.graph.start[event])
        if start <= self.near:
            return "start", -1, 0.0
        arcs = graph.incoming.of(event)
        tight = arcs[self.ready[arcs] >= start - self.near]
        inputs = tight[tight < graph.inputs]
        if len(inputs):
            best = int(inputs[np.argmax(self.ready[inputs])])
            return "input", int(graph.src[best]), float(self.ready[best])
        if graph.least[event] >= start - self.near:
            return "release", -1, float(graph.least[event])
        if len(tight):
            best = int(tight[np.argmax(self.ready[tight])])
            before = int(graph.src[best])
            begin = float(self.ready[best] + self._ahead(event, best))
            return self._resource(event, before), before, begin
        return None

    def _ahead(self, event: int, arc: int) -> float:
        """Of an arc between two transfers, how long the second is encoded before it holds links."""
        x = event - self.graph.parts
        return float(self.graph.times.encode[x]) if x >= 0 and arc >= self.graph.inputs else 0.0

    def _in_turn(self, event: int) -> tuple[str, int, float] | None:
        """An event that begins at the same time, for a reason that lies before that."""
        for begin, others in self._beside(event):
            for other in others.tolist():
                found = None if other == event else self._cause(other)
                if found is None:
                    continue
                before = found[1]
                if before < 0 or self.graph.start[before] < begin - self.near:
                    return "order", other, begin
        return None

    def _beside(self, event: int) -> Iterator[tuple[float, NDArray[np.integer]]]:
        """When an event begins, and what begins then on its node or one of its links."""
        graph = self.graph
        if event < graph.parts:
            begin = float(graph.start[event])
            same = np.abs(graph.start[: graph.parts] - begin) <= self.near
            yield begin, np.flatnonzero(same & (self.node == self.node[event]))
            return
        for held in self._shared(event):
            begin = float(held.begin[held.event == event][0])
            yield begin, held.event[np.abs(held.begin - begin) <= self.near]

    def _shared(self, event: int) -> list[Holds]:
        """What shares an event's node or links."""
        graph = self.graph
        if event < graph.parts:
            k = int(self.node[event])
            return [graph.on_node[k]] if k in graph.on_node else []
        return [held for held in graph.on_link.values() if event in held.event]

    def _resource(self, event: int, before: int) -> str:
        """What of a node or link was full before an event: its slots, memory or channels."""
        graph = self.graph
        tables, parts = graph.plan.problem.tables, graph.plan.parts
        for held in self._shared(event):
            if before not in held.event:
                continue
            begin = float(held.begin[held.event == event][0])
            just = (held.begin < begin - self.near) & (held.end >= begin - self.near)
            others = held.event[just]
            if event >= graph.parts:
                (q,) = (q for q, found in graph.on_link.items() if found is held)
                full = len(others) >= tables.routes.resource_channels[q]
                return "channel" if full else "order"
            k = int(self.node[event])
            task = parts.task[np.append(others, event)]
            if tables.task_slots[task].sum() > tables.node_slots[k]:
                return "slots"
            fraction = parts.fraction[np.append(others, event)]
            here = np.flatnonzero(self.node == k)
            held_always = parts.fraction[here] * tables.resident_of(parts.task[here], k)
            size = held_always.sum() + (fraction * tables.memory_of(task, k)).sum()
            return "memory" if size > tables.memory_capacity[k] * (1 + TOLERANCE) else "order"
        return "order"


def slack(plan: Plan) -> pd.DataFrame:
    """By how much each task may slip, all other decisions kept.

    Decisions are where each task runs, and which goes first on nodes (slots and memory) and links;
    where all fits at once there is no order to keep. Times of other tasks and transfers may change.

    Parameters
    ----------
    plan
        Any plan with finite times, also one that splits tasks.

    Returns
    -------
    DataFrame
        A row a task (a part of a split one): task, node, start, finish, latest (the latest finish
        that changes neither the latency nor breaks a deadline, s), slack (latest - finish: total
        slack), free (of it what moves no other task), limit (what binds: "latency" or "deadline
        of" a task) and critical (no slack). Undefined where times are not finite.
    """
    import pandas as pd

    graph, parts, tables = EventGraph(plan), plan.parts, plan.problem.tables
    finite = bool(np.isfinite(graph.start + graph.length).all())
    deadline = tables.deadline[parts.task]
    limit = np.minimum(plan.metrics["latency"], deadline)
    order = graph.order()
    latest, by = _latest(graph, limit, order)
    own = np.concatenate([graph.start[: graph.parts], np.full(graph.transfers, np.inf)])
    free, _ = _latest(graph, limit, order, own)
    found = {}
    for name, last in (("slack", latest), ("free", free)):
        room = (last - graph.start)[: graph.parts]
        room[np.abs(room) <= graph.near] = 0.0
        found[name] = room if finite else np.full(graph.parts, np.nan)
    ids = [tables.task_ids[i] for i in parts.task.tolist()]
    bound = by[: graph.parts]
    own_deadline = (deadline[bound] <= limit[bound]).tolist()
    return pd.DataFrame({
        "task": ids, "node": [tables.node_ids[k] for k in parts.node.tolist()],
        "start": parts.start, "finish": parts.finish, "latest": parts.finish + found["slack"],
        **found,
        "limit": [
            f"deadline of {ids[part]}" if early else "latency"
            for part, early in zip(bound.tolist(), own_deadline, strict=True)
        ],
        "critical": found["slack"] <= 0,
    })  # fmt: skip


def _latest(
    graph: EventGraph, limit: FloatArray, order: list[int], fixed: FloatArray | None = None
) -> tuple[FloatArray, NDArray[np.int64]]:
    """The latest start of each event, and the part whose limit it comes from.

    Parameters
    ----------
    limit : float64[P]
        Latest finish of each part.
    order
        The events, each before those that wait for it.
    fixed : float64[P + X], optional
        Starts that events keep, as those before them see it.
    """
    outgoing = [list[int]() for _ in order]
    for arc, event in enumerate(graph.src.tolist()):
        outgoing[event].append(arc)
    dst, lag = graph.dst.tolist(), graph.lag.tolist()
    last = np.append(limit - graph.length[: graph.parts], np.full(graph.transfers, np.inf)).tolist()
    by = list(range(len(order)))
    seen = last if fixed is None else fixed.tolist()
    for event in reversed(order):
        for arc in outgoing[event]:
            other = dst[arc]
            bound = min(seen[other], last[other]) - lag[arc]
            if bound < last[event]:
                last[event], by[event] = bound, by[other]
    return np.array(last, float), np.array(by, np.int64)
