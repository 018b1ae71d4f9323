"""Tables of a batch, by numbers worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import offload
from offload import METRICS, Batch, OffloadError


def row(
    instance: str, method: str, objective: float | None, seconds: float = 1.0,
    bound: float | None = None, **other: Any,
) -> dict[str, Any]:  # fmt: skip
    """A result as it is read from a file."""
    proved = objective is not None and objective == bound
    status = "optimal" if proved else "failed" if objective is None else "feasible"
    return {
        "instance": instance, "method": method, "seed": 0, "status": status, "failure": None,
        "objective": objective, "bound": bound, "gap": None, "seconds": seconds,
        "cpu_seconds": seconds, "memory": 1e8, "stopped": None, "reason": None,
        **dict.fromkeys(METRICS), "tasks": 2, "nodes": 2, "minimize": '{"latency": 1.0}',
        "limits": "{}", "settings": '{"time_limit": 10}', "versions": '{"offload": "1"}',
        "digest": f"sha256:{instance}", "path": f"{instance}.json", "file": f"{instance}.{method}",
        **other,
    }  # fmt: skip


@pytest.fixture
def batch() -> Batch:
    """a: 10 against 20 and 10; b: 30 against 30, the third fails; c: only the second."""
    return Batch([
        row("a", "one", 10.0, 3.0, 10.0), row("a", "two", 20.0, 1.0, 8.0),
        row("a", "three", 10.0, 6.0, 10.0), row("b", "one", 30.0, 7.0, 24.0),
        row("b", "two", 30.0, 1.0), row("b", "three", None, 9.0), row("c", "one", None, 1.0),
        row("c", "two", 5.0, 1.0, 0.0), row("c", "three", None, 1.0),
    ])  # fmt: skip


def test_ranking(batch: Batch) -> None:
    table = batch.ranking().set_index("method")
    assert list(table.index) == ["two", "one", "three"]
    assert table["plans"].to_dict() == {"two": 3, "one": 2, "three": 1}
    assert table["optimal"].to_dict() == {"two": 0, "one": 1, "three": 1}
    assert table["best"].to_dict() == {"two": 2, "one": 2, "three": 1}
    assert table.loc["two", "ratio"] == pytest.approx(2 ** (1 / 3))
    assert table["worst"].to_dict() == {"two": 2.0, "one": 1.0, "three": 1.0}
    # Gaps to the best bounds, 10, 24 and 0: (1/2 + 1/5 + 1) / 3 and (0 + 1/5) / 2.
    assert table.loc["two", "gap"] == pytest.approx(1.7 / 3)
    assert table.loc["one", "gap"] == pytest.approx(0.1)
    assert table.loc["one", "seconds"] == pytest.approx(11 / 3)
    assert table.loc["one", "shifted_seconds"] == pytest.approx((4 * 8 * 2) ** (1 / 3) - 1)


def test_instances(batch: Batch) -> None:
    table = batch.instances().set_index("instance")
    assert table["best"].to_dict() == {"a": 10.0, "b": 30.0, "c": 5.0}
    assert table["by"].to_dict() == {"a": "one", "b": "one", "c": "two"}
    assert table["bound"].to_dict() == {"a": 10.0, "b": 24.0, "c": 0.0}
    assert table["gap"].tolist() == pytest.approx([0.0, 0.2, 1.0])
    assert table.loc["b", "one seconds"] == 7.0
    assert math.isnan(table.loc["c", "three objective"])


def test_profiles_of_plans_and_of_times_to_a_proof(batch: Batch) -> None:
    steps = {
        name: list(zip(part["ratio"], part["share"], strict=True))
        for name, part in batch.profiles().groupby("method")
    }
    assert steps["one"] == [(1.0, pytest.approx(2 / 3))]
    assert steps["two"] == [(1.0, pytest.approx(2 / 3)), (2.0, 1.0)]
    assert steps["three"] == [(1.0, pytest.approx(1 / 3))]
    times = batch.profiles("seconds")
    assert times.loc[times["method"] == "one", "share"].tolist() == [pytest.approx(1 / 3)]
    assert times.loc[times["method"] == "two", "share"].tolist() == [0.0]
    assert times.loc[times["method"] == "three", "ratio"].tolist() == [1.0, 2.0]
    with pytest.raises(OffloadError, match="measure: must be one of objective, seconds, got 'x'"):
        batch.profiles("x")


def test_objectives_of_zero_have_a_ratio() -> None:
    made = Batch([row("a", "one", 0.0, bound=0.0), row("a", "two", 3.0, bound=0.0)])
    table = made.ranking().set_index("method")
    assert table.loc["one", ["ratio", "worst", "gap"]].tolist() == [1.0, 1.0, 0.0]
    assert math.isnan(table.loc["two", "ratio"])
    assert made.instances()["gap"].tolist() == [0.0]


def test_the_settings_that_set_results_of_one_method_apart_are_in_its_name() -> None:
    made = Batch([
        row("a", "one", 1.0), row("a", "one", 1.0, settings='{"time_limit": 20}'),
        row("a", "two", 1.0), row("a", "one", 1.0, versions='{"offload": "2"}'),
    ])  # fmt: skip
    assert made.to_frame()["method"].tolist() == [
        "one time_limit=10 offload=1", "one time_limit=20 offload=1", "two",
        "one time_limit=10 offload=2",
    ]  # fmt: skip


def test_instances_that_could_not_be_opened_stay_apart() -> None:
    made = Batch([row(name, "one", None, digest="", minimize="{}") for name in "ab"])
    assert made.instances()["instance"].tolist() == ["a", "b"]
    assert str(made).startswith("2 results of 2 instances: 0 with a plan")


def test_tables_are_saved_and_read_back_the_same(batch: Batch, tmp_path: Path) -> None:
    saved = batch.save(tmp_path / "s")
    names = {path.name for path in saved}
    tables = ("results", "instances", "ranking", "profiles")
    assert names == {f"{n}.{e}" for n in tables for e in ("csv", "parquet")} | {"profiles.svg"}
    for read, ending in ((pd.read_csv, "csv"), (pd.read_parquet, "parquet")):
        table = read(tmp_path / "s" / f"ranking.{ending}")
        pd.testing.assert_frame_equal(table, batch.ranking(), check_dtype=False)
    before = [path.read_bytes() for path in saved]
    assert [path.read_bytes() for path in batch.save(tmp_path / "s")] == before


def test_an_empty_batch_has_empty_tables(tmp_path: Path) -> None:
    made = Batch([])
    assert str(made) == "0 results of 0 instances: 0 with a plan (0 proved optimal), 0 without"
    for table in (made.to_frame(), made.instances(), made.ranking(), made.profiles()):
        assert len(table) == 0
    assert made.save(tmp_path)


def test_a_batch_shows_itself_in_a_notebook(batch: Batch) -> None:
    page = batch._repr_html_()
    assert page.startswith("<p>9 results of 3 instances: 6 with a plan (2 proved optimal)")
    assert page.count("<tr") == 4


def test_profiles_are_drawn(batch: Batch) -> None:
    pytest.importorskip("matplotlib")
    ax = batch.plot_profiles()
    assert [line.get_label() for line in ax.get_lines()] == ["one", "two", "three"]
    assert ax.get_xlim() == (1.0, pytest.approx(2**1.05))
    assert offload.plot.profiles(batch.profiles("seconds"), measure="seconds").get_ylabel() == (
        "share proved optimal"
    )
