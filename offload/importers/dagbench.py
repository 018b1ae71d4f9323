"""DAGBench: a task graph together with its network, as SAGA writes them.

https://github.com/ANRGUSC/dagbench. A task takes its cost over a node's speed, a message its size
over a link's speed; nothing waits for a link.
"""

from __future__ import annotations

import re

from msgspec import Struct

from offload.importers.drafts import Draft, Options
from offload.importers.json_reading import decode
from offload.problem import Amount, Edge, Id, Link, Network, Node, Positive, Task

__all__ = ["read", "recognises"]


class _Task(Struct):
    name: Id
    cost: Amount


class _Dependency(Struct):
    source: Id
    target: Id
    size: Amount = 0.0


class _TaskGraph(Struct):
    tasks: tuple[_Task, ...]
    dependencies: tuple[_Dependency, ...] = ()


class _Node(Struct):
    name: Id
    speed: Positive


class _Link(Struct):
    source: Id
    target: Id
    speed: Positive


class _Network(Struct):
    nodes: tuple[_Node, ...]
    edges: tuple[_Link, ...] = ()


class _Instance(Struct):
    task_graph: _TaskGraph
    network: _Network
    name: str = ""


def recognises(text: str) -> bool:
    """Whether a text is a JSON object that has a task graph and a network."""
    return bool(
        text.lstrip()[:1] == "{"
        and re.search(r'"task_graph"\s*:\s*\{', text)
        and re.search(r'"network"\s*:\s*\{', text)
    )


def read(text: str, options: Options) -> Draft:
    """Task graph and network; links of a node to itself are left out.

    Raises
    ------
    InstanceError
        With the path of everything that is missing or wrong.
    """
    found = decode(text, _Instance)
    graph, network = found.task_graph, found.network
    links, kept = _links(network.edges)
    return Draft(
        found.name,
        [Task(task.name, work=task.cost) for task in graph.tasks],
        [Edge(edge.source, edge.target, edge.size) for edge in graph.dependencies],
        # Routes by the count of links: a message takes the direct link, as in SAGA.
        network=Network(
            [Node(node.name, speed=node.speed) for node in network.nodes], links, reference_bytes=0
        ),
        timed=False,
        notes=[
            "a task's cost is its work, a node's speed operations a second, sizes are bytes and "
            "links' speeds bytes a second, with no contention",
            "a link given in one direction carries both",
            "links of a node to itself are left out: nothing moves on one node",
        ],
        places={
            "$.graph.tasks": lambda i: f"$.task_graph.tasks[{i}]",
            "$.graph.edges": lambda e: f"$.task_graph.dependencies[{e}]",
            "$.network.nodes": lambda k: f"$.network.nodes[{k}]",
            "$.network.links": lambda l: f"$.network.edges[{kept[l]}]",
        },
    )


def _links(given: tuple[_Link, ...]) -> tuple[list[Link], list[int]]:
    """Links, and the position in the file of each; a pair of like directions becomes one link."""
    speed = {(link.source, link.target): link.speed for link in given}
    links, kept = [], []
    seen: set[tuple[str, str]] = set()
    for position, link in enumerate(given):
        way, back = (link.source, link.target), (link.target, link.source)
        if link.source == link.target:
            continue
        both = back not in speed or speed[back] == link.speed
        if both and back in seen and way not in seen:
            continue  # the other direction stands for the two
        seen.add(way)
        links.append(Link(*way, bandwidth=link.speed, duplex="full" if both else "simplex"))
        kept.append(position)
    return links, kept
