"""Items that move between tasks, in the constraint model: where from, where to, with which codec.

Sets
    items h from task i to readers j; nodes k, l; codecs c that are worth a choice, none included.
Parameters (integers on a time grid)
    c_hklc delay: encode e_hkc, serialise sigma_hklc, latency and decode d_hlc; R_kl channel sets.
Variables
    y_hklc in {0, 1}   h moves from k to l with c (k = l: it stays, without c);
    hold_h or hold_hl  when it begins to hold the links of its route (see `cpsat_links`), of an item
                       with several readers one for each node.
Constraints
    one reader j       sum_lc y_hklc = x_ik,  sum_kc y_hklc = x_jl     (RLT; Adams, Sherali 1986)
    several readers    sum_kc y_hklc >= x_jl for each reader j,  y_hklc <= x_ik,
                       sum_kc y_hklc <= 1
    slow codec         start_j >= start_i + p_i + c_hklc            if y_hklc and x_jl
    encoded            hold >= start_i + p_i + e_hkc                if y_hklc
    arrived            start_j >= hold + sigma_hklc + d_hlc         if y_hklc and x_jl

The y of an item are made on first use alone. The least delay between two places is a matter of
`precedence` in `cpsat_model`, and all that there is without codecs and channels. A transfer that no
reader waits for helps no one: that the y are enough suffices.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from ortools.sat.python import cp_model

from formulations.choices import codec_options
from formulations.coefficients import transfer_cost
from offload.arrays import BoolArray
from offload.bounding.durations import item_parts
from offload.bounds import pair_delays
from offload.tables import TransferParts
from offload.transfers import EDGE

if TYPE_CHECKING:
    from formulations.cpsat_model import Model
    from formulations.cpsat_terms import Terms

__all__ = ["Messages", "Way"]


class Way(NamedTuple):
    """From where, to where, and with which codec something moves."""

    src: int
    dst: int
    codec: int


class Messages:
    """The items of a model and their transfers.

    Attributes
    ----------
    made
        y_hklc of the items for which they were asked for.
    """

    def __init__(self, model: Model) -> None:
        self.model, self.tables = model, model.tables
        self.made: dict[int, dict[Way, cp_model.IntVar]] = {}
        self._ways: dict[int, list[Way]] = {}

    # -- choices ---------------------------------------------------------------------------------

    def readers(self, item: int) -> list[int]:
        """The tasks that read an item."""
        edges = self.tables.item_edges.of(item)
        readers: list[int] = self.tables.edge_dst[edges].tolist()
        return readers

    def ways(self, item: int) -> list[Way]:
        """All ways in which an item may go, or stay, under a model's places."""
        if item not in self._ways:
            model = self.model
            i = int(self.tables.item_src[item])
            to = sorted({l for j in self.readers(item) for l in model.nodes_of[j]})
            options = codec_options(self.tables, item, model.goal.metrics, model.links.held)
            self._ways[item] = [
                Way(k, l, c)
                for k in model.nodes_of[i] for l in to
                for c, mask in options.items() if mask[k, l]
            ]  # fmt: skip
        return self._ways[item]

    def codec(self, item: int, k: int, l: int) -> int:
        """The codec for a pair of nodes where there is no choice."""
        return next((way.codec for way in self.ways(item) if way[:2] == (k, l)), -1)

    def of(self, item: int) -> dict[Way, cp_model.IntVar]:
        """y_hklc of one item, made on first use, with the constraints that tie it to the places."""
        if item not in self.made:
            self.model.request.go_on()
            self.made[item] = {
                way: self.model.cp.new_bool_var(f"y{item},{way.src},{way.dst},{way.codec}")
                for way in self.ways(item)
            }
            self._sent(item)
            self._received(item)
        return self.made[item]

    def _sent(self, item: int) -> None:
        """An item leaves from where its source runs."""
        cp, made = self.model.cp, self.made[item]
        i, single = int(self.tables.item_src[item]), len(self.readers(item)) == 1
        for k in self.model.nodes_of[i]:
            row = [y for way, y in made.items() if way.src == k]
            if single:
                cp.add(sum(row) == self.model.x[i, k])
            else:
                for y in row:
                    cp.add_implication(y, self.model.x[i, k])

    def _received(self, item: int) -> None:
        """An item comes to where its readers run."""
        cp, made, readers = self.model.cp, self.made[item], self.readers(item)
        choice = len({way[:2] for way in made}) < len(made)
        for l in sorted({l for j in readers for l in self.model.nodes_of[j]}):
            chosen = [y for way, y in made.items() if way.dst == l]
            column = sum(chosen)
            for j in readers:
                if (j, l) in self.model.x:
                    there = self.model.x[j, l]
                    cp.add(column == there if len(readers) == 1 else column >= there)
            if choice and len(readers) > 1:
                cp.add_at_most_one(chosen)

    # -- times -----------------------------------------------------------------------------------

    def build(self) -> None:
        """When items that have a choice of codecs, or hold links, have arrived."""
        for item in range(self.tables.items):
            self.model.request.go_on()
            ways = self.ways(item)
            choice = len({way[:2] for way in ways}) < len(ways)
            parts = {c: item_parts(self.tables, item, c) for c in {way.codec for way in ways}}
            if choice or any(self._holds(way, parts[way.codec]) for way in ways):
                self._times(item, parts)

    def _holds(self, way: Way, parts: TransferParts) -> bool:
        """Whether a transfer holds any link for any time."""
        k, l, _ = way
        return bool(self.model.links.held[k, l] and parts.serialise[k, l] > 0)

    def _times(self, item: int, parts: dict[int, TransferParts]) -> None:
        readers = self.readers(item)
        least = pair_delays(self.tables, int(self.tables.item_edges.of(item)[0]))
        for way, y in self.of(item).items():
            part = TransferParts(*(table[way.src, way.dst] for table in parts[way.codec]))
            waiting = [j for j in readers if (j, way.dst) in self.model.x]
            if self._holds(way, parts[way.codec]):
                self._held(item, way, y, part, waiting)
            elif part.total > least[way.src, way.dst]:
                self._slow(item, way, y, part, waiting)

    def _slow(
        self, item: int, way: Way, y: cp_model.IntVar, part: TransferParts, waiting: list[int]
    ) -> None:
        """A reader starts after the item has arrived with a codec that is not the fastest."""
        model, i = self.model, int(self.tables.item_src[item])
        sent = model.start[i] + model.length[i]
        for j in waiting:
            late = model.cp.add(model.start[j] >= sent + model.grid.length(float(part.total)))
            late.only_enforce_if(*self._both(item, way, y, j))

    def _held(
        self, item: int, way: Way, y: cp_model.IntVar, part: TransferParts, waiting: list[int]
    ) -> None:
        """A hold follows the encoding; a reader starts after hold, latency and decoding."""
        model, i, grid = self.model, int(self.tables.item_src[item]), self.model.grid
        single = len(self.readers(item)) == 1
        begin = model.links.begin(EDGE, item, -1 if single else way.dst)
        encoded = model.start[i] + model.length[i] + grid.length(float(part.encode))
        model.cp.add(begin >= encoded).only_enforce_if(y)
        after = grid.length(float(part.serialise + part.latency + part.decode))
        for j in waiting:
            late = model.cp.add(model.start[j] >= begin + after)
            late.only_enforce_if(*self._both(item, way, y, j))
        model.links.hold((EDGE, item), begin, way[:2], float(part.serialise), y)

    def _both(self, item: int, way: Way, y: cp_model.IntVar, j: int) -> list[cp_model.IntVar]:
        """That an item goes some way, and its reader j waits at the end of that."""
        return [y] if len(self.readers(item)) == 1 else [y, self.model.x[j, way.dst]]

    # -- what others ask -------------------------------------------------------------------------

    def streamed(self, bears: BoolArray) -> Iterator[tuple[int, Way, cp_model.IntVar, float]]:
        """Transfers that hold something: item, way, y and serialise (s).

        ``bears`` is bool[K, K], the pairs of nodes for which that matters.
        """
        for item in range(self.tables.items):
            self.model.request.go_on()
            ways = self.ways(item)
            parts = {c: item_parts(self.tables, item, c) for c in {way.codec for way in ways}}
            held = {way: float(parts[way.codec].serialise[way.src, way.dst]) for way in ways}
            counted = [
                way for way in ways if bears[way[:2]] and way.src != way.dst and held[way] > 0
            ]
            if counted:
                made = self.of(item)
                yield from ((item, way, made[way], held[way]) for way in counted)

    def spend(self, metric: str, terms: Terms) -> None:
        """What transfers of items add to a metric."""
        for item in range(self.tables.items):
            self.model.request.go_on()
            codecs = {way.codec for way in self.ways(item)}
            cost = {c: transfer_cost(self.tables, metric, item, c) for c in codecs}
            if any(table.any() for table in cost.values()):
                for way, y in self.of(item).items():
                    terms.add(y, float(cost[way.codec][way.src, way.dst]))
