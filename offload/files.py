"""Reading and writing instances; their canonical form, digest and JSON Schema."""

from __future__ import annotations

import gzip
import io
import os
import secrets
import stat
import sys
import zlib
from pathlib import Path
from typing import IO, Any

import msgspec

from offload.canonical import canonical, digest
from offload.collecting import collector_paused
from offload.errors import NOTHING, InstanceError, Issue, OffloadError, one_line
from offload.instance_writing import dumps
from offload.problem import Problem, _decoded
from offload.typechecks import Malformed, duplicates_keys, parse, type_issues

__all__ = [
    "canonical",
    "digest",
    "dumps",
    "load",
    "loads",
    "read_bytes",
    "save",
    "schema",
    "unpacked",
    "write_bytes",
]

_PIECE = 1 << 22  # bytes
_LARGEST = 8 << 30  # bytes after decompression: a guard against files made to exhaust memory


def load(path: str | os.PathLike[str]) -> Problem:
    """Read an instance file, plain or gzip-compressed; ``-`` is standard input.

    Raises
    ------
    InstanceError
        With everything that is wrong with the file, each with path, value and fix.
    OffloadError
        If the file cannot be read.
    """
    name = "standard input" if os.fspath(path) == "-" else os.fspath(path)
    return loads(read_bytes(path), source=str(name))


def loads(raw: bytes | str, source: str | None = None) -> Problem:
    """An instance from JSON text; ``source`` stands in front of the errors."""
    data = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
    try:
        with collector_paused():
            return _decode(data)
    except InstanceError as error:
        raise InstanceError(error.issues, source) from None


def _decode(raw: bytes) -> Problem:
    token = _decoded.set(True)
    try:
        plain = msgspec.json.decode(raw)
        suspicious = (
            not isinstance(plain, dict) or "format" not in plain or duplicates_keys(raw, plain)
        )
        del plain
        problem = None if suspicious else msgspec.json.decode(raw, type=Problem)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        problem = None
    finally:
        _decoded.reset(token)
    return problem if problem is not None else _decode_slowly(raw)


def _decode_slowly(raw: bytes) -> Problem:
    """Find every mismatch of a file that the fast decoder refused or suspects."""
    try:
        parsed = parse(raw)
    except Malformed as error:
        raise InstanceError([error.issue]) from None
    issues = type_issues(parsed, Problem)
    if issues:
        raise InstanceError(issues)
    token = _decoded.set(True)
    try:
        return msgspec.convert(parsed, Problem)
    except (msgspec.ValidationError, ValueError, OverflowError) as error:
        raise InstanceError([Issue("$", str(error), NOTHING)]) from None
    finally:
        _decoded.reset(token)


def save(problem: Problem, path: str | os.PathLike[str]) -> None:
    """Write an instance file, whole or not at all; gzip where the name ends in ``.gz``."""
    many = len(problem.graph.tasks) > 1000
    write_bytes(path, dumps(problem, indent=None if many else 1).encode())


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the instance file."""
    # By way of text, so that the lists in it are lists.
    made = msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(Problem)))
    for part in made["$defs"].values():
        part["description"] = part["description"].partition("\n\n")[0]
    tag = made["$defs"]["Problem"]["properties"]["format"]
    tag["description"] = "the format and its version"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "offload-instance/1",
        "description": "A task graph, a network, and what to minimize under limits. SI units.",
        **made,
    }


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """A file's bytes, decompressed if they are gzip; ``-`` is standard input."""
    try:
        raw = sys.stdin.buffer.read() if os.fspath(path) == "-" else Path(path).read_bytes()
    except FileNotFoundError:
        raise OffloadError(f"{path}: no such file; check the path") from None
    except IsADirectoryError:
        raise OffloadError(f"{path}: is a folder; name a file in it") from None
    except (OSError, ValueError) as error:
        raise OffloadError(f"{one_line(str(path))}: cannot be read ({_why(error)})") from None
    return unpacked(raw, os.fspath(path))


def unpacked(raw: bytes, name: str) -> bytes:
    """A file's bytes, decompressed if they are gzip; ``name`` stands in front of the errors.

    Raises
    ------
    OffloadError
        If they are a broken gzip file.
    """
    if raw[:2] != b"\x1f\x8b":
        return raw
    found, size = list[bytes](), 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
            # In pieces: one read of the most allowed would take that much memory at once.
            while size <= _LARGEST and (piece := stream.read(_PIECE)):
                found.append(piece)
                size += len(piece)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise OffloadError(f"{name}: not a whole gzip file ({error}); copy it again") from None
    if size > _LARGEST:
        raise OffloadError(f"{name}: more than {_LARGEST} bytes when decompressed")
    return b"".join(found)


def _why(error: OSError | ValueError) -> str:
    return str(getattr(error, "strerror", None) or error)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file whole or not at all: a temporary file beside it, flushed, then renamed.

    ``-`` is standard output. A name that ends in ``.gz`` is compressed, the same bytes each time.

    Raises
    ------
    OffloadError
        If the file cannot be written; what was there before is untouched.
    """
    if os.fspath(path) == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    try:
        target = Path(path)
        if target.suffix == ".gz":
            data = gzip.compress(data, compresslevel=6, mtime=0)
        # A pipe or a device is written as it is: renaming over it would replace it by a file.
        if target.exists() and not target.is_file():
            target.write_bytes(data)
        else:
            _replace(target.resolve(), data)  # a symbolic link stays one
    except (OSError, ValueError) as error:
        raise OffloadError(f"{one_line(str(path))}: cannot be written ({_why(error)})") from None


def _replace(target: Path, data: bytes) -> None:
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        if not _write_nameless(temporary, data):
            with temporary.open("xb") as stream:
                _write_through(stream, data)
        if target.exists():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _write_nameless(path: Path, data: bytes) -> bool:
    """Write a file that gets its name once it is whole, so that a killed process leaves none.

    False where the system has no such files.
    """
    try:
        descriptor = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o666)
    except (AttributeError, OSError):
        return False
    with os.fdopen(descriptor, "wb") as stream:
        _write_through(stream, data)
        try:
            # The folder is ignored, but only with one does the call follow the link to the file.
            os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor)
        except OSError:
            return False
    return True


def _write_through(stream: IO[bytes], data: bytes) -> None:
    stream.write(data)
    stream.flush()
    os.fsync(stream.fileno())
