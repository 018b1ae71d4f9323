"""Solving on a Dask cluster.

What Dask leaves to its user: a cancelled task that runs goes on (so the batch has its children
ended on the workers); resources that no worker has are waited for without a word (so they are
looked for first); ``retries`` do not count the death of a worker, and a task that kills its worker
is tried on one after another (so solves run in children, and a task whose worker dies four times
is a failed result); a scheduler and workers without this package fail in odd ways (so their
software is looked at first).
"""

from __future__ import annotations

import contextlib
import os
import pkgutil
import secrets
import threading
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from offload.batching.children import Limits
from offload.batching.jobs import Ask, software
from offload.batching.local import Done
from offload.batching.progress import BatchProgress, Tell
from offload.batching.records import failed_file, write_result
from offload.errors import OffloadError

__all__ = ["Cluster"]

_CONNECT = 10.0  # seconds until a scheduler must answer
_LOOK = 2.0  # seconds between two looks at the workers
_AHEAD = 3  # questions on the way for each thread of the workers
_SOFTWARE = "offload.batching.remote:SOFTWARE"
_DASK = ("dask", "distributed", "cloudpickle", "msgpack", "tornado")


class Cluster:
    """The workers of a scheduler.

    Raises
    ------
    OffloadError
        If there is no scheduler at the address, no worker joins in time, none has the resources,
        or the software of scheduler or workers does not fit.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        cluster: Any,
        limits: Limits,
        resources: Mapping[str, float],
        patience: float,
        tell: Tell,
        cancel: threading.Event,
    ) -> None:
        self._folder = Path(folder).resolve()
        self._limits, self._resources = limits, dict(resources)
        self._patience = patience
        self._token = secrets.token_hex(8)
        self._own = isinstance(cluster, str)
        self._client = _connected(cluster) if self._own else cluster
        self._address = str(getattr(self._client.scheduler, "address", "the scheduler"))
        self._packed = msgspec.msgpack.encode(limits)
        self._probe = self._folder / f".{self._token}.tmp"
        self._closed = False
        self._futures: dict[str, Any] = {}  # a future that nobody holds is dropped by the cluster
        self._looked = self._alone = -1.0
        self._threads = 0
        self.trouble: str | None = None
        try:
            self._wait(tell, cancel)
            if not cancel.is_set():
                self._check_software()
                self._check_resources()
                self._prepare()
                self._probe.write_bytes(b"")
        except BaseException:
            self.close(kill=True)
            raise

    def _wait(self, tell: Tell, cancel: threading.Event) -> None:
        """Wait for the first worker, and say so."""
        began = time.monotonic()
        while not self._offers() and not cancel.wait(0.2):
            waited = time.monotonic() - began
            self._give_up(waited)
            tell(
                BatchProgress(
                    stage="solving", seconds=waited, done=0, total=0, trouble=self.trouble
                )
            )
        self.trouble = None

    @property
    def width(self) -> int:
        """Questions to have on the way; the cluster may grow and shrink meanwhile."""
        now = time.monotonic()
        if self._looked < 0 or now - self._looked >= _LOOK:
            self._looked = now
            self._threads = sum(self._workers().values())
            if self._threads:
                self._alone, self.trouble = -1.0, None
            else:
                self._alone = now if self._alone < 0 else self._alone
                self._give_up(now - self._alone)
        return self._threads * _AHEAD

    def _give_up(self, waited: float) -> None:
        """Say that there is no worker, and in the end that there will be none."""
        what = f"no worker with {self._resources}" if self._resources else "no worker"
        self.trouble = f"{what} at {self._address} so far, waiting"
        if waited > self._patience:
            raise OffloadError(
                f"cluster: {what} at {self._address} for {waited:.0f} s; start some with "
                f"'dask worker {self._address}', then run the batch again: it goes on"
            )

    def _workers(self) -> dict[str, int]:
        """Threads of each worker that has the resources."""
        wanted = self._resources.items()
        return {
            name: threads
            for name, (threads, has) in self._offers().items()
            if all(has.get(resource, 0) >= amount for resource, amount in wanted)
        }

    def _offers(self) -> dict[str, tuple[int, dict[str, float]]]:
        """Threads and resources of each worker."""
        try:
            if not self._resources:
                return {name: (n, {}) for name, n in self._client.nthreads().items()}
            workers = self._client.run(_own_resources, on_error="ignore")
            threads = self._client.nthreads()
        except Exception as error:
            raise self._lost(error) from None
        return {name: (threads[name], has) for name, has in workers.items() if name in threads}

    def _lost(self, error: object) -> OffloadError:
        return OffloadError(
            f"cluster: the scheduler at {self._address} is lost ({error or 'no answer'}); all that "
            "was done is kept: run the batch again when it is back"
        )

    def _check_software(self) -> None:
        """Whether scheduler and workers have what is needed, in the versions that are here."""
        everywhere = self._client.get_versions(check=False)
        here, problems = everywhere["client"], list[str]()
        places = {f"scheduler {self._address}": everywhere["scheduler"]}
        places |= {f"worker {name}": found for name, found in everywhere["workers"].items()}
        for place, found in places.items():
            for package in ("python", *_DASK):
                mine, theirs = _version(here, package), _version(found, package)
                if mine != theirs:
                    problems.append(f"{place} has {package} {theirs or 'not at all'}, here {mine}")
        if not problems:
            for place, found in self._software().items():
                problems += _differences(place, found)
        if problems:
            raise OffloadError(
                "cluster: its software differs from what is here: " + "; ".join(problems) +
                "; install the same there (pip install 'offload[dask]' of this version)"
            )  # fmt: skip

    def _software(self) -> dict[str, Any]:
        """What each place says when it imports this package, by a function that all have."""
        resolve = pkgutil.resolve_name
        try:
            on_scheduler = self._client.run_on_scheduler(resolve, _SOFTWARE)
        except Exception as error:
            on_scheduler = error
        workers = self._client.run(resolve, _SOFTWARE, on_error="return")
        found = {f"scheduler {self._address}": on_scheduler}
        return found | {f"worker {name}": value for name, value in workers.items()}

    def _check_resources(self) -> None:
        if self._resources and not self._workers():
            offered = {name: has for name, (_, has) in self._offers().items()}
            raise OffloadError(
                f"resources: no worker has {self._resources}, they offer {offered}; start some "
                "with 'dask worker --resources', or ask for less"
            )

    def _prepare(self) -> None:
        """Start a child on every worker."""
        from offload.batching.remote import prepare

        answers = self._client.run(prepare, self._token, self._packed, on_error="return")
        wrong = [
            f"worker {name}: {found.get('error') if isinstance(found, dict) else found}"
            for name, found in answers.items()
            if not isinstance(found, dict) or "error" in found
        ]
        if wrong:
            raise OffloadError(f"cluster: workers cannot solve: {'; '.join(wrong)}")

    def submit(self, ask: Ask, done: Done) -> None:
        """Have a question answered by some worker."""
        import dask

        from offload.batching.remote import execute

        if ask.source:  # the workers may not see the file
            try:
                ask = msgspec.structs.replace(ask, source="", data=Path(ask.source).read_bytes())
            except OSError as error:
                reason = f"{ask.path}: cannot be read ({error.strerror or error})"
                done(ask, write_result(self._folder, ask, failed_file(ask, "unreadable", reason)))
                return
        body = msgspec.msgpack.encode(ask)
        # A warning of Dask's about large tasks asks for scattering, which loses data with a worker.
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
            future = self._client.submit(
                execute, self._token, self._packed, body, str(self._folder), self._probe.name,
                key=f"offload-{ask.key}-{self._token}", pure=False,
                resources=self._resources or None,
            )  # fmt: skip
        self._futures[ask.key] = future
        future.add_done_callback(lambda over: self._take(ask, over, done))

    def _take(self, ask: Ask, future: Any, done: Done) -> None:
        """In a thread of the client: an answer, or why there is none."""
        if self._closed:
            return
        from distributed.scheduler import KilledWorker

        try:
            text = future.result()
            done(ask, write_result(self._folder, ask, text))
        except KilledWorker as error:
            times = error.allowed_failures + 1
            last = error.last_worker.address
            reason = f"its worker died while it ran ({times} of {times} tried, last {last})"
            done(ask, write_result(self._folder, ask, failed_file(ask, "crash", reason)))
        except OffloadError as error:
            done(ask, error)
        except BaseException as error:
            if not self._closed:
                lost = future.status in ("cancelled", "lost")
                text = f"cluster: a worker cannot solve: {type(error).__name__}: {error}"
                done(ask, self._lost(error) if lost else OffloadError(text))
        finally:
            self._futures.pop(ask.key, None)

    def close(self, *, kill: bool) -> None:
        """End the children on the workers, and leave the cluster as it was."""
        if self._closed:
            return
        self._closed = True
        from offload.batching.remote import stop

        with contextlib.suppress(OSError):
            self._probe.unlink(missing_ok=True)
        with contextlib.suppress(Exception):
            if self._client.status == "running":
                self._client.cancel(list(self._futures.values()))
                self._client.run(stop, self._token, on_error="ignore")
        if self._own:
            with contextlib.suppress(Exception), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._client.close(timeout=_CONNECT)


def _own_resources(dask_worker: Any) -> dict[str, float]:
    """Runs on a worker: what it was started with."""
    return dict(dask_worker.state.total_resources)


def _connected(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        text = "cluster: needs Dask, which is not installed; pip install 'offload[dask]'"
        raise OffloadError(text) from None
    if _is_file(address) and not os.path.exists(address):
        raise OffloadError(f"cluster: no such file, got {address!r}; check --scheduler-file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # versions that differ are an error below
            connect: Any = Client
            where = {"scheduler_file" if _is_file(address) else "address": address}
            return connect(**where, timeout=_CONNECT, set_as_default=False)
    except (OSError, ValueError, ImportError) as error:
        words = " ".join(str(error).split())
        raise OffloadError(
            f"cluster: no scheduler answers at {address} ({words}); start one with "
            "'dask scheduler', and name the address that it prints, as in tcp://10.0.0.5:8786"
        ) from None


def _is_file(address: str) -> bool:
    """Whether it names the file in which a scheduler has left its address."""
    return "://" not in address and (address.endswith(".json") or os.path.exists(address))


def _version(place: Any, package: str) -> str | None:
    """A package's version as Dask tells it; of Python, without what does not matter."""
    found = place.get("packages", {}).get(package) if isinstance(place, Mapping) else None
    if found is None:
        return None
    return ".".join(str(found).split(".")[:2]) if package == "python" else str(found)


def _differences(place: str, found: Any) -> list[str]:
    """What of the software that decides an answer is not the same at a place."""
    if not isinstance(found, Mapping):
        return [f"{place} cannot import offload ({type(found).__name__}: {found})"]
    return [
        f"{place} has {name} {found.get(name, 'not at all')}, here {mine}"
        for name, mine in software().items()
        if found.get(name) != mine
    ]
