"""FLOPs of PyTorch's operations: its own formulas, and ours for those that it lacks."""

from __future__ import annotations

import math
from typing import Any

from offload.models import needed

__all__ = ["flops", "kept_whole", "moves_only"]

# Operations that move numbers and compute none; views, which say so themselves, besides.
_MOVING = frozenset({
    "_to_copy", "arange", "cat", "clone", "constant_pad_nd", "copy", "embedding", "empty",
    "expand", "fill", "flip", "full", "full_like", "gather", "getitem", "index", "index_put",
    "index_select", "lift_fresh_copy", "ones", "new_zeros", "new_full", "new_ones", "new_empty",
    "ones_like", "rand", "randn", "randperm", "repeat", "roll", "scalar_tensor", "scatter",
    "select_scatter", "slice_scatter", "stack", "tril", "triu", "unfold", "where", "zeros",
    "zeros_like",
})  # fmt: skip


def kept_whole() -> list[Any]:
    """Composite operations that are not decomposed: they have formulas, and run faster whole."""
    aten = needed.torch().ops.aten
    return [
        aten.linear.default, aten.scaled_dot_product_attention.default, aten.mv.default,
        aten.dot.default, aten.vdot.default, aten.addmv.default,
    ]  # fmt: skip


def flops(target: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> float | None:
    """FLOPs of a call, 2 for a multiply-add; ``None`` of an operation without a formula.

    Parameters
    ----------
    target
        An operation of ATen.
    args, kwargs, result
        Its arguments and what it gave, with tensors of the right shapes, whatever is in them.

    Notes
    -----
    The formulas are those of ``torch.utils.flop_counter``: convolutions, matrix products and
    attention, without biases, and attention without regard to masks. Where it has none: ``linear``
    2 x outputs x inputs each; attention before it is decomposed 2 h n m (d + e) for queries [h, n,
    d], keys [m, d] and values [m, e], which heads may share; matrix times vector and inner products
    2 x elements of the matrix (vector); ``addbmm`` 2 b m k n; ``_trilinear`` 2 x elements of the
    product of all three.
    """
    packet: Any = getattr(target, "_overloadpacket", target)
    torch = needed.torch()
    aten, flop_registry = torch.ops.aten, torch.utils.flop_counter.flop_registry
    if packet in flop_registry:
        return float(flop_registry[packet](*args, **kwargs, out_val=result))
    work = _ours(aten, packet, args, result)
    return None if work is None else 2.0 * work


def _ours(aten: Any, packet: Any, args: tuple[Any, ...], result: Any) -> int | None:
    """Multiply-adds of an operation for which PyTorch has no formula."""
    work: int | None = None
    if packet is aten.linear:
        work = result.numel() * args[0].shape[-1]
    elif packet is aten.scaled_dot_product_attention:
        query, key, value = args[:3]
        rows = query.numel() // query.shape[-1]
        work = rows * key.shape[-2] * (query.shape[-1] + value.shape[-1])
    elif packet in (aten.mv, aten.dot, aten.vdot):
        work = args[0].numel()
    elif packet is aten.addmv:
        work = args[1].numel()
    elif packet is aten.addbmm:
        work = args[1].numel() * args[2].shape[-1]
    elif packet is aten._trilinear:
        work = _product_of_three(args)
    return work


def _product_of_three(args: tuple[Any, ...]) -> int:
    shapes = []
    for tensor, added in zip(args[:3], args[3:6], strict=True):
        shape = list(tensor.shape)
        for dimension in sorted(added):
            shape.insert(dimension, 1)
        shapes.append(shape)
    return math.prod(needed.torch().broadcast_shapes(*shapes))


def moves_only(target: Any) -> bool:
    """Whether an operation computes nothing: views, copies, look-ups, constants."""
    schema = getattr(target, "_schema", None)
    name = schema.name.partition("::")[2] if schema else getattr(target, "__name__", "")
    aliases = schema is not None and any(
        returned.alias_info is not None and not returned.alias_info.is_write
        for returned in schema.returns
    )
    return aliases or name in _MOVING
