"""Flexible job shops: jobs are chains of operations, each on one of some machines.

Brandimarte 1993, "Routing and scheduling in a flexible job shop by tabu search". The first line has
the numbers of jobs and of machines (and, in many files, the mean number of machines an operation);
then each job has its number of operations, and each operation its number of machines, and these
with their times.
"""

from __future__ import annotations

import re

from offload.importers.drafts import Draft, Options, linked, malformed, on_lines
from offload.importers.words import Words, amount, integer, is_count
from offload.problem import Edge, Node, Task

__all__ = ["read", "recognises"]

_MOST = 512  # machines: each pair has a link


def recognises(text: str) -> bool:
    """Whether a text has a row a job, each with as many operations as it announces."""
    if re.match(r"\s*\d+[ \t]", text) is None:
        return False
    rows = [line.split() for line in text.splitlines() if line.strip()]
    if len(rows) < 2 or len(rows[0]) not in (2, 3) or not is_count(rows[0][0]):
        return False
    return int(rows[0][0]) == len(rows) - 1 and all(_is_job(row) for row in rows[1:])


def _is_job(row: list[str]) -> bool:
    """Whether a row has as many operations as it announces."""
    if not is_count(row[0]):
        return False
    at = 1
    for _ in range(min(int(row[0]), len(row))):
        if at >= len(row) or not is_count(row[at]):
            return False
        at += 1 + 2 * int(row[at])
    return at == len(row)


def read(text: str, options: Options) -> Draft:
    """The shop: machines are nodes, operations tasks with a time by machine, jobs chains.

    Raises
    ------
    InstanceError
        With the line: for a word that is no number, for too many or too few, for a machine out of
        bounds or given twice to an operation.
    """
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    jobs, machines = _header(lines)
    words = Words(lines[1:], lines[-1][0])
    by_line = len(lines) == jobs + 1  # as usual, and then errors are found in their lines
    edges: list[Edge] = []
    found: list[tuple[str, int, dict[int, float]]] = []
    after: list[int] = []  # lines of the edges
    for j in range(1, jobs + 1):
        if by_line:
            words = Words(lines[j : j + 1], lines[j][0], "line")
        count = words.integer(f"the number of operations of job {j}", 1)
        for o in range(1, count + 1):
            name = f"{j}.{o}"
            found.append((name, *_operation(words, name, machines)))
            if o > 1:
                edges.append(Edge(f"{j}.{o - 1}", name))
                after.append(words.line)
        if by_line or j == jobs:
            words.end()
    first = _first(found, machines)
    tasks = [
        Task(name, time={f"m{machine}": time for machine, time in times.items()})
        for name, _, times in found
    ]
    nodes = [Node(f"m{first + k}") for k in range(machines)]
    return Draft(
        "", tasks, edges, network=linked(nodes, None, 0.0), timed=False,
        notes=[
            "a unit of time in the file is a second",
            "machines are nodes and operations are tasks that carry nothing to each other",
            f"machines are numbered from {first}, as in the file",
        ],
        places={
            "$.graph.tasks": on_lines([line for _, line, _ in found]),
            "$.graph.edges": on_lines(after),
        },
    )  # fmt: skip


def _header(lines: list[tuple[int, str]]) -> tuple[int, int]:
    line, words = (lines[0][0], lines[0][1].split()) if lines else (1, [])
    if len(words) not in (2, 3):
        fix = "a mean number of machines may follow"
        raise malformed(line, "must be the numbers of jobs and machines", " ".join(words), fix)
    if len(words) == 3:
        amount(words[2], line, "the mean number of machines")
    return (
        integer(words[0], line, "the number of jobs", 1),
        integer(words[1], line, "the number of machines", 1, _MOST),
    )


def _operation(words: Words, name: str, machines: int) -> tuple[int, dict[int, float]]:
    """Where an operation begins, and its time on each of its machines."""
    choices = words.integer(f"the number of machines of operation {name}", 1, machines)
    line = words.line
    times: dict[int, float] = {}
    for _ in range(choices):
        # Machines are numbered from 0 in some files, from 1 in others.
        machine = words.integer("a machine", 0, machines)
        if machine in times:
            fix = "give each machine once"
            raise malformed(words.line, f"operation {name} has a machine twice", machine, fix)
        times[machine] = words.number("a time")
    return line, times


def _first(found: list[tuple[str, int, dict[int, float]]], machines: int) -> int:
    """The number of the first machine: 0 where there is a machine 0, else 1."""
    zero = any(0 in times for _, _, times in found)
    if zero:
        for _, line, times in found:
            if machines in times:
                fix = f"machines are from 0 to {machines - 1}, as one has the number 0"
                raise malformed(line, "no such machine", machines, fix)
    return 0 if zero else 1
