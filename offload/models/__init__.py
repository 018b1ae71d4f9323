"""Graphs of neural networks: from PyTorch and ONNX, measured, and cut by a plan.

Needs PyTorch or ONNX (``pip install 'offload[models]'``), which are imported when a function is
called and not before. The guide is ``docs/models.md``.
"""

from __future__ import annotations

from offload.models.measuring import measure
from offload.models.onnx_models import from_onnx
from offload.models.splitting import Split, split
from offload.models.stages import Stage
from offload.models.torch_models import from_torch

__all__ = ["Split", "Stage", "from_onnx", "from_torch", "measure", "split"]
