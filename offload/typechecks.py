"""Types and bounds of raw JSON values against a declared struct: every mismatch, with its path.

The fast decoder (msgspec) stops at the first mismatch and does not see duplicate keys. This slow
walk runs only when something is wrong, and then reports all of it.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import inspect

from offload.errors import Issue

__all__ = ["close", "duplicates_keys", "parse", "type_issues"]


class _Pairs(dict[str, Any]):
    """A JSON object that remembers which keys were given twice."""

    repeated: tuple[tuple[str, Any], ...] = ()


def _pairs(pairs: list[tuple[str, Any]]) -> _Pairs:
    made = _Pairs(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        repeated = []
        for key, value in pairs:
            if key in seen:
                repeated.append((key, value))
            seen.add(key)
        made.repeated = tuple(repeated)
    return made


def parse(text: str) -> Any:
    """JSON text as Python objects that keep their duplicate keys, NaN and infinities."""
    return json.loads(text, object_pairs_hook=_pairs)


def duplicates_keys(raw: bytes, parsed: Any) -> bool:
    """Whether some object in ``raw`` may have a key twice; never a wrong "no".

    Decoding keeps one of two equal keys, so writing the result again yields fewer colons. A colon
    that was escaped inside a string would add one, hence such text counts as suspicious.
    """
    if b"\\u003a" in raw or b"\\u003A" in raw:
        return True
    return raw.count(b":") != msgspec.json.encode(parsed).count(b":")


def close(word: str, options: Iterable[str], otherwise: str = "") -> str:
    """A fix that suggests the nearest of some names, or lists a few."""
    names = list(options)
    near = difflib.get_close_matches(word, names, n=1) if len(names) <= 20_000 else []
    if near:
        return f"did you mean {near[0]!r}?"
    if otherwise:
        return otherwise
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"known are: {shown}" if names else "none are defined"


def type_issues(value: Any, kind: Any, path: str = "$", *, finite: bool = True) -> list[Issue]:
    """Every place where a raw value does not fit a declared type.

    Parameters
    ----------
    value
        What :func:`parse` or ``msgspec.to_builtins`` returns.
    kind
        A type, or its ``msgspec.inspect`` description.
    path
        JSON path of the value, for the messages.
    finite
        Whether NaN and infinities are errors.
    """
    found: list[Issue] = []
    description = kind if isinstance(kind, inspect.Type) else inspect.type_info(kind)
    _walk(value, description, path, found)
    return [issue for issue in found if finite or not _is_infinite(issue.found)]


def _is_infinite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _walk(value: Any, kind: inspect.Type, path: str, found: list[Issue]) -> None:
    if isinstance(kind, inspect.Metadata):
        kind = kind.type
    options = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    options = tuple(o.type if isinstance(o, inspect.Metadata) else o for o in options)
    fitting = [option for option in options if _shape_fits(value, option)]
    if not fitting:
        wanted = " or ".join(_name(option) for option in options)
        found.append(Issue(path, f"must be {wanted}", value, f"write {_example(options[0])}"))
        return
    _inside(value, fitting[0], path, found)


def _shape_fits(value: Any, kind: inspect.Type) -> bool:
    if isinstance(kind, inspect.StructType | inspect.DictType):
        return isinstance(value, dict)
    if isinstance(kind, inspect.VarTupleType | inspect.ListType):
        return isinstance(value, list | tuple)
    if isinstance(kind, inspect.BoolType):
        return isinstance(value, bool)
    if isinstance(kind, inspect.IntType):
        return isinstance(value, int) and not isinstance(value, bool)
    if isinstance(kind, inspect.FloatType):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(kind, inspect.NoneType):
        return value is None
    return isinstance(value, str)


def _name(kind: inspect.Type) -> str:
    names = {
        inspect.StructType: "an object", inspect.DictType: "an object",
        inspect.VarTupleType: "a list", inspect.ListType: "a list",
        inspect.BoolType: "true or false", inspect.IntType: "an integer",
        inspect.FloatType: "a number", inspect.NoneType: "null",
    }  # fmt: skip
    if isinstance(kind, inspect.LiteralType):
        return "one of " + ", ".join(repr(v) for v in kind.values)
    return names.get(type(kind), "a string")


def _example(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.LiteralType):
        return repr(kind.values[0])
    examples = {
        inspect.StructType: "{...}", inspect.DictType: "{...}", inspect.VarTupleType: "[...]",
        inspect.ListType: "[...]", inspect.BoolType: "false", inspect.IntType: "a whole number such as 1",
        inspect.FloatType: "a plain number such as 1.5", inspect.NoneType: "null",
    }  # fmt: skip
    return examples.get(type(kind), "a text in quotes")


def _inside(value: Any, kind: inspect.Type, path: str, found: list[Issue]) -> None:
    if isinstance(kind, inspect.StructType):
        _walk_struct(value, kind, path, found)
    elif isinstance(kind, inspect.DictType):
        _repeated(value, path, found)
        for key, item in value.items():
            _check_text(key, f"{path}.{key}", found)
            _walk(item, kind.value_type, f"{path}.{key}", found)
    elif isinstance(kind, inspect.VarTupleType | inspect.ListType):
        if kind.min_length and len(value) < kind.min_length:
            found.append(Issue(path, "must not be empty", value, "name at least one"))
        for position, item in enumerate(value):
            _walk(item, kind.item_type, f"{path}[{position}]", found)
    elif isinstance(kind, inspect.FloatType | inspect.IntType):
        _check_number(value, kind, path, found)
    elif isinstance(kind, inspect.LiteralType):
        if value not in kind.values:
            wanted = [str(v) for v in kind.values]
            found.append(Issue(path, f"must be {_name(kind)}", value, close(value, wanted)))
    elif isinstance(kind, inspect.StrType):
        _check_text(value, path, found)
        if kind.min_length and len(value) < kind.min_length:
            found.append(Issue(path, "must not be empty", value, "give it a name"))


def _walk_struct(
    value: dict[str, Any], kind: inspect.StructType, path: str, found: list[Issue]
) -> None:
    _repeated(value, path, found)
    fields = {field.encode_name: field for field in kind.fields}
    if kind.tag_field is not None:
        found_tag = value.get(kind.tag_field)
        if found_tag != kind.tag:
            fix = f'write "{kind.tag_field}": "{kind.tag}"'
            found.append(Issue(f"{path}.{kind.tag_field}", "is not this format", found_tag, fix))
    for key, item in value.items():
        if key in fields:
            _walk(item, fields[key].type, f"{path}.{key}", found)
        elif key != kind.tag_field:
            found.append(Issue(f"{path}.{key}", "unknown key", key, close(key, fields)))
    for key, field in fields.items():
        if field.required and key not in value:
            found.append(Issue(f"{path}.{key}", "is required", None, f'add "{key}"'))


def _repeated(value: dict[str, Any], path: str, found: list[Issue]) -> None:
    for key, item in getattr(value, "repeated", ()):
        found.append(Issue(f"{path}.{key}", "key given more than once", item, "keep one of them"))


def _check_text(value: str, path: str, found: list[Issue]) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        found.append(Issue(path, "must be valid Unicode", value, "remove the lone surrogate"))


def _check_number(
    value: float, kind: inspect.FloatType | inspect.IntType, path: str, found: list[Issue]
) -> None:
    if not math.isfinite(value):
        fix = "leave the key out for unlimited" if value > 0 else "write a plain number"
        found.append(Issue(path, "must be finite", value, fix))
    elif kind.ge is not None and not value >= kind.ge:
        found.append(Issue(path, f"must be >= {kind.ge}", value, f"write {kind.ge} or more"))
    elif kind.gt is not None and not value > kind.gt:
        found.append(Issue(path, f"must be > {kind.gt}", value, f"write more than {kind.gt}"))
    elif kind.le is not None and not value <= kind.le:
        found.append(Issue(path, f"must be <= {kind.le}", value, f"write {kind.le} or less"))
    elif isinstance(kind, inspect.FloatType) and isinstance(value, int):
        try:
            float(value)
        except OverflowError:
            found.append(Issue(path, "must be finite", value, "use a smaller number"))
