"""A model as operations on tensors, whatever it was read from, and how they become tasks' parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from offload.errors import OffloadError

__all__ = ["Operation", "Part", "Program", "Size", "contracted", "folded"]


@dataclass(frozen=True)
class Size:
    """Bytes of a tensor, and whether a gradient by it can be taken."""

    bytes: float
    gradient: bool = True


@dataclass(frozen=True)
class Operation:
    """One call of the model: ``work`` FLOPs that read tensors and parameters and give tensors.

    ``path`` is the module it belongs to, from the outside in: ``("layer1", "0", "conv1")``.
    ``moves`` says that it computes no number: views, copies, look-ups.
    """

    name: str
    path: tuple[str, ...]
    work: float
    reads: tuple[str, ...]
    gives: tuple[str, ...]
    parameters: tuple[str, ...] = ()
    moves: bool = False


@dataclass(frozen=True)
class Program:
    """Operations in an order in which they can run.

    ``sizes`` has the bytes of every tensor that is read or given, ``parameters`` those of every
    parameter and buffer; tied ones have one name.
    """

    operations: tuple[Operation, ...]
    sizes: Mapping[str, Size]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: Mapping[str, Size]


@dataclass(frozen=True)
class Part:
    """Operations that make one task: their positions, and the module path of its first work."""

    operations: tuple[int, ...]
    path: tuple[str, ...]
    name: str
    work: float


def folded(program: Program) -> tuple[Program, tuple[int, ...]]:
    """The program without what is not worth a transfer, and the old positions of what is left.

    What depends on no input (masks, positions, views of weights) is the same every time: whoever
    needs it makes it, from the parameters behind it. A view or copy that is no smaller than its
    tensor is made by whoever reads it: the tensor itself moves, and once for all its views.
    """
    behind: dict[str, tuple[str, ...]] = {}  # a constant tensor's parameters
    viewed: dict[str, str] = {}  # a view's tensor
    kept, positions = [], []
    for position, operation in enumerate(program.operations):
        constant = [name for name in operation.reads if name in behind]
        found = [*operation.parameters, *(name for read in constant for name in behind[read])]
        parameters = tuple(dict.fromkeys(found))
        reads = tuple(
            dict.fromkeys(viewed.get(name, name) for name in operation.reads if name not in behind)
        )
        if not operation.work and not reads:
            behind |= dict.fromkeys(operation.gives, parameters)
        elif (
            operation.moves
            and not parameters
            and len(reads) == 1
            and not _shrinks(program, operation, reads[0])
        ):
            viewed |= dict.fromkeys(operation.gives, reads[0])
        else:
            kept.append(replace(operation, reads=reads, parameters=parameters))
            positions.append(position)
    outputs = [viewed.get(name, name) for name in program.outputs if name not in behind]
    short = replace(program, operations=tuple(kept), outputs=tuple(dict.fromkeys(outputs)))
    return short, tuple(positions)


def _shrinks(program: Program, operation: Operation, tensor: str) -> bool:
    return any(program.sizes[name].bytes < program.sizes[tensor].bytes for name in operation.gives)


def contracted(program: Program) -> list[Part]:
    """The operations with work, each with those without work around it, as parts in order.

    Tensors only pass from a part to later ones, so no cycle arises. What has no work joins the
    last of the parts it reads from, where all its tensors are at hand; or the first of the parts
    that read from it, if fewer bytes have to move then (a norm before a layer, whose input the
    layer's residual sum needs too), or if it reads nothing but inputs.

    Raises
    ------
    OffloadError
        If no operation depends on an input.
    """
    operations = program.operations
    if not operations:
        raise OffloadError("model: it computes nothing from its inputs; give a model that does")
    anchors = [i for i, operation in enumerate(operations) if operation.work] or [0]
    at = _earliest(program, {anchor: part for part, anchor in enumerate(anchors)})
    _move_later(program, at, set(anchors))
    members: list[list[int]] = [[] for _ in anchors]
    for position, part in enumerate(at):
        members[part].append(position)
    return [
        Part(tuple(chosen), operations[a].path, operations[a].name, operations[a].work)
        for a, chosen in zip(anchors, members, strict=True)
    ]


def _earliest(program: Program, part_of: Mapping[int, int]) -> list[int]:
    """The part of each anchor, and the last part that each other operation reads from, or -1."""
    made: dict[str, int] = {}
    at = []
    for position, operation in enumerate(program.operations):
        part = part_of.get(position)
        if part is None:
            part = max((made.get(name, -1) for name in operation.reads), default=-1)
        made |= dict.fromkeys(operation.gives, part)
        at.append(part)
    return at


def _move_later(program: Program, at: list[int], anchors: set[int]) -> None:
    """Move what is better off with its readers to the first of them."""
    readers: dict[str, list[int]] = {}
    for position, operation in enumerate(program.operations):
        for name in operation.reads:
            readers.setdefault(name, []).append(position)

    for position in reversed(range(len(at))):
        if position in anchors:
            continue
        operation, part = program.operations[position], at[position]
        later = [at[i] for name in operation.gives for i in readers.get(name, ())]
        target = min(later, default=len(anchors) - 1)
        others = {n: {at[i] for i in readers[n] if i != position} for n in operation.reads}
        moved = _bytes(program, [n for n in operation.reads if target not in others[n]])
        given = _bytes(program, operation.gives)
        # Of equal bytes, rather a tensor that has to move to somewhere later on in any case.
        anyway = all(max(others[n], default=part) > part for n in operation.reads)
        if part < 0 or (later and (moved < given or (moved == given and anyway))):
            at[position] = target


def _bytes(program: Program, names: Sequence[str]) -> float:
    return sum(program.sizes[name].bytes for name in names)
