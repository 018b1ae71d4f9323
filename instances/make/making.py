"""What the scripts of this folder share: where the data is, and how an instance is written."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from offload import Link, Problem, save

INSTANCES = Path(__file__).resolve().parent.parent
REPOSITORY = INSTANCES.parent

Makers = Callable[[Path], Iterable[Problem]]


def data_folder(argument: str | None = None) -> Path:
    """The benchmark data: the argument, else ``OFFLOAD_DATA``, else ``../shared/data``."""
    named = argument or os.environ.get("OFFLOAD_DATA")
    return Path(named) if named else REPOSITORY.parent / "shared" / "data"


def complete(nodes: Iterable[str], bandwidth: float) -> tuple[Link, ...]:
    """A link of one bandwidth between each two nodes."""
    ids = list(nodes)
    pairs = [(a, b) for position, a in enumerate(ids) for b in ids[position + 1 :]]
    return tuple(Link(a, b, bandwidth=bandwidth) for a, b in pairs)


def run(make: Makers) -> None:
    """Make the instances of one source and write each to ``instances/<name>.json``."""
    if len(sys.argv) > 2:
        sys.exit(f"usage: python {sys.argv[0]} [DATA_FOLDER]")
    data = data_folder(sys.argv[1] if len(sys.argv) == 2 else None)
    try:
        for problem in make(data):
            save(problem, INSTANCES / f"{problem.name}.json")
            print(INSTANCES / f"{problem.name}.json")
    except FileNotFoundError as error:
        sys.exit(f"{error.filename}: no such file; name the folder of the data as the argument")
