"""The decoder behind :func:`offload.evaluate`: decisions in, times out, nothing checked here.

What a caller does not ask for is not made: where nodes have one slot and links no channels, the
latency comes alone, and times and transfers when they are wanted.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import BoolArray, FloatArray
from offload.events import Walked, inputs_of, walk
from offload.lockstep import Lockstep, lockstep, one_order
from offload.machines import overfull, room_of, slot_units
from offload.places import Floors
from offload.stepping import Stepper, stepper
from offload.tables import Lists, Tables
from offload.transfers import (
    Required,
    Transfers,
    durations,
    required_fetches,
    required_transfers,
    timed_without_contention,
)  # fmt: skip

__all__ = ["Batch", "Decoding"]


_CELLS = 4_000_000  # array elements that one chunk of plans may fill: bounds memory


class Batch(NamedTuple):
    """The decisions of some plans, integers [B, T]; ``None`` for default modes and no codecs.

    ``holders`` is bool[B, D, K], homes and copies; ``None`` for homes alone.
    """

    nodes: NDArray[np.integer]
    order: NDArray[np.integer]
    modes: NDArray[np.integer] | None
    codecs: NDArray[np.integer] | None
    holders: BoolArray | None

    def of(self, rows: slice) -> Batch:
        """The decisions of some of them."""
        return Batch(*(None if array is None else array[rows] for array in self))  # type: ignore[arg-type]


class Decoding:
    """Times and transfers of a batch, each made when first asked for."""

    def __init__(self, tables: Tables, batch: Batch) -> None:
        self.tables, self.batch = tables, batch
        self._walked: tuple[Walked, Required] | None = None

    @cached_property
    def latency(self) -> FloatArray:
        """The last finish of each plan; NaN where the stepper met a wrong order; float64[B]."""
        if self._decoder is None or "times" in self.__dict__:
            return np.asarray(self.times[1].max(axis=1, initial=0.0))
        return self._decode(self._decoder, times=False)[0]

    @cached_property
    def times(self) -> tuple[FloatArray, FloatArray]:
        """Start and finish of each task; float64[B, T] each."""
        if self._decoder is not None:
            return self._decode(self._decoder, times=True)[1:]
        walked = self._walk()[0]
        return walked.start, walked.finish

    def ordered(self) -> bool:
        """Whether decoding shows all orders to be topological; false where it cannot tell."""
        decoder = self._decoder
        if decoder is None or (
            isinstance(decoder, Lockstep) and not decoder.ordered(self.batch.order[0])
        ):
            return False
        return not np.isnan(self.latency).any()

    @cached_property
    def required(self) -> Required:
        """The transfers of all plans, whether their times are known or not."""
        return self.transfers if self._decoder is None else _required(self.tables, self.batch)

    @cached_property
    def transfers(self) -> Required:
        """The transfers of all plans, with their times."""
        if self._decoder is None:
            walked, required = self._walk()
            rows = required.rows._replace(start=walked.sent, finish=walked.arrived)
            return required._replace(rows=rows)
        return self._timed(self.required, self.times[1])

    def transfers_of(self, number: int) -> Required:
        """The transfers of one plan, numbered 0."""
        if self._decoder is None or "transfers" in self.__dict__:
            return _of_plan(self.transfers, number)
        own = slice(number, number + 1)
        return self._timed(_required(self.tables, self.batch.of(own)), self.times[1][own])

    # -- one slot, no contention -----------------------------------------------------------------

    @cached_property
    def _decoder(self) -> Lockstep | Stepper | None:
        if self.batch.codecs is not None:
            return None
        shared = one_order(self.batch.order)
        return lockstep(self.tables) if shared else stepper(self.tables)

    def _decode(
        self, found: Lockstep | Stepper, times: bool
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        return found.decode(self.batch.nodes, self.batch.order, self._floors(), times)

    def _floors(self) -> Floors:
        tables, batch = self.tables, self.batch
        length = None
        room = room_of(tables, batch.nodes)
        if room is not None or (batch.modes is not None and tables.modes > 1):
            length = _lengths(tables, batch)
        if room is not None and length is not None:
            index = np.arange(tables.tasks)[None, :]
            short = tables.memory_of(index, batch.nodes) > np.take_along_axis(
                room, batch.nodes, axis=1
            )
            length = np.where(short & (length > 0), np.inf, length)
        ready = _fetched(tables, batch)
        if length is not None:  # what never ends never starts
            ready = np.where(np.isinf(length), np.inf, 0.0 if ready is None else ready)
        return Floors(ready, length, overfull(tables, batch.nodes))

    def _timed(self, required: Required, finish: FloatArray) -> Required:
        total = durations(self.tables, required.rows).total
        rows = timed_without_contention(self.tables, required.rows, finish, total)
        return required._replace(rows=rows)

    # -- everything else -------------------------------------------------------------------------

    def _walk(self) -> tuple[Walked, Required]:
        """The times of all plans under every rule, by chunks."""
        if self._walked is None:
            tables, batch = self.tables, self.batch
            steps = int(inputs_of(tables).start[-1])
            per_plan = 20 * steps + tables.nodes * slot_units(tables) + 1
            chunk = max(1, _CELLS // per_plan)
            made = []
            for first in range(0, max(len(batch.nodes), 1), chunk):
                own = batch.of(slice(first, first + chunk))
                required = _required(tables, own)
                made.append(
                    (walk(tables, own.nodes, own.order, _lengths(tables, own), required), required)
                )
            if len(made) == 1:
                self._walked = made[0]
            else:
                walked = Walked(
                    *(np.concatenate(c) for c in zip(*(m[0] for m in made), strict=True))
                )
                self._walked = walked, _join([m[1] for m in made], chunk)
        return self._walked


def _lengths(tables: Tables, batch: Batch) -> FloatArray:
    modes = 0 if batch.modes is None else batch.modes
    return tables.execution(np.arange(tables.tasks)[None, :], batch.nodes, modes)


def _required(tables: Tables, batch: Batch) -> Required:
    rank = None
    if batch.codecs is not None and tables.items < tables.edges:
        rank = np.empty(batch.order.shape, np.int32)
        place = np.arange(tables.tasks, dtype=np.int32)[None, :]
        np.put_along_axis(rank, batch.order, place, axis=1)
    return required_transfers(tables, batch.nodes, batch.codecs, batch.holders, rank)


def _fetched(tables: Tables, batch: Batch) -> FloatArray | None:
    """When each task is released and has its reads and its move; ``None`` for at once."""
    moved = bool((tables.at >= 0).any()) or len(tables.reads.values) > 0
    if not moved and not tables.release.any():
        return None
    ready = np.broadcast_to(tables.release, batch.nodes.shape).copy()
    if moved:
        rows, members = required_fetches(tables, batch.nodes, batch.holders)
        owner = np.repeat(np.arange(len(rows.plan)), members.lengths)
        total = durations(tables, rows).total
        np.maximum.at(ready, (rows.plan[owner], members.values), total[owner])
    return ready


def _of_plan(required: Required, number: int) -> Required:
    rows, members = required
    chosen = np.flatnonzero(rows.plan == number)
    owner, values = members.gather(chosen)
    start = np.zeros(len(chosen) + 1, np.int64)
    np.cumsum(np.bincount(owner, minlength=len(chosen)), out=start[1:])
    own = rows.take(chosen)._replace(plan=np.zeros(len(chosen), np.int32))
    return Required(own, Lists(start, values))


def _join(chunks: list[Required], step: int) -> Required:
    moved = [
        chunk.rows._replace(plan=chunk.rows.plan + np.int32(number * step))
        for number, chunk in enumerate(chunks)
    ]
    rows = Transfers(*(np.concatenate(columns) for columns in zip(*moved, strict=True)))
    lengths = np.concatenate([chunk.members.lengths for chunk in chunks])
    start = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=start[1:])
    return Required(rows, Lists(start, np.concatenate([c.members.values for c in chunks])))
