"""Instances that already stand in this library's format: the edge and the SAGA sets.

Run from the repository root: ``python instances/make/published.py [DATA_FOLDER]``. Only name,
description, source and (SAGA) reference_bytes are written anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec
from making import run

from offload import Problem, load

EDGE = (
    "Made for this library, set edge, instance {stem}, {drawn}; licence MIT, as this repository."
    " Best known: {known}."
)
SAGA = (
    "Random numbers drawn for this library, set saga, instance {stem}, {drawn}; licence MIT, as"
    " this repository. Makespans of schedulers of SAGA 2.1.0 (J. Coleman, B. Krishnamachari,"
    " github.com/ANRGUSC/saga) on it: {known}."
)
EDGE_TEXT = (
    "Layered random graph on device, edge and cloud nodes (slow to fast; tiers are not marked),"
    " {what}. Times are whole ticks, read as seconds; sources are bound to a device; resident bytes"
    " against memory limits; energy on tasks and links; no contention. No unit but the tick."
)
SAGA_TEXT = (
    "Layered random graph on unlike machines with a link of its own speed between each two, {what}."
    " Work, speeds and sizes have no unit. Each pair uses its own link, never a detour"
    " (reference_bytes 0), as the schedulers that it was made to compare do."
)


class Copied(NamedTuple):
    """A file of the data, its new name, and what is known of it."""

    folder: str
    file: str
    name: str
    what: str
    known: str


COPIED = (
    Copied(
        "edge", "edge_n20_m10_ccr10.0.json", "edge-n20-m10-ccr10",
        "20 tasks, 10 nodes, delays ten times the work",
        "optimum 11315 proved, HEFT 21400",
    ),
    Copied(
        "edge", "edge_n40_m6_ccr10.0.json", "edge-n40-m6-ccr10",
        "40 tasks, 6 nodes, delays ten times the work",
        "makespan 12949, lower bound 8812, HEFT 19343; energy 170665, lower bound 85119, where all"
        " must end by 14894",
    ),
    Copied(
        "saga", "rand_07_n20_m4_ccr1.0.json", "saga-rand-n20-m4",
        "20 tasks, 4 machines, delays as long as the work",
        "HEFT {HEFT} ({ref_heft_paper} with the paper's mean delays), CPoP {CPoP}, PEFT {PEFT}",
    ),
    Copied(
        "saga", "layered_n100_m8.json.gz", "saga-layered-n100-m8",
        "100 tasks, 8 machines",
        "HEFT {HEFT} ({ref_heft_paper} with the paper's mean delays), CPoP {CPoP}, PEFT {PEFT}",
    ),
)  # fmt: skip


def make(data: Path) -> Iterable[Problem]:
    """The chosen files under their new names."""
    results = msgspec.json.decode((data / "saga" / "results.json").read_bytes())
    for one in COPIED:
        stem = one.file.removesuffix(".gz").removesuffix(".json")
        problem = load(data / one.folder / one.file)
        source, text, network = EDGE, EDGE_TEXT, problem.network
        known = one.known
        if one.folder == "saga":
            source, text = SAGA, SAGA_TEXT
            network = msgspec.structs.replace(network, reference_bytes=0.0)
            spans = {name: f"{row['makespan']:.6g}" for name, row in results[stem].items()
                     if isinstance(row, dict)}  # fmt: skip
            known = known.format_map(spans)
        yield problem.replace(
            name=one.name,
            description=text.format(what=one.what),
            source=source.format(stem=stem, drawn=problem.description, known=known),
            network=network,
        )


if __name__ == "__main__":
    run(make)
