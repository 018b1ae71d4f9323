"""A broken rule is always named, and nothing is ever found in a plan that holds."""

from __future__ import annotations

import functools
import json
import os
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest
from corruptions import CORRUPTIONS, Corruption
from drawing import draw_plan, draw_problem
from harmless_edits import HARMLESS, Edit
from plan_documents import Case

from offload.checker import RULES, check
from offload.features import FEATURES
from offload.plan import Plan, Violation
from offload.plan_files import load_plan

# Corruptions, and as many harmless edits, in all; half on plans in memory, half through files.
CASES = int(os.environ.get("OFFLOAD_CORRUPTIONS", "2000"))
POOL = 160
FOCUS = (
    tuple(FEATURES), tuple(FEATURES), ("routes", "require", "reads", "channels"),
    ("splitting", "modes", "slots"), ("reads", "copies", "routes", "require"),
    ("channels", "items", "slots", "memory", "codecs"), ("together", "apart", "allow", "slots"),
    ("memory", "resident", "splitting"), ("release", "deadline", "moves", "codecs"),
)  # fmt: skip


class Drawn(NamedTuple):
    """A plan that holds, and its file."""

    plan: Plan
    path: Path


@functools.cache
def drawn_plan(number: int) -> Plan:
    """One of the plans to break, of instances with all features or with a few that meet often."""
    seeds = count(number * 1000)
    while True:
        seed = next(seeds)
        plan = draw_plan(draw_problem(seed, FOCUS[number % len(FOCUS)]), seed + 1)
        if plan is not None:
            return plan


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plans")


def case_in_memory(number: int, seed: int) -> Case:
    return Case(drawn_plan(number), seed)


def case_from_file(number: int, seed: int, folder: Path) -> Case:
    path = folder / f"{number}.json"
    if not path.exists():
        drawn_plan(number).save(path)
    return Case(drawn_plan(number), seed, json.loads(path.read_text(encoding="utf-8")))


def violations_of(case: Case, through: Path | None) -> list[Violation]:
    """What the checker finds, in memory or after the edited document went through a file."""
    if through is None:
        return check(case.problem, case.plan())
    document = case.document | {"digest": case.problem.digest}
    through.write_text(json.dumps(document), encoding="utf-8")
    return check(case.problem, load_plan(through, case.problem))


def shares(total: int, kinds: int) -> list[int]:
    """A total dealt out evenly."""
    return [total // kinds + (n < total % kinds) for n in range(kinds)]


@pytest.mark.parametrize(
    ("corruption", "quota"),
    list(zip(CORRUPTIONS, shares(CASES, len(CORRUPTIONS)), strict=True)),
    ids=lambda value: value.name if isinstance(value, Corruption) else "",
)
def test_the_broken_rule_is_named(corruption: Corruption, quota: int, folder: Path) -> None:
    done = 0
    for attempt in range(POOL * 20):
        if done == quota:
            break
        number, through = attempt % POOL, folder / "broken.json" if done % 2 else None
        in_file = through is not None
        case = (
            case_from_file(number, attempt, folder) if in_file else case_in_memory(number, attempt)
        )
        if not corruption.edit(case):
            continue
        found = violations_of(case, through)
        rules = {violation.rule for violation in found}
        text = f"plan {number}, attempt {attempt}: " + "; ".join(map(str, found))
        assert corruption.rule in rules, text
        if "*" not in corruption.besides:
            assert rules <= {corruption.rule} | corruption.besides, text
        done += 1
    assert done == quota, "too few plans to break in this way"


@pytest.mark.parametrize(
    ("edit", "quota"),
    list(zip(HARMLESS, shares(CASES, len(HARMLESS)), strict=True)),
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_nothing_is_found_after_a_harmless_edit(edit: Edit, quota: int, folder: Path) -> None:
    done = 0
    for attempt in range(POOL * 20):
        if done == quota:
            break
        number, through = attempt % POOL, folder / "edited.json" if done % 2 else None
        in_file = through is not None
        case = (
            case_from_file(number, attempt, folder) if in_file else case_in_memory(number, attempt)
        )
        if edit(case):
            found = violations_of(case, through)
            assert not found, f"plan {number}, attempt {attempt}: " + "; ".join(map(str, found))
            done += 1
    assert done == quota, "too few plans to edit in this way"


def test_every_rule_is_broken_by_some_corruption() -> None:
    # The bytes of a transfer stand in no file: test_checker.py has that rule.
    assert {corruption.rule for corruption in CORRUPTIONS} == set(RULES) - {"size"}
