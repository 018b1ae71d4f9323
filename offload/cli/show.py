"""``offload show``: an instance or a plan for people to read."""

from __future__ import annotations

from typing import Annotated

import typer

from offload.cli.arguments import Ascii, Json, PlanInstance, Quiet, Verbose
from offload.cli.finding import head_of, instance_of
from offload.cli.output import Session
from offload.cli.values import one_standard_input, whole
from offload.errors import InstanceError, Issue

EXAMPLE = """
offload show instances/topcuoglu-2002.json

offload show topcuoglu-2002.plan.json -i instances/topcuoglu-2002.json --transfers
"""


def command(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Instance or plan file; - is standard input.")
    ],
    instance: PlanInstance = None,
    transfers: Annotated[
        bool, typer.Option("--transfers", help="Draw transfers between nodes too.")
    ] = False,
    rows: Annotated[
        int,
        typer.Option(
            "--rows",
            "-n",
            parser=whole("--rows", 1),
            metavar="N",
            help="Rows of each table at most.",
        ),
    ] = 20,
    json: Json = False,
    ascii: Ascii = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:
    """Show an instance (counts, nodes, links, tasks) or a plan (metrics, loads, Gantt, causes).

    Without --instance a plan's instance is found by its digest among the files near the plan and
    in the current folder.
    """
    session = Session.of(context, verbose=verbose, quiet=quiet, ascii=ascii)
    one_standard_input(FILE=file, **{"--instance": instance})

    from offload.files import loads, read_bytes

    raw = read_bytes(file)
    name = "standard input" if file == "-" else file
    if _format(raw, name) != "offload-plan/1":
        from offload.cli.instance_report import instance_json, show_instance

        problem = loads(raw, source=name)
        if json:
            session.json(instance_json(problem))
        else:
            show_instance(session, problem, rows=rows)
        return 0
    from offload.cli.plan_report import plan_json, show_plan
    from offload.plan_files import loads_plan

    plan = loads_plan(raw, instance_of(file, raw, instance, session), source=name)
    if json:
        session.json(plan_json(plan))
    else:
        show_plan(session, plan, rows=rows, transfers=transfers)
    return 0


def _format(raw: bytes, source: str) -> str | None:
    """What a file says it is; ``None`` where that is for the reader of instances to refuse."""
    found = head_of(raw).get("format")
    if found is None or found in ("offload-instance/1", "offload-plan/1"):
        return found
    fix = 'write "offload-instance/1" or "offload-plan/1"'
    raise InstanceError(
        [Issue("$.format", "is neither an instance nor a plan", found, fix)], source
    )
