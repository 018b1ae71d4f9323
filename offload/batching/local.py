"""Solving on this machine: threads that each wait for a child process."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from offload.batching.children import Children, Limits, Stopped
from offload.batching.jobs import Ask, Reply
from offload.batching.records import Record, write_result

__all__ = ["Done", "Executor", "Local"]

Done = Callable[[Ask, "Reply | Record | BaseException"], None]


class Executor(Protocol):
    """Where questions are answered.

    ``submit`` returns at once, and calls ``done`` from some thread with the question and what came
    of it: the record of the result, which is written by then; the reply, where an instance was
    opened; or the error that ends the batch.
    """

    @property
    def width(self) -> int:
        """How many questions to have on the way."""

    @property
    def trouble(self) -> str | None:
        """Why nothing goes on, where that is so."""

    def submit(self, ask: Ask, done: Done) -> None:
        """Have a question answered."""

    def close(self, *, kill: bool) -> None:
        """Let go of everything; end what is running where ``kill``."""


class Local:
    """Child processes of this process."""

    trouble = None

    def __init__(self, folder: str | os.PathLike[str], processes: int, limits: Limits) -> None:
        self._folder = folder
        self._children = Children(limits)
        self._pool = ThreadPoolExecutor(processes, thread_name_prefix="offload-batch")
        self.width = processes + min(processes, 8)  # so that no process waits for the next

    def submit(self, ask: Ask, done: Done) -> None:
        """Have a question answered."""

        def work() -> Reply | Record:
            reply = self._children.answer(ask)
            return reply if ask.settings is None else write_result(self._folder, ask, reply.text)

        def tell(future: Future[Reply | Record]) -> None:
            if future.cancelled():
                return
            error = future.exception()
            if not isinstance(error, Stopped):
                done(ask, future.result() if error is None else error)

        self._pool.submit(work).add_done_callback(tell)

    def close(self, *, kill: bool) -> None:
        """End the processes; without ``kill``, after what they are at."""
        if kill:
            self._children.stop()
        self._pool.shutdown(cancel_futures=kill)
        self._children.stop()
