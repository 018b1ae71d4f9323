"""Industrial IoT: stations of a production line, run as a stream of parts.

At every station a camera takes a picture of each part, faults are looked for, and the controller
rejects or passes the part within half a second; vibrations of the machine are sampled, transformed
and watched. A cell of four stations has a gateway; the plant gathers all and foresees what will
break, at its server or in a cloud. Pictures of products never leave the plant (tag ``plant``). Each
station hangs on one cable, which carries one transfer at a time.

Minimized: the period, the load bound on the time between two parts, and the latency at a twentieth.

Sources. The application: R. Drath, A. Horch, Industrie 4.0: hit or hype?, IEEE Industrial
Electronics Magazine 8(2), 2014; reaction times of process automation, 3GPP TS 22.104, annex A (from
100 ms). The period as load bound: J. Tarnawski et al., Efficient algorithms for device
placement of DNN graph operators, NeurIPS 2020. Inspection is YOLOv8s, 28.6 GFLOP (Ultralytics'
table); a vibration window is 2 s of 12 kHz and 16 bits (the bearing data of Case Western Reserve
University), its transform 5 n log2 n operations for n = 24,000. Machines and links: the catalogue.
Assumed: the other works and sizes.
"""

from __future__ import annotations

import random

from offload.families.building import Draft, Parameter, spread
from offload.families.sites import machine, shared, uplink, wired
from offload.problem import Link, Network, Node

__all__ = ["PARAMETERS", "make"]

PARAMETERS = {
    "stations": Parameter(4, "stations of a cell", least=1, most=32, whole=True),
    "within": Parameter(0.5, "seconds to pass or reject a part", least=0.35),
    "picture": Parameter(3e5, "mean bytes of a picture", beyond=True, most=2e6),
    "variation": Parameter(0.4, "range of works and bytes over their means", most=1.0),
}

CAPTURE, INSPECT, DECIDE, ACTUATE = 1e8, 28.6e9, 5e8, 1e6  # operations
SAMPLE, TRANSFORM, WATCH = 1e6, 1.75e6, 2e9
GATHER, FORESEE, REPORT = 2e9, 400e9, 10e9
FAULTS, VERDICT, WINDOW, BANDS, STATE = 4e3, 100, 48e3, 4e3, 2e3  # bytes

# Steps of a station: (name, operations, the step before, bytes from it, who may run it).
_PARTS = (
    ("capture", CAPTURE, None, 0, "camera"),
    ("inspect", INSPECT, "capture", None, "cell"),
    ("decide", DECIDE, "inspect", FAULTS, "cell"),
    ("actuate", ACTUATE, "decide", VERDICT, "controller"),
)
_VIBRATIONS = (
    ("sample", SAMPLE, None, 0, "controller"),
    ("transform", TRANSFORM, "sample", WINDOW, "cell"),
    ("watch", WATCH, "transform", BANDS, "cell"),
)


def make(
    size: int, rng: random.Random, *, stations: int, within: float, picture: float,
    variation: float,
) -> Draft:  # fmt: skip
    """An instance of exactly ``size`` tasks; what is left over are reports of the plant."""
    count, left = divmod(size - 2, len(_PARTS) + len(_VIBRATIONS))
    whole = left // len(_PARTS)  # one more station, with its camera alone
    left -= whole * len(_PARTS)
    draft, states = Draft(), {}
    for s in range(count + whole):
        cell, one = s // stations, str(s)
        where = {
            "camera": (f"camera-{s}",), "controller": (f"controller-{s}",),
            "cell": (f"camera-{s}", f"controller-{s}", f"gateway-{cell}", "plant"),
        }  # fmt: skip
        for steps in (_PARTS, _VIBRATIONS)[: 2 if s < count else 1]:
            for step, operations, before, size_in, place in steps:
                bytes_in = picture if size_in is None else size_in
                after = {f"{before}-{one}": spread(rng, bytes_in, variation)} if before else {}
                draft.task(
                    f"{step}-{one}", spread(rng, operations, variation), after,
                    require=("plant",), allow=where[place],
                    deadline=within if step == "actuate" else None,
                )  # fmt: skip
            states[f"{steps[-1 if steps is _VIBRATIONS else -2][0]}-{one}"] = STATE
    free = ("tier:edge", "tier:cloud")
    draft.task("gather", spread(rng, GATHER, variation), states, allow=free)
    draft.task("foresee", spread(rng, FORESEE, variation), {"gather": 1e5}, allow=free)
    for r in range(left):
        draft.task(f"report-{r}", spread(rng, REPORT, variation), {"foresee": 1e4}, allow=free)
    network = _network(count + whole, stations)
    return draft.on(network, minimize={"period": 1, "latency": 0.05})


def _network(count: int, stations: int) -> Network:
    """Stations with camera and controller, cells with a gateway, the plant's server, a cloud."""
    nodes: list[Node] = []
    links: list[Link] = []
    tags = ("plant",)
    cells = -(-count // stations)
    for s in range(count):
        gateway = f"gateway-{s // stations}"
        nodes.append(machine("jetson-orin-nano", f"camera-{s}", tags=tags))
        nodes.append(machine("raspberry-pi-4", f"controller-{s}", tags=tags))
        links.append(wired("ethernet-1g", f"camera-{s}", f"controller-{s}", tags=tags))
        links.append(wired("ethernet-100m", f"controller-{s}", gateway, channels=1, tags=tags))
    for c in range(cells):
        nodes.append(machine("mini-pc-n150", f"gateway-{c}", tier="edge", tags=tags))
        links.append(wired("lan-1g", f"gateway-{c}", "plant", tags=tags))
    nodes.append(shared("nvidia-t4", "plant", slots=1 + cells // 8, tags=tags))
    nodes.append(shared("aws-g5.xlarge", "cloud", slots=2))
    return Network(nodes, [*links, *uplink("cloud-uplink", "plant", "cloud")])
