"""batch(): many instances, several methods, every result a file."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offload import registry
from offload.batching.children import Limits
from offload.batching.jobs import Settings
from offload.batching.local import Local
from offload.batching.progress import BatchProgress, batch_bar, batch_text
from offload.batching.records import rows_of, scan, tidy
from offload.batching.sources import find_sources
from offload.batching.steps import Steps
from offload.batching.summary import Batch
from offload.batching.usage import cores, memory_of_machine
from offload.errors import OffloadError, one_line
from offload.features import Goal, checked
from offload.meters import telling
from offload.problem import Problem, as_weights
from offload.solver import EXPLAIN, check_arguments

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["batch", "load_batch"]

_SHARE = 0.9  # of the machine's memory that all children together may take
_LATE = 30.0  # seconds beyond twice the time limit after which a solve is ended

_Input = str | os.PathLike[str] | Problem


def batch(
    instances: _Input | Iterable[_Input],
    methods: str | Sequence[str] = "auto",
    output: str | os.PathLike[str] = "results",
    *,
    minimize: str | Mapping[str, float] | None = None,
    limits: Mapping[str, float] | None = None,
    time_limit: float | None = 10.0,
    work_limit: float | None = None,
    gap: float | None = None,
    seeds: int | Sequence[int] = 0,
    options: Mapping[str, Any] | None = None,
    explain: float | None = None,
    processes: int | None = None,
    threads: int | None = None,
    memory_limit: float | None = None,
    hard_limit: float | None = None,
    force: bool = False,
    retry_failed: bool = False,
    dry_run: bool = False,
    cluster: str | Client | None = None,
    resources: Mapping[str, float] | None = None,
    wait_for_workers: float = 600.0,
    on_progress: Callable[[BatchProgress], object] | None = None,
    progress: bool = False,
    cancel: threading.Event | None = None,
) -> Batch:
    """Solve many instances by several methods, each solve in a process of its own.

    Every answer becomes a file of ``output`` as soon as it is there; a batch that was ended, in
    whatever way, is started again in the same way and does what is missing. A solve that crashes,
    takes too much memory or does not end becomes a result with the reason, and the rest goes on.

    Parameters
    ----------
    instances
        Files, folders (all ``.json`` and ``.json.gz`` in them and below), or problems.
    methods
        Names from :func:`offload.methods`, or "auto".
    output
        Folder of the result files, which are plan files; made if it is not there.
    minimize, limits, time_limit, work_limit, gap, explain
        As in :func:`offload.solve`, for each solve; ``explain`` is 0 by default where there is a
        ``work_limit``, so that results can be reproduced.
    seeds
        Each instance is solved by each method with each of them.
    options
        Options of methods; each method gets those that it has.
    processes, threads
        Solves at a time, and solver threads of each, 1 by default (threads are part of what tells
        one result from another, so they do not follow from the machine). By default as many
        processes as there are cores for their threads. On a cluster each thread of a worker solves
        one at a time; with more ``threads``, as many workers' threads as these stand for.
    memory_limit
        Bytes that a solve may take; by default 0.9 of the machine's divided by ``processes``, on a
        cluster no limit.
    hard_limit
        Wall seconds after which a solve's process is ended, whatever it does; by default twice the
        time limit and half a minute.
    force
        Do all again, also what is there.
    retry_failed
        Do again what is there without a plan because it crashed or met a limit of memory or time.
    dry_run
        Solve nothing: the batch returned has what is there, and how much is missing.
    cluster
        A Dask scheduler's address (``tcp://...``), the file in which it left it
        (``--scheduler-file``), or a ``distributed.Client``.
    resources
        Dask resources that each solve needs, as the workers declare them.
    wait_for_workers
        Seconds without any worker after which the batch gives up.
    on_progress
        Called several times a second from the calling thread.
    progress
        Show a line of progress on standard error: live on a terminal, now and then in a log, and
        in a notebook under the cell.
    cancel
        Set it from another thread to stop; what is running is ended, all that is done is kept.

    Returns
    -------
    Batch
        All results that were asked for, those that were there before included.

    Raises
    ------
    OffloadError
        For bad arguments and paths, before anything is solved; if results cannot be written; if
        the cluster is lost or its software differs. What is done is kept.
    """
    names = [methods] if isinstance(methods, str) else list(methods)
    numbers = [seeds] if isinstance(seeds, int) else list(seeds)
    patience = explain if explain is not None else 0.0 if work_limit is not None else EXPLAIN
    processes, threads = _share(processes, threads or 1)
    goal = checked(Goal(as_weights(minimize, {"latency": 1.0}), as_weights(limits, {})))
    chosen = _settings(
        names, numbers, options or {}, minimize=None if minimize is None else goal.minimize,
        limits=None if limits is None else goal.limits, time_limit=time_limit,
        work_limit=work_limit, gap=gap, threads=threads, explain=patience,
    )  # fmt: skip
    _check_limits(memory_limit, hard_limit, wait_for_workers)
    given = [instances] if isinstance(instances, str | os.PathLike | Problem) else instances
    sources = find_sources(given, Path(output))
    folder = _folder(output)
    tidy(folder)
    if memory_limit is None and cluster is None:
        memory_limit = _SHARE * memory_of_machine() / processes
    if hard_limit is None and time_limit is not None:
        hard_limit = 2 * time_limit + _LATE
    allowed = Limits(
        threads=threads, memory=None if memory_limit is None else int(memory_limit),
        seconds=hard_limit, methods=tuple(names),
    )  # fmt: skip
    with telling(on_progress, batch_text if progress else None, batch_bar) as told:
        tell = told or _nobody
        steps = Steps(folder, chosen, tell, cancel or threading.Event())
        opener = Local(folder, processes, allowed)
        try:
            steps.open(sources, opener)
            missing = steps.missing(force=force, retry_failed=retry_failed)
            if not missing or dry_run or steps.cancel.is_set():
                pass
            elif cluster is None:
                steps.solve(missing, opener)
            else:
                opener.close(kill=False)
                from offload.batching.cluster import Cluster

                steps.solve(
                    missing,
                    Cluster(
                        folder, cluster, allowed, resources or {}, wait_for_workers, tell,
                        steps.cancel,
                    ),
                )  # fmt: skip
        finally:
            opener.close(kill=True)
    return steps.batch()


def _nobody(report: BatchProgress) -> None:
    """What is told where nobody listens."""


def load_batch(folder: str | os.PathLike[str] = "results") -> Batch:
    """All results of a folder.

    Raises
    ------
    OffloadError
        If the folder has none, or cannot be read.
    """
    records = scan(folder)
    if not records:
        raise OffloadError(
            f"{one_line(str(folder))}: no results in it; name the folder that a batch wrote"
        )
    return Batch(rows_of(folder, [record.file for record in records.values()]))


def _share(processes: int | None, threads: int) -> tuple[int, int]:
    """Processes and threads of each, which together fit the cores unless told otherwise."""
    for name, value in (("processes", processes), ("threads", threads)):
        if value is not None and value < 1:
            raise OffloadError(f"{name}: must be >= 1, got {value!r}")
    return processes or max(1, cores() // threads), threads


def _settings(
    methods: Sequence[str], seeds: Sequence[int], options: Mapping[str, Any], **rest: Any
) -> list[Settings]:
    """One for each method and seed, checked."""
    table = registry.entries()
    for what, given in (("methods", methods), ("seeds", seeds)):
        if not given or len(set(given)) < len(given):
            raise OffloadError(f"{what}: must be distinct, at least one, got {list(given)!r}")
    found = []
    for name in methods:
        known = {} if name == "auto" else registry.find(name).options
        own = {key: value for key, value in options.items() if key in known}
        for seed in seeds:
            check_arguments(
                rest["time_limit"], rest["work_limit"], rest["gap"], rest["threads"], seed,
                rest["explain"],
            )  # fmt: skip
            found.append(Settings(method=name, seed=seed, options=own, **rest))
    for key in options:
        if not any(name != "auto" and key in table[name].options for name in methods):
            raise OffloadError(f"options.{key}: none of {', '.join(methods)} has such an option")
    return found


def _check_limits(memory: float | None, hard: float | None, wait: float) -> None:
    for name, value in (
        ("memory_limit", memory), ("hard_limit", hard), ("wait_for_workers", wait),
    ):  # fmt: skip
        if value is not None and not value > 0:
            raise OffloadError(f"{name}: must be above 0, got {value!r}; None is no limit")


def _folder(output: str | os.PathLike[str]) -> Path:
    """The folder of results, made and seen to be writable before anything is solved."""
    path = Path(output)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or error
        raise OffloadError(
            f"output: cannot be made a folder ({why}), got {one_line(str(path))}; name another"
        ) from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise OffloadError(
            f"output: cannot be written to, got {one_line(str(path))}; name another folder"
        )
    return path
