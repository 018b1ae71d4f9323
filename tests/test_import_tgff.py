"""TGFF: graphs with typed tasks and arcs, and tables by type."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from foreign import converted, refused

import offload

NAME = "small.tgff"
# Type 0 takes 2 s on the first processor and 1 s on the second; type 1 takes 3 s on the first and
# cannot run on the second. Arcs of type 5 carry 400 bytes.
SAMPLE = """# made by hand
@HYPERPERIOD 10

@TASK_GRAPH 0 {
    PERIOD 10
    TASK t0_0   TYPE 0
    TASK t0_1   TYPE 1
    ARC a0_0    FROM t0_0  TO  t0_1 TYPE 5
    HARD_DEADLINE d0_0 ON t0_1 AT 9
    SOFT_DEADLINE d0_1 ON t0_0 AT 1.5
}

@TASK_GRAPH 1 {
    PERIOD 5
    TASK t1_0   TYPE 0
}

@COMMUN_QUANT 0 {
#----------
# type    quantity
    5     400
}

@PE 0 {
# price   idle_power
  70.5    0.1
#------------------------------
# type version valid task_time
  0    0       1     2.0
  0    1       1     9.0
  1    2       0     7.0
  1    0       1     3.0
}

@PE 1 {
# price   idle_power
  80      0.1
#------------------------------
# type version valid task_time
  0    0       1     1.0
  1    0       0     1.0
}
"""


def test_types_give_times_and_sizes(tmp_path: Path) -> None:
    problem = converted(tmp_path, NAME, SAMPLE)
    assert [node.id for node in problem.network.nodes] == ["PE0", "PE1"]
    assert [(t.id, t.time, t.due, t.deadline) for t in problem.graph.tasks] == [
        ("t0_0", {"PE0": 2.0, "PE1": 1.0}, 1.5, None), ("t0_1", {"PE0": 3.0}, None, 9.0),
        ("t1_0", {"PE0": 2.0, "PE1": 1.0}, None, None),
    ]  # fmt: skip
    assert [(e.src, e.dst, e.bytes) for e in problem.graph.edges] == [("t0_0", "t0_1", 400.0)]
    assert "Each graph runs once, whatever its period (10, 5)" in problem.source
    assert "linked at 1.25e+08 bytes a second" in problem.source


def test_the_optimum_worked_out_by_hand(tmp_path: Path) -> None:
    # At 400 bytes a second, t0_0 on PE1 ends at 1, its 400 bytes arrive at 2, t0_1 ends at 5; on
    # PE0 both take 2 + 3 = 5. At 800 bytes a second, 1 + 0.5 + 3. t1_0 runs beside.
    slow = converted(tmp_path, NAME, SAMPLE, bandwidth=400)
    assert offload.solve(slow, method="cpsat").objective == 5.0
    fast = converted(tmp_path, NAME, SAMPLE, bandwidth=800)
    assert offload.solve(fast, method="cpsat").objective == 4.5
    late = converted(tmp_path, NAME, SAMPLE, bandwidth=800, latency=0.25)
    assert offload.solve(late, method="cpsat").objective == 4.75


def test_the_first_valid_version_of_a_type_counts(tmp_path: Path) -> None:
    better = SAMPLE.replace(
        "  1    0       0     1.0\n", "  1    0       0     1.0\n  1  1  1  8.0\n"
    )
    problem = converted(tmp_path, NAME, better)
    assert problem.graph.tasks[1].time == {"PE0": 3.0, "PE1": 8.0}


def test_arcs_without_a_table_carry_nothing(tmp_path: Path) -> None:
    bare = re.sub(r"@COMMUN_QUANT.*?\n}\n", "", SAMPLE, flags=re.DOTALL)
    problem = converted(tmp_path, NAME, bare)
    assert problem.graph.edges[0].bytes == 0.0
    assert problem.network.links[0].bandwidth is None
    assert "No table gives the sizes of arcs: they carry nothing" in problem.source


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("TASK t0_1   TYPE 1", "TASK t0_1   TYPE 7", "line 7: no table has a time of this type, g"),
        (
            "TASK t0_1   TYPE 1",
            "TASK t0_1   TYPE x",
            "line 7: TYPE must be a whole number, got 'x'",
        ),
        ("TASK t0_1   TYPE 1", "TASK t0_1", "line 7: cannot be read as TASK, got 'TASK t0_1'"),
        ("TASK t0_1 ", "TASK t0_0 ", "line 7: duplicate id, got 't0_0'; give it another"),
        ("t0_1 TYPE 5", "t0_9 TYPE 5", "line 8: names no task, got 't0_9'"),
        ("t0_1 TYPE 5", "t0_0 TYPE 5", "line 8: an edge must join two tasks, got 't0_0'"),
        (
            "t0_1 TYPE 5",
            "t0_1 TYPE 6",
            "line 8: no table has a size of this type, got 6; add a row",
        ),
        ("ON t0_1 AT 9", "ON t0_7 AT 9", "line 9: names no task, got 't0_7'"),
        (
            "ON t0_1 AT 9",
            "ON t0_1 AT -9",
            "line 9: HARD_DEADLINE must be finite and >= 0, got '-9'",
        ),
        ("1     3.0", "1     -3.0", "line 32: task_time must be finite and >= 0, got '-3.0'"),
        ("1     3.0", "1", "line 32: must have 4 columns, got '1 0 1'; columns are type version"),
        ("0     1.0\n}\n", "0     1.0\n", "line 41: @PE 1 must end, got nothing; the file is cut"),
        ("}\n\n@PE 0 {", "\n\n@PE 0 {", "line 24: @COMMUN_QUANT of line 18 must end first"),
        ("@PE 0 {", "}", "line 24: closes no block, got '}'"),
        ("@HYPERPERIOD 10", "HYPERPERIOD 10", "line 2: stands outside of all blocks"),
        ("@PE 0 {", "@PE {", "line 24: must open a block, got '@PE {'; as in @GRAPH 0 {"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, error: str
) -> None:
    assert refused(tmp_path, NAME, SAMPLE.replace(old, new, 1))[0].startswith(error)


def test_a_cycle(tmp_path: Path) -> None:
    back = SAMPLE.replace("    HARD", "    ARC a0_1 FROM t0_1 TO t0_0 TYPE 5\n    HARD", 1)
    assert refused(tmp_path, NAME, back)[0].startswith(
        "line 8: the tasks wait for each other in a cycle, got 't0_1 -> t0_0 -> t0_1'"
    )


def test_graphs_without_times(tmp_path: Path) -> None:
    graphs = SAMPLE[: SAMPLE.index("@PE 0")]
    assert refused(tmp_path, NAME, graphs)[0].startswith(
        "line 4: must come with a table of times, got nothing; one of its columns must be"
    )
    assert refused(tmp_path, NAME, "@HYPERPERIOD 3\n")[0].startswith("line 1: must have a block")


def test_every_file_of_the_library(data: Path) -> None:
    found = sorted((data / "tgff").glob("*.tgff"))
    assert len(found) == 2
    for path in found:
        text = path.read_text()
        problem = offload.convert(path)
        assert len(problem.network.nodes) == text.count("@CORE")
        assert len(problem.graph.tasks) == len(re.findall(r"\bTASK\b", text))
        assert len(problem.graph.edges) == len(re.findall(r"\bARC\b", text))
        timed = sum(task.deadline is not None for task in problem.graph.tasks)
        assert timed == len(re.findall(r"\bHARD_DEADLINE\b", text))
        # A row of a table has four numbers, the last of them seconds.
        rows = re.findall(r"^\s+(\d+)\s+0\s+[\d.]+\s+([\d.]+)$", text, re.MULTILINE)
        kinds = re.findall(r"TASK\s+\S+\s+TYPE (\d+)", text)
        total = sum(kinds.count(kind) * float(seconds) for kind, seconds in rows)
        got = sum(sum(task.time.values()) for task in problem.graph.tasks)
        assert got == pytest.approx(total, rel=1e-9)
