"""Workflows whose jobs read and write files: files as items on the edges between jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from offload.importers.drafts import Draft
from offload.problem import Edge, Task

__all__ = ["Job", "workflow"]


@dataclass
class Job:
    """A job: its seconds, the files that it reads and writes with their bytes, and its parents."""

    id: str
    time: float
    slots: int = 1
    inputs: dict[str, float] = field(default_factory=dict)
    outputs: dict[str, float] = field(default_factory=dict)
    parents: list[str] = field(default_factory=list)


def workflow(jobs: Sequence[Job], place: Callable[[int], str]) -> Draft:
    """Jobs as tasks; each file that one writes and others read is one item of the writer.

    A file has the size that its writer gives. Where several jobs write it, those that are
    parents of the reader count, or, if none is, all of them are taken to have written it beside
    the workflow. A file that no job writes is an input from outside.

    Parameters
    ----------
    jobs
        In the order of the file.
    place
        Where in the file a job stands, by its position.
    """
    known = {job.id for job in jobs}
    writers: dict[str, list[Job]] = {}
    for job in jobs:
        for name in job.outputs:
            writers.setdefault(name, []).append(job)
    edges: list[Edge] = []
    positions: list[int] = []  # of the reader of each edge
    count = _Counts()
    for position, job in enumerate(jobs):
        parents = dict.fromkeys(job.parents)
        served = set()
        for name, size in job.inputs.items():
            for writer in _sources(name, job, writers, parents, count, size):
                edges.append(Edge(writer.id, job.id, writer.outputs[name], name))
                served.add(writer.id)
                count.differing += writer.outputs[name] != size
        count.undeclared += len(served - parents.keys())
        edges += [Edge(parent, job.id) for parent in parents if parent not in served]
        count.bare += sum(parent not in served for parent in parents if parent in known)
        positions += [position] * (len(edges) - len(positions))
    return Draft(
        "", [Task(job.id, work=job.time, slots=job.slots) for job in jobs], edges,
        notes=count.notes(),
        places={"$.graph.tasks": place, "$.graph.edges": lambda e: place(positions[e])},
    )  # fmt: skip


def _sources(
    name: str, job: Job, writers: dict[str, list[Job]], parents: dict[str, None],
    count: _Counts, size: float,
) -> list[Job]:  # fmt: skip
    """The jobs that a reader gets a file from; none if it comes from outside."""
    if name in job.outputs:  # changed in place: it comes from the parents that wrote it
        found = [writer for writer in writers[name] if writer.id in parents]
    else:
        found = writers.get(name, [])
        if len(found) > 1:
            found = [writer for writer in found if writer.id in parents]
            count.unclear += not found
    if not found and name not in count.outside:
        count.outside[name] = size
    return found


@dataclass
class _Counts:
    """What had to be assumed, and how often."""

    outside: dict[str, float] = field(default_factory=dict)
    differing: int = 0
    undeclared: int = 0
    bare: int = 0
    unclear: int = 0

    def notes(self) -> list[str]:
        said = ["a file that several tasks read is one item of the task that writes it"]
        if self.differing:
            said.append(
                f"where reader and writer differ in a file's size, {self.differing} times, the "
                "writer's holds"
            )
        if self.outside:
            size = sum(self.outside.values())
            said.append(
                f"input files that no task writes ({len(self.outside)}, {size:g} bytes in all) are "
                "taken to lie on every node beforehand"
            )
        if self.unclear:
            said.append(
                "so are files of several writers, none of them a parent of the reader, "
                f"{self.unclear} times"
            )
        if self.undeclared:
            said.append(
                "a task waits for the writer of a file that it reads even if that is no parent of "
                f"it, {self.undeclared} times"
            )
        if self.bare:
            said.append(f"edges to parents without a file ({self.bare}) carry nothing")
        return said
