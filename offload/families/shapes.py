"""Weights for the random shapes: works, bytes by the communication-to-computation ratio, machines.

The mean task takes one second on the mean machine, a Raspberry Pi 5 of the catalogue; each pair of
machines has a gigabit Ethernet of its own. Works and bytes are uniform with the range
``variation`` (Topcuoglu, Hariri, Wu 2002, section 5.2), speeds with the range ``heterogeneity``.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import msgspec

from offload.catalogue import catalogue, link, node
from offload.families.building import Draft, Parameter, spread
from offload.problem import Network

__all__ = ["COMMON", "machines", "weighted"]

COMMON = {
    "ccr": Parameter(1.0, "mean transfer time over mean execution time"),
    "heterogeneity": Parameter(0.5, "range of the machines' speeds over their mean", most=1.9),
    "variation": Parameter(1.0, "range of works and bytes over their means", most=1.9),
    "processors": Parameter(8, "machines", least=1, most=512, whole=True),
}

_KIND, _LINK = "raspberry-pi-5", "ethernet-1g"


def machines(count: int, heterogeneity: float, rng: random.Random) -> Network:
    """So many machines of one kind, their speeds spread about its own."""
    base = node(_KIND)
    nodes = [
        msgspec.structs.replace(base, id=f"p{k}", speed=spread(rng, base.speed, heterogeneity))
        for k in range(count)
    ]
    links = [link(_LINK, f"p{k}", f"p{l}") for k in range(count) for l in range(k + 1, count)]
    # Direct links alone: no message gains by a way over another machine.
    return Network(nodes, links, reference_bytes=0)


def weighted(
    pairs: Iterable[tuple[int, int]], relative: Sequence[float], rng: random.Random, *,
    ccr: float, heterogeneity: float, variation: float, processors: float,
) -> Draft:  # fmt: skip
    """The instance of a shape: edges as pairs of positions, and the tasks' relative works."""
    network = machines(int(processors), heterogeneity, rng)
    profiles = catalogue()
    mean = profiles[_KIND].figures["speed"].value * len(relative) / sum(relative)
    size = ccr * profiles[_LINK].figures["bandwidth"].value
    draft = Draft()
    for position, share in enumerate(relative):
        draft.task(f"t{position}", spread(rng, mean * share, variation))
    for src, dst in pairs:
        draft.edge(f"t{src}", f"t{dst}", spread(rng, size, variation))
    return draft.on(network)
