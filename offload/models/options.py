"""What a user may ask of a model's graph, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from offload.errors import OffloadError

__all__ = ["PIN", "Options", "checked_options", "counted", "width_of"]

PIN = ("tier:device",)

# Bytes of an element, by the name that PyTorch and ONNX give its type.
_WIDTHS = {
    "float64": 8.0, "float32": 4.0, "float16": 2.0, "bfloat16": 2.0, "float8": 1.0, "int8": 1.0,
    "int4": 0.5,
}  # fmt: skip


@dataclass(frozen=True)
class Options:
    """Options that are right: ``width`` is bytes of a floating-point element, or as they are."""

    blocks: int | None
    pin: tuple[str, ...] | None
    width: float | None
    elementwise: bool
    training: bool
    contiguous: bool


def checked_options(
    blocks: int | None,
    pin: Sequence[str] | None,
    dtype: Any,
    elementwise: bool,
    training: bool,
    contiguous: bool | None,
) -> Options:
    """The options, or one error for the first that is wrong."""
    if blocks is not None:
        counted("blocks", blocks)
    if isinstance(pin, str):
        raise OffloadError(f"pin: must be a list of selectors, got {pin!r}; write ({pin!r},)")
    listed = isinstance(pin, tuple | list) and bool(pin)
    if pin is not None and not (listed and all(isinstance(name, str) and name for name in pin)):
        raise OffloadError(
            f"pin: must be selectors of nodes, got {pin!r}; write ('tier:device',), or None for a"
            " graph without the ends"
        )
    for name, value in (("elementwise", elementwise), ("training", training)):
        if not isinstance(value, bool):
            raise OffloadError(f"{name}: must be True or False, got {value!r}")
    return Options(
        blocks,
        None if pin is None else tuple(pin),
        width_of(dtype),
        elementwise,
        training,
        training if contiguous is None else bool(contiguous),
    )


def counted(name: str, value: Any, least: int = 1) -> int:
    """The value, if it is an integer of at least so much."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OffloadError(f"{name}: must be an integer of at least {least}, got {value!r}")
    return value


def width_of(dtype: Any) -> float | None:
    """Bytes of an element of a type given by name, as a ``torch.dtype`` or in bytes."""
    if dtype is None:
        return None
    if isinstance(dtype, int | float) and not isinstance(dtype, bool):
        if 0 < dtype <= 16:
            return float(dtype)
    elif (width := _WIDTHS.get(str(dtype).removeprefix("torch."))) is not None:
        return width
    raise OffloadError(
        f"dtype: unknown, got {dtype!r}; write one of {', '.join(_WIDTHS)}, or bytes an element"
    )
