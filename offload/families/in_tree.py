"""Random trees that gather: each task but the last is waited for by one other.

The out-trees of :mod:`offload.families.out_tree` with every edge turned round.
"""

from __future__ import annotations

import random

from offload.families.building import Draft
from offload.families.out_tree import PARAMETERS, parents
from offload.families.shapes import weighted

__all__ = ["PARAMETERS", "make"]


def make(size: int, rng: random.Random, *, degree: int, **weights: float) -> Draft:
    """An instance of exactly ``size`` tasks; the root is the last."""
    last = size - 1
    upwards = parents(size, degree, rng)
    pairs = [(last - task, last - parent) for task, parent in enumerate(upwards, start=1)]
    return weighted(sorted(pairs), [1.0] * size, rng, **weights)
