"""``offload solve``: find a plan, save it, say how good it is."""

from __future__ import annotations

import threading
from math import inf
from typing import TYPE_CHECKING, Annotated

import typer

from offload.cli.arguments import (
    Ascii,
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
from offload.cli.values import (
    check_writable,
    duration,
    goal,
    method_options,
    one_standard_input,
    stem,
    wrong,
)
from offload.errors import OffloadError

if TYPE_CHECKING:
    from offload.plan import Result

EXAMPLE = """
offload solve instances/topcuoglu-2002.json --time-limit 10s

offload solve city.json.gz --minimize latency=1,energy=0.1 --limit cost=2
"""
_SMALL = 60  # tasks up to which a Gantt is drawn without being asked for


def command(
    context: typer.Context,
    instance: InstanceFile,
    method: MethodName = "auto",
    minimize: Minimize = None,
    limit: Limits = None,
    time_limit: Annotated[
        str, typer.Option("--time-limit", "-t", metavar="TIME", help="As in 90, 90s, 2m, none.")
    ] = "60",
    work_limit: WorkLimit = None,
    gap: Gap = None,
    threads: Threads = None,
    seed: Seed = 0,
    start: Annotated[
        str | None, typer.Option(metavar="PLAN", help="Plan file to start from.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="An option of the method; repeat for several."),
    ] = None,
    explain: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="Where no plan exists, find out for so long at most what conflicts; 0 is off.",
        ),
    ] = "5",
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to save the plan; - is standard output. Default: <instance>.plan.json in "
            "the current folder.",
        ),
    ] = None,
    no_save: Annotated[bool, typer.Option("--no-save", help="Do not save the plan.")] = False,
    json: Json = False,
    gantt: Annotated[
        bool | None,
        typer.Option(
            "--gantt/--no-gantt",
            help="Draw the plan. Default: small plans on a terminal.",
        ),
    ] = None,
    ascii: Ascii = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:
    """Find the best plan for an instance, save it and show it.

    With -o - the plan file, which records the answer too, is all that goes to standard output.
    Ctrl-C stops the search and keeps the best plan found so far; a second one quits at once.

    Exit status: 0 there is a plan, 1 there is none, 2 bad input or usage, 130 interrupted without
    a plan.
    """
    session = Session.of(context, verbose=verbose, quiet=quiet, ascii=ascii)
    weights, bounds = goal(minimize, limit)
    options, seconds = method_options(option), duration(time_limit)
    patience = duration(explain, "--explain")
    one_standard_input(INSTANCE=instance, **{"--start": start})
    if no_save and output is not None:
        raise wrong("--no-save", "cannot be combined with --output", output, "give one of them")

    import offload
    from offload.cli.answer import result_json
    from offload.cli.progress import meter_for
    from offload.cli.running import run
    from offload.files import write_bytes
    from offload.plan_writing import result_text
    from offload.wording import headline

    problem = offload.load(instance)
    target = None if no_save else output or f"{stem(instance, problem.name)}.plan.json"
    check_writable(
        "--output", target, "name a file in a folder that can be written (-o), or use --no-save"
    )
    first = None if start is None else offload.load_plan(start, problem)
    meter = meter_for(session, weights or dict(problem.minimize))

    def work(cancel: threading.Event) -> tuple[Result, str | None, OffloadError | None]:
        result = offload.solve(
            problem, method=method, minimize=weights, limits=bounds, time_limit=seconds,
            work_limit=work_limit, gap=gap, threads=threads, seed=seed, start=first,
            on_progress=meter.update, cancel=cancel, options=options,
            explain=inf if patience is None else patience,
        )  # fmt: skip
        # Saved in here, where a late signal cannot end the process before the file is written.
        if target is None or target == "-" or (result.plan is None and output is None):
            return result, None, None
        try:
            write_bytes(target, result_text(problem, result).encode())
        except OffloadError as error:
            return result, None, error  # the answer is shown all the same
        return result, target, None

    result, saved, failure = run(work, meter)
    if target == "-":
        session.write(result_text(problem, result))
        session.note(headline(result))
    elif json:
        session.json({"instance": problem.name, **result_json(result), "saved": saved})
    else:
        _show(session, result, saved, gantt)
    if failure is not None:
        raise failure
    return _status(result)


def _status(result: Result) -> int:
    from offload.cli.running import INTERRUPTED

    if result.plan is not None:
        return 0
    return INTERRUPTED if result.stopped == "cancelled" else 1


def _show(session: Session, result: Result, saved: str | None, gantt: bool | None) -> None:
    from offload.cli.answer import (
        STYLES,
        conflict_lines,
        metric_lines,
        node_lines,
        run_line,
    )
    from offload.wording import headline

    session.print(headline(result), style=STYLES.get(result.status))
    session.print(run_line(result))
    plan = result.plan
    if result.conflict is not None:
        session.print("", *conflict_lines(result.conflict))
    if plan is not None:
        session.print(
            "", *metric_lines(plan.metrics, session.width), "", *node_lines(plan, session.width)
        )
        small = len(plan.parts.task) <= _SMALL and session.console().is_terminal
        if gantt or (gantt is None and small):
            from offload.cli.chart import chart_lines

            session.print("", *chart_lines(plan, session.width, ascii=session.ascii), "")
    if saved is not None:
        what = "plan" if plan is not None else "answer without a plan"
        session.print(f"{what} saved to {saved}")
