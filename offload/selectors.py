"""Selectors: a node id, ``tier:...``, ``kind:...``, ``tag:...`` or ``*`` to the nodes they name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from offload.problem import Node

__all__ = ["PREFIXES", "Selectors", "is_selector"]

PREFIXES = ("tier:", "kind:", "tag:")
_NO_MATCH = 2**31 - 1


def is_selector(text: str) -> bool:
    """Whether a text reads as a selector other than a node's id."""
    return text == "*" or text.startswith(PREFIXES)


class Selectors:
    """Selectors over the nodes of one network; masks are bool[K] in file order."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        self._no_rank = np.full(len(nodes), _NO_MATCH, np.int32)
        # How closely each selector fits each node: the lower, the more specific.
        self._ranks: dict[str, NDArray[np.int32]] = {
            "*": np.full_like(self._no_rank, _NO_MATCH - 1)
        }
        for position, node in enumerate(nodes):
            names = [node.id, f"kind:{node.kind}", *(f"tag:{tag}" for tag in node.tags)]
            for rank, name in [*enumerate(names), (_NO_MATCH - 2, f"tier:{node.tier}")]:
                ranks = self._ranks.setdefault(name, self._no_rank.copy())
                ranks[position] = min(ranks[position], rank)

    def known(self, selector: str) -> bool:
        """Whether a selector is well-formed: a prefix (that may match no node), or a node's id."""
        return is_selector(selector) or selector in self._ranks

    def mask(self, selectors: Iterable[str]) -> NDArray[np.bool_]:
        """Nodes that match at least one of the selectors, bool[K]."""
        result = np.zeros(len(self.nodes), bool)
        for selector in selectors:
            result |= self._ranks.get(selector, self._no_rank) < _NO_MATCH
        return result

    def winners(self, keys: Sequence[str]) -> NDArray[np.int32]:
        """For each node, the position of its most specific key, or -1; int32[K].

        Specific first: id, kind, tag (the first in the node's ``tags``), tier, ``*``.
        """
        result = np.full(len(self.nodes), -1, np.int32)
        best = self._no_rank.copy()
        for position, key in enumerate(keys):
            ranks = self._ranks.get(key, self._no_rank)
            closer = ranks < best
            result[closer] = position
            best[closer] = ranks[closer]
        return result
