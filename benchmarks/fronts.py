"""How much of the best known front each way of finding fronts dominates.

For each instance the fronts of all methods are put together; of that union every axis is scaled to
0..1, and a method's share is its hypervolume over the union's, both up to (1.1, 1.1).

    python benchmarks/fronts.py --time 60
    python benchmarks/fronts.py --methods nsga2,auto instances/crossing-40.json
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from pathlib import Path

import numpy as np

import offload
from offload.fronts.dominance import efficient, hypervolume

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("OFFLOAD_DATA", ROOT / "../shared/data"))
EDGE = (
    "edge_n40_m10_ccr0.1", "edge_n40_m10_ccr1.0", "edge_n40_m3_ccr1.0", "edge_n40_m3_ccr10.0",
    "edge_n40_m6_ccr10.0", "edge_n80_m10_ccr1.0", "edge_n80_m6_ccr10.0",
)  # fmt: skip
# The open instances of the set that have 40 to 80 tasks, and the three of 30 tasks next to them.
NEXT = ("edge_n30_m10_ccr1.0", "edge_n30_m6_ccr1.0", "edge_n30_m6_ccr10.0")


def main() -> None:
    """Print a row an instance, and the least and mean shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", help="instances; default: ten of the set `edge`")
    parser.add_argument("--methods", default="nsga2,auto,exact")
    parser.add_argument("--metrics", default="latency,energy")
    parser.add_argument("--time", type=float, default=60.0, help="seconds for each front")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    files = [Path(name) for name in given.files]
    files = files or [DATA / "edge" / f"{name}.json" for name in (*EDGE, *NEXT)]
    methods, metrics = given.methods.split(","), given.metrics.split(",")
    print(f"{'instance':24}" + "".join(f"{name:>10} plans cpu s" for name in methods) + "  union")
    shares = []
    for file in files:
        problem = offload.load(file)
        fronts, cells = [], []
        for method in methods:
            began, cpu = time.monotonic(), _cpu()
            front = offload.pareto(
                problem, metrics, points=None, method=method, time_limit=given.time, seed=given.seed
            )
            if time.monotonic() - began > given.time + 2:
                print(f"  {method} took {time.monotonic() - began:.1f} s")
            fronts.append(front.values)
            cells.append((len(front), _cpu() - cpu))
        union = np.concatenate(fronts)
        union = union[efficient(union)]
        low, width = union.min(axis=0), np.ptp(union, axis=0)
        width = np.where(width > 0, width, 1.0)
        end = np.full(len(metrics), 1.1)
        whole = hypervolume((union - low) / width, end)
        row = [hypervolume((values - low) / width, end) / whole for values in fronts]
        shares.append(row)
        text = "".join(
            f"{share:10.4f} {count:5d} {spent:5.0f}"
            for share, (count, spent) in zip(row, cells, strict=True)
        )
        print(f"{file.stem:24}{text}  {len(union)}", flush=True)
    print(f"{'least':24}" + "".join(f"{v:10.4f}{'':12}" for v in np.min(shares, axis=0)))
    print(f"{'mean':24}" + "".join(f"{v:10.4f}{'':12}" for v in np.mean(shares, axis=0)))


def _cpu() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF,))


if __name__ == "__main__":
    main()
