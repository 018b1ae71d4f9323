"""Real numbers on an integer grid, rounded so that what is proved there holds for the real problem.

Rounding every duration, delay and coefficient down (and every capacity and limit up) gives a
relaxation: a schedule of the real problem, with its start times rounded down, satisfies it, since
floor(a) + floor(b) <= floor(a + b). Its optimum is a true lower bound. Rounding up gives a
restriction: each of its schedules is one of the real problem.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offload.arrays import FloatArray

__all__ = ["Grid"]

_NEAR = 1e-9  # ticks: closer than this to a whole number counts as that number


@dataclass(frozen=True)
class Grid:
    """Seconds as whole ticks.

    Attributes
    ----------
    tick
        Seconds a tick.
    relax
        Whether durations are rounded in the plan's favour (a relaxation) or against it.
    error
        Most seconds by which a rounding went the wrong way: float noise around whole ticks.
    """

    tick: float
    relax: bool = True
    error: float = 0.0

    def length(self, seconds: float) -> int:
        """A duration or delay in ticks; down when relaxing."""
        return self._down(seconds) if self.relax else self._up(seconds)

    def moment(self, seconds: float) -> int:
        """A latest time (a deadline or limit) in ticks, rounded down.

        It admits all real plans all the same: a start and a length that are rounded down end by it.
        """
        return self._down(seconds)

    def due(self, seconds: float) -> int:
        """A wished time, from which lateness counts; up when relaxing."""
        return self._up(seconds) if self.relax else self._down(seconds)

    def lengths(self, seconds: FloatArray) -> NDArray[np.int64]:
        """:meth:`length` of an array; -1 for infinite entries."""
        finite = np.isfinite(seconds)
        ticks = np.where(finite, seconds, 0.0) / self.tick
        near = np.rint(ticks)
        rough = np.floor(ticks) if self.relax else np.ceil(ticks)
        whole = np.where(np.abs(ticks - near) <= _NEAR, near, rough)
        return np.where(finite, whole, -1).astype(np.int64)

    def _down(self, seconds: float) -> int:
        ticks = seconds / self.tick
        near = round(ticks)
        return near if abs(ticks - near) <= _NEAR else int(np.floor(ticks))

    def _up(self, seconds: float) -> int:
        ticks = seconds / self.tick
        near = round(ticks)
        return near if abs(ticks - near) <= _NEAR else int(np.ceil(ticks))
