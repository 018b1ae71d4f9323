"""from_onnx: the same graphs as from_torch of the same networks, and the FLOPs of each operator."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

import offload
from offload import Graph
from offload.models import from_onnx, from_torch

onnx = pytest.importorskip("onnx", reason="ONNX is not installed (extra models)")
from onnx_models import Writer, resnet50, small  # noqa: E402

helper, TensorProto = onnx.helper, onnx.TensorProto


def work(graph: Graph) -> float:
    return sum(task.work or 0 for task in graph.tasks)


def resident(graph: Graph) -> float:
    return sum(task.resident for task in graph.tasks if isinstance(task.resident, float))


def same(graph: Graph, other: Graph) -> None:
    """Tasks with the same names, work and bytes; edges with the same bytes."""
    for a, b in zip(graph.tasks, other.tasks, strict=True):
        assert (a.id, a.allow, a.work, a.resident) == (b.id, b.allow, b.work, b.resident)
    edges = [sorted((e.src, e.dst, e.bytes) for e in g.edges) for g in (graph, other)]
    assert edges[0] == edges[1]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("blocks", [None, 2, 4])
def test_a_small_network_is_that_of_pytorch(tmp_path: Path, batch: int, blocks: int | None) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra models)")
    from torch_models import Small

    x = torch.zeros(batch, 3, 32, 32)
    path = small(tmp_path / "small.onnx")
    same(
        from_onnx(path, batch=batch, blocks=blocks), from_torch(Small().eval(), (x,), blocks=blocks)
    )


@pytest.mark.parametrize("blocks", [None, 18])
def test_resnet_50_is_that_of_pytorch(tmp_path: Path, blocks: int | None) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra models)")
    from torch_models import ResNet50

    with torch.device("meta"):
        module = ResNet50().eval()
    x = torch.zeros(1, 3, 224, 224)
    same(
        from_onnx(resnet50(tmp_path / "r.onnx"), blocks=blocks),
        from_torch(module, (x,), blocks=blocks),
    )


def test_resnet_50_has_the_published_work_and_parameters(tmp_path: Path) -> None:
    graph = from_onnx(resnet50(tmp_path / "r.onnx"))
    assert work(graph) == pytest.approx(8.178e9, rel=0.005)
    assert resident(graph) == 4 * (25_557_032 + 2 * 26_560)


def test_options_mean_what_they_mean_for_pytorch(tmp_path: Path) -> None:
    path = small(tmp_path / "small.onnx")
    plain, half = from_onnx(path), from_onnx(path, dtype="float16")
    assert resident(half) == resident(plain) / 2
    assert [e.bytes for e in half.edges] == [e.bytes / 2 for e in plain.edges]
    trained = from_onnx(path, training=True, pin=None)
    assert work(trained) == 3 * work(plain)
    assert [g.rule for g in trained.groups] == ["contiguous", *["together"] * 5]
    counted = from_onnx(path, elementwise=True)
    assert work(counted) - work(plain) == 8 * 256 + 16 * 196 + 32 + 10  # ReLUs, and a bias added


def test_a_weight_that_two_nodes_use_counts_once_and_shapes_not_at_all(tmp_path: Path) -> None:
    w = Writer()
    weight, target = w.weight("w", 6, 6), w.shape("to", 2, 3, 6)
    y = w.node("MatMul", w.node("MatMul", "x", weight), weight)
    path = w.save(tmp_path / "m.onnx", {"x": [6, 6]}, w.node("Reshape", y, target))
    graph = from_onnx(path, pin=None)
    assert [(t.work, t.resident) for t in graph.tasks] == [(2 * 216, 4 * 36), (2 * 216, 0)]


def test_shapes_worked_out_from_a_dynamic_batch_are_followed(tmp_path: Path) -> None:
    w = Writer()
    size = w.node("Gather", w.node("Shape", "x"), w.shape("first", 0))
    target = w.node("Concat", size, w.shape("rest", 12), axis=0)
    y = w.node("MatMul", w.node("Reshape", "x", target), w.weight("w", 12, 5))
    path = w.save(tmp_path / "m.onnx", {"x": ["n", 3, 4]}, y)
    graph = from_onnx(path, batch=7)
    assert [task.work for task in graph.tasks] == [0, 2 * 7 * 12 * 5, 0]
    assert [edge.bytes for edge in graph.edges] == [4 * 7 * 12, 4 * 7 * 5]


def test_other_dimensions_get_their_sizes_by_name(tmp_path: Path) -> None:
    w = Writer()
    y = w.node("MatMul", w.node("Gather", w.weight("table", 50, 8), "ids"), w.weight("w", 8, 4))
    path = w.save(tmp_path / "m.onnx", {"ids": ["n", "words"]}, y, ids=TensorProto.INT64)
    graph = from_onnx(path, batch=2, sizes={"words": 9})
    assert work(graph) == 2 * 2 * 9 * 8 * 4
    assert resident(graph) == 4 * (50 * 8 + 8 * 4)
    assert graph.edges[0].bytes == 8 * 2 * 9
    with pytest.raises(offload.OffloadError, match=r"dimension 1 of 'ids' has no size.*'words'"):
        from_onnx(path)


OPERATORS: list[tuple[str, list[tuple[int, ...]], dict[str, Any], float]] = [
    ("Conv", [(2, 4, 9), (6, 2, 3)], {"group": 2}, 2 * 2 * 6 * 7 * 2 * 3),
    ("ConvTranspose", [(2, 4, 5), (4, 3, 2)], {"strides": [2], "group": 2}, 2 * 2 * 4 * 5 * 3 * 2),
    ("Gemm", [(5, 4), (5, 6)], {"transA": 1}, 2 * 4 * 5 * 6),
    ("MatMul", [(2, 1, 4, 5), (3, 5, 6)], {}, 2 * 2 * 3 * 4 * 5 * 6),
    ("MatMul", [(5,), (5,)], {}, 2 * 5),
    ("Einsum", [(3, 4, 5), (3, 6, 5)], {"equation": "bij,bkj->bik"}, 2 * 3 * 4 * 5 * 6),
    ("LSTM", [(3, 2, 4), (1, 20, 4), (1, 20, 5)], {"hidden_size": 5}, 2 * 6 * 20 * 9),
    ("GRU", [(3, 2, 4), (1, 15, 4), (1, 15, 5)], {"hidden_size": 5}, 2 * 6 * 15 * 9),
    ("Attention", [(2, 3, 7, 8)] * 3, {}, 4 * 2 * 3 * 7 * 7 * 8),
    ("Attention", [(2, 7, 24), (2, 9, 8), (2, 9, 8)], {"q_num_heads": 3, "kv_num_heads": 1},
     4 * 2 * 3 * 7 * 9 * 8),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "shapes", "fields", "flops"), OPERATORS)
def test_flops_are_two_a_multiply_add(
    tmp_path: Path, kind: str, shapes: list[tuple[int, ...]], fields: dict[str, Any], flops: float
) -> None:
    w = Writer()
    names = [f"x{k}" for k in range(len(shapes))]
    y = w.node(kind, *names, **fields)
    inputs = {name: list(shape) for name, shape in zip(names, shapes, strict=True)}
    graph = from_onnx(w.save(tmp_path / "m.onnx", inputs, y))
    assert work(graph) == flops
    assert math.fsum(e.bytes for e in graph.edges if e.src == "input") == sum(
        4 * math.prod(shape) for shape in dict(zip(names, shapes, strict=True)).values()
    )


def test_local_functions_are_looked_into(tmp_path: Path) -> None:
    opset = [helper.make_opsetid("", 23)]
    body = [helper.make_node("MatMul", ["a", "b"], ["c"])]
    function = helper.make_function("mine", "Twice", ["a", "b"], ["c"], body, opset)
    node = helper.make_node("Twice", ["x", "x"], ["y"], domain="mine")
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [4, 4]) for n in "xy"]
    graph = helper.make_graph([node], "g", values[:1], values[1:])
    opsets = [*opset, helper.make_opsetid("mine", 1)]
    model = helper.make_model(graph, opset_imports=opsets, functions=[function], ir_version=10)
    onnx.save(model, tmp_path / "m.onnx")
    assert work(from_onnx(tmp_path / "m.onnx")) == 2 * 64


def test_files_that_are_no_models_are_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("this is no model", encoding="utf-8")
    whole = small(tmp_path / "small.onnx").read_bytes()
    (tmp_path / "half.onnx").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.onnx").write_bytes(b"")
    w = Writer()
    w.save(tmp_path / "open.onnx", {"x": [2, 2]}, w.node("MatMul", "x", "nobody"))
    for name in ("text", "half", "empty", "open"):
        with pytest.raises(
            offload.OffloadError, match=rf"{name}\.onnx: is no valid ONNX model"
        ) as e:
            from_onnx(tmp_path / f"{name}.onnx")
        assert "\n" not in str(e.value)
    with pytest.raises(offload.OffloadError, match=r"absent\.onnx: cannot be read \(No such file"):
        from_onnx(tmp_path / "absent.onnx")
    with pytest.raises(offload.OffloadError, match="cannot be read"):
        from_onnx(tmp_path)


def test_sizes_that_depend_on_data_name_the_value(tmp_path: Path) -> None:
    w = Writer()
    y = w.node("NonZero", "x")
    path = w.save(tmp_path / "m.onnx", {"x": [4, 4]}, w.node("Cast", y, to=TensorProto.FLOAT))
    with pytest.raises(offload.OffloadError, match=r"of 'v0' has no size.*it depends on data"):
        from_onnx(path)


def test_control_flow_and_unknown_operators_are_refused(tmp_path: Path) -> None:
    def branch(name: str) -> Any:
        out = helper.make_tensor_value_info(name, TensorProto.FLOAT, [2])
        return helper.make_graph([helper.make_node("Identity", ["x"], [name])], name, [], [out])

    w = Writer()
    y = w.node("If", "c", then_branch=branch("t"), else_branch=branch("e"))
    path = w.save(tmp_path / "if.onnx", {"x": [2], "c": [1]}, y, c=TensorProto.BOOL)
    with pytest.raises(offload.OffloadError, match="If '/If_0' is control flow"):
        from_onnx(path)
    node = helper.make_node("Magic", ["x"], ["y"], name="wand", domain="mine")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy"]
    graph = helper.make_graph([node], "g", values[:1], values[1:])
    opsets = [helper.make_opsetid("", 23), helper.make_opsetid("mine", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), tmp_path / "m.onnx")
    with pytest.raises(offload.OffloadError, match=r"'y' \(Magic 'wand'\) cannot be inferred"):
        from_onnx(tmp_path / "m.onnx")


def test_sizes_out_of_range_and_a_batch_without_use_are_named(tmp_path: Path) -> None:
    path = small(tmp_path / "fixed.onnx", batch=2)
    with pytest.raises(offload.OffloadError, match="batch is 3, but the first dimension of every"):
        from_onnx(path, batch=3)
    for fields, name in (({"batch": 0}, "batch"), ({"sizes": {"n": -1}}, r"sizes\['n'\]")):
        with pytest.raises(offload.OffloadError, match=f"{name}: must be an integer of at least 1"):
            from_onnx(path, **fields)
