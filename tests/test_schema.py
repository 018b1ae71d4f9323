"""The JSON Schema says what the loader takes: keys, kinds, defaults, and no more."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from drawing import draw_problem
from instance_documents import DROP, FIELDS, REQUIRED, Field, edited, place, street

import offload
from offload import METRICS, InstanceError
from offload.files import dumps

SCHEMA = offload.schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
INSTANCES = sorted(Path(__file__).parent.parent.glob("instances/*.json"))

RECORDS = {
    "problem": "Problem", "network": "Network", "node": "Node", "mode": "Mode", "link": "Link",
    "task": "Task", "edge": "Edge", "group": "Group", "data": "Data", "codec": "Codec",
}  # fmt: skip
PARTS: dict[str, dict[str, Any]] = {
    "problem": {
        "network": {"nodes": [], "links": [], "reference_bytes": 1e6},
        "graph": {"tasks": [], "edges": [], "groups": []}, "data": [], "codecs": [],
    },
    "network": {"nodes": [], "links": []},
    "node": {"modes": []},
}  # fmt: skip


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(SCHEMA, allow_nan=False)) == json.loads(json.dumps(SCHEMA))


@pytest.mark.parametrize("record", RECORDS)
def test_the_keys_of_a_record(record: str) -> None:
    made = SCHEMA["$defs"][RECORDS[record]]
    fields = [field for field in FIELDS if field.record == record]
    tag = {"format"} if record == "problem" else set()
    assert set(made["properties"]) == {f.key for f in fields} | PARTS.get(record, {}).keys() | tag
    assert set(made["required"]) == {f.key for f in fields if f.default is REQUIRED} | tag
    assert made["additionalProperties"] is False
    assert "\n" not in made["description"]
    defaults = {f.key: f.default for f in fields if f.default is not REQUIRED}
    for key, default in {**defaults, **PARTS.get(record, {})}.items():
        assert made["properties"][key]["default"] == default, key


@pytest.mark.parametrize("record", SCHEMA["$defs"])
def test_every_field_is_described(record: str) -> None:
    fields = SCHEMA["$defs"][record]["properties"]
    assert [name for name, field in fields.items() if not field.get("description")] == []


def test_the_metrics_are_listed() -> None:
    made = SCHEMA["$defs"]["Problem"]["properties"]
    assert tuple(made["minimize"]["propertyNames"]["enum"]) == METRICS
    assert tuple(made["limits"]["propertyNames"]["enum"]) == METRICS


@pytest.mark.parametrize("path", INSTANCES, ids=lambda path: path.stem)
def test_shipped_instances_fit(path: Path) -> None:
    VALIDATOR.validate(json.loads(path.read_text(encoding="utf-8")))


def test_drawn_instances_fit() -> None:
    VALIDATOR.validate(street())
    VALIDATOR.validate({"format": "offload-instance/1"})
    for seed in range(40):
        VALIDATOR.validate(json.loads(dumps(draw_problem(seed))))


def test_defaults_written_out_fit() -> None:
    for field in FIELDS:
        if field.default is not REQUIRED:
            VALIDATOR.validate(edited(street(), {place(field): field.default}))


# Numbers in JSON are finite, and to a schema 1.0 is an integer.
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1, 1.5, 0.5, 2**53 + 1, "", "x", "half", "serial", "apart", [], ["x"], [5],
    [""], {}, {"*": 1}, {"*": -1}, {"*": "1"}, {"latency": 1}, [{}], [{"id": "x"}],
)  # fmt: skip


def kind_errors(tree: dict[str, Any]) -> bool:
    """Whether the loader finds a wrong kind of value, key or bound."""
    beyond = (
        "names no", "is no selector", "can run nowhere", "edge", "duplicate id", "the tasks wait",
        "a divisible", "no edge", "needs at least one", "link", "a link", "an edge", "a mode's",
        "reads as", "edges of",
    )  # fmt: skip
    try:
        offload.loads(json.dumps(tree))
    except InstanceError as error:
        return not all(issue.message.startswith(beyond) for issue in error.issues)
    return False


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: f"{field.record}.{field.key}")
def test_the_schema_and_the_loader_refuse_the_same(field: Field) -> None:
    where = place(field)
    for value in (*VALUES, DROP):
        tree = edited(street(), {where: value})
        assert VALIDATOR.is_valid(tree) == (not kind_errors(tree)), (where, value)
    tree = edited(street(), {where + "z": 1})
    assert not VALIDATOR.is_valid(tree)
    assert kind_errors(tree)


def test_random_changes_are_refused_alike() -> None:
    rng = random.Random(0)
    for _ in range(150):
        first, second = rng.sample(FIELDS, 2)
        edits = {place(first): rng.choice(VALUES), place(second): rng.choice(VALUES)}
        tree = edited(street(), edits)
        assert VALIDATOR.is_valid(tree) == (not kind_errors(tree)), edits


def test_infinities_are_no_json() -> None:
    for value in (math.nan, math.inf):
        assert kind_errors(edited(street(), {"network.nodes.0.memory": value}))
