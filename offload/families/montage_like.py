"""The shape of Montage, which makes mosaics of the sky: project, compare, correct, add.

Each image is projected; neighbours are compared; one fit of all differences gives a correction for
each image; the corrected images are added, shrunk and drawn. Relative works are the mean run times
of G. Juve, A. Chervenak, E. Deelman, S. Bharathi, G. Mehta, K. Vahi, Characterizing and profiling
scientific workflows, Future Generation Computer Systems 29(3), 2013, with those of the
gathering steps in proportion to what they gather.
"""

from __future__ import annotations

import random

from offload.families.building import Draft, Parameter
from offload.families.shapes import COMMON, weighted

__all__ = ["PARAMETERS", "make"]

PARAMETERS = {
    **COMMON,
    "overlaps": Parameter(2.9, "comparisons an image (6172 of 2102 images in the source)", most=20),
}

# Seconds of a task, and of the gathering steps seconds an image or a comparison.
_PROJECT, _COMPARE, _CORRECT, _DRAW = 1.73, 0.66, 1.72, 0.64
_CONCAT = 143.26 / 6172
_MODEL, _TABLE = 384.49 / 2102, 17 * 2.78 / 2102
_ADD, _SHRINK = 17 * 282.37 / 2102, 16 * 66.10 / 2102


def make(size: int, rng: random.Random, *, overlaps: float, **weights: float) -> Draft:
    """An instance of exactly ``size`` tasks: images, comparisons, and six or more that gather."""
    images = max(1, round((size - 6) / (2 + overlaps)))
    neighbours = _neighbours(images, size - 6 - 2 * images)
    shrinks = size - 5 - 2 * images - len(neighbours)
    projects = range(images)
    compares = range(images, images + len(neighbours))
    concat = images + len(neighbours)
    corrects = range(concat + 2, concat + 2 + images)
    table, add = corrects.stop, corrects.stop + 1
    shrink = range(add + 1, add + 1 + shrinks)
    pairs = [(image, compare) for compare, both in zip(compares, neighbours, strict=True)
             for image in both]  # fmt: skip
    pairs += [(compare, concat) for compare in compares]
    if not neighbours:
        pairs += [(project, concat) for project in projects]
    pairs.append((concat, concat + 1))
    for project, correct in zip(projects, corrects, strict=True):
        pairs += [(project, correct), (concat + 1, correct), (correct, table), (correct, add)]
    pairs.append((table, add))
    for one in shrink:
        pairs += [(add, one), (one, size - 1)]
    relative = [
        *[_PROJECT] * images, *[_COMPARE] * len(neighbours), _CONCAT * max(1, len(neighbours)),
        _MODEL * images, *[_CORRECT] * images, _TABLE * images, _ADD * images,
        *[_SHRINK * images / shrinks] * shrinks, _DRAW,
    ]  # fmt: skip
    return weighted(pairs, relative, rng, **weights)


def _neighbours(images: int, most: int) -> list[tuple[int, int]]:
    """Pairs of images, the nearest in the row first, as many as there are or are wanted."""
    made: list[tuple[int, int]] = []
    for distance in range(1, images):
        for image in range(images - distance):
            if len(made) >= most:
                return made
            made.append((image, image + distance))
    return made
