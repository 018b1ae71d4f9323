"""The steps of a batch: open the instances, see what is missing, have it solved."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from offload.batching.jobs import Ask, Opened, Reply, Settings, file_name, key_of, software
from offload.batching.local import Executor
from offload.batching.progress import BatchProgress, Tell
from offload.batching.records import Record, failed_file, rows_of, scan, write_result
from offload.batching.sources import Source
from offload.batching.summary import Batch
from offload.errors import OffloadError

__all__ = ["Steps"]

_WAIT = 0.1  # seconds between two looks at whether to stop
_AGAIN = ("crash", "memory", "timeout", "unavailable", "error")  # what may go otherwise next time
_Came = Reply | Record | BaseException

_log = logging.getLogger("offload")


class Steps:
    """One run of a batch, whose state is the folder of results.

    Parameters
    ----------
    folder
        Where results are, and go.
    settings
        Each instance is solved under each of them.
    """

    def __init__(
        self, folder: Path, settings: Sequence[Settings], tell: Tell, cancel: threading.Event
    ) -> None:
        self.folder, self.settings = folder, settings
        self.tell, self.cancel = tell, cancel
        self.versions = software()
        self.before = scan(folder)
        self.records: dict[str, Record] = {}
        self.asks: dict[str, Ask] = {}  # all that is asked for, by key
        self.kept = self.unread = 0
        self._inbox: queue.SimpleQueue[tuple[Ask, _Came]] = queue.SimpleQueue()

    def open(self, sources: Sequence[Source], executor: Executor) -> None:
        """Find out which instances these are; those that cannot be opened fail here."""
        mine = self.versions["offload"]  # another one may reckon digests otherwise
        known = {r.raw: r.opened for r in self.before.values() if r.opened and r.version == mine}
        opened: list[tuple[Source, str, Opened | Reply]] = []
        unknown: dict[str, Ask] = {}
        for source in sources:
            try:
                raw = source.raw()
            except OffloadError as error:
                opened.append((source, "", Reply(failure="unreadable", reason=str(error))))
                continue
            at_hand = known.get(raw)
            if source.problem is not None:  # made in Python: open already
                at_hand = Opened.of(source.problem)
            opened.append((source, raw, at_hand or Reply()))
            if at_hand is None and raw not in unknown:
                unknown[raw] = Ask(path=source.path, source=source.file or "", raw=raw)
        answers: dict[str, Opened | Reply] = {}

        def take(ask: Ask, came: Reply | Record) -> None:
            assert isinstance(came, Reply)
            answers[ask.raw] = came.opened or came

        self._drive(list(unknown.values()), executor, take, "reading")
        for source, raw, found in opened:
            what = answers.get(raw, found) if found == Reply() else found
            if what == Reply():  # the batch was stopped before
                self.unread += len(self.settings)
            else:
                self._ask_for(source, raw, what)

    def _ask_for(self, source: Source, raw: str, what: Opened | Reply) -> None:
        data = b"" if source.problem is None else source.read()
        for settings in self.settings:
            nowhere = key_of(f"path {source.path}", settings, self.versions)
            if isinstance(what, Reply):
                file = file_name(source.path, settings, nowhere)
                ask = Ask(
                    path=source.path, raw=raw, key=nowhere, file=file,
                    settings=settings, versions=self.versions,
                )  # fmt: skip
                self._fail(ask, what)
                continue
            if stale := self.before.pop(nowhere, None):  # it can be opened now
                with contextlib.suppress(OSError):
                    os.unlink(self.folder / stale.file)
            minimize = what.minimize if settings.minimize is None else settings.minimize
            limits = what.limits if settings.limits is None else settings.limits
            whole = msgspec.structs.replace(settings, minimize=minimize, limits=limits)
            key = key_of(what.digest, whole, self.versions)
            if key in self.asks:
                other = self.asks[key].path
                _log.info("%s: the same instance and goal as %s, solved once", source.path, other)
                continue
            before = self.before.get(key)
            file = before.file if before else file_name(source.path, settings, key)
            self.asks[key] = Ask(
                path=source.path, source=source.file or "", data=data, raw=raw, key=key, file=file,
                settings=whole, opened=what, versions=self.versions,
            )  # fmt: skip

    def _fail(self, ask: Ask, reply: Reply) -> None:
        """A result for an instance that cannot be opened; looked at anew each time."""
        self.asks[ask.key] = ask
        before = self.before.get(ask.key)
        if before and (before.raw, before.reason) == (ask.raw, reply.reason):
            self.records[ask.key] = before
        else:
            text = failed_file(ask, reply.failure or "unreadable", reply.reason)
            self.records[ask.key] = write_result(self.folder, ask, text)

    def missing(self, *, force: bool, retry_failed: bool) -> list[Ask]:
        """What is still to be solved, in order."""
        wanted = []
        for key, ask in self.asks.items():
            before = self.before.get(key)
            again = force or (retry_failed and before is not None and before.failure in _AGAIN)
            if key in self.records:
                continue
            if before is not None and not again:
                self.records[key] = before
                self.kept += 1
            else:
                wanted.append(ask)
        return wanted

    def solve(self, asks: Sequence[Ask], executor: Executor) -> None:
        """Have all of it solved; each result is a file before it counts."""

        def take(ask: Ask, came: Reply | Record) -> None:
            assert isinstance(came, Record)
            self.records[ask.key] = came

        done = False
        try:
            self._drive(asks, executor, take, "solving")
            done = not self.cancel.is_set()
        finally:
            executor.close(kill=not done)
        # What ended while the rest was being stopped is written, and counts.
        while not self._inbox.empty():
            ask, came = self._inbox.get()
            if isinstance(came, Record):
                take(ask, came)

    def batch(self) -> Batch:
        """What there is of what was asked for, in order."""
        files = [self.records[key].file for key in self.asks if key in self.records]
        rows = rows_of(self.folder, files)
        missing = len(self.asks) - len(rows) + self.unread
        return Batch(rows, missing=missing, kept=self.kept)

    def _drive(
        self,
        asks: Sequence[Ask],
        executor: Executor,
        take: Callable[[Ask, Reply | Record], None],
        stage: str,
    ) -> None:
        """Keep the executor busy until all is answered, or the batch is to stop."""
        inbox = self._inbox
        began, waiting = time.monotonic(), iter(asks)
        on_way = done = failed = 0
        last: str | None = None

        def put(ask: Ask, came: _Came) -> None:
            inbox.put((ask, came))

        while done < len(asks) and not self.cancel.is_set():
            while on_way < executor.width and (ask := next(waiting, None)) is not None:
                executor.submit(ask, put)
                on_way += 1
            with contextlib.suppress(queue.Empty):
                answered, came = inbox.get(timeout=_WAIT)
                if isinstance(came, BaseException):
                    raise came
                take(answered, came)
                on_way, done = on_way - 1, done + 1
                if isinstance(came, Record):
                    failed += not came.found
                    last = came.file
            self.tell(
                BatchProgress(
                    stage=stage, seconds=time.monotonic() - began, done=done, total=len(asks),
                    failed=failed, kept=self.kept, last=last, trouble=executor.trouble,
                )
            )  # fmt: skip
