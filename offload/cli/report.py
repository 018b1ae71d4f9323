"""``offload report``: a plan, or a front, as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offload.cli.arguments import Json, PlanInstance, Quiet, Verbose
from offload.cli.finding import head_of, instance_of
from offload.cli.output import Session
from offload.cli.values import check_writable, one_standard_input, stem, wrong
from offload.errors import NOTHING, Issue, PlanError

if TYPE_CHECKING:
    from offload.problem import Problem

_Told = tuple[dict[str, Any], str]  # for programs, and for people

EXAMPLE = """
offload report crossing-12.plan.json -o report.html

offload report crossing-12.front.json -i instances/crossing-12.json --json
"""


def command(
    context: typer.Context,
    plan: Annotated[
        str,
        typer.Argument(metavar="PLAN", help="Plan or front file; - is standard input."),
    ],
    instance: PlanInstance = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write the page; - is standard output. Default: NAME.report.html in the "
            "current folder.",
        ),
    ] = None,
    json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:
    """Write a plan as one HTML page: answer, check, interactive Gantt chart and network, tables.

    Or a front: its picture and a row a plan.

    The page opens in any browser and fetches nothing: it can be sent by mail, and kept. Without
    --instance a plan's instance is found by its digest among the files near the plan and in the
    current folder.

    Exit status: 0 the page is written, whether the plan holds or not; 2 bad input or usage.
    """
    session = Session.of(context, verbose=verbose, quiet=quiet)
    one_standard_input(PLAN=plan, **{"--instance": instance})
    if json and output == "-":
        raise wrong("--json", "tells of a file that was written", "-o -", "name a file with -o")
    check_writable("--output", output)

    from offload.files import read_bytes

    raw = read_bytes(plan)
    source = "standard input" if plan == "-" else plan
    kind = head_of(raw).get("format")
    if kind not in _ENDINGS:
        fix = "name a plan, as offload solve saves them, or a front of offload pareto"
        found = NOTHING if kind is None else kind
        raise PlanError([Issue("$.format", 'must be "offload-plan/1"', found, fix)], source)
    problem = instance_of(plan, raw, instance, session)
    target = output or f"{stem(plan, problem.name).removesuffix(_ENDINGS[kind])}.report.html"
    check_writable("--output", target)
    if target != "-" and any(_same(target, path) for path in (plan, instance)):
        raise wrong("--output", "must not be a file that is read", target, "name another")
    told, line = _WRITERS[kind](raw, problem, source, target)
    if json:
        session.json({"saved": target, "instance": problem.name, **told})
    elif target != "-":
        session.print(f"{line}: report saved to {target}")
    return 0


def _plan(raw: bytes, problem: Problem, source: str, target: str) -> _Told:
    from offload.plan_files import loads_plan
    from offload.units import count

    made = loads_plan(raw, problem, source=source)
    found = made.report(target)
    tasks = count(problem.tables.tasks, "task")
    fails = f", which does not hold ({count(len(found), 'violation')})" if found else ""
    return {
        "kind": "plan", "holds": not found, "violations": len(found),
        "tasks": problem.tables.tasks, "transfers": len(made.transfers.plan),
    }, f"plan of {tasks}{fails}"  # fmt: skip


def _front(raw: bytes, problem: Problem, source: str, target: str) -> _Told:
    from offload.fronts.files import loads_front

    made = loads_front(raw, problem, source)
    made.report(target)
    return {
        "kind": "front", "metrics": made.metrics, "plans": len(made),
        "proved": int(made.proved.sum()), "complete": made.complete,
    }, made.summary()  # fmt: skip


# How each kind of file is written as a page, and what its names end in.
_WRITERS = {"offload-plan/1": _plan, "offload-front/1": _front}
_ENDINGS = {"offload-plan/1": ".plan", "offload-front/1": ".front"}


def _same(target: str, path: str | None) -> bool:
    return path is not None and path != "-" and Path(target).resolve() == Path(path).resolve()
