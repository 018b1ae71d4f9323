"""Stages one after the other that split, work in parallel, and merge.

The shape of data-parallel programs (map and reduce, bulk synchronous steps): L. Valiant, A bridging
model for parallel computation, Communications of the ACM 33(8), 1990.
"""

from __future__ import annotations

import random

from offload.families.building import Draft, Parameter
from offload.families.shapes import COMMON, weighted

__all__ = ["PARAMETERS", "make"]

PARAMETERS = {
    **COMMON,
    "width": Parameter(8, "workers of a stage", least=1, most=100_000, whole=True),
    "overhead": Parameter(0.2, "work of a split or merge over that of a worker", beyond=True),
}


def make(size: int, rng: random.Random, *, width: int, overhead: float, **weights: float) -> Draft:
    """An instance of exactly ``size`` tasks; what is left over are workers of the last stage."""
    pairs: list[tuple[int, int]] = []
    relative: list[float] = []
    while len(relative) < size:
        first, left = len(relative), size - len(relative)
        workers = width if left - (width + 2) >= 3 else left - 2
        last = first + workers + 1
        relative += [overhead, *[1.0] * workers, overhead]
        if first:
            pairs.append((first - 1, first))
        for worker in range(first + 1, last):
            pairs += [(first, worker), (worker, last)]
    return weighted(pairs, relative, rng, **weights)
