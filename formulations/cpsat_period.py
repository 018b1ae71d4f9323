"""The period in the constraint model: the largest load of any node or link.

Parameters (integers in units of the period)
    u_ikm = p_ikm s_i / S_k; sigma serialise of what moves; channels_q.
Variables
    P   the period;   sent_hk   the largest serialise of item (or data) h out of k with serial io.
Constraints
    node   P >= sum_im u_ikm z_ikm                                          io overlapped
           P >= sum_im u_ikm z_ikm + sum_hlc sigma y_hlkc + sum_h sent_hk   io serial
    sent   sent_hk >= sigma y_hklc                                          for each l, c
    link   P >= sum sigma y / channels_q        over all that goes over q

Moves and pushes of copies do not count. An item with one reader has one destination at most: its
sent_hk is the sum itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ortools.sat.python import cp_model

from formulations.coefficients import slot_load
from formulations.cpsat_terms import Terms, weighted, whole
from offload.transfers import EDGE, READ

if TYPE_CHECKING:
    from formulations.cpsat_model import Model

__all__ = ["period_terms"]

Loads = list[tuple[cp_model.IntVar, float]]


class _Stream(NamedTuple):
    """Something that moves between nodes for every input."""

    what: tuple[int, int]  # kind and position
    src: int
    dst: int
    there: cp_model.IntVar
    serialise: float
    alone: bool  # whether it has one reader


def period_terms(model: Model) -> Terms:
    """The period as terms over a model's variables."""
    nodes = [_runs(model, k) for k in range(model.tables.nodes)]
    streams = list(_streams(model))
    unit, loose = _unit(model, nodes, streams), model.grid.relax
    sums: list[tuple[list[cp_model.IntVar], list[int]]] = []

    def add(loads: Loads) -> None:
        if loads:
            steps = [whole(load / unit, loose) for _, load in loads]
            sums.append(([v for v, _ in loads], steps))

    over: dict[int, list[_Stream]] = {}
    for s in streams:
        for q in model.links.route(s.src, s.dst):
            over.setdefault(q, []).append(s)
    for k, runs in enumerate(nodes):
        model.request.go_on()
        if model.tables.serial_io[k]:
            runs += [(s.there, s.serialise) for s in streams if s.dst == k]
            runs += _sent(model, unit, [s for s in streams if s.src == k])
        add(runs)
    for q, channels in enumerate(model.tables.routes.resource_channels.tolist()):
        model.request.go_on()
        add([(s.there, s.serialise / channels) for s in over.get(q, ())])
    most = max((sum(s * _reach(v) for v, s in zip(*row, strict=True)) for row in sums), default=0)
    period = model.cp.new_int_var(0, most, "period")
    for variables, steps in sums:
        model.cp.add(weighted(variables, steps) <= period)
    terms = Terms()
    terms.add(period, unit)
    return terms


def _runs(model: Model, k: int) -> Loads:
    """What tasks add to the load of a node."""
    found: Loads = []
    for m in model.modes_of[k]:
        load = slot_load(model.tables, m)[:, k]
        here = [i for i in range(model.tables.tasks) if (i, k, m) in model.z]
        found += [(model.z[i, k, m], float(load[i])) for i in here]
    return found


def _streams(model: Model) -> list[_Stream]:
    """All that moves and bears on the load of a node with serial io, or of a link."""
    serial = model.tables.serial_io
    bears = model.links.held | serial[:, None] | serial[None, :]
    found = []
    for item, way, y, serialise in model.messages.streamed(bears):
        alone = len(model.messages.readers(item)) == 1
        found.append(_Stream((EDGE, item), way.src, way.dst, y, serialise, alone))
    for d, k, l, f, serialise in model.data.streamed():
        alone = len(model.data.readers[d]) == 1
        found.append(_Stream((READ, d), k, l, f, serialise, alone))
    return [s for s in found if bears[s.src, s.dst]]


def _unit(model: Model, nodes: list[Loads], streams: list[_Stream]) -> float:
    """Seconds a unit: all that is lost by rounding stays below a part of the gap."""
    known = [load for loads in nodes for _, load in loads] + [s.serialise for s in streams]
    scale = model.bounds["period"] or max(known, default=0.0) or 1.0
    terms = model.tables.tasks + 2 * len(streams)
    return scale * min(model.gap, 1e-4) / (10 * terms)


def _sent(model: Model, unit: float, streams: list[_Stream]) -> Loads:
    """Of each item or data sent from a node, the largest serialise once."""
    found: Loads = [(s.there, s.serialise) for s in streams if s.alone]
    shared: dict[tuple[int, int], list[_Stream]] = {}
    for s in streams:
        if not s.alone:
            shared.setdefault(s.what, []).append(s)
    for what, of_it in sorted(shared.items()):
        model.request.go_on()
        steps = [(whole(s.serialise / unit, model.grid.relax), s.there) for s in of_it]
        top = max(step for step, _ in steps)
        sent = model.cp.new_int_var(0, top, f"sent{what[0]},{what[1]},{streams[0].src}")
        for step, there in steps:
            model.cp.add(sent >= step * there)
        found.append((sent, unit))
    return found


def _reach(variable: cp_model.IntVar) -> int:
    return int(max(variable.proto.domain))
