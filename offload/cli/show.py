"""``offload show``: an instance or a plan for people to read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offload.cli.arguments import Ascii, Json, Quiet, Verbose
from offload.cli.output import Session
from offload.cli.values import one_standard_input, stem, whole
from offload.errors import InstanceError, Issue, OffloadError

if TYPE_CHECKING:
    from offload.problem import Problem

EXAMPLE = """
offload show instances/topcuoglu-2002.json

offload show topcuoglu-2002.plan.json -i instances/topcuoglu-2002.json --transfers
"""
_TRIED = 200  # files that are looked at in search of a plan's instance


def command(
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Instance or plan file; - is standard input.")
    ],
    instance: Annotated[
        str | None,
        typer.Option(
            "--instance",
            "-i",
            metavar="INSTANCE",
            help="The instance that a plan is for. Default: looked for near the plan.",
        ),
    ] = None,
    transfers: Annotated[
        bool, typer.Option("--transfers", help="Draw transfers between nodes too.")
    ] = False,
    rows: Annotated[
        int,
        typer.Option(
            "--rows",
            "-n",
            parser=whole("--rows", 1),
            metavar="N",
            help="Rows of each table at most.",
        ),
    ] = 20,
    json: Json = False,
    ascii: Ascii = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:
    """Show an instance (counts, nodes, links, tasks) or a plan (metrics, loads, Gantt, causes).

    Without --instance a plan's instance is found by its digest among the files near the plan and
    in the current folder.
    """
    session = Session.of(context, verbose=verbose, quiet=quiet, ascii=ascii)
    one_standard_input(FILE=file, **{"--instance": instance})

    from offload.files import loads, read_bytes

    raw = read_bytes(file)
    name = "standard input" if file == "-" else file
    if _format(raw, name) != "offload-plan/1":
        from offload.cli.instance_report import instance_json, show_instance

        problem = loads(raw, source=name)
        if json:
            session.json(instance_json(problem))
        else:
            show_instance(session, problem, rows=rows)
        return 0
    from offload.cli.plan_report import plan_json, show_plan
    from offload.plan_files import loads_plan

    plan = loads_plan(raw, _instance_of(file, raw, instance, session), source=name)
    if json:
        session.json(plan_json(plan))
    else:
        show_plan(session, plan, rows=rows, transfers=transfers)
    return 0


def _format(raw: bytes, source: str) -> str | None:
    """What a file says it is; ``None`` where that is for the reader of instances to refuse."""
    found = _head(raw).get("format")
    if found is None or found in ("offload-instance/1", "offload-plan/1"):
        return found
    fix = 'write "offload-instance/1" or "offload-plan/1"'
    raise InstanceError(
        [Issue("$.format", "is neither an instance nor a plan", found, fix)], source
    )


def _head(raw: bytes) -> dict[str, Any]:
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


def _instance_of(path: str, raw: bytes, given: str | None, session: Session) -> Problem:
    """The instance that a plan was made for: the one given, or one found by its digest.

    Raises
    ------
    OffloadError
        If none is given and none is found.
    """
    from offload.files import load, loads, read_bytes

    if given is not None:
        return load(given)
    head = _head(raw)
    for candidate in _candidates(path, str(head.get("instance") or "")):
        try:
            body = read_bytes(candidate)
            if _head(body).get("format") != "offload-instance/1":
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
