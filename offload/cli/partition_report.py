"""Stages, sweeps and the single cut beside a plan, as tables and lines of text."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from offload.cli.output import plain, table
from offload.units import number, percent, quantity
from offload.wording import describe, goal_text

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from offload.plan import Plan

__all__ = [
    "beside", "cut_record", "frame_table", "period_line", "records", "stages_table", "sweep_table",
]  # fmt: skip

_WIDE = 100  # columns from which there is room for tiers and times
_LINKS = 3  # that are named beside the stages


def records(frame: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """Rows for machines: what is undefined is ``None``."""
    return [
        {name: None if value != value else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def stages_table(frame: pd.DataFrame, width: int = 80) -> Table:
    """A row a stage; with tier and times where there is room."""
    wide = width >= _WIDE
    columns = {
        "": [str(stage) for stage in frame["stage"]], "node": frame["node"].tolist(),
        "tier": frame["tier"].tolist() if wide else None,
        "tasks": [str(tasks) for tasks in frame["tasks"]],
        "first … last": [_span(row) for row in records(frame)],
        "work": _column(frame, "work", "op") if frame["work"].notna().any() else None,
        "memory": _column(frame, "memory", "B"),
        "in": _column(frame, "bytes_in", "B") if wide else None,
        "out": _column(frame, "bytes_out", "B"), "load": _column(frame, "seconds", "s"),
        "share": [percent(share) for share in frame["share"]],
        "start": _column(frame, "start", "s") if wide else None,
        "finish": _column(frame, "finish", "s") if wide else None,
    }  # fmt: skip
    shown = {name: cells for name, cells in columns.items() if cells is not None}
    rows = zip(*shown.values(), strict=True)
    left = ("node", "tier", "first … last")
    return table(list(shown), rows, left=left, wrap=("first … last",))


def _span(row: Mapping[Hashable, Any]) -> str:
    """Which tasks a stage has."""
    return str(row["first"]) + ("" if row["tasks"] == 1 else f" … {row['last']}")


def _column(frame: pd.DataFrame, name: str, unit: str) -> list[str]:
    return [_amount(row[name], unit) for row in records(frame[[name]])]


def period_line(plan: Plan) -> str:
    """The period, and what makes it: the busiest stage or link."""
    from offload.stage_table import link_loads, stages

    period = plan.metrics["period"]
    found = stages(plan)
    rate = f", {number(1 / period, 3)} inputs a second" if period > 0 else ""
    busiest = ""
    if len(found) and period > 0:
        top = int(found["seconds"].to_numpy().argmax())
        links = link_loads(plan)
        busiest = f" at {found['node'].iloc[top]}"
        if len(links) and links["seconds"].iloc[0] > found["seconds"].iloc[top]:
            busiest = f" on the link {links['from'].iloc[0]} to {links['to'].iloc[0]}"
    return plain(f"period {quantity(period, 's', 6)}{busiest}{rate}")


def cut_record(found: tuple[Any, Plan] | None, minimize: Mapping[str, float]) -> Any:
    """The best single cut for machines: its nodes, and the last task on each but the last."""
    if found is None:
        return None
    cut, plan = found
    tables, nodes = plan.problem.tables, plan.nodes
    used = [k for k in cut.nodes if (nodes == k).any()]
    last = [tables.topological[nodes[tables.topological] == k][-1] for k in used[:-1]]
    return {
        "objective": plan.objective(minimize),
        "nodes": [tables.node_ids[k] for k in used],
        "after": [tables.task_ids[int(i)] for i in last],
    }


def beside(record: Any, objective: float, minimize: Mapping[str, float]) -> str:
    """The best single cut in a line, and how much less the plan takes."""
    if record is None:
        return "single cut: none keeps all rules and limits"
    value = record["objective"]
    pieces = record["nodes"][:1]
    for after, node in zip(record["after"], record["nodes"][1:], strict=True):
        pieces.append(f"| {after} | {node}")
    less = ""
    if value > 0 and objective < value * (1 - 1e-9):
        less = f"; the plan takes {percent(1 - objective / value)} less"
    show = goal_text(dict(minimize))
    where = " ".join(pieces)
    return plain(f"best single cut: {describe(minimize)} {show(value)} ({where}){less}")


def sweep_table(frame: pd.DataFrame) -> Table:
    """A row a bandwidth."""
    minimize = dict(frame.attrs["minimize"])
    show = goal_text(minimize, 4)
    rows = []
    for row in records(frame):
        values = [
            show(row[name]) if row[name] is not None else "-"
            for name in ("objective", "device_only", "cloud_only")
        ]
        rows.append([
            quantity(row["bandwidth"], "B/s", 4), values[0],
            str(row["status"]), _after(row), _amount(row["bytes"], "B"), *values[1:],
        ])  # fmt: skip
    alone = [f"all on {frame.attrs[place]}" for place in ("device", "cloud")]
    headers = ["bandwidth", describe(minimize), "status", "cut after", "moved", *alone]
    return table(headers, rows, left=("status", "cut after"), wrap=("cut after", *alone))


def _after(row: Mapping[Hashable, Any]) -> str:
    if row["objective"] is None:
        return "-"
    return "nothing" if row["cut"] is None else f"{row['cut']} ({int(row['near'])})"


def frame_table(frame: pd.DataFrame) -> Table:
    """Any table: times in seconds, shares in percent, bytes as such."""
    units = {"seconds": "s", "compute": "s", "synchronisation": "s", "transfer": "s"}
    rows = []
    for row in records(frame):
        cells = []
        for name, value in row.items():
            if name == "share" and value is not None:
                cells.append(percent(value))
            elif str(name).endswith("bytes"):
                cells.append(_amount(value, "B"))
            elif name in units:
                cells.append(quantity(value, units[str(name)], 3))
            else:
                cells.append("-" if value is None else str(value))
        rows.append(cells)
    names = [str(name).removesuffix("_bytes") for name in frame.columns]
    return table(names, rows, left=("first", "last"), wrap=("first", "last"))


def _amount(value: float | None, unit: str) -> str:
    """A quantity in three digits; 0 without a unit, and what is undefined as "-"."""
    return "0" if value == 0 else quantity(value, unit, 3)
