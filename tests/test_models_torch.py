"""from_torch: FLOPs, bytes and edges against closed forms and published figures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import offload
from offload import Graph, Network, Node, Problem
from offload.models import from_torch

torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra models)")
from torch_models import Block, Branches, Decoder, Dynamic, ResNet50, Small, Tied  # noqa: E402

nn = torch.nn


class Calls(nn.Module):  # type: ignore[misc, name-defined]
    """A function as a module."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Any) -> Any:
        return self.function(*args)


def meta(module: Any, *args: Any) -> Any:
    with torch.device("meta"):
        return module(*args).eval()


def work(graph: Graph) -> float:
    return sum(task.work or 0 for task in graph.tasks)


def resident(graph: Graph) -> float:
    return sum(task.resident for task in graph.tasks if isinstance(task.resident, float))


@pytest.fixture(scope="module")
def resnet() -> Graph:
    return from_torch(meta(ResNet50), (torch.zeros(1, 3, 224, 224),), blocks=18)


def test_resnet_50_has_the_published_work_and_parameters(resnet: Graph) -> None:
    """4.089 G multiply-adds, 25,557,032 parameters; means and variances of 26,560 channels."""
    assert work(resnet) == pytest.approx(8.178e9, rel=0.005)
    assert resident(resnet) == 4 * (25_557_032 + 2 * 26_560)


def test_blocks_of_resnet_50_are_its_own_and_what_passes_between_them_its_tensors(
    resnet: Graph,
) -> None:
    layers = [
        f"layer{k}.{b}" for k, n in zip((1, 2, 3, 4), (3, 4, 6, 3), strict=True) for b in range(n)
    ]
    assert [t.id for t in resnet.tasks] == ["input", "conv1", *layers, "fc", "output"]
    chain = [edge.bytes for edge in resnet.edges]
    assert chain == [
        4 * size
        for size in (3 * 224**2, 64 * 56**2, *[256 * 56**2] * 3, *[512 * 28**2] * 4,
                     *[1024 * 14**2] * 6, *[2048 * 7**2] * 2, 2048, 1000)
    ]  # fmt: skip


@pytest.mark.parametrize("causal", [False, True])
def test_a_transformer_block_has_the_work_of_the_closed_form(causal: bool) -> None:
    n, d = 96, 64
    graph = from_torch(meta(Block, d, 4, causal), (torch.zeros(1, n, d),))
    assert work(graph) == 24 * n * d**2 + 4 * n**2 * d
    assert resident(graph) == 4 * (12 * d**2 + 13 * d)


def test_a_decoder_counts_tied_embeddings_once_with_their_first_reader() -> None:
    words, n, d, layers = 500, 32, 48, 3
    module = meta(Decoder, words, n, d, 4, layers)
    graph = from_torch(module, (torch.zeros(1, n, dtype=torch.int64),), blocks=layers + 1)
    assert work(graph) == layers * (24 * n * d**2 + 4 * n**2 * d) + 2 * n * d * words
    parameters = layers * (12 * d**2 + 13 * d) + (words + n) * d + 2 * d
    assert resident(graph) == 4 * parameters
    assert graph.tasks[1].resident == 4 * ((words + n) * d + 12 * d**2 + 13 * d)
    names = [task.id for task in graph.tasks]
    assert names == ["input", *(f"blocks.{k}" for k in range(layers)), "head", "output"]
    assert [edge.bytes for edge in graph.edges] == [8 * n, *[4 * n * d] * layers, 4 * n * words]


def test_tied_layers_are_one_and_untied_twins_two() -> None:
    module = Tied(8).eval()
    graph = from_torch(module, (torch.zeros(2, 8),), pin=None)
    assert [task.resident for task in graph.tasks] == [4 * 72, 4 * 72, 4 * 8]  # a bias of its own
    module.last = nn.Linear(8, 8)
    assert resident(from_torch(module, (torch.zeros(2, 8),))) == 3 * 4 * 72


def test_branches_keep_their_tensors_apart() -> None:
    graph = from_torch(Branches().eval(), (torch.zeros(2, 3, 12, 12), torch.zeros(2, 5)))
    edges = {(e.src, e.dst): e.bytes for e in graph.edges}
    assert edges["input", "left.0"] == edges["input", "right.0"] == 4 * 2 * 3 * 144
    assert edges["input", "side"] == 4 * 2 * 5
    assert edges["join", "output"] == 8 * 2  # argmax, int64
    assert edges["side", "output"] == 4 * 2 * 4


def test_the_ends_are_where_they_are_pinned_and_can_be_left_out() -> None:
    args = (torch.zeros(2, 8),)
    ends = from_torch(Tied().eval(), args, pin=("cam", "tag:trusted")).tasks
    assert [(t.id, t.work, t.allow) for t in (ends[0], ends[-1])] == [
        ("input", 0, ("cam", "tag:trusted")),
        ("output", 0, ("cam", "tag:trusted")),
    ]
    bare = from_torch(Tied().eval(), args, pin=None)
    assert [task.id for task in bare.tasks] == ["first", "middle", "last"]
    assert {edge.src for edge in bare.edges} == {"first", "middle"}


def test_by_default_a_plan_pays_for_the_upload() -> None:
    graph = from_torch(Small().eval(), (torch.zeros(1, 3, 32, 32),))
    nodes = (Node("cam", tier="device", speed=1e9), Node("cloud", tier="cloud", speed=1e12))
    link = offload.Link("cam", "cloud", bandwidth=1e5)
    problem = Problem(network=Network(nodes, (link,)), graph=graph)
    result = offload.solve(problem, "cpsat", time_limit=20)
    assert result.plan is not None
    assert result.objective == pytest.approx(work(graph) / 1e9, rel=1e-6)  # stays on the camera


def test_dtype_halves_floating_point_bytes_and_leaves_integers() -> None:
    module, ids = meta(Decoder, 50, 8, 16, 2, 1), (torch.zeros(1, 8, dtype=torch.int64),)
    full = from_torch(module, ids)
    for dtype in ("float16", torch.bfloat16, 2):
        half = from_torch(module, ids, dtype=dtype)
        assert resident(half) == resident(full) / 2
        assert work(half) == work(full)
        for thin, thick in zip(half.edges, full.edges, strict=True):
            assert thin.bytes == (thick.bytes if thick.src == "input" else thick.bytes / 2)


def test_batch_is_that_of_the_inputs() -> None:
    one = from_torch(meta(Small), (torch.zeros(1, 3, 32, 32),))
    four = from_torch(meta(Small), (torch.zeros(4, 3, 32, 32),))
    assert work(four) == 4 * work(one)
    assert resident(four) == resident(one)
    assert [e.bytes for e in four.edges] == [4 * e.bytes for e in one.edges]


def test_elementwise_counts_an_operation_an_element() -> None:
    module = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Flatten(), nn.Softmax(1)).eval()
    graph = from_torch(module, (torch.zeros(2, 8),), elementwise=True, pin=None)
    assert work(graph) == 2 * 2 * 8 * 16 + 2 * (2 * 16)
    assert [task.id for task in graph.tasks] == ["0", "1", "3"]


def test_training_and_contiguous_add_their_groups() -> None:
    module, args = Tied().eval(), (torch.zeros(2, 8),)
    trained = from_torch(module, args, training=True)
    assert work(trained) == 3 * work(from_torch(module, args))
    assert [group.rule for group in trained.groups] == ["contiguous", *["together"] * 3]
    assert not from_torch(module, args).groups
    (group,) = from_torch(module, args, contiguous=True).groups
    assert (group.rule, group.tasks) == ("contiguous", ("first", "middle", "last"))
    assert not [
        g for g in from_torch(module, args, training=True, contiguous=False).groups
        if g.rule == "contiguous"
    ]  # fmt: skip


def test_a_module_in_training_mode_keeps_its_statistics_to_itself() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 3)).train()
    graph = from_torch(module, (torch.zeros(2, 3, 8, 8),), training=True)
    outputs = [edge for edge in graph.edges if edge.dst == "output"]
    assert [edge.bytes for edge in outputs] == [4 * 2 * 2 * 16]


@pytest.mark.parametrize("blocks", [1, 2, 3, 4, 5, 6, 7, 9, 12, 20, 100])
def test_blocks_form_no_cycle_and_keep_all_work(blocks: int) -> None:
    module, args = _branchy()
    whole = from_torch(module, args, pin=None)
    graph = from_torch(module, args, blocks=blocks, pin=None)
    Problem(network=Network((Node("n"),), ()), graph=graph)  # refuses cycles
    assert len(graph.tasks) <= blocks
    assert work(graph) == work(whole)
    assert resident(graph) == resident(whole)


def _branchy() -> tuple[Any, tuple[Any, ...]]:
    return Branches().eval(), (torch.zeros(1, 3, 12, 12), torch.zeros(1, 5))


def shared_heads(query: Any, key: Any, value: Any) -> Any:
    return nn.functional.scaled_dot_product_attention(query, key, value, enable_gqa=True)


A, B, C = (4, 5), (5, 6), (3, 4, 5)


@pytest.mark.parametrize(
    ("module", "shapes", "flops"),
    [
        (Calls(torch.matmul), [A, B], 2 * 4 * 5 * 6),
        (Calls(torch.matmul), [C, (3, 5, 6)], 2 * 3 * 4 * 5 * 6),
        (Calls(torch.matmul), [C, B], 2 * 3 * 4 * 5 * 6),
        (Calls(torch.matmul), [A, (5,)], 2 * 4 * 5),
        (Calls(torch.mv), [A, (5,)], 2 * 4 * 5),
        (Calls(torch.dot), [(7,), (7,)], 2 * 7),
        (Calls(torch.addmv), [(4,), A, (5,)], 2 * 4 * 5),
        (Calls(torch.addmm), [(4, 6), A, B], 2 * 4 * 5 * 6),
        (Calls(torch.addbmm), [(4, 6), C, (3, 5, 6)], 2 * 3 * 4 * 5 * 6),
        (Calls(lambda a, b: torch.einsum("bij,bkj->bik", a, b)), [C, C], 2 * 3 * 4 * 4 * 5),
        (nn.Linear(5, 6), [A], 2 * 4 * 5 * 6),
        (nn.Bilinear(3, 4, 6), [(2, 3), (2, 4)], 2 * 2 * 3 * 4 * 6),
        (nn.Conv1d(4, 6, 3, groups=2), [(1, 4, 9)], 2 * 6 * 7 * 2 * 3),
        (nn.Conv2d(3, 8, 3, 2, 1), [(1, 3, 8, 8)], 2 * 8 * 16 * 27),
        (nn.ConvTranspose2d(3, 8, 2, 2), [(1, 3, 4, 4)], 2 * 16 * 3 * 8 * 4),
        (nn.LSTM(4, 5), [(3, 2, 4)], 2 * 3 * 2 * 4 * 5 * (4 + 5)),
        (Calls(nn.functional.scaled_dot_product_attention), [(2, 3, 7, 8)] * 3, 4 * 6 * 49 * 8),
        (Calls(shared_heads), [(2, 6, 7, 8), *[(2, 3, 9, 8)] * 2], 4 * 2 * 6 * 7 * 9 * 8),
        (nn.MultiheadAttention(8, 2), [(6, 1, 8)] * 3, 2 * 4 * 6 * 64 + 4 * 36 * 8),
    ],
)  # fmt: skip
def test_flops_are_two_a_multiply_add(module: Any, shapes: list[Any], flops: float) -> None:
    args = tuple(torch.zeros(shape) for shape in shapes)
    assert work(from_torch(module.eval(), args)) == flops


def test_what_the_forward_makes_is_on_the_meta_device_too() -> None:
    module = nn.Sequential(nn.Linear(4, 4), Calls(lambda x: x @ torch.ones(4, 3)))
    assert work(from_torch(module.to("meta"), (torch.zeros(2, 4),))) == 2 * 2 * 16 + 2 * 2 * 12


def test_keyword_inputs_count() -> None:
    module = Branches().eval()
    extra = torch.zeros(2, 5)
    graph = from_torch(module, (torch.zeros(2, 3, 12, 12),), {"extra": extra})
    assert ("input", "side", 40) in {(e.src, e.dst, e.bytes) for e in graph.edges}


@pytest.mark.parametrize(
    ("module", "args", "message"),
    [
        (torch.relu, (torch.zeros(2),), "needs a torch.nn.Module, got builtin"),
        (nn.Linear(3, 4), torch.zeros(2, 3), r"args must be a tuple.*got Tensor; write \(x,\)"),
        (nn.Linear(3, 4), (torch.zeros(2, 5),), r"Linear cannot be exported \(.*see whether"),
        (nn.Linear(3, 4), (), r"Linear cannot be exported \(TypeError"),
        (Dynamic(), (torch.zeros(3, 3),), "depends on the values of a tensor; choose with torch.w"),
        (Calls(torch.nonzero), (torch.zeros(3),), "the size of 'nonzero' depends on data"),
        (Calls(lambda x: x), (torch.zeros(3),), "computes nothing from its inputs"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_graph_is_one_clear_error(
    module: Any, args: Any, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(offload.OffloadError, match=message) as caught:
        from_torch(module, args)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_python_of_the_guide_runs_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parents[1] / "docs" / "models.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        exec(compile(block, "docs/models.md", "exec"), names)
    assert "camera ('0',) ('input',) -> ('relu',)" in capsys.readouterr().out


def test_keyword_inputs_that_are_no_dictionary_are_named() -> None:
    with pytest.raises(offload.OffloadError, match=r"kwargs must be a dictionary.*got list"):
        from_torch(nn.Linear(3, 4), (), [torch.zeros(2, 3)])  # type: ignore[arg-type]


def test_control_flow_operators_are_refused() -> None:
    def either(x: Any) -> Any:
        return torch.cond(x.sum() > 0, lambda x: x @ x, lambda x: x + 1, (x,))

    with pytest.raises(offload.OffloadError, match="control flow in the graph"):
        from_torch(Calls(either), (torch.zeros(3, 3),))


def test_a_batch_scales_work_and_activations_and_no_parameters() -> None:
    module = Calls(lambda x, scale: torch.relu(x) * scale @ torch.ones(8, 4))
    args = (torch.ones(2, 8), torch.ones(1, 8))
    one, four = from_torch(module, args), from_torch(module, args, batch=8)
    assert work(four) == 4 * work(one) > 0
    sizes = [{(e.src, e.dst, e.item): e.bytes for e in graph.edges} for graph in (one, four)]
    ratios = {key: sizes[1][key] / size for key, size in sizes[0].items()}
    assert set(ratios.values()) == {1.0, 4.0}  # the second input is of no batch


@pytest.mark.parametrize("args", [(), (torch.ones(()),)])
def test_a_batch_needs_an_input_that_has_one(args: tuple[Any, ...]) -> None:
    module = Calls(lambda *inputs: torch.ones(3) @ torch.ones(3))
    with pytest.raises(offload.OffloadError, match="batch needs a first input"):
        from_torch(module, args, batch=2)
