"""FLOPs of ONNX's operators from their shapes: 2 for a multiply-add, biases left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["MOVING", "flops"]

Shape = tuple[int, ...]
Shapes = Sequence[Shape | None]

# Operators that move numbers and compute none.
MOVING = frozenset({
    "Cast", "CastLike", "CenterCropPad", "Compress", "Concat", "Constant", "ConstantOfShape",
    "DepthToSpace", "Dropout", "Expand", "EyeLike", "Flatten", "Gather", "GatherElements",
    "GatherND", "Identity", "OneHot", "Pad", "Range", "Reshape", "ReverseSequence",
    "ScatterElements", "ScatterND", "Shape", "Size", "Slice", "SpaceToDepth", "Split", "Squeeze",
    "Tile", "Transpose", "Trilu", "Unsqueeze", "Where",
})  # fmt: skip


def flops(kind: str, reads: Shapes, gives: Shapes, attributes: Mapping[str, Any]) -> float | None:
    """FLOPs of a node; ``None`` of an operator without a formula.

    Parameters
    ----------
    kind
        Type of the operator, of ONNX's own domain.
    reads, gives
        Shapes of its inputs and outputs; ``None`` for those left out.
    attributes
        Its attributes by name.

    Notes
    -----
    With the shapes of the operator's specification (github.com/onnx/onnx, docs/Operators.md):

    - ``Conv``: 2 x outputs x weights of one output channel.
    - ``ConvTranspose``: 2 x inputs x weights of one input channel.
    - ``Gemm``, ``MatMul``: 2 x outputs x length of the sum.
    - ``Attention``: 2 b h n m (d + e) for queries [n, d], keys [m, d] and values [m, e] in each of
      h heads, the past's keys among them; masks are not regarded.
    - ``Einsum`` of two tensors: 2 x product of the sizes of all its indices.
    - ``RNN``, ``GRU``, ``LSTM``: 2 g h (i + h) a step, sequence and direction, with g = 1, 3, 4.
    - Forms of these with integers alike.
    """
    formula = _FORMULAS.get(kind)
    if formula is None:
        return None
    work = formula(reads, gives, attributes)
    return None if work is None else 2.0 * work


def _shape(shapes: Shapes, position: int) -> Shape:
    found = shapes[position] if position < len(shapes) else None
    return found or ()


def _convolution(weights: int) -> Callable[[Shapes, Shapes, Mapping[str, Any]], float]:
    def work(reads: Shapes, gives: Shapes, attributes: Mapping[str, Any]) -> float:
        return math.prod(_shape(gives, 0)) * math.prod(_shape(reads, weights)[1:])

    return work


def _transposed(reads: Shapes, gives: Shapes, attributes: Mapping[str, Any]) -> float:
    return math.prod(_shape(reads, 0)) * math.prod(_shape(reads, 1)[1:])


def _gemm(reads: Shapes, gives: Shapes, attributes: Mapping[str, Any]) -> float:
    summed = _shape(reads, 0)[0 if attributes.get("transA") else 1]
    return math.prod(_shape(gives, 0)) * summed


def _product(reads: Shapes, gives: Shapes, attributes: Mapping[str, Any]) -> float:
    return math.prod(_shape(gives, 0)) * _shape(reads, 0)[-1]


def _attention(reads: Shapes, gives: Shapes, attributes: Mapping[str, Any]) -> float:
    query, key, value, past = (_shape(reads, k) for k in (0, 1, 2, 4))
    if len(query) == 4:
        batch, heads, length, width = query
        keys, wide = key[2], value[3]
    else:  # heads side by side in the last dimension
        heads, others = attributes["q_num_heads"], attributes["kv_num_heads"]
        batch, length, width = query[0], query[1], query[2] // heads
        keys, wide = key[1], value[2] // others
    keys += past[2] if past else 0
    return float(batch * heads * length * keys * (width + wide))


def _einsum(reads: Shapes, gives: Shapes, attributes: Mapping[str, Any]) -> float | None:
    equation = bytes(attributes["equation"]).decode().replace(" ", "")
    terms = equation.partition("->")[0].split(",")
    if len(terms) != 2 or "." in equation:
        return None
    sizes = {
        index: size
        for k, term in enumerate(terms)
        for index, size in zip(term, _shape(reads, k), strict=True)
    }
    return math.prod(sizes.values())


def _recurrent(gates: int) -> Callable[[Shapes, Shapes, Mapping[str, Any]], float]:
    def work(reads: Shapes, gives: Shapes, attributes: Mapping[str, Any]) -> float:
        x, weights, hidden = _shape(reads, 0), _shape(reads, 1), attributes["hidden_size"]
        return float(x[0] * x[1] * weights[0] * gates * hidden * (x[2] + hidden))

    return work


_FORMULAS: dict[str, Callable[[Shapes, Shapes, Mapping[str, Any]], float | None]] = {
    "Conv": _convolution(1), "ConvInteger": _convolution(1), "QLinearConv": _convolution(3),
    "ConvTranspose": _transposed, "Gemm": _gemm, "MatMul": _product, "MatMulInteger": _product,
    "QLinearMatMul": _product, "Attention": _attention, "Einsum": _einsum,
    "RNN": _recurrent(1), "GRU": _recurrent(3), "LSTM": _recurrent(4),
}  # fmt: skip
