"""Graphs whose nodes and edges have attributes, as DOT, GraphML, networkx and tables have them.

What an attribute means goes by its name, whatever its case:

- a node's ``work`` is operations; its ``time``, ``duration``, ``runtime``, ``weight`` or ``cost``
  seconds, in this order;
- an edge's ``bytes`` or ``size`` is bytes; its ``delay``, ``weight`` or ``cost`` the delay between
  two processors, in this order, as schedulers of weighted graphs have it;
- other names of a task's or an edge's fields mean what they mean in an instance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from offload.errors import NOTHING, InstanceError, Issue
from offload.importers.drafts import Draft
from offload.problem import Edge, Task

__all__ = ["TIMES", "Arc", "Vertex", "graph_draft", "number_of"]

TIMES = ("time", "duration", "runtime", "weight", "cost")
_BYTES = ("bytes", "size")
_DELAYS = ("delay", "weight", "cost")
_TASK_NUMBERS = ("memory", "resident", "release", "due", "deadline", "move_bytes")
_TASK_LISTS, _TASK_TEXTS = ("allow", "reads"), ("at",)
_EDGE_LISTS, _EDGE_TEXTS = ("codecs", "require"), ("item",)


@dataclass
class Vertex:
    """A node of the graph, its attributes, and where it stands."""

    id: str
    attributes: Mapping[str, Any]
    place: str


@dataclass
class Arc:
    """An edge of the graph, its attributes, and where it stands."""

    src: str
    dst: str
    attributes: Mapping[str, Any]
    place: str


def graph_draft(vertices: Sequence[Vertex], arcs: Sequence[Arc]) -> Draft:
    """Nodes as tasks and edges as edges.

    Raises
    ------
    InstanceError
        With the place: for a task without a time, for a value that is no number, and where some
        tasks have works and others times, or some edges bytes and others delays.
    """
    lowered = [_lower(vertex.attributes) for vertex in vertices]
    timed = not any("work" in attributes for attributes in lowered)
    tasks = [
        _task(vertex, attributes, timed)
        for vertex, attributes in zip(vertices, lowered, strict=True)
    ]
    kinds = [_kind(_lower(arc.attributes)) for arc in arcs]
    delayed = _one_kind(arcs, kinds)
    edges = [_edge(arc, kind) for arc, kind in zip(arcs, kinds, strict=True)]
    notes = ["times are seconds" if timed else "works are operations"]
    if delayed:
        notes.append("an edge's weight is the delay between two processors, with no contention")
    bare = sum(kind is None for kind in kinds)
    if bare:
        notes.append(f"edges without a size ({bare}) carry nothing")
    return Draft(
        "", tasks, edges, timed=timed, notes=notes,
        bandwidth=None if bare < len(arcs) else math.inf,
        delayed=delayed,
        places={
            "$.graph.tasks": lambda i: vertices[i].place,
            "$.graph.edges": lambda e: arcs[e].place,
        },
    )  # fmt: skip


def number_of(value: Any, place: str, what: str) -> float:
    """A number, or a text that is one; finite and not negative.

    Raises
    ------
    InstanceError
        With the place, if it is none.
    """
    try:
        if isinstance(value, bool):
            raise ValueError
        number = float(value)
    except (TypeError, ValueError):
        raise _wrong(place, f"{what} must be a number", value, "write digits") from None
    if not 0 <= number < math.inf:
        raise _wrong(place, f"{what} must be finite and >= 0", value, "write 0 or more")
    return number


def _wrong(place: str, message: str, found: Any, fix: str) -> InstanceError:
    return InstanceError([Issue(place, message, found, fix)])


def _lower(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes by their names in small letters; those without a value are left out."""
    return {
        str(name).lower(): value
        for name, value in attributes.items()
        if value is not None and not (isinstance(value, float) and math.isnan(value))
    }


def _first(attributes: Mapping[str, Any], names: Iterable[str]) -> str | None:
    return next((name for name in names if name in attributes), None)


def _task(vertex: Vertex, attributes: Mapping[str, Any], timed: bool) -> Task:
    place, fields = vertex.place, _fields(attributes, _TASK_LISTS, _TASK_TEXTS)
    for name in _TASK_NUMBERS:
        value = attributes.get(name)
        if value is not None:
            fields[name] = value if isinstance(value, dict) else number_of(value, place, name)
    key = "work" if "work" in attributes else _first(attributes, TIMES)
    if "slots" in attributes:
        slots = number_of(attributes["slots"], place, "slots")
        fields["slots"] = int(slots) if slots == int(slots) else slots
    if isinstance(attributes.get("time"), dict):  # by selector, as in an instance
        fields["time"] = attributes["time"]
        work = number_of(attributes["work"], place, "work") if key == "work" else None
        return Task(vertex.id, work=work, **fields)
    if key is None:
        fix = f"give it work (operations) or {', '.join(TIMES[:-1])} or {TIMES[-1]} (seconds)"
        raise _wrong(place, "a task must have a work or a time", NOTHING, fix)
    if key != "work" and not timed:
        raise _wrong(place, "all tasks must have a work if one has", key, "give it work")
    if key != "weight" and "weight" in attributes:
        fields["weight"] = number_of(attributes["weight"], place, "weight")
    return Task(vertex.id, work=number_of(attributes[key], place, key), **fields)


def _kind(attributes: Mapping[str, Any]) -> str | None:
    return _first(attributes, _BYTES) or _first(attributes, _DELAYS)


def _one_kind(arcs: Sequence[Arc], kinds: Sequence[str | None]) -> bool:
    """Whether edges have delays; they all do, or none."""
    first: dict[bool, int] = {}
    for position, kind in enumerate(kinds):
        if kind is not None:
            first.setdefault(kind in _DELAYS, position)
    if len(first) > 1:
        later = max(first.values())
        other = f"as {kinds[min(first.values())]!r} at {arcs[min(first.values())].place}"
        raise _wrong(
            arcs[later].place, "edges must all have bytes, or all a delay", kinds[later], other
        )
    return True in first


def _edge(arc: Arc, kind: str | None) -> Edge:
    attributes = _lower(arc.attributes)
    size = 0.0 if kind is None else number_of(attributes[kind], arc.place, kind)
    return Edge(arc.src, arc.dst, bytes=size, **_fields(attributes, _EDGE_LISTS, _EDGE_TEXTS))


def _fields(
    attributes: Mapping[str, Any], lists: Iterable[str], texts: Iterable[str]
) -> dict[str, Any]:
    """Attributes that are fields of a record; a text in place of a list has commas in it."""
    made: dict[str, Any] = {name: str(attributes[name]) for name in texts if name in attributes}
    for name in lists:
        value = attributes.get(name)
        if value is not None:
            made[name] = value.replace(",", " ").split() if isinstance(value, str) else value
    return made
