"""BERT-24 over six accelerators, a device placement instance of NeurIPS 2020.

Run from the repository root: ``python instances/make/bert24.py [DATA_FOLDER]``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from making import run

from offload import Problem, convert

FILE = "dnn_partitioning/throughput-inputs/LayerGraphs/bert24_inference.json"
DESCRIPTION = (
    "The 24 layers of BERT-large, inference, as a pipeline over six accelerators of 16 GiB and one"
    " CPU: the least time between inputs (period). Accelerators send and receive one thing at a"
    " time and between computations (io serial), the CPU meanwhile. Every worker holds a contiguous"
    " part. Times and transfer costs share the set's unit, read as seconds; a transfer's cost"
    " stands as bytes over links of 1 B/s, for the set gives its delay and not a bandwidth. The"
    " optimum is 17.78990625; PipeDream's planner reaches 17.7899, the experts' split 20.0840."
)
SOURCE = (
    "J. Tarnawski, A. Phanishayee, N. R. Devanur, D. Mahajan, F. Nina Paravecino, Efficient"
    " algorithms for device placement of DNN graph operators, NeurIPS 2020,"
    " throughput-inputs/LayerGraphs/bert24_inference.json of its code, licence MIT (copyright (c)"
    " 2020 - present Microsoft Corporation, licences/MIT.txt); changed: converted to this format."
)


def make(data: Path) -> Iterable[Problem]:
    """The one instance."""
    given = convert(data / FILE, "dnn-partitioning")
    yield given.replace(name="bert24-layers", description=DESCRIPTION, source=SOURCE)


if __name__ == "__main__":
    run(make)
