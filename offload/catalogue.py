"""Kinds of machines and links by name: figures with their sources, and nodes and links of them.

The figures stand in ``profiles.toml``, each with its public source and date. An operation is one
single-precision (FP32) floating-point operation at the vendor's peak rate; programs sustain a part
of it, which ``derate`` says.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec

from offload.errors import OffloadError
from offload.problem import Link, Node
from offload.typechecks import close

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FIGURES", "KINDS", "Figure", "Profile", "catalogue", "checked", "link", "links", "node",
    "profile", "profiles",
]  # fmt: skip

KINDS = ("device", "server", "cloud", "link")
NODE_FIGURES = ("speed", "memory", "busy_power", "idle_power", "price", "purchase")
LINK_FIGURES = ("bandwidth", "up", "latency", "energy", "energy_up", "price")
FIGURES = (*NODE_FIGURES, *(name for name in LINK_FIGURES if name not in NODE_FIGURES))
_TIERS = {"device": "device", "server": "edge", "cloud": "cloud"}


@dataclass(frozen=True)
class Figure:
    """A number, where it is from, and how it was worked out where the source prints others.

    Attributes
    ----------
    value
        In the unit of the field of :class:`~offload.Node` or :class:`~offload.Link`; ``purchase``
        in USD.
    document, date
        The public source, and when it was published or read.
    formula
        Arithmetic on numbers of the source that gives the value; empty if it is printed there.
    note
        What to know about it.
    """

    value: float
    document: str
    date: str
    formula: str = ""
    note: str = ""

    def __str__(self) -> str:
        text = f"{self.document}, {self.date}"
        if self.formula:
            text += f"; {self.formula}"
        return f"{text} ({self.note})" if self.note else text


@dataclass(frozen=True)
class Profile:
    """A kind of machine or link: ``figures`` by name, those without a source left out."""

    name: str
    kind: str
    title: str
    duplex: str
    figures: Mapping[str, Figure]

    def get(self, figure: str) -> float | None:
        """The value of a figure; ``None`` where there is none."""
        found = self.figures.get(figure)
        return None if found is None else found.value


@functools.cache
def catalogue() -> Mapping[str, Profile]:
    """All profiles by name, in the order of the file."""
    text = resources.files("offload").joinpath("profiles.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    sources = data["source"]
    made = {}
    for kind in KINDS:
        for name, entry in data[kind].items():
            figures = {
                figure: Figure(
                    float(entry[figure]["value"]),
                    **sources[entry[figure]["source"]],
                    formula=entry[figure].get("formula", ""),
                    note=entry[figure].get("note", ""),
                )
                for figure in FIGURES
                if figure in entry
            }
            made[name] = Profile(name, kind, entry["title"], entry.get("duplex", "full"), figures)
    return made


def profile(name: str) -> Profile:
    """The profile of a name.

    Raises
    ------
    OffloadError
        If there is none; names the closest.
    """
    try:
        return catalogue()[name]
    except KeyError:
        fix = close(name, catalogue())
        raise OffloadError(f"profile: there is none of that name, got {name!r}; {fix}") from None


def node(name: str, id: str | None = None, *, derate: float = 1.0, **changes: Any) -> Node:
    """A node of a kind of the catalogue.

    Parameters
    ----------
    name
        As in :func:`offload.profiles`: ``"jetson-orin-nano"``, ``"aws-c7g.large"``.
    id
        Id of the node; the name by default.
    derate
        Part of the peak that programs sustain, above 0 and at most 1; multiplies the speed.
    **changes
        Fields of :class:`~offload.Node` that differ: ``tier``, ``tags``, ``memory``, ...

    Returns
    -------
    Node
        With one slot, the whole machine. What is bought has no price: it costs the same whether
        it works or not. Figures that the catalogue leaves out have the format's defaults.

    Raises
    ------
    OffloadError
        For an unknown name or field, the name of a link, or a derating out of range.
    """
    found = profile(name)
    if found.kind == "link":
        raise OffloadError(f"node: {name!r} is a link; write offload.link({name!r}, src, dst)")
    if not 0 < derate <= 1:
        raise OffloadError(f"derate: must be above 0 and at most 1, got {derate!r}")
    fields: dict[str, Any] = {"id": id or name, "tier": _TIERS[found.kind], "kind": name}
    for figure in ("memory", "busy_power", "idle_power", "price"):
        if (value := found.get(figure)) is not None:
            fields[figure] = value
    fields["speed"] = found.figures["speed"].value * derate
    return Node(**{**fields, **checked(Node, changes)})


def link(name: str, src: str, dst: str, **changes: Any) -> Link:
    """A link of a kind of the catalogue that is the same in both directions.

    Parameters
    ----------
    name
        As in :func:`offload.profiles`: ``"wifi-6"``, ``"ethernet-1g"``.
    src, dst
        Ids of the nodes at its ends.
    **changes
        Fields of :class:`~offload.Link` that differ: ``channels``, ``tags``, ``energy``, ...

    Raises
    ------
    OffloadError
        For an unknown name or field, the name of a machine, or a kind that differs by direction
        (then :func:`offload.links` has both).
    """
    found = _link_profile(name)
    if found.get("up") is not None:
        raise OffloadError(
            f"link: {name!r} is slower up than down; write offload.links({name!r}, user, network), "
            "which makes one link for each direction"
        )
    (made,) = links(name, src, dst, **changes)
    return made


def links(name: str, src: str, dst: str, **changes: Any) -> list[Link]:
    """The links of a kind of the catalogue, however many it takes.

    Parameters
    ----------
    name
        As in :func:`offload.profiles`.
    src, dst
        Ids of the user's end and of the network's end: the way from ``src`` to ``dst`` is up.
    **changes
        Fields of :class:`~offload.Link` that differ, in both directions.

    Returns
    -------
    list of Link
        One link, or two simplex ones where up and down differ.

    Raises
    ------
    OffloadError
        For an unknown name or field, or the name of a machine.
    """
    found = _link_profile(name)
    down = {
        figure: value
        for figure in ("bandwidth", "latency", "energy", "price")
        if (value := found.get(figure)) is not None
    }
    if found.get("up") is None:
        fields: dict[str, Any] = {"src": src, "dst": dst, "duplex": found.duplex, **down}
        return [Link(**{**fields, **checked(Link, changes)})]
    ends = {"src": src, "dst": dst, "duplex": "simplex"}
    changed = checked(Link, changes)
    up = {**down, "bandwidth": found.get("up")}
    if (energy := found.get("energy_up")) is not None:
        up["energy"] = energy
    back = {"src": dst, "dst": src, "duplex": "simplex"}
    return [Link(**{**ends, **up, **changed}), Link(**{**back, **down, **changed})]


def _link_profile(name: str) -> Profile:
    found = profile(name)
    if found.kind != "link":
        raise OffloadError(f"link: {name!r} is a machine; write offload.node({name!r}, id)")
    return found


def checked(kind: type[msgspec.Struct], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes, if each is a field of the record besides its ids.

    Raises
    ------
    OffloadError
        For a name that is no field; names the closest.
    """
    names = [name for name in kind.__struct_fields__ if name not in ("id", "src", "dst")]
    for name in changes:
        if name not in names:
            what = kind.__name__.lower()
            raise OffloadError(f"{what}: has no field {name!r}; {close(name, names)}")
    return dict(changes)


def profiles() -> pd.DataFrame:
    """The catalogue: a row a profile, a column a figure, NaN where no source gives one.

    Returns
    -------
    DataFrame
        Columns ``name``, ``kind`` (device, server, cloud, link), ``title``, then ``speed``
        (operations a second), ``memory`` (bytes), ``busy_power`` and ``idle_power`` (watts),
        ``price`` (USD a second, of links USD a byte), ``purchase`` (USD), ``bandwidth`` and ``up``
        (bytes a second), ``latency`` (seconds), ``energy`` and ``energy_up`` (joules a byte), and
        ``sources``: a dict of figure to source.
    """
    import pandas as pd

    rows = [
        {
            "name": found.name,
            "kind": found.kind,
            "title": found.title,
            **{figure: found.get(figure) for figure in FIGURES},
            "sources": {figure: str(value) for figure, value in found.figures.items()},
        }
        for found in catalogue().values()
    ]
    return pd.DataFrame(rows).astype(dict.fromkeys(FIGURES, float))
