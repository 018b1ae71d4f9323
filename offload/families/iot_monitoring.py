"""IoT monitoring: battery sensors on a slow radio, gateways in the field, a cloud.

Sensors sample vibrations of a bridge or a pump, filter them, take features and look for what is
odd; gateways gather their sensors, and a model, at the gateway or in the cloud, foresees; an alarm
goes off at the gateway. A sensor's radio is LoRa, one channel shared by all of a gateway's sensors:
a raw window takes seconds and costs far more energy than working on it does. The way to the cloud
is LTE.

Minimized: energy, and the latency at a watt a second of it, with a deadline for each alarm.

Sources. The application: energy-aware processing in the network, V. Raghunathan et al.,
Energy-aware wireless microsensor networks, IEEE Signal Processing Magazine 19(2), 2002. A window is
1,024 samples of 16 bits; its transform takes 5 n log2 n operations. The detector is a keyword-sized
DS-CNN, 5.4 MOp (Y. Zhang et al., Hello Edge, arXiv 1711.07128, 2017). Machines and links: the
catalogue. Assumed: the other works and sizes, and 60 s for an alarm.
"""

from __future__ import annotations

import random

from offload.families.building import Draft, Parameter, draws
from offload.families.sites import machine, portions, shared, uplink, wired
from offload.problem import Link, Network, Node

__all__ = ["PARAMETERS", "make"]

PARAMETERS = {
    "sensors": Parameter(8, "sensors of a gateway", least=1, most=64, whole=True),
    "samples": Parameter(1024, "samples of a window", least=16, most=65536, whole=True),
    "within": Parameter(60.0, "seconds to an alarm", least=20),
    "variation": Parameter(0.4, "range of works and bytes over their means", most=1.0),
}

SAMPLE, FILTER, DETECT = 1e4, 2e4, 5.4e6  # operations
GATHER, FORESEE, ALARM, TREND = 1e7, 4e9, 1e5, 2e9
FEATURES, SCORE, STATE, EVENT = 64, 16, 512, 100  # bytes
_STEPS = 4  # tasks of a sensor: sample, filter, features, detect


def make(
    size: int, rng: random.Random, *, sensors: int, samples: int, within: float, variation: float
) -> Draft:
    """An instance of exactly ``size`` tasks; what is left over are trends of the first gateway."""
    gateways = max(1, min(round(size / (3 + _STEPS * sensors)), size // (3 + _STEPS)))
    count, left = divmod(size - 3 * gateways, _STEPS)
    draft, counts = Draft(), portions(count, gateways)
    window, transform = 2.0 * samples, 5.0 * samples * (samples.bit_length() - 1)
    work = draws(rng, variation)
    for g, amount in enumerate(counts):
        scores, gateway = {}, f"gateway-{g}"
        for s in range(amount):
            one, own = f"{g}.{s}", f"sensor-{g}.{s}"
            free = (own, gateway)
            draft.task(f"sample-{one}", work(SAMPLE), allow=(own,))
            draft.task(f"filter-{one}", work(FILTER), {f"sample-{one}": window}, allow=free)
            filtered = {f"filter-{one}": window}
            draft.task(f"features-{one}", work(transform), filtered, allow=free)
            found = {f"features-{one}": work(FEATURES)}
            draft.task(f"detect-{one}", work(DETECT), found, allow=(*free, "cloud"))
            scores[f"detect-{one}"] = SCORE
        anywhere = (gateway, "cloud")
        draft.task(f"gather-{g}", work(GATHER), scores, allow=anywhere)
        draft.task(f"foresee-{g}", work(FORESEE), {f"gather-{g}": STATE}, allow=anywhere)
        draft.task(f"alarm-{g}", ALARM, {f"foresee-{g}": EVENT}, allow=(gateway,), deadline=within)
    for t in range(left):
        draft.task(f"trend-{t}", work(TREND), {"gather-0": STATE}, allow=("gateway-0", "cloud"))
    return draft.on(_network(counts), minimize={"energy": 1, "latency": 1})


def _network(counts: list[int]) -> Network:
    """Sensors around the air of their gateway, and a cloud behind LTE."""
    nodes: list[Node] = []
    links: list[Link] = []
    for g, amount in enumerate(counts):
        gateway, air = f"gateway-{g}", f"air-{g}"
        for s in range(amount):
            nodes.append(machine("nrf52840", f"sensor-{g}.{s}"))
            links.append(Link(f"sensor-{g}.{s}", air))
        # The air is a relay: what all sensors of a gateway send passes through its one channel.
        nodes.append(Node(air, tier="device", kind="air", slots=0))
        links.append(wired("lora-sf7", air, gateway, channels=1))
        nodes.append(machine("raspberry-pi-4", gateway, tier="edge", idle_power=0.0))
        links += uplink("4g-lte", gateway, "cloud")
    nodes.append(shared("aws-c7g.large", "cloud", slots=2))
    return Network(nodes, links)
