"""``offload profiles``: the catalogue of machines and links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from offload.cli.arguments import Json
from offload.cli.output import Session
from offload.cli.values import wrong

if TYPE_CHECKING:
    from offload.catalogue import Profile

EXAMPLE = """
offload profiles

offload profiles jetson --kind device

offload profiles wifi-6
"""


def command(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="One profile with its sources, or a part of several names."
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option("--kind", "-k", metavar="KIND", help="device, server, cloud or link."),
    ] = None,
    json: Json = False,
) -> int:
    """List the kinds of machines and links that a network can be made of.

    Speeds are the vendors' FP32 peak. Each figure has a public source with its date: name one
    profile to see them, or use --json.
    """
    session = Session.of(context)
    chosen = _chosen(name, kind)
    if json:
        session.json([_record(profile) for profile in chosen])
    elif len(chosen) == 1:
        _tell(session, chosen[0])
    else:
        _list(session, chosen)
    return 0


def _chosen(name: str | None, kind: str | None) -> list[Profile]:
    """The profile of that very name, or else those whose name or title has the text in it."""
    from offload.catalogue import KINDS, catalogue, profile
    from offload.typechecks import close

    if kind is not None and kind not in KINDS:
        raise wrong("--kind", "is no kind", kind, close(kind, KINDS))
    of_kind = [found for found in catalogue().values() if kind in (None, found.kind)]
    if name is None:
        return of_kind
    exact = [found for found in of_kind if found.name == name]
    word = name.lower()
    near = [f for f in of_kind if word in f.name or word in f.title.lower()]
    if exact or near:
        return exact or near
    found = profile(name)  # raises, with the closest name, unless only the kind is wrong
    raise wrong("--kind", f"{name} is of another", kind, f"write --kind {found.kind}")


def _record(profile: Profile) -> dict[str, Any]:
    return {
        "name": profile.name, "kind": profile.kind, "title": profile.title,
        "figures": {
            name: {
                "value": figure.value, "source": figure.document, "date": figure.date,
                "formula": figure.formula or None, "note": figure.note or None,
            }
            for name, figure in profile.figures.items()
        },
    }  # fmt: skip


_UNITS = {
    "speed": "op/s", "memory": "B", "busy_power": "W", "idle_power": "W", "purchase": "",
    "bandwidth": "B/s", "up": "B/s", "latency": "s", "energy": "J/B", "energy_up": "J/B",
}  # fmt: skip


def _text(profile: Profile, figure: str) -> str:
    """A figure for people; prices by the hour, and those of links by the gigabyte."""
    from offload.units import quantity

    value = profile.get(figure)
    if value is None:
        return "-"
    if figure == "price":
        if profile.kind == "link":
            return f"{value * 1e9:.4g} USD/GB"
        return f"{value * 3600:.4g} USD/h"
    if figure == "purchase":
        return f"{value:g} USD"
    return quantity(value, _UNITS[figure])


def _list(session: Session, chosen: list[Profile]) -> None:
    from offload.catalogue import LINK_FIGURES, NODE_FIGURES
    from offload.cli.output import table

    tables = (
        ("machine", NODE_FIGURES, [found for found in chosen if found.kind != "link"]),
        ("link", LINK_FIGURES, [found for found in chosen if found.kind == "link"]),
    )
    shown = 0
    for title, figures, part in tables:
        if not part:
            continue
        if shown:
            session.print("")
        headers = [title, *(name.replace("_", " ") for name in figures)]
        rows = [[found.name, *(_text(found, name) for name in figures)] for found in part]
        session.print(table(headers, rows))
        shown += len(part)
    session.print("", "an operation (op) is one FP32 operation at the vendor's peak rate")
    session.print("sources of one: offload profiles NAME")


def _tell(session: Session, profile: Profile) -> None:
    from rich.table import Table
    from rich.text import Text

    session.print(f"{profile.name} ({profile.kind}): {profile.title}", "")
    grid = Table.grid(padding=(0, 2))
    for name, figure in profile.figures.items():
        label = Text(name.replace("_", " "), style="bold")
        grid.add_row(label, Text(_text(profile, name), justify="right"), Text(str(figure)))
    session.print(grid)
