"""A plan: what runs where and when, and what moves; its explanation; what a solve returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray, IntArray
from offload.metrics import Measured, transfer_energy
from offload.problem import METRICS, Problem
from offload.tables import Lists
from offload.transfers import EDGE, MOVE, READ, Copies, Parts, Required, Transfers

if TYPE_CHECKING:
    import os

    import pandas as pd
    from matplotlib.axes import Axes

    from offload.conflicts.requirements import Conflict

__all__ = ["Breakdown", "Plan", "Progress", "Result", "Violation"]


@dataclass(frozen=True)
class Violation:
    """One broken rule of a plan.

    Attributes
    ----------
    rule
        Name of the rule, for example ``"slots"`` or ``"precedence"``.
    items
        Ids of the tasks, nodes, links or data that it concerns.
    time
        Seconds from the plan's start, if the violation has a time.
    needed, found
        What the rule asks for and what the plan has: numbers or texts.
    message
        The same as one sentence.
    """

    rule: str
    items: tuple[str, ...]
    time: float | None
    needed: Any
    found: Any
    message: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}"


class Breakdown(NamedTuple):
    """Where time, energy and cost went: a row a node, and a row a link direction."""

    nodes: pd.DataFrame
    links: pd.DataFrame


class Plan:
    """Placements, times, transfers and copies, as arrays with ids on top.

    Parameters
    ----------
    problem
        The instance that it is for.
    parts, transfers, copies
        Its rows; the columns ``plan`` are all 0.
    waiting
        For each transfer, the tasks on its destination that wait for it.
    result
        What the plan file says of the solve that made it.
    """

    def __init__(
        self,
        problem: Problem,
        parts: Parts,
        transfers: Transfers,
        waiting: Lists,
        copies: Copies,
        result: Mapping[str, Any] | None = None,
    ) -> None:
        self.problem = problem
        self.parts, self.transfers, self.waiting, self.copies = parts, transfers, waiting, copies
        self.result = dict(result or {})
        self.stated: dict[str, float] = {}  # metrics that a file claims; nothing relies on them

    @classmethod
    def assemble(
        cls,
        problem: Problem,
        nodes: NDArray[np.integer],
        start: FloatArray,
        finish: FloatArray,
        transfers: Required,
        *,
        modes: NDArray[np.integer] | None = None,
        copies: NDArray[np.bool_] | None = None,
    ) -> Plan:
        """A plan without split tasks, from a node, start and finish for each task (all [T]).

        ``transfers`` are those of one plan, with their times; ``copies`` is bool[D, K].
        """
        tasks = problem.tables.tasks
        none = np.zeros(tasks, np.int32)
        parts = Parts(
            none, np.arange(tasks, dtype=np.int32), np.asarray(nodes, np.int32),
            none if modes is None else np.asarray(modes, np.int32), np.ones(tasks),
            np.asarray(start, float), np.asarray(finish, float),
        )  # fmt: skip
        rows, members = transfers
        edge_of = np.repeat(rows.kind == EDGE, members.lengths)
        waiting = members.values.copy()
        waiting[edge_of] = problem.tables.edge_dst[waiting[edge_of]]
        data, node = np.nonzero(copies) if copies is not None else (none[:0], none[:0])
        placed = Copies(np.zeros(len(data), np.int32), data.astype(np.int32), node.astype(np.int32))
        return cls(problem, parts, rows, Lists(members.start, waiting), placed)

    def __repr__(self) -> str:
        latency = self.metrics["latency"]
        return (
            f"<Plan of {self.problem.name!r}: {len(self.parts.task)} tasks, latency {latency:g} s>"
        )

    @cached_property
    def measured(self) -> Measured:
        """The metrics as arrays of one plan, with the loads behind them."""
        tables = self.problem.tables
        return Measured(tables, self.parts, self.transfers, self.copies, 1)

    @cached_property
    def metrics(self) -> dict[str, float]:
        """All eight metrics, measured from the plan's own times (docs/format.md, section 4)."""
        return {metric: float(self.measured[metric][0]) for metric in METRICS}

    @cached_property
    def nodes(self) -> NDArray[np.int32]:
        """Node of each task, int32[T]; of a split task, the node of its last row; -1 if absent."""
        placed = np.full(self.problem.tables.tasks, -1, np.int32)
        placed[self.parts.task] = self.parts.node
        return placed

    def objective(self, minimize: Mapping[str, float] | None = None) -> float:
        """The weighted sum of metrics that a solve minimizes."""
        weights = self.problem.minimize if minimize is None else minimize
        return float(sum(weight * self.metrics[m] for m, weight in weights.items() if weight > 0))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the plan as an ``offload-plan/1`` file, whole or not at all."""
        from offload.plan_files import save_plan

        save_plan(self, path)

    # -- explanation -----------------------------------------------------------------------------

    @cached_property
    def _inputs(self) -> tuple[FloatArray, FloatArray]:
        """Ready times, and how long the input that arrived last was under way; float64[P] each."""
        tables, parts, rows = self.problem.tables, self.parts, self.transfers
        cell = parts.task.astype(np.int64) * tables.nodes + parts.node
        by_cell = np.argsort(cell, kind="stable")
        ready, moving = tables.release[parts.task].copy(), np.zeros(len(cell))

        def part_at(task: IntArray, node: IntArray) -> NDArray[np.int64]:
            """The part of a task on a node, or -1."""
            wanted = task.astype(np.int64) * tables.nodes + node
            place = np.searchsorted(cell, wanted, sorter=by_cell)
            found = by_cell[np.minimum(place, len(cell) - 1)] if len(cell) else place
            return np.where(cell[found] == wanted, found, -1) if len(cell) else found - 1

        owner, edge = tables.incoming.gather(parts.task)
        sender = part_at(tables.edge_src[edge], parts.node[owner])
        owner, sender = owner[sender >= 0], sender[sender >= 0]
        np.maximum.at(ready, owner, parts.finish[sender])
        row, task = self.waiting.gather(np.arange(len(rows.plan)))
        part = part_at(task, rows.dst[row])
        row, part = row[part >= 0], part[part >= 0]
        np.maximum.at(ready, part, rows.finish[row])
        last = rows.finish[row] >= ready[part]
        np.maximum.at(moving, part[last], (rows.finish - rows.start)[row[last]])
        return ready, moving

    @property
    def ready(self) -> FloatArray:
        """When each part could have started but for its node: release and arrivals; float64[P]."""
        return self._inputs[0]

    @cached_property
    def energy_of_parts(self) -> FloatArray:
        """Joules of each part's execution, idle power and transfers apart; float64[P]."""
        power = self.problem.tables.busy_power[self.parts.node, self.parts.mode]
        return self.measured.occupied * power

    def to_frame(self) -> pd.DataFrame:
        """A row a task (a part of a split one): where, when, and what it waited for.

        Columns: task, node, mode, fraction, transfer (how long the input that arrived last was
        under way, 0 if it did not move), ready (release and arrivals), waiting (start - ready: for
        slots or memory of its node), start, execution, finish (all seconds), energy (J).
        """
        import pandas as pd

        tables, parts = self.problem.tables, self.parts
        modes = zip(parts.node.tolist(), parts.mode.tolist(), strict=True)
        return pd.DataFrame({
            "task": [tables.task_ids[i] for i in parts.task],
            "node": [tables.node_ids[k] for k in parts.node],
            "mode": [tables.mode_ids[k][m] for k, m in modes],
            "fraction": parts.fraction,
            "transfer": self._inputs[1],
            "ready": self.ready,
            "waiting": np.maximum(parts.start - self.ready, 0.0),
            "start": parts.start,
            "execution": self.measured.execution,
            "finish": parts.finish,
            "energy": self.energy_of_parts,
        })  # fmt: skip

    def transfers_frame(self) -> pd.DataFrame:
        """A row a transfer: what moves from where to where, its four parts (s) and energy (J)."""
        import pandas as pd

        tables, rows = self.problem.tables, self.transfers
        parts = tables.transfer(rows.size, rows.src, rows.dst, rows.codec)
        return pd.DataFrame({
            "what": [self.transfer_name(x) for x in range(len(rows.plan))],
            "kind": [("edge", "read", "move")[kind] for kind in rows.kind],
            "from": [tables.node_ids[k] for k in rows.src],
            "to": [tables.node_ids[k] for k in rows.dst],
            "codec": [None if c < 0 else tables.codec_ids[c] for c in rows.codec],
            "bytes": rows.size / tables.codec_ratio[rows.codec],
            "start": rows.start,
            "encode": parts.encode,
            "serialise": parts.serialise,
            "latency": parts.latency,
            "decode": parts.decode,
            "finish": rows.finish,
            "energy": transfer_energy(tables, rows.size, rows.src, rows.dst, rows.codec),
        })  # fmt: skip

    def copies_frame(self) -> pd.DataFrame:
        """A row a copy of data: which data, on which node, and its bytes."""
        import pandas as pd

        tables, copies = self.problem.tables, self.copies
        return pd.DataFrame({
            "data": [tables.data_ids[d] for d in copies.data],
            "node": [tables.node_ids[k] for k in copies.node],
            "bytes": tables.data_bytes[copies.data],
        })  # fmt: skip

    def transfer_name(self, row: int) -> str:
        """What a transfer carries, in words: ``grab -> detect``, a data item's id, a moved task."""
        tables, rows = self.problem.tables, self.transfers
        ref, kind = int(rows.ref[row]), int(rows.kind[row])
        if kind == READ:
            return tables.data_ids[ref]
        if kind == MOVE:
            return f"{tables.task_ids[ref]} (move)"
        assert kind == EDGE
        src, name = tables.task_ids[int(tables.item_src[ref])], tables.item_name[ref]
        readers = ", ".join(tables.task_ids[j] for j in self.waiting.of(row))
        return f"{src} -> {readers}" + (f" ({name})" if name is not None else "")

    def breakdown(self) -> Breakdown:
        """Where time, energy and cost went.

        Returns
        -------
        Breakdown
            ``nodes``: tasks, busy slot-seconds, utilisation, energy of execution, of codecs and of
            idling (J), cost. ``links``: for each direction, transfers, bytes, seconds held, energy,
            cost. Energies and costs sum to the plan's metrics.
        """
        import pandas as pd

        tables, parts = self.problem.tables, self.parts
        latency = self.metrics["latency"]
        busy = np.bincount(parts.node, self.measured.occupied, minlength=tables.nodes)
        # What is 0 stays so in a plan that never ends.
        span = tables.node_slots * np.where(tables.node_slots > 0, latency, 0.0)
        rows, pushed = self.transfers, self.measured.pushes
        codec = np.zeros(tables.nodes)
        times = tables.transfer(rows.size, rows.src, rows.dst, rows.codec)
        np.add.at(codec, rows.src, times.encode * tables.busy_power[rows.src, 0])
        np.add.at(codec, rows.dst, times.decode * tables.busy_power[rows.dst, 0])
        nodes = pd.DataFrame({
            "node": tables.node_ids,
            "tier": [node.tier for node in self.problem.network.nodes],
            "tasks": np.bincount(parts.node, minlength=tables.nodes),
            "busy": busy,
            "utilisation": np.divide(busy, span, out=np.zeros(tables.nodes), where=span > 0),
            "energy": np.bincount(parts.node, self.energy_of_parts, minlength=tables.nodes),
            "codec_energy": codec,
            "idle_energy": tables.idle_power * np.where(tables.idle_power > 0, latency, 0.0),
            "cost": busy * tables.node_price,
        })  # fmt: skip
        routes = tables.routes
        arcs = len(routes.arc_src)
        count, moved, held = np.zeros(arcs, int), np.zeros(arcs), np.zeros(arcs)
        for group in (rows, pushed):
            row, arc = routes.expand(group.src, group.dst)
            sent = group.size / tables.codec_ratio[group.codec]
            serialise = tables.transfer(group.size, group.src, group.dst, group.codec).serialise
            np.add.at(count, arc, 1)
            np.add.at(moved, arc, sent[row])
            np.add.at(held, arc, serialise[row])
        links = pd.DataFrame({
            "from": [tables.node_ids[k] for k in routes.arc_src],
            "to": [tables.node_ids[k] for k in routes.arc_dst],
            "transfers": count,
            "bytes": moved,
            "held": held,
            "energy": moved * routes.arc_energy,
            "cost": moved * routes.arc_price,
        })  # fmt: skip
        return Breakdown(nodes, links)

    def plot_gantt(self, ax: Axes | None = None) -> Axes:
        """Draw what runs where and when; see :func:`offload.plot.gantt`."""
        from offload.plot import gantt

        return gantt(self, ax)

    def plot_graph(self, ax: Axes | None = None) -> Axes:
        """Draw the task graph, coloured by node; see :func:`offload.plot.graph`."""
        from offload.plot import graph

        return graph(self, ax)

    def plot_load(self, ax: Axes | None = None) -> Axes:
        """Draw the occupied slots of nodes over time; see :func:`offload.plot.load`."""
        from offload.plot import load

        return load(self, ax)

    def plot_memory(self, ax: Axes | None = None) -> Axes:
        """Draw the memory in use on nodes over time; see :func:`offload.plot.memory`."""
        from offload.plot import memory

        return memory(self, ax)

    def plot_topology(self, ax: Axes | None = None) -> Axes:
        """Draw the network with what runs and moves on it; see :func:`offload.plot.topology`."""
        from offload.plot import topology

        return topology(self.problem, self, ax)

    def report(self, path: str | os.PathLike[str]) -> list[Violation]:
        """Write the plan as an HTML page; see :func:`offload.reporting.save_report`."""
        from offload.reporting import save_report

        return save_report(self, path)

    def _repr_html_(self) -> str:
        from offload.html import plan_page

        return plan_page(self)


@dataclass(frozen=True)
class Progress:
    """A sign of life of a running solve."""

    seconds: float
    objective: float | None
    bound: float | None
    method: str


@dataclass(frozen=True)
class Result:
    """The answer of a solve.

    Attributes
    ----------
    status
        "optimal", "feasible", "infeasible" (proved) or "unknown" (stopped with no plan).
    plan
        The best plan, checked; ``None`` without one.
    objective, bound, gap
        The plan's weighted metrics; a true lower bound of this problem; their relative difference.
    stopped
        ``None``, "time", "work", "cancelled" or "gap".
    reason
        Why there is no plan, where that is known.
    conflict
        Of status "infeasible": requirements that no plan keeps together; ``None`` where that was
        not found out.
    """

    status: str
    plan: Plan | None
    objective: float | None
    bound: float | None
    gap: float | None
    stopped: str | None
    method: str
    seconds: float
    seed: int
    minimize: dict[str, float]
    limits: dict[str, float]
    options: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    reason: str | None = None
    conflict: Conflict | None = None

    def summary(self) -> dict[str, Any]:
        """The fields that a plan file records, without the plan itself."""
        names = (
            "status", "objective", "bound", "gap", "stopped", "method", "seconds", "seed",
            "minimize", "limits", "options", "versions", "reason",
        )  # fmt: skip
        found = {name: getattr(self, name) for name in names}
        if self.conflict is not None:
            found["conflict"] = self.conflict.summary()
        return found

    def to_frame(self) -> pd.DataFrame:
        """The plan's table; empty without a plan."""
        import pandas as pd

        return pd.DataFrame() if self.plan is None else self.plan.to_frame()

    def __str__(self) -> str:
        if self.plan is None:
            why = self.reason or self.stopped
            text = f"{self.status}: no plan by {self.method}" + (f" ({why})" if why else "")
            return text if self.conflict is None else f"{text}; {self.conflict}"
        text = f"{self.status}: objective {self.objective:.10g} by {self.method}"
        return text if self.bound is None else f"{text}, bound {self.bound:.10g}"

    def _repr_html_(self) -> str:
        from offload.html import result_page

        return result_page(self)
