"""Result files: plan files that say how they were made; a batch knows by them what is done."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
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
    """A result file: where it is, and what it says."""

    file: str
    key: str
    path: str
    raw: str
    settings: dict[str, Any]
    opened: Opened | None
    failure: str | None
    row: dict[str, Any]

    @property
    def found(self) -> bool:
        """Whether there is a plan."""
        return self.row["objective"] is not None


_decode = msgspec.json.Decoder(_File).decode


def read(raw: bytes, file: str) -> Record | None:
    """What a result file says; ``None`` of a plan that no batch has made.

    Raises
    ------
    msgspec.MsgspecError
        If it is no plan file.
    """
    known = _decode(raw)
    result, batch = known.result, known.result.batch
    if batch is None:
        return None
    settings = batch.settings
    row: dict[str, Any] = {
        "instance": known.instance or Path(batch.path).name, "method": settings["method"],
        "seed": settings["seed"], "status": result.status, "failure": batch.failure,
        "objective": result.objective, "bound": result.bound, "gap": result.gap,
        "seconds": result.seconds, "cpu_seconds": batch.cpu_seconds, "memory": batch.memory,
        "stopped": result.stopped, "reason": result.reason, **known.metrics,
        "tasks": batch.opened and batch.opened.tasks, "nodes": batch.opened and batch.opened.nodes,
        "minimize": result.minimize, "limits": result.limits,
        "settings": {k: v for k, v in settings.items() if k not in _ELSEWHERE},
        "versions": batch.versions, "digest": known.digest, "path": batch.path, "file": file,
    }  # fmt: skip
    return Record(
        file, batch.key, batch.path, batch.raw, settings, batch.opened, batch.failure, row
    )


_ELSEWHERE = ("method", "seed", "minimize", "limits")


def result_file(
    ask: Ask, problem: Problem, result: Result, usage: Mapping[str, float] | None = None
) -> bytes:
    """The result file of an answer."""
    from offload.plan_writing import result_text

    noted = _noted(ask, None, usage)
    if result.plan is not None:
        result.plan.result = {**result.summary(), "batch": noted}
        return result_text(problem, result).encode()
    from offload.plan_writing import empty_text

    return empty_text(problem.name, problem.digest, {**result.summary(), "batch": noted}).encode()


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
    record = read(text, ask.file)
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
            record = read(file.read_bytes(), name)
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
