"""Completion and tardiness: when tasks finish at the soonest, one by one and in each other's way.

Priced work (see :mod:`offload.bounding.loads`) turns every plan into a schedule of one machine of
speed 1 on which task i, released at r_i, has work c_i. With M_i the mean of the moments at which
it is worked on, C_i = M_i + p_i / 2 for a task that is not interrupted, and sum w_i M_i is least
when, at each moment, the task of largest w_i / c_i is worked on.

Source: Goemans, Queyranne, Schulz, Skutella, Wang 2002, "Single machine scheduling with release
dates", section 2.
"""

from __future__ import annotations

import heapq

import numpy as np

from offload.arrays import FloatArray

__all__ = ["weighted_finishes", "weighted_lateness"]

_ULP = 2.5e-16  # what one addition may be wrong by
_DUES = 8  # due times up to which tasks are looked at together


def weighted_finishes(
    weight: FloatArray, finish: FloatArray, head: FloatArray, least: FloatArray, work: FloatArray
) -> float:
    """Lower bound of sum w_i C_i.

    Parameters
    ----------
    weight : float64[T]
    finish : float64[T]
        Earliest finish of each task by itself.
    head, least : float64[T]
        Earliest start, and least execution time (0 for a divisible task).
    work : float64[T]
        Priced work.
    """
    counted = weight > 0
    alone = float(weight[counted] @ finish[counted])
    busy = np.flatnonzero(counted & (work > 0))
    rest = counted.copy()
    rest[busy] = False
    mean = _mean_moments(weight[busy], head[busy], work[busy])
    crowded = float(weight[busy] @ (mean + least[busy] / 2) + weight[rest] @ finish[rest])
    return max(alone, crowded)


def weighted_lateness(
    weight: FloatArray,
    due: FloatArray,
    finish: FloatArray,
    head: FloatArray,
    least: FloatArray,
    work: FloatArray,
) -> float:
    """Lower bound of sum w_i max(0, C_i - due_i) over tasks with a due time; see above."""
    counted = (weight > 0) & np.isfinite(due)
    weight = np.where(counted, weight, 0.0)
    due = np.where(counted, due, 0.0)
    # Differences of times that are equal but for rounding are no lateness.
    noise = (1e-12 + _ULP * len(weight)) * (finish + due)
    late = np.where(counted, weight * np.maximum(finish - due - noise, 0.0), 0.0)
    best = float(late.sum())
    dues = np.unique(due[counted])
    if len(dues) > _DUES:
        dues = dues[np.linspace(0, len(dues) - 1, _DUES).astype(np.int64)]
    for last in dues.tolist():
        # C_i - due_i may count against the others where it is below 0: it is still a bound.
        urgent = counted & (due <= last)
        part = weighted_finishes(np.where(urgent, weight, 0.0), finish, head, least, work)
        owed = float(weight[urgent] @ due[urgent])
        part -= owed + (1e-12 + _ULP * len(weight)) * (part + owed)
        best = max(best, part + float(late[~urgent].sum()))
    return best


def _mean_moments(weight: FloatArray, release: FloatArray, work: FloatArray) -> FloatArray:
    """Mean moment of each task's work on one machine, largest w_i / c_i first; float64[N]."""
    rank = np.empty(len(weight), np.int64)
    rank[np.argsort(-weight / work, kind="stable")] = np.arange(len(weight))
    ranks, left = rank.tolist(), work.tolist()
    moments = [0.0] * len(left)  # integral over time of the moments worked on
    order = np.argsort(release, kind="stable").tolist()
    releases = release.tolist()
    waiting: list[tuple[int, int]] = []
    now, n = 0.0, 0
    while n < len(order) or waiting:
        if not waiting:
            now = max(now, releases[order[n]])
        while n < len(order) and releases[order[n]] <= now:
            heapq.heappush(waiting, (ranks[order[n]], order[n]))
            n += 1
        task = waiting[0][1]
        span = left[task]
        if n < len(order):
            span = min(span, releases[order[n]] - now)
        moments[task] += span * (now + span / 2)
        now += span
        if span == left[task]:
            heapq.heappop(waiting)
        left[task] -= span
    return np.array(moments, float) / work
