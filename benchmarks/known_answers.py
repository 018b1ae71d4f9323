"""Solve instances whose best known latency is recorded; print value, bound and CPU seconds.

    python benchmarks/known_answers.py [--method cpsat] [--least 0] [--most 30] [--time-limit 60]

Reads ``edge/`` in the data folder (environment variable OFFLOAD_DATA, default ../shared/data).
CPU seconds are those of the whole process, all solver threads together.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import offload


def main() -> None:
    """Print a line an instance and a last line that counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--method", default="cpsat")
    parser.add_argument("--least", type=int, default=0, help="tasks of the smallest instance")
    parser.add_argument("--most", type=int, default=30, help="tasks of the largest instance")
    parser.add_argument("--time-limit", type=float, default=60.0, help="wall seconds for each")
    chosen = parser.parse_args()
    folder = Path(os.environ.get("OFFLOAD_DATA", "../shared/data")) / "edge"
    known = json.loads((folder / "best_known.json").read_text())
    print(f"{'instance':24}{'status':>10}{'latency':>10}{'bound':>12}{'known':>8}{'cpu s':>8}")
    solved = proved = equal = 0
    for name, best in known.items():
        problem = offload.load(folder / f"{name}.json")
        if not chosen.least <= len(problem.graph.tasks) <= chosen.most:
            continue
        began = time.process_time()
        result = offload.solve(problem, chosen.method, time_limit=chosen.time_limit)
        spent = time.process_time() - began
        value = float("nan") if result.objective is None else result.objective
        bound = float("nan") if result.bound is None else result.bound
        print(
            f"{name:24}{result.status:>10}{value:10.0f}{bound:12.1f}{best['makespan']:8.0f}{spent:8.2f}",
            flush=True,
        )
        solved += 1
        proved += result.status == "optimal"
        equal += abs(value - best["makespan"]) <= 1e-6 * best["makespan"]
    print(f"{solved} solved, {proved} proved, {equal} equal to the best known")


if __name__ == "__main__":
    main()
