"""Where tests find instances: those of the repository, and benchmark data beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def instances() -> Path:
    """The folder of instances that belongs to the repository."""
    return ROOT / "instances"


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of published figures."""
    return ROOT / "tests" / "golden"


@pytest.fixture(scope="session")
def data() -> Path:
    """The optional folder of benchmark data; what needs it is skipped where there is none."""
    folder = Path(os.environ.get("OFFLOAD_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no benchmark data at {folder}; set OFFLOAD_DATA to the folder that has it")
    return folder
