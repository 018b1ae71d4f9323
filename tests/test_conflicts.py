"""Why there is no plan: conflicts are true, minimal, and told in the user's words."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterable
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from brute_force import Everything, everything
from command_line import run, street, write
from test_exact import case as drawn

import offload
from offload import Data, Edge, Graph, Group, Link, Network, Node, Problem, Task, registry
from offload.conflicts.explaining import explain
from offload.conflicts.quickxplain import quickxplain
from offload.conflicts.requirements import KINDS, Conflict, Requirement, Stated
from offload.features import FEATURES, Goal, goal_of

# What brute force over placements and orders decides.
DECIDED = frozenset(FEATURES) - {
    "channels", "reads", "moves", "modes", "codecs", "copies", "splitting", "serial-io",
}  # fmt: skip


# -- the search ----------------------------------------------------------------------------------


def test_quickxplain_finds_minimal_parts_and_prefers_the_first() -> None:
    dice = random.Random(5)
    for _ in range(200):
        members = list(range(dice.randint(1, 12)))
        cores = [set(dice.sample(members, dice.randint(1, len(members)))) for _ in range(3)]

        def inconsistent(part: list[int], cores: list[set[int]] = cores) -> bool:
            return any(core <= set(part) for core in cores)

        found = set(quickxplain(members, inconsistent))
        assert inconsistent(list(found))
        assert not any(inconsistent(list(found - {n})) for n in found)
        # The last of it is the first that makes the beginning of the list inconsistent.
        assert max(found) == min(max(core) for core in cores)


def test_quickxplain_takes_few_looks() -> None:
    looks = 0

    def inconsistent(part: list[int]) -> bool:
        nonlocal looks
        looks += 1
        return {3, 700} <= set(part)

    assert quickxplain(range(1000), inconsistent) == [3, 700]
    assert looks <= 50


def test_quickxplain_blames_nothing_where_what_is_given_is_inconsistent() -> None:
    assert quickxplain([1, 2], lambda part: 9 in part, given=[9]) == []


# -- against brute force -------------------------------------------------------------------------


class Case(NamedTuple):
    """A tiny instance without a plan, and its requirements."""

    problem: Problem
    goal: Goal
    stated: Stated

    def left(self, kept: Iterable[Requirement]) -> tuple[Everything, dict[str, float]]:
        """All plans of the instance with some requirements alone, and the limits among those."""
        names = {one.path for one in kept}
        problem, goal = self.stated.without([o for o in self.stated.all if o.path not in names])
        return everything(problem), goal.limits

    def least(self, kept: Iterable[Requirement], metric: str = "latency") -> float:
        """The best value of a metric with some requirements alone; infinite without a plan."""
        plans, limits = self.left(kept)
        best = plans.best({metric: 1.0}, limits)
        return inf if best is None else best.value

    def true(self, conflict: Conflict) -> None:
        """The requirements alone leave no plan; without any one of them, if minimal, they do."""
        blamed = conflict.requirements
        assert self.least(blamed) == inf, conflict
        if conflict.minimal:
            for one in blamed:
                assert self.least([o for o in blamed if o != one]) < inf, (str(one), conflict)


def case(seed: int) -> Case | None:
    """A drawn instance under hard limits, if it has no plan."""
    dice = random.Random(f"conflict {seed}")
    problem, _, limits, _ = drawn(seed, DECIDED)
    limits = {metric: limit * dice.choice([0.3, 0.6, 0.9]) for metric, limit in limits.items()}
    if everything(problem).best({"latency": 1.0}, limits) is not None:
        return None
    goal = goal_of(problem, None, limits)
    return Case(problem, goal, Stated(problem, goal))


def explained(case: Case) -> Conflict:
    """The conflict that a solve without limits of time finds."""
    result = offload.solve(
        case.problem, "cpsat", case.goal.minimize, case.goal.limits, None, threads=2, explain=inf
    )
    assert result.status == "infeasible"
    assert result.conflict is not None
    return result.conflict


def agrees(seed: int) -> Conflict | None:
    """Compare everything that is claimed of an instance with brute force."""
    made = case(seed)
    if made is None:
        return None
    conflict = explained(made)
    assert conflict.minimal, f"instance {seed}: {conflict}"
    made.true(conflict)
    for one in conflict.requirements:
        others = [other for other in made.stated.all if other.path != one.path]
        metric = one.items[0] if one.kind == "limit" else "latency"
        least = made.least(others, metric)
        assert one.alone == (least < inf), f"instance {seed}: {one}"
        if one.kind == "limit" and one.alone:
            assert one.least is None or one.value < one.least <= least * (1 + 1e-9)
            assert one.enough is not None
            assert least * (1 - 1e-9) <= one.enough <= least * (1 + 2e-3)
    return conflict


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_conflicts_are_true_and_minimal_by_brute_force(first: int) -> None:
    found = [conflict for seed in range(first, first + 20) if (conflict := agrees(seed))]
    assert len(found) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("first", range(60, 360, 20))
def test_conflicts_are_true_and_minimal_by_brute_force_on_many(first: int) -> None:
    found = [conflict for seed in range(first, first + 20) if (conflict := agrees(seed))]
    assert found


class Polls(threading.Event):
    """Is set after it has been asked so many times."""

    def __init__(self, polls: int) -> None:
        super().__init__()
        self.polls = polls

    def is_set(self) -> bool:
        """Count down."""
        self.polls -= 1
        return self.polls < 0


def test_a_search_that_is_cut_short_claims_less_and_nothing_wrong() -> None:
    made = case(16)  # five requirements of four kinds
    assert made is not None
    found = []
    for polls in (0, 1, 2, 4, 7, 11, 16, 22, 30, 10**9):
        conflict = explain(made.problem, made.goal, inf, threads=1, cancel=Polls(polls))
        if conflict is not None:
            made.true(conflict)
            found.append(conflict)
    assert len(found) < 10  # no time for a first look: nothing is said
    assert not found[0].minimal
    assert len(found[0].requirements) == len(made.stated.all)
    assert found[-1].minimal
    assert len(found[-1].requirements) == 5


def test_no_time_is_no_explanation() -> None:
    result = offload.solve(street(), limits={"latency": 0.5}, explain=0)
    assert (result.status, result.conflict) == ("infeasible", None)
    now = time.monotonic()
    assert explain(street(), goal_of(street(), None, {"latency": 0.5}), now - 1) is None


def test_explain_must_be_a_time() -> None:
    with pytest.raises(offload.OffloadError, match=r"explain: must be >= 0.0, got -1"):
        offload.solve(street(), explain=-1)


def test_nothing_is_explained_where_there_is_a_plan_or_no_proof() -> None:
    assert offload.solve(street()).conflict is None
    unknown = offload.solve(street(), "heft", limits={"energy": 9.45})
    assert (unknown.status, unknown.conflict) == ("unknown", None)


def test_compare_explains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offload.conflicts.explaining.explain", None)  # a call would fail
    table = offload.compare(street(), ["heft", "cpsat"], limits={"latency": 0.5})
    assert set(table["status"]) == {"infeasible"}


def test_what_is_kept_by_rounding_alone_is_not_blamed() -> None:
    # 0.1 + 0.2 is above 0.3 in floats, within the checker's tolerance.
    tasks = Task("a", work=0.1), Task("b", work=0.2, deadline=0.3)
    graph = Graph(tasks, (Edge("a", "b"),))
    problem = Problem(network=Network((Node("n", busy_power=1),)), graph=graph)
    assert offload.solve(problem, "cpsat").status == "optimal"
    result = offload.solve(problem, "cpsat", limits={"energy": 0.29}, explain=inf)
    assert result.conflict is not None
    assert [one.path for one in result.conflict.requirements] == ["limits.energy"]
    late = problem.replace(
        graph=Graph((tasks[0], Task("b", work=0.2, deadline=0.2999)), graph.edges)
    )
    blamed = offload.solve(late, "cpsat", explain=inf).conflict
    assert blamed is not None
    assert [one.path for one in blamed.requirements] == ["$.graph.tasks[1].deadline"]


# -- every kind of requirement, in words ---------------------------------------------------------

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
    from offload.cli.answer import conflict_lines

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
