"""A plan as the rules see it: the rows that count, the tolerance, and names for the violations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from offload.plan import Plan, Violation
from offload.tables import Lists
from offload.transfers import EDGE, MOVE, READ

__all__ = ["SHOWN", "Subject", "first_rows", "listing", "plain", "seconds"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.integer[Any]]
BoolArray = NDArray[np.bool_]


SHOWN = 100  # most names in a violation that may come once a node or moment: a crowd is too many


def first_rows(keys: IntArray) -> NDArray[np.intp]:
    """Positions of the first occurrence of each key, in rising order."""
    return np.sort(np.unique(keys, return_index=True)[1])


def plain(value: Any) -> Any:
    """A NumPy scalar as a Python number."""
    return value.item() if isinstance(value, np.generic) else value


def listing(names: Sequence[str], count: int) -> str:
    """Names for a message, and how many more there are."""
    return ", ".join(names) + (f" and {count - len(names)} more" if count > len(names) else "")


def seconds(value: Any) -> str:
    """A time for a message."""
    return f"{value:.12g} s"


class Subject:
    """One plan under examination.

    A row that repeats another is reported once (``repeated-task``) and otherwise left aside: the
    rules look at the P rows kept.

    Parameters
    ----------
    plan
        Well-formed: see :func:`offload.checks.form.refuse_malformed`.
    tolerance
        Relative tolerance; on times it is relative to the plan's latency.

    Attributes
    ----------
    keys : int64[...]
        For each row of ``plan.parts``, what no other row may have too.
    kept : int[P]
        Rows of ``plan.parts`` that count.
    task, node, mode, fraction, start, finish : [P]
        Their columns.
    share : float64[P]
        The fraction of a divisible task, NaN if it is not positive; 1 for any other task,
        whatever its row says.
    slack : float
        Seconds by which a time may miss its bound.
    """

    def __init__(self, plan: Plan, tolerance: float) -> None:
        self.plan, self.tables, self.tolerance = plan, plan.problem.tables, tolerance
        parts = plan.parts
        # The latency, as far as it is known, and never so small that rounding matters.
        last = np.abs(np.where(np.isfinite(parts.finish), parts.finish, parts.start))
        self.slack = tolerance * float(last[np.isfinite(last)].max(initial=0.0))
        divisible = self.tables.divisible[parts.task]
        # What may be listed once: an indivisible task, a divisible one on each node.
        where = np.where(divisible, parts.node, 0)
        self.keys = parts.task.astype(np.int64) * self.tables.nodes + where
        self.kept = first_rows(self.keys)
        self.task, self.node = parts.task[self.kept], parts.node[self.kept]
        self.mode, self.fraction = parts.mode[self.kept], parts.fraction[self.kept]
        self.start, self.finish = parts.start[self.kept], parts.finish[self.kept]
        sound = np.where(self.fraction > 0, self.fraction, np.nan)
        self.share = np.where(divisible[self.kept], sound, 1.0)

    # -- quantities that several rules share -----------------------------------------------------

    @cached_property
    def on_task(self) -> Lists:
        """Kept rows of each task."""
        return Lists.group(self.task, self.tables.tasks)

    @cached_property
    def place(self) -> NDArray[np.int32]:
        """Node of each task, -1 where it is missing; of a divisible one, some node; int32[T]."""
        place = np.full(self.tables.tasks, -1, np.int32)
        place[self.task] = self.node
        return place

    @cached_property
    def execution(self) -> FloatArray:
        """Seconds that each kept row runs; infinite where it may not; float64[P]."""
        return self.share * self.tables.execution(self.task, self.node, self.mode)

    @cached_property
    def pairs(self) -> tuple[IntArray, IntArray, IntArray]:
        """Each edge between kept rows: (edge, row that sends, row that receives)."""
        edge, sender = self.on_task.gather(self.tables.edge_src)
        owner, receiver = self.on_task.gather(self.tables.edge_dst[edge])
        return edge[owner], sender[owner], receiver

    @cached_property
    def placed(self) -> tuple[IntArray, IntArray]:
        """Data and node of each copy, repeated ones and those at a home apart."""
        copies = self.plan.copies
        first = first_rows(copies.data.astype(np.int64) * self.tables.nodes + copies.node)
        data, node = copies.data[first], copies.node[first]
        away = ~self.tables.home[data, node]
        return data[away], node[away]

    def later(self, time: FloatArray, bound: FloatArray) -> BoolArray:
        """Where a time passes its bound; one that is not finite is a matter of ``times``."""
        known = np.isfinite(time) & np.isfinite(bound)
        return known & (time > bound + self.slack)

    def exceeds(self, value: Any, bound: Any) -> Any:
        """Where a quantity other than a time passes its bound; NaN never holds."""
        return ~np.asarray(value <= bound * (1 + self.tolerance))

    # -- names -----------------------------------------------------------------------------------

    def tasks(self, positions: Iterable[int]) -> tuple[str, ...]:
        """Ids of tasks."""
        return tuple(self.tables.task_ids[i] for i in positions)

    def part(self, row: SupportsIndex) -> str:
        """A kept row in words."""
        return (
            f"task {self.tables.task_ids[self.task[row]]} on {self.tables.node_ids[self.node[row]]}"
        )

    def source(self, kind: int, ref: int) -> str:
        """Id of what a transfer carries from: a task, a data item, or the task that moves."""
        if kind == READ:
            return self.tables.data_ids[ref]
        return self.tables.task_ids[self.tables.item_src[ref] if kind == EDGE else ref]

    def carried(self, kind: int, ref: int, readers: Iterable[str]) -> tuple[str, ...]:
        """Ids that a transfer concerns: its source, then the tasks that wait for it."""
        source = self.source(kind, ref)
        return (source,) if kind == MOVE else (source, *readers)

    def transfer(self, kind: int, ref: int, src: int, dst: int) -> str:
        """A transfer in words."""
        nodes, source = self.tables.node_ids, self.source(kind, ref)
        name = self.tables.item_name[ref] if kind == EDGE else None
        what = {EDGE: f"the output of {source}", READ: f"data {source}", MOVE: f"task {source}"}[
            kind
        ]
        item = f" (item {name})" if name is not None else ""
        return f"{what}{item}, {nodes[src] if src >= 0 else '?'} to {nodes[dst]}"

    def row(self, x: SupportsIndex) -> str:
        """A listed transfer in words."""
        rows = self.plan.transfers
        return self.transfer(
            int(rows.kind[x]), int(rows.ref[x]), int(rows.src[x]), int(rows.dst[x])
        )

    def of_row(self, x: SupportsIndex) -> tuple[str, ...]:
        """Ids that a listed transfer concerns, by its own word."""
        rows = self.plan.transfers
        return self.carried(
            int(rows.kind[x]), int(rows.ref[x]), self.tasks(self.plan.waiting.of(int(x)))
        )

    def of_part(
        self, rule: str, row: SupportsIndex, time: Any, needed: Any, found: Any, message: str
    ) -> Violation:
        """A violation by one kept row: its items are the task and the node."""
        items = (self.tables.task_ids[self.task[row]], self.tables.node_ids[self.node[row]])
        text = f"{self.part(row)} {message}"
        return Violation(rule, items, plain(time), plain(needed), plain(found), text)
