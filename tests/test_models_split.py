"""split and measure: stages that compute what the module does, and times of its tasks."""

from __future__ import annotations

import functools
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import offload
from offload import Graph, Link, Network, Node, Problem
from offload.models import from_torch, measure, split

torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra models)")
from torch_models import Branches, Decoder, Small, Tied  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
TOLERANCE = 1e-5


def seeded(kind: Any, *args: Any) -> Any:
    torch.manual_seed(1)
    return kind(*args).eval()


def difference(a: Any, b: Any) -> float:
    """The largest difference between two results; their integers have to be equal."""
    found = 0.0
    pairs = zip(*(torch.utils._pytree.tree_leaves(x) for x in (a, b)), strict=True)
    for x, y in pairs:
        assert (x.dtype, x.shape) == (y.dtype, y.shape)
        found = max(found, float((x - y).abs().max()))
    return found


@functools.cache
def cases() -> dict[str, tuple[Any, tuple[Any, ...]]]:
    torch.manual_seed(2)
    ids = torch.randint(0, 60, (2, 12))
    return {
        "branches": (seeded(Branches), (torch.randn(2, 3, 12, 12), torch.randn(2, 5))),
        "tied": (seeded(Tied), (torch.randn(4, 8),)),
        "small": (seeded(Small), (torch.randn(2, 3, 32, 32),)),
        "decoder": (seeded(Decoder, 60, 12, 32, 4, 3), (ids,)),
        "lstm": (seeded(torch.nn.LSTM, 4, 5), (torch.randn(3, 2, 4),)),
    }


@functools.cache
def graph_of(name: str) -> Graph:
    return from_torch(*cases()[name], pin=None)


def spread(graph: Graph, pattern: str) -> dict[str, str]:
    """Tasks over nodes: in two halves, in turn, or in a pattern that goes back and forth."""
    ids = [task.id for task in graph.tasks]
    if pattern == "halves":
        return {id: "ab"[2 * k // len(ids)] for k, id in enumerate(ids)}
    return {id: ("ab"[k % 2] if pattern == "turns" else "abc"[(k * k + k // 2) % 3])
            for k, id in enumerate(ids)}  # fmt: skip


@pytest.mark.parametrize("pattern", ["halves", "turns", "mixed"])
@pytest.mark.parametrize("name", cases())
def test_stages_compute_what_the_module_does(name: str, pattern: str) -> None:
    module, args = cases()[name]
    places = spread(graph_of(name), pattern)
    cut = split(module, args, places)
    tensors = cut.inputs(*args)
    for stage in (pickle.loads(pickle.dumps(stage)) for stage in cut.stages):
        assert set(stage.needs) <= set(tensors)  # from the input, or stages before it
        assert all(places[task] == stage.node for task in stage.tasks)
        tensors |= stage({need: tensors[need] for need in stage.needs})
    with torch.no_grad():
        assert difference(cut.result(tensors), module(*args)) <= TOLERANCE
        others = tuple(x if x.dtype == torch.int64 else torch.randn_like(x) for x in args)
        assert difference(cut(*others), module(*others)) <= TOLERANCE
    assert sorted(task for stage in cut.stages for task in stage.tasks) == sorted(places)


def test_a_convex_part_is_one_stage_and_others_come_in_turns() -> None:
    module, args = cases()["tied"]
    halves = split(module, args, {"first": "a", "middle": "a", "last": "b"})
    assert [(s.node, s.tasks) for s in halves.stages] == [
        ("a", ("first", "middle")),
        ("b", ("last",)),
    ]
    turns = split(module, args, {"first": "a", "middle": "b", "last": "a"})
    assert [(s.node, s.tasks) for s in turns.stages] == [
        ("a", ("first",)), ("b", ("middle",)), ("a", ("last",)),
    ]  # fmt: skip


def test_each_stage_has_the_weights_of_its_tasks_alone() -> None:
    module, args = cases()["small"]
    graph = graph_of("small")
    for stage in split(module, args, spread(graph, "halves")).stages:
        held = sum(w.numel() * w.itemsize for w in stage.weights.values())
        assert held == sum(t.resident for t in graph.tasks if t.id in stage.tasks)


def network() -> Network:
    """A device that is slow and a cloud that is not, both as fast as they are measured."""
    nodes = (Node("cam", tier="device", kind="this-machine"), Node("far", kind="other", speed=1e10))
    return Network(nodes, (Link("cam", "far", bandwidth=1e9),))


def test_a_plan_of_the_measured_graph_cuts_the_module() -> None:
    module, args = cases()["decoder"]
    graph = measure(module, args, blocks=5, repeats=1)
    plan = offload.solve(Problem(network=network(), graph=graph), "heft").plan
    assert plan is not None
    cut = split(module, args, plan, blocks=5)
    with torch.no_grad():
        assert difference(cut(*args), module(*args)) <= TOLERANCE


def test_measured_times_are_positive_and_stand_beside_the_work() -> None:
    module, args = cases()["branches"]
    plain = from_torch(module, args, dtype="float16")
    first = measure(module, args, plain, kind="laptop", repeats=2, threads=1)
    both = measure(module, args, first, kind="phone", repeats=1)
    assert (both.edges, both.groups) == (plain.edges, plain.groups)
    for task, before in zip(both.tasks, plain.tasks, strict=True):
        assert (task.work, task.resident) == (before.work, before.resident)
        if task.id in ("input", "output"):
            assert task.time == {}
        else:
            assert set(task.time) == {"kind:laptop", "kind:phone"}
            assert min(task.time.values()) > 0
    assert [t.id for t in measure(module, args).tasks] == [t.id for t in plain.tasks]


def test_threads_are_as_before_afterwards() -> None:
    module, args = cases()["tied"]
    before = torch.get_num_threads()
    measure(module, args, repeats=1, threads=before + 1)
    assert torch.get_num_threads() == before


def test_inputs_of_other_shapes_and_missing_tensors_are_named() -> None:
    module, args = cases()["tied"]
    cut = split(module, args, {"first": "a", "middle": "a", "last": "b"})
    with pytest.raises(offload.OffloadError, match=r"input 'x' must be torch.float32 of shape"):
        cut(torch.zeros(2, 8))
    with pytest.raises(offload.OffloadError, match="other inputs than the module was cut for"):
        cut(*args, *args)
    with pytest.raises(offload.OffloadError, match=r"stage on 'b': needs the tensors \['relu_1'\]"):
        cut.stages[1]({})


def test_what_cannot_be_cut_or_measured_is_one_clear_error() -> None:
    module, args = cases()["tied"]
    places = {"first": "a", "middle": "a", "last": "b"}
    trained = from_torch(module, args, training=True)
    with torch.device("meta"):
        empty = Tied().eval()
    norm = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.BatchNorm1d(8))
    graph, x = graph_of("tied"), (torch.ones(2, 8),)
    wrong = [
        (lambda: split(module, args, {"first": "a"}), "not of this module's graph.*'middle'"),
        (lambda: split(module, args, places, blocks=1), "not of this module's graph.*'model'"),
        (lambda: split(empty, args, places), "is on the meta device and has no weights"),
        (lambda: split(norm, x, {"0": "a"}), "running_mean.*call module.eval"),
        (lambda: measure(module, args, trained), "backward tasks, which are not measured"),
        (lambda: measure(module, args, graph_of("small")), "graph is not this module"),
        (lambda: measure(module, args, graph, blocks=2), "graph is not this module"),
        (lambda: measure(module, args, repeats=0), "repeats: must be an integer of at least 1"),
        (lambda: measure(module, args, threads=0), "threads: must be an integer of at least 1"),
        (lambda: measure(module, args, kind=""), "kind: must be a name"),
        (lambda: measure(empty, args), "is on the meta device"),
    ]
    for call, message in wrong:
        with pytest.raises(offload.OffloadError, match=message):
            call()


def test_the_example_runs_in_processes_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "split_model.py")],
        capture_output=True, text=True, timeout=240, cwd=ROOT, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("node ")
    assert "largest difference from the unsplit module" in done.stdout
    assert {"node0", "node1", "all"} <= {line.split()[0] for line in done.stdout.splitlines()}


@pytest.mark.parametrize("script", ["examples/split_model.py", "benchmarks/split_model.py"])
def test_without_pytorch_the_scripts_say_so_and_end_well(script: str) -> None:
    code = (
        "import importlib.util, runpy, sys\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name == 'torch' else find(name, *a)\n"
        f"sys.argv = [{script!r}]\n"
        f"runpy.run_path({str(ROOT / script)!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("skipped: PyTorch is not installed")
