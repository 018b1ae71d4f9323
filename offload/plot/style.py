"""What all pictures share: colours that the colour-blind can tell apart, units, axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from offload.errors import OffloadError
from offload.meters import in_notebook
from offload.tiers import tiers_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LINES", "axes_of", "colours", "in_unit", "tiers_of"]

# Okabe, Ito 2008, "Color universal design": told apart by the colour-blind; in grey by lightness.
_COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#D55E00")
LINES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def axes_of(ax: Axes | None, width: float, height: float) -> Axes:
    """The given axes, or those of a new figure of so many inches.

    Raises
    ------
    OffloadError
        If matplotlib is not installed.
    """
    if ax is not None:
        return ax
    try:
        from matplotlib.figure import Figure
    except ImportError:
        fix = "pip install 'offload[plot]'"
        raise OffloadError(f"pictures need matplotlib, which is not installed; {fix}") from None
    if in_notebook():
        from matplotlib import pyplot

        # The kernel shows pyplot's figures under the cell, and closes them.
        return pyplot.subplots(figsize=(width, height), layout="constrained")[1]
    # No window and no global state: a figure that the caller shows or saves.
    return Figure(figsize=(width, height), layout="constrained").subplots()


def colours(tiers: Sequence[str]) -> dict[str, str]:
    """A colour for each tier, the same in every picture of an instance."""
    return {tier: _COLOURS[i % len(_COLOURS)] for i, tier in enumerate(tiers_of(tiers))}


def in_unit(seconds: float) -> tuple[float, str]:
    """The unit in which a time is drawn: how many seconds it has, and its name."""
    for size, name in _UNITS:
        if seconds >= size:
            return size, name
    return _UNITS[0] if seconds <= 0 else _UNITS[-1]
