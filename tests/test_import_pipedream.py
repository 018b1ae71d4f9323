"""PipeDream's profiles of layers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from foreign import converted, refused

import offload

NAME = "small.graph.txt"
# Layers out of order, as in the files; an activation of two tensors; a layer that two others read.
SAMPLE = """\
node3 -- LSTM(4, 4) -- forward_compute_time=3.000, backward_compute_time=5.000, \
activation_size=[60.0; 4.0], parameter_size=300.000
node1 -- Input0 -- forward_compute_time=17.972, backward_compute_time=0.000, \
activation_size=8.0, parameter_size=0.000
node2 -- Conv2d(3, 64, kernel_size=(3, 3)) -- forward_compute_time=2.000, \
backward_compute_time=4.000, activation_size=32.000, parameter_size=200.000
node4 -- Add(inplace) -- forward_compute_time=1.000, backward_compute_time=0.000, \
activation_size=16.000, parameter_size=0.000
\tnode2 -- node3
\tnode1 -- node2
\tnode2 -- node4
\tnode3 -- node4
"""


def test_layers_are_tasks_forward_and_backward(tmp_path: Path) -> None:
    problem = converted(tmp_path, NAME, SAMPLE, processors=2, bandwidth=1000.0)
    assert problem.minimize == {"period": 1.0}
    assert [(task.id, task.work, task.resident) for task in problem.graph.tasks] == [
        ("node3", 0.003, 300.0), ("node2", 0.002, 200.0), ("node4", 0.001, 0.0),
        ("node3-backward", 0.005, 0.0), ("node2-backward", 0.004, 0.0),
        ("node4-backward", 0.0, 0.0),
    ]  # fmt: skip
    assert [(e.src, e.dst, e.bytes, e.item) for e in problem.graph.edges] == [
        ("node2", "node3", 32.0, "output"), ("node2", "node4", 32.0, "output"),
        ("node3", "node4", 64.0, "output"), ("node3-backward", "node2-backward", 32.0, None),
        ("node4-backward", "node2-backward", 32.0, None),
        ("node4-backward", "node3-backward", 64.0, None), ("node4", "node4-backward", 0.0, None),
    ]  # fmt: skip
    assert [(group.rule, group.tasks) for group in problem.graph.groups] == [
        ("together", ("node3", "node3-backward")), ("together", ("node2", "node2-backward")),
        ("together", ("node4", "node4-backward")), ("contiguous", ("node3", "node2", "node4")),
    ]  # fmt: skip
    assert "Inputs (1) are left out with the time of loading" in problem.source


def test_times_worked_out_by_hand(tmp_path: Path) -> None:
    # node2 on one worker, the rest on the other: its activation goes there once, 0.032 s at 1000
    # bytes a second, and two gradients come back.
    problem = converted(tmp_path, NAME, SAMPLE, processors=2, bandwidth=1000.0)
    plan = offload.evaluate(problem, [[1, 0, 1, 1, 0, 1]], [[1, 0, 2, 5, 3, 4]]).plan()
    assert offload.check(problem, plan) == []
    assert plan.metrics["latency"] == pytest.approx(0.002 + 0.032 + 0.004 + 0.005 + 0.032 + 0.004)
    assert plan.metrics["period"] == pytest.approx(0.009)
    assert plan.metrics["traffic"] == 32 + 32 + 32
    # node3 alone leaves and comes back.
    plan = offload.evaluate(problem, [[1, 0, 0, 1, 0, 0]], [[1, 0, 2, 5, 3, 4]]).plan()
    assert {violation.rule for violation in offload.check(problem, plan)} == {"contiguous"}


def test_the_forward_pass_alone(tmp_path: Path) -> None:
    problem = converted(
        tmp_path, NAME, SAMPLE, processors=2, bandwidth=1000.0, inference=True, contiguous=False
    )
    assert [task.id for task in problem.graph.tasks] == ["node3", "node2", "node4"]
    assert len(problem.graph.edges) == 3
    assert problem.graph.groups == ()
    assert "The backward pass is left out" in problem.source


def test_a_stage_that_was_planned_before_is_left_out(tmp_path: Path) -> None:
    staged = re.sub(r"(parameter_size=\S+)", r"\1 -- stage_id=2", SAMPLE)
    plain = converted(tmp_path, NAME, SAMPLE, processors=2)
    assert converted(tmp_path, NAME, staged, processors=2).digest == plain.digest


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("\tnode3 -- node4", "\tnode3 -- node9", "line 8: names no layer, got 'node9'; use the id"),
        ("\tnode3 -- node4", "\tnode3", "line 8: must be an edge, got 'node3'"),
        ("\tnode3 -- node4", "\tnode2 -- node3", "line 8: edge 0 has the same ends and item"),
        ("\tnode3 -- node4", "\tnode4 -- node2", "line 7: the tasks wait for each other in"),
        ("\tnode3 -- node4", "node3 -- node4", "line 8: must be a layer or an edge, got 'node3 --"),
        ("node4 -- Add", "node3 -- Add", "line 4: duplicate id, got 'node3'; rename one"),
        ("=3.000", "=x", "line 1: forward_compute_time must be a number, got 'x'"),
        ("=5.000", "=-5", "line 1: backward_compute_time must be finite and >= 0, got '-5'"),
        ("[60.0; 4.0]", "[60.0; ]", "line 1: activation_size must be a number, got ''"),
        ("[60.0; 4.0]", "[60.0, 4.0]", "line 1: activation_size must be a number, got '[60.0'"),
        (", parameter_size=200.000", "", "line 3: a layer must have parameter_size"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, error: str
) -> None:
    assert old in SAMPLE
    assert refused(tmp_path, NAME, SAMPLE.replace(old, new, 1), processors=2)[0].startswith(error)


def test_a_profile_without_layers(tmp_path: Path) -> None:
    only = "".join(SAMPLE.splitlines(keepends=True)[1:2])
    assert refused(tmp_path, NAME, only, processors=2) == [
        "line 1: must have a layer that is no input, got nothing; add the layers"
    ]
    assert refused(tmp_path, NAME, "\n", processors=2) == [
        "line 1: must have a layer, got nothing; a profile of PipeDream"
    ]


def test_it_needs_a_network(tmp_path: Path) -> None:
    with pytest.raises(offload.OffloadError, match="has no network; say --processors N"):
        converted(tmp_path, NAME, SAMPLE)
    faster = converted(tmp_path, NAME, SAMPLE, processors=2, speed=4.0)
    assert faster.graph.tasks[0].work == 0.012


def test_every_profile(data: Path) -> None:
    found = sorted((data / "pipedream/profiles").glob("*.graph.txt"))
    assert len(found) == 14
    for path in found:
        lines = path.read_text().splitlines()
        layers = [line for line in lines if not line.startswith("\t")]
        inputs = [line for line in layers if line.split(" -- ")[1].startswith("Input")]
        problem = offload.convert(path, processors=4, bandwidth=5e9)
        assert len(problem.graph.tasks) == 2 * (len(layers) - len(inputs))
        given = sum(
            float(time)
            for line in layers if line not in inputs
            for time in re.findall(r"_compute_time=([\d.]+)", line)
        )  # fmt: skip
        assert sum(task.work or 0.0 for task in problem.graph.tasks) == pytest.approx(given / 1000)
        forward = offload.convert(path, processors=4, bandwidth=5e9, inference=True)
        assert len(forward.graph.tasks) == len(problem.graph.tasks) // 2
