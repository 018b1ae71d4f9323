"""Decoding and its metrics against the oracle: random instances over every feature but splitting."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from drawing import draw_plan, draw_problem
from numpy.typing import NDArray
from oracle import Decoded, Oracle

import offload
from offload.features import FEATURES
from offload.problem import METRICS, Problem

INSTANCES = 240
BATCH = 5
DECODED = tuple(name for name in FEATURES if name != "splitting")
ROUNDING = 1e-9

IntArray = NDArray[np.integer]


class Decisions(NamedTuple):
    """A batch of places, orders, modes, codecs and copies."""

    nodes: IntArray
    order: IntArray
    modes: IntArray
    codecs: IntArray
    copies: NDArray[np.bool_]

    def of(self, b: int) -> Decisions:
        """One plan's, as a batch of one."""
        return Decisions(*(array[b : b + 1] for array in self))


def draw_decisions(problem: Problem, seed: int, batch: int = BATCH) -> Decisions:
    """Random decisions: some from plans that hold, most of the others where tasks may run."""
    dice = random.Random(f"decisions {seed}")
    drawn = [_decide(problem, dice, seed * batch + b) for b in range(batch)]
    tables = problem.tables
    shapes = (tables.tasks, tables.tasks, tables.tasks, tables.edges)
    arrays = [
        np.array([plan[n] for plan in drawn], np.int64).reshape(batch, width)
        for n, width in enumerate(shapes)
    ]
    return Decisions(*arrays, np.array([plan.copies for plan in drawn], bool))


def _decide(problem: Problem, dice: random.Random, seed: int) -> Decisions:
    tables = problem.tables
    held = draw_plan(problem, seed) if dice.random() < 0.5 else None
    copies = np.zeros((len(problem.data), tables.nodes), bool)
    if held is not None:
        begin, nodes, modes = np.zeros(tables.tasks), held.nodes.copy(), np.zeros(tables.tasks, int)
        begin[held.parts.task] = held.parts.start
        modes[held.parts.task] = held.parts.mode
        copies[held.copies.data, held.copies.node] = True
        order = _sequence(problem, lambda ready: min(ready, key=lambda i: float(begin[i])))
    else:
        mostly = dice.random() < 0.8
        nodes = np.array([_place(problem, i, dice, mostly) for i in range(tables.tasks)], np.int32)
        most = tables.mode_count[nodes] if mostly else np.full(tables.tasks, tables.modes)
        modes = np.array([dice.randrange(int(count)) for count in most], int)
        order = _sequence(problem, dice.choice)
        if dice.random() < 0.5:
            copies = np.array([[dice.random() < 0.3 for _ in row] for row in copies], bool).reshape(
                copies.shape
            )
    offers = [tables.item_codecs.of(int(item)).tolist() for item in tables.edge_item]
    codecs = np.array([dice.choice([-1, *offer]) for offer in offers], int)
    return Decisions(nodes, np.array(order, int), modes, codecs, copies)


def _place(problem: Problem, i: int, dice: random.Random, mostly: bool) -> int:
    fine = np.flatnonzero(problem.tables.allowed_table[i]).tolist()
    if mostly and fine and dice.random() < 0.97:
        return int(dice.choice(fine))
    return dice.randrange(problem.tables.nodes)


def _sequence(problem: Problem, choose: Callable[[list[int]], int]) -> list[int]:
    """A topological order, by a rule that picks one of the tasks that are ready."""
    tables = problem.tables
    waits = [set(tables.edge_src[tables.incoming.of(j)].tolist()) for j in range(tables.tasks)]
    order: list[int] = []
    while len(order) < tables.tasks:
        ready = [i for i in range(tables.tasks) if i not in order and waits[i] <= set(order)]
        order.append(choose(ready))
    return order


def decode_slowly(oracle: Oracle, decisions: Decisions, b: int) -> Decoded:
    """What the oracle makes of one plan's decisions."""
    nodes, order, modes, codecs = (array[b].tolist() for array in decisions[:4])
    copies = [(int(d), int(k)) for d, k in zip(*np.nonzero(decisions.copies[b]), strict=True)]
    return oracle.decode(nodes, order, modes, codecs, copies)


def evaluated(problem: Problem, decisions: Decisions) -> offload.Evaluation:
    """What the library makes of all of them."""
    nodes, order, modes, codecs, copies = decisions
    return offload.evaluate(problem, nodes, order, modes, codecs, copies)


def problems(seed: int) -> Problem:
    """Instances with few and with many features, by turns."""
    features = DECODED if seed % 3 else tuple(f for f in DECODED if f != "channels")
    if seed % 4 == 1:
        features = (
            "slots",
            "memory",
            "resident",
            "routes",
            "items",
            "channels",
            "serial-io",
            "due",
        )
    return draw_problem(seed, features, tasks=(1, 9), nodes=(1, 5))


# -- against the oracle --------------------------------------------------------------------------


@pytest.mark.parametrize("first", range(0, INSTANCES, 20))
def test_times_and_metrics_are_those_of_the_contract(first: int) -> None:
    for seed in range(first, first + 20):
        problem = problems(seed)
        oracle, decisions = Oracle(problem), draw_decisions(problem, seed)
        found = evaluated(problem, decisions)
        for b in range(BATCH):
            made = decode_slowly(oracle, decisions, b)
            where = f"instance {seed}, plan {b}"
            np.testing.assert_allclose(found.start[b], made.start, ROUNDING, err_msg=where)
            np.testing.assert_allclose(found.finish[b], made.finish, ROUNDING, err_msg=where)
            expected = oracle.metrics(made)
            if not all(oracle.has_route(transfer) for transfer in made.transfers.values()):
                # No plan: sums over routes that are not there mean nothing, its times are infinite.
                expected = {m: expected[m] for m in ("latency", "completion", "tardiness", "risk")}
            # Lateness is a difference of times, and is as exact as they are.
            latest = [f for f in made.finish if np.isfinite(f)]
            exact = {"tardiness": ROUNDING * max(latest, default=0.0)}
            for metric in expected:
                np.testing.assert_allclose(
                    found.metrics[metric][b], expected[metric], ROUNDING, exact.get(metric, 0.0),
                    err_msg=f"{where}: {metric}",
                )  # fmt: skip


@pytest.mark.parametrize("first", range(0, INSTANCES, 60))
def test_what_moves_and_when_is_that_of_the_contract(first: int) -> None:
    for seed in range(first, first + 60):
        problem = problems(seed)
        oracle, decisions = Oracle(problem), draw_decisions(problem, seed)
        found = evaluated(problem, decisions)
        for b in np.flatnonzero(found.feasible).tolist():
            made = decode_slowly(oracle, decisions, b)
            rows = found.plan(b).transfers
            columns = (rows.kind, rows.src, rows.dst, rows.codec, rows.start, rows.finish)
            listed = sorted(
                (("edge", "read", "move")[kind], src, dst, codec, start, arrival)
                for kind, src, dst, codec, start, arrival in zip(
                    *(column.tolist() for column in columns), strict=True
                )
            )
            wanted = sorted(
                (t.kind, t.src if t.src is not None else -1, t.dst, t.codec, t.start, t.arrival)
                for t in made.transfers.values()
            )
            where = f"instance {seed}, plan {b}"
            assert [row[:4] for row in listed] == [row[:4] for row in wanted], where
            times = np.array([row[4:] for row in listed]), np.array([row[4:] for row in wanted])
            np.testing.assert_allclose(*times, ROUNDING, 1e-12, err_msg=where)


def test_routes_are_those_of_the_contract() -> None:
    joined = hops = 0
    for seed in range(400):
        problem = draw_problem(seed, ("routes", "require"), tasks=(1, 1), nodes=(2, 6))
        oracle, routes = Oracle(problem), problem.tables.routes
        for (k, l), path in oracle.routes.items():
            assert routes.path(k, l) == (path or []), f"instance {seed}: from {k} to {l}"
            joined, hops = joined + (path is not None), max(hops, len(path or []) - 1)
            for tags in ((), ("red",), ("red", "blue")):
                permitted = bool(routes.permitted(tags)[k, l])
                assert permitted == oracle.permitted(k, l, tags), f"instance {seed}: {k} to {l}"
    assert joined > 1000
    assert hops >= 4


def test_the_share_of_plans_that_hold_is_worth_testing() -> None:
    feasible, finite, plans = 0, 0, 0
    for seed in range(60):
        problem = problems(seed)
        found = evaluated(problem, draw_decisions(problem, seed))
        feasible += int(found.feasible.sum())
        finite += int(np.isfinite(found.metrics["latency"]).sum())
        plans += len(found)
    assert feasible > 0.2 * plans
    assert finite < 0.9 * plans


# -- against itself and the checker --------------------------------------------------------------


@pytest.mark.parametrize("first", range(0, INSTANCES, 80))
def test_feasible_means_that_the_checker_finds_nothing(first: int) -> None:
    for seed in range(first, first + 80):
        problem = problems(seed)
        found = evaluated(problem, draw_decisions(problem, seed))
        for b in range(BATCH):
            violations = offload.check(problem, found.plan(b))
            excess = {rule: over[b] for rule, over in found.excess.items() if over[b]}
            where = f"instance {seed}, plan {b}: {excess}, {violations[:3]}"
            assert bool(found.feasible[b]) == (not violations), where
            assert bool(found.feasible[b]) == (not excess), where


def test_a_batch_is_its_plans_one_by_one() -> None:
    for seed in range(60):
        problem = problems(seed)
        decisions = draw_decisions(problem, seed)
        together = evaluated(problem, decisions)
        for b in range(BATCH):
            alone = evaluated(problem, decisions.of(b))
            np.testing.assert_array_equal(together.start[b], alone.start[0])
            np.testing.assert_array_equal(together.finish[b], alone.finish[0])
            for metric in METRICS:
                np.testing.assert_allclose(
                    together.metrics[metric][b], alone.metrics[metric][0], 1e-14
                )
            assert together.plan(b).metrics == pytest.approx(alone.plan(0).metrics, rel=1e-14)


def test_plans_may_be_decoded_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(40):
        problem = problems(seed)
        decisions = draw_decisions(problem, seed, batch=7)
        whole = evaluated(problem, decisions)
        for cells in (1, 60):
            with monkeypatch.context() as patch:
                patch.setattr("offload.decoding._CELLS", cells)
                chunked = evaluated(problem, decisions)
            np.testing.assert_array_equal(chunked.start, whole.start)
            np.testing.assert_array_equal(chunked.finish, whole.finish)
            for metric in METRICS:
                np.testing.assert_allclose(chunked.metrics[metric], whole.metrics[metric], 1e-14)
            for b in range(7):
                held, other = whole.plan(b).transfers, chunked.plan(b).transfers
                for column, same in zip(held, other, strict=True):
                    np.testing.assert_array_equal(column, same)


def test_one_plan_may_be_given_for_all_orders() -> None:
    problem = problems(7)
    decisions = draw_decisions(problem, 7)
    nodes = np.repeat(decisions.nodes[:1], BATCH, axis=0)
    stretched = offload.evaluate(problem, decisions.nodes[0], decisions.order)
    given = offload.evaluate(problem, nodes, decisions.order)
    np.testing.assert_array_equal(stretched.finish, given.finish)
    assert len(stretched) == BATCH


def test_an_empty_graph_takes_no_time() -> None:
    problem = Problem(network=offload.Network((offload.Node("n"),)))
    found = offload.evaluate(problem, np.zeros((3, 0), int), np.zeros((3, 0), int))
    assert found.metrics["latency"].tolist() == [0.0, 0.0, 0.0]
    assert found.feasible.all()


def test_limits_of_the_call_replace_those_of_the_instance() -> None:
    task = offload.Task("t", work=2)
    network = offload.Network((offload.Node("n", busy_power=3),))
    problem = Problem(network=network, graph=offload.Graph((task,)), limits={"energy": 5})
    assert not offload.evaluate(problem, [[0]], [[0]]).feasible[0]
    assert offload.evaluate(problem, [[0]], [[0]], limits={}).feasible[0]
    over = offload.evaluate(problem, [[0]], [[0]], limits={"latency": 0.5}).excess
    assert over["limit:latency"].tolist() == [1.5]
    assert "limit:energy" not in over


# -- what it refuses -----------------------------------------------------------------------------


@pytest.fixture
def small() -> Problem:
    """Two nodes, a chain of two tasks, one edge with a codec, one data item."""
    nodes = (offload.Node("n0", modes=(offload.Mode("eco", 2, 1),)), offload.Node("n1"))
    graph = offload.Graph(
        (offload.Task("a", work=1), offload.Task("b", work=1, reads=("d",))),
        (offload.Edge("a", "b", 5, codecs=("zip",)),),
    )
    return Problem(
        network=offload.Network(nodes, (offload.Link("n0", "n1", 1),)), graph=graph,
        data=(offload.Data("d", 1, ("n0",), None),),
        codecs=(offload.Codec("zip", 2, 0, 0), offload.Codec("lz", 2, 0, 0)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nodes": [[0, 1, 0]]}, r"nodes: must have the shape \[B, 2\], got \(1, 3\)"),
        ({"nodes": [[[0, 1]]]}, r"nodes: must have the shape \[B, 2\]"),
        ({"nodes": [[0.0, 1.0]]}, r"nodes: must be integers \(positions\), got 'float64'"),
        ({"nodes": [[0, 2]]}, r"nodes\[0, 1\]: must be from 0 to 1, got 2"),
        ({"nodes": [[0, -1]]}, r"nodes\[0, 1\]: must be from 0 to 1, got -1"),
        ({"nodes": [[0, 0]] * 3, "order": [[0, 1]] * 2}, r"order: must have 3 rows, or 1, got 2"),
        ({"order": [[0, 0]]}, r"order\[0\]: must name every task once; missing, got 'b'"),
        ({"order": [[0, 1], [1, 0]]}, r"order\[1\]: must have 'a' before 'b', got 'the reverse'"),
        ({"order": [[0, 2]]}, r"order\[0, 1\]: must be from 0 to 1, got 2"),
        ({"modes": [[0, 2]]}, r"modes\[0, 1\]: must be from 0 to 1, got 2"),
        ({"modes": [[0, 0]] * 2}, r"modes: must have 1 rows, or 1, got 2"),
        ({"codecs": [[1]]}, r"codecs\[0, 0\]: the edge does not offer this codec, got 'lz'"),
        ({"codecs": [[2]]}, r"codecs\[0, 0\]: must be from -1 to 1, got 2"),
        ({"codecs": [[0, 0]]}, r"codecs: must have the shape \[B, 1\]"),
        ({"copies": [[True]]}, r"copies: must have the shape \[B, 1, 2\], got \(1, 1, 1\)"),
        ({"copies": [[[True, False]]] * 2}, r"copies: must have 1 rows, or 1, got 2"),
    ],
)
def test_arguments_that_mean_nothing(
    small: Problem, changes: dict[str, list[object]], message: str
) -> None:
    arguments: dict[str, object] = {"nodes": [[0, 1]], "order": [[0, 1]], **changes}
    with pytest.raises(offload.PlanError, match=message):
        offload.evaluate(small, **arguments)  # type: ignore[arg-type]


def test_divisible_tasks_are_refused() -> None:
    network = offload.Network((offload.Node("n"),))
    graph = offload.Graph((offload.Task("t", work=1, divisible=True),))
    with pytest.raises(offload.Unsupported, match="'evaluate' does not honour: splitting"):
        offload.evaluate(Problem(network=network, graph=graph), [[0]], [[0]])


def test_a_mode_that_a_node_does_not_have_never_ends(small: Problem) -> None:
    found = offload.evaluate(small, [[0, 1]], [[0, 1]], modes=[[0, 1]])
    assert found.finish.tolist() == [[1.0, np.inf]]
    assert not found.feasible[0]
