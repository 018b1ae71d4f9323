"""Instances that the benchmarks of stopping and of first plans solve."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import offload
from offload.families import FAMILIES

__all__ = ["Case", "edge", "generated", "shipped"]

_SHIPPED = Path(__file__).parent.parent / "instances"


@dataclass(frozen=True)
class Case:
    """An instance by its file, or by its family and size; and a goal if not its own."""

    name: str
    path: Path | None = None
    family: str = ""
    size: int = 0
    minimize: dict[str, float] | None = None
    limits: dict[str, float] = field(default_factory=dict)

    def problem(self) -> offload.Problem:
        """The instance, made anew: nothing of it is computed yet."""
        if self.path is None:
            return offload.generate(self.family, size=self.size, seed=1)
        return offload.load(self.path)


def shipped() -> Iterator[Case]:
    """The instances of this repository."""
    for path in sorted(_SHIPPED.glob("*.json")):
        yield Case(path.stem, path)


def generated(sizes: list[int]) -> Iterator[Case]:
    """Each family in each size; several of them have contended links and deadlines."""
    for size in sizes:
        for name in (family.name for family in FAMILIES):
            yield Case(f"{name}-{size}", family=name, size=size)


def edge() -> Iterator[Case]:
    """Those of the data folder, and energy of some of them under a bound on latency."""
    folder = Path(os.environ.get("OFFLOAD_DATA", "../shared/data")) / "edge"
    known = folder / "best_known.json"
    for name, found in json.loads(known.read_text()).items() if known.exists() else ():
        path = folder / f"{name}.json"
        yield Case(name, path)
        for row in found.get("energy", ())[:1]:
            limits = {"latency": row["deadline"]}
            yield Case(f"{name} energy", path, minimize={"energy": 1.0}, limits=limits)
