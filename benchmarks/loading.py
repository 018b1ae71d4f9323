"""Load, validate and tabulate a large instance; print CPU seconds and peak memory.

    python benchmarks/loading.py [--tasks 100000] [--edges 300000] [--nodes 100]

The instance is drawn with a fixed seed and written to a temporary folder; loading is measured in a
process of its own, so that making the instance does not count.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import offload

_MEASURE = """
import resource, sys, time
import offload
from offload.files import load
began = time.process_time()
problem = offload.load(sys.argv[1])
loaded = time.process_time()
problem.tables
done = time.process_time()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"load and validate {loaded - began:.2f} CPU s, tables {done - loaded:.2f} CPU s, "
      f"together {done - began:.2f} CPU s, peak {peak:.0f} MiB")
"""


def draw(tasks: int, edges: int, nodes: int) -> offload.Problem:
    """A random instance: edges lead at most 1,000 tasks ahead, a tenth of the pairs are linked."""
    dice = random.Random(1)
    places = [
        offload.Node(f"n{k}", kind=dice.choice("abc"), speed=dice.choice([1e9, 2e9, 5e9]), slots=4)
        for k in range(nodes)
    ]
    links = [
        offload.Link(f"n{k}", f"n{l}", bandwidth=dice.uniform(1e6, 1e8), latency=0.01)
        for k in range(nodes)
        for l in range(k)
        if l == k - 1 or dice.random() < 0.1
    ]
    pairs: dict[tuple[int, int], None] = {}
    while len(pairs) < edges:
        src = dice.randrange(tasks - 1)
        pairs[src, min(tasks - 1, src + dice.randint(1, 1000))] = None
    graph = offload.Graph(
        [offload.Task(f"t{i}", work=dice.uniform(1e6, 1e9)) for i in range(tasks)],
        [offload.Edge(f"t{i}", f"t{j}", bytes=dice.uniform(1, 1e6)) for i, j in pairs],
    )
    return offload.Problem(network=offload.Network(places, links), graph=graph)


def main() -> None:
    """Draw, write, and measure in a new process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--edges", type=int, default=300_000)
    parser.add_argument("--nodes", type=int, default=100)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.json"
        draw(chosen.tasks, chosen.edges, chosen.nodes).save(path)
        print(f"{chosen.tasks} tasks, {chosen.edges} edges, {chosen.nodes} nodes:", flush=True)
        subprocess.run([sys.executable, "-c", _MEASURE, str(path)], check=True)


if __name__ == "__main__":
    main()
