"""Batches as a user runs them: commands in processes of their own, and what they leave behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

import offload

PATIENCE = 240.0  # seconds until a test gives up waiting; the machine may be busy
SOON = 5.0  # seconds in which the child of a killed process must have ended


def make(folder: Path, many: int, size: int = 8) -> Path:
    """A folder of instances, all unlike."""
    folder.mkdir()
    for seed in range(many):
        family = ("smart-traffic", "smart-health", "smart-home")[seed % 3]
        problem = offload.generate(family, size=size + seed % 3, seed=seed)
        problem.save(folder / f"{family}-{seed:03d}.json")
    return folder


def command(folder: Path, results: Path, *options: object) -> list[str]:
    """``offload batch`` of work that does not depend on the clock."""
    made = [sys.executable, "-m", "offload", "batch", str(folder), "-o", str(results)]
    return [*made, "--time-limit", "none", "--work-limit", "20", "-q", *map(str, options)]


def finish(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        arguments, capture_output=True, text=True, timeout=4 * PATIENCE, check=False
    )


@contextmanager
def running(arguments: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A command under way; killed at the end of the context if it is still there."""
    with subprocess.Popen(
        arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(true: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def files_of(results: Path) -> list[Path]:
    """The result files, not the tables."""
    return sorted(results.glob("*.json"))


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill -9, and see that no child of it outlives it for long."""
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(family, timeout=SOON)
    assert alive == []


def answers(results: Path) -> dict[str, dict[str, Any]]:
    """What the result files say, but for times and memory; all must be whole."""
    found = {}
    for path in files_of(results):
        document = json.loads(path.read_bytes())
        result = document["result"]
        for name in ("seconds",):
            result.pop(name)
        for name in ("cpu_seconds", "memory", "path"):
            result["batch"].pop(name, None)
        found[path.name] = document
    return found


@contextmanager
def cluster(
    workers: int, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[str, list[subprocess.Popen[bytes]], subprocess.Popen[bytes]]]:
    """A scheduler and workers of one thread: its address, the workers' processes, and its own."""
    dask = [sys.executable, "-m", "dask"]
    file = Path(os.environ.get("TMPDIR", "/tmp")) / f"scheduler-{os.getpid()}-{time.time_ns()}.json"
    scheduler = [
        *dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
        "--scheduler-file", str(file),
    ]  # fmt: skip
    worker = [
        *dask, "worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-dashboard",
        "--host", "127.0.0.1", *options,
    ]  # fmt: skip
    started: list[subprocess.Popen[bytes]] = []

    def start(arguments: list[str]) -> subprocess.Popen[bytes]:
        nothing = subprocess.DEVNULL
        process = subprocess.Popen(
            arguments, stdin=nothing, stdout=nothing, stderr=nothing,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
        started.append(process)
        return process

    try:
        head = start(scheduler)
        wait_for(lambda: file.exists() and file.stat().st_size > 0)
        made = [start(worker) for _ in range(workers)]
        address = json.loads(file.read_text())["address"]
        yield address, made, head
    finally:
        for process in reversed(started):
            for child in _family(process):
                child.kill()
            process.kill()
            process.wait()
        file.unlink(missing_ok=True)


def _family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
