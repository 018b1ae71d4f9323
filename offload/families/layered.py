"""Layered random graphs: layers of tasks, each fed by some of the layer before.

H. Topcuoglu, S. Hariri, M.-Y. Wu, Performance-effective and low-complexity task scheduling for
heterogeneous computing, IEEE TPDS 13(3), 2002, section 5.2: of n tasks, the height is about
sqrt(n) / alpha and the mean width alpha sqrt(n).
"""

from __future__ import annotations

import itertools
import math
import random

from offload.families.building import Draft, Parameter
from offload.families.shapes import COMMON, weighted

__all__ = ["PARAMETERS", "make"]

PARAMETERS = {
    **COMMON,
    "alpha": Parameter(1.0, "shape: above 1 wide, below 1 long", beyond=True, most=100),
    "degree": Parameter(3, "most predecessors of a task", least=1, most=100, whole=True),
}


def make(size: int, rng: random.Random, *, alpha: float, degree: int, **weights: float) -> Draft:
    """An instance of exactly ``size`` tasks."""
    layers, done = [], 0
    widest = max(1, 2 * round(alpha * math.sqrt(size)) - 1)  # of uniform widths with that mean
    while done < size:
        width = min(size - done, rng.randrange(widest) + 1)
        layers.append(range(done, done + width))
        done += width
    pairs = []
    for before, layer in itertools.pairwise(layers):
        for task in layer:
            count = min(len(before), rng.randrange(degree) + 1)
            pairs += [(source, task) for source in sorted(rng.sample(before, count))]
    return weighted(pairs, [1.0] * size, rng, **weights)
