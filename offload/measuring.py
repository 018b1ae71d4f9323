"""This machine as a node and codecs on the user's own data, measured: :func:`profile`."""

from __future__ import annotations

import importlib
import os
import platform
import time
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from offload.errors import OffloadError
from offload.problem import Codec, Node

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Measured", "measure_speed", "profile"]

_SIDE = 768  # rows of the matrices that are multiplied: well beyond what calls cost
_TIMES = 3  # runs of a codec, of which the fastest counts
_LEAST = 0.02  # CPU seconds that a run of a codec lasts at least

Pack = Callable[[bytes], bytes]


class Measured(NamedTuple):
    """A node and codecs, ready for an instance."""

    node: Node
    codecs: tuple[Codec, ...]

    def to_frame(self) -> pd.DataFrame:
        """A row a codec: ratio, operations a byte, and bytes a second of this machine."""
        import pandas as pd

        speed = self.node.speed
        return pd.DataFrame({
            "codec": [codec.id for codec in self.codecs],
            "ratio": [codec.ratio for codec in self.codecs],
            "encode": [codec.encode for codec in self.codecs],
            "decode": [codec.decode for codec in self.codecs],
            "encode_rate": [speed / codec.encode for codec in self.codecs],
            "decode_rate": [speed / codec.decode for codec in self.codecs],
        })  # fmt: skip


def profile(sample: bytes | None = None, seconds: float = 1.0, name: str | None = None) -> Measured:
    """Measure this machine, and codecs on a sample of the user's data.

    Parameters
    ----------
    sample
        Bytes as they would be sent; at least some kilobytes. Without it, no codecs.
    seconds
        CPU seconds to spend on the speed of the machine.
    name
        Id of the node; the machine's name by default.

    Returns
    -------
    Measured
        The node's ``speed`` is single-precision operations a second of one process, by multiplying
        matrices; ``memory`` is what is installed, in bytes. Powers and prices cannot be measured
        and are 0. Codecs are zlib at levels 1 and 6, deflate with Huffman codes alone, and
        Zstandard and LZ4 where they are installed (``pip install 'offload[io]'``): ``ratio`` on the
        sample, ``encode`` and ``decode`` in operations a byte: CPU seconds a byte times the speed.

    Raises
    ------
    OffloadError
        For an empty sample, or no time to measure in.

    Examples
    --------
    >>> import offload
    >>> made = offload.profile(b"the same words again and again " * 1000, seconds=0.1)
    >>> made.codecs[0].id, made.codecs[0].ratio > 10
    ('zlib-1', True)
    """
    if not seconds > 0:
        raise OffloadError(f"seconds: must be > 0, got {seconds!r}")
    if sample is not None and not len(sample):
        raise OffloadError(
            "sample: must not be empty, got 0 bytes; give some kilobytes of your data"
        )
    speed = measure_speed(seconds)
    node = Node(
        name or platform.node() or "this-machine", tier="device", kind=platform.machine(),
        speed=speed, memory=_memory(),
    )  # fmt: skip
    codecs = () if sample is None else tuple(_measure(bytes(sample), speed))
    return Measured(node, codecs)


def measure_speed(seconds: float = 1.0) -> float:
    """Single-precision operations a second of one process: products of matrices, the fastest."""
    rng = np.random.default_rng(0)
    left, right = (rng.random((_SIDE, _SIDE), np.float32) for _ in range(2))
    product = left @ right  # once, so that what is loaded on first use does not count
    best, until = 0.0, time.process_time() + seconds
    while True:
        # Threads of the library that multiplies count together: wall time, not CPU time.
        begun = time.perf_counter()
        np.matmul(left, right, out=product)
        best = max(best, 2.0 * _SIDE**3 / (time.perf_counter() - begun))
        if time.process_time() >= until:
            return best


def _memory() -> float | None:
    """Bytes of memory installed; ``None`` where the system does not say."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return None


def _measure(sample: bytes, speed: float) -> Iterator[Codec]:
    """Each codec on the sample; those that make it no smaller have ratio 1."""
    for name, pack, unpack in _codecs():
        packed = pack(sample)
        if unpack(packed) != sample:
            raise OffloadError(f"codec {name}: does not give the sample back")
        yield Codec(
            name, ratio=max(1.0, len(sample) / len(packed)),
            encode=_seconds(pack, sample) / len(sample) * speed,
            decode=_seconds(unpack, packed) / len(sample) * speed,
        )  # fmt: skip


def _seconds(work: Pack, data: bytes) -> float:
    """CPU seconds of one run, the fastest of a few; short ones are repeated."""
    best = float("inf")
    for _ in range(_TIMES):
        runs, begun = 0, time.process_time()
        while not runs or time.process_time() - begun < _LEAST:
            work(data)
            runs += 1
        best = min(best, (time.process_time() - begun) / runs)
    return best


def _codecs() -> Iterator[tuple[str, Pack, Pack]]:
    """Name, compression and decompression of each codec that there is."""
    yield "zlib-1", lambda data: zlib.compress(data, 1), zlib.decompress
    yield "zlib-6", lambda data: zlib.compress(data, 6), zlib.decompress
    yield "huffman", _huffman, zlib.decompress
    try:
        import zstandard
    except ImportError:
        pass
    else:
        packer, unpacker = zstandard.ZstdCompressor(level=3), zstandard.ZstdDecompressor()
        yield "zstd-3", packer.compress, unpacker.decompress
    try:
        lz4 = importlib.import_module("lz4.frame")  # has no types
    except ImportError:
        return
    yield "lz4", lz4.compress, lz4.decompress


def _huffman(data: bytes) -> bytes:
    """Deflate without matches: Huffman codes alone."""
    packer = zlib.compressobj(
        6, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_HUFFMAN_ONLY
    )
    return packer.compress(data) + packer.flush()
