"""``offload generate``: instances of the generated families."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from offload.cli.arguments import Json, Quiet, Seed, Verbose
from offload.cli.output import Session
from offload.cli.values import whole, wrong

if TYPE_CHECKING:
    from offload.families import Family
    from offload.problem import Problem

EXAMPLE = """
offload generate smart-traffic | offload solve -

offload generate layered --size 1000 --seed 3 --set ccr=0.5 -o layered.json

offload generate --list

offload generate vr-ar --list
"""


def command(
    context: typer.Context,
    family: Annotated[
        str | None, typer.Argument(metavar="FAMILY", help="Which family; --list names them.")
    ] = None,
    size: Annotated[
        int, typer.Option("--size", "-n", parser=whole("--size", 1), metavar="N", help="Tasks.")
    ] = 100,
    seed: Seed = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="A parameter of the family; repeat for several."
        ),
    ] = None,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FILE",
            help="Where to write (.json or .json.gz); - is standard output.",
        ),
    ] = "-",
    listed: Annotated[
        bool,
        typer.Option("--list", "-l", help="List the families, or the parameters of one."),
    ] = False,
    json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:  # fmt: skip
    """Generate an instance of a family: a scenario, or one of the field's random shapes.

    One family, size, seed and parameters give one instance, everywhere.
    """
    session = Session.of(context, verbose=verbose, quiet=quiet)

    from offload.families import FAMILIES, named

    if listed:
        if family is None:
            _list(session, FAMILIES, json)
        else:
            _tell(session, named(family), json)
        return 0
    if family is None:
        raise wrong("FAMILY", "is missing", "nothing", "offload generate --list names them")
    if json and output == "-":
        raise wrong("--json", "tells of a file that was written", "-o -", "name a file with -o")

    import offload

    problem = offload.generate(family, size, seed, **_values(settings))
    offload.save(problem, output)
    if json:
        session.json(_record(problem, output))
    elif output != "-":
        _say(session, problem, output)
    return 0


def _values(settings: list[str] | None) -> dict[str, Any]:
    """``NAME=VALUE`` as a dict of numbers."""
    made: dict[str, Any] = {}
    for piece in settings or ():
        name, equals, text = (part.strip() for part in piece.partition("="))
        if not equals or not name:
            raise wrong("--set", "must be NAME=VALUE", piece, "write for example --set ccr=0.5")
        if name in made:
            raise wrong("--set", "parameter given more than once", name, "keep one of them")
        try:
            value = float(text)
        except ValueError:
            raise wrong("--set", f"{name} needs a number", text, f"write {name}=0.5") from None
        made[name.replace("-", "_")] = value
    return made


def _list(session: Session, families: tuple[Family, ...], json: bool) -> None:
    records = [
        {"family": f.name, "kind": f.kind, "title": f.title, "least": f.least,
         "parameters": {name: p.default for name, p in f.parameters.items()}}
        for f in families
    ]  # fmt: skip
    if json:
        session.json(records)
        return
    from offload.cli.output import table

    headers = ("family", "kind", "what it is")
    rows = [[f.name, f.kind, f.title] for f in families]
    session.print(table(headers, rows, left=headers, wrap=("what it is",)))
    session.print("", "parameters and sources of one: offload generate FAMILY --list")


def _tell(session: Session, family: Family, json: bool) -> None:
    parameters = family.parameters.items()
    if json:
        session.json({
            "family": family.name, "kind": family.kind, "title": family.title,
            "description": family.description, "least": family.least,
            "parameters": {
                name: {"default": p.default, "range": p.range(), "text": p.text}
                for name, p in parameters
            },
        })  # fmt: skip
        return
    from offload.cli.output import table

    session.print(family.description, "")
    headers = ("parameter", "default", "range", "what it is")
    rows = [[name, f"{p.default:g}", p.range(), p.text] for name, p in parameters]
    session.print(table(headers, rows, left=("range", "what it is"), wrap=("what it is",)))


def _record(problem: Problem, output: str) -> dict[str, Any]:
    graph, nodes = problem.graph, problem.network.nodes
    return {
        "saved": output, "name": problem.name, "tasks": len(graph.tasks),
        "edges": len(graph.edges), "nodes": len(nodes), "digest": problem.digest,
    }  # fmt: skip


def _say(session: Session, problem: Problem, output: str) -> None:
    from offload.units import count

    graph = problem.graph
    session.print(
        f"{count(len(graph.tasks), 'task')}, {count(len(graph.edges), 'edge')}, "
        f"{count(len(problem.network.nodes), 'node')}: saved to {output}"
    )
