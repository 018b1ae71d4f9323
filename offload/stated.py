"""What a plan file says of itself and of the solve that made it, which nothing relies on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from offload.problem import METRICS
from offload.wording import headline

if TYPE_CHECKING:
    from offload.plan import Plan

__all__ = ["amounts", "disagreements", "recorded_headline"]

_NEAR = 1e-9  # relative difference up to which a stated figure agrees with the measured one


def recorded_headline(plan: Plan) -> str:
    """Status, objective and proof of the solve that a plan file records; empty without one."""
    facts = plan.result
    numbers = [facts.get(name) for name in ("objective", "bound", "gap")]
    fine = all(value is None or isinstance(value, int | float) for value in numbers)
    known = facts.get("status") and fine and isinstance(facts.get("minimize"), dict)
    return headline(facts) if known else ""


def disagreements(plan: Plan) -> list[str]:
    """Where the file's own figures differ from those measured from its times."""
    metrics = plan.metrics
    figures = [
        (f"metrics.{name}", value, metrics[name])
        for name, value in plan.stated.items()
        if name in metrics
    ]
    objective, weights = plan.result.get("objective"), amounts(plan.result.get("minimize"))
    if isinstance(objective, int | float) and weights is not None:
        figures.append(("result.objective", objective, plan.objective(weights)))
    return [
        f"the plan file says {name} = {stated!r}, measured {measured!r}"
        for name, stated, measured in figures
        if not _agree(stated, measured)
    ]


def _agree(stated: float, measured: float) -> bool:
    # Written so that NaN, which equals nothing, agrees with nothing but NaN.
    both_undefined = stated != stated and measured != measured
    near = abs(stated - measured) <= _NEAR * max(abs(stated), abs(measured))
    return both_undefined or stated == measured or near


def amounts(value: Any) -> dict[str, float] | None:
    """What a file records as weights or limits; ``None`` where it is something else."""
    fine = isinstance(value, dict) and all(
        name in METRICS and isinstance(number, int | float) for name, number in value.items()
    )
    return dict(value) if fine else None
