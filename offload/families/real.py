"""Networks of real places: base stations of Melbourne, and the fibre of two countries.

``melbourne``: sixteen base stations of the EUA data set with a server each, 24 of its users with
their phones on the nearest station (radio links by distance), stations joined by fibre to their
two nearest and so that all are joined; a cloud. ``polska`` and ``germany``: the cities of SNDlib's
networks polska and nobel-germany with servers, joined by fibre of the lengths given there, a
gateway on 5G in each; a cloud at the hub. Sources and licence stand in ``real_sites.toml``.
"""

from __future__ import annotations

import functools
import math
import tomllib
from importlib import resources
from itertools import combinations
from typing import Any

import msgspec
import networkx as nx

from offload.catalogue import links
from offload.families.building import brief
from offload.families.sites import machine, radio, shared, uplink, wired
from offload.problem import Link, Network

__all__ = ["country", "melbourne", "network"]

_EARTH = 6371008.8  # metres: mean radius, IUGG
_BAND = 20e6  # hertz of a station's channel; assumed
_FIBRE = 4.9e-6  # seconds a kilometre: ITU-T G.652 fibre, group index 1.468


@functools.cache
def _data() -> dict[str, Any]:
    text = resources.files("offload.families").joinpath("real_sites.toml").read_text("utf-8")
    return tomllib.loads(text)


def network(place: str) -> Network:
    """The network of a place: melbourne, polska or germany."""
    return melbourne() if place == "melbourne" else country(place)


def melbourne() -> Network:
    """Users, base stations with servers, and a cloud, in the centre of Melbourne."""
    data = _data()["melbourne"]
    sites = {f"site-{name}": (lat, lon) for name, lat, lon in data["sites"]}
    users = {f"user-{number}": tuple(at) for number, at in enumerate(data["users"])}
    made: list[Link] = []
    for user, at in users.items():
        site = min(sites, key=lambda name: _metres(at, sites[name]))
        made.append(radio(user, site, brief(_metres(at, sites[site])), _BAND))
    centre = tuple(sum(column) / len(sites) for column in zip(*sites.values(), strict=True))
    hub = min(sites, key=lambda name: _metres(centre, sites[name]))
    made += [_fibre(a, b, _metres(sites[a], sites[b]) / 1e3) for a, b in _joined(sites)]
    nodes = (
        *(machine("smartphone", user) for user in users),
        *(shared("nvidia-t4", site) for site in sites),
        shared("aws-g5.xlarge", "cloud", slots=8),
    )
    return Network(nodes, (*made, *uplink("cloud-uplink", hub, "cloud")))


def country(place: str) -> Network:
    """Gateways, servers in cities joined by fibre, and a cloud at the hub."""
    data = _data()[place]
    cities: list[str] = data["cities"]
    fibre = [_fibre(cities[a], cities[b], length) for a, b, length in data["links"]]
    nodes = (
        *(machine("raspberry-pi-5", f"gateway-{city}") for city in cities),
        *(shared("nvidia-l4", city, slots=2) for city in cities),
        shared("aws-g5.xlarge", "cloud", slots=16),
    )
    radio_links = (made for city in cities for made in links("5g", f"gateway-{city}", city))
    return Network(nodes, (*radio_links, *fibre, *uplink("cloud-uplink", data["hub"], "cloud")))


def _joined(sites: dict[str, tuple[float, float]]) -> list[tuple[str, str]]:
    """Pairs of sites: each with its two nearest, and the shortest tree over all."""
    graph = nx.Graph()
    for a, b in combinations(sites, 2):
        graph.add_edge(a, b, weight=_metres(sites[a], sites[b]))
    pairs = {tuple(sorted(pair)) for pair in nx.minimum_spanning_edges(graph, data=False)}
    for site in sites:
        nearest = sorted(graph[site], key=lambda other: graph[site][other]["weight"])[:2]
        pairs |= {tuple(sorted((site, other))) for other in nearest}
    return sorted(pairs)


def _fibre(a: str, b: str, kilometres: float) -> Link:
    """The catalogue's fibre, with the delay of its length."""
    return msgspec.structs.replace(wired("metro-fibre", a, b), latency=brief(kilometres * _FIBRE))


def _metres(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Distance of two positions in degrees over the globe, by haversines."""
    (lat, lon), (other, east) = (map(math.radians, at) for at in (a, b))
    half = (
        math.sin((other - lat) / 2) ** 2
        + math.cos(lat) * math.cos(other) * math.sin((east - lon) / 2) ** 2
    )
    return 2 * _EARTH * math.asin(math.sqrt(half))
