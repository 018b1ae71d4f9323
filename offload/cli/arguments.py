"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from offload.cli.values import amount, whole

__all__ = [
    "Ascii", "Gap", "InstanceFile", "Json", "Limits", "MethodName", "Minimize", "PlanArgument",
    "PlanInstance", "Quiet", "Seed", "Threads", "Verbose", "WorkLimit",
]  # fmt: skip

InstanceFile = Annotated[
    str,
    typer.Argument(
        metavar="INSTANCE", help="Instance file (.json or .json.gz); - is standard input."
    ),
]
PlanArgument = Annotated[
    str, typer.Argument(metavar="PLAN", help="Plan file; - is standard input.")
]
PlanInstance = Annotated[
    str | None,
    typer.Option(
        "--instance",
        "-i",
        metavar="INSTANCE",
        help="The instance that a plan is for. Default: looked for near the plan.",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON for machines, every digit, SI units.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes.")]
Verbose = Annotated[
    int,
    typer.Option(
        "--verbose", "-v", count=True, show_default=False, help="Say more; twice for still more."
    ),
]
Ascii = Annotated[bool, typer.Option("--ascii", help="Draw with ASCII characters alone.")]
MethodName = Annotated[
    str, typer.Option("--method", "-m", metavar="NAME", help="See: offload methods.")
]
Minimize = Annotated[
    str | None,
    typer.Option(
        metavar="GOAL",
        help="A metric, or weights as in latency=1,energy=0.1. Default: what the instance says.",
    ),
]
Limits = Annotated[
    list[str] | None,
    typer.Option(
        "--limit",
        metavar="METRIC=BOUND",
        help="Upper bound on a metric; repeat for several. Replaces the instance's limits; "
        "--limit none lifts them.",
    ),
]
WorkLimit = Annotated[
    float | None,
    typer.Option(
        "--work-limit",
        parser=amount("--work-limit"),
        metavar="X",
        help="Deterministic work at most (reproducible).",
    ),
]
Gap = Annotated[
    float | None,
    typer.Option(
        "--gap",
        parser=amount("--gap"),
        metavar="X",
        help="Stop at this relative gap; 0.01 is 1 %.",
    ),
]
Seed = Annotated[
    int,
    typer.Option(parser=whole("--seed"), metavar="N", help="Seed of everything that is random."),
]
Threads = Annotated[
    int | None,
    typer.Option(
        parser=whole("--threads", 1),
        metavar="N",
        help="Solver threads. Default: the method chooses.",
    ),
]
