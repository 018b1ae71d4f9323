"""Selectors: a node id, ``tier:...``, ``kind:...``, ``tag:...`` or ``*`` to the nodes they name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from offload.problem import Node

__all__ = ["PREFIXES", "Selectors", "is_selector"]

PREFIXES = ("tier:", "kind:", "tag:")


def is_selector(text: str) -> bool:
    """Whether a text reads as a selector other than a node's id."""
    return text == "*" or text.startswith(PREFIXES)


class Selectors:
    """Selectors over the nodes of one network; masks are bool[K] in file order."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        self._masks: dict[str, NDArray[np.bool_]] = {"*": np.ones(len(nodes), bool)}
        for position, node in enumerate(nodes):
            names = [node.id, f"tier:{node.tier}", f"kind:{node.kind}"]
            for name in names + [f"tag:{tag}" for tag in node.tags]:
                mask = self._masks.setdefault(name, np.zeros(len(nodes), bool))
                mask[position] = True
        self._nothing = np.zeros(len(nodes), bool)

    def known(self, selector: str) -> bool:
        """Whether a selector is well-formed: a prefix (that may match no node), or a node's id."""
        return is_selector(selector) or selector in self._masks

    def mask(self, selectors: Iterable[str]) -> NDArray[np.bool_]:
        """Nodes that match at least one of the selectors, bool[K]."""
        result = self._nothing.copy()
        for selector in selectors:
            result |= self._masks.get(selector, self._nothing)
        return result

    def winners(self, keys: Sequence[str]) -> NDArray[np.int32]:
        """For each node, the position of its most specific key, or -1; int32[K].

        Specific first: id, kind, tag (the first in the node's ``tags``), tier, ``*``.
        """
        position = {key: index for index, key in enumerate(keys)}
        result = np.full(len(self.nodes), -1, np.int32)
        for k, node in enumerate(self.nodes):
            tags = [f"tag:{tag}" for tag in node.tags]
            for key in (node.id, f"kind:{node.kind}", *tags, f"tier:{node.tier}", "*"):
                if key in position:
                    result[k] = position[key]
                    break
        return result
