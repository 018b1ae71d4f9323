"""Times of collective operations of n workers: all-reduce of a model's gradients, and its peers.

The usual model: a message of M bytes takes ``a + M / B`` between any two workers, and arithmetic no
time. Thakur, Rabenseifner, Gropp 2005, "Optimization of collective communication operations in
MPICH"; Patarasuk, Yuan 2009, "Bandwidth optimal all-reduce algorithms for clusters of
workstations"; Li et al. 2014, "Scaling distributed machine learning with the parameter server".
"""

from __future__ import annotations

import math

from offload.checked import above_zero, not_negative, whole

__all__ = ["halving_doubling_allreduce", "parameter_server", "ring_allreduce", "tree_allreduce"]


def ring_allreduce(workers: int, size: float, bandwidth: float, latency: float = 0.0) -> float:
    """Seconds of an all-reduce over a ring: ``2 (n - 1) a + 2 (n - 1) / n * M / B``.

    Parameters
    ----------
    workers
        n, at least 1.
    size
        M, bytes that each worker holds.
    bandwidth
        B, bytes a second of each worker's link.
    latency
        a, seconds of a message.

    Returns
    -------
    float
        Seconds. M = 102.228 MB, B = 125 MB/s, a = 5 ms: 1.257 s for 4 workers, 1.683 s for 16.

    Raises
    ------
    OffloadError
        For numbers out of range.
    """
    n = _checked(workers, size, bandwidth, latency)
    return 2 * (n - 1) * latency + 2 * (n - 1) / n * size / bandwidth


def halving_doubling_allreduce(
    workers: int, size: float, bandwidth: float, latency: float = 0.0
) -> float:
    """Seconds of an all-reduce by recursive halving and doubling.

    ``2 log2(n) a + 2 (n - 1) / n * M / B``: as :func:`ring_allreduce`, with fewer messages; n is a
    power of 2.

    Raises
    ------
    OffloadError
        For numbers out of range, and for n that is no power of 2.
    """
    n = _checked(workers, size, bandwidth, latency)
    whole("workers", n, power_of_two=True)
    return 2 * math.log2(n) * latency + 2 * (n - 1) / n * size / bandwidth


def tree_allreduce(workers: int, size: float, bandwidth: float, latency: float = 0.0) -> float:
    """Seconds of a reduction to one worker and a broadcast, along trees.

    ``2 ceil(log2 n) (a + M / B)``, with the arguments of :func:`ring_allreduce`.

    Raises
    ------
    OffloadError
        For numbers out of range.
    """
    n = _checked(workers, size, bandwidth, latency)
    return 2 * (n - 1).bit_length() * (latency + size / bandwidth)


def parameter_server(
    workers: int, size: float, bandwidth: float, latency: float = 0.0, shards: int = 1
) -> float:
    """Seconds until n workers have sent their gradients to s servers, and have the sums back.

    ``2 a + 2 n M / (s B)``, with the arguments of :func:`ring_allreduce`: the links of the servers,
    each with its share of the model, are what holds it up.

    Raises
    ------
    OffloadError
        For numbers out of range.
    """
    n = _checked(workers, size, bandwidth, latency)
    return 2 * latency + 2 * n * size / (whole("shards", shards) * bandwidth)


def _checked(workers: int, size: float, bandwidth: float, latency: float) -> int:
    not_negative(size=size, latency=latency)
    above_zero(bandwidth=bandwidth)
    return whole("workers", workers)
