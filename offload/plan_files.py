"""Plan files: `offload-plan/1` to :class:`~offload.plan.Plan` and back."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from offload.arrays import FloatArray, IntArray
from offload.collecting import collector_paused
from offload.errors import Issue, PlanError
from offload.files import read_bytes, write_bytes
from offload.plan import Plan
from offload.plan_writing import FORMAT, plan_text
from offload.problem import Problem
from offload.tables import Lists
from offload.transfers import EDGE, KINDS, READ, Copies, Parts, Transfers, transfer_sizes
from offload.typechecks import Malformed, close, duplicates_keys, parse, type_issues

__all__ = ["load_plan", "loads_plan", "save_plan"]


class TaskRow(Struct, forbid_unknown_fields=True, gc=False):
    """A task, or one part of a split task."""

    id: str
    node: str
    start: float
    finish: float
    mode: str = "default"
    fraction: float = 1.0


class TransferRow(
    Struct, forbid_unknown_fields=True, gc=False, rename={"src_node": "from", "dst_node": "to"}
):
    """A transfer between two nodes."""

    kind: Literal["edge", "read", "move"]
    src: str
    dst: Annotated[tuple[str, ...], Meta(min_length=1)]
    src_node: str
    dst_node: str
    start: float
    finish: float
    item: str | None = None
    codec: str | None = None


class CopyRow(Struct, forbid_unknown_fields=True, gc=False):
    """A placed copy of a data item."""

    data: str
    node: str


class PlanFile(Struct, forbid_unknown_fields=True, tag_field="format", tag=FORMAT):
    """The file as it is written."""

    digest: str
    tasks: tuple[TaskRow, ...] = ()
    transfers: tuple[TransferRow, ...] = ()
    copies: tuple[CopyRow, ...] = ()
    instance: str = ""
    metrics: dict[str, float | None] | None = None
    result: dict[str, Any] = {}


def load_plan(path: str | os.PathLike[str], problem: Problem) -> Plan:
    """Read a plan file for an instance; ``-`` is standard input.

    Raises
    ------
    PlanError
        If the file is malformed, names what the instance does not have, or was made for another
        instance (its digest differs).
    OffloadError
        If the file cannot be read.
    """
    name = "standard input" if os.fspath(path) == "-" else str(os.fspath(path))
    return loads_plan(read_bytes(path), problem, source=name)


def loads_plan(raw: bytes | str, problem: Problem, source: str | None = None) -> Plan:
    """A plan from JSON text. Times may be NaN or infinite: such a plan loads, and does not hold."""
    data = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
    try:
        with collector_paused():
            return _Reader(problem, _decode(data)).plan()
    except PlanError as error:
        raise PlanError(error.issues, source) from None


def _decode(raw: bytes) -> PlanFile:
    try:
        plain = msgspec.json.decode(raw)
        if isinstance(plain, dict) and "format" in plain and not duplicates_keys(raw, plain):
            return msgspec.convert(plain, PlanFile)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        pass  # the slow way finds all that is wrong, or that only NaN is
    try:
        parsed = parse(raw)
    except Malformed as error:
        raise PlanError([error.issue]) from None
    issues = type_issues(parsed, PlanFile, finite=False)
    if issues:
        raise PlanError(issues)
    return msgspec.convert(parsed, PlanFile)


class _Reader:
    """Resolves the ids of a plan file, column by column; collects everything that names nothing."""

    def __init__(self, problem: Problem, file: PlanFile) -> None:
        self.problem, self.file, self.tables = problem, file, problem.tables
        self.issues: list[Issue] = []
        tables = self.tables
        self.task = {name: i for i, name in enumerate(tables.task_ids)}
        self.node = {name: k for k, name in enumerate(tables.node_ids)}
        self.data = {name: d for d, name in enumerate(tables.data_ids)}
        self.codec = {name: c for c, name in enumerate(tables.codec_ids)}

    def plan(self) -> Plan:
        if self.file.digest != self.problem.digest:
            fix = "check it against the instance that it was made for, or solve again"
            message = f"the plan is for another instance ({self.file.instance or 'unnamed'!r})"
            raise PlanError([Issue("$.digest", message, self.file.digest, fix)])
        parts, (transfers, waiting), copies = self._parts(), self._transfers(), self._copies()
        if self.issues:
            raise PlanError(self.issues)
        transfers = transfers._replace(size=transfer_sizes(self.tables, parts, transfers, waiting))
        made = Plan(self.problem, parts, transfers, waiting, copies, self.file.result)
        made.stated = {k: v for k, v in (self.file.metrics or {}).items() if v is not None}
        return made

    def _unknown(self, path: str, what: str, name: str, known: dict[str, int]) -> None:
        fix = close(name, known) if len(self.issues) < 20 else "name what the instance has"
        self.issues.append(Issue(path, f"names no {what} of the instance", name, fix))

    def _find(
        self,
        names: list[str],
        what: str,
        known: dict[str, int],
        path: Callable[[int], str],
        rows: NDArray[np.intp] | None = None,
    ) -> IntArray:
        """Position of each name, -1 where it is unknown; ``path`` tells where a row's name is."""
        found = np.fromiter(map(known.get, names, repeat(-1)), np.int32, len(names))
        for x in np.flatnonzero(found < 0).tolist():
            self._unknown(path(x if rows is None else int(rows[x])), what, names[x], known)
        return found

    def _parts(self) -> Parts:
        rows = self.file.tasks
        task = self._find([r.id for r in rows], "task", self.task, "$.tasks[{}].id".format)
        node = self._find([r.node for r in rows], "node", self.node, "$.tasks[{}].node".format)
        mode = np.zeros(len(rows), np.int32)
        for p in [p for p, row in enumerate(rows) if row.mode != "default"]:
            if node[p] >= 0:
                ids = self.tables.mode_ids[node[p]]
                known = {name: m for m, name in enumerate(ids)}
                what = f"mode of {rows[p].node!r}"
                mode[p] = self._find([rows[p].mode], what, known, f"$.tasks[{p}].mode".format)[0]
        return Parts(
            np.zeros(len(rows), np.int32), task, node, mode, _numbers(rows, "fraction"),
            _numbers(rows, "start"), _numbers(rows, "finish"),
        )  # fmt: skip

    def _transfers(self) -> tuple[Transfers, Lists]:
        rows = self.file.transfers
        start = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(row.dst) for row in rows], out=start[1:])

        def reader_path(position: int) -> str:
            x = int(np.searchsorted(start, position, "right")) - 1
            return f"$.transfers[{x}].dst[{position - start[x]}]"

        readers = [name for row in rows for name in row.dst]
        waiting = Lists(start, self._find(readers, "task", self.task, reader_path))
        codec = np.full(len(rows), -1, np.int32)
        packed = np.flatnonzero([row.codec is not None for row in rows])
        names = [rows[x].codec or "" for x in packed.tolist()]
        path = "$.transfers[{}].codec".format
        codec[packed] = self._find(names, "codec", self.codec, path, packed)
        src = [row.src_node for row in rows]
        src_node = self._find(src, "node", self.node, "$.transfers[{}].from".format)
        dst = [row.dst_node for row in rows]
        dst_node = self._find(dst, "node", self.node, "$.transfers[{}].to".format)
        number = {name: kind for kind, name in enumerate(KINDS)}
        kind = np.array([number[row.kind] for row in rows], np.int8)
        return Transfers(
            np.zeros(len(rows), np.int32), kind, self._refs(kind, waiting), src_node, dst_node,
            codec, np.zeros(len(rows)), _numbers(rows, "start"), _numbers(rows, "finish"),
        ), waiting  # fmt: skip

    def _refs(self, kind: NDArray[np.int8], waiting: Lists) -> IntArray:
        """What each transfer carries: the item, the data or the task."""
        rows = self.file.transfers
        ref = np.zeros(len(rows), np.int32)
        for of_data in (False, True):
            chosen = np.flatnonzero((kind == READ) == of_data)
            what, known = ("data", self.data) if of_data else ("task", self.task)
            names = [rows[x].src for x in chosen.tolist()]
            ref[chosen] = self._find(names, what, known, "$.transfers[{}].src".format, chosen)
        edges = np.flatnonzero(kind == EDGE)
        reader = waiting.values[waiting.start[edges]]
        item = self._items(edges, ref[edges], reader)
        for n in np.flatnonzero((item < 0) & (ref[edges] >= 0) & (reader >= 0)).tolist():
            row = rows[edges[n]]
            found = f"{row.src} -> {row.dst[0]}, item {row.item!r}"
            fix = "name an edge's ends and item as in the instance"
            message = "names no edge of the instance"
            self.issues.append(Issue(f"$.transfers[{edges[n]}]", message, found, fix))
        ref[edges] = item
        return ref

    def _items(self, edges: NDArray[np.intp], src: IntArray, reader: IntArray) -> IntArray:
        """The item that each edge's transfer carries, -1 where the instance has none such."""
        tables, rows = self.tables, self.file.transfers
        names = [rows[x].item for x in edges.tolist()]
        named = np.array([name is not None for name in names], bool)
        result = np.full(len(edges), -1, np.int32)
        # An item with a name is known by its source and name, any other by the ends of its edge.
        known = {
            (sender, name): item
            for item, (sender, name) in enumerate(
                zip(tables.item_src.tolist(), tables.item_name, strict=True)
            )
            if name is not None
        }
        for n in np.flatnonzero(named).tolist():
            result[n] = known.get((int(src[n]), names[n]), -1)
        lone = np.array([name is None for name in tables.item_name], bool)[tables.edge_item]
        key = tables.edge_src[lone].astype(np.int64) * tables.tasks + tables.edge_dst[lone]
        order = np.argsort(key)
        other = np.flatnonzero(~named & (src >= 0) & (reader >= 0))
        wanted = src[other].astype(np.int64) * tables.tasks + reader[other]
        if len(key):
            at = order[np.minimum(np.searchsorted(key, wanted, sorter=order), len(key) - 1)]
            result[other] = np.where(key[at] == wanted, tables.edge_item[lone][at], -1)
        return result

    def _copies(self) -> Copies:
        rows = self.file.copies
        data = self._find([r.data for r in rows], "data", self.data, "$.copies[{}].data".format)
        node = self._find([r.node for r in rows], "node", self.node, "$.copies[{}].node".format)
        return Copies(np.zeros(len(rows), np.int32), data, node)


def _numbers(rows: Sequence[Struct], field: str) -> FloatArray:
    return np.fromiter(map(attrgetter(field), rows), float, len(rows))


def save_plan(plan: Plan, path: str | os.PathLike[str]) -> None:
    """Write a plan file, whole or not at all; gzip where the name ends in ``.gz``."""
    write_bytes(path, plan_text(plan).encode())
