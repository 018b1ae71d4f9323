"""Conflicts in the user's words: every kind of requirement, and where they are told."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path
from typing import Any

import pytest
from command_line import run, street, write

import offload
from offload import Data, Edge, Graph, Group, Link, Network, Node, Problem, Task, registry
from offload.cli.answer import conflict_lines
from offload.conflicts.requirements import KINDS, Conflict, Requirement, Stated
from offload.features import goal_of

TWO = (Node("cam"), Node("hub"))
LINK = Link("cam", "hub", bandwidth=1.0)
ON_CAM, ON_HUB = Task("a", work=1, allow=("cam",)), Task("b", work=1, allow=("hub",))
CAM = [
    "  task 'a' runs only on 'cam'",
    "    $.graph.tasks[0].allow: allow more nodes: that is enough",
]
HUB = [
    "  task 'b' runs only on 'hub'",
    "    $.graph.tasks[1].allow: allow more nodes: that is enough",
]
AT_LEISURE = "-t", "none", "--explain", "none"
BOTH = "no plan keeps both of these; relax one:"
THREE = "no plan keeps all 3 of these; relax one:"
FOUR = "no plan keeps all 4 of these; relax one:"


def reading(deadline: float = 5, **data: Any) -> Problem:
    """A task on the hub that reads ten bytes from the camera."""
    task = Task("b", work=1, allow=("hub",), reads=("map",), deadline=deadline)
    return Problem(
        network=Network((Node("cam"), Node("hub", storage=data.pop("storage", None))), (LINK,)),
        graph=Graph((task,)), data=(Data("map", 10, ("cam",), **data),),
    )  # fmt: skip


def example(
    network: Network, *tasks: Task, edges: Any = (), groups: Any = (), **more: Any
) -> Problem:
    """An instance in one line."""
    return Problem(network=network, graph=Graph(tasks, edges, groups), **more)


READS = [
    "  task 'b' ends by 5 s",
    "    $.graph.tasks[0].deadline: set it later: at least 11 s is needed, 11 s is enough",
    "  task 'b' runs only on 'hub'",
    "    $.graph.tasks[0].allow: allow more nodes: that is enough",
]
HOME = [
    "  data 'map' is at home only on 'cam'",
    "    $.data[0].home: give it further homes: that is enough",
]
EXAMPLES: dict[str, tuple[Problem, list[str]]] = {
    "limit": (
        example(Network((Node("cam"),)), Task("a", work=5), limits={"latency": 3}),
        [
            "no plan keeps this:",
            "  latency is at most 3 s",
            "    $.limits.latency: raise it: at least 5 s is needed, 5 s is enough",
        ],
    ),
    "deadline": (
        example(Network((Node("cam"),)), Task("a", work=4, deadline=3)),
        [
            "no plan keeps this:",
            "  task 'a' ends by 3 s",
            "    $.graph.tasks[0].deadline: set it later: at least 4 s is needed, 4 s is enough",
        ],
    ),
    "allow": (
        example(Network(TWO), ON_CAM, ON_HUB, edges=(Edge("a", "b", 1),)),
        [BOTH, *CAM, *HUB],
    ),
    "together and apart": (
        example(
            Network(TWO, (LINK,)), Task("a", work=1), Task("b", work=1),
            groups=(Group("together", ("a", "b")), Group("apart", ("a", "b"))),
        ),
        [
            BOTH,
            "  tasks 'a', 'b' run on one node",
            "    $.graph.groups[0]: drop the group, or name fewer tasks: that is enough",
            "  tasks 'a', 'b' run on distinct nodes",
            "    $.graph.groups[1]: drop the group, or name fewer tasks: that is enough",
        ],
    ),
    "contiguous": (
        example(
            Network(TWO, (LINK,)), ON_CAM, ON_HUB, Task("c", work=1, allow=("cam",)),
            edges=(Edge("a", "b", 1), Edge("b", "c", 1)),
            groups=(Group("contiguous", ("a", "b", "c")),),
        ),
        [
            FOUR, *CAM, *HUB,
            "  task 'c' runs only on 'cam'",
            "    $.graph.tasks[2].allow: allow more nodes: that is enough",
            "  tasks 'a', 'b', 'c' are contiguous on each node",
            "    $.graph.groups[0]: drop the group, or name fewer tasks: that is enough",
        ],
    ),
    "require": (
        example(
            Network(TWO, (LINK,)), ON_CAM, ON_HUB, edges=(Edge("a", "b", 1, require=("safe",)),)
        ),
        [
            THREE, *CAM, *HUB,
            "  what 'a' sends to 'b' moves only over nodes and links that are tagged 'safe'",
            "    $.graph.edges[0].require: require fewer tags, or tag more nodes and links: "
            "that is enough",
        ],
    ),
    "release": (
        example(Network((Node("cam"),)), Task("a", work=1, release=4, deadline=4.5)),
        [
            BOTH,
            "  task 'a' ends by 4.5 s",
            "    $.graph.tasks[0].deadline: set it later: at least 5 s is needed, 5 s is enough",
            "  task 'a' starts at 4 s or later",
            "    $.graph.tasks[0].release: set it earlier: that is enough",
        ],
    ),
    "memory": (
        example(Network((Node("cam", memory=3e9),)), Task("a", work=1, resident=4e9)),
        [
            "no plan keeps this:",
            "  node 'cam' has 3 GB of memory",
            "    $.network.nodes[0].memory: give it more: that is enough",
        ],
    ),
    "slots": (
        example(
            Network((Node("cam"),)), Task("a", work=1), Task("b", work=1), limits={"latency": 1.5}
        ),
        [
            BOTH,
            "  latency is at most 1.5 s",
            "    $.limits.latency: raise it: at least 2 s is needed, 2 s is enough",
            "  node 'cam' has 1 slot",
            "    $.network.nodes[0].slots: give it more: that is enough",
        ],
    ),
    "at": (
        example(
            Network(TWO, (LINK,)),
            Task("b", work=1, allow=("hub",), at="cam", move_bytes=10, deadline=5),
        ),
        [
            THREE, *READS,
            "  task 'b' is at 'cam', and moves if it leaves",
            "    $.graph.tasks[0].at: let it start elsewhere, or move fewer bytes: that is enough",
        ],
    ),
    "max_copies": (
        reading(),
        [
            FOUR, *READS,
            "  data 'map' has no copies",
            "    $.data[0].max_copies: permit more copies: that is enough",
            *HOME,
        ],
    ),
    "storage": (
        reading(max_copies=1, storage=9.0),
        [
            FOUR, *READS,
            "  node 'hub' has 9 B for copies",
            "    $.network.nodes[1].storage: give it more: that is enough",
            *HOME,
        ],
    ),
    "data allow": (
        reading(max_copies=None, allow=("cam",)),
        [
            FOUR, *READS,
            "  copies of data 'map' are only on 'cam'",
            "    $.data[0].allow: allow more nodes: that is enough",
            *HOME,
        ],
    ),
    "data require": (
        reading(deadline=50, max_copies=None, require=("safe",)),
        [
            THREE, *READS[2:],
            "  data 'map' moves only over nodes and links that are tagged 'safe'",
            "    $.data[0].require: require fewer tags, or tag more nodes and links: "
            "that is enough",
            *HOME,
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_conflicts_is_printed_in_words(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, lines = EXAMPLES[name]
    monkeypatch.chdir(tmp_path)
    write(tmp_path, problem, "x.json")
    outcome = run("solve", "x.json", "-q", *AT_LEISURE)
    assert outcome.status == 1
    headline, by, *shown = outcome.out.splitlines()
    assert headline.startswith("infeasible: ")
    assert by.startswith("by auto in ")
    assert shown == ["", *lines]


@pytest.mark.skipif(
    not any(e.kind == "exact" and "channels" in e.honours for e in registry.entries().values()),
    reason="no exact method honours channels",
)
def test_channels_are_blamed_for_what_waits_for_them() -> None:
    network = Network(
        (Node("cam", slots=2), Node("hub", slots=2)), (Link("cam", "hub", 1.0, channels=1),)
    )
    cam, hub = ("cam",), ("hub",)
    tasks = [Task(name, work=0, allow=cam) for name in "ab"]
    tasks += [Task(name, work=0, allow=hub) for name in "cd"]
    edges = Edge("a", "c", 4), Edge("b", "d", 4)
    problem = example(network, *tasks, edges=edges, limits={"latency": 5})
    conflict = offload.solve(problem, explain=inf).conflict
    assert conflict is not None
    assert {one.kind for one in conflict.requirements} == {"limit", "allow", "channels"}
    assert conflict.requirements[-1].text == "link 'cam' - 'hub' has 1 channel"
    assert conflict.minimal


def test_every_kind_is_told_apart() -> None:
    told = {
        one.kind
        for problem, _ in EXAMPLES.values()
        for one in Stated(problem, goal_of(problem)).all
    }
    assert told == set(KINDS) - {"channels"}


def test_where_no_requirement_is_to_blame_that_is_said() -> None:
    tasks = Task("a", time={"cam": 1}), Task("b", time={"hub": 1})
    problem = example(Network(TWO), *tasks, edges=(Edge("a", "b", 1),), limits={"latency": 9})
    result = offload.solve(problem, explain=inf)
    assert result.status == "infeasible"
    assert result.conflict == Conflict((), minimal=True)
    assert result.conflict.heading == (
        "no plan exists even without limits, deadlines, placement rules and capacities"
    )
    assert result.conflict.heading in str(result)


def test_several_conflicts_at_once_are_said_to_be() -> None:
    tasks = Task("a", work=4, deadline=3), Task("b", work=4, deadline=2)
    result = offload.solve(example(Network((Node("cam"), Node("hub"))), *tasks), explain=inf)
    assert result.conflict is not None
    (one,) = result.conflict.requirements
    assert one.text == "task 'a' ends by 3 s"
    assert one.alone is False
    assert one.fix == (
        "set it later: at least 4 s is needed, other requirements conflict all the same"
    )


# -- where it is told ----------------------------------------------------------------------------


def test_a_conflict_is_in_the_text_the_table_the_file_and_the_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, street())
    result = offload.solve(street(), limits={"latency": 0.5}, explain=inf)
    text = (
        "no plan keeps both of these; relax one: latency is at most 500 ms (limits.latency); "
        "task 'grab' runs only on 'cam' ($.graph.tasks[0].allow)"
    )
    assert str(result).endswith(f"; {text}")
    assert "<li>latency is at most 500 ms (limits.latency): raise it" in result._repr_html_()
    assert result.conflict is not None
    arguments = "street.json", "--limit", "latency=0.5", "--json", "-o", "x.json"
    answer = run("solve", *arguments, *AT_LEISURE).json()
    assert answer["conflict"] == result.conflict.summary()
    assert answer["conflict"]["minimal"] is True
    assert [one["path"] for one in answer["conflict"]["requirements"]] == [
        "limits.latency", "$.graph.tasks[0].allow",
    ]  # fmt: skip
    file = json.loads((tmp_path / "x.json").read_text())
    assert file["result"]["conflict"] == answer["conflict"]
    assert offload.load_plan("x.json", street()).result["conflict"] == answer["conflict"]


def test_an_explanation_can_be_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, street())
    arguments = "solve", "street.json", "--limit", "latency=0.5", "--explain", "0"
    assert len(run(*arguments).out.splitlines()) == 2
    assert run(*arguments, "--json").json()["conflict"] is None
    refused = run(*arguments[:-1], "soon")
    assert refused.status == 2
    assert refused.err.startswith("error: --explain: is no duration, got 'soon'")


def test_a_long_conflict_is_cut() -> None:
    many = tuple(
        Requirement("deadline", f"$.graph.tasks[{i}].deadline", (f"t{i}",), 1.0, (i,))
        for i in range(15)
    )
    lines = conflict_lines(Conflict(many, minimal=False))
    assert lines[0] == "no plan keeps all 15 of these, and perhaps fewer are to blame:"
    assert lines[-2:] == [
        "    $.graph.tasks[11].deadline: set it later",
        "  and 3 more (--json lists them all)",
    ]
    assert str(Conflict(many, minimal=False)).endswith("; and 7 more")
