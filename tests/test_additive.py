"""Search where the goal is a sum: the kept sums are the evaluator's, and its plans hold."""

from __future__ import annotations

import random
import threading
from itertools import product
from pathlib import Path

import msgspec
import numpy as np
import pytest
from drawing import draw_problem
from numpy.typing import NDArray

import offload
from offload import Edge, Graph, Group, Link, Mode, Network, Node, OffloadError, Problem, Task
from offload.evaluator import Evaluation
from offload.features import FEATURES, Goal, goal_of
from offload.heuristics.additive import Block, Placed
from offload.heuristics.additive_costs import Channels, additive
from offload.heuristics.copies import may_copy
from offload.heuristics.placements import Placements
from offload.heuristics.rooms import Rooms
from offload.heuristics.units import Units
from offload.metrics import objective

NOT = ("splitting", "deadline", "limits", "contiguous", "due", "serial-io")
MANY = tuple(name for name in FEATURES if name not in NOT)
PLAIN = tuple(name for name in MANY if name not in ("codecs", "copies"))
ROOT = Path(__file__).parents[1] / "instances"


def drawn(seed: int, features: tuple[str, ...] = MANY, tasks: int = 9, nodes: int = 5) -> Problem:
    """A random instance on nodes that draw no idle power."""
    problem = draw_problem(seed, features, tasks=(2, tasks), nodes=(2, nodes))
    network = problem.network
    idle = tuple(msgspec.structs.replace(node, idle_power=0.0) for node in network.nodes)
    return problem.replace(network=msgspec.structs.replace(network, nodes=idle))


def mixed(dice: random.Random) -> Goal:
    weights = {metric: dice.choice([0.0, 0.5, 1.0]) for metric in ("energy", "cost", "risk")}
    return Goal({**weights, "traffic": 0.1}, {"energy": 1.0, "traffic": 2.0})


def solved(problem: Problem, **arguments: object) -> offload.Result:
    arguments = {"work_limit": 3000, "time_limit": None, **arguments}
    options = {"search": "additive"}
    return offload.solve(problem, "anneal", options=options, **arguments)  # type: ignore[arg-type]


class _State:
    """A random placement of a random instance, valued by the kept sums and by the evaluator."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.problem, self.goal = drawn(seed), mixed(self.dice)
        tables = self.problem.tables
        assert additive(tables, self.goal)
        self.copies = np.random.default_rng(seed).random(tables.home.shape) < 0.3
        self.copies &= may_copy(tables)
        self.units = Units(Placements(tables, self.copies))
        self.channels = Channels(self.units, self.goal, self.copies)
        self.channels.choose(np.array([self.dice.choice([0.0, 1.0]), self.dice.choice([0.0, 0.3])]))
        self.options = [np.flatnonzero(row).tolist() for row in self.units.allowed]
        node = np.array([self.dice.choice(options) for options in self.options])
        self.placed = Placed(self.units, node)

    def evaluated(self, node: NDArray[np.int64]) -> Evaluation:
        nodes = node[self.units.of_task]
        modes, codecs = self.channels.modes_of(nodes), self.channels.codecs_of(nodes)
        order = self.problem.tables.topological
        return offload.evaluate(self.problem, nodes, order, modes, codecs, self.copies, {})

    def values(self, node: NDArray[np.int64]) -> list[float]:
        """The objective, energy and traffic."""
        metrics = self.evaluated(node).metrics
        return [
            float(objective(metrics, self.goal.minimize)[0]),
            float(metrics["energy"][0]),
            float(metrics["traffic"][0]),
        ]

    def move(self) -> None:
        """Several units at once to other nodes."""
        count = self.dice.randrange(1, self.units.number + 1)
        rows = np.array(sorted(self.dice.sample(range(self.units.number), count)))
        to = np.array([self.dice.choice(self.options[u]) for u in rows])
        self.placed.put(self.placed.whole, rows, to)


def close(value: float, other: float) -> bool:
    return abs(value - other) <= 1e-9 * max(abs(value), abs(other), 1e-6)


@pytest.mark.parametrize("first", range(0, 80, 40))
def test_kept_sums_are_the_evaluators(first: int) -> None:
    for seed in range(first, first + 40):
        state = _State(seed)
        for _ in range(4):
            values = state.values(state.placed.node)
            for costs, value in zip(state.channels.costs, values, strict=True):
                assert close(state.placed.total(costs), value), seed
            state.move()
            fresh = Placed(state.units, state.placed.node)
            assert fresh.total(state.channels.combined) == pytest.approx(
                state.placed.total(state.channels.combined)
            )


@pytest.mark.parametrize("first", range(0, 24, 12))
def test_deltas_of_moves_are_differences_of_two_evaluations(first: int) -> None:
    for seed in range(first, first + 12):
        state = _State(seed)
        placed, units = state.placed, state.units
        state.move()
        now, broken = state.values(placed.node), placed.broken()
        whole = [placed.rows(placed.whole, costs) for costs in state.channels.costs]
        conflicts = placed.conflicts(placed.whole)
        for u in range(units.number):
            some = Block(units, np.array([u]))
            for k in state.options[u]:
                node = placed.node.copy()
                node[u] = k
                then = state.values(node)
                for c, costs in enumerate(state.channels.costs):
                    delta = whole[c][u, k] - whole[c][u, placed.node[u]]
                    scale = max(abs(now[c]), abs(then[c]), 1e-6)
                    assert abs(delta - (then[c] - now[c])) <= 1e-9 * scale, seed
                    alone = placed.rows(some, costs)[0]
                    assert alone[k] == pytest.approx(whole[c][u, k], rel=1e-9, abs=1e-9 * scale)
                more = conflicts[u, k] - conflicts[u, placed.node[u]]
                assert more == pytest.approx(Placed(units, node).broken() - broken, abs=1e-9)


def test_what_a_move_exceeds_is_the_memory_that_nodes_lack_after_it() -> None:
    checked = 0
    for seed in range(100):
        problem = drawn(900 + seed, ("memory", "resident", "together", "allow"))
        dice, units = random.Random(seed), Units(Placements(problem.tables))
        rooms = Rooms(units, 1.0)
        if not rooms.bounded:
            continue
        rooms.price[:] = 1.0
        node = np.array([dice.choice(np.flatnonzero(row).tolist()) for row in units.allowed])
        rooms.load(node)
        rows, before = rooms.rows(np.arange(units.number)), rooms.over.sum()
        for u in range(units.number):
            for k in np.flatnonzero(units.allowed[u]).tolist():
                moved = node.copy()
                moved[u] = k
                rooms.load(moved)
                delta = rows[u, k] - rows[u, node[u]]
                assert delta == pytest.approx(rooms.over.sum() - before, abs=1e-9), seed
                checked += delta != 0
        rooms.load(node)
        pairs = rooms.exchanges(np.arange(units.number))
        for u, v in product(range(units.number), repeat=2):
            if node[u] != node[v] and units.allowed[u, node[v]] and units.allowed[v, node[u]]:
                moved = node.copy()
                moved[[u, v]] = node[[v, u]]
                rooms.load(moved)
                assert pairs[u, v] == pytest.approx(rooms.over.sum() - before, abs=1e-9), seed
                rooms.load(node)
    assert checked > 100


def best_of_all(problem: Problem, goal: Goal) -> float | None:
    """The least objective over all placements and modes of a tiny instance without codecs."""
    tables = problem.tables
    options = [
        [(k, m) for k in np.flatnonzero(row).tolist() for m in range(int(tables.mode_count[k]))]
        for row in tables.allowed_table
    ]
    places = np.array(list(product(*options)), np.int64)
    order = tables.topological
    found = offload.evaluate(problem, places[..., 0], order, places[..., 1], limits=goal.limits)
    if not found.feasible.any():
        return None
    value = np.where(found.feasible, objective(found.metrics, goal.minimize), np.inf)
    return float(value.min())


@pytest.mark.parametrize("limited", [False, True])
def test_tiny_instances_are_solved_to_the_optimum(limited: bool) -> None:
    proved = 0
    for seed in range(6):
        problem = drawn(2000 + seed, PLAIN, tasks=4, nodes=3)
        minimize = {"cost": 1.0, "risk": 3.0} if seed % 2 else {"energy": 1.0, "traffic": 0.01}
        limits: dict[str, float] = {}
        if limited:
            free = solved(problem, minimize=minimize, limits={}, work_limit=1000).plan
            assert free is not None
            metric = "energy" if seed % 2 else "cost"
            least = solved(problem, minimize=metric, limits={}, work_limit=1000).plan
            assert least is not None
            limits = {metric: 0.5 * (free.metrics[metric] + least.metrics[metric])}
        goal = goal_of(problem, minimize, limits)
        best = best_of_all(problem, goal)
        result = solved(problem, minimize=minimize, limits=limits, work_limit=1000)
        assert best is not None
        assert result.objective is not None, seed
        assert result.plan is not None
        assert offload.check(problem, result.plan, limits=limits) == []
        assert result.objective >= best * (1 - 1e-9)
        proved += result.objective <= best * (1 + 1e-9)
    assert proved == 6


def test_plans_of_all_features_hold_and_are_no_worse_than_the_start() -> None:
    for seed in range(20):
        problem = drawn(4000 + seed)
        start = offload.solve(problem, "heft", {"energy": 1.0, "risk": 1.0}, {}).plan
        if start is None:
            continue
        result = solved(
            problem, minimize={"energy": 1.0, "risk": 1.0}, limits={}, start=start, work_limit=400
        )
        assert result.plan is not None
        assert result.objective is not None
        assert offload.check(problem, result.plan, limits={}) == []
        assert result.objective <= start.objective({"energy": 1.0, "risk": 1.0}) * (1 + 1e-12)


def generalized_assignment() -> Problem:
    """15 tasks on 5 nodes whose memory is nearly full in every plan; seeded."""
    dice, nodes, tasks = random.Random(3), range(5), range(15)
    held = [{f"n{k}": float(dice.randint(5, 25)) for k in nodes} for _ in tasks]
    cost = [{f"n{k}": float(dice.randint(15, 25)) for k in nodes} for _ in tasks]
    room = [0.8 * sum(sizes[f"n{k}"] for sizes in held) / len(nodes) for k in nodes]
    network = Network(
        tuple(Node(f"n{k}", price=1.0, memory=room[k]) for k in nodes),
        tuple(Link(f"n{k}", f"n{l}") for k in nodes for l in range(k)),
    )
    drawn = [Task(f"t{i}", time=cost[i], resident=held[i]) for i in tasks]
    return Problem(network=network, graph=Graph(tuple(drawn)), minimize={"cost": 1.0})


def test_where_memory_is_nearly_full_the_optimum_is_found() -> None:
    problem = generalized_assignment()
    proof = offload.solve(problem, "milp", gap=1e-9, time_limit=30)
    assert proof.status == "optimal"
    result = solved(problem, work_limit=40_000)
    assert result.objective is not None
    assert result.objective == pytest.approx(proof.objective)


def test_tasks_together_and_apart_and_the_readers_of_one_item() -> None:
    """One transfer serves all readers on a node, so that readers gather; what is apart stays so."""
    nodes = (Node("a"), Node("b", price=1.0), Node("c", price=2.0))
    links = tuple(Link(x, y, 1.0, price=1.0) for x, y in (("a", "b"), ("b", "c"), ("a", "c")))
    tasks = (
        Task("s", work=1.0, allow=("a",)),
        *(Task(f"r{i}", work=1.0, allow=("b", "c")) for i in range(4)),
    )
    edges = tuple(Edge("s", f"r{i}", bytes=10.0, item="x") for i in range(4))
    pair = Group("apart", ("r0", "r1"))
    graph = Graph(tasks, edges, (Group("together", ("r1", "r2")),))
    problem = Problem(network=Network(nodes, links), graph=graph, minimize={"cost": 1.0})
    assert solved(problem).objective == 4.0 + 10.0  # all on b
    groups = (*graph.groups, pair)
    problem = problem.replace(graph=msgspec.structs.replace(graph, groups=groups))
    # r0 alone on c: two transfers, r1, r2 and r3 on b
    assert solved(problem).objective == 3.0 + 2.0 + 20.0


@pytest.mark.parametrize("limits", [{}, {"energy": 12.0}])
def test_modes_under_limits(limits: dict[str, float]) -> None:
    """Four tasks of 1 s and 10 J at speed, of 2 s and 2 J in the other mode; a second costs 1."""
    eco = Mode("eco", speed=0.5, busy_power=1.0)
    network = Network((Node("a", busy_power=10.0, price=1.0, modes=(eco,)),))
    graph = Graph(tuple(Task(f"t{i}", work=1.0) for i in range(4)))
    problem = Problem(network=network, graph=graph, minimize={"cost": 1.0}, limits=limits)
    options = {"search": "additive"}
    answer = offload.solve(problem, "anneal", work_limit=2000, time_limit=None, options=options)
    assert answer.objective == (8.0 if limits else 4.0)


def test_the_same_seed_and_work_give_the_same_plan_and_it_is_what_auto_takes() -> None:
    problem = offload.load(ROOT / "edge-n40-m6-ccr10.json")
    goal = {"cost": 1.0, "traffic": 1e-6}
    nodes = tuple(
        msgspec.structs.replace(node, price=1.0 + k) for k, node in enumerate(problem.network.nodes)
    )
    problem = problem.replace(network=msgspec.structs.replace(problem.network, nodes=nodes))
    plans = [solved(problem, minimize=goal, seed=7, work_limit=1000).plan for _ in range(2)]
    auto = offload.solve(problem, "anneal", goal, seed=7, work_limit=1000, time_limit=None)
    assert auto.stopped == "work" or auto.status == "optimal"
    for plan in (*plans, auto.plan):
        assert plan is not None
        assert plans[0] is not None
        assert plan.nodes.tolist() == plans[0].nodes.tolist()
        assert plan.objective(goal) == plans[0].objective(goal)


def test_ends_when_cancelled() -> None:
    problem = generalized_assignment()
    cancel = threading.Event()
    threading.Timer(0.3, cancel.set).start()
    result = offload.solve(
        problem, "anneal", time_limit=60, cancel=cancel, options={"search": "additive"}
    )
    assert result.stopped == "cancelled"
    assert result.plan is not None
    assert offload.check(problem, result.plan) == []


def test_what_depends_on_times_is_refused() -> None:
    problem = offload.load(ROOT / "crossing-12.json")
    for minimize in ("latency", "energy", "cost"):  # idle power, and deadlines
        with pytest.raises(OffloadError, match=r"options\.search: 'additive' is for energy"):
            solved(problem, minimize=minimize, limits={})
