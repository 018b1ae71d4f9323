"""The tasks that could be placed next, with what each node would mean for them, kept up to date.

Methods that look at all ready tasks at each step ask for the same numbers again and again. A
placement changes little of them: mostly the column of the node that was taken.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray
from offload.heuristics.machines import Queues
from offload.heuristics.schedule import Schedule
from offload.tables import Tables

__all__ = ["ReadyTasks"]


class ReadyTasks:
    """Tasks whose predecessors are placed, and when each would start or finish on each node.

    Parameters
    ----------
    schedule
        A schedule without insertion; tasks are placed through :meth:`place` alone.
    starts
        Keep earliest starts instead of earliest finishes.

    Attributes
    ----------
    tasks : int64[R]
        The ready tasks, in no order.
    values : float64[R, K]
        Start or finish of each on each node, infinite where it may not go.
    best : float64[R]
        The least of each row.
    node : int64[R]
        Its first node.

    Notes
    -----
    Values are exact unless groups, memory, routes or contended links matter; then they are lower
    bounds, as what was placed since only leaves less, and :meth:`confirm` makes a row exact.
    """

    def __init__(self, schedule: Schedule, starts: bool = False) -> None:
        assert isinstance(schedule.machines, Queues)
        self.schedule, self.starts, self.queues = schedule, starts, schedule.machines
        tables = self.tables = schedule.tables
        self._column = tables.column[np.arange(tables.nodes), tables.fastest_mode]
        self._waiting: list[int] = tables.incoming.lengths.tolist()
        self._units = tables.task_slots
        self._one_size = bool((self._units == 1).all())
        self.exact = _stays_exact(tables)
        self.count = 0
        self._tasks = np.zeros(16, np.int64)
        self._values = np.zeros((16, tables.nodes))
        self._best, self._node = np.zeros(16), np.zeros(16, np.int64)
        for task in np.flatnonzero(tables.incoming.lengths == 0).tolist():
            self._add(task)

    def __len__(self) -> int:
        return self.count

    @property
    def tasks(self) -> NDArray[np.int64]:
        return self._tasks[: self.count]

    @property
    def values(self) -> FloatArray:
        return self._values[: self.count]

    @property
    def best(self) -> FloatArray:
        return self._best[: self.count]

    @property
    def node(self) -> NDArray[np.int64]:
        return self._node[: self.count]

    def first(self, key: FloatArray) -> int:
        """The row of least key; of equal ones, that of the task listed first."""
        rows = np.flatnonzero(key == key.min())
        return int(rows[self.tasks[rows].argmin()]) if len(rows) > 1 else int(rows[0])

    def confirm(self, row: int) -> tuple[FloatArray, FloatArray] | None:
        """Start and finish of a row's task on each node, or ``None`` if its best is another now.

        In the latter case the row is exact from here on, and another may be the one to take.

        Raises
        ------
        Stuck
            If the task has no node left.
        """
        start, finish = self.schedule.finish_times(int(self._tasks[row]))
        if self.exact:
            return start, finish
        before = self._best[row], self._node[row]
        self._set(row, start if self.starts else finish)
        return (start, finish) if (self._best[row], self._node[row]) == before else None

    def place(self, row: int, node: int, start: float) -> None:
        """Place a row's task, drop the row, and add the tasks that become ready."""
        tables, task = self.tables, int(self._tasks[row])
        self.schedule.place(task, node, start)
        self._drop(row)
        self._delay(node)
        if not self.exact:
            self._renew(task)
        for successor in tables.edge_dst[tables.outgoing.of(task)].tolist():
            self._waiting[successor] -= 1
            if not self._waiting[successor]:
                self._add(successor)

    # -- rows ------------------------------------------------------------------------------------

    def _add(self, task: int) -> None:
        row = self.count
        if row == len(self._tasks):
            self._tasks, self._best, self._node = (
                np.concatenate([part, part]) for part in (self._tasks, self._best, self._node)
            )
            self._values = np.concatenate([self._values, self._values])
        self.count += 1
        self._tasks[row] = task
        start, finish = self.schedule.finish_times(task)
        self._set(row, start if self.starts else finish)

    def _set(self, row: int, values: FloatArray) -> None:
        self._values[row] = values
        node = int(values.argmin())
        self._node[row], self._best[row] = node, values[node]

    def _drop(self, row: int) -> None:
        self.count -= 1
        last = self.count
        for part in (self._tasks, self._best, self._node, self._values):
            part[row] = part[last]

    def _delay(self, node: int) -> None:
        """Nothing starts on a node before its slots are free."""
        if not self.count:
            return
        tasks = self.tasks
        moment = self.queues.since(1)[node] if self._one_size else self._moments(node)
        length = self.tables.time[tasks, self._column[node]]
        begin = np.where(length > 0, moment, self.queues.last[node])
        column = self.values[:, node]
        np.maximum(column, begin if self.starts else begin + length, out=column)
        rows = np.flatnonzero(self.node == node)
        if len(rows):
            chosen = self._values[rows]
            best = chosen.argmin(axis=1)
            self._node[rows], self._best[rows] = best, chosen[np.arange(len(rows)), best]

    def _moments(self, node: int) -> FloatArray:
        sizes, which = np.unique(self._units[self.tasks], return_inverse=True)
        moments = np.array([self.queues.since(int(size))[node] for size in sizes])
        return moments[which]

    def _renew(self, task: int) -> None:
        """Ask again for the readers of the items that a task received: they may wait for less."""
        tables = self.tables
        if not len(tables.routes.resource_channels):
            return
        items = tables.edge_item[tables.incoming.of(task)]
        _, edges = tables.item_edges.gather(items)
        readers = tables.edge_dst[edges]
        for row in np.flatnonzero(np.isin(self.tasks, readers)).tolist():
            start, finish = self.schedule.finish_times(int(self._tasks[row]))
            self._set(row, start if self.starts else finish)


def _stays_exact(tables: Tables) -> bool:
    """Whether a placement changes nothing for other ready tasks but the column of its node."""
    ruled = bool((tables.item_rule > 0).any() or (tables.data_rule > 0).any())
    return not (
        ruled
        or tables.problem.graph.groups
        or len(tables.routes.resource_channels)
        or not tables.routes.reachable.all()
        or np.isfinite(tables.memory_capacity).any()
    )
