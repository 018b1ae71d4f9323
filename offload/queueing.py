"""Queues and caches in the long run: response times, how to split load, hit ratios."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from offload.arrays import FloatArray
from offload.checked import above_zero, not_negative, whole
from offload.errors import OffloadError

__all__ = ["Split", "lru_hit_ratio", "mm1_response", "mm1_split", "zipf"]


class Split(NamedTuple):
    """Load of each queue (requests a second, float64[n]) and the mean response time (seconds)."""

    load: FloatArray
    response: float


def mm1_response(rate: float, load: float) -> float:
    """Mean seconds that a request spends at an M/M/1 queue: ``1 / (mu - lambda)``.

    Parameters
    ----------
    rate, load
        mu and lambda, requests a second that it can serve and that arrive.

    Raises
    ------
    OffloadError
        For an overloaded queue, whose delay has no bound, and numbers out of range.

    Notes
    -----
    Kleinrock 1975, Queueing Systems, volume 1, section 3.2.
    """
    above_zero(rate=rate)
    not_negative(load=load)
    if load >= rate:
        raise OffloadError(
            f"load: must be below the rate, {rate!r}, got {load!r}; it queues for ever"
        )
    return 1.0 / (rate - load)


def mm1_split(rates: Sequence[float], load: float) -> Split:
    """How to split a stream over M/M/1 queues for the least mean response time.

    With c = (sum of mu - lambda) / sum of sqrt(mu) over the queues in use, queue i gets
    ``mu_i - c sqrt(mu_i)``; queues for which that is not above 0 are left out, slowest first.

    Parameters
    ----------
    rates
        mu, requests a second that each can serve.
    load
        lambda, requests a second that arrive in all.

    Returns
    -------
    Split
        Rates 4, 9, 1 and load 8: loads 2, 6, 0, mean time 0.375 s; sharing in proportion to the
        rates would give 0.5 s.

    Raises
    ------
    OffloadError
        For a load that all queues together cannot serve, and numbers out of range.

    Notes
    -----
    Tantawi, Towsley 1985, "Optimal static load balancing in distributed computer systems",
    without communication.
    """
    mu = np.asarray(list(rates), float)
    for i, rate in enumerate(mu.tolist()):
        above_zero(**{f"rates[{i}]": rate})
    not_negative(load=load)
    total = float(mu.sum())
    if not load < total:
        message = f"load: must be below the sum of the rates, {total!r}, got {load!r}"
        raise OffloadError(f"{message}; it queues for ever")
    split = np.zeros(len(mu))
    order = np.argsort(-mu, kind="stable")
    for used in range(len(mu), 0, -1):
        chosen = order[:used]
        excess = (mu[chosen].sum() - load) / np.sqrt(mu[chosen]).sum()
        share = mu[chosen] - excess * np.sqrt(mu[chosen])
        if share[-1] >= 0:
            split[chosen] = share
            break
    response = float((split / (mu - split)).sum() / load) if load else float(1 / mu.max())
    return Split(split, response)


def zipf(items: int, exponent: float = 1.0) -> FloatArray:
    """Popularities in proportion to ``1 / rank ** exponent``, which sum to 1; float64[items]."""
    not_negative(exponent=exponent)
    weight = np.arange(1, whole("items", items) + 1, dtype=float) ** -exponent
    result: FloatArray = weight / weight.sum()
    return result


def lru_hit_ratio(popularity: Sequence[float] | FloatArray, size: int) -> float:
    """The part of requests that an LRU cache of equal items serves, by Che's approximation.

    With t such that the sum of ``1 - exp(-p_i t)`` is the cache's size, the hit ratio is the sum of
    ``p_i (1 - exp(-p_i t))``.

    Parameters
    ----------
    popularity
        p, the chance that a request is for each item; need not sum to 1.
    size
        Items that the cache holds.

    Returns
    -------
    float
        100 items of Zipf popularity with exponent 1, 10 of them cached: 0.3976 (a simulation gives
        0.3997).

    Raises
    ------
    OffloadError
        For numbers out of range.

    Notes
    -----
    Che, Tung, Wang 2002, "Hierarchical Web caching systems: modeling, design and experimental
    results".
    """
    p = np.asarray(popularity, float)
    if p.ndim != 1 or not len(p) or not np.isfinite(p).all() or (p < 0).any() or not p.sum() > 0:
        raise OffloadError("popularity: must be numbers >= 0 of which one is above 0")
    p = p / p.sum()
    asked = int((p > 0).sum())
    if not size:
        return 0.0
    if whole("size", size) >= asked:
        return 1.0

    def kept(t: float) -> float:
        return float(-np.expm1(-p * t).sum() - size)

    high = float(size)
    while kept(high) < 0:
        high *= 2
    t = brentq(kept, 0.0, high, xtol=1e-12, rtol=1e-14)
    return float((p * -np.expm1(-p * t)).sum())
