"""Where units belong that no order puts in place: with what they share most."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from formulations.stage_units import StageUnits
from offload.arrays import BoolArray

__all__ = ["settled"]


def settled(units: StageUnits, label: NDArray[np.int64], allowed: BoolArray) -> NDArray[np.int64]:
    """Labels of all units: those without one (-1) take that with which they share most serialise.

    Parameters
    ----------
    label : int64[U]
        From 0 on, -1 for none.
    allowed : bool[U, labels]
        Labels that each unit may take; at least one each. What shares nothing takes the first.
    """
    label = label.copy()
    while (label < 0).any():
        pull = np.zeros(allowed.shape)
        for h, serialise in enumerate(units.serialise.tolist()):
            joined = np.asarray(units.items.of(h), np.int64)
            known = np.unique(label[joined])
            known = known[known >= 0]
            pull[joined[:, None], known[None, :]] += serialise + 1e-300
        near = np.where(allowed, pull, -1.0)
        wanted = (label < 0) & (near.max(axis=1) > 0)
        if not wanted.any():
            wanted = label < 0
        label[wanted] = near.argmax(axis=1)[wanted]
    return label
