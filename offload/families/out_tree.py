"""Random trees that spread: each task but the first waits for one other.

A task's parent is drawn evenly from those that have room for a child, as in the out-trees of
T. Yang, A. Gerasoulis, DSC: scheduling parallel tasks on an unbounded number of processors, IEEE
TPDS 5(9), 1994 (whose shapes are in-, out- and fork-join).
"""

from __future__ import annotations

import random

from offload.families.building import Draft, Parameter
from offload.families.shapes import COMMON, weighted

__all__ = ["PARAMETERS", "make", "parents"]

PARAMETERS = {
    **COMMON,
    "degree": Parameter(3, "most children of a task", least=1, most=1000, whole=True),
}


def parents(size: int, degree: int, rng: random.Random) -> list[int]:
    """The parent of each task but the first."""
    room, children, made = [0], [0] * size, []
    for task in range(1, size):
        place = rng.randrange(len(room))
        parent = room[place]
        children[parent] += 1
        if children[parent] == degree:
            room[place] = room[-1]
            room.pop()
        room.append(task)
        made.append(parent)
    return made


def make(size: int, rng: random.Random, *, degree: int, **weights: float) -> Draft:
    """An instance of exactly ``size`` tasks."""
    pairs = [(parent, task) for task, parent in enumerate(parents(size, degree, rng), start=1)]
    return weighted(pairs, [1.0] * size, rng, **weights)
