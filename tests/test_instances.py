"""The instances in the repository: they load, say where they come from, and can be made again."""

from __future__ import annotations

import importlib
import json
import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

import offload
from offload.checker import check
from offload.features import features_used
from offload.files import dumps
from offload.plan_files import load_plan
from offload.problem import Problem
from offload.solver import solve

ROOT = Path(__file__).resolve().parent.parent
INSTANCES = ROOT / "instances"
GOLDEN = Path(__file__).parent / "golden"
DATA = Path(os.environ.get("OFFLOAD_DATA") or ROOT.parent / "shared" / "data")

FILES = sorted(INSTANCES.glob("*.json"))
NAMES = [path.stem for path in FILES]
WITHOUT_DATA = ("papers", "crossing_12", "crossing_40", "models")
SCRIPTS = (*WITHOUT_DATA, "dagbench", "bert24", "melbourne", "polska", "published")
LARGEST, ALTOGETHER = 300_000, 1_500_000  # bytes

# Tasks, edges, nodes, links, as the sources state them: the papers, DAGBench's metadata files, the
# figures of SNDlib (12 cities, 18 links) and of NeurIPS 2020, the names of the edge and SAGA sets.
# A graph with a link between each two of k nodes has k (k - 1) / 2, one way each k (k - 1).
STATED = {
    "topcuoglu-2002": (10, 15, 3, 3),
    "arabnejad-barbosa-2014": (10, 15, 3, 3),
    "sleipnir-chess": (20, 19, 3, 3),
    "sleipnir-facerecognizer": (5, 5, 3, 3),
    "mtec-video-analytics": (7, 8, 4, 6),
    "ml-surveillance-pipeline": (7, 6, 7, 21),
    "fft-16": (64, 80, 4, 6),
    "cholesky-6": (56, 85, 4, 6),
    "gpt2-decode-12-shards": (327, 614, 12, 66),
    "bert24-layers": (32, 55, 7, 21),
    "polska-service-chains": (6 * 5, 6 * 4, 12, 18),
    "melbourne-edge-users": (30 * 3, 30 * 2, 30 + 11 + 2, None),
    "crossing-12": (12, None, 3 + 3, None),
    "crossing-40": (40, None, 8 + 6, None),
    "resnet50-blocks": (18 + 2, 18 + 1, 3, 2),
    "decoder12-pipeline": (13 + 2, 13 + 1, 5, 5),
    "edge-n20-m10-ccr10": (20, None, 10, 90),
    "edge-n40-m6-ccr10": (40, None, 6, 30),
    "saga-rand-n20-m4": (20, None, 4, 6),
    "saga-layered-n100-m8": (100, None, 8, 28),
}
CROSSING = {
    "slots", "memory", "resident", "allow", "require", "together", "apart", "release", "deadline",
    "items", "routes", "limits",
}  # fmt: skip


def counts(problem: Problem) -> tuple[int, int, int, int]:
    graph, network = problem.graph, problem.network
    return len(graph.tasks), len(graph.edges), len(network.nodes), len(network.links)


def load(name: str) -> Problem:
    return offload.load(INSTANCES / f"{name}.json")


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the scripts importable, as they import each other."""
    monkeypatch.syspath_prepend(str(INSTANCES / "make"))


def script(name: str) -> ModuleType:
    """A script's module; without the data or package that it needs, the test is skipped."""
    if name not in WITHOUT_DATA and not DATA.is_dir():
        pytest.skip(f"the benchmark data is not at {DATA}; set OFFLOAD_DATA")
    if name == "models":
        pytest.importorskip("torch", reason="PyTorch is not installed (extra models)")
    return importlib.import_module(name)


def test_every_file_is_stated_here_and_pinned() -> None:
    golden = json.loads((GOLDEN / "instances.json").read_text(encoding="utf-8"))
    assert set(NAMES) == set(STATED) == set(golden)


@pytest.mark.parametrize("name", NAMES)
def test_file_is_written_as_save_writes_it(name: str) -> None:
    text = (INSTANCES / f"{name}.json").read_text(encoding="utf-8")
    assert dumps(offload.loads(text)) == text


@pytest.mark.parametrize("name", NAMES)
def test_text_names_the_instance_its_source_and_its_licence(name: str) -> None:
    problem = load(name)
    assert problem.name == name
    assert len(problem.description) > 40
    assert re.search(r"\blicence\b.*\b(MIT|Apache-2\.0)\b", problem.source)
    for text in re.findall(r"licences/[\w.-]+\.txt", problem.source):
        assert (INSTANCES / text).is_file()


@pytest.mark.parametrize("name", NAMES)
def test_counts_are_those_of_the_source(name: str) -> None:
    found = counts(load(name))
    assert [f for f, s in zip(found, STATED[name], strict=True) if s is not None] == [
        s for s in STATED[name] if s is not None
    ]


@pytest.mark.parametrize("name", NAMES)
def test_digest_is_the_pinned_one(name: str) -> None:
    pinned: dict[str, Any] = json.loads((GOLDEN / "instances.json").read_text("utf-8"))[name]
    problem = load(name)
    assert problem.digest == pinned.pop("digest")
    assert dict(zip(("tasks", "edges", "nodes", "links"), counts(problem), strict=True)) == pinned


def test_readme_has_a_row_with_the_counts_of_every_file() -> None:
    text = (INSTANCES / "README.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| \[([\w-]+)\.json\]\(\1\.json\) \|.+?\| (\d+)/(\d+)/(\d+) \|", text, re.M
    )
    found = {name: tuple(map(int, numbers)) for name, *numbers in rows}
    assert found == {name: counts(load(name))[:3] for name in NAMES}


def test_files_are_small() -> None:
    sizes = [path.stat().st_size for path in FILES]
    assert max(sizes) <= LARGEST
    assert sum(sizes) <= ALTOGETHER


@pytest.mark.parametrize("name", NAMES)
def test_memory_holds_some_placement(name: str) -> None:
    """First fit, the tasks with the fewest places first, leaves each its working memory."""
    tables = load(name).tables
    held, most = np.zeros(tables.nodes), np.zeros(tables.nodes)
    places = [np.flatnonzero(row) for row in tables.allowed_table]
    for task in sorted(range(tables.tasks), key=lambda i: len(places[i])):
        nodes = places[task]
        resident = held[nodes] + tables.resident_of(task, nodes)
        working = np.maximum(most[nodes], tables.memory_of(task, nodes))
        fits = np.flatnonzero(resident + working <= tables.memory_capacity[nodes])
        assert len(fits), tables.task_ids[task]
        held[nodes[fits[-1]]], most[nodes[fits[-1]]] = resident[fits[-1]], working[fits[-1]]


@pytest.mark.usefixtures("scripts")
@pytest.mark.parametrize("name", SCRIPTS)
def test_script_makes_the_files_again(name: str) -> None:
    made = list(script(name).make(DATA))
    assert made
    for problem in made:
        text = (INSTANCES / f"{problem.name}.json").read_text(encoding="utf-8")
        assert dumps(problem) == text


@pytest.mark.usefixtures("scripts")
def test_every_file_has_a_script() -> None:
    made = {problem.name for name in SCRIPTS for problem in script(name).make(DATA)}
    assert made == set(NAMES)


@pytest.mark.usefixtures("scripts")
def test_dagbench_metadata_states_the_same_counts() -> None:
    module = script("dagbench")
    for entry in (*module.ENTRIES, module.GPT2):
        text = (DATA / "dagbench" / entry.path / "metadata.yaml").read_text(encoding="utf-8")
        stated = [
            int(number)
            for field in ("num_tasks", "num_edges", "num_nodes_min")
            for number in re.findall(rf"^  {field}: (\d+)$", text, re.M)
        ]
        assert list(counts(load(entry.name))[:3]) == stated, entry.name


@pytest.mark.usefixtures("scripts")
def test_radio_rate_is_the_published_one() -> None:
    """86.4386 Mb/s at 50 m, to the kB/s that the file is rounded to."""
    rate = importlib.import_module("melbourne").rate(50.0)
    assert rate == pytest.approx(86.4386e6 / 8, abs=500)


def tiers(problem: Problem, nodes: NDArray[np.int32]) -> set[str]:
    return {problem.network.nodes[k].tier for k in set(nodes.ravel().tolist())}


def without_memory_limits(problem: Problem) -> Problem:
    nodes = tuple(msgspec.structs.replace(n, memory=None) for n in problem.network.nodes)
    return problem.replace(network=msgspec.structs.replace(problem.network, nodes=nodes))


def test_crossing_12_uses_what_it_says_and_nothing_beyond() -> None:
    assert set(features_used(load("crossing-12"))) == CROSSING


def test_best_plan_of_crossing_12_uses_device_edge_and_cloud() -> None:
    problem = load("crossing-12")
    result = solve(problem, method="cpsat", time_limit=120)
    assert result.status == "optimal"
    assert result.objective == pytest.approx(0.8218356, rel=1e-4)
    assert result.plan is not None
    assert tiers(problem, result.plan.nodes) == {"device", "edge", "cloud"}
    assert result.plan.metrics["energy"] <= problem.limits["energy"]


def test_energy_limit_of_crossing_12_changes_the_plan() -> None:
    problem = load("crossing-12")
    result = solve(problem, method="cpsat", limits={}, time_limit=120)
    assert result.status == "optimal"
    assert result.objective == pytest.approx(0.7687306, rel=1e-4)
    assert result.plan is not None
    assert result.plan.metrics["energy"] > problem.limits["energy"]


def test_memory_limits_of_crossing_12_change_the_plan() -> None:
    result = solve(without_memory_limits(load("crossing-12")), method="cpsat", time_limit=120)
    assert result.status == "optimal"
    assert result.objective == pytest.approx(0.8196156, rel=1e-4)


def test_crossing_40_adds_contention_and_nothing_else() -> None:
    problem = load("crossing-40")
    assert set(features_used(problem)) == CROSSING | {"channels"}
    assert any(link.duplex == "half" and link.channels == 1 for link in problem.network.links)


def test_best_plan_of_resnet_50_uses_device_edge_and_cloud() -> None:
    result = solve(load("resnet50-blocks"), method="cpsat", time_limit=120)
    assert result.status == "optimal"
    assert result.objective == pytest.approx(0.050086, rel=1e-4)
    assert result.plan is not None
    assert tiers(result.plan.problem, result.plan.nodes) == {"device", "edge", "cloud"}


def test_plan_of_crossing_40_within_its_limits_is_known() -> None:
    problem = load("crossing-40")
    plan = load_plan(GOLDEN / "crossing-40-plan.json", problem)
    assert check(problem, plan) == []
    assert plan.metrics["latency"] == pytest.approx(0.9644181, abs=1e-6)
    assert tiers(problem, plan.nodes) == {"device", "edge", "cloud"}
