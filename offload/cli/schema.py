"""``offload schema``: the JSON Schema of instance files."""

from __future__ import annotations

from typing import Annotated

import typer

from offload.cli.output import Session, json_text

EXAMPLE = """
offload schema > offload-instance.schema.json
"""


def command(
    context: typer.Context,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to write; - is standard output."
        ),
    ] = "-",
    json: Annotated[
        bool, typer.Option("--json", help="JSON, as it is in any case.", hidden=True)
    ] = False,
) -> int:
    """Print the JSON Schema (2020-12) of instance files, for editors and other programs."""
    session = Session.of(context)

    import offload
    from offload.files import write_bytes

    if output == "-":
        session.json(offload.schema())
    else:
        write_bytes(output, (json_text(offload.schema()) + "\n").encode())
    return 0
