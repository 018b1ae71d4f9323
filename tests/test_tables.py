"""The cost model against a plain reading of SPEC section 2, cell by cell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from drawing import draw_problem
from instance_documents import from_objects, street

from offload import Codec, Data, Edge, Graph, Link, Mode, Network, Node, Problem, Task
from offload.tables import Lists, Tables


def close_to(value: float) -> Any:
    return pytest.approx(value, rel=1e-12, abs=0)


# -- a plain reading of the rules ----------------------------------------------------------------


def best_key(by_selector: Mapping[str, float], node: Node) -> str | None:
    tags = [f"tag:{tag}" for tag in node.tags]
    for key in (node.id, f"kind:{node.kind}", *tags, f"tier:{node.tier}", "*"):
        if key in by_selector:
            return key
    return None


def size_on(value: float | Mapping[str, float], node: Node) -> float:
    if not isinstance(value, Mapping):
        return value
    key = best_key(value, node)
    return math.inf if key is None else value[key]


def matches(selectors: Sequence[str], node: Node) -> bool:
    return any(best_key({selector: 0.0}, node) for selector in selectors)


def may_run(task: Task, node: Node) -> bool:
    timed = task.work is not None or best_key(task.time, node) is not None
    sized = math.isfinite(size_on(task.memory, node) + size_on(task.resident, node))
    return matches(task.allow, node) and task.slots <= node.slots and timed and sized


def seconds(task: Task, node: Node, mode: int) -> float:
    if not may_run(task, node) or mode > len(node.modes):
        return math.inf
    speed = node.modes[mode - 1].speed if mode else node.speed
    key = best_key(task.time, node)
    if key is not None:
        return task.time[key] * (node.speed / speed)
    assert task.work is not None
    return task.work / speed


PROBLEMS = [from_objects(street()), *(draw_problem(seed) for seed in range(40))]


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_execution_memory_and_places(problem: Problem) -> None:
    tables, network = problem.tables, problem.network
    for (i, task), (k, node) in product(enumerate(problem.graph.tasks), enumerate(network.nodes)):
        assert tables.allowed(i, k) == may_run(task, node), (task, node)
        assert tables.allowed_table[i, k] == may_run(task, node)
        assert tables.memory_of(i, k) == size_on(task.memory, node)
        assert tables.resident_of(i, k) == size_on(task.resident, node)
        for mode in range(tables.modes):
            assert tables.execution(i, k, mode) == close_to(seconds(task, node, mode))


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_a_row_has_the_execution_times_of_one_task(problem: Problem) -> None:
    tables, nodes = problem.tables, np.arange(problem.tables.nodes)
    speeds = [[node.speed, *(mode.speed for mode in node.modes)] for node in problem.network.nodes]
    assert tables.fastest_mode.tolist() == [of_node.index(max(of_node)) for of_node in speeds]
    for i in range(tables.tasks):
        fastest = tables.execution(i, nodes, tables.fastest_mode)
        assert tables.row(i).tolist() == fastest.tolist()
        for mode in range(tables.modes):
            assert tables.row(i, mode).tolist() == tables.execution(i, nodes, mode).tolist()
        assert tables.row(i, 0 * nodes).tolist() == tables.execution(i, nodes).tolist()


def test_what_never_ends_in_the_default_mode_runs_in_none() -> None:
    turbo = Node("turbo", speed=1e-300, modes=[Mode("fast", 1e9, 1)])
    tables = tables_of(Task("t", work=1e200), nodes=(BOX, turbo))
    assert tables.execution(0, 1, [0, 1]).tolist() == [math.inf, math.inf]
    assert tables.row(0).tolist() == [1e200 / BOX.speed, math.inf]


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_the_four_parts_of_a_transfer(problem: Problem) -> None:
    tables, nodes = problem.tables, problem.network.nodes
    routes = tables.routes
    codecs = [*problem.codecs, Codec("none", 1, 0, 0)]
    for k, l in product(range(len(nodes)), repeat=2):
        for c, codec in enumerate(codecs):
            size = 7.5
            number = c if c < len(problem.codecs) else -1
            parts = tables.transfer(size, k, l, number)
            if k == l:
                assert [float(part) for part in parts] == [0.0] * 4
                assert parts.total == 0
                continue
            assert parts.encode == close_to(codec.encode * size / nodes[k].speed)
            assert parts.decode == close_to(codec.decode * size / nodes[l].speed)
            assert parts.serialise == close_to(size / codec.ratio / routes.bandwidth[k, l])
            assert parts.latency == routes.latency[k, l]
            assert parts.total == sum(float(part) for part in parts)
            assert np.isfinite(parts.total) == routes.reachable[k, l]


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_rules_and_delays_of_items_and_data(problem: Problem) -> None:
    tables, count = problem.tables, len(problem.network.nodes)
    for e, edge in enumerate(problem.graph.edges):
        item = tables.edge_item[e]
        allowed = tables.routes.permitted(edge.require)
        assert np.array_equal(tables.permits(tables.item_rule[item]), allowed)
        for k in range(count):
            parts = tables.transfer(edge.bytes, k, np.arange(count), -1, tables.item_rule[item])
            assert np.array_equal(np.isfinite(parts.latency), allowed[k])
            assert np.array_equal(tables.delays_from(item, k), parts.total)
    for d, item in enumerate(problem.data):
        rule = tables.permits(tables.data_rule[d])
        assert np.array_equal(rule, tables.routes.permitted(item.require))


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_a_fetch_comes_from_the_nearest_holder(problem: Problem) -> None:
    tables, count = problem.tables, len(problem.network.nodes)
    for d, item in enumerate(problem.data):
        rule = tables.data_rule[d]
        for held in ([node.id in item.home for node in problem.network.nodes], [True] * count):
            for l in range(count):
                holders = np.array([held])
                (source,) = tables.fetch(np.array([d]), np.array([l]), holders)
                delay = [
                    float(tables.transfer(item.bytes, k, l, -1, rule).total)
                    if held[k]
                    else math.inf
                    for k in range(count)
                ]
                least = min(delay)
                near = [k for k in range(count) if delay[k] <= least * (1 + 1e-12)]
                wanted = l if held[l] else near[0] if math.isfinite(least) else -1
                assert source == wanted


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_positions_of_edges_items_and_data(problem: Problem) -> None:
    tables, graph = problem.tables, problem.graph
    names = [task.id for task in graph.tasks]
    items: list[tuple[str, int | str]] = []
    for e, edge in enumerate(graph.edges):
        key = (edge.src, e if edge.item is None else edge.item)
        if key not in items:
            items.append(key)
        item = tables.edge_item[e]
        assert item == items.index(key)
        assert names[tables.edge_src[e]] == names[tables.item_src[item]] == edge.src
        assert names[tables.edge_dst[e]] == edge.dst
        assert (tables.item_bytes[item], tables.item_name[item]) == (edge.bytes, edge.item)
        assert {tables.codec_ids[c] for c in tables.item_codecs.of(item)} == set(edge.codecs)
        assert e in tables.item_edges.of(item)
        assert e in tables.incoming.of(tables.edge_dst[e])
        assert e in tables.outgoing.of(tables.edge_src[e])
    assert tables.items == len(items)
    for i, task in enumerate(graph.tasks):
        assert [tables.data_ids[d] for d in tables.reads.of(i)] == list(task.reads)
        assert tables.at[i] == (-1 if task.at is None else tables.node_ids.index(task.at))
    for d, item in enumerate(problem.data):
        assert {tables.node_ids[k] for k in np.flatnonzero(tables.home[d])} == set(item.home)
        copies = [matches(item.allow, node) for node in problem.network.nodes]
        assert tables.copy_allowed[d].tolist() == copies
        assert tables.max_copies[d] == (np.inf if item.max_copies is None else item.max_copies)


# -- one rule at a time --------------------------------------------------------------------------

BOX = Node(
    "box", tier="edge", kind="xeon", tags=["red", "blue"], speed=4, modes=[Mode("eco", 1, 1)]
)
OTHER = Node("other", tier="cloud", kind="arm", tags=["green"], speed=2)
BY_SPECIFICITY = ["box", "kind:xeon", "tag:red", "tag:blue", "tier:edge", "*"]


def tables_of(*tasks: Task, nodes: tuple[Node, ...] = (BOX, OTHER), **more: Any) -> Tables:
    return Problem(network=Network(nodes), graph=Graph(tasks), **more).tables


@pytest.mark.parametrize("missing", range(len(BY_SPECIFICITY)))
@pytest.mark.parametrize("turned", [False, True])
def test_the_most_specific_key_wins(missing: int, turned: bool) -> None:
    keys = BY_SPECIFICITY[missing:]
    value = {key: 1.0 + BY_SPECIFICITY.index(key) for key in (keys[::-1] if turned else keys)}
    value |= {"other": 99.0, "tag:green": 98.0, "kind:none": 97.0}
    tables = tables_of(Task("t", time=value, memory=value, resident=value))
    assert tables.execution(0, [0, 1]).tolist() == [1.0 + missing, 99.0]
    assert tables.execution(0, 0, 1) == 4 * (1.0 + missing)  # the mode is four times slower
    assert tables.memory_of(0, np.array([0, 1])).tolist() == [1.0 + missing, 99.0]
    assert tables.resident_of(0, np.array([0, 1])).tolist() == [1.0 + missing, 99.0]


def test_a_tag_that_the_node_lists_first_wins() -> None:
    turned = Node("turned", tags=["blue", "red"])
    tables = tables_of(Task("t", time={"tag:red": 1, "tag:blue": 2}), nodes=(BOX, turned))
    assert tables.execution(0, [0, 1]).tolist() == [1, 2]
    again = Node("again", tags=["red", "blue", "red"])
    tables = tables_of(Task("t", time={"tag:red": 1, "tag:blue": 2}), nodes=(again,))
    assert tables.execution(0, 0) == 1


def test_a_time_comes_before_work_and_work_fills_in() -> None:
    tables = tables_of(Task("t", work=8, time={"box": 3}), Task("u", time={"box": 3}))
    assert tables.execution(0, [0, 0, 1], [0, 1, 0]).tolist() == [3, 12, 4]
    assert tables.execution(1, [0, 0, 1], [0, 1, 0]).tolist() == [3, 12, math.inf]
    assert tables.execution(0, 1, 1) == math.inf  # it has no second mode
    assert tables.allowed(1, [0, 1]).tolist() == [True, False]


@pytest.mark.parametrize(
    "shut",
    [
        Task("t", work=1, allow=["tier:edge"]), Task("t", work=1, slots=2),
        Task("t", time={"kind:xeon": 1}), Task("t", work=1, memory={"tag:red": 1}),
        Task("t", work=1, resident={"box": 0}),
    ],
    ids=["allow", "slots", "time", "memory", "resident"],
)  # fmt: skip
def test_each_requirement_shuts_a_node_out(shut: Task) -> None:
    nodes = (Node("box", kind="xeon", tags=["red"], slots=2), OTHER)
    tables = tables_of(shut, Task("free", work=1), nodes=nodes)
    assert tables.allowed_table.tolist() == [[True, False], [True, True]]
    assert np.isfinite(tables.execution(0, [0, 1])).tolist() == [True, False]


def test_a_relay_runs_nothing() -> None:
    relay = Node("relay", slots=0)
    assert tables_of(Task("t", work=0), nodes=(BOX, relay)).allowed_table.tolist() == [
        [True, False]
    ]


def test_nothing_to_do_takes_no_time() -> None:
    tables = tables_of(Task("t", work=0), Task("u", time={"*": 0}))
    assert (tables.execution([[0], [1]], [0, 1]) == 0).all()


def test_an_execution_beyond_all_numbers_never_ends() -> None:
    tables = tables_of(Task("t", work=1e300), nodes=(Node("slow", speed=1e-300), BOX))
    assert tables.execution(0, [0, 1]).tolist() == [math.inf, 2.5e299]


def test_the_worked_figure_of_compression() -> None:
    """Compressing shortens a transfer exactly when what it saves exceeds its work (section 7)."""
    codec = Codec("zip", 2, 3, 1)
    for bandwidth in (0.5, 1.0, 2.0):
        network = Network([Node("a", speed=6), Node("b", speed=2)], [Link("a", "b", bandwidth)])
        tables = Problem(network=network, codecs=[codec]).tables
        plain, packed = tables.transfer(12, 0, 1, np.array([-1, 0])).total
        saved = 12 * (1 - 1 / 2) / bandwidth
        work = 3 * 12 / 6 + 1 * 12 / 2
        assert plain - packed == close_to(saved - work)


def test_equally_near_holders_tie_by_position() -> None:
    links = [Link("h2", "x", latency=0.3), Link("h1", "x", latency=0.1 + 0.2)]
    network = Network([Node("x"), Node("h1"), Node("h2")], links)
    data = [Data("d", 5, ["h1", "h2"]), Data("e", 5, ["h2"], require=["red"])]
    tables = Problem(network=network, data=data).tables
    found = tables.fetch(np.array([0, 1, 0]), np.array([0, 0, 2]), tables.home[[0, 1, 0]])
    assert found.tolist() == [1, -1, 2]


def test_fetches_of_a_batch_are_those_of_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    some_data = 0
    for seed in range(60):
        tables = draw_problem(seed, frozenset({"reads", "copies", "require"})).tables
        dice = np.random.default_rng(seed)
        if not tables.data_ids:
            continue
        some_data += 1
        data = dice.integers(0, len(tables.data_ids), 20)
        dst = dice.integers(0, tables.nodes, 20)
        holders = dice.random((20, tables.nodes)) < 0.4
        alone = [int(tables.fetch(data[[n]], dst[[n]], holders[[n]])[0]) for n in range(len(data))]
        for some in (1, 2 * tables.nodes, 2**22):
            monkeypatch.setattr("offload.tables._TOGETHER", some)
            assert tables.fetch(data, dst, holders).tolist() == alone
    assert some_data > 20


def test_nodes_that_tasks_cannot_tell_apart_share_a_column() -> None:
    alike = tuple(Node(f"n{k}", tags=["x"], price=k) for k in range(50))
    assert tables_of(Task("t", work=1), nodes=alike).columns == 1
    named = Task("t", work=1, memory={"n7": 1, "*": 2})
    tables = tables_of(named, nodes=alike)
    assert tables.columns == 2
    assert np.flatnonzero(tables.memory_of(0, np.arange(50)) == 1).tolist() == [7]
    faster = (*alike, Node("fast", speed=2), Node("modal", modes=[Mode("m", 3, 1)]))
    assert tables_of(Task("t", work=1), nodes=faster).columns == 4


def test_the_numbers_of_nodes_and_modes() -> None:
    tables = from_objects(street()).tables
    assert tables.mode_ids == [["default", "eco"], ["default"], ["default"], ["default"]]
    assert tables.busy_power.tolist() == [[5, 2], [0, 0], [0, 0], [0, 0]]
    assert tables.memory_capacity.tolist() == [4e9, math.inf, math.inf, math.inf]
    assert tables.storage_capacity.tolist() == [math.inf, 1e9, math.inf, math.inf]
    assert tables.node_slots.tolist() == [2, 4, 9, 0]
    assert tables.serial_io.tolist() == [False, True, False, False]
    assert tables.codec_ratio.tolist() == [2.8, 1.0]
    assert tables.due.tolist() == [math.inf, 4, *[math.inf] * 3]
    assert tables.topological.tolist() == [0, 1, 2, 3, 4]


def test_an_empty_problem_has_empty_tables() -> None:
    for problem in (Problem(), Problem(network=Network([BOX]))):
        tables = problem.tables
        assert tables.allowed_table.shape == (0, len(problem.network.nodes))
        assert (tables.tasks, tables.edges, tables.items) == (0, 0, 0)
        assert tables.fetch(np.zeros(0, int), np.zeros(0, int), tables.home).tolist() == []


def test_lists_of_positions() -> None:
    keys = np.array([2, 0, 2, 3, 0])
    grouped = Lists.group(keys, 5)
    assert [grouped.of(r).tolist() for r in range(5)] == [[1, 4], [], [0, 2], [3], []]
    assert grouped.lengths.tolist() == [2, 0, 2, 1, 0]
    owner, values = grouped.gather(np.array([2, 1, 0, 2]))
    assert owner.tolist() == [0, 0, 2, 2, 3, 3]
    assert values.tolist() == [0, 2, 1, 4, 0, 2]
    made = Lists.of_lists([[7, 1], [], [3]])
    assert [made.of(r).tolist() for r in range(3)] == [[7, 1], [], [3]]
    for empty in (Lists.of_lists([]), Lists.group(np.zeros(0, int), 0)):
        assert (empty.lengths.tolist(), empty.values.tolist()) == ([], [])
    assert [column.tolist() for column in made.gather(np.zeros(0, int))] == [[], []]


def test_items_with_several_readers_are_one_thing() -> None:
    edges = [
        Edge("a", "b", 4, "x"), Edge("a", "b", 4), Edge("b", "c", 1, "x"), Edge("a", "c", 4, "x"),
        Edge("a", "c", 2, "y"),
    ]  # fmt: skip
    graph = Graph([Task(name, work=1) for name in "abc"], edges)
    tables = Problem(network=Network([BOX]), graph=graph).tables
    assert tables.edge_item.tolist() == [0, 1, 2, 0, 3]
    assert [tables.item_edges.of(x).tolist() for x in range(4)] == [[0, 3], [1], [2], [4]]
    assert tables.item_name == ["x", None, "x", "y"]
    assert tables.item_src.tolist() == [0, 0, 1, 0]
    assert tables.item_bytes.tolist() == [4, 4, 1, 2]
    assert tables.incoming.of(2).tolist() == [2, 3, 4]
    assert tables.outgoing.of(0).tolist() == [0, 1, 3, 4]
