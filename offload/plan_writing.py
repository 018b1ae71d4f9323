"""Plans and results as `offload-plan/1` text, one line a row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from offload.canonical import json_text
from offload.errors import OffloadError
from offload.plan import Plan, Result
from offload.problem import METRICS, Problem
from offload.transfers import EDGE, KINDS, READ

__all__ = ["FORMAT", "empty_text", "plan_text", "result_text"]

FORMAT = "offload-plan/1"


def plan_text(plan: Plan) -> str:
    """The plan as JSON text.

    Raises
    ------
    OffloadError
        If some time of the plan is infinite or undefined.
    """
    parts, rows = plan.parts, plan.transfers
    times = (parts.start, parts.finish, rows.start, rows.finish)
    if not all(np.isfinite(time).all() for time in times):
        raise OffloadError(
            "a plan with infinite or undefined times cannot be saved; check it first"
        )
    tables = plan.problem.tables
    data, nodes = tables.data_ids, tables.node_ids
    placed = zip(plan.copies.data.tolist(), plan.copies.node.tolist(), strict=True)
    copies = [{"data": data[d], "node": nodes[k]} for d, k in placed]
    return _file_text(
        plan.problem.name, plan.problem.digest, _task_rows(plan), _transfer_rows(plan), copies,
        plan.metrics, plan.result,
    )  # fmt: skip


def result_text(problem: Problem, result: Result) -> str:
    """The answer of a solve as JSON text; without a plan the lists are empty, the metrics null."""
    if result.plan is not None:
        return plan_text(result.plan)
    return empty_text(problem.name, problem.digest, result.summary())


def empty_text(instance: str, digest: str, result: Mapping[str, Any]) -> str:
    """A plan file without a plan, of an instance that is known by name and digest."""
    nothing: dict[str, float | None] = dict.fromkeys(METRICS)
    return _file_text(instance, digest, [], [], [], nothing, result)


# Rows are put together from parts that are text already: a plan may have hundreds of thousands.


def _task_rows(plan: Plan) -> list[str]:
    tables, parts = plan.problem.tables, plan.parts
    task = _texts(tables.task_ids)
    place = [
        [f'"node": {json_text(name)}, "mode": {json_text(mode)}' for mode in modes]
        for name, modes in zip(tables.node_ids, tables.mode_ids, strict=True)
    ]
    share = [""] * len(parts.task)
    for p in np.flatnonzero(tables.divisible[parts.task]).tolist():
        share[p] = f', "fraction": {float(parts.fraction[p])!r}'
    columns = (parts.task, parts.node, parts.mode, parts.start, parts.finish)
    return [
        f'{{"id": {task[i]}, {place[k][m]}, "start": {start!r}, "finish": {finish!r}{part}}}'
        for i, k, m, start, finish, part in zip(
            *(column.tolist() for column in columns), share, strict=True
        )
    ]


def _transfer_rows(plan: Plan) -> list[str]:
    tables, rows = plan.problem.tables, plan.transfers
    task, node, data = (_texts(n) for n in (tables.task_ids, tables.node_ids, tables.data_ids))
    codec = [*_texts(tables.codec_ids), "null"]  # -1, the last, is none
    kinds = _texts(KINDS)
    sender, item = tables.item_src.tolist(), tables.item_name
    start, values = plan.waiting.start.tolist(), [task[j] for j in plan.waiting.values.tolist()]
    lines = []
    columns = (rows.kind, rows.ref, rows.src, rows.dst, rows.codec, rows.start, rows.finish)
    for x, (kind, ref, src, dst, c, begin, end) in enumerate(
        zip(*(column.tolist() for column in columns), strict=True)
    ):
        name = "null"
        if kind == EDGE:
            what, known = task[sender[ref]], item[ref]
            if known is not None:
                name = json_text(known)
        else:
            what = data[ref] if kind == READ else task[ref]
        readers = ", ".join(values[start[x] : start[x + 1]])
        lines.append(
            f'{{"kind": {kinds[kind]}, "src": {what}, "item": {name}, "dst": [{readers}], '
            f'"from": {node[src]}, "to": {node[dst]}, "codec": {codec[c]}, '
            f'"start": {begin!r}, "finish": {end!r}}}'
        )
    return lines


def _texts(names: Sequence[str]) -> list[str]:
    return [json_text(name) for name in names]


def _file_text(
    instance: str,
    digest: str,
    tasks: Sequence[str],
    transfers: Sequence[str],
    copies: Sequence[Mapping[str, str]],
    metrics: Mapping[str, float | None],
    result: Mapping[str, Any],
) -> str:
    head = {"format": FORMAT, "instance": instance, "digest": digest}
    tail = {"copies": copies, "metrics": metrics, "result": result}
    write = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    lines = [f' "{key}": {write(value)},' for key, value in head.items()]
    for key, rows in (("tasks", tasks), ("transfers", transfers)):
        body = ",\n  ".join(rows)
        lines.append(f' "{key}": [\n  {body}\n ],' if rows else f' "{key}": [],')
    lines += [f' "{key}": {write(value)},' for key, value in tail.items()]
    return "{\n" + "\n".join(lines)[:-1] + "\n}\n"
