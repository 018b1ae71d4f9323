"""JSON documents of other tools, decoded to declared records."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from offload.errors import NOTHING, InstanceError, Issue
from offload.typechecks import Malformed, parse, type_issues

__all__ = ["decode", "wrong"]

T = TypeVar("T", bound=msgspec.Struct)


def decode(text: str, kind: type[T]) -> T:
    """A document as a record; keys that the record does not declare are left out.

    Raises
    ------
    InstanceError
        With line and column for what is no JSON, else with the path of everything that is missing
        or of a wrong type.
    """
    raw = text.encode("utf-8", "replace")
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        why = str(error)
    try:
        parsed = parse(raw)
    except Malformed as error:
        raise InstanceError([error.issue]) from None
    issues = type_issues(parsed, kind)
    raise InstanceError(issues or [_syntax(raw, why)])


def _syntax(raw: bytes, why: str) -> Issue:
    """The issue of a text that Python takes for JSON although it is none, as NaN."""
    at = re.search(r"\(byte (\d+)\)", why)
    if at is None:
        return Issue("$", why, NOTHING)
    before, after = raw[: int(at[1])], raw[int(at[1]) :]
    near = after.partition(b"\n")[0][:20].decode("utf-8", "replace")
    line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
    return Issue(f"line {line} column {column}", "not JSON", near, "write a plain value")


def wrong(path: str, message: str, found: object, fix: str) -> InstanceError:
    """The error of a value that does not belong where it is."""
    return InstanceError([Issue(path, message, found, fix)])
