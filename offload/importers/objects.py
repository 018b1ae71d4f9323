"""Python objects that are graphs: of networkx, and tables of pandas."""

from __future__ import annotations

from typing import Any

from offload.errors import NOTHING, OffloadError
from offload.importers.drafts import Draft, Options
from offload.importers.graphs import Arc, Vertex, graph_draft, number_of
from offload.importers.json_reading import wrong
from offload.importers.networks import Site, Span, network_draft

__all__ = ["read_object"]

_ENDS = (("src", "source", "from"), ("dst", "target", "to"))


def read_object(source: Any, options: Options) -> tuple[Draft, str]:
    """A graph of networkx, a table of tasks, or a pair of tables of tasks and of edges.

    Returns
    -------
    (Draft, str)
        What it says, and what it is.

    Raises
    ------
    OffloadError
        For any other object.
    InstanceError
        With the node, the edge or the row that is wrong.
    """
    if hasattr(source, "is_directed") and hasattr(source, "adj"):
        if source.is_directed():
            return _directed(source), "a directed graph of networkx"
        return _undirected(source, options), "a graph of networkx"
    tables = source if isinstance(source, tuple) else (source,)
    if 1 <= len(tables) <= 2 and all(hasattr(t, "columns") and hasattr(t, "index") for t in tables):
        return _tables(*tables), "tables of pandas"
    raise OffloadError(
        "source: must be a path, a graph of networkx, a table of tasks, or a pair of tables of "
        f"tasks and edges, got {type(source).__name__}"
    )


def _directed(graph: Any) -> Draft:
    vertices = [Vertex(str(name), data, f"node {name!r}") for name, data in graph.nodes(data=True)]
    arcs = [
        Arc(str(src), str(dst), data, f"edge {src!r} -> {dst!r}")
        for src, dst, data in graph.edges(data=True)
    ]
    draft = graph_draft(vertices, arcs)
    draft.name = str(graph.graph.get("name", ""))
    return draft


def _undirected(graph: Any, options: Options) -> Draft:
    sites = []
    for name, data in graph.nodes(data=True):
        place = data.get("pos")
        placed = isinstance(place, list | tuple) and len(place) == 2
        sites.append(Site(str(name), str(data.get("name", "")), *(place if placed else ())))
    spans = []
    for src, dst, data in graph.edges(data=True):
        where = f"edge {src!r} - {dst!r}"
        length, rate = data.get("dist"), data.get("bandwidth")
        spans.append(
            Span(
                str(src), str(dst),
                None if length is None else number_of(length, where, "dist"),
                None if rate is None else number_of(rate, where, "bandwidth"),
            )
        )  # fmt: skip
    name = str(graph.graph.get("name", ""))
    return network_draft(name, sites, spans, options, directed=False)


def _tables(tasks: Any, edges: Any = None) -> Draft:
    """A row a task, named by its column ``id``, else by the index; a row an edge."""
    named = "id" in tasks.columns
    vertices = []
    for index, row in zip(tasks.index, _rows(tasks), strict=True):
        name = row.pop("id") if named else index
        vertices.append(Vertex(_text(name, f"tasks, row {index!r}"), row, f"tasks, row {index!r}"))
    arcs = []
    if edges is not None:
        ends = []
        for names in _ENDS:
            ends += [name for name in names if name in edges.columns][:1]
            if not ends or ends[-1] not in names:
                fix = f"name one of the columns {', '.join(names)}"
                raise wrong("edges", f"must have a column {names[0]}", list(edges.columns), fix)
        for index, row in zip(edges.index, _rows(edges), strict=True):
            place = f"edges, row {index!r}"
            src, dst = (_text(row.pop(name), place) for name in ends)
            arcs.append(Arc(src, dst, row, place))
    return graph_draft(vertices, arcs)


def _rows(table: Any) -> list[dict[str, Any]]:
    names = [str(name) for name in table.columns]
    if len(set(names)) < len(names):
        raise wrong("columns", "must have different names", names, "rename those that do not")
    missing = table.isna()
    columns = [
        [None if gap else value for value, gap in zip(table[name], missing[name], strict=True)]
        for name in table.columns
    ]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _text(name: Any, place: str) -> str:
    if name is None or name == "":
        raise wrong(place, "must have an id", NOTHING, "fill it in")
    if isinstance(name, float) and name.is_integer():  # as integers beside a gap become
        name = int(name)
    return str(name)
