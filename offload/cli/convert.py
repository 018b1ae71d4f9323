"""``offload convert``: files of other tools as instances."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offload.cli.arguments import Json, Quiet, Verbose
from offload.cli.output import Session, complain, error_lines
from offload.cli.values import amount, duration, one_standard_input, whole, wrong
from offload.errors import OffloadError
from offload.exporters import Format, by_ending, named
from offload.importers import FORMATS

if TYPE_CHECKING:
    from offload.problem import Problem

EXAMPLE = """
offload convert rand0001.stg --processors 4 -o rand0001.json

offload convert montage.json --network site.json -o - | offload solve -

offload convert instances/crossing-12.json --plan crossing-12.plan.json -o plan.gantt
"""


def command(
    context: typer.Context,
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Files to convert; - is standard input."),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write: a file, a folder for several files, - for standard output. "
            "Default: NAME.json in the current folder.",
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            metavar="NAME",
            help=f"Format of the files: {', '.join(form.name for form in FORMATS)}. "
            "Default: found out.",
        ),
    ] = None,
    processors: Annotated[
        int | None,
        typer.Option(
            parser=whole("--processors", 1),
            metavar="N",
            help="For tasks without a network: so many identical processors.",
        ),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Or the network of this file: an instance, TopoHub, GraphML."
        ),
    ] = None,
    family: Annotated[
        str | None, typer.Option(metavar="NAME", help="Or the network of this family.")
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            parser=amount("--speed"),
            metavar="X",
            help="Operations a second of the machine that the files' times are of.",
        ),
    ] = None,
    bandwidth: Annotated[
        float | None,
        typer.Option(
            parser=amount("--bandwidth"),
            metavar="X",
            help="Bytes a second between identical processors.",
        ),
    ] = None,
    latency: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Latency between identical processors, as in 5ms."),
    ] = None,
    part: Annotated[
        int | None,
        typer.Option(
            parser=whole("--part", 1),
            metavar="K",
            help="Of a file of several problems: which one, from 1.",
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            "-t",
            metavar="NAME",
            help="Format to write: instance, dot, mermaid, gantt, csv, parquet, lp or mps. "
            "Default: by the ending of --output.",
        ),
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option(
            "--plan", "-p", metavar="PLAN", help="A plan of the instance, shown if it can be."
        ),
    ] = None,
    maximize: Annotated[
        bool,
        typer.Option("--maximize", help="Of assignment problems: costs in the file are profits."),
    ] = False,
    inference: Annotated[
        bool,
        typer.Option("--inference", help="Of profiles of training: without the backward pass."),
    ] = False,
    contiguous: Annotated[
        bool,
        typer.Option(
            "--contiguous/--no-contiguous",
            help="Of neural networks: whether each node gets a contiguous part.",
        ),
    ] = True,
    json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:
    """Convert files of other tools to instances, and instances or plans for other tools.

    Formats are found out from the files, or named. Each assumption that was made stands in the
    instance's "source". Written are instances, or Graphviz (.dot), Mermaid (.mmd, .gantt), tables
    (--to csv or parquet, into a folder), and the mixed-integer program (.lp, .mps).
    """
    session = Session.of(context, verbose=verbose, quiet=quiet)
    one_standard_input(FILE=files[0], **{"--network": network or ""})
    if files.count("-") > 1 or ("-" in files and len(files) > 1):
        raise wrong("FILE", "must be alone if it is standard input", " ".join(files), "name one")
    one_standard_input(FILE=files[0], **{"--plan": plan or ""})
    if to == "instance" or (to is None and by_ending(output or "") is None):
        form = None
    else:
        form = by_ending(output or "") if to is None else named(to)
    targets = _targets(files, output, form, [path for path in (network, plan) if path])
    if plan is not None and (form is None or len(files) > 1):
        raise wrong("--plan", "is for one instance and a format that shows it", plan, "see --to")

    import offload

    options: dict[str, Any] = {
        "processors": processors, "network": network, "family": family, "speed": speed,
        "bandwidth": bandwidth, "part": part, "maximize": maximize,
        "inference": inference, "contiguous": contiguous,
        "latency": None if latency is None else duration(latency, "--latency"),
    }  # fmt: skip
    done, failed = [], 0
    for file, target in zip(files, targets, strict=True):
        try:
            problem = offload.convert(file, format, **options)
            if form is None:
                offload.save(problem, target)
            else:
                shown = None if plan is None else offload.load_plan(plan, problem)
                offload.export(problem, target, form.name, shown)
        except OffloadError as error:
            if len(files) == 1:
                raise
            failed += 1
            for line in error_lines(error):
                complain(f"error: {line}")
            continue
        done.append(_record(file, target, problem))
        if not json and target != "-":
            _say(session, target, problem)
    if json and output != "-":
        session.json({"converted": done, "failed": failed})
    elif failed:
        session.note(f"{failed} of {len(files)} files could not be converted")
    return 2 if failed else 0


def _targets(
    files: list[str], output: str | None, form: Format | None, others: list[str]
) -> list[str]:
    """Where what each file becomes goes; never over a file that is read."""
    read = [*files, *others]
    stems = [
        PurePath(file.removesuffix(".gz")).stem if file != "-" else "converted" for file in files
    ]
    folder = form is not None and form.folder
    if len(files) == 1 and output is not None and (folder or not Path(output).is_dir()):
        if output != "-" and _same(output, read):
            raise wrong("--output", "must not be a file that is read", output, "name another")
        return [output]
    if output == "-" or (output is not None and not Path(output).is_dir()):
        raise wrong("--output", "must be a folder for several files", output, "make it first")
    ending = ".json" if form is None else "" if form.folder else form.endings[0]
    targets = [str(Path(output or ".") / f"{stem}{ending}") for stem in stems]
    targets = [
        target.removesuffix(ending) + f".instance{ending}" if _same(target, read) else target
        for target in targets
    ]
    twice = next((target for target in targets if targets.count(target) > 1), None)
    if twice is not None:
        raise wrong("FILE", "two would be written to one file", twice, "convert them apart")
    return targets


def _same(target: str, files: list[str]) -> bool:
    return any(Path(target).resolve() == Path(file).resolve() for file in files if file != "-")


def _record(file: str, target: str, problem: Problem) -> dict[str, Any]:
    graph, nodes = problem.graph, problem.network.nodes
    return {
        "file": file, "saved": target, "tasks": len(graph.tasks), "edges": len(graph.edges),
        "nodes": len(nodes), "source": problem.source,
    }  # fmt: skip


def _say(session: Session, target: str, problem: Problem) -> None:
    from offload.cli.output import folded
    from offload.units import count

    graph = problem.graph
    session.print(
        f"{count(len(graph.tasks), 'task')}, {count(len(graph.edges), 'edge')}, "
        f"{count(len(problem.network.nodes), 'node')}: saved to {target}"
    )
    if problem.source.startswith("Converted from"):
        session.print(*folded(problem.source, session.width))
