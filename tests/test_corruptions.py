"""A broken rule is always named, and nothing is ever found in a plan that holds."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from corrupting import Edit
from corruptions import CORRUPTIONS, Corruption
from drawing import draw_plan, draw_problem
from harmless_edits import HARMLESS
from plan_documents import Case

from offload.checker import RULES, check
from offload.features import FEATURES
from offload.plan import Plan, Violation
from offload.plan_files import load_plan

# Corruptions, and as many harmless edits, in all; half on plans in memory, half through files.
CASES = int(os.environ.get("OFFLOAD_CORRUPTIONS", "2000"))
POOL = max(120, CASES // 12)
FOCUS = (
    tuple(FEATURES), tuple(FEATURES), ("routes", "require", "reads", "channels"),
    ("splitting", "modes", "slots"), ("reads", "copies", "routes", "require"),
    ("channels", "items", "slots", "memory", "codecs"), ("together", "apart", "allow", "slots"),
    ("memory", "resident", "splitting"), ("release", "deadline", "moves", "codecs"),
)  # fmt: skip


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


def make_case(number: int, seed: int, folder: Path, *, in_file: bool) -> Case:
    """A plan to edit: as it is in memory, or as its file says."""
    if not in_file:
        return Case(drawn_plan(number), seed)
    path = folder / f"{number}.json"
    if not path.exists():
        drawn_plan(number).save(path)
    return Case(drawn_plan(number), seed, json.loads(path.read_text(encoding="utf-8")))


def violations_of(case: Case, through: Path | None) -> list[Violation]:
    """What the checker finds, in memory or after the edited document went through a file."""
    if through is None:
        return check(case.problem, case.plan())
    document = case.rows | {"digest": case.problem.digest}
    through.write_text(json.dumps(document), encoding="utf-8")
    return check(case.problem, load_plan(through, case.problem))


def shares(total: int, kinds: int) -> list[int]:
    """A total dealt out evenly."""
    return [total // kinds + (n < total % kinds) for n in range(kinds)]


def edited(edit: Edit, quota: int, folder: Path) -> Iterator[tuple[str, list[Violation]]]:
    """As many cases as asked for, every other one through a file: its name and what is found."""
    done, unsuited = 0, set[int]()
    for attempt in range(POOL * quota):
        if done == quota or len(unsuited) == POOL:
            break
        number = attempt % POOL
        if number in unsuited:
            continue
        case = make_case(number, attempt, folder, in_file=bool(done % 2))
        if not edit(case):
            unsuited.add(number)
        else:
            found = violations_of(case, folder / "edited.json" if done % 2 else None)
            done += 1
            yield f"plan {number}, attempt {attempt}: " + "; ".join(map(str, found)), found
    assert done == quota, f"only {done} of {quota} plans could be edited in this way"


@pytest.mark.parametrize(
    ("corruption", "quota"),
    [
        pytest.param(corruption, quota, id=f"{corruption.rule}-{corruption.name}")
        for corruption, quota in zip(CORRUPTIONS, shares(CASES, len(CORRUPTIONS)), strict=True)
    ],
)
def test_the_broken_rule_is_named(corruption: Corruption, quota: int, folder: Path) -> None:
    for text, found in edited(corruption.edit, quota, folder):
        rules = {violation.rule for violation in found}
        assert corruption.rule in rules, text
        assert "*" in corruption.besides or rules <= {corruption.rule} | corruption.besides, text


@pytest.mark.parametrize(
    ("edit", "quota"),
    [
        pytest.param(edit, quota, id=edit.__name__)
        for edit, quota in zip(HARMLESS, shares(CASES, len(HARMLESS)), strict=True)
    ],
)
def test_nothing_is_found_after_a_harmless_edit(edit: Edit, quota: int, folder: Path) -> None:
    for text, found in edited(edit, quota, folder):
        assert not found, text


def test_every_rule_is_broken_by_some_corruption() -> None:
    # The bytes of a transfer stand in no file: test_checker.py has that rule.
    assert {corruption.rule for corruption in CORRUPTIONS} == set(RULES) - {"size"}
