"""Gantt charts and load bars as lines of text: pure functions, in Unicode or plain ASCII."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len

from offload.cli.output import cut
from offload.units import number

__all__ = [
    "Bar",
    "Lane",
    "axis_lines",
    "density",
    "gantt_lines",
    "load_bar",
    "name_width",
    "shade_lines",
]

FloatArray = NDArray[np.float64]

_NAMES = 0.3  # largest share of the width that names of lanes take
_GAP = 2  # columns between a name and its lane


@dataclass(frozen=True)
class Bar:
    """An interval in seconds, with what to write in it."""

    start: float
    finish: float
    label: str = ""


@dataclass(frozen=True)
class Lane:
    """A row of bars that do not overlap in time."""

    name: str
    bars: Sequence[Bar]


@dataclass(frozen=True)
class _Style:
    left: str
    fill: str
    right: str
    single: str
    crowded: str
    tick: str
    rule: str
    levels: str
    part: str  # eighths of a full cell, from least to most
    empty: str
    more: str


_UNICODE = _Style("┣", "━", "┫", "┃", "▒", "┼", "─", " ░▒▓█", "▏▎▍▌▋▊▉█", "·", "…")
_ASCII = _Style("[", "=", "]", "|", "#", "+", "-", " .:*#", "#", ".", "~")


def _style(ascii: bool) -> _Style:
    return _ASCII if ascii else _UNICODE


def gantt_lines(
    lanes: Sequence[Lane], width: int, *, span: float | None = None, ascii: bool = False
) -> list[str]:
    """One line a lane with a bar for each interval, then a time axis.

    Parameters
    ----------
    lanes
        Drawn in the order given; a lane without bars is an empty line.
    width
        Columns of the whole chart; no line is longer.
    span
        Seconds that the axis covers; the last finish by default.
    ascii
        Whether to do without box-drawing characters.
    """
    ends = [bar.finish for lane in lanes for bar in lane.bars if math.isfinite(bar.finish)]
    span = max(ends, default=0.0) if span is None else span
    names = name_width([lane.name for lane in lanes], width)
    columns = max(1, width - names - _GAP)
    style = _style(ascii)
    lines = [
        _row(lane.name, names, _lane_text(lane.bars, columns, span, style), style) for lane in lanes
    ]
    return lines + axis_lines(span, columns, names, ascii=ascii)


def _row(name: str, names: int, cells: str, style: _Style) -> str:
    return (cut(name, names, style.more) + " " * _GAP + cells).rstrip()


def name_width(names: Sequence[str], width: int) -> int:
    """Columns for the names of lanes: what they need, up to a share of the width."""
    return max(1, min(max((cell_len(name) for name in names), default=1), int(width * _NAMES)))


def _lane_text(bars: Sequence[Bar], columns: int, span: float, style: _Style) -> str:
    """The bars of one lane; where two want the same cell, the cell says that it is crowded."""
    cells = [" "] * columns
    free = 0
    scale = columns / span if span > 0 else 0.0
    for bar in sorted(bars, key=lambda bar: (bar.start, bar.finish)):
        if not (math.isfinite(bar.start) and math.isfinite(bar.finish)) or bar.finish <= bar.start:
            continue
        wanted = max(0, min(columns - 1, round(bar.start * scale)))
        end = max(wanted + 1, min(columns, round(bar.finish * scale)))
        begin = max(wanted, free)
        if begin >= end:
            _mark(cells, end - 1, style)
            continue
        cells[begin:end] = _bar_text(bar.label, end - begin, style)
        free = end
    return "".join(cells)


def _mark(cells: list[str], at: int, style: _Style) -> None:
    """Say that a cell is crowded; a wide character that reaches into it is wiped out whole."""
    first = at
    while cells[first] == "":
        first -= 1
    last = at
    while last + 1 < len(cells) and cells[last + 1] == "":
        last += 1
    cells[first : last + 1] = [style.fill] * (last + 1 - first)
    cells[at] = style.crowded


def _bar_text(label: str, size: int, style: _Style) -> list[str]:
    """One string a column; a wide character takes its column and empties the next."""
    if size == 1:
        return [style.single]
    inside = [style.fill] * (size - 2)
    if 0 < cell_len(label) <= size - 2:
        inside = [piece for c in label for piece in _columns(c)] + inside[cell_len(label) :]
    return [style.left, *inside, style.right]


def _columns(character: str) -> list[str]:
    return [character, *[""] * (cell_len(character) - 1)] if cell_len(character) else []


def axis_lines(span: float, columns: int, indent: int, *, ascii: bool = False) -> list[str]:
    """A ruler with ticks at round times, and their labels; the first label names the unit."""
    style = _style(ascii)
    factor, unit = _time_unit(span)
    if ascii:
        unit = unit.replace("µ", "u")
    step = _tick_step(span * factor, columns)
    rule = [style.rule] * columns
    labels = [" "] * columns
    ticks = int(span * factor / step + 1e-9) + 1 if step > 0 else 1
    used = 0
    for number_of_tick in range(ticks):
        value = number_of_tick * step
        at = min(columns - 1, round(value / (span * factor) * columns)) if span > 0 else 0
        rule[at] = style.tick
        text = number(value) + (f" {unit}" if number_of_tick == 0 else "")
        begin = min(at, columns - len(text))
        if begin >= used:
            labels[begin : begin + len(text)] = text
            used = begin + len(text) + 1
    front = " " * (indent + _GAP)
    return [front + "".join(rule), (front + "".join(labels)).rstrip()]


def _time_unit(span: float) -> tuple[float, str]:
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if span * factor >= 1 or span == 0:
            return factor, unit
    return 1e9, "ns"


def _tick_step(span: float, columns: int) -> float:
    """The least round step (1, 2 or 5 times a power of ten) whose labels have room."""
    if not (span > 0 and math.isfinite(span)):
        return 0.0
    rough = span / max(1, columns // 10)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= rough * (1 - 1e-9))


def density(
    start: FloatArray, finish: FloatArray, weight: FloatArray, span: float, columns: int
) -> FloatArray:
    """How much of a weighted set of intervals falls into each of equal slices of [0, span].

    Returns
    -------
    float64[columns]
        Mean weight in use over each slice: slots busy on average, for intervals of tasks.
    """
    if span <= 0 or not len(start):
        return np.zeros(columns)
    edges = np.linspace(0.0, span, columns + 1)
    # Integral of the use up to t: a sum of ramps, each between an interval's start and its finish.
    done = np.zeros(columns + 1)
    for time, sign in ((start, 1.0), (finish, -1.0)):
        order = np.argsort(time, kind="stable")
        sorted_time, sorted_weight = time[order], weight[order]
        before = np.searchsorted(sorted_time, edges, side="right")
        total = np.concatenate([[0.0], np.cumsum(sorted_weight)])
        moment = np.concatenate([[0.0], np.cumsum(sorted_weight * sorted_time)])
        done += sign * (total[before] * edges - moment[before])
    result: FloatArray = np.maximum(np.diff(done) * columns / span, 0.0)
    return result


def shade_lines(
    lanes: Sequence[tuple[str, FloatArray]], width: int, span: float, *, ascii: bool = False
) -> list[str]:
    """One line a lane, each column shaded by its share in use (0 to 1), then a time axis.

    All lanes have ``width`` less the names' columns: see :func:`name_width`.
    """
    style = _style(ascii)
    names = name_width([name for name, _ in lanes], width)
    lines = []
    for name, shares in lanes:
        # Rounding noise of the integral must not shade an idle slice.
        level = np.ceil(np.clip(np.where(shares < 1e-6, 0, shares), 0, 1) * 4 - 1e-6).astype(int)
        level = np.where((shares >= 1e-6) & (level == 0), 1, level)
        lines.append(_row(name, names, "".join(style.levels[i] for i in level), style))
    columns = max(1, width - names - _GAP)
    legend = ", ".join(
        f"{style.levels[i]} {'up to ' if i < 4 else ''}{25 * i} %" for i in range(1, 5)
    )
    return [
        *lines,
        *axis_lines(span, columns, names, ascii=ascii),
        " " * (names + _GAP) + f"busy: {legend}",
    ]


def load_bar(share: float, columns: int, *, ascii: bool = False) -> str:
    """A bar of a fixed number of columns, filled to a share between 0 and 1."""
    style = _style(ascii)
    if not math.isfinite(share):
        return "?" * columns
    steps = len(style.part)
    filled = round(max(0.0, min(1.0, share)) * columns * steps)
    if share > 0:
        filled = max(1, filled)
    full, rest = divmod(filled, steps)
    text = style.part[-1] * full + (style.part[rest - 1] if rest else "")
    return text + style.empty * (columns - len(text))
