"""QuickXplain: a minimal part of a set that is inconsistent, with few looks at parts.

Source: Junker 2004, "QUICKXPLAIN: preferred explanations and relaxations for over-constrained
problems", AAAI, fig. 1. For n members, of which k are in the result, it takes
O(k log(n / k) + k) looks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["quickxplain"]

Member = TypeVar("Member")


def quickxplain(
    members: Sequence[Member],
    inconsistent: Callable[[list[Member]], bool],
    given: Sequence[Member] = (),
) -> list[Member]:
    """Members that are inconsistent together with what is given, and of which none is redundant.

    Parameters
    ----------
    members
        Inconsistent together with what is given. Earlier ones are preferred in the result.
    inconsistent
        Whether some are proved to be; with more members it must not become False. Where it says
        False for lack of a proof, the result is inconsistent all the same, but perhaps too large.
    given
        What belongs to every part that is looked at.

    Returns
    -------
    list
        In the order of ``members``; empty if what is given is inconsistent by itself.
    """
    base = list(given)
    if not members or inconsistent(base):
        return []
    found = _explain(base, False, list(members), inconsistent)
    return [member for member in members if member in found]


def _explain(
    base: list[Member],
    grown: bool,
    members: list[Member],
    inconsistent: Callable[[list[Member]], bool],
) -> list[Member]:
    if grown and inconsistent(base):
        return []
    if len(members) == 1:
        return members
    half = (len(members) + 1) // 2
    first, second = members[:half], members[half:]
    late = _explain([*base, *first], True, second, inconsistent)
    early = _explain([*base, *late], bool(late), first, inconsistent)
    return [*early, *late]
