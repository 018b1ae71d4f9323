"""Real numbers in the constraint model: linear expressions with real coefficients, on a grid."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

from ortools.sat.python import cp_model

__all__ = ["FINE", "Terms", "weighted", "whole"]

FINE = 2**40  # steps of a limit or capacity: finer than the checker's tolerance


def whole(value: float, relax: bool) -> int:
    """A coefficient as an integer: itself if it is one, else rounded down if relaxing."""
    near = round(value)
    if abs(value - near) <= 1e-12 * max(1.0, abs(value)):
        return near
    return floor(value) if relax else -floor(-value)


def weighted(
    variables: Sequence[cp_model.IntVar], coefficients: Sequence[int]
) -> cp_model.LinearExpr:
    """sum_n coefficients_n * variables_n."""
    return cp_model.LinearExpr.weighted_sum(variables, coefficients)


class Terms:
    """A linear expression with real coefficients over integer variables."""

    def __init__(self, constant: float = 0.0) -> None:
        self.constant = constant
        self.terms: dict[int, tuple[cp_model.IntVar, float]] = {}
        self.slope = 0.0  # most by which it grows when all times grow by a second

    def add(self, variable: cp_model.IntVar, coefficient: float) -> None:
        """Add coefficient * variable."""
        if coefficient:
            key = variable.index
            known = self.terms.get(key, (variable, 0.0))[1]
            self.terms[key] = (variable, known + coefficient)

    def merge(self, other: Terms, weight: float) -> None:
        """Add weight * other."""
        self.constant += weight * other.constant
        self.slope += weight * other.slope
        for variable, coefficient in other.terms.values():
            self.add(variable, weight * coefficient)

    def on_grid(self, unit: float, relax: bool, most: int = 2**62) -> cp_model.LinearExpr:
        """The expression without its constant in whole units, rounded down if relaxing.

        Coefficients are cut at ``most``: enough to tell that a bound below it is broken.
        """
        variables = [variable for variable, _ in self.terms.values()]
        steps = [min(whole(c / unit, relax), max(most, 1)) for _, c in self.terms.values()]
        return weighted(variables, steps)

    def largest(self) -> float:
        """The largest coefficient."""
        return max((abs(c) for _, c in self.terms.values()), default=0.0)
