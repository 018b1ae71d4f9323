"""``offload report``: a plan as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offload.cli.arguments import Json, PlanArgument, PlanInstance, Quiet, Verbose
from offload.cli.finding import head_of, instance_of
from offload.cli.output import Session
from offload.cli.values import check_writable, one_standard_input, stem, wrong
from offload.errors import NOTHING, Issue, PlanError

if TYPE_CHECKING:
    from offload.plan import Plan, Violation

EXAMPLE = """
offload report crossing-12.plan.json -o report.html

offload report crossing-12.plan.json -i instances/crossing-12.json --json
"""


def command(
    context: typer.Context,
    plan: PlanArgument,
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
    """Write a plan as one HTML page: its answer and check, an interactive Gantt chart and network,
    tables.

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
    from offload.plan_files import loads_plan

    raw = read_bytes(plan)
    source = "standard input" if plan == "-" else plan
    kind = head_of(raw).get("format")
    if kind != "offload-plan/1":
        fix = "name a plan, as offload solve saves them"
        found = NOTHING if kind is None else kind
        raise PlanError([Issue("$.format", 'must be "offload-plan/1"', found, fix)], source)
    problem = instance_of(plan, raw, instance, session)
    made = loads_plan(raw, problem, source=source)
    target = output or f"{stem(plan, problem.name).removesuffix('.plan')}.report.html"
    check_writable("--output", target)
    if target != "-" and any(_same(target, path) for path in (plan, instance)):
        raise wrong("--output", "must not be a file that is read", target, "name another")

    from offload.reporting import save_report

    found = save_report(made, target)
    if json:
        session.json(_record(made, target, found))
    elif target != "-":
        _say(session, made, target, found)
    return 0


def _same(target: str, path: str | None) -> bool:
    return path is not None and path != "-" and Path(target).resolve() == Path(path).resolve()


def _record(plan: Plan, target: str, found: list[Violation]) -> dict[str, Any]:
    return {
        "saved": target, "kind": "plan", "instance": plan.problem.name, "holds": not found,
        "violations": len(found), "tasks": plan.problem.tables.tasks,
        "transfers": len(plan.transfers.plan),
    }  # fmt: skip


def _say(session: Session, plan: Plan, target: str, found: list[Violation]) -> None:
    from offload.units import count

    fails = f", which does not hold ({count(len(found), 'violation')})" if found else ""
    tasks = count(plan.problem.tables.tasks, "task")
    session.print(f"plan of {tasks}{fails}: report saved to {target}")
