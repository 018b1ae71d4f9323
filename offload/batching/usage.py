"""What a solve took of the machine: CPU seconds and memory, of this process."""

from __future__ import annotations

import contextlib
import os

import psutil

__all__ = ["Usage", "cores", "memory_of_machine"]

_RESET_PEAK = "5"  # to /proc/self/clear_refs: the peak counts from here


class Usage:
    """Measures from its making on."""

    def __init__(self) -> None:
        with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
            file.write(_RESET_PEAK)
        self._cpu = _cpu_seconds()

    def spent(self) -> dict[str, float]:
        """``cpu_seconds`` of all threads and ended children; ``memory``, the peak in bytes."""
        return {"cpu_seconds": _cpu_seconds() - self._cpu, "memory": float(_peak())}


def _cpu_seconds() -> float:
    return sum(os.times()[:4])


def _peak() -> int:
    with contextlib.suppress(OSError), open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    now = psutil.Process().memory_info()
    return int(getattr(now, "peak_wset", now.rss))  # of a process, on Windows; else what it is now


def cores() -> int:
    """Cores that this process may run on."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def memory_of_machine() -> int:
    """Bytes of memory that this process may take: the machine's, or its control group's."""
    most = int(psutil.virtual_memory().total)
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as file:
            most = min(most, int(file.read()))
    return most
