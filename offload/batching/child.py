"""The child process: opens and solves instances one after another, as its parent asks.

Questions come on standard input, answers go to standard output, as MessagePack with its length in
front. It ends when its parent does: a thread waits for the end of standard input, and on Linux the
kernel kills it, even if a solver holds the interpreter's lock.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import BinaryIO

import msgspec

from offload.batching.jobs import Ask, Opened, Reply
from offload.errors import InstanceError, OffloadError, SolverUnavailable, Unsupported

__all__ = ["IDLE", "main", "read_frame", "write_frame"]

IDLE = 600.0  # seconds without a question after which a child ends
_LENGTH = 8  # bytes
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
_SHOWN = 3  # issues of an invalid instance in its reason


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next message; ``None`` at the end of the stream."""
    head = stream.read(_LENGTH)
    if len(head) < _LENGTH:
        return None
    size = int.from_bytes(head, "big")
    body = stream.read(size)
    return body if len(body) == size else None


def write_frame(stream: BinaryIO, body: bytes) -> None:
    """Send a message."""
    stream.write(len(body).to_bytes(_LENGTH, "big"))
    stream.write(body)
    stream.flush()


def main(parent: int, methods: Sequence[str]) -> None:
    """Answer until the parent ends, or asks nothing for long.

    Parameters
    ----------
    parent
        Number of the parent's process.
    methods
        Methods whose modules are loaded before the first question, so that no solve pays for it.
    """
    try:
        _serve(parent, methods)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)  # without waiting for the thread that reads


def _serve(parent: int, methods: Sequence[str]) -> None:
    _die_with(parent)
    # What solvers print goes to standard error; standard output belongs to the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, inbox), daemon=True).start()
    _load(methods)
    write_frame(answers, b"ready")
    decode = msgspec.msgpack.Decoder(Ask).decode
    encode = msgspec.msgpack.Encoder().encode
    while True:
        try:
            body = inbox.get(timeout=IDLE)
        except queue.Empty:
            return
        _clear_log()
        write_frame(answers, encode(answer(decode(body))))


def _listen(stream: BinaryIO, inbox: queue.SimpleQueue[bytes]) -> None:
    while (body := read_frame(stream)) is not None:
        inbox.put(body)
    os._exit(0)


def _die_with(parent: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it had ended before
        os._exit(0)


def _clear_log() -> None:
    """Standard error is a file for the parent to read; only the last solve's lines count."""
    sys.stderr.flush()
    with contextlib.suppress(OSError):
        os.lseek(2, 0, os.SEEK_SET)
        os.ftruncate(2, 0)


def _load(methods: Sequence[str]) -> None:
    import offload.conflicts.explaining
    import offload.files
    import offload.solver  # noqa: F401
    from offload import registry

    table = registry.entries()
    every = any(name == "auto" or table[name].chooses for name in methods)
    for entry in table.values():
        if entry.name in methods or (every and entry.kind in ("exact", "search", "bound")):
            with contextlib.suppress(SolverUnavailable):  # the solve says so
                entry.load()
    gc.collect()
    gc.freeze()  # modules stay: the collector need not look through them again


def answer(ask: Ask) -> Reply:
    """What comes of a question; whatever goes wrong is a reply too."""
    try:
        return _answer(ask)
    except MemoryError:
        return Reply(failure="memory", reason="ran out of memory")
    except OffloadError as error:
        kind = "error"
        for known, name in (
            (InstanceError, "invalid"), (Unsupported, "unsupported"),
            (SolverUnavailable, "unavailable"),
        ):  # fmt: skip
            kind = name if isinstance(error, known) else kind
        if kind == "error" and ask.settings is None:
            kind = "unreadable"
        return Reply(failure=kind, reason=_words(error))
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"unexpected {type(error).__name__}: {error} ({where.filename}:{where.lineno})"
        return Reply(failure="error", reason=reason)


def _words(error: OffloadError) -> str:
    lines = error.lines(_SHOWN) if isinstance(error, InstanceError) else [str(error)]
    return "; ".join(" ".join(line.split()) for line in lines)


def _answer(ask: Ask) -> Reply:
    from offload.files import loads, read_bytes, unpacked

    raw = read_bytes(ask.source) if ask.source else unpacked(ask.data, ask.path)
    problem = loads(raw, source=ask.path)
    if ask.settings is None:
        return Reply(opened=Opened.of(problem))
    assert ask.opened is not None
    if problem.digest != ask.opened.digest:
        return Reply(
            failure="unreadable", reason="the file changed while the batch ran; start again"
        )
    from offload.batching.records import result_file
    from offload.batching.usage import Usage
    from offload.solver import solve

    settings = ask.settings.plain()
    usage = Usage()
    result = solve(problem, **settings)
    return Reply(text=result_file(ask, problem, result, usage.spent()))
