"""Instance files as JSON trees, the fields of the format as SPEC section 1 has them, and edits."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

import offload
from offload import (
    Codec,
    Data,
    Edge,
    Graph,
    Group,
    InstanceError,
    Issue,
    Link,
    Mode,
    Network,
    Node,
    Problem,
    Task,
)

__all__ = [
    "DROP", "FIELDS", "MAKERS", "REQUIRED", "Field", "Maker", "as_path", "edited", "from_objects",
    "from_text", "issues_of", "parts_of", "place", "street",
]  # fmt: skip

Maker = Callable[[dict[str, Any]], Problem]

REQUIRED = object()  # stands for the default of a key that has none
DROP = object()  # an edit that removes the key


class Field(NamedTuple):
    """One key of a record: what it holds, and what a file that leaves it out means."""

    record: str
    key: str
    kind: str
    default: Any = REQUIRED

    @property
    def integer(self) -> bool:
        return self.kind in {"count", "slots", "channels", "copies"}


# Kinds: id (a text that is not empty), text, text? (or null), amount (a number >= 0), amount? (or
# null), positive (> 0), positive? (or null), ratio (>= 1), count (an integer >= 0), slots (>= 1),
# channels (>= 1 or null), copies (>= 0 or null), texts, homes (not empty), amounts (by name),
# size (amount or amounts), flag, and a choice of words.
FIELDS = (
    Field("problem", "name", "text", ""), Field("problem", "description", "text", ""),
    Field("problem", "source", "text", ""),
    Field("problem", "minimize", "amounts", {"latency": 1.0}),
    Field("problem", "limits", "amounts", {}),
    Field("network", "reference_bytes", "amount", 1e6),
    Field("node", "id", "id"), Field("node", "tier", "text", "edge"),
    Field("node", "kind", "text", ""), Field("node", "tags", "texts", []),
    Field("node", "speed", "positive", 1.0), Field("node", "slots", "count", 1),
    Field("node", "memory", "amount?", None), Field("node", "storage", "amount?", None),
    Field("node", "io", "overlapped serial", "overlapped"),
    Field("node", "busy_power", "amount", 0.0), Field("node", "idle_power", "amount", 0.0),
    Field("node", "price", "amount", 0.0), Field("node", "failure_rate", "amount", 0.0),
    Field("mode", "id", "id"), Field("mode", "speed", "positive"),
    Field("mode", "busy_power", "amount"),
    Field("link", "src", "id"), Field("link", "dst", "id"),
    Field("link", "bandwidth", "positive?", None), Field("link", "latency", "amount", 0.0),
    Field("link", "duplex", "full half simplex", "full"),
    Field("link", "channels", "channels", None), Field("link", "energy", "amount", 0.0),
    Field("link", "price", "amount", 0.0), Field("link", "tags", "texts", []),
    Field("task", "id", "id"), Field("task", "work", "amount?", None),
    Field("task", "time", "amounts", {}), Field("task", "slots", "slots", 1),
    Field("task", "memory", "size", 0.0), Field("task", "resident", "size", 0.0),
    Field("task", "allow", "texts", ["*"]), Field("task", "release", "amount", 0.0),
    Field("task", "due", "amount?", None), Field("task", "deadline", "amount?", None),
    Field("task", "weight", "amount", 1.0), Field("task", "reads", "texts", []),
    Field("task", "at", "text?", None), Field("task", "move_bytes", "amount", 0.0),
    Field("task", "divisible", "flag", False),
    Field("edge", "src", "id"), Field("edge", "dst", "id"), Field("edge", "bytes", "amount", 0.0),
    Field("edge", "item", "text?", None), Field("edge", "codecs", "texts", []),
    Field("edge", "require", "texts", []),
    Field("group", "rule", "together apart contiguous"), Field("group", "tasks", "texts"),
    Field("data", "id", "id"), Field("data", "bytes", "amount"), Field("data", "home", "homes"),
    Field("data", "max_copies", "copies", 0), Field("data", "allow", "texts", ["*"]),
    Field("data", "require", "texts", []),
    Field("codec", "id", "id"), Field("codec", "ratio", "ratio"),
    Field("codec", "encode", "amount"), Field("codec", "decode", "amount"),
)  # fmt: skip

# Where the first record of each sort stands in :func:`street`.
_PLACES = {
    "problem": "", "network": "network.", "node": "network.nodes.0.",
    "mode": "network.nodes.0.modes.0.", "link": "network.links.0.", "task": "graph.tasks.0.",
    "edge": "graph.edges.0.", "group": "graph.groups.0.", "data": "data.0.", "codec": "codecs.0.",
}  # fmt: skip


def place(field: Field) -> str:
    """Where a field of the first such record stands in :func:`street`, for :func:`edited`."""
    return _PLACES[field.record] + field.key


def as_path(place: str) -> str:
    """The same place as errors name it."""
    return re.sub(r"\.(\d+)", r"[\1]", f"$.{place}")


def street() -> dict[str, Any]:
    """A valid instance that uses most of the format, with one record of every sort at least."""
    return {
        "format": "offload-instance/1", "name": "street", "description": "d", "source": "s",
        "network": {
            "reference_bytes": 1e5,
            "nodes": [
                {"id": "cam", "tier": "device", "kind": "nano", "tags": ["trusted", "near"],
                 "speed": 2e9, "slots": 2, "memory": 4e9, "busy_power": 5, "idle_power": 1,
                 "modes": [{"id": "eco", "speed": 1e9, "busy_power": 2}]},
                {"id": "edge", "kind": "xeon", "tags": ["trusted"], "speed": 8e9, "slots": 4,
                 "storage": 1e9, "io": "serial", "price": 0.1},
                {"id": "cloud", "tier": "cloud", "speed": 3e10, "slots": 9, "failure_rate": 1e-6},
                {"id": "hub", "slots": 0},
            ],
            "links": [
                {"src": "cam", "dst": "hub", "bandwidth": 1e7, "latency": 0.002, "energy": 1e-7},
                {"src": "hub", "dst": "edge", "duplex": "half", "channels": 1, "bandwidth": 2e7,
                 "tags": ["trusted"]},
                {"src": "edge", "dst": "cloud", "duplex": "simplex", "latency": 0.02},
                {"src": "cloud", "dst": "edge", "duplex": "simplex", "latency": 0.03, "price": 1},
            ],
        },
        "graph": {
            "tasks": [
                {"id": "grab", "work": 1e7, "allow": ["tier:device"], "weight": 2},
                {"id": "detect", "work": 2e9, "time": {"kind:nano": 3, "*": 0.5}, "reads": ["map"],
                 "memory": {"cam": 1e8, "*": 2e8}, "resident": 1e8, "slots": 2, "due": 4},
                {"id": "track", "time": {"tag:trusted": 0.25, "cloud": 0.1}, "at": "cam",
                 "move_bytes": 1e5, "release": 0.1, "deadline": 60},
                {"id": "count", "work": 5e9, "divisible": True},
                {"id": "show", "work": 1e6, "allow": ["cam", "kind:xeon"]},
            ],
            "edges": [
                {"src": "grab", "dst": "detect", "bytes": 2e6, "item": "frame", "codecs": ["zip"]},
                {"src": "grab", "dst": "track", "bytes": 2e6, "item": "frame", "codecs": ["zip"]},
                {"src": "detect", "dst": "track", "bytes": 1e3},
                {"src": "detect", "dst": "count", "bytes": 1e4},
                {"src": "count", "dst": "show"},
                {"src": "track", "dst": "show", "bytes": 10, "require": ["trusted"]},
            ],
            "groups": [
                {"rule": "contiguous", "tasks": ["grab", "detect", "track"]},
                {"rule": "together", "tasks": ["detect", "track"]},
            ],
        },
        "data": [
            {"id": "map", "bytes": 3e8, "home": ["cloud"], "max_copies": 1, "allow": ["tier:edge"]},
            {"id": "list", "bytes": 1e3, "home": ["edge", "cloud"], "max_copies": None},
        ],
        "codecs": [{"id": "zip", "ratio": 2.8, "encode": 4.0, "decode": 1.2}],
        "minimize": {"latency": 1, "energy": 0.01}, "limits": {"cost": 1e6},
    }  # fmt: skip


def edited(tree: dict[str, Any], edits: dict[str, Any]) -> dict[str, Any]:
    """A copy of a tree with some places, such as ``graph.tasks.0.id``, set anew.

    A place one past a list's end appends to it; the value ``DROP`` removes a key.
    """
    tree = copy.deepcopy(tree)
    for where, value in edits.items():
        *parents, last = (int(key) if key.isdigit() else key for key in where.split("."))
        parent: Any = tree
        for key in parents:
            parent = parent[key]
        if value is DROP and isinstance(parent, dict):
            parent.pop(last, None)
        elif value is DROP:
            del parent[last]
        elif isinstance(parent, list) and last == len(parent):
            parent.append(value)
        else:
            parent[last] = value
    return tree


def from_text(tree: dict[str, Any]) -> Problem:
    """The instance read from the tree written as a file."""
    return offload.loads(json.dumps(tree))


def parts_of(tree: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a problem: records with the tree's values, just as they are."""
    network, graph = tree["network"], tree["graph"]
    nodes = [
        Node(**{**node, "modes": [Mode(**mode) for mode in node.get("modes", ())]})
        for node in network["nodes"]
    ]
    links = [Link(**link) for link in network.get("links", ())]
    rest = {k: v for k, v in network.items() if k not in {"nodes", "links"}}
    made = Graph(
        [Task(**task) for task in graph["tasks"]],
        [Edge(**edge) for edge in graph.get("edges", ())],
        [Group(**group) for group in graph.get("groups", ())],
    )
    known = ("name", "description", "source", "minimize", "limits")
    return {
        "network": Network(nodes, links, **rest), "graph": made,
        "data": [Data(**item) for item in tree.get("data", ())],
        "codecs": [Codec(**codec) for codec in tree.get("codecs", ())],
        **{key: tree[key] for key in known if key in tree},
    }  # fmt: skip


def from_objects(tree: dict[str, Any]) -> Problem:
    """The instance built in Python."""
    return Problem(**parts_of(tree))


MAKERS: tuple[Maker, ...] = (from_text, from_objects)


def issues_of(make: Maker, tree: dict[str, Any]) -> tuple[Issue, ...]:
    """Everything that is wrong with a tree that is no valid instance."""
    with pytest.raises(InstanceError, match=r"^(\$|line)") as caught:
        make(tree)
    return caught.value.issues
