"""Requirements, and how to relax them, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from offload.errors import shorten
from offload.units import METRIC_UNITS, count, quantity

__all__ = ["FIXES", "Fix", "listed", "words"]

_MOST = 6  # names of one list


def listed(names: Sequence[str]) -> str:
    """Names in quotes, the first of them where they are many."""
    shown = [shorten(name) for name in names[:_MOST]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def words(kind: str, items: Sequence[str], value: Any) -> str:
    """What a requirement asks for.

    Parameters
    ----------
    kind, items, value
        As in :class:`offload.conflicts.requirements.Requirement`.
    """
    return _WORDS[kind](items, value)


def _amount(kind: str, items: Sequence[str], value: float) -> str:
    """A limit or deadline with its unit."""
    return quantity(value, METRIC_UNITS[items[0]] if kind == "limit" else "s", 6)


def _sent(items: Sequence[str], tags: Sequence[str]) -> str:
    source, *readers = items
    what = f"what {shorten(source)} sends to {listed(readers)}"
    return f"{what} moves only over nodes and links that are tagged {listed(tags)}"


_WORDS: dict[str, Callable[[Sequence[str], Any], str]] = {
    "limit": lambda ids, value: f"{ids[0]} is at most {_amount('limit', ids, value)}",
    "deadline": lambda ids, value: f"task {listed(ids)} ends by {quantity(value, 's', 6)}",
    "release": lambda ids, value: (
        f"task {listed(ids)} starts at {quantity(value, 's', 6)} or later"
    ),
    "allow": lambda ids, value: f"task {listed(ids)} runs only on {listed(value)}",
    "at": lambda ids, value: f"task {listed(ids)} is at {shorten(value)}, and moves if it leaves",
    "together": lambda ids, value: f"tasks {listed(ids)} run on one node",
    "apart": lambda ids, value: f"tasks {listed(ids)} run on distinct nodes",
    "contiguous": lambda ids, value: f"tasks {listed(ids)} are contiguous on each node",
    "require": _sent,
    "memory": lambda ids, value: f"node {listed(ids)} has {quantity(value, 'B')} of memory",
    "storage": lambda ids, value: f"node {listed(ids)} has {quantity(value, 'B')} for copies",
    "slots": lambda ids, value: f"node {listed(ids)} has {count(value, 'slot')}",
    "channels": lambda ids, value: (
        f"link {shorten(ids[0])} - {shorten(ids[1])} has {count(value, 'channel')}"
    ),
    "max_copies": lambda ids, value: (
        f"data {listed(ids)} has "
        + ("no copies" if value == 0 else f"at most {count(value, 'copy', 'copies')}")
    ),
    "data allow": lambda ids, value: f"copies of data {listed(ids)} are only on {listed(value)}",
    "data require": lambda ids, value: (
        f"data {listed(ids)} moves only over nodes and links that are tagged {listed(value)}"
    ),
    "home": lambda ids, value: f"data {listed(ids)} is at home only on {listed(value)}",
}


@dataclass(frozen=True)
class Fix:
    """What to do about a kind of requirement; ``unit`` is what its amounts are measured in."""

    kind: str
    advice: str

    def text(
        self,
        items: Sequence[str],
        least: float | None,
        enough: float | None,
        alone: bool | None,
    ) -> str:
        """The advice, with how far it has to go as far as that is known."""
        facts = []
        if least is not None:
            facts.append(f"at least {_amount(self.kind, items, least)} is needed")
        if enough is not None:
            facts.append(f"{_amount(self.kind, items, enough)} is enough")
        elif alone:
            facts.append("that is enough")
        elif alone is False:
            facts.append("other requirements conflict all the same")
        return f"{self.advice}: {', '.join(facts)}" if facts else self.advice


FIXES = {
    kind: Fix(kind, advice)
    for kind, advice in {
        "limit": "raise it",
        "deadline": "set it later",
        "release": "set it earlier",
        "allow": "allow more nodes",
        "at": "let it start elsewhere, or move fewer bytes",
        "together": "drop the group, or name fewer tasks",
        "apart": "drop the group, or name fewer tasks",
        "contiguous": "drop the group, or name fewer tasks",
        "require": "require fewer tags, or tag more nodes and links",
        "memory": "give it more",
        "storage": "give it more",
        "slots": "give it more",
        "channels": "give it more",
        "max_copies": "permit more copies",
        "data allow": "allow more nodes",
        "data require": "require fewer tags, or tag more nodes and links",
        "home": "give it further homes",
    }.items()
}
