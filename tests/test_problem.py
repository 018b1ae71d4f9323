"""Instances built in Python: what they accept, what they become, and what they share with files."""

from __future__ import annotations

import copy
import pickle
import random
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import draw_problem
from instance_documents import from_objects, from_text, street

import offload
from offload import Edge, Graph, InstanceError, Link, Network, Node, Problem, Task
from offload.problem import as_weights


def of_node(**fields: Any) -> Problem:
    return Problem(network=Network([Node("cam", **fields)]))


def test_a_file_and_an_object_are_one_thing() -> None:
    made, read = from_objects(street()), from_text(street())
    assert made == read
    assert made.digest == read.digest


def test_values_take_their_declared_types() -> None:
    problem = Problem(
        network=Network([Node("a", speed=2, tags=["x"], memory=3), Node("b")], [Link("a", "b")]),
        graph=Graph([Task("t", time={"*": 1}, memory={"a": 2, "*": 1})]),
        limits={"cost": 1},
    )
    assert type(problem.network.nodes) is tuple
    assert type(problem.network.nodes[0].tags) is tuple
    assert type(problem.network.nodes[0].speed) is float
    assert type(problem.network.nodes[0].memory) is float
    assert type(problem.graph.tasks[0].time["*"]) is float
    assert type(problem.limits["cost"]) is float
    assert type(problem.network.nodes[0].slots) is int


def test_numpy_values_are_numbers() -> None:
    node = of_node(
        speed=np.float32(1.5), slots=np.int64(3), memory=np.uint8(7), tags=np.array(["x", "y"])
    ).network.nodes[0]
    assert node == Node("cam", speed=1.5, slots=3, memory=7.0, tags=("x", "y"))
    assert type(node.speed) is float
    assert type(node.slots) is int
    with pytest.raises(InstanceError, match=r"\.speed: must be a number, got True; write a plain"):
        of_node(speed=np.True_)
    with pytest.raises(InstanceError, match=r"\.speed: must be finite, got nan; write a plain"):
        of_node(speed=np.float64("nan"))
    with pytest.raises(InstanceError, match=r"\.slots: must be an integer, got 1\.0"):
        of_node(slots=np.float64(1))


def test_sets_are_sorted() -> None:
    tags = {f"tag-{i}" for i in range(50)}
    assert of_node(tags=tags).network.nodes[0].tags == tuple(sorted(tags))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"speed": Decimal("1.5")}, r"speed: must be a number, got Decimal\('1.5'\)"),
        ({"speed": Fraction(1, 2)}, r"speed: must be a number, got Fraction\(1, 2\)"),
        ({"speed": 1 + 0j}, r"speed: must be a number, got \(1\+0j\)"),
        ({"kind": b"nano"}, r"kind: must be a string, got b'nano'"),
        ({"kind": Path("nano")}, r"kind: must be a string, got PosixPath\('nano'\)"),
        ({"kind": object}, r"kind: must be a string, got <class 'object'>"),
        ({"tags": "trusted"}, r"tags: must be a list, got 'trusted'"),
        ({"tags": iter(["trusted"])}, r"tags: must be a list, got <list_iterator"),
        ({"tags": [b"x"]}, r"tags\[0\]: must be a string, got b'x'"),
        ({"modes": [5]}, r"modes\[0\]: must be an object, got 5"),
        ({"modes": {"eco": 1}}, r"modes: must be a list, got \{'eco': 1\}"),
    ],
)
def test_other_values_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InstanceError, match=r"^\$\.network\.nodes\[0\]\." + message):
        of_node(**fields)


def test_keys_of_mappings_are_texts() -> None:
    for key in (1, None, ("a", "b")):
        time: Any = {key: 2.0}
        with pytest.raises(InstanceError, match=r"time: must have texts as keys, got .*; write "):
            Problem(network=Network([Node("a")]), graph=Graph([Task("t", time=time)]))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"network": None}, r"\$\.network: must be an object, got None"),
        ({"graph": 5}, r"\$\.graph: must be an object, got 5"),
        ({"graph": {"tasks": [{"id": 5}]}}, r"\$\.graph\.tasks\[0\]\.id: must be a string, got 5"),
        ({"data": {}}, r"\$\.data: must be a list, got \{\}"),
        ({"minimize": ["energy"]}, r"\$\.minimize: must be an object, got \['energy'\]"),
        ({"minimize": "energie"}, r"\$\.minimize\.energie: is no metric.*did you mean 'energy'"),
        ({"name": None}, r"\$\.name: must be a string, got None"),
    ],
)
def test_other_parts_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InstanceError, match=message):
        Problem(**fields)


def test_what_contains_itself_is_refused() -> None:
    tags: list[Any] = []
    tags.append(tags)
    with pytest.raises(InstanceError, match=r"\$: nested too deeply, got nothing; flatten it"):
        of_node(tags=tags)


def test_plain_trees_are_accepted_in_place_of_parts() -> None:
    network: Any = {"nodes": [{"id": "a"}]}
    assert Problem(network=network) == Problem(network=Network([Node("a")]))


def test_a_metric_may_be_named_alone() -> None:
    energy: Any = "energy"
    assert Problem(minimize=energy).minimize == {"energy": 1.0}
    assert Problem().minimize == {"latency": 1.0}
    assert as_weights(None, {"cost": 2.0}) == {"cost": 2.0}
    assert as_weights({"risk": 3}, {}) == {"risk": 3.0}


def test_replace_validates_anew() -> None:
    problem = from_text(street())
    assert problem.replace(name="x").name == "x"
    assert problem.replace(minimize="cost").minimize == {"cost": 1.0}
    with pytest.raises(InstanceError, match=r"\$\.limits\.cost: must be >= 0, got -1"):
        problem.replace(limits={"cost": -1})
    with pytest.raises(InstanceError, match=r"names no node, got 'cam'; none are defined"):
        problem.replace(network=Network())


def test_a_problem_cannot_be_changed() -> None:
    problem = from_text(street())
    for changed in (problem, problem.network, problem.graph.tasks[0], problem.graph.edges[0]):
        with pytest.raises(AttributeError, match="immutable type"):
            setattr(changed, changed.__struct_fields__[0], "x")


def test_what_the_caller_keeps_is_not_shared() -> None:
    time = {"*": 1.0}
    nodes = [Node("a")]
    problem = Problem(network=Network(nodes), graph=Graph([Task("t", time=time)]))
    time["*"] = -1.0
    nodes.append(Node("a"))
    assert problem.graph.tasks[0].time == {"*": 1.0}
    assert len(problem.network.nodes) == 1


@pytest.mark.parametrize("seed", range(5))
def test_copies_are_equal_and_work(seed: int) -> None:
    problem = draw_problem(seed)
    first = problem.digest
    for again in (copy.copy(problem), copy.deepcopy(problem), pickle.loads(pickle.dumps(problem))):
        assert again == problem
        assert again.digest == first
        assert np.array_equal(again.tables.topological, problem.tables.topological)


def test_tables_and_digest_are_made_once() -> None:
    problem = from_text(street())
    assert problem.tables is problem.tables
    assert problem.digest is problem.digest


# -- the order of tasks ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_the_topological_order_keeps_every_edge(seed: int) -> None:
    rng = random.Random(seed)
    rank = rng.sample(range(30), 30)
    pairs = [(i, j) for i in range(30) for j in range(30) if rank[i] < rank[j]]
    edges = [Edge(f"t{i}", f"t{j}") for i, j in rng.sample(pairs, rng.choice([0, 10, 60, 400]))]
    graph = Graph([Task(f"t{i}", work=1) for i in range(30)], edges)
    src, dst, order = Problem(network=Network([Node("n")]), graph=graph).resolved
    assert sorted(order) == list(range(30))
    assert [(f"t{i}", f"t{j}") for i, j in zip(src, dst, strict=True)] == [
        (edge.src, edge.dst) for edge in edges
    ]
    at = np.argsort(order)
    assert (at[src] < at[dst]).all()


def test_tasks_that_do_not_wait_keep_their_order() -> None:
    tasks = [Task(f"t{i}", work=1) for i in range(6)]
    edges = [Edge("t5", "t0"), Edge("t3", "t1")]
    problem = Problem(network=Network([Node("n")]), graph=Graph(tasks, edges))
    assert problem.resolved.order.tolist() == [2, 3, 4, 5, 1, 0]


def test_a_chain_of_many_tasks_is_no_matter() -> None:
    count = 20_000
    tasks = [Task(f"t{i}", work=1) for i in range(count)]
    edges = [Edge(f"t{i + 1}", f"t{i}") for i in range(count - 1)]
    problem = Problem(network=Network([Node("n")]), graph=Graph(tasks, edges))
    assert problem.resolved.order.tolist() == list(range(count))[::-1]


# -- the package -----------------------------------------------------------------------------------


def test_importing_the_package_loads_no_numpy() -> None:
    script = "import sys, offload; print([m for m in ('numpy', 'msgspec') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_every_public_name_is_there() -> None:
    for name in offload.__all__:
        assert getattr(offload, name) is not None
    assert set(offload.__all__) <= set(dir(offload))
    with pytest.raises(AttributeError, match="module 'offload' has no attribute 'sovle'"):
        offload.sovle  # noqa: B018
