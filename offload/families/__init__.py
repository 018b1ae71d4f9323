"""Generated scenarios: one module a family, one line in the table below.

A module has ``PARAMETERS``, a dict of name to :class:`~offload.families.building.Parameter`, and
``make(size, rng, **parameters)``, which makes a draft of exactly ``size`` tasks and draws from
``rng`` alone, so that one seed gives one instance everywhere. Its docstring says what it models,
with sources.
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType

from offload.errors import OffloadError
from offload.families.building import Draft, Parameter, values_of
from offload.naming import one_named
from offload.problem import Network
from offload.typechecks import close

__all__ = ["FAMILIES", "Family", "named", "network_of"]


@dataclass(frozen=True)
class Family:
    """A family: its name, what it is, the fewest tasks it has, and the module that makes it."""

    name: str
    kind: str
    title: str
    least: int

    @property
    def module(self) -> ModuleType:
        """The module, imported on first use."""
        return importlib.import_module(f"offload.families.{self.name.replace('-', '_')}")

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Its parameters by name."""
        found: Mapping[str, Parameter] = self.module.PARAMETERS
        return found

    @property
    def description(self) -> str:
        """What it models, with the sources: the docstring of its module."""
        return (self.module.__doc__ or "").strip()

    @property
    def model(self) -> str:
        """What it models, in one line, for an instance's ``description``."""
        return " ".join(part for part in self._paragraphs if not part.startswith("Sources."))

    @property
    def sources(self) -> str:
        """Its sources, in one line, for an instance's ``source``; empty if it names none apart."""
        return " ".join(part for part in self._paragraphs if part.startswith("Sources."))

    @property
    def _paragraphs(self) -> list[str]:
        return [" ".join(part.split()) for part in self.description.split("\n\n")]

    def make(self, size: int, seed: int, parameters: Mapping[str, float]) -> Draft:
        """What an instance is made of; the parameters are those of :func:`values_of`."""
        rng = random.Random(f"{self.name} {size} {seed}")
        made: Draft = self.module.make(size, rng, **parameters)
        return made


_PLACES = ("melbourne", "polska", "germany")

FAMILIES = (
    Family("smart-traffic", "scenario", "cameras, crossings, a city's centre and a cloud", 8),
    Family("smart-health", "scenario", "images and records of patients, with privacy tiers", 8),
    Family("smart-home", "scenario", "sensors, voice and video of homes with a slow uplink", 6),
    Family("industrial-iot", "scenario", "stations of a production line that runs as a stream", 6),
    Family("iot-monitoring", "scenario", "battery sensors on LoRa, gateways and a cloud", 7),
    Family("autonomous-driving", "scenario", "vehicles with deadlines, roadside units, maps", 8),
    Family("vr-ar", "scenario", "headsets with deadlines of a frame, edge renderers", 9),
    Family("layered", "random", "layers with edges between them", 1),
    Family("in-tree", "random", "a tree that gathers towards its root", 1),
    Family("out-tree", "random", "a tree that spreads from its root", 1),
    Family("fork-join", "random", "stages that split, work and merge", 3),
    Family("chains", "random", "independent chains", 1),
    Family("series-parallel", "random", "parts in series or in parallel, nested", 1),
    Family("montage-like", "random", "the shape of the astronomy workflow Montage", 8),
)


def named(name: str) -> Family:
    """The family of a name; :func:`offload.naming.one_named`."""
    return one_named("family", name, FAMILIES)


def network_of(name: str) -> Network:
    """The network of a name, for tasks that come without one.

    Parameters
    ----------
    name
        ``"edge-3tier"`` (four devices, two edge servers, a cloud); ``"melbourne"``, ``"polska"`` or
        ``"germany"`` (real places, :mod:`offload.families.real`); or a scenario: the network of its
        instance of 10 tasks and seed 0.

    Raises
    ------
    OffloadError
        If there is none of that name, or the family is no scenario.
    """
    if name == "edge-3tier":
        from offload.families.sites import edge_3tier

        return edge_3tier()
    if name in _PLACES:
        from offload.families.real import network

        return network(name)
    scenarios = [family for family in FAMILIES if family.kind == "scenario"]
    for family in scenarios:
        if family.name == name:
            draft = family.make(10, 0, values_of(name, family.parameters, {}))
            return draft.problem().network
    fix = close(name, ["edge-3tier", *_PLACES, *(family.name for family in scenarios)])
    raise OffloadError(f"family: no network of that name, got {name!r}; {fix}")
