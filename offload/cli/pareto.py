"""``offload pareto``: plans that trade two or three metrics against each other."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offload.cli.arguments import (
    Gap,
    InstanceFile,
    Json,
    Limits,
    Quiet,
    Seed,
    Threads,
    Verbose,
    WorkLimit,
)
from offload.cli.output import Session
from offload.cli.saving import check_picture, check_table, save_picture, save_table
from offload.cli.values import check_writable, duration, goal, one_standard_input, stem, wrong

if TYPE_CHECKING:
    from offload.fronts.front import Front

EXAMPLE = """
offload pareto instances/crossing-12.json --metrics latency,energy --time-limit 60s

offload pareto city.json --points all --limit cost=2 -o city.front.json --plot city.png
"""


def command(
    context: typer.Context,
    instance: InstanceFile,
    metrics: Annotated[
        str,
        typer.Option(
            "--metrics", metavar="A,B", help="Two or three metrics; exact solves limit all but one."
        ),
    ] = "latency,energy",
    points: Annotated[
        str, typer.Option("--points", "-n", metavar="N", help="Plans at most, or all.")
    ] = "20",
    method: Annotated[
        str,
        typer.Option(
            "--method", "-m", metavar="NAME", help="auto, exact, nsga2, or one of offload methods."
        ),
    ] = "auto",
    limit: Limits = None,
    time_limit: Annotated[
        str, typer.Option("--time-limit", "-t", metavar="TIME", help="In all: 90, 90s, 2m, none.")
    ] = "60",
    work_limit: WorkLimit = None,
    gap: Gap = None,
    threads: Threads = None,
    seed: Seed = 0,
    start: Annotated[
        str | None, typer.Option(metavar="FRONT", help="Front file to go on from.")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Front file; - is standard output. Default: NAME.front.json.",
        ),
    ] = None,
    no_save: Annotated[bool, typer.Option("--no-save", help="Write no front file.")] = False,
    table: Annotated[
        str | None, typer.Option("--table", metavar="FILE", help="Its table as .csv or .parquet.")
    ] = None,
    plot: Annotated[
        str | None, typer.Option("--plot", metavar="FILE", help="A picture: .png, .svg or .pdf.")
    ] = None,
    json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:
    """Find efficient plans: none is better than another in every metric.

    Each comes with the share at most by which some metric could still be better without another
    being worse; "proved" means none, up to the gap. Ctrl-C stops and keeps the plans found so far.

    Exit status: 0 there are plans, 1 there are none, 2 bad input or usage, 130 interrupted without
    a plan.
    """
    session = Session.of(context, verbose=verbose, quiet=quiet)
    names = [name.strip() for name in metrics.split(",")]
    _, bounds = goal(None, limit)
    seconds, most = duration(time_limit), _points(points)
    one_standard_input(INSTANCE=instance, **{"--start": start})
    if no_save and output is not None:
        raise wrong("--no-save", "cannot be combined with --output", output, "give one of them")

    import offload
    from offload.cli.running import INTERRUPTED, run
    from offload.files import write_bytes
    from offload.fronts.files import front_text
    from offload.plot import front as front_picture

    problem = offload.load(instance)
    target = None if no_save else output or f"{stem(instance, problem.name)}.front.json"
    check_writable("--output", target, "name a file in a folder (-o), or use --no-save")
    check_table(table, "--table")
    check_picture(plot)
    first = None if start is None else offload.load_front(start, problem)
    meter = _meter(session)

    def work(cancel: threading.Event) -> tuple[Front, str | None]:
        front = offload.pareto(
            problem, names, points=most, method=method, limits=bounds, time_limit=seconds,
            work_limit=work_limit, gap=gap, threads=threads, seed=seed, start=first,
            on_progress=meter.update, cancel=cancel,
        )  # fmt: skip
        # Saved in here, where a late signal cannot end the process before the file is written.
        if target is None or target == "-" or not (len(front) or output):
            return front, None
        write_bytes(target, front_text(front).encode())
        return front, target

    front, saved = run(work, meter, "stopping with the plans found so far")
    if target == "-":
        session.write(front_text(front))
        session.note(front.summary())
    elif json:
        session.json(_json(front, saved))
    else:
        _print(session, front)
        if saved is not None:
            session.print(f"front saved to {saved}")
    save_table(table, front.to_frame())
    if len(front):
        save_picture(plot, front_picture, front)
    if len(front):
        return 0
    return INTERRUPTED if front.facts["stopped"] == "cancelled" else 1


def _points(text: str) -> int | None:
    from offload.cli.values import whole

    return None if text.strip().lower() in ("all", "none") else whole("--points", 1)(text)


def _meter(session: Session) -> Any:
    from offload.cli.progress import shown
    from offload.fronts.pool import front_news, front_text

    return shown(session, front_text, front_news)


def _json(front: Front, saved: str | None) -> dict[str, Any]:
    return {
        "instance": front.problem.name, "metrics": front.metrics, "limits": front.limits,
        "gap": front.gap, "complete": front.complete, "hypervolume": front.hypervolume(),
        "knee": front.knee, "points": front.to_frame().to_dict("records"),
        "lower_bounds": front.lower_bounds, "result": front.facts, "saved": saved,
    }  # fmt: skip


def _print(session: Session, front: Front) -> None:
    from offload.cli.output import table
    from offload.units import metric, percent

    facts = front.facts
    if not len(front):
        why = {"infeasible": "proved: no plan exists within the limits"}.get(facts["status"])
        session.print(f"{facts['status']}: {why or 'no plan found'}", style="bold red")
        return
    session.print(front.summary(), style="bold green" if front.complete else "bold")
    stopped = {"time": "time limit", "cancelled": "cancelled"}.get(facts["stopped"], "")
    why = f" ({stopped})" if stopped else ""
    session.print(f"by {facts['method']} in {facts['seconds']:.1f} s{why}")
    rows = []
    for number, (values, gap) in enumerate(zip(front.values.tolist(), front.gaps, strict=True)):
        pairs = zip(front.metrics, values, strict=True)
        note = "knee" if number == front.knee else ""
        proved = "proved" if gap <= front.gap else percent(float(gap))
        rows.append([str(number), *(metric(name, value) for name, value in pairs), proved, note])
    session.print("", table(["plan", *front.metrics, "gap", ""], rows, left=("",)), "")
