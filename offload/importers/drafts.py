"""What an importer found in a file, and how it becomes an instance: network, units, source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from offload.errors import InstanceError, Issue, OffloadError
from offload.problem import Data, Edge, Graph, Group, Link, Network, Node, Problem, Task

__all__ = ["Draft", "Options", "finish", "identical", "malformed"]

_MOST = 512  # identical processors: each pair has a link
_SPEED = 1e9  # operations a second of the machine that times are of, if nothing else is known
_BANDWIDTH = 125e6  # bytes a second between processors of files that give bytes: 1 Gb/s


@dataclass(frozen=True)
class Options:
    """What the caller says of tasks that come without a network.

    Parameters
    ----------
    processors
        So many identical processors, each pair with a link of its own.
    network
        The nodes and links.
    speed
        Operations a second of the machine that a file's times are of; processors get it, and a
        task's work is its time at this speed.
    bandwidth, latency
        Of the links between identical processors; bytes a second, seconds.
    """

    processors: int | None = None
    network: Network | None = None
    speed: float | None = None
    bandwidth: float | None = None
    latency: float | None = None


@dataclass
class Draft:
    """What a file says.

    Attributes
    ----------
    tasks
        With ``work`` in operations, or in seconds where ``timed``.
    timed
        Whether works are seconds on some machine, to be multiplied by its speed.
    speed
        Operations a second of that machine, where the file says so.
    network
        The file's own; ``None`` if it has none.
    processors
        How many identical processors the file is about; ``None`` if it does not say.
    bandwidth
        Of links between identical processors: infinite where the file knows no communication, 1
        where it gives delays in place of bytes, ``None`` where it gives bytes.
    notes
        One sentence an assumption, for the instance's ``source``.
    """

    name: str
    tasks: Sequence[Task]
    edges: Sequence[Edge] = ()
    groups: Sequence[Group] = ()
    data: Sequence[Data] = ()
    network: Network | None = None
    processors: int | None = None
    timed: bool = True
    speed: float | None = None
    bandwidth: float | None = None
    minimize: dict[str, float] = field(default_factory=lambda: {"latency": 1.0})
    limits: dict[str, float] = field(default_factory=dict)
    description: str = ""
    notes: list[str] = field(default_factory=list)


def malformed(line: int, message: str, found: Any, fix: str) -> InstanceError:
    """The error of a line that cannot be read; lines count from 1."""
    return InstanceError([Issue(f"line {line}", message, found, fix)])


def identical(count: int, speed: float, bandwidth: float, latency: float) -> Network:
    """So many processors of one speed, each pair with a full-duplex link without contention."""
    if not 1 <= count <= _MOST:
        raise OffloadError(f"processors: must be from 1 to {_MOST}, got {count}")
    names = [f"p{k}" for k in range(count)]
    rate = None if bandwidth == float("inf") else bandwidth
    links = [
        Link(names[k], names[l], bandwidth=rate, latency=latency)
        for k in range(count)
        for l in range(k + 1, count)
    ]
    # Direct links alone: no message gains by a way over another processor.
    return Network([Node(name, speed=speed) for name in names], links, reference_bytes=0)


def finish(draft: Draft, options: Options, source: str) -> Problem:
    """The instance: the draft on its own network, or on the one that the options say.

    Raises
    ------
    OffloadError
        If there is no network, or one too many.
    InstanceError
        For an instance that breaks the format's rules.
    """
    notes, tasks = list(draft.notes), draft.tasks
    if draft.network is not None and (options.network or options.processors):
        raise OffloadError(
            f"{source}: brings its own network; leave out processors, network and family"
        )
    speed = options.speed or draft.speed
    if draft.network is not None:
        network = draft.network
    elif options.network is not None:
        network = options.network
        if draft.timed:
            speed = speed or _SPEED
            notes.append(f"times are taken as those of a machine of {speed:g} operations a second")
    else:
        count = options.processors or draft.processors
        if count is None:
            raise OffloadError(
                f"{source}: has no network; say --processors N, --network FILE or --family NAME"
            )
        speed = speed or 1.0
        network = identical(count, speed, *_links(draft, options, notes))
    if draft.timed and draft.network is None and speed is not None and speed != 1.0:
        tasks = [
            task if task.work is None else msgspec.structs.replace(task, work=task.work * speed)
            for task in tasks
        ]
    text = "".join(f" {note[:1].upper()}{note[1:]}." for note in notes)
    return Problem(
        name=draft.name, description=draft.description, source=f"Converted from {source}.{text}",
        network=network, graph=Graph(tasks, draft.edges, draft.groups), data=draft.data,
        minimize=draft.minimize, limits=draft.limits,
    )  # fmt: skip


def _links(draft: Draft, options: Options, notes: list[str]) -> tuple[float, float]:
    """Bandwidth and latency between identical processors."""
    bandwidth = options.bandwidth or draft.bandwidth
    if bandwidth is None:
        bandwidth = _BANDWIDTH
        notes.append(f"processors are linked at {_BANDWIDTH:g} bytes a second")
    return bandwidth, options.latency or 0.0
