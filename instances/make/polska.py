"""Service function chains on the SNDlib network polska.

Run from the repository root: ``python instances/make/polska.py [DATA_FOLDER]``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from making import run

from offload import Edge, Graph, Link, Network, Node, Problem, Task

FIBRE = 2e8  # metres per second, light in glass
WAVELENGTH = 1.25e9  # bytes per second, 10 Gb/s
DATA_CENTRES = ("Warsaw", "Poznan", "Katowice")
CHAINS = 6
# Operations per byte and resident bytes of each function, and bytes out per byte in.
FUNCTIONS = (
    ("firewall", 30, 1e9, 1.0),
    ("inspect", 150, 4e9, 1.0),
    ("transcode", 2000, 6e9, 0.4),
)
DESCRIPTION = (
    "The six largest demands of the network, each as a service chain: traffic of one second enters"
    " at a city, passes firewall, deep inspection and video transcoding somewhere, and leaves at"
    " another city; the sum of the six finish times is minimized. Assumed: a demand's unit is"
    " 1 Mb/s; each link is one 10 Gb/s wavelength that carries one transfer at a time, with latency"
    " distance / 2e8 m/s; each city has 2 slots of 16 cores at 2.4 GHz, one operation a cycle, and"
    " 8 GB; Warsaw, Poznan and Katowice 4 slots of 64 such cores and 16 GB; 30, 150 and 2000"
    " operations per byte for the three functions; transcoding leaves 40 % of the bytes; 6 W per"
    " busy core, 0.04 USD per core-hour in a data centre and 0.06 elsewhere."
)
SOURCE = (
    "Topology, distances and demands: polska of SNDlib (S. Orlowski, M. Pioro, A. Tomaszewski,"
    " R. Wessaely, SNDlib 1.0 - Survivable Network Design Library, Networks 55(3), 2010), from"
    " TopoHub (github.com/piotrjurkiewicz/topohub, commit db1a312, 2025-09-30, licence MIT,"
    " copyright (c) 2023 Piotr Jurkiewicz, licences/MIT.txt). The rest is assumed, for this"
    " library, MIT."
)


def place(city: str) -> Node:
    """What stands in a city."""
    large = city in DATA_CENTRES
    cores, slots = (64, 4) if large else (16, 2)
    return Node(
        city,
        tier="cloud" if large else "edge",
        speed=cores * 2.4e9,
        slots=slots,
        memory=16e9 if large else 8e9,
        busy_power=6.0 * cores,
        price=round(cores * (0.04 if large else 0.06) / 3600, 9),
    )


def chain(number: int, src: str, dst: str, megabits: float) -> tuple[list[Task], list[Edge]]:
    """One demand: enter, the functions, leave."""
    size = megabits * 1e6 / 8
    tasks = [Task(f"enter-{number}", work=0, allow=(src,), weight=0)]
    edges = []
    for name, operations, resident, kept in FUNCTIONS:
        task = Task(f"{name}-{number}", work=operations * size, resident=resident, weight=0)
        edges.append(Edge(tasks[-1].id, task.id, bytes=size))
        tasks.append(task)
        size *= kept
    tasks.append(Task(f"leave-{number}", work=0, allow=(dst,)))
    edges.append(Edge(tasks[-2].id, tasks[-1].id, bytes=size))
    return tasks, edges


def largest(demands: dict[str, dict[str, float]]) -> list[tuple[int, int, float]]:
    """The largest demands (source, target, volume); of equal ones the first listed."""
    listed = [
        (int(src), int(dst), volume) for src, row in demands.items() for dst, volume in row.items()
    ]
    return sorted(listed, key=lambda demand: -demand[2])[:CHAINS]


def make(data: Path) -> Iterable[Problem]:
    """The one instance."""
    path = data / "topology" / "sndlib" / "polska.json"
    given: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    city = {node["id"]: node["name"] for node in given["nodes"]}
    links = [
        Link(
            city[e["source"]], city[e["target"]], bandwidth=WAVELENGTH,
            latency=round(e["dist"] * 1000 / FIBRE, 8), channels=1, energy=4e-9,
        )
        for e in given["edges"]
    ]  # fmt: skip
    tasks: list[Task] = []
    edges: list[Edge] = []
    for number, (src, dst, volume) in enumerate(largest(given["graph"]["demands"]), start=1):
        more_tasks, more_edges = chain(number, city[src], city[dst], volume)
        tasks += more_tasks
        edges += more_edges
    yield Problem(
        name="polska-service-chains",
        description=DESCRIPTION,
        source=SOURCE,
        network=Network(tuple(map(place, city.values())), tuple(links)),
        graph=Graph(tuple(tasks), tuple(edges)),
        minimize={"completion": 1.0},
    )


if __name__ == "__main__":
    run(make)
