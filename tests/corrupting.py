"""What corruptions are made of: their list, and ways to pick a row or a node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from plan_documents import Case, Row

__all__ = [
    "ANYTHING", "EARLIER", "LATER", "MOVED", "Corruption", "Corruptions", "Edit", "other_nodes",
    "some", "split", "whole",
]  # fmt: skip

Edit = Callable[[Case], bool]

# What may follow from a task that runs earlier, later, or elsewhere.
EARLIER = ("times", "release", "precedence", "arrival", "slots", "memory")
LATER = ("deadline", "precedence", "transfer-start", "slots", "memory", "limits")
MOVED = ("transfer-duration", "link", "limits")
ANYTHING = ("*",)


class Corruption(NamedTuple):
    """An edit, the rule that it breaks, and rules that may break with it ("*" for any)."""

    rule: str
    edit: Edit
    besides: frozenset[str]

    @property
    def name(self) -> str:
        return self.edit.__name__


class Corruptions(list[Corruption]):
    """A list that functions enter themselves into."""

    def breaks(self, rule: str, *besides: str) -> Callable[[Edit], Edit]:
        """Enter an edit that breaks a rule."""

        def enter(edit: Edit) -> Edit:
            self.append(Corruption(rule, edit, frozenset(besides)))
            return edit

        return enter


def some(case: Case, rows: list[Row]) -> Iterator[Row]:
    """The rows in random order."""
    yield from case.dice.sample(rows, len(rows))


def whole(case: Case) -> list[Row]:
    """Rows of indivisible tasks."""
    return [row for row in case.tasks if not case.problem.tables.divisible[case.task(row["id"])]]


def split(case: Case) -> list[Row]:
    """Rows of divisible tasks."""
    return [row for row in case.tasks if case.problem.tables.divisible[case.task(row["id"])]]


def other_nodes(case: Case, *names: str) -> list[str]:
    """Nodes but some, in random order."""
    left = [name for name in case.problem.tables.node_ids if name not in names]
    return case.dice.sample(left, len(left))
