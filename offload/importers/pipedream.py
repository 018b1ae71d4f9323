"""PipeDream's profiles: layers of a network with times of both passes, activations, parameters.

Narayanan et al. 2019, "PipeDream: generalized pipeline parallelism for DNN training", SOSP,
section 3.1; https://github.com/msr-fiddle/pipedream. A layer is a line ``ID -- DESCRIPTION --
NAME=VALUE, ...``, an edge an indented ``ID -- ID``. Times are milliseconds, sizes bytes; an
activation of several tensors is ``[A; B; ...]``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from offload.errors import NOTHING
from offload.importers.drafts import Draft, Options, malformed, on_lines
from offload.importers.words import amount
from offload.problem import Edge, Group, Task

__all__ = ["read", "recognises"]

_FIELDS = ("forward_compute_time", "backward_compute_time", "activation_size", "parameter_size")
_LAYER = re.compile(r"^[^\s-]\S* -- .* -- forward_compute_time=", re.MULTILINE)


@dataclass(frozen=True)
class _Layer:
    """One line: seconds of the passes, bytes of the activation and the parameters."""

    line: int
    name: str
    description: str
    forward: float
    backward: float
    activation: float
    parameters: float


def recognises(text: str) -> bool:
    """Whether a text has the line of a layer with its time."""
    return _LAYER.search(text) is not None


def read(text: str, options: Options) -> Draft:
    """A forward task for each layer and, of training, a backward one beside it.

    Raises
    ------
    InstanceError
        With the line, for one that is neither a layer nor an edge, and for an edge without layer.
    """
    rows = [(n, row) for n, row in enumerate(text.splitlines(), 1) if row.strip()]
    layers: dict[str, _Layer] = {}
    for number, row in rows:
        if not row[0].isspace():
            layer = _layer(number, row)
            if layer.name in layers:
                raise malformed(number, "duplicate id", layer.name, "rename one of the layers")
            layers[layer.name] = layer
    edges = [_edge(number, row, layers) for number, row in rows if row[0].isspace()]
    if not layers:
        raise malformed(1, "must have a layer", NOTHING, "a profile of PipeDream")
    inputs = _inputs(layers, edges)
    kept = [layer for name, layer in layers.items() if name not in inputs]
    edges = [edge for edge in edges if edge[1] not in inputs]
    if not kept:
        raise malformed(1, "must have a layer that is no input", NOTHING, "add the layers")
    return _draft(kept, edges, len(inputs), options)


def _draft(
    layers: list[_Layer], edges: list[tuple[int, str, str]], inputs: int, options: Options
) -> Draft:
    training, contiguous = not options.inference, options.contiguous is not False
    tasks = [Task(layer.name, work=layer.forward, resident=layer.parameters) for layer in layers]
    size = {layer.name: layer.activation for layer in layers}
    made = [Edge(src, dst, bytes=size[src], item="output") for _, src, dst in edges]
    groups, lines = [], [line for line, _, _ in edges]
    if training:
        tasks += [Task(_back(layer.name), work=layer.backward) for layer in layers]
        made += [Edge(_back(dst), _back(src), bytes=size[src]) for _, src, dst in edges]
        # The backward pass begins where the forward one ends; in between nothing moves.
        sources = {src for _, src, _ in edges}
        last = [layer for layer in layers if layer.name not in sources]
        made += [Edge(layer.name, _back(layer.name)) for layer in last]
        lines += [*lines, *(layer.line for layer in last)]
        groups = [Group("together", (layer.name, _back(layer.name))) for layer in layers]
    if contiguous:
        groups.append(Group("contiguous", tuple(layer.name for layer in layers)))
    at = [layer.line for layer in layers]
    return Draft(
        "", tasks, made, groups,
        takes=frozenset({"contiguous", "inference"}),
        minimize={"period": 1.0},
        notes=_notes(inputs, training, contiguous),
        places={"$.graph.tasks": on_lines(at * 2), "$.graph.edges": on_lines(lines)},
    )  # fmt: skip


def _notes(inputs: int, training: bool, contiguous: bool) -> list[str]:
    notes = [
        "times are milliseconds and sizes bytes",
        "a layer's activation is one item: it moves once to each worker",
        "a layer holds its parameters; gradients, optimizer states and stored activations, which "
        "the file does not give, hold nothing",
    ]
    if inputs:
        notes.append(
            f"inputs ({inputs}) are left out with the time of loading, as PipeDream's planner does"
        )
    if training:
        notes.append(
            "a layer's backward task runs where its forward one does; a gradient has the bytes of "
            "the activation that it is of"
        )
    else:
        notes.append("the backward pass is left out")
    rule = "on each worker the forward tasks are contiguous"
    notes.append(rule if contiguous else f"the rule that {rule} is left out")
    return notes


def _back(name: str) -> str:
    return f"{name}-backward"


def _inputs(layers: dict[str, _Layer], edges: list[tuple[int, str, str]]) -> set[str]:
    """Layers that only stand for the input: named so, and after no other."""
    later = {dst for _, _, dst in edges}
    return {
        name for name, layer in layers.items()
        if layer.description.startswith("Input") and name not in later
    }  # fmt: skip


def _layer(line: int, row: str) -> _Layer:
    parts = row.rstrip().split(" -- ")
    if len(parts) == 4 and parts[3].startswith("stage_id="):  # of a plan that was made before
        del parts[3]
    if len(parts) != 3:
        fix = "ID -- DESCRIPTION -- NAME=VALUE, ..., or an indented ID -- ID"
        raise malformed(line, "must be a layer or an edge", row, fix)
    values = dict(pair.split("=", 1) for pair in parts[2].split(", ") if "=" in pair)
    for field in _FIELDS:
        if field not in values:
            raise malformed(line, f"a layer must have {field}", parts[2], f"add {field}=VALUE")
    forward, backward = (amount(values[field], line, field) for field in _FIELDS[:2])
    activation, parameters = (_bytes(values[field], line, field) for field in _FIELDS[2:])
    name = parts[0].strip()
    return _Layer(
        line, name, parts[1], forward / 1000, backward / 1000, activation, parameters
    )  # fmt: skip


def _bytes(text: str, line: int, field: str) -> float:
    """A size, or the sum of a list of sizes."""
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    return sum(amount(size.strip(), line, field) for size in inner.split(";"))


def _edge(line: int, row: str, layers: dict[str, _Layer]) -> tuple[int, str, str]:
    ends = row.strip().split(" -- ")
    if len(ends) != 2:
        raise malformed(line, "must be an edge", row.strip(), "an indented ID -- ID")
    for end in ends:
        if end not in layers:
            raise malformed(line, "names no layer", end, "use the id of a layer")
    return line, ends[0], ends[1]
