"""Tables and pictures as files: refused before long work, written whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from offload.cli.values import check_writable, wrong

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_picture", "check_table", "save_picture", "save_table"]

_PICTURES = (".png", ".pdf", ".svg")
_TABLES = (".csv", ".parquet")
_DPI = 150


def check_picture(target: str | None, option: str = "--plot") -> None:
    """Refuse a picture that could not be drawn or saved."""
    if target is None:
        return
    if not target.lower().endswith(_PICTURES):
        raise wrong(option, "must end in .svg, .png or .pdf", target, "write picture.svg")
    check_writable(option, target)

    from offload.plot.style import axes_of

    axes_of(None, 1.0, 1.0)  # where matplotlib is missing, say so before long work


def save_picture(target: str | None, draw: Callable[[Any], Any], what: Any) -> None:
    """Save what a function draws."""
    if target is None:
        return
    from offload.files import write_bytes

    drawn = io.BytesIO()
    kind = target.lower().rpartition(".")[2]
    draw(what).figure.savefig(drawn, format=kind, dpi=_DPI)
    write_bytes(target, drawn.getvalue())


def check_table(target: str | None, option: str = "--output") -> None:
    """Refuse a table that could not be saved."""
    if target is None:
        return
    if not target.lower().endswith(_TABLES):
        raise wrong(option, "must end in .csv or .parquet", target, "write table.csv")
    check_writable(option, target)
    if target.lower().endswith(".parquet"):
        from importlib.util import find_spec

        if find_spec("pyarrow") is None:
            fix = "pip install 'offload[io]', or write table.csv"
            raise wrong(option, "needs pyarrow, which is not installed", target, fix)


def save_table(target: str | None, frame: pd.DataFrame) -> None:
    """Save a table as CSV or Parquet, by the file's ending."""
    if target is None:
        return
    from offload.files import write_bytes

    if target.lower().endswith(".parquet"):
        stream = io.BytesIO()
        frame.to_parquet(stream, index=False)
        write_bytes(target, stream.getvalue())
    else:
        write_bytes(target, frame.to_csv(index=False, lineterminator="\n").encode())
