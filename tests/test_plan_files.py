"""Plan files: what is read, what is written, and what is refused with its place and fix."""

from __future__ import annotations

import copy
import gzip
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import draw_plan, draw_problem
from instance_documents import DROP, as_path, edited

import offload
from offload import (
    METRICS,
    Codec,
    Data,
    Edge,
    Graph,
    Link,
    Mode,
    Network,
    Node,
    OffloadError,
    Plan,
    PlanError,
    Problem,
    Result,
    Task,
)
from offload.plan_files import loads_plan
from offload.plan_writing import plan_text, result_text
from offload.transfers import EDGE, MOVE, READ

PROBLEM = Problem(
    name="two",
    network=Network(
        [Node("a", modes=[Mode("eco", 0.5, 1)]), Node("b", speed=2)],
        [Link("a", "b", bandwidth=10, latency=1)],
    ),
    graph=Graph(
        [
            Task("x", work=2), Task("y", work=4, reads=["d"]), Task("z", work=8, divisible=True),
            Task("w", work=2, at="a", move_bytes=20),
        ],
        [
            Edge("x", "y", bytes=40, item="i", codecs=["zip"]),
            Edge("x", "w", bytes=40, item="i", codecs=["zip"]), Edge("x", "z", bytes=10),
        ],
    ),
    data=[Data("d", 30, ["a"], max_copies=1)],
    codecs=[Codec("zip", 2, 0, 0)],
)  # fmt: skip


def row(name: str, node: str, start: float, finish: float, **more: Any) -> dict[str, Any]:
    return {"id": name, "node": node, "mode": "default", "start": start, "finish": finish, **more}


def move(kind: str, src: str, dst: list[str], start: float, finish: float, **more: Any) -> Any:
    common = {"kind": kind, "src": src, "item": None, "dst": dst, "from": "a", "to": "b"}
    return {**common, "codec": None, "start": start, "finish": finish, **more}


def tree() -> dict[str, Any]:
    """A plan file with one row of every sort."""
    return {
        "format": "offload-plan/1", "instance": "two", "digest": PROBLEM.digest,
        "tasks": [
            row("x", "a", 0, 4, mode="eco"), row("y", "b", 7, 9), row("w", "b", 9, 10),
            row("z", "a", 4, 6, fraction=0.25), row("z", "b", 10, 13, fraction=0.75),
        ],
        "transfers": [
            move("edge", "x", ["y", "w"], 4, 7, item="i", codec="zip"),
            move("edge", "x", ["z"], 4, 5.75), move("read", "d", ["y"], 0, 4),
            move("move", "w", ["w"], 0, 3),
        ],
        "copies": [{"data": "d", "node": "b"}],
        "metrics": {"latency": 13.0, "energy": None},
        "result": {"status": "feasible", "objective": 13.0, "options": {"a": [1, {"b": None}]}},
    }  # fmt: skip


def load(edits: dict[str, Any]) -> Plan:
    return loads_plan(json.dumps(edited(tree(), edits)), PROBLEM)


# -- what is read --------------------------------------------------------------------------------


def test_rows_become_positions() -> None:
    plan = load({})
    assert plan.parts.task.tolist() == [0, 1, 3, 2, 2]
    assert plan.parts.node.tolist() == [0, 1, 1, 0, 1]
    assert plan.parts.mode.tolist() == [1, 0, 0, 0, 0]
    assert plan.parts.fraction.tolist() == [1, 1, 1, 0.25, 0.75]
    assert plan.parts.start.tolist() == [0, 7, 9, 4, 10]
    assert plan.parts.finish.tolist() == [4, 9, 10, 6, 13]
    rows = plan.transfers
    assert rows.kind.tolist() == [EDGE, EDGE, READ, MOVE]
    assert rows.ref.tolist() == [0, 1, 0, 3]
    assert (rows.src.tolist(), rows.dst.tolist()) == ([0] * 4, [1] * 4)
    assert rows.codec.tolist() == [0, -1, -1, -1]
    assert rows.start.tolist() == [4, 4, 0, 0]
    assert rows.finish.tolist() == [7, 5.75, 4, 3]
    assert rows.size.tolist() == [40, 7.5, 30, 20]  # a part of a split task moves its share
    assert [plan.waiting.of(x).tolist() for x in range(4)] == [[1, 3], [2], [1], [3]]
    assert (plan.copies.data.tolist(), plan.copies.node.tolist()) == ([0], [1])
    assert plan.stated == {"latency": 13.0}
    assert plan.result == tree()["result"]
    assert plan.metrics["latency"] == 13.0


def test_a_file_may_leave_out_what_has_a_default() -> None:
    edits = {
        "transfers": DROP, "copies": DROP, "instance": DROP, "metrics": DROP, "result": DROP,
        "tasks": [{"id": "x", "node": "b", "start": 0, "finish": 1}],
    }  # fmt: skip
    plan = load(edits)
    assert plan.parts.mode.tolist() == [0]
    assert plan.parts.fraction.tolist() == [1.0]
    assert (len(plan.transfers.kind), len(plan.copies.data), plan.result) == (0, 0, {})
    assert len(load({"tasks": DROP, "transfers": []}).parts.task) == 0


def test_times_that_are_no_plan_are_read_for_the_checker() -> None:
    plan = load({"tasks.0.start": math.nan, "tasks.1.finish": math.inf, "transfers.0.start": -5})
    assert math.isnan(plan.parts.start[0])
    assert plan.parts.finish[1] == math.inf
    assert plan.transfers.start[0] == -5
    assert plan.result == tree()["result"]


def test_a_byte_order_mark_is_no_error() -> None:
    raw = json.dumps(tree()).encode("utf-8-sig")
    assert plan_text(loads_plan(raw, PROBLEM)) == plan_text(load({}))


# -- what is refused -----------------------------------------------------------------------------

NO_EDGE = "names no edge of the instance"
ENDS = "name an edge's ends and item as in the instance"


@pytest.mark.parametrize(
    ("edits", "path", "message", "found", "fix"),
    [
        ({"tasks.0.id": "v"}, "tasks.0.id", "names no task of the instance", "v",
         "known are: x, y, z, w"),
        ({"tasks.1.node": "c"}, "tasks.1.node", "names no node of the instance", "c",
         "known are: a, b"),
        ({"tasks.1.mode": "eco"}, "tasks.1.mode", "names no mode of 'b' of the instance", "eco",
         "known are: default"),
        ({"tasks.0.mode": "ecco"}, "tasks.0.mode", "names no mode of 'a' of the instance", "ecco",
         "did you mean 'eco'?"),
        ({"transfers.0.dst.1": "v"}, "transfers.0.dst.1", "names no task of the instance", "v",
         "known are: x, y, z, w"),
        ({"transfers.0.src": "v"}, "transfers.0.src", "names no task of the instance", "v",
         "known are: x, y, z, w"),
        ({"transfers.2.src": "e"}, "transfers.2.src", "names no data of the instance", "e",
         "known are: d"),
        ({"transfers.3.src": "v"}, "transfers.3.src", "names no task of the instance", "v",
         "known are: x, y, z, w"),
        ({"transfers.0.from": "c"}, "transfers.0.from", "names no node of the instance", "c",
         "known are: a, b"),
        ({"transfers.0.to": "c"}, "transfers.0.to", "names no node of the instance", "c",
         "known are: a, b"),
        ({"transfers.0.codec": "zap"}, "transfers.0.codec", "names no codec of the instance", "zap",
         "did you mean 'zip'?"),
        ({"transfers.0.item": "j"}, "transfers.0", NO_EDGE, "x -> y, item 'j'", ENDS),
        ({"transfers.0.item": None}, "transfers.0", NO_EDGE, "x -> y, item None", ENDS),
        ({"transfers.1.item": "z"}, "transfers.1", NO_EDGE, "x -> z, item 'z'", ENDS),
        ({"transfers.1.src": "y"}, "transfers.1", NO_EDGE, "y -> z, item None", ENDS),
        ({"copies.0.data": "e"}, "copies.0.data", "names no data of the instance", "e",
         "known are: d"),
        ({"copies.0.node": "c"}, "copies.0.node", "names no node of the instance", "c",
         "known are: a, b"),
        ({"transfers.0.dst": []}, "transfers.0.dst", "must not be empty", [], "name at least one"),
        ({"transfers.0.kind": "edgy"}, "transfers.0.kind",
         "must be one of 'edge', 'move', 'read'", "edgy", "did you mean 'edge'?"),
        ({"tasks.0.start": "0"}, "tasks.0.start", "must be a number", "0",
         "write a plain number such as 1.5"),
        ({"tasks.0.start": None}, "tasks.0.start", "must be a number", None,
         "write a plain number such as 1.5"),
        ({"tasks.0.fraction": True}, "tasks.0.fraction", "must be a number", True,
         "write a plain number such as 1.5"),
        ({"tasks.0.id": math.nan}, "tasks.0.id", "must be a string", math.nan,
         "write a text in quotes"),
        ({"tasks.0.nod": "a"}, "tasks.0.nod", "unknown key", "nod", "did you mean 'node'?"),
        ({"transfers.0.fram": "a"}, "transfers.0.fram", "unknown key", "fram",
         "did you mean 'from'?"),
        ({"metrics": [1]}, "metrics", "must be an object or null", [1], "write {...}"),
        ({"metrics.latency": "13"}, "metrics.latency", "must be a number or null", "13",
         "write a plain number such as 1.5"),
        ({"result": 5}, "result", "must be an object", 5, "write {...}"),
        ({"copies": None}, "copies", "must be a list", None, "write [...]"),
        ({"format": "offload-instance/1"}, "format", "is not this format", "offload-instance/1",
         'write "format": "offload-plan/1"'),
    ],
)  # fmt: skip
def test_an_error_is_named(
    edits: dict[str, Any], path: str, message: str, found: Any, fix: str
) -> None:
    with pytest.raises(PlanError, match=r"^\$\.") as caught:
        load(edits)
    (issue,) = caught.value.issues
    assert (issue.path, issue.message, issue.fix) == (as_path(path), message, fix)
    assert repr(issue.found) == repr(found)


REQUIRED = [
    "digest", "tasks.0.id", "tasks.0.node", "tasks.0.start", "tasks.0.finish", "transfers.0.kind",
    "transfers.0.src", "transfers.0.dst", "transfers.0.from", "transfers.0.to",
    "transfers.0.start", "transfers.0.finish", "copies.0.data", "copies.0.node",
]  # fmt: skip


@pytest.mark.parametrize("where", REQUIRED)
def test_a_missing_key_is_named(where: str) -> None:
    with pytest.raises(PlanError, match="is required") as caught:
        load({where: DROP})
    key = where.rpartition(".")[2]
    assert str(caught.value) == f'{as_path(where)}: is required, got nothing; add "{key}"'


def test_a_key_given_twice_is_named() -> None:
    text = json.dumps(tree()).replace('"mode": "eco"', '"mode": "eco", "mode": "default"')
    with pytest.raises(PlanError, match=r"^\$\.tasks\[0\]\.mode: key given more than once"):
        loads_plan(text, PROBLEM)


def test_another_instance_is_refused() -> None:
    other = PROBLEM.replace(codecs=[Codec("zip", 3, 0, 0)])
    fix = "check it against the instance that it was made for, or solve again"
    with pytest.raises(PlanError, match=fix) as caught:
        loads_plan(json.dumps(tree()), other)
    (issue,) = caught.value.issues
    assert issue.path == "$.digest"
    assert issue.message == "the plan is for another instance ('two')"
    assert issue.found == PROBLEM.digest
    same = PROBLEM.replace(name="renamed", minimize="energy", limits={"cost": 9})
    assert loads_plan(json.dumps(tree()), same).problem is same


def test_all_errors_are_reported_together() -> None:
    edits = {
        "tasks.0.id": "v", "tasks.1.node": "c", "transfers.0.item": "j", "transfers.1.src": "y",
        "transfers.2.src": "e", "copies.0.node": "c",
    }  # fmt: skip
    with pytest.raises(PlanError, match="names no") as caught:
        load(edits)
    assert {issue.path for issue in caught.value.issues} == {
        "$.tasks[0].id", "$.tasks[1].node", "$.transfers[0]", "$.transfers[1]",
        "$.transfers[2].src", "$.copies[0].node",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "[]", "nul", '{"format": "offload-plan/1"', "\ud800"])
def test_what_is_no_plan_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(PlanError, match=r"plan\.json: (\$|line \d+ column \d+): .*; ") as caught:
        offload.load_plan(path, PROBLEM)
    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(OffloadError, match=r"none\.json: no such file; check the path"):
        offload.load_plan(tmp_path / "none.json", PROBLEM)


# -- what is written -----------------------------------------------------------------------------


def test_the_file_says_what_was_read() -> None:
    written = json.loads(plan_text(load({})))
    plain = tree()
    plain["metrics"] = written["metrics"]
    assert written == plain
    assert list(written["metrics"]) == list(METRICS)
    assert written["metrics"]["latency"] == 13.0


def test_one_line_a_row() -> None:
    lines = plan_text(load({})).splitlines()
    assert len([line for line in lines if line.startswith('  {"id":')]) == 5
    assert len([line for line in lines if line.startswith('  {"kind":')]) == 4


def test_rows_are_written_as_json_writes_them() -> None:
    names = ['"', "\\", "%s", "{0}", "\n", "\u5317", "\U0001f600", "\x7f", "a/b", " "]
    problem = Problem(
        network=Network(
            [Node(name, modes=[Mode(name, 1, 1)]) for name in names],
            [Link(names[k], names[k + 1]) for k in range(len(names) - 1)],
        ),
        graph=Graph(
            [Task(name, work=0.1, reads=[name], at=name, divisible=False) for name in names],
            [
                Edge(names[i], names[i + 1], item=names[i] if i % 2 else None, codecs=[names[i]])
                for i in range(len(names) - 1)
            ],
        ),
        data=[Data(name, 1e22, [name]) for name in names],
        codecs=[Codec(name, 2, 0, 0) for name in names],
    )
    plans = [plan for seed in range(10) if (plan := draw_plan(draw_problem(seed), seed))]
    drawn = draw_plan(problem, 1)
    assert drawn is not None
    for plan in (*plans, drawn):
        plan.result = {"reason": names, "bound": None}
        lines = plan_text(plan).splitlines()
        rows = [line for line in lines if line.startswith(('  {"id":', '  {"kind":'))]
        assert len(rows) == len(plan.parts.task) + len(plan.transfers.kind)
        for line in rows:
            row = line.strip().removesuffix(",")
            assert json.dumps(json.loads(row), ensure_ascii=False) == row
        json.loads("\n".join(lines))
    again = loads_plan(plan_text(drawn), problem)
    assert plan_text(again) == plan_text(drawn)


@pytest.mark.parametrize("name", ["plan.json", "plan.json.gz"])
def test_a_drawn_plan_survives_save_and_load(tmp_path: Path, name: str) -> None:
    for seed in range(25):
        problem = draw_problem(seed)
        plan = draw_plan(problem, seed)
        if plan is None:
            continue
        plan.save(tmp_path / name)
        again = offload.load_plan(tmp_path / name, problem)
        assert plan_text(again) == plan_text(plan)
        assert again.metrics == plan.metrics == again.stated
        old: list[Any] = [*plan.parts, *plan.transfers, *plan.copies]
        new: list[Any] = [*again.parts, *again.transfers, *again.copies]
        assert all(np.array_equal(a, b) for a, b in zip(old, new, strict=True))


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = gzip.compress(plan_text(load({})).encode())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
    assert offload.load_plan("-", PROBLEM).metrics == load({}).metrics


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["tasks.0.start", "tasks.1.finish", "transfers.0.start"])
def test_times_that_are_no_plan_are_not_written(tmp_path: Path, where: str, time: float) -> None:
    plan = load({where: time})
    with pytest.raises(OffloadError, match="infinite or undefined times cannot be saved"):
        plan.save(tmp_path / "plan.json")
    assert not list(tmp_path.iterdir())


def test_an_answer_without_a_plan_has_empty_lists_and_no_metrics() -> None:
    result = Result(
        "infeasible", None, None, None, None, None, "cpsat", 0.5, 3, {"latency": 1.0}, {},
        reason="memory",
    )  # fmt: skip
    written = json.loads(result_text(PROBLEM, result))
    assert written["metrics"] == dict.fromkeys(METRICS)
    assert (written["tasks"], written["transfers"], written["copies"]) == ([], [], [])
    assert written["result"]["status"] == "infeasible"
    assert written["result"]["objective"] is None
    assert written["result"]["reason"] == "memory"
    read = loads_plan(result_text(PROBLEM, result), PROBLEM)
    assert (read.stated, len(read.parts.task)) == ({}, 0)


def test_an_answer_with_a_plan_is_the_plan() -> None:
    plan = load({})
    result = Result(
        "feasible", copy.copy(plan), 13.0, None, None, None, "hand", 0.5, 3, {"latency": 1.0}, {}
    )
    assert result_text(PROBLEM, result) == plan_text(plan)
