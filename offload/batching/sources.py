"""The instances of a batch: files, folders of files, and problems made in Python."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from offload.errors import OffloadError, one_line
from offload.problem import Problem

__all__ = ["Source", "find_sources"]

_ENDINGS = (".json", ".json.gz")
_NOT = (".plan.json", ".plan.json.gz")
_CHUNK = 1 << 20


class Source(Struct, frozen=True, kw_only=True):
    """An instance before anybody has looked into it.

    Attributes
    ----------
    path
        How it is named to people.
    file
        Where its file is; ``None`` of a problem made in Python.
    problem
        That problem.
    """

    path: str
    file: str | None = None
    problem: Problem | None = None

    def raw(self) -> str:
        """SHA-256 of its bytes.

        Raises
        ------
        OffloadError
            If the file cannot be read.
        """
        if self.file is None:
            return hashlib.sha256(self.read()).hexdigest()
        made = hashlib.sha256()
        try:
            if not stat.S_ISREG(os.stat(self.file).st_mode):
                raise OffloadError(f"{one_line(self.path)}: is no regular file; name a file")
            with open(self.file, "rb") as stream:
                while chunk := stream.read(_CHUNK):
                    made.update(chunk)
        except OSError as error:
            why = error.strerror or error
            text = f"{one_line(self.path)}: cannot be read ({why}); check its permissions"
            raise OffloadError(text) from None
        return made.hexdigest()

    def read(self) -> bytes:
        """Its bytes."""
        if self.problem is not None:
            from offload.instance_writing import dumps

            return dumps(self.problem).encode()
        assert self.file is not None
        return Path(self.file).read_bytes()


def find_sources(
    inputs: Iterable[str | os.PathLike[str] | Problem], without: Path | None = None
) -> list[Source]:
    """Every instance that is named, in order, each file once.

    A folder stands for the files in it and below that end in ``.json`` or ``.json.gz``, sorted by
    path, but for plans (``.plan.json``), what is hidden, and the folder ``without``.

    Raises
    ------
    OffloadError
        If a path does not exist, or a folder has no such file.
    """
    found: list[Source] = []
    seen: set[str] = set()
    for given in inputs:
        if isinstance(given, Problem):
            name = given.name or "instance"
            found.append(Source(path=name, problem=given))
            continue
        path = Path(given)
        if path.is_dir():
            files = sorted(_within(path, None if without is None else without.resolve()))
            if not files:
                raise OffloadError(
                    f"{one_line(str(path))}: no instance files in it (.json, .json.gz); "
                    "name a folder that has some, or the files"
                )
        elif os.path.lexists(path):
            files = [str(path)]
        else:
            raise OffloadError(f"{one_line(str(path))}: no such file or folder; check the path")
        for file in files:
            real = os.path.realpath(file)
            if real not in seen:
                seen.add(real)
                found.append(Source(path=file, file=real))
    return found


def _within(folder: Path, without: Path | None) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        shown = [name for name in folders if not name.startswith(".")]
        folders[:] = [name for name in shown if Path(place, name).resolve() != without]
        for name in files:
            if name.endswith(_ENDINGS) and not name.endswith(_NOT) and name[0] != ".":
                yield os.path.join(place, name)
