"""``offload check``: does a plan hold?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from offload.cli.arguments import InstanceFile, Json, Limits, PlanArgument, Quiet, Verbose
from offload.cli.output import Session, plain
from offload.cli.values import amount, goal, one_standard_input
from offload.stated import amounts, disagreements

if TYPE_CHECKING:
    from offload.plan import Plan, Violation

EXAMPLE = """
offload check instances/topcuoglu-2002.json topcuoglu-2002.plan.json

offload solve crossing.json -o - | offload check crossing.json - --limit energy=50
"""


def command(
    context: typer.Context,
    instance: InstanceFile,
    plan: PlanArgument,
    limit: Limits = None,
    tolerance: Annotated[
        float,
        typer.Option(
            parser=amount("--tolerance"),
            metavar="X",
            help="Relative tolerance on times and amounts.",
        ),
    ] = 1e-9,
    json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:
    """Check every rule of an instance on a plan, and measure the plan anew.

    Exit status: 0 the plan holds, 1 it does not, 2 bad input or usage.
    """
    session = Session.of(context, verbose=verbose, quiet=quiet)
    _, bounds = goal(None, limit)
    one_standard_input(INSTANCE=instance, PLAN=plan)

    import offload

    problem = offload.load(instance)
    made = offload.load_plan(plan, problem)
    found = offload.check(problem, made, limits=bounds, tolerance=tolerance)
    if json:
        session.json({
            "instance": problem.name, "holds": not found,
            "violations": [_record(violation) for violation in found],
            "metrics": made.metrics, "stated": made.stated,
        })  # fmt: skip
    else:
        _print(session, made, found)
    for remark in [*disagreements(made), *_other_limits(made, bounds)]:
        session.note(f"note: {remark}")
    return 1 if found else 0


def _print(session: Session, plan: Plan, found: list[Violation]) -> None:
    from offload.cli.answer import metric_lines, node_lines
    from offload.units import count

    if found:
        session.print(f"does not hold: {count(len(found), 'violation')}", style="bold red")
        session.print(*(plain(str(violation)) for violation in found))
        return
    session.print("holds", style="bold green")
    session.print(*node_lines(plan, session.width), *metric_lines(plan.metrics, session.width))


def _record(violation: Violation) -> dict[str, Any]:
    names = ("rule", "items", "time", "needed", "found", "message")
    return {name: getattr(violation, name) for name in names}


def _other_limits(plan: Plan, bounds: dict[str, float] | None) -> list[str]:
    """The limits that the plan was made for, where they are not those that were checked."""
    recorded = amounts(plan.result.get("limits"))
    checked = plan.problem.limits if bounds is None else bounds
    if recorded is None or recorded == checked:
        return []
    said = ", ".join(f"{name}={value:g}" for name, value in recorded.items()) or "none"
    flags = [f"--limit {name}={value!r}" for name, value in recorded.items()] or ["--limit none"]
    return [
        f"the plan was made under other limits ({said}) than those checked; add {' '.join(flags)}"
    ]
