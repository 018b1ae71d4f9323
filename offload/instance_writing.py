"""Instances as `offload-instance/1` text, without what is the default."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from offload.canonical import json_text
from offload.problem import FORMAT, Problem

__all__ = ["dumps"]


def dumps(problem: Problem, *, indent: int | None = 1) -> str:
    """The instance as JSON text that :func:`offload.loads` reads back; defaults are left out.

    Parameters
    ----------
    indent
        As in :func:`json.dumps`; ``None`` writes one line, which is many times faster.
    """
    if indent is None:
        return "".join(_pieces(problem))
    plain = {"format": FORMAT, **_brief(problem)}
    return json.dumps(plain, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"


@functools.cache
def _fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, Any], ...]:
    """Names and defaults of a struct's fields; a required field's default equals nothing."""
    made = []
    for field in msgspec.structs.fields(kind):
        factory = field.default_factory
        default = field.default if factory is msgspec.NODEFAULT else factory()
        made.append((field.encode_name, object() if field.required else default))
    return tuple(made)


def _brief(value: Any) -> Any:
    """Builtins without the fields that have their default, and whole floats as integers."""
    if isinstance(value, msgspec.Struct):
        pairs = ((name, getattr(value, name), default) for name, default in _fields(type(value)))
        return {name: _brief(item) for name, item, default in pairs if item != default}
    if isinstance(value, tuple):
        return [_brief(item) for item in value]
    if isinstance(value, dict):
        return {key: _brief(item) for key, item in value.items()}
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value


# The same in one line. A large instance has hundreds of thousands of records of one kind: they are
# written column by column, straight to text.


def _pieces(problem: Problem) -> Iterator[str]:
    yield f'{{"format": {json_text(FORMAT)}'
    for name, default in _fields(Problem):
        value = getattr(problem, name)
        if value == default:
            continue
        yield f', "{name}": '
        if isinstance(value, msgspec.Struct):
            yield from _lists(value)
        elif isinstance(value, tuple):
            yield f"[{', '.join(_rows(value))}]"
        else:
            yield _text(value)
    yield "}\n"


def _lists(record: msgspec.Struct) -> Iterator[str]:
    """A record whose fields may be long lists of records."""
    opening = "{"
    for name, default in _fields(type(record)):
        value = getattr(record, name)
        if value != default:
            text = f"[{', '.join(_rows(value))}]" if isinstance(value, tuple) else _text(value)
            yield f"{opening}{json_text(name)}: {text}"
            opening = ", "
    yield "}"


def _rows(records: Sequence[msgspec.Struct]) -> list[str]:
    """Each of some records of one kind, at least one."""
    columns = []
    for name, default in _fields(type(records[0])):
        column = list(map(attrgetter(name), records))
        if column.count(default) == len(column):
            continue
        start = f", {json_text(name)}: "
        columns.append(["" if value == default else start + _text(value) for value in column])
    return [f"{{{''.join(row)[2:]}}}" for row in zip(*columns, strict=True)]


def _text(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return json_text(value)
    if kind is float:
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return json.dumps(_brief(value), ensure_ascii=False, allow_nan=False)
