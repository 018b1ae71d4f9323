"""Result files: plan files that say how they were made; a batch knows by them what is done."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from offload.batching.jobs import Ask, Opened
from offload.errors import OffloadError, one_line
from offload.files import write_bytes

if TYPE_CHECKING:
    from offload.plan import Result
    from offload.problem import Problem

__all__ = [
    "Record",
    "failed_file",
    "result_file",
    "scan",
    "tidy",
    "write_if_shared",
    "write_result",
]

_NAME = re.compile(r".*\.([0-9a-f]{20})\.json$")
_STALE = 3600.0  # seconds after which a temporary file is nobody's

_log = logging.getLogger("offload")


class _Batch(Struct):
    """How a result was made, beyond what a plan file says of it."""

    key: str
    path: str
    raw: str
    settings: dict[str, Any]
    versions: dict[str, str]
    opened: Opened | None = None
    failure: str | None = None
    cpu_seconds: float | None = None
    memory: float | None = None


class _Answer(Struct):
    """The member ``result`` of a plan file, as far as a batch needs it."""

    status: str
    objective: float | None = None
    bound: float | None = None
    gap: float | None = None
    stopped: str | None = None
    seconds: float | None = None
    reason: str | None = None
    minimize: dict[str, float] = {}
    limits: dict[str, float] = {}
    batch: _Batch | None = None


class _File(Struct):
    """A plan file without its rows."""

    digest: str
    result: _Answer
    instance: str = ""
    metrics: dict[str, float | None] = {}


class Record(Struct, frozen=True):
    """A result file, as far as a batch has to know it while it runs.

    Attributes
    ----------
    file, key
        Its name, and what tells it from others.
    raw, opened
        SHA-256 of the instance's file, and what is in it.
    failure, reason
        As in :class:`Reply`.
    found
        Whether it has a plan.
    version
        Of this package, when it was made.
    """

    file: str
    key: str
    raw: str
    opened: Opened | None
    failure: str | None
    reason: str | None
    found: bool
    version: str


_decode = msgspec.json.Decoder(_File).decode
_ELSEWHERE = ("method", "seed", "minimize", "limits")  # of the settings: columns of their own


def _record(raw: bytes, file: str) -> Record | None:
    """What a result file says; ``None`` of a plan that no batch has made."""
    result = _decode(raw).result
    batch = result.batch
    if batch is None:
        return None
    return Record(
        file, batch.key, batch.raw, batch.opened, batch.failure, result.reason,
        result.objective is not None, batch.versions.get("offload", ""),
    )  # fmt: skip


def _row(raw: bytes, file: str) -> dict[str, Any]:
    """All that a result file says but the plan, as a row of a table."""
    known = _decode(raw)
    result, batch = known.result, known.result.batch
    assert batch is not None
    settings, opened = batch.settings, batch.opened
    return {
        "instance": known.instance or Path(batch.path).name,
        "method": sys.intern(settings["method"]), "seed": settings["seed"],
        "status": sys.intern(result.status), "failure": batch.failure,
        "objective": result.objective, "bound": result.bound, "gap": result.gap,
        "seconds": result.seconds, "cpu_seconds": batch.cpu_seconds, "memory": batch.memory,
        "stopped": result.stopped, "reason": result.reason, **known.metrics,
        "tasks": opened and opened.tasks, "nodes": opened and opened.nodes,
        "minimize": _text(result.minimize), "limits": _text(result.limits),
        "settings": _text({k: v for k, v in settings.items() if k not in _ELSEWHERE}),
        "versions": _text(batch.versions), "digest": known.digest, "path": batch.path,
        "file": file,
    }  # fmt: skip


def _text(value: Mapping[str, Any]) -> str:
    """JSON, the same string for the same value: most results of a batch share it."""
    return sys.intern(json.dumps(value, sort_keys=True))


def rows_of(folder: str | os.PathLike[str], files: Iterable[str]) -> list[dict[str, Any]]:
    """What result files say, a row each.

    Raises
    ------
    OffloadError
        If one of them is gone, or not whole, that was there a moment ago.
    """
    rows = []
    for file in files:
        try:
            rows.append(_row(Path(folder, file).read_bytes(), file))
        except (OSError, msgspec.MsgspecError) as error:
            text = f"{one_line(str(Path(folder, file)))}: cannot be read any more ({error})"
            raise OffloadError(f"{text}; run the batch again") from None
    return rows


def result_file(
    ask: Ask, problem: Problem, result: Result, usage: Mapping[str, float] | None = None
) -> bytes:
    """The result file of an answer."""
    from offload.plan_writing import empty_text, plan_text

    said = {**result.summary(), "batch": _noted(ask, None, usage)}
    if result.plan is None:
        return empty_text(problem.name, problem.digest, said).encode()
    result.plan.result = said
    return plan_text(result.plan).encode()


def failed_file(ask: Ask, failure: str, reason: str | None) -> bytes:
    """The result file of a question that got no answer."""
    from offload.plan_writing import empty_text

    settings, opened = ask.settings, ask.opened
    assert settings is not None
    result = {
        "status": "failed", "objective": None, "bound": None, "gap": None, "stopped": None,
        "method": settings.method, "seconds": None, "seed": settings.seed,
        "minimize": settings.minimize or (opened.minimize if opened else {}),
        "limits": (opened.limits if opened else {}) if settings.limits is None else settings.limits,
        "options": settings.options, "versions": ask.versions, "reason": reason,
        "batch": _noted(ask, failure, None),
    }  # fmt: skip
    name, digest = (opened.name, opened.digest) if opened else ("", "")
    return empty_text(name, digest, result).encode()


def _noted(ask: Ask, failure: str | None, usage: Mapping[str, float] | None) -> dict[str, Any]:
    assert ask.settings is not None
    noted: dict[str, Any] = {
        "key": ask.key, "path": ask.path, "raw": ask.raw, "settings": ask.settings.plain(),
        "versions": ask.versions,
        "opened": None if ask.opened is None else msgspec.to_builtins(ask.opened),
        "failure": failure, **(usage or {}),
    }  # fmt: skip
    return noted


def write_result(folder: str | os.PathLike[str], ask: Ask, text: bytes) -> Record:
    """Write a result file, whole or not at all, and say what is in it.

    Raises
    ------
    OffloadError
        If it cannot be written.
    """
    write_bytes(Path(folder, ask.file), text)
    record = _record(text, ask.file)
    assert record is not None
    return record


def write_if_shared(folder: str, probe: str, file: str, text: bytes) -> None:
    """Write a result file on another machine than the client's, if that is the client's folder."""
    if Path(folder, probe).exists():
        with contextlib.suppress(OffloadError):  # the client writes it, too
            write_bytes(Path(folder, file), text)


def scan(folder: str | os.PathLike[str]) -> dict[str, Record]:
    """Every result of a folder by its key: the manifest, made anew each time.

    Files that are broken, or that no batch has made, count as not there; the former are logged.

    Raises
    ------
    OffloadError
        If the folder cannot be read.
    """
    found: dict[str, Record] = {}
    for name in _names(folder):
        file = Path(folder, name)
        try:
            record = _record(file.read_bytes(), name)
        except (OSError, msgspec.MsgspecError, KeyError, ValueError) as error:
            _log.warning("%s: no whole result file (%s); it counts as missing", file, error)
            continue
        if record is not None:
            found.setdefault(record.key, record)
    return found


def _names(folder: str | os.PathLike[str]) -> Iterator[str]:
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    except OSError as error:
        why = error.strerror or error
        raise OffloadError(f"{one_line(str(folder))}: cannot be read ({why})") from None
    for name in names:
        if _NAME.match(name) and name[0] != ".":
            yield name


def tidy(folder: str | os.PathLike[str]) -> None:
    """Remove temporary files that a killed batch may have left, if they are old enough."""
    newest = time.time() - _STALE
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if entry.name.startswith(".") and entry.name.endswith(".tmp"):
                with contextlib.suppress(OSError):
                    if entry.stat().st_mtime < newest:
                        os.unlink(entry.path)
