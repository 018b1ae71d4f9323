"""Tables of an instance and of a plan: data frames, CSV and Parquet."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from offload.errors import OffloadError
from offload.plan import Plan
from offload.problem import Problem

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["frames", "write_csv", "write_parquet"]


def frames(problem: Problem, plan: Plan | None = None) -> dict[str, pd.DataFrame]:
    """Tables by name: tasks, edges, nodes, links, data, codecs; of a plan, parts and transfers.

    A row a record of the instance, a column a field; units as in the instance format (SI). Fields
    that are maps or lists are JSON text. Tables without rows are left out, but for tasks and nodes.
    """
    import pandas as pd

    network, graph = problem.network, problem.graph
    parts: dict[str, Sequence[msgspec.Struct]] = {
        "tasks": graph.tasks, "edges": graph.edges, "nodes": network.nodes,
        "links": network.links, "data": problem.data, "codecs": problem.codecs,
    }  # fmt: skip
    found = {
        name: pd.DataFrame([_row(record) for record in records])
        for name, records in parts.items()
        if records or name in ("tasks", "nodes")
    }
    if plan is not None:
        found["parts"], found["transfers"] = plan.to_frame(), plan.transfers_frame()
    return found


def _row(record: msgspec.Struct) -> dict[str, Any]:
    return {
        field: msgspec.json.encode(value).decode()
        if isinstance(value, Mapping | tuple | list)
        else value
        for field, value in msgspec.structs.asdict(record).items()
    }


def write_csv(problem: Problem, plan: Plan | None) -> dict[str, bytes]:
    """A CSV file a table, every digit kept."""
    return {
        f"{name}.csv": frame.to_csv(index=False, lineterminator="\n").encode()
        for name, frame in frames(problem, plan).items()
    }


def write_parquet(problem: Problem, plan: Plan | None) -> dict[str, bytes]:
    """A Parquet file a table.

    Raises
    ------
    OffloadError
        If pyarrow is not installed.
    """
    made = {}
    for name, frame in frames(problem, plan).items():
        stream = io.BytesIO()
        try:
            frame.to_parquet(stream, index=False)
        except ImportError:
            fix = "pip install 'offload[io]'"
            raise OffloadError(
                f"format parquet: needs pyarrow, which is not installed; {fix}"
            ) from None
        made[f"{name}.parquet"] = stream.getvalue()
    return made
