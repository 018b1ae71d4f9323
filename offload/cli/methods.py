"""``offload methods``: the table of methods."""

from __future__ import annotations

from typing import Annotated

import typer

from offload.cli.arguments import Json
from offload.cli.output import Session

EXAMPLE = """
offload methods

offload methods cpsat
"""


def command(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="METHOD", help="Tell everything about one method.")
    ] = None,
    json: Json = False,
) -> int:
    """List the methods: of which kind they are, what they promise, what they honour."""
    session = Session.of(context)

    from offload.cli.output import table
    from offload.registry import find, methods

    frame = methods()
    if name is not None:
        frame = frame[frame["method"] == find(name).name]
    records = frame.to_dict("records")
    if json:
        session.json(records if name is None else records[0])
    elif name is None:
        shown = ("method", "kind", "guarantee")
        rows = [[str(record[column]) for column in shown] for record in records]
        session.print(table(shown, rows, left=shown, wrap=("guarantee",)))
        session.print("", "more about one: offload methods METHOD")
    else:
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        for field, value in records[0].items():
            grid.add_row(Text(str(field), style="bold"), Text(str(value) or "-"))
        session.print(grid)
    return 0
