"""How the values of options are read; errors name the option, what was found and what is right."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from offload.errors import Issue, OffloadError

__all__ = [
    "amount", "check_writable", "duration", "goal", "method_names", "method_options", "numbers",
    "one_standard_input", "size", "stem", "swept", "whole", "wrong",
]  # fmt: skip

_BYTES = {
    "": 1.0, "b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "k": 2.0**10, "m": 2.0**20,
    "g": 2.0**30, "t": 2.0**40, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30, "tib": 2.0**40,
}  # fmt: skip
_MOST_NUMBERS = 100_000
_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "": 1.0}


def wrong(option: str, message: str, found: Any, fix: str) -> OffloadError:
    """An error about an option: which, what is wrong, what was found, what would be right."""
    return OffloadError(str(Issue(option, message, found, fix)))


def whole(option: str, least: int = 0) -> Callable[[Any], int]:
    """A parser of whole numbers from ``least`` on, whose error says what was found."""

    def parse(text: Any) -> int:
        try:
            value = int(str(text))
        except ValueError:
            value = least - 1
        if value < least:
            message = f"must be a whole number, {least} or more"
            raise wrong(option, message, str(text), f"write for example {least or 1}")
        return value

    return parse


def amount(option: str) -> Callable[[Any], float]:
    """A parser of numbers from 0 on, whose error says what was found."""

    def parse(text: Any) -> float:
        value = _float(str(text))
        if value is None or value < 0:
            raise wrong(option, "must be a number, 0 or more", str(text), "write for example 0.01")
        return value

    return parse


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def duration(text: str | None, option: str = "--time-limit") -> float | None:
    """Seconds of ``90``, ``90s``, ``1.5m``, ``2h`` or ``500ms``; ``none`` is no limit.

    Raises
    ------
    OffloadError
        For anything else, and for less than 0.
    """
    if text is None or text.strip().lower() in ("none", "inf"):
        return None
    body = text.strip().lower()
    unit = body.lstrip("0123456789.e+-").strip()
    seconds = _float(body.removesuffix(unit).strip()) if unit in _SECONDS else None
    if seconds is None or seconds < 0:
        raise wrong(option, "is no duration", text, "write for example 90, 90s, 2m, 500ms or none")
    return seconds * _SECONDS[unit]


def goal(
    minimize: str | None, limits: Sequence[str] | None
) -> tuple[dict[str, float] | None, dict[str, float] | None]:
    """The options --minimize and --limit as weights and bounds; ``None`` where not given.

    Raises
    ------
    OffloadError
        For an unknown metric, a number that is none, or no weight above 0.
    """
    weights = bounds = None
    if minimize is not None:
        weights = _pairs(minimize.split(","), "--minimize", default=1.0)
        if not any(weight > 0 for weight in weights.values()):
            fix = "write for example --minimize latency"
            raise wrong("--minimize", "needs a weight above 0", minimize, fix)
    if limits:
        bounds = {} if list(limits) == ["none"] else _pairs(limits, "--limit", default=None)
    return weights, bounds


def _pairs(pieces: Sequence[str], option: str, default: float | None) -> dict[str, float]:
    from offload.problem import METRICS
    from offload.typechecks import close

    made: dict[str, float] = {}
    for piece in pieces:
        name, equals, text = (part.strip() for part in piece.partition("="))
        if name not in METRICS:
            raise wrong(option, "is no metric", name, close(name, METRICS))
        value = _float(text) if equals else default
        if value is None or value < 0:
            fix = f"write {name}= and a number of SI units, 0 or more"
            raise wrong(option, f"{name} needs a number", piece, fix)
        if name in made:
            raise wrong(option, "metric given more than once", name, "keep one of them")
        made[name] = value
    return made


def size(option: str, text: str | None) -> float | None:
    """Bytes of ``500MB``, ``2GiB`` (``2G``) or a plain number; ``None`` where not given."""
    if text is None:
        return None
    body = text.strip().lower()
    unit = body.lstrip("0123456789.e+-").strip()
    value = _float(body.removesuffix(unit).strip()) if unit in _BYTES else None
    if value is None or value <= 0:
        raise wrong(option, "is no size", text, "write for example 500MB, 2GB or 2GiB")
    return value * _BYTES[unit]


def numbers(option: str, text: str) -> list[int]:
    """Whole numbers of ``3``, ``1,2,5``, ``0-9`` or any mix, in order."""
    found: list[int] = []
    for piece in text.split(","):
        first, dash, last = (part.strip() for part in piece.partition("-"))
        last = last if dash else first
        if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
            fix = "write for example 0, 1,2,5 or 0-9"
            raise wrong(option, "must be whole numbers, 0 or more", text, fix)
        if int(last) - int(first) >= _MOST_NUMBERS:
            raise wrong(option, "has too many", text, f"give at most {_MOST_NUMBERS}")
        found += range(int(first), int(last) + 1)
    if len(set(found)) < len(found):
        raise wrong(option, "needs distinct numbers", text, "keep one of each")
    return found


def swept(pieces: Sequence[str], option: str = "--set") -> dict[str, list[Any]]:
    """``PATH=A,B,...`` or ``PATH=LO:HI:N`` as values by path; ``x2`` stays a factor.

    Bytes and times may have a unit where the field has that one.
    """
    made: dict[str, list[Any]] = {}
    for piece in pieces:
        path, equals, text = (part.strip() for part in piece.rpartition("="))
        if not equals or not path or not text:
            fix = 'write for example "network.links[cam-edge].bandwidth=1e6,1e7"'
            raise wrong(option, "must be PATH=VALUES", piece, fix)
        if path in made:
            raise wrong(option, "path given more than once", path, "give all values at once")
        spaced = text.count(":") == 2 and "," not in text
        values = _spaced(option, path, text) if spaced else text.split(",")
        made[path] = [_given(option, path, value.strip()) for value in values]
    return made


def _spaced(option: str, path: str, text: str) -> list[str]:
    """``LO:HI:N`` as N values evenly spaced by ratio."""
    low, high, count = (part.strip() for part in text.split(":"))
    sign = "x" if low.startswith("x") else ""
    ends = [_given(option, path, end) for end in (low, high)]
    first, last = (_float(str(end).removeprefix("x")) for end in ends)
    fine = first is not None and last is not None and first > 0 and last > 0
    if not (fine and count.isdecimal() and int(count) >= 2 and high.startswith(sign)):
        fix = "write for example 1e6:1e8:9 or x0.1:x10:9"
        raise wrong(option, "must be LO:HI:N with LO and HI above 0 and N 2 or more", text, fix)
    assert first is not None
    assert last is not None
    steps = [first * (last / first) ** (n / (int(count) - 1)) for n in range(int(count))]
    return [f"{sign}{float(f'{step:.6g}'):.12g}" for step in steps]


def _given(option: str, path: str, text: str) -> Any:
    """One value of a path: a number in SI units or with a unit, a factor, null, true or a word."""
    from offload.units import field_unit

    words = {"none": None, "null": None, "unlimited": None, "true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    value = _float(text)
    if value is not None or not text[:1].isdigit():
        return text if value is None else value
    unit = field_unit(path)
    if unit in ("B", "B/s"):
        return size(option, text[:-2] if text.lower().endswith("/s") else text)
    return duration(text, option) if unit == "s" else text


def method_names(text: str) -> list[str]:
    """The methods of ``--methods heft,cpsat``."""
    names = [name.strip() for name in text.split(",")]
    if "" in names or len(set(names)) < len(names):
        raise wrong("--methods", "needs distinct names", text, "write for example heft,cpsat")
    return names


def method_options(pieces: Sequence[str] | None, option: str = "--option") -> dict[str, Any] | None:
    """``--option key=value`` as a dict; values are numbers, true, false or null, else text."""
    made: dict[str, Any] = {}
    for piece in pieces or ():
        name, equals, text = piece.partition("=")
        if not equals or not name.strip():
            raise wrong(option, "must be KEY=VALUE", piece, f"see {option} in the help")
        made[name.strip()] = _value(text.strip())
    return made or None


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, dict | list) or value != value else value


def one_standard_input(**files: str | None) -> None:
    """Refuse two files that are both standard input."""
    used = [name for name, path in files.items() if path == "-"]
    if len(used) > 1:
        fix = "name a file for one of them"
        raise wrong(" and ".join(used), "cannot both be standard input", "-", fix)


def check_writable(
    option: str, target: str | None, fix: str = "name a file in a folder that can be written"
) -> None:
    """Find out before long work, not after it, that what it makes could not be saved."""
    if target is None or target == "-":
        return
    path = Path(target)
    if path.is_dir():
        raise wrong(option, "is a folder", target, fix)
    if not path.parent.is_dir():
        raise wrong(option, "its folder does not exist", target, fix)
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise wrong(option, "cannot be written", target, fix)


def stem(path: str, problem_name: str) -> str:
    """An instance file's name without folder and ending; of standard input, the instance's name."""
    if path == "-":
        kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in problem_name).strip("-.")
        return kept or "instance"
    name = Path(path).name
    for ending in (".gz", ".json"):
        name = name.removesuffix(ending)
    return name or "instance"
