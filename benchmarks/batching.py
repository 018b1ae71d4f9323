"""Batches: what a cluster saves, what a solve costs beside itself, many tiny instances.

    python benchmarks/batching.py cluster     # 200 solves on two Dask workers against one by one
    python benchmarks/batching.py cluster --restless  # with Dask's own profiling and clocks on
    python benchmarks/batching.py tiny        # 10,000 instances of five tasks

Both start what they need and remove it again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import distributed
import psutil

import offload
from offload.instance_writing import dumps

# As docs/batch.md recommends; `--restless` shows what Dask takes beside the work otherwise.
CALM = {
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL": "1s",
    "DASK_DISTRIBUTED__WORKER__MEMORY__MONITOR_INTERVAL": "1s",
}
WORK = 2_800  # plans of `anneal`: about one CPU second on the instance below


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("cluster", "tiny"))
    parser.add_argument("--many", type=int, default=None, help="solves, or instances")
    parser.add_argument("--work", type=int, default=WORK, help="work limit of each solve")
    parser.add_argument("--restless", action="store_true", help="leave Dask's settings as they are")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if chosen.what == "cluster":
            on_cluster(
                Path(folder), chosen.many or 200, chosen.work, {} if chosen.restless else CALM
            )
        else:
            tiny(Path(folder), chosen.many or 10_000)


def on_cluster(folder: Path, many: int, work: int, settings: dict[str, str]) -> None:
    """Fixed work: one after another in this process, then on two workers of one thread.

    The machine is shared and its speed drifts, so one half of the serial solves comes before, one
    after; and two bare processes that share the work say what two cores here can do at best.
    """
    problem, call = fixed(work)
    offload.solve(problem, "anneal", seed=many, **call)  # loads what a solve needs
    values: list[float | None] = []
    serial = serially(range(many // 2), work, values)
    first: list[float] = []  # when, and after how many solves, the first were there

    def note(report: offload.BatchProgress) -> None:
        if report.done and not first:
            first.extend((time.perf_counter(), report.done))

    with cluster(folder, 2, settings) as (address, processes):
        with distributed.Client(address, set_as_default=False) as client:
            client.wait_for_workers(2)
        began, before = time.perf_counter(), cpu_seconds(processes)
        batch = offload.batch(
            problem, "anneal", folder / "out", seeds=range(many), cluster=address,
            on_progress=note, **call,
        )  # fmt: skip
        ended, spent = time.perf_counter(), cpu_seconds(processes) - before
        wall = time.perf_counter() - began
    bare = two_processes(many, work)
    serial += serially(range(many // 2, many), work, values)
    frame = batch.to_frame()
    assert frame["objective"].tolist() == values
    inside = float(frame["seconds"].sum())
    print(f"serial: {many} solves in {serial:.1f} s, {serial / many:.3f} s each")
    print(f"two bare processes: {bare:.1f} s, serial / that: {serial / bare:.3f}")
    print(f"two workers: {wall:.1f} s, inside the solves {inside / many:.3f} s each")
    print(f"serial / two workers: {serial / wall:.3f}; bare / two workers: {bare / wall:.3f}")
    share = 100 * spent / (2 * wall)
    print(f"scheduler, workers and client: {spent:.1f} CPU s, {share:.1f} % of two cores")
    each, rest = inside / many, many - first[1]
    beside = 1000 * (2 * (ended - first[0]) / rest - each)
    print(
        f"the first results after {first[0] - began:.1f} s; then {beside:.1f} ms beside each solve"
    )


def fixed(work: int) -> tuple[offload.Problem, dict[str, Any]]:
    """An instance, and arguments under which a solve of it is the same work each time."""
    problem = offload.generate("smart-traffic", size=60, seed=1)
    return problem, {"time_limit": None, "work_limit": work, "threads": 1, "explain": 0.0}


def serially(seeds: range, work: int, values: list[float | None]) -> float:
    """Wall seconds of solves one after another; their objectives go into the list."""
    problem, call = fixed(work)
    raw = dumps(problem)
    began = time.perf_counter()
    for n in seeds:  # an instance of its own each time: what was reckoned of it is not there yet
        values.append(offload.solve(offload.loads(raw), "anneal", seed=n, **call).objective)
    return time.perf_counter() - began


def two_processes(many: int, work: int) -> float:
    """Wall seconds of two processes that each solve every second seed, once both have begun."""
    code = (
        "import sys; sys.path.insert(0, {folder!r}); import batching as b\n"
        "b.serially(range(1), {work}, []); print(flush=True); sys.stdin.readline()\n"
        "b.serially(range({first}, {many}, 2), {work}, [])"
    )
    here = str(Path(__file__).parent)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code.format(folder=here, work=work, first=first, many=many)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for first in range(2)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    began = time.perf_counter()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
    return time.perf_counter() - began


def tiny(folder: Path, many: int) -> None:
    """Memory of the process that runs the batch, and of its children, from start to end."""
    for seed in range(many):
        offload.generate("layered", size=5, seed=seed).save(folder / f"{seed:05d}.json")
    memory: list[tuple[float, float]] = []
    over = threading.Event()

    def watch() -> None:
        me = psutil.Process()
        while not over.wait(1.0):
            with contextlib.suppress(psutil.Error):
                children = sum(c.memory_info().rss for c in me.children(recursive=True))
                memory.append((me.memory_info().rss / 2**20, children / 2**20))

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    batch = offload.batch(folder, "heft", folder / "out", progress=True)
    wall = time.perf_counter() - began
    over.set()
    watcher.join()
    print(batch)
    print(f"{wall:.1f} s, {1000 * wall / many:.2f} ms each")
    for name, column in (("batch", 0), ("children", 1)):
        shown = [row[column] for row in memory]
        marks = [shown[min(len(shown) - 1, len(shown) * part // 4)] for part in range(5)]
        text = ", ".join(f"{mark:.0f}" for mark in marks)
        print(f"MiB of the {name}, at 0, 1/4, 1/2, 3/4 and the end: {text}")
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "offload", "batch", "--summary", str(folder / "out")], check=True
    )
    print(f"--summary: {time.perf_counter() - began:.1f} s")
    began = time.perf_counter()
    again = offload.batch(folder, "heft", folder / "out")
    print(f"the same again, {again.kept} kept: {time.perf_counter() - began:.1f} s")


def cpu_seconds(processes: list[subprocess.Popen[bytes]]) -> float:
    """Of scheduler and workers, without the children that solve, and of this process."""
    pids = [os.getpid(), *(process.pid for process in processes)]
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids)


@contextlib.contextmanager
def cluster(
    folder: Path, workers: int, settings: dict[str, str]
) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and workers as processes of their own."""
    file, dask = folder / "scheduler.json", [sys.executable, "-m", "dask"]
    common = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, **settings}
    started = [
        subprocess.Popen([*dask, "scheduler", "--port", "0", *common], env=environment, **quiet)
    ]
    try:
        while not (file.exists() and file.stat().st_size):
            time.sleep(0.05)
        for _ in range(workers):
            command = [*dask, "worker", "--nthreads", "1", "--no-nanny", *common]
            started.append(subprocess.Popen(command, env=environment, **quiet))
        yield json.loads(file.read_text())["address"], started
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
