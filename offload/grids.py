"""The combinations of a sweep: in which order they are solved, and which are neighbours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

from offload.errors import Issue, OffloadError
from offload.instance_fields import Factor, field_of, read_value
from offload.problem import Problem

__all__ = ["Axis", "Grid"]

_MOST = 100_000  # rows


class Axis(NamedTuple):
    """One path with its values as numbers, and as they go into the instance."""

    path: str
    shown: tuple[Any, ...]
    values: tuple[Any, ...]
    factors: bool

    @property
    def ranks(self) -> list[int]:
        """Positions of the values by their size; null is unlimited, and texts stay as they come."""
        if any(isinstance(value, str) for value in self.shown):
            return list(range(len(self.shown)))
        size = [math.inf if value is None else float(value) for value in self.shown]
        return sorted(range(len(size)), key=size.__getitem__)


class Grid:
    """All combinations of the values of some paths, or their first, second, ... values together.

    Parameters
    ----------
    problem
        The instance that they change.
    changes
        Values by path.
    combine
        "grid" or "zip".

    Attributes
    ----------
    axes, paths
        The paths with their values, and without.
    rows : list of tuples
        For each row, which value of each path it has.
    """

    def __init__(
        self, problem: Problem, changes: Mapping[str, Sequence[Any]], combine: str
    ) -> None:
        self.axes = [_axis(problem, path, values) for path, values in _checked(changes).items()]
        self.paths = [axis.path for axis in self.axes]
        self.combine = combine
        self.rows = _combinations(self.axes, combine)

    @property
    def given(self) -> list[dict[str, Any]]:
        """For each row its values by path, as they go into the instance."""
        return [
            {axis.path: axis.values[k] for axis, k in zip(self.axes, row, strict=True)}
            for row in self.rows
        ]

    def shown(self, row: int) -> dict[str, Any]:
        """The values of a row by path; factors as numbers."""
        pairs = zip(self.axes, self.rows[row], strict=True)
        return {axis.path: axis.shown[k] for axis, k in pairs}

    @cached_property
    def order(self) -> list[int]:
        """Rows in the order in which they are solved: one after another differs in one value."""
        if self.combine == "zip":
            return list(range(len(self.rows)))
        walk: list[tuple[int, ...]] = [()]
        for axis in self.axes:  # each to and fro, the last one fastest
            ranks = axis.ranks
            turns = (ranks, ranks[::-1])
            walk = [(*head, k) for n, head in enumerate(walk) for k in turns[n % 2]]
        return [self._number[row] for row in walk]

    @cached_property
    def _number(self) -> dict[tuple[int, ...], int]:
        return {row: n for n, row in enumerate(self.rows)}

    @cached_property
    def _beside(self) -> list[dict[int, list[int]]]:
        """For each axis and value the values next to it by size."""
        found = []
        for axis in self.axes:
            ranks = axis.ranks
            found.append({
                k: [*ranks[max(0, n - 1) : n], *ranks[n + 1 : n + 2]] for n, k in enumerate(ranks)
            })  # fmt: skip
        return found

    def neighbours(self, row: int) -> list[int]:
        """Rows that differ by one step of one value; of "zip" those before and after."""
        if self.combine == "zip":
            return [n for n in (row - 1, row + 1) if 0 <= n < len(self.rows)]
        at = self.rows[row]
        return [
            self._number[(*at[:a], other, *at[a + 1 :])]
            for a, k in enumerate(at)
            for other in self._beside[a][k]
        ]


def _wrong(place: str, message: str, found: Any, fix: str) -> OffloadError:
    return OffloadError(str(Issue(place, message, found, fix)))


def _checked(changes: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """The values of each path as lists."""
    if not isinstance(changes, Mapping) or not changes:
        fix = 'write for example {"network.links[SRC-DST].bandwidth": [1e6, 1e7]}'
        raise _wrong("changes", "must map paths to values", changes, fix)
    made = {}
    for path, values in changes.items():
        listed = not isinstance(values, str | Mapping) and hasattr(values, "__iter__")
        found = list(values) if listed else []
        if not found:
            raise _wrong(path, "needs a list of values", values, "write for example [1e6, 1e7]")
        made[path] = found
    return made


def _axis(problem: Problem, path: str, values: list[Any]) -> Axis:
    field_of(problem, path)
    read = [read_value(value) for value in values]
    factors = [isinstance(value, Factor) for value in read]
    if any(factors) and not all(factors):
        found = values[factors.index(False)]
        fix = 'give all as numbers, or all as factors such as "x0.5"'
        raise _wrong(path, "mixes factors and values", found, fix)
    shown = tuple(value.number if isinstance(value, Factor) else value for value in read)
    given = tuple(value.text if isinstance(value, Factor) else value for value in read)
    return Axis(path, shown, given, all(factors))


def _combinations(axes: list[Axis], combine: str) -> list[tuple[int, ...]]:
    """For each row, which value of each path it has."""
    lengths = [len(axis.values) for axis in axes]
    if combine == "grid":
        if (rows := math.prod(lengths)) > _MOST:
            raise _wrong("changes", f"more than {_MOST} rows", rows, "give fewer values")
        return list(product(*map(range, lengths)))
    if combine != "zip":
        raise _wrong("combine", "must be 'grid' or 'zip'", combine, "write 'grid'")
    if len(set(lengths)) > 1:
        found = {axis.path: len(axis.values) for axis in axes}
        fix = "give each path as many, or write combine='grid'"
        raise _wrong("changes", "all paths need equally many values", found, fix)
    return [(k,) * len(axes) for k in range(lengths[0])]
