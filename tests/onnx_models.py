"""Networks for the tests of models, written in ONNX node by node."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

__all__ = ["Writer", "resnet50", "small"]


class Writer:
    """Nodes and weights of a model; weights are named and shaped, but have no numbers."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: dict[str, Any] = {}

    def weight(self, name: str, *shape: int) -> str:
        """A weight whose numbers are in a file that nobody has."""
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        pairs = {"location": "weights.bin", "offset": "0", "length": str(4 * math.prod(shape))}
        for key, value in pairs.items():
            tensor.external_data.add(key=key, value=value)
        self.weights[name] = tensor
        return name

    def shape(self, name: str, *values: int) -> str:
        """A vector of integers: a shape, axes."""
        self.weights[name] = helper.make_tensor(name, TensorProto.INT64, [len(values)], values)
        return name

    def node(self, kind: str, *reads: str, path: str = "", outputs: int = 1, **fields: Any) -> str:
        """A node and the name of its first output."""
        names = [f"v{len(self.nodes)}{'' if k == 0 else f'_{k}'}" for k in range(outputs)]
        name = f"/{path.replace('.', '/')}/{kind}" if path else f"/{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, reads, names, name=name, **fields))
        return names[0]

    def model(self, inputs: dict[str, list[Any]], output: str, **types: int) -> Any:
        """The model; ``types`` are those of inputs other than float."""
        given = [
            helper.make_tensor_value_info(name, types.get(name, TensorProto.FLOAT), shape)
            for name, shape in inputs.items()
        ]
        result = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "net", given, [result], list(self.weights.values()))
        opset = [helper.make_opsetid("", 23)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=10)
        # The checker wants a shape for the output, whatever is in it.
        graph.output[0].CopyFrom(onnx.shape_inference.infer_shapes(model).graph.output[0])
        return helper.make_model(graph, opset_imports=opset, ir_version=10)

    def save(self, path: Path, inputs: dict[str, list[Any]], output: str, **types: int) -> Path:
        """Write the model to a file."""
        onnx.save(self.model(inputs, output, **types), path)
        return path


def small(path: Path, batch: Any = "n") -> Path:
    """``torch_models.Small``."""
    w = Writer()
    y = w.node(
        "Conv", "x", w.weight("c1", 8, 3, 3, 3), w.weight("c1b", 8), path="conv1",
        strides=[2, 2], pads=[1, 1, 1, 1],
    )  # fmt: skip
    y = w.node("Relu", y)
    y = w.node("Conv", y, w.weight("c2", 16, 2, 3, 3), w.weight("c2b", 16), path="conv2", group=4)
    y = w.node("Relu", y)
    up = (w.weight("up", 16, 4, 2, 2), w.weight("upb", 4))
    y = w.node("ConvTranspose", y, *up, path="up", strides=[2, 2])
    y = w.node("Flatten", y)
    y = w.node("Gemm", y, w.weight("f1", 32, 3136), w.weight("f1b", 32), path="fc1", transB=1)
    y = w.node("MatMul", w.node("Relu", y), w.weight("f2", 32, 10), path="fc2")
    y = w.node("Add", y, w.weight("f2b", 10), path="fc2")
    return w.save(path, {"x": [batch, 3, 32, 32]}, y)


def resnet50(path: Path) -> Path:
    """``torch_models.ResNet50``, with a dynamic batch."""
    w = Writer()

    def conv(x: str, name: str, o: int, i: int, kernel: int, stride: int, norm: str) -> str:
        weight = w.weight(f"{name}.w", o, i, kernel, kernel)
        pads = [kernel // 2] * 4
        y = w.node("Conv", x, weight, path=name, strides=[stride] * 2, pads=pads)
        four = [w.weight(f"{norm}.{part}", o) for part in ("scale", "bias", "mean", "var")]
        return w.node("BatchNormalization", y, *four, path=norm)

    y = w.node("Relu", conv("x", "conv1", 64, 3, 7, 2, "bn1"))
    y = w.node("MaxPool", y, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    channels = 64
    for layer, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), 1):
        for block in range(blocks):
            name, stride = f"layer{layer}.{block}", 2 if layer > 1 and not block else 1
            z = w.node("Relu", conv(y, f"{name}.conv1", width, channels, 1, 1, f"{name}.bn1"))
            z = w.node("Relu", conv(z, f"{name}.conv2", width, width, 3, stride, f"{name}.bn2"))
            z = conv(z, f"{name}.conv3", 4 * width, width, 1, 1, f"{name}.bn3")
            if not block:
                around = (f"{name}.around.0", 4 * width, channels, 1, stride, f"{name}.around.1")
                y = conv(y, *around)
            y, channels = w.node("Relu", w.node("Add", z, y)), 4 * width
    y = w.node("Flatten", w.node("GlobalAveragePool", y))
    y = w.node("Gemm", y, w.weight("fc.w", 1000, 2048), w.weight("fc.b", 1000), path="fc", transB=1)
    return w.save(path, {"x": ["batch", 3, 224, 224]}, y)
