"""CPU seconds of each picture of a large plan, drawn and written as PNG.

    python benchmarks/pictures.py [--tasks 10000] [--nodes 30] [--repeat 3]

The Gantt chart is drawn with all rows too: a bar for each task, and one for each link that a
transfer holds.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from drawing import large

import offload
from offload.plot import gantt, graph, load, memory, topology
from offload.plot.bars import chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def seconds(draw: Callable[[], Axes], repeat: int) -> tuple[float, float]:
    """The least CPU seconds of drawing, and of drawing and writing."""
    drawn, written = [], []
    for _ in range(repeat):
        begun = time.process_time()
        ax = draw()
        drawn.append(time.process_time() - begun)
        ax.figure.savefig(io.BytesIO(), format="png", dpi=100)
        written.append(time.process_time() - begun)
    return min(drawn), min(written)


def main() -> None:
    """Print a line a picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=30)
    parser.add_argument("--repeat", type=int, default=3)
    chosen = parser.parse_args()
    problem = large(chosen.tasks, 2 * chosen.tasks, chosen.nodes, "sites")
    plan = offload.solve(problem, method="heft").plan
    assert plan is not None
    rows = chart(plan)
    bars = len(rows.tasks.row), len(rows.holds.row)
    print(f"{problem.name}: {bars[0]} tasks, {bars[1]} holds of links, {len(rows.rows)} rows")
    seconds(partial(topology, problem), 1)  # loads matplotlib and its fonts
    print("picture                     drawn, s   with PNG, s")
    for name, draw in (
        ("gantt", partial(gantt, plan)),
        ("gantt, tasks alone", partial(gantt, plan, transfers=False)),
        ("gantt, all rows", partial(gantt, plan, rows=len(rows.rows))),
        ("topology", partial(topology, problem, plan)),
        ("graph", partial(graph, plan)),
        ("load", partial(load, plan)),
        ("memory", partial(memory, plan)),
    ):
        print("{:27} {:8.2f} {:12.2f}".format(name, *seconds(draw, chosen.repeat)), flush=True)


if __name__ == "__main__":
    main()
