"""`best-of` and `auto`: all heuristics in turn, in the time there is, and the best plan of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from drawing import draw_problem

import offload
from offload import Plan, Problem, portfolio, registry
from offload.features import FEATURES, goal_of
from offload.heuristics.best_of import best_of, constructive, run_all
from offload.registry import Answer, Entry, Request

ALL = [name for name in FEATURES if name != "splitting"]


def request(problem: Problem, **arguments: object) -> Request:
    return Request(problem, goal_of(problem), **arguments)  # type: ignore[arg-type]


@pytest.fixture
def entries() -> Iterator[dict[str, Entry]]:
    """The table of methods, which a test may change."""
    table = registry.entries()
    before = dict(table)
    yield table
    table.clear()
    table.update(before)


def best_is_best(seeds: range) -> None:
    """No heuristic alone gives a better plan than the best of all."""
    compared = 0
    for seed in seeds:
        problem = draw_problem(seed, ALL, tasks=(3, 9), nodes=(2, 4), minimize=["energy"])
        best = offload.solve(problem, "best-of")
        for entry in constructive(request(problem)):
            plan = entry.load()(request(problem)).plan
            if plan is not None:
                assert best.objective is not None
                assert best.objective <= plan.objective() * (1 + 1e-12), entry.name
                compared += 1
        if best.plan is not None:
            assert offload.check(problem, best.plan) == []
    assert compared > 10 * len(seeds)


def test_no_heuristic_is_better_than_the_best_of_all() -> None:
    best_is_best(range(2))


@pytest.mark.slow
def test_no_heuristic_is_better_than_the_best_of_all_on_many() -> None:
    best_is_best(range(2, 10))


def test_only_what_honours_the_instance_takes_part(paper: Problem) -> None:
    names = [entry.name for entry in constructive(request(paper))]
    assert {"heft", "mct", "greedy", "round-robin"} <= set(names)
    assert "duplex" not in names  # min-min and max-min are
    assert {"cpsat", "milp", "best-of"}.isdisjoint(names)
    for seed in range(20):
        problem = draw_problem(seed, ALL, tasks=(3, 9), nodes=(2, 4))
        used = set(offload.features.features_used(problem))
        for entry in constructive(request(problem)):
            assert used <= entry.honours


def test_each_better_plan_is_reported_and_its_method_logged(
    hard: Problem, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[float | None] = []
    with caplog.at_level(logging.INFO, logger="offload"):
        result = offload.solve(hard, "best-of", on_progress=lambda p: told.append(p.objective))
    values = [value for value in told if value is not None]
    assert values == sorted(values, reverse=True)
    assert values[-1] == result.objective
    lines = [r.getMessage() for r in caplog.records if "gave a plan" in r.getMessage()]
    assert lines
    assert lines[-1].split()[0] in registry.entries()


def test_a_start_is_kept_where_nothing_is_better(paper: Problem) -> None:
    start = offload.solve(paper, "cpsat").plan
    result = offload.solve(paper, "best-of", start=start)
    assert result.plan is start


def test_a_plan_that_meets_the_bound_ends_the_round(paper: Problem) -> None:
    asked: list[str] = []

    def watched(name: str) -> Entry:
        class Watched(Entry):
            def load(self) -> registry.Method:
                asked.append(name)
                return registry.find(name).load()

        entry = registry.find(name)
        return Watched(entry.name, entry.where, entry.kind, entry.honours, "", "")

    methods = [watched(name) for name in ("heft", "mct", "met")]
    run_all(request(paper, bound=80.0), methods)
    assert asked == ["heft"]
    asked.clear()
    run_all(request(paper, bound=54.0), methods)
    assert asked == ["heft", "mct", "met"]


def test_what_would_not_end_in_time_is_left_out(hard: Problem) -> None:
    asked = request(hard, deadline=time.monotonic() - 1)
    assert run_all(asked, constructive(asked)) == Answer(stopped="time")
    cancel = threading.Event()
    cancel.set()
    assert best_of(request(hard, cancel=cancel)).stopped == "cancelled"


def test_the_first_reason_is_given_where_none_finds_a_plan(chain: Problem) -> None:
    result = offload.solve(chain, "best-of", limits={"energy": 0.5}, minimize="latency")
    assert result.plan is None
    if result.status == "unknown":
        assert result.reason is not None
        assert "the limit of energy" in result.reason


def test_auto_hands_the_best_plan_to_local_search(
    entries: dict[str, Entry], hard: Problem, instances: Path
) -> None:
    """Where it is there: for a share of the time before an exact method, else to the end."""
    seen: list[Request] = []

    def search(asked: Request) -> Answer:
        seen.append(asked)
        return Answer(asked.start, stopped="work")

    class Local(Entry):
        def load(self) -> registry.Method:
            return search

    entries["anneal"] = Local("anneal", "", "search", frozenset(ALL), "", "")
    for name in ("cpsat", "milp", "exact"):
        entries.pop(name, None)
    features = offload.load(instances / "crossing-40.json")
    began = time.monotonic()
    answer = portfolio.auto(request(features, deadline=began + 30))
    assert answer.plan is not None
    assert seen[-1].start is answer.plan
    assert seen[-1].deadline == began + 30
    assert answer.stopped == "work"
    portfolio._searched(request(hard, deadline=time.monotonic() + 100), Answer(), 0.25)
    assert seen[-1].deadline < time.monotonic() + 26
    portfolio._searched(request(hard, deadline=time.monotonic() + 100, threads=1), Answer(), 0.25)
    assert seen[-1].work_limit is not None  # no clock may change what one thread finds


def test_auto_is_no_worse_than_list_schedulers_where_no_exact_method_helps(
    instances: Path, entries: dict[str, Entry]
) -> None:
    for name in ("anneal", "cpsat", "milp", "exact"):
        entries.pop(name, None)  # what comes before them has to be as good
    problem = offload.load(instances / "crossing-40.json")
    found = offload.solve(problem, "auto", limits={}, time_limit=None)
    assert found.objective is not None
    for name in ("heft", "mct", "min-min"):
        other = offload.solve(problem, name, limits={})
        assert other.objective is None or found.objective <= other.objective


def test_two_plans_are_mended_after_all_were_tried_as_they_are(
    hard: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float | None] = []

    class Watched(Entry):
        def load(self) -> registry.Method:
            def method(asked: Request) -> Answer:
                limits.append(asked.work_limit)
                return Answer(reason="nothing")

            return method

    table = {n: Watched(n, "", e.kind, e.honours, "", "") for n, e in registry.entries().items()}
    monkeypatch.setattr(registry, "entries", lambda: table)
    plan: Plan | None = portfolio.quick(replace(request(hard), work_limit=None))
    assert plan is None
    assert limits == [*[0.0] * (len(limits) - 2), None, None]
    assert len(limits) == 10
