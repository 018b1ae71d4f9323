"""Two neural networks in blocks, read from PyTorch: ResNet-50 and a decoder of GPT-2's size.

Run from the repository root: ``python instances/make/models.py``. Needs ``offload[models]``; what
comes out does not. The networks are written out in ``tests/torch_models.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from making import REPOSITORY, run

from offload import Graph, Network, Problem, links, models, node

SUSTAINED = 0.3  # of the peak of the catalogue
SITE = ("site",)

SOURCE = (
    "Made for this library; licence MIT, as this repository. {network} Work is 2 FLOPs for a"
    " multiply-add of convolutions, matrix products and attention, exported with PyTorch 2.13.0;"
    " resident bytes are float32 parameters and buffers, edges float32 activations."
    " Machines and links are those of offload.profiles() with their sources, at 30 % of the peak"
    " speed, which is assumed."
)
RESNET = (
    "ResNet-50 (He et al., CVPR 2016, table 1) with the stride in the 3x3 convolutions (version"
    " 1.5): 8.178 GFLOP and 25,557,032 parameters for one picture of 224 x 224."
)
DECODER = (
    "A decoder of GPT-2's size (Radford et al. 2019: 12 layers, width 768, 12 heads, 50,257 words,"
    " tied embeddings) for a prompt of 1,024 words: 24 n d^2 + 4 n^2 d FLOPs a layer."
)


def resnet(torch: Any) -> Graph:
    """ResNet-50 in its 18 blocks; from the first activations one could still see the picture."""
    from torch_models import ResNet50

    with torch.device("meta"):
        module = ResNet50().eval()
    graph = models.from_torch(module, (torch.zeros(1, 3, 224, 224),), blocks=18)
    edges = [
        msgspec.structs.replace(edge, require=SITE)
        if edge.src.startswith(("input", "conv1", "layer1"))
        else edge
        for edge in graph.edges
    ]
    return msgspec.structs.replace(graph, edges=tuple(edges))


def decoder(torch: Any) -> Graph:
    """A prompt's next word: the head sees the last place only, and its choice goes back."""
    from torch_models import Decoder

    class NextWord(Decoder):  # type: ignore[misc]
        def forward(self, ids: Any) -> Any:
            places = self.places(torch.arange(ids.shape[1], device=ids.device))
            hidden = self.norm(self.blocks(self.tokens(ids) + places))
            return self.head(hidden[:, -1]).argmax(-1)

    with torch.device("meta"):
        module = NextWord(50257, 1024, 768, 12, 12).eval()
    ids = torch.zeros(1, 1024, dtype=torch.int64)
    return models.from_torch(module, (ids,), blocks=13, contiguous=True)


def street() -> Network:
    """A camera on Wi-Fi, an edge box that lends 48 MB, and a GPU in the cloud."""
    return Network(
        (
            node("raspberry-pi-4", "camera", derate=SUSTAINED, memory=1e9, tags=SITE),
            node("jetson-orin-nano", "edge", tier="edge", derate=SUSTAINED, memory=48e6, tags=SITE),
            node("aws-g5.xlarge", "cloud", derate=SUSTAINED),
        ),
        (*links("wifi-5", "camera", "edge", tags=SITE), *links("wan-us", "edge", "cloud")),
    )


def office() -> Network:
    """A phone, three small machines of an office and a cloud machine without a GPU."""
    return Network(
        (
            node("smartphone", "phone", derate=SUSTAINED, memory=400e6),
            node("jetson-orin-nano", "orin-a", tier="edge", derate=SUSTAINED),
            node("jetson-orin-nano", "orin-b", tier="edge", derate=SUSTAINED),
            node("mini-pc-n150", "mini-pc", tier="edge", derate=SUSTAINED),
            node("aws-c7g.4xlarge", "cloud", derate=SUSTAINED),
        ),
        (
            *links("wifi-6", "phone", "orin-a", channels=1),
            *links("ethernet-1g", "orin-a", "orin-b", channels=1),
            *links("ethernet-1g", "orin-a", "mini-pc", channels=1),
            *links("ethernet-1g", "orin-b", "mini-pc", channels=1),
            *links("metro-fibre", "orin-b", "cloud", channels=1),
        ),
    )


def make(data: Path) -> Iterable[Problem]:
    """Both instances; the data folder is not needed, PyTorch is."""
    import torch

    sys.path.insert(0, str(REPOSITORY / "tests"))
    yield Problem(
        name="resnet50-blocks",
        description=(
            "ResNet-50 in 18 blocks for a picture that a camera has and whose classes it wants"
            " back: the least latency over camera, edge and cloud. The picture, and what the first"
            " four blocks make of it, stays on the site (tag site); the edge lends 48 MB, less than"
            " half of the weights. Both are assumed."
        ),
        source=SOURCE.format(network=RESNET),
        network=street(),
        graph=resnet(torch),
    )
    yield Problem(
        name="decoder12-pipeline",
        description=(
            "A decoder-only language model of 12 layers as a pipeline for prompts of 1,024 words"
            " that a phone has, with the next word going back: the least time between prompts"
            " (period) over a phone, three machines of an office and a cloud machine. Every machine"
            " holds a contiguous part."
        ),
        source=SOURCE.format(network=DECODER),
        network=office(),
        graph=decoder(torch),
        minimize={"period": 1.0},
    )


if __name__ == "__main__":
    run(make)
