"""What a batch asks for: one solve of one instance under settings, known by its key."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from offload.problem import Problem

__all__ = ["Ask", "Opened", "Reply", "Settings", "file_name", "key_of", "software"]

_DECIDING = ("numpy", "scipy", "networkx", "ortools", "highspy", "pulp")
_KEY = 20  # hexadecimal digits of a key: 80 bits
_LONGEST = 60  # characters of an instance's name in a file's name


class Settings(Struct, frozen=True, kw_only=True):
    """How an instance is solved; ``None`` as in :func:`offload.solve`."""

    method: str
    seed: int
    minimize: dict[str, float] | None = None
    limits: dict[str, float] | None = None
    time_limit: float | None = None
    work_limit: float | None = None
    gap: float | None = None
    threads: int | None = None
    options: dict[str, Any] = {}
    explain: float = 0.0

    def plain(self) -> dict[str, Any]:
        """The settings as a dict that JSON can hold."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


class Opened(Struct, frozen=True, kw_only=True):
    """What is known of an instance without holding it."""

    name: str
    digest: str
    minimize: dict[str, float]
    limits: dict[str, float]
    tasks: int
    nodes: int

    @classmethod
    def of(cls, problem: Problem) -> Opened:
        """What there is to know of a problem."""
        return cls(
            name=problem.name, digest=problem.digest, minimize=dict(problem.minimize),
            limits=dict(problem.limits), tasks=len(problem.graph.tasks),
            nodes=len(problem.network.nodes),
        )  # fmt: skip


class Ask(Struct, frozen=True, kw_only=True):
    """A question to a child process: to open an instance, or (with settings) to solve it.

    Attributes
    ----------
    path
        The instance as a reader knows it.
    source, data
        Its file's path; or, where the child may not see the file, its bytes.
    raw
        SHA-256 of the file's bytes, by which a later batch knows the file again.
    file
        Name of the result file.
    versions
        Of the software that decides the answer; part of the key.
    """

    path: str
    source: str = ""
    data: bytes = b""
    raw: str
    key: str = ""
    file: str = ""
    settings: Settings | None = None
    opened: Opened | None = None
    versions: dict[str, str] = {}


class Reply(Struct, frozen=True, kw_only=True):
    """What came of a question.

    Attributes
    ----------
    opened
        Of an instance that was opened; ``None`` where that failed.
    text
        The result file.
    failure, reason
        Why there is no answer: "unreadable", "invalid", "unsupported", "unavailable", "memory",
        "timeout", "crash" or "error", and a sentence; ``None`` otherwise.
    """

    opened: Opened | None = None
    text: bytes = b""
    failure: str | None = None
    reason: str | None = None


def software() -> dict[str, str]:
    """Versions of what decides an answer, without importing it; what is not installed is absent."""
    from offload import __version__

    found = {"offload": __version__}
    for name in _DECIDING:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def key_of(identity: str, settings: Settings, versions: Mapping[str, str]) -> str:
    """What tells a result from every other: a hash of instance, goal, settings and versions.

    Parameters
    ----------
    identity
        The instance's digest.
    settings
        With ``minimize`` and ``limits`` filled in, which are no part of the digest.
    """
    parts = {"instance": identity, "versions": dict(versions), **settings.plain()}
    text = json.dumps(parts, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY]


def file_name(path: str, settings: Settings, key: str) -> str:
    """Name of a result file: for people the instance, method and seed, for programs the key."""
    name = re.split(r"[/\\]", path)[-1]
    for ending in (".gz", ".json"):
        name = name.removesuffix(ending)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:_LONGEST] or "instance"
    return f"{name}.{settings.method}.s{settings.seed}.{key}.json"
