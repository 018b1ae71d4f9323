"""Standard Task Graph Set: task graphs without communication, for identical processors.

Tobita, Kasahara 2002, "A standard task graph set for fair evaluation of multiprocessor scheduling
algorithms". A file has the number of tasks, then a row a task: its number, its time, how many
predecessors it has, and their numbers; what follows a ``#`` is a comment. The first and the last
row are dummies of no time, which the number in the header leaves out in most files.
"""

from __future__ import annotations

from offload.importers.drafts import Draft, Options, malformed, on_lines
from offload.importers.words import is_count
from offload.problem import Edge, Task

__all__ = ["read", "recognises"]


def recognises(text: str) -> bool:
    """Whether a text begins with a count and the row of a first task without predecessors."""
    rows = _rows(text[:10_000])
    if len(rows) < 2 or len(rows[0][1]) != 1 or len(rows[1][1]) != 3:
        return False
    return is_count(rows[0][1][0]) and rows[1][1][::2] == ["0", "0"]


def read(text: str, options: Options) -> Draft:
    """The task graph; edges carry no bytes.

    Raises
    ------
    InstanceError
        For a line that is not a row of a task, or a count that the rows do not have.
    """
    rows = _rows(text)
    if not rows:
        raise malformed(1, "must have the number of tasks", "nothing", "a Standard Task Graph file")
    tasks: list[Task] = []
    edges: list[Edge] = []
    lines: list[int] = []  # of the edges
    for line, words in rows[1:]:
        number, time, *before = _row(line, words, len(tasks))
        tasks.append(Task(f"t{number}", work=time))
        edges += [Edge(f"t{j}", f"t{number}") for j in before]
        lines += [line] * len(before)
    line, words = rows[0]
    if len(words) != 1 or not is_count(words[0]):
        raise malformed(line, "must be the number of tasks", " ".join(words), "one whole number")
    count = int(words[0])
    if count not in (len(tasks), len(tasks) - 2):
        raise malformed(
            line, f"must be the number of rows, {len(tasks)}, or that without the two dummies",
            count, "the file may be cut short",
        )  # fmt: skip
    return Draft(
        "", tasks, edges, bandwidth=float("inf"), minimize={"latency": 1.0},
        notes=[
            "a unit of time in the file is a second",
            "dummy tasks at both ends are kept",
            "nothing is transferred between tasks",
        ],
        places={
            "$.graph.tasks": lambda i: f"line {rows[i + 1][0]}", "$.graph.edges": on_lines(lines),
        },
    )  # fmt: skip


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """Lines with something in them, without comments: their numbers and words."""
    stripped = (line.partition("#")[0].split() for line in text.splitlines())
    return [(number, words) for number, words in enumerate(stripped, 1) if words]


def _row(line: int, words: list[str], expected: int) -> list[int]:
    try:
        values = [int(word) for word in words]
    except ValueError:
        raise malformed(
            line, "must be whole numbers", " ".join(words), "id time count ids"
        ) from None
    if len(values) < 3 or len(values) != 3 + values[2]:
        raise malformed(
            line, "must be a task's number, its time, the count of its predecessors, and these",
            " ".join(words), "as many numbers as the third says",
        )  # fmt: skip
    if values[0] != expected:
        raise malformed(line, f"must be the row of task {expected}", values[0], "rows in order")
    for j in values[3:]:
        if not 0 <= j < expected:
            raise malformed(
                line, f"predecessors must be from 0 to {expected - 1}", j, "earlier rows"
            )
    return [values[0], values[1], *values[3:]]
