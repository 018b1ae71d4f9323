"""Files changed at random either load and work, or are refused with a place and one line each."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from drawing import draw_plan, draw_problem
from instance_documents import edited, parts_of, street

import offload
from offload import InstanceError, OffloadError, Plan, PlanError, Problem
from offload.files import dumps
from offload.plan_files import loads_plan
from offload.plan_writing import plan_text

MUTANTS = 40  # of each instance and batch

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -0.0, 1, -1, 2, 0.5, 1e-300, 1e300, 1e308, -1e308, 5e-324, 2**53,
    2**53 + 1, 2**63, 2**64, 10**30, 10**400, math.nan, math.inf, -math.inf, "", "*", "cam", "x",
    "tier:", "tier:edge", "kind:", "tag:trusted", "default", "1", "\n", "\0", "\ud800", "\u2028",
    "latency", "n0", "t0", "t1", "c0", "d0", [], {}, [[]], [None], ["*"], ["n0", "n0"],
    ["t0", "t1"], {"*": 1}, {"n0": 0, "*": 2}, {"latency": 0}, {"id": "x"}, {"": 0},
    "full", "half", "simplex", "serial", "offload-instance/1", "offload-plan/1", "edge", "read",
    "move",
)  # fmt: skip


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a tree."""
    if at:
        yield at
    if isinstance(value, dict | list):
        keys = value if isinstance(value, dict) else range(len(value))
        for key in keys:
            yield from places(value[key], (*at, key))


def changed_tree(tree: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """A copy with one change: a value replaced, a key renamed, a record repeated or taken away."""
    tree = edited(tree, {})
    spots = list(places(tree))
    *parents, last = rng.choice(spots)
    parent: Any = tree
    for key in parents:
        parent = parent[key]
    kind = rng.randrange(6)
    if kind == 0:
        del parent[last]
    elif kind == 1 and isinstance(parent, dict):
        *_, other = rng.choice(spots)
        parent[rng.choice([str(other), last + "s", last[:-1], "", "\n"])] = parent.pop(last)
    elif kind == 1:
        parent.insert(rng.randrange(len(parent) + 1), parent[last])
    elif kind == 2:  # something from elsewhere
        value: Any = tree
        for key in rng.choice(spots):
            value = value[key]
        parent[last] = json.loads(json.dumps(value))
    elif kind == 3 and isinstance(parent, list):
        rng.shuffle(parent)
    elif kind == 3:
        parent[rng.choice(["extra", "id", "src", "time", "memory", "allow", "at"])] = parent[last]
    else:
        parent[last] = rng.choice(VALUES)
    return tree


def changed_text(text: str, rng: random.Random) -> bytes:
    """The text with one change that may break its syntax or its encoding."""
    raw = bytearray(text.encode())
    at = rng.randrange(len(raw))
    kind = rng.randrange(7)
    if kind == 0:
        del raw[at:]
    elif kind == 1:
        del raw[at : at + rng.randint(1, 20)]
    elif kind == 2:
        raw[at] ^= 1 << rng.randrange(8)
    elif kind == 3:
        swaps = {b"[": b"{", b"]": b"}", b"{": b"[", b"}": b"]", b",": b":", b'"': b"'", b":": b","}
        spots = [m.start() for m in re.finditer(rb'[\[\]{},":]', raw)]
        spot = rng.choice(spots)
        raw[spot : spot + 1] = swaps[bytes(raw[spot : spot + 1])]
    elif kind == 4:
        numbers = list(re.finditer(rb"\d+(\.\d+)?", raw))
        if numbers:
            spot_of = rng.choice(numbers)
            new = [b"NaN", b"-Infinity", b"1e999", b"-1", b"01", b"+1", b"1.", b"0x1", b"1" * 5000]
            raw[spot_of.start() : spot_of.end()] = rng.choice(new)
    elif kind == 5:
        raw[at:at] = rng.choice(
            [b"\\u003a", b"\xff", b"\0", b"\\ud800", b"//", b"\xef\xbb\xbf", b","]
        )
    else:  # a line given twice: often a key given twice
        lines = raw.split(b"\n")
        row = rng.randrange(len(lines))
        lines.insert(row, lines[row])
        raw = bytearray(b"\n".join(lines))
    return bytes(raw)


def works(problem: Problem) -> None:
    """What loads can be used and written again."""
    tables = problem.tables
    assert tables.allowed_table.shape == (len(problem.graph.tasks), len(problem.network.nodes))
    again = offload.loads(dumps(problem))
    assert again == problem
    assert again.digest == problem.digest


def is_clear(error: OffloadError) -> None:
    """Every line has a place, and is a single one."""
    assert isinstance(error, InstanceError | PlanError)
    assert error.issues
    for issue in error.issues:
        assert re.match(r"\$|line \d+ column \d+$", issue.path), issue
    assert all(line.isprintable() and len(line) < 1500 for line in error.lines(None))


def instances() -> list[str]:
    drawn = [draw_problem(seed) for seed in (8, 23, 41)]
    return [json.dumps(street(), indent=1), *(dumps(problem) for problem in drawn)]


INSTANCES = instances()


@pytest.mark.parametrize("batch", range(8))
@pytest.mark.parametrize("number", range(len(INSTANCES)))
def test_changed_instances(number: int, batch: int) -> None:
    rng = random.Random(100 * number + batch)
    tree = json.loads(INSTANCES[number])
    refused = 0
    for _ in range(MUTANTS):
        made = changed_tree(tree, rng)
        if rng.random() < 0.3:
            made = changed_tree(made, rng)
        try:
            works(offload.loads(json.dumps(made)))
        except OffloadError as error:
            is_clear(error)
            refused += 1
    assert refused > MUTANTS // 4


@pytest.mark.parametrize("number", range(len(INSTANCES)))
def test_changed_objects(number: int) -> None:
    rng = random.Random(number)
    tree = json.loads(INSTANCES[number])
    built = refused = 0
    for _ in range(3 * MUTANTS):
        try:
            parts = parts_of(changed_tree(tree, rng))
        except (TypeError, KeyError, AttributeError):
            continue  # no such objects: a key that is none of theirs, or a list of no records
        try:
            works(Problem(**parts))
            built += 1
        except OffloadError as error:
            is_clear(error)
            refused += 1
    assert built > 5
    assert refused > 5


@pytest.mark.parametrize("batch", range(8))
@pytest.mark.parametrize("number", range(len(INSTANCES)))
def test_broken_texts(number: int, batch: int) -> None:
    rng = random.Random(100 * number + batch)
    refused = 0
    for _ in range(MUTANTS):
        try:
            works(offload.loads(changed_text(INSTANCES[number], rng)))
        except OffloadError as error:
            is_clear(error)
            refused += 1
    assert refused > MUTANTS // 4


def plans() -> list[Plan]:
    found = (draw_plan(draw_problem(seed, nodes=(2, 4)), seed) for seed in range(40))
    rich = [plan for plan in found if plan is not None and len(plan.transfers.plan) > 3]
    return sorted(rich, key=lambda plan: len(plan.copies.data), reverse=True)[:4]


PLANS = plans()


@pytest.mark.parametrize("batch", range(4))
@pytest.mark.parametrize("number", range(4))
def test_changed_plans(number: int, batch: int) -> None:
    rng = random.Random(100 * number + batch)
    plan, text = PLANS[number], plan_text(PLANS[number])
    tree = json.loads(text)
    refused = 0
    for _ in range(MUTANTS):
        raw = json.dumps(changed_tree(tree, rng)).encode() if rng.random() < 0.6 else None
        try:
            made = loads_plan(changed_text(text, rng) if raw is None else raw, plan.problem)
            assert (made.parts.task < len(plan.problem.graph.tasks)).all()
            assert len(made.transfers.size) == len(made.waiting.lengths)
        except OffloadError as error:
            is_clear(error)
            refused += 1
    assert refused > MUTANTS // 4
