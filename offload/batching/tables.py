"""The tables of a batch as files."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import TYPE_CHECKING

from offload.errors import OffloadError, one_line
from offload.files import write_bytes

if TYPE_CHECKING:
    import pandas as pd

    from offload.batching.summary import Batch

__all__ = ["save"]


def save(batch: Batch, folder: Path) -> list[Path]:
    """Write each table in each format that can be written here; the files, in order."""
    from offload.batching.summary import MEASURES

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or error
        raise OffloadError(f"{one_line(str(folder))}: cannot be made a folder ({why})") from None
    profiles = [batch.profiles(measure).assign(measure=measure) for measure in MEASURES]
    tables = {
        "results": batch.to_frame(), "instances": batch.instances(), "ranking": batch.ranking(),
        "profiles": _together(profiles),
    }  # fmt: skip
    files: dict[str, bytes] = {}
    for name, table in tables.items():
        files[f"{name}.csv"] = table.to_csv(index=False, lineterminator="\n").encode()
        if importlib.util.find_spec("pyarrow"):
            stream = io.BytesIO()
            table.to_parquet(stream, index=False)
            files[f"{name}.parquet"] = stream.getvalue()
    if importlib.util.find_spec("matplotlib") and len(batch):
        files["profiles.svg"] = _picture(batch)
    for name, data in files.items():
        write_bytes(folder / name, data)
    return [folder / name for name in files]


def _together(profiles: list[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat([table for table in profiles if len(table)] or profiles, ignore_index=True)


def _picture(batch: Batch) -> bytes:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    from offload.batching.summary import MEASURES

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasSVG(figure)
    for ax, measure in zip(figure.subplots(1, len(MEASURES)), MEASURES, strict=True):
        batch.plot_profiles(ax, measure)
    stream = io.BytesIO()
    with rc_context({"svg.hashsalt": "offload"}):  # the same bytes each time
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()
