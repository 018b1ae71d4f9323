"""Periods of the device placement instances of NeurIPS 2020 (Tarnawski et al.), where data is."""

from __future__ import annotations

from pathlib import Path

import pytest

import offload

PUBLISHED = {  # contiguous optima, by the program of the authors
    "LayerGraphs/bert24_inference": 17.78990625,
    "LayerGraphs/bert24_training": 41.7458125,
    "OperatorGraphs/bert_l-3_inference": 27.918568,
}
AT_MOST = {  # the best of PipeDream's planner and the experts' splits
    "LayerGraphs/inceptionv3_inference": 60.417,
    "LayerGraphs/resnet50_inference": 43.9183,
    "LayerGraphs/resnet50_training": 112.108,
}
MORE = {"LayerGraphs/gnmt_inference": 46.2085, "LayerGraphs/gnmt_training": 137.154}


def solved(data: Path, name: str, *, contiguous: bool = True) -> offload.Result:
    path = data / "dnn_partitioning" / "throughput-inputs" / f"{name}.json"
    problem = offload.convert(path, contiguous=contiguous)
    return offload.solve(problem, "stages", time_limit=120.0)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_optima_are_proved(data: Path, name: str) -> None:
    result = solved(data, name)
    assert result.status == "optimal"
    assert result.objective == pytest.approx(PUBLISHED[name], rel=1e-7)


@pytest.mark.parametrize("name", AT_MOST)
def test_plans_are_proved_and_no_worse_than_known_splits(data: Path, name: str) -> None:
    result = solved(data, name)
    assert result.status == "optimal"
    assert result.objective is not None
    assert result.objective <= AT_MOST[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE)
def test_plans_of_wide_graphs_are_no_worse_than_known_splits(data: Path, name: str) -> None:
    result = solved(data, name)
    assert result.objective is not None
    assert result.objective <= MORE[name]
    assert result.bound is not None


@pytest.mark.parametrize("name", ["LayerGraphs/bert24_inference", "LayerGraphs/bert24_training"])
def test_without_contiguity_the_period_is_no_longer(data: Path, name: str) -> None:
    contiguous, free = solved(data, name), solved(data, name, contiguous=False)
    assert contiguous.objective is not None
    assert free.objective is not None
    assert free.objective <= contiguous.objective
