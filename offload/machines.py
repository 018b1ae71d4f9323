"""Slots and memory of the nodes while plans are decoded: when a task may start on its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray
from offload.caching import once
from offload.placement import resident_load, residents_matter
from offload.tables import TOLERANCE, Tables

__all__ = ["Machines", "overfull", "room_of", "slot_units"]


@once
def slot_units(tables: Tables) -> int:
    """Slot-units to keep track of on a node: no more than all tasks together can occupy."""
    most = int(tables.node_slots.max(initial=1))
    return max(1, min(most, int(tables.task_slots.sum())))


@once
def _memory_matters(tables: Tables) -> bool:
    return bool(np.isfinite(tables.memory_capacity).any() and (tables.memory > 0).any())


def overfull(tables: Tables, nodes: NDArray[np.integer]) -> BoolArray | None:
    """Nodes whose residents do not fit; bool[B, K], or ``None`` where all do."""
    if not residents_matter(tables):
        return None
    full: BoolArray = resident_load(tables, nodes) > tables.memory_capacity * (1 + TOLERANCE)
    return full if full.any() else None


def room_of(tables: Tables, nodes: NDArray[np.integer]) -> FloatArray | None:
    """Memory that residents leave on each node; float64[B, K], ``None`` where it never matters."""
    if not _memory_matters(tables):
        return None
    capacity = tables.memory_capacity * (1 + TOLERANCE)
    load = resident_load(tables, nodes)  # infinite where a size is unknown
    room = np.full(load.shape, np.inf)
    np.subtract(capacity, load, out=room, where=np.isfinite(capacity))
    return room


class Machines:
    """The nodes of plans whose script places ``task`` in each step; the dummy task is T."""

    def __init__(
        self, tables: Tables, nodes: NDArray[np.integer], length: FloatArray, task: NDArray[np.intp]
    ) -> None:
        plans, count = len(nodes), tables.nodes + 1  # the last node is a dummy
        units = slot_units(tables)
        self.cell = _by_step(nodes.astype(np.intp), tables.nodes, task) + np.arange(plans) * count
        self.length = _by_step(length, 0.0, task)
        self.holds = self.length > 0
        # Nothing starts before its release, nor ever where it never ends.
        self.floor = np.where(np.isinf(length), np.inf, tables.release)
        self.floor = _by_step(self.floor, 0.0, task)
        begun = np.zeros((plans, count))
        full = overfull(tables, nodes)
        if full is not None:  # residents that do not fit leave no moment at which anything may run
            begun[:, :-1][full] = np.inf
        self.begun = begun.ravel()
        slots = np.append(np.minimum(tables.node_slots, units), 1)
        free = np.where(np.arange(units) < slots[:, None], 0.0, np.inf)
        self.free = np.tile(free, (plans, 1))  # each node's units by when they are free
        self.units = np.arange(units)
        wanted = np.append(np.minimum(tables.task_slots, units), 1)
        self.wanted = wanted[task]
        room = room_of(tables, nodes)
        self.room: FloatArray | None = None
        if room is not None:
            need = tables.memory_of(np.arange(tables.tasks)[None, :], nodes)
            self.need = _by_step(need, 0.0, task)
            self.room = np.append(room, np.full((plans, 1), np.inf), axis=1).ravel()
            self.used = np.zeros_like(self.free)

    def place(self, n: int, ready: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Start and end of the step's tasks, whose inputs are there at ``ready``."""
        cell, holds = self.cell[n], self.holds[n]
        begin = np.maximum(ready, self.floor[n])
        np.maximum(begin, self.begun[cell], out=begin)
        free = self.free[cell]
        if len(self.units) == 1 and self.room is None:
            np.maximum(begin, free[:, 0], out=begin, where=holds)
            end = begin + self.length[n]
            np.copyto(free[:, 0], end, where=holds)
        else:
            slot = free[np.arange(len(cell)), self.wanted[n] - 1]
            if self.room is not None:
                slot = np.maximum(slot, self._memory_free(n, free))
            np.maximum(begin, slot, out=begin, where=holds)
            end = begin + self.length[n]
            free = self._taken(n, free, end)
        self.free[cell] = free
        self.begun[cell] = begin
        return begin, end

    def _memory_free(self, n: int, free: FloatArray) -> FloatArray:
        """From when on the memory that tasks need is there; infinite if never."""
        assert self.room is not None
        cell = self.cell[n]
        # total[:, m]: memory still in use once the m units that end first are free.
        total = np.zeros((len(cell), len(self.units) + 1))
        np.cumsum(self.used[cell, ::-1], axis=1, out=total[:, -2::-1])
        fits = total + self.need[n][:, None] <= self.room[cell][:, None]
        moment = np.concatenate([np.zeros((len(cell), 1)), free], axis=1)
        result: FloatArray = np.where(fits, moment, np.inf).min(axis=1)
        return result

    def _taken(self, n: int, free: FloatArray, end: FloatArray) -> FloatArray:
        """The units in order again once tasks hold those that were free first until their end."""
        cell = self.cell[n]
        taken = (self.units < self.wanted[n][:, None]) & self.holds[n][:, None]
        free = np.where(taken, end[:, None], free)
        sort = np.argsort(free, axis=1, kind="stable")
        if self.room is not None:
            used = np.where(taken, 0.0, self.used[cell])
            np.copyto(used[:, 0], self.need[n], where=self.holds[n])
            self.used[cell] = np.take_along_axis(used, sort, axis=1)
        return np.take_along_axis(free, sort, axis=1)


def _by_step(by_task: NDArray[Any], dummy: float, task: NDArray[np.intp]) -> NDArray[Any]:
    """What holds of each plan's task, arrays [B, T], in the order of its steps; [N, B]."""
    padded = np.append(by_task, np.full((len(by_task), 1), dummy, by_task.dtype), axis=1)
    return padded[np.arange(len(by_task)), task]
