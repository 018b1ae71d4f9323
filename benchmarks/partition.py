"""Periods of the device placement instances of NeurIPS 2020, with and without contiguity.

Each throughput input of the set (Tarnawski et al. 2020) is solved twice, with the rule "contiguous"
and without it, beside the figures that are known: PipeDream's planner and the experts' splits.

    python benchmarks/partition.py [NAME...] [--time 120] [--method auto]

The data is looked for in the folder that OFFLOAD_DATA names, ``../shared/data`` by default.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import offload

DATA = Path(os.environ.get("OFFLOAD_DATA", "../shared/data"))
INPUTS = DATA / "dnn_partitioning" / "throughput-inputs"
KNOWN = {  # PipeDream's planner and the experts' splits, as the set's own program evaluates them
    "LayerGraphs/bert24_inference": (17.7899, 20.0840),
    "LayerGraphs/bert24_training": (187.914, 49.4049),
    "LayerGraphs/gnmt_inference": (None, 46.2085),
    "LayerGraphs/gnmt_training": (None, 137.154),
    "LayerGraphs/inceptionv3_inference": (60.417, 102.482),
    "LayerGraphs/resnet50_inference": (None, 43.9183),
    "LayerGraphs/resnet50_training": (None, 112.108),
}


def solved(path: Path, contiguous: bool, method: str, seconds: float) -> tuple[offload.Result, str]:
    """The result, and a line on how good it is and how long it took."""
    problem = offload.convert(path, contiguous=contiguous)
    wall, cpu = time.monotonic(), time.process_time()
    result = offload.solve(problem, method, time_limit=seconds)
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    if result.objective is None:
        return result, f"{result.status:>40} {wall:6.1f} s {cpu:6.1f} CPU s"
    gap = "-" if result.gap is None else f"{100 * result.gap:.2f} %"
    line = f"{result.objective:12.6f} {gap:>8} {wall:6.1f} s {cpu:6.1f} CPU s"
    return result, f"{result.status:>8} {line}"


def main() -> None:
    """Print a row for each input, and the ratio to the best figure that is known."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help="parts of inputs' names; all by default")
    parser.add_argument("--time", type=float, default=120.0, help="seconds for each solve")
    parser.add_argument("--method", default="auto")
    given = parser.parse_args()
    paths = sorted(INPUTS.glob("*/*.json"))
    if not paths:
        raise SystemExit(f"no inputs in {INPUTS}: name the folder of data in OFFLOAD_DATA")
    for path in paths:
        name = f"{path.parent.name}/{path.stem}"
        if given.names and not any(part in name for part in given.names):
            continue
        bound, text = solved(path, True, given.method, given.time)
        print(f"{name:36} contiguous {text}", flush=True)
        free, text = solved(path, False, given.method, given.time)
        print(f"{'':36} any place  {text}", flush=True)
        known = [figure for figure in KNOWN.get(name, ()) if figure is not None]
        if bound.objective is not None and free.objective is not None:
            ratios = [f"any place / contiguous {free.objective / bound.objective:.4f}"]
            if known:
                ratios.append(f"contiguous / best known split {bound.objective / min(known):.4f}")
            print(f"{'':36} {', '.join(ratios)}", flush=True)


if __name__ == "__main__":
    main()
