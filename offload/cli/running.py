"""Running a solve so that Ctrl-C stops it and keeps its best plan."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, TypeVar

from offload.meters import Meter

__all__ = ["INTERRUPTED", "run"]

INTERRUPTED = 130  # exit status after an interrupt that left nothing to keep
_POLL = 0.1  # seconds
_AGAIN = 0.3  # seconds: `timeout` and some shells deliver one signal twice at once
Answer = TypeVar("Answer")


def run(
    work: Callable[[threading.Event], Answer],
    meter: Meter,
    kept: str = "stopping with the best plan so far",
) -> Answer:
    """What ``work`` returns, run in a thread while this one waits and shows progress.

    A solver may stay in compiled code for long; signals reach the waiting thread all the same.
    The first SIGINT or SIGTERM sets the event that ``work`` is given; the second ends the process
    at once with status 130.
    """
    cancel, quit_now = threading.Event(), threading.Event()
    answers: list[Answer] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            answers.append(work(cancel))
        except BaseException as error:
            errors.append(error)

    worker = threading.Thread(target=body, name="offload-solve", daemon=True)
    with _signals(cancel, quit_now) as arm, closing(meter):
        worker.start()
        told = False
        while worker.is_alive():
            worker.join(_POLL)
            arm()
            if quit_now.is_set():
                _leave(meter)
            if cancel.is_set() and not told:
                told = True
                meter.say(f"{kept}; once more to quit at once")
            meter.tick()
    if errors:
        raise errors[0]
    return answers[0]


@contextmanager
def _signals(cancel: threading.Event, quit_now: threading.Event) -> Iterator[Callable[[], object]]:
    """The two events, set by signals; as Python allows, in the main thread only.

    Yields a function that installs the handlers once more: some solvers put their own in place.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return

    first = 0.0

    def handle(number: int, frame: object) -> None:
        nonlocal first
        if not cancel.is_set():
            first = time.monotonic()
            cancel.set()
        elif time.monotonic() - first >= _AGAIN:
            quit_now.set()

    def arm() -> dict[signal.Signals, Any]:
        return {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}

    before = arm()
    try:
        yield arm
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _leave(meter: Meter) -> None:
    """End the process without waiting for a solver that does not come back."""
    meter.close()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(INTERRUPTED)
