"""Links with channels in the constraint model.

Sets
    q channel sets; R_kl those on the route from k to l.
Parameters (integers on a time grid)
    channels_q; sigma serialise of a transfer.
Variables
    hold >= 0   when a transfer begins to hold all links of its route.
Constraints
    link   cumulative over q of intervals (hold, sigma, 1) <= channels_q, one for each transfer that
           may go from k to l with q in R_kl, present if it does

What a transfer does before (encoding) and after its hold (latency, decoding) takes no channel. A
hold that takes no time holds nothing and is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from ortools.sat.python import cp_model

from offload.bounding.durations import held_pairs

if TYPE_CHECKING:
    from formulations.cpsat_model import Model

__all__ = ["Hold", "Links"]


class Hold(NamedTuple):
    """A transfer of one kind (``offload.transfers``) that may hold links on its way to a node."""

    kind: int
    ref: int
    dst: int
    begin: cp_model.IntVar
    ticks: int
    there: cp_model.IntVar  # whether it takes place


class Links:
    """All that may hold links, and the capacity of these.

    Attributes
    ----------
    held : bool[K, K]
        Pairs of nodes whose route has a link with channels.
    holds
        Every transfer that may hold links.
    """

    def __init__(self, model: Model) -> None:
        self.model, self.tables = model, model.tables
        self.held = held_pairs(self.tables)
        self.holds: list[Hold] = []
        self._spans: dict[int, list[cp_model.IntervalVar]] = {}
        self._begin: dict[tuple[int, int, int], cp_model.IntVar] = {}
        self._routes: dict[tuple[int, int], list[int]] = {}

    def route(self, k: int, l: int) -> list[int]:
        """The channel sets on the route from one node to another."""
        if (k, l) not in self._routes:
            routes = self.tables.routes
            arcs = routes.expand(np.array([k], np.int32), np.array([l], np.int32))[1]
            sets = {int(q) for q in routes.arc_resource[arcs] if q >= 0}
            self._routes[k, l] = sorted(sets)
        return self._routes[k, l]

    def begin(self, kind: int, ref: int, to: int) -> cp_model.IntVar:
        """When the hold of what moves to a node begins; -1 for what moves to one node alone."""
        key = kind, ref, to
        if key not in self._begin:
            name = f"hold{kind},{ref},{to}"
            self._begin[key] = self.model.cp.new_int_var(0, self.model.horizon, name)
        return self._begin[key]

    def hold(
        self,
        what: tuple[int, int],
        begin: cp_model.IntVar,
        ends: tuple[int, int],
        serialise: float,
        there: cp_model.IntVar,
    ) -> None:
        """A transfer from k to l holds every link of its route from ``begin`` on."""
        k, l = ends
        ticks = self.model.grid.length(serialise)
        name = f"link{what[0]},{what[1]},{k},{l},{len(self.holds)}"
        self.holds.append(Hold(*what, l, begin, ticks, there))
        span = self.model.cp.new_optional_fixed_size_interval_var(begin, ticks, there, name)
        for q in self.route(k, l):
            self._spans.setdefault(q, []).append(span)

    def capacity(self) -> None:
        """No more transfers at one time than a set has channels."""
        for q, spans in sorted(self._spans.items()):
            channels = int(self.tables.routes.resource_channels[q])
            if channels == 1:
                self.model.cp.add_no_overlap(spans)
            elif channels < len(spans):
                self.model.cp.add_cumulative(spans, [1] * len(spans), channels)
