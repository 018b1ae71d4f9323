"""Generalized assignment problems of OR-Library: each job to one agent, at least cost.

Beasley 1990, "OR-Library: distributing test problems by electronic mail". A file has the number of
agents m and of jobs n, then m rows of n costs, m rows of n resources, and m capacities; rows wrap
as they like. A file of several problems has their number in front.
"""

from __future__ import annotations

import re

from offload.errors import OffloadError
from offload.importers import fjsp
from offload.importers.drafts import Draft, Options, malformed
from offload.importers.words import Words, is_count
from offload.problem import Network, Node, Task

__all__ = ["read", "recognises"]

_LARGEST = 10**7  # agents times jobs
_WARNING = (
    "the first table is taken for costs, to be minimized; the literature takes that of gap1 to "
    "gap12 for profits, to be maximized"
)


def recognises(text: str) -> bool:
    """Whether a text has as many numbers as its first two, or each two, announce."""
    if re.match(r"\s*\d+\s", text) is None:
        return False
    words = text.split()
    if fjsp.recognises(text):  # which may have as many numbers by chance
        return False
    if _length(words, 0) == len(words):
        return True
    if not _several(text, words):
        return False
    at = 1
    for _ in range(min(int(words[0]), len(words))):
        at += _length(words, at)
    return at == len(words)


def _several(text: str, words: list[str]) -> bool:
    """Whether a text begins with the number of its problems, alone in its line."""
    alone = len(text.lstrip().split("\n", 1)[0].split()) == 1
    return alone and is_count(words[0]) and _length(words, 0) != len(words)


def _length(words: list[str], at: int) -> int:
    """How many words a problem has that begins there; no less than 1."""
    head = words[at : at + 2]
    if len(head) < 2 or not (is_count(head[0]) and is_count(head[1])):
        return len(words) + 1
    agents, jobs = int(head[0]), int(head[1])
    return 2 + 2 * agents * jobs + agents


def read(text: str, options: Options) -> Draft:
    """A problem: agents are nodes, jobs are tasks, a job's cost is its seconds at a price of 1.

    Raises
    ------
    InstanceError
        For a word that is no number, and for too many or too few.
    OffloadError
        For a file of several problems of which none was chosen.
    """
    words = Words.of(text)
    several = _several(text, text.split())
    count = words.integer("the number of problems", 1) if several else 1
    part = options.part or 1
    if count > 1 and options.part is None:
        raise OffloadError(f"holds {count} problems; say which, as in --part 1")
    if part > count:
        raise OffloadError(f"part: must be from 1 to {count}, got {part}")
    problems = [_problem(words, options.maximize is True) for _ in range(count)]
    words.end()
    draft = problems[part - 1]
    if count > 1:
        draft.notes.insert(0, f"problem {part} of {count}")
        draft.takes |= {"part"}
    return draft


def _problem(words: Words, maximize: bool) -> Draft:
    agents = words.integer("the number of agents", 1)
    jobs = words.integer("the number of jobs", 1)
    if agents * jobs > _LARGEST:
        raise malformed(words.line, "too many agents and jobs", (agents, jobs), "split the file")
    names = [f"a{i + 1}" for i in range(agents)]
    costs = [[words.number("a cost") for _ in range(jobs)] for _ in range(agents)]
    resources = [[words.number("a resource") for _ in range(jobs)] for _ in range(agents)]
    notes = []
    if maximize:
        top = max(max(row) for row in costs)
        costs = [[top - profit for profit in row] for row in costs]
        notes = [
            f"a cost is {top:g} less a profit: the profits add up to {jobs * top:g} less the cost"
        ]
    capacities = [words.number("a capacity") for _ in range(agents)]
    nodes = [
        Node(name, memory=room, price=1.0) for name, room in zip(names, capacities, strict=True)
    ]
    tasks = [
        Task(
            f"j{j + 1}",
            time={name: costs[i][j] for i, name in enumerate(names)},
            resident={name: resources[i][j] for i, name in enumerate(names)},
        )
        for j in range(jobs)
    ]
    return Draft(
        "", tasks, network=Network(nodes), minimize={"cost": 1.0},
        takes=frozenset({"maximize"}),
        notes=[
            "agents are nodes and jobs are tasks",
            "a job's cost at an agent is its time there, at a price of 1 a second",
            "a job's resource is what it holds of the agent's memory",
            *(notes or [_WARNING]),
        ],
    )  # fmt: skip
