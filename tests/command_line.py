"""Runs the command line inside the test's process, and small instances for it to work on."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import offload
from offload.cli import main


class Outcome(NamedTuple):
    """What a run left behind."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """Standard output, which must be one JSON document and nothing else."""
        return json.loads(self.out)


def run(*arguments: object, stdin: str | bytes = "", encoding: str = "utf-8") -> Outcome:
    """``offload`` with these arguments; all three standard streams are the run's own."""
    raw = stdin.encode() if isinstance(stdin, str) else stdin
    buffers = [io.BytesIO(data) for data in (raw, b"", b"")]
    streams = [io.TextIOWrapper(buffer, encoding) for buffer in buffers]
    saved = sys.stdin, sys.stdout, sys.stderr
    sys.stdin, sys.stdout, sys.stderr = streams
    try:
        status = main([str(argument) for argument in arguments])
        for stream in streams[1:]:
            stream.flush()
        out, err = (buffer.getvalue().decode() for buffer in buffers[1:])
    finally:
        sys.stdin, sys.stdout, sys.stderr = saved
    return Outcome(status, out, err)


def street() -> offload.Problem:
    """A camera, an edge server and a cloud; three tasks in a row. The optimum is 0.702125 s."""
    nodes = [
        offload.Node("cam", tier="device", speed=1e9, busy_power=2, idle_power=1, memory=1e9),
        offload.Node("edge", speed=8e9, busy_power=20, memory=4e9),
        offload.Node("cloud", tier="cloud", speed=4e10, busy_power=80, price=0.1),
    ]
    links = [
        offload.Link("cam", "edge", bandwidth=1e7, latency=0.002, energy=1e-7),
        offload.Link("edge", "cloud", bandwidth=1e6, latency=0.02),
    ]
    tasks = [
        offload.Task("grab", work=1e8, allow=("cam",), memory=2e8),
        offload.Task("detect", work=4e9, resident=5e8),
        offload.Task("alarm", work=1e6),
    ]
    edges = [
        offload.Edge("grab", "detect", bytes=1e6),
        offload.Edge("detect", "alarm", bytes=1e3),
    ]
    return offload.Problem(
        name="street",
        network=offload.Network(tuple(nodes), tuple(links)),
        graph=offload.Graph(tuple(tasks), tuple(edges)),
    )


def write(folder: Path, problem: offload.Problem, name: str | None = None) -> Path:
    """The problem as a file in a folder."""
    path = folder / (name or f"{problem.name}.json")
    problem.save(path)
    return path


def layers(width: int, depth: int, nodes: int) -> offload.Problem:
    """A layered graph on unlike nodes: too large to prove an optimum in a test's time."""
    tasks, edges = [], []
    for level in range(depth):
        for place in range(width):
            work = 1.0 + (7 * level + 5 * place) % 11
            tasks.append(offload.Task(f"t{level}.{place}", work=work))
            for other in range(width) if level else ():
                if (place + other + level) % 3 == 0:
                    size = 1.0 + (3 * place + other) % 7
                    edges.append(
                        offload.Edge(f"t{level - 1}.{other}", f"t{level}.{place}", bytes=size)
                    )
    machines = [offload.Node(f"n{k}", speed=1.0 + (3 * k) % 5) for k in range(nodes)]
    links = [
        offload.Link(f"n{k}", f"n{other}", bandwidth=1.0 + (k + other) % 3)
        for k in range(nodes)
        for other in range(k)
    ]
    return offload.Problem(
        name=f"layers-{width * depth}",
        network=offload.Network(tuple(machines), tuple(links), reference_bytes=1.0),
        graph=offload.Graph(tuple(tasks), tuple(edges)),
    )
