"""The canonical form of an instance, and the digest that is taken of it.

A large instance has hundreds of thousands of records of one kind, so records are written column by
column: what all of them share goes into a template once, and the rest is filled in.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from offload.problem import Problem

__all__ = ["canonical", "digest", "json_text"]

_TOGETHER = 10_000  # records written at once: bounds memory on large instances

json_text: Callable[[str], str] = json.encoder.encode_basestring  # a text in quotes, non-ASCII kept


def canonical(problem: Problem) -> str:
    """The text that the digest is taken of: what the instance is, not how it was written.

    Defaults are filled in, keys sorted, numbers written as docs/format.md, section 5, says.
    """
    return "".join(_pieces(problem))


def digest(problem: Problem) -> str:
    """``sha256:`` and the hex digest of :func:`canonical`."""
    made = hashlib.sha256()
    for piece in _pieces(problem):
        made.update(piece.encode())
    return "sha256:" + made.hexdigest()


def _pieces(problem: Problem) -> Iterator[str]:
    for position, name in enumerate(("codecs", "data", "graph", "network")):
        yield f"{',' if position else '{'}{json_text(name)}:"
        yield from _value(getattr(problem, name))
    yield "}"


def _value(value: Any) -> Iterator[str]:
    """A record member by member, a list of records in batches, anything else in one piece."""
    if isinstance(value, msgspec.Struct):
        for position, (name, field) in enumerate(_members(type(value))):
            yield f"{',' if position else '{'}{json_text(name)}:"
            yield from _value(getattr(value, field))
        yield "}"
    elif isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
        yield "["
        for first in range(0, len(value), _TOGETHER):
            yield ("," if first else "") + _records(value[first : first + _TOGETHER])
        yield "]"
    else:
        yield _plain(value)


@functools.cache
def _members(kind: type[msgspec.Struct]) -> tuple[tuple[str, str], ...]:
    """(name in the file, name in Python) of a record's fields, sorted."""
    pairs = zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True)
    return tuple(sorted(pairs))


def _records(records: Sequence[msgspec.Struct]) -> str:
    """Records of one kind, at least one, with commas in between."""
    template, columns = [], []
    for name, field in _members(type(records[0])):
        column = list(map(attrgetter(field), records))
        if column.count(column[0]) == len(column):
            text = _plain(column[0]).replace("%", "%%")
        else:
            columns.append([_WRITERS.get(type(value), _plain)(value) for value in column])
            text = "%s"
        template.append(json_text(name).replace("%", "%%") + ":" + text)
    row = ("{" + ",".join(template) + "}").__mod__
    return ",".join(map(row, zip(*columns, strict=True) if columns else [()] * len(records)))


def _plain(value: Any) -> str:
    """Any value; keys sorted, records inside it included."""
    kind = type(value)
    if kind in _WRITERS:
        return _WRITERS[kind](value)
    if isinstance(value, dict):
        members = (f"{json_text(key)}:{_plain(value[key])}" for key in sorted(value))
        return "{" + ",".join(members) + "}"
    if isinstance(value, tuple | list):
        return "[" + ",".join(map(_plain, value)) + "]"
    return "".join(_value(value))


def _number(value: float) -> str:
    return repr(value + 0.0)  # -0.0 as 0.0


_WRITERS: dict[type, Callable[[Any], str]] = {
    float: _number, int: repr, str: json_text, bool: {True: "true", False: "false"}.__getitem__,
    type(None): lambda value: "null",
}  # fmt: skip
