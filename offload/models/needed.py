"""The packages that models need, imported when they are, with one error where they are absent."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from offload.errors import SolverUnavailable

__all__ = ["onnx", "quiet", "torch"]

_FIX = 'pip install "offload[models]"'
_NOISY = (
    "torch._subclasses.fake_tensor", "torch.export._trace", "torch.fx.experimental.symbolic_shapes",
)  # fmt: skip


def torch() -> Any:
    """The package torch, with the modules that are used.

    Raises
    ------
    SolverUnavailable
        Where it is not installed, or does not load.
    """
    for part in ("torch.export", "torch.fx", "torch.utils._pytree", "torch.utils.flop_counter"):
        _needed(part, "PyTorch")
    return _needed("torch", "PyTorch")


def onnx() -> Any:
    """The package onnx with the modules that are used; raises as :func:`torch` does."""
    for part in ("onnx.checker", "onnx.inliner", "onnx.shape_inference"):
        _needed(part, "ONNX")
    return _needed("onnx", "ONNX")


def _needed(name: str, title: str) -> Any:
    if (there := sys.modules.get(name)) is not None:
        return there
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except (ImportError, OSError) as error:
        raise SolverUnavailable(
            f"offload.models needs {title}, which does not load ({error}); {_FIX}"
        ) from None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """While PyTorch exports: what it prints and logs on the way to an error is in the error."""

    def nothing(record: logging.LogRecord) -> bool:
        return False

    loggers = [logging.getLogger(name) for name in _NOISY]
    for logger in loggers:
        logger.addFilter(nothing)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger in loggers:
            logger.removeFilter(nothing)
