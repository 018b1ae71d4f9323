"""Whether a plan holds: every rule of docs/format.md, and everything that breaks one.

The checker derives what a plan needs from its placements alone. It shares the cost model with the
rest of the library (coefficients from ``tables``, metrics from ``metrics``) and nothing else: no
code that makes plans is used to check them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from offload.checks import capacity, groups, moving, placement, storage, timing
from offload.checks.form import refuse_malformed
from offload.checks.needs import Matching
from offload.checks.subject import Subject
from offload.errors import Issue, OffloadError, PlanError
from offload.features import goal_of
from offload.metrics import Measured
from offload.plan import Plan, Violation
from offload.problem import Problem
from offload.tables import TOLERANCE

__all__ = ["RULES", "check"]

RULES = {
    "times": "Times are finite, and no task starts before 0.",
    "missing-task": "Every task is in the plan.",
    "repeated-task": "A task is listed once; a divisible one at most once on each node.",
    "fraction": "Fractions of a divisible task are above 0 and sum to 1; any other task's is 1.",
    "mode": "A mode is one of the node's; a divisible task runs in the default mode.",
    "allow": "A task's node matches its allow.",
    "runs": "A node can run the task: slots enough, a time known, sizes known.",
    "together": "The tasks of such a group are on one node.",
    "apart": "No two tasks of such a group are on one node.",
    "contiguous": "No path among a group's tasks leaves a node and comes back to it.",
    "duration": "A task finishes its execution time after its start.",
    "release": "No task starts before its release.",
    "deadline": "No task finishes after its deadline.",
    "precedence": "A task starts after the tasks of its node that it follows have finished.",
    "arrival": "A task starts after all transfers that it waits for have arrived.",
    "missing-transfer": "Whatever a task needs from another node is in the transfers.",
    "unneeded-transfer": "No transfer is listed that no task waits for.",
    "repeated-transfer": "A thing moves at most once to each node.",
    "waiting": "A transfer lists exactly the tasks at its end that wait for it.",
    "source": "A transfer comes from where its source ran or is; data from the nearest holder.",
    "route": "There is a route for every transfer.",
    "require": "Every node and link of a route carries the tags that are required.",
    "codec": "A codec is one that the edge offers; reads and moves have none.",
    "size": "A transfer carries the bytes that its edge, data or move says.",
    "transfer-start": "A transfer starts after its source's finish; a read or move from 0 on.",
    "transfer-duration": "A transfer arrives after encoding, serialising, latency and decoding.",
    "slots": "Tasks that run at one time fit the slots of their node.",
    "memory": "Resident bytes and the memory of running tasks fit their node at any time.",
    "link": "A link carries at most as many transfers at one time as it has channels.",
    "copy": "A copy is listed once, on an allowed node within reach of a home, not at a home.",
    "max-copies": "Data has at most max_copies placed copies.",
    "storage": "The copies on a node fit its storage.",
    "limits": "No metric exceeds its limit.",
}

_OF_TASKS = (
    timing.times, placement.missing_task, placement.repeated_task, placement.fraction,
    placement.mode, placement.allow, placement.runs, groups.together, groups.apart,
    groups.contiguous, timing.duration, timing.release, timing.deadline, timing.precedence,
    capacity.slots, capacity.memory, storage.copy, storage.max_copies, storage.storage,
)  # fmt: skip
_OF_TRANSFERS = (
    timing.arrival, moving.missing_transfer, moving.unneeded_transfer, moving.repeated_transfer,
    moving.waiting, moving.source, moving.route, moving.require, moving.codec, moving.size,
    moving.transfer_start, moving.transfer_duration, capacity.link,
)  # fmt: skip


def check(
    problem: Problem,
    plan: Plan,
    *,
    limits: Mapping[str, float] | None = None,
    tolerance: float = TOLERANCE,
) -> list[Violation]:
    """Every violation of a plan; an empty list when it holds.

    Parameters
    ----------
    problem
        The instance that the plan has to hold for.
    limits
        Upper bounds by metric; what the instance says by default.
    tolerance
        Relative tolerance. On times it is relative to the plan's latency, in seconds; a running
        interval is shortened by that much at each end before overlaps are looked for.

    Returns
    -------
    list of Violation
        By rule in the order of :data:`RULES`, then by position in the plan. A row that is repeated
        or not needed is reported as that, and otherwise left aside. A time that is not finite is
        reported as that, and the rules that would compare it are not.

    Raises
    ------
    PlanError
        If the plan is for another instance, or its arrays name what the instance does not have.
    InstanceError
        If ``limits`` names an unknown metric or is no plain number.
    OffloadError
        If ``tolerance`` is negative or not finite.

    Notes
    -----
    docs/format.md, section 6. Capacities are checked by sweeps over sorted starts and ends, in
    O(n log n); no step is quadratic in tasks, or in nodes for each edge.

    Examples
    --------
    >>> violations = offload.check(problem, plan)
    >>> [str(violation) for violation in violations]
    ['slots: 2 slots of 1 are used on cam0 at 0.5 s: grab, detect']
    """
    if not (math.isfinite(tolerance) and tolerance >= 0):
        fix = "use a small number such as 1e-9"
        raise OffloadError(f"tolerance: must be finite and >= 0, got {tolerance!r}; {fix}")
    bounds = goal_of(problem, limits=limits).limits
    if plan.problem is not problem and plan.problem.digest != problem.digest:
        message = f"is for another instance ({plan.problem.name or 'unnamed'!r})"
        fix = "check it against the instance that it was made for, or solve again"
        raise PlanError([Issue("plan", message, plan.problem.digest, fix)])
    refuse_malformed(plan)
    # Times may be infinite or undefined; arithmetic on them is no cause for a warning.
    with np.errstate(invalid="ignore", over="ignore"):
        subject = Subject(plan, tolerance)
        matching = Matching(subject)
        found = [violation for rule in _OF_TASKS for violation in rule(subject)]
        found += [violation for rule in _OF_TRANSFERS for violation in rule(subject, matching)]
        found += _limits(subject, bounds)
    place = {rule: position for position, rule in enumerate(RULES)}
    return sorted(found, key=lambda violation: place[violation.rule])


def _limits(subject: Subject, bounds: Mapping[str, float]) -> Iterator[Violation]:
    """No metric exceeds its limit; sums of times have the tolerance of their times."""
    plan, tables = subject.plan, subject.tables
    # Measured anew: a plan's rows may have been replaced since it measured itself.
    measured = Measured(tables, plan.parts, plan.transfers, plan.copies, 1)
    late = np.isfinite(tables.due)
    terms = {
        "latency": 1.0,
        "completion": float(tables.weight.sum()),
        "tardiness": float(tables.weight[late].sum()),
    }
    for metric, bound in bounds.items():
        value = float(measured[metric][0])
        by_times = metric in terms and value <= bound + terms[metric] * subject.slack
        if not by_times and subject.exceeds(value, bound):
            text = f"{metric} is {value:.12g}, and its limit is {bound:.12g}"
            yield Violation("limits", (metric,), None, bound, value, text)
