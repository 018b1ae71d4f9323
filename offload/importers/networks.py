"""Networks of other tools: nodes with names and places, links with lengths."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from offload.importers.drafts import BANDWIDTH, SPEED, Draft, Options
from offload.problem import Link, Network, Node

__all__ = ["Site", "Span", "network_draft"]

_SIGNAL = 2e8  # metres a second: light in glass fibre, two thirds of that in vacuum
_FARTHEST = 10_000.0  # kilometres: no real link is longer; some data sets have such
_EARTH = 6371.0  # kilometres, the mean radius


@dataclass
class Site:
    """A node: its id in the file, its name, and its place in degrees."""

    id: str
    name: str = ""
    longitude: float | None = None
    latitude: float | None = None


@dataclass
class Span:
    """A link between two sites: kilometres, and bytes a second, where they are known."""

    src: str
    dst: str
    length: float | None = None
    bandwidth: float | None = None


def network_draft(
    name: str, sites: Sequence[Site], spans: Sequence[Span], options: Options, *, directed: bool
) -> Draft:
    """A network without tasks; latencies from lengths.

    Parameters
    ----------
    name
        Of the network.
    sites, spans
        The ends of spans are ids of sites.
    options
        ``speed`` of all nodes, ``bandwidth`` of links that have none, and ``latency`` of links
        whose length is unknown.
    directed
        Whether a span leads from its source to its destination alone.
    """
    names = _names(sites)
    notes = [
        f"the file gives no speeds: each node has {options.speed or SPEED:g} operations a second"
    ]
    links = _Links(names, {site.id: site for site in sites}, options, directed)
    for span in spans:
        links.add(span)
    notes += links.notes()
    parts = _parts(list(names.values()), links.made)
    if parts > 1:
        notes.append(f"it falls into {parts} parts that nothing joins")
    nodes = [Node(names[site.id], speed=options.speed or SPEED) for site in sites]
    return Draft(
        name, (), network=Network(nodes, links.made), notes=notes, timed=False,
        takes=frozenset({"speed", "bandwidth", "latency"}),
    )  # fmt: skip


def _names(sites: Sequence[Site]) -> dict[str, str]:
    """A node's id is its name in the file, with the file's id where several share the name."""
    count = Counter(site.name or site.id for site in sites)
    taken = {site.name for site in sites}
    made = {}
    for site in sites:
        name = site.name or site.id
        if count[name] > 1 or (not site.name and name in taken):
            name = f"{name} ({site.id})"
        made[site.id] = name
    return made


class _Links:
    """Spans as links, and counts of what was left out."""

    def __init__(
        self, names: dict[str, str], sites: dict[str, Site], options: Options, directed: bool
    ) -> None:
        self.names, self.sites, self.options, self.directed = names, sites, options, directed
        self.made: list[Link] = []
        self.ways: set[tuple[str, str]] = set()
        self.count: Counter[str] = Counter()

    def add(self, span: Span) -> None:
        """A link of a span, unless it is a loop, too long, or not the first of its ends."""
        length = self.length(span)
        way = (self.names[span.src], self.names[span.dst])
        if way[0] == way[1]:
            self.count["loop"] += 1
        elif length is not None and length > _FARTHEST:
            self.count["far"] += 1
        elif way in self.ways or (not self.directed and way[::-1] in self.ways):
            self.count["parallel"] += 1
        else:
            self.ways.add(way)
            self.count["unknown"] += length is None
            self.count["slow"] += span.bandwidth is None
            latency = (self.options.latency or 0.0) if length is None else length * 1e3 / _SIGNAL
            bandwidth = span.bandwidth or self.options.bandwidth or BANDWIDTH
            duplex = "simplex" if self.directed else "full"
            self.made.append(Link(*way, bandwidth=bandwidth, latency=latency, duplex=duplex))  # type: ignore[arg-type]

    def length(self, span: Span) -> float | None:
        """Kilometres, as the file says or as the crow flies."""
        if span.length is not None:
            return span.length
        a, b = self.sites[span.src], self.sites[span.dst]
        if a.longitude is None or a.latitude is None or b.longitude is None or b.latitude is None:
            return None
        self.count["flown"] += 1
        return _great_circle(a.latitude, a.longitude, b.latitude, b.longitude)

    def notes(self) -> list[str]:
        count, said = self.count, [f"latency is length over {_SIGNAL:g} m/s, light in fibre"]
        if count["flown"]:
            said.append(f"lengths ({count['flown']}) are great circles between the ends' places")
        if count["unknown"]:
            latency = self.options.latency or 0.0
            said.append(f"links of unknown length ({count['unknown']}) have latency {latency:g} s")
        if count["slow"]:
            rate = self.options.bandwidth or BANDWIDTH
            said.append(f"links carry {rate:g} bytes a second where the file does not say")
        if count["far"]:
            said.append(f"links of more than {_FARTHEST:g} km ({count['far']}) are left out")
        if count["parallel"]:
            said.append(f"further links between the same nodes ({count['parallel']}) are left out")
        if count["loop"]:
            said.append(f"links of a node to itself ({count['loop']}) are left out")
        return said


def _great_circle(north: float, east: float, other_north: float, other_east: float) -> float:
    """Kilometres between two places in degrees, by the haversine formula."""
    a, b = math.radians(north), math.radians(other_north)
    turn = math.radians(other_east - east)
    half = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(turn / 2) ** 2
    return 2 * _EARTH * math.asin(min(1.0, math.sqrt(half)))


def _parts(names: list[str], links: Sequence[Link]) -> int:
    """How many parts a network falls into, its links taken both ways."""
    head = {name: name for name in names}

    def root(name: str) -> str:
        while head[name] != name:
            head[name] = head[head[name]]
            name = head[name]
        return name

    for link in links:
        head[root(link.src)] = root(link.dst)
    return len({root(name) for name in names})
