"""Rules on transfers: those that are needed, each once, from the right place, in its time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import SupportsIndex

import numpy as np

from offload.checks.needs import Matching
from offload.checks.subject import BoolArray, Subject, seconds
from offload.plan import Violation
from offload.transfers import EDGE, READ

__all__ = [
    "codec", "missing_transfer", "repeated_transfer", "require", "route", "size", "source",
    "transfer_duration", "transfer_start", "unneeded_transfer", "waiting",
]  # fmt: skip


def _need(subject: Subject, matching: Matching, n: SupportsIndex) -> tuple[tuple[str, ...], str]:
    """Ids that a need concerns, and the need in words."""
    needs = matching.needs
    kind, ref = int(needs.kind[n]), int(needs.ref[n])
    readers = subject.tasks(subject.task[needs.waiters.of(int(n))])
    return (
        subject.carried(kind, ref, readers),
        subject.transfer(kind, ref, int(needs.src[n]), int(needs.dst[n])),
    )


def route(subject: Subject, matching: Matching) -> Iterator[Violation]:
    """There is a route for everything that has to move."""
    for n in np.flatnonzero(~matching.reachable):
        items, what = _need(subject, matching, n)
        yield Violation("route", items, None, "a route", None, f"{what}: there is no route")


def require(subject: Subject, matching: Matching) -> Iterator[Violation]:
    """Routes carry the tags that an edge or data requires."""
    problem = subject.plan.problem
    for n in np.flatnonzero(matching.reachable & ~matching.permitted):
        items, what = _need(subject, matching, n)
        ref = matching.needs.ref[n]
        if matching.needs.kind[n] == READ:
            tags = problem.data[ref].require
        else:
            tags = problem.graph.edges[subject.tables.item_edges.of(ref)[0]].require
        text = f"{what}: not every node and link of the route carries {', '.join(tags)}"
        yield Violation("require", items, None, tuple(tags), None, text)


def missing_transfer(subject: Subject, matching: Matching) -> Iterator[Violation]:
    """Everything that has to move is listed (without a route nothing can be)."""
    for n in np.flatnonzero((matching.answer < 0) & matching.permitted):
        items, what = _need(subject, matching, n)
        yield Violation("missing-transfer", items, None, 1, 0, f"{what}: the transfer is missing")


def _misplaced(subject: Subject, matching: Matching) -> BoolArray:
    """Unneeded rows that claim to come from where no part of their divisible source ran."""
    tables, rows, x = subject.tables, subject.plan.transfers, matching.unneeded
    result = np.zeros(len(x), bool)
    if not tables.divisible.any():
        return result
    edges = np.flatnonzero(rows.kind[x] == EDGE)
    sender = tables.item_src[rows.ref[x[edges]]]
    ran = subject.task.astype(np.int64) * tables.nodes + subject.node
    claimed = sender.astype(np.int64) * tables.nodes + rows.src[x[edges]]
    there = subject.on_task.lengths[sender] > 0
    result[edges] = tables.divisible[sender] & there & ~np.isin(claimed, ran)
    return result


def unneeded_transfer(subject: Subject, matching: Matching) -> Iterator[Violation]:
    """Nothing moves that no task lacks."""
    for x in matching.unneeded[~_misplaced(subject, matching)]:
        text = f"{subject.row(x)}: no task there waits for it"
        yield Violation("unneeded-transfer", subject.of_row(x), None, 0, 1, text)


def repeated_transfer(subject: Subject, matching: Matching) -> Iterator[Violation]:
    """Nothing moves twice to one node."""
    for x in matching.repeated:
        text = f"{subject.row(x)}: the same transfer is listed before"
        yield Violation("repeated-transfer", subject.of_row(x), None, 1, 2, text)


def waiting(subject: Subject, matching: Matching) -> Iterator[Violation]:
    """A transfer's ``dst`` lists exactly the tasks that wait for it."""
    tasks, needs = subject.tables.tasks, matching.needs
    owner, row = needs.waiters.gather(matching.met)
    due = np.unique(owner * tasks + subject.task[row])
    owner, task = subject.plan.waiting.gather(matching.rows)
    listed, count = np.unique(owner * tasks + task, return_counts=True)
    wrong = np.concatenate([np.setxor1d(due, listed, assume_unique=True), listed[count > 1]])
    for n in np.unique(wrong // max(tasks, 1)):
        x, m = int(matching.rows[n]), int(matching.met[n])
        needed = subject.tasks(np.unique(subject.task[needs.waiters.of(m)]))
        found = subject.tasks(subject.plan.waiting.of(x))
        text = f"{subject.row(x)}: {', '.join(needed)} wait for it, and it lists "
        text += ", ".join(found) or "none"
        items, _ = _need(subject, matching, m)
        yield Violation("waiting", items, None, needed, found, text)


def source(subject: Subject, matching: Matching) -> Iterator[Violation]:
    """An item comes from where its source ran, a task from where it is, data from the nearest."""
    rows, needs, nodes = subject.plan.transfers, matching.needs, subject.tables.node_ids
    wanted, found = needs.src[matching.met], rows.src[matching.rows]
    for n in np.flatnonzero((wanted >= 0) & (wanted != found)):
        needed, given = nodes[wanted[n]], nodes[found[n]]
        items, what = _need(subject, matching, matching.met[n])
        text = f"{what}: the transfer is listed as coming from {given}"
        yield Violation("source", items, None, needed, given, text)
    for x in matching.unneeded[_misplaced(subject, matching)]:
        sender = int(subject.tables.item_src[rows.ref[x]])
        places = tuple(nodes[k] for k in subject.node[subject.on_task.of(sender)])
        text = f"{subject.row(x)}: the source has parts on {', '.join(places)}"
        yield Violation("source", subject.of_row(x), None, places, nodes[rows.src[x]], text)


def codec(subject: Subject, matching: Matching) -> Iterator[Violation]:
    """A codec is one that the edge offers; reads and moves have none."""
    tables, rows = subject.tables, subject.plan.transfers
    codecs = max(len(tables.codec_ids), 1)
    x = matching.rows[rows.codec[matching.rows] >= 0]
    if not len(x):
        return
    item = np.repeat(np.arange(tables.items), tables.item_codecs.lengths)
    offered = item * codecs + tables.item_codecs.values
    chosen = rows.ref[x].astype(np.int64) * codecs + rows.codec[x]
    for row in x[(rows.kind[x] != EDGE) | ~np.isin(chosen, offered)]:
        known: tuple[str, ...] = ()
        if rows.kind[row] == EDGE:
            known = tuple(tables.codec_ids[c] for c in tables.item_codecs.of(rows.ref[row]))
        found = tables.codec_ids[rows.codec[row]]
        text = f"{subject.row(row)}: codec {found} is not offered"
        text += f"; offered are {', '.join(known)}" if known else "; none is"
        yield Violation("codec", subject.of_row(row), None, known, found, text)


def size(subject: Subject, matching: Matching) -> Iterator[Violation]:
    """A transfer carries the bytes of its edges, its data or its move, by the parts at its ends."""
    needed, found = matching.needs.size[matching.met], subject.plan.transfers.size[matching.rows]
    wrong = ~(np.abs(found - needed) <= subject.tolerance * needed)
    for n in np.flatnonzero(wrong & np.isfinite(needed)):
        items, what = _need(subject, matching, matching.met[n])
        text = f"{what}: {found[n]:.12g} bytes, but it carries {needed[n]:.12g}"
        yield Violation("size", items, None, float(needed[n]), float(found[n]), text)


def transfer_start(subject: Subject, matching: Matching) -> Iterator[Violation]:
    """A transfer starts when its source has finished; a read or a move from 0 on."""
    ready = matching.needs.ready[matching.met]
    start = subject.plan.transfers.start[matching.rows]
    for n in np.flatnonzero(subject.later(ready, start)):
        needed, found = float(ready[n]), float(start[n])
        items, what = _need(subject, matching, matching.met[n])
        text = f"{what}: starts at {seconds(found)}, and can start at {seconds(needed)}"
        yield Violation("transfer-start", items, found, needed, found, text)


def transfer_duration(subject: Subject, matching: Matching) -> Iterator[Violation]:
    """A transfer arrives after exactly its four parts: encode, serialise, latency, decode."""
    rows = subject.plan.transfers.take(matching.rows)
    bytes_ = matching.needs.size[matching.met]
    takes = subject.tables.transfer(bytes_, rows.src, rows.dst, rows.codec).total
    due = rows.start + takes
    for n in np.flatnonzero(subject.later(due, rows.finish) | subject.later(rows.finish, due)):
        needed, found = float(due[n]), float(rows.finish[n])
        items, what = _need(subject, matching, matching.met[n])
        text = f"{what}: arrives at {seconds(found)}, but takes {seconds(takes[n])} from "
        text += seconds(rows.start[n])
        yield Violation("transfer-duration", items, float(rows.start[n]), needed, found, text)
