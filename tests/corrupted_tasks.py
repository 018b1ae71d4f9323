"""Corruptions of single tasks: where, how and when they run."""

from __future__ import annotations

import math

import numpy as np
from corrupting import ANYTHING, EARLIER, LATER, Corruptions, other_nodes, some, split, whole
from plan_documents import Case

__all__ = ["OF_TASKS"]

OF_TASKS = Corruptions()


# -- tasks by themselves -------------------------------------------------------------------------


@OF_TASKS.breaks("times", "limits")
def undefined_time(case: Case) -> bool:
    for row in some(case, case.tasks + case.transfers):
        row[case.dice.choice(["start", "finish"])] = case.dice.choice(
            [math.nan, math.inf, -math.inf]
        )
        return True
    return False


@OF_TASKS.breaks("times", *EARLIER)
def negative_start(case: Case) -> bool:
    for row in some(case, case.tasks):
        case.shift(row, -case.beyond)
        return True
    return False


@OF_TASKS.breaks("missing-task", "unneeded-transfer", "waiting")
def dropped_task(case: Case) -> bool:
    for row in some(case, case.tasks):
        case.tasks[:] = [other for other in case.tasks if other["id"] != row["id"]]
        return True
    return False


@OF_TASKS.breaks("repeated-task", "limits", "fraction", "size")
def doubled_row(case: Case) -> bool:
    for row in some(case, case.tasks):
        case.tasks.append(dict(row))
        return True
    return False


@OF_TASKS.breaks("repeated-task", "limits")
def task_on_two_nodes(case: Case) -> bool:
    for row in some(case, whole(case)):
        for node in other_nodes(case, row["node"]):
            again = dict(row)
            case.put(again, node)
            case.tasks.append(again)
            return True
    return False


@OF_TASKS.breaks("fraction", "duration", "transfer-duration", "link", "memory", "limits")
def wrong_share(case: Case) -> bool:
    for row in some(case, split(case)):
        row["fraction"] *= case.dice.choice([0.5, 0.999999, 1.000001, 1.5])
        return True
    return False


@OF_TASKS.breaks("fraction", "limits")
def whole_task_in_part(case: Case) -> bool:
    for row in some(case, whole(case)):
        row["fraction"] = case.dice.choice([0.5, 0.999999, 2.0, math.nan])
        return True
    return False


@OF_TASKS.breaks("fraction", "limits")
def share_not_positive(case: Case) -> bool:
    for row in some(case, split(case)):
        row["fraction"] = case.dice.choice([0.0, -0.5])
        return True
    return False


@OF_TASKS.breaks("mode", "duration", "limits")
def part_in_other_mode(case: Case) -> bool:
    for row in some(case, split(case)):
        modes = case.problem.tables.mode_ids[case.node(row["node"])]
        if len(modes) > 1:
            row["mode"] = case.dice.choice(modes[1:])
            return True
    return False


@OF_TASKS.breaks("allow", *ANYTHING)
def forbidden_node(case: Case) -> bool:
    tables = case.problem.tables
    for row in some(case, case.tasks):
        for node in other_nodes(case, row["node"]):
            if not tables.allow_mask[tables.allow_class[case.task(row["id"])], case.node(node)]:
                case.put(row, node)
                return True
    return False


@OF_TASKS.breaks("allow", "limits")
def narrower_allow(case: Case) -> bool:
    for row in some(case, case.tasks):
        for node in other_nodes(case, *(r["node"] for r in case.tasks if r["id"] == row["id"])):
            if np.isfinite(case.problem.tables.execution(case.task(row["id"]), case.node(node))):
                case.change_task(row["id"], allow=(node,))
                return True
    return False


@OF_TASKS.breaks("runs", *ANYTHING)
def unable_node(case: Case) -> bool:
    tables = case.problem.tables
    for row in some(case, case.tasks):
        i = case.task(row["id"])
        for node in other_nodes(case, row["node"]):
            k = case.node(node)
            allowed = tables.allow_mask[tables.allow_class[i], k]
            if allowed and not np.isfinite(tables.execution(i, k)):
                case.put(row, node)
                return True
    return False


@OF_TASKS.breaks("runs", "limits")
def no_time_there(case: Case) -> bool:
    for row in some(case, case.tasks):
        task = case.problem.graph.tasks[case.task(row["id"])]
        places = {r["node"] for r in case.tasks if r["id"] == row["id"]}
        for node in other_nodes(case, *places):
            if np.isfinite(case.problem.tables.execution(case.task(row["id"]), case.node(node))):
                field = case.dice.choice(["time", "memory", "resident"])
                work = None if field == "time" else task.work
                case.change_task(row["id"], work=work, **{field: {node: 1.0}})
                return field == "time" or np.isfinite(case.runs(row))
    return False


# -- times ---------------------------------------------------------------------------------------


@OF_TASKS.breaks("duration")
def cut_short(case: Case) -> bool:
    for row in some(case, case.tasks):
        row["finish"] -= case.beyond
        return True
    return False


@OF_TASKS.breaks("duration", *LATER)
def drawn_out(case: Case) -> bool:
    for row in some(case, case.tasks):
        row["finish"] += case.beyond
        return True
    return False


@OF_TASKS.breaks("release")
def later_release(case: Case) -> bool:
    for row in some(case, case.tasks):
        case.change_task(row["id"], release=row["start"] + case.beyond)
        return True
    return False


@OF_TASKS.breaks("release", *EARLIER)
def before_release(case: Case) -> bool:
    for row in some(case, case.tasks):
        release = case.problem.graph.tasks[case.task(row["id"])].release
        if release > 0:
            case.shift(row, release - case.beyond)
            return True
    return False


@OF_TASKS.breaks("deadline")
def earlier_deadline(case: Case) -> bool:
    for row in some(case, case.tasks):
        if row["finish"] > case.beyond:
            case.change_task(row["id"], deadline=row["finish"] - case.beyond)
            return True
    return False


@OF_TASKS.breaks("deadline", *LATER)
def after_deadline(case: Case) -> bool:
    for row in some(case, case.tasks):
        deadline = case.problem.graph.tasks[case.task(row["id"])].deadline
        if deadline is not None:
            case.shift(row, deadline + case.beyond)
            return True
    return False


@OF_TASKS.breaks("precedence", *EARLIER)
def before_its_predecessor(case: Case) -> bool:
    for sender in some(case, case.tasks):
        for row in some(case, [row for row in case.tasks if row["node"] == sender["node"]]):
            if any((e.src, e.dst) == (sender["id"], row["id"]) for e in case.problem.graph.edges):
                case.shift(row, sender["finish"] - case.beyond)
                return True
    return False


@OF_TASKS.breaks("arrival", *EARLIER)
def before_its_input(case: Case) -> bool:
    for move in some(case, case.transfers):
        name = case.dice.choice(move["dst"])
        row = next(r for r in case.tasks if (r["id"], r["node"]) == (name, move["to"]))
        case.shift(row, move["finish"] - case.beyond)
        return True
    return False


@OF_TASKS.breaks("arrival", "link")
def late_input(case: Case) -> bool:
    for move in some(case, case.transfers):
        first = min(
            r["start"] for r in case.tasks if r["id"] in move["dst"] and r["node"] == move["to"]
        )
        case.shift(move, first + case.beyond - (move["finish"] - move["start"]))
        return True
    return False
