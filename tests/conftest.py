"""Where tests find instances: those of the repository, and benchmark data beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import offload
from offload import Edge, Graph, Link, Network, Node, Problem, Task

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def instances() -> Path:
    """The folder of instances that belongs to the repository."""
    return ROOT / "instances"


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of published figures."""
    return ROOT / "tests" / "golden"


@pytest.fixture(scope="session")
def data() -> Path:
    """The optional folder of benchmark data; what needs it is skipped where there is none."""
    folder = Path(os.environ.get("OFFLOAD_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no benchmark data at {folder}; set OFFLOAD_DATA to the folder that has it")
    return folder


@pytest.fixture
def paper(instances: Path) -> Problem:
    """Ten tasks on three processors: HEFT 80, optimum 73, bound of the critical path 54."""
    return offload.load(instances / "topcuoglu-2002.json")


@pytest.fixture
def hard(instances: Path) -> Problem:
    """Forty tasks on six nodes: no method proves the optimum within a test's patience."""
    return offload.load(instances / "edge-n40-m6-ccr10.json")


@pytest.fixture
def chain() -> Problem:
    """Two tasks: 4 s in all on the fast node, which draws 10 W; 6 s on the slow one, at 1 W."""
    nodes = (Node("slow", speed=2, busy_power=1), Node("fast", speed=3, busy_power=10))
    graph = Graph((Task("a", work=6), Task("b", work=6)), (Edge("a", "b", 60),))
    return Problem(network=Network(nodes, (Link("slow", "fast", bandwidth=10),)), graph=graph)
