"""Shortest routes between all pairs of nodes, with what a transfer over each of them meets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from offload.problem import Network

__all__ = ["Routes"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]

_EQUAL = 1e-12  # relative difference up to which two routes count as equally long
_TOGETHER = 1_000_000  # tight arcs walked together: bounds memory where many paths are equal


class Routes:
    """Routes over the directed arcs of a network with K nodes, A arcs and R contended channels.

    Attributes
    ----------
    arc_src, arc_dst, arc_link : int32[A]
        Ends of each one-way arc, and the position of its link in the file.
    arc_resource : int32[A]
        The shared set of channels that the arc belongs to, or -1 without contention.
    resource_channels, resource_link : int64[R], int32[R]
        Channels of each set, and its link.
    hops : int32[K, K]
        Arcs on the route; -1 where there is none.
    bandwidth, latency, energy, price : float64[K, K]
        Least bandwidth (B/s), sums of latency (s), energy (J/B) and price (1/B) over the route;
        latency is infinite without a route. On the diagonal nothing moves: infinite bandwidth, 0.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.count = len(network.nodes)
        self._collect_arcs()
        with np.errstate(over="ignore"):  # a route longer than any float is an infinite one
            self._find_routes()
            self._accumulate()

    def _collect_arcs(self) -> None:
        position = {node.id: k for k, node in enumerate(self.network.nodes)}
        arcs: list[tuple[int, int, int, int]] = []
        resources: list[tuple[int, int]] = []
        for j, link in enumerate(self.network.links):
            ways = [(position[link.src], position[link.dst])]
            if link.duplex != "simplex":
                ways.append(ways[0][::-1])
            for number, (src, dst) in enumerate(ways):
                resource = -1
                if link.channels is not None:
                    if number == 0 or link.duplex == "full":
                        resources.append((link.channels, j))
                    resource = len(resources) - 1
                arcs.append((src, dst, j, resource))
        table = np.array(arcs, np.int32).reshape(-1, 4)
        self.arc_src, self.arc_dst, self.arc_link, self.arc_resource = (c.copy() for c in table.T)
        shared = np.array(resources, np.int64).reshape(-1, 2)
        self.resource_channels = shared[:, 0].copy()
        self.resource_link = shared[:, 1].astype(np.int32)
        links = self.network.links
        bandwidth = [np.inf if link.bandwidth is None else link.bandwidth for link in links]
        self.arc_bandwidth = np.array(bandwidth, float)[self.arc_link]
        self.arc_latency = np.array([link.latency for link in links], float)[self.arc_link]
        self.arc_energy = np.array([link.energy for link in links], float)[self.arc_link]
        self.arc_price = np.array([link.price for link in links], float)[self.arc_link]
        self._arc = np.full((self.count, self.count), -1, np.int32)
        self._arc[self.arc_src, self.arc_dst] = np.arange(len(arcs), dtype=np.int32)

    def _find_routes(self) -> None:
        """Predecessor of each node on the route from each source.

        A route is a shortest path; among equals the one with fewest hops, then the one whose last
        hop leaves the node listed first, and so on back. Every arc that lies on some shortest path
        is "tight"; breadth-first search over tight arcs gives hops, and the least tight
        predecessor one hop nearer gives the rest.
        """
        count = self.count
        self.hops = np.full((count, count), -1, np.int32)
        self._before = np.full((count, count), -1, np.int32)
        np.fill_diagonal(self.hops, 0)
        if not len(self.arc_src):
            return
        weight = self.arc_latency + self.network.reference_bytes / self.arc_bandwidth
        matrix = csr_array((weight, (self.arc_src, self.arc_dst)), shape=(count, count))
        distance = dijkstra(matrix)
        # An arc longer than the route between its ends, by more than can count as equal on any
        # route, lies on no shortest path.
        slack = 4 * _EQUAL * distance.max(initial=0.0, where=np.isfinite(distance))
        useful = np.flatnonzero(weight <= distance[self.arc_src, self.arc_dst] + slack)
        weight, src, dst = weight[useful], self.arc_src[useful], self.arc_dst[useful]
        first, found, tight = 0, 0, []
        for k in range(count):
            near = distance[k]
            on_time = near[src] + weight <= (near * (1 + _EQUAL))[dst]
            tight.append(np.flatnonzero(on_time & np.isfinite(near)[src]))
            found += len(tight[-1])
            if k == count - 1 or found > _TOGETHER:
                rows = slice(first, k + 1)
                row = np.repeat(np.arange(len(tight)), [len(arcs) for arcs in tight])
                arc = np.concatenate(tight)
                self._walk_tight(row, src[arc], dst[arc], self.hops[rows], self._before[rows])
                first, found, tight = k + 1, 0, []

    def _walk_tight(
        self,
        row: NDArray[np.intp],
        src: IntArray,
        dst: IntArray,
        hops: IntArray,
        before: IntArray,
    ) -> None:
        """Breadth-first search from several sources at once, each over its own (row) tight arcs."""
        for level in range(self.count):
            fresh = (hops[row, src] == level) & (hops[row, dst] < 0)
            if not fresh.any():
                break
            at, to, via = row[fresh], dst[fresh], src[fresh]
            hops[at, to] = level + 1
            # Written in falling order of position, so that the node listed first stays.
            falling = np.argsort(-via, kind="stable")
            before[at[falling], to[falling]] = via[falling]
            keep = ~fresh & (hops[row, dst] < 0)
            row, src, dst = row[keep], src[keep], dst[keep]

    def _accumulate(self) -> None:
        count = self.count
        self.bandwidth = np.full((count, count), np.inf)
        self.latency = np.full((count, count), np.inf)
        self.energy = np.zeros((count, count))
        self.price = np.zeros((count, count))
        np.fill_diagonal(self.latency, 0.0)
        for k, l, before, arc in self._by_hops():
            self.bandwidth[k, l] = np.minimum(self.bandwidth[k, before], self.arc_bandwidth[arc])
            self.latency[k, l] = self.latency[k, before] + self.arc_latency[arc]
            self.energy[k, l] = self.energy[k, before] + self.arc_energy[arc]
            self.price[k, l] = self.price[k, before] + self.arc_price[arc]

    def _by_hops(self) -> list[tuple[IntArray, IntArray, IntArray, IntArray]]:
        """(sources, destinations, node before, last arc) of all routes, shorter routes first."""
        found = []
        for hops in range(1, int(self.hops.max(initial=0)) + 1):
            k, l = (index.astype(np.int32) for index in np.nonzero(self.hops == hops))
            before = self._before[k, l]
            found.append((k, l, before, self._arc[before, l]))
        return found

    @cached_property
    def reachable(self) -> BoolArray:
        """bool[K, K]: whether there is a route (true on the diagonal)."""
        return self.hops >= 0

    def permitted(self, require: Sequence[str]) -> BoolArray:
        """bool[K, K]: routes whose every node, ends too, and every link carry all the tags.

        True on the diagonal: between tasks on one node nothing moves.
        """
        if not require:
            return self.reachable
        wanted = set(require)
        node = np.array([wanted <= set(n.tags) for n in self.network.nodes], bool)
        link = np.array([wanted <= set(n.tags) for n in self.network.links], bool)
        result = np.zeros((self.count, self.count), bool)
        np.fill_diagonal(result, node)
        for k, l, before, arc in self._by_hops():
            result[k, l] = result[k, before] & link[self.arc_link[arc]] & node[l]
        np.fill_diagonal(result, True)
        return result

    def expand(self, src: IntArray, dst: IntArray) -> tuple[NDArray[np.intp], IntArray]:
        """The arcs of several routes, as (row, arc) pairs sorted by row; last hop first."""
        rows, arcs = [], []
        row = np.arange(len(src))
        at = np.asarray(dst, np.int32).copy()
        src = np.asarray(src, np.int32)
        going = (at != src) & (self.hops[src, at] > 0)
        while going.any():
            row, src, at = row[going], src[going], at[going]
            before = self._before[src, at]
            rows.append(row)
            arcs.append(self._arc[before, at])
            at = before
            going = at != src
        if not rows:
            return np.zeros(0, np.intp), np.zeros(0, np.int32)
        row = np.concatenate(rows)
        order = np.argsort(row, kind="stable")
        return row[order], np.concatenate(arcs)[order]

    def path(self, src: int, dst: int) -> list[int]:
        """The nodes of one route, both ends included; empty without a route."""
        if self.hops[src, dst] < 0:
            return []
        nodes = [dst]
        while nodes[-1] != src:
            nodes.append(int(self._before[src, nodes[-1]]))
        return nodes[::-1]
