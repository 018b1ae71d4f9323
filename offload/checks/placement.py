"""Rules on where tasks run: each of them once, whole, on a node and in a mode that suit it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from offload.checks.subject import Subject
from offload.plan import Violation
from offload.tables import Lists

__all__ = ["allow", "fraction", "missing_task", "mode", "repeated_task", "runs"]


def missing_task(subject: Subject) -> Iterator[Violation]:
    """Every task has a row."""
    for i in np.flatnonzero(subject.on_task.lengths == 0):
        name = subject.tables.task_ids[i]
        yield Violation("missing-task", (name,), None, 1, 0, f"task {name} is not in the plan")


def repeated_task(subject: Subject) -> Iterator[Violation]:
    """An indivisible task has one row, a divisible one at most one on each node."""
    tables, parts = subject.tables, subject.plan.parts
    keys, group = np.unique(subject.keys, return_inverse=True)
    rows = Lists.group(group.reshape(-1), len(keys))
    for c in np.flatnonzero(rows.lengths > 1):
        mine = rows.of(int(c))
        i, found = int(parts.task[mine[0]]), len(mine)
        nodes = tuple(tables.node_ids[k] for k in dict.fromkeys(parts.node[mine].tolist()))
        what = "divisible task" if tables.divisible[i] else "task"
        text = f"{what} {tables.task_ids[i]} is listed {found} times, on {', '.join(nodes)}"
        yield Violation("repeated-task", (tables.task_ids[i], *nodes), None, 1, found, text)


def fraction(subject: Subject) -> Iterator[Violation]:
    """Parts are positive and sum to 1; an indivisible task has fraction 1."""
    tables, share = subject.tables, subject.fraction
    split = tables.divisible[subject.task]
    for p in np.flatnonzero(split & ~(np.isfinite(share) & (share > 0))):
        text = f"has fraction {share[p]:g}, but a part must be above 0"
        yield subject.of_part("fraction", p, None, "> 0", share[p], text)
    for p in np.flatnonzero(~split & ~(np.abs(share - 1) <= subject.tolerance)):
        text = f"has fraction {share[p]:.12g}, but an indivisible task is whole"
        yield subject.of_part("fraction", p, None, 1.0, share[p], text)
    total = np.bincount(subject.task, share, minlength=tables.tasks)
    there = tables.divisible & (subject.on_task.lengths > 0) & np.isfinite(total)
    for i in np.flatnonzero(there & ~(np.abs(total - 1) <= subject.tolerance)):
        name = tables.task_ids[i]
        text = f"the fractions of divisible task {name} sum to {total[i]:.12g}, not to 1"
        yield Violation("fraction", (name,), None, 1.0, float(total[i]), text)


def mode(subject: Subject) -> Iterator[Violation]:
    """The mode is one of the node's; a divisible task's part runs in the default mode."""
    tables = subject.tables
    for p in np.flatnonzero(subject.mode >= tables.mode_count[subject.node]):
        known = tuple(tables.mode_ids[subject.node[p]])
        text = f"runs in mode {subject.mode[p]}, which the node does not have"
        yield subject.of_part("mode", p, None, known, subject.mode[p], text)
    known_mode = subject.mode < tables.mode_count[subject.node]
    split = tables.divisible[subject.task] & (subject.mode != 0) & known_mode
    for p in np.flatnonzero(split):
        name = tables.mode_ids[subject.node[p]][subject.mode[p]]
        text = f"runs in mode {name}, but a divisible task has the default mode only"
        yield subject.of_part("mode", p, None, "default", name, text)


def allow(subject: Subject) -> Iterator[Violation]:
    """The node matches the task's ``allow``."""
    tables = subject.tables
    fits = tables.allow_mask[tables.allow_class[subject.task], subject.node]
    for p in np.flatnonzero(~fits):
        wanted = subject.plan.problem.graph.tasks[subject.task[p]].allow
        node = tables.node_ids[subject.node[p]]
        text = f"is not where allow permits: {', '.join(wanted) or 'nowhere'}"
        yield subject.of_part("allow", p, None, wanted, node, text)


def runs(subject: Subject) -> Iterator[Violation]:
    """The node has slots enough for the task, a time for it, and its sizes are known there."""
    tables, task, node = subject.tables, subject.task, subject.node
    for p in np.flatnonzero(tables.task_slots[task] > tables.node_slots[node]):
        needed, found = tables.task_slots[task[p]], tables.node_slots[node[p]]
        text = f"needs {needed} slots at once, and the node has {found}"
        yield subject.of_part("runs", p, None, needed, found, text)
    # By the default mode: an unknown mode is no matter of this rule.
    for p in np.flatnonzero(~np.isfinite(tables.time[task, tables.column[node, 0]])):
        text = "cannot run: no key of its time matches the node, and it has no work"
        yield subject.of_part("runs", p, None, "a time or work", None, text)
    for what, size in (("memory", tables.memory_of), ("resident", tables.resident_of)):
        for p in np.flatnonzero(~np.isfinite(size(task, node))):
            text = f"cannot run: no key of its {what} matches the node"
            yield subject.of_part("runs", p, None, f"an entry of {what}", None, text)
