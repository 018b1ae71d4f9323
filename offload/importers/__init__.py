"""Foreign formats that become instances: one module a format, one line in the table below.

A module has two functions: ``recognises(text)``, whether a file's text is probably of the format,
and ``read(text, options)``, which makes a :class:`~offload.importers.drafts.Draft` of it or raises
``InstanceError`` with the line (or the path inside the document) that is wrong. Each assumption it
makes goes into ``Draft.notes``, and so into the instance's ``source``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from offload.errors import OffloadError
from offload.importers.drafts import Draft, Options
from offload.naming import one_named

__all__ = ["FORMATS", "Format", "detect", "named"]


@dataclass(frozen=True)
class Format:
    """A format: its name, what it is, the endings of its files, and the module that reads it."""

    name: str
    title: str
    endings: tuple[str, ...]
    module: str

    def recognises(self, text: str) -> bool:
        """Whether a file's text is probably of this format."""
        found = cast("Callable[[str], bool]", importlib.import_module(self.module).recognises)
        return found(text)

    def read(self, text: str, options: Options) -> Draft:
        """What a file says."""
        found = cast("Callable[[str, Options], Draft]", importlib.import_module(self.module).read)
        return found(text, options)


FORMATS = (
    Format("stg", "Standard Task Graph Set", (".stg",), "offload.importers.stg"),
    Format("gap", "OR-Library generalized assignment", (".gap",), "offload.importers.gap"),
    Format("gxl", "GXL with communication delays", (".gxl",), "offload.importers.gxl"),
    Format("wfformat", "WfCommons", (), "offload.importers.wfformat"),
    Format("dax", "Pegasus DAX", (".dax",), "offload.importers.dax"),
    Format("estee", "Estee", (), "offload.importers.estee"),
    Format("dagbench", "DAGBench", (), "offload.importers.dagbench"),
    Format("fjsp", "flexible job shop", (".fjs",), "offload.importers.fjsp"),
    Format("tgff", "TGFF", (".tgff",), "offload.importers.tgff"),
    Format(
        "dnn-partitioning", "device placement of neural networks", (),
        "offload.importers.dnn_partitioning",
    ),
    Format("pipedream", "PipeDream's profiles", (".graph.txt",), "offload.importers.pipedream"),
    Format("topohub", "TopoHub, node-link JSON", (), "offload.importers.topohub"),
    Format("graphml", "GraphML", (".graphml",), "offload.importers.graphml"),
    Format("dot", "Graphviz DOT", (".dot", ".gv"), "offload.importers.dot"),
)  # fmt: skip


def named(name: str) -> Format:
    """The format of a name; :func:`offload.naming.one_named`."""
    return one_named("format", name, FORMATS)


def detect(name: str, text: str) -> Format:
    """The format of a file: of those that recognise its text, one of its ending first.

    Raises
    ------
    OffloadError
        If no format recognises it, or has its ending.
    """
    plain = name.removesuffix(".gz")
    ending = [form for form in FORMATS if form.endings and plain.endswith(form.endings)]
    for form in [*ending, *(form for form in FORMATS if form not in ending)]:
        if form.recognises(text):
            return form
    if ending:  # it says best itself what is wrong with the file
        return ending[0]
    names = ", ".join(form.name for form in FORMATS)
    raise OffloadError(
        f"{name}: not recognised as any format ({names}); name its format, as in --format stg"
    )
