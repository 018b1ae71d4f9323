"""Graphs of networkx and tables of pandas."""

from __future__ import annotations

from typing import Any

import networkx
import numpy as np
import pandas
import pytest

import offload


def pair(**edge: Any) -> Any:
    """a (2 s) before b (3 s)."""
    graph = networkx.DiGraph(name="pair")
    graph.add_node("a", time=2.0)
    graph.add_node("b", weight=3, memory=4.0, slots=np.int64(2))
    graph.add_edge("a", "b", **(edge or {"bytes": 10}))
    return graph


def test_a_directed_graph_is_one_of_tasks() -> None:
    problem = offload.convert(pair(), processors=2, bandwidth=5)
    assert problem.name == "pair"
    assert [(t.id, t.work, t.memory, t.slots) for t in problem.graph.tasks] == [
        ("a", 2.0, 0.0, 1), ("b", 3.0, 4.0, 2),
    ]  # fmt: skip
    assert problem.source.startswith("Converted from a directed graph of networkx. Times are sec")
    evaluation = offload.evaluate(problem, [[0, 1], [0, 0]], [[0, 1]] * 2)
    assert evaluation.metrics["latency"].tolist() == [2 + 10 / 5 + 3, 2 + 3]


def test_weights_of_edges_are_delays() -> None:
    problem = offload.convert(pair(weight=7), processors=2)
    evaluation = offload.evaluate(problem, [[0, 1]], [[0, 1]])
    assert evaluation.metrics["latency"].tolist() == [2 + 7 + 3]


def test_fields_of_an_instance_are_themselves() -> None:
    graph = networkx.DiGraph()
    graph.add_node(1, work=1e9, weight=2, deadline=9, allow=["fast"], due=None)
    graph.add_node(2, work=2e9, time={"fast": 0.5}, resident={"fast": 3, "*": 4})
    graph.add_node(3, work=2e9)
    graph.add_edge(1, 2, bytes=5, item="x", require=["safe"])
    graph.add_edge(1, 3, bytes=5, item="x", require=["safe"])
    network = offload.Network(
        [offload.Node("slow", speed=1e9), offload.Node("fast", speed=4e9)],
        [offload.Link("slow", "fast")],
    )
    first, second, third = offload.convert(graph, network=network).graph.tasks
    assert (first.id, first.weight, first.deadline, first.allow) == ("1", 2.0, 9.0, ("fast",))
    assert (second.work, second.time) == (2e9, {"fast": 0.5})
    assert second.resident == {"fast": 3.0, "*": 4.0}
    edges = offload.convert(graph, network=network).graph.edges
    assert [(edge.item, edge.require) for edge in edges] == [("x", ("safe",))] * 2
    assert third.time == {}


def test_parallel_edges_are_items() -> None:
    graph = networkx.MultiDiGraph()
    graph.add_node("a", time=1)
    graph.add_node("b", time=1)
    graph.add_edge("a", "b", bytes=1, item="x")
    graph.add_edge("a", "b", bytes=2, item="y")
    problem = offload.convert(graph, processors=2)
    assert [(edge.bytes, edge.item) for edge in problem.graph.edges] == [(1.0, "x"), (2.0, "y")]


def test_an_undirected_graph_is_a_network() -> None:
    graph = networkx.Graph(name="site")
    graph.add_node("x", pos=(0.0, 0.0))
    graph.add_node("y", pos=(1.0, 0.0))
    graph.add_edge("x", "y", bandwidth=1e6)
    graph.add_edge("y", "z", dist=400.0)
    network = offload.convert(graph).network
    assert [node.id for node in network.nodes] == ["x", "y", "z"]
    assert network.links[0].latency == pytest.approx(111.195e3 / 2e8, rel=1e-5)
    assert [(link.bandwidth, link.latency) for link in network.links[1:]] == [(125e6, 0.002)]
    chain = pair()
    del chain.nodes["b"]["slots"]
    tasks = offload.convert(chain, network=network)
    assert tasks.network == network
    assert [task.work for task in tasks.graph.tasks] == [2e9, 3e9]


def test_tables() -> None:
    tasks = pandas.DataFrame(
        {"id": ["a", "b", "c"], "work": [1e9, 2e9, 0], "deadline": [np.nan, 9.0, np.nan]}
    )
    edges = pandas.DataFrame({"source": ["a", "a"], "target": ["b", "c"], "size": [5, 6]})
    problem = offload.convert((tasks, edges), processors=2, speed=1e9)
    assert [(t.id, t.work, t.deadline) for t in problem.graph.tasks] == [
        ("a", 1e9, None), ("b", 2e9, 9.0), ("c", 0.0, None),
    ]  # fmt: skip
    assert [(e.src, e.dst, e.bytes) for e in problem.graph.edges] == [
        ("a", "b", 5.0), ("a", "c", 6.0),
    ]  # fmt: skip
    assert problem.network.nodes[0].speed == 1e9


def test_missing_values_of_tables() -> None:
    tasks = pandas.DataFrame({"time": [1, 2], "memory": pandas.array([5, None], dtype="Int64")})
    first, second = offload.convert(tasks, processors=1).graph.tasks
    assert (first.id, first.memory, second.memory) == ("0", 5.0, 0.0)
    tasks = pandas.DataFrame([[1, 2]], columns=["time", "time"])
    with pytest.raises(offload.InstanceError, match=r"^columns: must have different names"):
        offload.convert(tasks, processors=1)


def test_a_table_alone_named_by_its_index() -> None:
    tasks = pandas.DataFrame({"time": [1.5, 2.5]}, index=pandas.Index([7, 8]))
    problem = offload.convert(tasks, processors=2)
    assert [(task.id, task.work) for task in problem.graph.tasks] == [("7", 1.5), ("8", 2.5)]
    edges = pandas.DataFrame({"src": [7], "dst": [8.0]})
    assert offload.convert((tasks, edges), processors=2).graph.edges[0].dst == "8"


def frames(**changes: Any) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    columns = {"id": ["a", "b"], "time": [1.0, 2.0], "src": ["a"], "dst": ["b"], "bytes": [3.0]}
    columns.update(changes)
    names = ("id", "time")
    return (
        pandas.DataFrame({name: columns[name] for name in names}),
        pandas.DataFrame({name: columns[name] for name in columns if name not in names}),
    )


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"time": [1.0, -2.0]}, r"^tasks, row 1: time must be finite and >= 0, got -2\.0"),
        ({"time": [1.0, np.nan]}, r"^tasks, row 1: a task must have a work or a time"),
        ({"time": [1.0, "x"]}, r"^tasks, row 1: time must be a number, got 'x'"),
        ({"id": ["a", "a"]}, r"tasks, row 1: duplicate id, got 'a'; already used at tasks, row 0"),
        ({"id": ["a", None]}, r"^tasks, row 1: must have an id"),
        ({"dst": ["z"]}, r"^edges, row 0: names no task, got 'z'"),
        ({"bytes": [-1]}, r"^edges, row 0: bytes must be finite and >= 0, got -1"),
        (
            {"src": ["a", "b"], "dst": ["b", "a"], "bytes": [1, 2]},
            r"^edges, row 0: the tasks wait for each other in a cycle, got 'b -> a -> b'",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_row(changes: dict[str, Any], error: str) -> None:
    with pytest.raises(offload.InstanceError, match=error):
        offload.convert(frames(**changes), processors=2)


def test_edges_without_ends() -> None:
    tasks, edges = frames()
    with pytest.raises(offload.InstanceError, match=r"edges: must have a column dst, got \['src',"):
        offload.convert((tasks, edges.drop(columns="dst")), processors=2)


def test_what_is_wrong_is_named_with_its_node() -> None:
    graph = pair()
    graph.add_edge("b", "c")
    with pytest.raises(offload.InstanceError, match=r"^node 'c': a task must have a work or a tim"):
        offload.convert(graph, processors=2)
    graph = pair()
    graph.nodes["a"]["time"] = True
    with pytest.raises(offload.InstanceError, match=r"^node 'a': time must be a number, got True"):
        offload.convert(graph, processors=2)
    graph = pair()
    graph.add_edge("b", "a", bytes=1)
    with pytest.raises(offload.InstanceError, match=r"^edge 'a' -> 'b': the tasks wait for each"):
        offload.convert(graph, processors=2)
    graph = pair()
    graph.nodes["b"]["slots"] = 1.5
    with pytest.raises(offload.InstanceError, match=r"^node 'b': must be an integer, got 1\.5"):
        offload.convert(graph, processors=2)
    graph = networkx.DiGraph()
    graph.add_node(1, time=1)
    graph.add_node("1", time=1)
    with pytest.raises(offload.InstanceError, match=r"node '1': duplicate id, got '1'"):
        offload.convert(graph, processors=2)


@pytest.mark.parametrize("source", [7, None, {"a": 1}, [1, 2], (1, 2), ()])
def test_other_objects(source: Any) -> None:
    with pytest.raises(offload.OffloadError, match=r"^source: must be a path, a graph of networkx"):
        offload.convert(source)


def test_a_format_is_one_of_files() -> None:
    with pytest.raises(offload.OffloadError, match=r"^format: is one of files, got 'dot'"):
        offload.convert(pair(), "dot", processors=2)
