"""``offload profile``: this machine and its codecs, measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from offload.cli.arguments import Json, Quiet
from offload.cli.output import Session
from offload.cli.values import duration

if TYPE_CHECKING:
    from offload.measuring import Measured

EXAMPLE = """
offload profile

offload profile camera-frames.bin --json

offload show instances/crossing-12.json --json | offload profile -
"""


def command(
    context: typer.Context,
    sample: Annotated[
        str | None,
        typer.Argument(
            metavar="SAMPLE", help="A file of data as they will be sent; - is standard input."
        ),
    ] = None,
    id: Annotated[str, typer.Option("--id", metavar="ID", help="Id of the node.")] = "this-machine",
    seconds: Annotated[
        str,
        typer.Option("--time", metavar="TIME", help="How long to measure each thing, as in 500ms."),
    ] = "1s",
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Measure this machine and, on a sample, codecs: entries for "nodes" and "codecs".

    The speed is that of a single-precision matrix product, the unit of `offload profiles` but
    sustained. A codec's operations a byte are its measured seconds a byte times that speed. Nothing
    else should run meanwhile.
    """
    session = Session.of(context, quiet=quiet)

    import offload

    limit = duration(seconds, "--time")
    measured = offload.profile(sample, id=id, seconds=600.0 if limit is None else limit)
    if json:
        session.json(_record(measured))
    else:
        _say(session, measured)
    return 0


def _record(measured: Measured) -> dict[str, Any]:
    """Entries as an instance file has them."""
    import msgspec

    node = measured.node
    return {
        "nodes": [{"id": node.id, "speed": node.speed, "memory": node.memory}],
        "codecs": [msgspec.structs.asdict(codec) for codec in measured.codecs],
        "left_out": measured.left_out,
    }


def _say(session: Session, measured: Measured) -> None:
    from offload.cli.output import table
    from offload.units import number, quantity

    node = measured.node
    session.print(f"{node.id}: {quantity(node.speed, 'op/s')}, memory {quantity(node.memory, 'B')}")
    if measured.codecs:
        headers = ("codec", "ratio", "encode op/B", "decode op/B", "encode", "decode")
        rows = [
            [
                codec.id, number(codec.ratio), number(codec.encode), number(codec.decode),
                *(quantity(node.speed / cost, "B/s") for cost in (codec.encode, codec.decode)),
            ]
            for codec in measured.codecs
        ]  # fmt: skip
        session.print("", table(headers, rows))
    for name, reason in measured.left_out.items():
        session.note(f"{name} left out: {reason}")
