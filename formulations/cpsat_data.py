"""Data that tasks read, and its placed copies, in the constraint model.

Sets
    data d; readers j; B_d nodes where a copy may be; N_dl the nodes from which d may come to l, the
    nearest first, up to the first home (see `choices`).
Parameters (integers on a time grid)
    c_dkl delay: serialise sigma_dkl, latency d_kl; b_d bytes; V_k storage; n_d most copies.
Variables
    h_dk in {0, 1}    a copy of d is placed on k in B_d;
    f_dkl in {0, 1}   d is fetched from k to l (x_jl itself where there is one reader j and no
                      choice);
    hold_d or hold_dl  when the fetch begins to hold the links of its route (see `cpsat_links`), of
                       data with several readers one for each node.
Constraints
    fetched      h_dl + sum_{k in N_dl} f_dkl >= x_jl           for each reader j, l no home
    holder       f_dkl <= h_dk                                  where k is no home
    nearest      f_dkl + h_dk' <= 1                             k' before k in N_dl
    far          start_j >= c_dkl                               if f_dkl and x_jl
    arrived      start_j >= hold + sigma_dkl + d_kl             if f_dkl and x_jl
    max copies   sum_k h_dk <= n_d
    storage      sum_d b_d h_dk <= V_k

Where there is one source, its delay is in the heads of `cpsat_model`.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
from ortools.sat.python import cp_model

from formulations.choices import sources_of
from formulations.coefficients import moving_cost
from formulations.cpsat_capacity import most_units
from formulations.cpsat_terms import weighted, whole
from offload.arrays import FloatArray
from offload.bounding.durations import data_parts
from offload.transfers import READ

if TYPE_CHECKING:
    from formulations.cpsat_model import Model
    from formulations.cpsat_terms import Terms

__all__ = ["Data"]


class Data:
    """The data of a model: where it is, and what is fetched.

    Attributes
    ----------
    copy
        h_dk.
    fetch
        f_dkl, by (d, k, l).
    """

    def __init__(self, model: Model) -> None:
        self.model, self.tables = model, model.tables
        tables = self.tables
        self.readers: dict[int, list[int]] = {}
        for i in range(tables.tasks):
            for d in tables.reads.of(i).tolist():
                self.readers.setdefault(d, []).append(i)
        self.sources = {d: sources_of(tables, d) for d in self.readers}
        self.parts = {d: data_parts(tables, d) for d in self.readers}
        self.copy: dict[tuple[int, int], cp_model.IntVar] = {}
        self.fetch: dict[tuple[int, int, int], cp_model.IntVar] = {}

    def ready(self) -> FloatArray:
        """When each task can have its data on each node; infinite where it cannot. [T, K]."""
        ready = np.zeros((self.tables.tasks, self.tables.nodes))
        for d, readers in self.readers.items():
            total = self.parts[d].total
            least = [
                min((total[k, l] for k in sources), default=np.inf)
                for l, sources in enumerate(self.sources[d])
            ]
            ready[readers] = np.maximum(ready[readers], least)
        return ready

    def build(self) -> None:
        """Fetches and copies of all data."""
        for d in self.readers:
            for l in range(self.tables.nodes):
                self.model.request.go_on()
                here = [j for j in self.readers[d] if (j, l) in self.model.x]
                if here and not self.tables.home[d, l]:
                    self._fetches(d, l, here)
            self._max_copies(d)
        self._storage()

    def _copy(self, d: int, k: int) -> cp_model.IntVar:
        """h_dk, made on first use."""
        if (d, k) not in self.copy:
            self.copy[d, k] = self.model.cp.new_bool_var(f"copy{d},{k}")
        return self.copy[d, k]

    # -- fetches ---------------------------------------------------------------------------------

    def _fetches(self, d: int, l: int, here: list[int]) -> None:
        """All readers on a node find the data there, or it is fetched from the nearest holder."""
        sources = self.sources[d][l]
        if len(here) == 1 and len(sources) == 1 and self.tables.home[d, sources[0]]:
            self.fetch[d, sources[0], l] = self.model.x[here[0], l]
        else:
            self._choose(d, l, here, sources)
        for k in sources:
            if k != l:
                self._arrived(d, k, l, here)

    def _choose(self, d: int, l: int, here: list[int], sources: list[int]) -> None:
        cp = self.model.cp
        holders = [self._copy(d, k) for k in sources if not self.tables.home[d, k]]
        found = []
        for n, k in enumerate(sources):
            if k == l:
                found.append(self._copy(d, k))
                continue
            f = cp.new_bool_var(f"fetch{d},{k},{l}")
            if not self.tables.home[d, k]:
                cp.add_implication(f, self._copy(d, k))
            for nearer in holders[:n]:
                cp.add_at_most_one(f, nearer)
            self.fetch[d, k, l] = f
            found.append(f)
        for j in here:
            cp.add_bool_or(*found, self.model.x[j, l].negated())

    def _arrived(self, d: int, k: int, l: int, here: list[int]) -> None:
        """A reader starts after the fetch has arrived."""
        model, grid, f = self.model, self.model.grid, self.fetch[d, k, l]
        serialise, total = (float(table[k, l]) for table in (self.parts[d][1], self.parts[d].total))
        ticks = grid.length(total)
        begin: cp_model.IntVar | int = 0
        if model.links.held[k, l] and serialise > 0:
            begin = model.links.begin(READ, d, -1 if len(self.readers[d]) == 1 else l)
            model.links.hold((READ, d), begin, (k, l), serialise, f)
        elif len(self.sources[d][l]) == 1:
            return
        for j in here:
            both = [f] if f.index == model.x[j, l].index else [f, model.x[j, l]]
            model.cp.add(model.start[j] >= begin + ticks).only_enforce_if(*both)

    # -- copies ----------------------------------------------------------------------------------

    def _max_copies(self, d: int) -> None:
        """No more copies are placed than the data allows."""
        placed = [h for (c, _), h in self.copy.items() if c == d]
        if len(placed) > self.tables.max_copies[d]:
            self.model.cp.add(sum(placed) <= int(self.tables.max_copies[d]))

    def _storage(self) -> None:
        """The copies on a node fit its storage."""
        tables = self.tables
        for k in np.flatnonzero(np.isfinite(tables.storage_capacity)).tolist():
            here = [(float(tables.data_bytes[d]), h) for (d, l), h in self.copy.items() if l == k]
            here = [(size, h) for size, h in here if size > 0]
            available = float(tables.storage_capacity[k])
            if sum(size for size, _ in here) <= available:
                continue
            unit, most = most_units(available, [size for size, _ in here])
            steps = [min(whole(size / unit, True), most + 1) for size, _ in here]
            self.model.cp.add(weighted([h for _, h in here], steps) <= most)

    # -- what others ask -------------------------------------------------------------------------

    def spend(self, metric: str, terms: Terms) -> None:
        """What fetches and the pushes of copies add to a metric."""
        for d in self.readers:
            cost = moving_cost(self.tables, metric, float(self.tables.data_bytes[d]))
            if not cost.any():
                continue
            for (c, k, l), f in self.fetch.items():
                if c == d:
                    terms.add(f, float(cost[k, l]))
            for (c, k), h in self.copy.items():
                if c == d:
                    home = self.tables.fetch(np.array([d]), np.array([k]), self.tables.home[[d]])
                    terms.add(h, float(cost[home[0], k]))

    def streamed(self) -> Iterator[tuple[int, int, int, cp_model.IntVar, float]]:
        """All fetches that hold something: data, from, to, f and serialise (s)."""
        for (d, k, l), f in self.fetch.items():
            serialise = float(self.parts[d].serialise[k, l])
            if serialise > 0 and isfinite(serialise):
                yield d, k, l, f, serialise
