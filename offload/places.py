"""Times by place, for decoders of nodes with one slot and links without contention.

A place is a task on a node, the number ``task * K + node``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray
from offload.caching import once
from offload.tables import Tables

__all__ = ["LARGEST", "Chunked", "Floors", "Places", "Small", "places"]

Small = NDArray[np.integer]
Scratch = TypeVar("Scratch")

LARGEST = 1 << 21  # cells that a table of places or delays may have
_KEPT = 4  # numbers of plans whose arrays are kept


class Floors(NamedTuple):
    """What bears on some plans besides their nodes and orders; ``None`` where nothing does.

    ``ready`` is float64[B, T], before which a task may not start; ``length`` float64[B, T], its
    execution time; ``shut`` bool[B, K], nodes on which nothing may ever run.
    """

    ready: FloatArray | None = None
    length: FloatArray | None = None
    shut: BoolArray | None = None

    def of(self, rows: slice) -> Floors:
        """Those of some plans."""
        ready, length, shut = self
        return Floors(
            None if ready is None else ready[rows], None if length is None else length[rows],
            None if shut is None else shut[rows],
        )  # fmt: skip


class Places:
    """The tables of one problem.

    Attributes
    ----------
    lasting : float64[T * K]
        Execution time at each place; infinite where the task may not run.
    delays : float64[2 * K + E * K * K]
        By edge, node of its reader and node of its source; before them K times 0 and K times for
        ever.
    instant : bool
        Whether any task takes no time. Such a task holds no slot: it waits for the start of the
        one placed before it, not for its end.
    """

    def __init__(self, tables: Tables) -> None:
        self.incoming, self.edge_src, self.edge_dst = (
            tables.incoming, tables.edge_src, tables.edge_dst,
        )  # fmt: skip
        self.tasks, self.nodes = tables.tasks, tables.nodes
        task, node = np.arange(self.tasks), np.arange(self.nodes)
        self.lasting = tables.execution(task[:, None], node[None, :]).ravel()
        self.instant = bool((self.lasting == 0).any())
        item = tables.edge_item[:, None, None]
        delay = tables.transfer(
            tables.item_bytes[item], node[None, None, :], node[None, :, None],
            rule=tables.item_rule[item],
        ).total  # fmt: skip
        self.delays = np.concatenate([np.repeat([0.0, np.inf], self.nodes), delay.ravel()])


class Chunked(ABC, Generic[Scratch]):
    """A decoder that times so many plans at once, in arrays that it uses again and again.

    Fresh memory costs too much: the arrays of a few numbers of plans are kept.
    """

    tasks: int

    def __init__(self) -> None:
        self._kept: dict[int, Scratch] = {}

    @abstractmethod
    def _most(self) -> int:
        """How many plans to time at once, at most."""

    @abstractmethod
    def _scratch(self, plans: int) -> Scratch:
        """Arrays for so many plans."""

    @abstractmethod
    def _time(
        self,
        scratch: Scratch,
        nodes: Small,
        order: Small,
        floors: Floors,
        began: FloatArray | None,
    ) -> FloatArray:
        """Finish of each task, float64[T, B]; their starts are written to ``began``."""

    def decode(
        self, nodes: Small, order: Small, floors: Floors, times: bool
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Latency, and if wanted start and finish of each task; float64[B], [B, T], [B, T]."""
        plans, tasks = nodes.shape
        latency = np.zeros(plans)
        start, finish = (np.empty((plans, tasks) if times else (0, 0)) for _ in range(2))
        chunks = -(-plans // max(1, self._most()))
        step = max(1, -(-plans // max(chunks, 1)))
        for first in range(0, plans, step):
            rows = slice(first, min(first + step, plans))
            count = rows.stop - first
            scratch = self._kept.pop(count, None) or self._scratch(count)
            began = np.empty((tasks, count)) if times else None
            ended = self._time(scratch, nodes[rows], order[rows], floors.of(rows), began)
            np.maximum.reduce(ended, axis=0, initial=0.0, out=latency[rows])
            if began is not None:
                start[rows], finish[rows] = began.T, ended.T
            if len(self._kept) < _KEPT:
                self._kept[count] = scratch
        return latency, start, finish


@once
def places(tables: Tables) -> Places | None:
    """The tables; ``None`` where slots, channels or sheer size ask for another decoder."""
    slots = min(int(tables.node_slots.max(initial=1)), int(tables.task_slots.sum()))
    cells = max(tables.edges * tables.nodes**2, tables.tasks * tables.nodes)
    simple = slots <= 1 and not len(tables.routes.resource_channels)
    return Places(tables) if simple and cells <= LARGEST else None
