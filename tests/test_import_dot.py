"""Graphviz DOT: directed graphs with weights."""

from __future__ import annotations

from pathlib import Path

import pytest
from foreign import converted, refused

import offload

NAME = "fork.dot"
# a (2) sends to b (3) and c (4), with delays of 1 and 9: a and c on one processor end at 6, b on
# the other at 2 + 1 + 3 = 6.
SAMPLE = """// a fork
digraph "fork" {
  a [Weight=2];
  b [Weight=3];
  c [Weight=4];
  a -> b [Weight=1];
  a -> c [Weight=9];
}
"""


def tasks(problem: offload.Problem) -> list[tuple[str, float | None]]:
    return [(task.id, task.work) for task in problem.graph.tasks]


def edges(problem: offload.Problem) -> list[tuple[str, str, float]]:
    return [(edge.src, edge.dst, edge.bytes) for edge in problem.graph.edges]


def test_weights_are_times_and_delays(tmp_path: Path) -> None:
    problem = converted(tmp_path, NAME, SAMPLE, processors=2)
    assert tasks(problem) == [("a", 2.0), ("b", 3.0), ("c", 4.0)]
    assert edges(problem) == [("a", "b", 1.0), ("a", "c", 9.0)]
    assert problem.network.links[0].bandwidth == 1.0
    assert problem.description == "fork"
    assert "An edge's weight is the delay between two processors" in problem.source
    result = offload.solve(problem, method="cpsat")
    assert (result.status, result.objective) == ("optimal", 6.0)


def test_bytes_and_works(tmp_path: Path) -> None:
    text = "digraph { a [work=1e9] b [work=4e9, memory=7, slots=2]; a -> b [bytes=1.25e8] }"
    problem = converted(tmp_path, NAME, text, processors=2)
    assert tasks(problem) == [("a", 1e9), ("b", 4e9)]
    assert (problem.graph.tasks[1].memory, problem.graph.tasks[1].slots) == (7.0, 2)
    assert problem.network.nodes[0].speed == 1e9
    assert problem.network.links[0].bandwidth == 125e6
    evaluation = offload.evaluate(problem, [[0, 1]], [[0, 1]])
    assert evaluation.metrics["latency"].tolist() == [1 + 1 + 4]


def test_lists_as_texts(tmp_path: Path) -> None:
    text = 'digraph { a [time=1, allow="p1, tier:cloud"] b [time=1, allow=p0]; a -> b [item=x] }'
    problem = converted(tmp_path, NAME, text, processors=2)
    assert [task.allow for task in problem.graph.tasks] == [("p1", "tier:cloud"), ("p0",)]
    assert problem.graph.edges[0].item == "x"
    wrong = text.replace("=p0", "=p9")
    assert refused(tmp_path, NAME, wrong, processors=2)[0].startswith("line 1: names no node")


def test_the_language(tmp_path: Path) -> None:
    text = r"""#!preprocessed
strict digraph G { /* of
  two lines */ rankdir = LR; graph [label="a -> b"];
  node [weight=1, shape=box] edge [weight=5]
  "two words" [weight="2.5"]; "say \"hi\"" ; nine -> -.5 -> 3 [weight=7][style=dotted];
  # a comment
  subgraph cluster_0 { node [weight=4]; x; y:n -> { z "con" + "cat" } }
  x -> y -> x2; x -> y [weight=6]
  nine [weight = 9]
}
"""
    problem = converted(tmp_path, NAME, text, processors=1)
    assert tasks(problem) == [
        ("two words", 2.5), ('say "hi"', 1.0), ("nine", 9.0), ("-.5", 1.0), ("3", 1.0), ("x", 4.0),
        ("y", 4.0), ("z", 4.0), ("concat", 4.0), ("x2", 1.0),
    ]  # fmt: skip
    assert edges(problem) == [
        ("nine", "-.5", 7.0), ("-.5", "3", 7.0), ("y", "z", 5.0), ("y", "concat", 5.0),
        ("x", "y", 6.0), ("y", "x2", 5.0),
    ]  # fmt: skip


def test_edges_without_a_weight_carry_nothing(tmp_path: Path) -> None:
    problem = converted(tmp_path, NAME, "digraph { node [time=1] a -> b }", processors=2)
    assert edges(problem) == [("a", "b", 0.0)]
    assert "Edges without a size (1) carry nothing" in problem.source
    assert offload.solve(problem, method="cpsat").objective == 2.0


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("b [Weight=3]", "b [Weight=-3]", "line 4: weight must be finite and >= 0, got '-3'"),
        ("b [Weight=3]", "b [Weight=x]", "line 4: weight must be a number, got 'x'"),
        (
            "b [Weight=3]",
            "b",
            "line 4: a task must have a work or a time, got nothing; give it wor",
        ),
        (
            "b [Weight=3]",
            "b [work=3]",
            "line 3: all tasks must have a work if one has, got 'weight'",
        ),
        ("c [Weight=9]", "d [Weight=9]", "line 7: a task must have a work or a time, got nothing"),
        (
            "c [Weight=9]",
            "c [bytes=9]",
            "line 7: edges must all have bytes, or all a delay, got 'b",
        ),
        ("c [Weight=9]", "c [Weight=-9]", "line 7: weight must be finite and >= 0, got '-9'"),
        ("a -> c", "a -> b", "line 7: edge 0 has the same ends and item"),
        ("a -> c", "c -> c", "line 7: an edge must join two tasks, got 'c'"),
        ("a -> c", "b -> a", "line 6: the tasks wait for each other in a cycle, got 'b -> a -> b'"),
        ("a -> c", "a -- c", "line 7: must be a directed edge, got '--'; write ->"),
        ("a -> c", "a ->", "line 7: a node must follow, got '['"),
        ("a -> c", "a -> node", "line 7: a keyword is no node, got 'node'; quote it"),
        ("a -> c", "<b>a</b> -> c", "line 7: cannot be read as DOT, got '<b>a</b> -> c [Weigh'"),
        ("[Weight=9]", "[Weight=9 -> b]", "line 7: must be ',' or ']', got '->'; close the list"),
        ("[Weight=9]", "[Weight=9kB]", "line 7: cannot be read as DOT, got '9kB];'; quote it"),
        ("}\n", "", "line 7: must be closed by '}', got nothing; the file may be cut short"),
        ("}\n", "}\n}\n", "line 9: the file must end after the graph, got '}'"),
        ("digraph", "graph", "line 2: must be a directed graph, got 'graph'"),
        ("digraph", "dgraph", "line 2: must begin a graph, got 'dgraph'; as in digraph"),
        ('"fork" {', '"fork {', "line 2: cannot be read as DOT, got '\"fork {"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, error: str
) -> None:
    found = refused(tmp_path, NAME, SAMPLE.replace(old, new, 1), processors=2)
    assert found[0].startswith(error)


def test_a_list_that_a_semicolon_cuts(tmp_path: Path) -> None:
    # In DOT a semicolon may part the attributes of a list: the list goes on, and never closes.
    cut = SAMPLE.replace("[Weight=9]", "[Weight=9")
    assert refused(tmp_path, NAME, cut, processors=2)[0].startswith("line 8: an attribute must")


def test_graphs_nested_without_end_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, NAME, "digraph {\n" + "{" * 100_000, processors=2)[0].startswith(
        "line 2: nested too deeply"
    )
