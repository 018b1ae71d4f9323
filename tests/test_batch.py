"""offload.batch: what is solved, what is kept, what fails and why, and the tables of it."""

from __future__ import annotations

import gzip
import json
import os
import threading
from pathlib import Path

import pandas as pd
import psutil
import pytest
from batch_runs import PATIENCE, make, wait_for
from command_line import layers, street, write

import offload
from offload import Edge, Graph, Link, Network, Node, OffloadError, Problem, Task
from offload.batching import running
from offload.batching.progress import BatchProgress, batch_bar, batch_text, span


def tiny(name: str, work: float = 6.0) -> Problem:
    """Two tasks, two nodes: the optimum has both on the fast one."""
    nodes = (Node("slow", speed=2), Node("fast", speed=3))
    graph = Graph((Task("a", work=work), Task("b", work=6)), (Edge("a", "b", 60),))
    return Problem(name=name, network=Network(nodes, (Link("slow", "fast", 10),)), graph=graph)


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, offload.Batch]:
    """Three instances by two methods and two seeds."""
    folder = tmp_path_factory.mktemp("solved")
    made = offload.batch(
        make(folder / "in", 3), ["heft", "cpsat"], folder / "out", seeds=(0, 1), time_limit=60
    )
    return folder, made


def test_a_result_for_each_instance_method_and_seed(solved: tuple[Path, offload.Batch]) -> None:
    folder, made = solved
    frame = made.to_frame()
    assert (len(made), made.failed, made.missing, made.kept) == (12, 0, 0, 0)
    assert sorted(set(zip(frame["method"], frame["seed"], strict=True))) == [
        ("cpsat", 0), ("cpsat", 1), ("heft", 0), ("heft", 1),
    ]  # fmt: skip
    assert sorted(path.name for path in (folder / "out").iterdir()) == sorted(frame["file"])
    assert set(frame.loc[frame["method"] == "cpsat", "status"]) == {"optimal"}
    assert (frame["memory"] > 1e6).all()
    assert (frame["cpu_seconds"] >= 0).all()


def test_a_result_file_is_a_plan_file_that_holds(solved: tuple[Path, offload.Batch]) -> None:
    folder, made = solved
    for row in made.to_frame().to_dict("records"):
        problem = offload.load(row["path"])
        plan = offload.load_plan(folder / "out" / row["file"], problem)
        assert offload.check(problem, plan) == []
        assert plan.objective(problem.minimize) == row["objective"]
        assert plan.result["status"] == row["status"]


def test_the_same_batch_again_solves_nothing(solved: tuple[Path, offload.Batch]) -> None:
    folder, made = solved
    stamps = {path: path.stat().st_mtime_ns for path in (folder / "out").iterdir()}
    reports: list[BatchProgress] = []
    again = offload.batch(
        folder / "in", ["heft", "cpsat"], folder / "out", seeds=(0, 1), time_limit=60,
        on_progress=reports.append,
    )  # fmt: skip
    assert again.kept == 12
    assert reports == []
    pd.testing.assert_frame_equal(again.to_frame(), made.to_frame())
    assert {path: path.stat().st_mtime_ns for path in (folder / "out").iterdir()} == stamps


def test_what_differs_is_another_result(tmp_path: Path) -> None:
    problem, out = tiny("t"), tmp_path / "out"
    calls = (
        {}, {"seeds": 1}, {"time_limit": 9}, {"minimize": "energy"}, {"limits": {"latency": 99}},
        {"work_limit": 5}, {"gap": 0.5}, {"options": {"average": "saga"}}, {"threads": 2},
    )  # fmt: skip
    for number, call in enumerate(calls):
        assert offload.batch(problem, "heft", out, **{"time_limit": 10, **call}).kept == 0
        assert len(list(out.glob("*.json"))) == number + 1
    frame = offload.load_batch(out).to_frame()
    assert frame["method"].nunique() == 6  # goals are columns of their own, and so are seeds
    assert sum("gap=0.5" in name for name in frame["method"]) == 1


def test_force_does_all_again_under_the_same_names(tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = offload.batch(tiny("t"), "heft", out)
    (path,) = out.glob("*.json")
    stamp = path.stat().st_mtime_ns
    again = offload.batch(tiny("other name"), "heft", out, force=True)
    assert again.kept == 0
    (same,) = out.glob("*.json")
    assert same == path
    assert same.stat().st_mtime_ns > stamp
    assert first.to_frame()["objective"].tolist() == again.to_frame()["objective"].tolist()


def test_one_instance_under_two_names_is_solved_once(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder, tiny("t"), "a.json")
    (folder / "b.json.gz").write_bytes(gzip.compress((folder / "a.json").read_bytes()))
    write(folder, Problem(name="u", network=tiny("t").network, graph=tiny("t").graph), "c.json")
    made = offload.batch(folder, "heft", tmp_path / "out")
    assert len(made) == 1


def test_plans_hidden_files_and_the_results_are_no_instances(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    write(folder / "deep", tiny("t"), "t.json")
    write(folder, tiny("h", 7), ".hidden.json")
    offload.solve(tiny("t")).plan.save(folder / "t.plan.json")  # type: ignore[union-attr]
    for _ in range(2):
        made = offload.batch(folder, "heft", folder / "results")
        assert made.to_frame()["path"].tolist() == [str(folder / "deep" / "t.json")]


def impossible() -> Problem:
    """A task that fits no node's memory."""
    node = Node("n", memory=1.0)
    return Problem(
        name="impossible", network=Network((node,)), graph=Graph((Task("a", work=1, memory=2),))
    )


@pytest.fixture
def trouble(tmp_path: Path) -> Path:
    """A file that is none, an invalid instance, an infeasible one, and two that are well."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "broken.json").write_bytes(b'{"format": "offload-instance/1", ')
    document = json.loads(write(folder, tiny("t"), "good-1.json").read_text())
    document["graph"]["edges"][0]["src"] = "nobody"
    (folder / "invalid.json").write_text(json.dumps(document))
    write(folder, impossible())
    write(folder, street(), "good-2.json")
    return folder


def test_each_failure_is_a_row_with_its_reason(trouble: Path, tmp_path: Path) -> None:
    (trouble / "gone.json").symlink_to(tmp_path / "nowhere.json")
    (trouble / "half.json.gz").write_bytes(gzip.compress(b"{}")[:-4])
    made = offload.batch(trouble, "auto", tmp_path / "out", memory_limit=500e6)
    rows = made.failures().set_index(made.failures()["path"].map(lambda p: Path(p).name))
    assert (len(made), made.failed) == (7, 5)
    assert rows["failure"].fillna("").to_dict() == {
        "broken.json": "invalid", "gone.json": "unreadable", "half.json.gz": "unreadable",
        "impossible.json": "", "invalid.json": "invalid",
    }  # fmt: skip
    assert rows.loc["impossible.json", "status"] == "infeasible"
    assert "nobody" in rows.loc["invalid.json", "reason"]
    assert "$.graph.edges[0].src" in rows.loc["invalid.json", "reason"]
    assert "No such file" in rows.loc["gone.json", "reason"]
    pd.testing.assert_frame_equal(
        offload.load_batch(tmp_path / "out").failures(), made.failures(), check_like=True
    )


def test_a_mended_file_is_solved_and_its_failure_forgotten(trouble: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert offload.batch(trouble, "auto", out).failed == 3
    write(trouble, tiny("mended", 9), "broken.json")
    made = offload.batch(trouble, "auto", out)
    assert (made.failed, made.kept) == (2, 3)
    assert len(offload.load_batch(out)) == 5


def test_a_method_that_refuses_an_instance_is_a_failed_row(tmp_path: Path) -> None:
    nodes = (Node("a"), Node("b"))
    network = Network(nodes, (Link("a", "b", 10, channels=1),))
    graph = Graph((Task("x", work=1), Task("y", work=1)), (Edge("x", "y", 1),))
    made = offload.batch(Problem(network=network, graph=graph), ["heft", "milp"], tmp_path / "out")
    (row,) = made.failures().to_dict("records")
    assert (row["method"], row["failure"]) == ("milp", "unsupported")
    assert "does not honour: channels" in row["reason"]


def test_what_takes_too_much_memory_fails_and_the_rest_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    many = tuple(Task(f"t{i}", work=1 + i % 7) for i in range(20_000))
    network = Network(tuple(Node(f"n{k}") for k in range(300)))
    write(folder, Problem(name="large", network=network, graph=Graph(many)))
    write(folder, tiny("small"))
    (folder / "small.json.gz").write_bytes(gzip.compress((folder / "small.json").read_bytes()))
    (folder / "small.json").unlink()
    made = offload.batch(folder, "heft", tmp_path / "out", memory_limit=300e6, time_limit=60)
    frame = made.to_frame().set_index(made.to_frame()["path"].map(lambda p: Path(p).stem))
    assert frame.loc["small.json", "status"] == "optimal"
    assert frame.loc["large", "failure"] == "memory"
    assert frame.loc["large", "reason"] == "needs more than the 300 MB of memory allowed"
    again = offload.batch(folder, "heft", tmp_path / "out", time_limit=60)
    assert (again.kept, again.failed) == (2, 1)
    better = offload.batch(folder, "heft", tmp_path / "out", time_limit=60, retry_failed=True)
    assert (better.kept, better.failed) == (1, 0)


def test_a_limit_of_memory_below_what_python_takes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OffloadError, match="memory_limit: a process takes"):
        offload.batch(tiny("t"), "heft", tmp_path / "out", memory_limit=1e6)


def test_what_does_not_end_is_ended(tmp_path: Path) -> None:
    made = offload.batch(
        [layers(12, 12, 6), tiny("t")], "cpsat", tmp_path / "out", time_limit=600, hard_limit=3
    )
    frame = made.to_frame().set_index("instance")
    assert frame.loc["layers-144", "failure"] == "timeout"
    assert frame.loc["layers-144", "reason"] == "gave no answer within 3 s and was ended"
    assert frame.loc["t", "status"] == "optimal"


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(("kills", "failure"), [(1, ""), (2, "crash")])
def test_what_dies_in_a_used_process_is_tried_once_more(
    tmp_path: Path, kills: int, failure: str
) -> None:
    """One process solves a small instance first, then a large one, at which it is killed."""
    small_done = threading.Event()

    def kill() -> None:
        small_done.wait(PATIENCE)
        killed: set[int] = set()

        def next_is_at_work() -> bool:
            for child in psutil.Process().children():
                spent = child.cpu_times().user
                if child.pid not in killed and spent > 3:  # beyond what starting takes
                    killed.add(child.pid)
                    child.kill()
                    return True
            return False

        for _ in range(kills):
            wait_for(next_is_at_work)

    killer = threading.Thread(target=kill)
    killer.start()
    made = offload.batch(
        [tiny("t"), layers(12, 12, 6)], "cpsat", tmp_path / "out", time_limit=15, processes=1,
        on_progress=lambda report: report.done and small_done.set(),
    )  # fmt: skip
    killer.join()
    frame = made.to_frame().set_index("instance")
    assert frame.loc["t", "status"] == "optimal"
    assert frame["failure"].fillna("")["layers-144"] == failure
    if failure:
        assert "was killed by SIGKILL" in frame.loc["layers-144", "reason"]


def test_processes_and_threads_fit_the_cores_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "cores", lambda: 8)
    assert running._share(None, 1) == (8, 1)
    assert running._share(None, 3) == (2, 3)
    assert running._share(None, 16) == (1, 16)
    assert running._share(20, 2) == (20, 2)


def test_a_stopped_batch_keeps_what_is_done_and_goes_on(tmp_path: Path) -> None:
    folder, out, cancel = make(tmp_path / "in", 6), tmp_path / "out", threading.Event()

    def stop(report: BatchProgress) -> None:
        if report.stage == "solving" and report.done:
            cancel.set()

    made = offload.batch(folder, "heft", out, processes=1, on_progress=stop, cancel=cancel)
    assert 0 < len(made) < 6
    assert made.missing == 6 - len(made)
    assert str(made).endswith(f"{made.missing} missing")
    rest = offload.batch(folder, "heft", out, dry_run=True)
    done = len(list(out.glob("*.json")))
    assert (rest.missing, rest.kept) == (6 - done, done)
    assert offload.batch(folder, "heft", out).kept == done


def test_broken_result_files_are_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    offload.batch(tiny("t"), "heft", out)
    (path,) = out.glob("*.json")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    made = offload.batch(tiny("t"), "heft", out)
    assert (made.kept, made.failed) == (0, 0)
    assert "no whole result file" in caplog.text
    assert json.loads(path.read_bytes())["tasks"] == json.loads(whole)["tasks"]


def test_temporary_files_of_killed_batches_are_removed_when_old(tmp_path: Path) -> None:
    old, young = tmp_path / ".00.tmp", tmp_path / ".11.tmp"
    for path in (old, young):
        path.write_bytes(b"")
    os.utime(old, (1e9, 1e9))
    offload.batch(tiny("t"), "heft", tmp_path)
    assert (old.exists(), young.exists()) == (False, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"methods": "hefd"}, "method: unknown method, got 'hefd'; .*heft"),
        ({"methods": ["heft", "heft"]}, "methods: must be distinct, at least one"),
        ({"seeds": []}, "seeds: must be distinct, at least one"),
        ({"seeds": -1}, "seed: must be >= 0, got -1"),
        ({"time_limit": -1}, "time_limit: must be >= 0.0, got -1"),
        ({"minimize": "speed"}, "minimize.speed: is no metric"),
        ({"limits": {"latency": -1}}, "limits.latency: must be finite and >= 0, got -1"),
        ({"options": {"depth": 3}}, "options.depth: none of auto has such an option"),
        ({"processes": 0}, "processes: must be >= 1, got 0"),
        ({"memory_limit": 0}, "memory_limit: must be above 0, got 0"),
        ({"output": "/dev/null/x"}, "output: cannot be made a folder"),
    ],
)
def test_bad_arguments_are_named_before_anything_is_solved(
    tmp_path: Path, arguments: dict[str, object], words: str
) -> None:
    call = {"methods": "auto", "output": tmp_path / "out", **arguments}
    with pytest.raises(OffloadError, match=words):
        offload.batch(tiny("t"), **call)  # type: ignore[arg-type]


def test_bad_paths_are_named(tmp_path: Path) -> None:
    with pytest.raises(OffloadError, match="nowhere: no such file or folder; check the path"):
        offload.batch(tmp_path / "nowhere", output=tmp_path / "out")
    with pytest.raises(OffloadError, match=r"no instance files in it \(.json, .json.gz\)"):
        offload.batch(tmp_path, output=tmp_path / "out")
    with pytest.raises(OffloadError, match="no results in it; name the folder that a batch wrote"):
        offload.load_batch(tmp_path)
    assert not (tmp_path / "out").exists()


def test_progress_says_how_many_how_fast_and_how_long_still() -> None:
    report = BatchProgress(stage="solving", seconds=10, done=20, total=100, failed=3, kept=7)
    assert (report.rate, report.left) == (2.0, 40.0)
    assert batch_text(report, 12.0) == (
        "  12.0 s  20 of 100 solved  7 kept  3 without a plan  2/s  40 s left"
    )
    assert batch_bar(report, 12.0).startswith("  12.0 s  ━━━━────────────────  20 of 100 solved")
    slow = BatchProgress(stage="solving", seconds=100, done=1, total=80)
    assert batch_text(slow, 100.0) == " 100.0 s  1 of 80 solved  0.6/min  2 h 11 min left"
    reading = BatchProgress(stage="reading", seconds=1, done=1, total=80)
    assert batch_text(reading, 1.0) == "   1.0 s  reading 1 of 80 instances"
    assert [span(x) for x in (0.4, 59, 61, 7260, 90000)] == [
        "0 s", "59 s", "1 min 1 s", "2 h 1 min", "1 d 1 h",
    ]  # fmt: skip


def test_progress_is_shown_in_a_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offload.meters._EVERY", 0.1)
    offload.batch(make(tmp_path / "in", 3), "heft", tmp_path / "out", progress=True)
    assert "of 3 solved" in capsys.readouterr().err
