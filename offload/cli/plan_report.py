"""A plan for people: metrics, loads, Gantt, where time and energy went, what made it late."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from offload.cli.answer import STYLES, metric_lines, node_lines
from offload.cli.chart import chart_lines, shown_nodes
from offload.cli.gantt import load_bar, name_width
from offload.cli.output import Session, cut, folded, plain, table
from offload.critical import critical_path
from offload.resources import memory_peaks
from offload.stated import recorded_headline
from offload.units import count, percent, quantity

if TYPE_CHECKING:
    import pandas as pd

    from offload.plan import Plan

__all__ = ["plan_json", "show_plan"]


def show_plan(session: Session, plan: Plan, *, rows: int = 20, transfers: bool = False) -> None:
    """Print everything about a plan that fits on a screen or two."""
    width = session.width
    head, style = _recorded(plan)
    session.print(f"plan of {plain(plan.problem.name) or 'an unnamed instance'}", style="bold")
    if head:
        session.print(*folded(head, width), style=style)
    if plan.problem.tables.tasks and not len(plan.parts.task):
        session.print("the file holds no plan")
        return
    session.print(*node_lines(plan, width), "", *metric_lines(plan.metrics, session.width), "")
    session.print(*_loads(plan, width, rows, session.ascii), "")
    session.print(
        *chart_lines(plan, width, rows=2 * rows, transfers=transfers, ascii=session.ascii), ""
    )
    _print_breakdown(session, plan, rows)
    session.print("what the last finish waited for", style="bold")
    for line in _chain_lines(plan, rows):
        session.print(*folded(line, width, indent=6))
    late = _late_lines(plan, rows)
    if late:
        session.print("", "finished after their due time:", *late)


def _recorded(plan: Plan) -> tuple[str, str | None]:
    """What the plan file says of the solve that made it."""
    text = plain(recorded_headline(plan))
    if not text:
        return "", None
    if plan.result.get("method"):
        text += plain(f" [{plan.result['method']}]")
    return text, STYLES.get(str(plan.result["status"]))


def _loads(plan: Plan, width: int, rows: int, ascii: bool) -> list[str]:
    """A line a node: share of its slot-seconds in use, and of its memory where it has a limit."""
    tables, frame = plan.problem.tables, plan.breakdown().nodes
    kept = shown_nodes(plan, rows)
    ids = [plain(tables.node_ids[k]) for k in kept]
    names = max(name_width(ids, width), 4)
    limited = bool(np.isfinite(tables.memory_capacity[kept]).any())
    columns = max(6, (width - names - (34 if limited else 20)) // (2 if limited else 1))
    columns = min(columns, 40)
    peaks = memory_peaks(plan)
    head = f"{'node':<{names}}  {'slots in use':<{columns + 8}}  tasks"
    lines = [(head + ("  memory at most" if limited else "")).rstrip()]
    for k, name in zip(kept, ids, strict=True):
        share = float(frame["utilisation"].iloc[k])
        bar = load_bar(share, columns, ascii=ascii)
        text = f"{cut(name, names, '~' if ascii else '…')}  {bar} {percent(share):>7}"
        text += f"  {int(frame['tasks'].iloc[k]):>5}"
        if limited:
            text += "  " + _memory(peaks[k], tables.memory_capacity[k], columns, ascii)
        lines.append(text.rstrip())
    hidden = tables.nodes - len(kept)
    return [*lines, f"and {count(hidden, 'more node')}"] if hidden else lines


def _memory(peak: float, capacity: float, columns: int, ascii: bool) -> str:
    if not np.isfinite(capacity):
        return f"{quantity(peak, 'B', 3)} (no limit)"
    share = peak / capacity if capacity > 0 else float(peak > 0)
    return f"{load_bar(share, columns, ascii=ascii)} {percent(share):>7}"


def _print_breakdown(session: Session, plan: Plan, rows: int) -> None:
    """Where time, energy and cost went: nodes, then links."""
    nodes, links = plan.breakdown()
    frame = nodes[(nodes["tasks"] > 0) | (nodes["idle_energy"] > 0) | (nodes["codec_energy"] > 0)]
    if len(frame) > rows:
        frame = frame.sort_values(["busy", "energy"], ascending=False, kind="stable")
    units = {"busy": "s", "energy": "J", "codec_energy": "J", "idle_energy": "J", "cost": ""}
    _print_frame(session, "where it went: nodes", frame, ["node", "tasks"], units, rows)
    used = links[links["transfers"] > 0].sort_values("held", ascending=False, kind="stable")
    units = {"bytes": "B", "held": "s", "energy": "J", "cost": ""}
    _print_frame(session, "where it went: links", used, ["from", "to", "transfers"], units, rows)


def _print_frame(
    session: Session,
    title: str,
    frame: pd.DataFrame,
    names: list[str],
    units: dict[str, str],
    rows: int,
) -> None:
    """A frame as a table, without columns that are zero throughout."""
    if not len(frame):
        return
    kept = [column for column in units if bool((frame[column] != 0).any())]
    body = [
        [str(row[name]) for name in names]
        + [quantity(row[column], units[column]) for column in kept]
        for row in frame.head(rows).to_dict("records")
    ]
    headers = [*names, *(column.replace("_", " ") for column in kept)]
    session.print(title, style="bold")
    session.print(table(headers, body, left=("to",)))
    if len(frame) > rows:
        session.print(f"and {len(frame) - rows} more")
    session.print("")


def _chain_lines(plan: Plan, rows: int) -> list[str]:
    """The critical path, a line a piece; its middle is left out where it is long."""
    frame = critical_path(plan)
    if not len(frame):
        return ["(nothing runs)"]
    lines = [_piece_line(row) for row in frame.to_dict("records")]
    if len(lines) > rows + 1:
        half = max(1, rows // 2)
        lines = [*lines[:half], f"  ... {count(len(lines) - 2 * half, 'step')} ...", *lines[-half:]]
    spent = frame.groupby("kind")["seconds"].sum()
    words = {"task": "running", "transfer": "moving", "wait": "waiting"}
    parts = [f"{quantity(float(spent[k]), 's')} {word}" for k, word in words.items() if k in spent]
    return [*lines, f"  in all: {', '.join(parts)}"]


def _piece_line(row: Mapping[Hashable, Any]) -> str:
    times = f"{quantity(row['begin'], 's')} to {quantity(row['end'], 's')}"
    why = row["why"]
    if row["kind"] == "wait":
        return plain(f"  {row['what']} on {row['where']}: {times}: waits for {why}")
    if row["cause"] in ("input", "start", "release", "idle"):
        why = ""  # the line before tells
    place = f"{row['what']} {'on' if row['kind'] == 'task' else 'over'} {row['where']}"
    return plain(f"  {place}: {times}" + (f"; {why}" if why else ""))


def _late_lines(plan: Plan, rows: int) -> list[str]:
    tables, parts = plan.problem.tables, plan.parts
    late = parts.finish - tables.due[parts.task]
    chosen = [p for p in np.argsort(-late, kind="stable").tolist() if late[p] > 0]
    lines = [
        plain(f"  {tables.task_ids[int(parts.task[p])]}: {quantity(float(late[p]), 's')} late")
        for p in chosen[:rows]
    ]
    return [*lines, f"  and {len(chosen) - rows} more"] if len(chosen) > rows else lines


def plan_json(plan: Plan) -> dict[str, Any]:
    """The same for machines: every row, every digit."""
    nodes, links = plan.breakdown()
    peaks = memory_peaks(plan).tolist()
    rows = nodes.to_dict("records")
    return {
        "kind": "plan",
        "instance": plan.problem.name,
        "result": plan.result,
        "metrics": plan.metrics,
        "nodes": [{**row, "memory": peak} for row, peak in zip(rows, peaks, strict=True)],
        "links": links.to_dict("records"),
        "critical": critical_path(plan).to_dict("records"),
        "tasks": plan.to_frame().to_dict("records"),
        "transfers": plan.transfers_frame().to_dict("records"),
    }
