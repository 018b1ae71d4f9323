"""``offload partition``: stages, sweeps, models, what it saves, and its exit status."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command_line import run, street, write

import offload
from offload import Graph, Group


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds street.json and is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    write(tmp_path, street())
    return tmp_path


# -- plans ---------------------------------------------------------------------------------------


def test_the_answer_has_the_stages_and_the_single_cut(here: Path) -> None:
    outcome = run("partition", "street.json", "-q")
    lines = outcome.out.splitlines()
    assert outcome.status == 0
    assert lines[0].startswith("optimal: latency 702.125 ms, proved")
    assert lines[3].split() == ["node", "tasks", "first", "…", "last", "work", "memory", "out",
                                "load", "share"]  # fmt: skip
    assert lines[4].split() == ["1", "cam", "1", "grab", "100", "Mop", "0", "1", "MB", "100", "ms",
                                "20", "%"]  # fmt: skip
    assert "period 500.125 ms at edge, 2 inputs a second" in lines
    assert lines[-1] == "best single cut: latency 702.125 ms (cam | grab | edge)"
    assert all(len(line.rstrip()) <= 80 for line in lines)
    assert list(here.iterdir()) == [here / "street.json"]


def test_json_has_every_digit_of_the_same(here: Path) -> None:
    outcome = run("partition", "street.json", "--json", "-q", "--minimize", "period")
    answer, problem = outcome.json(), street()
    best = offload.solve(problem, "cpsat", "period")
    assert answer["status"] == "optimal"
    assert answer["objective"] == pytest.approx(best.objective, rel=1e-4)
    assert answer["minimize"] == {"period": 1}
    assert sum(stage["tasks"] for stage in answer["stages"]) == 3
    assert max(stage["share"] for stage in answer["stages"]) == 1
    assert answer["single_cut"]["objective"] >= answer["objective"] * (1 - 1e-9)
    assert answer["links"] == []
    assert (answer["saved"], answer["plot"]) == (None, None)


def test_the_plan_the_picture_and_the_instance_are_saved(here: Path) -> None:
    outcome = run("partition", "street.json", "-q", "-o", "p.json", "--plot", "p.svg",
                  "--save-instance", "s.json", "--contiguous")  # fmt: skip
    assert outcome.status == 0
    assert outcome.out.splitlines()[-2:] == ["plan saved to p.json", "picture saved to p.svg"]
    assert (here / "p.svg").read_text().lstrip().startswith("<?xml")
    problem = offload.load("s.json")
    assert problem.graph.groups == (Group("contiguous", ("grab", "detect", "alarm")),)
    assert offload.check(problem, offload.load_plan("p.json", problem)) == []


def test_groups_can_be_dropped_and_a_plan_without_its_instance_is_told_of(here: Path) -> None:
    base = street()
    group = Group("contiguous", ("grab", "detect", "alarm"))
    write(here, base.replace(graph=Graph(base.graph.tasks, base.graph.edges, (group,))))
    outcome = run("partition", "street.json", "--no-contiguous", "-o", "p.json")
    assert "the plan is for an instance in no file yet; --save-instance" in outcome.err
    assert offload.load_plan("p.json", base).metrics["latency"] == pytest.approx(0.702125)


def test_no_plan_is_status_1_and_saves_nothing(here: Path) -> None:
    outcome = run("partition", "street.json", "-q", "--limit", "latency=0.1", "-o", "p.json",
                  "--plot", "p.png")  # fmt: skip
    assert outcome.status == 1
    assert outcome.out.startswith("infeasible: ")
    assert list(here.iterdir()) == [here / "street.json"]


def test_a_method_can_be_named(here: Path) -> None:
    answer = run("partition", "street.json", "-m", "single-cut", "--json", "-q").json()
    assert answer["method"] == "single-cut"
    assert answer["objective"] == answer["single_cut"]["objective"]


def test_files_of_other_tools_take_the_options_of_convert(here: Path) -> None:
    (here / "g.dot").write_text("digraph { a [time=2]; b [time=3]; a -> b [bytes=1e6] }")
    outcome = run("partition", "g.dot", "--processors", 2, "--bandwidth", "1e6", "--json", "-q")
    assert outcome.json()["objective"] == 5
    assert run("partition", "g.dot", "-n", "edge-3tier", "-q").status == 0


# -- sweeps --------------------------------------------------------------------------------------


def test_a_sweep_is_a_table_a_file_and_a_picture(here: Path) -> None:
    outcome = run("partition", "street.json", "--bandwidths", "1e5,10MB", "-q", "-o", "t.csv",
                  "--plot", "t.png")  # fmt: skip
    lines = outcome.out.splitlines()
    assert outcome.status == 0
    assert lines[0].split("  ")[0] == "bandwidth"
    assert [line.split("  ")[0] for line in lines[1:3]] == ["100 kB/s", "10 MB/s"]
    assert lines[-2:] == ["table saved to t.csv", "picture saved to t.png"]
    table = pd.read_csv(here / "t.csv")
    expected = offload.sweep_bandwidth(street(), [1e5, 1e7])
    assert table["objective"].tolist() == pytest.approx(expected["objective"].tolist())
    assert (here / "t.png").read_bytes().startswith(b"\x89PNG")


def test_a_sweep_as_json_has_a_point_a_bandwidth(here: Path) -> None:
    answer = run("partition", "street.json", "--sweep", "--json", "-q", "-t", "1s").json()
    assert len(answer["points"]) == 13
    assert (answer["device"], answer["cloud"]) == ("cam", "cloud")
    values = [point["objective"] for point in answer["points"]]
    assert values == sorted(values, reverse=True)


def test_an_interrupted_sweep_saves_nothing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work_for(work: Any, meter: Any, kept: str = "") -> Any:
        cancel = threading.Event()
        cancel.set()
        return work(cancel)

    monkeypatch.setattr("offload.cli.running.run", work_for)
    outcome = run("partition", "street.json", "--sweep", "-q", "-o", "t.csv", "--plot", "t.png")
    assert outcome.status == 130
    assert list(here.iterdir()) == [here / "street.json"]


# -- replicated stages ---------------------------------------------------------------------------


class Replicated:
    """What the library's function returns."""

    period, replicas = 1.5, (2, 1)

    def to_frame(self) -> pd.DataFrame:
        row = {"stage": 1, "first": "a", "last": "b", "replicas": 2, "seconds": 1.5, "share": 1.0}
        return pd.DataFrame([row])

    def __str__(self) -> str:
        return "1 stage: period 1.5 s"


def test_replicas_are_the_librarys(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def replicated(problem: offload.Problem, workers: int) -> Replicated:
        asked.append((problem.name, workers))
        return Replicated()

    monkeypatch.setitem(offload.__dict__, "replicated_stages", replicated)
    outcome = run("partition", "street.json", "--replicas", 3, "-q", "-o", "r.csv")
    assert asked == [("street", 3)]
    assert outcome.out.splitlines()[0] == "1 stage: period 1.5 s"
    assert "1.5 s  100 %" in outcome.out
    assert pd.read_csv(here / "r.csv")["replicas"].tolist() == [2]
    answer = run("partition", "street.json", "--replicas", 3, "--json").json()
    assert (answer["period"], answer["replicas"]) == (1.5, [2, 1])


# -- models --------------------------------------------------------------------------------------


NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two, self.three = (torch.nn.Linear(64, 64) for _ in range(3))

    def forward(self, x, scale):
        return self.three(self.two(self.one(x) * scale))

def net():
    return Net().eval(), (torch.zeros(1, 64),), {"scale": torch.ones(1, 64)}
"""


def test_a_function_makes_a_model(here: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed (extra models)")
    (here / "nets.py").write_text(NET)
    run("partition", "nets.py:net", "-n", "street.json", "--blocks", 2, "--pin", "cam",
        "--contiguous", "--batch", 4, "-q", "--save-instance", "i.json")  # fmt: skip
    problem = offload.load("i.json")
    assert problem.name == "net"
    assert "nets.py:net" in problem.source
    assert "street.json" in problem.source
    tasks = {task.id: task for task in problem.graph.tasks}
    assert tasks["input"].allow == tasks["output"].allow == ("cam",)
    assert len(tasks) == 2 + 2
    assert sum(task.work or 0 for task in tasks.values()) == 4 * 3 * 2 * 64 * 64
    assert [group.rule for group in problem.graph.groups] == ["contiguous"]


def test_an_onnx_file_is_a_model(here: Path) -> None:
    pytest.importorskip("onnx", reason="ONNX is not installed (extra models)")
    from onnx_models import small

    small(here / "net.onnx")
    outcome = run("partition", "net.onnx", "-n", "street.json", "--batch", 8, "--pin", "none",
                  "--json", "-q")  # fmt: skip
    answer = outcome.json()
    assert answer["status"] == "optimal"
    assert all(stage["first"] != "input" for stage in answer["stages"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nets.py:net",), "--network: is needed for a model, got 'nothing'"),
        (("nets.py:nix", "-n", "street.json"), "nets.py:nix: nets.py has no function 'nix'"),
        (("nets.py:boom", "-n", "street.json"), "nets.py:boom: boom() failed: ValueError: no way"),
        (("nets.py:three", "-n", "street.json"), "nets.py:three: three() returned int; return"),
        (("other.py:net", "-n", "street.json"), "other.py: no such file"),
        (("nowhere.at:net", "-n", "street.json"), "nowhere.at:net: no module 'nowhere'"),
        (("broken.py:net", "-n", "street.json"), "broken.py:net: broken.py cannot be imported: Sy"),
        (("net.onnx", "-n", "street.json"), "net.onnx: no such file"),
        (("nets.py:net", "-n", "nowhere"), "family: no network of that name, got 'nowhere'"),
        (("nets.py:net", "-n", "no.json"), "no.json: no such file"),
        (("nets.py:net", "-n", "flat.json"), "--pin: is needed: the network has no device"),
        (("nets.py:net", "-n", "street.json", "--speed", 2), "--speed: is for files of other"),
    ],
)
def test_what_is_wrong_with_a_model_is_one_line(
    here: Path, arguments: tuple[Any, ...], message: str
) -> None:
    base = street()
    flat = [offload.Node("cam"), offload.Node("edge"), offload.Node("cloud")]
    write(here, base.replace(network=offload.Network(flat, base.network.links)), "flat.json")
    (here / "broken.py").write_text("def net(:\n")
    (here / "nets.py").write_text(
        "def net():\n    return 'module', (1, 2)\n"
        "def boom():\n    raise ValueError('no\\nway')\n"
        "def three():\n    return 3\n"
    )
    outcome = run("partition", *arguments)
    assert outcome.status == 2
    assert outcome.err.startswith(f"error: {message}")
    assert len(outcome.err.splitlines()) == 1


def test_a_module_of_torch_is_partitioned(here: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    (here / "nets.py").write_text(
        "import torch\n"
        "def net():\n"
        "    layers = [torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 8)]\n"
        "    return torch.nn.Sequential(*layers).eval(), (torch.zeros(1, 64),)\n"
    )
    answer = run("partition", "nets.py:net", "-n", "edge-3tier", "--json", "-q").json()
    assert answer["status"] in ("optimal", "feasible")
    assert answer["stages"][0]["tier"] == "device"
    assert sum(stage["work"] for stage in answer["stages"]) == 2 * 64 * (64 + 8)


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nix.json",), "nix.json: no such file"),
        (("empty.json",), "empty.json: not recognised as any format"),
        (("street.json", "--blocks", 2), "--blocks: is for models, got 2"),
        (("street.json", "-n", "edge-3tier"), "street.json: is an instance already"),
        (("street.json", "--bandwidths", "1,x"), "--bandwidths: is no size, got 'x'"),
        (("street.json", "--bandwidths", "0"), "--bandwidths: is no size, got '0'"),
        (("street.json", "--plot", "a.gif"), "--plot: must end in .svg, .png or .pdf, got 'a.gif'"),
        (("street.json", "--plot", "no/a.svg"), "--plot: its folder does not exist"),
        (("street.json", "-o", "no/a.json"), "--output: its folder does not exist"),
        (("street.json", "-o", "-"), "--output: must be a file, got '-'"),
        (("street.json", "--replicas", 2, "--sweep"), "--replicas: cannot be combined with"),
        (("street.json", "--replicas", 2, "--plot", "a.svg"), "--plot: is for stages of a plan"),
        (("street.json", "-m", "nix"), "method: unknown method, got 'nix'"),
        (("street.json", "--minimize", "speed"), "--minimize: is no metric, got 'speed'"),
    ],
)
def test_wrong_arguments_are_one_line(here: Path, arguments: tuple[Any, ...], message: str) -> None:
    (here / "empty.json").write_bytes(b"")
    outcome = run("partition", *arguments, "-q")
    assert outcome.status == 2
    assert outcome.err.startswith(f"error: {message}")
    assert len(outcome.err.splitlines()) == 1
    assert outcome.out == ""


def test_an_instance_may_come_from_standard_input(here: Path) -> None:
    raw = io.BytesIO((here / "street.json").read_bytes()).getvalue()
    outcome = run("partition", "-", "--json", "-q", stdin=raw)
    assert json.loads(outcome.out)["instance"] == "street"
