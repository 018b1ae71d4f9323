"""compare(): several methods on one instance, side by side."""

from __future__ import annotations

import threading
from pathlib import Path

import pandas as pd
import pytest

import offload
from offload import Graph, Network, Node, Problem, Task, registry
from offload.problem import METRICS

COLUMNS = ["method", "status", "objective", "bound", "gap", "seconds", "stopped", "reason"]


@pytest.fixture(scope="module")
def table(instances: Path) -> pd.DataFrame:
    """All methods on the example of the HEFT paper."""
    return offload.compare(offload.load(instances / "topcuoglu-2002.json"), time_limit=5)


def test_all_methods_are_compared_best_first(table: pd.DataFrame) -> None:
    assert list(table.columns) == [*COLUMNS, *METRICS]
    for_latency = [e.name for e in registry.entries().values() if not e.goals - {"latency"}]
    assert sorted(table["method"]) == sorted(for_latency)
    assert table["objective"].is_monotonic_increasing
    assert table["objective"].iloc[0] == pytest.approx(73)
    by_method = table.set_index("method")
    assert by_method.loc["heft", "objective"] == 80
    assert by_method.loc["cpop", "objective"] == 86
    assert (table["latency"] == table["objective"]).all()


def test_gaps_are_to_the_best_bound_of_all(table: pd.DataFrame) -> None:
    by_method = table.set_index("method")
    assert table.attrs["bound"] == pytest.approx(73, rel=1e-4)
    assert 54 <= by_method.loc["heft", "bound"] <= 73
    assert by_method.loc["heft", "gap"] == pytest.approx((80 - 73) / 80, rel=1e-3)
    assert by_method.loc["cpsat", "gap"] == pytest.approx(0, abs=1e-4)


def test_methods_that_do_not_honour_the_instance_are_left_out() -> None:
    nodes = (Node("a", slots=2), Node("b"))
    link = offload.Link("a", "b", bandwidth=1, channels=1)
    problem = Problem(network=Network(nodes, (link,)), graph=Graph((Task("t", work=1),)))
    table = offload.compare(problem)
    left_out = table.attrs["left_out"]
    assert left_out["milp"] == ["channels"]
    assert set(table["method"]) | set(left_out) == set(registry.entries())
    assert not set(table["method"]) & set(left_out)


def test_a_method_that_was_named_is_not_left_out() -> None:
    link = offload.Link("a", "b", bandwidth=1, channels=1)
    network = Network((Node("a"), Node("b")), (link,))
    problem = Problem(network=network, graph=Graph((Task("t", work=1),)))
    with pytest.raises(offload.Unsupported, match="'milp' does not honour: channels"):
        offload.compare(problem, ["heft", "milp"])


def test_methods_without_a_plan_come_last() -> None:
    # Three tasks of 2 s on two nodes need 4 s, though their work alone would take 3 s.
    tasks = tuple(Task(f"t{i}", work=2) for i in range(3))
    nodes = (Node("edge"), Node("cloud", tier="cloud"))
    problem = Problem(network=Network(nodes), graph=Graph(tasks))
    table = offload.compare(problem, ["cloud", "heft"], limits={"latency": 3.5})
    assert list(table["status"]) == ["unknown", "unknown"]
    assert table["objective"].isna().all()
    assert table["reason"].str.contains("latency").all()


def test_an_objective_of_zero_has_no_gap() -> None:
    problem = Problem(network=Network((Node("a"),)), graph=Graph((Task("t", work=1),)))
    table = offload.compare(problem, ["heft", "cpsat"], minimize="tardiness")
    assert table["objective"].tolist() == [0, 0]
    assert table["gap"].tolist() == [0, 0]


def test_cancelled_before_it_begins_nothing_is_compared() -> None:
    cancel = threading.Event()
    cancel.set()
    problem = Problem(network=Network((Node("a"),)), graph=Graph((Task("t", work=1),)))
    table = offload.compare(problem, cancel=cancel)
    assert table.empty
    assert list(table.columns) == [*COLUMNS, *METRICS]


def test_an_unknown_method_is_named() -> None:
    problem = Problem(network=Network((Node("a"),)), graph=Graph((Task("t", work=1),)))
    with pytest.raises(offload.OffloadError, match="unknown method, got 'hft'"):
        offload.compare(problem, ["heft", "hft"])


def test_progress_names_the_method(instances: Path) -> None:
    heard: list[offload.Progress] = []
    problem = offload.load(instances / "topcuoglu-2002.json")
    offload.compare(problem, ["heft", "local"], on_progress=heard.append)
    assert {progress.method for progress in heard} == {"heft", "local"}
