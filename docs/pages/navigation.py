"""Stars in the navigation of mkdocs.yml: pages that are not named one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["complete"]


def complete(nav: list[Any], paths: Sequence[str]) -> None:
    """Replace ``FOLDER/*`` by the pages of the folder that have no other place, in place.

    A ``*`` alone takes all that is left then, so that no page of ``paths`` is without a place.
    """
    lists = [entries for entries in _lists(nav) if any(map(_is_star, entries))]
    stars = [(entries, entry) for entries in lists for entry in entries if _is_star(entry)]
    for entries, star in sorted(stars, key=lambda found: found[1] == "*"):
        named = set(_named(nav))
        rest = [path for path in paths if path.startswith(star[:-1]) and path not in named]
        at = entries.index(star)
        entries[at : at + 1] = rest


def _is_star(entry: Any) -> bool:
    return isinstance(entry, str) and entry.endswith("*")


def _lists(nav: list[Any]) -> Iterator[list[Any]]:
    yield nav
    for entry in nav:
        if isinstance(entry, dict):
            for value in entry.values():
                if isinstance(value, list):
                    yield from _lists(value)


def _named(nav: list[Any]) -> Iterator[str]:
    for entries in _lists(nav):
        for entry in entries:
            if isinstance(entry, str):
                yield entry
            else:
                yield from (value for value in entry.values() if isinstance(value, str))
