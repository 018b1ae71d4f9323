"""Child processes that solve: started, watched, ended in time, and replaced when they die.

A solve may crash, take all memory or never end; in a process of its own that is an answer like any
other. A child is used for many solves, since starting one takes about a second, and replaced when
its memory grows. What dies in a child that has solved before is tried once more in a new one, so
that no instance fails for what another left behind.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import inf
from typing import BinaryIO, cast

import msgspec
import psutil

from offload.batching.child import read_frame, write_frame
from offload.batching.jobs import Ask, Reply
from offload.batching.records import failed_file
from offload.errors import OffloadError
from offload.units import number, quantity

__all__ = ["Child", "Children", "Limits", "StartFailed", "Stopped"]

_POLL = 0.05  # seconds between two looks at a child's memory
_FAMILY = 1.0  # seconds between two looks at the memory of its own children
_START = 120.0  # seconds that a child may take to start
_GROWTH = 256 << 20  # bytes beyond what a new child takes after which it is replaced
_LAST = 300  # characters of a dead child's last words
_BLAS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
_CODE = (
    "import sys; sys.path[:] = {path!r}; from offload.batching.child import main; "
    "main({parent}, {methods!r})"
)


class Stopped(Exception):
    """The batch was stopped while a child was at work."""


class StartFailed(OffloadError):
    """No child process can be started here."""


class _Died(Exception):
    """A child that ended without an answer: the kind of failure, and the reason."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind, self.reason = kind, reason


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a child may take.

    Attributes
    ----------
    threads
        Of numeric libraries.
    memory
        Bytes; ``None`` for no limit.
    seconds
        Wall seconds from a question to its answer; ``None`` for no limit.
    methods
        Loaded before the first question.
    """

    threads: int = 1
    memory: int | None = None
    seconds: float | None = None
    methods: tuple[str, ...] = ()


class _Spawner:
    """Starts processes from one thread that lives as long as this process.

    Linux kills a child when the *thread* that started it ends.
    """

    def __init__(self) -> None:
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def start(self, command: Sequence[str], **options: object) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="offload-children")
        start: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen
        return self._pool.submit(start, command, **options).result()


_spawner = _Spawner()


class Child:
    """One child process."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.used = 0
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        code = _CODE.format(path=sys.path, parent=os.getpid(), methods=limits.methods)
        environment = {**os.environ, **dict.fromkeys(_BLAS, str(limits.threads))}
        try:
            self._process = _spawner.start(
                [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=self._log, env=environment, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise StartFailed(f"no process can be started: {error}; free memory or tasks") from None
        self._inbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="offload-child-reader", daemon=True)
        self._reader.start()
        self._stopped = False
        try:
            ready = self._inbox.get(timeout=_START)
        except queue.Empty:
            ready = None
        if ready is None:
            self.end()
            words = self._last_words() or "no word"
            self.dismiss()
            raise StartFailed(f"{sys.executable} did not start a solving process: {words}")
        try:
            self._watched = psutil.Process(self._process.pid)
            self._first = self._bytes(family=False)
        except psutil.Error:
            self.dismiss()
            raise StartFailed("a solving process ended as soon as it had started") from None
        if limits.memory is not None:
            if self._first >= limits.memory:
                self.dismiss()
                raise StartFailed(
                    f"memory_limit: a process takes {quantity(float(self._first), 'B', 3)} before "
                    f"it solves, got {quantity(float(limits.memory), 'B')}; allow more"
                )
            self._limit_data(limits.memory)

    def _read(self) -> None:
        stream = cast(BinaryIO, self._process.stdout)
        with contextlib.suppress(OSError, ValueError):
            while (body := read_frame(stream)) is not None:
                self._inbox.put(body)
        self._inbox.put(None)

    def _limit_data(self, memory: int) -> None:
        """Let a sudden large allocation fail in the child, before the next look at its memory."""
        if hasattr(self._watched, "rlimit"):  # Linux
            data = self._watched.memory_info().data
            with contextlib.suppress(psutil.Error, OSError, ValueError):
                self._watched.rlimit(psutil.RLIMIT_DATA, (data + memory, data + memory))
                self._watched.rlimit(psutil.RLIMIT_CORE, (0, 0))

    @property
    def grown(self) -> bool:
        """Whether it holds much more memory than when it was new."""
        try:
            return self._bytes(family=False) > self._first + _GROWTH
        except psutil.Error:
            return True

    def ask(self, body: bytes) -> bytes:
        """The answer to a question.

        Raises
        ------
        _Died
            If it ends, or is ended, before.
        Stopped
            If :meth:`stop` was called.
        """
        began = time.monotonic()
        self.used += 1
        with contextlib.suppress(OSError):  # a dead child answers below
            write_frame(cast(BinaryIO, self._process.stdin), body)
        limit, family, peak = self.limits.seconds or inf, began + _FAMILY, 0
        while True:
            with contextlib.suppress(queue.Empty):
                reply = self._inbox.get(timeout=_POLL)
                if reply is None:
                    raise self._death(peak)
                return reply
            now = time.monotonic()
            if now - began > limit:
                self.end()
                text = f"gave no answer within {number(limit)} s and was ended"
                raise _Died("timeout", text)
            if self.limits.memory is not None:
                whole = now >= family
                family = now + _FAMILY if whole else family
                with contextlib.suppress(psutil.Error):
                    peak = max(peak, self._bytes(family=whole))
                if peak > self.limits.memory:
                    self.end()
                    raise _Died("memory", self._too_much())

    def _bytes(self, *, family: bool) -> int:
        total = int(self._watched.memory_info().rss)
        for child in self._watched.children(recursive=True) if family else ():
            with contextlib.suppress(psutil.Error):
                total += int(child.memory_info().rss)
        return total

    def _too_much(self) -> str:
        assert self.limits.memory is not None
        return f"needs more than the {quantity(float(self.limits.memory), 'B')} of memory allowed"

    def _death(self, peak: int) -> Exception:
        """Why the process ended by itself."""
        self._process.wait()
        if self._stopped:
            return Stopped()
        code, words = self._process.returncode, self._last_words()
        if self.limits.memory is not None and "bad_alloc" in words:
            return _Died("memory", self._too_much())
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
            text = f"the solving process was killed by {name}"
            if name == "SIGKILL":
                text += ", as the system does when memory runs out"
        else:
            text = f"the solving process ended with status {code}"
        return _Died("crash", f"{text}: {words}" if words else text)

    def _last_words(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            self._log.seek(0)
            text = self._log.read().decode(errors="replace").replace("\0", "")
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            return lines[-1][:_LAST] if lines else ""
        return ""

    def stop(self) -> None:
        """End it from another thread: whoever waits for an answer gets :class:`Stopped`."""
        self._stopped = True
        self._process.kill()

    def end(self) -> None:
        """Kill it and wait for its end."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            cast(BinaryIO, self._process.stdin).close()

    def dismiss(self) -> None:
        """Kill it and let go of its files."""
        self.end()
        self._reader.join()
        cast(BinaryIO, self._process.stdout).close()
        self._log.close()


class Children:
    """The children of one batch in this process, each lent to one solve at a time."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._lock = threading.Lock()
        self._free: list[Child] = []
        self._busy: set[Child] = set()
        self._stopped = False

    def answer(self, ask: Ask) -> Reply:
        """What comes of a question, whatever happens to the child that works on it.

        Raises
        ------
        Stopped
            If :meth:`stop` was called.
        StartFailed
            If no process can be started.
        """
        body = msgspec.msgpack.encode(ask)
        child = self._borrow()
        fresh, reply = child.used == 0, self._ask(child, body)
        if not fresh and reply.failure in ("crash", "memory"):
            reply = self._ask(self._borrow(new=True), body)
        return self._finished(ask, reply)

    def start(self) -> None:
        """Start a child before there is a question, to see that it starts."""
        self._give_back(self._borrow(new=True), spoiled=False)

    def _ask(self, child: Child, body: bytes) -> Reply:
        spoiled = True
        try:
            reply = msgspec.msgpack.decode(child.ask(body), type=Reply)
            spoiled = reply.failure == "memory"
        except _Died as died:
            reply = Reply(failure=died.kind, reason=died.reason)
        finally:
            self._give_back(child, spoiled)
        return reply

    def _finished(self, ask: Ask, reply: Reply) -> Reply:
        """The reply with a result file, also where there is no result."""
        if reply.failure == "memory" and self.limits.memory is not None:
            allowed = quantity(float(self.limits.memory), "B")
            reason = f"needs more than the {allowed} of memory allowed"
            reply = msgspec.structs.replace(reply, reason=reason)
        if reply.failure is None or ask.settings is None:
            return reply
        text = failed_file(ask, reply.failure, reply.reason)
        return msgspec.structs.replace(reply, text=text)

    def _borrow(self, new: bool = False) -> Child:
        with self._lock:
            if self._stopped:
                raise Stopped
            child = self._free.pop() if self._free and not new else None
            if child is not None:
                self._busy.add(child)
                return child
        child = Child(self.limits)
        if not self._admit(child):
            child.dismiss()
            raise Stopped
        return child

    def _admit(self, child: Child) -> bool:
        """Whether a new child may work: the batch may have been stopped while it started."""
        with self._lock:
            if not self._stopped:
                self._busy.add(child)
            return not self._stopped

    def _give_back(self, child: Child, spoiled: bool) -> None:
        keep = not spoiled and not child.grown
        with self._lock:
            self._busy.discard(child)
            keep = keep and not self._stopped
            if keep:
                self._free.append(child)
        if not keep:
            child.dismiss()

    def stop(self) -> None:
        """End all children; what they are at is lost."""
        with self._lock:
            self._stopped = True
            free, self._free = self._free, []
            for child in self._busy:
                child.stop()
        for child in free:
            child.dismiss()
