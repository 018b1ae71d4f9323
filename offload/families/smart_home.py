"""Smart home: sensors, a voice assistant and a door camera behind a slow uplink.

In each home small sensors sense and filter; a speaker listens, spots its wake word, has the words
recognised and their intent found; a door camera sees motion and persons; the hub fuses presence,
decides and acts. Pictures never leave the home (tag ``home-h``), and voices only as what was said
after the wake word. The cloud is fast and charges; the homes' uplink is slow.

Minimized: the sum of the times of actions, joules at 0.02 s and USD at a hundred seconds each.

Sources. Wake word: DS-CNN, 5.4 MOp (Y. Zhang et al., Hello Edge: keyword spotting on
microcontrollers, arXiv 1711.07128, 2017). Speech: Whisper tiny, 39 million parameters (A. Radford
et al., Robust speech recognition via large-scale weak supervision, 2022), two operations a
parameter over 1,500 positions. Persons: YOLOv8n, 8.7 GFLOP (Ultralytics' table). Audio: 5 s of 16
kHz and 16 bits. Machines and links: the catalogue. Assumed: the other works and sizes.
"""

from __future__ import annotations

import random
from typing import TypeAlias

from offload.families.building import Draft, Parameter, brief, spread
from offload.families.sites import machine, shared, uplink, wired
from offload.problem import Link, Network, Node

__all__ = ["PARAMETERS", "make"]

PARAMETERS = {
    "home": Parameter(16, "most tasks of a home in a round", least=4, most=40, whole=True),
    "rounds": Parameter(3, "rounds of a home at most", least=1, most=1000, whole=True),
    "period": Parameter(5.0, "seconds from one round to the next"),
    "variation": Parameter(0.4, "range of works and bytes over their means", most=1.9),
}

SENSE, FILTER, PRESENCE, DECIDE, ACT, LOG = 1e4, 1e6, 5e7, 1e8, 1e5, 1e7  # operations
LISTEN, WAKE, RECOGNISE, INTENT = 1e6, 5.4e6, 2 * 39e6 * 1500, 5e9
FRAME, MOTION, PERSON = 1e7, 2e8, 8.7e9
READING, AUDIO, WORDS, PICTURE, CROP, EVENT = 64, 160e3, 500, 3e5, 1e5, 200  # bytes

_Pipeline: TypeAlias = tuple[str, tuple[tuple[str, float, float, str], ...]]

# The pipelines of a home, in the order in which they are added: steps as (name, operations, bytes
# to the next, where: the device, the home, or anywhere).
_PIPELINES: tuple[_Pipeline, ...] = (
    ("speaker", (("listen", LISTEN, AUDIO, "device"), ("wake", WAKE, AUDIO, "home"),
                 ("recognise", RECOGNISE, WORDS, "any"), ("intent", INTENT, EVENT, "any"))),
    ("sensor", (("sense", SENSE, READING, "device"), ("filter", FILTER, READING, "home"))),
    ("camera", (("frame", FRAME, PICTURE, "device"), ("motion", MOTION, CROP, "home"),
                ("person", PERSON, EVENT, "home"))),
    ("sensor", (("sense", SENSE, READING, "device"), ("filter", FILTER, READING, "home"))),
)  # fmt: skip
_GATHER = 3  # tasks of a home besides its pipelines: presence, decide, act


def make(
    size: int, rng: random.Random, *, home: int, rounds: int, period: float, variation: float
) -> Draft:
    """An instance of exactly ``size`` tasks, as even over homes and rounds as they come."""
    count = max(1, round(size / home))  # homes times rounds
    rounds = min(rounds, count)
    homes = -(-count // rounds)
    draft, left = Draft(), size
    devices: list[dict[str, str]] = [{} for _ in range(homes)]  # machine of each, by home
    for unit in range(count):
        h, r = unit % homes, unit // homes
        share = left // (count - unit)
        start = brief(r * period + h % 7 * 0.1)
        devices[h] |= _home_round(draft, rng, h, r, start, share, variation)
        left -= share
    goal = {"completion": 1, "energy": 0.02, "cost": 100}
    return draft.on(_network(devices), minimize=goal)


def _chosen(share: int) -> list[_Pipeline]:
    """Pipelines of a home for so many tasks; what they leave over are logs."""
    made: list[_Pipeline] = []
    room = share - _GATHER
    while True:
        before = len(made)
        for device, steps in _PIPELINES:
            if len(steps) <= room:
                made.append((device, steps))
                room -= len(steps)
        if len(made) == before:
            return made


def _home_round(
    draft: Draft, rng: random.Random, h: int, r: int, start: float, share: int, variation: float
) -> dict[str, str]:
    """The tasks of one home in one round; the devices that take part, with their kinds."""
    home, one = (f"tag:home-{h}",), f"{h}.{r}"
    free = (*home, "cloud")
    where = {"home": home, "any": free}
    ends: dict[str, float] = {}
    added = 0
    devices: dict[str, str] = {}
    for position, (device, steps) in enumerate(_chosen(share)):
        at = (f"{device}-{h}.{list(devices.values()).count(device)}",)
        devices[at[0]] = device
        before: dict[str, float] = {}
        for step, operations, size, place in steps:
            name = f"{step}-{one}.{position}"
            private = (f"home-{h}",) if device == "camera" and before else ()
            pinned = place == "device"
            draft.task(
                name, spread(rng, operations, variation), before, require=private,
                allow=at if pinned else where[place], release=start if pinned else 0, weight=0,
            )  # fmt: skip
            before = {name: spread(rng, size, variation)}
        ends |= before
        added += len(steps)
    draft.task(f"presence-{one}", spread(rng, PRESENCE, variation), ends, allow=free, weight=0)
    gathered = {f"presence-{one}": EVENT}
    draft.task(f"decide-{one}", spread(rng, DECIDE, variation), gathered, allow=free, weight=0)
    draft.task(f"act-{one}", ACT, {f"decide-{one}": EVENT}, allow=(f"hub-{h}",))
    for extra in range(share - _GATHER - added):
        draft.task(f"log-{one}.{extra}", LOG, {f"decide-{one}": EVENT}, allow=free, weight=0)
    return devices


_MACHINES = {"speaker": ("raspberry-pi-3", "wifi-4"), "sensor": ("esp32-s3", "ble"),
             "camera": ("raspberry-pi-4", "wifi-4")}  # fmt: skip


def _network(homes: list[dict[str, str]]) -> Network:
    """Homes with a hub each, and a cloud."""
    nodes: list[Node] = []
    links: list[Link] = []
    for h, devices in enumerate(homes):
        tags, hub = (f"home-{h}",), f"hub-{h}"
        for name, device in devices.items():
            kind, medium = _MACHINES[device]
            nodes.append(machine(kind, name, tags=tags))
            links.append(wired(medium, name, hub, tags=tags))
        nodes.append(machine("mini-pc-n150", hub, tier="edge", tags=tags))
        links += uplink("broadband", hub, "cloud")
    nodes.append(shared("aws-c7g.4xlarge", "cloud", slots=4))
    return Network(nodes, links)
