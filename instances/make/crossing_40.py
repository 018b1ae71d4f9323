"""Two crossings under eight cameras: 40 tasks, shared links with contention.

Run from the repository root: ``python instances/make/crossing_40.py``. All numbers stand here.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hardware import FIGURES, MBIT, camera, cellular, cloud, ethernet, metro, roadside, wan, wifi
from making import run

from offload import Edge, Graph, Group, Link, Network, Node, Problem, Task

DESCRIPTION = (
    "One round at two neighbouring crossings, a and b, with four cameras each, whose signal plans"
    " are coordinated. Each camera grabs five 4K pictures; objects are found in them and described"
    " for recognition from view to view; each crossing tracks, counts, looks for near misses and"
    " for waiting pedestrians, forecasts its arrivals and searches its signal plan; the corridor"
    " forecasts on the counts of both and coordinates the two. Crossing a's cameras hang on a"
    " switch whose only way to the roadside unit is one half-duplex Wi-Fi bridge; crossing b's have"
    " cables. Every link carries a limited number of transfers at once. Raw pictures never leave"
    " the street (tag street), cut-outs and tracks of persons stay on machines of the city (tag"
    " trusted), counts may go anywhere. Detectors of opposite cameras never share a machine;"
    " tracker and counter share their state. The plan with the least latency within {limit:g} J."
)
SOURCE = (
    "Made for this library; licence MIT, as this repository. " + FIGURES + " Also assumed: the"
    " bridge has 300 Mb/s, on half the spectrum; a fibre joins the crossings, as Ethernet; 5G cell"
    " to city 10 Gb/s and 1 ms."
)

SIDES = ("north", "east", "south", "west")
CROSSINGS = {"a": 0.0, "b": 0.013}  # when the first camera's shutter opens, seconds
STEP = 0.007  # seconds from one camera's shutter to the next
LIMIT = 215.0

PICTURES, OBJECTS, FEATURES, TRACKS = 10.5e6, 1.25e6, 150e3, 250e3
BRIDGE = 300 * MBIT
COUNTS, FORECAST, PLAN, NOTE = 6e3, 30e3, 2e3, 1e3
STREET, TRUSTED = ("street",), ("trusted",)


def cameras(crossing: str, opens: float) -> tuple[list[Task], list[Edge]]:
    """Grab, detect and describe on each side of a crossing."""
    tasks, edges = [], []
    for number, side in enumerate(SIDES):
        name = f"{crossing}-{side}"
        grab, detect, describe = (f"{step}-{name}" for step in ("grab", "detect", "describe"))
        track = f"track-{crossing}"
        tasks += [
            Task(grab, time={"tier:device": 0.06}, memory=2e8, allow=(f"cam-{name}",),
                 release=round(opens + number * STEP, 3)),
            Task(detect, work=1.578e12, memory=8e8, resident=1.2e9, allow=("tag:street",)),
            Task(describe, work=0.4e12, memory=3e8, resident=4e8, allow=("tag:trusted",)),
        ]  # fmt: skip
        edges += [
            Edge(grab, detect, PICTURES, require=STREET),
            Edge(detect, describe, OBJECTS, item="objects", require=TRUSTED),
            Edge(detect, track, OBJECTS, item="objects", require=TRUSTED),
            Edge(describe, track, FEATURES, require=TRUSTED),
        ]
    return tasks, edges


def crossing(name: str) -> tuple[list[Task], list[Edge]]:
    """From the tracker to the signals of one crossing."""
    track, count, safety, walkers, predict, optimise, actuate = (
        f"{step}-{name}"
        for step in ("track", "count", "safety", "walkers", "predict", "optimise", "actuate")
    )
    tasks = [
        Task(track, work=0.6e12, memory=4e8, resident=8e8, allow=("tag:trusted",)),
        Task(count, work=10e9, memory=1e8, resident=2e8),
        Task(safety, work=0.8e12, memory=6e8, resident=1.4e9, allow=("tag:trusted",), due=0.8,
             weight=5),
        Task(walkers, work=0.5e12, memory=5e8, resident=9e8, allow=("tag:trusted",)),
        Task(predict, work=2e12, memory=6e8, resident=1.6e9),
        Task(optimise, work=1.5e12, memory=4e8, resident=1.2e9),
        Task(actuate, work=1e8, memory=1e7, resident=5e7, allow=(f"rsu-{name}",), deadline=4),
    ]  # fmt: skip
    edges = [
        Edge(track, safety, TRACKS, item="tracks", require=TRUSTED),
        Edge(track, walkers, TRACKS, item="tracks", require=TRUSTED),
        Edge(track, count, TRACKS, item="tracks", require=TRUSTED),
        Edge(count, predict, COUNTS, item="counts"),
        Edge(count, "corridor", COUNTS, item="counts"),
        Edge(predict, "coordinate", FORECAST, item="forecast"),
        Edge(predict, optimise, FORECAST, item="forecast"),
        Edge("coordinate", optimise, PLAN, item="offsets"),
        Edge(walkers, optimise, NOTE),
        Edge(safety, actuate, NOTE),
        Edge(optimise, actuate, PLAN),
    ]
    return tasks, edges


def network() -> Network:
    """Cameras, a switch, two roadside units, a 5G cell, the city and the cloud."""
    nodes: list[Node] = []
    links: list[Link] = []
    for name in CROSSINGS:
        nodes += [camera(f"cam-{name}-{side}") for side in SIDES]
        end = "switch-a" if name == "a" else "rsu-b"
        links += [ethernet(f"cam-{name}-{side}", end, channels=1) for side in SIDES]
    switch = Node("switch-a", tags=("street", "trusted"), slots=0)
    cell = Node("cell", tags=("trusted",), slots=0)
    nodes += [switch, *(roadside(f"rsu-{name}", memory=7e9) for name in CROSSINGS), cell]
    nodes += [metro(slots=2, memory=8e9), cloud(slots=4, memory=40e9)]
    links += [
        wifi("switch-a", "rsu-a", channels=1, rate=BRIDGE),
        ethernet("rsu-a", "rsu-b", channels=1),
        *cellular("rsu-a", "cell", channels=1),
        *cellular("rsu-b", "cell", channels=1),
        Link("cell", "metro", 1.25e9, 0.001, channels=4, energy=5e-9, tags=TRUSTED),
        wan("metro", "cloud", channels=2),
    ]
    return Network(tuple(nodes), tuple(links))


def make(data: Path) -> Iterable[Problem]:
    """The two crossings; the data folder is not needed."""
    tasks: list[Task] = []
    edges: list[Edge] = []
    groups: list[Group] = []
    for name, opens in CROSSINGS.items():
        for more_tasks, more_edges in (cameras(name, opens), crossing(name)):
            tasks += more_tasks
            edges += more_edges
        groups += [
            Group("together", (f"track-{name}", f"count-{name}")),
            Group("apart", (f"detect-{name}-north", f"detect-{name}-south")),
            Group("apart", (f"detect-{name}-east", f"detect-{name}-west")),
        ]
    tasks += [
        Task("corridor", work=4e12, memory=1e9, resident=3e9),
        Task("coordinate", work=2.5e12, memory=6e8, resident=1.6e9),
    ]
    edges.append(Edge("corridor", "coordinate", FORECAST))
    yield Problem(
        name="crossing-40",
        description=DESCRIPTION.format(limit=LIMIT),
        source=SOURCE,
        network=network(),
        graph=Graph(tuple(tasks), tuple(edges), tuple(groups)),
        limits={"energy": LIMIT},
    )


if __name__ == "__main__":
    run(make)
