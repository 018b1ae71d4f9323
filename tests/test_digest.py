"""The canonical form and its digest against a plain reading of SPEC section 5."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pytest
from drawing import draw_problem
from instance_documents import DROP, FIELDS, REQUIRED, Field, edited, place, street

import offload
from offload.files import canonical, dumps

INSTANCES = sorted(Path(__file__).parent.parent.glob("instances/*.json"))

LISTS = {
    "network": {"nodes": "node", "links": "link"},
    "node": {"modes": "mode"},
    "graph": {"tasks": "task", "edges": "edge", "groups": "group"},
}


def number(value: float, field: Field) -> str:
    if field.integer:
        return str(int(value))
    value = float(value)
    return repr(0.0 if value == 0 else value)


def write(value: Any, field: Field) -> str:
    """A field's value in canonical form."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number(value, field)
    if isinstance(value, dict):
        return members({key: write(item, field) for key, item in value.items()})
    if isinstance(value, list):
        return "[" + ",".join(write(item, field) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def members(written: dict[str, str]) -> str:
    pairs = (f"{json.dumps(key, ensure_ascii=False)}:{written[key]}" for key in sorted(written))
    return "{" + ",".join(pairs) + "}"


def record(kind: str, raw: dict[str, Any]) -> str:
    """A record in canonical form, its defaults filled in."""
    written = {
        field.key: write(raw.get(field.key, field.default), field)
        for field in FIELDS
        if field.record == kind
    }
    for key, inner in LISTS.get(kind, {}).items():
        written[key] = "[" + ",".join(record(inner, item) for item in raw.get(key, [])) + "]"
    return members(written)


def reference(text: str) -> str:
    raw = json.loads(text)
    written = {kind: record(kind, raw.get(kind, {})) for kind in ("network", "graph")}
    for key, kind in (("data", "data"), ("codecs", "codec")):
        written[key] = "[" + ",".join(record(kind, item) for item in raw.get(key, [])) + "]"
    return members(written)


def agrees(text: str) -> None:
    problem = offload.loads(text)
    assert canonical(problem) == reference(text)
    assert problem.digest == "sha256:" + hashlib.sha256(reference(text).encode()).hexdigest()


def test_the_digest_of_nothing() -> None:
    text = (
        '{"codecs":[],"data":[],"graph":{"edges":[],"groups":[],"tasks":[]},'
        '"network":{"links":[],"nodes":[],"reference_bytes":1000000.0}}'
    )
    assert canonical(offload.Problem()) == text
    assert offload.Problem().digest == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_the_canonical_form_of_a_node() -> None:
    node = offload.Node("\u5317", speed=5_000_000_000, memory=-0.0, tags=["b", "a"])
    assert (
        '{"busy_power":0.0,"failure_rate":0.0,"id":"\u5317","idle_power":0.0,"io":"overlapped",'
        '"kind":"","memory":0.0,"modes":[],"price":0.0,"slots":1,"speed":5000000000.0,'
        '"storage":null,"tags":["b","a"],"tier":"edge"}'
    ) in canonical(offload.Problem(network=offload.Network([node])))


@pytest.mark.parametrize("path", INSTANCES, ids=lambda path: path.stem)
def test_shipped_instances(path: Path) -> None:
    agrees(path.read_text(encoding="utf-8"))


def test_drawn_instances() -> None:
    for seed in range(50):
        agrees(dumps(draw_problem(seed)))
    agrees(json.dumps(street()))


NUMBERS = (
    "0", "-0.0", "-0", "0e5", "1", "1.0", "1e0", "100e-2", "1e15", "1e16", "9999999999999998",
    "10000000000000000", "1e22", "1e23", "1E+23", "1e-4", "1e-5", "0.00001", "1e-7", "1.5e-7",
    "0.1", "0.30000000000000004", "1e300", "5e-324", "2.2250738585072011e-308", "1e-400",
    "1.7976931348623157e308", "9007199254740993", "18446744073709551616", "18446744073709551615",
    "9223372036854775808", "9223372036854775807", "123456789012345678901234567890",
    "0.1000000000000000055511151231257827021181583404541015625", "8.41", "2.5e-1",
    "179769313486231570" + "0" * 291, "1" * 300, "0." + "0" * 300 + "1", "0." + "3" * 400,
    "9007199254740992.5", "4503599627370496.5", "7205759403792793199999e-5",
)  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS, ids=lambda text: text[:24])
def test_numbers_are_those_of_python(text: str) -> None:
    edits = {
        "graph.tasks.2.release": "mark", "graph.tasks.4.memory": "mark",
        "graph.tasks.2.resident": {"*": "mark"}, "graph.tasks.2.time": {"*": "mark"},
        "graph.tasks.2.due": "mark", "network.reference_bytes": "mark",
    }  # fmt: skip
    agrees(json.dumps(edited(street(), edits)).replace('"mark"', text))


def test_texts_of_every_kind() -> None:
    names = [
        "caf\u00e9", "\u5317\u4eac", "\U0001f600", "\uffff", "a\tb", "\x01", "\x7f", "\u2028", '"',
        "\\", "a/b", "\0", "a:b", "{", " ",
    ]  # fmt: skip
    tree = street()
    tree["network"]["nodes"] += [{"id": name, "tier": name, "tags": [name]} for name in names]
    random.Random(0).shuffle(names)
    tree["graph"]["tasks"].append({"id": '"\n\\', "time": dict.fromkeys(names, 1)})
    for ascii_only in (True, False):
        agrees(json.dumps(tree, ensure_ascii=ascii_only))
    assert '"\uffff":1.0,"\U0001f600":1.0' in canonical(offload.loads(json.dumps(tree)))


def shuffled(value: Any, rng: random.Random) -> Any:
    """The same tree with every object's keys in another order."""
    if isinstance(value, dict):
        keys = rng.sample(list(value), len(value))
        return {key: shuffled(value[key], rng) for key in keys}
    return [shuffled(item, rng) for item in value] if isinstance(value, list) else value


def test_what_does_not_matter(tmp_path: Path) -> None:
    digest = offload.loads(json.dumps(street())).digest
    rng = random.Random(1)
    renamed = {
        "name": "x", "description": DROP, "source": "y", "minimize": {"cost": 1}, "limits": DROP,
    }  # fmt: skip
    for tree in (shuffled(street(), rng), edited(street(), renamed)):
        for indent in (None, 3):
            assert offload.loads(json.dumps(tree, indent=indent)).digest == digest
    file = tmp_path / "street"
    file.write_bytes(gzip.compress(b"\n \t" + json.dumps(street()).encode()))
    assert offload.load(file).digest == digest


@pytest.mark.parametrize(
    "field",
    [f for f in FIELDS if f.default is not REQUIRED and f.record not in {"problem"}],
    ids=lambda field: f"{field.record}.{field.key}",
)
def test_defaults_may_be_written_out(field: Field) -> None:
    without = edited(street(), {place(field): field.default, **SOUND.get(place(field), {})})
    dropped = edited(without, {place(field): DROP})
    assert offload.loads(json.dumps(without)).digest == offload.loads(json.dumps(dropped)).digest


# What has to change as well for the instance to stay valid.
SOUND: dict[str, dict[str, Any]] = {
    "network.nodes.0.tier": {"graph.tasks.0.allow": ["*"]},
    "graph.tasks.0.work": {"graph.tasks.0.time": {"*": 1}},
    "graph.edges.0.bytes": {"graph.edges.1.bytes": 0},
    "graph.edges.0.codecs": {"graph.edges.1.codecs": []},
}

OTHER = {
    "id": "other", "text": "other", "amount": 0.125, "amount?": 0.125, "positive": 0.125,
    "positive?": 0.125, "ratio": 8, "count": 9, "slots": 2, "channels": 9, "copies": 9,
    "size": 0.125, "flag": True, "amounts": {"*": 0.125},
}  # fmt: skip
IDS = {
    "network.nodes.0.id": "cam", "graph.tasks.0.id": "grab", "data.0.id": "map",
    "codecs.0.id": "zip",
}  # fmt: skip
CHANGES: dict[str, dict[str, Any]] = {
    "network.nodes.0.io": {"network.nodes.0.io": "serial"},
    "network.nodes.0.tier": {"network.nodes.0.tier": "x", "graph.tasks.0.allow": ["cam"]},
    "network.nodes.0.tags": {"network.nodes.0.tags": ["near", "trusted"]},
    "network.links.0.src": {"network.links.0.src": "cloud"},
    "network.links.0.dst": {"network.links.0.dst": "cloud"},
    "network.links.0.duplex": {"network.links.0.duplex": "half"},
    "network.links.0.tags": {"network.links.0.tags": ["x"]},
    "graph.tasks.0.allow": {"graph.tasks.0.allow": ["cam"]},
    "graph.tasks.0.reads": {"graph.tasks.0.reads": ["list"]},
    "graph.tasks.0.at": {"graph.tasks.0.at": "hub"},
    "graph.tasks.0.divisible": {"graph.groups": [], "graph.tasks.4.divisible": True,
                                "graph.edges.4": DROP},
    "graph.edges.0.src": {"graph.edges.0": DROP},
    "graph.edges.0.dst": {"graph.edges.0.dst": "show"},
    "graph.edges.0.bytes": {"graph.edges.0.bytes": 1, "graph.edges.1.bytes": 1},
    "graph.edges.0.item": {"graph.edges.0.item": None},
    "graph.edges.0.codecs": {"graph.edges.0.codecs": [], "graph.edges.1.codecs": []},
    "graph.edges.0.require": {"graph.edges.0.require": ["x"], "graph.edges.1.require": ["x"]},
    "graph.groups.0.rule": {"graph.groups.0.rule": "apart"},
    "graph.groups.0.tasks": {"graph.groups.0.tasks": ["grab"]},
    "data.0.home": {"data.0.home": ["hub"]},
    "data.0.allow": {"data.0.allow": ["*"]},
    "data.0.require": {"data.0.require": ["x"]},
}  # fmt: skip


@pytest.mark.parametrize(
    "field",
    [f for f in FIELDS if f.record != "problem"],
    ids=lambda field: f"{field.record}.{field.key}",
)
def test_every_field_matters(field: Field) -> None:
    where = place(field)
    if where in IDS:
        text = json.dumps(street()).replace(f'"{IDS[where]}"', '"other"')
    else:
        text = json.dumps(edited(street(), CHANGES.get(where, {where: OTHER.get(field.kind)})))
    assert offload.loads(text).digest != offload.loads(json.dumps(street())).digest
    agrees(text)
