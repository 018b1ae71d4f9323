"""Room for text: what is taken, and whether another text fits; all in points."""

from __future__ import annotations

import numpy as np

from offload.plot.style import text_width

__all__ = ["Labels"]

_HIGH = 1.35  # height of a line over its font size


class Labels:
    """Rectangles that are taken, and those that texts would take."""

    def __init__(self, width: float, height: float) -> None:
        self._width, self._height = width, height
        self._taken: list[tuple[float, float, float, float]] = []

    def take(self, x: float, y: float, width: float, height: float) -> None:
        """Take a rectangle around a point."""
        self._taken.append((x - width / 2, x + width / 2, y - height / 2, y + height / 2))

    def fits(self, text: str, size: float, x: float, y: float) -> bool:
        """Take the room of a text around a point, if all of it is free and within the picture."""
        width, height = self.width(text, size), _HIGH * size
        left, right = x - width / 2, x + width / 2
        low, high = y - height / 2, y + height / 2
        if left < 0 or right > self._width or low < 0 or high > self._height:
            return False
        if self._taken:
            taken = np.array(self._taken)
            if np.any(
                (taken[:, 0] < right) & (taken[:, 1] > left)
                & (taken[:, 2] < high) & (taken[:, 3] > low)
            ):  # fmt: skip
                return False
        self._taken.append((left, right, low, high))
        return True

    @staticmethod
    def width(text: str, size: float) -> float:
        """Points that a text takes, with a little room beside it."""
        return text_width(text, size) + 4.0
