"""Batches on a Dask cluster of real processes: what is checked first, and what may go wrong."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil
import pytest
from batch_runs import answers, cluster, files_of, make, wait_for
from command_line import layers, run

import offload
from offload import OffloadError
from offload.batching import cluster as clusters
from offload.batching import remote
from offload.batching.children import Limits
from offload.batching.progress import BatchProgress
from offload.batching.records import write_if_shared

ROOT = Path(__file__).parents[1]
distributed = pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="processes of POSIX"),
    # Dask leaves sockets to the collector when a connection breaks.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]  # fmt: skip


class Farm(NamedTuple):
    """A cluster of two workers."""

    address: str
    workers: list[psutil.Process]

    def children(self) -> list[psutil.Process]:
        """The processes that solve."""
        return [child for worker in self.workers for child in worker.children(recursive=True)]


@pytest.fixture(scope="module")
def farm() -> Iterator[Farm]:
    with cluster(2, "--no-nanny", "--resources", "SOLVER=1") as (where, workers, _):
        with distributed.Client(where, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        yield Farm(where, [psutil.Process(process.pid) for process in workers])


@pytest.fixture
def address(farm: Farm) -> str:
    return farm.address


def test_what_a_scheduler_imports_is_light() -> None:
    code = "import offload.batching.remote, sys; print(*{'numpy', 'ortools'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_solves_of_several_threads_take_as_many_of_a_workers() -> None:
    limits = msgspec.msgpack.encode(Limits(threads=4))
    _, turn = remote._children("test", limits, 9)
    assert [turn.acquire(blocking=False) for _ in range(3)] == [True, True, False]


def test_a_worker_writes_only_into_the_folder_of_the_client(tmp_path: Path) -> None:
    write_if_shared(str(tmp_path), ".token.tmp", "a.json", b"{}")
    assert not (tmp_path / "a.json").exists()
    (tmp_path / ".token.tmp").touch()
    write_if_shared(str(tmp_path), ".token.tmp", "a.json", b"{}")
    assert (tmp_path / "a.json").read_bytes() == b"{}"


def test_results_are_those_of_this_machine(address: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "in", 4)
    call = {"time_limit": None, "work_limit": 20}
    here = offload.batch(folder, ["heft", "cpsat"], tmp_path / "here", **call)  # type: ignore[arg-type]
    there = offload.batch(folder, ["heft", "cpsat"], tmp_path / "there", cluster=address, **call)  # type: ignore[arg-type]
    assert there.failed == 0
    assert answers(tmp_path / "there") == answers(tmp_path / "here")
    assert there.to_frame()["file"].tolist() == here.to_frame()["file"].tolist()


def test_a_client_can_be_passed_in_and_stays_open(address: str, tmp_path: Path) -> None:
    with distributed.Client(address, set_as_default=False) as client:
        problem = offload.generate("smart-home", size=6)
        made = offload.batch(problem, "heft", tmp_path, cluster=client, resources={"SOLVER": 1})
        assert (len(made), made.failed) == (1, 0)
        assert client.submit(sum, [1, 2]).result() == 3


def test_a_crash_is_a_result_and_the_workers_live_on(address: str, tmp_path: Path) -> None:
    with distributed.Client(address, set_as_default=False) as client:
        before = set(client.nthreads())
        made = offload.batch(
            [layers(12, 12, 6), offload.generate("smart-home", size=6)], "cpsat", tmp_path,
            time_limit=600, hard_limit=3, cluster=client,
        )  # fmt: skip
        assert made.to_frame()["failure"].fillna("").tolist() == ["timeout", ""]
        assert set(client.nthreads()) == before


def test_a_stopped_batch_ends_what_runs_on_the_workers(farm: Farm, tmp_path: Path) -> None:
    cancel = threading.Event()

    def solving() -> bool:
        busy = [child for child in farm.children() if child.cpu_times().user > 3]
        return bool(busy)

    def stop() -> None:
        try:
            wait_for(solving)
        finally:
            cancel.set()

    watcher = threading.Thread(target=stop)
    watcher.start()
    made = offload.batch(
        layers(12, 12, 6), "cpsat", tmp_path, time_limit=600, cluster=farm.address, cancel=cancel
    )
    watcher.join()
    assert (made.missing, len(made)) == (1, 0)
    wait_for(lambda: farm.children() == [])


def test_resources_that_no_worker_has_are_named_at_once(address: str, tmp_path: Path) -> None:
    words = r"resources: no worker has \{'GPU': 1\}, they offer .*'SOLVER': 1"
    with pytest.raises(OffloadError, match=words):
        offload.batch(
            offload.generate("smart-home", size=6), "heft", tmp_path, cluster=address,
            resources={"GPU": 1},
        )  # fmt: skip


def test_software_that_differs_is_named(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "software", lambda: {"offload": "9.9", "cplex": "22.1"})
    words = (
        r"scheduler tcp.* has offload 0.1.0, here 9.9; .*worker .* has cplex not at all, here 22.1"
    )
    with pytest.raises(OffloadError, match=words):
        offload.batch(offload.generate("smart-home", size=6), "heft", tmp_path, cluster=address)


def test_places_that_cannot_import_this_package_are_named(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "_SOFTWARE", "not_installed_there:SOFTWARE")
    words = r"scheduler .* cannot import offload \(ModuleNotFoundError.*; worker .* cannot import"
    with pytest.raises(OffloadError, match=words):
        offload.batch(offload.generate("smart-home", size=6), "heft", tmp_path, cluster=address)


def test_no_scheduler_and_no_worker_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "_CONNECT", 1.0)
    made = run(
        "batch", _one(tmp_path), "-o", tmp_path / "o", "-q", "--cluster", "tcp://127.0.0.1:9"
    )
    assert made.status == 2
    assert made.err.startswith("error: cluster: no scheduler answers at tcp://127.0.0.1:9 (")
    assert "dask scheduler" in made.err
    reports: list[BatchProgress] = []
    words = r"cluster: no worker at tcp.* for \d s; start some"
    with cluster(0) as (where, *_), pytest.raises(OffloadError, match=words):
        offload.batch(
            _one(tmp_path), "heft", tmp_path / "o", cluster=where, wait_for_workers=1,
            on_progress=reports.append,
        )  # fmt: skip
    assert "no worker at tcp" in (reports[-1].trouble or "")


def test_a_lost_scheduler_is_told_and_what_is_done_is_kept(tmp_path: Path) -> None:
    folder, out = make(tmp_path / "in", 12), tmp_path / "out"
    with cluster(1, "--no-nanny") as (where, _, scheduler):

        def lose(report: BatchProgress) -> None:
            if report.stage == "solving" and report.done == 2:
                scheduler.kill()

        with pytest.raises(OffloadError, match=r"cluster: the scheduler at tcp.* is lost"):
            offload.batch(folder, "anneal", out, time_limit=1, cluster=where, on_progress=lose)
    done = len(files_of(out))
    assert 2 <= done < 12
    assert offload.batch(folder, "anneal", out, time_limit=1, dry_run=True).kept == done


def _one(folder: Path) -> Path:
    path = folder / "one.json"
    offload.generate("smart-home", size=6).save(path)
    return path


def test_a_solve_whose_workers_keep_dying_is_a_failed_result(tmp_path: Path) -> None:
    """The scheduler is told to try no second worker; by default it tries three more."""
    once = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    problems = [layers(12, 12, 6), offload.generate("smart-home", size=6)]
    with cluster(2, "--no-nanny", environment=once) as (where, workers, _):

        def lose() -> None:
            def at_work(process: psutil.Process) -> bool:
                return any(child.cpu_times().user > 4 for child in process.children())

            parents = [psutil.Process(worker.pid) for worker in workers]
            wait_for(lambda: any(map(at_work, parents)))
            next(process for process in parents if at_work(process)).kill()

        killer = threading.Thread(target=lose)
        killer.start()
        made = offload.batch(problems, "cpsat", tmp_path, time_limit=600, cluster=where)
        killer.join()
    assert made.to_frame()["failure"].fillna("").tolist() == ["crash", ""]
    words = "its worker died while it ran (1 of 1 tried, last tcp://"
    assert made.failures().loc[0, "reason"].startswith(words)


def test_the_recipe_of_the_guide_runs_as_it_stands(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- local-cluster -->\n```sh\n(.*?)```", guide, re.DOTALL)
    assert found is not None
    shutil.copytree(ROOT / "instances", tmp_path / "instances", ignore=shutil.ignore_patterns("m*"))
    # Another scheduler may have the usual ports; the rest is as it stands.
    script = found[1].replace("dask scheduler ", "dask scheduler --port 0 --no-dashboard ")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-m", "-c", script], cwd=tmp_path, env={**os.environ, "PATH": path},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert "2 results of 1 instance: 2 with a plan (1 proved optimal)" in done.stdout, done.stderr
    assert len(files_of(tmp_path / "results")) == 2
