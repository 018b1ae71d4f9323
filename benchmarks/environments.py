"""Environments of their own for peers, whose dependencies may not fit ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

__all__ = ["environment"]


def environment(folder: Path, python: str, distribution: str) -> Path:
    """The interpreter of an environment with a distribution, made if it is not there."""
    interpreter = folder / "bin" / "python"
    if not interpreter.exists():
        print(f"installing {distribution} into {folder}", file=sys.stderr, flush=True)
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
    command = [str(interpreter), "-m", "pip", "install", "--quiet", distribution]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return interpreter
