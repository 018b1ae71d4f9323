"""Which records of a list a name in brackets means: ids, pairs of ends, selectors, positions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from offload.errors import Issue, OffloadError
from offload.problem import Edge, Group, Link, Network, Node
from offload.selectors import Selectors, is_selector
from offload.typechecks import close

__all__ = ["chosen", "pair_name"]

_KINDS = {"Node": "node", "Link": "link", "Task": "task", "Edge": "edge", "Group": "group",
          "Data": "data", "Codec": "codec", "Mode": "mode"}  # fmt: skip


def chosen(
    path: str, name: str, records: Sequence[Any], kind: type[Any], network: Network
) -> list[int]:
    """Positions of the records that a name means, in order.

    Raises
    ------
    OffloadError
        If there is none, or the name fits several in different ways.
    """
    if name == "*" and records:
        return list(range(len(records)))
    if kind is Node:
        found = np.flatnonzero(Selectors(records).mask([name])).tolist()
    elif kind in (Link, Edge):
        found = _pairs(path, name, records, network if kind is Link else None)
    elif kind is Group:
        found = []
    else:
        found = [k for k, record in enumerate(records) if record.id == name]
    if not found and name.isdecimal() and int(name) < len(records):
        found = [int(name)]
    if not found:
        word = _KINDS[kind.__name__]
        raise OffloadError(str(Issue(path, f"no {word} is so named", name, _near(name, records))))
    if kind is Edge:
        found = _whole_items(found, records)
    return found


def pair_name(record: Any) -> str:
    """What a link or an edge is called: its two ends."""
    return f"{record.src}-{record.dst}"


def _near(name: str, records: Sequence[Any]) -> str:
    """What may have been meant."""
    if not records or isinstance(records[0], Group):
        return f"write a position, 0 to {len(records) - 1}" if records else "there is none"
    if isinstance(records[0], Link | Edge):
        return close(name.replace("->", "-"), [pair_name(record) for record in records])
    names = [record.id for record in records]
    if isinstance(records[0], Node) and is_selector(name):
        prefix = name.partition(":")[0]
        values = {"tier": [n.tier for n in records], "kind": [n.kind for n in records],
                  "tag": [tag for n in records for tag in n.tags]}[prefix]  # fmt: skip
        names = [f"{prefix}:{value}" for value in dict.fromkeys(values) if value]
    return close(name, names)


def _pairs(path: str, name: str, records: Sequence[Any], network: Network | None) -> list[int]:
    """Links or edges by their ends; links that go both ways by either order."""
    matched: dict[tuple[str, str], list[int]] = {}
    for ends in (_forward, _backward) if network is not None else (_forward,):
        for k, record in enumerate(records):
            pair = ends(record)
            if pair is not None and name in (f"{pair[0]}-{pair[1]}", f"{pair[0]}->{pair[1]}"):
                matched.setdefault(pair, []).append(k)
        if matched:
            break
    if len(matched) > 1:
        first, second, *_ = (f"{src}->{dst}" for src, dst in matched)
        fix = f"write [{first}] or [{second}]"
        message = f"may mean {first} and {second}"
        raise OffloadError(str(Issue(path, message, name, fix)))
    if matched:
        return next(iter(matched.values()))
    return [] if network is None else _between(name, records, network)


def _forward(record: Any) -> tuple[str, str] | None:
    return record.src, record.dst


def _backward(link: Link) -> tuple[str, str] | None:
    return None if link.duplex == "simplex" else (link.dst, link.src)


def _between(name: str, links: Sequence[Link], network: Network) -> list[int]:
    """Links between two groups of nodes, as in ``tier:device-tier:edge`` or ``*-cloud``."""
    selectors = Selectors(network.nodes)
    ids = np.array([node.id for node in network.nodes])
    for one, other in _splits(name):
        if not (selectors.known(one) and selectors.known(other)):
            continue
        left, right = (set(ids[selectors.mask([side])].tolist()) for side in (one, other))
        ends = [(_forward(link), _backward(link)) for link in links]
        found = [
            k
            for k, pairs in enumerate(ends)
            if any(pair and pair[0] in left and pair[1] in right for pair in pairs)
        ]
        if found:
            return found
    return []


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """All ways to read a name as two with a dash or an arrow between."""
    for at, sign in enumerate(name):
        if sign == "-":
            yield name[:at], name[at + 1 :].removeprefix(">")


def _whole_items(found: list[int], edges: Sequence[Edge]) -> list[int]:
    """These edges and those of the same items: the bytes of one item are one number."""
    items = {(edges[k].src, edges[k].item) for k in found if edges[k].item is not None}
    if not items:
        return found
    return [k for k, edge in enumerate(edges) if k in set(found) or (edge.src, edge.item) in items]
