"""Where all times of the data are whole ticks, so is the least latency: bounds go up to the next.

In a plan of least latency everything may start as soon as what it waits for ends, so that each
time is a sum of durations.
"""

from __future__ import annotations

from math import ceil, isfinite

import numpy as np
from numpy.typing import ArrayLike

from offload.arrays import FloatArray
from offload.bounding.durations import all_durations
from offload.caching import once
from offload.tables import Tables

__all__ = ["MOST", "natural_tick", "own_tick", "roundings", "whole"]

MOST = 1e9  # ticks that the largest time of the data may have
_NEAR = 1e-9  # ticks: closer than this to a whole number counts as that number
_BELOW = 1e-6, 1e-9  # ticks, and share of it, by which a bound above a whole number counts as that
_FIRST = 64  # durations
_CELLS = 500_000  # durations up to which they are looked at for the sake of a bound
_TICKS = tuple(
    base * 10.0**power for power in range(3, -10, -1) for base in (1.0, 0.5, 0.25, 0.125)
)


def natural_tick(values: ArrayLike, most: float) -> tuple[float, float] | None:
    """The data's own tick: the greatest that all times are multiples of.

    It is looked for among the multiples of round numbers.

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
        if _off(given[:_FIRST] / tick) > _NEAR:  # as a rule the first of them tell
            continue
        ticks = given / tick
        error = _off(ticks)
        if error <= _NEAR:
            factor = int(np.gcd.reduce(np.rint(ticks).astype(np.int64)))
            return tick * max(factor, 1), error * tick
    return None


def _off(ticks: FloatArray) -> float:
    """The largest distance from a whole number."""
    return float(np.abs(ticks - np.rint(ticks)).max())


@once
def own_tick(tables: Tables) -> tuple[float, float] | None:
    """:func:`natural_tick` of all durations; ``None`` too where tasks are split at will."""
    return None if tables.divisible.any() else natural_tick(all_durations(tables), MOST)


def roundings(tables: Tables) -> int:
    """Most roundings on a path of a schedule.

    A path of n tasks and as many messages has 2n. Where transfers wait for each other's links, it
    may meet all of them, and of each two parts.
    """
    if not len(tables.routes.resource_channels):
        return 2 * tables.tasks + 1
    transfers = tables.edges + len(tables.reads.values) + int((tables.at >= 0).sum())
    return tables.tasks + 2 * transfers + 1


def whole(tables: Tables, bound: float, weight: float = 1.0) -> float:
    """A lower bound of the weighted latency, lifted to the next whole tick where there is one."""
    pairs = (tables.items + len(tables.data_ids)) * tables.nodes**2
    if not isfinite(bound) or pairs + tables.tasks * tables.nodes * tables.modes > _CELLS:
        return bound
    own = own_tick(tables)
    if own is None:
        return bound
    tick, noise = weight * own[0], weight * own[1] * roundings(tables)
    least = bound / tick
    least -= max(_BELOW[0], _BELOW[1] * least) + noise / tick
    # A latency of so many ticks may be less by the noise around them.
    return max(bound, ceil(least) * tick - noise)
