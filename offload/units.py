"""Numbers for people: SI prefixes and a few significant digits. Machines get ``--json``."""

from __future__ import annotations

import math
import re

__all__ = [
    "METRIC_UNITS", "count", "field_unit", "metric", "number", "percent", "prefixed", "quantity",
]  # fmt: skip

METRIC_UNITS = {
    "latency": "s", "completion": "s", "tardiness": "s", "energy": "J", "cost": "", "risk": "",
    "traffic": "B", "period": "s",
}  # fmt: skip

_FIELD_UNITS = {
    "speed": "op/s", "work": "op", "bandwidth": "B/s", "bytes": "B", "move_bytes": "B",
    "reference_bytes": "B", "memory": "B", "storage": "B", "resident": "B", "latency": "s",
    "release": "s", "due": "s", "deadline": "s", "time": "s", "busy_power": "W", "idle_power": "W",
    "encode": "op/B", "decode": "op/B",
}  # fmt: skip
_PREFIXES = (
    (1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""),
    (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"),
)  # fmt: skip


def number(value: float, digits: int = 4) -> str:
    """A number with so many significant digits; all digits before the point are kept."""
    if not math.isfinite(value):
        return {math.inf: "infinite", -math.inf: "-infinite"}.get(value, "undefined")
    size = abs(value)
    if size != 0 and not 1e-4 <= size < 1e15:
        return f"{value:.{digits - 1}e}"
    before = max(1, math.floor(math.log10(size)) + 1) if size else 1
    leading = -math.floor(math.log10(size)) - 1 if 0 < size < 1 else 0
    text = f"{value:.{max(0, digits - before + leading)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def quantity(value: float | None, unit: str, digits: int = 4) -> str:
    """A number with its unit and an SI prefix: ``quantity(0.0123, "s")`` is ``"12.3 ms"``.

    Seconds keep their unit upwards (7200 s, not 7.2 ks); a unit of "" means none. ``None`` is "-".
    """
    if value is None:
        return "-"
    if not unit or value == 0 or not math.isfinite(value):
        return f"{number(value, digits)} {unit}".rstrip()
    factor, name = prefixed(value, unit, digits)
    return f"{number(value / factor, digits)} {name}"


def prefixed(value: float, unit: str, digits: int = 4) -> tuple[float, str]:
    """The unit with the SI prefix that suits a value: how many SI units it has, and its name.

    ``prefixed(0.0123, "s")`` is ``(0.001, "ms")``; what has no unit, or no size, is left as it is.
    """
    if not unit or value == 0 or not math.isfinite(value):
        return 1.0, unit
    largest = 1.0 if unit == "s" else math.inf
    smallest = 1.0 if unit.startswith(("B", "op")) else 0.0
    usable = [(f, p) for f, p in _PREFIXES if smallest <= f <= largest]
    # Rounded first: 999.96 kB is 1 MB, not 1000 kB.
    rounded = abs(float(f"{value:.{digits - 1}e}"))
    factor, prefix = next(((f, p) for f, p in usable if rounded >= f), usable[-1])
    return factor, f"{prefix}{unit}"


def metric(name: str, value: float | None, digits: int = 6) -> str:
    """A metric with its unit; cost and risk have none."""
    return quantity(value, METRIC_UNITS.get(name, ""), digits)


def field_unit(path: str) -> str:
    """The unit of a field of an instance by its path; "" for what has none."""
    steps = re.sub(r"\[.*?\](?=[.\[]|$)", "", path).split(".")
    if steps[0] == "limits":
        return METRIC_UNITS.get(steps[-1], "")
    unit = _FIELD_UNITS.get(next((s for s in reversed(steps) if s in _FIELD_UNITS), ""), "")
    return "" if steps[0] == "minimize" else unit


def percent(share: float | None) -> str:
    """A fraction of 1 in percent, with three significant digits."""
    return "-" if share is None else f"{number(100 * share, 3)} %"


def count(how_many: int, what: str, plural: str | None = None) -> str:
    """``count(1, "task")`` is "1 task", ``count(3, "task")`` is "3 tasks"."""
    return f"{how_many} {what if how_many == 1 else plural or what + 's'}"
