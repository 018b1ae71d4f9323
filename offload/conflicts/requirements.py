"""What a user could relax: every limit, deadline, capacity and rule over places of an instance.

To relax a requirement never costs a plan: each plan of an instance is, with the same places and
times, one of the relaxed instance (without the transfers and copies that it no longer needs).
"""

from __future__ import annotations

import html
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from offload.conflicts.wording import FIXES, words
from offload.features import Goal
from offload.problem import Problem

__all__ = ["KINDS", "Conflict", "Requirement", "Stated"]

# In the order in which they are blamed, where there is a choice: wishes before machines.
KINDS = (
    "limit", "deadline", "allow", "together", "apart", "contiguous", "require", "release", "memory",
    "storage", "max_copies", "data allow", "data require", "at", "home", "channels", "slots",
)  # fmt: skip


@dataclass(frozen=True)
class Requirement:
    """Something that an instance or a call asks for, and that could be relaxed.

    Attributes
    ----------
    kind
        One of :data:`KINDS`.
    path
        Where it stands: ``$.graph.tasks[3].deadline``; ``limits.energy`` for one of the call.
    items
        Ids of the tasks, nodes or data that it is about; the metric of a limit.
    value
        What stands there.
    place
        Positions in the list of the instance that the path names.
    least
        What every plan that keeps the other requirements needs at least (limits and deadlines),
        if that is known and above the value.
    enough
        What a plan that keeps all others needs (limits and deadlines), if one was found.
    alone
        Whether there is a plan once this one alone is given up; ``None`` where that is not known.
    """

    kind: str
    path: str
    items: tuple[str, ...]
    value: Any
    place: tuple[int, ...] = field(default=(), repr=False)
    least: float | None = None
    enough: float | None = None
    alone: bool | None = None

    @property
    def text(self) -> str:
        """What is required, in words."""
        return words(self.kind, self.items, self.value)

    @property
    def fix(self) -> str:
        """How it can be relaxed, and how far it has to be where that is known."""
        return FIXES[self.kind].text(self.items, self.least, self.enough, self.alone)

    def summary(self) -> dict[str, Any]:
        """The requirement as plain values, for files and machines."""
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        return {
            "kind": self.kind, "path": self.path, "items": list(self.items), "value": value,
            "text": self.text, "fix": self.fix, "least": self.least, "enough": self.enough,
            "alone": self.alone,
        }  # fmt: skip

    def __str__(self) -> str:
        return f"{self.text} ({self.path})"


@dataclass(frozen=True)
class Conflict:
    """Requirements that no plan keeps together, whatever becomes of all others.

    Attributes
    ----------
    requirements
        Empty where there is no plan even without any of them: tasks, routes and the kinds of nodes
        alone leave none.
    minimal
        Whether each is needed: without any one of them there is a plan that keeps the rest of them.
        False where the time for finding out was over before.
    """

    requirements: tuple[Requirement, ...]
    minimal: bool

    def summary(self) -> dict[str, Any]:
        """The conflict as plain values, for files and machines."""
        return {
            "minimal": self.minimal,
            "requirements": [one.summary() for one in self.requirements],
        }

    @property
    def heading(self) -> str:
        """What the list of requirements means, in one line."""
        count = len(self.requirements)
        if not count:
            return "no plan exists even without limits, deadlines, placement rules and capacities"
        if not self.minimal:
            return f"no plan keeps all {count} of these, and perhaps fewer are to blame"
        if count == 1:
            return "no plan keeps this"
        return f"no plan keeps {'both' if count == 2 else f'all {count}'} of these; relax one"

    def __str__(self) -> str:
        shown = [str(one) for one in self.requirements[:_SHOWN]]
        if len(self.requirements) > _SHOWN:
            shown.append(f"and {len(self.requirements) - _SHOWN} more")
        return f"{self.heading}: {'; '.join(shown)}" if shown else self.heading

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<li>{html.escape(str(one))}: {html.escape(one.fix)}</li>" for one in self.requirements
        )
        return f"<p>{html.escape(self.heading)}</p><ul>{rows}</ul>"


_SHOWN = 8


class _Field(NamedTuple):
    """A requirement that is one field of one record of the instance."""

    kind: str
    part: str  # where the records are
    name: str
    free: Any = None  # the value that requires nothing


_PATHS = {
    "tasks": "$.graph.tasks", "edges": "$.graph.edges", "groups": "$.graph.groups",
    "nodes": "$.network.nodes", "links": "$.network.links", "data": "$.data",
}  # fmt: skip
_FIELDS = (
    _Field("deadline", "tasks", "deadline"),
    _Field("allow", "tasks", "allow", ("*",)),
    _Field("release", "tasks", "release", 0.0),
    _Field("at", "tasks", "at"),
    _Field("memory", "nodes", "memory"),
    _Field("storage", "nodes", "storage"),
    _Field("channels", "links", "channels"),
    _Field("max_copies", "data", "max_copies"),
    _Field("data allow", "data", "allow", ("*",)),
    _Field("data require", "data", "require", ()),
)


class Stated:
    """The requirements of an instance under a goal, and the instance without some of them.

    Attributes
    ----------
    all : tuple of Requirement
        By kind in the order of :data:`KINDS`, then by position.
    """

    def __init__(self, problem: Problem, goal: Goal) -> None:
        self.problem, self.goal = problem, goal
        found = [*self._limits(), *self._fields(), *self._items(), *self._groups()]
        found += [*self._slots(), *self._homes()]
        kind = {name: position for position, name in enumerate(KINDS)}
        self.all = tuple(sorted(found, key=lambda one: (kind[one.kind], one.place)))

    # -- what there is ---------------------------------------------------------------------------

    def _limits(self) -> Iterator[Requirement]:
        for position, (metric, limit) in enumerate(self.goal.limits.items()):
            own = self.problem.limits.get(metric) == limit
            path = f"{'$.' if own else ''}limits.{metric}"
            yield Requirement("limit", path, (metric,), limit, (position,))

    def _fields(self) -> Iterator[Requirement]:
        records = self._records
        matters = self._matters()
        for kind, part, name, free in _FIELDS:
            for position, record in enumerate(records[part]):
                value = getattr(record, name)
                if value != free and matters[kind](position):
                    path = f"{_PATHS[part]}[{position}].{name}"
                    yield Requirement(kind, path, _ids(record), value, (position,))

    @cached_property
    def _records(self) -> dict[str, Sequence[Any]]:
        graph, network = self.problem.graph, self.problem.network
        return {
            "tasks": graph.tasks, "edges": graph.edges, "groups": graph.groups,
            "nodes": network.nodes, "links": network.links, "data": self.problem.data,
        }  # fmt: skip

    @cached_property
    def _read(self) -> set[int]:
        """Data that some task reads."""
        return set(self.problem.tables.reads.values.tolist())

    def _matters(self) -> Mapping[str, Callable[[int], bool]]:
        """Of each kind, whether the one at a position can bear on any plan."""
        tables = self.problem.tables
        sized = bool((tables.memory > 0).any() or (tables.resident > 0).any())
        copied = any(d in self._read and self.problem.data[d].max_copies != 0 for d in self._read)
        moving = bool(tables.edges or self._read or (tables.at >= 0).any())

        def always(position: int) -> bool:
            return True

        return {
            "deadline": always,
            "allow": lambda i: not tables.allow_mask[tables.allow_class[i]].all(),
            "release": always,
            "at": lambda i: tables.nodes > 1,
            "memory": lambda k: sized,
            "storage": lambda k: copied,
            "channels": lambda j: moving,
            "max_copies": lambda d: d in self._read and not tables.home[d].all(),
            "data allow": lambda d: d in self._read and not tables.copy_allowed[d].all(),
            "data require": lambda d: d in self._read,
        }

    def _items(self) -> Iterator[Requirement]:
        """Tags that the routes of an item must carry: its edges agree on them."""
        tables, edges = self.problem.tables, self.problem.graph.edges
        for item in range(tables.items):
            rows = tuple(sorted(tables.item_edges.of(item).tolist()))
            first = edges[rows[0]]
            if first.require:
                items = first.src, *(edges[e].dst for e in rows)
                path = f"{_PATHS['edges']}[{rows[0]}].require"
                yield Requirement("require", path, items, first.require, rows)

    def _groups(self) -> Iterator[Requirement]:
        for g, group in enumerate(self.problem.graph.groups):
            if len(group.tasks) > 1:
                path = f"{_PATHS['groups']}[{g}]"
                yield Requirement(group.rule, path, tuple(group.tasks), tuple(group.tasks), (g,))

    @cached_property
    def _most_slots(self) -> int:
        """Slots that suffice for all tasks at once."""
        return int(self.problem.tables.task_slots.sum())

    def _slots(self) -> Iterator[Requirement]:
        for k, node in enumerate(self.problem.network.nodes):
            if 0 < node.slots < self._most_slots:  # a relay is no place for tasks
                path = f"{_PATHS['nodes']}[{k}].slots"
                yield Requirement("slots", path, (node.id,), node.slots, (k,))

    def _homes(self) -> Iterator[Requirement]:
        for d in sorted(self._read):
            item = self.problem.data[d]
            if not self.problem.tables.home[d].all():
                yield Requirement("home", f"$.data[{d}].home", (item.id,), item.home, (d,))

    # -- the instance without some ---------------------------------------------------------------

    def without(self, dropped: Collection[Requirement]) -> tuple[Problem, Goal]:
        """The instance and goal with some requirements relaxed as far as can be."""
        limits = dict(self.goal.limits)
        changes: dict[str, dict[int, dict[str, Any]]] = {part: {} for part in _PATHS}
        gone: set[int] = set()
        fields = {entry.kind: entry for entry in _FIELDS}
        for one in dropped:
            if one.kind == "limit":
                del limits[one.items[0]]
            elif one.kind in ("together", "apart", "contiguous"):
                gone.update(one.place)
            else:
                part, name, free = self._relaxed(one.kind, fields)
                for position in one.place:
                    changes[part].setdefault(position, {})[name] = free
        goal = Goal(self.goal.minimize, limits)
        return self._changed(changes, gone).replace(limits=limits), goal

    def _relaxed(self, kind: str, fields: Mapping[str, _Field]) -> tuple[str, str, Any]:
        """Where a kind of requirement stands, and the value that requires nothing."""
        if kind == "slots":
            return "nodes", "slots", self._most_slots
        if kind == "home":
            return "data", "home", tuple(node.id for node in self.problem.network.nodes)
        if kind == "require":
            return "edges", "require", ()
        return fields[kind][1:]

    def _changed(
        self, changes: Mapping[str, Mapping[int, Mapping[str, Any]]], gone: Collection[int]
    ) -> Problem:
        """The instance with fields of some records changed, and some groups left out."""
        made = {}
        for part, records in self._records.items():
            some = changes[part]
            made[part] = tuple(
                msgspec.structs.replace(record, **some[n]) if n in some else record
                for n, record in enumerate(records)
            )
        made["groups"] = tuple(group for g, group in enumerate(made["groups"]) if g not in gone)
        replace = msgspec.structs.replace
        graph, network = self.problem.graph, self.problem.network
        return self.problem.replace(
            graph=replace(graph, tasks=made["tasks"], edges=made["edges"], groups=made["groups"]),
            network=replace(network, nodes=made["nodes"], links=made["links"]),
            data=made["data"],
        )


def _ids(record: Any) -> tuple[str, ...]:
    return (record.src, record.dst) if hasattr(record, "src") else (record.id,)
