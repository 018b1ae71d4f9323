"""Task graphs in GXL with communication delays, as the optimal schedules of Auckland have them.

Sinnen's group at the University of Auckland publishes graphs with optimal schedules on identical,
fully connected processors. A node's ``Weight`` is its time; an edge's is the delay between tasks on
different processors. What a file says of a schedule is read for the description alone.
"""

from __future__ import annotations

from offload.errors import NOTHING
from offload.importers.drafts import Draft, Options, malformed, on_lines
from offload.importers.words import amount, integer
from offload.importers.xml_reading import Element, parse_xml
from offload.problem import Edge, Task

__all__ = ["read", "recognises"]


def recognises(text: str) -> bool:
    """Whether a text is a GXL document."""
    return "<gxl" in text[:2000]


def read(text: str, options: Options) -> Draft:
    """The task graph; a processor count in the file is the default for ``processors``.

    Raises
    ------
    InstanceError
        With the line: for what is no GXL, for nodes and edges without a weight, for a node's id
        that is there twice, and for an edge to a node that is not there.
    """
    root = parse_xml(text, "gxl")
    graphs = list(root.all("graph"))
    if len(graphs) != 1:
        raise malformed(root.line, "must have one <graph>", len(graphs), "split the file")
    graph = graphs[0]
    nodes, arcs = list(graph.all("node")), list(graph.all("edge"))
    tasks = [Task(node.get("id"), work=_weight(node)) for node in nodes]
    edges = [Edge(arc.get("from"), arc.get("to"), bytes=_weight(arc)) for arc in arcs]
    return Draft(
        "", tasks, edges, delayed=True, processors=_count(graph),
        description=_described(graph),
        notes=[
            "a unit of time in the file is a second",
            "an edge's weight is the delay between two processors, with no contention",
        ],
        places={
            "$.graph.tasks": on_lines([node.line for node in nodes]),
            "$.graph.edges": on_lines([arc.line for arc in arcs]),
        },
    )  # fmt: skip


def _attribute(element: Element, name: str) -> Element | None:
    """The value of an attribute: the element inside ``<attr name=...>``."""
    for attr in element.all("attr"):
        if attr.attributes.get("name", "").lower() == name:
            return attr.children[0] if attr.children else attr
    return None


def _weight(element: Element) -> float:
    value = _attribute(element, "weight")
    if value is None:
        fix = '<attr name="Weight"><int>1</int></attr>'
        raise malformed(element.line, f"<{element.tag}> must have a Weight", NOTHING, fix)
    return amount(value.text.strip(), value.line, "Weight")


def _count(graph: Element) -> int | None:
    value = _attribute(graph, "number of processors")
    if value is None:
        return None
    return integer(value.text.strip(), value.line, "Number of processors", 1)


def _described(graph: Element) -> str:
    name = graph.attributes.get("id", "")
    length = _attribute(graph, "total schedule length")
    if length is None:
        return name
    return f"{name}; the file's own schedule is {length.text.strip()} long".lstrip("; ")
