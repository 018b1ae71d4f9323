"""ONNX files read as programs: shapes inferred, sizes and FLOPs worked out."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from offload.errors import OffloadError, one_line
from offload.models import needed
from offload.models.onnx_flops import MOVING, flops
from offload.models.options import Options
from offload.models.program import Operation, Program, Size

__all__ = ["program_of", "read"]

_SCOPES = "pkg.torch.onnx.name_scopes"  # where PyTorch's exporter writes a node's modules
_BITS = {"FLOAT": 32, "DOUBLE": 64, "BOOL": 8}  # other types have them in their name


Weights = dict[str, tuple[tuple[int, ...], int]]  # shape and type by name


def read(path: str, batch: int, sizes: Mapping[str, int]) -> tuple[Any, Weights]:
    """The model of a file, checked, with functions inlined, sizes put in and shapes inferred.

    Beside it the shapes and types of its weights.
    """
    onnx = needed.onnx()
    try:
        model = onnx.load(path, load_external_data=False)
    except OSError as error:
        raise OffloadError(f"{path}: cannot be read ({error.strerror})") from None
    except Exception as error:  # protobuf's, which are of several kinds
        raise _broken(path, error) from None
    weights = {t.name: (tuple(t.dims), t.data_type) for t in model.graph.initializer}
    _declare_external(onnx, model)
    try:
        onnx.checker.check_model(model)
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
    except Exception as error:  # ValidationError and InferenceError are plain exceptions
        raise _broken(path, error) from None
    _put_in(model, path, batch, sizes, weights)
    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True), weights
    except Exception as error:
        raise _broken(path, error) from None


def _declare_external(onnx: Any, model: Any) -> None:
    """Make inputs of the weights that are in other files, which need not be here."""
    graph = model.graph
    external = [t for t in graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    declared = {value.name for value in graph.input}
    for tensor in external:
        if tensor.name not in declared:
            graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            )
        graph.initializer.remove(tensor)


def _broken(path: str, error: Exception) -> OffloadError:
    text = one_line((str(error).strip() or type(error).__name__).splitlines()[0])
    return OffloadError(f"{path}: is no valid ONNX model ({text}); write it again")


def _put_in(model: Any, path: str, batch: int, sizes: Mapping[str, int], weights: Weights) -> None:
    """Numbers for dimensions without one: the batch first, then those with a name."""
    graph = model.graph
    named = dict(sizes)
    free = 0
    for value in graph.input:
        dimensions = value.type.tensor_type.shape.dim
        if value.name in weights or not dimensions or dimensions[0].HasField("dim_value"):
            continue
        free += 1
        if dimensions[0].dim_param:
            named.setdefault(dimensions[0].dim_param, batch)
        else:
            dimensions[0].dim_value = batch
    if batch != 1 and not free:
        raise OffloadError(
            f"{path}: batch is {batch}, but the first dimension of every input has a number; leave"
            " batch out, or write the model with a dynamic one"
        )
    for value in (*graph.input, *graph.output):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param in named:
                dimension.dim_value = named[dimension.dim_param]
    del graph.value_info[:]  # inferred anew, with the numbers
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")


def program_of(model: Any, weights: Weights, path: str, options: Options) -> Program:
    """A model, its shapes inferred, as a program."""
    graph = model.graph
    shapes = {name: shape for name, (shape, _) in weights.items()}
    types = {name: kind for name, (_, kind) in weights.items()}
    inputs = [value.name for value in graph.input if value.name not in weights]
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        if tensor.HasField("shape") and value.name not in weights:
            types[value.name] = tensor.elem_type
            shapes[value.name] = _shape(value, path, value.name in inputs)
    parameters, sizes = {}, {}
    norms = [node for node in graph.node if node.op_type == "BatchNormalization"]
    measured = {name for node in norms for name in node.input[3:5]}  # means and variances
    for name, (shape, kind) in weights.items():
        if len(shape) > 1 or _floating(kind):
            parameters[name] = _size(shape, kind, options.width, name not in measured)
    operations = []
    for node in graph.node:
        for name in (*node.input, *node.output):
            if name and name not in weights:
                if name not in shapes:
                    raise _unknown(path, name, node)
                sizes[name] = _size(shapes[name], types[name], options.width)
        operations.append(_operation(node, path, shapes, types, parameters, weights, options))
    sizes |= {name: _size(shapes[name], types[name], options.width) for name in inputs}
    outputs = tuple(value.name for value in graph.output if value.name in sizes)
    return Program(tuple(operations), sizes, tuple(inputs), outputs, parameters)


def _shape(value: Any, path: str, given: bool) -> tuple[int, ...]:
    dimensions = value.type.tensor_type.shape.dim
    for position, dimension in enumerate(dimensions):
        if not dimension.HasField("dim_value"):
            name = dimension.dim_param
            fix = f"give sizes={{{name or 'NAME'!r}: ...}}" if given else "it depends on data"
            raise OffloadError(
                f"{path}: dimension {position} of {value.name!r} has no size, got"
                f" {name or 'nothing'!r}; {fix}"
            )
    return tuple(dimension.dim_value for dimension in dimensions)


def _unknown(path: str, name: str, node: Any) -> OffloadError:
    return OffloadError(
        f"{path}: the shape of {name!r} ({node.op_type} {node.name!r}) cannot be inferred; write"
        " its shape into the model, or replace the operator by those of ONNX"
    )


def _type_name(kind: int) -> str:
    return str(needed.onnx().TensorProto.DataType.Name(kind))


def _floating(kind: int) -> bool:
    return "FLOAT" in _type_name(kind) or _type_name(kind) == "DOUBLE"


def _size(shape: Sequence[int], kind: int, width: float | None, learnt: bool = True) -> Size:
    name = _type_name(kind)
    digits = re.search(r"\d+", name)
    bits = _BITS.get(name) or (int(digits.group()) if digits else 8)
    each = width if width is not None and _floating(kind) else bits / 8
    return Size(math.prod(shape) * each, _floating(kind) and learnt)


def _operation(
    node: Any,
    path: str,
    shapes: Mapping[str, tuple[int, ...]],
    types: Mapping[str, int],
    parameters: Mapping[str, Size],
    weights: Mapping[str, Any],
    options: Options,
) -> Operation:
    onnx = needed.onnx()
    if any(attribute.type in (5, 10) for attribute in node.attribute):  # GRAPH, GRAPHS
        raise OffloadError(
            f"{path}: {node.op_type} {node.name!r} is control flow, which is not supported; write"
            " the model without it"
        )
    reads, gives = [n for n in node.input if n], [n for n in node.output if n]
    ours = node.domain in ("", "ai.onnx")
    work = None
    if ours:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        shaped = [[shapes.get(name) for name in names] for names in (node.input, node.output)]
        work = flops(node.op_type, shaped[0], shaped[1], attributes)
    moves = work is None and ours and node.op_type in MOVING
    if work is None:
        computed = [math.prod(shapes[n]) for n in gives if _floating(types[n])]
        work = float(sum(computed)) if options.elementwise and not moves else 0.0
    return Operation(
        gives[0],
        _path(node),
        work,
        tuple(name for name in reads if name not in weights),
        tuple(gives),
        tuple(name for name in dict.fromkeys(reads) if name in parameters),
        moves,
    )


def _path(node: Any) -> tuple[str, ...]:
    """The modules around a node, as its name or its metadata say."""
    listed = {entry.key: entry.value for entry in getattr(node, "metadata_props", ())}.get(_SCOPES)
    if listed:
        modules = ast.literal_eval(listed)
        return tuple(modules[-2].split(".")) if len(modules) > 1 and modules[-2] else ()
    if "/" in node.name:
        scopes = [name for name in node.name.split("/") if name][:-1]
        # PyTorch repeats the outer name in a list's modules: /layer1/layer1.0/conv1/Conv.
        pairs = zip(["", *scopes], scopes, strict=False)
        return tuple(name.removeprefix(f"{outer}.") for outer, name in pairs)
    return tuple(node.name.split(".")) if node.name else ()
