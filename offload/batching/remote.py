"""What runs on the workers of a Dask cluster; the scheduler has to be able to import it, too.

Solves run in child processes of the worker, one for each of its threads: a solve that crashes is a
result, and does not take the worker, its other solves and, one after another, all workers with it.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import msgspec

from offload.batching.jobs import Ask, software

if TYPE_CHECKING:
    from distributed import Worker

    from offload.batching.children import Children

__all__ = ["SOFTWARE", "execute", "prepare", "stop"]

SOFTWARE = software()

_lock = threading.Lock()
_batches: dict[str, tuple[Children, threading.Semaphore]] = {}


def _children(token: str, limits: bytes, threads: int) -> tuple[Children, threading.Semaphore]:
    """The children of a batch, and how many of them may work at a time."""
    from offload.batching.children import Children, Limits

    with _lock:
        if token not in _batches:
            allowed = msgspec.msgpack.decode(limits, type=Limits)
            at_once = max(1, threads // allowed.threads)
            _batches[token] = (Children(allowed), threading.Semaphore(at_once))
        return _batches[token]


def execute(token: str, limits: bytes, body: bytes, folder: str, probe: str) -> bytes:
    """Solve what is asked, and write the result where the client's folder is this machine's too.

    Parameters
    ----------
    token
        Names the batch.
    limits, body
        A :class:`Limits` and an :class:`Ask`, as MessagePack.
    folder, probe
        The folder of results, and the name of a file in it by which it is known again.

    Returns
    -------
    bytes
        The result file; also where it has been written already, since a client must be sure.
    """
    from distributed import get_worker

    from offload.batching.records import write_if_shared

    ask = msgspec.msgpack.decode(body, type=Ask)
    children, turn = _children(token, limits, get_worker().state.nthreads)
    with turn:
        reply = children.answer(ask)
    write_if_shared(folder, probe, ask.file, reply.text)
    return reply.text


async def prepare(token: str, limits: bytes, dask_worker: Worker) -> dict[str, Any]:
    """Start a child on a worker, so that what is wrong there shows before anything is solved."""

    def start() -> None:
        children, _ = _children(token, limits, dask_worker.state.nthreads)
        children.start()

    try:
        await asyncio.to_thread(start)
    except Exception as error:
        return {"error": str(error)}
    return {"software": SOFTWARE}


async def stop(token: str) -> None:
    """End the children of a batch; what they are at is lost."""
    with _lock:
        found = _batches.pop(token, None)
    if found is not None:
        await asyncio.to_thread(found[0].stop)
