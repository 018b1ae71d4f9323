"""Generated families: fixed digests, exact sizes, and scenarios without a degenerate optimum."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from command_line import run

import offload
from offload import OffloadError, Problem, Result
from offload.families import FAMILIES, Family, named, network_of
from offload.features import features_used
from offload.instance_writing import dumps

ROOT = Path(__file__).parents[1]
SIZES = (10, 100, 1000)
LARGER = (100, pytest.param(1000, marks=pytest.mark.slow))
SCENARIOS = [family for family in FAMILIES if family.kind == "scenario"]
SHAPES = [family for family in FAMILIES if family.kind == "random"]
EXACT = {"smart-traffic", "smart-home", "autonomous-driving", *(family.name for family in SHAPES)}

# What a scenario is about, as features of the format, at 100 tasks.
ABOUT = {
    "smart-traffic": {"require", "allow", "slots"},
    "smart-health": {"require", "reads", "release", "deadline", "memory"},
    "smart-home": {"require", "routes", "release"},
    "industrial-iot": {"require", "channels", "deadline"},
    "iot-monitoring": {"channels", "deadline", "routes"},
    "autonomous-driving": {"deadline", "allow"},
    "vr-ar": {"channels", "deadline", "memory"},
}
GOALS = {
    "smart-traffic": {"completion", "cost"}, "smart-health": {"completion", "cost"},
    "smart-home": {"completion", "energy", "cost"}, "industrial-iot": {"period", "latency"},
    "iot-monitoring": {"energy", "latency"}, "autonomous-driving": {"energy", "completion"},
    "vr-ar": {"completion", "energy"},
}  # fmt: skip


@pytest.fixture(scope="module")
def digests(golden: Path) -> Mapping[str, Mapping[str, str]]:
    """Digest by family and size, for seed 0 and the default parameters."""
    text = (golden / "families.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = json.loads(text)
    return found


def by_name(family: Family) -> str:
    """A test's id."""
    return family.name


def free_tiers(problem: Problem, result: Result) -> set[str]:
    """The tiers of the tasks that are bound to no single node."""
    assert result.plan is not None, result.reason
    nodes, ids = problem.network.nodes, {node.id for node in problem.network.nodes}
    placed = zip(problem.graph.tasks, result.plan.nodes.ravel().tolist(), strict=True)
    return {nodes[k].tier for task, k in placed if len(task.allow) > 1 or task.allow[0] not in ids}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("family", FAMILIES, ids=by_name)
def test_a_seed_gives_the_same_instance_always(
    family: Family, size: int, digests: Mapping[str, Mapping[str, str]]
) -> None:
    problem = offload.generate(family.name, size)
    assert len(problem.graph.tasks) == size
    assert problem.digest == digests[family.name][str(size)]
    assert offload.loads(dumps(problem)) == problem


def test_the_golden_digests_are_of_the_families_there_are(
    digests: Mapping[str, Mapping[str, str]],
) -> None:
    assert list(digests) == [family.name for family in FAMILIES]


def test_nothing_depends_on_the_order_of_hashes() -> None:
    code = (
        "import offload\n"
        "from offload.families import FAMILIES\n"
        "print(*(offload.generate(f.name, 60, 7).digest for f in FAMILIES))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(found) == 1


@pytest.mark.parametrize("family", FAMILIES, ids=by_name)
def test_sizes_are_exact_from_the_least_on(family: Family) -> None:
    for size in (*range(family.least, family.least + 30), 77, 233):
        assert len(offload.generate(family.name, size, 3).graph.tasks) == size
    with pytest.raises(OffloadError, match=f"size: must be {family.least} or more for"):
        offload.generate(family.name, family.least - 1)


@pytest.mark.parametrize("family", FAMILIES, ids=by_name)
def test_seeds_differ_and_parameters_are_within_their_own_bounds(family: Family) -> None:
    first, second = (offload.generate(family.name, 40, seed) for seed in (0, 1))
    assert first.digest != second.digest
    for name, parameter in family.parameters.items():
        assert parameter.check(name, parameter.default) == parameter.default
        assert parameter.text
        most = min(parameter.most, 2 * parameter.default + 1)
        low = parameter.least + (0.5 if parameter.beyond else 0)
        for value in (low, most):
            chosen = int(value) if parameter.whole else value
            assert len(offload.generate(family.name, 40, **{name: chosen}).graph.tasks) == 40


@pytest.mark.parametrize("family", FAMILIES, ids=by_name)
def test_an_instance_says_how_it_was_made(family: Family) -> None:
    name = next(iter(family.parameters))
    value = family.parameters[name].default
    problem = offload.generate(family.name, 12, 5, **{name: value})
    assert problem.name == f"{family.name}-12-5"
    assert f"family {family.name}, size 12, seed 5, {name} {value:g}" in problem.source
    assert problem.description == family.model
    assert len(family.description) > 100
    assert ("Sources. " in problem.source) == (family.kind == "scenario")


@pytest.mark.parametrize("family", [f for f in FAMILIES if f.name in EXACT], ids=by_name)
def test_ten_tasks_are_proved_and_no_heuristic_beats_the_proof(family: Family) -> None:
    problem = offload.generate(family.name, 10)
    result = offload.solve(problem, "cpsat", time_limit=120)
    assert result.status == "optimal"
    assert result.objective is not None
    other = offload.solve(problem, "heft")
    assert other.objective is not None
    assert other.objective >= result.objective * (1 - 1e-4)
    if family.kind == "scenario":
        assert len(free_tiers(problem, result)) >= 2


@pytest.mark.parametrize("family", SCENARIOS, ids=by_name)
def test_the_best_plan_of_ten_tasks_uses_two_tiers(family: Family) -> None:
    """By local search from the best heuristic; the choice of tiers holds without what is pinned."""
    problem = offload.generate(family.name, 10)
    best = offload.solve(problem, "best-of", time_limit=None)
    result = offload.solve(problem, "anneal", work_limit=3000, time_limit=None, start=best.plan)
    assert len(free_tiers(problem, result)) >= 2
    assert result.plan is not None
    assert offload.check(problem, result.plan) == []


@pytest.mark.parametrize("size", LARGER)
@pytest.mark.parametrize("family", SCENARIOS, ids=by_name)
def test_larger_scenarios_solve_check_and_use_two_tiers(family: Family, size: int) -> None:
    problem = offload.generate(family.name, size)
    result = offload.solve(problem, "heft", time_limit=None)
    if size == 100:
        result = offload.solve(
            problem, "anneal", work_limit=2000, time_limit=None, start=result.plan
        )
    assert len(free_tiers(problem, result)) >= 2
    assert result.plan is not None
    assert offload.check(problem, result.plan) == []


@pytest.mark.parametrize("size", LARGER)
@pytest.mark.parametrize("family", SHAPES, ids=by_name)
def test_larger_shapes_solve_and_check(family: Family, size: int) -> None:
    problem = offload.generate(family.name, size)
    result = offload.solve(problem, "heft", time_limit=None)
    assert result.plan is not None
    assert offload.check(problem, result.plan) == []
    assert result.bound is not None
    assert 0 < result.bound <= (result.objective or 0)


@pytest.mark.parametrize("family", SCENARIOS, ids=by_name)
def test_a_scenario_uses_what_makes_it_itself(family: Family) -> None:
    problem = offload.generate(family.name, 100)
    assert ABOUT[family.name] <= set(features_used(problem))
    assert set(problem.minimize) == GOALS[family.name]


@pytest.mark.parametrize("family", SCENARIOS, ids=by_name)
def test_no_cloud_is_free_unlimited_or_near(family: Family) -> None:
    problem = offload.generate(family.name, 100)
    clouds = [node for node in problem.network.nodes if node.tier == "cloud"]
    assert clouds
    for cloud in clouds:
        assert cloud.price > 0
        assert cloud.slots < 100
        assert cloud.memory is not None
        touching = [link for link in problem.network.links if cloud.id in (link.src, link.dst)]
        assert all(link.latency >= 0.005 and link.bandwidth is not None for link in touching)
        assert any(link.price > 0 for link in touching if link.src == cloud.id)
    assert {node.tier for node in problem.network.nodes} == {"device", "edge", "cloud"}


def test_names_of_patients_reach_no_machine_outside_their_hospital() -> None:
    problem = offload.generate("smart-health", 600)
    tags = {node.id: set(node.tags) for node in problem.network.nodes}
    assert tags["cloud"] == set()
    assert tags["region"] == {"pseudonymous"}
    hospitals = {tag for found in tags.values() for tag in found if tag.startswith("identified")}
    assert len(hospitals) == 2
    assert all(len(found & hospitals) <= 1 for found in tags.values())
    assert all(len(item.require) == 1 and item.require[0] in hospitals for item in problem.data)
    raw = [edge for edge in problem.graph.edges if edge.src.startswith("acquire")]
    assert raw
    assert all(set(edge.require) <= hospitals and edge.require for edge in raw)


def test_pictures_of_a_street_stay_there_and_of_a_home_too() -> None:
    street = offload.generate("smart-traffic", 100)
    assert all("street" in e.require for e in street.graph.edges if e.src.startswith("grab"))
    home = offload.generate("smart-home", 100)
    frames = [edge for edge in home.graph.edges if edge.src.startswith("motion")]
    assert frames
    assert all(edge.require and edge.require[0].startswith("home-") for edge in frames)


def test_a_headset_can_neither_render_nor_recognise_in_time() -> None:
    problem = offload.generate("vr-ar", 30)
    speed = {node.id: node.speed for node in problem.network.nodes}
    tasks = {task.id: task for task in problem.graph.tasks}
    for prefix, last in (("render", "show"), ("recognise", "overlay")):
        slow, end = tasks[f"{prefix}-0"], tasks[f"{last}-0"]
        assert slow.work is not None
        assert end.deadline is not None
        assert slow.work / speed["headset-0.0"] > end.deadline


@pytest.mark.parametrize("name", ["edge-3tier", *(family.name for family in SCENARIOS)])
def test_networks_of_scenarios_take_tasks_that_come_without_one(name: str, tmp_path: Path) -> None:
    path = tmp_path / "two.stg"
    path.write_text(" 2\n 0 0 0\n 1 5 1 0\n 2 3 1 1\n 3 0 1 2\n", encoding="utf-8")
    problem = offload.convert(path, "stg", family=name)
    assert problem.network == network_of(name)
    assert {node.tier for node in problem.network.nodes} == {"device", "edge", "cloud"}
    assert offload.solve(problem, "heft").status in ("optimal", "feasible")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"family": "smart-trafic"},
            "family: must be one of smart-traffic, .*'smart-trafic'; did you mean 'smart-traffic'",
        ),
        ({"family": "layered", "size": 2.5}, "size: must be a whole number, got 2.5"),
        ({"family": "layered", "size": 10**7}, "size: must be at most 1000000, got 10000000"),
        ({"family": "layered", "seed": -1}, "seed: must be 0 or more for layered, got -1"),
        ({"family": "layered", "crr": 1}, "layered: has no parameter 'crr'; did you mean 'ccr'"),
        ({"family": "layered", "ccr": -1}, "layered: ccr: must be 0 or more, got -1"),
        ({"family": "layered", "ccr": float("nan")}, "layered: ccr: must be a number, got nan"),
        ({"family": "layered", "ccr": float("inf")}, "layered: ccr: must be 0 or more, got inf"),
        ({"family": "layered", "ccr": "1"}, "layered: ccr: must be a number, got '1'"),
        ({"family": "layered", "degree": 1.5}, "layered: degree: must be a whole number, got 1.5"),
        ({"family": "layered", "heterogeneity": 2}, "must be 0 or more and at most 1.9, got 2"),
        ({"family": "layered", "alpha": 0}, "alpha: must be above 0 and at most 100, got 0"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(OffloadError, match=message):
        offload.generate(**arguments)  # type: ignore[arg-type]


def test_unknown_names_of_networks_and_families_are_named() -> None:
    with pytest.raises(OffloadError, match="got 'edge-3tiers'; did you mean 'edge-3tier'"):
        network_of("edge-3tiers")
    with pytest.raises(OffloadError, match="family: no network of that name, got 'layered'"):
        network_of("layered")
    with pytest.raises(OffloadError, match="got 'vrar'; did you mean 'vr-ar'"):
        named("vrar")


@pytest.mark.parametrize("family", SCENARIOS, ids=by_name)
def test_each_scenario_has_a_page_with_its_parameters_and_commands_that_run(
    family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "scenarios" / f"{family.name}.md").read_text(encoding="utf-8")
    for name, parameter in family.parameters.items():
        row = f"| `{name}` | {parameter} | {parameter.range()} | {parameter.text} |"
        assert row in page
    monkeypatch.chdir(tmp_path)
    generated = re.findall(r"^offload (generate [^|\n]*)", page, re.MULTILINE)
    assert len(generated) >= 2
    for line in generated:
        outcome = run(*line.split())
        assert (outcome.status, outcome.err) == (0, ""), line
    assert offload.load(f"{family.name}.json") == offload.generate(family.name, 100, 1)
