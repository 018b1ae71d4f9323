"""What the scenarios' sites are built of: machines at sustained speed, radio links, uplinks.

Machines and links are of the catalogue (:func:`offload.profiles`). Programs are taken to sustain
30 % of the FP32 peak, as the crossings in ``instances`` do. Machines that many share (a city's, a
hospital's, a cloud's) count no idle power: it is drawn whatever the plan.
"""

from __future__ import annotations

import random
from typing import Any

import msgspec

from offload.catalogue import link, links, node
from offload.families.building import brief
from offload.formulas import path_gain, shannon_rate, thermal_noise
from offload.problem import Link, Network, Node

__all__ = [
    "SUSTAINED",
    "edge_3tier",
    "machine",
    "metres",
    "portions",
    "radio",
    "shared",
    "uplink",
    "wired",
]

SUSTAINED = 0.3
RADIO_POWER = 0.1  # watts that a device sends; Chen et al. 2016, numerical results
NOISE_FIGURE = 7.0  # dB of a receiver; assumed, 3GPP TR 36.814 takes 5 (station) and 9 (terminal)
_RADIO_DELAY = 0.001  # seconds, of the medium's access; assumed


def machine(kind: str, id: str, **changes: Any) -> Node:
    """A machine of the catalogue at sustained speed."""
    made = node(kind, id, derate=SUSTAINED, **changes)
    return msgspec.structs.replace(made, speed=brief(made.speed))


def shared(kind: str, id: str, slots: int = 1, **changes: Any) -> Node:
    """So many machines of a kind that others use too, as one node: a slot and the memory of each.

    They draw no idle power of ours.
    """
    made = machine(kind, id, slots=slots, idle_power=0.0, **changes)
    memory = None if made.memory is None else made.memory * slots
    return msgspec.structs.replace(made, memory=memory)


def radio(device: str, station: str, metres: float, band: float, **changes: Any) -> Link:
    """A wireless link by Shannon's rate over a distance, one medium for both ways.

    The device sends 0.1 W; the path loses distance to the 4th power (Chen et al. 2016); noise is
    thermal over the band with a figure of 7 dB. A byte costs the device P / rate joules.
    """
    noise = thermal_noise(band, NOISE_FIGURE)
    rate = brief(shannon_rate(band, RADIO_POWER, path_gain(metres), noise))
    fields: dict[str, Any] = {"duplex": "half", "latency": _RADIO_DELAY, **changes}
    return Link(device, station, rate, energy=brief(RADIO_POWER / rate), **fields)


def wired(kind: str, src: str, dst: str, **changes: Any) -> Link:
    """A link of the catalogue."""
    return link(kind, src, dst, **changes)


def uplink(kind: str, site: str, cloud: str, **changes: Any) -> list[Link]:
    """A site's way to its cloud and back; the provider charges what leaves the cloud alone."""
    egress = link("cloud-uplink", site, cloud).price
    made = links(kind, site, cloud)
    if len(made) == 1:
        there = msgspec.structs.replace(made[0], duplex="simplex", price=0.0)
        made = [there, msgspec.structs.replace(there, src=cloud, dst=site)]
    there, back = made
    return [
        msgspec.structs.replace(there, price=0.0, **changes),
        msgspec.structs.replace(back, price=egress, **changes),
    ]


def portions(total: int, parts: int) -> list[int]:
    """A number in so many parts that differ by one at most, the larger first."""
    return [total // parts + (part < total % parts) for part in range(parts)]


def metres(rng: random.Random, mean: float) -> float:
    """A distance, uniform from a third of the mean to five thirds of it."""
    return brief(mean * (1 / 3 + rng.random() * 4 / 3))


def edge_3tier() -> Network:
    """Four devices on Wi-Fi, two edge servers, a cloud: a network for tasks without one."""
    devices = [machine("raspberry-pi-5", f"device{k}") for k in range(4)]
    edges = [machine("jetson-agx-orin", "edge0", tier="edge"), shared("nvidia-t4", "edge1")]
    cloud = shared("aws-g5.xlarge", "cloud", slots=4)
    joined = (
        *(wired("wifi-6", f"device{k}", f"edge{k // 2}") for k in range(4)),
        wired("metro-fibre", "edge0", "edge1"),
        *uplink("cloud-uplink", "edge0", "cloud"),
        *uplink("cloud-uplink", "edge1", "cloud"),
    )
    return Network((*devices, *edges, cloud), joined)
