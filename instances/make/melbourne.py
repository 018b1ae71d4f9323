"""Edge user allocation in the centre of Melbourne, from the EUA data set.

Run from the repository root: ``python instances/make/melbourne.py [DATA_FOLDER]``.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from making import run

from offload import Edge, Graph, Link, Network, Node, Problem, Task

CENTRE = (-37.8136, 144.9653)  # Bourke Street and Swanston Street
RADIUS = 250.0  # metres: sites this near to the centre are taken
COVERAGE = 150.0  # metres
USERS = 30
EARTH = 6371000.0  # metres, mean radius

BANDWIDTH = 5e6  # hertz
RADIO_POWER = 0.1  # watts
NOISE = 1e-13  # watts, over the whole band
PATH_LOSS = 4.0

IMAGE, OVERLAY = 300e3, 20e3  # bytes
RECOGNISE = 257.8e9  # operations: YOLOv8x at 640 x 640
SESSION = 1.8e9  # bytes: model and state of one user

DESCRIPTION = (
    "Each of 30 users photographs, has the picture (300 kB) recognised on the phone, at an edge"
    " site or in the cloud, and sees the answer (20 kB); the sum of their finish times is"
    " minimized. Sites: those within 250 m of Bourke and Swanston Street; users: the first 30 of"
    " the file within that radius and 150 m of such a site. A user reaches sites within 150 m at"
    " R = B log2(1 + P d^-4 / N0) with B = 5 MHz for each user alone, P = 0.1 W, N0 = 1e-13 W, the"
    " same both ways, rounded to 1 kB/s; a byte costs P / R joules. Assumed: a phone of 1 TFLOP/s"
    " and 4 W; at a site one NVIDIA T4 (19.5 TFLOP/s, 30 % of its FP16 peak, 70 W) and memory for"
    " two users of 1.8 GB, in the cloud one L4 (36.3 TFLOP/s, 72 W, 0.8048 USD/h) and memory for"
    " five; sites joined by 10 Gb/s and 0.5 ms to an exchange, and from there by 1 Gb/s and 5.5 ms"
    " to the cloud, egress 0.09 USD/GB; recognition is YOLOv8x, 257.8 GFLOP; 2 ms radio delay."
)
SOURCE = (
    "Positions of base stations and users: EUA data set (github.com/PhuLai/eua-dataset, commit"
    " 61238e0, 2024-06-08, licence MIT, copyright (c) 2018 Swin Edge, licences/MIT.txt), P. Lai et"
    " al., Optimal edge user allocation in edge computing with variable sized vector bin packing,"
    " ICSOC 2018. Rate: X. Chen, L. Jiao, W. Li, X. Fu, Efficient multi-user computation offloading"
    " for mobile-edge cloud computing, IEEE/ACM Transactions on Networking 24(5), 2016. Peaks and"
    " powers: NVIDIA data sheets of T4 and L4; GFLOP: Ultralytics' table of YOLOv8; prices: AWS"
    " list, us-east-1, 2025. The rest is assumed, for this library, MIT."
)


class Point(NamedTuple):
    """A named position in degrees."""

    name: str
    latitude: float
    longitude: float

    def metres(self, latitude: float, longitude: float) -> float:
        """Distance on a plane tangent to the earth: exact to centimetres within a city."""
        middle = math.radians((self.latitude + latitude) / 2)
        east = math.radians(self.longitude - longitude) * math.cos(middle)
        north = math.radians(self.latitude - latitude)
        return EARTH * math.hypot(east, north)


def near_centre(point: Point) -> bool:
    """Whether a point is taken at all."""
    return point.metres(*CENTRE) <= RADIUS


def rate(metres: float) -> float:
    """Bytes per second of the radio at a distance (Shannon's capacity, path loss d^-4)."""
    signal = RADIO_POWER * metres**-PATH_LOSS
    return round(BANDWIDTH * math.log2(1 + signal / NOISE) / 8, -3)


def radio(user: Point, site: Point) -> Link:
    """The wireless link of a user and a site."""
    bandwidth = rate(user.metres(site.latitude, site.longitude))
    energy = float(f"{RADIO_POWER / bandwidth:.4g}")
    return Link(user.name, site.name, bandwidth, latency=0.002, energy=energy)


def read(data: Path) -> tuple[list[Point], list[Point]]:
    """Sites near the centre, and the first users that they cover."""
    with (data / "eua" / "site-optus-melbCBD.csv").open(encoding="utf-8", newline="") as file:
        sites = [
            Point(f"site-{row['SITE_ID']}", float(row["LATITUDE"]), float(row["LONGITUDE"]))
            for row in csv.DictReader(file)
        ]
    sites = list(filter(near_centre, sites))
    users: list[Point] = []
    with (data / "eua" / "users-melbcbd-generated.csv").open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=1):
            user = Point(f"user-{number}", float(row["Latitude"]), float(row["Longitude"]))
            if near_centre(user) and covering(user, sites):
                users.append(user)
    return sites, users[:USERS]


def covering(user: Point, sites: Iterable[Point]) -> list[Point]:
    """The sites that a user reaches."""
    return [s for s in sites if user.metres(s.latitude, s.longitude) <= COVERAGE]


def network_of(sites: list[Point], users: list[Point]) -> Network:
    """Phones, sites, an exchange that joins the sites, and a cloud."""
    nodes = [
        Node(u.name, tier="device", kind="phone", speed=1e12, memory=4e9, busy_power=4)
        for u in users
    ]
    nodes += [
        Node(s.name, kind="t4", speed=19.5e12, memory=2 * SESSION, busy_power=70) for s in sites
    ]
    nodes += [
        Node("exchange", kind="switch", slots=0),
        Node(
            "cloud", tier="cloud", kind="l4", speed=36.3e12, memory=5 * SESSION, busy_power=72,
            price=round(0.8048 / 3600, 9),
        ),
    ]  # fmt: skip
    links = [radio(user, site) for user in users for site in covering(user, sites)]
    links += [Link(site.name, "exchange", bandwidth=1.25e9, latency=0.0005) for site in sites]
    links.append(Link("exchange", "cloud", bandwidth=1.25e8, latency=0.0055, price=9e-11))
    return Network(tuple(nodes), tuple(links))


def make(data: Path) -> Iterable[Problem]:
    """The one instance."""
    sites, users = read(data)
    tasks: list[Task] = []
    edges: list[Edge] = []
    for user in users:
        number = user.name.removeprefix("user-")
        take, see, show = (f"{step}-{number}" for step in ("take", "recognise", "show"))
        tasks += [
            Task(take, work=0, allow=(user.name,), weight=0),
            Task(see, work=RECOGNISE, resident=SESSION, weight=0,
                 allow=(user.name, "tier:edge", "tier:cloud")),
            Task(show, work=0, allow=(user.name,)),
        ]  # fmt: skip
        edges += [Edge(take, see, bytes=IMAGE), Edge(see, show, bytes=OVERLAY)]
    yield Problem(
        name="melbourne-edge-users",
        description=DESCRIPTION,
        source=SOURCE,
        network=network_of(sites, users),
        graph=Graph(tuple(tasks), tuple(edges)),
        minimize={"completion": 1.0},
    )


if __name__ == "__main__":
    run(make)
