"""Virtual and augmented reality: headsets whose frames must be there in 20 ms.

A headset reads its pose; the scene is simulated, rendered and encoded, and the headset shows it
within 20 ms of the pose, by the renderer of its room or not at all: the headset is too slow and the
cloud too far. Now and then it takes a photograph in which things are recognised by a model too
large for the renderers' memory; the note is laid over the picture within 150 ms, from the cloud in
time, from the headset too late. All headsets of a room share the air of one access point.

Minimized: the sum of the steps' finish times, and joules at a hundredth of a second.

Sources. Motion to photon within 20 ms: 3GPP TR 26.928 (extended reality in 5G). Rendering at the
edge: L. Liu et al., Cutting the cord: designing a high-quality untethered VR system with low
latency remote rendering, MobiSys 2018. Recognition is YOLOv8x, 257.8 GFLOP at 640 pixels
(Ultralytics' table). Machines and links: the catalogue; the headset's processor is taken as that of
a phone. Assumed: the other works and sizes (a frame of 20 GFLOP and 100 kB encoded, 72 a second),
and memories.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from offload.families.building import Draft, Parameter, brief, draws
from offload.families.sites import machine, metres, portions, radio, shared, uplink
from offload.problem import Link, Network, Node

__all__ = ["PARAMETERS", "make"]

PARAMETERS = {
    "headsets": Parameter(3, "headsets of a room", least=1, most=4, whole=True),
    "distance": Parameter(
        6, "mean metres from a headset to its access point", beyond=True, most=30
    ),
    "band": Parameter(80e6, "hertz of the radio", least=4e7),
    "frames": Parameter(1, "frames of a headset, one after the other", least=1, whole=True),
    "rate": Parameter(72, "frames a second", least=1, most=72),
    "variation": Parameter(0.2, "range of works and bytes over their means", most=0.3),
}

POSE, SIMULATE, RENDER, ENCODE, SHOW = 1e6, 2e8, 20e9, 5e8, 3e8  # operations
SHOOT, RECOGNISE, NOTE, OVERLAY = 5e7, 257.8e9, 2e8, 1e6
STATE, SCENE, PIXELS, STREAM, PHOTO, THINGS, TEXT = 1e3, 5e4, 6e6, 1e5, 2e5, 4e3, 2e3  # bytes
PHOTON, NOTED = 0.020, 0.150  # seconds
_FRAME, _PHOTO = 5, 4  # tasks of a frame, and of a photograph


def make(
    size: int, rng: random.Random, *, headsets: int, distance: float, band: float, frames: int,
    rate: float, variation: float,
) -> Draft:  # fmt: skip
    """An instance of exactly ``size`` tasks: frames, a photograph to each three, and logs."""
    photos = max(1, round(size / (3 * _FRAME + _PHOTO)))
    count, left = divmod(size - _PHOTO * photos, _FRAME)
    people = -(-count // frames)
    rooms = -(-people // headsets)
    draft, work = Draft(), draws(rng, variation)

    def names(k: int) -> tuple[str, str]:
        room = k % people % rooms
        return f"headset-{room}.{k % people // rooms}", f"renderer-{room}"

    for k in range(count):
        _frame(draft, work, k, *names(k), brief(k // people / rate))
    for k in range(photos):
        _photograph(draft, work, k, *names(k))
    for k in range(left):
        draft.task(f"log-{k}", work(NOTE), {"note-0": TEXT}, allow=(*names(0), "cloud"))
    network = _network(rng, portions(people, rooms), distance, band)
    return draft.on(network, minimize={"completion": 1, "energy": 0.01})


def _frame(
    draft: Draft, work: Callable[[float], float], k: int, own: str, near: str, start: float
) -> None:
    """A frame of a headset, from its pose to its picture."""
    anywhere = (own, near, "cloud")
    draft.task(f"pose-{k}", work(POSE), allow=(own,), release=start)
    draft.task(f"simulate-{k}", work(SIMULATE), {f"pose-{k}": STATE}, allow=anywhere)
    draft.task(f"render-{k}", work(RENDER), {f"simulate-{k}": work(SCENE)}, allow=anywhere,
               memory=6e9)  # fmt: skip
    draft.task(f"encode-{k}", work(ENCODE), {f"render-{k}": PIXELS}, allow=anywhere)
    draft.task(f"show-{k}", work(SHOW), {f"encode-{k}": work(STREAM)}, allow=(own,),
               deadline=brief(start + PHOTON))  # fmt: skip


def _photograph(draft: Draft, work: Callable[[float], float], k: int, own: str, near: str) -> None:
    """A photograph of a headset, from its shutter to the note in its picture."""
    anywhere = (own, near, "cloud")
    draft.task(f"shoot-{k}", work(SHOOT), allow=(own,))
    draft.task(f"recognise-{k}", work(RECOGNISE), {f"shoot-{k}": work(PHOTO)}, allow=anywhere,
               memory=8e9)  # fmt: skip
    draft.task(f"note-{k}", work(NOTE), {f"recognise-{k}": THINGS}, allow=anywhere)
    draft.task(f"overlay-{k}", OVERLAY, {f"note-{k}": TEXT}, allow=(own,), deadline=NOTED)


def _network(rng: random.Random, people: list[int], distance: float, band: float) -> Network:
    """Rooms with headsets, air and a renderer each, and a cloud."""
    nodes: list[Node] = []
    links: list[Link] = []
    for r, amount in enumerate(people):
        air, renderer = f"air-{r}", f"renderer-{r}"
        for h in range(amount):
            nodes.append(machine("smartphone", f"headset-{r}.{h}"))
            links.append(Link(f"headset-{r}.{h}", air))
        # The air is a relay: what all headsets of a room send passes through its one channel.
        nodes.append(Node(air, tier="device", kind="air", slots=0))
        links.append(radio(air, renderer, metres(rng, distance), band, channels=1))
        nodes.append(shared("nvidia-l4", renderer, memory=7e9))
        links += uplink("cloud-uplink", renderer, "cloud")
    nodes.append(shared("aws-g5.xlarge", "cloud", slots=max(1, len(people))))
    return Network(nodes, links)
