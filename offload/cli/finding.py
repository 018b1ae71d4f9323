"""What a file is, and the instance that a plan was made for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offload.cli.output import Session
from offload.cli.values import stem
from offload.errors import OffloadError

if TYPE_CHECKING:
    from offload.problem import Problem

__all__ = ["head_of", "instance_of"]

_TRIED = 200  # files that are looked at in search of a plan's instance


def head_of(raw: bytes) -> dict[str, Any]:
    """The top-level texts of a JSON object; nothing of what is no such object."""
    import msgspec

    try:
        value = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        return {
            key: msgspec.json.decode(value[key])
            for key in ("format", "instance", "digest")
            if key in value
        }
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


def instance_of(path: str, raw: bytes, given: str | None, session: Session) -> Problem:
    """The instance that a plan was made for: the one given, or one found by its digest.

    Raises
    ------
    OffloadError
        If none is given and none is found.
    """
    from offload.files import load, loads, read_bytes

    if given is not None:
        return load(given)
    head = head_of(raw)
    for candidate in _candidates(path, str(head.get("instance") or "")):
        try:
            body = read_bytes(candidate)
            if head_of(body).get("format") != "offload-instance/1":
                continue
            problem = loads(body)
        except OffloadError:
            continue  # some other file, and no reason to give up
        if problem.digest == head.get("digest"):
            session.note(f"instance: {candidate}")
            return problem
    raise OffloadError(
        f"{path}: no instance file with this plan's digest was found near it, got instance "
        f"{str(head.get('instance') or '')!r}; name it with --instance FILE"
    )


def _candidates(path: str, name: str) -> Iterator[Path]:
    """Instance files near a plan: those of its name first, then all others, each once."""
    here = Path() if path == "-" else Path(path).parent
    folders = [here, here / "instances", Path(), Path("instances")]
    stems = [name, stem(path, name).removesuffix(".plan")]
    likely = [
        folder / f"{one}{ending}"
        for folder in folders
        for one in stems
        if one and "/" not in one
        for ending in (".json", ".json.gz")
    ]
    others = (
        file
        for folder in folders
        if folder.is_dir()
        for pattern in ("*.json", "*.json.gz")
        for file in sorted(folder.glob(pattern))
    )
    seen: set[Path] = set()
    for file in (*likely, *others):
        if len(seen) >= _TRIED:
            return
        if file.resolve() not in seen and file.is_file():
            seen.add(file.resolve())
            yield file
