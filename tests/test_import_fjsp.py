"""Flexible job shops."""

from __future__ import annotations

from pathlib import Path

import pytest
from foreign import converted, refused

import offload

NAME = "shop.fjs"
# Two jobs on three machines. Job 1: first 5 on m1 or 3 on m2, then 4 on m3. Job 2: 2 on m2.
# With 1.1 on m2 from 0 to 3, 1.2 ends at 7, and 2.1 fits behind: 7, a chain's least.
SAMPLE = """2 3 1.5
2  2 1 5 2 3  1 3 4
1  1 2 2
"""


def test_machines_are_nodes_and_operations_tasks(tmp_path: Path) -> None:
    problem = converted(tmp_path, NAME, SAMPLE)
    assert [node.id for node in problem.network.nodes] == ["m1", "m2", "m3"]
    assert [(task.id, task.time) for task in problem.graph.tasks] == [
        ("1.1", {"m1": 5.0, "m2": 3.0}), ("1.2", {"m3": 4.0}), ("2.1", {"m2": 2.0}),
    ]  # fmt: skip
    assert [(e.src, e.dst, e.bytes) for e in problem.graph.edges] == [("1.1", "1.2", 0.0)]
    result = offload.solve(problem, method="cpsat")
    assert (result.status, result.objective) == ("optimal", 7.0)


def test_machines_may_count_from_zero(tmp_path: Path) -> None:
    shifted = "2 3\n2  2 0 5 1 3  1 2 4\n1  1 1 2\n"
    problem = converted(tmp_path, NAME, shifted)
    assert [node.id for node in problem.network.nodes] == ["m0", "m1", "m2"]
    assert [task.time for task in problem.graph.tasks] == [
        {"m0": 5.0, "m1": 3.0}, {"m2": 4.0}, {"m1": 2.0},
    ]  # fmt: skip
    assert "Machines are numbered from 0" in problem.source
    assert offload.solve(problem, method="cpsat").objective == 7.0


def test_a_job_may_take_several_lines(tmp_path: Path) -> None:
    wrapped = "\n2 3\n2 2 1 5 2\n3 1 3 4\n\n1 1 2 2\n\n"
    first = converted(tmp_path, NAME, SAMPLE)
    assert converted(tmp_path, NAME, wrapped, format="fjsp").digest == first.digest


def test_options_that_change_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(offload.OffloadError, match=r"own network; leave out latency, processors"):
        converted(tmp_path, NAME, SAMPLE, processors=3, latency=1)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("1  1 2 2", "1  1 4 2", "line 3: a machine must be from 0 to 3, got 4"),
        ("1  1 2 2", "1  1 0 2", "line 2: no such machine, got 3; machines are from 0 to 2, as"),
        ("1 3 4\n", "1 3\n", "line 2: a time must follow, got nothing; the line is cut short"),
        ("1  1 2 2", "1  1 2", "line 3: a time must follow, got nothing; the line is cut short"),
        ("1  1 2 2", "", "line 2: the number of operations of job 2 must follow, got nothing"),
        ("1  1 2 2", "1  1 2 2 7", "line 3: the line must have ended, got '7'; remove the rest"),
        ("1  1 2 2", "1  1 2 -2", "line 3: a time must be finite and >= 0, got '-2'"),
        ("1  1 2 2", "1  0", "line 3: the number of machines of operation 2.1 must be from 1 to 3"),
        ("1  1 2 2", "0", "line 3: the number of operations of job 2 must be >= 1, got 0"),
        ("2 1 5 2 3", "2 1 5 1 3", "line 2: operation 1.1 has a machine twice, got 1"),
        ("2 1 5 2 3", "2 1 5 two 3", "line 2: a machine must be a whole number, got 'two'"),
        ("2 3 1.5", "2", "line 1: must be the numbers of jobs and machines, got '2'"),
        ("2 3 1.5", "2 9999", "line 1: the number of machines must be from 1 to 512, got 9999"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, error: str
) -> None:
    found = refused(tmp_path, NAME, SAMPLE.replace(old, new, 1), format="fjsp")
    assert found[0].startswith(error)


def test_an_empty_file(tmp_path: Path) -> None:
    assert refused(tmp_path, NAME, "\n\n", format="fjsp")[0].startswith(
        "line 1: must be the numbers of jobs and machines, got ''"
    )


def test_every_file_of_the_library(data: Path) -> None:
    found = sorted(path for path in (data / "fjsp").rglob("*.txt"))
    assert len(found) == 193
    for path in found:
        # A job a line: its operations are walked over from the end of the line's numbers.
        head, *rows = [
            [int(word) for word in line.split()]
            for line in path.read_text().splitlines() if line.strip()
        ]  # fmt: skip
        problem = offload.convert(path)
        assert (len(rows), len(problem.network.nodes)) == (head[0], head[1])
        assert len(problem.graph.tasks) == sum(row[0] for row in rows)
        assert len(problem.graph.edges) == sum(row[0] - 1 for row in rows)
        choices = sum(len(task.time) for task in problem.graph.tasks)
        # A row holds its length, a length an operation, and two numbers a choice.
        assert sum(len(row) - 1 - row[0] for row in rows) == 2 * choices
        assert problem.network.nodes[0].id == "m0"  # all of these count from 0


def test_a_published_optimum(data: Path) -> None:
    path = data / "fjsp" / "fattahi" / "sfjs02.txt"  # 107 in fjsp/bounds.csv
    result = offload.solve(offload.convert(path), method="cpsat", time_limit=60)
    assert (result.status, result.objective) == ("optimal", 107.0)
