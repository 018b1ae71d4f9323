"""Autonomous driving: vehicles that must steer in time, roadside units that can help, a map.

Ten times a second a vehicle captures a picture, detects, tracks and predicts, plans, and steers
within 100 ms; any of it may run at the roadside unit, whose server is faster and spends less energy
on it. Roadside units merge what their vehicles see, and the map is brought up to date there or in
the cloud.

Minimized: energy, and the sum of the steps' finish times at half a watt, under the deadlines.

Sources. S.-C. Lin et al., The architectural implications of autonomous driving: constraints and
acceleration, ASPLOS 2018: ten frames a second, 100 ms from frame to control, detection, tracking,
prediction and planning as the steps. Detection is YOLOv8m at 640 pixels, 78.9 GFLOP (Ultralytics'
table). Vehicles reach the roadside unit by Shannon's rate over a band of 20 MHz. Machines and
links: the catalogue. Assumed: the other works and sizes, and distances.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from offload.families.building import Draft, Parameter, brief, draws
from offload.families.sites import machine, metres, portions, radio, shared, uplink, wired
from offload.problem import Link, Network, Node

__all__ = ["PARAMETERS", "make"]

PARAMETERS = {
    "vehicles": Parameter(6, "vehicles of a roadside unit", least=1, most=50, whole=True),
    "distance": Parameter(90, "mean metres from a vehicle to its roadside unit", beyond=True),
    "band": Parameter(20e6, "hertz of a vehicle's radio", beyond=True),
    "within": Parameter(0.1, "seconds from a frame to its control", least=0.09),
    "frames": Parameter(1, "frames, one after the other", least=1, most=1000, whole=True),
    "picture": Parameter(2e5, "mean bytes of a picture", beyond=True),
    "variation": Parameter(0.2, "range of works and bytes over their means", most=0.3),
}

CAPTURE, DETECT, TRACK, PREDICT, PLAN, CONTROL = 1e8, 78.9e9, 6e9, 10e9, 10e9, 1e7  # operations
MERGE, CHART, ARCHIVE = 5e9, 300e9, 5e9
OBJECTS, TRACKS, PATHS, COMMAND, SCENE = 2e4, 1e4, 1e4, 500, 5e4  # bytes
FRAME = 0.1  # seconds from one frame to the next
_STEPS = 6  # tasks of a vehicle and frame


def make(
    size: int, rng: random.Random, *, vehicles: int, distance: float, band: float, within: float,
    frames: int, picture: float, variation: float,
) -> Draft:  # fmt: skip
    """An instance of exactly ``size`` tasks; what is left over are archives of the first scene."""
    frames = min(frames, max(1, size // (2 + _STEPS)))
    units = round(size / frames / (2 + _STEPS * vehicles))
    units = max(1, min(units, size // (frames * (2 + _STEPS))))
    chains, left = divmod(size - 2 * frames * units, _STEPS)
    draft, counts = Draft(), portions(chains, frames * units)
    work = draws(rng, variation)
    for f in range(frames):
        for u in range(units):
            scene, roadside, start = {}, f"roadside-{u}", brief(f * FRAME)
            for v in range(counts[f * units + u]):
                one, own = f"{u}.{v}.{f}", f"vehicle-{u}.{v}"
                track = _drive(draft, work, one, own, roadside, start, within, picture)
                scene[track] = work(TRACKS)
            tag, anywhere = f"{u}.{f}", (roadside, "city", "cloud")
            draft.task(f"merge-{tag}", work(MERGE), scene, allow=(roadside, "city"))
            draft.task(f"chart-{tag}", work(CHART), {f"merge-{tag}": SCENE}, allow=anywhere)
    for a in range(left):
        anywhere = ("roadside-0", "city", "cloud")
        draft.task(f"archive-{a}", work(ARCHIVE), {"merge-0.0": SCENE}, allow=anywhere)
    widths = [max(counts[u::units]) for u in range(units)]
    goal = {"energy": 1, "completion": 0.5}
    return draft.on(_network(rng, widths, distance, band), minimize=goal)


def _drive(
    draft: Draft, work: Callable[[float], float], one: str, own: str, roadside: str,
    start: float, within: float, picture: float,
) -> str:  # fmt: skip
    """A frame of a vehicle, from the picture to the control; the task that knows its tracks."""
    draft.task(f"capture-{one}", work(CAPTURE), allow=(own,), release=start)
    steps = (
        ("detect", DETECT, "capture", picture),
        ("track", TRACK, "detect", OBJECTS),
        ("predict", PREDICT, "track", TRACKS),
        ("plan", PLAN, "predict", PATHS),
    )
    for step, operations, before, size_in in steps:
        after = {f"{before}-{one}": work(size_in)}
        draft.task(f"{step}-{one}", work(operations), after, allow=(own, roadside))
    draft.task(f"control-{one}", CONTROL, {f"plan-{one}": COMMAND}, allow=(own,),
               deadline=brief(start + within))  # fmt: skip
    return f"track-{one}"


def _network(rng: random.Random, widths: list[int], distance: float, band: float) -> Network:
    """Vehicles around their roadside unit, the city's centre and a cloud."""
    nodes: list[Node] = []
    links: list[Link] = []
    for u, width in enumerate(widths):
        roadside = f"roadside-{u}"
        for v in range(width):
            nodes.append(machine("jetson-agx-orin", f"vehicle-{u}.{v}"))
            links.append(radio(f"vehicle-{u}.{v}", roadside, metres(rng, distance), band))
        nodes.append(shared("nvidia-t4", roadside))
        links.append(wired("metro-fibre", roadside, "city"))
    nodes.append(shared("nvidia-t4", "city", slots=2))
    nodes.append(shared("aws-g6.xlarge", "cloud", slots=4))
    return Network(nodes, [*links, *uplink("cloud-uplink", "city", "cloud")])
