"""Task graphs of PyTorch modules: :func:`from_torch`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from offload.models.graphs import modelled
from offload.models.options import PIN, checked_options, counted
from offload.models.torch_programs import exported, program_of
from offload.problem import Graph

__all__ = ["from_torch"]


def from_torch(
    module: Any,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    batch: int | None = None,
    blocks: int | None = None,
    pin: Sequence[str] | None = PIN,
    dtype: Any = None,
    elementwise: bool = False,
    training: bool = False,
    contiguous: bool | None = None,
) -> Graph:
    """The task graph of a PyTorch module.

    The module is exported with ``torch.export`` for these inputs, and its operations are
    decomposed, but none is run: it may be on the meta device, where it takes no memory.

    Parameters
    ----------
    module : torch.nn.Module
        In the mode, training or evaluation, that it is in; mostly ``module.eval()`` is meant.
    args, kwargs
        Inputs as ``module(*args, **kwargs)`` takes them. Their shapes count, and not what is in
        them. For a module on the meta device they are moved there.
    batch
        As if the inputs were of a batch of so many: in place of the first dimension of the first
        tensor, and of all others whose first dimension is as long. By default that of the inputs.
    blocks
        At most so many tasks that compute, made by grouping operations by module; by default one
        task an operation with work, those without work contracted into it.
    pin
        Selectors of the nodes that have the input and want the output: a first task ``input`` and
        a last task ``output``, without work, are allowed there only, so that a plan pays for the
        upload and for the answer. By default the devices, for without the ends the cheapest plan
        is often to have everything far away from the data; ``None`` leaves them out.
    dtype
        Counts bytes as if the model ran in that type: a ``torch.dtype``, a name such as
        ``"float16"``, or bytes an element. Integers and booleans stay as they are.
    elementwise
        Whether each floating-point element that another operation computes counts one FLOP.
    training
        Adds the backward pass: to each task a twin with twice the work that holds the gradients
        of its parameters, on the same node, and gradients as edges.
    contiguous
        Adds a group by which each node has a convex part of the (forward) tasks: a pipeline. By
        default with ``training`` alone.

    Returns
    -------
    Graph
        Tasks with ``work`` in FLOPs, 2 for a multiply-add, and ``resident`` bytes of the
        parameters and buffers that they use, tied ones with the first task that does. Edges with
        an item a tensor and its bytes.

    Raises
    ------
    OffloadError
        For what is no module, inputs that do not fit, forward functions whose control flow or
        shapes depend on data, or options out of range.
    SolverUnavailable
        Where PyTorch is not installed.
    """
    options = checked_options(blocks, pin, dtype, elementwise, training, contiguous)
    if batch is not None:
        counted("batch", batch)
    found = exported(module, args, kwargs, "from_torch", batch)
    return modelled(program_of(found, module, options), options).graph
