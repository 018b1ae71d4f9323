"""What the contract says of routes, selectors and durations: SPEC 1 and 2 in plain Python.

Nothing here uses the library beyond the records of a problem.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from math import inf
from typing import NamedTuple

from offload.problem import Link, Node, Problem

__all__ = ["Durations", "Hop", "Parts"]

EQUAL = 1e-12  # two routes, or two sources of a fetch, that differ by less are equally long


class Hop(NamedTuple):
    """One link of a route, and the channels that it shares with others (if they are limited)."""

    link: Link
    channels: tuple[int, str]


class Parts(NamedTuple):
    """Seconds of a transfer's four parts."""

    encode: float
    serialise: float
    latency: float
    decode: float


class Durations:
    """Answers about one problem; tasks, nodes, data and codecs are named by position."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.nodes, self.tasks = problem.network.nodes, problem.graph.tasks
        self.edges = problem.graph.edges
        self.node_at = {node.id: k for k, node in enumerate(self.nodes)}
        self.task_at = {task.id: i for i, task in enumerate(self.tasks)}
        self.data_at = {data.id: d for d, data in enumerate(problem.data)}
        self.hops: dict[tuple[int, int], Hop] = {}
        for j, link in enumerate(problem.network.links):
            a, b = self.node_at[link.src], self.node_at[link.dst]
            self.hops[a, b] = Hop(link, (j, "there"))
            if link.duplex == "full":
                self.hops[b, a] = Hop(link, (j, "back"))
            elif link.duplex == "half":
                self.hops[b, a] = Hop(link, (j, "there"))
        pairs = [(k, l) for k in range(len(self.nodes)) for l in range(len(self.nodes)) if k != l]
        self.routes = {(k, l): self._route(k, l) for k, l in pairs}

    # -- section 1: routes and selectors ---------------------------------------------------------

    def _simple_paths(self, path: list[int], end: int) -> Iterator[list[int]]:
        if path[-1] == end:
            yield path
            return
        for a, b in self.hops:
            if a == path[-1] and b not in path:
                yield from self._simple_paths([*path, b], end)

    def _route(self, k: int, l: int) -> list[int] | None:
        """Nodes of the route: the least sum, then fewest hops, then early nodes from the end."""
        found = []
        for path in self._simple_paths([k], l):
            total = 0.0
            for hop in self._hops_of(path):
                bandwidth = inf if hop.link.bandwidth is None else hop.link.bandwidth
                total += hop.link.latency + self.problem.network.reference_bytes / bandwidth
            found.append((total, path))
        if not found:
            return None
        least = min(total for total, _ in found)
        equal = [path for total, path in found if total <= least * (1 + EQUAL)]
        return min(equal, key=lambda path: (len(path), path[::-1]))

    def _hops_of(self, path: Sequence[int]) -> list[Hop]:
        return [self.hops[a, b] for a, b in pairwise(path)]

    def hops_between(self, k: int | None, l: int) -> list[Hop]:
        """The hops of a route; none on one node, or without a route."""
        if k is None or k == l:
            return []
        return self._hops_of(self.routes[k, l] or [])

    def permitted(self, k: int, l: int, require: Sequence[str]) -> bool:
        """Whether something that requires tags may move from k to l."""
        if k == l:
            return True
        path = self.routes[k, l]
        if path is None:
            return False
        carriers = [self.nodes[n].tags for n in path] + [h.link.tags for h in self._hops_of(path)]
        return all(set(require) <= set(tags) for tags in carriers)

    @staticmethod
    def _names(node: Node) -> list[str]:
        """Every selector that matches a node, the most specific first."""
        tags = [f"tag:{tag}" for tag in node.tags]
        return [node.id, f"kind:{node.kind}", *tags, f"tier:{node.tier}", "*"]

    def by_selector(self, table: dict[str, float] | float, k: int) -> float | None:
        """A number, or that of a map's most specific key for a node; ``None`` without a match."""
        if not isinstance(table, dict):
            return table
        return next((table[name] for name in self._names(self.nodes[k]) if name in table), None)

    def matches(self, selectors: Sequence[str], k: int) -> bool:
        """Whether a node is among the selected."""
        return any(name in selectors for name in self._names(self.nodes[k]))

    # -- section 2: durations --------------------------------------------------------------------

    def execution(self, i: int, k: int, m: int = 0) -> float:
        """p(i, k, m); infinite where the task cannot run."""
        task, node = self.tasks[i], self.nodes[k]
        if not self.matches(task.allow, k) or task.slots > node.slots or m > len(node.modes):
            return inf
        if self.by_selector(task.memory, k) is None or self.by_selector(task.resident, k) is None:
            return inf
        speed = node.modes[m - 1].speed if m else node.speed
        given = self.by_selector(task.time, k)
        if given is not None:
            return given * node.speed / speed if m else given
        return inf if task.work is None else task.work / speed

    def parts(self, size: float, k: int | None, l: int, codec: int = -1) -> Parts:
        """The four parts of a transfer; no latency is short enough without a route."""
        if k == l:
            return Parts(0, 0, 0, 0)
        if k is None or self.routes[k, l] is None:
            hops, latency, bandwidth = [], inf, inf
        else:
            hops = self.hops_between(k, l)
            latency = sum(hop.link.latency for hop in hops)
            bandwidth = min(inf if h.link.bandwidth is None else h.link.bandwidth for h in hops)
        if codec < 0:
            return Parts(0, size / bandwidth, latency, 0)
        c = self.problem.codecs[codec]
        encode = 0.0 if k is None else c.encode * size / self.nodes[k].speed
        decode = c.decode * size / self.nodes[l].speed
        return Parts(encode, size / c.ratio / bandwidth, latency, decode)

    def source(self, d: int, l: int, holders: Collection[int]) -> int | None:
        """The node that data comes from: the nearest by the sum of the parts, then the first."""
        data = self.problem.data[d]
        reached = {
            k: sum(self.parts(data.bytes, k, l))
            for k in sorted(holders)
            if self.permitted(k, l, data.require)
        }
        least = min(reached.values(), default=inf)
        return next((k for k, delay in reached.items() if delay <= least * (1 + EQUAL)), None)

    def homes(self, d: int) -> set[int]:
        """Nodes where data is at home."""
        return {self.node_at[name] for name in self.problem.data[d].home}
