"""Decoding and its metrics against the oracle, over every feature but splitting."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import msgspec
import numpy as np
import pytest
from decisions import BATCH, Decisions, draw_decisions, draw_instance
from drawing import draw_problem
from oracle import Decoded, Oracle, Transfer

import offload
from offload import Data, Graph, Link, Network, Node, Task
from offload.evaluator import evaluate_unchecked
from offload.lockstep import Lockstep
from offload.places import places
from offload.problem import METRICS, Problem
from offload.stepping import stepper

INSTANCES = 160
ROUNDING = 1e-9


def decode_slowly(oracle: Oracle, decisions: Decisions, b: int) -> Decoded:
    """What the oracle makes of one plan's decisions."""
    nodes, order, modes, codecs = (array[b].tolist() for array in decisions[:4])
    copies = [(int(d), int(k)) for d, k in zip(*np.nonzero(decisions.copies[b]), strict=True)]
    return oracle.decode(nodes, order, modes, codecs, copies)


def evaluated(problem: Problem, decisions: Decisions) -> offload.Evaluation:
    """What the library makes of all of them."""
    nodes, order, modes, codecs, copies = decisions
    return offload.evaluate(problem, nodes, order, modes, codecs, copies)


class Case(NamedTuple):
    """An instance, a batch of decisions, and what the library makes of them."""

    problem: Problem
    decisions: Decisions
    found: offload.Evaluation


@cache
def case(seed: int) -> Case:
    """The same for each test."""
    problem = draw_instance(seed)
    decisions = draw_decisions(problem, seed)
    return Case(problem, decisions, evaluated(problem, decisions))


# -- against the oracle --------------------------------------------------------------------------


def agree_on(seeds: range) -> None:
    """Compare the library with the oracle on some instances."""
    for seed in seeds:
        problem, decisions, found = case(seed)
        oracle = Oracle(problem)
        for b in range(BATCH):
            made = decode_slowly(oracle, decisions, b)
            where = f"instance {seed}, plan {b}"
            np.testing.assert_allclose(found.start[b], made.start, ROUNDING, err_msg=where)
            np.testing.assert_allclose(found.finish[b], made.finish, ROUNDING, err_msg=where)
            _same_metrics(found, b, oracle, made, where)
            if found.feasible[b]:
                _same_transfers(found, b, made, where)


@pytest.mark.parametrize("first", range(0, INSTANCES, 20))
def test_times_and_metrics_are_those_of_the_contract(first: int) -> None:
    agree_on(range(first, first + 20))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(INSTANCES, 1000, 120))
def test_times_and_metrics_of_many_are_those_of_the_contract(first: int) -> None:
    agree_on(range(first, first + 120))


def _same_metrics(
    found: offload.Evaluation, b: int, oracle: Oracle, made: Decoded, where: str
) -> None:
    expected = oracle.metrics(made)
    if not all(oracle.has_route(transfer) for transfer in made.transfers.values()):
        # No plan: sums over routes that are not there mean nothing, its times are infinite.
        expected = {m: expected[m] for m in ("latency", "completion", "tardiness", "risk")}
    latest = max((f for f in made.finish if np.isfinite(f)), default=0.0)
    for metric, value in expected.items():
        # Lateness is a difference of times, and is as exact as they are.
        margin = ROUNDING * latest if metric == "tardiness" else 0.0
        what = f"{where}: {metric}"
        np.testing.assert_allclose(found.metrics[metric][b], value, ROUNDING, margin, err_msg=what)


def _same_transfers(found: offload.Evaluation, b: int, made: Decoded, where: str) -> None:
    rows = found.plan(b).transfers
    kinds = [("edge", "read", "move")[kind] for kind in rows.kind]
    columns = (rows.ref, rows.src, rows.dst, rows.codec, rows.start, rows.finish)
    listed = sorted(zip(kinds, *(column.tolist() for column in columns), strict=True))
    wanted = sorted(
        (t.kind, _number(found.problem, t), t.src, t.dst, t.codec, t.start, t.arrival)
        for t in made.transfers.values()
    )
    assert [row[:5] for row in listed] == [row[:5] for row in wanted], where
    times = np.array([row[5:] for row in listed]), np.array([row[5:] for row in wanted])
    np.testing.assert_allclose(*times, ROUNDING, 1e-12, err_msg=where)


def _number(problem: Problem, transfer: Transfer) -> int:
    """Position of what moves: an item, a data item or a task."""
    if transfer.kind != "edge":
        return int(transfer.what[1])
    _, src, item, _ = transfer.what
    edges = problem.graph.edges
    e = next(e for e, edge in enumerate(edges) if edge.src == src and item in (e, edge.item))
    return int(problem.tables.edge_item[e])


def test_routes_are_those_of_the_contract() -> None:
    joined = hops = 0
    for seed in range(150):
        problem = draw_problem(seed, ("routes", "require"), tasks=(1, 1), nodes=(2, 6))
        oracle, routes = Oracle(problem), problem.tables.routes
        for (k, l), path in oracle.routes.items():
            assert routes.path(k, l) == (path or []), f"instance {seed}: from {k} to {l}"
            joined, hops = joined + (path is not None), max(hops, len(path or []) - 1)
            for tags in ((), ("red",), ("red", "blue")):
                permitted = bool(routes.permitted(tags)[k, l])
                assert permitted == oracle.permitted(k, l, tags), f"instance {seed}: {k} to {l}"
    assert joined > 600
    assert hops >= 4


def test_routes_that_differ_by_a_rounding_are_equally_long() -> None:
    # Over b: 0.1 + 0.2 = 0.30000000000000004.
    nodes = (Node("a"), Node("b"), Node("c"))

    def path(direct: float) -> list[int]:
        links = (
            Link("a", "b", latency=0.1), Link("b", "c", latency=0.2),
            Link("a", "c", latency=direct),
        )  # fmt: skip
        return Problem(network=Network(nodes, links)).tables.routes.path(0, 2)

    assert path(0.3) == [0, 2]
    assert path(0.3000000000000001) == [0, 2]
    assert path(0.300000001) == [0, 1, 2]


def test_equally_long_routes_take_the_node_listed_first_from_the_end() -> None:
    # To d over b or c, and to those over a or z: all of three hops of 1 s.
    nodes = tuple(Node(name) for name in "zabcde")
    ends = [("e", "z"), ("e", "a"), ("z", "c"), ("a", "c"), ("z", "b"), ("a", "b")]
    links = tuple(Link(x, y, latency=1) for x, y in [*ends, ("b", "d"), ("c", "d")])
    problem = Problem(network=Network(nodes, links))
    assert [nodes[k].id for k in problem.tables.routes.path(5, 4)] == ["e", "z", "b", "d"]


def test_data_from_equally_near_homes_comes_from_the_one_listed_first() -> None:
    # From a: 0.1 s + 0.2 s = 0.30000000000000004 s; from b: 0.3 s.
    nodes = (Node("a"), Node("b"), Node("c"))

    def source(latency: float) -> int:
        links = (Link("a", "c", 10, latency), Link("b", "c", latency=0.3))
        problem = Problem(
            network=Network(nodes, links), data=(Data("d", 1, ("b", "a")),),
            graph=Graph((Task("t", work=1, reads=("d",)),)),
        )  # fmt: skip
        return int(offload.evaluate(problem, [2], [0]).plan().transfers.src[0])

    assert source(0.2) == 0
    assert source(0.200000001) == 1


def test_plans_that_hold_and_plans_that_do_not_are_both_tried() -> None:
    tried = [case(seed).found for seed in range(60)]
    feasible = sum(int(found.feasible.sum()) for found in tried)
    finite = sum(int(np.isfinite(found.metrics["latency"]).sum()) for found in tried)
    assert 0.2 * BATCH * 60 < feasible < finite < 0.9 * BATCH * 60


# -- against itself and the checker --------------------------------------------------------------


@pytest.mark.parametrize("first", range(0, INSTANCES, 80))
def test_feasible_means_that_the_checker_finds_nothing(first: int) -> None:
    for seed in range(first, first + 80):
        problem, _, found = case(seed)
        for b in range(BATCH):
            violations = offload.check(problem, found.plan(b))
            excess = {rule: over[b] for rule, over in found.excess.items() if over[b]}
            where = f"instance {seed}, plan {b}: {excess}, {violations[:3]}"
            assert bool(found.feasible[b]) == (not violations), where
            assert bool(found.feasible[b]) == (not excess), where


def test_a_batch_is_its_plans_one_by_one() -> None:
    for seed in range(40):
        problem, decisions, together = case(seed)
        for b in range(BATCH):
            alone = evaluated(problem, decisions.of(b))
            np.testing.assert_array_equal(together.start[b], alone.start[0])
            np.testing.assert_array_equal(together.finish[b], alone.finish[0])
            for metric in METRICS:
                np.testing.assert_allclose(
                    together.metrics[metric][b], alone.metrics[metric][0], 1e-14
                )


def test_metrics_of_a_batch_are_those_of_its_plans() -> None:
    for seed in range(20):
        found = case(seed).found
        for b in np.flatnonzero(found.feasible).tolist():
            metrics = {metric: float(found.metrics[metric][b]) for metric in METRICS}
            assert found.plan(b).metrics == pytest.approx(metrics, rel=1e-14)


def test_plans_may_be_decoded_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(25):
        problem, decisions, whole = case(seed)
        most = problem.tables.tasks + problem.tables.edges + 40
        for cells in (1, 2 * most):  # chunks of one plan, and of a few
            with monkeypatch.context() as patch:
                patch.setattr("offload.decoding._CELLS", cells)
                patch.setattr("offload.stepping._CELLS", cells)
                patch.setattr("offload.lockstep._CELLS", cells)
                chunked = evaluated(problem, decisions)
            np.testing.assert_array_equal(chunked.start, whole.start)
            np.testing.assert_array_equal(chunked.finish, whole.finish)
            for metric in METRICS:
                np.testing.assert_allclose(chunked.metrics[metric], whole.metrics[metric], 1e-14)
            for b in range(BATCH):
                held, other = whole.plan(b).transfers, chunked.plan(b).transfers
                for column, same in zip(held, other, strict=True):
                    np.testing.assert_array_equal(column, same)


def test_one_plan_may_be_given_for_all_orders() -> None:
    problem, decisions, _ = case(7)
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


@pytest.mark.parametrize(
    ("metric", "share", "holds"),
    [
        ("latency", 1e-10, True),
        ("latency", 1e-8, False),
        ("period", 1e-10, True),
        ("period", 1e-8, False),
        ("energy", 1e-8, False),
        ("tardiness", 1e-8, True),
        ("tardiness", 1e-2, False),
    ],
)
def test_limits_have_the_tolerance_of_the_checker(metric: str, share: float, holds: bool) -> None:
    # A latency of 1e6 s allows 1e-3 s for each second late; the rest is relative to the limit.
    task = Task("t", work=2, release=1e6 - 2, due=1e6 - 1, weight=10)
    network = Network((Node("n", busy_power=3),))
    problem = Problem(network=network, graph=Graph((task,)))
    value = float(offload.evaluate(problem, [[0]], [[0]]).metrics[metric][0])
    limited = problem.replace(limits={metric: value * (1 - share)})
    found = offload.evaluate(limited, [[0]], [[0]])
    assert bool(found.feasible[0]) == holds
    assert (offload.check(limited, found.plan()) == []) == holds


# -- one slot and no contention: by steps, or as all the rest -------------------------------------

PLAIN = ("memory", "resident", "allow", "require", "release", "items", "routes", "reads", "moves",
         "modes", "copies")  # fmt: skip


def plain(seed: int) -> tuple[Problem, Decisions]:
    """An instance that the stepper decodes, and a batch without codecs; some tasks take no time."""
    problem = draw_problem(seed, PLAIN, tasks=(1, 12), nodes=(1, 4))
    if seed % 2:
        tasks = [
            msgspec.structs.replace(task, work=0, time={}) if i % 3 == 0 else task
            for i, task in enumerate(problem.graph.tasks)
        ]
        problem = problem.replace(graph=msgspec.structs.replace(problem.graph, tasks=tuple(tasks)))
    assert stepper(problem.tables) is not None
    return problem, draw_decisions(problem, seed)


def without_codecs(problem: Problem, decisions: Decisions) -> offload.Evaluation:
    """What the library makes of decisions that leave codecs out."""
    nodes, order, modes, _, copies = decisions
    return offload.evaluate(problem, nodes, order, modes, copies=copies)


def same(one: offload.Evaluation, other: offload.Evaluation) -> None:
    """Times, metrics and transfers are equal but for rounding."""
    for metric in METRICS:
        np.testing.assert_allclose(one.metrics[metric], other.metrics[metric], 1e-12)
    np.testing.assert_allclose(one.start, other.start, 1e-12)
    np.testing.assert_allclose(one.finish, other.finish, 1e-12)
    for b in range(len(one)):
        rows, others = one.plan(b).transfers, other.plan(b).transfers
        for column, same_column in zip(rows, others, strict=True):
            np.testing.assert_allclose(column, same_column, 1e-12)


@pytest.mark.parametrize("shared", [False, True])
def test_steps_give_what_the_decoding_of_every_rule_gives(
    monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    instant = finite = 0
    for seed in range(80):
        problem, decisions = plain(seed)
        if shared:
            decisions = decisions._replace(order=np.tile(decisions.order[0], (BATCH, 1)))
        stepped = without_codecs(problem, decisions)
        assert shared <= isinstance(stepped.decoding._decoder, Lockstep)
        found = places(problem.tables)
        instant += found is not None and found.instant
        finite += int(np.isfinite(stepped.metrics["latency"]).sum())
        with monkeypatch.context() as patch:
            patch.setattr("offload.decoding.stepper", lambda tables: None)
            patch.setattr("offload.decoding.lockstep", lambda tables: None)
            same(stepped, without_codecs(problem, decisions))
            patch.setattr("offload.decoding._CELLS", 1)
            same(stepped, without_codecs(problem, decisions))
    assert instant >= 30
    assert 40 < finite < 70 * BATCH


def test_latency_alone_is_that_of_the_times() -> None:
    for seed in range(80):
        problem, decisions = plain(seed)
        nodes, order, modes, _, copies = decisions
        for sequence in (order, np.tile(order[0], (BATCH, 1))):
            found = offload.evaluate(problem, nodes, sequence, modes, copies=copies)
            alone = found.metrics["latency"].copy()
            np.testing.assert_array_equal(alone, found.finish.max(axis=1))
            assert (np.isinf(found.start) == np.isinf(found.finish)).all()


def test_steps_give_what_the_contract_says() -> None:
    for seed in range(60):
        problem, decisions = plain(seed)
        decisions = decisions._replace(codecs=np.full_like(decisions.codecs, -1))
        found, oracle = without_codecs(problem, decisions), Oracle(problem)
        for b in range(BATCH):
            made = decode_slowly(oracle, decisions, b)
            where = f"instance {seed}, plan {b}"
            np.testing.assert_allclose(found.start[b], made.start, ROUNDING, err_msg=where)
            np.testing.assert_allclose(found.finish[b], made.finish, ROUNDING, err_msg=where)
            latest = max(made.finish, default=0.0)
            np.testing.assert_allclose(found.metrics["latency"][b], latest, ROUNDING, err_msg=where)


@pytest.mark.parametrize("feature", ["plain", "all"])
def test_the_size_of_a_batch_changes_nothing(feature: str) -> None:
    problem, decisions = plain(6) if feature == "plain" else (case(8).problem, case(8).decisions)
    codecs = None if feature == "plain" else decisions.codecs

    def decoded(rows: np.ndarray) -> offload.Evaluation:
        nodes, order, modes, _, copies = (array[rows] for array in decisions)
        own = None if codecs is None else codecs[rows]
        return offload.evaluate(problem, nodes, order, modes, own, copies)

    few, many = decoded(np.arange(BATCH)), decoded(np.arange(400) % BATCH)
    np.testing.assert_array_equal(many.finish, few.finish[np.arange(400) % BATCH])
    np.testing.assert_array_equal(
        many.metrics["latency"], few.metrics["latency"][np.arange(400) % BATCH]
    )
    assert decoded(np.arange(0)).metrics["latency"].shape == (0,)


def test_unchecked_arrays_are_taken_as_they_are() -> None:
    for seed in range(12):
        problem, decisions, checked = case(seed)
        same(evaluate_unchecked(problem, *decisions), checked)


def test_later_changes_of_the_arguments_do_not_show() -> None:
    problem, decisions = plain(6)
    nodes, order = decisions.nodes.copy(), decisions.order.copy()
    found, kept = (offload.evaluate(problem, *arrays) for arrays in ((nodes, order), decisions[:2]))
    nodes[:], order[:] = nodes[::-1].copy(), order[::-1].copy()
    np.testing.assert_array_equal(found.finish, kept.finish)
    np.testing.assert_array_equal(found.nodes, kept.nodes)


def test_tasks_without_inputs_that_take_no_time_do_not_wait_for_the_node() -> None:
    tasks = tuple(Task(name, work=work) for name, work in zip("abc", (2, 0, 1), strict=True))
    problem = Problem(network=Network((Node("n"),)), graph=Graph(tasks))
    found = offload.evaluate(problem, [[0, 0, 0]], [[0, 1, 2]])
    assert found.start.tolist() == [[0.0, 0.0, 2.0]]
    assert found.metrics["latency"].tolist() == [3.0]


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
