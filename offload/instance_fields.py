"""Fields of an instance by path, as in ``network.links[cam0-edge0].bandwidth``."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from offload.errors import InstanceError, Issue, OffloadError
from offload.problem import METRICS, Problem
from offload.record_names import chosen
from offload.typechecks import close, member

__all__ = ["Factor", "Field", "Value", "changed", "field_of", "put", "read_value", "with_changes"]

Step = str | int
Value = float | str | bool | None
_ENDS = ("id", "src", "dst", "item")  # they name records, and are no quantities
_FACTOR = re.compile(r"^[xX*]\s*(?P<number>[0-9.]+(?:[eE][+-]?[0-9]+)?)$")
_STEP = re.compile(r"\.?(?P<name>[A-Za-z_]\w*)|\[(?P<key>.*?)\](?=[.\[]|$)")


class Field(NamedTuple):
    """One or several fields of an instance that one path names.

    Attributes
    ----------
    path
        As it was given.
    places
        For each field the steps to it from the instance: names of fields, positions in lists.
    kinds
        What may stand there, as msgspec describes types.
    """

    path: str
    places: tuple[tuple[Step, ...], ...]
    kinds: tuple[inspect.Type, ...]


class Factor(NamedTuple):
    """How many times what stands there."""

    text: str
    number: float


def field_of(problem: Problem, path: str) -> Field:
    """The fields that a path names.

    Parameters
    ----------
    path
        Names of fields with dots between, and in brackets which record of a list: an id; of links
        and edges ``SRC-DST`` (or ``SRC->DST``), whose two sides may be selectors; a selector of
        nodes (``tier:edge``); ``*`` for all; or a position. A leading ``$.`` is left out.

    Raises
    ------
    OffloadError
        If it names nothing, or two things; says what is near.
    """
    steps = _steps(path)
    places: list[tuple[tuple[Step, ...], Any]] = [((), problem)]
    kind: tuple[inspect.Type, ...] = (_described(Problem),)
    said = ""  # of the path
    for number, step in enumerate(steps):
        places, kind = _follow(problem, path, said, places, kind, step)
        said = steps_text(steps[: number + 1])
    return Field(path, tuple(place for place, _ in places), _leaf(path, said, kind))


def read_value(text: Any) -> Value | Factor:
    """A value as it is given: ``"x0.5"`` is half of what stands there."""
    value = text.item() if hasattr(text, "item") else text
    if isinstance(value, str):
        found = _FACTOR.match(value.strip())
        if found is not None:
            try:
                return Factor(value, float(found["number"]))
            except ValueError:
                return value
    return value  # type: ignore[no-any-return]


def changed(problem: Problem, values: Mapping[str, Any]) -> Problem:
    """The instance with other values at some paths, one after another.

    Parameters
    ----------
    values
        From a path (see :func:`field_of`) to a value; ``"x0.5"`` is half of what stands there, and
        ``None`` is unlimited: of a map it leaves the entry out.

    Raises
    ------
    OffloadError
        If a path names nothing, or a value may not stand there.
    """
    for path, value in values.items():
        problem = put(problem, field_of(problem, path), value)
    return problem


def put(problem: Problem, field: Field, value: Any) -> Problem:
    """The instance with another value in a field."""
    given = read_value(value)
    if isinstance(given, Factor):
        old = [_at(problem, place) for place in field.places]
        if all(one is None or one == {} for one in old):
            fix = "write a number instead of a factor"
            raise _wrong(field.path, "has nothing to multiply", old[0], fix)
        whole = not any(isinstance(kind, inspect.FloatType) for kind in field.kinds)
        change = _scaled(field.path, given, whole)
    else:
        change = _replaced(field, given)
    try:
        return with_changes(problem, dict.fromkeys(field.places, change))
    except InstanceError as error:
        raise _in_words(field, error) from None


def with_changes(
    problem: Problem, changes: Mapping[tuple[Step, ...], Callable[[Any], Any]]
) -> Problem:
    """The instance with other values at some places: from what stands there to what shall."""
    tree: dict[Step, Any] = {}
    for place, change in changes.items():
        inner = tree
        for step in place[:-1]:
            inner = inner.setdefault(step, {})
        inner[place[-1]] = change
    return problem.replace(**_parts(problem, tree))


# -- paths -----------------------------------------------------------------------------------------


def _steps(path: str) -> list[tuple[str, str]]:
    """The steps of a path: ("name", ...) and ("key", ...)."""
    text = path.strip() if isinstance(path, str) else ""
    body = text.removeprefix("$").removeprefix(".")
    steps, at = [], 0
    while at < len(body):
        found = _STEP.match(body, at)
        if found is None or found.end() == at:
            break
        kind = "name" if found["name"] is not None else "key"
        steps.append((kind, found[kind].strip()))
        at = found.end()
    if not steps or at < len(body):
        fix = "write for example network.links[SRC-DST].bandwidth"
        raise _wrong("path", "cannot be read", path, fix)
    return steps


def steps_text(steps: Sequence[tuple[str, str]]) -> str:
    """Steps as a path."""
    text = "".join(f".{name}" if kind == "name" else f"[{name}]" for kind, name in steps)
    return text.removeprefix(".")


def _follow(
    problem: Problem, path: str, said: str, places: list[tuple[tuple[Step, ...], Any]],
    kinds: tuple[inspect.Type, ...], step: tuple[str, str],
) -> tuple[list[tuple[tuple[Step, ...], Any]], tuple[inspect.Type, ...]]:  # fmt: skip
    """One step further along a path."""
    how, name = step
    for kind in kinds:
        if isinstance(kind, inspect.StructType) and how == "name":
            fields = {f.name: f for f in kind.fields if f.name not in _ENDS}
            if name not in fields:
                message = f"{said or 'an instance'} has no field {name!r}"
                raise _wrong(path, message, name, close(name, fields))
            options = _options(fields[name].type)
            return [((*p, name), getattr(value, name)) for p, value in places], options
        if isinstance(kind, inspect.VarTupleType) and how == "key":
            (record,) = _options(kind.item_type)
            assert isinstance(record, inspect.StructType)
            found = []
            for place, records in places:
                picked = chosen(path, name, records, record.cls, problem.network)
                found += [((*place, k), records[k]) for k in picked]
            return found, (record,)
        if isinstance(kind, inspect.DictType):
            return _of_map(path, name, places, _options(kind.value_type))
    if how == "key":
        raise _wrong(path, f"{said} is no list", f"[{name}]", "leave the brackets out")
    fix = f"write {said}[...].{name}, with an id or * in the brackets"
    raise _wrong(path, f"{said} does not say which", name, fix)


def _of_map(
    path: str, name: str, places: list[tuple[tuple[Step, ...], Any]],
    kinds: tuple[inspect.Type, ...],
) -> tuple[list[tuple[tuple[Step, ...], Any]], tuple[inspect.Type, ...]]:  # fmt: skip
    """An entry of maps: of a goal or limits any metric, of others one that some of them have."""
    if places[0][0] in (("minimize",), ("limits",)):
        if name not in METRICS:
            raise _wrong(path, "is no metric", name, close(name, METRICS))
        return [((*p, name), value.get(name)) for p, value in places], kinds
    maps = [(p, value) for p, value in places if isinstance(value, dict)]
    having = [((*p, name), value[name]) for p, value in maps if name in value]
    if not having:
        known = sorted({key for _, value in maps for key in value})
        raise _wrong(path, "has no such entry", name, close(name, known))
    return having, kinds


def _leaf(path: str, said: str, kinds: tuple[inspect.Type, ...]) -> tuple[inspect.Type, ...]:
    """What may stand at the end of a path, where that is a value."""
    (first, *_) = kinds
    if isinstance(first, inspect.StructType):
        names = [f.name for f in first.fields if f.name not in _ENDS and _single(f.type)]
        fix = f"add a field, as in {said}.{names[0]}" if names else "add a field"
        raise _wrong(path, "ends before a field", said, fix)
    if any(isinstance(kind, inspect.VarTupleType | inspect.StrType) for kind in kinds):
        raise _wrong(path, "is no number", said, "name a field that is one")
    if said in ("minimize", "limits"):
        raise _wrong(path, "does not say which metric", said, f"write for example {said}.energy")
    return kinds


def _single(kind: inspect.Type) -> bool:
    listed = inspect.StructType | inspect.VarTupleType | inspect.StrType
    return not any(isinstance(option, listed) for option in _options(kind))


def _options(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    """The kinds between which a value may choose."""
    plain = kind.type if isinstance(kind, inspect.Metadata) else kind
    if isinstance(plain, inspect.UnionType):
        return tuple(one for option in plain.types for one in _options(option))
    return (plain,)


_described = functools.cache(inspect.type_info)


# -- values ----------------------------------------------------------------------------------------


def _at(problem: Problem, place: tuple[Step, ...]) -> Any:
    value: Any = problem
    for step in place:
        if isinstance(value, dict):
            value = value.get(step)
        else:
            value = value[step] if isinstance(step, int) else getattr(value, step)
    return value


def _scaled(path: str, factor: Factor, whole: bool) -> Callable[[Any], Any]:
    def change(old: Any) -> Any:
        if old is None:  # unlimited stays unlimited
            return None
        if isinstance(old, dict):
            return {key: value * factor.number for key, value in old.items()}
        if isinstance(old, bool) or not isinstance(old, int | float):
            raise _wrong(path, "is no number to multiply", old, "write the value itself")
        value = old * factor.number
        if whole and value != int(value):
            message = f"must be a whole number, and {old} {factor.text} is {value:g}"
            raise _wrong(path, message, factor.text, "write whole numbers")
        return int(value) if whole else value

    return change


def _replaced(field: Field, value: Value) -> Callable[[Any], Any]:
    if all(isinstance(kind, inspect.DictType) for kind in field.kinds):
        fix = f'name an entry, as in {field.path}[KEY], or write a factor such as "x2"'
        raise _wrong(field.path, "is a map", value, fix)
    numeric = any(isinstance(kind, inspect.FloatType | inspect.IntType) for kind in field.kinds)
    if isinstance(value, str) and numeric:
        fix = 'write a number, or a factor such as "x0.5"'
        raise _wrong(field.path, "must be a number", value, fix)
    if not any(isinstance(kind, inspect.FloatType) for kind in field.kinds) and numeric:
        whole = isinstance(value, float) and value.is_integer()
        value = int(value) if whole else value  # type: ignore[arg-type]
    return lambda old: value


def _rebuilt(value: Any, tree: Mapping[Step, Any] | Callable[[Any], Any]) -> Any:
    """A part of an instance with changes deep inside."""
    if callable(tree):
        return tree(value)
    if isinstance(value, tuple):
        made = list(value)
        for k, inner in tree.items():
            made[int(k)] = _rebuilt(made[int(k)], inner)
        return tuple(made)
    if isinstance(value, dict):
        both = value | {key: _rebuilt(value.get(str(key)), inner) for key, inner in tree.items()}
        return {key: entry for key, entry in both.items() if entry is not None}
    return msgspec.structs.replace(value, **_parts(value, tree))


def _parts(record: Any, tree: Mapping[Step, Any]) -> dict[str, Any]:
    return {str(name): _rebuilt(getattr(record, str(name)), tree[name]) for name in tree}


# -- errors ----------------------------------------------------------------------------------------


def _wrong(path: str, message: str, found: Any, fix: str) -> OffloadError:
    return OffloadError(str(Issue(path, message, found, fix)))


def _in_words(field: Field, error: InstanceError) -> OffloadError:
    """What validation says of a changed instance, under the path that was given."""
    own = {_json_path(place) for place in field.places}
    kept: dict[str, Issue] = {}
    for issue in error.issues:
        path, message = field.path, issue.message
        if issue.path not in own:
            path, message = issue.path, f"{message} (with {field.path} changed)"
        kept.setdefault(path, Issue(path, message, issue.found, issue.fix))
    return InstanceError(list(kept.values()))


def _json_path(place: Iterable[Step]) -> str:
    path = "$"
    for step in place:
        path = f"{path}[{step}]" if isinstance(step, int) else member(path, step)
    return path
