"""``offload partition``: a model or any task graph as stages on the nodes of a network."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from offload.cli.arguments import (
    Gap,
    Json,
    Limits,
    Minimize,
    Quiet,
    Seed,
    Threads,
    Verbose,
)
from offload.cli.output import Session
from offload.cli.partition_input import Source, read_problem
from offload.cli.saving import check_picture
from offload.cli.values import (
    amount,
    check_writable,
    duration,
    goal,
    one_standard_input,
    size,
    whole,
    wrong,
)

EXAMPLE = """
offload partition instances/bert24-layers.json --minimize period --plot stages.svg

offload partition model.onnx --network edge-3tier --minimize latency -o model.plan.json

offload partition models.py:vgg --network site.json --bandwidths 1MB,10MB,100MB
"""
_EACH = 2.0  # seconds for each bandwidth


def command(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="MODEL_OR_INSTANCE",
            help="An instance, a file of another tool, MODEL.onnx, or FILE.py:FUNCTION (or "
            "MODULE:FUNCTION), which returns (torch module, args); - is standard input.",
        ),
    ],
    network: Annotated[
        str | None,
        typer.Option(
            "--network",
            "-n",
            metavar="NAME",
            help="For a model or tasks without a network: a file that has one, or a family.",
        ),
    ] = None,
    minimize: Minimize = None,
    limit: Limits = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--method", "-m", metavar="NAME",
            help="See: offload methods. Default: min-cut where it is exact, else auto.",
        ),
    ] = None,
    time_limit: Annotated[
        str | None,
        typer.Option(
            "--time-limit", "-t", metavar="TIME",
            help="As in 90, 90s, 2m, none. Default: 60, in a sweep 2 for each bandwidth.",
        ),
    ] = None,
    gap: Gap = None,
    threads: Threads = None,
    seed: Seed = 0,
    contiguous: Annotated[
        bool | None,
        typer.Option(
            "--contiguous/--no-contiguous",
            help="Each node has a convex part of the tasks, or need not. Default: as given.",
        ),
    ] = None,
    blocks: Annotated[
        int | None,
        typer.Option(
            parser=whole("--blocks", 1), metavar="N", help="Of a model: at most so many tasks."
        ),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(parser=whole("--batch", 1), metavar="N", help="Of a model: batch size."),
    ] = None,
    pin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SELECTOR",
            help="Of a model: where input and output are; repeat for several, none for nowhere. "
            "Default: tier:device.",
        ),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of a model: bytes as in this type, as in float16."),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", "-f", metavar="NAME", help="Format of a file. See: convert."),
    ] = None,
    processors: Annotated[
        int | None,
        typer.Option(
            parser=whole("--processors", 1), metavar="N",
            help="For tasks without a network: so many identical processors.",
        ),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            parser=amount("--speed"), metavar="X",
            help="Operations a second of the machine that a file's times are of.",
        ),
    ] = None,
    bandwidth: Annotated[
        float | None,
        typer.Option(
            parser=amount("--bandwidth"), metavar="X",
            help="Bytes a second between identical processors.",
        ),
    ] = None,
    latency: Annotated[
        str | None, typer.Option(metavar="TIME", help="Between identical processors, as in 5ms.")
    ] = None,
    bandwidths: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="Sweep: the best cut at each of these bandwidths between tiers, in bytes a second "
            "(1e6, 10MB).",
        ),
    ] = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Sweep around the bandwidth of the instance.")
    ] = False,
    replicas: Annotated[
        int | None,
        typer.Option(
            parser=whole("--replicas", 1), metavar="N",
            help="A pipeline of least period on N workers whose stages may be replicated.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE",
            help="Save the plan, or of a sweep or of replicas the table (CSV).",
        ),
    ] = None,
    save_instance: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Save the instance that the plan is for."),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Draw the stages or the sweep: .svg, .png or .pdf."),
    ] = None,
    json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:  # fmt: skip
    """Partition a model or a task graph over the nodes of a network, and show the stages.

    Beside the plan stands the best single cut. With --bandwidths or --sweep: the best cut against
    the bandwidth between tiers, beside all on the device and all in the cloud.

    Ctrl-C stops the search; a plan found so far is shown and saved, a sweep is not saved.

    Exit status: 0 there is a plan, 1 there is none, 2 bad input or usage, 130 interrupted without
    a plan, or in a sweep.
    """
    session = Session.of(context, verbose=verbose, quiet=quiet)
    weights, bounds = goal(minimize, limit)
    seconds = duration(time_limit)
    values = _values(bandwidths)
    swept = sweep or values is not None
    if replicas is not None and swept:
        fix = "give one of them"
        raise wrong("--replicas", "cannot be combined with a sweep", replicas, fix)
    if replicas is not None and plot is not None:
        raise wrong("--plot", "is for stages of a plan and for sweeps", plot, "leave it out")
    if output == "-":
        raise wrong("--output", "must be a file", "-", "name one, or use --json")
    one_standard_input(MODEL_OR_INSTANCE=source, **{"--network": network})
    for option, target in (("--output", output), ("--save-instance", save_instance)):
        check_writable(option, target)
    check_picture(plot)

    import offload
    from offload.cli.partition_runs import Ends, planned, replicated, sweeping
    from offload.features import goal_of

    convert = {
        "processors": processors, "speed": speed, "bandwidth": bandwidth,
        "latency": None if latency is None else duration(latency, "--latency"),
    }  # fmt: skip
    model = {"blocks": blocks, "batch": batch, "pin": pin, "dtype": dtype}
    given = Source(source, network, format, convert, model, contiguous)
    problem = read_problem(given)
    aim = goal_of(problem, weights, bounds)
    if save_instance is not None:
        offload.save(problem, save_instance)
    ends = Ends(session, output, plot, json)
    if replicas is not None:
        return replicated(ends, problem, replicas)
    options: dict[str, Any] = {"threads": threads, "seed": seed}
    if swept:
        options["time_limit"] = _EACH if time_limit is None else seconds
        return sweeping(ends, problem, aim, method, values, options)
    options |= {"time_limit": 60.0 if time_limit is None else seconds, "gap": gap}
    status = planned(ends, problem, aim, method, options)
    changed = given.is_model or contiguous is not None or problem.source.startswith("Converted")
    if output is not None and changed and save_instance is None:
        session.note("the plan is for an instance in no file yet; --save-instance FILE keeps it")
    return status


def _values(text: str | None) -> list[float] | None:
    """The bandwidths of ``1e6,10MB``."""
    if text is None:
        return None
    return [size("--bandwidths", piece) or 0.0 for piece in text.split(",")]
