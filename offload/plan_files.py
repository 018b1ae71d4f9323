"""Plan files: `offload-plan/1` to :class:`~offload.plan.Plan` and back."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct

from offload.errors import Issue, PlanError
from offload.files import read_bytes, write_bytes
from offload.plan import Plan
from offload.plan_writing import FORMAT, plan_text
from offload.problem import Problem
from offload.tables import Lists
from offload.transfers import KINDS, Copies, Parts, Transfers, transfer_sizes
from offload.typechecks import Malformed, close, duplicates_keys, parse, type_issues

__all__ = ["load_plan", "loads_plan", "save_plan"]


class TaskRow(Struct, forbid_unknown_fields=True):
    """A task, or one part of a split task."""

    id: str
    node: str
    start: float
    finish: float
    mode: str = "default"
    fraction: float = 1.0


class TransferRow(
    Struct, forbid_unknown_fields=True, rename={"src_node": "from", "dst_node": "to"}
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


class CopyRow(Struct, forbid_unknown_fields=True):
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
        return _Reader(problem, _decode(data)).plan()
    except PlanError as error:
        raise PlanError(error.issues, source) from None


def _decode(raw: bytes) -> PlanFile:
    try:
        plain = msgspec.json.decode(raw)
        if isinstance(plain, dict) and "format" in plain and not duplicates_keys(raw, plain):
            return msgspec.json.decode(raw, type=PlanFile)
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
    """Resolves the ids of a plan file; collects everything that names nothing."""

    def __init__(self, problem: Problem, file: PlanFile) -> None:
        self.problem, self.file, self.tables = problem, file, problem.tables
        self.issues: list[Issue] = []
        tables = self.tables
        self.task = {name: i for i, name in enumerate(tables.task_ids)}
        self.node = {name: k for k, name in enumerate(tables.node_ids)}
        self.data = {name: d for d, name in enumerate(tables.data_ids)}
        self.codec = {name: c for c, name in enumerate(tables.codec_ids)}
        self.modes = [{name: m for m, name in enumerate(ids)} for ids in tables.mode_ids]
        src, dst = tables.edge_src.tolist(), tables.edge_dst.tolist()
        name, item = tables.item_name, tables.edge_item.tolist()
        self.item: dict[tuple[int, int | str], int] = {}
        for e in range(tables.edges):
            known = name[item[e]]
            self.item[(src[e], dst[e] if known is None else known)] = item[e]

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

    def _find(self, path: str, what: str, name: str, known: dict[str, int]) -> int:
        found = known.get(name)
        if found is None:
            fix = close(name, known) if len(self.issues) < 20 else "name what the instance has"
            self.issues.append(Issue(path, f"names no {what} of the instance", name, fix))
            return 0
        return found

    def _parts(self) -> Parts:
        rows = self.file.tasks
        task, node, mode = [], [], []
        for p, row in enumerate(rows):
            path = f"$.tasks[{p}]"
            task.append(self._find(f"{path}.id", "task", row.id, self.task))
            known = row.node in self.node
            k = self._find(f"{path}.node", "node", row.node, self.node)
            node.append(k)
            mode.append(
                self._find(f"{path}.mode", f"mode of {row.node!r}", row.mode, self.modes[k])
                if known
                else 0
            )
        return Parts(
            np.zeros(len(rows), np.int32), np.array(task, np.int32), np.array(node, np.int32),
            np.array(mode, np.int32), np.array([row.fraction for row in rows], float),
            np.array([row.start for row in rows], float),
            np.array([row.finish for row in rows], float),
        )  # fmt: skip

    def _transfers(self) -> tuple[Transfers, Lists]:
        rows = self.file.transfers
        table = np.zeros((len(rows), 5), np.int32)
        waiting = []
        for x, row in enumerate(rows):
            path = f"$.transfers[{x}]"
            readers = [
                self._find(f"{path}.dst[{d}]", "task", name, self.task)
                for d, name in enumerate(row.dst)
            ]
            waiting.append(readers)
            codec = -1
            if row.codec is not None:
                codec = self._find(f"{path}.codec", "codec", row.codec, self.codec)
            src = self._find(f"{path}.from", "node", row.src_node, self.node)
            dst = self._find(f"{path}.to", "node", row.dst_node, self.node)
            table[x] = KINDS.index(row.kind), self._ref(path, row, readers), src, dst, codec
        kind, ref, src_node, dst_node, codecs = table.T
        transfers = Transfers(
            np.zeros(len(rows), np.int32), kind.astype(np.int8), ref.copy(), src_node.copy(),
            dst_node.copy(), codecs.copy(), np.zeros(len(rows)),
            np.array([row.start for row in rows], float),
            np.array([row.finish for row in rows], float),
        )  # fmt: skip
        return transfers, Lists.of_lists(waiting)

    def _ref(self, path: str, row: TransferRow, readers: list[int]) -> int:
        if row.kind == "read":
            return self._find(f"{path}.src", "data", row.src, self.data)
        src = self._find(f"{path}.src", "task", row.src, self.task)
        if row.kind == "move":
            return src
        found = self.item.get((src, readers[0] if row.item is None else row.item))
        if found is None and row.src in self.task and row.dst[0] in self.task:
            what = f"{row.src} -> {row.dst[0]}, item {row.item!r}"
            fix = "name an edge's ends and item as in the instance"
            self.issues.append(Issue(path, "names no edge of the instance", what, fix))
        return 0 if found is None else found

    def _copies(self) -> Copies:
        rows = self.file.copies
        data = [
            self._find(f"$.copies[{c}].data", "data", r.data, self.data) for c, r in enumerate(rows)
        ]
        node = [
            self._find(f"$.copies[{c}].node", "node", r.node, self.node) for c, r in enumerate(rows)
        ]
        return Copies(
            np.zeros(len(rows), np.int32), np.array(data, np.int32), np.array(node, np.int32)
        )


def save_plan(plan: Plan, path: str | os.PathLike[str]) -> None:
    """Write a plan file, whole or not at all; gzip where the name ends in ``.gz``."""
    write_bytes(path, plan_text(plan).encode())
