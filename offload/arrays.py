"""Array types by the names that signatures use, and sums by cell."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["BoolArray", "FloatArray", "IntArray", "totals"]

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int32]
BoolArray: TypeAlias = NDArray[np.bool_]


def totals(cell: NDArray[np.integer], amount: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """Sums of amounts by cell of a matrix; ``cell`` numbers its cells row by row."""
    flat = np.bincount(cell, amount, minlength=shape[0] * shape[1])
    return np.asarray(flat, np.float64).reshape(shape)
