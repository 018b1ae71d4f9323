"""Networks as node-link JSON, as TopoHub has SNDlib and the Internet Topology Zoo.

Jurkiewicz 2023, "TopoHub: a repository of reference Gabriel and real-world topologies for
networking research". An edge's ``dist`` is in kilometres; a node's ``pos`` is its longitude and
latitude.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct, field

from offload.importers.drafts import Draft, Options
from offload.importers.graphs import TIMES, Arc, Vertex, graph_draft
from offload.importers.json_reading import decode, wrong
from offload.importers.networks import Site, Span, network_draft
from offload.problem import Amount

__all__ = ["read", "recognises"]


class _Node(Struct):
    id: int | str
    name: int | str | None = None
    pos: tuple[float, ...] | None = None


class _Edge(Struct):
    source: int | str
    target: int | str
    dist: Amount | None = None


class _Head(Struct):
    name: str = ""


class _Network(Struct):
    nodes: tuple[_Node, ...]
    edges: tuple[_Edge, ...] | None = None
    links: tuple[_Edge, ...] | None = None  # as networkx called them until 3.4
    graph: _Head = field(default_factory=_Head)
    directed: bool = False


def recognises(text: str) -> bool:
    """Whether a text is a JSON object that has nodes, edges, and whether they are directed."""
    return bool(
        text.lstrip()[:1] == "{"
        and re.search(r'"directed"\s*:', text)
        and re.search(r'"nodes"\s*:\s*\[', text)
        and re.search(r'"(edges|links)"\s*:\s*\[', text)
    )


def _tasks(text: str) -> Draft | None:
    """A directed graph whose nodes have a work or a time, as networkx writes one of tasks."""
    plain = msgspec.json.decode(text)
    nodes = plain["nodes"]
    if not any(key.lower() in ("work", *TIMES) for node in nodes for key in node):
        return None
    vertices = [Vertex(str(node["id"]), node, f"$.nodes[{k}]") for k, node in enumerate(nodes)]
    key = "edges" if "edges" in plain else "links"
    arcs = [
        Arc(str(edge["source"]), str(edge["target"]), edge, f"$.{key}[{e}]")
        for e, edge in enumerate(plain.get(key, ()))
    ]
    draft = graph_draft(vertices, arcs)
    draft.name = str(plain.get("graph", {}).get("name", ""))
    return draft


def read(text: str, options: Options) -> Draft:
    """The network, without its demands; a directed graph with works or times is one of tasks.

    Raises
    ------
    InstanceError
        With the path of everything that is missing or wrong, for an id that is there twice, and
        for an edge to a node that is not there.
    """
    found = decode(text, _Network)
    if found.directed and (tasks := _tasks(text)):
        return tasks
    key = "edges" if found.edges is not None else "links"
    edges = found.edges if found.edges is not None else found.links
    if edges is None:
        raise wrong("$.edges", "is required", None, 'add "edges"')
    sites: dict[str, Site] = {}
    for k, node in enumerate(found.nodes):
        name = str(node.id)
        if name in sites:
            raise wrong(f"$.nodes[{k}].id", "duplicate id", node.id, "give it another")
        label = "" if node.name is None else str(node.name)
        placed = node.pos is not None and len(node.pos) == 2
        sites[name] = Site(name, label, *(node.pos or () if placed else ()))
    for e, edge in enumerate(edges):
        for end in ("source", "target"):
            value = getattr(edge, end)
            if str(value) not in sites:
                raise wrong(f"$.{key}[{e}].{end}", "names no node", value, "add the node")
    spans = [Span(str(edge.source), str(edge.target), edge.dist) for edge in edges]
    return network_draft(
        found.graph.name, list(sites.values()), spans, options, directed=found.directed
    )
