"""Ideals of a partial order: sets that hold with each element all that come before it.

Whatever is carried out one part after another has carried out an ideal at any time, and a part
between two moments is the difference of two ideals (Tarnawski et al. 2020, section 5.1.1).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ideals", "bits_of", "closures", "linear_orders", "narrowed", "positions"]


def bits_of(src: NDArray[np.integer], dst: NDArray[np.integer], number: int) -> list[int]:
    """The direct predecessors of each element, as bits of an integer."""
    before = [0] * number
    for a, b in zip(src.tolist(), dst.tolist(), strict=True):
        before[b] |= 1 << a
    return before


def positions(bits: int) -> list[int]:
    """Which bits are set, the lowest first."""
    found = []
    while bits:
        low = bits & -bits
        found.append(low.bit_length() - 1)
        bits ^= low
    return found


def closures(before: list[int], order: list[int]) -> list[int]:
    """All predecessors of each element, given direct ones and a topological order."""
    every = [0] * len(before)
    for v in order:
        rest = reach = before[v]
        while rest:
            low = rest & -rest
            reach |= every[low.bit_length() - 1]
            rest ^= low
        every[v] = reach
    return every


def linear_orders(before: list[int]) -> list[list[int]]:
    """Topological orders to walk along: by position, and depth first along branches."""
    number = len(before)
    after: list[list[int]] = [[] for _ in range(number)]
    for v, bits in enumerate(before):
        for u in positions(bits):
            after[u].append(v)
    found: list[list[int]] = []
    for newest in (False, True):
        missing = [bits.bit_count() for bits in before]
        ready = [v for v in range(number) if not missing[v]]
        if newest:
            ready.reverse()
        order: list[int] = []
        while ready:
            v = ready.pop() if newest else ready.pop(ready.index(min(ready)))
            order.append(v)
            freed = []
            for w in after[v]:
                missing[w] -= 1
                if not missing[w]:
                    freed.append(w)
            ready += reversed(freed) if newest else freed
        if order not in found:
            found.append(order)
    return found


def narrowed(before: list[int], order: list[int], reach: int) -> list[int]:
    """Predecessors with some more: all that come more than ``reach`` places earlier in an order.

    With a reach of 0 the order alone is left, of which each beginning is an ideal.
    """
    more = list(before)
    passed = 0
    for place, v in enumerate(order):
        if place > reach:
            passed |= 1 << order[place - reach - 1]
        more[v] |= passed
    return more


class Ideals:
    """All ideals of an order, smaller ones first.

    Parameters
    ----------
    before
        Predecessors of each element, as bits.
    most
        No more are counted than that: ``bits`` is empty where there are.
    go_on
        Called now and then; may raise.

    Attributes
    ----------
    bits
        Each as an integer with a bit an element.
    """

    def __init__(
        self, before: list[int], most: int, go_on: Callable[[], None] = lambda: None
    ) -> None:
        number = len(before)
        after: list[list[int]] = [[] for _ in range(number)]
        for v, bits in enumerate(before):
            for u in positions(bits):
                after[u].append(v)
        first = tuple(v for v in range(number) if not before[v])
        self.bits = [0]
        level: dict[int, tuple[int, ...]] = {0: first}
        while level:
            go_on()
            larger: dict[int, tuple[int, ...]] = {}
            for ideal, ready in level.items():
                for v in ready:
                    grown = ideal | 1 << v
                    if grown not in larger:
                        freed = [w for w in after[v] if not before[w] & ~grown]
                        larger[grown] = (*(w for w in ready if w != v), *freed)
            if len(self.bits) + len(larger) > most:
                self.bits = []
                return
            self.bits += larger
            level = larger

    def members(self, number: int) -> NDArray[np.bool_]:
        """Which elements each holds; bool[N, number]."""
        width = (number + 7) // 8
        raw = b"".join(bits.to_bytes(width, "little") for bits in self.bits)
        rows = np.frombuffer(raw, np.uint8).reshape(len(self.bits), width)
        return np.unpackbits(rows, axis=1, count=number, bitorder="little").astype(bool)
