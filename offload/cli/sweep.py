"""``offload sweep``: the best plan for each of several values of an instance's parameters."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offload.cli.arguments import (
    Gap,
    InstanceFile,
    Json,
    Limits,
    MethodName,
    Minimize,
    Quiet,
    Seed,
    Threads,
    Verbose,
    WorkLimit,
)
from offload.cli.output import Session
from offload.cli.saving import check_picture, check_table, save_picture, save_table
from offload.cli.values import duration, goal, swept

if TYPE_CHECKING:
    from offload.sweeps import Sweep

EXAMPLE = """
offload sweep city.json --set "network.links[cam0-edge0].bandwidth=1MB,10MB,100MB"

offload sweep city.json --set "network.nodes[tier:edge].speed=x0.25:x4:9" --plot speed.svg

offload sweep city.json --set "limits.energy=10,20,40" --set "network.nodes[edge0].memory=x0.5,x1" -o t.csv
"""  # noqa: E501


def command(
    context: typer.Context,
    instance: InstanceFile,
    changes: Annotated[
        list[str],
        typer.Option(
            "--set", "-s", metavar="PATH=VALUES",
            help="What changes, and its values: A,B,... or LO:HI:N for N values evenly spaced by "
            "ratio. x2 is twice what is there, none is unlimited, 10MB and 5ms may have units. "
            "Repeat for several paths.",
        ),
    ],
    method: MethodName = "auto",
    minimize: Minimize = None,
    limit: Limits = None,
    time_limit: Annotated[
        str,
        typer.Option("--time-limit", "-t", metavar="TIME", help="For each row: 90, 2m, none."),
    ] = "10",
    work_limit: WorkLimit = None,
    gap: Gap = None,
    threads: Threads = None,
    seed: Seed = 0,
    together: Annotated[
        bool,
        typer.Option(
            "--zip", help="All paths take their first values, then their second ones, ... "
            "Default: all combinations.",
        ),
    ] = False,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Save the table: .csv or .parquet."
        ),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Draw the objective: .svg, .png or .pdf."),
    ] = None,
    json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:  # fmt: skip
    """Find the best plan for each of several values of some parameters.

    A path names a field with dots, and in brackets which record: network.links[SRC-DST].bandwidth,
    network.nodes[tier:edge].speed, graph.tasks[detect].work, limits.energy. Each row starts from
    the plan of its neighbour. "moved" counts the tasks on other nodes than in the row before.

    Ctrl-C stops the sweep; the rows made so far are shown and saved.

    Exit status: 0 some row has a plan, 1 none has, 2 bad input or usage, 130 interrupted with
    nothing.
    """
    session = Session.of(context, verbose=verbose, quiet=quiet)
    weights, bounds = goal(minimize, limit)
    seconds = duration(time_limit)
    values = swept(changes)
    check_table(output)
    check_picture(plot)

    import offload
    from offload import plot as pictures
    from offload.cli.progress import shown
    from offload.cli.running import INTERRUPTED, run
    from offload.cli.sweep_report import sweep_table
    from offload.features import goal_of
    from offload.wording import sweep_news, sweep_text

    problem = offload.load(instance)
    aim = goal_of(problem, weights, bounds)
    meter = shown(session, sweep_text(aim.minimize), sweep_news)

    def work(cancel: threading.Event) -> Sweep:
        frame = offload.sweep(
            problem, values, method, weights, bounds, seconds, work_limit, gap, threads, seed,
            "zip" if together else "grid", on_progress=meter.update, cancel=cancel,
        )  # fmt: skip
        if len(frame):
            save_table(output, frame)
            save_picture(plot, pictures.sweep, frame)
        return frame

    frame = run(work, meter, kept="stopping; the rows made so far are kept")
    saved: dict[str, Any] = {"saved": output, "plot": plot} if len(frame) else {}
    if json:
        session.json(_record(problem.name, frame) | {"saved": None, "plot": None} | saved)
    elif len(frame):
        session.print(sweep_table(frame, session.width))
        for what, path in (("table", output), ("picture", plot)):
            if path is not None:
                session.print(f"{what} saved to {path}")
    if not frame.attrs["complete"]:
        session.note(f"interrupted after {len(frame)} rows")
    if not len(frame):
        return INTERRUPTED
    return 0 if bool(frame["objective"].notna().any()) else 1


def _record(name: str, frame: Sweep) -> dict[str, Any]:
    from offload.cli.partition_report import records

    facts = {str(key): value for key, value in frame.attrs.items()}
    return {"instance": name, **facts, "rows": records(frame)}
