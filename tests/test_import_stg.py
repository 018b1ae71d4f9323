"""The Standard Task Graph Set."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from foreign import converted, refused

import offload

NAME = "rand.stg"
# Two tasks of 3 and 4 between dummies: 4 on two processors, 7 on one. The header leaves the two
# dummies out.
SAMPLE = """    2
    0   0   0
    1   3   1   0
    2   4   1   0
    3   0   2   1   2
# Standard Task Graph Set
#  Seed : 1
"""


def test_rows_are_tasks(tmp_path: Path) -> None:
    problem = converted(tmp_path, NAME, SAMPLE, processors=2)
    assert [(task.id, task.work) for task in problem.graph.tasks] == [
        ("t0", 0.0), ("t1", 3.0), ("t2", 4.0), ("t3", 0.0),
    ]  # fmt: skip
    assert [(edge.src, edge.dst, edge.bytes) for edge in problem.graph.edges] == [
        ("t0", "t1", 0.0), ("t0", "t2", 0.0), ("t1", "t3", 0.0), ("t2", "t3", 0.0),
    ]  # fmt: skip
    assert problem.network.links[0].bandwidth is None
    assert offload.solve(problem, method="cpsat").objective == 4.0
    alone = converted(tmp_path, NAME, SAMPLE, processors=1)
    assert offload.solve(alone, method="cpsat").objective == 7.0


def test_the_header_may_count_the_dummies(tmp_path: Path) -> None:
    with_them = SAMPLE.replace("    2\n", "4\n", 1)
    first = converted(tmp_path, NAME, SAMPLE, processors=2)
    assert converted(tmp_path, NAME, with_them, processors=2).digest == first.digest


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("    3   0   2   1   2\n", "", "line 1: must be the number of rows, 3, or that without"),
        ("2   1   2", "3   1   2", "line 5: must be a task's number, its time, the count of"),
        ("1   2\n", "1   4\n", "line 5: predecessors must be from 0 to 2, got 4; earlier rows"),
        ("1   2\n", "1   x\n", "line 5: must be whole numbers, got '3 0 2 1 x'"),
        ("    2   4", "    1   4", "line 4: must be the row of task 2, got 1; rows in order"),
        ("1   3", "1   -3", "line 3: must be >= 0, got -3"),
        ("1   2\n", "1   1\n", "line 5: edge 2 has the same ends and item"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, error: str
) -> None:
    broken = SAMPLE.replace(old, new, 1)
    assert refused(tmp_path, NAME, broken, processors=2)[0].startswith(error)


def test_every_file_of_the_set(data: Path) -> None:
    found = sorted((data / "stg").rglob("*.stg"))
    assert len(found) == 241
    for path in found:
        rows = [line.split("#")[0].split() for line in path.read_text().splitlines()]
        numbers = [[int(word) for word in row] for row in rows if row][1:]
        graph = offload.convert(path, processors=2).graph
        assert len(graph.tasks) == len(numbers)
        assert len(graph.edges) == sum(row[2] for row in numbers)
        assert sum(task.work or 0 for task in graph.tasks) == sum(row[1] for row in numbers)


def test_a_published_optimum(data: Path) -> None:
    problem = offload.convert(data / "stg" / "50" / "rand0000.stg", processors=16)
    result = offload.solve(problem, time_limit=60)
    assert (result.status, result.objective) == ("optimal", 55.0)


@pytest.mark.slow
def test_published_optima(data: Path) -> None:
    rows = csv.DictReader((data / "stg" / "optima.csv").read_text().splitlines())
    small = [row for row in rows if row["file"].startswith("50/") and row["optimum"]][:160:16]
    assert len(small) == 10
    for row in small:
        problem = offload.convert(data / "stg" / row["file"], processors=int(row["p"]))
        result = offload.solve(problem, time_limit=60)
        assert (result.status, result.objective) == ("optimal", float(row["optimum"])), row
