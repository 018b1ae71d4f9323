"""Parts of a model grouped by module to a wished number of blocks, never in a cycle.

A block is a run of parts that follow each other in the program, so what it reads comes from itself
or from earlier blocks: the blocks form a DAG whatever the cuts are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from offload.models.program import Part

__all__ = ["blocks_of", "named"]


@dataclass(frozen=True)
class Run:
    """Parts ``first`` to ``end - 1``; ``pieces`` are the runs that it can be cut into."""

    first: int
    end: int
    label: str
    work: float
    pieces: tuple[Run, ...] = ()


def named(parts: Sequence[Part]) -> list[str]:
    """A name for each part: its module's path, with the operation where that says too little."""
    inside: dict[tuple[str, ...], int] = {}  # parts in each module
    for part in parts:
        for depth in range(len(part.path) + 1):
            inside[part.path[:depth]] = inside.get(part.path[:depth], 0) + 1
    names = []
    for part in parts:
        path = ".".join(part.path)
        alone = inside[part.path] == 1
        names.append(path if path and alone else f"{path}:{part.name}" if path else part.name)
    return names


def blocks_of(parts: Sequence[Part], most: int | None) -> list[tuple[str, list[Part]]]:
    """At most so many blocks, as a label and its parts each, in order.

    Begins with the whole model and cuts the run with the most work into the modules in it, the
    first among equals, as long as the number allows. Where it allows fewer pieces than there are
    modules, those that follow each other are merged so that the largest piece has least work.
    Without a number every part is a block.
    """
    labels = named(parts)
    if most is None or most >= len(parts):
        return [(label, [part]) for label, part in zip(labels, parts, strict=True)]
    runs = [_tree(parts, labels, 0, len(parts), 0, "model")]
    while True:
        room = most - len(runs) + 1
        candidates = [k for k, run in enumerate(runs) if run.pieces]
        if room < 2 or not candidates:
            break
        k = max(candidates, key=lambda k: (runs[k].work, -k))
        pieces = runs[k].pieces
        runs[k : k + 1] = pieces if len(pieces) <= room else _merged(pieces, room)
    return [(run.label, list(parts[run.first : run.end])) for run in runs]


def _tree(
    parts: Sequence[Part], labels: Sequence[str], first: int, end: int, depth: int, label: str
) -> Run:
    """The parts of a module as a run, cut by the modules in it."""
    work = sum(part.work for part in parts[first:end])
    if end - first == 1:
        return Run(first, end, labels[first], work)
    cuts = [first]
    for k in range(first + 1, end):
        before, here = parts[k - 1].path, parts[k].path
        # A part of the module itself, and not of one inside, is a piece of its own.
        if len(here) <= depth or here[: depth + 1] != before[: depth + 1]:
            cuts.append(k)
    if len(cuts) == 1:
        deeper = ".".join(parts[first].path[: depth + 1])
        return _tree(parts, labels, first, end, depth + 1, deeper)
    pieces = tuple(
        _tree(parts, labels, a, b, depth + 1, ".".join(parts[a].path[: depth + 1]))
        for a, b in zip(cuts, [*cuts[1:], end], strict=True)
    )
    return Run(first, end, label, work, pieces)


def _merged(pieces: Sequence[Run], most: int) -> list[Run]:
    """Neighbours merged to at most so many runs whose largest has the least work.

    Bisection on the largest work, filling runs from the left; exact to 2^-60 of the sum.
    """
    low, high = max(piece.work for piece in pieces), sum(piece.work for piece in pieces)
    if len(_filled(pieces, low)) <= most:
        high = low
    for _ in range(60):
        middle = (low + high) / 2
        if len(_filled(pieces, middle)) <= most:
            high = middle
        else:
            low = middle
    groups = _filled(pieces, high)
    return [_joined(group) for group in groups]


def _filled(pieces: Sequence[Run], largest: float) -> list[list[Run]]:
    groups: list[list[Run]] = []
    load = 0.0
    for piece in pieces:
        if groups and load + piece.work <= largest * (1 + 1e-12):
            groups[-1].append(piece)
            load += piece.work
        else:
            groups.append([piece])
            load = piece.work
    return groups


def _joined(group: Sequence[Run]) -> Run:
    if len(group) == 1:
        return group[0]
    first, last = group[0], group[-1]
    label = f"{first.label}..{last.label}"
    return Run(first.first, last.end, label, sum(run.work for run in group), tuple(group))
