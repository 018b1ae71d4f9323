"""Rules on the times of tasks: durations, windows, and what a task has to wait for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from offload.checks.needs import Matching
from offload.checks.subject import Subject, first_rows, seconds
from offload.plan import Violation

__all__ = ["arrival", "deadline", "duration", "precedence", "release", "times"]


def times(subject: Subject) -> Iterator[Violation]:
    """Times are finite, and no task starts before 0."""
    tables, parts, rows = subject.tables, subject.plan.parts, subject.plan.transfers
    early = parts.start < -subject.slack
    for p in np.flatnonzero(early | ~np.isfinite(parts.start) | ~np.isfinite(parts.finish)):
        task, node = tables.task_ids[parts.task[p]], tables.node_ids[parts.node[p]]
        found = float(parts.start[p]), float(parts.finish[p])
        text = f"task {task} on {node} runs from {seconds(found[0])} to {seconds(found[1])}"
        needed = "finite times from 0 on"
        yield Violation(
            "times", (task, node), None, needed, found, f"{text}; times must be {needed}"
        )
    for x in np.flatnonzero(~(np.isfinite(rows.start) & np.isfinite(rows.finish))):
        found = float(rows.start[x]), float(rows.finish[x])
        text = f"{subject.row(x)}: takes from {seconds(found[0])} to {seconds(found[1])}"
        text += "; times must be finite"
        yield Violation("times", subject.of_row(x), None, "finite times", found, text)


def duration(subject: Subject) -> Iterator[Violation]:
    """A task runs for exactly its execution time."""
    due = subject.start + subject.execution
    wrong = subject.later(subject.finish, due) | subject.later(due, subject.finish)
    for p in np.flatnonzero(wrong):
        runs, found = seconds(subject.execution[p]), seconds(subject.finish[p])
        text = f"finishes at {found}, but it runs for {runs} from {seconds(subject.start[p])}"
        yield subject.of_part("duration", p, subject.start[p], due[p], subject.finish[p], text)


def release(subject: Subject) -> Iterator[Violation]:
    """No task starts before its release (one of 0 is a matter of ``times``)."""
    bound = subject.tables.release[subject.task]
    for p in np.flatnonzero((bound > 0) & subject.later(bound, subject.start)):
        text = f"starts at {seconds(subject.start[p])}, before its release {seconds(bound[p])}"
        yield subject.of_part("release", p, subject.start[p], bound[p], subject.start[p], text)


def deadline(subject: Subject) -> Iterator[Violation]:
    """No task finishes after its deadline."""
    bound = subject.tables.deadline[subject.task]
    for p in np.flatnonzero(subject.later(subject.finish, bound)):
        text = f"finishes at {seconds(subject.finish[p])}, after its deadline {seconds(bound[p])}"
        yield subject.of_part("deadline", p, subject.finish[p], bound[p], subject.finish[p], text)


def precedence(subject: Subject) -> Iterator[Violation]:
    """On one node, a task starts when those that it follows have finished."""
    _, sender, reader = subject.pairs
    late = subject.later(subject.finish[sender], subject.start[reader])
    wrong = np.flatnonzero(late & (subject.node[sender] == subject.node[reader]))
    sender, reader = sender[wrong], reader[wrong]
    for n in first_rows(sender.astype(np.int64) * len(subject.task) + reader):
        p, q = sender[n], reader[n]
        needed, found = float(subject.finish[p]), float(subject.start[q])
        names = subject.tasks((subject.task[p], subject.task[q]))
        text = (
            f"{subject.part(q)} starts at {seconds(found)}, before task {names[0]} finishes there"
        )
        text += f" at {seconds(needed)}"
        yield Violation("precedence", names, found, needed, found, text)


def arrival(subject: Subject, matching: Matching) -> Iterator[Violation]:
    """A task starts when all transfers that it waits for have arrived."""
    rows = subject.plan.transfers
    met, waiter = matching.needs.waiters.gather(matching.met)
    x = matching.rows[met]
    for n in np.flatnonzero(subject.later(rows.finish[x], subject.start[waiter])):
        row, p = x[n], waiter[n]
        needed, found = float(rows.finish[row]), float(subject.start[p])
        task = subject.tables.task_ids[subject.task[p]]
        items = subject.carried(int(rows.kind[row]), int(rows.ref[row]), (task,))
        text = f"{subject.part(p)} starts at {seconds(found)}, before the arrival of "
        text += f"{subject.row(row)} at {seconds(needed)}"
        yield Violation("arrival", items, found, needed, found, text)
