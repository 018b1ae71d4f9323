"""Sets of reference instances with what is known of their optima.

They are read from the data folder (environment variable OFFLOAD_DATA, default ../shared/data).
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import offload

__all__ = ["SETS", "Case", "cases"]


@dataclass(frozen=True)
class Case:
    """An instance, the goal, and an interval that holds the optimum.

    Attributes
    ----------
    options
        How :func:`offload.convert` reads the file.
    low, high
        Proved bounds of the optimum, equal where it is known.
    cpu
        CPU seconds in which a proof is hoped for.
    wall
        Wall seconds, where they are what counts.
    """

    set: str
    name: str
    path: Path
    low: float
    high: float
    cpu: float
    options: dict[str, Any] = field(default_factory=dict)
    minimize: str = "latency"
    limits: dict[str, float] = field(default_factory=dict)
    wall: float | None = None

    def problem(self) -> offload.Problem:
        """The instance."""
        return offload.convert(self.path, **self.options)


def edge(folder: Path) -> Iterator[Case]:
    """Layered graphs on device, edge and cloud: latency."""
    for name, found in json.loads((folder / "best_known.json").read_text()).items():
        tasks = int(name.split("_")[1][1:])
        cpu = 3.0 if tasks <= 20 else 10.0 if tasks <= 30 else 30.0 if tasks <= 40 else 120.0
        yield Case(
            "edge", name, folder / f"{name}.json", found["bound"], found["makespan"], cpu,
            wall=60.0 if tasks > 40 else None,
        )  # fmt: skip


def energy(folder: Path) -> Iterator[Case]:
    """Energy of those under a bound on latency."""
    for name, found in json.loads((folder / "best_known.json").read_text()).items():
        for row in found.get("energy", ()):
            yield Case(
                "energy", name, folder / f"{name}.json", row["lower_bound"], row["energy"], 30.0,
                minimize="energy", limits={"latency": row["deadline"]},
            )  # fmt: skip


def auckland(folder: Path) -> Iterator[Case]:
    """Graphs with delays on identical processors; each file has the length of its optimum."""
    for path in sorted(folder.glob("*.gxl")):
        found = re.search(r"Total schedule length\W*<int>\s*(\d+)", path.read_text())
        if found is None:
            sys.exit(f"{path}: has no Total schedule length")
        optimum = float(found[1])
        name = path.stem.removesuffix("_WeightType_Random")
        yield Case("auckland", name, path, optimum, optimum, 10.0)


def stg(folder: Path) -> Iterator[Case]:
    """Graphs without delays on 2 to 16 identical processors."""
    for row in _rows(folder / "optima.csv"):
        low, high = _interval(row, ("published_lb", "published_ub"), ("optimum", "optimum"))
        name = f"{row['file']}@{row['p']}"
        options = {"processors": int(row["p"])}
        yield Case("stg", name, folder / row["file"], low, high, 10.0, options)


def gap(folder: Path) -> Iterator[Case]:
    """Generalized assignment: cost; profit where the literature maximizes (gap1 to gap12).

    A profit is maximized as the cost of jobs * largest profit - profit.
    """
    for row in _rows(folder / "bounds.csv"):
        name, path = row["file"], folder / row["file"]
        if "_" not in name:
            low, high = _interval(row, ("min_lb", "min_ub"), ("fontan_lb", "fontan_ub"))
            yield Case("gap", name, path, low, high, 20.0, minimize="cost")
            continue
        agents, jobs, *numbers = map(int, path.read_text().split())
        total = jobs * max(numbers[: agents * jobs])
        low, high = total - float(row["max_ub"]), total - float(row["max_lb"])
        yield Case("gap", name, path, low, high, 20.0, {"maximize": True}, "cost")


def fjsp(folder: Path) -> Iterator[Case]:
    """Flexible job shops: latency."""
    for row in _rows(folder / "bounds.csv"):
        found = _interval(row, ("scheduleopt_lb", "scheduleopt_ub"))
        if not found[0]:
            found = _interval(row, ("listed_lb", "listed_ub"), ("listed_opt", "listed_opt"))
        yield Case("fjsp", row["file"].removesuffix(".txt"), folder / row["file"], *found, 30.0)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="") as lines:
        yield from csv.DictReader(lines)


def _interval(row: dict[str, str], *pairs: tuple[str, str]) -> tuple[float, float]:
    """The highest lower and the least upper bound of some columns."""
    low = max((float(row[a]) for a, _ in pairs if row[a]), default=0.0)
    high = min((float(row[b]) for _, b in pairs if row[b]), default=float("inf"))
    return min(low, high), max(low, high)  # some rows have the two the wrong way round


SETS = {
    "edge": (edge, "edge"), "auckland": (auckland, "auckland_gxl"), "stg": (stg, "stg"),
    "gap": (gap, "gap"), "fjsp": (fjsp, "fjsp"), "energy": (energy, "edge"),
}  # fmt: skip


def cases(name: str) -> list[Case]:
    """The cases of a set."""
    read, place = SETS[name]
    folder = Path(os.environ.get("OFFLOAD_DATA", "../shared/data")) / place
    if not folder.is_dir():
        sys.exit(f"{folder}: no such folder; set OFFLOAD_DATA to the data folder")
    return list(read(folder))
