"""Real numbers on an integer grid, rounded so that what is proved there holds for the real problem.

Rounding every duration, delay and coefficient down (and every capacity and limit up) gives a
relaxation: a schedule of the real problem, with its start times rounded down, satisfies it, since
floor(a) + floor(b) <= floor(a + b). Its optimum is a true lower bound. Rounding up gives a
restriction: each of its schedules is one of the real problem.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Grid", "natural_tick"]

FloatArray = NDArray[np.float64]

_NEAR = 1e-9  # ticks: closer than this to a whole number counts as that number
_TICKS = tuple(
    base * 10.0**power for power in range(3, -10, -1) for base in (1.0, 0.5, 0.25, 0.125)
)


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
    own
        Whether all times of the data are whole ticks: then so is the least latency.
    """

    tick: float
    relax: bool = True
    error: float = 0.0
    own: bool = False

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


def natural_tick(values: ArrayLike, most: float) -> tuple[float, float] | None:
    """The data's own tick: the coarsest of some round numbers that all times are multiples of.

    Parameters
    ----------
    values
        Seconds; infinite and zero ones are ignored.
    most
        Ticks that the largest value may have.

    Returns
    -------
    (tick, error) or None
        Seconds a tick, and the largest distance of a value from its multiple in seconds.
    """
    every = np.asarray(values, float)
    given = np.unique(every[np.isfinite(every) & (every > 0)])
    if not len(given):
        return 1.0, 0.0
    for tick in _TICKS:
        if given[-1] / tick > most:
            break
        ticks = given / tick
        error = np.abs(ticks - np.rint(ticks)).max()
        if error <= _NEAR:
            return tick, float(error * tick)
    return None
