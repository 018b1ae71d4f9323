"""Shares in closed form: of load over nodes, of data over workers, of a task over two places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from offload.arrays import FloatArray
from offload.checked import above_zero, not_negative, whole
from offload.errors import OffloadError

__all__ = [
    "Execution", "Shards", "capacity_shares", "compression_ratio", "dvfs_for_deadline",
    "execution", "load_shares", "mean_load", "partial_offloading", "resources_needed", "shards",
]  # fmt: skip


class Execution(NamedTuple):
    """Seconds, joules, and hertz of a task on a processor."""

    time: float
    energy: float
    frequency: float


class Shards(NamedTuple):
    """Amount of each worker (float64[n]) and when the last is done (seconds)."""

    amount: FloatArray
    time: float


def load_shares(weights: Sequence[float], times: Sequence[float]) -> FloatArray:
    """Each task's part of the load: ``w_i T_i / sum_j w_j T_j``; float64[n].

    Weights 1, 2, 3 and times 2, 3, 4 give 0.1, 0.3, 0.6. (An article prints other numbers for this
    example; they do not follow from the formula.)

    Raises
    ------
    OffloadError
        For lists of unequal length, negative numbers, or no load at all.
    """
    return _part_of_products("weights", weights, "times", times)


def capacity_shares(loads: Sequence[float], capacities: Sequence[float]) -> FloatArray:
    """The chance that each node is chosen: ``L_i C_i / sum_j L_j C_j``; float64[n].

    Capacities 1000, 800, 1200, 900, 1100 at equal load give 0.2, 0.16, 0.24, 0.18, 0.22. (An
    article prints other numbers for this example; they do not follow from the formula.)

    Raises
    ------
    OffloadError
        For lists of unequal length, negative numbers, or nothing but zeros.
    """
    return _part_of_products("loads", loads, "capacities", capacities)


def _part_of_products(
    name: str, some: Sequence[float], other_name: str, others: Sequence[float]
) -> FloatArray:
    if len(some) != len(others):
        raise OffloadError(
            f"{other_name}: must be as many as {name}, {len(some)}, got {len(others)}"
        )
    for label, values in ((name, some), (other_name, others)):
        for i, value in enumerate(values):
            not_negative(**{f"{label}[{i}]": value})
    product = np.asarray(list(some), float) * np.asarray(list(others), float)
    if not product.sum() > 0:
        raise OffloadError(f"{name}, {other_name}: one product must be above 0")
    result: FloatArray = product / product.sum()
    return result


def compression_ratio(size: float, compressed: float) -> float:
    """Bytes in over bytes out: ``L / R``, the ``ratio`` of a codec."""
    not_negative(size=size)
    above_zero(compressed=compressed)
    return size / compressed


def resources_needed(load: float, capacity: float) -> float:
    """Nodes that a load takes: ``Q / C``; round up for whole ones."""
    not_negative(load=load)
    above_zero(capacity=capacity)
    return load / capacity


def mean_load(loads: Sequence[float]) -> float:
    """The load of each node where n share it evenly: ``sum_j Q_j / n``."""
    for i, value in enumerate(loads):
        not_negative(**{f"loads[{i}]": value})
    return float(sum(loads) / whole("the number of loads", len(loads)))


def execution(cycles: float, frequency: float, kappa: float) -> Execution:
    """Time ``C / f`` and energy ``kappa f^2 C`` of a task on a processor.

    ``kappa``, the effective switched capacitance, is quoted from 1e-28 to 1e-26 and so has no
    default. Chen et al. 2016, "Efficient multi-user computation offloading for mobile-edge cloud
    computing".
    """
    not_negative(cycles=cycles, kappa=kappa)
    above_zero(frequency=frequency)
    return Execution(cycles / frequency, kappa * frequency**2 * cycles, frequency)


def dvfs_for_deadline(cycles: float, deadline: float, kappa: float) -> Execution:
    """The slowest clock that keeps a deadline, which takes least energy: ``f = C / tau``.

    Energy is ``kappa C^3 / tau^2``. Zhang et al. 2013, "Energy-optimal mobile cloud computing under
    stochastic wireless channel", for a constant clock.
    """
    above_zero(deadline=deadline)
    if not cycles:
        return Execution(0.0, 0.0, 0.0)
    return execution(cycles, cycles / deadline, kappa)


def partial_offloading(local: float, remote: float) -> tuple[float, float]:
    """The part of a task to send away so that both places are done at once, and when that is.

    With the whole task taking ``t_l`` here and ``t_o`` there (its transfer included, in proportion)
    the share is ``t_l / (t_l + t_o)``, the time ``t_l t_o / (t_l + t_o)``: 2 and 0.563 s give
    0.780336 and 0.439329 s.
    """
    not_negative(local=local, remote=remote)
    if not local + remote > 0:
        return 0.0, 0.0
    return local / (local + remote), local * remote / (local + remote)


def shards(per_unit: Sequence[float], fixed: Sequence[float], total: float) -> Shards:
    """How much of the data each worker gets so that the last is done earliest.

    Minimizes T with ``s_i c_i + t_i <= T`` and ``sum s_i = S``: all workers in use are done at
    once, at ``T = (S + sum t_i / c_i) / sum 1 / c_i``; those with ``t_i >= T`` get nothing.

    Parameters
    ----------
    per_unit
        c, seconds a unit of data takes at each worker.
    fixed
        t, seconds at each worker whatever its share (its communication).
    total
        S, units of data.

    Returns
    -------
    Shards
        c = 1, 2, 4, 8 ms, t = 0.5, 0.1, 0.2, 0.05 s, S = 10000: T = 5.656667 s, shares 5156.67,
        2778.33, 1364.17, 700.83.

    Raises
    ------
    OffloadError
        For lists of unequal length or empty, and numbers out of range.
    """
    if len(per_unit) != len(fixed):
        raise OffloadError(f"fixed: must be as many as per_unit, {len(per_unit)}, got {len(fixed)}")
    whole("the number of workers", len(fixed))
    for i, (c, t) in enumerate(zip(per_unit, fixed, strict=True)):
        above_zero(**{f"per_unit[{i}]": c})
        not_negative(**{f"fixed[{i}]": t})
    not_negative(total=total)
    slope, offset = np.asarray(list(per_unit), float), np.asarray(list(fixed), float)
    amount = np.zeros(len(slope))
    order = np.argsort(offset, kind="stable")
    time = float(offset[order[0]])
    for used in range(1, len(slope) + 1):
        chosen = order[:used]
        inverse = 1 / slope[chosen]
        time = float((total + (offset[chosen] * inverse).sum()) / inverse.sum())
        if used == len(slope) or time <= offset[order[used]]:
            amount[chosen] = (time - offset[chosen]) * inverse
            break
    return Shards(amount, time)
