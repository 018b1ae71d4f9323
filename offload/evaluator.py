"""Vectorized decoding: many placements and orders at once, to exact times and all metrics.

The rule is Decoding in docs/format.md, section 2: task by task in the plan's order, first the
transfers that the task still lacks, then the task, each as early as possible but never before what
was placed on its link or node last. Work is vectorized over the plans; the loop runs over positions
in the order.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offload.arrays import BoolArray, FloatArray, IntArray
from offload.decoding import Batch, Decoding
from offload.errors import Issue, PlanError, Unsupported
from offload.metrics import Metrics
from offload.placement import copies_excess, groups_broken, resident_excess, storage_excess
from offload.plan import Plan
from offload.problem import Problem
from offload.tables import TOLERANCE, Tables
from offload.transfers import Copies, Parts, Transfers

__all__ = ["Evaluation", "evaluate", "evaluate_unchecked"]

Integers = NDArray[np.integer]

_CELLS = 1 << 14  # positions checked and copied at once, while they are in a near cache


class Evaluation:
    """Times and metrics of B decoded plans.

    Attributes
    ----------
    start, finish : float64[B, T]
        Seconds; infinite where a task may not run on its node, lacks a route or never finds memory.
    metrics : mapping of metric to float64[B]
        All eight, each computed on first use.
    excess : dict of rule to float64[B]
        By how much each plan breaks a limit ("limit:energy"), deadlines ("deadline", seconds in
        all), capacities ("memory", "storage", bytes; "copies", a count) or placement rules
        ("placement", tasks without finite times; "groups", a count). 0 where the rule holds.
    feasible : bool[B]
        Whether all of these hold.
    """

    def __init__(
        self, problem: Problem, batch: Batch, copies: BoolArray | None, limits: Mapping[str, float]
    ) -> None:
        self.problem, self._batch = problem, batch
        self.decoding = Decoding(problem.tables, batch)
        self.copies, self._limits = copies, dict(limits)

    def __len__(self) -> int:
        return len(self._batch.nodes)

    @property
    def start(self) -> FloatArray:
        """Start of each task; float64[B, T]."""
        return self.decoding.times[0]

    @property
    def finish(self) -> FloatArray:
        """Finish of each task; float64[B, T]."""
        return self.decoding.times[1]

    @cached_property
    def nodes(self) -> IntArray:
        """Node of each task; int32[B, T]."""
        return self._batch.nodes.astype(np.int32, copy=False)

    @cached_property
    def modes(self) -> IntArray:
        """Operating point of each task; int32[B, T]."""
        modes = self._batch.modes
        return np.zeros_like(self.nodes) if modes is None else modes.astype(np.int32, copy=False)

    @cached_property
    def metrics(self) -> Metrics:
        """The metrics of all plans; ``metrics["latency"]`` is float64[B]."""
        return _Decoded(self)

    @cached_property
    def excess(self) -> dict[str, FloatArray]:
        """By how much each plan breaks each rule; 0 within the tolerance."""
        tables = self.problem.tables
        latency = self.metrics["latency"]
        slack = TOLERANCE * np.where(np.isfinite(latency), latency, 0.0)
        # A sum of times may be off by as much as its times, each by its weight.
        due = np.isfinite(tables.due)
        times = {
            "latency": 1.0,
            "completion": tables.weight.sum(),
            "tardiness": tables.weight[due].sum(),
        }
        found: dict[str, FloatArray] = {}
        for metric, limit in self._limits.items():
            value = self.metrics[metric]
            allowed = np.maximum(limit * (1 + TOLERANCE), limit + times.get(metric, 0.0) * slack)
            over = np.where(value > allowed, value - limit, 0.0)
            found[f"limit:{metric}"] = over
        timed = np.flatnonzero(np.isfinite(tables.deadline))
        late = self.finish[:, timed] - tables.deadline[timed]
        found["deadline"] = np.where(late > slack[:, None], late, 0.0).sum(axis=1)
        found["placement"] = (~np.isfinite(self.finish)).sum(axis=1).astype(float)
        found["memory"] = resident_excess(tables, self.nodes)
        found["groups"] = groups_broken(tables, self.nodes).astype(float)
        if self.copies is not None:
            found["storage"] = storage_excess(tables, self.copies)
            found["copies"] = copies_excess(tables, self.copies)
        return found

    @cached_property
    def feasible(self) -> BoolArray:
        """Whether each plan breaks nothing; bool[B]."""
        result = np.ones(len(self), bool)
        for over in self.excess.values():
            result &= over == 0
        return result

    def plan(self, number: int = 0) -> Plan:
        """One of the decoded plans, with its transfers."""
        number = range(len(self))[number]
        copies = None if self.copies is None else self.copies[number]
        return Plan.assemble(
            self.problem, self.nodes[number], self.start[number], self.finish[number],
            self.decoding.transfers_of(number), modes=self.modes[number], copies=copies,
        )  # fmt: skip


class _Decoded(Metrics):
    """The metrics of decoded plans, whose transfers and times are made when one needs them."""

    def __init__(self, evaluation: Evaluation) -> None:
        super().__init__(evaluation.problem.tables, len(evaluation))
        self._evaluation = evaluation

    @cached_property
    def parts(self) -> Parts:
        """A piece for each task, without times."""
        made, plans, tasks = self._evaluation, self.plans, self.tables.tasks
        unknown = np.broadcast_to(np.nan, plans * tasks)
        return Parts(
            np.repeat(np.arange(plans, dtype=np.int32), tasks),
            np.tile(np.arange(tasks, dtype=np.int32), plans),
            made.nodes.ravel(), made.modes.ravel(), np.ones(plans * tasks), unknown, unknown,
        )  # fmt: skip

    @cached_property
    def transfers(self) -> Transfers:
        """Without times where those are not known yet."""
        return self._evaluation.decoding.required.rows

    @cached_property
    def copies(self) -> Copies:
        """Copies placed by all plans."""
        placed = self._evaluation.copies
        none = (np.zeros(0, np.int32),) * 3
        found = none if placed is None else np.nonzero(placed)
        return Copies(*(index.astype(np.int32) for index in found))

    def _latency(self) -> FloatArray:
        return self._evaluation.decoding.latency

    @property
    def _task_finish(self) -> FloatArray:
        return self._evaluation.finish


def evaluate(
    problem: Problem,
    nodes: ArrayLike,
    order: ArrayLike,
    modes: ArrayLike | None = None,
    codecs: ArrayLike | None = None,
    copies: ArrayLike | None = None,
    limits: Mapping[str, float] | None = None,
) -> Evaluation:
    """Decode B plans: the times and metrics that placements and orders lead to.

    Parameters
    ----------
    problem
        An instance without divisible tasks.
    nodes : int[B, T]
        Node of each task, by position in the instance. A single plan may be int[T].
    order : int[B, T]
        ``order[b, q]`` is plan b's q-th task; a topological permutation.
    modes : int[B, T], optional
        Operating point of each task on its node: 0 is "default", then the node's ``modes``.
    codecs : int[B, E], optional
        Codec of each edge, -1 for none. Readers of one item on one node share one transfer, with
        the codec of the edge whose task comes first in the order.
    copies : bool[B, D, K], optional
        Placed copies of data.
    limits
        Bounds for ``excess`` and ``feasible``; the instance's own by default.

    Returns
    -------
    Evaluation

    Raises
    ------
    PlanError
        For arrays of a wrong shape, positions out of range, an order that is no topological
        permutation, or a codec that its edge does not offer.
    Unsupported
        For an instance with divisible tasks.

    Notes
    -----
    docs/format.md, section 2, Decoding. With an order sorted by start times, decoding never worsens
    a schedule without link contention, so the best over all orders is optimal there.
    """
    tables = problem.tables
    if tables.divisible.any():
        raise Unsupported("evaluate", ["splitting"], "check a plan that splits tasks instead")
    where = _positions("nodes", nodes, tables.tasks, tables.nodes)
    sequence = _positions("order", order, tables.tasks, tables.tasks)
    batch = max(len(where), len(sequence))
    where, sequence = _stretch(where, batch, "nodes"), _stretch(sequence, batch, "order")
    how = None
    if modes is not None:
        how = _stretch(_positions("modes", modes, tables.tasks, tables.modes), batch, "modes")
    packed = None
    if codecs is not None:
        packed = _positions("codecs", codecs, tables.edges, len(tables.codec_ids), least=-1)
        packed = _stretch(packed, batch, "codecs")
        _check_codecs(tables, packed)
    held = None if copies is None else _copies(tables, copies, batch)
    found = evaluate_unchecked(problem, where, sequence, how, packed, held, limits)
    if not found.decoding.ordered():
        _check_order(tables, sequence)
    return found


def evaluate_unchecked(
    problem: Problem,
    nodes: NDArray[np.integer],
    order: NDArray[np.integer],
    modes: NDArray[np.integer] | None = None,
    codecs: NDArray[np.integer] | None = None,
    copies: BoolArray | None = None,
    limits: Mapping[str, float] | None = None,
) -> Evaluation:
    """:func:`evaluate` for methods that know their arrays to be right.

    All have B rows, nothing is checked or copied, and the arrays must not change while the
    evaluation is in use. What is wrong leads to wrong times or to an error from NumPy.
    """
    holders = None if copies is None else copies | problem.tables.home
    batch = Batch(nodes, order, modes, codecs, holders)
    return Evaluation(problem, batch, copies, problem.limits if limits is None else limits)


def _bad(name: str, message: str, found: object, fix: str = "see offload.evaluate") -> PlanError:
    return PlanError([Issue(name, message, found, fix)])


def _positions(name: str, value: ArrayLike, width: int, below: int, least: int = 0) -> Integers:
    """A copy in the smallest type that holds them all, once they are known to be in range.

    Later changes of the caller's array must not show: times may be asked for then.
    """
    raw = np.asarray(value)
    if raw.ndim == 1:
        raw = raw[None, :]
    if raw.ndim != 2 or raw.shape[1] != width:
        raise _bad(name, f"must have the shape [B, {width}]", np.shape(value))
    if not np.issubdtype(raw.dtype, np.integer) and raw.size:
        raise _bad(name, "must be integers (positions)", str(raw.dtype))
    raw = raw.astype(np.intp, copy=False)
    kept = np.empty(raw.shape, np.min_scalar_type(max(below - 1, 0)) if least >= 0 else np.intp)
    step = max(1, _CELLS // max(width, 1))
    for first in range(0, len(raw), step):
        rows = raw[first : first + step]
        # Seen as unsigned, a negative number is larger than any position.
        if rows.size and (rows - least if least else rows).view(np.uintp).max() >= below - least:
            b, i = (int(index[0]) for index in np.nonzero((rows < least) | (rows >= below)))
            place = f"{name}[{first + b}, {i}]"
            raise _bad(place, f"must be from {least} to {below - 1}", int(rows[b, i]))
        kept[first : first + step] = rows
    return kept


def _stretch(value: Integers, batch: int, name: str) -> Integers:
    if len(value) == batch:
        return value
    if len(value) != 1:
        raise _bad(name, f"must have {batch} rows, or 1", len(value))
    return np.broadcast_to(value, (batch, value.shape[1]))


def _copies(tables: Tables, copies: ArrayLike, batch: int) -> BoolArray:
    shape = (len(tables.data_ids), tables.nodes)
    held = np.asarray(copies, bool)
    held = held[None] if held.ndim == 2 else held
    if held.ndim != 3 or held.shape[1:] != shape:
        raise _bad("copies", f"must have the shape [B, {shape[0]}, {shape[1]}]", held.shape)
    if len(held) not in (1, batch):
        raise _bad("copies", f"must have {batch} rows, or 1", len(held))
    return np.repeat(held, batch // len(held), axis=0) if batch else held[:0]


def _check_order(tables: Tables, order: Integers) -> None:
    rank = np.full(order.shape, -1, np.int32)
    np.put_along_axis(rank, order, np.arange(order.shape[1], dtype=np.int32)[None, :], axis=1)
    if (rank < 0).any():
        b, i = (int(index[0]) for index in np.nonzero(rank < 0))
        raise _bad(f"order[{b}]", "must name every task once; missing", tables.task_ids[i])
    wrong = rank[:, tables.edge_src] > rank[:, tables.edge_dst]
    if wrong.any():
        b, e = (int(index[0]) for index in np.nonzero(wrong))
        ends = tables.task_ids[tables.edge_src[e]], tables.task_ids[tables.edge_dst[e]]
        raise _bad(f"order[{b}]", f"must have {ends[0]!r} before {ends[1]!r}", "the reverse")


def _check_codecs(tables: Tables, codecs: Integers) -> None:
    offered = np.zeros((tables.edges, len(tables.codec_ids) + 1), bool)
    offered[:, -1] = True
    owner = np.repeat(np.arange(tables.items), tables.item_codecs.lengths)
    by_item = np.zeros((tables.items, len(tables.codec_ids)), bool)
    by_item[owner, tables.item_codecs.values] = True
    offered[:, :-1] = by_item[tables.edge_item]
    wrong = ~offered[np.arange(tables.edges)[None, :], codecs]
    if wrong.any():
        b, e = (int(index[0]) for index in np.nonzero(wrong))
        name = tables.codec_ids[codecs[b, e]]
        raise _bad(f"codecs[{b}, {e}]", "the edge does not offer this codec", name)
