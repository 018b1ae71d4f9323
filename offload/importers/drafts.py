"""What an importer found in a file, and how it becomes an instance: network, units, source."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from offload.errors import InstanceError, Issue, OffloadError
from offload.problem import Data, Edge, Graph, Group, Link, Network, Node, Problem, Task

__all__ = [
    "BANDWIDTH",
    "SPEED",
    "Draft",
    "Options",
    "finish",
    "identical",
    "linked",
    "malformed",
    "on_lines",
]

_MOST = 512  # nodes of which each pair has a link
SPEED = 1e9  # operations a second of the machine that times are of, if nothing else is known
# Options of a file's reading, not of its network, and what other files lack.
_CHOICES = {
    "part": "holds one problem", "maximize": "has no table of costs or profits",
    "inference": "is no profile of training", "contiguous": "has no rule of contiguous parts",
}  # fmt: skip
BANDWIDTH = 125e6  # bytes a second between processors of files that give bytes: 1 Gb/s


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
        Of the links between identical processors, and the bandwidth of that link that a file's
        delays are of; bytes a second, seconds.
    part
        Of a file of several problems: which one, from 1.
    maximize
        Whether a table of assignments is of profits in place of costs.
    inference
        Whether to leave out the backward pass of a network's training.
    contiguous
        Whether the parts of a network are to be contiguous; ``None`` is yes.
    network_notes, network_takes
        What was assumed of the network's own file, and which options that made use of.
    """

    processors: int | None = None
    network: Network | None = None
    speed: float | None = None
    bandwidth: float | None = None
    latency: float | None = None
    part: int | None = None
    maximize: bool | None = None
    inference: bool | None = None
    contiguous: bool | None = None
    network_notes: tuple[str, ...] = ()
    network_takes: frozenset[str] = frozenset()


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
    takes
        Names of the options that the file's own network, or its reader, has made use of.
    processors
        How many identical processors the file is about; ``None`` if it does not say.
    bandwidth
        Of links between identical processors: infinite where the file knows no communication.
    delayed
        Whether bytes of edges are seconds on some link, to be multiplied by its bandwidth.
    notes
        One sentence an assumption, for the instance's ``source``.
    places
        Where in the file a member of ``$.graph.tasks`` and the like stands, by its position, for
        errors that validation finds.
    """

    name: str
    tasks: Sequence[Task]
    edges: Sequence[Edge] = ()
    groups: Sequence[Group] = ()
    data: Sequence[Data] = ()
    network: Network | None = None
    takes: frozenset[str] = frozenset()
    processors: int | None = None
    timed: bool = True
    speed: float | None = None
    bandwidth: float | None = None
    delayed: bool = False
    minimize: dict[str, float] = field(default_factory=lambda: {"latency": 1.0})
    limits: dict[str, float] = field(default_factory=dict)
    description: str = ""
    notes: list[str] = field(default_factory=list)
    places: dict[str, Callable[[int], str]] = field(default_factory=dict)


def on_lines(lines: Sequence[int]) -> Callable[[int], str]:
    """Places that are lines of a text: the line of each member."""
    return lambda position: f"line {lines[position]}"


def malformed(line: int, message: str, found: Any, fix: str) -> InstanceError:
    """The error of a line that cannot be read; lines count from 1."""
    return InstanceError([Issue(f"line {line}", message, found, fix)])


def linked(nodes: Sequence[Node], bandwidth: float | None, latency: float) -> Network:
    """Nodes of which each pair has a full-duplex link without contention.

    Bandwidth in bytes a second, ``None`` for infinite; latency in seconds.
    """
    if not 1 <= len(nodes) <= _MOST:
        raise OffloadError(f"processors: must be from 1 to {_MOST}, got {len(nodes)}")
    links = [
        Link(nodes[k].id, nodes[l].id, bandwidth=bandwidth, latency=latency)
        for k in range(len(nodes))
        for l in range(k + 1, len(nodes))
    ]
    # Direct links alone: no message gains by a way over another processor.
    return Network(nodes, links, reference_bytes=0)


def identical(
    count: int, speed: float, bandwidth: float, latency: float, slots: int = 1
) -> Network:
    """So many processors of one speed and so many slots, each pair linked."""
    if not 1 <= count <= _MOST:  # before a list of that length is made
        raise OffloadError(f"processors: must be from 1 to {_MOST}, got {count}")
    nodes = [Node(f"p{k}", speed=speed, slots=slots) for k in range(count)]
    return linked(nodes, None if bandwidth == float("inf") else bandwidth, latency)


def finish(draft: Draft, options: Options, source: str) -> Problem:
    """The instance: the draft on its own network, or on the one that the options say.

    Raises
    ------
    OffloadError
        If there is no network, or one too many.
    InstanceError
        For an instance that breaks the format's rules.
    """
    _unused(draft, options, source)
    notes = list(draft.notes)
    network, speed = _network(draft, options, source, notes)
    tasks, edges = draft.tasks, draft.edges
    if draft.timed and speed != 1.0:
        tasks = [
            task if task.work is None else msgspec.structs.replace(task, work=task.work * speed)
            for task in tasks
        ]
    if draft.delayed:
        rate = _rate(options)
        edges = [msgspec.structs.replace(edge, bytes=edge.bytes * rate) for edge in edges]
    text = "".join(f" {note[:1].upper()}{note[1:]}." for note in notes)
    try:
        return Problem(
            name=draft.name, description=draft.description,
            source=f"Converted from {source}.{text}", network=network,
            graph=Graph(tasks, edges, draft.groups), data=draft.data,
            minimize=draft.minimize, limits=draft.limits,
        )  # fmt: skip
    except InstanceError as error:
        raise InstanceError([_placed(issue, draft) for issue in error.issues]) from None


def _network(
    draft: Draft, options: Options, source: str, notes: list[str]
) -> tuple[Network, float]:
    """The network, and the speed of the machine that times are of; adds to the notes."""
    if draft.network is not None:
        return draft.network, 1.0
    speed = options.speed or draft.speed
    if options.network is not None:
        notes += options.network_notes
        if draft.timed:
            speed = speed or SPEED
            notes.append(f"times are taken as those of a machine of {speed:g} operations a second")
        if draft.delayed:
            rate = _rate(options)
            notes.append(f"delays are taken as those of a link of {rate:g} bytes a second")
        return options.network, speed or 1.0
    count = options.processors or draft.processors
    if count is None:
        raise OffloadError(
            f"{source}: has no network; say --processors N, --network FILE or --family NAME"
        )
    speed = speed or (1.0 if draft.timed else SPEED)
    slots = max((task.slots for task in draft.tasks), default=1)
    if slots > 1:
        notes.append(f"processors have {slots} slots, as many as the widest task occupies")
    return identical(count, speed, *_links(draft, options, notes), slots), speed


_MEMBER = re.compile(r"(\$\.(?:graph|network)\.\w+)\[(\d+)\][\w.\[\]]*")


def _placed(issue: Issue, draft: Draft) -> Issue:
    """An issue of the instance as one of the file: lines in place of paths, where known."""

    def place(match: re.Match[str]) -> str:
        known = draft.places.get(match[1])
        return match[0] if known is None else known(int(match[2]))

    path, fix = _MEMBER.sub(place, issue.path), _MEMBER.sub(place, issue.fix)
    # A cycle's own path is that of all edges; one of them stands in the advice.
    example = _MEMBER.search(issue.fix) if issue.path == "$.graph.edges" else None
    if example is not None and example[1] in draft.places:
        path, fix = place(example), "remove one of its edges, for example this one"
    return Issue(path, issue.message, issue.found, fix)


def _unused(draft: Draft, options: Options, source: str) -> None:
    """Refuse options that would change nothing."""
    named = ("processors", "network", "speed", "bandwidth", "latency", *_CHOICES)
    idle = {name for name in named if getattr(options, name) is not None} - draft.takes
    why = ""
    if draft.network is not None and idle - _CHOICES.keys():
        idle, why = idle - _CHOICES.keys(), "brings its own network"
    elif idle & _CHOICES.keys():
        idle &= _CHOICES.keys()
        why = next(lack for name, lack in _CHOICES.items() if name in idle)
    elif options.network is not None:
        idle &= {"bandwidth", "latency", "speed"}
        idle -= {"speed"} if draft.timed else set()
        idle -= {"bandwidth"} if draft.delayed else set()
        idle, why = idle - options.network_takes, "nodes and links are those of the network given"
    else:
        return
    if idle:
        raise OffloadError(f"{source}: {why}; leave out {', '.join(sorted(idle))}")


def _rate(options: Options) -> float:
    """Bytes a second of the link that delays are of."""
    return options.bandwidth or (1.0 if options.network is None else BANDWIDTH)


def _links(draft: Draft, options: Options, notes: list[str]) -> tuple[float, float]:
    """Bandwidth and latency between identical processors."""
    bandwidth = _rate(options) if draft.delayed else options.bandwidth or draft.bandwidth
    if bandwidth is None:
        bandwidth = BANDWIDTH
        notes.append(f"processors are linked at {BANDWIDTH:g} bytes a second")
    return bandwidth, options.latency or 0.0
