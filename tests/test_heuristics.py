"""List scheduling and balancing policies: published figures and reference values."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import offload
from offload import registry
from offload.heuristics.policies import load_shares
from offload.heuristics.ranks import OptimisticCosts, upward_ranks

KINDS = ("list", "batch", "policy")
LISTS = [entry.name for entry in registry.entries().values() if entry.kind == "list"]
SIMPLE = [entry.name for entry in registry.entries().values() if entry.kind in KINDS]


@pytest.fixture(scope="module")
def figures(golden: Path) -> dict[str, Any]:
    """Published figures by instance."""
    known: dict[str, Any] = json.loads((golden / "figures.json").read_text())
    return known


# -- published figures ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["topcuoglu-2002", "arabnejad-barbosa-2014"])
def test_list_schedulers_reach_the_published_latencies(
    name: str, instances: Path, figures: dict[str, Any]
) -> None:
    problem = offload.load(instances / f"{name}.json")
    known = {method: figures[name][method] for method in LISTS if method in figures[name]}
    assert known
    found = {method: offload.solve(problem, method).objective for method in known}
    assert found == known


def test_upward_ranks_are_those_of_the_paper(instances: Path, figures: dict[str, Any]) -> None:
    tables = offload.load(instances / "topcuoglu-2002.json").tables
    known = figures["topcuoglu-2002"]["upward_ranks"]
    np.testing.assert_allclose(upward_ranks(tables), known, atol=5e-4)


def test_optimistic_costs_are_those_of_the_paper(instances: Path, figures: dict[str, Any]) -> None:
    tables = offload.load(instances / "arabnejad-barbosa-2014.json").tables
    known = figures["arabnejad-barbosa-2014"]["optimistic_costs_of_entry"]
    np.testing.assert_allclose(OptimisticCosts(tables).row(0), known)


def test_load_shares_are_those_of_their_formula(figures: dict[str, Any]) -> None:
    for known in figures["load_shares"]:
        found = load_shares(known["weights"], known["times"])
        np.testing.assert_allclose(found, known["shares"], rtol=1e-14)


def _against_saga(data: Path, names: list[str]) -> None:
    """HEFT against reference values, for both ways of averaging delays.

    Both references know direct links only; with a reference message of no bytes every route is one.
    """
    results = json.loads((data / "saga" / "results.json").read_text())
    for name in names:
        path = next((data / "saga").glob(f"{name}.json*"))
        problem = offload.load(path)
        network = msgspec.structs.replace(problem.network, reference_bytes=0.0)
        problem = problem.replace(network=network)
        for average in ("paper", "saga"):
            options = {"average": "saga"} if average == "saga" else None
            found = offload.solve(problem, "heft", options=options).objective
            known = results[name][f"ref_heft_{average}"]["makespan"]
            assert found == pytest.approx(known, rel=1e-6), f"{name}, average of {average}"


def test_heft_equals_the_references_on_small_graphs(data: Path) -> None:
    results = json.loads((data / "saga" / "results.json").read_text())
    names = [name for name in results if "n1000" not in name]
    assert len(names) == 33
    _against_saga(data, names)


@pytest.mark.slow
def test_heft_equals_the_references_on_large_graphs(data: Path) -> None:
    results = json.loads((data / "saga" / "results.json").read_text())
    names = [name for name in results if "n1000" in name]
    assert len(names) == 4
    _against_saga(data, names)


def test_heft_equals_the_known_values_on_edge_networks(data: Path) -> None:
    known = json.loads((data / "edge" / "best_known.json").read_text())
    assert len(known) == 28
    for name, values in known.items():
        problem = offload.load(data / "edge" / f"{name}.json")
        result = offload.solve(problem, "heft")
        assert result.objective == pytest.approx(values["heft"], rel=1e-9), name
        assert result.bound is not None
        assert result.bound <= values["makespan"] * (1 + 1e-9), name


# -- whatever the instance -----------------------------------------------------------------------


def test_plans_do_not_depend_on_hash_order(instances: Path) -> None:
    script = """
import sys, offload
for name in ("crossing-12", "saga-rand-n20-m4"):
    problem = offload.load(f"{sys.argv[1]}/{name}.json")
    for method in sys.argv[2:]:
        result = offload.solve(problem, method, seed=3, work_limit=1000)
        parts = result.plan.parts if result.plan is not None else None
        print(name, method, result.objective, parts and [column.tolist() for column in parts])
"""
    command = [sys.executable, "-c", script, str(instances), *SIMPLE]
    printed = [
        subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert printed[0] == printed[1]
    assert printed[0].count("\n") == 2 * len(SIMPLE)
