"""GraphML: networks, as the Internet Topology Zoo has them, and directed graphs of tasks.

Brandes et al. 2002, "GraphML progress report". A directed graph whose nodes have a work or a time
is one of tasks (see :mod:`offload.importers.graphs`); any other is a network. Of a network are
read, by the names of the Topology Zoo (Knight et al. 2011): ``label``, ``Longitude``, ``Latitude``
of nodes, and ``dist`` or ``length`` (kilometres) and ``LinkSpeedRaw`` (bits a second) of edges.
"""

from __future__ import annotations

from typing import Any

from offload.importers.drafts import Draft, Options, malformed
from offload.importers.graphs import TIMES, Arc, Vertex, graph_draft, number_of
from offload.importers.networks import Site, Span, network_draft
from offload.importers.xml_reading import Element, parse_xml

__all__ = ["read", "recognises"]


def recognises(text: str) -> bool:
    """Whether a text is a GraphML document."""
    return "<graphml" in text[:4000]


def read(text: str, options: Options) -> Draft:
    """The network, or the graph of tasks.

    Raises
    ------
    InstanceError
        With the line: for what is no GraphML, for a node's id that is there twice, for an edge to a
        node that is not there, and for values that are no numbers.
    """
    root = parse_xml(text, "graphml")
    graphs = list(root.all("graph"))
    if len(graphs) != 1:
        raise malformed(root.line, "must have one <graph>", len(graphs), "split the file")
    graph = graphs[0]
    keys = _Keys(root)
    nodes: dict[str, tuple[Element, dict[str, str]]] = {}
    for node in graph.all("node"):
        name = node.get("id")
        if name in nodes:
            fix = f"already used in line {nodes[name][0].line}; give it another"
            raise malformed(node.line, "duplicate id", name, fix)
        nodes[name] = node, keys.values(node)
    edges = []
    for edge in graph.all("edge"):
        for end in ("source", "target"):
            if edge.get(end) not in nodes:
                raise malformed(edge.line, f"{end} names no node", edge.get(end), "add the node")
        edges.append((edge, keys.values(edge)))
    directed = graph.attributes.get("edgedefault") == "directed"
    measured = ("work", *TIMES)
    if directed and any(key.lower() in measured for _, data in nodes.values() for key in data):
        return graph_draft(
            [Vertex(name, data, f"line {node.line}") for name, (node, data) in nodes.items()],
            [
                Arc(edge.get("source"), edge.get("target"), data, f"line {edge.line}")
                for edge, data in edges
            ],
        )
    name = keys.values(graph).get("Network", graph.attributes.get("id", ""))
    sites = [_site(name, *pair) for name, pair in nodes.items()]
    spans = [_span(*pair) for pair in edges]
    return network_draft(name, sites, spans, options, directed=directed)


class _Keys:
    """What the short keys of a document stand for."""

    def __init__(self, root: Element) -> None:
        self.names: dict[str, str] = {}
        self.defaults: dict[str, dict[str, str]] = {}
        for key in root.all("key"):
            name = key.attributes.get("attr.name") or key.get("id")
            self.names[key.get("id")] = name
            for default in key.all("default"):
                kind = key.attributes.get("for", "all")
                for tag in (kind,) if kind != "all" else ("graph", "node", "edge"):
                    self.defaults.setdefault(tag, {})[name] = default.text.strip()

    def values(self, element: Element) -> dict[str, str]:
        """The data of an element, by the names of their keys."""
        found = dict(self.defaults.get(element.tag, {}))
        for data in element.all("data"):
            key = data.get("key")
            if key not in self.names:
                raise malformed(data.line, "key names no <key>", key, "declare the key")
            found[self.names[key]] = data.text.strip()
        return found


def _site(name: str, element: Element, data: dict[str, str]) -> Site:
    lower = {key.lower(): value for key, value in data.items()}
    degrees = [_degrees(lower.get(key), element.line, key) for key in ("longitude", "latitude")]
    return Site(name, lower.get("label") or lower.get("name") or "", *degrees)


def _degrees(text: str | None, line: int, what: str) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        raise malformed(line, f"{what} must be a number", text, "write degrees") from None
    if not -360 <= value <= 360:
        raise malformed(line, f"{what} must be degrees", text, "write from -180 to 180")
    return value


def _span(element: Element, data: dict[str, str]) -> Span:
    lower: dict[str, Any] = {key.lower(): value for key, value in data.items()}
    place = f"line {element.line}"
    length = next((lower[key] for key in ("dist", "distance", "length") if key in lower), None)
    bits = lower.get("linkspeedraw")
    rate = None if bits is None else number_of(bits, place, "LinkSpeedRaw") / 8
    return Span(
        element.get("source"), element.get("target"),
        None if length is None else number_of(length, place, "dist"), rate or None,
    )  # fmt: skip
