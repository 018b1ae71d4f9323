"""Types and bounds of raw JSON values against a declared struct: every mismatch, with its path.

The fast decoder (msgspec) stops at the first mismatch and does not see duplicate keys. This slow
walk runs only when something is wrong, and then reports all of it.
"""

from __future__ import annotations

import difflib
import functools
import json
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import inspect

from offload.errors import NOTHING, Issue

__all__ = ["Malformed", "close", "duplicates_keys", "member", "parse", "type_issues"]

_COMPARED = 100_000  # characters of names compared with a word, at most: it is slow


class Malformed(ValueError):
    """A text that is no JSON at all; ``issue`` says where it breaks off."""

    def __init__(self, issue: Issue) -> None:
        super().__init__(str(issue))
        self.issue = issue


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


def _integer(digits: str) -> float:
    # Python refuses to read integers of thousands of digits; as floats they are infinite.
    return int(digits) if len(digits) < 400 else float(digits)


def parse(raw: bytes) -> Any:
    """JSON as Python objects that keep their duplicate keys, NaN and infinities.

    Raises
    ------
    Malformed
        With line and column where the text is no JSON.
    """
    try:
        text = raw.decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=_pairs, parse_int=_integer)
    except UnicodeDecodeError as error:
        near = error.object[error.start : error.start + 8]
        message = f"not UTF-8 at byte {error.start}"
        raise Malformed(Issue("$", message, near, "save the file as UTF-8")) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        found = error.doc[error.pos : error.pos + 20] or NOTHING
        issue = Issue(where, f"not JSON: {error.msg}", found, "mend the syntax")
        raise Malformed(issue) from None
    except RecursionError:
        depth = f"{raw.count(b'[')} '[' and {raw.count(b'{')} '{{'"
        raise Malformed(Issue("$", "nested too deeply", depth, "flatten it")) from None


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
    near = []
    if len(names) * len(word) <= _COMPARED:
        near = difflib.get_close_matches(word, names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    if otherwise:
        return otherwise
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"known are: {shown}" if names else "none are defined"


def member(path: str, key: Any) -> str:
    """JSON path of an object's member; keys other than plain words are quoted."""
    if isinstance(key, str) and re.fullmatch(r"[\w:-]+", key):
        return f"{path}.{key}"
    return f"{path}[{json.dumps(key, ensure_ascii=False) if isinstance(key, str) else repr(key)}]"


def type_issues(value: Any, kind: Any, path: str = "$", *, finite: bool = True) -> list[Issue]:
    """Every place where a raw value does not fit a declared type.

    Parameters
    ----------
    value
        What :func:`parse` or ``msgspec.to_builtins`` returns.
    kind
        A type.
    path
        JSON path of the value, for the messages.
    finite
        Whether NaN and infinities are errors.
    """
    walk = _Walk(finite)
    walk.value(value, _described(kind), path)
    return walk.found


_described = functools.cache(inspect.type_info)


_ACCEPTED: dict[type[inspect.Type], tuple[type, ...]] = {
    inspect.AnyType: (object,), inspect.BoolType: (bool,), inspect.DictType: (dict,),
    inspect.FloatType: (int, float), inspect.IntType: (int,), inspect.ListType: (list, tuple),
    inspect.LiteralType: (str,), inspect.NoneType: (type(None),), inspect.StrType: (str,),
    inspect.StructType: (dict,), inspect.VarTupleType: (list, tuple),
}  # fmt: skip


def _shape_fits(value: Any, kind: inspect.Type) -> bool:
    if isinstance(value, bool):  # which to Python is an integer
        return isinstance(kind, inspect.BoolType | inspect.AnyType)
    return isinstance(value, _ACCEPTED[type(kind)])


@functools.cache
def _fields(record: type) -> dict[str, inspect.Field]:
    kind = _described(record)
    assert isinstance(kind, inspect.StructType)
    return {field.encode_name: field for field in kind.fields}


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
        inspect.ListType: "[...]", inspect.BoolType: "false", inspect.NoneType: "null",
        inspect.IntType: "a whole number such as 1",
        inspect.FloatType: "a plain number such as 1.5",
    }  # fmt: skip
    return examples.get(type(kind), "a text in quotes")


class _Walk:
    """Collects the mismatches of one value; each method looks at one kind of value."""

    def __init__(self, finite: bool) -> None:
        self.finite = finite
        self.found: list[Issue] = []
        self._options: dict[int, tuple[inspect.Type, ...]] = {}
        self._inside: dict[type[inspect.Type], Callable[..., None]] = {
            inspect.StructType: self.struct, inspect.DictType: self.mapping,
            inspect.VarTupleType: self.sequence, inspect.ListType: self.sequence,
            inspect.LiteralType: self.choice, inspect.StrType: self.text,
        }  # fmt: skip

    def add(self, path: str, message: str, found: Any, fix: str) -> None:
        self.found.append(Issue(path, message, found, fix))

    def options(self, kind: inspect.Type) -> tuple[inspect.Type, ...]:
        """The kinds between which a value may choose: those of a union, or the one."""
        known = self._options.get(id(kind))
        if known is None:
            plain = kind.type if isinstance(kind, inspect.Metadata) else kind
            union = plain.types if isinstance(plain, inspect.UnionType) else (plain,)
            known = tuple(o.type if isinstance(o, inspect.Metadata) else o for o in union)
            self._options[id(kind)] = known
        return known

    def value(self, value: Any, kind: inspect.Type, path: str) -> None:
        options = self.options(kind)
        for option in options:
            if _shape_fits(value, option):
                if isinstance(option, inspect.FloatType | inspect.IntType):
                    self.number(value, option, path, options)
                elif look_inside := self._inside.get(type(option)):
                    look_inside(value, option, path)
                break
        else:
            wanted = " or ".join(_name(option) for option in options)
            self.add(path, f"must be {wanted}", value, f"write {_example(options[0])}")

    def sequence(
        self, value: Any, kind: inspect.ListType | inspect.VarTupleType, path: str
    ) -> None:
        if kind.min_length and len(value) < kind.min_length:
            self.add(path, "must not be empty", value, "name at least one")
        for position, item in enumerate(value):
            self.value(item, kind.item_type, f"{path}[{position}]")

    def choice(self, value: str, kind: inspect.LiteralType, path: str) -> None:
        if value not in kind.values:
            wanted = [str(v) for v in kind.values]
            self.add(path, f"must be {_name(kind)}", value, close(value, wanted))

    def struct(self, value: dict[str, Any], kind: inspect.StructType, path: str) -> None:
        self.repeated(value, path)
        fields = _fields(kind.cls)
        if kind.tag_field is not None and value.get(kind.tag_field) != kind.tag:
            fix = f'write "{kind.tag_field}": "{kind.tag}"'
            tag = value.get(kind.tag_field, NOTHING)
            self.add(member(path, kind.tag_field), "is not this format", tag, fix)
        for key, item in value.items():
            if key in fields:
                self.value(item, fields[key].type, f"{path}.{key}")
            elif key != kind.tag_field and kind.cls.__struct_config__.forbid_unknown_fields:
                self.add(member(path, key), "unknown key", key, close(key, fields))
        for key, field in fields.items():
            if field.required and key not in value:
                self.add(member(path, key), "is required", NOTHING, f'add "{key}"')

    def mapping(self, value: dict[Any, Any], kind: inspect.DictType, path: str) -> None:
        self.repeated(value, path)
        for key, item in value.items():
            where = member(path, key)
            if isinstance(key, str):
                self.unicode(key, where)
            else:
                self.add(path, "must have texts as keys", key, f"write {str(key)!r}")
            self.value(item, kind.value_type, where)

    def repeated(self, value: dict[str, Any], path: str) -> None:
        for key, item in getattr(value, "repeated", ()):
            self.add(member(path, key), "key given more than once", item, "keep one of them")

    def text(self, value: str, kind: inspect.StrType, path: str) -> None:
        self.unicode(value, path)
        if kind.min_length and len(value) < kind.min_length:
            self.add(path, "must not be empty", value, "give it a name")

    def unicode(self, value: str, path: str) -> None:
        try:
            value.encode()
        except UnicodeEncodeError:
            self.add(path, "must be valid Unicode", value, "remove the lone surrogate")

    def number(
        self,
        value: float,
        kind: inspect.FloatType | inspect.IntType,
        path: str,
        options: tuple[inspect.Type, ...],
    ) -> None:
        if not _fits_float(value):
            if self.finite or isinstance(value, int):
                null = value > 0 and any(isinstance(o, inspect.NoneType) for o in options)
                fix = "write null, or leave the key out" if null else "write a plain number"
                self.add(path, "must be finite", value, fix)
        elif kind.ge is not None and not value >= kind.ge:
            self.add(path, f"must be >= {kind.ge}", value, f"write {kind.ge} or more")
        elif kind.gt is not None and not value > kind.gt:
            self.add(path, f"must be > {kind.gt}", value, f"write more than {kind.gt}")
        elif kind.le is not None and not value <= kind.le:
            self.add(path, f"must be <= {kind.le}", value, f"write {kind.le} or less")


def _fits_float(value: float) -> bool:
    """Whether a number is finite, also as a float."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
