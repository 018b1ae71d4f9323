"""``offload compare``: all methods that honour an instance, side by side."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offload.cli.arguments import (
    InstanceFile,
    Json,
    Limits,
    Minimize,
    Quiet,
    Seed,
    Threads,
    Verbose,
)
from offload.cli.output import Session
from offload.cli.values import duration, goal, method_names

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE = """
offload compare instances/topcuoglu-2002.json --time-limit 5s

offload compare city.json --methods heft,cpsat --minimize energy --limit latency=0.5
"""
_WIDE = 110  # columns from which there is room for more metrics
_MORE = ("latency", "energy", "cost", "traffic")


def command(
    context: typer.Context,
    instance: InstanceFile,
    methods: Annotated[
        str | None,
        typer.Option(
            "--methods", "-m", metavar="A,B", help="Methods. Default: all that honour the instance."
        ),
    ] = None,
    minimize: Minimize = None,
    limit: Limits = None,
    time_limit: Annotated[
        str, typer.Option("--time-limit", "-t", metavar="TIME", help="For each: 90, 90s, 2m, none.")
    ] = "10",
    threads: Threads = None,
    seed: Seed = 0,
    json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:
    """Run several methods on one instance and rank their plans.

    The gap of each is its distance from the best bound that any of them proved. Ctrl-C stops the
    running method and shows what there is.

    Exit status: 0 some method found a plan, 1 none did, 2 bad input or usage.
    """
    session = Session.of(context, verbose=verbose, quiet=quiet)
    weights, bounds = goal(minimize, limit)
    seconds = duration(time_limit)
    names = None if methods is None else method_names(methods)

    import offload
    from offload.cli.progress import meter_for
    from offload.cli.running import INTERRUPTED, run

    problem = offload.load(instance)
    aim = weights or dict(problem.minimize)
    meter = meter_for(session, aim)

    def work(cancel: threading.Event) -> pd.DataFrame:
        return offload.compare(
            problem, methods=names, minimize=weights, limits=bounds, time_limit=seconds, seed=seed,
            threads=threads, on_progress=meter.update, cancel=cancel,
        )  # fmt: skip

    frame = run(work, meter)
    if json:
        session.json({
            "instance": problem.name, "minimize": aim, "bound": frame.attrs.get("bound"),
            "methods": frame.to_dict("records"), "left_out": frame.attrs.get("left_out", {}),
        })  # fmt: skip
    else:
        _print(session, frame, aim)
    if len(frame) and bool(frame["objective"].notna().any()):
        return 0
    cancelled = not len(frame) or bool((frame["stopped"] == "cancelled").any())
    return INTERRUPTED if cancelled else 1


def _print(session: Session, frame: pd.DataFrame, minimize: dict[str, float]) -> None:
    from offload.cli.output import table
    from offload.units import metric, number, percent
    from offload.wording import describe, goal_text, reason_text

    show = goal_text(minimize)
    wide = session.width >= _WIDE
    more = [name for name in _MORE if wide and name != describe(minimize)]
    rows = []
    for row in frame.to_dict("records"):
        known = row["objective"] == row["objective"]  # NaN where there is no plan
        rows.append([
            row["method"], row["status"], show(row["objective"]) if known else "-",
            percent(row["gap"]) if row["gap"] == row["gap"] else "-",
            f"{number(row['seconds'], 3)} s",
            *(metric(name, row[name], 4) if known else "-" for name in more),
            reason_text(_known(row["stopped"]), _known(row["reason"])),
        ])  # fmt: skip
    headers = ["method", "status", describe(minimize), "gap", "time", *more, "why it ended"]
    session.print(table(headers, rows, left=("status", "why it ended"), wrap=("why it ended",)))
    bound = frame.attrs.get("bound")
    session.print("", f"best bound: {'none' if bound is None else show(bound)}")
    for name, missing in frame.attrs.get("left_out", {}).items():
        session.print(f"left out: {name} does not honour {', '.join(missing)}")


def _known(text: Any) -> str | None:
    """A text of the table, where pandas may have put NaN for none."""
    return text if isinstance(text, str) else None
