"""The objective against one or two parameters, and where the placement changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from offload.errors import OffloadError
from offload.plot.style import LINES, axes_of, objective_axis
from offload.units import field_unit, number, quantity

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["sweep"]

_OTHER, _NONE = "another placement", "no plan"
_LINES = 6  # values of a second parameter that are drawn as lines; of more, a map
_WIDE = 20.0  # ratio of values from which an axis is logarithmic
_VISIBLE = 1e-3  # gap from which a bound is drawn
_MARKERS = "osD^vP"
_DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
_LONGEST = 46  # characters of a path, at most
_TICKS = 12  # names of values along an axis of a map, at most


def sweep(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw a sweep: lines of the objective over one parameter, or a map over two.

    Of two parameters, the second one is lines where it has at most six values. A ring marks where
    the placement is another than at the point before; in a map, a black line between two
    placements. Crosses and hatching are values without a plan.

    Parameters
    ----------
    table
        As :func:`offload.sweep` makes it, or some of its rows.
    ax
        Where to draw; a new figure's by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    OffloadError
        If matplotlib is not installed, or more than two parameters change.
    """
    paths = [path for path in table.attrs.get("paths", []) if table[path].nunique(dropna=False) > 1]
    paths = paths or list(table.attrs.get("paths", []))[:1]
    if not paths:
        raise OffloadError("sweep: the table has no parameters, got no attrs['paths']; pass the "
                           "table that offload.sweep made")  # fmt: skip
    if table.attrs.get("combine") == "zip":
        paths = paths[:1]
    if len(paths) > 2:
        raise OffloadError(
            f"sweep: draws one or two parameters, got {len(paths)}; keep the rows of one value of "
            "the others"
        )
    ax = axes_of(ax, 7.0, 4.4)
    if len(paths) == 2 and table[paths[1]].nunique(dropna=False) > _LINES:
        return _map(table, paths, ax)
    return _lines(table, paths, ax)


def _lines(table: pd.DataFrame, paths: list[str], ax: Axes) -> Axes:
    """A line for each value of a second parameter, over the first."""
    axis = _Scale(table, paths[0])
    values = table["objective"].astype(float)
    size, name = objective_axis(dict(table.attrs["minimize"]), float(values.max()))
    groups: list[tuple[str, pd.DataFrame]] = [("", table)]
    if len(paths) == 2:
        second = _Scale(table, paths[1])
        of = [second.at(value) for value in table[paths[1]]]
        groups = [(text, table[[k == n for k in of]]) for n, text in enumerate(second.texts)]
    lowest = float(values.min()) / size if values.notna().any() else 0.0
    ringed = failed = False
    for n, (label, rows) in enumerate(groups):
        x = np.array([axis.position(value) for value in rows[paths[0]]])
        rows, x = rows.iloc[np.argsort(x, kind="stable")], np.sort(x)
        y = rows["objective"].to_numpy(float) / size
        shade = LINES[n % len(LINES)]
        plain = len(groups) == 1
        ax.plot(
            x, y, color=shade, marker=_MARKERS[n], markersize=4, label=label or "best plan",
            linestyle=_DASHES[n], linewidth=1.9, zorder=3,
        )  # fmt: skip
        bound = rows["bound"].to_numpy(float) / size
        if plain and np.nanmax(1 - bound / y, initial=0.0) > _VISIBLE:
            ax.plot(x, bound, color="0.45", linestyle=":", linewidth=1.4, label="bound", zorder=2)
        rings = _changes(rows["placement"].tolist())
        if rings:
            ax.plot(
                x[rings], y[rings], linestyle="", marker="o", markersize=10, fillstyle="none",
                color="black", markeredgewidth=1.1, zorder=4,
                label=None if ringed else _OTHER,
            )  # fmt: skip
            ringed = True
        none = np.isnan(y)
        if none.any():
            ax.plot(
                x[none], np.full(int(none.sum()), lowest), linestyle="", marker="x", color="0.3",
                label=None if failed else _NONE, markersize=6, zorder=3,
            )  # fmt: skip
            failed = True
    axis.apply(ax, paths[0])
    _value_axis(ax, values / size, name)
    title = _short(paths[1], table) if len(paths) == 2 else None
    if len(ax.get_lines()) > 1:
        handles, labels = ax.get_legend_handles_labels()
        last = sorted(range(len(labels)), key=lambda n: labels[n] in (_OTHER, _NONE))
        ax.legend(
            [handles[n] for n in last], [labels[n] for n in last], loc="lower left",
            bbox_to_anchor=(0.0, 1.0), ncols=4, frameon=False, fontsize=8, title=title,
            title_fontsize=8, alignment="left",
        )  # fmt: skip
    return ax


def _changes(placements: Sequence[Any]) -> list[int]:
    """Points whose placement is another than that of the point before that has one."""
    found, before = [], None
    for n, place in enumerate(placements):
        if not isinstance(place, int):  # no plan
            continue
        if before is not None and place != before:
            found.append(n)
        before = place
    return found


def _value_axis(ax: Axes, values: pd.Series[float], label: str) -> None:
    known = values[values > 0]
    if len(known) and known.max() > _WIDE * known.min():
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(lambda value, position: f"{value:g}")
        ax.yaxis.set_minor_formatter("")
    ax.margins(x=0.04, y=0.1)
    ax.set_ylabel(label)
    ax.grid(alpha=0.3)


def _map(table: pd.DataFrame, paths: list[str], ax: Axes) -> Axes:
    """The objective by colour over two parameters."""
    across, up = (_Scale(table, path) for path in paths)
    values = np.full((len(up.texts), len(across.texts)), np.nan)
    places = np.full(values.shape, -1)
    for record in table.to_dict("records"):
        cell = up.at(record[paths[1]]), across.at(record[paths[0]])
        if record["objective"] == record["objective"]:
            values[cell], places[cell] = record["objective"], int(record["placement"])
    most = float(np.nanmax(values)) if np.isfinite(values).any() else 0.0
    size, name = objective_axis(dict(table.attrs["minimize"]), most)
    least = np.nanmin(values) if np.isfinite(values).any() else 0.0
    colours: dict[str, Any] = {}
    if least > 0 and most > _WIDE * least:
        from matplotlib.colors import LogNorm

        colours["norm"] = LogNorm(least / size, most / size)
    made = ax.pcolormesh(np.ma.masked_invalid(values / size), cmap="cividis", **colours)
    for row, column in np.argwhere(np.isnan(values)).tolist():
        ax.fill_between([column, column + 1], row, row + 1, facecolor="white", edgecolor="0.5",
                        hatch="////", linewidth=0)  # fmt: skip
    _borders(ax, places)
    for scale, path, axis, label in (
        (across, paths[0], ax.xaxis, ax.set_xlabel), (up, paths[1], ax.yaxis, ax.set_ylabel),
    ):  # fmt: skip
        step = math.ceil(len(scale.texts) / _TICKS)
        shown = range(0, len(scale.texts), step)
        axis.set_ticks([k + 0.5 for k in shown], [scale.texts[k] for k in shown], fontsize=8)
        label(_short(path, table))
    ax.tick_params("x", rotation=30)
    bar = ax.figure.colorbar(made, ax=ax)
    for formatter in (bar.ax.yaxis.set_major_formatter, bar.ax.yaxis.set_minor_formatter):
        formatter(lambda value, position: f"{value:g}")
    bar.set_label(name)
    return ax


def _borders(ax: Axes, places: np.ndarray[Any, np.dtype[np.int64]]) -> None:
    """Lines between neighbouring cells with different placements."""
    for row, column in np.argwhere(places[:, 1:] != places[:, :-1]).tolist():
        ax.plot([column + 1] * 2, [row, row + 1], color="black", linewidth=2)
    for row, column in np.argwhere(places[1:] != places[:-1]).tolist():
        ax.plot([column, column + 1], [row + 1] * 2, color="black", linewidth=2)


class _Scale:
    """The values of one parameter along an axis."""

    def __init__(self, table: pd.DataFrame, path: str) -> None:
        self.path, self.table = path, table
        self.factor = path in table.attrs.get("factors", [])
        self.unit = "" if self.factor else field_unit(path)
        values = list(dict.fromkeys(map(_plain, table[path].tolist())))
        self.numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        self.values = sorted(values) if self.numeric else values
        self.texts = [self.text(value) for value in self.values]
        positive = [value for value in self.values if self.numeric and value > 0]
        whole = len(positive) == len(self.values)
        self.logarithmic = self.numeric and whole and positive[-1] > _WIDE * positive[0]

    def text(self, value: Any) -> str:
        """A value with its unit."""
        if value is None:
            return "unlimited"
        if isinstance(value, bool) or not isinstance(value, int | float):
            return str(value)
        return f"x{number(value, 3)}" if self.factor else quantity(value, self.unit, 3)

    def at(self, value: Any) -> int:
        """Number of a value in the order of the axis."""
        return self.values.index(_plain(value))

    def position(self, value: Any) -> float:
        """Where a value is drawn."""
        return float(value) if self.numeric else float(self.at(value))

    def apply(self, ax: Axes, path: str) -> None:
        """Name and scale the horizontal axis."""
        if not self.numeric:
            ax.set_xticks(range(len(self.values)), self.texts)
        else:
            if self.logarithmic:
                ax.set_xscale("log")
                ax.xaxis.set_minor_formatter("")
            ax.xaxis.set_major_formatter(lambda value, position: self.text(value))
        ax.set_xlabel(_short(path, self.table))


def _plain(value: Any) -> Any:
    """A value of a table as Python has it; what is undefined there is null."""
    value = value.item() if hasattr(value, "item") else value
    return None if value != value else value


def _short(path: str, table: pd.DataFrame) -> str:
    """A path as an axis names it."""
    text = path.removeprefix("$.").removeprefix("network.").removeprefix("graph.")
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}…{text[-_LONGEST // 2 :]}"
    return f"{text} (factor)" if path in table.attrs.get("factors", []) else text
