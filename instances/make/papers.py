"""The two ten-task examples that the list-scheduling literature works by hand.

Run from the repository root: ``python instances/make/papers.py``. The numbers stand here.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from making import complete, run

from offload import Edge, Graph, Network, Node, Problem, Task

PROCESSORS = ("p1", "p2", "p3")
LICENCE = (
    "The numbers are facts printed in the paper; this file is under the licence of this"
    " repository, MIT."
)

TOPCUOGLU_TIMES = """
    14 16 9 / 13 19 18 / 11 13 19 / 13 8 17 / 12 13 10 / 13 16 9 / 7 15 11 / 5 11 14
    / 18 12 20 / 21 7 16"""
TOPCUOGLU_EDGES = """
    1-2:18 1-3:12 1-4:9 1-5:11 1-6:14 2-8:19 2-9:16 3-7:23 4-8:27 4-9:23 5-9:13 6-8:15 7-10:17
    8-10:11 9-10:13"""

ARABNEJAD_TIMES = """
    22 21 36 / 22 18 18 / 32 27 43 / 7 10 4 / 29 27 35 / 26 17 24 / 14 25 30 / 29 23 36
    / 15 21 8 / 13 16 33"""
ARABNEJAD_EDGES = """
    1-2:17 1-3:31 1-4:29 1-5:13 1-6:7 2-8:3 2-9:30 3-7:16 4-8:11 4-9:7 5-9:57 6-8:5 7-10:9
    8-10:42 9-10:7"""


def example(name: str, description: str, source: str, times: str, edges: str) -> Problem:
    """An example from a table of times (a row a task) and edges ``src-dst:delay``."""
    tasks = []
    for number, row in enumerate(times.split("/"), start=1):
        seconds = map(float, row.split())
        tasks.append(Task(f"t{number}", time=dict(zip(PROCESSORS, seconds, strict=True))))
    arrows = []
    for text in edges.split():
        ends, delay = text.split(":")
        src, dst = ends.split("-")
        arrows.append(Edge(f"t{src}", f"t{dst}", bytes=float(delay)))
    return Problem(
        name=name,
        description=description,
        source=f"{source} {LICENCE}",
        network=Network(tuple(map(Node, PROCESSORS)), complete(PROCESSORS, bandwidth=1)),
        graph=Graph(tuple(tasks), tuple(arrows)),
    )


def make(data: Path) -> Iterable[Problem]:
    """Both examples; the data folder is not needed."""
    yield example(
        "topcuoglu-2002",
        "The example of the HEFT paper: 10 tasks on 3 unlike processors. A time unit is read as a"
        " second and an edge's cost as bytes over links of 1 B/s without latency. HEFT gives 80"
        " and CPOP 86, as printed; the optimum is 73.",
        "H. Topcuoglu, S. Hariri, M.-Y. Wu, Performance-effective and low-complexity task"
        " scheduling for heterogeneous computing, IEEE Transactions on Parallel and Distributed"
        " Systems 13(3), 2002, its worked example, doi:10.1109/71.993206.",
        TOPCUOGLU_TIMES,
        TOPCUOGLU_EDGES,
    )
    yield example(
        "arabnejad-barbosa-2014",
        "The example of the PEFT paper: 10 tasks on 3 unlike processors. A time unit is read as a"
        " second and an edge's cost as bytes over links of 1 B/s without latency. HEFT gives 133"
        " and PEFT 122, as printed; the optimum is 113.",
        "H. Arabnejad, J. G. Barbosa, List scheduling algorithm for heterogeneous systems by an"
        " optimistic cost table, IEEE Transactions on Parallel and Distributed Systems 25(3),"
        " 2014, its worked example, doi:10.1109/TPDS.2013.57.",
        ARABNEJAD_TIMES,
        ARABNEJAD_EDGES,
    )


if __name__ == "__main__":
    run(make)
