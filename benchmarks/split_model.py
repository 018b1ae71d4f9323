"""Stage times that profiles predict against those of processes that really run the stages.

Run from the repository root: ``python benchmarks/split_model.py [--rounds 15]``. ResNet-50 and a
decoder of six layers are measured, planned for the least period over two and three nodes, cut, and
run with a process a node (see ``examples/split_model.py``), one thread each. Exits with 1 if a
result differs from the whole module's by more than 1e-5.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / folder) for folder in ("examples", "tests")]


def models() -> dict[str, tuple[Any, tuple[Any, ...], int]]:
    """Modules, their inputs, and into how many blocks they are grouped."""
    import torch
    from torch_models import Decoder, ResNet50

    torch.manual_seed(0)
    words = torch.randint(0, 1000, (1, 256))
    return {
        "ResNet-50, 224 x 224": (ResNet50().eval(), (torch.randn(1, 3, 224, 224),), 18),
        "decoder, 6 layers of 384, 256 words": (Decoder(1000, 256, 384, 6, 6).eval(), (words,), 14),
    }


def main() -> int:
    """All models on all numbers of nodes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="runs that count (default 15)")
    rounds = parser.parse_args().rounds
    if importlib.util.find_spec("torch") is None:
        print('skipped: PyTorch is not installed; pip install "offload[models]"')
        return 0
    from split_model import show

    failed = False
    for name, (module, args, blocks) in models().items():
        for nodes in (2, 3):
            print(f"\n{name}, {blocks} blocks, {nodes} nodes")
            failed |= show(module, args, nodes, blocks, rounds) > 1e-5
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
