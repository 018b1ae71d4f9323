"""A program as a task graph: blocks, edges, ends, backward twins, groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from offload.models.blocks import blocks_of
from offload.models.options import Options
from offload.models.program import Program, contracted, folded
from offload.problem import Edge, Graph, Group, Task

__all__ = ["BACKWARD", "INPUT", "OUTPUT", "Modelled", "modelled"]

INPUT, OUTPUT, BACKWARD = "input", "output", "backward "

Members = Mapping[str, list[int]]  # block to positions of its operations


@dataclass(frozen=True)
class Modelled:
    """A graph with, for each task that computes, the operations it stands for.

    ``operations`` maps task ids to positions in ``program.operations``; the ends and the backward
    twins are not in it.
    """

    program: Program
    graph: Graph
    operations: dict[str, tuple[int, ...]]


def modelled(program: Program, options: Options) -> Modelled:
    """The task graph of a program."""
    short, positions = folded(program)
    blocks = blocks_of(contracted(short), options.blocks)
    taken = {INPUT, OUTPUT} if options.pin is not None else set()
    members = {
        _unused(label, taken): sorted(i for part in parts for i in part.operations)
        for label, parts in blocks
    }
    tasks, edges = _tasks(short, members), _edges(short, members, options.pin is not None)
    if options.pin is not None:
        # What the user has and wants: no work, but the ways to and from it are paid.
        tasks = [
            Task(INPUT, work=0.0, allow=options.pin),
            *tasks,
            Task(OUTPUT, work=0.0, allow=options.pin),
        ]
    groups = [Group("contiguous", tuple(members))] if options.contiguous else []
    if options.training:
        tasks, edges, twins = _trained(short, members, tasks, edges)
        groups += twins
    graph = Graph(tuple(tasks), tuple(edges), tuple(groups))
    operations = {id: tuple(positions[i] for i in chosen) for id, chosen in members.items()}
    return Modelled(program, graph, operations)


def _unused(label: str, taken: set[str]) -> str:
    """The label, with a number where it is taken: modules may be called more than once."""
    id, number = label, 1
    while id in taken:
        number += 1
        id = f"{label}#{number}"
    taken.add(id)
    return id


def _held(program: Program, members: Members) -> dict[str, list[str]]:
    """The parameters of each block; one that several use belongs to the first."""
    taken: set[str] = set()
    held = {}
    for id, chosen in members.items():
        used = dict.fromkeys(name for i in chosen for name in program.operations[i].parameters)
        held[id] = [name for name in used if name not in taken]
        taken.update(used)
    return held


def _tasks(program: Program, members: Members) -> list[Task]:
    """Work and resident bytes of each block."""
    held = _held(program, members)
    return [
        Task(
            id,
            work=float(sum(program.operations[i].work for i in chosen)),
            resident=float(sum(program.parameters[name].bytes for name in held[id])),
        )
        for id, chosen in members.items()
    ]


def _edges(program: Program, members: Members, ends: bool) -> list[Edge]:
    """An edge for each tensor and each other block that reads it, the tensor as its item."""
    source = dict.fromkeys(program.inputs, INPUT) if ends else {}
    source |= {
        name: id for id, chosen in members.items() for i in chosen
        for name in program.operations[i].gives
    }  # fmt: skip
    found: dict[tuple[str, str], str] = {}
    for id, chosen in members.items():
        for i in chosen:
            found |= dict.fromkeys(((name, id) for name in program.operations[i].reads), id)
    if ends:
        found |= dict.fromkeys(((name, OUTPUT) for name in program.outputs), OUTPUT)
    return [
        Edge(source[name], reader, float(program.sizes[name].bytes), item=name)
        for name, reader in found
        if name in source and source[name] != reader
    ]


def _trained(
    program: Program, members: Members, tasks: list[Task], edges: list[Edge]
) -> tuple[list[Task], list[Edge], list[Group]]:
    """The graph with a backward twin for each task that computes, beside it.

    A twin has twice the work, for the gradients by its inputs and by its parameters, and holds the
    latter. A gradient goes the way of its tensor back, with its bytes; what is not floating-point
    has none, and the user's input needs none. A twin to which no gradient goes follows its task.
    """
    held = _held(program, members)
    twins = [
        Task(
            BACKWARD + task.id,
            work=2 * (task.work or 0.0),
            resident=float(
                sum(
                    program.parameters[name].bytes
                    for name in held[task.id]
                    if program.parameters[name].gradient
                )
            ),
        )
        for task in reversed(tasks)
        if task.id in members
    ]
    back = [
        Edge(
            BACKWARD + edge.dst if edge.dst in members else edge.dst,
            BACKWARD + edge.src,
            edge.bytes,
            item=f"gradient of {edge.item}",
        )
        for edge in edges
        if edge.src in members and edge.item and program.sizes[edge.item].gradient
    ]
    reached = {edge.dst for edge in back}
    follow = [Edge(id, BACKWARD + id) for id in members if BACKWARD + id not in reached]
    groups = [Group("together", (id, BACKWARD + id)) for id in members]
    return [*tasks, *twins], [*edges, *back, *follow], groups
