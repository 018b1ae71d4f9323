"""``offload batch``: folders of instances, several methods, on this machine or a cluster."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offload.cli.arguments import Gap, Json, Limits, Minimize, Quiet, Verbose, WorkLimit
from offload.cli.output import Session
from offload.cli.values import (
    duration,
    goal,
    method_names,
    method_options,
    numbers,
    size,
    whole,
    wrong,
)

if TYPE_CHECKING:
    from offload.batching.summary import Batch

EXAMPLE = """
offload batch instances/ --methods auto,heft --time-limit 10 -o results/

offload batch cities/ --methods anneal --seeds 0-4 -j 8 --memory-limit 2GB

offload batch cities/ --cluster tcp://10.0.0.5:8786

offload batch --summary results/
"""
_SUMMARY = "summary"  # folder of the tables, in that of the results


def command(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATHS...", help="Instance files, and folders of them."),
    ] = None,
    methods: Annotated[
        str, typer.Option("--methods", "-m", metavar="A,B", help="See: offload methods.")
    ] = "auto",
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FOLDER", help="Where the results go.")
    ] = "results",
    minimize: Minimize = None,
    limit: Limits = None,
    time_limit: Annotated[
        str, typer.Option("--time-limit", "-t", metavar="TIME", help="For each: 90, 90s, 2m, none.")
    ] = "10",
    work_limit: WorkLimit = None,
    gap: Gap = None,
    seeds: Annotated[
        str, typer.Option("--seeds", "--seed", metavar="N,N|A-B", help="As in 0, 1,2,5 or 0-9.")
    ] = "0",
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="An option of methods that have it; repeatable."),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            "--processes",
            "-j",
            parser=whole("--processes", 1),
            metavar="N",
            help="Solves at a time. Default: as many as the cores allow.",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            parser=whole("--threads", 1), metavar="N", help="Solver threads of each. Default: 1."
        ),
    ] = None,
    memory_limit: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Memory of each, as in 500MB or 2GiB. Default: 0.9 of the machine's, shared.",
        ),
    ] = None,
    hard_limit: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="When a solve's process is ended. Default: twice the time limit and 30 s.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Do again what is there.")] = False,
    retry_failed: Annotated[
        bool,
        typer.Option("--retry-failed", help="Do again what crashed or ran into a hard limit."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Say what would be solved, and stop.")
    ] = False,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A Dask scheduler: tcp://host:8786, or its file."),
    ] = None,
    resource: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=AMOUNT", help="Dask resource that a worker must have; repeatable."
        ),
    ] = None,
    wait_for_workers: Annotated[
        str, typer.Option(metavar="TIME", help="How long to wait for a cluster without workers.")
    ] = "10m",
    summary: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Solve nothing: make the tables again from results."),
    ] = None,
    json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:
    """Solve many instances by several methods; every result is a file, and nothing is done twice.

    Started again, a batch does what is missing, however it ended. A solve that crashes, takes too
    much memory or never ends is a failed result with its reason, and the rest goes on. Result files
    are plan files: offload check and show read them. Tables (CSV, Parquet), a ranking and
    performance profiles go to the folder summary within.

    Ctrl-C stops; what is done is kept.

    Exit status: 0 every result has a plan, 1 some have none, 2 bad input or usage, 130 interrupted.
    """
    session = Session.of(context, verbose=verbose, quiet=quiet)
    if summary is not None:
        if paths:
            raise wrong("--summary", "takes no PATHS", paths[0], "leave them out")
        return _again(session, summary, json)
    if not paths:
        raise wrong("PATHS", "needs an instance file or a folder", "nothing", "see the examples")
    weights, bounds = goal(minimize, limit)
    names = method_names(methods)
    arguments: dict[str, Any] = {
        "minimize": weights, "limits": bounds, "time_limit": duration(time_limit),
        "work_limit": work_limit, "gap": gap, "seeds": numbers("--seeds", seeds),
        "options": method_options(option), "processes": processes, "threads": threads,
        "memory_limit": size("--memory-limit", memory_limit),
        "hard_limit": None if hard_limit is None else duration(hard_limit, "--hard-limit"),
        "force": force, "retry_failed": retry_failed, "cluster": cluster,
        "resources": _resources(resource),
        "wait_for_workers": duration(wait_for_workers, "--wait-for-workers") or float("inf"),
        "dry_run": dry_run,
    }  # fmt: skip

    import offload
    from offload.batching.progress import batch_bar, batch_text
    from offload.cli.progress import shown
    from offload.cli.running import INTERRUPTED, run

    meter = shown(session, batch_text, live=batch_bar)

    def work(cancel: threading.Event) -> Batch:
        return offload.batch(
            paths, names, output, cancel=cancel, on_progress=meter.update, **arguments
        )

    made = run(work, meter, "stopping; what is done is kept")
    if dry_run:
        _show_plan(session, made, json)
        return 0
    saved = made.save(Path(output, _SUMMARY))
    _show(session, made, saved, json)
    if made.missing:
        session.note(f"stopped: {made.missing} results are missing; the same command goes on")
        return INTERRUPTED
    return 1 if made.failed else 0


def _again(session: Session, folder: str, json: bool) -> int:
    import offload

    made = offload.load_batch(folder)
    _show(session, made, made.save(Path(folder, _SUMMARY)), json)
    return 1 if made.failed else 0


def _resources(pieces: list[str] | None) -> dict[str, float] | None:
    made = method_options(pieces, "--resource")
    for name, value in (made or {}).items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise wrong("--resource", f"{name} needs a number above 0", value, f"write {name}=1")
    return made


def _show_plan(session: Session, made: Batch, json: bool) -> None:
    if json:
        session.json({"missing": made.missing, "kept": made.kept, "failed": made.failed})
        return
    session.print(f"{made.missing} to solve, {made.kept} there already")
    _failures(session, made)


def _show(session: Session, made: Batch, saved: list[Path], json: bool) -> None:
    from offload.cli.batch_report import profile_table, ranking_table

    if json:
        frame = made.to_frame()
        session.json({
            "results": len(made), "failed": made.failed, "missing": made.missing,
            "kept": made.kept, "ranking": made.ranking().to_dict("records"),
            "failures": _records(made.failures()), "rows": _records(frame),
            "saved": [str(path) for path in saved],
        })  # fmt: skip
        return
    session.print(str(made))
    if len(made):
        session.print("", ranking_table(made, session.width))
        profile = profile_table(made)
        if profile is not None:
            session.print("", "share of results within a factor of the best:", profile)
    _failures(session, made)
    if saved:
        folder = os.path.dirname(saved[0])
        kinds = ", ".join(dict.fromkeys(path.suffix[1:] for path in saved))
        session.print("", f"tables saved to {folder} ({kinds})")


def _failures(session: Session, made: Batch) -> None:
    from offload.cli.batch_report import failure_lines

    lines = failure_lines(made)
    if lines:
        session.print("", *lines)


def _records(frame: Any) -> list[dict[str, Any]]:
    """The rows of a table, with nothing where pandas has its sign for it."""
    return [
        {key: None if value is None or value != value else value for key, value in row.items()}
        for row in frame.astype(object).where(frame.notna(), None).to_dict("records")
    ]
