"""Modules exported with ``torch.export``, and read as programs."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

from offload.errors import OffloadError, one_line
from offload.models import needed
from offload.models.options import Options
from offload.models.program import Operation, Program, Size
from offload.models.torch_flops import flops, kept_whole, moves_only

__all__ = ["calls", "exported", "program_of", "tied_names"]


def exported(
    module: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None,
    caller: str,
    batch: int | None = None,
) -> Any:
    """The module as a decomposed ``torch.export.ExportedProgram``.

    Raises
    ------
    OffloadError
        If it cannot be exported, with the first line of PyTorch's reason and what to do.
    """
    torch = needed.torch()
    if not isinstance(module, torch.nn.Module):
        raise OffloadError(
            f"{caller}: needs a torch.nn.Module, got {type(module).__name__}; wrap a function in a"
            " module whose forward calls it"
        )
    if not isinstance(args, tuple | list):
        raise OffloadError(
            f"{caller}: args must be a tuple of the module's inputs, got {type(args).__name__};"
            " write (x,)"
        )
    if kwargs is not None and not isinstance(kwargs, Mapping):
        raise OffloadError(
            f"{caller}: kwargs must be a dictionary of inputs by name, got {type(kwargs).__name__}"
        )
    given, named = tuple(args), dict(kwargs or {})
    if batch is not None:
        given, named = _of_batch(torch, (given, named), batch, caller)
    table = torch.export.default_decompositions()
    for kept in kept_whole():
        table.pop(kept, None)
    with needed.quiet(), torch.device(_device(torch, module)) as device:
        if device.type == "meta":
            given, named = _on_meta(torch, (given, named))
        try:
            program = torch.export.export(module, given, named, strict=False)
            return program.run_decompositions(table)
        except Exception as error:  # whatever the module or the exporter raises
            raise OffloadError(f"{caller}: {_reason(torch, module, error)}") from None


def _device(torch: Any, module: Any) -> Any:
    """Where the module's tensors are; what its forward makes has to be there too."""
    for tensor in (*module.parameters(), *module.buffers()):
        return tensor.device
    return torch.get_default_device()


def _on_meta(torch: Any, inputs: Any) -> Any:
    def moved(value: Any) -> Any:
        return value.to("meta") if isinstance(value, torch.Tensor) else value

    return torch.utils._pytree.tree_map(moved, inputs)


def _of_batch(torch: Any, inputs: Any, batch: int, caller: str) -> Any:
    """Inputs of another batch, of zeros, which are valid positions in any table too."""
    tree = torch.utils._pytree
    leaves = [leaf for leaf in tree.tree_leaves(inputs) if isinstance(leaf, torch.Tensor)]
    if not leaves or not leaves[0].dim():
        raise OffloadError(
            f"{caller}: batch needs a first input with a first dimension, got"
            f" {tuple(leaves[0].shape) if leaves else 'no tensor'}; give inputs of that batch"
        )
    known = leaves[0].shape[0]

    def filled(value: Any) -> Any:
        if isinstance(value, torch.Tensor) and value.dim() and value.shape[0] == known:
            return value.new_zeros((batch, *value.shape[1:]))
        return value

    return tree.tree_map(filled, inputs)


def _reason(torch: Any, module: Any, error: Exception) -> str:
    """One line on an export that failed."""
    what, text = (
        type(module).__name__,
        one_line((str(error).strip() or "no reason").splitlines()[0]),
    )
    depends = "DataDependent" in type(error).__name__ or "data-dependent" in str(error)
    if depends:
        fix = (
            "its control flow depends on the values of a tensor; choose with torch.where, or cut"
            " the module there and make a graph of each part"
        )
    else:
        fix = "call module(*args, **kwargs) to see whether it takes these inputs"
    return f"{what} cannot be exported ({type(error).__name__}: {text}); {fix}"


def calls(found: Any) -> list[tuple[Any, list[Any]]]:
    """The operations of an exported program: its node, and the nodes of the tensors it gives.

    Of an operation with several results the latter are those that take one of them out.
    """
    made = []
    for node in found.graph.nodes:
        if node.op == "call_function" and node.target is not operator.getitem:
            taken = [user for user in node.users if user.target is operator.getitem]
            made.append((node, taken or [node]))
        elif node.op == "get_attr":
            raise OffloadError(
                f"model: control flow in the graph ({node.target}) is not supported; leave"
                " torch.cond and the like out of the forward function"
            )
    return made


def tied_names(module: Any) -> dict[str, str]:
    """The first name of each parameter's and buffer's tensor, by any of its names."""
    first: dict[int, str] = {}
    names = {}
    for listed in (module.named_parameters, module.named_buffers):
        for name, tensor in listed(remove_duplicate=False):
            names[name] = first.setdefault(id(tensor), name)
    return names


def program_of(found: Any, module: Any, options: Options) -> Program:
    """An exported module as a program."""
    torch = needed.torch()
    signature = found.graph_signature
    tied = tied_names(module)
    constants = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    sizes, parameters, held = {}, {}, {}
    for node in found.graph.nodes:
        value = node.meta.get("val")
        if node.op == "placeholder" and node.name in constants:
            held[node.name] = tied.get(constants[node.name], constants[node.name])
            learnt = node.name in signature.inputs_to_parameters
            parameters[held[node.name]] = _size(value, node.name, options.width, learnt)
        elif isinstance(value, torch.Tensor):
            sizes[node.name] = _size(value, node.name, options.width)
    operations = [
        _operation(node, given, sizes, held, options.elementwise) for node, given in calls(found)
    ]
    return Program(
        tuple(operations),
        sizes,
        tuple(name for name in signature.user_inputs if name in sizes),
        tuple(dict.fromkeys(name for name in signature.user_outputs if name in sizes)),
        parameters,
    )


def _size(value: Any, name: str, width: float | None, learnt: bool = True) -> Size:
    """Bytes of a tensor, its floating-point numbers ``width`` bytes each if that is given."""
    elements = value.numel()
    if not isinstance(elements, int):
        raise OffloadError(
            f"model: the size of {name!r} depends on data ({elements} elements); a plan needs sizes"
            " that the inputs' shapes fix: pad to the largest"
        )
    floating = value.dtype.is_floating_point
    each = value.dtype.itemsize if width is None or not floating else width
    return Size(elements * each, floating and learnt)


def _operation(
    node: Any, given: list[Any], sizes: Mapping[str, Size], held: Mapping[str, str], every: bool
) -> Operation:
    torch = needed.torch()
    read = [argument.name for argument in node.all_input_nodes]
    args, kwargs = torch.fx.node.map_arg((node.args, node.kwargs), lambda n: n.meta["val"])
    work = flops(node.target, args, kwargs, node.meta["val"])
    moves = work is None and moves_only(node.target)
    if work is None:
        tensors = [n.meta["val"] for n in given if isinstance(n.meta["val"], torch.Tensor)]
        computed = [t.numel() for t in tensors if t.dtype.is_floating_point]
        work = float(sum(computed)) if every and not moves else 0.0
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path = stack[-1][0].split(".") if stack and stack[-1][0] else []
    return Operation(
        node.name,
        tuple(path),
        work,
        tuple(name for name in read if name in sizes),
        tuple(n.name for n in given if n.name in sizes),
        tuple(dict.fromkeys(held[name] for name in read if name in held)),
        moves,
    )
