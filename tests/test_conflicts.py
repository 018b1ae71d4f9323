"""Why there is no plan: conflicts are true and minimal."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterable
from math import inf
from typing import NamedTuple

import pytest
from brute_force import Everything, everything
from command_line import street
from test_exact import case as drawn

import offload
from offload import Edge, Graph, Network, Node, Problem, Task
from offload.conflicts.explaining import explain
from offload.conflicts.quickxplain import quickxplain
from offload.conflicts.requirements import Conflict, Requirement, Stated
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


def test_conflicts_are_true_and_minimal_by_brute_force() -> None:
    found = [conflict for seed in range(12) if (conflict := agrees(seed))]
    assert len(found) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("first", range(12, 172, 20))
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
    for polls in (0, 1, 4, 11, 22, 10**9):
        conflict = explain(made.problem, made.goal, inf, threads=1, cancel=Polls(polls))
        if conflict is not None:
            made.true(conflict)
            found.append(conflict)
    assert len(found) < 6  # no time for a first look: nothing is said
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
    unknown = offload.solve(street(), "heft", limits={"energy": 9.45}, time_limit=1)
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
