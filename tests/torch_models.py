"""Networks for the tests of models, written out; torchvision is not needed."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

__all__ = ["Block", "Branches", "Decoder", "Dynamic", "ResNet50", "Small", "Tied"]


class Bottleneck(nn.Module):
    """Three convolutions and a way around; the stride is in the 3x3 one (version 1.5)."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        wide = 4 * width
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, wide, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(wide)
        self.around: nn.Module = nn.Identity()
        if stride != 1 or channels != wide:
            conv = nn.Conv2d(channels, wide, 1, stride, bias=False)
            self.around = nn.Sequential(conv, nn.BatchNorm2d(wide))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        return torch.relu(self.bn3(self.conv3(y)) + self.around(x))


class ResNet50(nn.Module):
    """He et al., Deep residual learning, CVPR 2016, table 1, with the stride of version 1.5."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = self._layer(64, 64, 3, 1)
        self.layer2 = self._layer(256, 128, 4, 2)
        self.layer3 = self._layer(512, 256, 6, 2)
        self.layer4 = self._layer(1024, 512, 3, 2)
        self.fc = nn.Linear(2048, classes)

    @staticmethod
    def _layer(channels: int, width: int, blocks: int, stride: int) -> nn.Sequential:
        first = Bottleneck(channels, width, stride)
        return nn.Sequential(first, *(Bottleneck(4 * width, width, 1) for _ in range(blocks - 1)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: torch.Tensor = self.fc(x.mean((2, 3)))
        return logits


class Block(nn.Module):
    """A transformer block: attention and an MLP of ratio 4 with GELU, each after a norm."""

    def __init__(self, width: int, heads: int, causal: bool = False) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        shape = (batch, length, 3, self.heads, width // self.heads)
        q, k, v = self.qkv(self.norm1(x)).view(shape).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.proj(y.transpose(1, 2).reshape(batch, length, width))
        result: torch.Tensor = x + self.down(functional.gelu(self.up(self.norm2(x))))
        return result


class Decoder(nn.Module):
    """A language model like GPT-2: embeddings, causal blocks, and a head tied to the tokens'."""

    def __init__(self, words: int, length: int, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        self.blocks = nn.Sequential(*(Block(width, heads, True) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, words, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        places = self.places(torch.arange(ids.shape[1], device=ids.device))
        logits: torch.Tensor = self.head(self.norm(self.blocks(self.tokens(ids) + places)))
        return logits


class Tied(nn.Module):
    """An MLP that uses one layer's weights twice, the second time under another name."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.first, self.middle = nn.Linear(width, width), nn.Linear(width, width)
        self.last = nn.Linear(width, width)
        self.last.weight = self.first.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.last(torch.relu(self.middle(torch.relu(self.first(x)))))
        return result


class Branches(nn.Module):
    """Two towers over two inputs, one read twice, that meet; a dictionary of two results."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))
        self.right = nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU())
        self.join = nn.Linear(16, 4)
        self.side = nn.Linear(5, 4)

    def forward(self, picture: torch.Tensor, extra: torch.Tensor) -> dict[str, torch.Tensor]:
        towers = [self.left(picture).amax((2, 3)), self.right(picture).mean((2, 3))]
        joined = self.join(torch.cat(towers, 1))
        return {"score": joined + self.side(extra), "classes": joined.argmax(1)}


class Small(nn.Module):
    """A small convolutional network with an MLP, as the tests write it in ONNX, too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 2, 1)
        self.conv2 = nn.Conv2d(8, 16, 3, groups=4)
        self.up = nn.ConvTranspose2d(16, 4, 2, 2)
        self.fc1, self.fc2 = nn.Linear(4 * 28 * 28, 32), nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        result: torch.Tensor = self.fc2(torch.relu(self.fc1(self.up(x).flatten(1))))
        return result


class Dynamic(nn.Module):
    """Goes one way or the other by what is in its input, which no export can follow."""

    def forward(self, x: torch.Tensor) -> Any:
        return x @ x if x.sum() > 0 else -x
