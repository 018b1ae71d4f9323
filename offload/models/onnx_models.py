"""Task graphs of ONNX files: :func:`from_onnx`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from offload.models.graphs import modelled
from offload.models.onnx_programs import program_of, read
from offload.models.options import PIN, checked_options, counted
from offload.problem import Graph

__all__ = ["from_onnx"]


def from_onnx(
    path: str | os.PathLike[str],
    *,
    batch: int = 1,
    sizes: Mapping[str, int] | None = None,
    blocks: int | None = None,
    pin: Sequence[str] | None = PIN,
    dtype: Any = None,
    elementwise: bool = False,
    training: bool = False,
    contiguous: bool | None = None,
) -> Graph:
    """The task graph of an ONNX file, by ONNX's shape inference; PyTorch is not needed.

    Parameters
    ----------
    path
        The file. Weights that it keeps in files of their own are not read.
    batch
        Takes the place of an input's first dimension where that has no number.
    sizes
        Numbers for other dimensions that have a name: ``{"sequence": 128}``.
    blocks, pin, dtype, elementwise, training, contiguous
        As in :func:`offload.models.from_torch`. Blocks go by the nodes' names, which are paths of
        modules in files that PyTorch has written.

    Returns
    -------
    Graph
        As of :func:`offload.models.from_torch`. Initializers are the parameters; vectors and
        scalars of integers, which are shapes and axes, do not count.

    Raises
    ------
    OffloadError
        For a file that cannot be read or is no model, tensors whose size is not known, control
        flow (``If``, ``Loop``, ``Scan``), or options out of range.
    SolverUnavailable
        Where the package onnx is not installed.
    """
    options = checked_options(blocks, pin, dtype, elementwise, training, contiguous)
    counted("batch", batch)
    for name, size in (sizes or {}).items():
        counted(f"sizes[{name!r}]", size)
    name = os.fspath(path)
    model, weights = read(name, batch, dict(sizes or {}))
    return modelled(program_of(model, weights, name, options), options).graph
