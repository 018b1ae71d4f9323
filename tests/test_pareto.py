"""Fronts: against brute force; what plans and proofs promise; files, restarts, limits, errors."""

from __future__ import annotations

import json
import random
import threading
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from brute_force import Everything, TooMany, everything
from drawing import draw_problem

import offload
from offload.features import FEATURES
from offload.fronts.dominance import efficient
from offload.problem import METRICS

INSTANCES = Path(__file__).resolve().parent.parent / "instances"
DRAWN = sorted(set(FEATURES) - {"splitting", "limits"})
GAP = 1e-4


@cache
def crossing() -> offload.Problem:
    return offload.load(INSTANCES / "crossing-12.json")


@cache
def quick() -> offload.Front:
    """A front of an instance that is proved in a moment."""
    return offload.pareto(small(), points=None, method="exact", time_limit=60)


@cache
def small() -> offload.Problem:
    """Three tasks on a slow frugal device, a fast hungry edge and a cheap cloud far away."""
    nodes = [
        offload.Node("dev", tier="device", speed=1e9, busy_power=1, price=0),
        offload.Node("edge", speed=4e9, busy_power=20, price=2e-3),
        offload.Node("cloud", tier="cloud", speed=8e9, busy_power=60, price=1e-3),
    ]
    links = [
        offload.Link("dev", "edge", bandwidth=1e7, latency=0.002, energy=1e-7),
        offload.Link("edge", "cloud", bandwidth=2e7, latency=0.03, energy=2e-7),
    ]
    tasks = [
        offload.Task("grab", work=1e8, allow=["dev"]),
        offload.Task("find", work=3e9),
        offload.Task("name", work=2e9),
    ]
    edges = [offload.Edge("grab", "find", bytes=2e6), offload.Edge("find", "name", bytes=1e5)]
    network, graph = offload.Network(nodes, links), offload.Graph(tasks, edges)
    return offload.Problem(network=network, graph=graph, name="small")


# -- brute force -----------------------------------------------------------------------------------


def drawn(seed: int) -> Everything:
    """All plans of an instance of up to 6 tasks on 3 nodes, with few or all features."""
    dice = random.Random(f"front {seed}")
    features = DRAWN if seed % 4 == 1 else dice.sample(DRAWN, len(DRAWN) // 3)
    for most in (6, 5, 4, 3):
        problem = draw_problem(seed, features, tasks=(max(2, most - 1), most), nodes=(2, 3))
        try:
            return everything(problem)
        except TooMany:
            continue
    return everything(draw_problem(seed, features, tasks=(2, 2), nodes=(2, 3)))


def brute_front(plans: Everything, metrics: tuple[str, ...]) -> np.ndarray:
    """Metrics of the efficient plans; what another one beats up to the gap is the same point."""
    values = np.stack([plans.metrics[metric] for metric in metrics], axis=1)[plans.holds]
    values = values[efficient(values)]
    kept: list[np.ndarray] = []
    for row in values[np.lexsort(values.T[::-1])]:
        if not any((known <= row * (1 + GAP)).all() for known in kept):
            kept.append(row)
    return np.array(kept).reshape(-1, len(metrics))


def richest(plans: Everything, seed: int) -> tuple[str, ...]:
    """Latency and energy for every third instance, else the metrics with the longest front."""
    if seed % 3 == 0:
        return "latency", "energy"
    choices = list(combinations(METRICS, 2 if seed % 3 == 1 else 3))
    random.Random(f"metrics {seed}").shuffle(choices)
    sizes = [(min(len(brute_front(plans, names)), 9), names) for names in choices[:12]]
    return max(sizes, key=lambda pair: pair[0])[1]


def agrees(seed: int) -> int:
    """The number of points of a front, which has to be that of brute force."""
    plans = drawn(seed)
    metrics = richest(plans, seed)
    wanted = brute_front(plans, metrics)
    front = offload.pareto(
        plans.problem, metrics, points=None, method="exact", limits={}, time_limit=120
    )
    assert front.values.shape == wanted.shape, (seed, metrics, front.values, wanted)
    np.testing.assert_allclose(front.values, wanted, rtol=1e-9, atol=1e-12)
    for plan in front.plans:
        assert offload.check(plans.problem, plan, limits={}) == []
    assert len(wanted) == 0 or front.facts["status"] == "feasible"
    return len(wanted)


@pytest.mark.parametrize("seed", range(10))
def test_the_exact_front_is_that_of_brute_force(seed):
    agrees(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 50))
def test_the_exact_front_is_that_of_brute_force_on_many(seed):
    agrees(seed)


def test_many_of_the_instances_have_more_than_two_efficient_plans():
    sizes = [
        len(brute_front(plans, richest(plans, s))) for s, plans in enumerate(map(drawn, range(10)))
    ]
    assert sum(size > 2 for size in sizes) >= 4


# -- what a front promises -------------------------------------------------------------------------


def test_the_front_of_the_crossing_has_ten_points_that_are_proved_and_hold():
    front = offload.pareto(crossing(), ("latency", "energy"), points=10, time_limit=60)
    assert len(front) >= 10
    assert front.proved.all()
    for plan in front.plans:
        assert offload.check(crossing(), plan) == []
    assert efficient(front.values).all()


def test_a_front_by_hand():
    front = quick()
    assert front.complete
    assert front.proved.all()
    placed = {tuple(plan.nodes.tolist()) for plan in front.plans}
    # The least energy leaves all on the device (5.1 J); the edge alone is fastest (1.6 s).
    assert (0, 0, 0) in placed
    assert front.best("latency") is front.plans[0]
    assert front.best("energy").metrics["energy"] == pytest.approx(5.1)
    assert front.best("energy", latency=0.01) is None
    least = front.best("energy", latency=3.0)
    assert least.metrics["latency"] <= 3.0


def test_lower_bounds_are_below_every_plan_and_the_volume_depends_on_the_reference():
    front = quick()
    assert all((front.lower_bounds <= row * (1 + 1e-9)).all(axis=1).any() for row in front.values)
    end = front.values.max(axis=0) + 1
    volume = front.hypervolume(dict(zip(front.metrics, end, strict=True)))
    assert volume == pytest.approx(front.hypervolume(end.tolist()))
    assert volume > front.hypervolume(end - 0.5)
    assert 0 < front.hypervolume() <= 1.1**2


def test_a_front_as_a_table_and_as_html_tells_metrics_proofs_and_the_knee():
    front = quick()
    table = front.to_frame()
    assert list(table.columns[:2]) == ["latency", "energy"]
    assert set(METRICS) <= set(table.columns)
    assert table["proved"].all()
    assert int(table["knee"].sum()) == (front.knee is not None)
    assert "proved efficient" in front._repr_html_()


def test_limits_hold_for_all_plans_and_may_leave_none():
    front = offload.pareto(small(), limits={"energy": 60.0}, method="exact", time_limit=30)
    assert len(front) > 0
    assert (front.values[:, 1] <= 60.0).all()
    none = offload.pareto(small(), limits={"latency": 1e-3}, time_limit=30)
    assert len(none) == 0
    assert none.facts["status"] == "infeasible"
    assert none.hypervolume() == 0.0
    assert none.knee is None
    assert len(none.to_frame()) == 0


def test_points_thin_the_front_and_keep_its_ends():
    whole = quick()
    few = offload.pareto(small(), points=2, method="exact", time_limit=30)
    assert len(few) == 2
    assert few.values[0] == pytest.approx(whole.values[0])
    assert few.values[-1] == pytest.approx(whole.values[-1])


def test_divisible_tasks_are_left_to_exact_methods():
    tasks = [offload.Task("sort", work=8e9, divisible=True), offload.Task("merge", work=1e8)]
    graph = offload.Graph(tasks, [offload.Edge("sort", "merge", bytes=1e6)])
    problem = offload.Problem(network=small().network, graph=graph, name="split")
    front = offload.pareto(problem, ("latency", "cost"), points=4, time_limit=20)
    assert len(front) >= 2
    with pytest.raises(offload.Unsupported, match=r"nsga2.*splitting"):
        offload.pareto(problem, ("latency", "cost"), method="nsga2")


# -- search ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_plans_of_the_search_hold_whatever_the_features(seed):
    problem = draw_problem(seed + 300, DRAWN, tasks=(4, 9), nodes=(2, 4))
    front = offload.pareto(
        problem, ("latency", "energy", "cost"), points=None, method="nsga2", time_limit=None,
        work_limit=3_000, seed=seed,
    )  # fmt: skip
    assert efficient(front.values).all()
    for plan in front.plans:
        assert offload.check(problem, plan) == []


def test_the_search_finds_nearly_all_of_the_front_of_the_crossing():
    known = offload.pareto(
        crossing(), points=None, method="nsga2", time_limit=None, work_limit=60_000
    )
    front = offload.pareto(crossing(), points=10, method="exact", time_limit=60, start=known.plans)
    union = np.concatenate([known.values, front.values])
    low, width = union.min(axis=0), np.ptp(union, axis=0)
    volume = [
        offload.fronts.dominance.hypervolume((values - low) / width, np.full(2, 1.1))
        for values in (known.values, union)
    ]
    assert volume[0] >= 0.97 * volume[1]


def test_the_same_seed_and_work_give_the_same_front():
    fronts = [
        offload.pareto(
            crossing(), points=None, method="nsga2", time_limit=None, work_limit=4_000, seed=5,
            threads=1,
        )
        for _ in range(2)
    ]  # fmt: skip
    assert (fronts[0].values == fronts[1].values).all()
    assert all(
        (a.nodes == b.nodes).all() for a, b in zip(fronts[0].plans, fronts[1].plans, strict=True)
    )


# -- going on, stopping ----------------------------------------------------------------------------


def test_a_front_goes_on_from_one_before_with_what_was_proved():
    again = offload.pareto(small(), points=None, start=quick(), time_limit=0)
    assert (again.values == quick().values).all()
    assert again.complete
    other = offload.pareto(small(), ("latency", "cost"), start=quick(), time_limit=0)
    assert len(other) > 0
    assert not other.complete


def test_a_cancel_and_no_time_leave_what_there_is():
    cancel = threading.Event()
    cancel.set()
    assert offload.pareto(crossing(), cancel=cancel).facts["stopped"] == "cancelled"
    assert offload.pareto(crossing(), time_limit=0).facts["stopped"] == "time"


def test_progress_tells_plans_and_what_is_being_done():
    told: list[offload.FrontProgress] = []
    offload.pareto(small(), method="exact", time_limit=30, on_progress=told.append)
    assert told[-1].doing == "done"
    assert told[-1].points == told[-1].proved > 0
    assert any("the least latency with energy <=" in report.doing for report in told)


# -- files -----------------------------------------------------------------------------------------


def test_a_front_survives_its_file(tmp_path):
    path = tmp_path / "small.front.json"
    quick().save(path)
    back = offload.load_front(path, small())
    assert (back.values == quick().values).all()
    assert (back.gaps == quick().gaps).all()
    assert back.complete
    assert back.facts == json.loads(json.dumps(quick().facts))
    again = tmp_path / "again.json.gz"
    back.save(again)
    assert (offload.load_front(again, small()).values == back.values).all()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda tree: tree.update(digest="sha256:0"), r"\$\.digest: the front is of another"),
        (lambda tree: tree.update(metrics=["latency", "speed"]), r"\$\.metrics: names no metric"),
        (lambda tree: tree.update(color=1), r"\$\.color"),
        (
            lambda tree: tree["plans"][0]["tasks"][0].update(node="moon"),
            r"\$\.plans\[0\]\.tasks\[0\]\.node",
        ),
        (lambda tree: tree["plans"][1]["tasks"][0].update(start=9.0), r"\$\.plans\[1\]"),
        (lambda tree: tree["records"][0].update(weights={"risk": 1.0}), r"\$\.records\[0\]"),
        (
            lambda tree: tree["records"].append({"weights": {"latency": 1.0}, "bound": 1e6}),
            r"\$\.records: says of some plan of the file that it cannot be, got 'plan 0'",
        ),
    ],
)  # fmt: skip
def test_a_front_file_that_is_wrong_is_refused_with_its_place(tmp_path, change, match):
    path = tmp_path / "small.front.json"
    quick().save(path)
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))
    with pytest.raises(offload.PlanError, match=match):
        offload.load_front(path, small())


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"metrics": ("latency", "speed")}, "metrics: must be of latency.*got 'speed'"),
        ({"metrics": ("latency",)}, "metrics: must be two or three different ones"),
        ({"metrics": ("latency", "latency")}, "metrics: must be two or three different ones"),
        ({"points": 0}, "points: must be >= 1, or None for all, got 0"),
        ({"time_limit": -1}, "time_limit: must be >= 0"),
        ({"method": "heftt"}, "method: unknown method, got 'heftt'"),
        ({"method": "stages"}, "does not honour: minimizing latency, minimizing energy"),
        ({"limits": {"speed": 1}}, "speed"),
    ],
)
def test_what_cannot_be_asked_is_told(options, match):
    with pytest.raises(offload.OffloadError, match=match):
        offload.pareto(small(), **options)


def test_plans_of_another_instance_are_no_start():
    with pytest.raises(offload.OffloadError, match="start: has a plan of another instance"):
        offload.pareto(crossing(), start=quick())


def test_a_reference_needs_a_value_for_each_metric():
    with pytest.raises(offload.OffloadError, match="reference: has no value for 'energy'"):
        quick().hypervolume({"latency": 1.0})
    with pytest.raises(offload.OffloadError, match="reference: must be a value for each"):
        quick().hypervolume([1.0])
