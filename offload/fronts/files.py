"""Front files: `offload-front/1`, the plans of a front and what is proved about it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from offload.canonical import json_text
from offload.errors import Issue, PlanError
from offload.files import read_bytes, write_bytes
from offload.fronts.front import Front
from offload.fronts.region import Records
from offload.plan_files import loads_plan
from offload.plan_writing import plan_text
from offload.problem import METRICS, Problem
from offload.typechecks import Malformed, parse, type_issues

__all__ = ["FORMAT", "front_text", "load_front", "loads_front", "save_front"]

FORMAT = "offload-front/1"


class RecordRow(Struct, forbid_unknown_fields=True):
    """A proof: no plan within ``limits`` has a weighted sum of metrics below ``bound``.

    A bound of null: no plan is within the limits.
    """

    weights: dict[str, float]
    limits: dict[str, float] = {}
    bound: float | None = None


class FrontFile(Struct, forbid_unknown_fields=True, tag_field="format", tag=FORMAT):
    """The file as it is written."""

    digest: str
    metrics: tuple[str, ...]
    instance: str = ""
    limits: dict[str, float] = {}
    gap: float = 1e-4
    plans: tuple[msgspec.Raw, ...] = ()
    records: tuple[RecordRow, ...] = ()
    result: dict[str, Any] = {}


class _Plain(Struct, forbid_unknown_fields=True, tag_field="format", tag=FORMAT):
    """The same for finding what is wrong: plans are looked at one by one."""

    digest: str
    metrics: tuple[str, ...]
    instance: str = ""
    limits: dict[str, float] = {}
    gap: float = 1e-4
    plans: tuple[dict[str, Any], ...] = ()
    records: tuple[RecordRow, ...] = ()
    result: dict[str, Any] = {}


def front_text(front: Front) -> str:
    """The front as JSON text."""
    head = {
        "format": FORMAT, "instance": front.problem.name, "digest": front.problem.digest,
        "metrics": list(front.metrics), "limits": front.limits, "gap": front.gap,
    }  # fmt: skip
    write = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    lines = [f" {json_text(key)}: {write(value)}," for key, value in head.items()]
    lines.append(' "records": [\n  ' + ",\n  ".join(map(write, _record_rows(front))) + "\n ],")
    lines.append(f' "result": {write(front.facts)},')
    plans = ",\n".join(plan_text(plan).rstrip() for plan in front.plans)
    return "{\n" + "\n".join(lines) + '\n "plans": [\n' + plans + "\n ]\n}\n"


def _record_rows(front: Front) -> list[dict[str, Any]]:
    records, rows = front.records, []
    for weights, limits, bound in zip(
        records.weights, records.limits, records.bounds.tolist(), strict=True
    ):
        named = zip(front.metrics, weights.tolist(), limits.tolist(), strict=True)
        pairs = [(name, weight, limit) for name, weight, limit in named]
        rows.append({
            "weights": {name: weight for name, weight, _ in pairs if weight},
            "limits": {name: limit for name, _, limit in pairs if np.isfinite(limit)},
            "bound": bound if np.isfinite(bound) else None,
        })  # fmt: skip
    return rows


def save_front(front: Front, path: str | os.PathLike[str]) -> None:
    """Write a front file, whole or not at all; gzip where the name ends in ``.gz``."""
    write_bytes(path, front_text(front).encode())


def load_front(path: str | os.PathLike[str], problem: Problem) -> Front:
    """Read a front file for an instance; ``-`` is standard input.

    Its plans are checked; what it says to be proved is believed unless one of them disproves it.

    Raises
    ------
    PlanError
        If the file is malformed, was made for another instance (its digest differs), or has a plan
        that does not hold or that one of its proofs excludes.
    OffloadError
        If the file cannot be read.
    """
    source = "standard input" if os.fspath(path) == "-" else str(os.fspath(path))
    return loads_front(read_bytes(path), problem, source)


def loads_front(raw: bytes, problem: Problem, source: str | None = None) -> Front:
    """A front from JSON text; ``source`` stands in front of the errors."""
    from offload.checker import check

    try:
        file = _decode(raw)
        issues = _issues(file, problem)
        if issues:
            raise PlanError(issues)
        plans = []
        for number, text in enumerate(file.plans):
            place = f"$.plans[{number}]"
            try:
                plan = loads_plan(bytes(text), problem)
            except PlanError as error:
                raise PlanError(
                    [replace(issue, path=place + issue.path[1:]) for issue in error.issues]
                ) from None
            found = check(problem, plan, limits=file.limits)
            if found:
                raise PlanError([Issue(place, found[0].message, found[0].found, "solve again")])
            plans.append(plan)
        front = Front(
            problem, file.metrics, plans, _records(file), file.limits, file.gap, file.result
        )
        for number, value in enumerate(front.values):
            if front.records.contradicted(value):
                message = "says of some plan of the file that it cannot be"
                raise PlanError([Issue("$.records", message, f"plan {number}", "solve again")])
    except PlanError as error:
        raise PlanError(error.issues, source) from None
    return front


def _records(file: FrontFile) -> Records:
    records = Records(len(file.metrics))
    for row in file.records:
        records.add(
            np.array([row.weights.get(name, 0.0) for name in file.metrics]),
            np.array([row.limits.get(name, np.inf) for name in file.metrics]),
            np.inf if row.bound is None else row.bound,
        )
    return records


def _decode(raw: bytes) -> FrontFile:
    try:
        return msgspec.json.decode(raw, type=FrontFile)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        pass  # the slow way finds all that is wrong
    try:
        issues = type_issues(parse(raw), _Plain)
    except Malformed as error:
        raise PlanError([error.issue]) from None
    raise PlanError(issues or [Issue("$", "is no front file", "", "see docs/format.md")])


def _issues(file: FrontFile, problem: Problem) -> list[Issue]:
    issues = []
    if file.digest != problem.digest:
        fix = "load it with the instance that it was made for"
        message = f"the front is of another instance ({file.instance or 'unnamed'!r})"
        issues.append(Issue("$.digest", message, file.digest, fix))
    known = ", ".join(METRICS)
    for place, names in (("$.metrics", file.metrics), ("$.limits", tuple(file.limits))):
        for name in names:
            if name not in METRICS:
                issues.append(Issue(place, "names no metric", name, f"one of {known}"))
    for number, row in enumerate(file.records):
        for name in (*row.weights, *row.limits):
            if name not in file.metrics:
                place = f"$.records[{number}]"
                issues.append(Issue(place, "names no metric of the front", name, "see $.metrics"))
    return issues
