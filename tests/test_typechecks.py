"""Every value of a wrong kind: in a file and in Python, with its path, value and fix."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from instance_documents import (
    DROP,
    FIELDS,
    MAKERS,
    REQUIRED,
    Field,
    Maker,
    as_path,
    edited,
    issues_of,
    place,
    street,
)

import offload
from offload import InstanceError, Problem


@pytest.fixture(params=MAKERS, ids=["file", "python"])
def make(request: pytest.FixtureRequest) -> Maker:
    maker: Maker = request.param
    return maker


# -- types and bounds: for every field of the format, every wrong kind of value --------------------

NUMBERS = {"amount": 0, "amount?": 0, "positive": 0, "positive?": 0, "ratio": 1}
INTEGERS = {"count": 0, "slots": 1, "channels": 1, "copies": 0}


class Wrong(NamedTuple):
    value: Any
    message: str
    inside: str = ""  # what follows the field's own path
    fix: str = ""


def wrong_numbers(field: Field) -> Iterator[Wrong]:
    least = NUMBERS[field.kind]
    above = "> 0" if field.kind.startswith("positive") else f">= {least}"
    yield Wrong(-3, f"must be {above}", fix=f"write (more than )?{least}")
    if above == "> 0":
        yield Wrong(0, "must be > 0", fix="write more than 0")
    no_numbers: tuple[Any, ...] = (True, "1.5", [1], {"*": 1})
    for value in no_numbers:
        yield Wrong(value, "must be a number", fix="write a plain number")
    for number in (math.nan, -math.inf):
        yield Wrong(number, "must be finite", fix="write a plain number")
    nullable = field.kind.endswith("?")
    for number in (math.inf, 10**400, 10**4000):
        yield Wrong(number, "must be finite", fix="write null" if nullable else "write a plain")


def wrong_integers(field: Field) -> Iterator[Wrong]:
    least = INTEGERS[field.kind]
    yield Wrong(least - 1, f"must be >= {least}", fix=f"write {least} or more")
    yield Wrong(2**53 + 1, "must be <= 9007199254740992", fix="write 9007199254740992 or less")
    for value in (1.5, 1.0, False, "1", [1]):
        yield Wrong(value, "must be an integer", fix="write a whole number")


def wrong_texts(field: Field) -> Iterator[Wrong]:
    if field.kind in {"texts", "homes"}:
        yield Wrong("cam", "must be a list", fix=re.escape("write [...]"))
        yield Wrong(["cam", 5], "must be a string", "[1]", "write a text in quotes")
    else:
        yield Wrong(5, "must be a string", fix="write a text in quotes")
        yield Wrong("\ud800", "must be valid Unicode", fix="remove the lone surrogate")
    if field.kind == "id":
        yield Wrong("", "must not be empty", fix="give it a name")
    if field.kind == "homes":
        yield Wrong([], "must not be empty", fix="name at least one")


def wrong_mappings(field: Field) -> Iterator[Wrong]:
    if field.kind == "size":
        yield Wrong(-1, "must be >= 0", fix="write 0 or more")
        yield Wrong(True, "must be a number or an object", fix="write a plain number")
    else:
        yield Wrong([], "must be an object", fix=re.escape("write {...}"))
    yield Wrong({"cam": -1}, "must be >= 0", ".cam", "write 0 or more")
    yield Wrong({"cam": "1"}, "must be a number", ".cam", "write a plain number")
    yield Wrong({"*": None}, "must be a number", '["*"]', "write a plain number")


def wrong_values(field: Field) -> Iterator[Wrong]:
    if field.kind in NUMBERS:
        yield from wrong_numbers(field)
    elif field.kind in INTEGERS:
        yield from wrong_integers(field)
    elif field.kind in {"id", "text", "text?", "texts", "homes"}:
        yield from wrong_texts(field)
    elif field.kind in {"amounts", "size"}:
        yield from wrong_mappings(field)
    elif field.kind == "flag":
        for value in (1, "true"):
            yield Wrong(value, "must be true or false", fix="write false")
    else:
        first = field.kind.split()[0]
        yield Wrong(first + "s", "must be one of", fix=f"did you mean '{first}'")
        yield Wrong(5, "must be one of", fix=f"write '({field.kind.replace(' ', '|')})'")
    if not field.kind.endswith("?") and field.kind not in {"channels", "copies"}:
        yield Wrong(None, "must be")


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: f"{field.record}.{field.key}")
def test_a_value_of_the_wrong_kind_is_named(make: Maker, field: Field) -> None:
    for value, message, inside, fix in wrong_values(field):
        (issue,) = issues_of(make, edited(street(), {place(field): value}))
        assert issue.path == as_path(place(field)) + inside, value
        assert issue.message.startswith(message), value
        assert re.match(fix, issue.fix), value
        if isinstance(value, list | dict):
            assert repr(issue.found) in repr(value)
        elif not isinstance(value, int) or abs(value) < 2**60:  # a file's vast integer is infinite
            assert repr(issue.found) == repr(value)


def test_integers_that_python_will_not_write_out_are_named() -> None:
    text = json.dumps(edited(street(), {"network.nodes.0.speed": "mark"}))
    with pytest.raises(InstanceError, match=r"nodes\[0\]\.speed: must be finite, got inf; write a"):
        offload.loads(text.replace('"mark"', "1" * 5000))
    with pytest.raises(InstanceError, match=r"speed: must be finite, got an integer of 16610 bits"):
        Problem(network=offload.Network([offload.Node("cam", speed=10**5000)]))


@pytest.mark.parametrize(
    "field",
    [field for field in FIELDS if field.default is REQUIRED],
    ids=lambda field: f"{field.record}.{field.key}",
)
def test_a_missing_key_is_named(field: Field) -> None:
    (issue,) = issues_of(MAKERS[0], edited(street(), {place(field): DROP}))
    assert str(issue) == f'{as_path(place(field))}: is required, got nothing; add "{field.key}"'


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: f"{field.record}.{field.key}")
def test_an_unknown_key_is_named(field: Field) -> None:
    where = place(field) + "z"
    (issue,) = issues_of(MAKERS[0], edited(street(), {where: 1}))
    assert (issue.path, issue.message) == (as_path(where), "unknown key")
    assert issue.found == field.key + "z"
    assert issue.fix == f"did you mean {field.key!r}?"


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: f"{field.record}.{field.key}")
def test_a_key_given_twice_is_named(field: Field) -> None:
    tree = edited(street(), {place(field): "mark"})
    text = json.dumps(tree).replace(f'"{field.key}": "mark"', f'"{field.key}": 1, "{field.key}": 1')
    with pytest.raises(InstanceError, match="key given more than once, got 1; keep one") as caught:
        offload.loads(text)
    assert as_path(place(field)) in [issue.path for issue in caught.value.issues]


@pytest.mark.parametrize(
    "where", ["minimize", "limits", "graph.tasks.0.time", "graph.tasks.0.memory"]
)
def test_a_name_given_twice_in_a_mapping_is_named(where: str) -> None:
    text = json.dumps(edited(street(), {where: "mark"})).replace('"mark"', '{"cost": 1, "cost": 1}')
    with pytest.raises(InstanceError, match="key given more than once") as caught:
        offload.loads(text)
    assert caught.value.issues[0].path == f"{as_path(where)}.cost"


def test_keys_given_twice_are_found_behind_escaped_colons() -> None:
    for colon in ("\\u003a", "\\u003A"):
        text = f'{{"format": "offload-instance/1", "name": "b", "name": "a{colon}b"}}'
        with pytest.raises(InstanceError, match=r"^\$\.name: key given more than once"):
            offload.loads(text)
        assert offload.loads(text.replace('"name": "b"', '"source": ""')).name == "a:b"


@pytest.mark.parametrize("tag", ["offload-instance/2", "offload-plan/1", 1, None, DROP])
def test_another_format_is_refused(tag: Any) -> None:
    (issue,) = issues_of(MAKERS[0], edited(street(), {"format": tag}))
    found = "nothing" if tag is DROP else repr(tag)
    fix = 'write "format": "offload-instance/1"'
    assert str(issue) == f"$.format: is not this format, got {found}; {fix}"


@pytest.mark.parametrize("text", ["[]", "5", "null", '"offload-instance/1"', "true"])
def test_a_file_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(InstanceError, match=r"^\$: must be an object, got "):
        offload.loads(text)


# -- several at once -------------------------------------------------------------------------------


def test_all_errors_are_reported_together(make: Maker) -> None:
    wrong = {
        "network.nodes.1.speed": -3, "network.links.0.channels": 0, "graph.tasks.0.work": "much",
        "graph.edges.2.bytes": math.nan, "data.0.home": [], "codecs.0.ratio": 0.5,
    }  # fmt: skip
    found = issues_of(make, edited(street(), wrong))
    assert sorted(issue.path for issue in found) == sorted(as_path(where) for where in wrong)


@pytest.mark.parametrize("key", ["a\nb", "\x1b[31m", "\ud800", "\u2028", "", "a b", "x" * 5000])
def test_an_error_is_one_printable_line(key: str) -> None:
    with pytest.raises(InstanceError, match="unknown key") as caught:
        offload.loads(
            json.dumps(edited(street(), {"network": {**street()["network"], key: 1}})), key
        )
    (line,) = caught.value.lines()
    assert line.isprintable()
    assert len(line) < 1500
    assert str(caught.value) == line
