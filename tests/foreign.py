"""Texts of other tools' formats as files, and what converting them gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import offload


def converted(folder: Path, name: str, text: str, **options: Any) -> offload.Problem:
    """The instance of a file with this name and text."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return offload.convert(path, **options)


def refused(folder: Path, name: str, text: str, **options: Any) -> list[str]:
    """The lines of the error that converting a file raises, without the file's name in front."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(offload.InstanceError, match=r".") as caught:
        offload.convert(path, **options)
    assert caught.value.source == str(path)
    return [str(issue) for issue in caught.value.issues]
