"""The best plan of a tiny instance, by looking at all of them.

Every place, mode and codec of every task and edge, with every set of copies; and of each of these
every order. Without link contention, decoding over all orders reaches an optimal plan by any
metric, as none gets better by waiting (SPEC section 2, Decoding). Where transfers meet on a link,
decoding fixes their order: `timetables` times every order of tasks and transfers instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from timetables import MOST_HELD, Timetable, held_links, timetables

import offload
from offload.metrics import Measured, objective
from offload.problem import METRICS, Problem
from offload.tables import TOLERANCE, Tables
from offload.transfers import Copies, Parts, Required, Transfers, required_transfers

__all__ = ["Best", "Everything", "TooMany", "everything"]

MOST = 60_000  # plans of one instance that are looked at
MOST_TRIED = 1_500  # of its decisions with every order on links


class TooMany(Exception):
    """An instance is too large to look at all of its plans."""


class Decisions(NamedTuple):
    """Of several plans: of each task, task, edge (int[B, .]) and data item (bool[B, D, K])."""

    nodes: NDArray[np.int64]
    modes: NDArray[np.int64]
    codecs: NDArray[np.int64]
    copies: NDArray[np.bool_]

    def of(self, rows: NDArray[np.integer]) -> Decisions:
        """Those of some plans."""
        return Decisions(*(column[rows] for column in self))


class Best(NamedTuple):
    """The least objective, and the plan that has it."""

    value: float
    plan: offload.Plan


class Everything(NamedTuple):
    """Plans of an instance: metrics float64[P], and whether they hold but for limits.

    The first of them are decoded, one of ``order`` each; the others have a timetable each.
    """

    problem: Problem
    decisions: Decisions
    order: NDArray[np.int64]
    timed: list[Timetable]
    metrics: dict[str, NDArray[np.float64]]
    holds: NDArray[np.bool_]

    def best(
        self, minimize: Mapping[str, float], limits: Mapping[str, float] | None = None
    ) -> Best | None:
        """The best plan within limits; ``None`` if no plan holds."""
        holds = self.within(limits or {})
        if not holds.any():
            return None
        value = np.where(holds, objective(self.metrics, minimize), np.inf)
        row = int(value.argmin())
        return Best(float(value[row]), self.plan(row))

    def within(self, limits: Mapping[str, float]) -> NDArray[np.bool_]:
        """Which plans hold, limits included; bool[P]."""
        tables, holds = self.problem.tables, self.holds.copy()
        due = np.isfinite(tables.due)
        times = {
            "latency": 1.0,
            "completion": tables.weight.sum(),
            "tardiness": tables.weight[due].sum(),
        }
        for metric, limit in limits.items():
            late = times.get(metric, 0.0) * TOLERANCE * self.metrics["latency"]
            holds &= self.metrics[metric] <= np.maximum(limit * (1 + TOLERANCE), limit + late)
        return holds

    def plan(self, row: int) -> offload.Plan:
        """One of the plans."""
        chosen = self.decisions.of(np.array([row]))
        if row < len(self.order):
            nodes, modes, codecs, copies = chosen
            order = self.order[row]
            return offload.evaluate(self.problem, nodes, order, modes, codecs, copies).plan()
        return _timed_plan(self.problem, chosen, self.timed[row - len(self.order)])


def everything(problem: Problem) -> Everything:
    """Every plan that may be the best by some goal.

    Raises
    ------
    TooMany
        For an instance with more than some tens of thousands of plans.
    """
    tables = problem.tables
    orders = np.array(list(_orders(problem, [])), np.int64).reshape(-1, tables.tasks)
    decisions = _sound(problem, list(_decisions(tables)), orders[:1])
    waiting = np.array([_waits(tables, decisions, b) for b in range(len(decisions.nodes))], bool)
    simple, tried = np.flatnonzero(~waiting), np.flatnonzero(waiting)
    if len(simple) * len(orders) > MOST or len(tried) > MOST_TRIED:
        raise TooMany
    plain = decisions.of(np.repeat(simple, len(orders)))
    order = np.tile(orders, (len(simple), 1))
    found = offload.evaluate(
        problem, plain.nodes, order, plain.modes, plain.codecs, plain.copies, limits={}
    )
    owner: list[int] = []
    timed: list[Timetable] = []
    for b in tried.tolist():
        nodes, modes, _, _ = (column[b] for column in decisions)
        own = timetables(tables, nodes, modes, _required(tables, decisions.of(np.array([b]))))
        timed += own
        owner += [b] * len(own)
        if len(timed) > MOST:
            raise TooMany
    others = decisions.of(np.array(owner, np.int64))
    metrics, holds = _measured(problem, others, timed)
    return Everything(
        problem, Decisions(*(np.concatenate(pair) for pair in zip(plain, others, strict=True))),
        order, timed, {m: np.concatenate([found.metrics[m], metrics[m]]) for m in METRICS},
        np.concatenate([found.feasible, holds]),
    )  # fmt: skip


# -- decisions -----------------------------------------------------------------------------------


def _decisions(tables: Tables) -> Iterator[tuple[object, ...]]:
    """Every place, mode and codec, with every set of copies."""
    places = [np.flatnonzero(row).tolist() for row in tables.allowed_table]
    copies = _copies(tables)
    count = 0
    for nodes in product(*places):
        ways = product(*(range(int(tables.mode_count[k])) for k in nodes))
        for modes, codecs, placed in product(ways, _codecs(tables, nodes), copies):
            count += 1
            if count > MOST:
                raise TooMany
            yield nodes, modes, codecs, placed


def _codecs(tables: Tables, nodes: tuple[int, ...]) -> list[list[int]]:
    """Every choice of codecs of what moves: one for each item and node."""
    moving: dict[tuple[int, int], list[int]] = {}
    for e in range(tables.edges):
        src, dst = nodes[tables.edge_src[e]], nodes[tables.edge_dst[e]]
        if src != dst:
            moving.setdefault((int(tables.edge_item[e]), dst), []).append(e)
    offers = [[-1, *tables.item_codecs.of(item).tolist()] for item, _ in moving]
    found = []
    for chosen in product(*offers):
        codecs = [-1] * tables.edges
        for edges, codec in zip(moving.values(), chosen, strict=True):
            for e in edges:
                codecs[e] = codec
        found.append(codecs)
    return found


def _copies(tables: Tables) -> list[NDArray[np.bool_]]:
    """Every set of copies of what is read, whether it may be or not."""
    where = [
        (d, k)
        for d in np.unique(tables.reads.values).tolist()
        for k in range(tables.nodes)
        if tables.max_copies[d] > 0 and not tables.home[d, k]
    ]
    found = []
    for chosen in product([False, True], repeat=len(where)):
        placed = np.zeros((len(tables.data_ids), tables.nodes), bool)
        for (d, k), here in zip(where, chosen, strict=True):
            placed[d, k] = here
        found.append(placed)
    return found


def _sound(
    problem: Problem, drawn: list[tuple[object, ...]], order: NDArray[np.int64]
) -> Decisions:
    """Decisions that break no rule whatever the order."""
    tables, count = problem.tables, len(drawn)
    nodes, modes, codecs, copies = zip(*drawn, strict=True) if drawn else ((),) * 4
    made = Decisions(
        np.array(nodes, np.int64).reshape(count, tables.tasks),
        np.array(modes, np.int64).reshape(count, tables.tasks),
        np.array(codecs, np.int64).reshape(count, tables.edges),
        np.array(copies, bool).reshape(count, len(tables.data_ids), tables.nodes),
    )
    if not count:
        return made
    found = offload.evaluate(problem, made.nodes, order, *made[1:], limits={})
    broken = sum(excess for rule, excess in found.excess.items() if rule != "deadline")
    return made.of(np.flatnonzero(np.asarray(broken) == 0))


def _required(tables: Tables, decisions: Decisions) -> Required:
    held = decisions.copies | tables.home
    return required_transfers(tables, decisions.nodes, decisions.codecs, held)


def _waits(tables: Tables, decisions: Decisions, b: int) -> bool:
    """Whether some transfers of a plan share a link."""
    if not len(tables.routes.resource_channels):
        return False
    links = held_links(tables, _required(tables, decisions.of(np.array([b]))))
    if sum(bool(sets) for sets in links) > MOST_HELD:
        raise TooMany
    used = [q for sets in links for q in sets]
    return len(set(used)) < len(used)


def _orders(problem: Problem, begun: list[int]) -> Iterator[list[int]]:
    """Every topological permutation that begins as given."""
    tables = problem.tables
    if len(begun) == tables.tasks:
        yield begun
    for i in range(tables.tasks):
        if i not in begun and set(tables.edge_src[tables.incoming.of(i)].tolist()) <= set(begun):
            yield from _orders(problem, [*begun, i])


# -- timetables ----------------------------------------------------------------------------------


def _measured(
    problem: Problem, decisions: Decisions, timed: list[Timetable]
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.bool_]]:
    """Metrics of timed plans, and whether they keep deadlines."""
    tables, count = problem.tables, len(timed)
    start, finish = (
        np.array([plan[n] for plan in timed], float).reshape(count, tables.tasks) for n in (0, 1)
    )
    plan, task = (index.ravel().astype(np.int32) for index in np.indices((count, tables.tasks)))
    parts = Parts(
        plan, task, decisions.nodes.ravel().astype(np.int32),
        decisions.modes.ravel().astype(np.int32), np.ones(len(plan)), start.ravel(),
        finish.ravel(),
    )  # fmt: skip
    placed = Copies(*(index.astype(np.int32) for index in np.nonzero(decisions.copies)))
    measured = Measured(tables, parts, _required(tables, decisions).rows, placed, count)
    slack = TOLERANCE * measured["latency"][:, None]
    holds = (finish <= tables.deadline + slack).all(axis=1)
    return {m: measured[m] for m in METRICS}, holds


def _timed_plan(problem: Problem, decisions: Decisions, timed: Timetable) -> offload.Plan:
    """A timetable as a plan."""
    tables, required = problem.tables, _required(problem.tables, decisions)
    start, finish, sent = (np.array(column, float) for column in timed)
    rows: Transfers = required.rows
    total = tables.transfer(rows.size, rows.src, rows.dst, rows.codec).total
    required = required._replace(rows=rows._replace(start=sent, finish=sent + total))
    nodes, modes, _, copies = (column[0] for column in decisions)
    return offload.Plan.assemble(
        problem, nodes, start, finish, required, modes=modes, copies=copies
    )
