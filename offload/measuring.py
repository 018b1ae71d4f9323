"""This machine and its codecs, measured: :func:`profile`."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offload.catalogue import checked
from offload.errors import OffloadError
from offload.problem import Codec, Node

__all__ = ["Measured", "profile"]

_LARGEST = 16 << 20  # bytes of a sample that are used
_SMALLEST, _WIDEST = 256, 4096  # rows of the matrices
_STEADY = 0.05  # seconds that one product should take at least

_Pair = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]


@dataclass(frozen=True)
class Measured:
    """What was measured, as entries of an instance.

    Attributes
    ----------
    node
        This machine with one slot, the whole of it; its speed is FP32 operations a second.
    codecs
        Those that shrink the sample; empty without a sample.
    left_out
        Names of codecs that are not among them, with the reason.
    """

    node: Node
    codecs: tuple[Codec, ...]
    left_out: dict[str, str]


def profile(
    sample: bytes | str | os.PathLike[str] | None = None,
    *,
    id: str = "this-machine",
    seconds: float = 1.0,
    **changes: Any,
) -> Measured:
    """Measure this machine, and codecs on a sample of one's own data.

    Parameters
    ----------
    sample
        Data as they will be sent, or a file of them (``-`` is standard input); at most the first
        16 MiB count.
    id
        Id of the node.
    seconds
        How long to measure the speed, and each codec in each direction, at most; at least one run.
    **changes
        Fields of :class:`~offload.Node` to add: ``tier``, ``busy_power``, ``kind``, ...

    Returns
    -------
    Measured
        A node and codecs. An operation is a single-precision floating-point operation of a matrix
        product, 2 n^3 for n x n matrices: the unit of :func:`offload.profiles`, but sustained, so
        it needs no derating. A codec's operations a byte are its seconds a byte times that speed:
        on this machine its times are those measured, on others they scale with the speed.

    Raises
    ------
    OffloadError
        For a sample that cannot be read or is empty, or numbers out of range.

    Notes
    -----
    Codecs: zlib at levels 1, 6 and 9; deflate with Huffman coding alone (RFC 1951,
    ``Z_HUFFMAN_ONLY``); Zstandard at 1, 3 and 9, and LZ4, where the extra ``io`` is installed. The
    best of all runs counts: whatever else the machine does makes runs longer, never shorter.
    """
    if not 0 < seconds <= 600:
        raise OffloadError(f"seconds: must be above 0 and at most 600, got {seconds!r}")
    changes = checked(Node, changes)
    data = _read(sample)
    speed = _speed(seconds)
    codecs: list[Codec] = []
    left_out: dict[str, str] = {}
    for name, pair in _codecs() if data else ():
        found = None if pair is None else _measured(name, pair, data, speed, seconds)
        if isinstance(found, Codec):
            codecs.append(found)
        else:
            left_out[name] = found or "not installed; pip install 'offload[io]'"
    fields: dict[str, Any] = {"speed": speed, "memory": _memory(), **changes}
    return Measured(Node(id, **fields), tuple(codecs), left_out)


def _read(sample: bytes | str | os.PathLike[str] | None) -> bytes:
    """The start of a sample; empty without one."""
    if sample is None:
        return b""
    if isinstance(sample, bytes):
        data, name = sample, "sample"
    else:
        name = os.fspath(sample)
        try:
            if name == "-":
                data = sys.stdin.buffer.read(_LARGEST)
            else:
                with Path(name).open("rb") as stream:
                    data = stream.read(_LARGEST)
        except OSError as error:
            raise OffloadError(f"{name}: cannot be read ({error.strerror})") from None
    if not data:
        raise OffloadError(f"{name}: is empty; give some data as they will be sent")
    return data[:_LARGEST]


def _best(work: Callable[[], object], seconds: float) -> float:
    """The least time of as many runs as fit; at least two, the first to warm up."""
    work()
    best, began = float("inf"), time.perf_counter()
    while True:
        start = time.perf_counter()
        work()
        end = time.perf_counter()
        best = min(best, end - start)
        if end - began >= seconds:
            return max(best, 1e-9)


def _speed(seconds: float) -> float:
    """FP32 operations a second of a matrix product that takes long enough to be timed."""
    import numpy as np

    rng, rows = np.random.default_rng(0), _SMALLEST
    while True:
        left, right = (rng.random((rows, rows), dtype=np.float32) for _ in range(2))
        once = _best(functools.partial(np.matmul, left, right), 0.0)
        if once >= _STEADY or rows >= _WIDEST:
            break
        rows *= 2
    best = min(once, _best(functools.partial(np.matmul, left, right), seconds))
    return float(f"{2 * rows**3 / best:.4g}")


def _memory() -> float | None:
    """Bytes of memory that this process may have; ``None`` where the system does not say."""
    found = []
    with contextlib.suppress(AttributeError, OSError, ValueError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with contextlib.suppress(OSError, ValueError):  # the limit of a container; "max" is none
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    usable = [value for value in found if value > 0]
    return float(min(usable)) if usable else None


def _codecs() -> Iterator[tuple[str, _Pair | None]]:
    """Each codec's name, and how it packs and unpacks; ``None`` where it is not installed."""
    for level in (1, 6, 9):
        yield f"zlib-{level}", (functools.partial(zlib.compress, level=level), zlib.decompress)
    yield "deflate-huffman", (_huffman, zlib.decompress)
    zstandard = _module("zstandard")
    for level in (1, 3, 9):
        yield f"zstd-{level}", zstandard and (
            zstandard.ZstdCompressor(level).compress, zstandard.ZstdDecompressor().decompress
        )  # fmt: skip
    lz4 = _module("lz4.frame")
    yield "lz4", lz4 and (lz4.compress, lz4.decompress)


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _huffman(data: bytes) -> bytes:
    """Deflate without a search for repetitions."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_HUFFMAN_ONLY)
    return packer.compress(data) + packer.flush()


def _measured(name: str, pair: _Pair, data: bytes, speed: float, seconds: float) -> Codec | str:
    """The codec on the sample, or why it is none."""
    pack, unpack = pair
    packed = pack(data)
    if unpack(packed) != data:
        return "does not give the sample back"
    ratio = len(data) / len(packed)
    if ratio <= 1:
        return f"makes the sample larger ({len(packed)} of {len(data)} bytes)"
    encode, decode = (
        _best(functools.partial(work, given), seconds) * speed / len(data)
        for work, given in ((pack, data), (unpack, packed))
    )
    return Codec(name, *(float(f"{value:.4g}") for value in (ratio, encode, decode)))
