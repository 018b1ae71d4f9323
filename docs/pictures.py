"""Draw the pictures of docs/pictures.md, and of docs/scenarios/: a network and a plan on it each.

    python docs/pictures.py [--size 24] [--seed 0] [--time 10]

Needs the extra ``plot``. Plans of small instances are the same wherever their proof ends in time.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

import offload
from offload.plot import convergence, front, gantt, graph, memory, topology

SCENARIOS = (
    "smart-traffic", "smart-health", "smart-home", "industrial-iot", "iot-monitoring",
    "autonomous-driving", "vr-ar",
)  # fmt: skip


def draw(name: str, size: int, seed: int, seconds: float) -> Figure:
    """The network with what moves over it, and below the plan in time."""
    problem = offload.generate(name, size=size, seed=seed)
    result = offload.solve(problem, time_limit=seconds)
    assert result.plan is not None, result
    nodes = len(problem.network.nodes)
    figure = Figure(figsize=(10, 4 + 0.12 * nodes + 4), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=[3 + 0.1 * nodes, 4])
    topology(problem, result.plan, above)
    gantt(result.plan, below)
    above.set_title(f"{name}: {size} tasks on {nodes} nodes", loc="left", fontsize=10)
    return figure


def guide(instances: Path, seconds: float) -> Iterator[tuple[str, Axes]]:
    """The pictures of the guide: of a plan of twelve tasks, and of a solve of forty."""
    plan = offload.solve(offload.load(instances / "crossing-12.json")).plan
    assert plan is not None
    yield "gantt", gantt(plan)
    yield "topology", topology(plan.problem, plan)
    yield "graph", graph(plan)
    yield "memory", memory(plan)
    yield "front", front(offload.pareto(plan.problem, ("latency", "energy"), time_limit=seconds))
    history: list[offload.Progress] = []
    problem = offload.load(instances / "crossing-40.json")
    offload.solve(problem, time_limit=seconds, on_progress=history.append)
    yield "convergence", convergence(history, minimize=problem.minimize)


def save(figure: Figure, path: Path) -> None:
    """A PNG of 64 colours, which are enough."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=80, facecolor="white")
    with Image.open(stream) as picture:
        picture.convert("RGB").quantize(64).save(path, optimize=True)
    print(path, flush=True)


def main() -> None:
    """Write a PNG for each picture of the guide and each scenario."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--time", type=float, default=10.0, help="seconds for each plan")
    chosen = parser.parse_args()
    docs = Path(__file__).parent
    (docs / "pictures").mkdir(exist_ok=True)
    for name, ax in guide(docs.parent / "instances", chosen.time):
        save(ax.get_figure(root=True), docs / "pictures" / f"{name}.png")
    folder = docs / "scenarios"
    for name in SCENARIOS:
        figure = draw(name, chosen.size, chosen.seed, chosen.time)
        save(figure, folder / f"{name}.png")


if __name__ == "__main__":
    main()
