"""Generalized assignment problems of OR-Library."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from foreign import converted, refused

import offload

NAME = "c0203_1"
# Two agents of capacities 4 and 5, three jobs. Both agents hold at most two jobs: the best is jobs
# 1 and 3 at agent 1 (costs 1 + 2, resources 2 + 2) and job 2 at agent 2 (cost 3, resource 3): 6.
# Greedy by cost would put job 2 at agent 1 too (cost 1, resource 3), over the capacity.
SAMPLE = """2 3
1 1 2
9 3 9
2 3 2
1 3 1
4 5
"""


def test_agents_are_nodes_and_jobs_are_tasks(tmp_path: Path) -> None:
    problem = converted(tmp_path, NAME, SAMPLE)
    assert problem.name == NAME
    assert problem.minimize == {"cost": 1.0}
    assert [(node.id, node.memory, node.price) for node in problem.network.nodes] == [
        ("a1", 4.0, 1.0), ("a2", 5.0, 1.0),
    ]  # fmt: skip
    assert [task.time for task in problem.graph.tasks] == [
        {"a1": 1.0, "a2": 9.0}, {"a1": 1.0, "a2": 3.0}, {"a1": 2.0, "a2": 9.0},
    ]  # fmt: skip
    assert [task.resident for task in problem.graph.tasks] == [
        {"a1": 2.0, "a2": 1.0}, {"a1": 3.0, "a2": 3.0}, {"a1": 2.0, "a2": 1.0},
    ]  # fmt: skip
    assert problem.graph.edges == ()


def test_the_optimum_is_that_of_the_assignment(tmp_path: Path) -> None:
    result = offload.solve(converted(tmp_path, NAME, SAMPLE), method="cpsat")
    assert (result.status, result.objective) == ("optimal", 6.0)


def test_rows_wrap_as_they_like(tmp_path: Path) -> None:
    words = SAMPLE.split()
    for width in (1, 4, len(words)):
        rows = [" ".join(words[k : k + width]) for k in range(0, len(words), width)]
        wrapped = converted(tmp_path, NAME, "\r\n  ".join(rows))
        assert wrapped.digest == converted(tmp_path, NAME, SAMPLE).digest


def test_which_way_the_literature_optimizes_is_said(tmp_path: Path) -> None:
    source = converted(tmp_path, NAME, SAMPLE).source
    assert "the literature takes that of gap1 to gap12 for profits, to be maximized" in source


def test_profits_are_maximized(tmp_path: Path) -> None:
    # Agent 2 holds them all (1 + 3 + 1 of 5), for 9 + 3 + 9 = 21, the most there is.
    problem = converted(tmp_path, NAME, SAMPLE, maximize=True)
    assert [task.time for task in problem.graph.tasks] == [
        {"a1": 8.0, "a2": 0.0}, {"a1": 8.0, "a2": 6.0}, {"a1": 7.0, "a2": 0.0},
    ]  # fmt: skip
    result = offload.solve(problem, method="cpsat")
    assert (result.status, result.objective) == ("optimal", 3 * 9 - 21)
    assert "profits add up to 27 less the cost" in problem.source


def test_a_file_of_several_problems_wants_a_choice(tmp_path: Path) -> None:
    other = SAMPLE.replace("4 5", "7 5")
    both = f"2\n{SAMPLE}{other}"
    with pytest.raises(offload.OffloadError, match=r"holds 2 problems; say which, as in --part 1"):
        converted(tmp_path, "gap1.txt", both)
    first = converted(tmp_path, "gap1.txt", both, part=1)
    assert first.digest == converted(tmp_path, NAME, SAMPLE).digest
    second = converted(tmp_path, "gap1.txt", both, part=2)
    assert second.network.nodes[0].memory == 7.0
    assert "Problem 2 of 2" in second.source
    with pytest.raises(offload.OffloadError, match=r"part: must be from 1 to 2, got 3"):
        converted(tmp_path, "gap1.txt", both, part=3)
    alone = converted(tmp_path, "gap1.txt", f"1\n{SAMPLE}")
    assert alone.digest == first.digest


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("4 5\n", "4\n", "line 6: a capacity must follow, got nothing; the file is cut short"),
        ("4 5\n", "4 5 6\n", "line 6: the file must have ended, got '6'; remove the rest"),
        ("9 3 9", "9 x 9", "line 3: a cost must be a number, got 'x'; write digits"),
        ("2 3 2", "2 -3 2", "line 4: a resource must be finite and >= 0, got '-3'"),
        ("4 5", "4 nan", "line 6: a capacity must be finite and >= 0, got 'nan'"),
        ("2 3\n", "0 3\n", "line 1: the number of agents must be >= 1, got 0"),
        ("2 3\n", "2 3.5\n", "line 1: the number of jobs must be a whole number, got '3.5'"),
        ("2 3\n", "99999 99999\n", "line 1: too many agents and jobs, got (99999, 99999)"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, error: str
) -> None:
    assert refused(tmp_path, NAME, SAMPLE.replace(old, new, 1), format="gap")[0].startswith(error)


def test_an_empty_file(tmp_path: Path) -> None:
    assert refused(tmp_path, NAME, "", format="gap") == [
        "line 1: the number of agents must follow, got nothing; the file is cut short"
    ]


def files(data: Path) -> list[Path]:
    return sorted(
        path for path in (data / "gap").iterdir() if path.suffix != ".csv" and path.name != "README"
    )


def test_every_file_of_the_library(data: Path) -> None:
    found = files(data)
    assert len(found) == 62
    for path in found:
        words = [float(word) for word in path.read_text().split()]
        agents, jobs = int(words[0]), int(words[1])
        problem = offload.convert(path)
        tasks = problem.graph.tasks
        assert (len(problem.network.nodes), len(tasks)) == (agents, jobs)
        cells = agents * jobs
        # In one piece, an agent's row after another's, so that a transposed table would show.
        costs = [task.time[f"a{i + 1}"] for i in range(agents) for task in tasks]
        assert costs == words[2 : 2 + cells]
        held = [task.resident[f"a{i + 1}"] for i in range(agents) for task in tasks]  # type: ignore[index]
        assert held == words[2 + cells : 2 + 2 * cells]
        assert [node.memory for node in problem.network.nodes] == words[2 + 2 * cells :]


@pytest.mark.slow
def test_published_optima(data: Path) -> None:
    rows = csv.DictReader((data / "gap" / "bounds.csv").read_text().splitlines())
    small = [row for row in rows if row["file"].startswith(("c05", "c0824_1"))][:10]
    assert len(small) == 10
    for row in small:
        result = offload.solve(offload.convert(data / "gap" / row["file"]), time_limit=60)
        assert row["min_lb"] == row["min_ub"]
        assert (result.status, result.objective) == ("optimal", float(row["min_lb"])), row["file"]


def test_a_published_optimum(data: Path) -> None:
    path = data / "gap" / "c0515_1"
    result = offload.solve(offload.convert(path), method="cpsat", time_limit=60)
    assert (result.status, result.objective) == ("optimal", 261.0)
    problem = offload.convert(path, maximize=True)
    most = 15 * max(float(word) for word in path.read_text().split()[2:77])
    result = offload.solve(problem, method="cpsat", time_limit=60)
    assert result.objective is not None
    assert (result.status, most - result.objective) == ("optimal", 336.0)
