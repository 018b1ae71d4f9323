"""Independent chains of tasks: pipelines that share nothing but the machines.

The chains of a job shop, and of service function chains: J. Herrera, J. Botero, Resource allocation
in NFV: a comprehensive survey, IEEE TNSM 13(3), 2016.
"""

from __future__ import annotations

import random

from offload.families.building import Draft, Parameter
from offload.families.shapes import COMMON, weighted

__all__ = ["PARAMETERS", "make"]

PARAMETERS = {
    **COMMON,
    "chains": Parameter(8, "how many; no more than tasks", least=1, most=1_000_000, whole=True),
}


def make(size: int, rng: random.Random, *, chains: int, **weights: float) -> Draft:
    """An instance of exactly ``size`` tasks; lengths differ by one at most."""
    count = min(chains, size)
    pairs, first = [], 0
    for chain in range(count):
        length = size // count + (chain < size % count)
        pairs += [(task, task + 1) for task in range(first, first + length - 1)]
        first += length
    return weighted(pairs, [1.0] * size, rng, **weights)
