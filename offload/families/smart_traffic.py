"""Smart traffic: cameras at crossings, a roadside unit at each, a city's centre, a cloud.

Every round, cameras grab pictures; vehicles and persons are detected and tracked; a crossing's
tracks are fused, a safety check looks for near misses, and the city predicts the flow and searches
for signal plans, which the roadside units set. Raw pictures never leave their crossing (tag
``street``), tracks of persons stay on machines of the city (tag ``trusted``), counts may go
anywhere. The safety check has a due time.

Minimized: the sum of the times at which signals are set, and USD at a hundred seconds each.

Sources. The application: the video analytics of S. Yi et al., LAVEA, SEC 2017, and of G.
Ananthanarayanan et al., Real-time video analytics: the killer app for edge computing, IEEE Computer
50(10), 2017. Detection is YOLOv8m at 640 pixels, 78.9 GFLOP (Ultralytics' table). Machines and
links: the catalogue; cameras reach their roadside unit by Shannon's rate. Assumed: the other steps'
works and sizes, distances, and 0.5 s for the safety check.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from offload.families.building import Draft, Parameter, draws
from offload.families.sites import machine, metres, portions, radio, shared, uplink, wired
from offload.problem import Network

__all__ = ["PARAMETERS", "make"]

PARAMETERS = {
    "cameras": Parameter(4, "cameras of a crossing", least=1, most=16, whole=True),
    "distance": Parameter(60, "mean metres from a camera to its roadside unit", beyond=True),
    "band": Parameter(20e6, "hertz of a camera's radio", beyond=True),
    "picture": Parameter(6e5, "mean bytes of a picture", beyond=True),
    "period": Parameter(1.0, "seconds from one round to the next"),
    "variation": Parameter(0.4, "range of works and bytes over their means", most=1.9),
}

DETECT, TRACK, FUSE, SAFETY = 78.9e9, 10e9, 2e9, 60e9  # operations
PREDICT, OPTIMISE, ACTUATE, GRAB, ARCHIVE = 2e12, 1e12, 1e7, 1e8, 1e9
OBJECTS, TRACKS, COUNTS, SIGNALS = 5e4, 2e4, 6e3, 2e3  # bytes
SAFE = 0.5  # seconds


def make(
    size: int, rng: random.Random, *, cameras: int, distance: float, band: float, picture: float,
    period: float, variation: float,
) -> Draft:  # fmt: skip
    """An instance of exactly ``size`` tasks: about 200 a round; what is left over are archives."""
    rounds = max(1, size // 200)
    room = size / rounds - 2
    crossings = max(1, min(round(room / (3 + 3 * cameras)), int(room / 6)))
    chains, left = divmod(size - rounds * (2 + 3 * crossings), 3)
    draft, counts = Draft(), portions(chains, rounds * crossings)
    work, free = draws(rng, variation), ("tier:edge", "tier:cloud")
    for r in range(rounds):
        fused = [
            _crossing(draft, work, c, r, counts[r * crossings + c], r * period, picture)
            for c in range(crossings)
        ]
        counted = dict.fromkeys(fused, COUNTS)
        draft.task(f"predict-{r}", work(PREDICT), counted, allow=free, weight=0)
        draft.task(f"optimise-{r}", work(OPTIMISE), {f"predict-{r}": 3e4}, allow=free, weight=0)
        for c in range(crossings):
            wanted = {f"safety-{c}.{r}": 1e3, f"optimise-{r}": SIGNALS}
            draft.task(f"actuate-{c}.{r}", ACTUATE, wanted, allow=(f"roadside-{c}",))
    for extra in range(left):
        draft.task(f"archive-{extra}", work(ARCHIVE), {"fuse-0.0": COUNTS}, allow=free, weight=0)
    widths = [max(counts[c::crossings]) for c in range(crossings)]
    return draft.on(_network(rng, widths, distance, band), minimize={"completion": 1, "cost": 100})


def _crossing(
    draft: Draft, work: Callable[[float], float], c: int, r: int, cameras: int, start: float,
    picture: float,
) -> str:  # fmt: skip
    """A crossing in a round, up to its safety check; the task that knows its counts."""
    street, city = (f"tag:crossing-{c}",), (f"tag:crossing-{c}", "city")
    tracks = {}
    for k in range(cameras):
        one, at = f"{c}.{k}.{r}", (f"camera-{c}.{k}",)
        draft.task(f"grab-{one}", work(GRAB), allow=at, release=start, weight=0)
        seen = {f"grab-{one}": work(picture)}
        draft.task(f"detect-{one}", work(DETECT), seen, require=("street",), allow=street,
                   weight=0)  # fmt: skip
        found = {f"detect-{one}": work(OBJECTS)}
        draft.task(f"track-{one}", work(TRACK), found, require=("trusted",), allow=city,
                   weight=0)  # fmt: skip
        tracks[f"track-{one}"] = work(TRACKS)
    fuse = draft.task(f"fuse-{c}.{r}", work(FUSE), tracks, require=("trusted",), allow=city,
                      weight=0)  # fmt: skip
    draft.task(f"safety-{c}.{r}", work(SAFETY), {fuse: work(TRACKS)}, require=("trusted",),
               allow=city, weight=0, due=start + SAFE)  # fmt: skip
    return fuse


def _network(rng: random.Random, widths: list[int], distance: float, band: float) -> Network:
    """So many cameras at each crossing, a roadside unit there, two T4 cards and a cloud."""
    nodes, links = [], []
    for c, width in enumerate(widths):
        tags, roadside = ("street", "trusted", f"crossing-{c}"), f"roadside-{c}"
        for k in range(width):
            nodes.append(machine("jetson-orin-nano", f"camera-{c}.{k}", tags=tags))
            far = metres(rng, distance)
            links.append(radio(f"camera-{c}.{k}", roadside, far, band, tags=tags[:2]))
        nodes.append(machine("jetson-agx-orin", roadside, tier="edge", tags=tags))
        links.append(wired("metro-fibre", roadside, "city", tags=("trusted",)))
    nodes.append(shared("nvidia-t4", "city", slots=2, tags=("trusted",)))
    nodes.append(shared("aws-g5.xlarge", "cloud", slots=4))
    return Network(nodes, [*links, *uplink("cloud-uplink", "city", "cloud")])
