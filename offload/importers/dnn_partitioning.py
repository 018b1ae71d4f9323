"""Device placement of neural networks: graphs of operators or layers, accelerators and CPUs.

Tarnawski, Phanishayee, Devanur, Mahajan, Nina Paravecino 2020, "Efficient algorithms for device
placement of DNN graph operators", NeurIPS; the inputs of
https://github.com/msr-fiddle/dnn-partitioning. A node has a time on either kind of device and a
size, an edge the cost of transferring its tensor; nodes of one colour share a device.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated

from msgspec import Meta, Struct, field

from offload.errors import InstanceError, Issue
from offload.importers.drafts import Draft, Options, linked
from offload.importers.json_reading import decode, wrong
from offload.problem import Amount, Edge, Group, Network, Node, Task

__all__ = ["read", "recognises"]

_MOST = 512  # devices of which each pair has a link
_Count = Annotated[int, Meta(ge=0, le=_MOST)]
_Flag = bool | Annotated[int, Meta(ge=0, le=1)]  # the files write both


class _Node(Struct, rename="camel"):
    id: int
    cpu_latency: Amount
    fpga_latency: Amount
    size: Amount
    name: str = ""
    supported_on_fpga: _Flag = True
    is_backward_node: _Flag = False
    color_class: int | None = None


class _Edge(Struct, rename="camel"):
    source_id: int
    dest_id: int
    cost: Amount


class _Input(Struct):
    nodes: tuple[_Node, ...]
    edges: tuple[_Edge, ...]
    accelerators: _Count = field(name="maxFPGAs")
    cpus: _Count = field(name="maxCPUs")
    memory: Amount = field(name="maxSizePerFPGA")


def recognises(text: str) -> bool:
    """Whether a text is a JSON object that limits accelerators and their memory."""
    return bool(
        text.lstrip()[:1] == "{"
        and re.search(r'"maxSizePerFPGA"\s*:', text)
        and re.search(r'"maxFPGAs"\s*:', text)
    )


def read(text: str, options: Options) -> Draft:
    """Operators or layers as tasks, accelerators and CPUs as nodes; minimizes the period.

    Raises
    ------
    InstanceError
        With the path of everything that is missing or wrong, and for a node whose tensor costs
        another amount on another edge.
    """
    found = decode(text, _Input)
    names = _names(found.nodes)
    groups, contiguous = _groups(found.nodes, names), options.contiguous is not False
    if contiguous:
        forward = tuple(names[node.id] for node in found.nodes if not node.is_backward_node)
        groups.append(Group("contiguous", forward))
    rule = "on each device the forward nodes are contiguous"
    return Draft(
        "",
        [_task(names[node.id], node, found) for node in found.nodes],
        _edges(found.edges, names),
        groups,
        network=_network(found),
        timed=False,
        takes=frozenset({"contiguous"}),
        minimize={"period": 1.0},
        notes=[
            "times and transfer costs share a unit, taken as seconds",
            "a transfer's cost stands as bytes over links of 1 byte a second, for the file has no "
            "bandwidth",
            "a node's tensor is one item: it moves once to each device",
            "accelerators transfer between computations (io serial), CPUs meanwhile",
            rule if contiguous else f"the rule that {rule} is left out",
        ],
        places={
            "$.graph.tasks": lambda i: f"$.nodes[{i}]",
            "$.graph.edges": lambda e: f"$.edges[{e}]",
        },
    )


def _network(found: _Input) -> Network:
    """Accelerators with their memory, then CPUs; each pair linked."""
    if not 1 <= found.accelerators + found.cpus <= _MOST:
        count = found.accelerators + found.cpus
        raise wrong("$.maxFPGAs", f"with maxCPUs must be from 1 to {_MOST}", count, "count again")
    nodes = [
        Node(f"accelerator{k}", kind="accelerator", io="serial", memory=found.memory)
        for k in range(found.accelerators)
    ]
    nodes += [Node(f"cpu{k}", kind="cpu") for k in range(found.cpus)]
    return Network(nodes, linked(nodes, 1.0, 0.0).links)


def _names(nodes: tuple[_Node, ...]) -> dict[int, str]:
    """Id of each node's task: its name, with the file's id where it has none of its own."""
    uses = Counter(node.name for node in nodes)
    names: dict[int, str] = {}
    for position, node in enumerate(nodes):
        if node.id in names:
            raise wrong(f"$.nodes[{position}].id", "duplicate id", node.id, "number the nodes")
        own = uses[node.name] == 1 and node.name
        names[node.id] = node.name if own else f"{node.name or 'node'}-{node.id}"
    return names


def _task(name: str, node: _Node, found: _Input) -> Task:
    """A node as a task; without a time on accelerators it cannot run there."""
    time = {}
    if node.supported_on_fpga and found.accelerators:
        time["kind:accelerator"] = node.fpga_latency
    if found.cpus:
        time["kind:cpu"] = node.cpu_latency
    return Task(name, time=time, resident=node.size)


def _groups(nodes: tuple[_Node, ...], names: dict[int, str]) -> list[Group]:
    """The nodes of each colour, in the order of their first."""
    colours: dict[int, list[str]] = {}
    for node in nodes:
        if node.color_class is not None:
            colours.setdefault(node.color_class, []).append(names[node.id])
    return [Group("together", tuple(members)) for members in colours.values() if len(members) > 1]


def _edges(edges: tuple[_Edge, ...], names: dict[int, str]) -> list[Edge]:
    first: dict[int, int] = {}  # edge of each node's tensor
    issues, made = [], []
    for position, edge in enumerate(edges):
        path = f"$.edges[{position}]"
        for end, number in (("sourceId", edge.source_id), ("destId", edge.dest_id)):
            if number not in names:
                raise wrong(f"{path}.{end}", "names no node", number, "use the id of a node")
        other = first.setdefault(edge.source_id, position)
        if edge.cost != edges[other].cost:
            message = (
                f"a tensor costs the same on all its edges, on edge {other} {edges[other].cost:g}"
            )
            issues.append(Issue(f"{path}.cost", message, edge.cost, "write one cost"))
        made.append(
            Edge(names[edge.source_id], names[edge.dest_id], bytes=edge.cost, item="output")
        )
    if issues:
        raise InstanceError(issues)
    return made
