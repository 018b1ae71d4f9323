"""A crossing under three cameras: 12 tasks on device, edge and cloud, without contention.

Run from the repository root: ``python instances/make/crossing_12.py``. All numbers stand here.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hardware import FIGURES, camera, cellular, cloud, ethernet, metro, roadside, wan, wifi
from making import run

from offload import Edge, Graph, Group, Network, Node, Problem, Task

DESCRIPTION = (
    "One round at a signalled crossing. Three cameras grab five 4K pictures each (10.5 MB);"
    " objects are found in them, tracked over all views and counted; a safety check looks for near"
    " misses; a forecast and a search for the next signal plan use the counts alone; the roadside"
    " unit sets the signals. Raw pictures never leave the street (tag street), cut-outs and tracks"
    " of persons stay on machines of the city (tag trusted), counts may go anywhere. Detectors of"
    " the two ends of the main road never share a machine; tracker and counter share their state."
    " The plan with the least latency within 95 J."
)
SOURCE = "Made for this library; licence MIT, as this repository. " + FIGURES

PICTURES, OBJECTS, TRACKS, COUNTS, FORECAST, SIGNALS = 10.5e6, 1.25e6, 200e3, 6e3, 30e3, 2e3
SIDES = {"north": 0.0, "east": 0.011, "south": 0.022}  # the cameras' shutters, seconds


def cameras() -> tuple[list[Task], list[Edge]]:
    """Grabbing and detecting on each side."""
    tasks, edges = [], []
    for side, shutter in SIDES.items():
        grab, detect = f"grab-{side}", f"detect-{side}"
        tasks += [
            Task(grab, time={"tier:device": 0.06}, memory=2e8, allow=(f"cam-{side}",),
                 release=shutter),
            Task(detect, work=1.578e12, memory=8e8, resident=1.2e9, allow=("tag:street",)),
        ]  # fmt: skip
        edges.append(Edge(grab, detect, bytes=PICTURES, require=("street",)))
        for reader in ("track", "safety"):
            edges.append(Edge(detect, reader, OBJECTS, item="objects", require=("trusted",)))
    return tasks, edges


def rest() -> tuple[list[Task], list[Edge]]:
    """From the tracker to the signals."""
    tasks = [
        Task("track", work=0.6e12, memory=4e8, resident=8e8, allow=("tag:trusted",)),
        Task("count", work=10e9, memory=1e8, resident=2e8),
        Task("safety", work=1.2e12, memory=6e8, resident=1.4e9, allow=("tag:trusted",), due=0.7,
             weight=5),
        Task("predict", work=4e12, memory=8e8, resident=2.6e9),
        Task("optimise", work=3e12, memory=6e8, resident=2e9),
        Task("actuate", work=1e8, memory=1e7, resident=5e7, allow=("rsu",), deadline=2),
    ]  # fmt: skip
    edges = [
        Edge("track", "safety", TRACKS, item="tracks", require=("trusted",)),
        Edge("track", "count", TRACKS, item="tracks", require=("trusted",)),
        Edge("count", "predict", COUNTS, item="counts"),
        Edge("count", "optimise", COUNTS, item="counts"),
        Edge("predict", "optimise", FORECAST),
        Edge("safety", "actuate", 1e3),
        Edge("optimise", "actuate", SIGNALS),
    ]
    return tasks, edges


def network() -> Network:
    """Two cameras on Wi-Fi, one on a cable, the roadside unit, the city and the cloud."""
    nodes: list[Node] = [camera(f"cam-{side}") for side in SIDES]
    nodes += [
        roadside("rsu", memory=5e9),
        metro(slots=2, memory=4.5e9),
        cloud(slots=4, memory=40e9),
    ]
    links = [
        wifi("cam-north", "rsu"),
        ethernet("cam-east", "rsu"),
        wifi("cam-south", "rsu"),
        *cellular("rsu", "metro"),
        wan("metro", "cloud"),
    ]
    return Network(tuple(nodes), tuple(links))


def make(data: Path) -> Iterable[Problem]:
    """The crossing; the data folder is not needed."""
    (first, first_edges), (second, second_edges) = cameras(), rest()
    groups = (
        Group("together", ("track", "count")),
        Group("apart", ("detect-north", "detect-south")),
    )
    yield Problem(
        name="crossing-12",
        description=DESCRIPTION,
        source=SOURCE,
        network=network(),
        graph=Graph(tuple(first + second), tuple(first_edges + second_edges), groups),
        limits={"energy": 95.0},
    )


if __name__ == "__main__":
    run(make)
