"""Where each task may run and within which times, as far as it can be known without a plan."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray
from offload.bounding.delays import (
    Arrivals,
    arrivals,
    item_delays,
    kinds_of,
    near_arrivals,
    node_by_node,
    possible_holders,
)
from offload.bounding.paths import Lift, ends, fastest, layers, sweep, unsplit
from offload.bounding.ties import members, tied_edges
from offload.tables import Tables

__all__ = ["Windows"]

_EXACT = 4_000_000  # item-pair cells up to which delays of each pair of nodes are used
_CELLS = 4_000_000  # tasks times groups of nodes
_FEWEST = 16  # groups of nodes, however many tasks there are
_NEVER = 1e300  # seconds: a deadline where there is none, but one that can be reckoned with
_SLACK = 1e-6  # relative: what breaks a capacity or a deadline by less is not ruled out


class Windows:
    """Heads, tails and latest finishes on each node, or on each kind of nodes where they are many.

    Parameters
    ----------
    tables
        The cost model.
    latest
        Upper bound of the latency of the plans asked about; infinite for all plans.

    Attributes
    ----------
    kinds
        The G groups of nodes; each node its own where pairs of nodes are told apart.
    times : float64[T, G]
        Least execution times; infinite where a task cannot run, however much is planned for it.
    ready : float64[T, G]
        Release, and arrival of what the task reads and of its present state.
    head, tail : float64[T, G]
        Earliest start, and least time from the finish to the end of any plan.
    refusal : str or None
        Why there is no plan, if some task has nowhere to run.
    """

    def __init__(self, tables: Tables, latest: float = np.inf) -> None:
        self.tables, self.latest = tables, latest
        self.exact = tables.items * tables.nodes**2 <= _EXACT
        self.tie = tied_edges(tables)
        most = max(_FEWEST, _CELLS // max(1, tables.tasks))
        self.kinds = node_by_node(tables) if self.exact else kinds_of(tables, most)
        self.delays = item_delays(tables, np.arange(tables.items)) if self.exact else None
        self.order = {back: layers(tables, back) for back in (False, True)}
        self.times = self.kinds.gather(self._times_on)
        self._bar_by_groups()
        self.refusal: str | None = None
        self._refuse("some task has no node with room for it and its group")
        self.ready = self._ready()
        self.head = self._sweep(self.ready, back=False)
        self.tail = self._sweep(np.zeros(self.times.shape), back=True)
        self._bar_unreached()
        if np.isfinite(tables.deadline).any() or np.isfinite(latest):
            self._bar_late()
            self._refuse("some task cannot meet its deadline, or one after it cannot")

    def _bar_unreached(self) -> None:
        """What nothing can reach, or what can reach nothing, does not run there."""
        self.times[~np.isfinite(self.head + self.tail)] = np.inf
        self._refuse("some task cannot be reached from those it needs")

    def _refuse(self, why: str) -> None:
        """Keep the first reason for which some task has nowhere to run."""
        if self.refusal is None and not np.isfinite(self.times).any(axis=1).all():
            self.refusal = why

    @property
    def least(self) -> FloatArray:
        """What each task adds to a path; float64[T, G]."""
        return unsplit(self.tables, self.times)

    def lift(self, heads: Lift | None, tails: Lift | None) -> None:
        """Raise heads and tails by other bounds of the same."""
        if heads is not None:
            self.head = self._sweep(self.ready, back=False, lift=heads)
        if tails is not None:
            self.tail = self._sweep(np.zeros(self.times.shape), back=True, lift=tails)
        self._bar_unreached()

    def paths(self) -> FloatArray:
        """Least latency of a plan with each task on each node; float64[T, G]."""
        whole: FloatArray = self.head + self.least + self.tail
        return whole

    def arrivals(self, *, back: bool) -> Arrivals:
        """Arrivals over edges, with the delays that are looked at here."""
        if self.exact:
            return arrivals(self.tables, self.delays, back, self.tie)
        return near_arrivals(self.tables, self.kinds, back, self.tie)

    def _sweep(self, ready: FloatArray, *, back: bool, lift: Lift | None = None) -> FloatArray:
        giver = ends(self.tables, back)[0]
        arrive = self.arrivals(back=back)
        return sweep(self.order[back], giver, ready, self.least, arrive, lift)

    # -- where it may run ------------------------------------------------------------------------

    def _times_on(self, nodes: NDArray[np.integer]) -> FloatArray:
        """Least execution times on some nodes, infinite too where a task alone has no room."""
        tables = self.tables
        times = fastest(tables, nodes)
        room = tables.memory_capacity[nodes] * (1 + _SLACK)
        if np.isfinite(room).any() and (tables.memory.any() or tables.resident.any()):
            every = np.arange(tables.tasks)[:, None]
            # What takes no time holds no working memory; a part of a divisible task needs less.
            working = np.where(times > 0, tables.memory_of(every, nodes[None, :]), 0.0)
            need = working + tables.resident_of(every, nodes[None, :])
            times[(need > room) & ~tables.divisible[:, None]] = np.inf
        return times

    def _bar_by_groups(self) -> None:
        """Tasks that must be together can run only where all of them can, and have room."""
        tables, node = self.tables, self.kinds.node
        room = tables.memory_capacity[node] * (1 + _SLACK)
        for rows in members(tables, "together"):
            fine = np.isfinite(self.times[rows]).all(axis=0)
            if self.kinds.pure:
                fine &= tables.resident_of(rows[:, None], node[None, :]).sum(axis=0) <= room
            self.times[np.ix_(rows, np.flatnonzero(~fine))] = np.inf

    # -- when it may run -------------------------------------------------------------------------

    def _ready(self) -> FloatArray:
        tables = self.tables
        ready = np.repeat(tables.release[:, None], self.kinds.number, axis=1)
        if len(tables.reads.values):
            fetched = self.kinds.least(_fetches(tables))
            reader = np.repeat(np.arange(tables.tasks), tables.reads.lengths)
            np.maximum.at(ready, reader, fetched[tables.reads.values])
        moved = np.flatnonzero(tables.at >= 0)
        if len(moved):
            node = np.arange(tables.nodes)[None, :]
            size, at = tables.move_bytes[moved, None], tables.at[moved, None]
            arrival = self.kinds.least(tables.transfer(size, at, node).total)
            ready[moved] = np.maximum(ready[moved], arrival)
        return ready

    def _bar_late(self) -> None:
        """Rule out nodes on which a task, or one after it, would miss its deadline."""
        # Widened in proportion, so that no rounding on the way back to a task rules anything out.
        deadline = np.minimum(self.tables.deadline, self.latest) * (1 + _SLACK)
        by = np.repeat(-np.minimum(deadline, _NEVER)[:, None], self.kinds.number, axis=1)
        # Latest finishes are tails that begin at minus the deadlines.
        due_by = -self._sweep(by, back=True)
        late = self.head + self.least > due_by
        if late.any():
            self.times[late] = np.inf
            self.head = self._sweep(self.ready, back=False)
            self.tail = self._sweep(np.zeros(self.times.shape), back=True)


def _fetches(tables: Tables) -> FloatArray:
    """Least seconds until each data item can be on each node; float64[D, K]."""
    node = np.arange(tables.nodes)
    holders = possible_holders(tables)
    result = np.empty(holders.shape)
    for d in range(len(holders)):
        source = np.flatnonzero(holders[d])[:, None]
        delay = tables.transfer(
            tables.data_bytes[d], source, node[None, :], -1, tables.data_rule[d]
        ).total
        result[d] = delay.min(axis=0)
    return result
