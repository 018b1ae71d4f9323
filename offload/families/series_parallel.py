"""Series-parallel graphs: parts one after the other or side by side, nested at random.

J. Valdes, R. Tarjan, E. Lawler, The recognition of series parallel digraphs, SIAM Journal on
Computing 11(2), 1982. Each part has one first and one last task; parts side by side stand between
a fork and a join.
"""

from __future__ import annotations

import random

from offload.families.building import Draft, Parameter
from offload.families.shapes import COMMON, weighted

__all__ = ["PARAMETERS", "make"]

PARAMETERS = {
    **COMMON,
    "parallel": Parameter(0.6, "chance that a part's halves are side by side", most=1),
}


def make(size: int, rng: random.Random, *, parallel: float, **weights: float) -> Draft:
    """An instance of exactly ``size`` tasks."""
    pairs: list[tuple[int, int]] = []

    def part(first: int, count: int) -> int:
        """Edges of a part that starts at a task; its last task is returned."""
        if count >= 4 and rng.random() < parallel:
            inner, last = count - 2, first + count - 1
            cut = 1 + rng.randrange(inner - 1)
            for start, length in ((first + 1, cut), (first + 1 + cut, inner - cut)):
                pairs.append((first, start))
                pairs.append((part(start, length), last))
            return last
        if count == 1:
            return first
        cut = 1 + rng.randrange(count - 1)
        pairs.append((part(first, cut), first + cut))
        return part(first + cut, count - cut)

    part(0, size)
    return weighted(sorted(pairs), [1.0] * size, rng, **weights)
