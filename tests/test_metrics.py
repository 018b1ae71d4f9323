"""The eight metrics by hand: small plans whose every number can be worked out on paper."""

from __future__ import annotations

import numpy as np
import pytest
from drawing import draw_plan, draw_problem

import offload
from offload import Codec, Data, Edge, Graph, Link, Mode, Network, Node, Problem, Task
from offload.features import FEATURES
from offload.metrics import objective
from offload.plan_files import loads_plan
from offload.problem import METRICS


def measured(problem: Problem, nodes: list[int], **decisions: object) -> dict[str, float]:
    """Metrics of one placement, decoded in file order, of a plan that holds."""
    order = list(range(len(nodes)))
    plan = offload.evaluate(problem, nodes, order, **decisions).plan()  # type: ignore[arg-type]
    assert offload.check(problem, plan) == []
    return plan.metrics


@pytest.fixture
def compressed() -> Problem:
    """A camera and a server with a relay between them; what moves may be packed."""
    nodes = (
        Node("cam", speed=2, busy_power=5, idle_power=1, price=3, failure_rate=0.01),
        Node("hub", slots=0, idle_power=0.5, price=100),
        Node("srv", speed=4, slots=2, busy_power=8, idle_power=2, price=7, failure_rate=0.02),
    )
    links = (
        Link("cam", "hub", bandwidth=10, latency=0.5, energy=0.1, price=0.2),
        Link("hub", "srv", bandwidth=40, latency=0.25, energy=0.3, price=0.1),
    )
    tasks = (Task("grab", work=8), Task("see", work=8, slots=2, weight=2, due=10))
    edges = (Edge("grab", "see", 20, codecs=("zip",)),)
    return Problem(
        network=Network(nodes, links), graph=Graph(tasks, edges),
        codecs=(Codec("zip", ratio=4, encode=0.3, decode=0.2),),
    )  # fmt: skip


def test_a_packed_transfer_over_two_hops(compressed: Problem) -> None:
    # grab runs 8 / 2 = 4 s. Of 20 B: encode 0.3 * 20 / 2 = 3 s, then 5 B at 10 B/s = 0.5 s,
    # latency 0.75 s, decode 0.2 * 20 / 4 = 1 s. So see runs from 9.25 s, for 8 / 4 = 2 s.
    found = measured(compressed, [0, 2], codecs=[[0]])
    assert found == pytest.approx({
        "latency": 11.25,
        "completion": 4 + 2 * 11.25,
        "tardiness": 2 * 1.25,
        "energy": 4 * 5 + 2 * 2 * 8 + 5 * (0.1 + 0.3) + 3 * 5 + 1 * 8 + 3.5 * 11.25,
        "cost": 4 * 3 + 2 * 2 * 7 + 5 * (0.2 + 0.1),
        "risk": 4 * 0.01 + 2 * 0.02,
        "traffic": 5 * 2,
        "period": 4,
    })  # fmt: skip


def test_the_same_transfer_without_a_codec(compressed: Problem) -> None:
    # 20 B at 10 B/s take 2 s, and 0.75 s of latency: see runs from 6.75 s to 8.75 s.
    found = measured(compressed, [0, 2])
    assert found == pytest.approx({
        "latency": 8.75,
        "completion": 4 + 2 * 8.75,
        "tardiness": 0,
        "energy": 4 * 5 + 2 * 2 * 8 + 20 * (0.1 + 0.3) + 3.5 * 8.75,
        "cost": 4 * 3 + 2 * 2 * 7 + 20 * (0.2 + 0.1),
        "risk": 4 * 0.01 + 2 * 0.02,
        "traffic": 20 * 2,
        "period": 4,
    })  # fmt: skip


def test_on_one_node_nothing_moves(compressed: Problem) -> None:
    found = measured(compressed, [2, 2], codecs=[[0]])
    assert found == pytest.approx({
        "latency": 4,
        "completion": 2 + 2 * 4,
        "tardiness": 0,
        "energy": 2 * 8 + 2 * 2 * 8 + 3.5 * 4,
        "cost": 2 * 7 + 2 * 2 * 7,
        "risk": 4 * 0.02,
        "traffic": 0,
        "period": (2 + 2 * 2) / 2,
    })  # fmt: skip


def test_a_mode_changes_time_and_power_of_execution_alone() -> None:
    # In mode eco a given time stretches by 4 / 1. Encoding keeps the node's own speed and power.
    cam = Node("cam", speed=4, busy_power=10, modes=(Mode("eco", speed=1, busy_power=2),))
    problem = Problem(
        network=Network((cam, Node("srv", speed=2)), (Link("cam", "srv", bandwidth=8),)),
        graph=Graph(
            (Task("a", time={"cam": 3}), Task("b", work=6)),
            (Edge("a", "b", 16, codecs=("zip",)),),
        ),
        codecs=(Codec("zip", ratio=2, encode=1, decode=0),),
    )  # fmt: skip
    found = measured(problem, [0, 1], modes=[[1, 0]], codecs=[[0]])
    assert found["latency"] == pytest.approx(12 + 16 / 4 + 8 / 8 + 3)
    assert found["energy"] == pytest.approx(12 * 2 + (16 / 4) * 10)
    faster = measured(problem, [0, 1], codecs=[[0]])
    assert faster["latency"] == pytest.approx(3 + 4 + 1 + 3)
    assert faster["energy"] == pytest.approx(3 * 10 + 4 * 10)


def test_idle_power_counts_on_every_node_for_the_whole_plan() -> None:
    nodes = (Node("a", idle_power=2), Node("b", idle_power=3), Node("c", slots=0, idle_power=5))
    problem = Problem(network=Network(nodes), graph=Graph((Task("t", work=4, release=6),)))
    assert measured(problem, [1])["energy"] == pytest.approx((2 + 3 + 5) * 10)


def test_lateness_counts_by_weight_and_earliness_does_not() -> None:
    tasks = (
        Task("late", work=5, due=3, weight=4),
        Task("early", work=1, due=100, weight=50),
        Task("free", work=1, weight=7),
        Task("worthless", work=2, due=0, weight=0),
    )
    nodes = tuple(Node(f"n{k}") for k in range(4))
    found = measured(Problem(network=Network(nodes), graph=Graph(tasks)), [0, 1, 2, 3])
    assert found["tardiness"] == 4 * (5 - 3)
    assert found["completion"] == 4 * 5 + 50 * 1 + 7 * 1
    assert found["latency"] == 5


# -- data, copies and moves ----------------------------------------------------------------------


@pytest.fixture
def library() -> Problem:
    """Data at home on a; b is one hop away, c two (10 B/s each); b and c read it."""
    links = (
        Link("a", "b", bandwidth=10, latency=1, energy=0.1, price=0.01),
        Link("b", "c", bandwidth=10, latency=1, energy=0.2, price=0.02),
    )
    tasks = (
        Task("x", work=1, reads=("map",)),
        Task("y", work=1, reads=("map",)),
        Task("z", work=1, reads=("map",)),
    )
    return Problem(
        network=Network((Node("a"), Node("b", slots=2), Node("c")), links), graph=Graph(tasks),
        data=(Data("map", 30, ("a",), max_copies=None),),
    )  # fmt: skip


def test_readers_on_one_node_share_a_fetch(library: Problem) -> None:
    found = measured(library, [1, 1, 2])
    assert found["traffic"] == 30 * 1 + 30 * 2
    assert found["energy"] == pytest.approx(30 * 0.1 + 30 * (0.1 + 0.2))
    assert found["cost"] == pytest.approx(30 * 0.01 + 30 * (0.01 + 0.02))
    assert found["latency"] == pytest.approx(2 + 3 + 1)


def test_a_copy_costs_a_push_and_saves_the_fetch(library: Problem) -> None:
    # A copy on b is pushed over one hop; c now fetches from b, over one hop as well.
    found = measured(library, [1, 1, 2], copies=[[[False, True, False]]])
    assert found["traffic"] == 30 * 1 + 30 * 1
    assert found["energy"] == pytest.approx(30 * 0.1 + 30 * 0.2)
    assert found["cost"] == pytest.approx(30 * 0.01 + 30 * 0.02)
    assert found["latency"] == pytest.approx(1 + 3 + 1)
    assert found["period"] == 1


def test_a_copy_is_pushed_from_a_home_and_never_from_a_copy(library: Problem) -> None:
    # c's copy comes from a over two hops, although b has one nearer by.
    found = measured(library, [1, 1, 2], copies=[[[False, True, True]]])
    assert found["traffic"] == 30 * 1 + 30 * 2
    assert found["latency"] == 1


def test_a_move_counts_in_traffic_and_not_in_the_period() -> None:
    nodes = (Node("a", io="serial"), Node("b", io="serial"))
    link = Link("a", "b", bandwidth=2, energy=0.5, price=0.25, channels=1)
    task = Task("t", work=3, at="a", move_bytes=20)
    problem = Problem(network=Network(nodes, (link,)), graph=Graph((task,)))
    moved = measured(problem, [1])
    assert moved["latency"] == 10 + 3
    assert (moved["traffic"], moved["energy"], moved["cost"]) == (20, 10, 5)
    assert moved["period"] == 3
    stayed = measured(problem, [0])
    assert (stayed["latency"], stayed["traffic"]) == (3, 0)


# -- period --------------------------------------------------------------------------------------


def spread(io: str, duplex: str = "full", channels: int | None = None) -> Problem:
    """A source whose item goes to two nodes, a slow and a fast one, and one answer back."""
    nodes = (Node("hub", io=io), Node("slow", io=io), Node("fast", io=io))  # type: ignore[arg-type]
    links = (
        Link("hub", "slow", bandwidth=2, duplex=duplex, channels=channels),  # type: ignore[arg-type]
        Link("hub", "fast", bandwidth=10, duplex=duplex, channels=channels),  # type: ignore[arg-type]
    )
    tasks = tuple(Task(name, work=1) for name in ("s", "one", "two", "three", "back"))
    edges = (
        Edge("s", "one", 20, "frame"), Edge("s", "two", 20, "frame"),
        Edge("s", "three", 20, "frame"), Edge("one", "back", 6),
    )  # fmt: skip
    return Problem(network=Network(nodes, links), graph=Graph(tasks, edges))


PLACES = [0, 1, 2, 2, 0]  # s on hub; one on slow; two and three on fast; back on hub


def test_overlapped_io_leaves_the_load_of_execution() -> None:
    assert measured(spread("overlapped"), PLACES)["period"] == 2


def test_serial_io_adds_what_comes_in_and_the_largest_of_each_item_that_goes_out() -> None:
    # slow takes 20 / 2 = 10 s to get the frame, and sends 6 B in 3 s: 1 + 10 + 3.
    # hub: 2 + 3 for what comes back, + the longer of 10 s and 2 s for the frame, once.
    found = measured(spread("serial"), PLACES)
    assert found["period"] == 2 + 3 + 10
    plan = offload.evaluate(spread("serial"), PLACES, range(5)).plan()
    assert plan.measured.node_load[0].tolist() == [15, 14, 2 + 2]


def test_two_items_of_one_sender_are_sent_one_after_the_other() -> None:
    problem = spread("serial")
    edges = tuple(
        Edge(e.src, e.dst, e.bytes, None if e.src == "s" else e.item) for e in problem.graph.edges
    )
    apart = problem.replace(graph=Graph(problem.graph.tasks, edges))
    plan = offload.evaluate(apart, PLACES, range(5)).plan()
    assert plan.measured.node_load[0].tolist() == [2 + 3 + 10 + 2 + 2, 14, 2 + 2 + 2]


def test_data_is_an_item_that_its_source_sends(library: Problem) -> None:
    nodes = tuple(Node(n.id, slots=n.slots, io="serial") for n in library.network.nodes)
    serial = library.replace(network=Network(nodes, library.network.links))
    plan = offload.evaluate(serial, [1, 1, 2], range(3)).plan()
    assert plan.measured.node_load[0].tolist() == [3, 2 / 2 + 3, 1 + 3]
    copied = offload.evaluate(serial, [1, 1, 2], range(3), copies=[[[False, True, False]]]).plan()
    assert copied.measured.node_load[0].tolist() == [0, 2 / 2 + 3, 1 + 3]


def test_each_direction_of_a_full_link_has_its_own_channels() -> None:
    # To slow: 10 s; back: 3 s; to fast: 2 s.
    plan = offload.evaluate(spread("overlapped", "full", 1), PLACES, range(5)).plan()
    assert sorted(plan.measured.link_load[0].tolist()) == [0, 2, 3, 10]
    assert plan.metrics["period"] == 10


def test_both_directions_of_a_half_link_share_its_channels() -> None:
    plan = offload.evaluate(spread("overlapped", "half", 1), PLACES, range(5)).plan()
    assert sorted(plan.measured.link_load[0].tolist()) == [2, 13]
    assert plan.metrics["period"] == 13


def test_channels_divide_the_load_of_a_link() -> None:
    plan = offload.evaluate(spread("overlapped", "half", 4), PLACES, range(5)).plan()
    assert sorted(plan.measured.link_load[0].tolist()) == [2 / 4, 13 / 4]
    assert plan.metrics["period"] == 13 / 4


def test_every_link_of_a_route_is_loaded() -> None:
    nodes = (Node("a"), Node("hub", slots=0), Node("b"))
    links = (Link("a", "hub", bandwidth=5, channels=1), Link("hub", "b", channels=2))
    graph = Graph((Task("s", work=1), Task("t", work=1)), (Edge("s", "t", 40),))
    plan = offload.evaluate(
        Problem(network=Network(nodes, links), graph=graph), [0, 2], [0, 1]
    ).plan()
    assert sorted(plan.measured.link_load[0].tolist()) == [0, 0, 8 / 2, 8]
    assert plan.metrics["period"] == 8


# -- parts and sums ------------------------------------------------------------------------------


def test_a_split_task_counts_by_its_parts() -> None:
    nodes = (Node("a", busy_power=4, price=1), Node("b", speed=2, busy_power=6, price=2))
    problem = Problem(
        network=Network(nodes, (Link("a", "b", bandwidth=8, energy=0.5),)),
        graph=Graph(
            (Task("s", work=2), Task("t", work=16, divisible=True, weight=3)),
            (Edge("s", "t", 32),),
        ),
    )  # fmt: skip
    text = """{"format": "offload-plan/1", "digest": "%s", "tasks": [
      {"id": "s", "node": "a", "start": 0, "finish": 2},
      {"id": "t", "node": "a", "start": 2, "finish": 6, "fraction": 0.25},
      {"id": "t", "node": "b", "start": 5, "finish": 11, "fraction": 0.75}],
     "transfers": [{"kind": "edge", "src": "s", "dst": ["t"], "from": "a", "to": "b",
      "start": 2, "finish": 5}]}"""
    plan = loads_plan(text % problem.digest, problem)
    assert offload.check(problem, plan) == []
    assert plan.metrics == pytest.approx({
        "latency": 11,
        "completion": 2 + 3 * 11,
        "tardiness": 0,
        "energy": 2 * 4 + 4 * 4 + 6 * 6 + 24 * 0.5,
        "cost": 2 * 1 + 4 * 1 + 6 * 2,
        "risk": 0,
        "traffic": 24,
        "period": 6,
    })  # fmt: skip


def test_a_breakdown_sums_to_the_metrics() -> None:
    drawn = 0
    for seed in range(80):
        problem = draw_problem(seed, tuple(FEATURES))
        plan = draw_plan(problem, seed, tries=2)
        if plan is None:
            continue
        drawn += 1
        nodes, links = plan.breakdown()
        energy = nodes[["energy", "codec_energy", "idle_energy"]].to_numpy().sum()
        energy += links["energy"].sum()
        where = f"instance {seed}"
        assert energy == pytest.approx(plan.metrics["energy"], rel=1e-9, abs=1e-12), where
        cost = nodes["cost"].sum() + links["cost"].sum()
        assert cost == pytest.approx(plan.metrics["cost"], rel=1e-9, abs=1e-12), where
        assert links["bytes"].sum() == pytest.approx(plan.metrics["traffic"], rel=1e-9), where
        assert nodes["busy"].sum() == pytest.approx(plan.measured.occupied.sum()), where
        assert nodes["tasks"].sum() == len(plan.parts.task), where
        assert (nodes["utilisation"] <= 1 + 1e-9).all(), where
    assert drawn > 60


def test_an_objective_is_the_weighted_sum(compressed: Problem) -> None:
    found = offload.evaluate(compressed, [[0, 2], [2, 2]], [[0, 1]])
    weights = {"latency": 2.0, "energy": 0.5, "cost": 0.0}
    wanted = 2 * found.metrics["latency"] + 0.5 * found.metrics["energy"]
    np.testing.assert_allclose(objective(found.metrics, weights), wanted, 1e-14)
    assert found.plan(1).objective(weights) == pytest.approx(wanted[1], rel=1e-14)
    assert found.plan(1).objective() == found.metrics["latency"][1]


def test_all_eight_are_there_and_no_others(compressed: Problem) -> None:
    found = offload.evaluate(compressed, [0, 2], [0, 1]).metrics
    assert tuple(found) == METRICS
    assert len(found) == 8
    with pytest.raises(KeyError, match="makespan"):
        found["makespan"]
