"""A plan for people: metrics, loads, Gantt, where time and energy went, what made it late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from offload.cli.answer import STYLES, metric_lines, node_lines
from offload.cli.chart import chart_lines, shown_nodes
from offload.cli.critical import Step, critical_chain, memory_peaks
from offload.cli.gantt import load_bar, name_width
from offload.cli.output import Session, cut, folded, plain, table
from offload.units import count, percent, quantity
from offload.wording import headline

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
    facts = plan.result
    numbers = [facts.get(name) for name in ("objective", "bound", "gap")]
    fine = all(value is None or isinstance(value, int | float) for value in numbers)
    if not facts.get("status") or not fine or not isinstance(facts.get("minimize"), dict):
        return "", None
    text = plain(headline(facts))
    if facts.get("method"):
        text += plain(f" [{facts['method']}]")
    return text, STYLES.get(str(facts["status"]))


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
    """The critical chain, a line a step; its middle is left out where it is long."""
    steps = critical_chain(plan)
    if not steps:
        return ["(nothing runs)"]
    lines = [_step_line(plan, step) for step in steps]
    if len(lines) > rows + 1:
        half = max(1, rows // 2)
        lines = [*lines[:half], f"  ... {count(len(lines) - 2 * half, 'step')} ...", *lines[-half:]]
    running = sum(float(plan.parts.finish[s.part] - plan.parts.start[s.part]) for s in steps)
    waited = sum(step.wait for step in steps)
    queued = sum(step.queued for step in steps)
    total = f"  in all: {quantity(running, 's')} running, {quantity(waited, 's')} between tasks"
    return [
        *lines,
        total + (f", of it {quantity(queued, 's')} in queues for links" if queued else ""),
    ]


def _step_line(plan: Plan, step: Step) -> str:
    parts, tables = plan.parts, plan.problem.tables
    p = step.part
    times = f"{quantity(float(parts.start[p]), 's')} to {quantity(float(parts.finish[p]), 's')}"
    place = f"{tables.task_ids[int(parts.task[p])]} on {tables.node_ids[int(parts.node[p])]}"
    queue = f", of it {quantity(step.queued, 's')} queued" if step.queued else ""
    why = {
        "start": "",
        "release": "; released then",
        "transfer": f"; waited {quantity(step.wait, 's')} for {step.what}{queue}",
        "task": f"; after {step.what}",
        "node": f"; when {step.what} left the node",
    }[step.cause]
    if step.idle:
        why += f"; {quantity(step.idle, 's')} later than it could"
    return plain(f"  {place}: {times}{why}")


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
    parts, tables = plan.parts, plan.problem.tables
    peaks = memory_peaks(plan).tolist()
    chain = [
        {
            "task": tables.task_ids[int(parts.task[step.part])],
            "node": tables.node_ids[int(parts.node[step.part])],
            "start": float(parts.start[step.part]),
            "finish": float(parts.finish[step.part]),
            "cause": step.cause,
            "what": step.what,
            "wait": step.wait,
            "queued": step.queued,
            "idle": step.idle,
        }
        for step in critical_chain(plan)
    ]
    rows = nodes.to_dict("records")
    return {
        "kind": "plan",
        "instance": plan.problem.name,
        "result": plan.result,
        "metrics": plan.metrics,
        "nodes": [{**row, "memory": peak} for row, peak in zip(rows, peaks, strict=True)],
        "links": links.to_dict("records"),
        "critical": chain,
        "tasks": plan.to_frame().to_dict("records"),
        "transfers": plan.transfers_frame().to_dict("records"),
    }
