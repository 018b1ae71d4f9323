"""``offload bottlenecks``: what binds a plan, and how far it moves before the placement changes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offload.cli.arguments import (
    InstanceFile,
    Json,
    Limits,
    MethodName,
    Minimize,
    Quiet,
    Seed,
    Threads,
    Verbose,
)
from offload.cli.output import Session
from offload.cli.saving import check_table, save_table
from offload.cli.values import amount, duration, goal, one_standard_input, whole

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE = """
offload bottlenecks instances/topcuoglu-2002.json --time-limit 20s

offload bottlenecks city.json city.plan.json --ranges 3 --reach 4 -o city-bottlenecks.csv
"""


def command(
    context: typer.Context,
    instance: InstanceFile,
    plan: Annotated[
        str | None,
        typer.Argument(metavar="[PLAN]", help="Plan file. Default: a plan is found first."),
    ] = None,
    method: MethodName = "auto",
    minimize: Minimize = None,
    limit: Limits = None,
    ranges: Annotated[
        int,
        typer.Option(
            parser=whole("--ranges"), metavar="N",
            help="Of how many resources to find how far they can move. 0 is fast.",
        ),
    ] = 5,
    reach: Annotated[
        float,
        typer.Option(
            parser=amount("--reach"), metavar="X", help="Look from 1/X to X times what is there."
        ),
    ] = 10.0,
    time_limit: Annotated[
        str, typer.Option("--time-limit", "-t", metavar="TIME", help="In all: 90, 90s, 2m, none.")
    ] = "60",
    rows: Annotated[
        int,
        typer.Option(
            "--rows", "-n", parser=whole("--rows", 1), metavar="N", help="Rows shown at most."
        ),
    ] = 20,
    threads: Threads = None,
    seed: Seed = 0,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="Save the table: .csv or .parquet."),
    ] = None,
    json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:  # fmt: skip
    """Say which nodes, links, capacities, deadlines and limits bind a plan, and by how much.

    For each: its share of the critical path, how full it is, by how much the objective falls if it
    were a tenth better with the placement kept, and between which values the placement stays the
    best one; "proved" where bounds show that at both ends.

    Ctrl-C stops it; what is known by then is shown and saved.

    Exit status: 0 done, 1 there is no plan, 2 bad input or usage, 130 interrupted without a plan.
    """
    session = Session.of(context, verbose=verbose, quiet=quiet)
    weights, bounds = goal(minimize, limit)
    seconds = duration(time_limit)
    one_standard_input(INSTANCE=instance, PLAN=plan)
    check_table(output)

    import offload
    from offload.cli.bottleneck_report import show_bottlenecks
    from offload.cli.partition_report import records
    from offload.cli.progress import shown
    from offload.cli.running import INTERRUPTED, run
    from offload.features import goal_of
    from offload.wording import headline, sweep_news, sweep_text

    problem = offload.load(instance)
    known: Any = None if plan is None else offload.load_plan(plan, problem)
    aim = goal_of(problem, weights, bounds)
    meter = shown(session, sweep_text(aim.minimize), sweep_news)

    def tell(last: offload.Progress) -> None:
        meter.update(
            offload.SweepProgress(done=0, rows=0, values={}, seconds=last.seconds, last=last)
        )

    def work(cancel: threading.Event) -> pd.DataFrame | offload.Result:
        given, left = known, seconds
        if given is None:
            given = offload.solve(
                problem, method, weights, bounds, None if seconds is None else seconds / 2,
                threads=threads, seed=seed, cancel=cancel, on_progress=tell,
            )  # fmt: skip
            if given.plan is None:
                return given
            left = None if seconds is None else max(0.0, seconds - given.seconds)
        frame = offload.bottlenecks(
            problem, given, method, weights, bounds, ranges, reach, time_limit=left,
            threads=threads, seed=seed, on_progress=meter.update, cancel=cancel,
        )  # fmt: skip
        save_table(output, frame)
        return frame

    found = run(work, meter, kept="stopping; what is known is kept")
    if isinstance(found, offload.Result):
        if json:
            session.json({"instance": problem.name, **found.summary(), "bottlenecks": None})
        else:
            session.print(headline(found))
        return INTERRUPTED if found.stopped == "cancelled" else 1
    if json:
        answer = {"instance": problem.name, **found.attrs, "bottlenecks": records(found)}
        session.json(answer | {"saved": output})
        return 0
    show_bottlenecks(session, found, rows)
    if output is not None:
        session.print(f"table saved to {output}")
    return 0
