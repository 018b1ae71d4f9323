"""The pause of the garbage collector: over when its last user is done, whatever happens inside."""

from __future__ import annotations

import gc
import threading

import pytest

from offload.collecting import collector_paused


def test_the_collector_runs_again_afterwards() -> None:
    assert gc.isenabled()
    with collector_paused():
        assert not gc.isenabled()
        with collector_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_ends_the_pause() -> None:
    with pytest.raises(ValueError, match="inside"), collector_paused():
        raise ValueError("inside")
    assert gc.isenabled()


def test_who_had_switched_it_off_finds_it_off() -> None:
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_pauses_of_threads_may_overlap() -> None:
    first_inside, first_may_end = threading.Event(), threading.Event()

    def first() -> None:
        with collector_paused():
            first_inside.set()
            first_may_end.wait()

    thread = threading.Thread(target=first)
    thread.start()
    first_inside.wait()
    with collector_paused():
        first_may_end.set()
        thread.join()
        assert not gc.isenabled()
    assert gc.isenabled()
