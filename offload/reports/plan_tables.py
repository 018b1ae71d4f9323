"""Tables of a report: tasks, transfers, nodes and links of a plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from offload.critical import critical_path, reasons
from offload.reports.html_page import Column, table
from offload.resources import memory_peaks
from offload.units import number, percent, quantity

if TYPE_CHECKING:
    import pandas as pd

    from offload.plan import Plan

__all__ = ["chain_table", "links_table", "nodes_table", "tasks_table", "transfers_table"]


_MOST = 1000  # rows of a table


def _in(unit: str) -> Callable[[float], str]:
    return lambda value: quantity(value, unit) if np.isfinite(value) else number(value)


_SECONDS, _BYTES, _JOULES = _in("s"), _in("B"), _in("J")


def _texts(frame: pd.DataFrame, name: str, head: str | None = None) -> Column:
    texts = ["" if value is None else str(value) for value in frame[name].tolist()]
    return Column(head or name.replace("_", " "), texts)


def _numbers(
    frame: pd.DataFrame, name: str, show: Callable[[float], str], head: str | None = None
) -> Column:
    values = [float(value) for value in frame[name].tolist()]
    return Column(head or name.replace("_", " "), [show(value) for value in values], values)


def _telling(columns: Sequence[Column]) -> list[Column]:
    """The columns without those that are 0, or empty, throughout."""
    return [
        column for column in columns
        if any(column.texts) and (column.values is None or any(v != 0 for v in column.values))
    ]  # fmt: skip


def tasks_table(plan: Plan) -> str:
    """A row a task, or part of one, by start."""
    frame = plan.to_frame()
    frame["why"] = reasons(plan) or [""] * len(frame)
    frame = frame.sort_values("start", kind="stable").head(_MOST)
    tables = plan.problem.tables
    mode = [_texts(frame, "mode")] if tables.modes > 1 else []
    split = [_numbers(frame, "fraction", number)] if tables.divisible.any() else []
    return table([
        _texts(frame, "task"), _texts(frame, "node"), *mode, *split,
        _numbers(frame, "start", _SECONDS), _numbers(frame, "finish", _SECONDS),
        *_telling([
            _numbers(frame, "execution", _SECONDS), _numbers(frame, "waiting", _SECONDS),
            _numbers(frame, "energy", _JOULES), _texts(frame, "why", "what it waited for"),
        ]),
    ], "by start", len(plan.parts.task))  # fmt: skip


def transfers_table(plan: Plan) -> str:
    """A row a transfer, by start."""
    frame = plan.transfers_frame().sort_values("start", kind="stable").head(_MOST)
    return table([
        _texts(frame, "what"), _texts(frame, "from"), _texts(frame, "to"),
        *_telling([_texts(frame, "codec")]),
        _numbers(frame, "bytes", _BYTES), _numbers(frame, "start", _SECONDS),
        *_telling([
            _numbers(frame, name, _SECONDS) for name in ("encode", "serialise", "latency", "decode")
        ]),
        _numbers(frame, "finish", _SECONDS), *_telling([_numbers(frame, "energy", _JOULES)]),
    ], "by start", len(plan.transfers.plan))  # fmt: skip


def nodes_table(plan: Plan) -> str:
    """A row a node, busiest first."""
    frame = plan.breakdown().nodes
    nodes = plan.problem.network.nodes
    frame["kind"] = [node.kind for node in nodes]
    frame["slots"] = plan.problem.tables.node_slots
    frame["memory"] = memory_peaks(plan)
    frame["memory_limit"] = plan.problem.tables.memory_capacity
    frame = frame.sort_values("busy", ascending=False, kind="stable").head(_MOST)
    limited = bool(np.isfinite(frame["memory_limit"]).any())
    return table([
        _texts(frame, "node"), *_telling([_texts(frame, "tier"), _texts(frame, "kind")]),
        _numbers(frame, "slots", number), _numbers(frame, "tasks", number),
        _numbers(frame, "busy", _SECONDS), _numbers(frame, "utilisation", percent, "in use"),
        *_telling([_numbers(frame, "memory", _BYTES, "memory at most")]),
        *([_numbers(frame, "memory_limit", _limit("B"), "of memory")] if limited else []),
        *_telling([
            _numbers(frame, name, _JOULES) for name in ("energy", "codec_energy", "idle_energy")
        ]),
        *_telling([_numbers(frame, "cost", number)]),
    ], "by time busy", plan.problem.tables.nodes)  # fmt: skip


def _limit(unit: str) -> Callable[[float], str]:
    return lambda value: quantity(value, unit) if np.isfinite(value) else "no limit"


def links_table(plan: Plan) -> str:
    """A row a direction of a link, busiest first."""
    frame = plan.breakdown().links
    links = [plan.problem.network.links[j] for j in plan.problem.tables.routes.arc_link.tolist()]
    frame["bandwidth"] = [np.inf if e.bandwidth is None else e.bandwidth for e in links]
    frame["delay"] = [e.latency for e in links]
    frame["duplex"] = [e.duplex for e in links]
    frame["channels"] = [np.inf if e.channels is None else e.channels for e in links]
    frame = frame.sort_values(["held", "bytes"], ascending=False, kind="stable").head(_MOST)
    return table([
        _texts(frame, "from"), _texts(frame, "to"),
        _numbers(frame, "bandwidth", _limit("B/s")),
        _numbers(frame, "delay", _SECONDS, "latency"), _texts(frame, "duplex"),
        _numbers(frame, "channels", lambda v: number(v) if np.isfinite(v) else "any"),
        _numbers(frame, "transfers", number), _numbers(frame, "bytes", _BYTES),
        _numbers(frame, "held", _SECONDS), *_telling([_numbers(frame, "energy", _JOULES)]),
        *_telling([_numbers(frame, "cost", number)]),
    ], "by time held", len(links))  # fmt: skip


def chain_table(plan: Plan) -> str:
    """The critical path, from the plan's start on; empty without times."""
    frame = critical_path(plan)
    if not len(frame):
        return ""
    last = frame.tail(_MOST)
    return table([
        _texts(last, "kind", ""), _texts(last, "what"), _texts(last, "where"),
        _numbers(last, "begin", _SECONDS), _numbers(last, "end", _SECONDS),
        _numbers(last, "seconds", _SECONDS, "takes"), _texts(last, "why", "what it waited for"),
    ], "before the last finish", len(frame))  # fmt: skip
