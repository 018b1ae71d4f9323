"""How soon `auto` has a plan: milliseconds from the call to the first plan that it reports.

    python benchmarks/first_plan.py [shipped|generated|edge|all] [--sizes 10,50,100,200,1000,5000]
                                    [--only TEXT] [--repeat 3] [--all]

Each solve is cancelled at its first plan. The instance is loaded anew for each, so that its arrays
are made within the time. Up to 200 tasks a plan within 100 ms is asked for, above within what
`heft` takes from its call to its answer, likewise. CPU time of the calling process, the least of
``--repeat`` runs, which a busy machine disturbs less than the clock; wall time of the same run
beside it. Lines are printed of those that take longer, of all with ``--all``; exit status 1 if
there are any. ``edge`` is read from the data folder (environment variable OFFLOAD_DATA, default
../shared/data).
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from math import inf

from stop_cases import Case, edge, generated, shipped

import offload

_LIMIT = 0.1  # seconds to a plan, up to
_SMALL = 200  # tasks
_ENOUGH = 10.0  # seconds after which a solve without a plan is given up
_NOISE = 1.05  # times what HEFT takes that still counts as the same


class Stopwatch:
    """CPU and wall seconds since it was made."""

    def __init__(self) -> None:
        self.cpu, self.wall = time.process_time(), time.monotonic()

    def read(self) -> tuple[float, float]:
        """Both."""
        return time.process_time() - self.cpu, time.monotonic() - self.wall


def first_plan(case: Case) -> tuple[float, float]:
    """CPU and wall seconds to the first plan of `auto`."""
    problem, cancel = case.problem(), threading.Event()
    times: list[tuple[float, float]] = []

    def hear(progress: offload.Progress) -> None:
        if progress.objective is not None and not times:
            times.append(watch.read())
            cancel.set()

    watch = Stopwatch()
    offload.solve(
        problem, "auto", case.minimize, case.limits or None, _ENOUGH, on_progress=hear,
        cancel=cancel, explain=0,
    )  # fmt: skip
    return times[0] if times else (inf, inf)


def heft(case: Case) -> tuple[float, float]:
    """CPU and wall seconds of `heft`."""
    problem = case.problem()
    watch = Stopwatch()
    offload.solve(problem, "heft", case.minimize, case.limits or None, explain=0)
    return watch.read()


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "set", nargs="?", choices=["shipped", "generated", "edge", "all"], default="all"
    )
    parser.add_argument("--sizes", default="10,50,100,200,1000,5000", help="of generated ones")
    parser.add_argument("--only", default="", help="instances whose name has this text")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--all", action="store_true", help="a line for each instance")
    chosen = parser.parse_args()
    sizes = [int(size) for size in chosen.sizes.split(",")]
    sets = {"shipped": shipped, "generated": lambda: generated(sizes), "edge": edge}
    cases = [case for name in sets if chosen.set in (name, "all") for case in sets[name]()]
    offload.solve(offload.generate("layered", size=6, seed=0), "exact")  # imports what it needs
    print(f"{'instance':35}{'tasks':>7}{'CPU ms':>10}{'wall ms':>10}{'asked, ms':>11}")
    over = count = 0
    for case in cases:
        if chosen.only not in case.name:
            continue
        tasks = len(case.problem().graph.tasks)
        cpu, wall = min(first_plan(case) for _ in range(chosen.repeat))
        asked = _LIMIT
        if tasks > _SMALL:
            asked = _NOISE * min(heft(case) for _ in range(chosen.repeat))[0]
        count += 1
        over += cpu > asked
        if chosen.all or cpu > asked:
            print(f"{case.name:35}{tasks:7}{1e3 * cpu:10.1f}{1e3 * wall:10.1f}{1e3 * asked:11.1f}"
                  f"{'  OVER' if cpu > asked else ''}", flush=True)  # fmt: skip
    print(f"{count} instances, {over} over")
    sys.exit(over > 0)


if __name__ == "__main__":
    main()
